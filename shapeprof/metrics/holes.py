"""Holes: how large they are, and which classes lie in them.

A hole of an object is a 4-connected region of pixels outside the object that does not reach the
edge of the object's box: exactly what ``shape.hole_count`` counts by the Euler number. Gaps that the
image border cuts are no holes. Only objects that have holes cost anything.

An object of another class that fills a hole is *nested* (a nucleus in its cytoplasm): it makes the
outer object look concave. ``convexity_filled`` is the convexity with the holes counted in.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from shapeprof.jit import kernel

from .members import Members
from .runs import Classes, Ints, Objects, Runs

Nesting = dict[tuple[int, int], tuple[int, int]]  # (outer, inner) class ids -> pixels, objects


class Gaps(NamedTuple):
    """Stretches of one row that lie in a hole: between two neighbouring runs of one object."""

    owner: Ints  # (G,) object whose hole it is; ascending
    before: Ints  # (G,) run of the object on its left; runs before + 1 .. after - 1 of the map fill it
    after: Ints  # (G,) run of the object on its right


@kernel
def _gaps(order, first, row_of, start, stop, hollow):  # type: ignore[no-untyped-def]
    """Union-find over the gaps of each hollow object; those that reach the edge of its box are dropped."""
    capacity = 0
    for k in hollow:
        capacity += first[k + 1] - first[k]
    owner, before, after = (np.empty(capacity, np.int64), np.empty(capacity, np.int64), np.empty(capacity, np.int64))
    parent, outside = np.empty(capacity, np.int64), np.empty(capacity, np.bool_)
    kept = 0
    for k in hollow:
        base = count = kept
        above, above_end = base, base  # gaps of the row above
        above_row, above_left, above_right = -2, 0, 0
        at = first[k]
        while at < first[k + 1]:
            y, left = row_of[order[at]], start[order[at]]
            touches = y == above_row + 1  # the row above belongs to the object too
            here = count
            while at + 1 < first[k + 1] and row_of[order[at + 1]] == y:
                i, j = order[at], order[at + 1]
                if stop[i] < start[j]:
                    before[count], after[count], parent[count] = i, j, count
                    outside[count] = not touches or stop[i] < above_left or start[j] > above_right
                    count += 1
                at += 1
            right = stop[order[at]]
            at += 1
            last = at == first[k + 1]
            for g in range(above, above_end):  # open to this row's sides, or to an empty row
                if not touches or stop[before[g]] < left or start[after[g]] > right:
                    p = g
                    while parent[p] != p:
                        p = parent[p]
                    outside[p] = True
            if touches:
                g = above
                for h in range(here, count):
                    a, b = stop[before[h]], start[after[h]]
                    while g < above_end and start[after[g]] <= a:
                        g += 1
                    j = g
                    while j < above_end and stop[before[j]] < b:
                        p, q = j, h
                        while parent[p] != p:
                            parent[p] = parent[parent[p]]
                            p = parent[p]
                        while parent[q] != q:
                            parent[q] = parent[parent[q]]
                            q = parent[q]
                        if p != q:
                            parent[max(p, q)] = min(p, q)
                            outside[min(p, q)] |= outside[max(p, q)]
                        j += 1
            if last:
                for h in range(here, count):
                    p = h
                    while parent[p] != p:
                        p = parent[p]
                    outside[p] = True
            above, above_end = here, count
            above_row, above_left, above_right = y, left, right
        for g in range(base, count):  # roots come before what they own, and are read before they move
            p = g
            while parent[p] != p:
                p = parent[p]
            parent[g] = p
        for g in range(base, count):
            if not outside[parent[g]]:
                owner[kept], before[kept], after[kept] = k, before[g], after[g]
                kept += 1
    return owner[:kept].copy(), before[:kept].copy(), after[:kept].copy()


def gaps(runs: Runs, grouped: Members, hole_count: Ints) -> Gaps:
    """The rows of all holes, object by object."""
    hollow = np.flatnonzero(hole_count)
    if not hollow.size:
        none = np.zeros(0, np.int64)
        return Gaps(none, none, none)
    return Gaps(*_gaps(grouped.order, grouped.first, grouped.row, runs.start, runs.stop, hollow))


def hole_area(runs: Runs, found: Gaps, n: int) -> Ints:
    """Pixels in the holes of each of n objects, whatever fills them. 0 or more."""
    if not found.owner.size:
        return np.zeros(n, np.int64)
    lengths = runs.start[found.after] - runs.stop[found.before]
    return np.bincount(found.owner, weights=lengths, minlength=n).astype(np.int64)


@kernel
def _nesting(owner, before, after, sequence, start, stop, rank, of_run, outer_of, runs_of, n_classes):  # type: ignore[no-untyped-def]
    pixels = np.zeros((n_classes, n_classes), np.int64)
    whole = np.zeros((n_classes, n_classes), np.int64)
    counted = np.full(rank.size, -1, np.int32)  # the outer class that each run was last counted for
    inside, inside_of = np.zeros(outer_of.size, np.int64), np.full(outer_of.size, -1, np.int32)
    for g in sequence:
        outer = outer_of[owner[g]]
        for r in range(before[g] + 1, after[g]):
            if counted[r] == outer:
                continue
            counted[r] = outer
            inner = rank[r]
            if inner < 0 or inner == outer:
                continue
            pixels[outer, inner] += stop[r] - start[r]
            k = of_run[r]
            if k < 0 or outer_of[k] == outer:
                continue
            if inside_of[k] != outer:
                inside_of[k], inside[k] = outer, 0
            inside[k] += 1
            if inside[k] == runs_of[k]:
                whole[outer, outer_of[k]] += 1
    return pixels, whole


def nesting(runs: Runs, objects: Objects, classes: Classes, found: Gaps, background: int | None) -> Nesting:
    """What lies in holes, per pair of different classes: pixels, and objects found that lie there wholly.

    Summed over the masks. A pixel in holes of several objects of the outer class counts once. Background and
    ignored pixels count for no class.
    """
    ids, place = np.unique(classes.class_id, return_inverse=True)
    outside = classes.class_id == (-1 if background is None else background)
    if not found.owner.size or np.unique(place[~outside]).size < 2:
        return {}
    place[outside] = -1
    rank = np.append(place, -1)[classes.of_run].astype(np.int32)
    outer_of = rank[objects.first_run]
    pixels, whole = _nesting(
        *found, np.argsort(outer_of[found.owner], kind="stable"), runs.start, runs.stop, rank,
        objects.of_run, outer_of, objects.runs, ids.size,
    )  # fmt: skip
    return {(int(ids[a]), int(ids[b])): (int(pixels[a, b]), int(whole[a, b])) for a, b in np.argwhere(pixels)}
