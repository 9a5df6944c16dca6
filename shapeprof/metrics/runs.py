"""Run-length form of a label map, and its objects.

Everything but local width is computed from runs: maximal stretches of one row with one value. A
mask has 30 to 100 times fewer runs than pixels, so no later step touches a pixel.
"""

from __future__ import annotations

from typing import Any, NamedTuple

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
    height, width = labels.shape
    capacity = max(1024, 4 * height)
    row = np.empty(height + 1, np.int64)
    start = np.empty(capacity, np.int32)
    value = np.empty(capacity, np.int32)
    key = np.empty(capacity, np.int64)
    n = 0
    for y in range(height):
        row[y] = n
        if n + width > capacity:
            capacity = 2 * (n + width)
            start, value, key = _grown(start, capacity), _grown(value, capacity), _grown(key, capacity)
        line = labels[y]
        x = 0
        while x < width:
            current = line[x]
            start[n] = x
            value[n] = current
            if use_instances:
                ids = instances[y]
                identity = ids[x]
                key[n] = identity
                x += 1
                while x < width and line[x] == current and ids[x] == identity:
                    x += 1
            else:
                key[n] = current
                x += 1
                while x < width and line[x] == current:
                    x += 1
            n += 1
    row[height] = n
    return row, start[:n].copy(), value[:n].copy(), key[:n].copy()


@kernel
def _grown(old, capacity):  # type: ignore[no-untyped-def]
    new = np.empty(capacity, old.dtype)
    new[: old.size] = old
    return new


def encode(label_map: LabelMap) -> Runs:
    """The runs of a label map."""
    labels = label_map.labels
    instances = label_map.instances
    row, start, value, key = _encode(
        labels, labels if instances is None else instances, instances is not None
    )
    stop = np.empty_like(start)
    stop[:-1] = start[1:]
    stop[row[1:] - 1] = labels.shape[1]
    return Runs(row, start, stop, value, key, labels.shape[1], instances is not None)


@kernel
def _root(parent, i):  # type: ignore[no-untyped-def]
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


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
            if value[i] == ignored:
                near_ignored[i - 1] = True
            if value[i - 1] == ignored:
                near_ignored[i] = True
        if y + 2 >= row.size:
            break
        first, end = row[y + 1], row[y + 2]
        for i in range(row[y], row[y + 1]):
            a, b = start[i], stop[i]
            while stop[first] < a:
                first += 1
            j = first
            while j < end and start[j] <= b:
                c, d = start[j], stop[j]
                if is_object[i] and key[i] == key[j] and value[i] == value[j]:
                    links[i] += 1
                    overlap[i, 0] += max(0, min(b, d) - max(a, c))
                    overlap[i, 1] += max(0, min(b + 1, d) - max(a + 1, c))
                    overlap[i, 2] += max(0, min(b - 1, d) - max(a - 1, c))
                    p, q = _root(parent, i), _root(parent, j)
                    if p != q:
                        parent[max(p, q)] = min(p, q)
                elif value[j] == ignored:
                    near_ignored[i] = True
                elif value[i] == ignored:
                    near_ignored[j] = True
                j += 1
    for i in range(n):
        parent[i] = _root(parent, i)
    return parent, links, overlap, near_ignored


def find_objects(runs: Runs, background: int | None, ignored: int) -> Objects:
    """Group runs into objects: 8-connected components of a class, or one object per instance id.

    Runs of the background class and of the ignore index belong to no object. In an instance mask
    id 0 is no object either.
    """
    is_object = (runs.value != ignored) & (runs.value != (-1 if background is None else background))
    if runs.by_instance:
        is_object &= runs.key != 0
    parent, links, overlap, near = _connect(*runs[:5], is_object, ignored)
    roots = parent[is_object]
    component_first, component = np.unique(roots, return_inverse=True)
    if runs.by_instance:
        ids, of = _by_first_appearance(runs.key[is_object])
        pieces = np.bincount(_by_first_appearance(runs.key[component_first])[1], minlength=ids.size)
    else:
        of, pieces = component, np.ones(component_first.size, np.int64)
    n = pieces.size
    of_run = np.full(runs.start.size, NO_OBJECT, np.int32)
    of_run[is_object] = of
    first_run = np.full(n, runs.start.size, np.int64)
    np.minimum.at(first_run, of, np.flatnonzero(is_object))
    sums = [_sum(of, column[is_object], n) for column in (links, *overlap.T)]
    return Objects(
        of_run=of_run,
        class_id=runs.value[first_run],
        instance=runs.key[first_run] if runs.by_instance else np.zeros(n, np.int64),
        runs=np.bincount(of, minlength=n),
        links=sums[0],
        overlap=np.stack(sums[1:], axis=1),
        pieces=pieces,
        borders_ignored=_sum(of, near[is_object], n) > 0,
    )


def _sum(of: Ints, values: NDArray[Any], n: int) -> Ints:
    return np.bincount(of, weights=values, minlength=n).astype(np.int64)


def _by_first_appearance(keys: Ints) -> tuple[Ints, Ints]:
    """Distinct keys in order of first appearance, and the index of every key among them."""
    values, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    return values[order], rank[inverse]
