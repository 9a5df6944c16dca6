"""Extreme objects: which are kept, and that merging does not depend on order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shapeprof.profile.extremes import EXTREMES, EXTREMES_KEPT, merge_extremes
from shapeprof.profile.extremes import extremes as extremes_of
from tests.metrics.images import label_map, measure_one, measured
from tests.shapes import disc

from .test_counts import measured_set


@pytest.mark.slow
@settings(deadline=None, max_examples=20)
@given(st.permutations(range(6)), st.integers(1, 5))
def test_extremes_do_not_depend_on_order_or_grouping(order: list[int], cut: int) -> None:
    found = [extremes_of(m.whole) for m in measured_set(3)]

    def merge_all(parts: list[Any]) -> Any:
        result: Any = {}
        for one in parts:
            result = merge_extremes(result, one)
        return result

    shuffled = [found[k] for k in order]
    grouped = merge_extremes(merge_all(shuffled[:cut]), merge_all(shuffled[cut:]))
    assert grouped == merge_all(found)
    assert any(kinds["largest"] for kinds in grouped.values())


@settings(deadline=None, max_examples=20)
@given(st.permutations(range(7)))
def test_equal_extremes_go_by_path_then_box(order: list[int]) -> None:
    twice = np.concatenate([disc(12)] * 2, axis=1)
    found = [extremes_of(measure_one(label_map(twice, path=f"{k}.png")).whole) for k in range(7)]
    merged: Any = {}
    for k in order:
        merged = merge_extremes(merged, found[k])
    for kept in merged[1].values():
        assert [extreme.path for extreme in kept] == ["0.png", "0.png", "1.png"]
        assert kept[0].box[1] < kept[1].box[1]


def test_only_whole_objects_of_200_px_or_more_are_kept() -> None:
    labels = np.zeros((120, 120), np.uint8)
    labels[:30, :30] = 1  # cut by the border
    labels[50:64, 50:64] = 1  # 196 px
    labels[80:95, 20:35] = 1  # 225 px
    kept = extremes_of(measured(labels).whole)[1]
    assert set(kept) == set(EXTREMES)
    for found in kept.values():
        assert [extreme.box for extreme in found] == [(80, 20, 95, 35)]


def test_the_largest_come_first_and_few_are_kept() -> None:
    labels = np.zeros((40, 400), np.uint8)
    for k in range(6):
        labels[5 : 20 + 2 * k, 20 + 60 * k : 50 + 60 * k] = 1
    largest = extremes_of(measured(labels).whole)[1]["largest"]
    assert [extreme.value for extreme in largest] == [750, 690, 630]
    assert len(largest) == EXTREMES_KEPT
