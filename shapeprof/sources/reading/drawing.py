"""Regions to pixels, by one rule for every format.

A pixel belongs to a polygon when its centre does. Coordinates have pixel edges at whole numbers, so
the centre of the first pixel is (0.5, 0.5). Inside one ring even-odd decides; the rings of an object
are united. A centre that lies on an outline belongs to the side right of it or below it, so that
polygons which share an edge share no pixel and leave none out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shapeprof.sources.annotations.model import BAD_RLE, BadShape, Bitmap, Ellipse, Polygon, Region, RunLength, Shape
from shapeprof.sources.maskset import IGNORED_CATEGORY

OUTSIDE, COVERED = "no pixel centre of the image inside", "nothing left to see under smaller objects"
AT_ONCE = 1 << 20  # edges and rows looked at in one go: bounds the memory of an outline of any length
TOLERATED = 1.0  # chosen, px: outlines that leave the image by less are rounded, not wrong

Size = tuple[int, int]  # rows, columns
Box = tuple[int, int, int, int]  # half-open: first row, first column, end row, end column
Pixels = tuple[NDArray[np.bool_], int, int]  # (h, w) pixels, and the (row, column) of the first


@dataclass(frozen=True, slots=True)
class Drawn:
    """One mask and what was found while it was drawn."""

    labels: NDArray[np.uint8] | NDArray[np.uint16]  # (H, W) class ids, 0 for background
    instances: NDArray[np.uint16] | NDArray[np.uint32]  # (H, W) object ids in the order of regions, 0 for none
    problems: Counter[str]  # why regions, or parts of them, were not drawn
    clipped: int  # regions that reach beyond the image
    objects: int  # regions with visible pixels
    covered: int  # pixels in an object
    shared: int  # pixels in two objects or more
    crowds: int  # crowd regions among the regions


def draw(regions: Sequence[tuple[Region, int | None]], size: Size, *, most: int, crowd_ignored: bool) -> Drawn:
    """Paint regions, the largest first, so that smaller ones stay visible.

    Args:
        regions: each with its class id; None when its category is unknown. IGNORED_CATEGORY, and crowds
            with ``crowd_ignored``, become ignored pixels below all objects.
        size: of the image.
        most: the largest class id; decides between uint8 and uint16 labels.
    """
    problems: Counter[str] = Counter()
    shapes: list[tuple[bool, int, int, int, Pixels]] = []  # ignored, -area, number, class id, pixels
    clipped = crowds = 0
    for number, (region, class_id) in enumerate(regions, start=1):
        problems.update(region.problems)
        if region.shape is None or class_id is None:
            continue
        try:
            pixels = rasterise(region.shape, size)
        except BadShape as error:
            problems[str(error)] += 1
            continue
        area = int(np.count_nonzero(pixels[0]))
        clipped += area > 0 and _reaches_beyond(region.shape, size)
        crowds += region.crowd
        if not area:
            problems[OUTSIDE] += 1
            continue
        ignored = class_id == IGNORED_CATEGORY or (region.crowd and crowd_ignored)
        shapes.append((not ignored, -area, number, class_id, pixels))
    shapes.sort(key=lambda shape: shape[:3])
    kind = np.uint8 if most < 255 else np.uint16
    labels = np.zeros(size, kind)
    instances = np.zeros(size, np.uint16 if len(regions) < 65536 else np.uint32)
    depth = np.zeros(size, np.uint8)
    drawn = 0
    for is_object, _, number, class_id, (mask, row, column) in shapes:
        at = np.s_[row : row + mask.shape[0], column : column + mask.shape[1]]
        labels[at][mask] = class_id if is_object else np.iinfo(kind).max
        if is_object and class_id:
            instances[at][mask] = number
            depth[at] = np.minimum(depth[at] + mask, 2)
            drawn += 1
        else:
            instances[at][mask] = 0
    seen = np.unique(instances).size - int(not instances.all())
    if drawn > seen:
        problems[COVERED] += drawn - seen
    covered, shared = int(np.count_nonzero(depth)), int(np.count_nonzero(depth == 2))
    return Drawn(labels, instances, problems, clipped, seen, covered, shared, crowds)


def rasterise(shape: Shape, size: Size) -> Pixels:
    """The pixels of an image of ``size`` whose centres lie in a shape; raise BadShape."""
    if isinstance(shape, RunLength):
        return _cropped(_run_length(shape, size))
    if isinstance(shape, Bitmap):
        return _bitmap(shape, size)
    top, left, bottom, right = box = _box(shape, size)
    mask = np.zeros((bottom - top, right - left), np.bool_)
    if mask.size and isinstance(shape, Polygon):
        for ring in shape.rings:
            mask |= _inside_ring(ring, box)
    elif mask.size:
        mask = _inside_ellipse(shape, box)  # type: ignore[arg-type]
    return mask, top, left


def _inside_ring(ring: NDArray[np.float64], box: Box) -> NDArray[np.bool_]:
    """(h, w) pixels of ``box`` whose centres lie in a ring, by the even-odd rule.

    Every edge flips the pixels right of it in each row whose centre line it crosses; where an end of
    an edge lies on that line, the edge counts only if it goes on downwards.
    """
    top, left, bottom, right = box
    x0, y0 = ring.T
    x1, y1 = np.roll(ring, -1, axis=0).T
    first = np.clip(np.ceil(np.minimum(y0, y1) - 0.5), top, bottom).astype(np.int64)
    end = np.clip(np.ceil(np.maximum(y0, y1) - 0.5), top, bottom).astype(np.int64)
    crossings = np.cumsum(end - first)
    width = right - left + 1
    odd = np.zeros((bottom - top) * width, np.bool_)
    for edges in np.split(np.arange(first.size), np.flatnonzero(np.diff(crossings // AT_ONCE)) + 1):
        count = end[edges] - first[edges]
        edge = np.repeat(edges, count)
        row = np.arange(edge.size) - np.repeat(np.cumsum(count) - count, count) + first[edge]
        x = x0[edge] + (row + 0.5 - y0[edge]) * (x1 - x0)[edge] / (y1 - y0)[edge]
        column = np.clip(np.ceil(x - 0.5), left, right).astype(np.int64)
        flips = np.bincount((row - top) * width + column - left, minlength=odd.size)
        odd ^= (flips & 1).astype(np.bool_)
    return np.logical_xor.accumulate(odd.reshape(-1, width)[:, :-1], axis=1)


def _inside_ellipse(shape: Ellipse, box: Box) -> NDArray[np.bool_]:
    """(h, w) pixels of ``box`` whose centres lie in an ellipse or on it."""
    top, left, bottom, right = box
    y = np.arange(top, bottom)[:, None] + 0.5 - shape.y
    x = np.arange(left, right)[None, :] + 0.5 - shape.x
    cosine, sine = math.cos(shape.angle), math.sin(shape.angle)
    along, across = cosine * x + sine * y, cosine * y - sine * x
    inside = (along * shape.ry) ** 2 + (across * shape.rx) ** 2 <= (shape.rx * shape.ry) ** 2
    return np.asarray(inside & (shape.rx > 0) & (shape.ry > 0))


def _extent(shape: Polygon | Ellipse) -> tuple[float, float, float, float]:
    """(top, left, bottom, right) in pixels."""
    if isinstance(shape, Polygon):
        low = np.min([ring.min(axis=0) for ring in shape.rings], axis=0)
        high = np.max([ring.max(axis=0) for ring in shape.rings], axis=0)
        return float(low[1]), float(low[0]), float(high[1]), float(high[0])
    cosine, sine = math.cos(shape.angle), math.sin(shape.angle)
    half_x = math.hypot(shape.rx * cosine, shape.ry * sine)
    half_y = math.hypot(shape.rx * sine, shape.ry * cosine)
    return shape.y - half_y, shape.x - half_x, shape.y + half_y, shape.x + half_x


def _box(shape: Polygon | Ellipse, size: Size) -> Box:
    """The pixels of the image that a shape can touch."""
    top, left, bottom, right = _extent(shape)
    rows, columns = size
    first = min(max(math.floor(top), 0), rows), min(max(math.floor(left), 0), columns)
    end = min(max(math.ceil(bottom), 0), rows), min(max(math.ceil(right), 0), columns)
    return *first, max(end[0], first[0]), max(end[1], first[1])


def _reaches_beyond(shape: Shape, size: Size) -> bool:
    if isinstance(shape, RunLength | Bitmap):
        return False
    top, left, bottom, right = _extent(shape)
    return min(top, left) < -TOLERATED or bottom > size[0] + TOLERATED or right > size[1] + TOLERATED


def _bitmap(shape: Bitmap, size: Size) -> Pixels:
    """The part of a bitmap that lies in the image."""
    rows, columns = shape.pixels.shape
    top, left = min(max(shape.row, 0), size[0]), min(max(shape.column, 0), size[1])
    bottom, right = min(max(shape.row + rows, top), size[0]), min(max(shape.column + columns, left), size[1])
    part = shape.pixels[top - shape.row : bottom - shape.row, left - shape.column : right - shape.column]
    return part, top, left


def _run_length(shape: RunLength, size: Size) -> NDArray[np.bool_]:
    """The mask of COCO's run-length encoding; raise BadShape when it is not one of ``size``."""
    from pycocotools import mask

    compressed = isinstance(shape.counts, bytes)
    counts = compressed_counts(shape.counts) if isinstance(shape.counts, bytes) else list(shape.counts)
    # pycocotools leaves what the counts do not reach as memory happens to be.
    if shape.size != size or counts is None or min(counts, default=0) < 0 or sum(counts) != size[0] * size[1]:
        raise BadShape(BAD_RLE)
    height, width = shape.size
    coded = {"size": [height, width], "counts": shape.counts if compressed else counts}
    try:
        coded = coded if compressed else mask.frPyObjects(coded, height, width)
        return np.asarray(mask.decode(coded), np.bool_)
    except (ValueError, OverflowError, TypeError, MemoryError):
        raise BadShape(BAD_RLE) from None


def _cropped(mask: NDArray[np.bool_]) -> Pixels:
    """A copy of the bounding box of a mask: an image can have many objects, and whole masks would fill memory."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return mask[:0], 0, 0
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return part.copy(), int(rows[0]), int(columns[0])


def compressed_counts(text: bytes) -> list[int] | None:
    """The run lengths in a compressed RLE string; None when it is malformed.

    Each is written in groups of 5 bits, lowest first, as a character from code 48 on; 32 says that more
    follow, and 16 of the last one is the sign. From the fourth on they are differences to the one before
    the last.
    """
    counts: list[int] = []
    value = shift = 0
    for code in text:
        part = code - 48
        if not 0 <= part < 64 or shift > 30:
            return None
        value |= (part & 31) << shift
        shift += 5
        if not part & 32:
            value -= (part & 16) << (shift - 4) if part & 16 else 0
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    return counts if shift == 0 else None
