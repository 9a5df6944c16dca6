"""Its local width."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.metrics.metric import metric

if TYPE_CHECKING:
    from shapeprof.metrics.geometry import Geometry


@metric(
    "local_width",
    unit="px",
    low=0,
    high=63,
    undefined="where the mask is not in the sample (see --survival-sample, --thickness)",
    invariant=False,  # an object cut by the border is not thinned by it
)
def local_width(geometry: Geometry) -> NDArray[Any]:
    """Mean over its pixels of the diameter of the widest disc inside the object that covers them.

    The opening granulometry by discs (local thickness, Hildebrand and Rueegsegger 1997). Strips along the axes read
    their exact width. Widths over 63 px read 63.
    """
    known = geometry.width_measured[geometry.objects.of_map]
    return np.where(known, geometry.widths.object_sum / geometry.outline.area, np.nan)
