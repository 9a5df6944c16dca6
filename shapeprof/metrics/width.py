"""Local width: for every pixel of an object, the diameter of the widest disc inside the object that covers it.

The opening granulometry by discs (local thickness, Hildebrand and Rueegsegger 1997), read from
an exact Euclidean distance transform of all objects at once.

Definition: ``D(q)`` is the distance from pixel centre q to the nearest pixel centre outside q's
object; the disc of q covers the pixels closer than ``D(q)``; its diameter is
``2 D(q) - 1 + g(q)``, with ``g(q)`` in [0, 1] the length of the (un-halved) central difference
of D at q: 0 on the ridge of an odd strip, 1 on the two ridges of an even one, so that strips along
the axes read their exact width. ``w(p)`` is the largest diameter over the discs that cover p.

Border policy: what lies outside the image is not outside the object, so an object cut by the
border is not thinned by it. Ignored pixels and other objects are outside. Widths above
``2 * RADIUS_CAP - 1`` px saturate there: by then stride 16 keeps 97 % (w / s = 4).

Exact: a disc is left out only where a neighbour's contains it and is as wide, by the look-up
tables of the discrete medial axis.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapeprof.kernel import kernel

from .runs import Classes, Ints, Objects, Runs

RADIUS_CAP = 32
# A disc over a pixel has its centre, and a disc that contains that one has its, within RADIUS_CAP rows; their distances
# and those of their neighbours' neighbours depend on RADIUS_CAP more.
HALO = 2 * RADIUS_CAP + 2
BAND_PIXELS, LEAST_BAND = 1 << 22, 256  # pixels, but at least rows, of a band, its halo left out


@kernel
def _paint_objects(row, start, stop, of_run, width):  # type: ignore[no-untyped-def]
    height = row.size - 1
    owner = np.empty((height, width), np.int32)
    for y in range(height):
        for i in range(row[y], row[y + 1]):
            owner[y, start[i] : stop[i]] = of_run[i]
    return owner


BLOCK = 64  # columns that are searched together; at least RADIUS_CAP


@kernel
def _vertical(owner, cap, padded):  # type: ignore[no-untyped-def]
    """Squared distance along the column to the nearest other owner, at most cap^2.

    Flat, ``padded`` columns a row, the image from column BLOCK on; cap^2 outside the image.
    """
    height, width = owner.shape
    one, cap = np.int16(1), np.int16(cap)
    flat = owner.ravel()
    up = np.full(height * width, cap, np.uint8)  # rows to the nearest other owner above
    near = np.full(width, cap, np.int16)
    for y in range(1, height):
        here, above = flat[y * width : (y + 1) * width], flat[(y - 1) * width : y * width]
        line = up[y * width : (y + 1) * width]
        for x in range(width):
            near[x] = min(cap, np.int16(near[x] + one)) if here[x] == above[x] else one
            line[x] = np.uint8(near[x])
    near[:] = cap
    squared = np.full(height * padded, cap * cap, np.int16)
    for y in range(height - 1, -1, -1):
        here, line = flat[y * width : (y + 1) * width], up[y * width : (y + 1) * width]
        if y + 1 < height:
            below = flat[(y + 1) * width : (y + 2) * width]
            for x in range(width):
                near[x] = min(cap, np.int16(near[x] + one)) if here[x] == below[x] else one
        target = squared[y * padded + BLOCK : y * padded + BLOCK + width]
        for x in range(width):
            nearest = min(near[x], np.int16(line[x]))
            target[x] = np.int16(nearest * nearest)
    return squared


@kernel
def _squared_distance(vertical, row, start, stop, of_run, width, cap, padded):  # type: ignore[no-untyped-def]
    """Squared distance to the nearest pixel of another owner, at most cap^2, (H, W); 0 outside objects.

    Within a run, the least of its distance to the run's ends, squared, and of the vertical distances d columns
    away, squared, plus d^2. Columns beyond the run can't win against its ends, so no owner is
    looked at. A block of columns is done when d^2 reaches its largest value.
    """
    height = row.size - 1
    blocks = padded // BLOCK
    squared = np.empty(height * width, np.int32)
    low = np.empty(blocks, np.int16)
    nearest, best = np.empty(padded, np.int16), np.empty(BLOCK, np.int16)
    for y in range(height):
        line = vertical[y * padded : (y + 1) * padded]
        for i in range(row[y], row[y + 1]):
            if of_run[i] < 0:
                line[BLOCK + start[i] : BLOCK + stop[i]] = 0
        nearest[:] = line
        for i in range(row[y], row[y + 1]):
            a, b = BLOCK + start[i], BLOCK + stop[i]
            for d in range(1, min(cap, b - a + 1)):
                if start[i] > 0:
                    nearest[a + d - 1] = min(nearest[a + d - 1], d * d)
                if stop[i] < width:
                    nearest[b - d] = min(nearest[b - d], d * d)
        for block in range(blocks):
            part = line[block * BLOCK : (block + 1) * BLOCK]
            least = part[0]
            for x in range(part.size):
                least = min(least, part[x])
            low[block] = least
        for block in range(1, blocks - 1):
            first = block * BLOCK
            start_at = nearest[first : first + BLOCK]
            most = np.int16(0)
            for x in range(best.size):
                best[x] = start_at[x]
                most = max(most, best[x])
            least = min(low[block - 1], low[block], low[block + 1])
            d = 1
            while d * d + least < most and d < cap:
                square = np.int16(d * d)
                ahead, behind = line[first + d : first + d + BLOCK], line[first - d : first - d + BLOCK]
                most = np.int16(0)
                for x in range(best.size):
                    best[x] = min(best[x], np.int16(min(ahead[x], behind[x]) + square))
                    most = max(most, best[x])
                d += 1
            at = y * width + first - BLOCK
            target = squared[at : at + min(BLOCK, width - (first - BLOCK))]
            for x in range(target.size):
                target[x] = best[x]
    return squared.reshape(height, width)


@cache
def _containing(cap: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Squared radius from which a disc centred one step away contains the disc of squared radius d; (cap^2 + 1,).

    For a step along an axis, ``1 + max((i + 1)^2 + j^2)`` over pixels with i^2 + j^2 < d; and for a
    diagonal step. The look-up tables of the discrete medial axis (Remy and Thiel 2002).
    """
    i, j = np.mgrid[:cap, :cap]
    inside = i**2 + j**2
    tables = np.zeros((2, cap * cap + 1), np.int64)
    for row, farthest in enumerate(((i + 1) ** 2 + j**2, (i + 1) ** 2 + (j + 1) ** 2)):
        shells = inside < cap * cap
        np.maximum.at(tables[row], inside[shells] + 1, farthest[shells] + 1)
    along, across = np.maximum.accumulate(tables, axis=1).astype(np.int32)
    return along, across


