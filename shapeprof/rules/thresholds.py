"""Every threshold of the rules, in one place, with its origin. A TOML file can override any of them."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path

from shapeprof.errors import UsageError


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
    field_share: float = 0.5  # R6, R7: part of the effective receptive field that an object may fill; chosen
    thin_width: float = 4.0  # R6: px; context gave 0.0 to 0.2 Dice on vessels this thin (DRIVE, STARE, CHASE)
    dilation_budget: float = 2.7  # R7: MAC ratio of output stride 8 to skips (DeepLabv3+, table 3)
    compute_budget: float = 1.0  # R7: MACs you may spend, as a multiple of the skip design's
    tie_points: float = 0.01  # R16: a smaller predicted difference is a tie; the equivalence margin
    tie_agreement: float = 0.8  # R16: a decision that fewer resamples share is a tie; chosen
    lesson_convex: float = 0.90  # the lesson read literally: convex from here on; chosen


def override(path: Path) -> Thresholds:
    """Thresholds with the values that a TOML file gives.

    Raises:
        UsageError: the file can't be read, or has an unknown name or a value that is no number.
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
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UsageError(f"{path}: {name} must be a number, got {value!r}")
    return replace(Thresholds(), **data)
