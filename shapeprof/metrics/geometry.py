"""What metrics per object are computed from: some masks as runs, and what several metrics share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.runmap import RunMap

from . import holes, shape
from .bins import width_edges
from .members import Members, members
from .nearest import nearest
from .runs import Classes, Ints, Objects, Runs, find_classes, find_objects, stack
from .survival import PHASES, Survival
from .width import Widths, widths


class Geometry:
    """The objects of m masks. Every attribute is computed once, when it is first asked for.

    Columns over n objects go in the order of ``objects``, boxes and sizes are (row, column).
    """

    def __init__(
        self,
        maps: Sequence[RunMap],
        background: int | None,
        *,
        floor: int,
        sampled: NDArray[np.bool_],
        thickness: bool = False,
    ) -> None:
        self.runs: Runs = stack(maps)
        self.background = background  # class id; None: every class is foreground
        self.floor = floor  # px; smaller objects are counted, not measured
        self.sampled = sampled  # (m,) masks of the sample
        self.width_measured = np.full(len(maps), True) if thickness else sampled  # (m,) masks with local width
        self.size: Ints = np.array([m.size for m in maps])  # (m, 2) rows, columns
        self._columns: dict[str, NDArray[Any]] = {}

    def once(self, name: str, compute: Callable[[Geometry], NDArray[Any]]) -> NDArray[Any]:
        """The values of a metric, computed at the first call with this name."""
        if name not in self._columns:
            self._columns[name] = compute(self)
        return self._columns[name]

    @cached_property
    def objects(self) -> Objects:
        """The objects, in order of their first pixel."""
        return find_objects(self.runs, self.background)

    @cached_property
    def classes(self) -> Classes:
        """The classes of every mask."""
        return find_classes(self.runs, self.background)

    @cached_property
    def members(self) -> Members:
        """The runs of every object."""
        return members(self.runs, self.objects)

    @cached_property
    def outline(self) -> shape.Outline:
        """Area, hull, Feret diameter, and the box in rows of the stack (see ``box``)."""
        return shape.outline(self.runs, self.members)

    @cached_property
    def box(self) -> NDArray[np.int32]:
        """(n, 4) min_row, min_col, max_row, max_col in the object's own mask, half-open."""
        first = self.runs.first_row[self.objects.of_map][:, None] * [1, 0, 1, 0]
        box: NDArray[np.int32] = (self.outline.box - first).astype(np.int32)
        return box

    @cached_property
    def crofton(self) -> Ints:
        """(n, 2) intercepts of the Crofton perimeter, along the axes and along the diagonals."""
        return np.stack(shape.crofton_counts(self.outline, self.objects), axis=1)

    @cached_property
    def hole_count(self) -> Ints:
        """(n,) holes."""
        return shape.hole_count(self.objects)

    @cached_property
    def gaps(self) -> holes.Gaps:
        """The rows of all holes."""
        return holes.gaps(self.runs, self.members, self.hole_count)

    @cached_property
    def nearest(self) -> Survival:
        """Survival under majority pooling and nearest up-sampling."""
        return nearest(self.runs, self.objects, self.classes)

    @cached_property
    def kept_nearest(self) -> NDArray[np.float64]:
        """(n, 5) share of each object's pixels that keep their class at each stride."""
        kept: NDArray[np.float64] = 1 - self.nearest.object_lost / (PHASES * self.outline.area[:, None])
        return kept

    @cached_property
    def widths(self) -> Widths:
        """Local widths, of the masks ``width_measured``."""
        return widths(self.runs, self.objects, self.classes, self.width_measured, *width_edges())
