"""Masks measured together are measured as each alone; ignored pixels have a width of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shapeprof.metrics.bins import length_bin
from shapeprof.metrics.measure import Measurements, measure
from shapeprof.profile.counts import tally
from shapeprof.profile.extremes import extremes, merge_extremes
from shapeprof.profile.profile import merge_nesting
from shapeprof.profile.tally import merge_tallies
from shapeprof.sources.run_length import encode
from tests.metrics.images import IGNORE, label_map, random_labels
from tests.shapes import annulus, disc

SIZES = [(40, 50), (1, 1), (33, 7), (1, 60), (64, 64), (90, 41), (5, 5)]


def masks(instances: bool) -> list[Any]:
    """Masks of all sizes, some with ignored pixels, one all ignored, one without an object, one with holes."""
    arrays: list[NDArray[np.uint8]] = [
        random_labels(k, size, 4, ignored=0.1 * (k % 2), noise=0.03 * (k % 3), grain=3 + 4 * k)
        for k, size in enumerate(SIZES)
    ]
    ring = annulus(20, 11).astype(np.uint8)
    ring[disc(3).nonzero()[0] + 15, disc(3).nonzero()[1] + 15] = 2
    arrays += [np.full((9, 12), IGNORE, np.uint8), np.zeros((12, 9), np.uint8), ring]
    made = []
    for k, labels in enumerate(arrays):
        ids = (np.arange(labels.size).reshape(labels.shape) // 37 % 5).astype(np.uint16)
        made.append(encode(label_map(labels, instances=ids if instances else None, path=f"{k}.png")))
    return made


def together(instances: bool, background: int | None) -> tuple[Measurements, list[Measurements]]:
    """The masks measured at once, and each alone; two of three are sampled, one is measured at best."""
    maps = masks(instances)
    sampled = np.arange(len(maps)) % 3 != 1
    best = np.arange(len(maps)) == 2
    alone = [
        measure([m], background, sampled=sampled[k : k + 1], with_best=best[k : k + 1], floor=5)
        for k, m in enumerate(maps)
    ]
    return measure(maps, background, sampled=sampled, with_best=best, floor=5), alone


@pytest.mark.parametrize("background", [0, 2, None])
@pytest.mark.parametrize("instances", [False, True], ids=["semantic", "instances"])
def test_masks_measured_together_are_measured_as_each_alone(instances: bool, background: int | None) -> None:
    whole, alone = together(instances, background)
    assert whole.paths == tuple(path for one in alone for path in one.paths)
    for name, column in whole.rows.items():
        expected = np.concatenate([one.rows[name] for one in alone])
        np.testing.assert_array_equal(column, expected, name)
        assert column.dtype == expected.dtype
    np.testing.assert_array_equal(whole.size, np.concatenate([one.size for one in alone]))
    np.testing.assert_array_equal(whole.ignored, np.concatenate([one.ignored for one in alone]))
    np.testing.assert_array_equal(whole.void_width_pixels, np.sum([one.void_width_pixels for one in alone], axis=0))
    for protocol in ("nearest", "linear", "best"):
        for k, counts in enumerate(getattr(whole, protocol)):
            expected = np.concatenate([getattr(one, protocol)[k] for one in alone])
            np.testing.assert_array_equal(counts, expected, protocol)
    assert whole.nesting == merge_nesting([one.nesting for one in alone])
    if background == 0 and not instances:
        assert (1, 2) in whole.nesting


@pytest.mark.parametrize("background", [0, None])
@pytest.mark.parametrize("instances", [False, True], ids=["semantic", "instances"])
def test_they_are_counted_as_each_alone(instances: bool, background: int | None) -> None:
    whole, alone = together(instances, background)
    totals, sample = tally(whole)
    np.testing.assert_equal(totals, merge_tallies([tally(one)[0] for one in alone]))
    np.testing.assert_equal(sample, [each for one in alone for each in tally(one)[1]])
    merged: Any = {}
    for one in alone:
        merged = merge_extremes(merged, extremes(one))
    assert merge_extremes({}, extremes(whole)) == merged


def test_the_width_of_a_void_band() -> None:
    """A square within a band of five ignored pixels; only sampled masks are looked at."""
    labels = np.zeros((60, 60), np.uint8)
    labels[10:50, 10:50] = IGNORE
    labels[15:45, 15:45] = 1
    maps = [encode(label_map(labels))] * 2
    found = measure(maps, 0, sampled=np.array([True, False]))
    assert found.void_width_pixels.sum() == 40 * 40 - 30 * 30
    middle = np.searchsorted(np.cumsum(found.void_width_pixels), found.void_width_pixels.sum() / 2)
    assert middle == length_bin(np.array([5.0]))[0]
    assert found.rows["ignored_edges"].tolist() == [120, 120]
