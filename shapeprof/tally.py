"""From one mask's measurement to its tallies (see ``profile.LAYOUT``) and its extreme objects."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .metrics.columns import STRIDES
from .metrics.crowding import LEAST_AREA
from .metrics.kernel import kernel
from .metrics.measure import ClassSums, MaskMeasurement
from .metrics.runs import Ints
from .profile import (
    EXTREMES_KEPT,
    LAYOUT,
    LENGTH_BINS,
    PER_OCTAVE,
    RELIABLE_AREA,
    SHARE_UNIT,
    TALLY_SIZE,
    Counts,
    Extreme,
    convexity_bin,
    length_bin,
    part,
)

# name -> (column, sign): the objects with the smallest sign * value are kept
EXTREMES = {
    "least_convex": ("convexity", 1),
    "thinnest": ("mean_width", 1),
    "largest": ("area", -1),
    "most_broken_at_8": ("survival_nearest_8", 1),
}

# part -> column: histograms of lengths and areas
LENGTHS = {
    "concavity_depth": "concavity_depth",
    "area": "area",
    "extent": "extent",
    "feret": "feret_max",
    "mean_width": "mean_width",
}


def tally(measurement: MaskMeasurement, background: int | None) -> dict[int, Counts]:
    """Tallies of one mask by foreground class id."""
    classes = [class_id for class_id in measurement.classes if class_id != background]
    table = np.zeros((len(classes), TALLY_SIZE), np.int64)
    for counts, class_id in zip(table, classes, strict=True):
        _put_sums(counts, measurement.classes[class_id])
    if measurement.rows["area"].size:
        _add_objects(table, np.array(classes), measurement)
    return dict(zip(classes, table, strict=True))


def _put_sums(counts: Counts, sums: ClassSums) -> None:
    """What is known of the class as a whole."""

    def put(name: str, value: Any) -> None:
        part(counts, name)[...] = value

    put("images", 1)
    put("pixels", sums.pixels)
    put("nearest_lost", sums.nearest[0])
    put("nearest_gained", sums.nearest[1])
    if sums.widths is not None:
        put("width_pixels", _count_widths(sums.widths, *_width_edges()))
    if sums.linear is not None:
        put("sampled_images", 1)
        put("sampled_pixels", sums.pixels)
        put("linear_lost", sums.linear[0])
        put("linear_gained", sums.linear[1])
    if sums.best is not None:
        put("best_images", 1)
        put("best_pixels", sums.pixels)
        put("best_lost", sums.best[0])
        put("best_gained", sums.best[1])


def _add_objects(table: Counts, classes: NDArray[np.int64], measurement: MaskMeasurement) -> None:
    """Add all objects to the rows of ``table``, those of ``classes``, in a few steps for all parts at once."""
    everything = measurement.rows
    slot_of = np.zeros(classes.max() + 1, np.int64)
    slot_of[classes] = np.arange(classes.size)
    slot = slot_of[everything["class_id"]]
    found = np.ones(slot.size, np.int64)
    below = ~everything["measured"]
    _add(table, slot, {"found": found, "below_floor": below, "crofton": measurement.crofton.T})

    measured = np.flatnonzero(everything["measured"])
    rows = {name: column[measured] for name, column in everything.items()}
    slot, one = slot[measured], found[measured]
    area, reliable = rows["area"], rows["area"] >= RELIABLE_AREA
    group = (~rows["truncated"]).astype(np.int64)
    in_group = np.stack([1 - group, group], axis=1)
    kept = np.stack([rows[f"survival_nearest_{s}"] for s in STRIDES], axis=1)
    counts = {
        "truncated": rows["truncated"],
        "borders_ignored": rows["borders_ignored"],
        "area_measured": in_group * area[:, None],
        "reliable": in_group * reliable[:, None],
        "hole_count": rows["hole_count"],
        "with_holes": rows["hole_count"] > 0,
        "hole_area": rows["hole_area"],
        "touching": rows["touching"],
        "in_pieces": rows["pieces"] > 1,
        "nearest_share": _share(kept),
        "nearest_kept": kept >= 0.5,
    }
    if measurement.linear_lost is not None:
        counts |= _kept_counts("linear", "sampled", measurement.linear_lost[measured], area)
        counts["judged"] = area >= LEAST_AREA
        counts["suspected_merged"] = rows["suspected_merged"] == 1
    if measurement.best_lost is not None:
        counts |= _kept_counts("best", "best", measurement.best_lost[measured], area)
    _add(table, slot, counts)

    convexities = convexity_bin(np.stack([rows["convexity"], rows["convexity_filled"]]))
    lengths = length_bin(np.stack([rows[column] for column in LENGTHS.values()]))
    weights = reliable.astype(np.int64)
    histograms = {
        "convexity": (convexities[0], one),
        "convexity_filled": (convexities[1], one),
        "convexity_reliable": (convexities[0], weights),
        "convexity_area": (convexities[0], weights * area),
        **{name: (bins, one) for name, bins in zip(LENGTHS, lengths, strict=True)},
    }
    where = np.stack([bins for bins, _ in histograms.values()])
    where += [[LAYOUT[name][0].start] for name in histograms]
    where += group * np.array([[LAYOUT[name][1][1]] for name in histograms])
    _scatter(table, slot, where, np.stack([weight for _, weight in histograms.values()]))


def _kept_counts(protocol: str, sample: str, lost: Ints, area: Ints) -> dict[str, NDArray[Any]]:
    kept, reliable = 1 - lost / (2 * area[:, None]), area >= RELIABLE_AREA
    return {
        f"{sample}_objects": np.ones(area.size, np.int64),
        f"{sample}_reliable": reliable,
        f"{protocol}_share": _share(kept),
        f"{protocol}_kept": kept >= 0.5,
        f"{protocol}_kept_reliable": (kept >= 0.5) & reliable[:, None],
    }


def _share(kept: NDArray[np.float64]) -> Ints:
    result: Ints = np.rint(kept * SHARE_UNIT).astype(np.int64)
    return result


def _add(table: Counts, slot: Ints, counts: dict[str, NDArray[Any]]) -> None:
    """Add columns over the objects, (n,) or (n, k), to the parts of these names."""
    where = _places(tuple(counts))
    values = np.empty((slot.size, where.size), np.int64)
    at = 0
    for column in counts.values():
        size = 1 if column.ndim == 1 else column.shape[1]
        values[:, at : at + size] = column.reshape(-1, size)
        at += size
    _add_columns(table, slot, where, values)


@lru_cache(maxsize=8)
def _places(names: tuple[str, ...]) -> Ints:
    return np.concatenate([np.arange(TALLY_SIZE)[LAYOUT[name][0]] for name in names])


@kernel
def _add_columns(table, slot, where, values):  # type: ignore[no-untyped-def]
    for i in range(slot.size):
        for k in range(where.size):
            table[slot[i], where[k]] += values[i, k]


@kernel
def _scatter(table, slot, where, weights):  # type: ignore[no-untyped-def]
    for k in range(where.shape[0]):
        for i in range(slot.size):
            table[slot[i], where[k, i]] += weights[k, i]


@lru_cache(maxsize=1)
def _width_edges() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Smallest width in every length bin, and the bin of every multiple of 1/32 px up to 64."""
    edges = np.empty(LENGTH_BINS + 1, np.float32)
    edges[0], edges[-1] = 0, np.inf
    for k in range(1, LENGTH_BINS):
        near = np.float32(2 ** ((k - 0.5) / PER_OCTAVE))
        steps = near.view(np.int32) + np.arange(-4, 5, dtype=np.int32)  # its neighbours among the floats
        candidates = steps.view(np.float32)
        edges[k] = candidates[length_bin(candidates) >= k].min()
    return edges, length_bin(np.arange(64 * 32 + 1, dtype=np.float32) / 32)


