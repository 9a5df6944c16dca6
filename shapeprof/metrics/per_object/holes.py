"""Its holes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from shapeprof.metrics.metric import metric

if TYPE_CHECKING:
    from shapeprof.metrics.geometry import Geometry


@metric("hole_count", "int64", low=0)
def hole_count(geometry: Geometry) -> NDArray[Any]:
    """4-connected background regions inside.

    Its 8-connected components minus the Euler number, which is the number of its runs minus that of their links.
    """
    return geometry.hole_count


@metric("hole_area", "int64", unit="px", low=0)
def hole_area(geometry: Geometry) -> NDArray[Any]:
    """Pixels in its holes, whatever fills them."""
    from shapeprof.metrics.holes import hole_area

    return hole_area(geometry.runs, geometry.gaps, geometry.hole_count.size)


@metric("hole_share", low=0, high=1)
def hole_share(geometry: Geometry) -> NDArray[Any]:
    """hole_area / (area + hole_area)."""
    holes = hole_area(geometry)
    share: NDArray[Any] = holes / (geometry.outline.area + holes)
    return share
