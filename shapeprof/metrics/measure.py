"""Masks in, all their measurements out; many masks at once, so that Python costs little per mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.runmap import IGNORED, RunMap

from . import concavity, crowding, holes, shape, survival, width
from .best import best as best_survival
from .bins import width_edges
from .columns import COLUMNS, STRIDES
from .linear import linear as linear_survival
from .members import members
from .nearest import nearest as nearest_survival
from .runs import Classes, Ints, Objects, Runs, find_classes, find_objects, stack


@dataclass(frozen=True, slots=True)
class Measurements:
    """Everything measured on m masks: p pairs of mask and class, n objects. Strides are 2, 4, 8, 16, 32."""

    paths: tuple[str, ...]
    digests: tuple[str, ...]
    size: Ints  # (m, 2) rows, columns
    ignored: Ints  # (m,) pixels
    classes: Classes
    background: int | None  # class id
    nearest: survival.Survival
    sampled: NDArray[np.bool_]  # (m,) masks that ``linear`` and suspected merging were computed on
    linear: survival.Survival
    with_best: NDArray[np.bool_]  # (m,) masks that ``best`` was computed on
    best: survival.Survival
    widths: width.Widths
    void_width_pixels: Ints  # (bins,) ignored pixels of sampled masks by local width
    rows: dict[str, NDArray[Any]]  # the columns of ``COLUMNS`` over all objects, below the floor too
    pair: NDArray[np.int32]  # (n,) mask and class of every object
    crofton: Ints  # (n, 2) exact intercept counts behind the perimeter
    nesting: holes.Nesting  # (outer, inner) classes: pixels, whole objects

    @property
    def foreground(self) -> NDArray[np.bool_]:
        """(p,) whether each pair is of another class than the background."""
        result: NDArray[np.bool_] = self.classes.class_id != (IGNORED if self.background is None else self.background)
        return result


def measure(
    maps: Sequence[RunMap],
    background: int | None,
    *,
    floor: int = 32,
    sampled: NDArray[np.bool_] | None = None,
    thickness: bool = False,
    with_best: NDArray[np.bool_] | None = None,
) -> Measurements:
    """Measure all objects of some masks.

    Args:
        maps: one or more masks, all with instance ids or all without.
        background: id of the class that is no object; None: every class is foreground.
        floor: objects under this area (px) are counted but marked as not measured.
        sampled: (m,) masks that linear survival, local width and suspected merging are computed on; None: all.
        thickness: whether to compute local width on the others too.
        with_best: (m,) masks that survival at best, which takes seconds, is computed on; None: none.
    """
    sampled = np.ones(len(maps), bool) if sampled is None else sampled
    with_best = np.zeros(len(maps), bool) if with_best is None else with_best
    runs = stack(maps)
    objects, classes = find_objects(runs, background), find_classes(runs, background)
    grouped = members(runs, objects)
    outline = shape.outline(runs, grouped)
    nearest = nearest_survival(runs, objects, classes)
    measured_width = np.full(len(maps), True) if thickness else sampled
    widths = width.widths(runs, objects, classes, measured_width, *width_edges())
    hole_count = shape.hole_count(objects)
    gaps = holes.gaps(runs, grouped, hole_count)
    hole_area = holes.hole_area(runs, gaps, outline.area.size)
    crofton = shape.crofton_counts(outline, objects)
    size = np.array([m.size for m in maps])
    pair = classes.of_run[objects.first_run]
    rows = {
        **_boxes(runs, objects, outline, size),
        **_outlines(outline, shape.perimeter(*crofton)),
        "class_id": objects.class_id,
        "object_id": _object_ids(runs, objects),
        "area": outline.area,
        "hull_area": outline.hull_area,
        "convexity": shape.convexity(outline),
        "convexity_filled": holes.convexity_filled(outline.area, hole_area, outline.hull_area),
        "concavity_depth": concavity.concavity_depth(runs, grouped, outline.area, outline.hull_area),
        "hole_count": hole_count,
        "hole_area": hole_area,
        "hole_share": holes.hole_share(outline.area, hole_area),
        "local_width": np.where(measured_width[objects.of_map], widths.object_sum / outline.area, np.nan),
        "pieces": objects.pieces,
        "touching": crowding.touching(runs, objects),
        "suspected_merged": crowding.suspected_merged(runs, objects, grouped, outline, sampled),
        "borders_ignored": objects.borders_ignored,
        "ignored_edges": objects.ignored_edges,
        "measured": outline.area >= floor,
    }
    kept = 1 - nearest.object_lost / (survival.PHASES * outline.area[:, None])
    rows |= {f"survival_nearest_{s}": kept[:, k] for k, s in enumerate(STRIDES)}
    return Measurements(
        paths=tuple(m.path for m in maps),
        digests=tuple(m.digest for m in maps),
        size=size,
        ignored=size.prod(axis=1) - np.bincount(classes.of_map, classes.pixels, len(maps)).astype(np.int64),
        classes=classes,
        background=background,
        nearest=nearest,
        sampled=sampled,
        linear=linear_survival(runs, objects, classes, sampled),
        with_best=with_best,
        best=best_survival(runs, objects, classes, with_best),
        widths=widths,
        void_width_pixels=_void_widths(runs, sampled),
        rows={column.name: rows[column.name] for column in COLUMNS},
        pair=pair,
        crofton=np.stack(crofton, axis=1),
        nesting=holes.nesting(runs, objects, classes, gaps, background),
    )


def _void_widths(runs: Runs, wanted: NDArray[np.bool_]) -> Ints:
    """Ignored pixels by local width, over the wanted masks: they taken as objects, and all else as outside."""
    void = runs.value == IGNORED
    edges, bins = width_edges()
    if not wanted.any() or not void.any():
        return np.zeros(edges.size - 1, np.int64)
    inverse = runs._replace(value=np.where(void, 0, IGNORED).astype(np.int32), key=np.zeros(0, np.int64))
    objects, classes = find_objects(inverse, None), find_classes(inverse, None)
    total: Ints = width.widths(inverse, objects, classes, wanted, edges, bins).pixels.sum(axis=0)
    return total


def _object_ids(runs: Runs, objects: Objects) -> Ints:
    """Instance ids; in semantic masks the objects of each mask are numbered from 1."""
    if runs.by_instance:
        return objects.instance
    before = np.searchsorted(objects.of_map, np.arange(runs.width.size))
    numbers: Ints = np.arange(1, objects.of_map.size + 1) - before[objects.of_map]
    return numbers


def _boxes(runs: Runs, objects: Objects, outline: shape.Outline, size: Ints) -> dict[str, NDArray[Any]]:
    box = outline.box - runs.first_row[objects.of_map][:, None] * [1, 0, 1, 0]
    height, columns = size[objects.of_map].T
    min_row, min_col, max_row, max_col = box.astype(np.int32).T
    return {
        "min_row": min_row,
        "min_col": min_col,
        "max_row": max_row,
        "max_col": max_col,
        "extent": np.maximum(max_row - min_row, max_col - min_col),
        "truncated": (min_row == 0) | (min_col == 0) | (max_row == height) | (max_col == columns),
    }


def _outlines(outline: shape.Outline, perimeter: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    return {
        "perimeter": perimeter,
        "isoperimetric_quotient": 4 * np.pi * outline.area / perimeter**2,
        "boundary_density": perimeter / outline.area,
        "feret_max": outline.feret_max,
        "mean_width": shape.mean_width(outline.area, perimeter),
    }