@kernel
def _count_widths(widths, edges, bins):  # type: ignore[no-untyped-def]
    """Histogram of ``length_bin`` for widths up to 64 px: there is at most one edge in 1/32 px."""
    counts = np.zeros(edges.size - 1, np.int64)
    for width in widths:
        k = bins[int(width * 32)]
        counts[k + (width >= edges[k + 1])] += 1
    return counts


def extremes(
    measurement: MaskMeasurement, background: int | None
) -> dict[int, dict[str, tuple[Extreme, ...]]]:
    """The most extreme measured objects of one mask, per class: at least 200 px, not truncated."""
    rows = measurement.rows
    usable = rows["measured"] & ~rows["truncated"] & (rows["area"] >= RELIABLE_AREA)
    found: dict[int, dict[str, tuple[Extreme, ...]]] = {}
    for class_id in measurement.classes:
        at = np.flatnonzero(usable & (rows["class_id"] == class_id))
        if class_id == background or not at.size:
            continue
        found[class_id] = {}
        for name, (column, sign) in EXTREMES.items():
            order = at[np.argsort(sign * rows[column][at], kind="stable")[:EXTREMES_KEPT]]
            found[class_id][name] = tuple(_extreme(measurement, column, int(i)) for i in order)
    return found


def _extreme(measurement: MaskMeasurement, column: str, i: int) -> Extreme:
    rows = measurement.rows
    box = tuple(int(rows[name][i]) for name in ("min_row", "min_col", "max_row", "max_col"))
    return Extreme(float(rows[column][i]), measurement.path, (box[0], box[1], box[2], box[3]))


def merge_extremes(
    a: dict[int, dict[str, tuple[Extreme, ...]]], b: dict[int, dict[str, tuple[Extreme, ...]]]
) -> dict[int, dict[str, tuple[Extreme, ...]]]:
    """The most extreme objects of both, per class and kind; equal values go by path, then box."""
    merged: dict[int, dict[str, tuple[Extreme, ...]]] = {}
    for class_id in sorted({*a, *b}):
        merged[class_id] = {}
        for name, (_, sign) in EXTREMES.items():
            both = a.get(class_id, {}).get(name, ()) + b.get(class_id, {}).get(name, ())
            ordered = sorted(both, key=lambda e: (sign * e.value, e.path, e.box))
            merged[class_id][name] = tuple(ordered[:EXTREMES_KEPT])
    return merged
