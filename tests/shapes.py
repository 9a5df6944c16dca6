"""Shapes with known answers, as boolean masks.

A shape is digitised by pixel centre: a pixel belongs to it when its centre does. Its own centre
lies ``phase`` px (rows, columns) off the centre of the middle pixel. All of it is decided in integers
on a grid of ``UNIT`` sub-pixels, to which lengths are rounded, and directions are integer vectors
(true to half a degree); so a convex shape comes out as *all* lattice points of a convex set.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]
Phase = tuple[float, float]

UNIT = 16  # sub-pixels per pixel
MARGIN = 2  # px of background around every shape
CENTRED: Phase = (0.0, 0.0)
PHASES: tuple[Phase, ...] = tuple((k / UNIT, (5 * k) % UNIT / UNIT) for k in range(1, UNIT, 2))  # none special


def sub(length: float) -> int:
    """A length in sub-pixels."""
    return round(length * UNIT)


def direction(angle: float) -> tuple[int, int]:
    """Integer vector (rows, columns) at ``angle`` degrees from the columns' axis; exact at multiples of 45."""
    if angle % 45 == 0:
        return round(math.sin(math.radians(angle)) * 1.2), round(math.cos(math.radians(angle)) * 1.2)
    return round(math.sin(math.radians(angle)) * 64), round(math.cos(math.radians(angle)) * 64)


def offsets(reach: float, phase: Phase = CENTRED) -> tuple[Ints, Ints]:
    """Rows (n, 1) and columns (1, n) of the pixel centres of a canvas, in sub-pixels off the shape's centre."""
    n = math.ceil(reach) + MARGIN + 1
    line = np.arange(-n, n + 1, dtype=np.int64) * UNIT
    return line[:, None] - sub(phase[0]), line[None, :] - sub(phase[1])


def disc(radius: float, phase: Phase = CENTRED) -> Mask:
    """Convexity 1, area pi r^2, perimeter 2 pi r, local width 2 r everywhere."""
    y, x = offsets(radius, phase)
    return y**2 + x**2 <= sub(radius) ** 2


def ellipse(a: float, b: float, angle: float = 0, phase: Phase = CENTRED) -> Mask:
    """Half-axes ``a`` (at ``angle``) and ``b``, up to 150 px: convexity 1, area pi a b."""
    y, x = offsets(max(a, b), phase)
    dy, dx = direction(angle)
    a, b = sub(a), sub(b)
    along, across = dy * y + dx * x, dx * y - dy * x
    return (along * b) ** 2 + (across * a) ** 2 <= (dy**2 + dx**2) * (a * b) ** 2


def rectangle(length: float, width: float, angle: float = 0, phase: Phase = CENTRED) -> Mask:
    """``length`` at ``angle``, ``width`` across: convexity 1, area l w, perimeter 2 (l + w).

    Half-open on both axes, so that whole sides along the axes give as many pixels.
    """
    y, x = offsets(math.hypot(length, width) / 2, phase)
    dy, dx = direction(angle)
    norm = math.hypot(dy, dx)
    result = np.ones((y.size, x.size), bool)
    for place, side in ((dy * y + dx * x, length), (dx * y - dy * x, width)):
        half = round(side * UNIT * norm / 2)
        result &= (place >= -half) & (place < half)
    return result


def strip(width: float, angle: float = 0, length: float = 120, phase: Phase = CENTRED) -> Mask:
    """A straight ribbon: local width ``width`` everywhere away from its ends; convexity 1."""
    return rectangle(length, width, angle, phase)


def convex_polygon(vertices: list[tuple[int, int]]) -> Mask:
    """All lattice points in the closed convex polygon of ``vertices`` (row, column; sub-pixels), in any order."""
    corners = convex_hull(vertices)
    y, x = offsets(max(abs(c) for v in corners for c in v) / UNIT)
    result = np.ones((y.size, x.size), bool)
    for (ay, ax), (by, bx) in zip(corners, corners[1:] + corners[:1], strict=True):
        result &= (by - ay) * (x - ax) - (bx - ax) * (y - ay) >= 0
    if len(corners) <= 2:  # a point or a segment: bounded by its box too
        rows, columns = zip(*corners, strict=True)
        result &= (y >= min(rows)) & (y <= max(rows)) & (x >= min(columns)) & (x <= max(columns))
    return result


