"""Holes and nesting against known answers and against scipy's flood fill."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from shapeprof.metrics import holes, shape
from shapeprof.metrics.members import members
from shapeprof.profile.profile import merge_nesting
from tests.metrics.images import IGNORE, found, label_images, measured, owner_map, random_labels, row_of
from tests.shapes import PHASES, Mask, annulus, comb, disc


def filled(mask: Mask) -> Mask:
    """The holes of a mask: 4-connected background that does not reach the outside."""
    regions, _ = ndimage.label(~np.pad(mask, 1))
    return (regions[1:-1, 1:-1] != regions[0, 0]) & ~mask


def expected_nesting(
    labels: NDArray[Any], owner: NDArray[np.int64], class_of: NDArray[Any], background: int | None
) -> dict[tuple[int, int], tuple[int, int]]:
    """By flood fill, object by object."""
    covered = {int(c): np.zeros(labels.shape, bool) for c in np.unique(class_of)}
    for k, outer in enumerate(class_of):
        covered[int(outer)] |= filled(owner == k)
    result = {}
    for outer, inside in covered.items():
        for inner in np.unique(labels).tolist():
            if inner in (background, IGNORE, outer):
                continue
            pixels = int((inside & (labels == inner)).sum())
            whole = sum(bool(inside[owner == k].all()) for k in np.flatnonzero(class_of == inner))
            if pixels:
                result[outer, inner] = (pixels, whole)
    return result


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(label_images(), st.sampled_from((0, None)))
def test_hole_area_and_nesting_equal_flood_fill(labels: NDArray[np.uint8], background: int | None) -> None:
    measurement = measured(labels, background, sampled=False)
    runs, objects = found(labels, background)
    owner = owner_map(runs, objects)
    expected = [int(filled(owner == k).sum()) for k in range(objects.class_id.size)]
    assert measurement.rows["hole_area"].tolist() == expected
    assert measurement.nesting == expected_nesting(labels, owner, objects.class_id, background)


@settings(deadline=None, max_examples=60)
@given(label_images(classes=2, ignored=False), st.integers(0, 2**32 - 1))
def test_hole_area_of_objects_in_pieces(labels: NDArray[np.uint8], seed: int) -> None:
    ids = np.random.default_rng(seed).integers(4, size=labels.shape).astype(np.uint16)
    rows = measured(labels, instances=ids, sampled=False).rows
    for k, number in enumerate(rows["object_id"]):
        assert rows["hole_area"][k] == filled((labels > 0) & (ids == number)).sum()


@settings(deadline=None, max_examples=60)
@given(label_images())
def test_ranges_and_what_the_columns_say_of_each_other(labels: NDArray[np.uint8]) -> None:
    rows = measured(labels, sampled=False).rows
    assert ((rows["hole_area"] > 0) == (rows["hole_count"] > 0)).all()
    assert (rows["hole_area"] >= rows["hole_count"]).all()
    assert (rows["convexity_filled"] >= rows["convexity"]).all()
    assert ((rows["convexity_filled"] > 0) & (rows["convexity_filled"] <= 1)).all()
    assert ((rows["hole_share"] >= 0) & (rows["hole_share"] < 1)).all()


@pytest.mark.parametrize("phase", PHASES, ids=str)
def test_an_annulus(phase: tuple[float, float]) -> None:
    row = row_of(annulus(30, 20, phase))
    assert row["convexity_filled"] == 1
    assert row["hole_area"] == disc(20, phase).sum()
    assert row["hole_share"] == pytest.approx((20 / 30) ** 2, abs=0.01)


def test_a_bay_is_no_hole_and_neither_is_a_gap_at_the_image_border() -> None:
    assert row_of(comb(4, 3, 5, 12, 3))["hole_area"] == 0
    cup = np.ones((6, 9), np.uint8)
    cup[:4, 3:6] = 0
    assert measured(cup).rows["hole_area"].tolist() == [0]
    cup[0] = 1
    assert measured(cup).rows["hole_area"].tolist() == [9]


def test_a_diagonal_closes_a_hole() -> None:
    """Objects are 8-connected and holes 4-connected."""
    diamond = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.uint8)
    assert measured(diamond).rows["hole_area"].tolist() == [1]


def cell(nucleus: int = 6) -> NDArray[np.uint8]:
    """Cytoplasm 1 with a nucleus 2 in it, which is ``nucleus**2`` px and holds an ignored pixel."""
    labels = np.zeros((30, 30), np.uint8)
    labels[4:26, 4:26] = 1
    labels[9 : 9 + nucleus, 9 : 9 + nucleus] = 2
    labels[10, 10] = IGNORE
    return labels


def test_a_nucleus_in_its_cytoplasm() -> None:
    measurement = measured(cell())
    assert measurement.nesting == {(1, 2): (35, 1)}
    rows = measurement.rows
    assert rows["hole_area"].tolist() == [36, 1]
    assert rows["convexity"][0] == (22**2 - 36) / 22**2
    assert rows["convexity_filled"].tolist() == [1, 1]


def test_a_nucleus_that_reaches_the_rim_is_not_nested() -> None:
    assert measured(cell(17)).nesting == {}


def test_a_nucleus_cut_by_the_box_counts_only_what_is_inside() -> None:
    """A bar of class 2 that crosses a diagonal link of class 1 lies partly in its hole."""
    labels = np.zeros((5, 5), np.uint8)
    labels[[0, 1, 1, 2, 2, 3, 4], [2, 1, 3, 0, 4, 1, 2]] = 1
    labels[3, 3] = 1
    labels[1, 2] = labels[2, 1] = labels[2, 2] = labels[2, 3] = labels[3, 2] = 2
    labels[0, 1] = 2  # touches (1, 2) diagonally, across the link between (0, 2) and (1, 1)
    assert measured(labels).nesting == {(1, 2): (5, 0)}


def test_pixels_in_holes_of_several_objects_count_once() -> None:
    labels = np.zeros((40, 40), np.uint8)
    for k in range(3):
        labels[2 + 5 * k : 38 - 5 * k, 2 + 5 * k : 38 - 5 * k] = 1
        labels[4 + 5 * k : 36 - 5 * k, 4 + 5 * k : 36 - 5 * k] = 0
    labels[18:22, 18:22] = 2
    assert measured(labels).nesting == {(1, 2): (16, 1)}


def test_holes_are_the_row_gaps_of_their_objects() -> None:
    labels = random_labels(3, (60, 60), 3, noise=0.3, grain=3)
    runs, objects = found(labels)
    gaps = holes.gaps(runs, members(runs, objects), shape.hole_count(objects))
    assert (objects.of_run[gaps.before] == gaps.owner).all()
    assert (objects.of_run[gaps.after] == gaps.owner).all()
    assert (np.diff(gaps.owner) >= 0).all()


def turned(k: int) -> Any:
    return lambda image: np.rot90(image, k)


@pytest.mark.parametrize("transform", [np.fliplr, np.flipud, np.transpose, turned(1), turned(2), turned(3)])
@settings(deadline=None, max_examples=20)
@given(label_images())
def test_nesting_is_invariant(transform: Any, labels: NDArray[np.uint8]) -> None:
    assert measured(transform(labels), sampled=False).nesting == measured(labels, sampled=False).nesting


def test_nesting_merges() -> None:
    a, b, c = {(1, 2): (5, 1)}, {(1, 2): (3, 0), (2, 1): (7, 2)}, {(0, 3): (1, 1)}
    assert merge_nesting((a, b, c)) == {(0, 3): (1, 1), (1, 2): (8, 1), (2, 1): (7, 2)}
    assert merge_nesting((merge_nesting((c, a)), b)) == merge_nesting((a, merge_nesting((b, c))))
