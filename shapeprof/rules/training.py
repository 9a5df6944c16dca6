"""Simple, stated rules for what masks alone can't decide well: size, crop, batch, steps, loss.

They are starting points: every number here is chosen, none is calibrated.
"""

from __future__ import annotations

import math
from dataclasses import replace

from shapeprof.cost import Cost, cost
from shapeprof.profile import Profile
from shapeprof.spec import SplitSpec, TrainingSpec

from . import Knobs
from .evidence import Evidence

MEMORY_GB = 8.0  # of the GPU to plan for (--memory)
SMALL_SET = 2000  # images under which the half-width encoder is enough
WIDTHS = ((32, 64, 128, 256), (64, 128, 256, 512))
MARGIN = 1.5  # the crop's side over L90, so that most objects lie whole in some crop
SMALLEST_CROP, LARGEST_CROP, CROP_STEP = 128, 1024, 32  # px
BATCHES = (16, 12, 8, 6, 4, 2)
VISITS = 200  # crops seen per training image
FEWEST_STEPS, MOST_STEPS, STEP_ROUND = 1500, 20000, 500
RARE = 0.05  # pixel share under which Dice joins cross-entropy (CE alone under-weights rare classes)


def sized(knobs: Knobs, images: int) -> Knobs:
    """Widths 32 to 256 for under 2,000 images, else 64 to 512 (a ResNet-18)."""
    return replace(knobs, widths=WIDTHS[images >= SMALL_SET])


def crop_size(profile: Profile, evidence: Evidence) -> tuple[int, int]:
    """A crop whose sides are 1.5 times L90, between 128 and 1024 px, within the median mask's sides; px."""
    extent = evidence.extent(0.9)
    wanted = SMALLEST_CROP if math.isnan(extent) else MARGIN * extent
    sides = []
    for side in profile.crop_sides(0.5):
        largest = min(LARGEST_CROP, _up(side))
        sides.append(int(min(max(_up(wanted), SMALLEST_CROP), largest)))
    return sides[0], sides[1]


def _smaller(side: int) -> int:
    return max(min(side, SMALLEST_CROP), int(side * 0.8) // CROP_STEP * CROP_STEP)


def _up(value: float) -> int:
    return math.ceil(value / CROP_STEP) * CROP_STEP


def plan(
    profile: Profile, evidence: Evidence, knobs: Knobs, memory_gb: float
) -> tuple[Knobs, TrainingSpec, Cost]:
    """Crop, batch, steps and loss for a design, within a memory budget (GB, estimated).

    The batch is the largest of 16, 12, 8, 6, 4, 2 that fits. If not even a batch of 4 fits, the
    crop shrinks instead. Group norm replaces batch norm under a batch of 8. Rates of ASPP that the
    crop can't hold (r >= crop / stride) are dropped: there a 3x3 convolution is a 1x1.
    """
    classes, channels = max(2, len(profile.names)), 3
    crop = crop_size(profile, evidence)
    while True:
        fitting = [
            b for b in BATCHES if cost(knobs.network(), classes, channels, crop, b).memory_gb <= memory_gb
        ]
        if (fitting and fitting[0] >= 4) or max(crop) <= SMALLEST_CROP:
            break
        crop = (_smaller(crop[0]), _smaller(crop[1]))
    batch = fitting[0] if fitting else BATCHES[-1]
    fitting_rates = tuple(r for r in knobs.context_rates if r < min(crop) / knobs.output_stride)
    knobs = replace(knobs, norm="batch" if batch >= 8 else "group", context_rates=fitting_rates)
    trained = profile.images * (1 - SplitSpec().validation_share)
    steps = round(VISITS * trained / batch / STEP_ROUND) * STEP_ROUND
    rare = any(profile.pixel_share(v) < RARE for v in profile.classes())
    steps = min(max(steps, FEWEST_STEPS), MOST_STEPS)
    training = TrainingSpec(
        crop=crop, batch=batch, steps=steps, warmup_steps=steps // 20, loss="ce+dice" if rare else "ce"
    )
    return knobs, training, cost(knobs.network(), classes, channels, crop, batch)
