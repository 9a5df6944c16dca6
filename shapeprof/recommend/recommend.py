"""From a Profile to a Recommendation: runs the rules in order, on the set and on resamples of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from shapeprof.design.cost import Cost, cost
from shapeprof.design.draft import Draft
from shapeprof.design.spec import design_name
from shapeprof.errors import ProfileError
from shapeprof.profile.profile import Profile
from shapeprof.rules.detail import limits_of
from shapeprof.rules.evidence import Evidence, evidence_of, resamples
from shapeprof.rules.rule import Outcome
from shapeprof.rules.thresholds import Thresholds
from shapeprof.rules.ties import tied

from .alternatives import Alternative, candidates, pricer, runner_up_of
from .decision import LOGIT_STRIDE, Decision, Recommendation, decisions_on
from .engine import Decided, run, vote
from .unseen import unseen


def recommend_design(
    profile: Profile, thresholds: Thresholds | None = None, memory_gb: float | None = None
) -> Recommendation:
    """Choose a network and its training for the masks behind ``profile``.

    Args:
        profile: of a scan.
        thresholds: of the rules; default ``Thresholds()``.
        memory_gb: GPU memory that training may take (estimated), GB; default: that of ``thresholds``.

    Raises:
        ProfileError: no mask was read.
    """
    if not profile.images:
        raise ProfileError("this profile holds no mask, so there is nothing to design for; scan the masks again")
    t = thresholds or Thresholds()
    if memory_gb is not None:
        t = replace(t, memory_gb=memory_gb)
    evidence = evidence_of(profile, t.min_objects)
    draft, decided = run(evidence, t)
    abstained = any(outcome.abstains for _, outcome in decided)
    drawn = [] if abstained else list(resamples(profile, evidence))
    votes = [vote(each, decided, t) for each in drawn]
    tie, taken = _ties(decided, votes, t)
    if taken:
        draft, decided = run(evidence, t, taken)
    decisions = decisions_on(decided, evidence, drawn, votes)
    return _assemble(profile, evidence, draft, decided, decisions, tie, taken, t)


def _ties(decided: Decided, votes: list[dict[str, Outcome]], t: Thresholds) -> tuple[str, dict[str, Outcome]]:
    """A sentence on the decisions that are ties, and the cheaper outcomes that take their place, by rule."""
    taken, sentences = {}, []
    for rule, outcome in decided:
        own = [each[rule.code] for each in votes if rule.code in each]
        cheaper = tied(outcome, own, t)
        if cheaper is not None:
            taken[rule.code] = cheaper
            agreement = sum(each.value == outcome.value for each in own) / len(own)
            first, second = (each.answer or f"{rule.title} {each.value}" for each in (outcome, cheaper))
            sentences.append(
                f"{first[:1].upper()}{first[1:]} and {second} are a tie: only {agreement:.0%} of resamples agree on "
                "the first. The second is cheaper and is taken."
            )
    return " ".join(sentences), taken


def _assemble(
    profile: Profile,
    evidence: Evidence,
    draft: Draft,
    decided: Decided,
    decisions: tuple[Decision, ...],
    tie: str,
    taken: Mapping[str, Outcome],
    t: Thresholds,
) -> Recommendation:
    network, stride = draft.model, draft.model.decoder.logit_stride
    abstained = any(decision.abstains for decision in decisions)
    counted = priced(draft, evidence)
    alternatives, lesson = _alternatives(evidence, draft, counted, abstained, t)
    runner_up = runner_up_of(alternatives, network)
    if runner_up is not None and not tie and runner_up.macs > counted.macs:
        tie = _tie_with(runner_up, t)
    binding = next((d.binding_class for d in decisions if LOGIT_STRIDE in d.parts), None)
    names = {v.id: v.name for v in evidence.classes}
    limits = sorted(((names[c], s) for c, s in limits_of(evidence, t).items()), key=lambda pair: (pair[1], pair[0]))
    return Recommendation(
        design="default" if abstained else design_name(network),
        network=network,
        training=draft.training,
        cost=counted,
        decisions=decisions,
        kept=evidence.worst_survival(stride) if evidence.classes else math.nan,
        recall=min((v.recall(stride) for v in evidence.classes), default=math.nan),
        binding_class=binding,
        logit_stride_without=min((s for name, s in limits if name != binding), default=None) if binding else None,
        limits=tuple(limits),
        convexity_decides=not abstained and _convexity_decides(evidence, decided, taken, t),
        runner_up=runner_up,
        lesson=lesson,
        alternatives=alternatives,
        tie=tie,
        unseen=unseen(profile),
        thresholds=t,
    )


def priced(draft: Draft, evidence: Evidence) -> Cost:
    """What the drafted network costs for these classes and colour images."""
    return cost(draft.model, evidence.output_classes, 3, draft.training.crop, draft.training.batch)


def _alternatives(
    evidence: Evidence, draft: Draft, counted: Cost, abstained: bool, t: Thresholds
) -> tuple[tuple[Alternative, ...], Alternative | None]:
    """Other designs with what they keep and cost, and the lesson's among them."""
    if abstained:
        return (), None
    price = pricer(evidence, draft, counted.macs)
    options = tuple(price(each) for each in candidates(evidence, draft.model, t))
    return options, options[0]


def _tie_with(runner_up: Alternative, t: Thresholds) -> str:
    if abs(runner_up.kept_difference) >= t.tie_points:
        return ""
    return (
        f"{runner_up.label} keeps as much within {t.tie_points * 100:g} point at {runner_up.macs_ratio:.1f}x "
        f"the compute: a tie, and the cheaper one is taken."
    )


def _convexity_decides(evidence: Evidence, decided: Decided, taken: Mapping[str, Outcome], t: Thresholds) -> bool:
    """Whether perfectly convex and very concave objects would get different designs, all else equal."""
    answers = []
    for convexity in (1.0, 0.1):
        votes = vote(replace(evidence, assumed_convexity=convexity), decided, t, taken)
        answers.append({code: outcome.sets for code, outcome in votes.items()})
    return answers[0] != answers[1]
