"""Masks stacked for measuring, and their objects.

Many masks are measured at once: their rows lie one after another, with an empty row behind each mask, so
that kernels walk over all of them and nothing links one mask with the next. Union-find is written out where
it is used: numba helpers that take arrays cost reference counts in the innermost loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapeprof.jit import grown, kernel
from shapeprof.runmap import IGNORED, RunMap

Ints = NDArray[np.int64]
NO_OBJECT = -1
KEY_BITS = 33  # of a key that hold the instance id; the number of the mask lies above


class Runs(NamedTuple):
    """The runs of m masks. Mask i has the rows ``first_row[i]`` to ``first_row[i + 1] - 2``; the next is empty."""

    row: Ints  # (rows + 1,) index of the first run of each row
    start: NDArray[np.int32]  # (R,) first column
    stop: NDArray[np.int32]  # (R,) one past the last column
    value: NDArray[np.int32]  # (R,) class id, IGNORED for ignored pixels
    key: Ints  # (R,) instance id, with the number of the mask above it; empty without instances
    first_row: Ints  # (m + 1,)
    width: Ints  # (m,) columns of each mask

    @property
    def by_instance(self) -> bool:
        """Whether instance ids tell objects apart."""
        return self.key.size > 0

    @property
    def height(self) -> Ints:
        """(m,) rows of each mask."""
        return np.diff(self.first_row) - 1

    def span(self, i: int) -> slice:
        """The runs of mask i."""
        return slice(int(self.row[self.first_row[i]]), int(self.row[self.first_row[i + 1]]))

    def one(self, i: int) -> Runs:
        """Mask i alone. All arrays but the two row indices are views."""
        top, end, own = self.first_row[i], self.first_row[i + 1], self.span(i)
        return Runs(
            self.row[top : end + 1] - own.start, self.start[own], self.stop[own], self.value[own], self.key[own],
            np.array([0, end - top]), self.width[i : i + 1],
        )  # fmt: skip


class Objects(NamedTuple):
    """Objects in order of their first pixel (mask by mask, row by row), as columns of length n."""

    of_run: NDArray[np.int32]  # (R,) object of each run, NO_OBJECT for background and ignored runs
    of_map: NDArray[np.int32]  # mask that it is in
    first_run: Ints  # its first run
    class_id: NDArray[np.int32]
    instance: Ints  # instance id, 0 in a semantic mask
    runs: Ints  # number of runs
    links: Ints  # number of 8-adjacent pairs of runs in neighbouring rows
    overlap: Ints  # (n, 3) pixel pairs that lie vertically, and on the two diagonals, next to each other
    pieces: Ints  # 8-connected components (more than 1 only in instance masks)
    borders_ignored: NDArray[np.bool_]  # has an ignored pixel among its 8-neighbours
    ignored_edges: Ints  # pixel edges of its outline beyond which lies an ignored pixel


class Classes(NamedTuple):
    """The classes of every mask, as p pairs of mask and class: by mask, then by id, the background last.

    Ignored pixels are no class. Within a mask this order decides ties.
    """

    of_run: NDArray[np.int32]  # (R,) pair of each run, -1 for ignored runs
    of_map: NDArray[np.int32]  # (p,) mask
    class_id: NDArray[np.int32]  # (p,)
    pixels: Ints  # (p,)
    first: Ints  # (m + 1,) first pair of each mask

    def rank(self, runs: Runs, i: int) -> NDArray[np.int32]:
        """Place among the classes of mask i of each of its runs; -1 for ignored ones."""
        ranks: NDArray[np.int32] = np.maximum(self.of_run[runs.span(i)] - self.first[i], -1).astype(np.int32)
        return ranks


def stack(maps: Sequence[RunMap]) -> Runs:
    """Stack one or more run maps, all with instance ids or all without."""
    first_row = np.zeros(len(maps) + 1, np.int64)
    np.cumsum([m.size[0] + 1 for m in maps], out=first_row[1:])
    row = np.empty(first_row[-1] + 1, np.int64)
    total = 0
    for i, m in enumerate(maps):
        row[first_row[i] : first_row[i + 1]] = m.row + total
        total += m.value.size
    row[-1] = total
    start = np.concatenate([m.start for m in maps])
    width = np.array([m.size[1] for m in maps])
    ids = [m.instance + (i << KEY_BITS) for i, m in enumerate(maps) if m.instance is not None]
    key = np.concatenate(ids) if ids else np.zeros(0, np.int64)
    stop = _stops(row, start, first_row, width)
    return Runs(row, start, stop, np.concatenate([m.value for m in maps]), key, first_row, width)


@kernel
def _stops(row, start, first_row, width):  # type: ignore[no-untyped-def]
    stop = np.empty(start.size, np.int32)
    for i in range(start.size - 1):
        stop[i] = start[i + 1]
    for m in range(width.size):
        for y in range(first_row[m], first_row[m + 1] - 1):
            stop[row[y + 1] - 1] = width[m]
    return stop


@kernel
def _connect(row, start, stop, value, key, is_object):  # type: ignore[no-untyped-def]
    """Union of 8-adjacent runs of one object; per run, its links, overlaps, ignored neighbours and edges to them.

    What is said of runs of no object is of no use. Indices of runs are unsigned: numba looks at signed ones for
    being negative.
    """
    n = start.size
    by_instance = key.size > 0
    parent = np.arange(n).astype(np.uint64)
    one = np.uint64(1)
    links = np.zeros(n, np.int32)
    overlap = np.zeros((n, 3), np.int32)
    near_ignored = np.zeros(n, np.bool_)
    edges = np.zeros(n, np.int32)
    for y in range(row.size - 1):
        for i in range(np.uint64(row[y] + 1), np.uint64(row[y + 1])):
            if value[i] == IGNORED:
                near_ignored[i - one] = True
                edges[i - one] += 1
            if value[i - one] == IGNORED:
                near_ignored[i] = True
                edges[i] += 1
        if y + 2 >= row.size:
            break
        first, end = np.uint64(row[y + 1]), np.uint64(row[y + 2])
        if first == end:  # behind a mask
            continue
        for i in range(np.uint64(row[y]), first):
            if not is_object[i] and value[i] != IGNORED:
                continue
            a, b = start[i], stop[i]
            while stop[first] < a:
                first += one
            j = first
            while j < end and start[j] <= b:
                if value[i] == value[j] and is_object[i] and (not by_instance or key[i] == key[j]):
                    c, d = start[j], stop[j]
                    links[i] += 1
                    overlap[i, 0] += max(0, min(b, d) - max(a, c))
                    overlap[i, 1] += max(0, min(b + 1, d) - max(a + 1, c))
                    overlap[i, 2] += max(0, min(b - 1, d) - max(a - 1, c))
                    p, q = i, j
                    while parent[p] != p:
                        parent[p] = parent[parent[p]]
                        p = parent[p]
                    while parent[q] != q:
                        parent[q] = parent[parent[q]]
                        q = parent[q]
                    if p < q:
                        parent[q] = p
                    else:
                        parent[p] = q
                elif value[j] == IGNORED:
                    near_ignored[i] = True
                    edges[i] += max(0, min(b, stop[j]) - max(a, start[j]))
                elif value[i] == IGNORED:
                    near_ignored[j] = True
                    edges[j] += max(0, min(b, stop[j]) - max(a, start[j]))
                j += one
    return parent, links, overlap, near_ignored, edges


@kernel
def _components(parent, is_object):  # type: ignore[no-untyped-def]
    """Component of each run, in order of their first runs, and these; the parent of a run is never after it."""
    component = np.full(parent.size, NO_OBJECT, np.int32)
    first_run = np.empty(parent.size, np.int64)
    n = 0
    for i in range(parent.size):
        if is_object[i]:
            if parent[i] == i:
                component[i] = n
                first_run[n] = i
                n += 1
            else:
                component[i] = component[parent[i]]
    return component, first_run[:n].copy()


@kernel
def _sums(of_run, links, overlap, near_ignored, edges, n):  # type: ignore[no-untyped-def]
    """Columns of runs summed by object: runs, links, overlaps, whether any has an ignored neighbour, edges to them."""
    runs_of, links_of, edges_of = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
    overlap_of, near_of = np.zeros((n, 3), np.int64), np.zeros(n, np.bool_)
    for i in range(of_run.size):
        k = of_run[i]
        if k >= 0:
            runs_of[k] += 1
            links_of[k] += links[i]
            for direction in range(3):
                overlap_of[k, direction] += overlap[i, direction]
            near_of[k] |= near_ignored[i]
            edges_of[k] += edges[i]
    return runs_of, links_of, overlap_of, near_of, edges_of


def find_objects(runs: Runs, background: int | None) -> Objects:
    """Group runs into objects: 8-connected components of a class, or one object per instance id.

    Runs of the background class and ignored runs belong to no object. In an instance mask id 0 is
    no object either.
    """
    is_object = (runs.value != IGNORED) & (runs.value != (IGNORED if background is None else background))
    if runs.by_instance:
        is_object &= (runs.key & ((1 << KEY_BITS) - 1)) != 0
    parent, *per_run = _connect(*runs[:5], is_object)
    of_run, first_run = _components(parent, is_object)
    pieces = np.ones(first_run.size, np.int64)
    instance = np.zeros(first_run.size, np.int64)
    if runs.by_instance:
        keys, of_component = _by_first_appearance(runs.key[first_run])
        instance = keys & ((1 << KEY_BITS) - 1)
        pieces = np.bincount(of_component, minlength=instance.size)
        first_run = first_run[np.unique(of_component, return_index=True)[1]]
        of_run = np.append(of_component, NO_OBJECT).astype(np.int32)[of_run]
    sums = _sums(of_run, *per_run, first_run.size)
    return Objects(
        of_run=of_run,
        of_map=np.searchsorted(runs.row[runs.first_row], first_run, side="right").astype(np.int32) - 1,
        first_run=first_run,
        class_id=runs.value[first_run],
        instance=instance,
        runs=sums[0],
        links=sums[1],
        overlap=sums[2],
        pieces=pieces,
        borders_ignored=sums[3],
        ignored_edges=sums[4],
    )


def _by_first_appearance(keys: Ints) -> tuple[Ints, Ints]:
    """Distinct keys in order of first appearance, and the index of every key among them."""
    values, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    return values[order], rank[inverse]


@kernel
def _classes(row, start, stop, value, first_row, background, most):  # type: ignore[no-untyped-def]
    maps = first_row.size - 1
    of_run = np.empty(value.size, np.int32)
    of_map, class_id = np.empty(64, np.int32), np.empty(64, np.int32)
    pixels, first = np.empty(64, np.int64), np.zeros(maps + 1, np.int64)
    at = np.full(most + 1, -1, np.int32)  # pair of each class id in the mask at hand
    n = 0
    for m in range(maps):
        base = n
        begin, end = row[first_row[m]], row[first_row[m + 1]]
        for i in range(begin, end):
            c = value[i]
            if c == IGNORED or at[c] >= 0:
                continue
            if n == class_id.size:
                of_map, class_id, pixels = grown(of_map, 2 * n), grown(class_id, 2 * n), grown(pixels, 2 * n)
            place = n
            while place > base and (class_id[place - 1] == background or (class_id[place - 1] > c and c != background)):
                class_id[place] = class_id[place - 1]
                place -= 1
            class_id[place] = c
            at[c] = 0
            n += 1
        for k in range(base, n):
            at[class_id[k]] = k
            of_map[k], pixels[k] = m, 0
        for i in range(begin, end):
            c = value[i]
            of_run[i] = -1 if c == IGNORED else at[c]
            if c != IGNORED:
                pixels[at[c]] += stop[i] - start[i]
        for k in range(base, n):
            at[class_id[k]] = -1
        first[m + 1] = n
    return of_run, of_map[:n].copy(), class_id[:n].copy(), pixels[:n].copy(), first


def find_classes(runs: Runs, background: int | None) -> Classes:
    """The classes that each mask holds, the background among them."""
    none = IGNORED - 1
    most = int(runs.value.max(initial=0))
    sums = _classes(
        runs.row, runs.start, runs.stop, runs.value, runs.first_row,
        none if background is None else background, most,
    )  # fmt: skip
    return Classes(*sums)
