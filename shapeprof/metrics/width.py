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

Exact: a disc is left out only where others that are as wide cover it. The rest are painted from the widest
down, each onto the pixels of its disc that are still bare. These are kept as bits, so that a row of
a disc is one word, and a pixel is touched once.

Memory is bounded: a mask is measured in bands of rows. A row depends on at most ``HALO`` rows on either side.
The inner loops are written out in few long kernels, and index with unsigned integers: numba helpers and
slices of arrays cost reference counts there, and signed ones a test for negative values.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapeprof.jit import grown, kernel

from .runs import Classes, Ints, Objects, Runs

RADIUS_CAP = 32  # so that a row of a disc fits into 64 bits
FULL = RADIUS_CAP**2
WIDEST = 2 * RADIUS_CAP - 1
WIDEST_BITS = int(np.float32(WIDEST).view(np.int32))
LEAST_ROW = 15  # px in the shortest row of a disc of squared radius FULL
HALO = 2 * RADIUS_CAP + 2  # rows: of a disc, of the distances at its centre's neighbours, of their differences
BAND_PIXELS = 1 << 22  # of a band
BAND_ROWS = 256  # of a band at least, where masks are very wide
CHUNK = 32  # columns that are worked on together
STEPS = 4  # that are done together
UNIT = 1 << 23  # float32 values from 1 to 63 are multiples of 1 / UNIT, so that sums are exact


@kernel
def _vertical(row, start, stop, owner, first, last, columns, up):  # type: ignore[no-untyped-def]
    """Rows from each pixel to the nearest other owner above, at most RADIUS_CAP, into ``up``.

    128 is added where the left neighbour has another owner. Arguments and layout as in ``_distances``.
    """
    one, cap = np.uint8(1), np.uint8(RADIUS_CAP)
    near = np.full(columns, cap, np.uint8)
    owners = np.full(2 * columns, -1, np.int32)
    for y in range(first, last):
        turn = (y - first) % 2 * columns
        here, above = owners[turn : turn + columns], owners[columns - turn : 2 * columns - turn]
        here[:] = -1
        for i in range(row[y], row[y + 1]):
            if owner[i] >= 0:
                here[start[i] : stop[i]] = owner[i]
        if y > first:
            for x in range(columns):
                near[x] = min(cap, np.uint8(near[x] + one)) if here[x] == above[x] else one
        base = (y - first + 1) * (columns + 1) + 1
        line = up[base : base + columns]
        for x in range(columns):
            line[x] = near[x]
        for i in range(row[y], row[y + 1]):
            if owner[i] >= 0:
                up[base + start[i]] |= np.uint8(128)
                if stop[i] < columns:
                    up[base + stop[i]] |= np.uint8(128)


