"""One mask in, all its measurements out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.labelmap import LabelMap

from . import best as best_survival
from . import concavity, crowding, holes, shape, survival, width
from .columns import COLUMNS, STRIDES
from .members import members
from .runs import Ints, Objects, Runs, encode, find_objects


@dataclass(frozen=True, slots=True)
class ClassSums:
    """What one mask says about one class beyond its objects. Strides are 2, 4, 8, 16, 32."""

    pixels: int
    nearest: Ints  # (2, 5) pixels lost and gained, summed over the phases
    linear: Ints | None  # the same for the linear protocol; None outside the sample
    widths: NDArray[np.float32] | None  # (pixels,) local width of each pixel, px; None outside the sample
    best: Ints | None = None  # lost and gained at best; None unless asked for


@dataclass(frozen=True, slots=True)
class MaskMeasurement:
    """Everything measured on one mask."""

    path: str
    digest: str
    size: tuple[int, int]  # rows, columns
    ignored: int  # pixels
    rows: dict[str, NDArray[Any]]  # the columns of ``COLUMNS`` over all objects, below the floor too
    crofton: Ints  # (2, n) exact intercept counts behind the perimeter
    linear_lost: Ints | None  # (n, 5) pixels of each object lost under the linear protocol
    classes: dict[int, ClassSums]  # by class id, background included
    best_lost: Ints | None = None  # (n, 5) pixels of each object lost at best; None unless asked for
    nesting: holes.Nesting = field(default_factory=dict)  # (outer, inner) classes: pixels, whole objects


def measure(
    label_map: LabelMap,
    *,
    floor: int = 32,
    sampled: bool = True,
    thickness: bool = False,
    best: bool = False,
) -> MaskMeasurement:
    """Measure all objects of a label map.

    Args:
        label_map: labels (H, W) of class ids, optionally with instance ids.
        floor: objects under this area (px) are counted but marked as not measured.
        sampled: whether to compute linear survival and local width too.
        thickness: whether to compute local width even when not sampled.
        best: whether to compute survival at best too, which takes seconds.
    """
    background, ignored = label_map.classes.background, label_map.ignore_index
    runs = encode(label_map)
    objects = find_objects(runs, background, ignored)
    outline = shape.outline(runs, objects)
    ranked = survival.ranked(runs, background, ignored)
    nearest = survival.nearest(runs, objects, ranked)
    linear = survival.linear(runs, objects, ranked) if sampled else None
    at_best = best_survival.best(runs, objects, ranked) if best else None
    grouped = members(runs, objects)
    merged = np.full(outline.area.size, np.nan)
    widths = width_sums = None
    if sampled or thickness:
        distances = width.squared_distance(runs, objects)
        width_map = width.local_width(runs, objects, distances)[0]
        widths, width_sums = width.collect(width_map, runs, objects, outline.area)
        if sampled:
            merged = crowding.suspected_merged(
                runs, grouped, distances[0], outline.area, outline.hull_area, outline.box
            )
    gaps = holes.gaps(runs, grouped, shape.hole_count(objects))
    hole_area = holes.hole_area(runs, gaps, outline.area.size)
    more = {
        "convexity_filled": holes.convexity_filled(outline.area, hole_area, outline.hull_area),
        "concavity_depth": concavity.concavity_depth(runs, grouped, outline.area, outline.hull_area),
        "hole_area": hole_area,
        "hole_share": holes.hole_share(outline.area, hole_area),
        "touching": crowding.touching(runs, objects),
        "suspected_merged": merged,
    }
    crofton = shape.crofton_counts(outline, objects)
    pixels = _pixels(runs)
    return MaskMeasurement(
        path=label_map.path,
        digest=label_map.digest,
        size=(label_map.labels.shape[0], label_map.labels.shape[1]),
        ignored=pixels.get(ignored, 0),
        rows=_rows(
            objects, outline, crofton, nearest, _mean_local_width(width_sums, outline), more, label_map, floor
        ),
        crofton=np.stack(crofton),
        linear_lost=None if linear is None else linear.object_lost,
        best_lost=None if at_best is None else at_best.object_lost,
        nesting=holes.nesting(runs, objects, gaps, background, ignored),
        classes={
            int(c): ClassSums(
                pixels=pixels[int(c)],
                nearest=np.stack((nearest.lost[k], nearest.gained[k])),
                linear=None if linear is None else np.stack((linear.lost[k], linear.gained[k])),
                best=None if at_best is None else np.stack((at_best.lost[k], at_best.gained[k])),
                widths=None if widths is None else widths.get(int(c), np.zeros(0, np.float32)),
            )
            for k, c in enumerate(ranked)
        },
    )


def _pixels(runs: Runs) -> dict[int, int]:
    counts = np.bincount(runs.value, weights=runs.stop - runs.start)
    return {int(v): int(counts[v]) for v in np.flatnonzero(counts)}


def _mean_local_width(sums: NDArray[np.float64] | None, outline: shape.Outline) -> NDArray[np.float64]:
    if sums is None:
        return np.full(outline.area.size, np.nan)
    result: NDArray[np.float64] = sums / outline.area
    return result


def _rows(
    objects: Objects,
    outline: shape.Outline,
    crofton: tuple[Ints, Ints],
    nearest: survival.Survival,
    local_width: NDArray[np.float64],
    more: dict[str, NDArray[Any]],
    label_map: LabelMap,
    floor: int,
) -> dict[str, NDArray[Any]]:
    height, columns = label_map.labels.shape
    n, box = objects.class_id.size, outline.box
    perimeter = shape.perimeter(*crofton)
    instances = label_map.instances is not None
    kept = 1 - nearest.object_lost / (survival.PHASES * outline.area[:, None])
    rows: dict[str, NDArray[Any]] = {
        "class_id": objects.class_id,
        "object_id": objects.instance if instances else np.arange(1, n + 1, dtype=np.int64),
        "min_row": box[:, 0].astype(np.int32),
        "min_col": box[:, 1].astype(np.int32),
        "max_row": box[:, 2].astype(np.int32),
        "max_col": box[:, 3].astype(np.int32),
        "area": outline.area,
        "hull_area": outline.hull_area,
        "convexity": shape.convexity(outline),
        "hole_count": shape.hole_count(objects),
        "perimeter": perimeter,
        "isoperimetric_quotient": 4 * np.pi * outline.area / perimeter**2,
        "boundary_density": perimeter / outline.area,
        "feret_max": outline.feret_max,
        "extent": np.maximum(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]).astype(np.int32),
        "mean_width": shape.mean_width(outline.area, perimeter),
        "local_width": local_width,
        "pieces": objects.pieces,
        "truncated": (box[:, 0] == 0) | (box[:, 1] == 0) | (box[:, 2] == height) | (box[:, 3] == columns),
        "borders_ignored": objects.borders_ignored,
        "measured": outline.area >= floor,
        **more,
    }
    for k, s in enumerate(STRIDES):
        rows[f"survival_nearest_{s}"] = kept[:, k]
    return {column.name: rows[column.name] for column in COLUMNS}
