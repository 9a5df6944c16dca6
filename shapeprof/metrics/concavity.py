"""Concavity depth: how deep the deepest concavity of an object is, in pixels.

Definition: the largest distance from a point of the boundary of the convex hull (the hull of the
pixel centres, as in ``shape``) to the nearest pixel centre of the object. A concavity matters to a
network only when it is deeper than the stride of its features.

Points are taken on every hull edge, ends included, in ``ceil(length)`` equal steps, so at most 1 px
apart. The distance changes by at most 1 px per px along the edge, so the deepest point taken is at
most half a step, 0.5 px, shallower than the true one. Depths of at most ``DIGITISATION`` = 1 px read 0: the
steps of a digitised straight edge are that deep. So digitally convex objects (convexity 1) read 0, and
edges of 2 px or less need not be looked at. A hole is no concavity: an annulus reads 0.

Neither all points nor all pixels are visited. Along an edge the distance to one pixel is convex: when it is
at most the deepest distance so far at both ends of an interval, no point between is deeper. The
search for a nearest pixel goes outwards row by row, and ends as soon as the point can't be the deepest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shapeprof.jit import kernel

from .members import Members
from .runs import Ints, Runs
from .shape import _chain

DIGITISATION = 1.0  # px


@kernel
def _depths(order, first, row_of, start, stop, concave, height, least):  # type: ignore[no-untyped-def]
    depth = np.zeros(concave.size)
    ys, lefts, rights = np.empty(height, np.int64), np.empty(height, np.int64), np.empty(height, np.int64)
    ly, lx = np.empty(height, np.int64), np.empty(height, np.int64)
    ry, rx = np.empty(height, np.int64), np.empty(height, np.int64)
    edges = np.empty((2 * height + 2, 4), np.int64)
    square = np.empty(2 * height + 2, np.int64)
    at_row = np.empty(height + 1, np.int64)  # first run of each row of the box, and one past the last
    most = 0
    for k in concave:
        most = max(most, first[k + 1] - first[k])
    low, high = np.empty(most, np.int64), np.empty(most, np.int64)  # first and last columns of the runs
    ends = np.empty((64, 2), np.int64)  # intervals of an edge that wait: their ends, in steps,
    close = np.empty((64, 4), np.int64)  # and for each end a pixel no farther from it than the deepest so far
    for c in range(concave.size):
        k = concave[c]
        base, end = first[k], first[k + 1]
        top = np.int64(row_of[order[base]])
        m, rows = 0, 0
        for at in range(base, end):
            i = order[at]
            y = row_of[i] - top
            low[at - base], high[at - base] = start[i], stop[i] - 1
            if at == base or ys[m - 1] != y:
                while rows <= y:
                    at_row[rows] = at - base
                    rows += 1
                ys[m], lefts[m] = y, start[i]
                m += 1
            rights[m - 1] = stop[i] - 1
        at_row[rows] = end - base
        nl = _chain(ys, lefts, m, 1, ly, lx)
        nr = _chain(ys, rights, m, -1, ry, rx)
        n_edges = 0
        for i in range(nl + nr):
            if i == 0:
                y0, x0, y1, x1 = ly[0], lx[0], ry[0], rx[0]
            elif i < nl:
                y0, x0, y1, x1 = ly[i - 1], lx[i - 1], ly[i], lx[i]
            elif i == nl:
                y0, x0, y1, x1 = ly[nl - 1], lx[nl - 1], ry[nr - 1], rx[nr - 1]
            else:
                y0, x0, y1, x1 = ry[i - nl - 1], rx[i - nl - 1], ry[i - nl], rx[i - nl]
            d2 = (y1 - y0) ** 2 + (x1 - x0) ** 2
            if d2 > 4 * least * least:  # its middle may be deeper than that
                edges[n_edges, 0], edges[n_edges, 1] = y0, x0
                edges[n_edges, 2], edges[n_edges, 3] = y1, x1
                square[n_edges] = d2
                n_edges += 1
        best = least
        for _ in range(n_edges):
            e = np.argmax(square[:n_edges])  # the longest first: what lies behind it is likely the deepest
            length = np.sqrt(square[e])
            if length / 2 <= best:
                break
            square[e] = 0
            n = np.int64(np.ceil(length))
            y0, x0, y1, x1 = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
            ends[0, 0], ends[0, 1] = 0, n
            close[0, 0], close[0, 1], close[0, 2], close[0, 3] = y0, x0, y1, x1
            waiting, toward = 1, 0  # toward: rows from the last point to its nearest pixel
            while waiting:
                waiting -= 1
                t0, t1 = ends[waiting, 0], ends[waiting, 1]
                if t1 - t0 < 2:
                    continue
                ay, ax, by, bx = close[waiting, 0], close[waiting, 1], close[waiting, 2], close[waiting, 3]
                t = (t0 + t1) // 2
                py, px = n * y0 + t * (y1 - y0), n * x0 + t * (x1 - x0)  # in n-ths of a pixel, as distances
                left = np.sqrt((py - n * ay) ** 2 + (px - n * ax) ** 2) / n <= best
                right = np.sqrt((py - n * by) ** 2 + (px - n * bx) ** 2) / n <= best
                if left and right:
                    continue
                if left:
                    ends[waiting, 0] = t
                    waiting += 1
                    continue
                if right:
                    ends[waiting, 1] = t
                    waiting += 1
                    continue
                row, column = py // n, px // n
                near, hit_y, hit_x = np.int64(1) << 62, row, column
                up, down = row, row + 1
                y = min(max(row + toward, 0), rows - 1)  # first the row where the last one was found
                while True:
                    aside = n * y - py
                    a, b = at_row[y], at_row[y + 1]
                    if a < b:
                        while b - a > 1:  # the last run that starts at or before the point, or the first one
                            middle = (a + b) // 2
                            if low[middle] <= column:
                                a = middle
                            else:
                                b = middle
                        x = low[a] if low[a] > column else min(column, high[a])
                        away = abs(px - n * x)
                        if low[a] <= column:
                            other = column + 1 if column < high[a] else low[a + 1] if a + 1 < at_row[y + 1] else x
                            if abs(n * other - px) < away:
                                x, away = other, abs(n * other - px)
                        d2 = aside * aside + away * away
                        if d2 < near:
                            near, hit_y, hit_x = d2, y, x
                            if np.sqrt(near) / n <= best:
                                break
                    gap_up = py - n * up if up >= 0 else -1
                    gap_down = n * down - py if down < rows else -1
                    if gap_up >= 0 and (gap_down < 0 or gap_up <= gap_down):
                        if gap_up * gap_up >= near:
                            break
                        y = up
                        up -= 1
                    elif gap_down >= 0:
                        if gap_down * gap_down >= near:
                            break
                        y = down
                        down += 1
                    else:
                        break
                toward = hit_y - row
                best = max(best, np.sqrt(near) / n)
                ends[waiting, 1] = ends[waiting + 1, 0] = t
                ends[waiting + 1, 1] = t1
                close[waiting, 2] = close[waiting + 1, 0] = hit_y
                close[waiting, 3] = close[waiting + 1, 1] = hit_x
                close[waiting + 1, 2], close[waiting + 1, 3] = by, bx
                waiting += 2
        if best > least:
            depth[c] = best
    return depth


def concavity_depth(runs: Runs, grouped: Members, area: Ints, hull_area: Ints) -> NDArray[np.float64]:
    """Depth of the deepest concavity of each object, px; 0 exactly for digitally convex ones. 0 or more."""
    depth = np.zeros(area.size)
    concave = np.flatnonzero(area < hull_area)
    if concave.size:
        depth[concave] = _depths(
            grouped.order, grouped.first, grouped.row, runs.start, runs.stop, concave, runs.row.size - 1, DIGITISATION
        )  # fmt: skip
    return depth
