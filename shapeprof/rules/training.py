"""Simple, stated rules for what masks alone can't decide well: size, crop, batch, steps, loss.

They are starting points: every number here is chosen, none is calibrated.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal, TypedDict

from shapeprof.design.cost import Cost, cost
from shapeprof.design.spec import NetworkSpec, SplitSpec, TrainingSpec
from shapeprof.profile.class_view import ClassView
from shapeprof.profile.profile import Profile

from . import Knobs
from .evidence import Evidence

MEMORY_GB = 8.0  # of the GPU to plan for (--memory)
SMALL_SET = 2000  # images under which the half-width encoder is enough
WIDTHS = ((32, 64, 128, 256), (64, 128, 256, 512))
MARGIN = 1.5  # the crop's side over L90, so that most objects lie whole in some crop
SMALLEST_CROP, LARGEST_CROP, CROP_STEP = 128, 1024, 32  # px
BATCHES = (16, 12, 8, 6, 4, 2)
BATCH_NORM = 8  # smallest batch that it is used at
VISITS = 200  # crops seen per training image
FEWEST_STEPS, MOST_STEPS, STEP_ROUND = 1500, 20000, 500
SMALLEST_BATCH = 8  # images behind one step: smaller batches are added up
SCALE = (0.7, 1.4)  # range of random resizing, nnU-Net's
THINNEST = 2.0  # px; random resizing never shrinks w10 below it
JITTER = 0.25  # of brightness and contrast, nnU-Net's
MIRRORED = ({"left": "right", "l": "r"}, {"upper": "lower", "top": "bottom", "superior": "inferior"})
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


def plan(profile: Profile, evidence: Evidence, knobs: Knobs, memory_gb: float) -> tuple[Knobs, TrainingSpec, Cost]:
    """Crop, batch, steps and loss for a design, within a memory budget (GB, estimated).

    The batch is the largest of 16, 12, 8, 6, 4, 2 that fits. If not even a batch of 4 fits, the
    crop shrinks instead. Group norm replaces batch norm under a batch of 8. Rates of ASPP that the
    crop can't hold (r >= crop / stride) are dropped: there a 3x3 convolution is a 1x1.
    """
    network, crop = knobs.network(), crop_size(profile, evidence)
    crop, batch = fitted(network, profile, crop, memory_gb)
    rates = fitting_rates(knobs.context_rates, crop, knobs.output_stride)
    knobs = replace(knobs, norm=norm_for(batch), context_rates=rates)
    rare = any(profile.pixel_share(v) < RARE for v in profile.classes())
    names = [profile.name_of(v.id) for v in profile.classes()]
    training = TrainingSpec(
        crop=crop,
        **pace(profile.images, batch),
        horizontal_flip=not are_mirrored(names, MIRRORED[0]),
        vertical_flip=not are_mirrored(names, MIRRORED[1]),
        scale=scale_range(profile.classes()),
        jitter=JITTER,
        loss="ce+dice" if rare else "ce",
    )
    return knobs, training, priced(knobs.network(), profile, crop, batch)


def fitted(
    network: NetworkSpec, profile: Profile, crop: tuple[int, int], memory_gb: float
) -> tuple[tuple[int, int], int]:
    """The crop, made smaller if no batch of 4 of it fits, and the largest batch that fits."""
    while True:
        fitting = [b for b in BATCHES if priced(network, profile, crop, b).memory_gb <= memory_gb]
        if (fitting and fitting[0] >= 4) or max(crop) <= SMALLEST_CROP:
            return crop, fitting[0] if fitting else BATCHES[-1]
        crop = (_smaller(crop[0]), _smaller(crop[1]))


def priced(network: NetworkSpec, profile: Profile, crop: tuple[int, int], batch: int) -> Cost:
    """What ``network`` costs for the classes of ``profile`` and colour images."""
    return cost(network, max(2, len(profile.names)), 3, crop, batch)


def fitting_rates(rates: tuple[int, ...], crop: tuple[int, int], output_stride: int) -> tuple[int, ...]:
    """The rates of ASPP whose 3x3 convolution reaches other features of ``crop``."""
    return tuple(r for r in rates if r < min(crop) / output_stride)


def norm_for(batch: int) -> Literal["batch", "group"]:
    """The norm for batches of that size."""
    return "batch" if batch >= BATCH_NORM else "group"


class Pace(TypedDict):
    """Fields of the training spec that follow from the batch."""

    batch: int
    accumulate: int
    steps: int
    warmup_steps: int


def pace(images: int, batch: int) -> Pace:
    """``VISITS`` crops of each training image in batches of ``batch``; between 1,500 and 20,000 steps."""
    accumulate = max(1, SMALLEST_BATCH // batch)
    trained = images * (1 - SplitSpec().validation_share)
    steps = round(VISITS * trained / (batch * accumulate) / STEP_ROUND) * STEP_ROUND
    steps = min(max(steps, FEWEST_STEPS), MOST_STEPS)
    return {"batch": batch, "accumulate": accumulate, "steps": steps, "warmup_steps": steps // 20}


def scale_range(classes: Iterable[ClassView]) -> tuple[float, float]:
    """Factors of random resizing: .7 to 1.4, but never so small that a class's w10 falls under 2 px.

    w10 is the local width that 10 % of the class's area stays below. Where it is unknown, nothing is shrunk.
    """
    thinnest = min((v.length("width_pixels", 0.1) for v in classes if v.measured), default=math.nan)
    if math.isnan(thinnest):
        return 1.0, SCALE[1]
    return min(1.0, max(SCALE[0], math.ceil(100 * THINNEST / thinnest) / 100)), SCALE[1]


def are_mirrored(names: Iterable[str], sides: dict[str, str]) -> bool:
    """Whether two of the class ``names`` differ only by their side, as "left kidney" and "right kidney".

    ``sides`` are words and their opposites; a flip would turn one class into the other.
    """
    words = [tuple(re.findall(r"[a-z]+|\d+", re.sub("([a-z])([A-Z])", r"\1 \2", n).lower())) for n in names]
    swapped = {tuple(sides.get(word, word) for word in each) for each in words if set(each) & sides.keys()}
    return not swapped.isdisjoint(words)
