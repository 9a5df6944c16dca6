"""From measurements to tallies (see ``profile.LAYOUT``) and to the most extreme objects."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.jit import kernel
from shapeprof.metrics.bins import convexity_bin, length_bin
from shapeprof.metrics.columns import STRIDES
from shapeprof.metrics.crowding import LEAST_AREA
from shapeprof.metrics.measure import Measurements
from shapeprof.metrics.runs import Ints
from shapeprof.metrics.survival import PHASES, Survival

from .profile import EXTREMES_KEPT, LAYOUT, RELIABLE_AREA, SHARE_UNIT, TALLY_SIZE, Counts, Extreme, Extremes

# name -> (column, sign): the objects with the smallest sign * value are kept
EXTREMES = {
    "least_convex": ("convexity", 1),
    "thinnest": ("mean_width", 1),
    "largest": ("area", -1),
    "most_broken_at_8": ("survival_nearest_8", 1),
}

_BOX = ("min_row", "min_col", "max_row", "max_col")

# part -> column: histograms of lengths and areas
LENGTHS = {
    "concavity_depth": "concavity_depth",
    "area": "area",
    "extent": "extent",
    "feret": "feret_max",
    "mean_width": "mean_width",
}


def tally(found: Measurements) -> tuple[dict[int, Counts], list[tuple[str, dict[int, Counts]]]]:
    """Tallies by foreground class id: of all masks together, and of each sampled mask with its path.

    Only sampled masks get tallies of their own, the others are counted straight into one per class.
    """
    pairs = np.flatnonzero(found.foreground)
    ids, of_class = np.unique(found.classes.class_id[pairs], return_inverse=True)
    own = found.sampled[found.classes.of_map[pairs]]
    slot = np.full(found.classes.class_id.size, -1)
    slot[pairs] = np.where(own, ids.size + np.cumsum(own) - 1, of_class)
    table = np.zeros((ids.size + np.count_nonzero(own), TALLY_SIZE), np.int64)
    _add_classes(table, slot, pairs, found)
    if found.pair.size:
        _add_objects(table, slot[found.pair], found)
    totals = {int(c): table[k].copy() for k, c in enumerate(ids)}
    sample: dict[int, dict[int, Counts]] = {int(m): {} for m in np.flatnonzero(found.sampled)}
    for pair in pairs[own]:
        class_id, counts = int(found.classes.class_id[pair]), table[slot[pair]]
        totals[class_id] += counts
        sample[int(found.classes.of_map[pair])][class_id] = counts
    return totals, [(found.paths[m], tallies) for m, tallies in sample.items()]


def _add_classes(table: Counts, slot: Ints, pairs: Ints, found: Measurements) -> None:
    """Add what is known of the classes as a whole."""
    one, pixels = np.ones(pairs.size, np.int64), found.classes.pixels[pairs]
    counts = {
        "images": one,
        "pixels": pixels,
        "nearest_lost": found.nearest.lost[pairs],
        "nearest_gained": found.nearest.gained[pairs],
    }
    protocols = (("linear", "sampled", found.sampled, found.linear), ("best", "best", found.with_best, found.best))
    for protocol, sample, masks, result in protocols:
        if masks.any():
            inside = masks[found.classes.of_map[pairs]]
            counts |= {
                f"{sample}_images": inside.astype(np.int64),
                f"{sample}_pixels": inside * pixels,
                f"{protocol}_lost": result.lost[pairs],
                f"{protocol}_gained": result.gained[pairs],
            }
    if found.widths.pixels.any():
        counts |= {"width_pixels": found.widths.pixels[pairs], "near_boundary": found.widths.near[pairs]}
    _add(table, slot[pairs], counts)


def _add_objects(table: Counts, slot: Ints, found: Measurements) -> None:
    """Add all objects to the rows ``slot`` of ``table``, in a few steps for all parts at once."""
    everything = found.rows
    one = np.ones(slot.size, np.int64)
    below = ~everything["measured"]
    whole = {"found": one, "below_floor": below, "crofton": found.crofton}
    _add(table, slot, whole | {"ignored_edges": everything["ignored_edges"]})

    measured = np.flatnonzero(everything["measured"])
    rows = {name: column[measured] for name, column in everything.items()}
    slot, one, mask = slot[measured], one[measured], found.classes.of_map[found.pair[measured]]
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
    if found.sampled.any():
        counts |= _kept_counts("linear", "sampled", found.linear, measured, area, found.sampled[mask])
        counts["judged"] = (area >= LEAST_AREA) & ~np.isnan(rows["suspected_merged"])
        counts["suspected_merged"] = rows["suspected_merged"] == 1
    if found.with_best.any():
        counts |= _kept_counts("best", "best", found.best, measured, area, found.with_best[mask])
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


def _kept_counts(
    protocol: str, sample: str, result: Survival, objects: Ints, area: Ints, inside: NDArray[np.bool_]
) -> dict[str, NDArray[Any]]:
    """What of these objects survives, where ``inside`` says that their mask was looked at."""
    kept = inside[:, None] * (1 - result.object_lost[objects] / (PHASES * area[:, None]))
    reliable = inside & (area >= RELIABLE_AREA)
    return {
        f"{sample}_objects": inside,
        f"{sample}_reliable": reliable,
        f"{protocol}_share": _share(kept),
        f"{protocol}_kept": kept >= 0.5,
        f"{protocol}_kept_reliable": (kept >= 0.5) & reliable[:, None],
    }


def _share(kept: NDArray[np.float64]) -> Ints:
    result: Ints = np.rint(kept * SHARE_UNIT).astype(np.int64)
    return result


def _add(table: Counts, slot: Ints, counts: dict[str, NDArray[Any]]) -> None:
    """Add columns of n things, (n,) or (n, k), to the parts of these names in their rows of the table."""
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


def _first(values: NDArray[Any], at: Ints, places: list[NDArray[Any]]) -> Ints:
    """Of the objects ``at``, the few with the smallest values; equal ones by mask, then box, as merging has it."""
    last = min(EXTREMES_KEPT, at.size) - 1
    at = at[values[at] <= np.partition(values[at], last)[last]]
    result: Ints = at[np.lexsort([*(place[at] for place in places), values[at]])][:EXTREMES_KEPT]
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
