"""What a recommendation says: the decisions with all that is needed to doubt them, the design, other choices."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shapeprof.design.cost import Cost, Seconds, training_seconds
from shapeprof.design.family import DEFAULT
from shapeprof.design.spec import DesignName, NetworkSpec, TrainingSpec, sets_part
from shapeprof.rules.evidence import Evidence
from shapeprof.rules.rule import Outcome, Rule
from shapeprof.rules.thresholds import Thresholds

from .alternatives import Alternative
from .engine import Decided

LOGIT_STRIDE = "model.decoder.logit_stride"
USER = "user"  # stands where a rule's code would, for what the user chose


@dataclass(frozen=True, slots=True)
class Decision:
    """What one rule decided, and the numbers behind it. A number that does not apply is NaN."""

    rule: str  # "R1"; "user" for what the user chose
    name: str  # "logit-stride"
    title: str  # "Detail"
    parts: tuple[str, ...]  # of spec.yaml that it sets: "model.decoder.logit_stride"
    value: Any
    reason: str
    statistic: str = ""  # name of the number that decided
    measured: float = math.nan
    interval: tuple[float, float] = (math.nan, math.nan)  # 95 %, bootstrap over images
    threshold: float = math.nan
    margin: float = math.nan  # measured - threshold
    agreement: float = math.nan  # share of resamples that decide alike
    binding_class: str | None = None
    flips_when: str = ""
    abstains: bool = False
    changed: bool = False  # a part differs from the default design's (design.family.DEFAULT)


def decisions_on(
    decided: Decided, evidence: Evidence, drawn: Sequence[Evidence] = (), votes: Sequence[dict[str, Outcome]] = ()
) -> tuple[Decision, ...]:
    """The decisions behind outcomes; ``drawn`` are resamples of the evidence, ``votes`` the outcomes on them."""
    return tuple(
        _decision(rule, outcome, evidence, drawn, [each[rule.code] for each in votes if rule.code in each])
        for rule, outcome in decided
    )


def _decision(
    rule: Rule, outcome: Outcome, evidence: Evidence, drawn: Sequence[Evidence], votes: Sequence[Outcome]
) -> Decision:
    measured, interval = outcome.measured, (math.nan, math.nan)
    if outcome.read is not None:
        measured, interval = float(outcome.read(evidence)), _interval(outcome.read, drawn)
    known = not (math.isnan(measured) or math.isnan(outcome.threshold))
    return Decision(
        rule=rule.code,
        name=rule.name,
        title=rule.title,
        parts=tuple(part for part in rule.parts if part in outcome.sets),
        value=outcome.value,
        reason=outcome.reason,
        statistic=outcome.statistic,
        measured=math.nan if math.isnan(measured) else measured,
        interval=interval,
        threshold=outcome.threshold,
        margin=measured - outcome.threshold if known else math.nan,
        agreement=sum(vote.value == outcome.value for vote in votes) / len(votes) if votes else math.nan,
        binding_class=outcome.binding_class,
        flips_when=outcome.flips_when,
        abstains=outcome.abstains,
        changed=any(value != DEFAULT.part(path) for path, value in outcome.sets.items()),
    )


def _interval(read: Callable[[Evidence], float], drawn: Sequence[Evidence]) -> tuple[float, float]:
    values = np.array([read(each) for each in drawn], np.float64)
    values = values[~np.isnan(values)]
    if not values.size:
        return math.nan, math.nan
    low, high = (float(q) for q in np.quantile(values, (0.025, 0.975)))
    return low, high


@dataclass(frozen=True, slots=True)
class JudgeBy:
    """What to judge the trained network by."""

    scores: tuple[str, ...]  # "mean IoU", "clDice", ...
    reason: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The design, why, and what else was possible."""

    design: DesignName
    network: NetworkSpec
    training: TrainingSpec
    cost: Cost
    decisions: tuple[Decision, ...]  # in the order in which the rules ran; what the user chose comes last
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
    unseen: tuple[str, ...]  # what was not looked at, in sentences
    thresholds: Thresholds  # that the rules compared with

    def decision(self, rule: str) -> Decision | None:
        """The decision of one rule, by code or name; None if it did not run."""
        return next((d for d in self.decisions if rule in (d.rule, d.name)), None)

    def decision_on(self, part: str) -> Decision | None:
        """The last decision that set a part of spec.yaml, such as "model.decoder.logit_stride"."""
        return next((d for d in reversed(self.decisions) if sets_part(d.parts, part)), None)

    @property
    def seconds(self) -> Seconds:
        """How long training takes, estimated, on a GPU and on two CPU cores."""
        return training_seconds(self.cost.macs, self.training.batch, self.training.steps)

    @property
    def judge_by(self) -> JudgeBy | None:
        """What to judge the trained network by; None if no rule says."""
        decision = self.decision("judge-by")
        return None if decision is None else JudgeBy(decision.value, decision.reason)
