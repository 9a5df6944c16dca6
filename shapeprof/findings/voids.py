"""Findings about ignored pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator

from shapeprof.metrics.strides import STRIDES
from shapeprof.profile.profile import Profile
from shapeprof.recommend.decision import Recommendation
from shapeprof.wording import listed, quantity

from .finding import Found
from .registry import finding
from .thresholds import FEW, LINED


@finding("ignored-outlines", "info")
def ignored_outlines(profile: Profile, recommendation: Recommendation | None) -> Iterator[Found]:
    """Ignored pixels line most of the outlines of a class.

    Seen: over half of the outline of a class borders on ignored pixels, and half of all ignored pixels lie in bands
    wide enough to hide a stride's boundary error (Pascal VOC's void borders are 5 px wide, for example).

    Why it matters: what such a stride loses at a boundary falls into the band and is not counted. The table of
    outputs makes these strides look better than they are.

    What to do: choose the next finer output where outlines matter, or measure masks without the band.
    """
    band = profile.void_width(0.5)
    hidden = [stride for stride in STRIDES if not math.isnan(band) and stride <= band]
    lined = [v.name for v in profile.classes() if v.measured >= FEW and v.ignored_boundary_share > LINED]
    if lined and hidden:
        yield Found(
            f"ignored bands up to {quantity(band)} px wide line {listed(lined, 1)}: they flatter outputs to "
            f"1/{hidden[-1]}",
            "choose a finer one where outlines matter",
        )
