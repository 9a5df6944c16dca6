"""T9: how far training resizes images at random."""

from __future__ import annotations

import math

from shapeprof.design.draft import Draft

from .evidence import Evidence, or_zero
from .rule import Outcome, rule
from .thresholds import Thresholds


@rule("T9", "scale-range", title="Random scale", sets=("training.scale",), always=True)
def scale_range(evidence: Evidence, draft: Draft, t: Thresholds) -> Outcome:
    """By which factors training resizes images at random.

    What it decides: .7 to 1.4, but never so small that w10 of a class falls under 2 px. w10 is the local width that
    10 % of the class's area stays below. Where it is unknown, nothing is shrunk.

    Why: random resizing makes a network indifferent to scale; a structure that it shrinks under 2 px is no longer in
    the label, and training would ask for what can't be seen.

    Thresholds: .7 and 1.4 (`smallest_scale`, `largest_scale`), nnU-Net's; 2 px (`thinnest`), chosen.

    Example: cracks whose w10 is 2.5 px: .8 to 1.4.

    References: Isensee et al. 2021 (nnU-Net).
    """
    measured = [v for v in evidence.all_classes if v.measured]
    thinnest = min(measured, key=lambda v: or_zero(v.quantile("width_pixels", 0.1)), default=None)
    width = math.nan if thinnest is None else thinnest.quantile("width_pixels", 0.1)
    if thinnest is None or math.isnan(width):
        low, reason = 1.0, "How wide the thinnest structures are is not known: nothing is shrunk."
    else:
        low = min(1.0, max(t.smallest_scale, math.ceil(100 * t.thinnest / width) / 100))
        reason = f"A tenth of {thinnest.name} is under {width:.1f} px wide, so "
        reason += (
            f"images shrink to {low:g} at most. That leaves {low * width:.1f} px." if low < 1 else "nothing is shrunk."
        )
    enough = t.thinnest / t.smallest_scale
    return Outcome(
        {"training.scale": (low, t.largest_scale)},
        (low, t.largest_scale),
        reason,
        "width_p10",
        measured=width,
        threshold=enough,
        binding_class=None if thinnest is None else thinnest.name,
        flips_when=f"from {t.smallest_scale:g} if it were {enough:.1f} px wide" if low > t.smallest_scale else "",
    )
