"""The few true values behind soft ones: where anti-aliasing, resizing or JPEG has blended them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from .survey import SOFT_RUN, Observation

# All chosen, and tested on the nine real sets.
SNAP_WINDOW = 10  # a soft value this near to a level belongs to it; levels are over twice as far apart
SNAP_COVER, SNAP_LEVEL = 0.75, 0.01  # levels hold 75 % of the pixels together, and 1 % each, or ...
SNAP_RARE = 0.2  # ... this share of the pixels that are off the most common level: thin objects cover few pixels
SNAP_PEAK = 3.0  # a level's window holds this many times what the values just beside it hold
SNAP_DOUBT = 5e-4  # share from which a value that stands out, but is no level, is named in the issue


def between_levels(pixels: dict[int, int], levels: Sequence[int]) -> float:
    """The share of pixels whose value is over 10 away from every level."""
    between = sum(n for raw, n in pixels.items() if all(abs(raw - level) > SNAP_WINDOW for level in levels))
    return between / sum(pixels.values())


def run_lengths(seen: list[Observation]) -> dict[int, float]:
    """The mean run length of each value over all files, pixels."""
    pixels: Counter[int] = Counter()
    runs: Counter[int] = Counter()
    for observation in seen:
        pixels.update(observation.pixels)
        runs.update({raw: round(n / observation.run[raw]) for raw, n in observation.pixels.items()})
    return {raw: n / max(1, runs[raw]) for raw, n in pixels.items()}


def levels_of(pixels: Counter[int], run: dict[int, float]) -> tuple[list[int] | None, list[int]]:
    """(the true values behind soft ones, or None when they don't stand out; values that may be further ones).

    A level is the value with the most pixels among those that no level has taken yet. Its window holds several times
    what the values just beside it hold: blends of two levels are spread between them. And it lies in runs of 3 px or
    more, unless it is the lowest or the highest: blends don't.
    """
    total, low, high = sum(pixels.values()), min(pixels), max(pixels)
    left: Counter[int] = Counter(pixels)
    levels: list[int] = []
    doubtful: list[int] = []
    common, covered, least = 0, 0, SNAP_LEVEL * total
    while left:
        peak = max(left, key=lambda raw: (left[raw], -raw))
        near = [raw for raw in left if abs(raw - peak) <= SNAP_WINDOW]
        mass = sum(left[raw] for raw in near)
        if levels:
            least = min(least, SNAP_RARE * (total - common))
        else:
            common = mass
        if mass < min(least, SNAP_DOUBT * total):
            break
        beside = sum(n for raw, n in pixels.items() if SNAP_WINDOW < abs(raw - peak) <= 2 * SNAP_WINDOW)
        outermost = peak - low <= SNAP_WINDOW or high - peak <= SNAP_WINDOW
        stands_out = mass >= SNAP_PEAK * beside and (outermost or run[peak] >= SOFT_RUN)
        if stands_out and mass < least:
            doubtful.append(peak)
        elif stands_out:
            levels.append(0 if peak <= 3 else 255 if peak >= 252 else peak)
            covered += mass
        for raw in near:
            del left[raw]
    levels.sort()
    gaps = [b - a for a, b in pairwise(levels)]
    if covered < SNAP_COVER * total or not 1 < len(levels) <= 16 or min(gaps) <= 2 * SNAP_WINDOW:
        return None, []
    return levels, sorted(doubtful)
