"""From measurements to tallies (see ``tally.LAYOUT``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.jit import kernel
from shapeprof.metrics.crowding import LEAST_AREA
from shapeprof.metrics.measure import Measurements
from shapeprof.metrics.metric import RELIABLE_AREA, Metric
from shapeprof.metrics.registry import histograms
from shapeprof.metrics.runs import Ints
from shapeprof.metrics.strides import STRIDES
from shapeprof.metrics.survival import PHASES, Survival

from .tally import BASIS, LAYOUT, SHARE_UNIT, TALLY_SIZE, Counts


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


def _partial(found: Measurements) -> dict[str, tuple[NDArray[np.bool_], Survival]]:
    """The protocols of survival that are computed on some masks only: those masks, and the result."""
    return {"linear": (found.sampled, found.linear), "best": (found.with_best, found.best)}


def _add_classes(table: Counts, slot: Ints, pairs: Ints, found: Measurements) -> None:
    """Add what is counted per class of a mask, not per object."""
    one, pixels = np.ones(pairs.size, np.int64), found.classes.pixels[pairs]
    counts = {
        "images": one,
        "pixels": pixels,
        "nearest_lost": found.nearest.lost[pairs],
        "nearest_gained": found.nearest.gained[pairs],
    }
    for protocol, (masks, result) in _partial(found).items():
        if masks.any():
            basis, inside = BASIS[protocol], masks[found.classes.of_map[pairs]]
            counts |= {
                f"{basis}_images": inside.astype(np.int64),
                f"{basis}_pixels": inside * pixels,
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
    slot, mask = slot[measured], found.classes.of_map[found.pair[measured]]
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
    for protocol, (masks, result) in _partial(found).items():
        if masks.any():
            counts |= _kept_counts(protocol, result.object_lost[measured], area, masks[mask])
    if found.sampled.any():
        counts["judged"] = (area >= LEAST_AREA) & ~np.isnan(rows["suspected_merged"])
        counts["suspected_merged"] = rows["suspected_merged"] == 1
    _add(table, slot, counts)
    _add_histograms(table, slot, rows, group)


def _add_histograms(table: Counts, slot: Ints, rows: Mapping[str, NDArray[Any]], group: Ints) -> None:
    """Count measured objects in the bins of every metric; ``group``: 1 for untruncated ones."""
    area = rows["area"]
    weights = {"": np.ones(area.size, np.int64), "_reliable": (area >= RELIABLE_AREA).astype(np.int64)}
    weights["_area"] = weights["_reliable"] * area
    names: list[str] = []
    where: list[Ints] = []
    weight: list[Ints] = []
    for metric, bins in _bins(rows):
        one = 1 if metric.undefined == "never" else ~np.isnan(rows[metric.name])
        for suffix in weights if metric.shows_by_area else ("",):
            names.append(metric.key + suffix)
            where.append(bins)
            weight.append(weights[suffix] * one)
    first = np.array([LAYOUT[name][0].start for name in names])
    untruncated = np.array([LAYOUT[name][1][1] for name in names])
    places = np.stack(where) + first[:, None] + group * untruncated[:, None]
    _scatter(table, slot, places, np.stack(weight))


def _bins(rows: Mapping[str, NDArray[Any]]) -> list[tuple[Metric, Ints]]:
    """The bin of every object in each histogram; those with bins of one kind are computed at once."""
    kinds: dict[Callable[[NDArray[Any]], Ints], list[Metric]] = {}
    for metric in histograms():
        assert metric.bins is not None
        kinds.setdefault(metric.bins.bin_of, []).append(metric)
    found: list[tuple[Metric, Ints]] = []
    for bin_of, metrics in kinds.items():
        values = np.stack([rows[metric.name] for metric in metrics])
        if any(metric.undefined != "never" for metric in metrics):
            values = np.nan_to_num(values)
        found += zip(metrics, bin_of(values), strict=True)
    return found


def _kept_counts(protocol: str, lost: Ints, area: Ints, inside: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """Counts of survival of some objects; ``inside``: whether the protocol was computed on their mask."""
    basis, kept = BASIS[protocol], inside[:, None] * (1 - lost / (PHASES * area[:, None]))
    reliable = inside & (area >= RELIABLE_AREA)
    return {
        f"{basis}_objects": inside,
        f"{basis}_reliable": reliable,
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
