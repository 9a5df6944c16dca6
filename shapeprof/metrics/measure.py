"""One mask in, all its measurements out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.labelmap import LabelMap

from . import shape, survival, width
from .columns import STRIDES
from .runs import NO_OBJECT, Ints, Objects, Runs, encode, find_objects


@dataclass(frozen=True, slots=True)
class ClassSums:
    """What one mask says about one class beyond its objects. Strides are 2, 4, 8, 16, 32."""

    pixels: int
    nearest: Ints  # (2, 5) pixels lost and gained, summed over the phases
    linear: Ints | None  # the same for the linear protocol; None outside the sample
    widths: NDArray[np.float32] | None  # (pixels,) local width of each pixel, px; None outside the sample


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


def measure(
    label_map: LabelMap, *, floor: int = 32, sampled: bool = True, thickness: bool = False
) -> MaskMeasurement:
    """Measure all objects of a label map.

    Args:
        label_map: labels (H, W) of class ids, optionally with instance ids.
        floor: objects under this area (px) are counted but marked as not measured.
        sampled: whether to compute linear survival and local width too.
        thickness: whether to compute local width even when not sampled.
    """
    background, ignored = label_map.classes.background, label_map.ignore_index
    runs = encode(label_map)
    objects = find_objects(runs, background, ignored)
    outline = shape.outline(runs, objects)
    ranked = survival.ranked(runs, background, ignored)
    nearest = survival.nearest(runs, objects, ranked)
    linear = survival.linear(runs, objects, ranked) if sampled else None
    widths, owner = width.local_width(runs, objects) if sampled or thickness else (None, None)
    crofton = shape.crofton_counts(outline, objects)
    pixels = _pixels(runs)
    return MaskMeasurement(
        path=label_map.path,
        digest=label_map.digest,
        size=(label_map.labels.shape[0], label_map.labels.shape[1]),
        ignored=pixels.get(ignored, 0),
        rows=_rows(
            objects, outline, crofton, nearest, _mean_local_width(widths, owner, outline), label_map, floor
        ),
        crofton=np.stack(crofton),
        linear_lost=None if linear is None else linear.object_lost,
        classes={
            int(c): ClassSums(
                pixels=pixels[int(c)],
                nearest=np.stack((nearest.lost[k], nearest.gained[k])),
                linear=None if linear is None else np.stack((linear.lost[k], linear.gained[k])),
                widths=None if widths is None else _class_widths(widths, owner, objects, int(c)),
            )
            for k, c in enumerate(ranked)
        },
    )


def _pixels(runs: Runs) -> dict[int, int]:
    counts = np.bincount(runs.value, weights=runs.stop - runs.start)
    return {int(v): int(counts[v]) for v in np.flatnonzero(counts)}


def _class_widths(
    widths: NDArray[np.float32], owner: NDArray[np.int32] | None, objects: Objects, class_id: int
) -> NDArray[np.float32]:
    inside = owner != NO_OBJECT
    assert owner is not None
    of_class = objects.class_id[owner[inside]] == class_id
    values: NDArray[np.float32] = widths[inside][of_class]
    return values


def _mean_local_width(
    widths: NDArray[np.float32] | None, owner: NDArray[np.int32] | None, outline: shape.Outline
) -> NDArray[np.float64]:
    if widths is None or owner is None:
        return np.full(outline.area.size, np.nan)
    inside = owner != NO_OBJECT
    sums = np.bincount(owner[inside], weights=widths[inside], minlength=outline.area.size)
    result: NDArray[np.float64] = sums / outline.area
    return result


def _rows(
    objects: Objects,
    outline: shape.Outline,
    crofton: tuple[Ints, Ints],
    nearest: survival.Survival,
    local_width: NDArray[np.float64],
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
        "feret_max": outline.feret_max,
        "extent": np.maximum(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]).astype(np.int32),
        "mean_width": shape.mean_width(outline.area, perimeter),
        "local_width": local_width,
        "pieces": objects.pieces,
        "truncated": (box[:, 0] == 0) | (box[:, 1] == 0) | (box[:, 2] == height) | (box[:, 3] == columns),
        "borders_ignored": objects.borders_ignored,
        "measured": outline.area >= floor,
    }
    for k, s in enumerate(STRIDES):
        rows[f"survival_nearest_{s}"] = kept[:, k]
    return rows
