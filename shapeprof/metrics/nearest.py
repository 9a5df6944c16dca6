"""Nearest survival: majority class per cell, nearest up-sampling (see ``survival``).

Only cells that hold a boundary lose pixels, and there are few. They are found by a pyramid of run-length maps:
a row of a grid is a list of stretches of equal cells and of single *mixed* cells, a mixed cell holds the
pixels of each of its *parts* (objects, and what is left of each class), and a grid of twice the stride groups
2 x 2 cells.

One chain of grids serves both phases of all strides. The grid of stride s begins ``top(s) = (-H mod s) // 2``
px before the image (and s / 2 px more in the second phase), and ``top(2 s) = top(s)`` modulo s / 2. So a
grid of stride s that begins ``top(2 s) mod s`` before the image has what both phases of stride 2 s group; and it
groups cells of its own predecessor.

Cells that reach over the image's edge vote with the pixels there repeated into the padding. What that adds to the
pixels of their parts is counted from the runs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shapeprof.jit import grown, kernel

from .runs import Classes, Objects, Runs
from .strides import STRIDES
from .survival import Survival

HALF = (1 << 32) - 1  # of a key or a count
UNIFORM = HALF  # in the lower half of a key: all pixels of the cells are of the part above
LIST = 1 << 31  # in the lower half of a key: the number of parts stands beside it


@kernel
def _add_padding(row, start, stop, part, pair_of, top_row, height, width, y0, x0, s, votes):  # type: ignore[no-untyped-def]
    """Add the votes of the part of a cell that lies outside the image: the edge's pixels, repeated."""
    before, behind = max(0, -x0), max(0, x0 + s - width)
    for y in range(max(0, y0), min(height, y0 + s)):
        times = 0
        if y == 0:
            times += max(0, -y0)
        if y == height - 1:
            times += max(0, y0 + s - height)
        first, end = row[top_row + y], row[top_row + y + 1]
        votes[pair_of[part[first]]] += (1 + times) * before
        votes[pair_of[part[end - 1]]] += (1 + times) * behind
        for i in range(first, end if times else first):
            size = min(stop[i], x0 + s) - max(start[i], x0)
            if size > 0:
                votes[pair_of[part[i]]] += times * size


@kernel
def _score_list(  # type: ignore[no-untyped-def]
    parts, counts, n, at_edge, row, start, stop, part, top_row, height, width, y0, x0, s, k,
    pair_of, object_of, votes, lost, gained, object_lost,
):  # fmt: skip
    """Score a cell of n parts; ``votes`` is 0 before and after."""
    none = votes.size - 1
    for e in range(n):
        votes[pair_of[parts[e]]] += counts[e]
    if at_edge:
        _add_padding(row, start, stop, part, pair_of, top_row, height, width, y0, x0, s, votes)
    winner, most = none, 0
    for e in range(n):
        c = pair_of[parts[e]]
        if c != none and (votes[c] > most or (votes[c] == most and c < winner)):
            winner, most = c, votes[c]
    for e in range(n):
        c = pair_of[parts[e]]
        votes[c] = 0
        if c < none and c != winner:
            lost[c, k] += counts[e]
            gained[winner, k] += counts[e]
            object_lost[object_of[parts[e]], k] += counts[e]


@kernel
def _pair(p, q, of_p, of_q):  # type: ignore[no-untyped-def]
    """Key and count of a mixed cell of two parts: the smaller part above, and its pixels above."""
    p, q, of_p, of_q = np.int64(p), np.int64(q), np.int64(of_p), np.int64(of_q)
    if p > q:
        return q << 32 | p, of_q << 32 | of_p
    return p << 32 | q, of_p << 32 | of_q


