"""Concavity depth against known answers and against all points of the hull and all pixels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.metrics.images import found, label_images, measured, owner_map, row_of
from tests.shapes import PHASES, Mask, annulus, comb, convex_hull, crescent, disc, ell, rectangle, star, tree


def edges(mask: Mask) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    corners = convex_hull([(int(y), int(x)) for y, x in np.argwhere(mask)])
    return list(zip(corners, corners[1:] + corners[:1], strict=True))


def depth_by_all_points(mask: Mask) -> float:
    """Every point of the definition against every pixel."""
    pixels, deepest = np.argwhere(mask), 0.0
    for (ay, ax), (by, bx) in edges(mask):
        n = max(1, math.ceil(math.hypot(by - ay, bx - ax)))
        points = n * np.array([ay, ax]) + np.arange(n + 1)[:, None] * np.array([by - ay, bx - ax])
        squares = ((points[:, None] - n * pixels) ** 2).sum(-1).min(axis=1)
        deepest = max(deepest, math.sqrt(squares.max()) / n)
    return deepest if deepest > 1 else 0.0


def depth_by_fine_points(mask: Mask, per_pixel: int = 16) -> float:
    pixels, deepest = np.argwhere(mask), 0.0
    for a, b in edges(mask):
        steps = np.linspace(0, 1, per_pixel * math.ceil(math.dist(a, b)) + 1)[:, None]
        points = np.array(a) + steps * (np.array(b) - np.array(a))
        squares = ((points[:, None] - pixels) ** 2).sum(-1).min(axis=1)
        deepest = max(deepest, math.sqrt(squares.max()))
    return deepest


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(label_images(classes=3))
def test_it_is_the_deepest_of_all_points(labels: NDArray[np.uint8]) -> None:
    rows = measured(labels, sampled=False).rows
    owner = owner_map(*found(labels))
    for k, depth in enumerate(rows["concavity_depth"]):
        convex = rows["convexity"][k] == 1
        assert depth == (0.0 if convex else depth_by_all_points(owner == k))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.tuples(*[st.integers(1, 40)] * 2), st.sampled_from((0.005, 0.02, 0.1, 0.5)))
def test_of_objects_in_pieces_too(seed: int, size: tuple[int, int], share: float) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random(size) < share
    mask[rng.integers(size[0]), rng.integers(size[1])] = True
    rows = measured(mask, instances=mask.astype(np.uint16), sampled=False).rows
    assert rows["concavity_depth"][0] == (0 if rows["convexity"][0] == 1 else depth_by_all_points(mask))


LARGE = {
    "star": star(60, 0.4, 5, 7),
    "tree": tree(50, 5, angle=77),
    "crescent": crescent(60, 25, (0.25, 0.5)),
    "comb": comb(5, 4, 9, 40, 6),
    "l": ell(90, 11),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_points_are_dense_enough(name: str) -> None:
    """At most half a step, so half a pixel, under what points 16 times as dense find."""
    depth = row_of(LARGE[name])["concavity_depth"]
    assert depth == depth_by_all_points(LARGE[name])
    assert 0 <= depth_by_fine_points(LARGE[name]) - depth <= 0.5


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize(("side", "arm"), [(20, 4), (57, 20), (101, 1)])
def test_an_l(side: int, arm: int, turn: int) -> None:
    """The diagonal over the notch ends in the arms' tips; the inner corner is nearest to its middle."""
    depth = row_of(np.rot90(ell(side, arm), turn))["concavity_depth"]
    assert depth == pytest.approx((side - arm) / 2, abs=1)


@pytest.mark.parametrize(("gap", "depth"), [(3, 20), (9, 20), (40, 12), (40, 60)])
def test_a_comb(gap: int, depth: int) -> None:
    """Half a narrow gap; of a wide one its depth."""
    value = row_of(comb(3, 4, gap, depth, 5))["concavity_depth"]
    half, reach = (gap + 1) / 2, depth
    assert value == pytest.approx(min(half, reach), abs=0.5)


@pytest.mark.parametrize("phase", PHASES, ids=str)
def test_convex_shapes_and_holes_have_none(phase: tuple[float, float]) -> None:
    for mask in (disc(20, phase), rectangle(40, 9, 33, phase), annulus(30, 20, phase)):
        assert row_of(mask)["concavity_depth"] == 0


def test_a_notch_of_one_pixel_is_digitisation() -> None:
    mask = np.pad(np.ones((9, 20), bool), 2)
    mask[2, 9] = False
    row = row_of(mask)
    assert row["convexity"] < 1
    assert row["concavity_depth"] == 0
    mask[2:5, 8:11] = False
    assert row_of(mask)["concavity_depth"] == pytest.approx(2, abs=0.01)


def turned(k: int) -> Any:
    return lambda image: np.rot90(image, k)


def moved(image: NDArray[Any]) -> NDArray[Any]:
    return np.pad(image, ((3, 0), (7, 5)))


@pytest.mark.parametrize("transform", [np.fliplr, np.flipud, np.transpose, turned(1), turned(2), turned(3), moved])
@settings(deadline=None, max_examples=20)
@given(label_images(max_side=60))
def test_invariance(transform: Any, labels: NDArray[np.uint8]) -> None:
    """Exactly the same depths, however the mask is turned or moved."""
    depths = sorted(measured(labels, sampled=False).rows["concavity_depth"].tolist())
    assert sorted(measured(transform(labels), sampled=False).rows["concavity_depth"].tolist()) == depths
