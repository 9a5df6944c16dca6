"""One file to a LabelMap, by an encoding detected before."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.issues import Issue
from shapeprof.labelmap import LabelMap
from shapeprof.sources.encoding import Encoding
from shapeprof.sources.formats.decode import decode
from shapeprof.sources.values.apply_colour import colour_labels
from shapeprof.sources.values.apply_grey import grey_labels
from shapeprof.sources.values.apply_instances import object_labels


def label_map_of(
    data: bytes, relpath: str, encoding: Encoding, train_size: int | None = None
) -> tuple[LabelMap, tuple[Issue, ...]]:
    """The label map of a file with the bytes ``data``, and the issues with it."""
    raster = decode(data, relpath, encoding.max_pixels, encoding.pages)
    instances: NDArray[Any] | None = None
    issues: tuple[Issue, ...] = ()
    if encoding.instances:
        labels, instances = object_labels(raster, encoding)
    elif encoding.kind == "colour":
        labels, issues = colour_labels(raster, encoding, relpath)
    else:
        labels, issues = grey_labels(raster, encoding, relpath)
    if train_size is not None:
        labels = resize_nearest(labels, train_size)
        instances = None if instances is None else resize_nearest(instances, train_size)
    stored = raster.values.tobytes() if encoding.pages == "stack" else data  # many masks share a file then
    return LabelMap(labels, encoding.classes, relpath, instances, digest_of(stored)), issues


def digest_of(data: bytes) -> str:
    """BLAKE2b of bytes, 16 bytes in hex."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def resize_nearest(values: NDArray[Any], shorter: int) -> NDArray[Any]:
    """(H, W) array resized so that its shorter side is ``shorter`` pixels.

    Takes the source pixel below each target pixel's centre, in whole numbers, so the result does
    not depend on a library's rounding.
    """
    height, width = values.shape
    scale_to, scale_from = shorter, min(height, width)
    rows = max(1, (2 * height * scale_to + scale_from) // (2 * scale_from))
    columns = max(1, (2 * width * scale_to + scale_from) // (2 * scale_from))
    if (rows, columns) == (height, width):
        return values
    row = (2 * np.arange(rows) + 1) * height // (2 * rows)
    column = (2 * np.arange(columns) + 1) * width // (2 * columns)
    return np.asarray(values.take(row, axis=0).take(column, axis=1))
