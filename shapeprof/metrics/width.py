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

Exact: a disc is left out only where others contain it and are as wide. The others are painted from the
widest down, each onto the pixels that are still bare; these are kept as bits, a disc row in one word.

Memory is bounded: masks are measured in bands of rows. All that bears on a pixel lies within ``HALO`` rows.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapeprof.kernel import kernel

from .runs import Classes, Ints, Objects, Runs

RADIUS_CAP = 32  # a disc row then fits into 64 bits
FULL = RADIUS_CAP**2
WIDEST = 2 * RADIUS_CAP - 1
HALO = 2 * RADIUS_CAP + 2
BAND_PIXELS = 1 << 22
BAND_ROWS = 256  # at least, also where the mask is very wide
CHUNK = 32  # columns that are worked on together
STEPS = 4  # that are done together
WIDEST_BITS = int(np.float32(WIDEST).view(np.int32))
UNIT = 1 << 23  # of the sums: float32 from 1 to 63 are multiples of 1 / UNIT


@kernel
def _vertical(row, start, stop, owner, first, last, left, columns, open_top, up):  # type: ignore[no-untyped-def]
    """Rows from each pixel to the nearest other owner above, at most the cap.

    128 is added where the left neighbour is another's. For the layout see ``_distances``.
    """
    one, cap = np.uint8(1), np.uint8(RADIUS_CAP)
    near = np.full(columns, cap if open_top else one, np.uint8)
    owners = np.full(2 * columns, -1, np.int32)
    for y in range(first, last):
        turn = (y - first) % 2 * columns
        here, above = owners[turn : turn + columns], owners[columns - turn : 2 * columns - turn]
        here[:] = -1
        for i in range(row[y], row[y + 1]):
            if owner[i] >= 0:
                here[start[i] - left : stop[i] - left] = owner[i]
        if y > first:
            for x in range(columns):
                near[x] = min(cap, np.uint8(near[x] + one)) if here[x] == above[x] else one
        base = (y - first + 1) * (columns + 1) + 1
        line = up[base : base + columns]
        for x in range(columns):
            line[x] = near[x]
        for i in range(row[y], row[y + 1]):
            if owner[i] >= 0:
                up[base + start[i] - left] |= np.uint8(128)
                if stop[i] - left < columns:
                    up[base + stop[i] - left] |= np.uint8(128)


