"""Survival at best: the ceiling of logits at stride s, bilinear up-sampling and argmax.

The logits on the grid are optimised for the mask at hand: ``STEPS`` steps of Adam (Kingma and Ba
2015) on the cross-entropy of the up-sampled logits, from the logarithms of the linear protocol's
shares. The gradient is exact: bilinear up-sampling is linear, and its transpose hands every
pixel's residual to the four cells around it. Of all steps, every class takes the one with its
best IoU, or the linear protocol's result if that is better: in one image it is never below it.

So this is what some network could represent: a lower bound of the ceiling, close to it where
much survives, and no statement about what a network learns. It costs 200 to 400 times the linear
protocol, hence ``--survival-best``. Grid, phases, ignored pixels and ties are as in ``survival``;
padding matters for the start only, for what lies outside the image is not scored.

Only cells within ``REACH`` cells of a boundary move. Farther ones are sure already.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shapeprof.jit import kernel

from .linear import linear
from .runs import Classes, Objects, Runs
from .strides import STRIDES
from .survival import Survival

STEPS = 60
RATE = 0.3
REACH = 1  # cells around those that a boundary touches
LEAST_SHARE = 0.01  # under the logarithm


@kernel
def _argmax(values, near, count):  # type: ignore[no-untyped-def]
    """Class of the largest value; the first of equal ones."""
    winner = near[0]
    for j in range(1, count):
        if values[near[j]] > values[winner]:
            winner = near[j]
    return winner


@kernel
def _near(present, block, near):  # type: ignore[no-untyped-def]
    """Classes that can occur in a block, ascending; returns how many."""
    count = 0
    for c in range(near.size):
        if present[block[2], c] or present[block[3], c] or present[block[4], c] or present[block[5], c]:
            near[count] = c
            count += 1
    return count


@kernel
def _descend(rank, blocks, logits, free, present, pixels, s, top, left, steps, rate):  # type: ignore[no-untyped-def]
    """Adam on the up-sampled cross-entropy; per class the lost, gained and logits of its best step."""
    height, width = rank.shape
    n_classes = logits.shape[1]
    gradient, mean, square = np.zeros_like(logits), np.zeros_like(logits), np.zeros_like(logits)
    kept = np.empty((n_classes, logits.shape[0], n_classes))
    best, best_lost, best_gained = np.full(n_classes, -1.0), np.zeros(n_classes), np.zeros(n_classes)
    above, slope, value, residual = np.zeros((4, n_classes))
    at_left, at_right = np.zeros((2, n_classes))
    near = np.empty(n_classes, np.int64)
    for step in range(steps + 1):
        gradient[:] = 0
        lost, gained = np.zeros(n_classes), np.zeros(n_classes)
        for b in range(blocks.shape[0]):
            block = blocks[b]
            y0, x0 = block[0] * s + s // 2 - top, block[1] * s + s // 2 - left
            count = _near(present, block, near)
            i0, i1, i2, i3 = block[2], block[3], block[4], block[5]
            for y in range(max(0, y0), min(height, y0 + s)):
                fy = (y - y0 + 0.5) / s
                for j in range(count):
                    c = near[j]
                    above[c] = logits[i0, c] * (1 - fy) + logits[i2, c] * fy
                    slope[c] = logits[i1, c] * (1 - fy) + logits[i3, c] * fy - above[c]
                    at_left[c], at_right[c] = 0.0, 0.0
                for x in range(max(0, x0), min(width, x0 + s)):
                    truth = rank[y, x]
                    if truth < 0:
                        continue
                    fx = (x - x0 + 0.5) / s
                    for j in range(count):
                        value[near[j]] = above[near[j]] + slope[near[j]] * fx
                    winner = _argmax(value, near, count)
                    if winner != truth:
                        lost[truth] += 1
                        gained[winner] += 1
                    if count == 2:
                        other = near[0] + near[1] - truth
                        wrong = 1 / (1 + np.exp(value[truth] - value[other]))
                        residual[truth], residual[other] = -wrong, wrong
                    else:
                        total = 0.0
                        for j in range(count):
                            residual[near[j]] = np.exp(value[near[j]] - value[winner])
                            total += residual[near[j]]
                        for j in range(count):
                            residual[near[j]] /= total
                        residual[truth] -= 1
                    for j in range(count):
                        c = near[j]
                        at_left[c] += residual[c] * (1 - fx)
                        at_right[c] += residual[c] * fx
                for j in range(count):
                    c = near[j]
                    gradient[i0, c] += at_left[c] * (1 - fy)
                    gradient[i1, c] += at_right[c] * (1 - fy)
                    gradient[i2, c] += at_left[c] * fy
                    gradient[i3, c] += at_right[c] * fy
        for c in range(n_classes):
            iou = (pixels[c] - lost[c]) / max(1.0, pixels[c] + gained[c])
            if iou > best[c]:
                best[c], best_lost[c], best_gained[c] = iou, lost[c], gained[c]
                kept[c] = logits
        if step == steps:
            break
        small, large = 1 - 0.9 ** (step + 1), 1 - 0.999 ** (step + 1)
        for i in range(logits.shape[0]):
            if free[i]:
                for c in range(n_classes):
                    g = gradient[i, c]
                    mean[i, c] = 0.9 * mean[i, c] + 0.1 * g
                    square[i, c] = 0.999 * square[i, c] + 0.001 * g * g
                    logits[i, c] -= rate * (mean[i, c] / small) / (np.sqrt(square[i, c] / large) + 1e-8)
    return best_lost, best_gained, kept


@kernel
def _lose(rank, owner, blocks, kept, present, s, top, left, object_lost):  # type: ignore[no-untyped-def]
    """Add to every object the pixels that its class's best logits give to another class."""
    height, width = rank.shape
    n_classes = kept.shape[2]
    value = np.zeros(n_classes)
    near = np.empty(n_classes, np.int64)
    for b in range(blocks.shape[0]):
        block = blocks[b]
        y0, x0 = block[0] * s + s // 2 - top, block[1] * s + s // 2 - left
        count = _near(present, block, near)
        for y in range(max(0, y0), min(height, y0 + s)):
            fy = (y - y0 + 0.5) / s
            for x in range(max(0, x0), min(width, x0 + s)):
                truth = rank[y, x]
                if truth < 0 or owner[y, x] < 0:
                    continue
                fx = (x - x0 + 0.5) / s
                logits = kept[truth]
                for j in range(count):
                    c = near[j]
                    above = logits[block[2], c] * (1 - fy) + logits[block[4], c] * fy
                    below = logits[block[3], c] * (1 - fy) + logits[block[5], c] * fy
                    value[c] = above + (below - above) * fx
                if _argmax(value, near, count) != truth:
                    object_lost[owner[y, x]] += 1


