"""Object ids: every value but one is an object of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.sources.encoding import Encoding
from shapeprof.sources.formats.raster import Raster, equal_channels, pack

from .instance_ids import numbered_labels


def object_labels(raster: Raster, encoding: Encoding) -> tuple[NDArray[Any], NDArray[Any]]:
    """((H, W) labels: 0 background, 1 object, or class ids where values hold these; (H, W) object ids, 0 for none).

    The largest value of the labels' type is ignored.
    """
    values = _ids(raster)
    if encoding.divisor:
        return numbered_labels(values, encoding)
    background = encoding.mapping[0][0]
    if background == 0 and not encoding.ignored:
        return (values != 0).view(np.uint8), _narrowed(values)
    outside = values == background
    if background != 0:  # 0 is an object then, and needs an id
        values = np.where(values == 0, values.max() + np.uint32(1), values)
    for raw in encoding.ignored:
        outside = outside | (values == raw)
    labels = np.where(outside, 0, 1).astype(np.uint8)
    for raw in encoding.ignored:
        labels[values == raw] = 255
    if outside.any():
        values = np.where(outside, 0, values)
    return labels, _narrowed(values)


def _narrowed(values: NDArray[Any]) -> NDArray[Any]:
    small = values.dtype.itemsize <= 2 or int(values.max()) <= 65535
    return values.astype(np.uint16 if small else np.uint32, copy=False)


def _ids(raster: Raster) -> NDArray[Any]:
    if not raster.is_colour:
        return raster.values
    if equal_channels(raster.values):
        return np.ascontiguousarray(raster.values[..., 0])
    return pack(raster.values)
