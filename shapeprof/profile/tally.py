"""The tally of a class: a vector of int64 counts with named parts.

Tallies add, so merging is exact, associative and independent of workers and order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.metrics.bins import LENGTH_BINS
from shapeprof.metrics.registry import histograms
from shapeprof.metrics.strides import STRIDES

SHARE_UNIT = 1 << 20  # fixed point for sums of shares
NEAR = (1, 2, 4)  # px

Counts = NDArray[np.int64]
Shape = tuple[int, ...]

ONE: Shape = ()
BY_GROUP: Shape = (2,)  # 0: truncated objects, 1: untruncated ones
BY_STRIDE: Shape = (len(STRIDES),)

# over all masks
_CLASS: dict[str, Shape] = {
    "images": ONE,  # images that hold the class
    "pixels": ONE,
    "found": ONE,  # objects
    "below_floor": ONE,
    "ignored_edges": ONE,  # pixel edges of all objects beyond which lies an ignored pixel; of crofton[0] edges
    "crofton": (2,),  # intercept counts: axis-parallel, diagonal
}
# over measured objects
_MEASURED: dict[str, Shape] = {
    "truncated": ONE,
    "borders_ignored": ONE,
    "area_measured": BY_GROUP,
    "reliable": BY_GROUP,  # objects of at least RELIABLE_AREA px
    "hole_count": ONE,
    "with_holes": ONE,
    "hole_area": ONE,  # pixels
    "in_pieces": ONE,
    "touching": ONE,
    "nearest_lost": BY_STRIDE,
    "nearest_gained": BY_STRIDE,
    "nearest_share": BY_STRIDE,  # sum over objects, in 1 / SHARE_UNIT
    "nearest_kept": BY_STRIDE,  # objects that keep at least half of their pixels
}
# over the masks of the sample
_SAMPLED: dict[str, Shape] = {
    "judged": ONE,  # measured objects of at least 200 px: those that can be suspected
    "suspected_merged": ONE,
    "width_pixels": (LENGTH_BINS,),  # pixels by local width
    "near_boundary": (len(NEAR),),  # pixels within NEAR px of a pixel outside their object, of those in width_pixels
}
# protocol of survival -> prefix of the parts that count the masks, pixels and objects it was computed on
BASIS = {"linear": "sampled", "best": "best"}


def _protocol(protocol: str, basis: str) -> dict[str, Shape]:
    """The parts of a protocol of survival that is computed on some masks only, and what these hold."""
    return {
        **{f"{basis}_{what}": ONE for what in ("images", "pixels", "objects", "reliable")},
        **{f"{protocol}_{what}": BY_STRIDE for what in ("lost", "gained", "share", "kept", "kept_reliable")},
    }


def _histograms() -> dict[str, Shape]:
    """The histograms of metrics over measured objects, (truncated, untruncated); see ``Metric.shows_by_area``."""
    shapes: dict[str, Shape] = {}
    for metric in histograms():
        assert metric.bins is not None
        keys = [metric.key, f"{metric.key}_reliable", f"{metric.key}_area"] if metric.shows_by_area else [metric.key]
        shapes |= dict.fromkeys(keys, (2, metric.bins.number))
    return shapes


def _layout() -> dict[str, tuple[slice, Shape]]:
    parts = {**_CLASS, **_MEASURED, **_histograms(), **_SAMPLED}
    for protocol, basis in BASIS.items():
        parts |= _protocol(protocol, basis)
    table, at = {}, 0
    for name, shape in parts.items():
        size = math.prod(shape)
        table[name] = (slice(at, at + size), shape)
        at += size
    return table


LAYOUT = _layout()  # name of each part -> where it lies in a tally, and its shape
TALLY_SIZE = max(where.stop for where, _ in LAYOUT.values())


def part(tally: NDArray[Any], name: str) -> NDArray[Any]:
    """A view of one named part of a tally, in its own shape."""
    where, shape = LAYOUT[name]
    return tally[where].reshape(shape)


def new_tally() -> Counts:
    """A tally of nothing."""
    return np.zeros(TALLY_SIZE, np.int64)


def add_tallies(into: dict[int, Counts], other: Mapping[int, Counts]) -> None:
    """Add ``other`` to ``into``, class by class."""
    for class_id, tally in other.items():
        if class_id in into:
            into[class_id] += tally
        else:
            into[class_id] = tally.copy()


def merge_tallies(parts: Iterable[Mapping[int, Counts]]) -> dict[int, Counts]:
    """Sum of tallies by class id."""
    merged: dict[int, Counts] = {}
    for tallies in parts:
        add_tallies(merged, tallies)
    return dict(sorted(merged.items()))
