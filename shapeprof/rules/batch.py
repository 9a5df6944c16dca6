"""T3: what fits into memory."""

from __future__ import annotations

from shapeprof.design.cost import cost
from shapeprof.design.draft import Draft

from .evidence import Evidence
from .rule import Outcome, rule
from .thresholds import Thresholds

BATCHES = (16, 12, 8, 6, 4, 2)
CROP, BATCH, ACCUMULATE = "training.crop", "training.batch", "training.accumulate"


@rule("T3", "batch", title="Batch", after="T2", sets=(CROP, BATCH, ACCUMULATE), always=True, refits=True)
def batch(evidence: Evidence, draft: Draft, t: Thresholds) -> Outcome:
    """How many crops one training step sees, within the memory there is.

    What it decides: the largest batch of 16, 12, 8, 6, 4, 2 whose estimated memory fits (`--memory`). If not even a
    batch of 4 fits, the crop shrinks by a fifth until one does, down to 128 px. Gradients of batches under 8 are added
    up over several, so that a step rests on 6 to 8 images.

    Why: larger batches give steadier gradients and steadier statistics for batch norm; a crop that holds an object
    counts for more than the last two images of a batch. The estimate is that of float32 training, within 25 % of what
    autograd keeps; mixed precision needs up to half as much.

    Thresholds: 8 GB (`memory_gb`, `--memory`), what a common GPU has; 16 (`largest_batch`), 4 (`fewest_whole`) and 8
    (`step_images`) are chosen.
    """
    before = draft.training.crop
    crop, size = _fitted(evidence, draft, t)
    needed = _memory(evidence, draft, crop, size)
    accumulate = max(1, t.step_images // size)
    fits = f"{needed:.1f} GB (of {t.memory_gb:g})" if needed <= t.memory_gb else f"even so {needed:.1f} GB"
    reason = f"Batches of {size} crops take {fits}. That is estimated, for {crop[1]} x {crop[0]} px."
    if crop != before:
        reason += f" Crops of {before[1]} x {before[0]} px would not have fitted in batches of {t.fewest_whole}."
    if accumulate > 1:
        reason += f" Gradients of {accumulate} batches are added up."
    return Outcome(
        {CROP: crop, BATCH: size, ACCUMULATE: accumulate},
        size,
        reason,
        "memory_gb",
        measured=needed,
        threshold=t.memory_gb,
        flips_when=f"a {'larger' if size < t.largest_batch else 'smaller'} one with another --memory",
    )


def _fitted(evidence: Evidence, draft: Draft, t: Thresholds) -> tuple[tuple[int, int], int]:
    """The crop, made smaller if no batch of 4 of it fits, and the largest batch that fits."""
    crop, sizes = draft.training.crop, [b for b in BATCHES if b <= t.largest_batch] or [BATCHES[-1]]
    while True:
        size = next((b for b in sizes if _memory(evidence, draft, crop, b) <= t.memory_gb), 0)
        if size >= min(t.fewest_whole, sizes[0]) or max(crop) <= t.smallest_crop:
            return crop, size or sizes[-1]
        crop = (_smaller(crop[0], t), _smaller(crop[1], t))


def _smaller(side: int, t: Thresholds) -> int:
    return max(min(side, t.smallest_crop), int(side * 0.8) // t.crop_step * t.crop_step)


def _memory(evidence: Evidence, draft: Draft, crop: tuple[int, int], size: int) -> float:
    return cost(draft.model, evidence.output_classes, 3, crop, size).memory_gb
