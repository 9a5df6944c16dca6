"""Whether it is one object, and whether it touches others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from shapeprof.metrics.metric import metric

if TYPE_CHECKING:
    from shapeprof.metrics.geometry import Geometry


@metric("pieces", "int64", low=1)
def pieces(geometry: Geometry) -> NDArray[Any]:
    """Its 8-connected components; more than 1 only with instance ids."""
    return geometry.objects.pieces


@metric("touching", "bool", low=0, high=1)
def touching(geometry: Geometry) -> NDArray[Any]:
    """Whether it has a pixel of another object of its class among its neighbours; only with instance ids."""
    from shapeprof.metrics.crowding import touching

    return touching(geometry.runs, geometry.objects)


@metric(
    "suspected_merged",
    low=0,
    high=1,
    undefined="where the mask is not in the sample (see --survival-sample), and in semantic masks of more than 2^24 px",
    invariant=False,
)
def suspected_merged(geometry: Geometry) -> NDArray[Any]:
    """1 if its distance map cuts it at necks into convex parts: it is probably several objects.

    0 if not, if it is under 200 px, and with instance ids.
    """
    from shapeprof.metrics.crowding import suspected_merged

    return suspected_merged(geometry.runs, geometry.objects, geometry.members, geometry.outline, geometry.sampled)
