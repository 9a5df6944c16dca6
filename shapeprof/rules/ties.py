"""R16: what happens when resamples are split, or two designs keep as much."""

from __future__ import annotations

from collections.abc import Sequence

from .rule import Outcome, step
from .thresholds import Thresholds


@step("R16", "ties", title="Ties")
def tied(outcome: Outcome, votes: Sequence[Outcome], t: Thresholds) -> Outcome | None:
    """When two answers are too near to tell apart, the cheaper is taken.

    What it decides: a decision whose rule names a cheaper answer (R1: the next coarser stride) is a tie when fewer than
    80 % of the bootstrap resamples agree on it and more than 20 % vote for the cheaper one, which is then taken. Two
    designs are a tie, too, when the runner-up keeps as much of the worst class within one point and costs more. Both
    are named.

    Why: a difference that another draw of the same images would turn around is no reason to pay more.

    Thresholds: 80 % (`tie_agreement`), chosen; one point (`tie_points`), below the noise between seeds.
    """
    cheaper = outcome.cheaper
    if cheaper is None or not votes or _share(votes, outcome) >= t.tie_agreement:
        return None
    return cheaper if _share(votes, cheaper) > 1 - t.tie_agreement else None


def _share(votes: Sequence[Outcome], outcome: Outcome) -> float:
    return sum(1 for vote in votes if vote.value == outcome.value) / len(votes)