@kernel
def _group_pixels(  # type: ignore[no-untyped-def]
    row, start, stop, part, top_row, height, width, top, left, score, keep,
    pair_of, object_of, votes, lost, gained, object_lost,
):  # fmt: skip
    """Group 2 x 2 pixels; score the cells and, or, return the new grid (see ``_group``).

    A cell that reaches over the edge repeats the pixels there, so that its votes are true pixels times 2 or 4.
    """
    none, one = votes.size - 1, np.uint64(1)
    rows, cols = (height - 1 + top) // 2 + 1, (width - 1 + left) // 2 + 1
    room = min(2 * (row[top_row + height] - row[top_row]) + rows, rows * cols) if keep else 0  # a guess
    new_row, new_stop = np.empty(rows + 1, np.int64), np.empty(room, np.int32)
    new_key, new_count = np.empty(room, np.int64), np.empty(room, np.int64)
    new_list = np.empty((64 if keep else 0, 2), np.int32)
    n_items, n_list = np.uint64(0), 0
    some_part, some_count = np.empty(4, np.int32), np.empty(4, np.int32)
    for y in range(rows):
        new_row[y] = n_items
        if keep and np.int64(n_items) + cols > new_stop.size:
            room = 2 * (np.int64(n_items) + cols)
            new_stop, new_key, new_count = (grown(new_stop, room), grown(new_key, room), grown(new_count, room))
        upper, lower, halves_y = 2 * y - top, 2 * y - top + 1, 0
        if upper < 0:
            upper, halves_y = lower, 1
        if lower >= height:
            lower, halves_y = upper, 1
        a, b = np.uint64(row[top_row + upper]), np.uint64(row[top_row + lower])
        end_a, end_b, a1, b1 = stop[a], stop[b], part[a], part[b]
        last = -1  # the part of the last item, while that is uniform
        x = 0
        while True:
            if a1 == b1:  # on to the next cell that a boundary runs through
                end = min(end_a, end_b)
                until = cols if end == width else (end + left) >> 1
                if keep and until > x:
                    if a1 == last:
                        new_stop[n_items - one] = until
                    else:
                        new_stop[n_items], new_key[n_items] = until, np.int64(a1) << 32 | UNIFORM
                        n_items += one
                        last = a1
                x = max(x, until)
            if x >= cols:
                break
            second = 2 * x - left + 1
            first = max(second - 1, 0)
            halves = halves_y
            if second == 0 or second >= width:  # the cell's first column is outside the image, or its second
                halves += 1
                second = first
            if end_a <= first:
                a += one
                end_a, a1 = stop[a], part[a]
            if end_b <= first:
                b += one
                end_b, b1 = stop[b], part[b]
            a0, b0 = a1, b1
            if end_a <= second:
                a += one
                end_a, a1 = stop[a], part[a]
            if end_b <= second:
                b += one
                end_b, b1 = stop[b], part[b]
            x += 1
            p, of_p = a0, 1 + (a0 == a1) + (a0 == b0) + (a0 == b1)
            if of_p == 4:
                if keep and p == last:
                    new_stop[n_items - one] = x
                elif keep:
                    new_stop[n_items], new_key[n_items] = x, np.int64(p) << 32 | UNIFORM
                    n_items += one
                    last = p
                continue
            q = a1 if a1 != p else b0 if b0 != p else b1
            of_q = (a1 == q) + (b0 == q) + (b1 == q)
            if of_p + of_q == 4:
                of_p, of_q = of_p >> halves, of_q >> halves
                if score:
                    c, d = pair_of[np.uint64(p)], pair_of[np.uint64(q)]
                    if c != d and max(c, d) < none:
                        which, count = np.uint64(p), of_p
                        if of_p > of_q or (of_p == of_q and c < d):
                            which, count, c, d = np.uint64(q), of_q, d, c
                        lost[np.uint64(c), 0] += count
                        gained[np.uint64(d), 0] += count
                        object_lost[np.uint64(object_of[which]), 0] += count
                if keep:
                    new_key[n_items], new_count[n_items] = _pair(p, q, of_p, of_q)
            else:
                n = 0
                for which in (a0, a1, b0, b1):
                    at = 0
                    while at < n and some_part[at] != which:
                        at += 1
                    if at == n:
                        some_part[n], some_count[n] = which, 0
                        n += 1
                    some_count[at] += 1
                if score:
                    _score_list(
                        some_part, some_count, n, False, row, start, stop, part, top_row, height, width, 0, 0, 2, 0,
                        pair_of, object_of, votes, lost, gained, object_lost,
                    )  # fmt: skip
                if keep:
                    if n_list + n > new_list.shape[0]:
                        new_list = grown(new_list, 2 * (n_list + n))
                    for e in range(n):
                        new_list[n_list + e, 0], new_list[n_list + e, 1] = some_part[e], some_count[e]
                    new_key[n_items], new_count[n_items] = np.int64(n_list) << 32 | LIST | n, 0
                    n_list += n
            if keep:
                new_stop[n_items] = x
                n_items += one
                last = -1
    new_row[rows] = n_items
    return new_row, new_stop, new_key, new_count, new_list


