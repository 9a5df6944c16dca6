"""T7: what training minimises."""

from __future__ import annotations

import math

from shapeprof.design.draft import Draft

from .evidence import Evidence
from .rule import Outcome, rule
from .thresholds import Thresholds


@rule("T7", "loss", title="Loss", sets=("training.loss",), always=True)
def loss(evidence: Evidence, draft: Draft, t: Thresholds) -> Outcome:
    """Which loss training minimises.

    What it decides: cross-entropy; Dice joins it when any foreground class has less than 5 % of the pixels.

    Why: cross-entropy counts pixels, so a class with few of them counts little, and a network can do well by leaving it
    out. Dice counts every class alike. Published gains of cross-entropy and Dice over cross-entropy alone are .2 to
    1.7 points of Dice on vessels.

    Threshold: 5 % (`rare_share`); chosen.

    References: Milletari et al. 2016 (V-Net); Isensee et al. 2021 (nnU-Net, both, always).
    """
    rarest = min(evidence.all_classes, key=lambda v: (_known(evidence.pixel_shares[v.id]), v.id), default=None)
    share = math.nan if rarest is None else evidence.pixel_shares[rarest.id]
    rare = share < t.rare_share
    if rarest is None:
        reason = "There is no foreground class: cross-entropy."
    else:
        reason = f"{rarest.name} has {share:.1%} of the pixels: "
        reason += "Dice joins cross-entropy, so that it counts." if rare else "cross-entropy will do."
    limit = f"{'' if rare else 'under '}{t.rare_share:.0%}"
    return Outcome(
        {"training.loss": "ce+dice" if rare else "ce"},
        "ce+dice" if rare else "ce",
        reason,
        "pixel_share",
        measured=share,
        threshold=t.rare_share,
        binding_class=None if rarest is None else rarest.name,
        flips_when=f"ce{'' if rare else '+dice'} if {'every' if rare else 'a'} class had {limit}",
    )


def _known(share: float) -> float:
    return math.inf if math.isnan(share) else share
