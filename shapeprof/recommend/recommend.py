"""From a Profile to a Recommendation: runs the rules in order, on the set and on resamples of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shapeprof.design.cost import Cost
from shapeprof.design.cost import cost as count
from shapeprof.design.spec import DesignName, NetworkSpec, TrainingSpec, design_name
from shapeprof.profile.profile import Profile
from shapeprof.rules import Finding, Knobs, Rule, possible_skips, rules
from shapeprof.rules.evidence import Evidence, evidence_of, resamples
from shapeprof.rules.references import REFERENCES
from shapeprof.rules.resolution import coarsest_stride
from shapeprof.rules.thresholds import Thresholds
from shapeprof.rules.training import MEMORY_GB, plan, sized

LESSON = "The lesson read literally"


@dataclass(frozen=True, slots=True)
class Decision:
    """What one rule decided, with everything needed to doubt it."""

    rule: str  # "R1"
    sets: str  # "logit-stride"
    value: Any
    reason: str
    statistic: str  # name of the number that decided
    measured: float
    interval: tuple[float, float]  # 95 %, bootstrap over images
    threshold: float
    margin: float  # measured - threshold
    agreement: float  # share of resamples that decide alike
    binding_class: str | None
    flips_when: str
    abstains: bool = False


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
class Recommendation:
    """The design, why, and what else was possible."""

    design: DesignName
    network: NetworkSpec
    training: TrainingSpec
    cost: Cost
    decisions: tuple[Decision, ...]
    kept: float  # linear survival at the logit stride, worst deciding class
    recall: float
    binding_class: str | None  # the class that sets the logit stride
    logit_stride_without: int | None  # logit stride if that class were absent; None if nothing else decides
    limits: tuple[tuple[str, int], ...]  # coarsest logit stride that each deciding class allows, finest first
    convexity_decides: bool  # whether any convexity would have changed the design
    runner_up: Alternative | None
    lesson: Alternative | None  # the lesson read literally: convex: auxiliary heads; else skips and dilation
    alternatives: tuple[Alternative, ...]  # runner-up and lesson included
    tie: str  # "" or the sentence that says between what

    def decision(self, rule: str) -> Decision | None:
        """The decision of one rule, if it ran."""
        return next((d for d in self.decisions if d.rule == rule), None)


def recommend_design(
    profile: Profile, thresholds: Thresholds | None = None, memory_gb: float = MEMORY_GB
) -> Recommendation:
    """Choose a network for the masks behind ``profile``.

    Args:
        profile: of a scan.
        thresholds: of the rules; default ``Thresholds()``.
        memory_gb: GPU memory that training may take (estimated), GB.
    """
    t = thresholds or Thresholds()
    evidence = evidence_of(profile, t.min_objects)
    knobs, findings = _run(evidence, t)
    speaks = not findings[0][1].abstains
    drawn = list(resamples(profile, evidence)) if speaks else []
    votes = [_run(e, t) for e in drawn]
    decisions = [_decision(rule, f, evidence, drawn, [dict(v[1]) for v in votes]) for rule, f in findings]
    tie = ""
    if speaks and (coarser := _tied_stride(knobs, votes, t)):
        before = knobs.logit_stride
        knobs, findings = _run(evidence, t, fixed_stride=coarser)
        agreement = decisions[1].agreement
        tie = (
            f"Logit strides {before} and {coarser} are a tie: only {agreement:.0%} of the resamples agree on "
            f"{before}. The cheaper one is taken."
        )
        decisions = [_decision(rule, f, evidence, drawn, [dict(v[1]) for v in votes]) for rule, f in findings]
    return _assemble(profile, evidence, knobs, decisions, tie, t, memory_gb)


def _run(
    evidence: Evidence, t: Thresholds, fixed_stride: int | None = None
) -> tuple[Knobs, list[tuple[Rule, Finding]]]:
    """Run the rules in order; if R0 abstains, none after it speaks."""
    knobs, findings = Knobs(), []
    for rule in rules():
        finding = rule.check(evidence, knobs, t)
        if rule.code == "R1" and fixed_stride:
            finding = replace(finding, sets={"logit_stride": fixed_stride}, value=fixed_stride)
        knobs = replace(knobs, **finding.sets)
        findings.append((rule, finding))
        if finding.abstains:
            break
    return knobs, findings


def _decision(
    rule: Rule, finding: Finding, evidence: Evidence, drawn: list[Evidence], votes: list[dict[Rule, Finding]]
) -> Decision:
    read = finding.read or (lambda _: math.nan)
    measured = float(read(evidence))
    values = np.array([read(e) for e in drawn], np.float64)
    values = values[~np.isnan(values)]
    low, high = (float(q) for q in np.quantile(values, (0.025, 0.975))) if values.size else (math.nan, math.nan)
    alike = [vote[rule].value == finding.value for vote in votes if rule in vote]
    return Decision(
        rule=rule.code,
        sets=rule.name,
        value=finding.value,
        reason=finding.reason,
        statistic=finding.statistic,
        measured=measured,
        interval=(low, high),
        threshold=finding.threshold,
        margin=measured - finding.threshold,
        agreement=sum(alike) / len(alike) if alike else math.nan,
        binding_class=finding.binding_class,
        flips_when=finding.flips_when,
        abstains=finding.abstains,
    )


def _tied_stride(knobs: Knobs, votes: list[tuple[Knobs, list[tuple[Rule, Finding]]]], t: Thresholds) -> int | None:
    """R16: the coarser logit stride that ties with the decided one, if fewer than 80 % of resamples agree."""
    strides = Counter(k.logit_stride for k, _ in votes)
    if not votes or strides[knobs.logit_stride] / len(votes) >= t.tie_agreement:
        return None
    coarser = 2 * knobs.logit_stride
    return coarser if strides[coarser] / len(votes) > 1 - t.tie_agreement else None


def _assemble(
    profile: Profile,
    evidence: Evidence,
    knobs: Knobs,
    decisions: list[Decision],
    tie: str,
    t: Thresholds,
    memory_gb: float,
) -> Recommendation:
    abstained = decisions[0].abstains
    knobs, training, cost = plan(profile, evidence, sized(knobs, profile.images), memory_gb)
    network = knobs.network()
    price = _pricer(profile, evidence, knobs, training, cost.macs)
    options = _candidates(evidence, knobs, t) if not abstained else []
    alternatives = [price(label, other, note) for label, other, note in options]
    lesson = next((a for a in alternatives if a.label == LESSON), None)
    others = [a for a in alternatives if a.network != network]
    runner_up = max(others, key=lambda a: (_closeness(a), -a.macs), default=None)
    near = runner_up is not None and abs(runner_up.kept_difference) < t.tie_points
    if near and runner_up is not None and not tie and runner_up.macs > cost.macs:
        tie = (
            f"{runner_up.label} keeps as much within {t.tie_points * 100:g} point at {runner_up.macs_ratio:.1f}x "
            f"the compute: a tie, and the cheaper one is taken."
        )
    first = decisions[1] if len(decisions) > 1 else None
    return Recommendation(
        design="default" if abstained else design_name(network),
        network=network,
        training=training,
        cost=cost,
        decisions=tuple(decisions),
        kept=evidence.worst_survival(knobs.logit_stride) if evidence.classes else math.nan,
        recall=min((v.recall(knobs.logit_stride) for v in evidence.classes), default=math.nan),
        binding_class=first.binding_class if first else None,
        logit_stride_without=_without(evidence, first, t),
        limits=tuple(
            sorted(((v.name, coarsest_stride(v, t)) for v in evidence.classes), key=lambda pair: (pair[1], pair[0]))
        ),
        convexity_decides=not abstained and _convexity_decides(evidence, t, knobs.logit_stride),
        runner_up=runner_up,
        lesson=lesson,
        alternatives=tuple(alternatives),
        tie=tie,
    )


def _closeness(alternative: Alternative) -> float:
    """How near an alternative keeps to the recommended design; keeping more counts as equal."""
    return round(min(0.0, alternative.kept_difference), 2)


def _without(evidence: Evidence, first: Decision | None, t: Thresholds) -> int | None:
    if first is None:
        return None
    others = [coarsest_stride(v, t) for v in evidence.classes if v.name != first.binding_class]
    return min(others, default=None)


def _convexity_decides(evidence: Evidence, t: Thresholds, stride: int) -> bool:
    """Whether the design would differ, at this logit stride, between perfectly convex objects and very concave ones."""
    convex, _ = _run(replace(evidence, assumed_convexity=1.0), t, stride)
    concave, _ = _run(replace(evidence, assumed_convexity=0.1), t, stride)
    return convex != concave


def _candidates(evidence: Evidence, knobs: Knobs, t: Thresholds) -> list[tuple[str, Knobs, str]]:
    """Designs to hold against the recommended one: label, knobs, what it stands for."""
    bare = replace(knobs, context_rates=(), auxiliary_heads=(), deep_supervision=(), skip_strides=(), output_stride=32)
    areas = [v.convexity(0.5, "area") for v in evidence.classes]
    convex = min((a for a in areas if not math.isnan(a)), default=1.0)
    if convex >= t.lesson_convex:
        lesson = replace(bare, logit_stride=32, auxiliary_heads=(8, 16))
        why = f"convex ({convex:.2f}): a coarse net with auxiliary heads"
    else:
        lesson = _with_skips(replace(bare, logit_stride=4, output_stride=16, context_rates=(6, 12, 18)))
        why = f"not convex ({convex:.2f}): skips and dilation"
    unet, deeplab = REFERENCES["unet-deep-supervision"], REFERENCES["deeplabv3+"]
    found = [
        (LESSON, lesson, why),
        (unet.title, unet.knobs, "the safe default, whatever the shapes"),
        (deeplab.title, deeplab.knobs, "one low-level skip, dilation, ASPP"),
    ]
    for stride, word in ((knobs.logit_stride // 2, "finer"), (knobs.logit_stride * 2, "coarser")):
        if stride in (2, 4, 8, 16, 32):
            other = _with_skips(replace(knobs, logit_stride=stride, auxiliary_heads=(), deep_supervision=()))
            found.append((f"One octave {word}", other, f"the same family, logit stride {stride}"))
    return found


def _with_skips(knobs: Knobs) -> Knobs:
    output = max(knobs.output_stride, knobs.logit_stride)
    knobs = replace(knobs, output_stride=output)
    return replace(knobs, skip_strides=possible_skips(knobs) if knobs.logit_stride < output else ())


def _pricer(
    profile: Profile, evidence: Evidence, chosen: Knobs, training: TrainingSpec, macs: int
) -> Callable[[str, Knobs, str], Alternative]:
    def price(label: str, knobs: Knobs, note: str) -> Alternative:
        knobs = replace(knobs, widths=chosen.widths, norm=chosen.norm)
        network, stride = knobs.network(), knobs.logit_stride
        counted = count(network, max(2, len(profile.names)), 3, training.crop, training.batch)
        worst = min(
            evidence.classes,
            key=lambda v: (v.survival(stride) - v.survival(chosen.logit_stride), v.survival(stride), v.id),
        )
        return Alternative(
            label=label,
            design=design_name(network),
            network=network,
            logit_stride=stride,
            kept=worst.survival(stride),
            loses_most=worst.name,
            kept_difference=worst.survival(stride) - worst.survival(chosen.logit_stride),
            recall=min(v.recall(stride) for v in evidence.classes),
            parameters=counted.parameters,
            macs=counted.macs,
            macs_ratio=counted.macs / macs,
            note=note,
        )

    return price