@kernel
def _diameters(row, start, stop, of_run, owner, squared, cap):  # type: ignore[no-untyped-def]
    """Diameter of the disc of every pixel of an object, flat; what it holds elsewhere is of no use.

    Indices of pixels are unsigned, here and below: numba looks at signed ones for being negative.
    """
    height, width = owner.shape
    flat, owners = squared.ravel(), owner.ravel()
    root = np.sqrt(np.arange(cap * cap + 1))
    most = np.float32(2 * cap - 1)
    result = np.empty(flat.size, np.float32)
    one, line = np.uint64(1), np.uint64(width)
    for y in range(height):
        for i in range(row[y], row[y + 1]):
            own = of_run[i]
            if own < 0:
                continue
            for x in range(start[i], stop[i]):
                q = np.uint64(y * width + x)
                d = flat[q]
                if d == cap * cap:
                    result[q] = most
                    continue
                gy, gx = 0.0, 0.0  # un-halved central differences of D; 0 where the image ends
                if 0 < y < height - 1:
                    ahead = root[np.uint64(flat[q + line])] if owners[q + line] == own else 0.0
                    gy = ahead - (root[np.uint64(flat[q - line])] if owners[q - line] == own else 0.0)
                if 0 < x < width - 1:
                    ahead = root[np.uint64(flat[q + one])] if owners[q + one] == own else 0.0
                    gx = ahead - (root[np.uint64(flat[q - one])] if owners[q - one] == own else 0.0)
                slope = min(1.0, np.sqrt(gy * gy + gx * gx))
                result[q] = np.float32(min(2 * root[np.uint64(d)] - 1 + slope, most))
    return result


