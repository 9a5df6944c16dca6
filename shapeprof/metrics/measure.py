"""Masks in, all their measurements out; many masks at once, so that Python costs little per mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.runmap import IGNORED, RunMap

from . import holes
from .best import best
from .bins import width_edges
from .geometry import Geometry
from .linear import linear
from .registry import all_metrics
from .runs import Classes, Ints, Runs, find_classes, find_objects
from .survival import Survival
from .width import Widths, widths


@dataclass(frozen=True, slots=True)
class Measurements:
    """Everything measured on m masks: p pairs of mask and class, n objects. Strides are 2, 4, 8, 16, 32."""

    paths: tuple[str, ...]
    digests: tuple[str, ...]
    size: Ints  # (m, 2) rows, columns
    ignored: Ints  # (m,) pixels
    classes: Classes
    background: int | None  # class id
    nearest: Survival
    sampled: NDArray[np.bool_]  # (m,) masks that ``linear`` and suspected merging were computed on
    linear: Survival
    with_best: NDArray[np.bool_]  # (m,) masks that ``best`` was computed on
    best: Survival
    widths: Widths
    void_width_pixels: Ints  # (bins,) ignored pixels of sampled masks by local width
    rows: dict[str, NDArray[Any]]  # the columns of ``all_metrics()`` over all objects, those below the floor too
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
    geometry = Geometry(maps, background, floor=floor, sampled=sampled, thickness=thickness)
    runs, objects, classes, size = geometry.runs, geometry.objects, geometry.classes, geometry.size
    return Measurements(
        paths=tuple(m.path for m in maps),
        digests=tuple(m.digest for m in maps),
        size=size,
        ignored=size.prod(axis=1) - np.bincount(classes.of_map, classes.pixels, len(maps)).astype(np.int64),
        classes=classes,
        background=background,
        nearest=geometry.nearest,
        sampled=sampled,
        linear=linear(runs, objects, classes, sampled),
        with_best=with_best,
        best=best(runs, objects, classes, with_best),
        widths=geometry.widths,
        void_width_pixels=_void_widths(runs, sampled),
        rows={metric.name: metric(geometry) for metric in all_metrics()},
        pair=classes.of_run[objects.first_run],
        crofton=geometry.crofton,
        nesting=holes.nesting(runs, objects, classes, geometry.gaps, background),
    )


def _void_widths(runs: Runs, wanted: NDArray[np.bool_]) -> Ints:
    """Histogram of the local width of ignored pixels of the ``wanted`` masks, in length bins.

    Each ignored area counts as an object, and everything else as outside it.
    """
    void = runs.value == IGNORED
    edges, bins = width_edges()
    if not wanted.any() or not void.any():
        return np.zeros(edges.size - 1, np.int64)
    inverse = runs._replace(value=np.where(void, 0, IGNORED).astype(np.int32), key=np.zeros(0, np.int64))
    objects, classes = find_objects(inverse, None), find_classes(inverse, None)
    total: Ints = widths(inverse, objects, classes, wanted, edges, bins).pixels.sum(axis=0)
    return total
