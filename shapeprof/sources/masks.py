"""One file to a LabelMap, by an encoding detected before."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.labelmap import Issue, LabelMap
from shapeprof.sources.annotations.source import AnnotationSource
from shapeprof.sources.apply_colour import colour_labels
from shapeprof.sources.apply_grey import grey_labels
from shapeprof.sources.apply_instances import object_labels
from shapeprof.sources.decode import decode
from shapeprof.sources.encoding import Encoding
from shapeprof.sources.survey import read_bytes


def read_mask(
    folder_root: Path, relpath: str, encoding: Encoding, train_size: int | None = None
) -> tuple[LabelMap, tuple[Issue, ...]]:
    """Read one mask and what is odd about it; raise UnreadableMask when it does not fit ``encoding``.

    ``train_size``: the length in pixels that the shorter side is resized to, by nearest neighbour.
    """
    if encoding.drawing is not None:
        return _drawn(folder_root, relpath, encoding, encoding.drawing, train_size)
    return label_map_of(read_bytes(folder_root, relpath), relpath, encoding, train_size)


def _drawn(
    folder_root: Path, relpath: str, encoding: Encoding, drawing: AnnotationSource, train_size: int | None
) -> tuple[LabelMap, tuple[Issue, ...]]:
    """``read_mask`` of annotations; the digest is that of the pixels."""
    from shapeprof.sources.annotations.read import draw_mask

    drawn, issues = draw_mask(folder_root, relpath, drawing)
    labels, instances = drawn.labels, drawn.instances if drawing.instances else None
    digest = digest_of(repr(labels.shape).encode() + labels.tobytes() + drawn.instances.tobytes())
    if train_size is not None:
        labels = resize_nearest(labels, train_size)
        instances = None if instances is None else resize_nearest(instances, train_size)
    return LabelMap(labels, encoding.classes, relpath, instances, digest), issues


def label_map_of(
    data: bytes, relpath: str, encoding: Encoding, train_size: int | None = None
) -> tuple[LabelMap, tuple[Issue, ...]]:
    """``read_mask`` of a file whose bytes were read."""
    raster = decode(data, relpath)
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
    return LabelMap(labels, encoding.classes, relpath, instances, digest_of(data)), issues


def digest_of(data: bytes) -> str:
    """BLAKE2b of a file's bytes, 16 bytes in hex."""
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
