"""From one mask's measurement to its tallies (see ``profile.LAYOUT``) and its extreme objects."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .metrics.measure import ClassSums, MaskMeasurement
from .profile import (
    CONVEXITY_BINS,
    EXTREMES_KEPT,
    LENGTH_BINS,
    RELIABLE_AREA,
    SHARE_UNIT,
    Counts,
    Extreme,
    convexity_bin,
    length_bin,
    new_tally,
    part,
)

# name -> (column, sign): the objects with the smallest sign * value are kept
EXTREMES = {
    "least_convex": ("convexity", 1),
    "thinnest": ("mean_width", 1),
    "largest": ("area", -1),
    "most_broken_at_8": ("survival_nearest_8", 1),
}


def tally(measurement: MaskMeasurement, background: int | None) -> dict[int, Counts]:
    """Tallies of one mask by foreground class id."""
    rows = measurement.rows
    tallies = {}
    for class_id, sums in measurement.classes.items():
        if class_id != background:
            chosen = rows["class_id"] == class_id
            tallies[class_id] = _class_tally(measurement, sums, chosen)
    return tallies


def _class_tally(measurement: MaskMeasurement, sums: ClassSums, chosen: NDArray[np.bool_]) -> Counts:
    result = new_tally()

    def put(name: str, value: Any) -> None:
        part(result, name)[...] = value

    all_rows = measurement.rows
    measured = chosen & all_rows["measured"]
    rows = {name: column[measured] for name, column in all_rows.items()}
    area, reliable = rows["area"], rows["area"] >= RELIABLE_AREA
    untruncated = (~rows["truncated"]).astype(np.int64)

    put("images", 1)
    put("pixels", sums.pixels)
    put("found", np.count_nonzero(chosen))
    put("below_floor", np.count_nonzero(chosen) - area.size)
    put("truncated", np.count_nonzero(rows["truncated"]))
    put("borders_ignored", np.count_nonzero(rows["borders_ignored"]))
    put("area_measured", [area[untruncated == 0].sum(), area[untruncated == 1].sum()])
    put("reliable", np.bincount(untruncated[reliable], minlength=2))
    put("hole_count", rows["hole_count"].sum())
    put("with_holes", np.count_nonzero(rows["hole_count"]))
    put("in_pieces", np.count_nonzero(rows["pieces"] > 1))
    put("crofton", measurement.crofton[:, chosen].sum(axis=1))

    bins = convexity_bin(rows["convexity"])
    put("convexity", _histogram(untruncated, bins, CONVEXITY_BINS))
    put("convexity_reliable", _histogram(untruncated[reliable], bins[reliable], CONVEXITY_BINS))
    put("convexity_area", _histogram(untruncated[reliable], bins[reliable], CONVEXITY_BINS, area[reliable]))
    for name, column in (("area", "area"), ("extent", "extent"), ("feret", "feret_max"), ("mean_width",) * 2):
        put(name, _histogram(untruncated, length_bin(rows[column]), LENGTH_BINS))

    kept = np.stack([rows[f"survival_nearest_{s}"] for s in (2, 4, 8, 16, 32)], axis=1)
    put("nearest_lost", sums.nearest[0])
    put("nearest_gained", sums.nearest[1])
    put("nearest_share", np.rint(kept * SHARE_UNIT).astype(np.int64).sum(axis=0))
    put("nearest_kept", (kept >= 0.5).sum(axis=0))
    if sums.widths is not None:
        put("width_pixels", np.bincount(length_bin(sums.widths), minlength=LENGTH_BINS))
    if sums.linear is not None and measurement.linear_lost is not None:
        kept = 1 - measurement.linear_lost[measured] / (2 * area[:, None])
        put("sampled_images", 1)
        put("sampled_pixels", sums.pixels)
        put("sampled_objects", area.size)
        put("sampled_reliable", np.count_nonzero(reliable))
        put("linear_lost", sums.linear[0])
        put("linear_gained", sums.linear[1])
        put("linear_share", np.rint(kept * SHARE_UNIT).astype(np.int64).sum(axis=0))
        put("linear_kept", (kept >= 0.5).sum(axis=0))
        put("linear_kept_reliable", (kept[reliable] >= 0.5).sum(axis=0))
    return result


def _histogram(
    group: NDArray[np.int64], bins: NDArray[np.int64], size: int, weights: NDArray[np.int64] | None = None
) -> Counts:
    flat = np.bincount(group * size + bins, weights=weights, minlength=2 * size)
    return flat.astype(np.int64).reshape(2, size)


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
