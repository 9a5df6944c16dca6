"""Crowding: objects that touch others of their class, and components that are probably several objects.

Touching is exact, in instance masks: an object with an 8-neighbour that is a pixel of another
object of its class.

In a semantic mask touching objects have grown into one component, whose low convexity says crowding
and not complexity. A component is *suspected* to be merged when its distance map cuts it into convex
parts. Definition, for components of at least ``LEAST_AREA`` px with a convexity under ``CONVEX``:

1. Peaks: two maxima of the distance D to the nearest pixel outside belong to different parts when
   on every way between them D falls to ``NECK`` of the lower maximum or less, and both are at least
   ``LEAST_PEAK`` px. So a component is cut at necks only: the arms of a cross, an L, a tree or a star
   have no neck. D is capped (``width.RADIUS_CAP``), so necks wider than 2 * 0.75 * 32 = 48 px are not seen.
2. Watershed: every pixel, from the largest D down, joins the part of its highest neighbour.
3. Parts smaller than ``LEAST_PART`` of the largest part join the neighbour over the widest neck.
4. Suspected when at least two parts remain, and their mean convexity (weighted by area) is at least
   ``GAIN`` above the component's and at least ``PARTS_CONVEX``.

In semantic masks of more than ``MOST_PIXELS`` no component is judged: that takes up to 24 bytes for each pixel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shapeprof.jit import kernel

from .members import Members
from .runs import Objects, Runs
from .shape import Outline, _chain, _gcd
from .width import RADIUS_CAP, squared_distance

LEAST_AREA = 200  # px
CONVEX = 0.95
NECK = 0.75
LEAST_PEAK = 3  # px
LEAST_PART = 0.1
GAIN = 0.05
PARTS_CONVEX = 0.9
MOST_PIXELS = 1 << 24


@kernel
def _touching(row, start, stop, of_run, class_id):  # type: ignore[no-untyped-def]
    found = np.zeros(class_id.size, np.bool_)
    for y in range(row.size - 1):
        for i in range(row[y] + 1, row[y + 1]):
            p, q = of_run[i - 1], of_run[i]
            if p >= 0 and q >= 0 and p != q and class_id[p] == class_id[q]:
                found[p] = found[q] = True
        if y + 2 >= row.size:
            break
        first, end = row[y + 1], row[y + 2]
        if first == end:  # behind a mask
            continue
        for i in range(row[y], row[y + 1]):
            p = of_run[i]
            while stop[first] < start[i]:
                first += 1
            if p < 0:
                continue
            j = first
            while j < end and start[j] <= stop[i]:
                q = of_run[j]
                if q >= 0 and p != q and class_id[p] == class_id[q]:
                    found[p] = found[q] = True
                j += 1
    return found


def touching(runs: Runs, objects: Objects) -> NDArray[np.bool_]:
    """Whether each object touches another of its class. Always False in a semantic mask."""
    if not runs.by_instance:
        return np.zeros(objects.class_id.size, np.bool_)
    found: NDArray[np.bool_] = _touching(runs.row, runs.start, runs.stop, objects.of_run, objects.class_id)
    return found


@kernel
def _flood(level, pixels, parent, peak, wide, neck2, least_peak2):  # type: ignore[no-untyped-def]
    """Steps 1 and 2: the root pixel of all ``pixels`` in ``parent``, which holds -1 before.

    ``level`` is the squared distance in a box ``wide`` columns wide, with a rim that is no object.
    """
    offsets = np.array([-wide - 1, -wide, -wide + 1, -1, 1, wide - 1, wide, wide + 1])
    near = np.empty(8, np.int32)
    for p in pixels:
        here = level[p]
        count, target, steepest = 0, -1, -1
        for way in range(8):
            q = p + offsets[way]
            there = level[q]
            if parent[q] < 0:
                continue
            root = parent[q]
            while parent[root] != root:
                parent[root] = parent[parent[root]]
                root = parent[root]
            parent[q] = root
            if there > steepest or (there == steepest and peak[root] > peak[target]):
                target, steepest = root, there
            if count == 0 or near[count - 1] != root:
                near[count] = root
                count += 1
        if count == 0:
            parent[p], peak[p] = p, here
            continue
        parent[p] = target
        if count == 1:
            continue
        for i in range(count):
            q, r = near[i], target
            while parent[q] != q:
                q = parent[q]
            while parent[r] != r:
                r = parent[r]
            lower = min(peak[q], peak[r])
            if q != r and (here > neck2 * lower or lower < least_peak2):
                if peak[q] > peak[r] or (peak[q] == peak[r] and q < r):
                    parent[r] = q
                else:
                    parent[q] = r
    for p in pixels:
        root = p
        while parent[root] != root:
            root = parent[root]
        parent[p] = root


@kernel
def _absorb(level, pixels, part, area, wide, least_part):  # type: ignore[no-untyped-def]
    """Step 3: the part that every part goes to; ``part`` holds the part of each pixel of the box, or -1."""
    offsets = np.array([1, wide - 1, wide, wide + 1])
    count = 0
    for p in pixels:
        for way in range(4):
            b = part[p + offsets[way]]
            count += b >= 0 and b != part[p]
    ends, neck = np.empty((count, 2), np.int32), np.empty(count, np.int64)
    count = 0
    for p in pixels:
        for way in range(4):
            q = p + offsets[way]
            if part[q] >= 0 and part[q] != part[p]:
                ends[count, 0], ends[count, 1] = part[p], part[q]
                neck[count] = min(level[p], level[q])
                count += 1
    into, size = np.arange(area.size), area.copy()
    least = least_part * area.max()
    for e in np.argsort(-neck, kind="mergesort"):
        a, b = ends[e, 0], ends[e, 1]
        while into[a] != a:
            a = into[a]
        while into[b] != b:
            b = into[b]
        if a != b and (size[a] < least or size[b] < least):
            into[b] = a
            size[a] += size[b]
    for a in range(area.size):
        b = a
        while into[b] != b:
            b = into[b]
        into[a] = b
    return into


@kernel
def _hull_area(ys, lefts, rights, m, hull_y, hull_x):  # type: ignore[no-untyped-def]
    """Lattice points in the hull of m rows, as in ``shape``."""
    twice = rights[0] - lefts[0] + rights[m - 1] - lefts[m - 1]
    for side in (1, -1):
        n = _chain(ys, lefts if side == 1 else rights, m, side, hull_y, hull_x)
        for i in range(1, n):
            dy, dx = hull_y[i] - hull_y[i - 1], hull_x[i] - hull_x[i - 1]
            twice += _gcd(dx, dy) - side * (hull_x[i] + hull_x[i - 1]) * dy
    return (twice + 2) // 2


@kernel
def _split(  # type: ignore[no-untyped-def]
    own, row_of, start, stop, squared, first_row, top, left, tall, wide, cap2, neck2, least_peak2, least_part
):
    """Number of parts of one component, and their mean convexity weighted by area (NaN for one part).

    ``own``: its runs; ``squared``: the squared distance in the mask whose rows begin at ``first_row``; (top, left),
    tall and wide: its box.
    """
    tall, wide = tall + 2, wide + 2  # with a rim
    level, peak = np.empty(tall * wide, np.int32), np.empty(tall * wide, np.int32)
    parent, number = np.full(tall * wide, -1, np.int32), np.full(tall * wide, -1, np.int32)
    at_level = np.zeros(cap2 + 2, np.int64)
    for i in own:
        y = row_of[i] - top
        base = (y + 1) * wide + 1 - left
        for x in range(start[i], stop[i]):
            d = squared[row_of[i] - first_row, x]
            level[base + x] = d
            at_level[cap2 - d + 1] += 1
    for d in range(1, cap2 + 2):
        at_level[d] += at_level[d - 1]
    pixels = np.empty(at_level[cap2 + 1], np.int32)  # the largest distance first, then row by row
    for i in own:
        base = (row_of[i] - top + 1) * wide + 1 - left
        for p in range(base + start[i], base + stop[i]):
            d = cap2 - level[p]
            pixels[at_level[d]] = p
            at_level[d] += 1
    _flood(level, pixels, parent, peak, wide, neck2, least_peak2)
    n = 0
    for p in pixels:
        if parent[p] == p:
            number[p] = n
            n += 1
    if n == 1:
        return 1, np.nan
    area = np.zeros(n, np.int64)
    for p in pixels:
        number[p] = number[parent[p]]
        area[number[p]] += 1
    into = _absorb(level, pixels, number, area, wide, least_part)
    area[:] = 0
    for p in pixels:
        number[p] = into[number[p]]
        area[number[p]] += 1
    parts = np.count_nonzero(area)
    if parts == 1:
        return 1, np.nan
    begin = np.zeros(n + 1, np.int64)
    begin[1:] = np.cumsum(area)
    at, of_part = begin[:n].copy(), np.empty(pixels.size, np.int32)
    for i in own:
        base = (row_of[i] - top + 1) * wide + 1 - left
        for p in range(base + start[i], base + stop[i]):
            of_part[at[number[p]]] = p
            at[number[p]] += 1
    ys, lefts, rights = np.empty(tall, np.int64), np.empty(tall, np.int64), np.empty(tall, np.int64)
    hull_y, hull_x = np.empty(tall, np.int64), np.empty(tall, np.int64)
    total = 0.0
    for a in range(n):
        m = 0
        for i in range(begin[a], begin[a + 1]):
            y, x = of_part[i] // wide, of_part[i] % wide
            if m == 0 or ys[m - 1] != y:
                ys[m], lefts[m] = y, x
                m += 1
            rights[m - 1] = x
        if m:
            total += area[a] * (area[a] / _hull_area(ys, lefts, rights, m, hull_y, hull_x))
    return parts, total / pixels.size


def suspected_merged(
    runs: Runs, objects: Objects, grouped: Members, outline: Outline, wanted: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """1 for components that are probably several objects, 0 for others; NaN where it was not judged.

    0 too for those under ``LEAST_AREA``, and for all objects of an instance mask.

    Args:
        runs, objects: of all masks.
        grouped: the runs of every object.
        outline: their areas, hulls and boxes.
        wanted: (m,) the masks to look at.
    """
    area = outline.area
    if runs.by_instance:
        return np.where(wanted[objects.of_map], 0.0, np.nan)
    judged = wanted & (runs.height * runs.width <= MOST_PIXELS)
    result = np.where(judged[objects.of_map], 0.0, np.nan)
    convexity = area / outline.hull_area
    candidates = np.flatnonzero((result == 0) & (area >= LEAST_AREA) & (convexity < CONVEX))
    of_map = objects.of_map[candidates]
    for m in np.unique(of_map).tolist():
        squared = squared_distance(runs.one(m), objects._replace(of_run=objects.of_run[runs.span(m)]))[0]
        for k in candidates[of_map == m]:
            top, left, bottom, right = outline.box[k]
            own = grouped.order[grouped.first[k] : grouped.first[k + 1]]
            parts, mean = _split(
                own, grouped.row, runs.start, runs.stop, squared, runs.first_row[m],
                top, left, bottom - top, right - left, RADIUS_CAP**2, NECK**2, LEAST_PEAK**2, LEAST_PART,
            )  # fmt: skip
            result[k] = parts >= 2 and mean >= convexity[k] + GAIN and mean >= PARTS_CONVEX
    return result
