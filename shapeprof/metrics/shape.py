"""Per-object shape from runs: area, box, exact convexity, holes, perimeter, Feret diameter."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapeprof.jit import kernel

from .members import Members
from .runs import Ints, Objects, Runs


class Outline(NamedTuple):
    """Columns over n objects."""

    area: Ints  # pixels, holes excluded
    box: Ints  # (n, 4) min_row, min_col, max_row, max_col, half-open; rows counted in the stack of masks
    hull_area: Ints  # lattice points in the hull of the pixel centres
    feret_max: NDArray[np.float64]  # px, largest distance between two corners of its pixels


@kernel
def _gcd(a, b):  # type: ignore[no-untyped-def]
    a, b = abs(a), abs(b)
    while b:
        a, b = b, a % b
    return a


@kernel
def _chain(ys, xs, n, side, hull_y, hull_x):  # type: ignore[no-untyped-def]
    """Convex chain through (ys, xs), rows ascending; side +1 keeps the smallest columns, -1 the largest."""
    m = 0
    for i in range(n):
        y, x = ys[i], xs[i]
        while m >= 2:
            dy, dx = hull_y[m - 1] - hull_y[m - 2], hull_x[m - 1] - hull_x[m - 2]
            turn = dy * (x - hull_x[m - 2]) - dx * (y - hull_y[m - 2])
            if side * turn > 0:
                break
            m -= 1
        hull_y[m], hull_x[m] = y, x
        m += 1
    return m


@kernel
def _outlines(order, first, row_of, start, stop, width):  # type: ignore[no-untyped-def]
    """Per object: area, box, doubled hull area with boundary points counted in, Feret diameter."""
    n = first.size - 1
    height = row_of[-1] + 1
    area, box = np.zeros(n, np.int64), np.zeros((n, 4), np.int64)
    hull, feret = np.zeros(n, np.int64), np.zeros(n)
    ys, lefts, rights = np.empty(height, np.int64), np.empty(height, np.int64), np.empty(height, np.int64)
    ly, lx = np.empty(height, np.int64), np.empty(height, np.int64)
    ry, rx = np.empty(height, np.int64), np.empty(height, np.int64)
    for k in range(n):
        m, total, min_col, max_col = 0, 0, width, 0
        for at in range(first[k], first[k + 1]):
            i = order[at]
            y, a, b = row_of[i], start[i], stop[i]
            total += b - a
            min_col, max_col = min(min_col, a), max(max_col, b)
            if m and ys[m - 1] == y:
                rights[m - 1] = b - 1
            else:
                ys[m], lefts[m], rights[m] = y, a, b - 1
                m += 1
        area[k] = total
        box[k, 0], box[k, 1], box[k, 2], box[k, 3] = ys[0], min_col, ys[m - 1] + 1, max_col
        nl = _chain(ys, lefts, m, 1, ly, lx)
        nr = _chain(ys, rights, m, -1, ry, rx)
        twice = rx[0] - lx[0] + rx[nr - 1] - lx[nl - 1]
        for i in range(1, nl):
            dy, dx = ly[i] - ly[i - 1], lx[i] - lx[i - 1]
            twice += _gcd(dx, dy) - (lx[i] + lx[i - 1]) * dy
        for i in range(1, nr):
            dy, dx = ry[i] - ry[i - 1], rx[i] - rx[i - 1]
            twice += _gcd(dx, dy) + (rx[i] + rx[i - 1]) * dy
        hull[k] = (twice + 2) // 2
        best = 0  # of a left and a right pixel: two of one side are never farther apart
        for i in range(nl):
            for j in range(nr):
                d = (abs(ly[i] - ry[j]) + 1) ** 2 + (abs(lx[i] - rx[j]) + 1) ** 2
                best = max(best, d)
        feret[k] = np.sqrt(best)
    return area, box, hull, feret


def outline(runs: Runs, grouped: Members) -> Outline:
    """Area, box, hull and Feret diameter of every object, from its leftmost and rightmost pixels per row."""
    return Outline(*_outlines(*grouped, runs.start, runs.stop, int(runs.width.max())))


def hole_count(objects: Objects) -> Ints:
    """Holes (4-connected background regions inside): pieces minus the Euler number. 0 or more.

    The Euler number of an 8-connected run-length set is its runs minus its links.
    """
    return objects.pieces - (objects.runs - objects.links)


def crofton_counts(outline: Outline, objects: Objects) -> tuple[Ints, Ints]:
    """Intercept counts of the Crofton formula: axis-parallel and diagonal, as exact integers."""
    area, overlap = outline.area, objects.overlap
    axis = 2 * objects.runs + 2 * area - 2 * overlap[:, 0]
    diagonal = 4 * area - 2 * overlap[:, 1] - 2 * overlap[:, 2]
    return axis, diagonal
