"""Designs that were not chosen: which ones, what they keep of the masks, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from shapeprof.design.cost import cost
from shapeprof.design.draft import Draft
from shapeprof.design.family import Knobs, possible_skips
from shapeprof.design.spec import AsppSpec, DesignName, NetworkSpec, design_name
from shapeprof.rules.evidence import Evidence
from shapeprof.rules.references import REFERENCES
from shapeprof.rules.thresholds import Thresholds

LESSON = "The lesson read literally"


@dataclass(frozen=True, slots=True)
class Alternative:
    """A design that was not chosen, and what the numbers say against or for it."""

    label: str
    design: DesignName
    network: NetworkSpec
    logit_stride: int
    kept: float  # linear survival at its logit stride of the class that loses most there
    loses_most: str  # that class
    kept_difference: float  # kept minus what the recommended design keeps of the same class
    recall: float  # of objects of at least 200 px, worst class
    parameters: int
    macs: int
    macs_ratio: float  # to the recommended design
    note: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A design to hold against the recommended one."""

    label: str
    knobs: Knobs
    note: str  # what it stands for


def candidates(evidence: Evidence, network: NetworkSpec, t: Thresholds) -> tuple[Candidate, ...]:
    """Designs to hold against ``network``: the lesson, two well-known ones, and an octave finer and coarser."""
    unet, deeplab = REFERENCES["unet-deep-supervision"], REFERENCES["deeplabv3+"]
    found = [
        _lesson(evidence, t),
        Candidate(unet.title, unet.knobs, "the safe default, whatever the shapes"),
        Candidate(deeplab.title, deeplab.knobs, "one low-level skip, dilation, ASPP"),
    ]
    stride = network.decoder.logit_stride
    own = Knobs(
        output_stride=network.encoder.output_stride,
        context_rates=network.context.rates if isinstance(network.context, AsppSpec) else (),
    )
    for other, word in ((stride // 2, "finer"), (stride * 2, "coarser")):
        if other in (2, 4, 8, 16, 32):
            knobs = _with_skips(replace(own, logit_stride=other))
            found.append(Candidate(f"Output one step {word}", knobs, f"the same family, logit stride {other}"))
    return tuple(found)


def _lesson(evidence: Evidence, t: Thresholds) -> Candidate:
    """The lesson read literally: convex objects get a coarse network with auxiliary heads; others skips, dilation."""
    areas = [v.convexity(0.5, "area") for v in evidence.classes]
    convex = min((a for a in areas if not math.isnan(a)), default=1.0)
    if convex >= t.lesson_convex:
        knobs = Knobs(logit_stride=32, skip_strides=(), auxiliary_heads=(8, 16))
        return Candidate(LESSON, knobs, f"convex ({convex:.2f}): a coarse net with auxiliary heads")
    knobs = _with_skips(Knobs(logit_stride=4, output_stride=16, context_rates=(6, 12, 18)))
    return Candidate(LESSON, knobs, f"not convex ({convex:.2f}): skips and dilation")


def _with_skips(knobs: Knobs) -> Knobs:
    output = max(knobs.output_stride, knobs.logit_stride)
    skips = possible_skips(knobs.logit_stride, output) if knobs.logit_stride < output else ()
    return replace(knobs, output_stride=output, skip_strides=skips)


def pricer(evidence: Evidence, chosen: Draft, macs: int) -> Callable[[Candidate], Alternative]:
    """A function that prices candidates with the channels, norm, crop and batch of the chosen design."""
    at = chosen.model.decoder.logit_stride

    def price(candidate: Candidate) -> Alternative:
        knobs = replace(candidate.knobs, widths=chosen.model.encoder.widths, norm=chosen.model.norm)
        network, stride = knobs.network(), knobs.logit_stride
        counted = cost(network, evidence.output_classes, 3, chosen.training.crop, chosen.training.batch)
        worst = min(evidence.classes, key=lambda v: (v.survival(stride) - v.survival(at), v.survival(stride), v.id))
        return Alternative(
            label=candidate.label,
            design=design_name(network),
            network=network,
            logit_stride=stride,
            kept=worst.survival(stride),
            loses_most=worst.name,
            kept_difference=worst.survival(stride) - worst.survival(at),
            recall=min(v.recall(stride) for v in evidence.classes),
            parameters=counted.parameters,
            macs=counted.macs,
            macs_ratio=counted.macs / macs,
            note=candidate.note,
        )

    return price


def runner_up_of(alternatives: Sequence[Alternative], network: NetworkSpec) -> Alternative | None:
    """The alternative that keeps most and costs least, other than ``network`` itself; keeping more counts as equal."""
    others = [a for a in alternatives if a.network != network]
    return max(others, key=lambda a: (round(min(0.0, a.kept_difference), 2), -a.macs), default=None)
