"""Every number that the rules compare with, in one place, with its origin. A TOML file can override any of them."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from shapeprof.errors import UsageError
from shapeprof.limits import MEMORY_GB


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Numbers that rules compare with. "Chosen" means: a starting point, not yet calibrated."""

    min_images: int = 10  # R0: fewer images give no usable interval; chosen
    min_objects: int = 50  # R0: of a class, to decide; a 10 % quantile is then five objects; chosen
    tolerance: float = 0.11  # R1: linear survival that may be lost; fitted to survival_best on five real sets
    recall: float = 0.95  # R1: share of objects that must keep half of themselves; chosen
    skip_gain: float = 0.02  # R3: survival that skips must bring; the size of seed noise
    convex: float = 0.90  # R4: area-weighted 25 % quantile of convexity from which a class is convex; chosen
    head_logit_stride: int = 8  # R4: heads on the encoder need logits at least this coarse; chosen
    head_survival: float = 0.90  # R4: what a head's own stride must keep, or its target is wrong; chosen
    head_weight: float = 0.4  # R4: PSPNet (Zhao et al. 2017), the best of those tried there
    most_heads: int = 2  # R4: auxiliary heads at most, on the coarsest stages that can have one; chosen
    field_share: float = 0.5  # R6, R7: part of the effective receptive field that an object may fill; chosen
    thin_width: float = 4.0  # R6: px; context gave 0.0 to 0.2 Dice on vessels this thin (DRIVE, STARE, CHASE)
    dilation_budget: float = 2.7  # R7: MAC ratio of output stride 8 to skips (DeepLabv3+, table 3)
    compute_budget: float = 1.0  # R7: MACs you may spend, as a multiple of the skip design's
    tie_points: float = 0.01  # R16: a smaller predicted difference is a tie; the equivalence margin
    tie_agreement: float = 0.8  # R16: a decision that fewer resamples share is a tie; chosen
    lesson_convex: float = 0.90  # the lesson read literally: convex from here on; chosen
    small_set: int = 2000  # T1: images under which the half-width encoder is enough; chosen
    crop_margin: float = 1.5  # T2: side of the crop over L90, so that most objects lie whole in some crop; chosen
    smallest_crop: int = 128  # T2, T3: px; two cells of the coarsest stride are 64 px; chosen
    largest_crop: int = 1024  # T2: px; the larger side of common crops of Cityscapes; chosen
    crop_step: int = 32  # T2, T3: px; crops are multiples of it, the coarsest output stride
    memory_gb: float = MEMORY_GB  # T3: GB that training may take (--memory); what a common GPU has
    largest_batch: int = 16  # T3: that of DeepLabv3+ and SegFormer; larger ones were not tried
    fewest_whole: int = 4  # T3: smaller batches shrink the crop instead; chosen
    step_images: int = 8  # T3: images behind one step; smaller batches are added up; chosen
    norm_batch: int = 8  # T4: smallest batch for batch norm; near where published errors cross (Wu and He 2018); chosen
    visits: int = 200  # T6: crops seen per training image; chosen
    fewest_steps: int = 1500  # T6: what a small network needs to leave its start; chosen
    most_steps: int = 20000  # T6: mmsegmentation's shortest schedule on PASCAL VOC
    steps_rounding: int = 500  # T6: steps are a multiple of it; chosen
    warmup_share: float = 0.05  # T6: of the steps; chosen
    rare_share: float = 0.05  # T7: of the pixels; Dice joins cross-entropy for rarer classes; chosen
    smallest_scale: float = 0.7  # T9: lower end of random resizing; nnU-Net's (Isensee et al. 2021)
    largest_scale: float = 1.4  # T9: upper end of it; nnU-Net's
    thinnest: float = 2.0  # T9, T11: px; random resizing never makes a tenth of a class's area thinner
    jitter: float = 0.25  # T10: brightness and contrast change by up to this share; nnU-Net's
    crowded: int = 10  # T11: objects of a class in an image from which they are counted; chosen


def override(path: Path) -> Thresholds:
    """Thresholds with the values that a TOML file gives.

    Raises:
        UsageError: the file can't be read, has an unknown name, or a value that can't be one.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: can't be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: is not TOML ({error})") from None
    known = [f.name for f in fields(Thresholds)]
    for name, value in data.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known)}"
            raise UsageError(f"{path}: unknown threshold {name!r}{hint}")
        if problem := _problem(value, getattr(Thresholds(), name)):
            raise UsageError(f"{path}: {name} must be {problem}, got {value!r}")
    return replace(Thresholds(), **data)


def _problem(value: Any, default: float) -> str:
    """What ``value`` should be instead; "" if it can take the place of ``default``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "a number"
    if isinstance(default, int) and (not isinstance(value, int) or value < 1):
        return "a whole number from 1"
    return "" if 0 <= value < float("inf") else "0 or more"