@kernel
def _distances(  # type: ignore[no-untyped-def]
    row, start, stop, owner, first, last, left, columns, width, open_top, open_bottom, up, squared
):
    """Squared distance to the nearest pixel of another owner, at most FULL; 0 outside objects.

    Of the rows ``first`` to ``last - 1`` and ``columns`` columns from ``left`` on, of an image ``width`` wide.
    Pixel (y, x) of these is element ``(y + 1) * (columns + 1) + 1 + x`` of ``squared`` and ``up``; a rim of
    ``squared`` around them is 0. Runs may leave gaps, which no object owns.

    Within a run, the least of its distance to the run's ends, squared, and of the vertical distances d columns
    away, squared, plus d^2. Columns beyond the run can't win against its ends, so no owner is looked at.
    d^2 is the sum of the first d odd numbers: each step k lets the values move on by one column
    for 2 k + 1. Where a step changes nothing, no later one does; so only chunks next to a change go on.
    """
    _vertical(row, start, stop, owner, first, last, left, columns, open_top, up)
    one, cap, low = np.uint8(1), np.uint8(RADIUS_CAP), np.uint8(127)
    stride = columns + 1
    squares = np.arange(RADIUS_CAP).astype(np.int16) ** 2
    down = np.full(columns, cap if open_bottom else one, np.uint8)
    nearest = np.empty(columns, np.uint8)
    room = columns + CHUNK + 2 * STEPS
    work = np.full(2 * room, FULL, np.int16)
    changed = np.empty(columns // CHUNK + 3, np.int64)  # step at which each chunk changed last
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
            a, n = start[i] - left, stop[i] - start[i]
            ends = (start[i] > 0) + (stop[i] < width)
            reach = min(RADIUS_CAP, (n + 1) // 2 if ends == 2 else n if ends == 1 else RADIUS_CAP)
            source, target = STEPS, room + STEPS
            begin, line = work[source : source + n], nearest[a : a + n]
            for x in range(n):
                begin[x] = np.int16(line[x]) * np.int16(line[x])
            beyond = max(CHUNK - n, 0) + STEPS
            work[source + n : source + n + beyond] = FULL
            work[target + n : target + n + beyond] = FULL
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
                    at = source + offset - STEPS
                    old = work[at : at + CHUNK + 2 * STEPS]
                    new = work[target + offset : target + offset + CHUNK]
                    difference = np.int16(0)
                    for x in range(CHUNK):
                        value = min(old[x + 4], np.int16(min(old[x + 3], old[x + 5]) + cost1))
                        value = min(value, np.int16(min(old[x + 2], old[x + 6]) + cost2))
                        value = min(value, np.int16(min(old[x + 1], old[x + 7]) + cost3))
                        value = min(value, np.int16(min(old[x], old[x + 8]) + cost4))
                        difference |= np.int16(value ^ old[x + 4])
                        new[x] = value
                    if difference != 0:
                        changed[j + 1] = k + STEPS
                        active = True
                source, target = target, source
                if not active:
                    break
            result, found = squared[base + a : base + a + n], work[source : source + n]
            for x in range(n):
                result[x] = found[x]
            near_end = min(n, RADIUS_CAP - 1)
            if start[i] > 0:
                for x in range(near_end):
                    result[x] = min(result[x], squares[x + 1])
            if stop[i] < width:
                result = squared[base + a + n - near_end : base + a + n]
                for x in range(near_end):
                    result[x] = min(result[x], squares[near_end - x])


@cache
def _containing() -> NDArray[np.int16]:
    """Squared radius from which a disc one step away contains the disc of squared radius d, (4, FULL + 1).

    For a step along an axis, ``1 + max((i + 1)^2 + j^2)`` over pixels with i^2 + j^2 < d; and for a
    diagonal step. The look-up tables of the discrete medial axis (Remy and Thiel 2002). The other
    two rows: from which it is surely as wide too, as half a pixel more makes up for any ``g``.
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
    """Rows of the disc of every squared radius as bits, from the lowest column up, flat (FULL + 1, WIDEST).

    The centre is bit ``RADIUS_CAP - 1`` of row ``RADIUS_CAP - 1``.
    """
    offset = np.arange(WIDEST) - (RADIUS_CAP - 1)
    apart = offset[:, None] ** 2 + offset**2
    bits = np.uint64(1) << np.arange(WIDEST, dtype=np.uint64)
    return np.concatenate([np.where(apart < d, bits, np.uint64(0)).sum(axis=1) for d in range(FULL + 1)])


@kernel
def _diameter(squared, up, root, q, stride, inner_row, inner_column):  # type: ignore[no-untyped-def]
    """Diameter of the disc of pixel q of an object. ``inner_row``: the image goes on above and below."""
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
    """Mark as bits the pixels of ``rows`` rows, from ``row`` on, that lie in objects but are not saturated.

    Column x of row y is bit ``x % 64`` of word ``(x // 64 + 1) * rows + y``; the first and last word
    column stay 0.
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
            for j in range(8):
                word |= ((eights[c * 8 + j] * np.uint64(0x0102040810204080)) >> np.uint64(56)) << np.uint64(
                    8 * j
                )
            bare[(c + 1) * rows + y] = word


@kernel
def _near(row, start, stop, owner, pair, begin, end, top, columns, squared, near):  # type: ignore[no-untyped-def]
    """Count the pixels of the rows ``begin`` to ``end - 1`` at most 1, 2 and 4 px from what is outside their object."""
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
def _grown(old, capacity):  # type: ignore[no-untyped-def]
    new = np.empty(capacity, old.dtype)
    new[: old.size] = old
    return new


@kernel
def _centres(  # type: ignore[no-untyped-def]
    row, start, stop, squared, up, first, last, top, height, width, containing, root, key, place, of_run,
):  # fmt: skip
    """Pixels of the rows ``first`` to ``last - 1`` whose disc is needed: no neighbour's is as wide and contains it.

    Of discs of the largest radius, those of a row of pixels cover what those at its ends and every
    15th between cover, as each of their rows is at least 15 px long; and those at an edge cover what
    lies further inside.

    Most pixels drop out by an upper bound of ``containing`` without square root, in 16 bits.

    Row y of the image is row ``y - top`` of ``squared``. Returns ``key``, which has the widest first, with
    the index above, into ``place`` (row << 32 | column) and ``of_run``, in the low 32 bits; and their number.
    """
    stride = width + 1
    one, two, full = np.int16(1), np.int16(2), np.int16(FULL)
    least, most_axis, most_diagonal = np.int16(-1), np.int16(32), np.int16(46)
    axis, diagonal, sure_axis, sure_diagonal = containing
    maybe = np.zeros((width + 7) // 8 * 8, np.uint8)
    eights = maybe.view(np.uint64)
    column = np.empty(maybe.size + 1, np.int64)
    bits = np.empty(1, np.float32)
    as_int = bits.view(np.int32)
    count = 0
    for y in range(first, last):
        if count + width > key.size:
            room = 2 * (count + width)
            key, place, of_run = _grown(key, room), _grown(place, room), _grown(of_run, room)
        base = (y - top + 1) * stride + 1
        inner_row = 0 < y < height - 1
        middle = squared[base : base + width]
        west, east = squared[base - 1 : base - 1 + width], squared[base + 1 : base + 1 + width]
        up_at, down_at = base - stride, base + stride
        north, south = squared[up_at : up_at + width], squared[down_at : down_at + width]
        north_west, north_east = (
            squared[up_at - 1 : up_at - 1 + width],
            squared[up_at + 1 : up_at + 1 + width],
        )
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
            maybe[x] = (
                (np.int16(t * t) < max(d, two))
                & (np.int16(s * s) < np.int16(np.int16(d + d) - one))
                & (fewest < full)
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
                        (x % 15 == 0 or x == width - 1)
                        and (
                            (y > 0 and squared[q - stride] != FULL)
                            or (y < height - 1 and squared[q + stride] != FULL)
                        )
                    )
                )
                if not needed:
                    continue
                diameter = np.float32(WIDEST)
            else:
                most = max(squared[q - 1], squared[q + 1], squared[q - stride], squared[q + stride])
                across = max(
                    squared[q - stride - 1],
                    squared[q - stride + 1],
                    squared[q + stride - 1],
                    squared[q + stride + 1],
                )
                if most >= sure_axis[d] or across >= sure_diagonal[d]:
                    continue
                gy, gx = 0.0, 0.0  # as in ``_diameter``
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
            place[count] = (np.int64(y - top) << 32) | x
            of_run[count] = i
            count += 1
    return key, place, of_run, count


@kernel
def _sort(key, count):  # type: ignore[no-untyped-def]
    """The first ``count`` keys in order of bits 32 to 57."""
    for shift in (32, 45):
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
    key, place, of_run, squared, columns, row, rows, bare, disc_rows, owner, pair, edges, bins, counts,
    total, painted,
):  # fmt: skip
    """Paint the discs, in order, onto the bare pixels of ``rows`` rows from ``row`` on, as in ``_bare``.

    The pixels that each paints move from the widest bin of their pair to the disc's, and so does the sum of their
    object; ``painted``, unless empty, takes their widths, flat.
    """
    one, m1, m2 = np.uint64(1), np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
    m4, m8 = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x00FF00FF00FF00FF)
    two, four, eight = np.uint64(2), np.uint64(4), np.uint64(8)
    fours, top16 = np.uint64(0x0001000100010001), np.uint64(48)
    bits = np.empty(1, np.int32)
    as_float = bits.view(np.float32)
    widest_bin = bins[WIDEST * 32] + (edges[bins[WIDEST * 32] + 1] <= WIDEST)
    for entry in key:
        index = entry & 0xFFFFFFFF
        y, x = place[index] >> 32, place[index] & 0xFFFFFFFF
        d = np.int64(squared[(y + 1) * (columns + 1) + 1 + x])
        reach = int(np.sqrt(d - 1))
        begin, end = max(0, y - row - reach), min(rows, y - row + reach + 1)
        if begin >= end:
            continue
        first_bit = x + 65 - RADIUS_CAP
        at = (first_bit >> 6) * rows
        left, right = bare[at + begin : at + end], bare[at + rows + begin : at + rows + end]
        at = d * WIDEST + RADIUS_CAP - 1 + row - y
        disc = disc_rows[at + begin : at + end]
        shift = np.uint64(first_bit & 63)
        back = np.uint64(63) - shift
        found = np.uint64(0)
        for j in range(disc.size):
            found |= ((left[j] >> shift) | ((right[j] << one) << back)) & disc[j]
        if found == 0:
            continue
        bits[0] = WIDEST_BITS - (entry >> 32)
        diameter = as_float[0]
        if painted.size:
            for j in range(disc.size):
                new = ((left[j] >> shift) | ((right[j] << one) << back)) & disc[j]
                for bit in range(WIDEST):
                    if (new >> np.uint64(bit)) & one:
                        painted[(begin + j) * columns + x - (RADIUS_CAP - 1) + bit] = diameter
        sums = np.uint64(0)  # of bits, in four parts of 16 bits
        for j in range(disc.size):
            new = ((left[j] >> shift) | ((right[j] << one) << back)) & disc[j]
            left[j] ^= new << shift
            right[j] ^= (new >> one) >> back
            new -= (new >> one) & m1
            new = (new & m2) + ((new >> two) & m2)
            new = (new + (new >> four)) & m4
            sums += (new & m8) + ((new >> eight) & m8)
        pixels = np.int64((sums * fours) >> top16)
        i = of_run[index]
        k = bins[int(diameter * 32)]
        counts[pair[i], widest_bin] -= pixels
        counts[pair[i], k + (diameter >= edges[k + 1])] += pixels
        total[owner[i]] += pixels * (np.int64(diameter * UNIT) - WIDEST * UNIT)


@kernel
def _widths(  # type: ignore[no-untyped-def]
    row, start, stop, owner, pair, first_row, width, wanted, edges, bins, containing, disc_rows,
    band_pixels, band_rows, counts, near, total, painted,
):  # fmt: skip
    """``widths`` into ``counts``, ``near`` and, times UNIT, ``total``; a single mask's map into ``painted``, if any."""
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
            _distances(lines, start, stop, owner, top, bottom, 0, columns, columns, True, True, up, squared)
            key, place, of_run, count = _centres(
                lines,
                start,
                stop,
                squared,
                up,
                max(0, begin - RADIUS_CAP + 1),
                min(height, end + RADIUS_CAP - 1),
                top,
                height,
                columns,
                containing,
                root,
                key,
                place,
                of_run,
            )
            _near(lines, start, stop, owner, pair, begin, end, top, columns, squared, near)
            _bare(squared, columns, begin - top, end - begin, bare)
            part = painted[begin * columns : end * columns]
            if painted.size:
                for y in range(begin, end):
                    base = (y - top + 1) * (columns + 1) + 1
                    for x in range(columns):
                        part[(y - begin) * columns + x] = WIDEST if squared[base + x] == FULL else 0
            _paint(
                _sort(key, count),
                place,
                of_run,
                squared,
                columns,
                begin - top,
                end - begin,
                bare,
                disc_rows,
                owner,
                pair,
                edges,
                bins,
                counts,
                total,
                part,
            )


class Widths(NamedTuple):
    """Local widths, summed up; 0 for masks that were not measured, and for what is no object."""

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
    _distances(
        runs.row, runs.start, runs.stop, objects.of_run, 0, height, 0, width, width, True, True, up, squared
    )
    return np.ascontiguousarray(squared[1:].reshape(height + 2, width + 1)[1:-1, :-1]), owner


def _owner_map(runs: Runs, objects: Objects) -> NDArray[np.int32]:
    return np.repeat(objects.of_run, runs.stop - runs.start).reshape(-1, int(runs.width[0]))
