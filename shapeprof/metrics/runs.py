"""Run-length form of a label map, and its objects.

Everything but local width is computed from runs: maximal stretches of one row with one value. A
mask has far fewer runs than pixels, so no later step touches a pixel. Union-find is written out where it is
used: numba helpers that take arrays cost reference counts in the innermost loop.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapeprof.labelmap import LabelMap

from .kernel import kernel

Ints = NDArray[np.int64]
NO_OBJECT = -1


class Runs(NamedTuple):
    """Runs of an (H, W) map, row by row, left to right; every row is covered without a gap."""

    row: Ints  # (H + 1,) index of the first run of each row
    start: NDArray[np.int32]  # (R,) first column
    stop: NDArray[np.int32]  # (R,) one past the last column
    value: NDArray[np.int32]  # (R,) class id
    key: Ints  # (R,) what makes an object: the class id, or the instance id
    width: int  # W
    by_instance: bool  # whether the keys are instance ids


class Objects(NamedTuple):
    """Objects in order of their first pixel (row by row), as columns of length n."""

    of_run: NDArray[np.int32]  # (R,) object of each run, NO_OBJECT for background and ignored runs
    class_id: NDArray[np.int32]
    instance: Ints  # instance id, 0 in a semantic mask
    runs: Ints  # number of runs
    links: Ints  # number of 8-adjacent pairs of runs in neighbouring rows
    overlap: Ints  # (n, 3) pixel pairs that lie vertically, and on the two diagonals, next to each other
    pieces: Ints  # 8-connected components (more than 1 only in instance masks)
    borders_ignored: NDArray[np.bool_]  # has an ignored pixel among its 8-neighbours


@kernel
def _encode(labels, instances, use_instances):  # type: ignore[no-untyped-def]
    """Runs of every row. Eight pixels at a time are passed over when none differs from its left neighbour."""
    height, width = labels.shape
    words = (width + 7) // 8
    changes = np.zeros(8 * words, np.uint8)
    eight_changes = changes.view(np.uint64)
    capacity = max(1024, 4 * height)
    row = np.empty(height + 1, np.int64)
    start, value = np.empty(capacity, np.int32), np.empty(capacity, np.int32)
    key = np.empty(capacity, np.int64)
    n = 0
    for y in range(height):
        row[y] = n
        if n + width > capacity:
            capacity = 2 * (n + width)
            start, value, key = _grown(start, capacity), _grown(value, capacity), _grown(key, capacity)
        line, ids = labels[y], instances[y]
        if use_instances:
            for x in range(1, width):
                changes[x] = (line[x] != line[x - 1]) | (ids[x] != ids[x - 1])
        else:
            for x in range(1, width):
                changes[x] = line[x] != line[x - 1]
        changes[0] = 1
        for word in range(words):
            if eight_changes[word]:
                for x in range(8 * word, 8 * word + 8):
                    if changes[x]:
                        start[n], value[n] = x, line[x]
                        key[n] = ids[x] if use_instances else line[x]
                        n += 1
    row[height] = n
    stop = np.empty(n, np.int32)
    stop[:-1] = start[1:n]
    stop[row[1:] - 1] = width
    return row, start[:n].copy(), stop, value[:n].copy(), key[:n].copy()


@kernel
def _grown(old, capacity):  # type: ignore[no-untyped-def]
    new = np.empty(capacity, old.dtype)
    new[: old.size] = old
    return new


def encode(label_map: LabelMap) -> Runs:
    """The runs of a label map."""
    labels, instances = label_map.labels, label_map.instances
    use_instances = instances is not None
    row, start, stop, value, key = _encode(labels, instances if use_instances else labels, use_instances)
    return Runs(row, start, stop, value, key, labels.shape[1], use_instances)


@kernel
def _connect(row, start, stop, value, key, is_object, ignored):  # type: ignore[no-untyped-def]
    """Union of 8-adjacent runs with one key; per run, its links, overlaps and ignored neighbours."""
    n = start.size
    parent = np.arange(n)
    links = np.zeros(n, np.int64)
    overlap = np.zeros((n, 3), np.int64)
    near_ignored = np.zeros(n, np.bool_)
    for y in range(row.size - 1):
        for i in range(row[y] + 1, row[y + 1]):
            near_ignored[i - 1] |= value[i] == ignored
            near_ignored[i] |= value[i - 1] == ignored
        if y + 2 >= row.size:
            break
        first, end = row[y + 1], row[y + 2]
        for i in range(row[y], row[y + 1]):
            a, b = start[i], stop[i]
            while stop[first] < a:
                first += 1
            j = first
            while j < end and start[j] <= b:
                if is_object[i] and key[i] == key[j] and value[i] == value[j]:
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
                    parent[max(p, q)] = min(p, q)
                elif value[j] == ignored:
                    near_ignored[i] = True
                elif value[i] == ignored:
                    near_ignored[j] = True
                j += 1
    return parent, links, overlap, near_ignored


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
def _sums(of_run, links, overlap, near_ignored, n):  # type: ignore[no-untyped-def]
    """Columns of runs summed by object: runs, links, overlaps, whether any run has an ignored neighbour."""
    runs_of, links_of = np.zeros(n, np.int64), np.zeros(n, np.int64)
    overlap_of, near_of = np.zeros((n, 3), np.int64), np.zeros(n, np.bool_)
    for i in range(of_run.size):
        k = of_run[i]
        if k >= 0:
            runs_of[k] += 1
            links_of[k] += links[i]
            for direction in range(3):
                overlap_of[k, direction] += overlap[i, direction]
            near_of[k] |= near_ignored[i]
    return runs_of, links_of, overlap_of, near_of


def find_objects(runs: Runs, background: int | None, ignored: int) -> Objects:
    """Group runs into objects: 8-connected components of a class, or one object per instance id.

    Runs of the background class and of the ignore index belong to no object. In an instance mask
    id 0 is no object either.
    """
    is_object = (runs.value != ignored) & (runs.value != (-1 if background is None else background))
    if runs.by_instance:
        is_object &= runs.key != 0
    parent, links, overlap, near_ignored = _connect(*runs[:5], is_object, ignored)
    of_run, first_run = _components(parent, is_object)
    pieces = np.ones(first_run.size, np.int64)
    instance = np.zeros(first_run.size, np.int64)
    if runs.by_instance:
        instance, of_component = _by_first_appearance(runs.key[first_run])
        pieces = np.bincount(of_component, minlength=instance.size)
        first_run = first_run[np.unique(of_component, return_index=True)[1]]
        of_run = np.append(of_component, NO_OBJECT).astype(np.int32)[of_run]
    sums = _sums(of_run, links, overlap, near_ignored, first_run.size)
    return Objects(
        of_run=of_run,
        class_id=runs.value[first_run],
        instance=instance,
        runs=sums[0],
        links=sums[1],
        overlap=sums[2],
        pieces=pieces,
        borders_ignored=sums[3],
    )


def _by_first_appearance(keys: Ints) -> tuple[Ints, Ints]:
    """Distinct keys in order of first appearance, and the index of every key among them."""
    values, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    return values[order], rank[inverse]