@kernel
def _centres(row, start, stop, of_run, owner, squared, diameters, containing, cap):  # type: ignore[no-untyped-def]
    """Flat indices of pixels whose disc is needed: no neighbour's disc is as wide and contains it.

    A disc of the largest radius is needed unless the four neighbours have it too: those cover it.
    """
    full = cap * cap
    height, width = owner.shape
    flat, owners = squared.ravel(), owner.ravel()
    axis, diagonal = containing
    chosen = np.empty(flat.size, np.int32)
    n = 0
    one, line = np.uint64(1), np.uint64(width)
    for y in range(height):
        for i in range(row[y], row[y + 1]):
            own = of_run[i]
            if own < 0:
                continue
            for x in range(start[i], stop[i]):
                q = np.uint64(y * width + x)
                d = flat[q]
                if d == full:
                    if (
                        (y > 0 and flat[q - line] != full)
                        or (y < height - 1 and flat[q + line] != full)
                        or (x > 0 and flat[q - one] != full)
                        or (x < width - 1 and flat[q + one] != full)
                    ):
                        chosen[n] = q
                        n += 1
                    continue
                beside, across, wide = axis[np.uint64(d)], diagonal[np.uint64(d)], diameters[q]
                needed = True
                for dy in range(-1 if y > 0 else 0, 2 if y < height - 1 else 1):
                    for dx in range(-1 if x > 0 else 0, 2 if x < width - 1 else 1):
                        p = np.uint64((y + dy) * width + x + dx)
                        least = across if dy != 0 and dx != 0 else beside
                        if flat[p] >= least and owners[p] == own and diameters[p] >= wide:
                            needed = False
                            break
                    if not needed:
                        break
                if needed:
                    chosen[n] = q
                    n += 1
    return chosen[:n].copy()


@kernel
def _paint_discs(row, start, stop, of_run, squared, diameters, centres, cap):  # type: ignore[no-untyped-def]
    """Give every pixel of an object the largest diameter of the discs that cover it, (H, W); 0 elsewhere."""
    height, width = squared.shape
    flat = squared.ravel()
    half = np.sqrt(np.arange(cap * cap + 1)).astype(np.int64)  # columns that a disc reaches, by squared reach
    result = np.zeros(flat.size, np.float32)
    for y in range(height):
        for i in range(row[y], row[y + 1]):
            if of_run[i] >= 0:
                for q in range(y * width + start[i], y * width + stop[i]):
                    result[q] = diameters[q] if flat[q] == cap * cap else np.float32(0)
    for q in centres:
        d, diameter = flat[q], diameters[q]
        y, x = q // width, q % width
        reach = half[d - 1]
        for yy in range(max(0, y - reach), min(height, y + reach + 1)):
            h = half[np.uint64(d - 1 - (yy - y) * (yy - y))]
            first, end = np.uint64(yy * width + max(0, x - h)), np.uint64(yy * width + min(width, x + h + 1))
            for at in range(first, end):
                result[at] = max(result[at], diameter)
    return result.reshape(height, width)


