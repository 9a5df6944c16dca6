"""The most extreme objects of each class: the least convex, thinnest, largest, and most broken by stride 8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.metrics.metric import RELIABLE_AREA

if TYPE_CHECKING:
    from shapeprof.metrics.measure import Measurements

EXTREMES_KEPT = 3

# name -> (column, sign): the objects with the smallest sign * value are kept
EXTREMES = {
    "least_convex": ("convexity", 1),
    "thinnest": ("mean_width", 1),
    "largest": ("area", -1),
    "most_broken_at_8": ("survival_nearest_8", 1),
}

_BOX = ("min_row", "min_col", "max_row", "max_col")


@dataclass(frozen=True, slots=True)
class Extreme:
    """An object worth looking at: where it is and why."""

    value: float
    path: str
    box: tuple[int, int, int, int]  # min_row, min_col, max_row, max_col, half-open


Extremes = dict[int, dict[str, tuple[Extreme, ...]]]  # by class id and kind


def extremes(found: Measurements) -> Extremes:
    """The most extreme measured objects, per class: at least 200 px, not truncated."""
    rows = found.rows
    usable = rows["measured"] & ~rows["truncated"] & (rows["area"] >= RELIABLE_AREA)
    places = [*(rows[name] for name in reversed(_BOX)), found.classes.of_map[found.pair]]
    kept: Extremes = {}
    for class_id in np.unique(rows["class_id"][usable]):
        at = np.flatnonzero(usable & (rows["class_id"] == class_id))
        kept[int(class_id)] = {}
        for name, (column, sign) in EXTREMES.items():
            order = _first(sign * rows[column], at, places)
            kept[int(class_id)][name] = tuple(_extreme(found, column, int(i)) for i in order)
    return kept


def _first(values: NDArray[Any], at: NDArray[np.int64], places: list[NDArray[Any]]) -> NDArray[np.int64]:
    """The EXTREMES_KEPT objects of ``at`` with the smallest values; equal ones by mask, then box, as in merging."""
    last = min(EXTREMES_KEPT, at.size) - 1
    at = at[values[at] <= np.partition(values[at], last)[last]]
    result: NDArray[np.int64] = at[np.lexsort([*(place[at] for place in places), values[at]])][:EXTREMES_KEPT]
    return result


def _extreme(found: Measurements, column: str, i: int) -> Extreme:
    box = tuple(int(found.rows[name][i]) for name in _BOX)
    path = found.paths[found.classes.of_map[found.pair[i]]]
    return Extreme(float(found.rows[column][i]), path, (box[0], box[1], box[2], box[3]))


def merge_extremes(a: Extremes, b: Extremes) -> Extremes:
    """The most extreme objects of both, per class and kind; equal values go by path, then box."""
    merged: Extremes = {}
    for class_id in sorted({*a, *b}):
        merged[class_id] = {}
        for name, (_, sign) in EXTREMES.items():
            both = a.get(class_id, {}).get(name, ()) + b.get(class_id, {}).get(name, ())
            ordered = sorted(both, key=lambda e: (sign * e.value, e.path, e.box))
            merged[class_id][name] = tuple(ordered[:EXTREMES_KEPT])
    return merged