@kernel
def _group(  # type: ignore[no-untyped-def]
    row, start, stop, part, top_row, height, width,
    s, child_top, child_left, child_row, child_stop, child_key, child_count, child_list, top, left, score, keep, k,
    pair_of, object_of, votes, lost, gained, object_lost,
):  # fmt: skip
    """Group 2 x 2 cells of stride s; score the cells and, or, return the new grid.

    A grid is rows of items: ``row`` (first item of each row), ``stop`` (one past the last column of each item), and
    ``key`` and ``count``, of 64 bits. An item is a stretch of uniform cells (its part above ``UNIFORM``), a
    mixed cell of two parts (two parts; their pixels), or a mixed cell of more (a place above ``LIST`` and
    their number, which is that of rows in ``list``, of part and pixels).

    Long on purpose: helpers that take arrays cost more than what they do. The indices that step through the items
    are unsigned, because signed ones are looked at for being negative: that doubles the time.
    """
    none, one = votes.size - 1, np.uint64(1)
    size, full = 2 * s, np.int64(s * s)
    shift_y, shift_x = (top - child_top) // s, (left - child_left) // s
    child_rows, child_cols = child_row.size - 1, (width + child_left - 1) // s + 1
    rows, cols = (child_rows - 1 + shift_y) // 2 + 1, (child_cols - 1 + shift_x) // 2 + 1
    room = min(2 * child_row[-1] + rows, rows * cols) if keep else 0  # a guess
    new_row, new_stop = np.empty(rows + 1, np.int64), np.empty(room, np.int32)
    new_key, new_count = np.empty(room, np.int64), np.empty(room, np.int64)
    new_list = np.empty((64 if keep else 0, 2), np.int32)
    n_items, n_list = np.uint64(0), 0
    pixels = np.empty(4, np.int64)  # of each child, where it is uniform; 0 for one outside the image
    some_part, some_count = np.empty(size * size, np.int32), np.empty(size * size, np.int32)
    for y in range(rows):
        new_row[y] = n_items
        if keep and np.int64(n_items) + cols > new_stop.size:
            room = 2 * (np.int64(n_items) + cols)
            new_stop, new_key, new_count = (grown(new_stop, room), grown(new_key, room), grown(new_count, room))
        upper, lower = 2 * y - shift_y, 2 * y - shift_y + 1
        upper_tall = lower_tall = 0
        if upper >= 0:
            upper_tall = min(height, (upper + 1) * s - child_top) - max(0, upper * s - child_top)
        if lower < child_rows:
            lower_tall = min(height, (lower + 1) * s - child_top) - max(0, lower * s - child_top)
        if upper < 0:
            upper = lower
        if lower >= child_rows:
            lower = upper
        y0 = y * size - top
        edge_row = y0 < 0 or y0 + size > height
        a, b = np.uint64(child_row[upper]), np.uint64(child_row[lower])
        end_a, end_b, key_a, key_b = child_stop[a], child_stop[b], child_key[a], child_key[b]
        last = np.int64(-1)  # the key of the last item, while that is uniform
        x = 0
        while True:
            if key_a == key_b and key_a & HALF == UNIFORM:  # on to the next cell that a boundary runs through
                end = min(end_a, end_b)
                until = cols if end == child_cols else (end + shift_x) >> 1
                if keep and until > x:
                    if key_a == last:
                        new_stop[n_items - one] = until
                    else:
                        new_stop[n_items], new_key[n_items] = until, key_a
                        n_items += one
                        last = key_a
                x = max(x, until)
            if x >= cols:
                break
            second = min(2 * x - shift_x + 1, child_cols - 1)
            first = max(2 * x - shift_x, 0)
            if end_a <= first:
                a += one
                end_a, key_a = child_stop[a], child_key[a]
            if end_b <= first:
                b += one
                end_b, key_b = child_stop[b], child_key[b]
            a0, b0, key_a0, key_b0 = a, b, key_a, key_b
            if end_a <= second:
                a += one
                end_a, key_a = child_stop[a], child_key[a]
            if end_b <= second:
                b += one
                end_b, key_b = child_stop[b], child_key[b]
            x0 = x * size - left
            edge = edge_row or x0 < 0 or x0 + size > width
            x += 1
            # two parts in most cells: those of a mixed child, or of two uniform ones
            other = key_a if key_a != key_a0 else key_b0 if key_b0 != key_a0 else key_b
            key = other if key_a0 & HALF == UNIFORM else key_a0
            n, total = 2, np.int64(0)
            if key & HALF == UNIFORM:
                p, q = key_a0 >> 32, other >> 32
                if p == q:
                    n, total = 1, 4 * full
                else:
                    key = min(p, q) << 32 | max(p, q)
            if n == 2:
                key_p, key_q = key | UNIFORM, key << 32 | UNIFORM
                total += (key_a0 == key_p) + (key_a == key_p) + (key_b0 == key_p) + (key_b == key_p)
                total = full * (
                    total << 32 | (key_a0 == key_q) + (key_a == key_q) + (key_b0 == key_q) + (key_b == key_q)
                )
                total += child_count[a0] if key_a0 == key else 0
                total += child_count[a] if key_a == key else 0
                total += child_count[b0] if key_b0 == key else 0
                total += child_count[b] if key_b == key else 0
            of_p, of_q = total >> 32, total & HALF
            if of_p + of_q == 4 * full and not edge:
                if score and n == 2:
                    p, q = np.uint64(key >> 32), np.uint64(key & HALF)
                    c, d = pair_of[p], pair_of[q]
                    if c != d and max(c, d) < none:
                        which, count = p, of_p
                        if of_p > of_q or (of_p == of_q and c < d):
                            which, count, c, d = q, of_q, d, c
                        lost[np.uint64(c), k] += count
                        gained[np.uint64(d), k] += count
                        object_lost[np.uint64(object_of[which]), k] += count
            else:  # three parts or more, or at the edge
                pixels[:] = full
                if edge:
                    wide0 = max(0, min(width, x0 + s) - max(0, x0))
                    wide1 = max(0, min(width, x0 + size) - max(0, x0 + s))
                    pixels[0], pixels[1] = upper_tall * wide0, upper_tall * wide1
                    pixels[2], pixels[3] = lower_tall * wide0, lower_tall * wide1
                n = 0
                for child, i in enumerate((a0, a, b0, b)):
                    above, below = child_key[i] >> 32, child_key[i] & HALF
                    entries = 1 if below == UNIFORM else below ^ LIST if below >= LIST else 2
                    entries *= np.int64(pixels[child] > 0)
                    for entry in range(entries):
                        own, number = below, child_count[i] & HALF
                        if below == UNIFORM:
                            own, number = above, pixels[child]
                        elif below >= LIST:
                            own = np.int64(child_list[above + entry, 0])
                            number = np.int64(child_list[above + entry, 1])
                        elif entry == 0:
                            own, number = above, child_count[i] >> 32
                        at = 0
                        while at < n and some_part[at] != own:
                            at += 1
                        if at == n:
                            some_part[n], some_count[n] = own, 0
                            n += 1
                        some_count[at] += number
                if score and n > 1:
                    _score_list(
                        some_part, some_count, n, edge, row, start, stop, part, top_row, height, width, y0, x0, size, k,
                        pair_of, object_of, votes, lost, gained, object_lost,
                    )  # fmt: skip
                if n == 1:
                    key = np.int64(some_part[0]) << 32 | UNIFORM
                elif n == 2:
                    key, total = _pair(some_part[0], some_part[1], some_count[0], some_count[1])
                elif keep:
                    if n_list + n > new_list.shape[0]:
                        new_list = grown(new_list, 2 * (n_list + n))
                    for e in range(n):
                        new_list[n_list + e, 0], new_list[n_list + e, 1] = some_part[e], some_count[e]
                    key, total = np.int64(n_list) << 32 | LIST | n, np.int64(0)
                    n_list += n
            if keep and n > 1:
                new_stop[n_items], new_key[n_items], new_count[n_items] = x, key, total
                n_items += one
                last = np.int64(-1)
            elif keep and key == last:
                new_stop[n_items - one] = x
            elif keep:
                new_stop[n_items], new_key[n_items] = x, key
                n_items += one
                last = key
    new_row[rows] = n_items
    return new_row, new_stop, new_key, new_count, new_list