@kernel
def _distances(row, start, stop, owner, first, last, columns, up, squared):  # type: ignore[no-untyped-def]
    """Squared distance to the nearest pixel of another owner, at most FULL and 0 outside objects, into ``squared``.

    Of the rows ``first`` to ``last - 1`` of an image; rows above and below them have no owner. Pixel (y, x) of these
    is element ``(y + 1) * (columns + 1) + 1 + x`` of ``squared`` and ``up``; a rim of ``squared`` around them is 0.

    Within a run, the least of the distance to the run's ends, squared, and of the vertical distances d columns
    away, squared, plus d^2. Columns beyond the run are never nearer than its ends, so owners need not be compared.
    d^2 is the sum of the first d odd numbers: step k lets every value move on by one column for
    2 k + 1. What a step leaves as it was, no later one changes; so only chunks next to a change go on.
    Four steps are done at once, from one buffer to another; the last chunk of a long run overlaps the one before.
    """
    _vertical(row, start, stop, owner, first, last, columns, up)
    one, cap, low = np.uint8(1), np.uint8(RADIUS_CAP), np.uint8(127)
    stride = columns + 1
    one64, two64, three64, four64 = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
    squares = np.arange(RADIUS_CAP).astype(np.int16) ** 2
    down = np.full(columns, cap, np.uint8)
    nearest = np.empty(columns, np.uint8)
    room = columns + CHUNK + 2 * STEPS
    work = np.full(2 * room, FULL, np.int16)
    changed = np.empty(columns // CHUNK + 3, np.int64)  # from chunk -1 on: the step after its last change
    squared[: stride + 1] = 0
    squared[(last - first + 1) * stride : (last - first + 2) * stride + 1] = 0
    for y in range(last - 1, first - 1, -1):
        base = (y - first + 1) * stride + 1
        line = up[base : base + columns]
        if y + 1 < last:
            below = up[base + stride : base + stride + columns]
            for x in range(columns):
                down[x] = one if np.uint8(below[x] & low) == one else min(cap, np.uint8(down[x] + one))
        for x in range(columns):
            nearest[x] = min(down[x], np.uint8(line[x] & low))
        squared[base - 1 : base + columns + 1] = 0
        for i in range(row[y], row[y + 1]):
            if owner[i] < 0:
                continue
            a, n = start[i], stop[i] - start[i]
            ends = (start[i] > 0) + (stop[i] < columns)
            reach = min(RADIUS_CAP, (n + 1) // 2 if ends == 2 else n if ends == 1 else RADIUS_CAP)
            source, target = STEPS, room + STEPS
            size, new, here = np.uint64(n), np.uint64(source), np.uint64(a)
            for x in range(size):
                work[new + x] = np.int16(nearest[here + x]) * np.int16(nearest[here + x])
            beyond, old = np.uint64(max(CHUNK, n) + STEPS), np.uint64(target)
            for x in range(size, beyond):  # from there no smaller value comes
                work[new + x] = FULL
                work[old + x] = FULL
            chunks = (n + CHUNK - 1) // CHUNK
            changed[: chunks + 2] = 0
            for k in range(0, reach - 1, STEPS):
                cost1, cost2 = np.int16(2 * k + 1), np.int16(4 * k + 4)
                cost3, cost4 = np.int16(6 * k + 9), np.int16(8 * k + 16)
                active = False
                for j in range(chunks):
                    if max(changed[j], changed[j + 1], changed[j + 2]) < k:
                        continue
                    offset = max(0, min(j * CHUNK, n - CHUNK))
                    old, new = np.uint64(source + offset), np.uint64(target + offset)
                    difference = np.int16(0)
                    for x in range(np.uint64(CHUNK)):
                        p = old + x
                        value = min(work[p], np.int16(min(work[p - one64], work[p + one64]) + cost1))
                        value = min(value, np.int16(min(work[p - two64], work[p + two64]) + cost2))
                        value = min(value, np.int16(min(work[p - three64], work[p + three64]) + cost3))
                        value = min(value, np.int16(min(work[p - four64], work[p + four64]) + cost4))
                        difference |= np.int16(value ^ work[p])
                        work[new + x] = value
                    if difference != 0:
                        changed[j + 1] = k + STEPS
                        active = True
                source, target = target, source
                if not active:
                    break
            new, old = np.uint64(base + a), np.uint64(source)
            for x in range(size):
                squared[new + x] = work[old + x]
            near_end = np.uint64(min(n, RADIUS_CAP - 1))
            if start[i] > 0:
                for x in range(near_end):
                    squared[new + x] = min(squared[new + x], squares[x + one64])
            if stop[i] < columns:
                new += size - near_end
                for x in range(near_end):
                    squared[new + x] = min(squared[new + x], squares[near_end - x])


@cache
def _containing() -> NDArray[np.int16]:
    """Squared radius from which a disc one step away contains the disc of squared radius d; (4, FULL + 1).

    Row 0: for a step along an axis, ``1 + max((i + 1)^2 + j^2)`` over pixels with i^2 + j^2 < d. Row 1: for a
    diagonal step. The look-up tables of the discrete medial axis (Remy and Thiel 2002). Rows 2 and 3: as 0
    and 1, but from which it is surely as wide too, as half a pixel more makes up for any ``g``.
    """
    i, j = np.mgrid[:RADIUS_CAP, :RADIUS_CAP]
    inside = i**2 + j**2
    tables = np.zeros((4, FULL + 1), np.int64)
    for row, farthest in enumerate(((i + 1) ** 2 + j**2, (i + 1) ** 2 + (j + 1) ** 2)):
        shells = inside < FULL
        np.maximum.at(tables[row], inside[shells] + 1, farthest[shells] + 1)
    tables = np.maximum.accumulate(tables, axis=1)
    wider = np.floor((np.sqrt(np.arange(FULL + 1)) + 0.5) ** 2).astype(np.int64) + 1
    tables[2:] = np.maximum(tables[:2], np.minimum(wider, FULL))
    return tables.astype(np.int16)


@cache
def _disc_rows() -> NDArray[np.uint64]:
    """The disc of every squared radius, its rows as bits; (FULL + 1) * WIDEST rows, flat.

    Its centre is bit ``RADIUS_CAP - 1`` of row ``RADIUS_CAP - 1``; bit 0 is the first column.
    """
    offset = np.arange(WIDEST) - (RADIUS_CAP - 1)
    apart = offset[:, None] ** 2 + offset**2
    bits = np.uint64(1) << np.arange(WIDEST, dtype=np.uint64)
    return np.concatenate([np.where(apart < d, bits, np.uint64(0)).sum(axis=1) for d in range(FULL + 1)])


@kernel
def _diameter(squared, up, root, q, stride, inner_row, inner_column):  # type: ignore[no-untyped-def]
    """Diameter of the disc of pixel q. ``inner_row``, ``inner_column``: the image goes on on both sides."""
    d = squared[q]
    if d == FULL:
        return np.float32(WIDEST)
    gy, gx = 0.0, 0.0  # un-halved central differences of D; 0 where the image ends
    if inner_row:
        gy = root[squared[q + stride]] * (up[q + stride] & 127 != 1)
        gy -= root[squared[q - stride]] * (up[q] & 127 != 1)
    if inner_column:
        gx = root[squared[q + 1]] * (up[q + 1] < 128) - root[squared[q - 1]] * (up[q] < 128)
    return np.float32(min(2 * root[d] - 1 + min(1.0, np.sqrt(gy * gy + gx * gx)), float(WIDEST)))


@kernel
def _bare(squared, columns, row, rows, bare):  # type: ignore[no-untyped-def]
    """Mark as bits, into ``bare``, the pixels that lie in objects but are not saturated.

    Of ``rows`` rows of ``squared``, from ``row`` on. Column x of the y-th is bit ``x % 64`` of word
    ``(x // 64 + 1) * rows + y``, so that the words of a disc follow each other; the first and the last ``rows``
    words stay 0.
    """
    one, full = np.int16(1), np.uint16(FULL - 1)
    words = (columns + 63) // 64
    flags = np.zeros(words * 64, np.uint8)
    eights = flags.view(np.uint64)
    bare[: (words + 2) * rows] = 0
    for y in range(rows):
        base = (row + y + 1) * (columns + 1) + 1
        line = squared[base : base + columns]
        for x in range(columns):
            flags[x] = np.uint16(line[x] - one) < full
        for c in range(words):
            word = np.uint64(0)
            for j in range(8):  # the product gathers the lowest bits of eight bytes in the highest byte
                word |= ((eights[c * 8 + j] * np.uint64(0x0102040810204080)) >> np.uint64(56)) << np.uint64(8 * j)
            bare[(c + 1) * rows + y] = word


@kernel
def _near(row, start, stop, owner, pair, begin, end, top, columns, squared, near):  # type: ignore[no-untyped-def]
    """Count the pixels of the rows ``begin`` to ``end - 1`` at most 1, 2 and 4 px from a pixel outside their object."""
    for y in range(begin, end):
        base = (y - top + 1) * (columns + 1) + 1
        for i in range(row[y], row[y + 1]):
            if owner[i] < 0:
                continue
            line = squared[base + start[i] : base + stop[i]]
            one, two, four = 0, 0, 0
            for x in range(line.size):
                one += line[x] <= 1
                two += line[x] <= 4
                four += line[x] <= 16
            near[pair[i], 0] += one
            near[pair[i], 1] += two
            near[pair[i], 2] += four


@kernel
def _centres(row, stop, squared, up, first, last, top, height, width, containing, root, key, place, of_run):  # type: ignore[no-untyped-def]
    """Pixels of the rows ``first`` to ``last - 1`` whose discs are needed; row y is row ``y - top`` of ``squared``.

    A disc is not needed where a neighbour's contains it and is as wide. A neighbour with another owner never
    passes the test, as then both distances are at most 1, or sqrt 2 diagonally.

    Of the discs of the largest radius, which are all as wide, those at an edge of the saturated pixels cover what
    those further inside cover; and of an edge along a row those at its ends and at every 15th column
    are enough, as all their rows are 15 px or longer.

    Nearly all pixels drop out by upper bounds of ``containing``, for d > 1 of its rows 2 and 3:
    ``d + 2 floor(sqrt(d - 1)) + 1``, and diagonally ``d + 2 floor(sqrt(2 d - 2)) + 2``; in 16 bits and without roots.

    Returns ``key``, ``place``, ``of_run`` and their number; the arrays may have grown. The high 32 bits of ``key`` sort
    the widest first, the low ones index ``place`` (row of ``squared``, column, squared radius) and ``of_run``.
    """
    stride = width + 1
    one, two, full = np.int16(1), np.int16(2), np.int16(FULL)
    # roots of FULL and of 2 * FULL, rounded up: larger ones pass no test, and their squares might overflow
    least, most_axis, most_diagonal = np.int16(-1), np.int16(32), np.int16(46)
    axis, diagonal, sure_axis, sure_diagonal = containing
    maybe = np.zeros((width + 7) // 8 * 8, np.uint8)
    axial, oblique = np.empty(width, np.int16), np.empty(width, np.int16)
    eights = maybe.view(np.uint64)
    column = np.empty(maybe.size + 1, np.int64)
    bits = np.empty(1, np.float32)
    as_int = bits.view(np.int32)
    count = 0
    for y in range(first, last):
        if count + width > key.size:
            room = 2 * (count + width)
            key, place, of_run = grown(key, room), grown(place, room), grown(of_run, room)
        base = (y - top + 1) * stride + 1
        inner_row = 0 < y < height - 1
        middle = squared[base : base + width]
        west, east = squared[base - 1 : base - 1 + width], squared[base + 1 : base + 1 + width]
        up_at, down_at = base - stride, base + stride
        north, south = squared[up_at : up_at + width], squared[down_at : down_at + width]
        north_west, north_east = (squared[up_at - 1 : up_at - 1 + width], squared[up_at + 1 : up_at + 1 + width])
        south_west, south_east = (
            squared[down_at - 1 : down_at - 1 + width],
            squared[down_at + 1 : down_at + 1 + width],
        )
        for x in range(width):
            d = middle[x]
            most = max(west[x], east[x], north[x], south[x])
            fewest = min(west[x], east[x], north[x], south[x], d)
            across = max(north_west[x], north_east[x], south_west[x], south_east[x])
            t = np.int16(min(max(np.int16(np.int16(most - d) - one) >> one, least), most_axis) + one)
            s = np.int16(min(max(np.int16(np.int16(across - d) - two) >> one, least), most_diagonal) + one)
            axial[x], oblique[x] = most, across
            maybe[x] = (
                (np.int16(t * t) < max(d, two)) & (np.int16(s * s) < np.int16(np.int16(d + d) - one)) & (fewest < full)
            )
        i = row[y]
        candidates = 0
        for word in range(eights.size):
            if eights[word] != 0:
                for x in range(8 * word, 8 * word + 8):
                    column[candidates] = x
                    candidates += maybe[x]
        for x in column[:candidates]:
            q = base + x
            d = squared[q]
            if d == FULL:
                needed = (
                    (x > 0 and squared[q - 1] != FULL)
                    or (x < width - 1 and squared[q + 1] != FULL)
                    or (
                        (x % LEAST_ROW == 0 or x == width - 1)
                        and (
                            (y > 0 and squared[q - stride] != FULL) or (y < height - 1 and squared[q + stride] != FULL)
                        )
                    )
                )
                if not needed:
                    continue
                diameter = np.float32(WIDEST)
            else:
                most, across = axial[x], oblique[x]
                if most >= sure_axis[d] or across >= sure_diagonal[d]:
                    continue
                gy, gx = 0.0, 0.0  # as in ``_diameter``, written out
                if inner_row:
                    gy = root[squared[q + stride]] * (up[q + stride] & 127 != 1)
                    gy -= root[squared[q - stride]] * (up[q] & 127 != 1)
                if 0 < x < width - 1:
                    gx = root[squared[q + 1]] * (up[q + 1] < 128) - root[squared[q - 1]] * (up[q] < 128)
                slope = min(1.0, np.sqrt(gy * gy + gx * gx))
                diameter = np.float32(min(2 * root[d] - 1 + slope, float(WIDEST)))
                if most >= axis[d] or across >= diagonal[d]:
                    covered = False
                    for dy in range(-1, 2):
                        for dx in range(-1, 2):
                            p = q + dy * stride + dx
                            if squared[p] < (diagonal[d] if dy != 0 and dx != 0 else axis[d]):
                                continue
                            inside = 0 < y + dy < height - 1, 0 < x + dx < width - 1
                            covered |= _diameter(squared, up, root, p, stride, *inside) >= diameter
                    if covered:
                        continue
            while stop[i] <= x:
                i += 1
            bits[0] = diameter
            key[count] = (np.int64(WIDEST_BITS - as_int[0]) << 32) | count
            place[count] = (np.int64(y - top) << 36) | (x << 12) | d
            of_run[count] = i
            count += 1
    return key, place, of_run, count


@kernel
def _sort(key, count):  # type: ignore[no-untyped-def]
    """The first ``count`` keys by their bits 32 to 57, which hold all of their high part."""
    for shift in (32, 45):  # a radix sort
        begin = np.zeros((1 << 13) + 1, np.int64)
        for i in range(count):
            begin[((key[i] >> shift) & 8191) + 1] += 1
        for digit in range(1 << 13):
            begin[digit + 1] += begin[digit]
        result = np.empty(count, np.int64)
        for i in range(count):
            digit = (key[i] >> shift) & 8191
            result[begin[digit]] = key[i]
            begin[digit] += 1
        key = result
    return key


@kernel
def _paint(  # type: ignore[no-untyped-def]
    key, place, of_run, columns, row, rows, bare, disc_rows, owner, pair, edges, bins, counts, total, painted
):  # fmt: skip
    """Paint the discs, in the order of ``key``, onto the bare pixels of ``rows`` rows from ``row`` on, as in ``_bare``.

    All pixels were counted as of the largest width: those that a disc paints are moved to its own, in ``counts``
    and in ``total``. ``painted``, unless it is empty, takes the width of each, flat.
    """
    one, two, four, top = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)
    m1, m2 = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
    m4, ones = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)
    bits = np.empty(1, np.int32)
    as_float = bits.view(np.float32)
    reaches = np.sqrt(np.maximum(np.arange(-1, FULL), 0)).astype(np.int64)
    widest_bin = bins[WIDEST * 32] + (edges[bins[WIDEST * 32] + 1] <= WIDEST)
    for entry in key:
        index = entry & 0xFFFFFFFF
        y, x, d = place[index] >> 36, (place[index] >> 12) & 0xFFFFFF, place[index] & 0xFFF
        reach = reaches[d]
        begin, end = max(0, y - row - reach), min(rows, y - row + reach + 1)
        if begin >= end:
            continue
        first_bit = x + 65 - RADIUS_CAP
        left = np.uint64((first_bit >> 6) * rows + begin)
        right = left + np.uint64(rows)
        disc = np.uint64(d * WIDEST + RADIUS_CAP - 1 + row - y + begin)
        tall = np.uint64(end - begin)
        shift = np.uint64(first_bit & 63)
        back = np.uint64(63) - shift
        found = np.uint64(0)
        for j in range(tall):
            found |= ((bare[left + j] >> shift) | ((bare[right + j] << one) << back)) & disc_rows[disc + j]
        if found == 0:
            continue
        bits[0] = WIDEST_BITS - (entry >> 32)
        diameter = as_float[0]
        if painted.size:
            for j in range(tall):
                new = ((bare[left + j] >> shift) | ((bare[right + j] << one) << back)) & disc_rows[disc + j]
                for bit in range(WIDEST):
                    if (new >> np.uint64(bit)) & one:
                        painted[(begin + np.int64(j)) * columns + x - (RADIUS_CAP - 1) + bit] = diameter
        pixels = np.uint64(0)
        for j in range(tall):
            new = ((bare[left + j] >> shift) | ((bare[right + j] << one) << back)) & disc_rows[disc + j]
            bare[left + j] ^= new << shift
            bare[right + j] ^= (new >> one) >> back
            new = new - ((new >> one) & m1)  # its bits are counted, in the way that compilers know
            new = (new & m2) + ((new >> two) & m2)
            new = (new + (new >> four)) & m4
            pixels += (new * ones) >> top
        i = of_run[index]
        k = bins[int(diameter * 32)]
        counts[pair[i], widest_bin] -= np.int64(pixels)
        counts[pair[i], k + (diameter >= edges[k + 1])] += np.int64(pixels)
        total[owner[i]] += np.int64(pixels) * (np.int64(diameter * UNIT) - WIDEST * UNIT)


@kernel
def _widths(  # type: ignore[no-untyped-def]
    row, start, stop, owner, pair, first_row, width, wanted, edges, bins, containing, disc_rows,
    band_pixels, band_rows, counts, near, total, painted,
):  # fmt: skip
    """``widths``: into ``counts``, ``near`` and, times UNIT, ``total``; one mask's map into ``painted``, if any."""
    room, most_words = 0, 0
    for m in range(width.size):
        if wanted[m]:
            height = first_row[m + 1] - 1 - first_row[m]
            rows = min(height, max(band_rows, band_pixels // width[m]))
            room = max(room, (min(height, rows + 2 * HALO) + 2) * (width[m] + 1) + 1)
            most_words = max(most_words, rows * ((width[m] + 63) // 64 + 2))
    squared, up = np.empty(room, np.int16), np.empty(room, np.uint8)
    bare = np.empty(most_words, np.uint64)
    root = np.sqrt(np.arange(FULL + 1))
    key, place, of_run = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64)
    widest_bin = bins[WIDEST * 32] + (edges[bins[WIDEST * 32] + 1] <= WIDEST)
    for m in range(width.size):
        if not wanted[m]:
            continue
        lines = row[first_row[m] : first_row[m + 1]]
        height, columns = lines.size - 1, width[m]
        rows = max(band_rows, band_pixels // columns)
        for i in range(lines[0], lines[height]):
            if owner[i] >= 0:
                counts[pair[i], widest_bin] += stop[i] - start[i]
                total[owner[i]] += np.int64(stop[i] - start[i]) * (WIDEST * UNIT)
        for begin in range(0, height, rows):
            end = min(height, begin + rows)
            top, bottom = max(0, begin - HALO), min(height, end + HALO)
            _distances(lines, start, stop, owner, top, bottom, columns, up, squared)
            key, place, of_run, count = _centres(
                lines, stop, squared, up, max(0, begin - RADIUS_CAP + 1), min(height, end + RADIUS_CAP - 1),
                top, height, columns, containing, root, key, place, of_run,
            )  # fmt: skip
            _near(lines, start, stop, owner, pair, begin, end, top, columns, squared, near)
            _bare(squared, columns, begin - top, end - begin, bare)
            part = painted[begin * columns : end * columns]
            for p in range(part.size):
                q = (begin - top + 1 + p // columns) * (columns + 1) + 1 + p % columns
                part[p] = WIDEST if squared[q] == FULL else 0
            _paint(
                _sort(key, count), place, of_run, columns, begin - top, end - begin, bare, disc_rows,
                owner, pair, edges, bins, counts, total, part,
            )  # fmt: skip


class Widths(NamedTuple):
    """Sums of local widths; 0 for masks that were not measured and for pixels outside objects."""

    pixels: Ints  # (p, bins) pixels of every pair of mask and class by local width
    near: Ints  # (p, 3) its pixels at most 1, 2, 4 px from the nearest pixel outside their object
    object_sum: NDArray[np.float64]  # (n,) sum of the local widths of each object's pixels, px


def widths(
    runs: Runs,
    objects: Objects,
    classes: Classes,
    wanted: NDArray[np.bool_],
    edges: NDArray[np.float32],
    bins: NDArray[np.int64],
) -> Widths:
    """The local widths of the objects of the ``wanted`` (m,) masks; ``edges``, ``bins``: see ``bins.width_edges``."""
    found = Widths(
        np.zeros((classes.class_id.size, edges.size - 1), np.int64),
        np.zeros((classes.class_id.size, 3), np.int64),
        np.zeros(objects.class_id.size),
    )
    total = np.zeros(objects.class_id.size, np.int64)
    _measure(runs, objects, classes.of_run, wanted, edges, bins, found, total, np.empty(0, np.float32))
    return found._replace(object_sum=total / UNIT)


def _measure(
    runs: Runs,
    objects: Objects,
    pair: NDArray[np.int32],
    wanted: NDArray[np.bool_],
    edges: NDArray[np.float32],
    bins: NDArray[np.int64],
    found: Widths,
    total: Ints,
    painted: NDArray[np.float32],
) -> None:
    _widths(
        runs.row, runs.start, runs.stop, objects.of_run, pair, runs.first_row, runs.width, wanted, edges, bins,
        _containing(), _disc_rows(), BAND_PIXELS, BAND_ROWS, found.pixels, found.near, total, painted,
    )  # fmt: skip


def local_width(runs: Runs, objects: Objects) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Local width of every pixel of one mask, px, (H, W); 0 where there is no object. Also the owner map, (H, W).

    At most ``2 * RADIUS_CAP - 1``. Positive inside objects.
    """
    owner = _owner_map(runs, objects)
    painted = np.empty(owner.size, np.float32)
    one_bin = np.array([0, np.inf], np.float32), np.zeros(WIDEST * 32 + 1, np.int64)
    found = Widths(np.zeros((1, 1), np.int64), np.zeros((1, 3), np.int64), np.zeros(0))
    total = np.zeros(objects.class_id.size, np.int64)
    _measure(runs, objects, np.zeros_like(objects.of_run), np.ones(1, bool), *one_bin, found, total, painted)
    return painted.reshape(owner.shape), owner


def squared_distance(runs: Runs, objects: Objects) -> tuple[NDArray[np.int16], NDArray[np.int32]]:
    """Squared distance to the nearest pixel of another owner, at most ``RADIUS_CAP**2``; and the owner map; (H, W).

    Of one mask. 0 outside objects, 1 or more inside. What lies outside the image is no owner.
    """
    owner = _owner_map(runs, objects)
    height, width = owner.shape
    squared = np.empty((height + 2) * (width + 1) + 1, np.int16)
    up = np.empty(squared.size, np.uint8)
    _distances(runs.row, runs.start, runs.stop, objects.of_run, 0, height, width, up, squared)
    return np.ascontiguousarray(squared[1:].reshape(height + 2, width + 1)[1:-1, :-1]), owner


def _owner_map(runs: Runs, objects: Objects) -> NDArray[np.int32]:
    return np.repeat(objects.of_run, runs.stop - runs.start).reshape(-1, int(runs.width[0]))
