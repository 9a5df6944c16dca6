"""Survival: how much of the ground truth could a network keep whose finest logits have stride s?

Two protocols, both against the mask itself, both summed over the same two phases of the grid:

- *nearest*: majority class per s x s cell, nearest up-sampling. What FCN (Long et al. 2015,
  appendix A) and Cityscapes (Cordts et al. 2016, table 3) tabulate. For x = s P / A < 1 it
  follows ``IoU = (1 - c x / 2) / (1 + c x / 2)`` with c near 0.235.
- *linear*: class shares per cell, bilinear up-sampling (``align_corners=False``), argmax. What a
  network trained on soft targets can represent. It falls with local width over stride.

Conventions of both: the image is padded by edge replication to a multiple of s, evenly (the odd
pixel behind); phases are 0 and s/2 px on both axes; ignored pixels count neither in pooling nor
in scoring; ties go to the smaller class id, background last.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .columns import STRIDES
from .kernel import kernel
from .runs import Ints, Objects, Runs

PHASES = 2


class Survival(NamedTuple):
    """Counts summed over the phases; k classes (in the order of ``ranked``), n objects, 5 strides."""

    lost: Ints  # (k, 5) pixels of the class that come back as another class
    gained: Ints  # (k, 5) pixels of other classes that come back as this one
    object_lost: Ints  # (n, 5) pixels of the object that come back as another class


def ranked(runs: Runs, background: int | None, ignored: int) -> NDArray[np.int32]:
    """Class ids present, ascending, background last: the order in which ties are decided."""
    ids = np.unique(runs.value)
    ids = ids[ids != ignored]
    if background is not None and background in ids:
        ids = np.concatenate((ids[ids != background], [background]))
    return ids.astype(np.int32)


@kernel
def _differences(row, start, stop, rank):  # type: ignore[no-untyped-def]
    """Column intervals in which rows y and y+1 differ, as (y, first column, one past the last)."""
    capacity = 2 * start.size + 16
    out = np.empty((capacity, 3), np.int32)
    n = 0
    for y in range(row.size - 2):
        i, j = row[y], row[y + 1]
        end_i, end_j = row[y + 1], row[y + 2]
        while i < end_i and j < end_j:
            a, b = max(start[i], start[j]), min(stop[i], stop[j])
            if rank[i] != rank[j]:
                out[n, 0], out[n, 1], out[n, 2] = y, a, b
                n += 1
            if stop[i] == b:
                i += 1
            if stop[j] == b:
                j += 1
    return out[:n].copy()


@kernel
def _mark(row, start, rank, differences, s, top, left, mixed):  # type: ignore[no-untyped-def]
    """Set ``mixed`` (cells) where a cell of the grid shifted by (top, left) holds more than one value."""
    mixed[:] = 0
    for y in range(row.size - 1):
        cy = (y + top) // s
        for i in range(row[y] + 1, row[y + 1]):
            at = start[i] + left
            if at % s and rank[i] != rank[i - 1]:
                mixed[cy, at // s] = 1
    for d in range(differences.shape[0]):
        y = differences[d, 0]
        cy = (y + top) // s
        if (y + 1 + top) // s == cy:
            for cx in range((differences[d, 1] + left) // s, (differences[d, 2] - 1 + left) // s + 1):
                mixed[cy, cx] = 1


@kernel
def _pool_cell(row, start, stop, rank, at, y0, x0, s, counts):  # type: ignore[no-untyped-def]
    """Pixels per class in one cell, edge pixels repeated into the padding; ``at``: run cursors per row."""
    height, width = row.size - 1, stop[-1]
    counts[:] = 0
    first, last = max(0, y0), min(height, y0 + s)
    for y in range(first, last):
        weight = 1
        if y == 0:
            weight += max(0, -y0)
        if y == height - 1:
            weight += max(0, y0 + s - height)
        i = at[y - first]
        while stop[i] <= x0 and i + 1 < row[y + 1]:
            i += 1
        at[y - first] = i
        while True:
            a, b = max(start[i], x0), min(stop[i], x0 + s)
            n = b - a
            if a == 0:
                n += max(0, -x0)
            if b == width:
                n += max(0, x0 + s - width)
            if rank[i] >= 0:
                counts[rank[i]] += weight * n
            i += 1
            if i == row[y + 1] or start[i] >= x0 + s:
                break


@kernel
def _nearest(row, start, stop, rank, of_run, differences, n_classes, n_objects, strides):  # type: ignore[no-untyped-def]
    height, width = row.size - 1, stop[-1]
    lost = np.zeros((n_classes, strides.size), np.int64)
    gained = np.zeros((n_classes, strides.size), np.int64)
    object_lost = np.zeros((n_objects, strides.size), np.int64)
    counts = np.zeros(n_classes, np.int64)
    for k in range(strides.size):
        s = strides[k]
        cursor = np.zeros(s, np.int64)
        for phase in (0, s // 2):
            top, left = (-height % s) // 2 + phase, (-width % s) // 2 + phase
            mixed = np.empty(((height + top - 1) // s + 1, (width + left - 1) // s + 1), np.uint8)
            _mark(row, start, rank, differences, s, top, left, mixed)
            for cy in range(mixed.shape[0]):
                y0 = cy * s - top
                first, last = max(0, y0), min(height, y0 + s)
                for y in range(first, last):
                    cursor[y - first] = row[y]
                for cx in range(mixed.shape[1]):
                    if not mixed[cy, cx]:
                        continue
                    x0 = cx * s - left
                    _pool_cell(row, start, stop, rank, cursor, y0, x0, s, counts)
                    winner, most = -1, 0
                    for c in range(n_classes):
                        if counts[c] > most:
                            winner, most = c, counts[c]
                    if winner < 0:
                        continue
                    for y in range(first, last):
                        i = cursor[y - first]
                        while i < row[y + 1] and start[i] < x0 + s:
                            c = rank[i]
                            if c >= 0 and c != winner:
                                n = min(stop[i], x0 + s) - max(start[i], x0)
                                lost[c, k] += n
                                gained[winner, k] += n
                                if of_run[i] >= 0:
                                    object_lost[of_run[i], k] += n
                            i += 1
    return lost, gained, object_lost


def nearest(runs: Runs, objects: Objects, classes: NDArray[np.int32]) -> Survival:
    """Survival under majority pooling and nearest up-sampling; visits only cells that hold a boundary."""
    rank = _rank(runs.value, classes)
    differences = _differences(runs.row, runs.start, runs.stop, rank)
    sums = _nearest(
        runs.row, runs.start, runs.stop, rank, objects.of_run, differences,
        classes.size, objects.class_id.size, np.array(STRIDES),
    )  # fmt: skip
    return Survival(*sums)


@kernel
def _pooled_shares(row, start, stop, rank, mixed, s, top, left, n_classes):  # type: ignore[no-untyped-def]
    """Class shares of mixed cells: (cells, 1 + k), share per class; index 0 of each row is unused.

    Returns the table and, per cell, its row in the table, or -1 - c for a cell that is all class c
    (c = n_classes: all ignored).
    """
    height, width = row.size - 1, stop[-1]
    where = np.empty(mixed.shape, np.int32)
    total = 0
    for cy in range(mixed.shape[0]):
        for cx in range(mixed.shape[1]):
            total += mixed[cy, cx]
    shares = np.zeros((total, n_classes))
    counts = np.zeros(n_classes, np.int64)
    cursor = np.zeros(s, np.int64)
    n = 0
    for cy in range(mixed.shape[0]):
        y0 = cy * s - top
        first, last = max(0, y0), min(height, y0 + s)
        for y in range(first, last):
            cursor[y - first] = row[y]
        uniform = row[first]
        for cx in range(mixed.shape[1]):
            x0 = cx * s - left
            if not mixed[cy, cx]:
                inside = min(max(x0, 0), width - 1)
                while stop[uniform] <= inside:
                    uniform += 1
                c = rank[uniform]
                where[cy, cx] = -1 - (c if c >= 0 else n_classes)
                continue
            _pool_cell(row, start, stop, rank, cursor, y0, x0, s, counts)
            valid = counts.sum()
            for c in range(n_classes):
                shares[n, c] = counts[c] / valid if valid else 0.0
            where[cy, cx] = n
            n += 1
    return where, shares


@kernel
def _linear(  # type: ignore[no-untyped-def]
    row, start, stop, rank, of_run, differences, n_classes, n_objects, strides
):
    height, width = row.size - 1, stop[-1]
    lost = np.zeros((n_classes, strides.size), np.int64)
    gained = np.zeros((n_classes, strides.size), np.int64)
    object_lost = np.zeros((n_objects, strides.size), np.int64)
    near = np.zeros(n_classes, np.bool_)
    above, below = np.zeros(n_classes), np.zeros(n_classes)
    cell = np.empty(4, np.int32)
    for k in range(strides.size):
        s = strides[k]
        cursor = np.zeros(s, np.int64)
        for phase in (0, s // 2):
            top, left = (-height % s) // 2 + phase, (-width % s) // 2 + phase
            mixed = np.empty(((height + top - 1) // s + 1, (width + left - 1) // s + 1), np.uint8)
            _mark(row, start, rank, differences, s, top, left, mixed)
            where, shares = _pooled_shares(row, start, stop, rank, mixed, s, top, left, n_classes)
            rows, cols = where.shape
            for qy in range(-1, rows):  # the block of pixels between the centres of cells qy and qy + 1
                y0 = qy * s + s // 2 - top
                first, last = max(0, y0), min(height, y0 + s)
                if first >= last:
                    continue
                for y in range(first, last):
                    cursor[y - first] = row[y]
                for qx in range(-1, cols):
                    x0 = qx * s + s // 2 - left
                    if min(width, x0 + s) <= max(0, x0):
                        continue
                    cell[0] = where[max(qy, 0), max(qx, 0)]
                    cell[1] = where[max(qy, 0), min(qx + 1, cols - 1)]
                    cell[2] = where[min(qy + 1, rows - 1), max(qx, 0)]
                    cell[3] = where[min(qy + 1, rows - 1), min(qx + 1, cols - 1)]
                    if cell[0] < 0 and cell[0] == cell[1] and cell[0] == cell[2] and cell[0] == cell[3]:
                        continue
                    near[:] = False
                    for corner in range(4):
                        if cell[corner] >= 0:
                            for c in range(n_classes):
                                near[c] |= shares[cell[corner], c] > 0
                        elif cell[corner] >= -n_classes:
                            near[-1 - cell[corner]] = True
                    for y in range(first, last):
                        i = cursor[y - first]
                        while stop[i] <= max(0, x0):
                            i += 1
                        cursor[y - first] = i
                        fy = (y - y0 + 0.5) / s
                        for c in range(n_classes):
                            if near[c]:
                                p0 = _share(cell[0], c, shares)
                                p1 = _share(cell[1], c, shares)
                                p2 = _share(cell[2], c, shares)
                                p3 = _share(cell[3], c, shares)
                                above[c] = p0 * (1 - fy) + p2 * fy
                                below[c] = p1 * (1 - fy) + p3 * fy - above[c]
                        for x in range(max(0, x0), min(width, x0 + s)):
                            while stop[i] <= x:
                                i += 1
                            truth = rank[i]
                            if truth < 0:
                                continue
                            fx = (x - x0 + 0.5) / s
                            winner, most = -1, 0.0
                            for c in range(n_classes):
                                if near[c]:
                                    value = above[c] + below[c] * fx
                                    if value > most:
                                        winner, most = c, value
                            if winner != truth and winner >= 0:
                                lost[truth, k] += 1
                                gained[winner, k] += 1
                                if of_run[i] >= 0:
                                    object_lost[of_run[i], k] += 1
    return lost, gained, object_lost


@kernel
def _share(cell, c, shares):  # type: ignore[no-untyped-def]
    if cell >= 0:
        return shares[cell, c]
    return 1.0 if cell == -1 - c else 0.0


def linear(runs: Runs, objects: Objects, classes: NDArray[np.int32]) -> Survival:
    """Survival under area pooling, bilinear up-sampling and argmax; visits only blocks near a boundary."""
    rank = _rank(runs.value, classes)
    differences = _differences(runs.row, runs.start, runs.stop, rank)
    sums = _linear(
        runs.row, runs.start, runs.stop, rank, objects.of_run, differences,
        classes.size, objects.class_id.size, np.array(STRIDES),
    )  # fmt: skip
    return Survival(*sums)


def _rank(values: NDArray[np.int32], classes: NDArray[np.int32]) -> NDArray[np.int32]:
    """Position of every value in ``classes``; -1 for ignored values."""
    order = np.argsort(classes)
    if classes.size == 0:
        return np.full(values.size, -1, np.int32)
    at = np.minimum(np.searchsorted(classes, values, sorter=order), classes.size - 1)
    found = classes[order[at]] == values
    return np.where(found, order[at], -1).astype(np.int32)
