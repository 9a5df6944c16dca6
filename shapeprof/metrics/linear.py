"""Linear survival: class shares per cell, bilinear up-sampling, argmax (see ``survival.py``)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shapeprof.jit import grown, kernel

from .runs import Classes, Objects, Runs
from .strides import STRIDES
from .survival import Survival


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
def _mark(row, start, rank, differences, shift, top, left, mixed):  # type: ignore[no-untyped-def]
    """Set ``mixed`` (cells) where a cell of the grid shifted by (top, left) holds more than one value."""
    mixed[:] = 0
    inside = (1 << shift) - 1
    for y in range(row.size - 1):
        cy = (y + top) >> shift
        for i in range(row[y] + 1, row[y + 1]):
            at = start[i] + left
            if at & inside and rank[i] != rank[i - 1]:
                mixed[cy, at >> shift] = 1
    for d in range(differences.shape[0]):
        y = differences[d, 0]
        cy = (y + top) >> shift
        if (y + 1 + top) >> shift == cy:
            from_cell, to_cell = (differences[d, 1] + left) >> shift, (differences[d, 2] - 1 + left) >> shift
            for cx in range(from_cell, to_cell + 1):
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
def _pooled_shares(row, start, stop, rank, mixed, s, top, left, n_classes):  # type: ignore[no-untyped-def]
    """Class shares of mixed cells, as lists: class and share at ``first[n] : first[n + 1]`` for the n-th.

    Returns the lists and, per cell, its n, or -1 - c for a cell that is all class c (c = n_classes:
    all ignored).
    """
    height, width = row.size - 1, stop[-1]
    where = np.empty(mixed.shape, np.int32)
    capacity = np.int64(64)
    total = np.int64(0)
    for cell in mixed.ravel():
        total += cell
    first = np.zeros(total + 1, np.int64)
    classes, shares = np.empty(capacity, np.int64), np.empty(capacity)
    counts = np.zeros(n_classes, np.int64)
    cursor = np.zeros(s, np.int64)
    n, size = 0, 0
    for cy in range(mixed.shape[0]):
        y0 = cy * s - top
        top_row = max(0, y0)
        for y in range(top_row, min(height, y0 + s)):
            cursor[y - top_row] = row[y]
        uniform = row[top_row]
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
            if size + n_classes > capacity:
                capacity = 2 * (size + n_classes)
                classes, shares = grown(classes, capacity), grown(shares, capacity)
            for c in range(n_classes):
                if counts[c]:
                    classes[size], shares[size] = c, counts[c] / valid
                    size += 1
            where[cy, cx] = n
            n += 1
            first[n] = size
    return where, first, classes, shares


@kernel
def _linear(  # type: ignore[no-untyped-def]
    row, start, stop, rank, of_run, differences, n_classes, strides, object_lost
):
    """Block by block between the centres of four cells, within which every class is bilinear.

    Along a piece of a run, every class is monotone, so that the piece is kept whole when at both ends its
    class exceeds all others; only other pieces are looked at pixel by pixel. (Rounding keeps the
    order, so this is exact.) What objects lose is added to ``object_lost``. One long function on purpose: helpers that
    take arrays cost more here than what they do.
    """
    height, width = row.size - 1, stop[-1]
    lost = np.zeros((n_classes, strides.size), np.int64)
    gained = np.zeros((n_classes, strides.size), np.int64)
    near = np.empty(n_classes + 1, np.int64)  # classes of the block, ascending
    corner_share = np.empty((n_classes + 1, 4))
    level, slope = np.empty(n_classes + 1), np.empty(n_classes + 1)  # of each in a row of the block
    cell = np.empty(4, np.int64)
    for k in range(strides.size):
        s = strides[k]
        cursor = np.zeros(s, np.int64)
        fraction = (np.arange(s) + 0.5) / s
        for phase in (0, s // 2):
            top, left = (-height % s) // 2 + phase, (-width % s) // 2 + phase
            mixed = np.empty(((height + top - 1) // s + 1, (width + left - 1) // s + 1), np.uint8)
            _mark(row, start, rank, differences, k + 1, top, left, mixed)
            where, share_first, share_class, shares = _pooled_shares(
                row, start, stop, rank, mixed, s, top, left, n_classes
            )
            rows, cols = where.shape
            for qy in range(-1, rows):  # the block of pixels between the centres of cells qy and qy + 1
                y0 = qy * s + s // 2 - top
                first, last = max(0, y0), min(height, y0 + s)
                if first >= last:
                    continue
                for y in range(first, last):
                    cursor[y - first] = row[y]
                upper, lower = where[max(qy, 0)], where[min(qy + 1, rows - 1)]
                for qx in range(-1, cols):
                    before, behind = max(qx, 0), min(qx + 1, cols - 1)
                    cell[0], cell[1] = upper[before], upper[behind]
                    cell[2], cell[3] = lower[before], lower[behind]
                    if cell[0] < 0 and cell[0] == cell[1] and cell[0] == cell[2] and cell[0] == cell[3]:
                        continue
                    x0 = qx * s + s // 2 - left
                    left_end, right_end = max(0, x0), min(width, x0 + s)
                    if right_end <= left_end:
                        continue
                    m = 0
                    for corner in range(4):
                        if cell[corner] < -n_classes:
                            continue
                        entry, entries = np.int64(0), np.int64(1)  # a cell of one class is one entry
                        if cell[corner] >= 0:
                            entry, entries = share_first[cell[corner]], share_first[cell[corner] + 1]
                        for e in range(entry, entries):
                            c, share = -1 - cell[corner], 1.0
                            if cell[corner] >= 0:
                                c, share = share_class[e], shares[e]
                            at = m
                            while at > 0 and near[at - 1] >= c:
                                at -= 1
                            if at == m or near[at] != c:
                                for j in range(m, at, -1):
                                    near[j] = near[j - 1]
                                    for other in range(4):
                                        corner_share[j, other] = corner_share[j - 1, other]
                                near[at] = c
                                for other in range(4):
                                    corner_share[at, other] = 0.0
                                m += 1
                            corner_share[at, corner] = share
                    if m == 1:
                        continue
                    for y in range(first, last):
                        i = cursor[y - first]
                        while stop[i] <= left_end:
                            i += 1
                        fy = (y - y0 + 0.5) / s
                        for j in range(m):
                            level[j] = corner_share[j, 0] * (1 - fy) + corner_share[j, 2] * fy
                            slope[j] = corner_share[j, 1] * (1 - fy) + corner_share[j, 3] * fy - level[j]
                        x = left_end
                        while x < right_end:
                            end = min(stop[i], right_end)
                            truth = rank[i]
                            if truth >= 0:
                                f0, f1 = fraction[x - x0], fraction[end - 1 - x0]
                                least, most = 0.0, 0.0
                                for j in range(m):
                                    v0, v1 = level[j] + slope[j] * f0, level[j] + slope[j] * f1
                                    if near[j] == truth:
                                        least = min(v0, v1)
                                    else:
                                        most = max(most, v0, v1)
                                if least <= most:
                                    gone = 0
                                    for at in range(x - x0, end - x0):
                                        winner, best = -1, 0.0
                                        for j in range(m):
                                            value = level[j] + slope[j] * fraction[at]
                                            if value > best:
                                                winner, best = near[j], value
                                        if winner != truth and winner >= 0:
                                            gone += 1
                                            gained[winner, k] += 1
                                    lost[truth, k] += gone
                                    if of_run[i] >= 0:
                                        object_lost[of_run[i], k] += gone
                            x = end
                            i += 1
                        cursor[y - first] = i - 1
    return lost, gained


def linear(runs: Runs, objects: Objects, classes: Classes, wanted: NDArray[np.bool_] | None = None) -> Survival:
    """Survival under area pooling, bilinear up-sampling and argmax, on the wanted masks (None: all); 0 on others."""
    strides = np.array(STRIDES)
    lost = np.zeros((classes.class_id.size, strides.size), np.int64)
    gained = np.zeros_like(lost)
    object_lost = np.zeros((objects.class_id.size, strides.size), np.int64)
    for m in range(runs.width.size) if wanted is None else np.flatnonzero(wanted).tolist():
        one, rank = runs.one(m), classes.rank(runs, m)
        row, pairs = one.row[:-1], slice(classes.first[m], classes.first[m + 1])
        differences = _differences(row, one.start, one.stop, rank)
        lost[pairs], gained[pairs] = _linear(
            row, one.start, one.stop, rank, objects.of_run[runs.span(m)], differences,
            pairs.stop - pairs.start, strides, object_lost,
        )  # fmt: skip
    return Survival(lost, gained, object_lost)