def convex_hull(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Corners of the hull, in order, so that ``(b - a) x (p - a) >= 0`` inside; no three are collinear."""
    ordered = sorted(set(points))

    def chain(sequence: list[tuple[int, int]]) -> list[tuple[int, int]]:
        kept: list[tuple[int, int]] = []
        for p in sequence:
            while len(kept) >= 2 and _turn(kept[-2], kept[-1], p) <= 0:
                kept.pop()
            kept.append(p)
        return kept[:-1]

    return chain(ordered) + chain(ordered[::-1]) if len(ordered) > 1 else ordered


def _turn(a: tuple[int, int], b: tuple[int, int], p: tuple[int, int]) -> int:
    return (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])


def star(radius: float, ratio: float = 0.5, points: int = 5, angle: float = 0, phase: Phase = CENTRED) -> Mask:
    """Regular star, inner radius ``ratio * radius``: see ``star_convexity``; area n ratio r^2 sin(pi / n)."""
    y, x = offsets(radius, phase)
    turns = [math.radians(angle) + math.pi * k / points for k in range(2 * points)]
    reach = [radius * (ratio if k % 2 else 1.0) for k in range(2 * points)]
    corners = [(sub(r * math.sin(t)), sub(r * math.cos(t))) for r, t in zip(reach, turns, strict=True)]
    inside, edge = np.zeros((2, y.size, x.size), bool)
    for (ay, ax), (by, bx) in zip(corners, corners[1:] + corners[:1], strict=True):  # even-odd rule, closed
        side = (by - ay) * (x - ax) - (bx - ax) * (y - ay)
        inside ^= ((ay <= y) != (by <= y)) & ((side > 0) == (by > ay))
        edge |= (side == 0) & ((y - ay) * (y - by) <= 0) & ((x - ax) * (x - bx) <= 0)
    return inside | edge


def star_convexity(ratio: float = 0.5, points: int = 5) -> float:
    """True convexity of a star: ``ratio / cos(pi / n)``; 0.618 for the five-pointed one with ratio 1/2."""
    return ratio / math.cos(math.pi / points)


def annulus(outer: float, inner: float, phase: Phase = CENTRED) -> Mask:
    """One hole; convexity ``1 - (inner / outer)^2``; local width ``outer - inner``."""
    y, x = offsets(outer, phase)
    r2 = y**2 + x**2
    return (r2 <= sub(outer) ** 2) & (r2 > sub(inner) ** 2)


def crescent(radius: float, shift: float, phase: Phase = CENTRED) -> Mask:
    """A disc without the same disc ``shift`` px to the right: see ``crescent_convexity``; no hole."""
    y, x = offsets(radius, phase)
    r2 = sub(radius) ** 2
    return (y**2 + x**2 <= r2) & (y**2 + (x - sub(shift)) ** 2 > r2)


def crescent_convexity(radius: float, shift: float) -> float:
    """True convexity: of the disc, the crescent lacks the lens and its hull lacks half the lens."""
    lens = 2 * radius**2 * math.acos(shift / (2 * radius)) - shift / 2 * math.sqrt(4 * radius**2 - shift**2)
    area = math.pi * radius**2
    return (area - lens) / (area - lens / 2)


def ell(side: int, arm: int) -> Mask:
    """An L in a square: area ``2 side arm - arm^2``, hull area as lattice points ``ell_hull``; exact."""
    mask = np.zeros((side + 2 * MARGIN, side + 2 * MARGIN), bool)
    mask[MARGIN:-MARGIN, MARGIN : MARGIN + arm] = True
    mask[-MARGIN - arm : -MARGIN, MARGIN:-MARGIN] = True
    return mask


def ell_hull(side: int, arm: int) -> int:
    """Lattice points in the hull of an L: the square without the triangle over its notch."""
    notch = side - arm
    return side**2 - notch * (notch + 1) // 2


def comb(teeth: int, tooth: int, gap: int, depth: int, spine: int) -> Mask:
    """Teeth under a spine: convexity exactly ``(W spine + teeth tooth depth) / (W (spine + depth))``.

    W is ``teeth * tooth + (teeth - 1) * gap``. Local width ``tooth`` in the teeth.
    """
    width = teeth * tooth + (teeth - 1) * gap
    inside = np.zeros((spine + depth, width), bool)
    inside[:spine] = True
    inside[:, np.arange(width) % (tooth + gap) < tooth] = True
    return np.pad(inside, MARGIN)


def line(rows: int, columns: int, offset: int = 0) -> Mask:
    """A one-pixel line that runs ``rows`` down and ``columns`` right (either may be negative).

    The naive line of Bresenham and Reveilles, one pixel per step of the longer axis, with ``offset``
    (of ``2 * max(|rows|, |columns|)``) as its start within the pixel: digitally convex, no hole.
    """
    long, short = max(abs(rows), abs(columns)), min(abs(rows), abs(columns))
    step = np.arange(long + 1)
    aside = (2 * step * short + long + offset) // (2 * long) if long else step
    down, right = (step, aside) if abs(rows) >= abs(columns) else (aside, step)
    mask = np.zeros((down.max() + 1, right.max() + 1), bool)
    mask[down, right] = True
    mask = np.pad(mask, MARGIN)
    return np.ascontiguousarray(mask[:: -1 if rows < 0 else 1, :: -1 if columns < 0 else 1])


def tree(size: float, width: float, levels: int = 4, angle: float = 90, phase: Phase = CENTRED) -> Mask:
    """A branching tree, every branch 0.75 of its parent, 32 degrees aside: one piece, local width ``width``."""
    y, x = offsets(2.4 * size, phase)
    result = np.zeros((y.size, x.size), bool)

    def grow(at: tuple[float, float], length: float, heading: float, level: int) -> None:
        end = (at[0] + length * math.sin(math.radians(heading)), at[1] + length * math.cos(math.radians(heading)))
        result[...] |= _capsule(y, x, at, end, width)
        if level > 1:
            for turn in (-32, 32):
                grow(end, 0.75 * length, heading + turn, level - 1)

    grow((-1.2 * size, 0.0), size, angle, levels)
    return result


def _capsule(y: Ints, x: Ints, start: Phase, end: Phase, width: float) -> Mask:
    """Pixels within ``width / 2`` of a segment."""
    ay, ax, by, bx = sub(start[0]), sub(start[1]), sub(end[0]), sub(end[1])
    half = sub(width / 2)
    dy, dx = by - ay, bx - ax
    square = dy**2 + dx**2
    along = (y - ay) * dy + (x - ax) * dx
    across = (y - ay) * dx - (x - ax) * dy
    near = (along >= 0) & (along <= square) & (across**2 <= half**2 * square)
    for py, px in ((ay, ax), (by, bx)):
        near |= (y - py) ** 2 + (x - px) ** 2 <= half**2
    return near