@kernel
def _nearest(row, start, stop, part, pair_of, object_of, first_row, widths, n_pairs, n_objects, strides):  # type: ignore[no-untyped-def]
    """Lost and gained pixels of pairs, lost pixels of objects; the last row of each is for pixels of neither."""
    lost = np.zeros((n_pairs + 1, strides.size), np.int64)
    gained = np.zeros((n_pairs + 1, strides.size), np.int64)
    object_lost = np.zeros((n_objects + 1, strides.size), np.int64)
    votes = np.zeros(n_pairs + 1, np.int64)
    for m in range(widths.size):
        top_row, height, width = first_row[m], first_row[m + 1] - first_row[m] - 1, widths[m]
        nothing = np.empty(0, np.int64)
        grid = (nothing, np.empty(0, np.int32), nothing, nothing, np.empty((0, 2), np.int32))
        grid_top = grid_left = 0
        for k in range(strides.size):
            s = strides[k] // 2
            top, left = (-height % (2 * s)) // 2, (-width % (2 * s)) // 2
            next_top, next_left = (-height % (4 * s)) // 2 % (2 * s), (-width % (4 * s)) // 2 % (2 * s)
            next_grid = grid
            for step in range(3):  # two phases, and the next grid where it is neither
                y, x = top, left
                if step == 1:
                    y, x = top + s, left + s
                elif step == 2:
                    y, x = next_top, next_left
                keep = k + 1 < strides.size and y == next_top and x == next_left
                if step == 2 and (not keep or next_top - top == next_left - left):
                    continue
                if s == 1:
                    new = _group_pixels(
                        row, start, stop, part, top_row, height, width, y, x, step < 2, keep,
                        pair_of, object_of, votes, lost, gained, object_lost,
                    )  # fmt: skip
                else:
                    new = _group(
                        row, start, stop, part, top_row, height, width,
                        s, grid_top, grid_left, *grid, y, x, step < 2, keep, k,
                        pair_of, object_of, votes, lost, gained, object_lost,
                    )  # fmt: skip
                if keep:
                    next_grid = new
            grid, grid_top, grid_left = next_grid, next_top, next_left
    return lost[:-1], gained[:-1], object_lost[:-1]


