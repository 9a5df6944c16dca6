"""T2: how large the training crops should be."""

from __future__ import annotations

import math

from shapeprof.design.draft import Draft

from .evidence import Evidence, or_zero
from .rule import Outcome, rule
from .thresholds import Thresholds

CROP = "training.crop"


@rule("T2", "crop", title="Crop", after="T1", sets=(CROP,), always=True)
def crop(evidence: Evidence, draft: Draft, t: Thresholds) -> Outcome:
    """How large the crops are that training sees.

    What it decides: the sides of the crop are 1.5 times L90, the 90 % quantile of the Feret diameter of the class with
    the largest objects, so that most objects lie whole in some crop. They are multiples of 32 px between 128 and 1,024,
    and no longer than the median mask's sides. T3 makes the crop smaller where memory asks for it.

    Why: a network can't learn an object's outline from crops that never show it whole, and a larger crop costs memory
    and time for background.

    Thresholds: 1.5 (`crop_margin`), 128 and 1,024 px (`smallest_crop`, `largest_crop`); chosen. 32 px (`crop_step`) is
    the coarsest output stride.

    Example: animals of which nine in ten are under 180 px, in images of 640 x 480: crops of 288 x 288.
    """
    largest = max(evidence.classes, key=lambda v: (or_zero(evidence.extents[v.id]), -v.id), default=None)
    extent = evidence.largest_extent
    rows, columns = (_side(extent, side, t) for side in evidence.sides)
    if math.isnan(extent):
        reason = f"No class has enough objects to say how large they are: the smallest crop, {columns} x {rows} px."
    else:
        held = "are" if min(rows, columns) >= t.crop_margin * extent else "come as near as they can to"
        reason = (
            f"Nine in ten objects are under {extent:,.0f} px, and crops {held} {t.crop_margin:g} times as wide. "
            f"They have {columns} x {rows} px."
        )
    return Outcome(
        {CROP: (rows, columns)},
        (rows, columns),
        reason,
        "feret_p90",
        lambda e: e.largest_extent,
        threshold=min(rows, columns) / t.crop_margin,
        binding_class=None if largest is None else largest.name,
        flips_when=f"another size if L90 left the {t.crop_step} px that it fell into",
    )


def _side(extent: float, side: float, t: Thresholds) -> int:
    """Side of the crop along a side of the mask, px."""
    wanted = t.smallest_crop if math.isnan(extent) else t.crop_margin * extent
    longest = min(t.largest_crop, _up(side, t.crop_step))
    return int(min(max(_up(wanted, t.crop_step), t.smallest_crop), longest))


def _up(value: float, step: int) -> int:
    return math.ceil(value / step) * step
