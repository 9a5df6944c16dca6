"""What lies around it, and whether its shape is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from shapeprof.metrics.metric import metric

if TYPE_CHECKING:
    from shapeprof.metrics.geometry import Geometry


@metric("truncated", "bool", low=0, high=1, invariant=False)
def truncated(geometry: Geometry) -> NDArray[Any]:
    """Whether it touches the image border."""
    top, left, bottom, right = geometry.box.T
    height, width = geometry.size[geometry.objects.of_map].T
    cut: NDArray[Any] = (top == 0) | (left == 0) | (bottom == height) | (right == width)
    return cut


@metric("borders_ignored", "bool", low=0, high=1)
def borders_ignored(geometry: Geometry) -> NDArray[Any]:
    """Whether it has an ignored pixel among its neighbours."""
    return geometry.objects.borders_ignored


@metric("ignored_edges", "int64", unit="px", low=0)
def ignored_edges(geometry: Geometry) -> NDArray[Any]:
    """Pixel edges of its outline beyond which lies an ignored pixel."""
    return geometry.objects.ignored_edges


@metric("measured", "bool", low=0, high=1)
def measured(geometry: Geometry) -> NDArray[Any]:
    """Whether its area is at least the floor (--floor); smaller objects count in no shape statistic."""
    return geometry.outline.area >= geometry.floor
