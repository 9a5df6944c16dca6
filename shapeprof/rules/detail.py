"""The law that links detail to stride: how coarse the logits may be for a class. Rules ask it, and state its threshold.

To decide by another law, change this file: ``keeps``, ``coarsest_stride`` and what R1's page says.
"""

from __future__ import annotations

from shapeprof.profile.class_view import ClassView

from .evidence import Evidence
from .thresholds import Thresholds

LOGIT_STRIDES = (1, 2, 4, 8, 16, 32)


def keeps(view: ClassView, stride: int, t: Thresholds) -> bool:
    """Whether logits at this stride keep enough of the class: of its area and of its objects."""
    return view.survival(stride) >= 1 - t.tolerance and view.recall(stride) >= t.recall


def coarsest_stride(view: ClassView, t: Thresholds) -> int:
    """Coarsest logit stride that keeps this class, as do all finer ones."""
    best = 1
    for stride in LOGIT_STRIDES[1:]:
        if not keeps(view, stride, t):
            break
        best = stride
    return best


def limits_of(evidence: Evidence, t: Thresholds) -> dict[int, int]:
    """Class id -> the coarsest logit stride that keeps it, for every deciding class."""
    return {v.id: coarsest_stride(v, t) for v in evidence.classes}
