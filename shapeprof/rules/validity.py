"""R0: whether there is enough to decide from."""

from __future__ import annotations

from shapeprof.design.draft import Draft

from .evidence import Evidence
from .rule import Outcome, rule
from .thresholds import Thresholds


@rule("R0", "validity", title="Enough?")
def validity(evidence: Evidence, draft: Draft, t: Thresholds) -> Outcome:
    """Whether the other rules may speak.

    What it decides: with too few images or objects, shape statistics say little about the next
    image; the recommendation is then the default design, a U-Net with deep supervision (logit
    stride 4, skips at 4, 8 and 16), and the report says so.

    Threshold: 10 images; 50 measured objects in a class for it to decide. Both chosen: with
    fewer, a 10 % quantile rests on under five objects and bootstrap intervals are too narrow to
    be believed. Classes with fewer objects are named and decide nothing alone.

    Example: 24 images with 300 cells and 12 needles: cells decide, needles are named.
    """
    few = ", ".join(f"{v.name} ({v.measured})" for v in evidence.too_few)
    if evidence.images >= t.min_images and evidence.classes:
        reason = f"{evidence.images:,} images and {evidence.objects:,} measured objects are enough to decide."
        if few:
            reason += f" Too few objects to decide alone: {few}."
        return Outcome({}, True, reason, "images", _images, threshold=t.min_images)
    if evidence.images < t.min_images:
        reason = f"{evidence.images} images; shape rules need {t.min_images}."
    else:
        reason = f"No class has {t.min_objects} objects" + (f": {few}." if few else ".")
    return Outcome(
        {},
        False,
        reason + " The default design is used: a U-Net with deep supervision.",
        "images",
        _images,
        threshold=t.min_images,
        flips_when=f"with {t.min_images} images and {t.min_objects} objects of a class the rules decide",
        abstains=True,
    )


def _images(evidence: Evidence) -> float:
    return float(evidence.images)
