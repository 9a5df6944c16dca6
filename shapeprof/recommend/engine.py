"""Runs the rules: on the whole set, and again on a resample of it to learn how sure they are."""

from __future__ import annotations

from collections.abc import Mapping

from shapeprof.design.draft import Draft
from shapeprof.design.family import DEFAULT
from shapeprof.rules.evidence import Evidence
from shapeprof.rules.rule import Outcome, Rule, all_rules
from shapeprof.rules.thresholds import Thresholds

Decided = tuple[tuple[Rule, Outcome], ...]  # in the order in which the rules ran


def run(
    evidence: Evidence, t: Thresholds, fixed: Mapping[str, Outcome] | None = None, start: Draft = DEFAULT
) -> tuple[Draft, Decided]:
    """Let every rule decide in order, each on what the ones before have filled in.

    Where one abstains, those that read shape statistics stay silent from there on.

    Args:
        evidence: of the whole set.
        t: the thresholds.
        fixed: outcomes that take the place of a rule's own, by code.
        start: what is filled in.
    """
    return _run([r for r in all_rules() if r.check is not None], evidence, t, fixed or {}, start)


def refit(evidence: Evidence, t: Thresholds, start: Draft) -> tuple[Draft, Decided]:
    """Let the rules that depend on what the network costs decide again, around the network of ``start``."""
    return _run([r for r in all_rules() if r.refits], evidence, t, {}, start)


def _run(
    rules: list[Rule], evidence: Evidence, t: Thresholds, fixed: Mapping[str, Outcome], draft: Draft
) -> tuple[Draft, Decided]:
    decided: list[tuple[Rule, Outcome]] = []
    silent = False
    for rule in rules:
        if silent and not rule.always:
            continue
        outcome = fixed.get(rule.code) or rule.run(evidence, draft, t)
        draft = draft.filled(outcome.sets)
        decided.append((rule, outcome))
        silent = silent or outcome.abstains
    return draft.checked(), tuple(decided)


def vote(
    evidence: Evidence, decided: Decided, t: Thresholds, fixed: Mapping[str, Outcome] | None = None
) -> dict[str, Outcome]:
    """What the rules would decide on other evidence of the same set, by code.

    Only rules with a number that resampling can move are asked again; the decisions of the others stand.
    """
    draft, votes = DEFAULT, {}
    last = max((i for i, (_, outcome) in enumerate(decided) if outcome.read is not None), default=-1)
    for rule, outcome in decided[: last + 1]:
        if outcome.read is not None:
            outcome = (fixed or {}).get(rule.code) or rule.run(evidence, draft, t)
            votes[rule.code] = outcome
        draft = draft.filled(outcome.sets)
    return votes
