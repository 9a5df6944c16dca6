"""The statistics of one class from a tally made by hand, where every answer is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from shapeprof.metrics.bins import LENGTH, UNIT
from shapeprof.metrics.registry import histograms
from shapeprof.metrics.strides import STRIDES
from shapeprof.profile.class_view import ClassView
from shapeprof.profile.tally import SHARE_UNIT, new_tally, part


def view_of(**parts: Any) -> ClassView:
    counts = new_tally()
    for name, value in parts.items():
        part(counts, name)[...] = value
    return ClassView(1, "thing", counts)


def lengths(*values: float, truncated: bool = False) -> np.ndarray[Any, np.dtype[np.int64]]:
    histogram = np.zeros((2, LENGTH.number), np.int64)
    np.add.at(histogram, (0 if truncated else 1, LENGTH.bin_of(np.array(values))), 1)
    return histogram


def test_quantiles_by_key() -> None:
    view = view_of(feret=lengths(4, 8, 16))
    assert [view.quantile("feret", q) for q in (0, 0.5, 1)] == [4, 8, 16]
    assert math.isnan(view.quantile("area", 0.5))


def test_quantiles_of_local_width_are_over_pixels() -> None:
    view = view_of(width_pixels=lengths(2, 2, 2, 32)[1])
    assert view.quantile("width_pixels", 0.5) == 2
    assert view.quantile("width_pixels", 1) == 32


def test_convexity_by_objects_and_by_area() -> None:
    by_objects, by_area = np.zeros((2, 2, UNIT.number), np.int64)
    by_objects[1, [250, -1]] = 1, 2
    by_area[1, [250, -1]] = 10_000, 500
    view = view_of(convexity=by_objects, convexity_area=by_area)
    assert view.convexity(0.5) == view.quantile("convexity", 0.5) == 1
    assert view.convexity(0.5, "area") == view.quantile("convexity", 0.5, "area") == pytest.approx(0.501)


@pytest.mark.parametrize(
    ("name", "weight"),
    [("hole_count", "objects"), ("nonsense", "objects"), ("feret", "area"), ("width_pixels", "area")],
)
def test_what_has_no_histogram_says_how_to_get_one(name: str, weight: str) -> None:
    with pytest.raises(ValueError, match="declare bins"):
        view_of().quantile(name, 0.5, weight)


def test_the_basis_is_untruncated_objects_while_they_hold_half_of_the_area() -> None:
    both = lengths(4) + lengths(64, 64, truncated=True)
    assert view_of(box_length=both, area_measured=[99, 100]).quantile("box_length", 1) == 4
    assert view_of(box_length=both, area_measured=[100, 100]).quantile("box_length", 1) == 4
    assert view_of(box_length=both, area_measured=[101, 100]).quantile("box_length", 1) == 64


def test_found_and_measured() -> None:
    view = view_of(found=10, below_floor=3)
    assert (view.found, view.measured) == (10, 7)


def test_shares() -> None:
    view = view_of(
        found=10, below_floor=2, touching=4, judged=5, suspected_merged=1, crofton=[40, 50], ignored_edges=10
    )
    assert view.touching_share == 0.5
    assert view.suspected_merged_share == 0.2
    assert view.ignored_boundary_share == 0.25
    assert view.perimeter == pytest.approx(math.pi / 8 * (40 + 50 / math.sqrt(2)))


def test_the_share_near_a_boundary() -> None:
    view = view_of(width_pixels=np.eye(1, LENGTH.number, dtype=np.int64)[0] * 100, near_boundary=[20, 50, 80])
    assert [view.near_boundary(d) for d in (1, 2, 4)] == [0.2, 0.5, 0.8]


def test_survival_is_the_iou_over_two_phases() -> None:
    view = view_of(pixels=100, nearest_lost=[0, 20, 40, 100, 200], nearest_gained=[0, 20, 0, 0, 0])
    assert [view.survival(s, "nearest") for s in (1, *STRIDES)] == pytest.approx([1, 1, 180 / 220, 0.8, 0.5, 0])
    assert math.isnan(view.survival(2, "linear"))


def test_recall_and_share_per_object() -> None:
    share = np.array([1, 0.75, 0.5, 0.25, 0]) * SHARE_UNIT * 8
    view = view_of(
        found=8, sampled_objects=8, sampled_reliable=4, linear_kept=[8, 6, 4, 2, 0],
        linear_kept_reliable=[4, 4, 2, 1, 0], linear_share=share, nearest_kept=[8, 8, 8, 8, 4],
    )  # fmt: skip
    assert [view.recall(s) for s in (1, *STRIDES)] == [1, 1, 1, 0.5, 0.25, 0]
    assert [view.recall(s, reliable=False) for s in STRIDES] == [1, 0.75, 0.5, 0.25, 0]
    assert [view.per_object(s) for s in STRIDES] == [1, 0.75, 0.5, 0.25, 0]
    assert view.recall(32, "nearest") == 0.5
    assert math.isnan(view.recall(32, "best"))


@pytest.mark.parametrize("key", [m.key for m in histograms()])
def test_a_class_of_nothing_has_no_quantile(key: str) -> None:
    assert math.isnan(view_of().quantile(key, 0.5))
