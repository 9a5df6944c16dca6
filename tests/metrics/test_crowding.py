"""Touching instances, exactly; suspected merged components: what must fire and what must not."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from shapeprof.metrics import crowding
from shapeprof.metrics.crowding import LEAST_AREA
from tests.metrics.images import found, label_images, measured, owner_map, row_of
from tests.shapes import (
    PHASES,
    Mask,
    annulus,
    comb,
    crescent,
    direction,
    disc,
    ell,
    ellipse,
    rectangle,
    star,
    strip,
    tree,
)

# -- touching


@settings(deadline=None, max_examples=80)
@given(label_images(classes=3), st.integers(0, 2**32 - 1), st.integers(2, 12))
def test_touching_equals_looking_at_all_neighbours(labels: NDArray[np.uint8], seed: int, grain: int) -> None:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(5, size=(labels.shape[0] // grain + 1, labels.shape[1] // grain + 1))
    ids = np.kron(coarse, np.ones((grain, grain), int))[: labels.shape[0], : labels.shape[1]]
    ids = ids.astype(np.uint16)
    runs, objects = found(labels, instances=ids)
    owner = owner_map(runs, objects)
    grown = {k: ndimage.binary_dilation(owner == k, np.ones((3, 3))) for k in range(objects.class_id.size)}
    expected = [
        any((grown[k] & (owner == j)).any() for j in grown if j != k and objects.class_id[j] == objects.class_id[k])
        for k in grown
    ]
    assert measured(labels, instances=ids, sampled=False).rows["touching"].tolist() == expected


@settings(deadline=None, max_examples=30)
@given(label_images())
def test_components_never_touch(labels: NDArray[np.uint8]) -> None:
    assert not measured(labels, sampled=False).rows["touching"].any()


def test_touching_needs_the_same_class_and_counts_diagonals() -> None:
    ids = np.array([[1, 0, 0, 4], [0, 2, 3, 0], [0, 0, 0, 0], [0, 0, 0, 5]], np.uint16)
    labels = np.array([[1, 0, 0, 1], [0, 1, 2, 0], [0, 0, 0, 0], [0, 0, 0, 1]], np.uint8)
    rows = measured(labels, instances=ids).rows
    assert dict(zip(rows["object_id"].tolist(), rows["touching"].tolist(), strict=True)) == {
        1: True, 2: True, 3: False, 4: False, 5: False,
    }  # fmt: skip


# -- suspected merged: what must fire


def several(discs: list[tuple[float, float, float]]) -> Mask:
    """Discs of (row, column, radius) on one canvas."""
    size = 2 * round(max(max(abs(y), abs(x)) + r for y, x, r in discs)) + 7
    y, x = np.mgrid[:size, :size] - size // 2
    return np.any([(y - cy) ** 2 + (x - cx) ** 2 <= r**2 for cy, cx, r in discs], axis=0)


def pair(a: float, b: float, distance: float, angle: float) -> Mask:
    dy, dx = np.array(direction(angle)) / np.hypot(*direction(angle)) * distance / 2
    return several([(dy, dx, a), (-dy, -dx, b)])


def suspected(mask: Mask) -> float:
    """Of the largest component."""
    rows = measured(mask).rows
    return float(rows["suspected_merged"][np.argmax(rows["area"])])


@pytest.mark.parametrize("angle", [0, 30, 45, 70, 90, 135])
@pytest.mark.parametrize(("a", "b", "distance"), [(20, 20, 36), (20, 20, 39), (9, 9, 17), (20, 12, 30), (60, 60, 115)])
def test_two_overlapping_discs(a: float, b: float, distance: float, angle: float) -> None:
    assert suspected(pair(a, b, distance, angle)) == 1


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("neck", [2, 4, 10])
def test_a_dumbbell(neck: int, turn: int) -> None:
    mask = pair(18, 18, 46, 0)
    middle = mask.shape[0] // 2
    mask[middle - neck // 2 : middle + neck // 2 + 1, middle - 23 : middle + 23] = True
    assert suspected(np.rot90(mask, turn)) == 1


def test_a_cluster_of_many() -> None:
    """More than ten parts: none of them is a tenth of the whole."""
    centres = [(21 * i, 21 * j + 10 * (i % 2), 11.5) for i, j in itertools.product(range(-2, 2), range(-2, 2))]
    mask = several([(float(y), float(x), r) for y, x, r in centres])
    assert ndimage.label(mask, np.ones((3, 3)))[1] == 1
    assert suspected(mask) == 1


# -- and what must not


NEVER = {
    "disc": lambda p: disc(25, p),
    "large disc": lambda p: disc(70, p),
    "ellipse": lambda p: ellipse(60, 14, 20, p),
    "bar": lambda p: rectangle(120, 9, 17, p),
    "thin strip": lambda p: strip(2.5, 33, phase=p),
    "star": lambda p: star(50, phase=p),
    "star of six": lambda p: star(60, 0.4, 6, 11, p),
    "star of eight": lambda p: star(60, 0.7, 8, 11, p),
    "annulus": lambda p: annulus(40, 25, p),
    "crescent": lambda p: crescent(40, 20, p),
    "thin tree": lambda p: tree(50, 3, phase=p),
    "tree": lambda p: tree(60, 6, angle=77, phase=p),
    "thick tree": lambda p: tree(110, 14, angle=50, phase=p),
    "cross": lambda p: rectangle(110, 16, 0, p) | rectangle(110, 16, 90, p),
    "slanting cross": lambda p: rectangle(110, 16, 20, p) | rectangle(110, 16, 110, p),
    "six arms": lambda p: rectangle(110, 12, 0, p) | rectangle(110, 12, 60, p) | rectangle(110, 12, 120, p),
}  # fmt: skip


@pytest.mark.parametrize("phase", PHASES[::2], ids=str)
@pytest.mark.parametrize("name", NEVER)
def test_single_shapes(name: str, phase: tuple[float, float]) -> None:
    assert suspected(NEVER[name](phase)) == 0


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize(("side", "arm"), [(30, 6), (60, 12), (100, 30), (100, 60), (150, 70)])
def test_an_l(side: int, arm: int, turn: int) -> None:
    assert suspected(np.rot90(ell(side, arm), turn)) == 0


@pytest.mark.parametrize("turn", range(4))
def test_a_comb_and_a_frame(turn: int) -> None:
    assert suspected(np.rot90(comb(6, 5, 6, 30, 8), turn)) == 0
    frame = np.pad(np.ones((80, 60), bool), 2)
    frame[14:-14, 14:-14] = False
    assert suspected(np.rot90(frame, turn)) == 0


@settings(deadline=None, max_examples=60)
@given(st.integers(12, 45), st.integers(12, 45), st.integers(0, 359), st.sampled_from(PHASES))
def test_no_convex_shape(a: int, b: int, angle: int, phase: tuple[float, float]) -> None:
    assert suspected(ellipse(a, b, angle, phase)) == 0


# -- where it is defined


def test_only_in_the_sample_and_only_large_enough_and_never_with_instances() -> None:
    two = pair(20, 20, 38, 30)
    assert np.isnan(measured(two, sampled=False).rows["suspected_merged"]).all()
    assert np.isnan(measured(two, sampled=False, thickness=True).rows["suspected_merged"]).all()
    assert row_of(two)["suspected_merged"] == 1
    assert measured(two, instances=two.astype(np.uint16)).rows["suspected_merged"].tolist() == [0]
    small = pair(5, 5, 10, 0)
    assert small.sum() < LEAST_AREA
    assert row_of(small)["suspected_merged"] == 0


def test_neighbours_of_other_classes_change_nothing() -> None:
    two = pair(20, 20, 38, 30)
    labels = np.where(two, 1, 2).astype(np.uint8)
    rows = measured(labels).rows
    assert rows["suspected_merged"][rows["class_id"] == 1].tolist() == [1]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(-40, 40), st.integers(-40, 40), st.integers(9, 20)), min_size=2, max_size=6))
def test_moving_a_mask_changes_nothing(discs: list[tuple[int, int, int]]) -> None:
    mask = several([(float(y), float(x), float(r)) for y, x, r in discs])
    a, b = measured(mask).rows, measured(np.pad(mask, ((3, 0), (7, 5)))).rows
    assert a["suspected_merged"].tolist() == b["suspected_merged"].tolist()


# -- real nuclei

NUCLEI = Path(__file__).resolve().parents[3] / "shared/datasets/dsb2018_nuclei"


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.skipif(not NUCLEI.is_dir(), reason="the real data sets are not here")
def test_precision_and_recall_on_nuclei() -> None:
    """Truth: components of at least 200 px that hold at least 32 px of two or more ids."""
    truth: list[bool] = []
    fired: list[bool] = []
    for path in sorted((NUCLEI / "masks_index").glob("*.png")):
        labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        ids: Any = cv2.imread(str(NUCLEI / "masks_instance" / path.name), cv2.IMREAD_UNCHANGED)
        owner = owner_map(*found(labels))
        rows = measured(labels).rows
        for k in np.flatnonzero(rows["area"] >= LEAST_AREA):
            truth.append(bool((np.bincount(ids[owner == k])[1:] >= 32).sum() >= 2))
            fired.append(bool(rows["suspected_merged"][k] == 1))
    both = np.count_nonzero(np.array(truth) & np.array(fired))
    assert len(truth) == 2302
    assert sum(truth) == 353
    assert both / sum(fired) > 0.93
    assert both / sum(truth) > 0.58


def test_components_of_masks_that_are_too_large_are_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither concave ones, which need a map of the mask, nor others; instance masks need none."""
    labels = np.zeros((60, 110), np.uint8)
    labels[5:45, 5:15] = labels[35:45, 5:60] = 1  # an L
    labels[5:25, 80:100] = 1
    monkeypatch.setattr(crowding, "MOST_PIXELS", labels.size)
    assert measured(labels).rows["suspected_merged"].tolist() == [0, 0]
    monkeypatch.setattr(crowding, "MOST_PIXELS", labels.size - 1)
    assert np.isnan(measured(labels).rows["suspected_merged"]).all()
    assert measured(labels, instances=labels.astype(np.uint16)).rows["suspected_merged"].tolist() == [0]
