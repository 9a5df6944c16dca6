"""What down-sampling leaves of it: one column per stride."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from shapeprof.metrics.metric import metric
from shapeprof.metrics.strides import STRIDES

if TYPE_CHECKING:
    from shapeprof.metrics.geometry import Geometry


def _kept_at(stride: int) -> Callable[[Geometry], NDArray[Any]]:
    def kept(geometry: Geometry) -> NDArray[Any]:
        values: NDArray[Any] = geometry.kept_nearest[:, STRIDES.index(stride)]
        return values

    kept.__doc__ = f"""Share of its pixels that keep their class at stride {stride}.

    Majority class per cell of {stride} x {stride} px, enlarged by nearest; mean over two phases of the grid."""
    return kept


for _stride in STRIDES:
    metric(f"survival_nearest_{_stride}", low=0, high=1, invariant=False)(_kept_at(_stride))