def squared_distance(
    runs: Runs, objects: Objects, mask: int = 0, rows: tuple[int, int] | None = None
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Squared distance to the nearest pixel of another owner, at most ``RADIUS_CAP**2``; and the owner map; (H, W).

    Of one mask, or of some of its ``rows`` alone (first, one past the last). 0 outside objects, 1 or more inside. What
    lies outside the image is no owner.
    """
    row, width = _rows(runs, mask, rows), int(runs.width[mask])
    owner = _paint_objects(row, runs.start, runs.stop, objects.of_run, width)
    padded = BLOCK * (-(-width // BLOCK) + 2)
    vertical = _vertical(owner, RADIUS_CAP, padded)
    squared = _squared_distance(
        vertical, row, runs.start, runs.stop, objects.of_run, width, RADIUS_CAP, padded
    )
    return squared, owner


def _rows(runs: Runs, mask: int, rows: tuple[int, int] | None) -> Ints:
    """The first run of each row of a mask, or of some of its rows, and the end of the last."""
    top = runs.first_row[mask]
    first, end = rows or (0, int(runs.height[mask]))
    return runs.row[top + first : top + end + 1]


def local_width(
    runs: Runs, objects: Objects, mask: int = 0, rows: tuple[int, int] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Local width of every pixel of one mask, px, (H, W); 0 where there is no object. Also the owner map, (H, W).

    Or of some of its ``rows`` alone. At most ``2 * RADIUS_CAP - 1``. Positive inside objects.
    """
    squared, owner = squared_distance(runs, objects, mask, rows)
    return _local_width(runs, objects, _rows(runs, mask, rows), squared, owner), owner


def _local_width(
    runs: Runs, objects: Objects, row: Ints, squared: NDArray[np.int32], owner: NDArray[np.int32]
) -> NDArray[np.float32]:
    own = (row, runs.start, runs.stop, objects.of_run)
    diameters = _diameters(*own, owner, squared, RADIUS_CAP)
    centres = _centres(*own, owner, squared, diameters, _containing(RADIUS_CAP), RADIUS_CAP)
    painted: NDArray[np.float32] = _paint_discs(*own, squared, diameters, centres, RADIUS_CAP)
    return painted


class Widths(NamedTuple):
    """Local widths, summed up; all 0 for masks not looked at, and for what is no object."""

    pixels: Ints  # (p, bins) pixels of every pair of mask and class by local width
    near: Ints  # (p, 3) pixels whose distance to the nearest pixel outside their object is at most 1, 2, 4 px
    object_sum: NDArray[np.float64]  # (n,) sum of the local widths of each object's pixels


@kernel
def _collect(row, start, stop, of_run, pair_of, widths, distance, edges, bins, counts, near, sums):  # type: ignore[no-untyped-def]
    """Count the pixels of some rows; ``distance``: squared, to what is outside their object."""
    for y in range(row.size - 1):
        for i in range(row[y], row[y + 1]):
            k = of_run[i]
            if k < 0:
                continue
            total, c = sums[k], pair_of[i]
            one, two, four = 0, 0, 0
            for x in range(start[i], stop[i]):
                w, d = widths[y, x], distance[y, x]
                b = bins[np.uint64(w * 32)]
                counts[c, b + (w >= edges[b + 1])] += 1
                total += w
                one += d <= 1
                two += d <= 4
                four += d <= 16
            sums[k] = total
            near[c, 0] += one
            near[c, 1] += two
            near[c, 2] += four


def widths(
    runs: Runs,
    objects: Objects,
    classes: Classes,
    wanted: NDArray[np.bool_],
    edges: NDArray[np.float32],
    bins: NDArray[np.int64],
) -> Widths:
    """The local widths of the objects of the ``wanted`` (m,) masks; ``edges`` and ``bins``: see ``bins.width_edges``.

    Works through a mask in bands of rows, so that memory does not grow with its height. Local width depends on what
    lies within ``HALO`` rows, so that the bands make no difference.
    """
    found = Widths(
        np.zeros((classes.class_id.size, edges.size - 1), np.int64),
        np.zeros((classes.class_id.size, 3), np.int64),
        np.zeros(objects.class_id.size),
    )
    for m in np.flatnonzero(wanted).tolist():
        height, band = int(runs.height[m]), max(LEAST_BAND, BAND_PIXELS // int(runs.width[m]))
        for first in range(0, height, band):
            end = min(height, first + band)
            rows = (max(0, first - HALO), min(height, end + HALO))
            inner = np.s_[first - rows[0] : end - rows[0]]
            squared, owner = squared_distance(runs, objects, m, rows)
            values = _local_width(runs, objects, _rows(runs, m, rows), squared, owner)
            _collect(
                _rows(runs, m, (first, end)), runs.start, runs.stop, objects.of_run, classes.of_run, values[inner],
                squared[inner], edges, bins, *found,
            )  # fmt: skip
    return found
