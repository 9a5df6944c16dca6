"""How far objects reach, against what the encoder sees: what R6 and R7 ask."""

from __future__ import annotations

from shapeprof.profile.class_view import ClassView

from .evidence import Evidence
from .thresholds import Thresholds


def wants_context(evidence: Evidence, field: float, t: Thresholds) -> ClassView | None:
    """The class whose objects outgrow half of ``field`` px (by L90, the largest); None if no class's do.

    Thin classes never want context (thin: half of the area no wider than 4 px). Vessels are long, but recognised
    from a few widths around: context gave them 0.0 to 0.2 Dice.
    """

    def outgrows(view: ClassView) -> bool:
        return evidence.extents[view.id] > t.field_share * field and not evidence.widths[view.id] <= t.thin_width

    wanting = [v for v in evidence.classes if outgrows(v)]
    return max(wanting, key=lambda v: (evidence.extents[v.id], -v.id), default=None)
