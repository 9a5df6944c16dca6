"""T6: how long training takes."""

from __future__ import annotations

from shapeprof.design.draft import Draft
from shapeprof.design.spec import SplitSpec

from .evidence import Evidence
from .rule import Outcome, rule
from .thresholds import Thresholds

STEPS, WARMUP = "training.steps", "training.warmup_steps"


@rule("T6", "steps", title="Steps", after="T3", sets=(STEPS, WARMUP), always=True, refits=True)
def steps(evidence: Evidence, draft: Draft, t: Thresholds) -> Outcome:
    """How many steps training takes, and how many of them warm up.

    What it decides: as many steps as show 200 crops of every training image (a fifth of the images validates), rounded
    to 500, between 1,500 and 20,000. The learning rate rises over the first twentieth of them.

    Why: the same number of looks at every image asks more steps of a larger set. Under 1,500 even a small network has
    hardly left its start, and beyond 20,000 a first training takes longer than it tells.

    Thresholds: 200 (`visits`), 1,500 (`fewest_steps`), 20,000 (`most_steps`), 500 (`steps_rounding`) and a twentieth
    (`warmup_share`); chosen.

    Example: 100 images, so 80 to train on, in batches of 16: 200 x 80 / 16 = 1,000, so 1,500 steps, 75 to warm up.
    """
    training = draft.training
    trained = evidence.images * (1 - SplitSpec().validation_share)
    wanted = t.visits * trained / (training.batch * training.accumulate)
    count = min(max(round(wanted / t.steps_rounding) * t.steps_rounding, t.fewest_steps), t.most_steps)
    seen = count * training.batch * training.accumulate / trained if trained else 0.0
    return Outcome(
        {STEPS: count, WARMUP: round(count * t.warmup_share)},
        count,
        f"{count:,} steps show about {seen:,.0f} crops of each training image ({trained:,.0f} of them).",
        "steps_wanted",
        measured=wanted,
        threshold=float(t.fewest_steps),
        flips_when=f"more from {t.fewest_steps + t.steps_rounding / 2:,.0f} wanted on"
        if count == t.fewest_steps
        else "",
    )
