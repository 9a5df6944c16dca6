"""Which object it is, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.metrics.metric import metric

if TYPE_CHECKING:
    from shapeprof.metrics.geometry import Geometry


@metric("class_id", "int32", low=0)
def class_id(geometry: Geometry) -> NDArray[Any]:
    """Id of the class."""
    return geometry.objects.class_id


@metric("object_id", "int64", low=0, invariant=False)
def object_id(geometry: Geometry) -> NDArray[Any]:
    """Instance id, or the object's number in its mask, from 1, row by row."""
    objects = geometry.objects
    if geometry.runs.by_instance:
        return objects.instance
    before = np.searchsorted(objects.of_map, np.arange(geometry.runs.width.size))
    numbers: NDArray[np.int64] = np.arange(1, objects.of_map.size + 1) - before[objects.of_map]
    return numbers


@metric("min_row", "int32", unit="px", low=0, invariant=False)
def min_row(geometry: Geometry) -> NDArray[Any]:
    """First row of its box; boxes are half-open."""
    return geometry.box[:, 0]


@metric("min_col", "int32", unit="px", low=0, invariant=False)
def min_col(geometry: Geometry) -> NDArray[Any]:
    """First column of its box."""
    return geometry.box[:, 1]


@metric("max_row", "int32", unit="px", low=1, invariant=False)
def max_row(geometry: Geometry) -> NDArray[Any]:
    """One past the last row of its box."""
    return geometry.box[:, 2]


@metric("max_col", "int32", unit="px", low=1, invariant=False)
def max_col(geometry: Geometry) -> NDArray[Any]:
    """One past the last column of its box."""
    return geometry.box[:, 3]