def best(
    runs: Runs,
    objects: Objects,
    classes: Classes,
    wanted: NDArray[np.bool_] | None = None,
    strides: tuple[int, ...] = STRIDES,
    *,
    steps: int = STEPS,
    rate: float = RATE,
) -> Survival:
    """Survival under the best logits found, bilinear up-sampling and argmax.

    The counts of a class are those of the logits that suit it best, so that they need not add up
    over classes. ``wanted`` (m,): the masks to look at; None: all; zeros for the others. Columns
    follow ``strides``, each one of 2, 4, 8, 16, 32.
    """
    columns = [STRIDES.index(s) for s in strides]
    result = Survival(*(counts[:, columns] for counts in linear(runs, objects, classes, wanted)))
    for i in range(runs.width.size) if wanted is None else np.flatnonzero(wanted):
        first, end = classes.first[i], classes.first[i + 1]
        if end - first < 2:
            continue
        rank, owner = _paint(runs, objects, classes, int(i))
        pixels = classes.pixels[first:end]
        for k, s in enumerate(strides):
            sums = [_one_phase(rank, owner, pixels, objects, s, phase, steps, rate) for phase in (0, s // 2)]
            lost, gained, object_lost = (np.sum([one[j] for one in sums], axis=0) for j in range(3))
            before = (2 * pixels - result.lost[first:end, k]) / (2 * pixels + result.gained[first:end, k])
            better = first + np.flatnonzero((2 * pixels - lost) / (2 * pixels + gained) > before)
            result.lost[better, k], result.gained[better, k] = lost[better - first], gained[better - first]
            of_better = np.isin(classes.of_run[objects.first_run], better)
            result.object_lost[of_better, k] = object_lost[of_better]
    return result


def _paint(runs: Runs, objects: Objects, classes: Classes, i: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Place among the mask's classes (-1: ignored) and object of every pixel of mask i, (H, W)."""
    own, shape = runs.span(i), (int(runs.height[i]), int(runs.width[i]))
    lengths = runs.stop[own] - runs.start[own]
    return (
        np.repeat(classes.rank(runs, i), lengths).reshape(shape),
        np.repeat(objects.of_run[own], lengths).reshape(shape),
    )


def _one_phase(
    rank: NDArray[np.int32],
    owner: NDArray[np.int32],
    pixels: NDArray[np.int64],
    objects: Objects,
    s: int,
    phase: int,
    steps: int,
    rate: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    object_lost = np.zeros(objects.class_id.size, np.int64)
    height, width = rank.shape
    top, left = (-height % s) // 2 + phase, (-width % s) // 2 + phase
    shares = _shares(rank, pixels.size, s, top, left)
    blocks, cells, free = _neighbourhood(shares)
    if not len(blocks):
        return np.zeros_like(pixels), np.zeros_like(pixels), object_lost
    spread = np.ones((3, 3), np.uint8)
    layers = [cv2.dilate((layer > 0).astype(np.uint8), spread) > 0 for layer in np.moveaxis(shares, -1, 0)]
    present = np.stack([layer[cells] for layer in layers], axis=1)
    logits = np.log(np.maximum(shares[cells], LEAST_SHARE)).astype(np.float64)
    lost, gained, kept = _descend(rank, blocks, logits, free, present, pixels, s, top, left, steps, rate)
    _lose(rank, owner, blocks, kept, present, s, top, left, object_lost)
    return lost.astype(np.int64), gained.astype(np.int64), object_lost


def _shares(rank: NDArray[np.int32], n_classes: int, s: int, top: int, left: int) -> NDArray[np.float32]:
    """Class shares per cell, (rows, columns, k), edges replicated; all 0 where everything is ignored."""
    height, width = rank.shape
    padded = np.pad(rank, ((top, -(height + top) % s), (left, -(width + left) % s)), mode="edge")
    cells = padded.reshape(padded.shape[0] // s, s, padded.shape[1] // s, s)
    counts = np.stack([(cells == c).sum(axis=(1, 3)) for c in range(n_classes)], axis=-1)
    shares: NDArray[np.float32] = (counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)).astype(np.float32)
    return shares


def _neighbourhood(shares: NDArray[np.float32]) -> tuple[NDArray[np.int64], Any, NDArray[np.bool_]]:
    """What there is to do: the blocks of pixels between four cell centres near a boundary, and their cells.

    Returns blocks (n, 6): row and column of the block's first cell (-1 before the first), and the
    indices of its four cells; the cells as an index into the grid; and which of them are free.
    """
    rows, cols = shares.shape[:2]
    pure = np.where(shares.max(axis=-1) == 1, shares.argmax(axis=-1), -1)
    y, x = np.arange(-1, rows)[:, None], np.arange(-1, cols)[None, :]
    y0, y1, x0, x1 = y.clip(0), (y + 1).clip(max=rows - 1), x.clip(0), (x + 1).clip(max=cols - 1)
    corners = [pure[y0, x0], pure[y0, x1], pure[y1, x0], pure[y1, x1]]
    mixed = np.logical_or.reduce([(c != corners[0]) | (c < 0) for c in corners])
    free = mixed[1:, 1:] | mixed[1:, :-1] | mixed[:-1, 1:] | mixed[:-1, :-1]
    free = cv2.dilate(free.astype(np.uint8), np.ones((2 * REACH + 1,) * 2, np.uint8)) > 0
    active = free[y0, x0] | free[y0, x1] | free[y1, x0] | free[y1, x1]
    by, bx = np.nonzero(active)
    around = [(a[by, 0], b[0, bx]) for a, b in ((y0, x0), (y0, x1), (y1, x0), (y1, x1))]
    used = np.zeros((rows, cols), bool)
    for place in around:
        used[place] = True
    number = np.cumsum(used).reshape(rows, cols) - 1
    blocks = np.stack([by - 1, bx - 1, *(number[place] for place in around)], axis=1)
    return blocks.astype(np.int64), np.nonzero(used), free[used]
