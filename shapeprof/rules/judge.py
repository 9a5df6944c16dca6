"""T11: what to judge the network by."""

from __future__ import annotations

from shapeprof.design.draft import Draft
from shapeprof.profile.class_view import ClassView

from .evidence import Evidence
from .rule import Outcome, rule
from .thresholds import Thresholds

MEAN_IOU, BOUNDARY_IOU, CENTRE_LINE, OBJECT_F1 = "mean IoU", "boundary IoU", "clDice", "object F1"


@rule("T11", "judge-by", title="Judge it by", always=True)
def judge_by(evidence: Evidence, draft: Draft, t: Thresholds) -> Outcome:
    """Which scores say whether the trained network is good.

    What it decides: mean IoU always; clDice (the overlap of centre lines) when half of the area of a class is no wider
    than 4 px; F1 over objects when an image holds ten or more objects of a class; boundary IoU when neither holds.
    It sets nothing in spec.yaml: the exported trainer writes all of them.

    Why: on thin shapes an outline that is off by a pixel costs most of the IoU, while the structure was found. With
    many objects two that have grown together cost no IoU and are one object too few. On large shapes IoU is high
    whatever the outline looks like; boundary IoU looks at the outline alone.

    Thresholds: 4 px (`thin_width`), that of R6; 10 objects (`crowded`); chosen.

    References: Shit et al. 2021 (clDice); Cheng et al. 2021 (boundary IoU); Caicedo et al. 2019 (F1 over nuclei).
    """
    thin = [v.name for v in evidence.all_classes if v.quantile("width_pixels", 0.5) <= t.thin_width]
    many = [v.name for v in evidence.all_classes if _per_image(v) >= t.crowded]
    scores, reasons = [MEAN_IOU], []
    if thin:
        scores.append(CENTRE_LINE)
        reasons.append(f"Thin shapes ({_some(thin)}) lose most of their IoU to a pixel at the outline: clDice too.")
    if many:
        scores.append(OBJECT_F1)
        reasons.append(f"Objects ({_some(many)}) can grow together at no cost in IoU: F1 over objects too.")
    if not reasons:
        scores.append(BOUNDARY_IOU)
        reasons.append("Large shapes have a high IoU whatever their outlines look like: boundary IoU too.")
    return Outcome({}, tuple(scores), " ".join(reasons))


def _per_image(view: ClassView) -> float:
    images = view.total("images")
    return view.measured / images if images else 0.0


def _some(names: list[str]) -> str:
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
