"""Runs and objects: components, instances, ignored neighbours and order against scikit-image and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from skimage.measure import label

from shapeprof.runmap import IGNORED
from tests.metrics.images import IGNORE, found, label_images, measured, owner_map, reference_owner

EIGHT = np.ones((3, 3), bool)


def first_pixels(owner: NDArray[np.int64]) -> list[int]:
    """Index of the first pixel (row by row) of every object."""
    numbers, first = np.unique(owner, return_index=True)
    return [int(at) for n, at in zip(numbers, first, strict=True) if n >= 0]


# -- semantic masks


@pytest.mark.parametrize("background", [0, 2, None])
@settings(deadline=None, max_examples=60)
@given(label_images())
def test_objects_are_the_components_of_scikit_image(background: int | None, labels: NDArray[np.uint8]) -> None:
    runs, objects = found(labels, background)
    for class_id in set(np.unique(labels)) - {background, IGNORE}:
        count = label(labels == class_id, connectivity=2, return_num=True)[1]
        assert np.count_nonzero(objects.class_id == class_id) == count
    np.testing.assert_array_equal(owner_map(runs, objects), reference_owner(labels, background))
    assert not set(objects.class_id) & {background, IGNORE}
    assert (objects.pieces == 1).all()
    assert (objects.instance == 0).all()


@settings(deadline=None, max_examples=40)
@given(label_images())
def test_runs_cover_every_row(labels: NDArray[np.uint8]) -> None:
    runs, _ = found(labels)
    pixels = np.repeat(runs.value, runs.stop - runs.start)
    np.testing.assert_array_equal(pixels, np.where(labels == IGNORE, IGNORED, labels.astype(int)).ravel())
    starts = runs.row[:-2]
    assert (runs.start[starts] == 0).all()
    assert (runs.stop[runs.row[1:-1] - 1] == labels.shape[1]).all()
    inner = np.setdiff1d(np.arange(runs.start.size), starts)
    assert (runs.value[inner] != runs.value[inner - 1]).all(), "runs are maximal"


def test_more_runs_than_the_first_guess() -> None:
    """A checkerboard has a run per pixel: the arrays grow."""
    labels = (np.indices((70, 130)).sum(axis=0) % 2).astype(np.uint8)
    runs, objects = found(labels)
    assert runs.start.size == labels.size
    assert objects.class_id.tolist() == [1], "diagonal neighbours belong together"


@settings(deadline=None, max_examples=60)
@given(label_images())
def test_objects_are_in_order_of_their_first_pixel(labels: NDArray[np.uint8]) -> None:
    first = first_pixels(owner_map(*found(labels)))
    assert first == sorted(first)


def test_a_late_join_keeps_the_earlier_place() -> None:
    labels = np.array([[0, 0, 1, 0, 2], [1, 0, 1, 0, 0], [1, 1, 1, 0, 3]], np.uint8)
    _, objects = found(labels)
    assert objects.class_id.tolist() == [1, 2, 3]


@pytest.mark.parametrize("instances", [False, True], ids=["semantic", "instances"])
@settings(deadline=None, max_examples=60)
@given(label_images())
def test_borders_ignored_is_an_ignored_neighbour(instances: bool, labels: NDArray[np.uint8]) -> None:
    ids = (np.arange(labels.size).reshape(labels.shape) // 50 % 3).astype(np.uint16) if instances else None
    runs, objects = found(labels, instances=ids)
    owner = owner_map(runs, objects)
    near = binary_dilation(labels == IGNORE, EIGHT)
    assert objects.borders_ignored.tolist() == [bool(near[owner == k].any()) for k in range(objects.runs.size)]


@pytest.mark.parametrize(
    ("at", "expected"),
    [((1, 1), True), ((0, 3), True), ((3, 3), True), ((2, 3), True), ((2, 0), False), ((2, 4), False)],
    ids=["above left", "above, to the right", "below right", "right", "two to the left", "two to the right"],
)
def test_borders_ignored_by_hand(at: tuple[int, int], expected: bool) -> None:
    labels = np.zeros((5, 6), np.uint8)
    labels[1:3, 2] = 1
    labels[at] = IGNORE
    assert found(labels)[1].borders_ignored.tolist() == [expected]


@pytest.mark.parametrize("instances", [False, True], ids=["semantic", "instances"])
@settings(deadline=None, max_examples=60)
@given(label_images())
def test_ignored_edges_are_pixel_edges_to_ignored_pixels(instances: bool, labels: NDArray[np.uint8]) -> None:
    ids = (np.arange(labels.size).reshape(labels.shape) // 50 % 3).astype(np.uint16) if instances else None
    runs, objects = found(labels, instances=ids)
    owner = owner_map(runs, objects)
    ignored = np.pad(labels == IGNORE, 1).astype(int)
    edges = ignored[:-2, 1:-1] + ignored[2:, 1:-1] + ignored[1:-1, :-2] + ignored[1:-1, 2:]
    assert objects.ignored_edges.tolist() == [edges[owner == k].sum() for k in range(objects.runs.size)]


# -- instance masks


@settings(deadline=None, max_examples=60)
@given(label_images(classes=3), st.integers(0, 2**32 - 1), st.sampled_from((np.uint16, np.uint32)))
def test_every_id_is_one_object(labels: NDArray[np.uint8], seed: int, dtype: type) -> None:
    rng = np.random.default_rng(seed)
    labels = np.where(labels == IGNORE, IGNORE, labels > 0).astype(np.uint8)
    pool = np.array([0, *rng.integers(1, np.iinfo(dtype).max, size=5, endpoint=True)])
    ids = pool[rng.integers(pool.size, size=labels.shape) * (rng.random(labels.shape) < 0.7)].astype(dtype)
    runs, objects = found(labels, instances=ids)
    visible = np.where(labels == 1, ids, 0)
    owner = owner_map(runs, objects)
    assert sorted(objects.instance.tolist()) == sorted(set(visible.ravel().tolist()) - {0})
    for k, number in enumerate(objects.instance):
        np.testing.assert_array_equal(owner == k, visible == number)
        assert objects.pieces[k] == label(visible == number, connectivity=2, return_num=True)[1]
    first = first_pixels(owner)
    assert first == sorted(first)
    assert (owner[visible == 0] == -1).all()


def test_an_id_in_several_pieces_is_one_object() -> None:
    ids = np.array([[7, 0, 7], [0, 0, 0], [7, 7, 2]], np.uint16)
    rows = measured(ids > 0, instances=ids).rows
    assert rows["object_id"].tolist() == [7, 2]
    assert rows["pieces"].tolist() == [3, 1]
    assert rows["area"].tolist() == [4, 1]


def test_touching_ids_are_two_objects() -> None:
    ids = np.repeat(np.array([[5, 3]], np.uint16), 4, axis=0).repeat(4, axis=1)
    rows = measured(ids > 0, instances=ids).rows
    assert rows["object_id"].tolist() == [5, 3]
    assert rows["area"].tolist() == [16, 16]
    assert rows["pieces"].tolist() == [1, 1]


def test_id_0_is_no_object() -> None:
    """Crowd pixels: of the class, of no object."""
    labels = np.ones((4, 6), np.uint8)
    ids = np.zeros((4, 6), np.uint16)
    ids[:, :2] = 9
    measurement = measured(labels, instances=ids)
    assert measurement.rows["object_id"].tolist() == [9]
    assert measurement.rows["area"].tolist() == [8]
    assert measurement.classes[1].pixels == 24


def test_an_id_on_background_or_ignored_pixels_is_no_object() -> None:
    labels = np.array([[0, 1, IGNORE, 1]], np.uint8)
    ids = np.array([[4, 4, 4, 6]], np.uint16)
    rows = measured(labels, instances=ids).rows
    assert rows["object_id"].tolist() == [4, 6]
    assert rows["area"].tolist() == [1, 1]
    assert rows["borders_ignored"].tolist() == [True, True]


# -- types and degenerate images


def test_uint16_labels() -> None:
    labels = np.zeros((6, 9), np.uint16)
    labels[1:3, 1:3], labels[1:3, 4:7], labels[4, 4] = 255, 40_000, 65_535
    measurement = measured(labels)
    assert measurement.rows["class_id"].tolist() == [255, 40_000]
    assert measurement.ignored == 1
    assert set(measurement.classes) == {0, 255, 40_000}


@settings(deadline=None, max_examples=15)
@given(label_images())
def test_uint16_labels_give_the_same_objects(labels: NDArray[np.uint8]) -> None:
    wide = labels.astype(np.uint16)
    wide[labels == IGNORE] = 65_535
    narrow, broad = found(labels)[1], found(wide)[1]
    for name in narrow._fields:
        np.testing.assert_array_equal(getattr(narrow, name), getattr(broad, name), err_msg=name)


@pytest.mark.parametrize("turned", [False, True], ids=["1xN", "Nx1"])
def test_a_single_line_of_pixels(turned: bool) -> None:
    labels = np.array([[1, 1, 0, 2, IGNORE, 1, 2, 2]], np.uint8)
    rows = measured(labels.T if turned else labels).rows
    assert rows["class_id"].tolist() == [1, 2, 1, 2]
    assert rows["area"].tolist() == [2, 1, 1, 2]
    assert rows["borders_ignored"].tolist() == [False, True, True, False]
    assert rows["truncated"].all()


@pytest.mark.parametrize(
    ("value", "background", "objects"),
    [(0, 0, 0), (1, 0, 1), (IGNORE, 0, 0), (0, None, 1), (IGNORE, None, 0)],
    ids=["background", "object", "ignored", "no background", "ignored, no background"],
)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 1), (33, 40)], ids=str)
def test_images_of_one_value(size: tuple[int, int], value: int, background: int | None, objects: int) -> None:
    labels: NDArray[Any] = np.full(size, value, np.uint8)
    measurement = measured(labels, background)
    assert measurement.rows["area"].tolist() == [labels.size] * objects
    assert measurement.ignored == labels.size * (value == IGNORE)
    assert list(measurement.classes) == ([] if value == IGNORE else [value])
    assert measurement.size == size


def test_all_ids_0() -> None:
    labels = np.ones((5, 5), np.uint8)
    measurement = measured(labels, instances=np.zeros((5, 5), np.uint16))
    assert measurement.rows["area"].size == 0
    assert measurement.classes[1].pixels == 25
