"""The declarations of all metrics against what is measured: every column, its type, its range, where it is defined."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shapeprof.labelmap import LabelMap
from shapeprof.metrics.metric import Metric
from shapeprof.metrics.registry import all_metrics
from shapeprof.metrics.strides import STRIDES
from tests.metrics.images import IGNORE, OneMask, label_map, measure_one, random_labels
from tests.shapes import Mask, annulus, comb, crescent, disc, ell, ellipse, line, rectangle, star, strip, tree


def scene() -> NDArray[np.uint8]:
    """Every shape there is, side by side, with class ids from 1."""
    shapes: list[Mask] = [
        disc(12), ellipse(20, 7, 30), rectangle(30, 9, 60), star(20), annulus(14, 6), crescent(15, 9),
        ell(20, 5), comb(4, 3, 4, 12, 3), line(20, 31), tree(14, 3, 3), strip(2, 20, 40), disc(0.5),
    ]  # fmt: skip
    height = max(shape.shape[0] for shape in shapes)
    columns = []
    for k, shape in enumerate(shapes):
        columns.append(np.pad(shape * np.uint8(k + 1), ((0, height - shape.shape[0]), (0, 0))))
    return np.concatenate(columns, axis=1)


def with_instances() -> LabelMap:
    ids = random_labels(8, (60, 77), 9, noise=0.01, grain=11).astype(np.uint16) * 4096
    return label_map(ids > 0, instances=ids)


def wide() -> NDArray[np.uint16]:
    labels = random_labels(9, (50, 60), 5, ignored=0.1, grain=9).astype(np.uint16)
    return np.where(labels == IGNORE, 65_535, labels * 16_000).astype(np.uint16)


MASKS: dict[str, Callable[[], LabelMap]] = {
    "shapes": lambda: label_map(scene()),
    "blobs": lambda: label_map(random_labels(1, (90, 120), 4, noise=0.0, grain=17)),
    "noise": lambda: label_map(random_labels(2, (40, 50), 4, noise=1.0)),
    "ignored": lambda: label_map(random_labels(3, (70, 61), 4, ignored=0.3, grain=10)),
    "no background": lambda: label_map(random_labels(4, (70, 61), 4, grain=20), background=None),
    "instances": with_instances,
    "uint16": lambda: label_map(wide()),
    "one pixel": lambda: label_map(np.ones((1, 1), np.uint8)),
    "one row": lambda: label_map(random_labels(5, (1, 50), 3, noise=0.5)),
    "one column": lambda: label_map(random_labels(6, (50, 1), 3, noise=0.5)),
    "full": lambda: label_map(np.ones((130, 140), np.uint8)),
    "no object": lambda: label_map(np.zeros((20, 30), np.uint8)),
    "all ignored": lambda: label_map(np.full((20, 30), IGNORE, np.uint8)),
}
EMPTY = {"no object", "all ignored"}


@cache
def measured_mask(name: str, sampled: bool = True, thickness: bool = False) -> OneMask:
    return measure_one(MASKS[name](), sampled=sampled, thickness=thickness)


columns = pytest.mark.parametrize("column", all_metrics(), ids=lambda column: column.name)
masks = pytest.mark.parametrize("mask", MASKS)


def test_no_name_is_declared_twice() -> None:
    names = [column.name for column in all_metrics()]
    assert len(set(names)) == len(names)


@columns
def test_every_column_is_described(column: Metric) -> None:
    assert column.meaning
    assert column.unit in ("", "px", "1/px")
    assert np.dtype(column.dtype).name == column.dtype
    assert column.low is not None


@masks
def test_the_rows_are_the_declared_columns(mask: str) -> None:
    """The same columns in the same order, all of one length."""
    rows = measured_mask(mask).rows
    assert list(rows) == [column.name for column in all_metrics()]
    assert len({values.shape for values in rows.values()}) == 1
    assert (rows["area"].size == 0) == (mask in EMPTY)


@columns
@masks
def test_type_and_range(mask: str, column: Metric) -> None:
    values = measured_mask(mask).rows[column.name]
    assert values.dtype == np.dtype(column.dtype)
    assert not np.isnan(values.astype(float)).any(), "everything is defined in the sample"
    if column.low is not None:
        assert (values >= column.low).all()
    if column.high is not None:
        assert (values <= column.high).all()


@columns
@masks
def test_undefined_only_where_documented(mask: str, column: Metric) -> None:
    values = measured_mask(mask, sampled=False).rows[column.name]
    assert values.dtype == np.dtype(column.dtype)
    undefined = np.isnan(values.astype(float))
    assert undefined.all() if column.undefined != "never" else not undefined.any()


@masks
def test_thickness_defines_local_width_outside_the_sample(mask: str) -> None:
    measurement = measured_mask(mask, sampled=False, thickness=True)
    assert measurement.linear_lost is None
    np.testing.assert_array_equal(
        measurement.rows["local_width"], measured_mask(mask, sampled=True).rows["local_width"]
    )


@columns
@masks
def test_the_sample_changes_nothing_else(mask: str, column: Metric) -> None:
    if column.undefined == "never":
        a, b = (measured_mask(mask, sampled=sampled).rows[column.name] for sampled in (True, False))
        np.testing.assert_array_equal(a, b)


@masks
def test_the_columns_agree_with_each_other(mask: str) -> None:
    rows: dict[str, Any] = measured_mask(mask).rows
    label = MASKS[mask]().labels
    height, width = rows["max_row"] - rows["min_row"], rows["max_col"] - rows["min_col"]
    assert (rows["area"] <= rows["hull_area"]).all()
    assert (rows["hull_area"] <= height * width).all()
    assert (rows["box_length"] == np.maximum(height, width)).all()
    assert (rows["feret_max"] >= rows["box_length"]).all()
    assert (rows["feret_max"] <= np.hypot(height, width) + 1e-9).all()
    assert (rows["max_row"] <= label.shape[0]).all()
    assert (rows["max_col"] <= label.shape[1]).all()
    assert (rows["measured"] == (rows["area"] >= 32)).all()
    touches = (rows["min_row"] == 0) | (rows["min_col"] == 0)
    touches |= (rows["max_row"] == label.shape[0]) | (rows["max_col"] == label.shape[1])
    assert (rows["truncated"] == touches).all()
    if MASKS[mask]().instances is None:
        assert rows["object_id"].tolist() == list(range(1, rows["area"].size + 1))


@masks
def test_the_mask_as_a_whole(mask: str) -> None:
    measurement, labels = measured_mask(mask), MASKS[mask]().labels
    ignored = int((labels == MASKS[mask]().ignore_index).sum())
    assert measurement.size == labels.shape
    assert measurement.ignored == ignored
    assert sum(sums.pixels for sums in measurement.classes.values()) == labels.size - ignored
    assert sorted(measurement.classes) == sorted(set(labels.ravel().tolist()) - {MASKS[mask]().ignore_index})


@pytest.mark.parametrize("floor", [1, 32, 100, 10_000])
def test_the_floor(floor: int) -> None:
    rows = measure_one(MASKS["shapes"](), floor=floor).rows
    assert rows["measured"].tolist() == (rows["area"] >= floor).tolist()


def test_strides_have_a_column_each() -> None:
    names = {column.name for column in all_metrics()}
    assert {f"survival_nearest_{s}" for s in STRIDES} <= names