def nearest(runs: Runs, objects: Objects, classes: Classes) -> Survival:
    """Survival under majority pooling and nearest up-sampling, of all masks."""
    sums = _nearest(
        runs.row, runs.start, runs.stop, *_parts(objects, classes), runs.first_row, runs.width,
        classes.class_id.size, objects.class_id.size, np.array(STRIDES),
    )  # fmt: skip
    return Survival(*sums)


def _parts(objects: Objects, classes: Classes) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """The part of every run, and the pair and the object of every part.

    The parts are the objects; then the pixels of each pair outside objects; then all ignored pixels; then, where an
    instance has several classes, its pixels of each class but the first. Parts without a pair or without an object
    have the number behind the last one.
    """
    n_objects, n_pairs = objects.class_id.size, classes.class_id.size
    pair_of = np.concatenate((classes.of_run[objects.first_run], np.arange(n_pairs + 1))).astype(np.int32)
    object_of = np.minimum(np.arange(pair_of.size), n_objects).astype(np.int32)
    pair = np.where(classes.of_run < 0, n_pairs, classes.of_run)
    part = np.where(objects.of_run < 0, pair + n_objects, objects.of_run).astype(np.int32)
    odd = np.flatnonzero(pair_of[part] != pair)
    if odd.size:
        more, which = np.unique(objects.of_run[odd] * np.int64(n_pairs) + pair[odd], return_inverse=True)
        part[odd] = pair_of.size + which
        pair_of = np.append(pair_of, more % n_pairs).astype(np.int32)
        object_of = np.append(object_of, more // n_pairs).astype(np.int32)
    return part, pair_of, object_of
