"""One panoptic mask as COCO stores it: segments are objects, and their categories the classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.errors import UnreadableMask
from shapeprof.issues import Issue
from shapeprof.labelmap import LabelMap
from shapeprof.sources.encoding import Encoding
from shapeprof.sources.formats.decode import decode
from shapeprof.sources.formats.raster import pack
from shapeprof.sources.formats.stored_bytes import read_bytes
from shapeprof.sources.layouts.panoptic import CROWD, listed_segments, reloaded_segments

from .files import digest_of


def read_panoptic(root: Path, path: str, encoding: Encoding) -> tuple[LabelMap, tuple[Issue, ...]]:
    """One mask: labels are classes, 255 (or 65535) ignored; instances are segment ids.

    Raises:
        UnreadableMask: it can't be decoded, or its segments are not listed.
    """
    data = read_bytes(root, path)
    raster = decode(data, path, encoding.max_pixels)
    segments = reloaded_segments(root / encoding.document, path)
    listed = listed_segments(segments, path)
    if listed is None:
        text = f"{encoding.document} lists no segments of it; expected an annotation with its file_name"
        raise UnreadableMask(path, "no-segments", text)
    found, which = np.unique(_ids(raster.values), return_inverse=True)
    class_of = dict(encoding.mapping)
    dtype, ignored = (np.uint8, 255) if len(class_of) < 255 else (np.uint16, 65535)
    category_of = dict(listed.tolist())
    classes = [class_of.get(category_of.get(int(id_), CROWD), ignored) for id_ in found]
    labels = np.array(classes, dtype)[which].reshape(raster.values.shape[:2])
    unknown = [int(id_) for id_ in found if id_ and int(id_) not in category_of]
    issues: tuple[Issue, ...] = ()
    if unknown:
        share = float(np.isin(which, np.flatnonzero(np.isin(found, unknown))).mean())
        text = (
            f"{len(unknown)} of its segments (such as {unknown[0]}, on {share:.2%} of it together) are not listed in "
            f"{encoding.document}; those pixels are ignored"
        )
        issues = (Issue("warning", "unlisted-segment", text, path),)
    instances = found.astype(np.uint32)[which].reshape(labels.shape)
    return LabelMap(labels, encoding.classes, path, np.where(labels == ignored, 0, instances), digest_of(data)), issues


def _ids(values: NDArray[Any]) -> NDArray[Any]:
    """(H, W) segment ids of B, G, R colours, or of grey values (colours with three equal channels)."""
    if values.ndim == 2:
        return values.astype(np.uint32) * np.uint32(0x010101 if values.dtype == np.uint8 else 1)
    packed = pack(values)
    return packed >> 16 | packed & 0xFF00 | (packed & 0xFF) << 16
