"""R1: how fine the logits are."""

from __future__ import annotations

from typing import Any

from shapeprof.design.draft import Draft
from shapeprof.design.family import stem_stride
from shapeprof.profile.class_view import ClassView

from .detail import LOGIT_STRIDES, limits_of
from .evidence import Evidence
from .rule import Outcome, rule
from .thresholds import Thresholds

COARSEST = LOGIT_STRIDES[-1]


@rule(
    "R1", "logit-stride", title="Detail", after="R0", sets=("model.decoder.logit_stride", "model.encoder.stem_stride")
)
def logit_stride(evidence: Evidence, draft: Draft, t: Thresholds) -> Outcome:
    """How fine the network's finest logits must be.

    What it decides: the logit stride, the coarsest of 1, 2, 4, 8, 16, 32 at which every deciding
    class keeps at least 1 - tolerance of itself (linear survival: class shares per cell, bilinear
    up-sampling, argmax, IoU) and at least 95 % of its objects of 200 px or more keep half of
    their pixels. Logits at stride 1 come with a stem of stride 1.

    Why: a network can't draw what its logits can't represent. Achieved IoU followed the best
    representable IoU with Pearson .94 over 28 trained cells of a pilot. Convexity does not enter:
    a straight crack has convexity 1 and still dies at stride 8.

    Threshold: tolerance .11 (``--tolerance``). The linear protocol is stricter than what logits
    can reach at best; .11 was fitted so that the rule gives what best survival >= .97 gives on
    five real sets.

    The class that binds is the one that needs the finest stride; the report also says what the
    stride would be without it.

    References: Long et al. 2015, appendix A; Cordts et al. 2016, table 3 (nearest protocol).
    """
    limits = limits_of(evidence, t)
    stride = min(limits.values())
    coarser = min(2 * stride, COARSEST)
    binding = min(
        (v for v in evidence.classes if limits[v.id] == stride),
        key=lambda v: (v.survival(coarser), v.recall(coarser), v.id),
    )
    by_recall = stride < COARSEST and binding.survival(coarser) >= 1 - t.tolerance
    threshold = t.recall if by_recall else 1 - t.tolerance

    def kept(view: ClassView) -> float:
        return view.recall(coarser) if by_recall else view.survival(coarser)

    reason, flips_when = _words(binding, stride, coarser, by_recall, threshold)
    others = [limits[v.id] for v in evidence.classes if v.id != binding.id]
    if others and min(others) > stride:
        reason += f" Without {binding.name}, 1/{min(others)} would do."

    def outcome(stride: int, reason: str, cheaper: Outcome | None) -> Outcome:
        return Outcome(
            sets=_sets(stride),
            value=stride,
            reason=reason,
            statistic=f"{'recall' if by_recall else 'survival'}_linear({coarser})",
            read=lambda e: kept(e.view(binding.id)),
            threshold=threshold,
            binding_class=binding.name,
            flips_when=flips_when,
            answer=f"output 1/{stride}",
            cheaper=cheaper,
        )

    what = "objects" if by_recall else "area"
    tied = (
        f"Output 1/{coarser} keeps {kept(binding):.0%} of the {what} of {binding.name}, and resamples are split on "
        f"whether that is enough. {threshold:.0%} is asked for."
    )
    return outcome(stride, reason, outcome(coarser, tied, None) if coarser > stride else None)


def _sets(stride: int) -> dict[str, Any]:
    return {"model.decoder.logit_stride": stride, "model.encoder.stem_stride": stem_stride(stride)}


def _words(binding: ClassView, stride: int, coarser: int, by_recall: bool, threshold: float) -> tuple[str, str]:
    """The reason, and what would flip the decision."""
    name = binding.name
    if stride == COARSEST:
        reason = f"Even output 1/{COARSEST} keeps {binding.survival(COARSEST):.0%} of the area of {name}."
        return reason, f"below {threshold:.0%} at stride {COARSEST}, the next finer stride"
    if by_recall:
        reason = (
            f"Output 1/{coarser} keeps only {binding.recall(coarser):.0%} of the objects of {name}, so it is "
            f"1/{stride}. {threshold:.0%} of them are asked for; "
            f"1/{stride} keeps {binding.survival(stride):.0%} of its area."
        )
    else:
        reason = (
            f"Output 1/{stride} keeps {binding.survival(stride):.0%} of the area of {name}, and 1/{coarser} only "
            f"{binding.survival(coarser):.0%}. {threshold:.0%} is asked for."
        )
    flips_when = f"stride {coarser} if {name} kept {threshold:.0%} there"
    if not by_recall:
        flips_when += f", or with --tolerance {1 - binding.survival(coarser) + 0.005:.2f}"
    return reason, flips_when
