"""Local width against strips, discs and its definition, computed slowly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from shapeprof.metrics import width
from shapeprof.metrics.bins import length_bin, width_edges
from shapeprof.metrics.runs import Runs, find_classes, find_objects, stack
from shapeprof.sources.run_length import encode
from tests.metrics.images import IGNORE, found, label_images, label_map, measured, owner_map, random_labels
from tests.shapes import MARGIN, PHASES, Mask, annulus, disc, strip, tree

Floats = NDArray[np.floating[Any]]
SATURATION = 2 * width.RADIUS_CAP - 1


def widths(
    labels: NDArray[Any], background: int | None = 0, instances: NDArray[Any] | None = None
) -> NDArray[np.float32]:
    return width.local_width(*found(labels, background, instances))[0]


# -- the slow reference


def reference(owner: NDArray[np.int64]) -> Floats:
    """The module's definition, word for word: all pairs of pixels, some at a time."""
    y, x = (a.ravel().astype(np.int32) for a in np.indices(owner.shape))
    of = owner.ravel()
    parts = [slice(k, k + 1000) for k in range(0, of.size, 1000)]

    def apart(some: slice) -> NDArray[np.int32]:
        squares: NDArray[np.int32] = (y[some, None] - y) ** 2 + (x[some, None] - x) ** 2
        return squares

    cap = np.int32(width.RADIUS_CAP**2)
    square = np.concatenate([np.where(of[p, None] != of, apart(p), cap).min(axis=1) for p in parts])
    square = np.where(of >= 0, np.minimum(square, cap), 0)
    distance = np.sqrt(square).reshape(owner.shape)
    slope = np.hypot(_difference(distance, owner), _difference(distance.T, owner.T).T)
    diameter = np.minimum(2 * distance - 1 + np.minimum(slope, 1), SATURATION).ravel()
    result = np.concatenate([np.where(apart(p) < square, diameter, 0).max(axis=1) for p in parts])
    return np.where(of >= 0, result, 0).reshape(owner.shape)


def _difference(distance: Floats, owner: NDArray[np.int64]) -> Floats:
    """Un-halved central difference down the rows; outside the object D is 0; 0 where the image ends."""
    result = np.zeros(distance.shape)
    ahead = np.where(owner[2:] == owner[1:-1], distance[2:], 0)
    behind = np.where(owner[:-2] == owner[1:-1], distance[:-2], 0)
    result[1:-1] = ahead - behind
    return result


@pytest.mark.parametrize("background", [0, None])
@settings(deadline=None, max_examples=50)
@given(label_images(max_side=32))
def test_it_is_its_definition(background: int | None, labels: NDArray[np.uint8]) -> None:
    """Never above, and below nowhere."""
    runs, objects = found(labels, background)
    actual, expected = widths(labels, background), reference(owner_map(runs, objects))
    assert (actual <= expected + 1e-4).all()
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("grain", [6, 13, 25])
def test_it_never_exceeds_its_definition(grain: int, seed: int) -> None:
    labels = random_labels(seed, (41, 38), 3, ignored=0.1 * (seed % 2), noise=0.02 * (seed % 3), grain=grain)
    assert (widths(labels) <= reference(owner_map(*found(labels))) + 1e-4).all()


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda p: disc(12, p), id="disc"),
        pytest.param(lambda p: disc(19.5, p), id="large disc"),
        pytest.param(lambda p: annulus(18, 9, p), id="annulus"),
        pytest.param(lambda p: strip(10, 0, 40, p), id="even strip"),
        pytest.param(lambda p: strip(7, 30, 40, p), id="oblique strip"),
        pytest.param(lambda p: tree(9, 4, 3, 80, p), id="tree"),
    ],
)
def test_shapes_have_the_width_of_the_definition(make: Callable[[Any], Mask]) -> None:
    mask = make(PHASES[2])
    expected = reference(owner_map(*found(mask)))
    np.testing.assert_allclose(widths(mask)[mask], expected[mask], rtol=1e-5)


@settings(deadline=None, max_examples=20)
@given(label_images(max_side=26, classes=2, ignored=False), st.integers(0, 2**32 - 1))
def test_other_instances_are_outside(labels: NDArray[np.uint8], seed: int) -> None:
    ids = random_labels(seed, labels.shape, 4, noise=0, grain=9).astype(np.uint16)
    owner = owner_map(*found(labels, instances=ids))
    np.testing.assert_allclose(widths(labels, instances=ids), reference(owner), rtol=1e-5)


# -- strips and discs


@pytest.mark.parametrize("upright", [False, True], ids=["along the rows", "along the columns"])
@pytest.mark.parametrize("wide", [*range(1, 13), 20, 31, 40, 62])
def test_a_strip_along_an_axis_reads_its_width(wide: int, upright: bool) -> None:
    """On every pixel further from its ends than it is wide."""
    mask = np.zeros((wide + 2 * MARGIN, 4 * wide + 90), bool)
    mask[MARGIN:-MARGIN, MARGIN:-MARGIN] = True
    values = widths(mask.T).T if upright else widths(mask)
    inner = values[MARGIN:-MARGIN, MARGIN + wide : -MARGIN - wide]
    assert np.unique(inner).tolist() == [wide]


@pytest.mark.parametrize("wide", [2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 17, 25, 40])
def test_an_oblique_strip_reads_about_its_width(wide: int) -> None:
    """Every pixel within 0.8 px, the mean over directions within 0.35 px."""
    length, means = max(80, 4 * wide), []
    for angle in (7, 22, 30, 37, 45, 52, 63, 83, 100, 160):
        for phase in PHASES[::3]:
            mask, inner = strip(wide, angle, length, phase), strip(wide, angle, length - 2 * wide - 4, phase)
            values = widths(mask)[np.pad(inner, (mask.shape[0] - inner.shape[0]) // 2)]
            assert values.min() > wide - 0.8
            assert values.max() < wide + 0.6
            means.append(values.mean())
    assert np.mean(means) == pytest.approx(wide, abs=0.35)


@pytest.mark.parametrize("radius", [2, 2.5, 3, 4, 5, 6.3, 8, 10, 14, 20, 27, 31])
def test_the_diameter_of_a_disc(radius: float) -> None:
    """The widest reading never exceeds the diameter; over the phases it is at most 1 px below, once 1.6 px."""
    values = [float(widths(disc(radius, phase)).max()) for phase in PHASES]
    assert max(values) <= 2 * radius + 1e-4
    assert min(values) > 2 * radius - 1.6
    assert np.mean(values) == pytest.approx(2 * radius, abs=1)


@pytest.mark.parametrize("phase", PHASES, ids=str)
def test_a_tail_is_thin_and_its_body_thick(phase: tuple[float, float]) -> None:
    """What mean width hides: a disc of 40 px with a tail of 3 px."""
    body = np.pad(disc(20, phase), ((0, 0), (0, 60)))
    middle, side = body.shape[0] // 2, body.shape[0]
    whole = body.copy()
    whole[middle - 1 : middle + 2, middle:-MARGIN] = True
    values = widths(whole)
    away = np.s_[:, side : -MARGIN - 3]  # from the body and from the tail's end
    assert np.unique(values[away][whole[away]]).tolist() == [3]
    assert np.median(values[body]) > 38


# -- policies


def test_the_image_border_does_not_thin() -> None:
    """A band of 5 px cut by the border on three sides reads as the wider band it may be part of."""
    labels = np.zeros((20, 50), np.uint8)
    labels[:5] = 1
    assert np.unique(widths(labels)[:5]).tolist() == [9.0], "the half of a disc of radius 5, seen from its middle"
    np.testing.assert_array_equal(widths(np.ones((7, 9), np.uint8)), np.full((7, 9), SATURATION))


def test_ignored_pixels_are_outside() -> None:
    labels = np.full((11, 60), IGNORE, np.uint8)
    labels[4:7] = 1
    values = widths(labels)
    assert (values[4:7] == 3).all()
    assert not values[labels == IGNORE].any()


def test_touching_classes_are_outside_of_each_other() -> None:
    labels = np.repeat([1, 2, 3], (4, 3, 9))[:, None].repeat(70, axis=1).astype(np.uint8)
    values = widths(labels)
    assert (values[4:7] == 3).all()


@pytest.mark.parametrize("wide", [62, 63, 64, 65, 70, 100])
def test_it_saturates(wide: int) -> None:
    mask = np.zeros((wide + 2 * MARGIN, wide + 200), bool)
    mask[MARGIN:-MARGIN, MARGIN:-MARGIN] = True
    values = widths(mask)
    assert values.max() == min(wide, SATURATION) == min(wide, 63)
    inner = values[MARGIN:-MARGIN, wide:-wide]
    assert (inner == min(wide, 63)).all()


# -- in general


@settings(deadline=None, max_examples=40)
@given(label_images())
def test_it_is_positive_inside_objects_only(labels: NDArray[np.uint8]) -> None:
    values, owner = width.local_width(*found(labels))
    np.testing.assert_array_equal(owner, owner_map(*found(labels)))
    assert ((values > 0) == (owner >= 0)).all()
    assert values.max() <= SATURATION


@pytest.mark.parametrize(
    "transform",
    [
        pytest.param(np.fliplr, id="left to right"),
        pytest.param(np.flipud, id="upside down"),
        pytest.param(np.transpose, id="transposed"),
        pytest.param(lambda m: np.rot90(m, 2), id="half a turn"),
    ],
)
@settings(deadline=None, max_examples=25)
@given(label_images())
def test_it_does_not_depend_on_orientation(
    transform: Callable[[NDArray[Any]], NDArray[Any]], labels: NDArray[np.uint8]
) -> None:
    np.testing.assert_allclose(widths(transform(labels)), transform(widths(labels)), rtol=1e-5)


@settings(deadline=None, max_examples=25)
@given(label_images())
def test_it_does_not_depend_on_place(labels: NDArray[np.uint8]) -> None:
    """Of objects that do not touch the border."""
    framed = np.pad(labels, 1)
    moved = np.pad(framed, ((4, 0), (9, 3)))
    np.testing.assert_array_equal(widths(moved)[4:, 9:-3], widths(framed))


@settings(deadline=None, max_examples=25)
@given(label_images())
def test_the_column_is_the_mean_over_the_object(labels: NDArray[np.uint8]) -> None:
    values, owner = width.local_width(*found(labels))
    measurement = measured(labels)
    expected = [values[owner == k].mean(dtype=float) for k in range(owner.max() + 1)]
    np.testing.assert_allclose(measurement.rows["local_width"], expected, rtol=1e-6)
    for class_id, sums in measurement.classes.items():
        inside = values[(labels == class_id) & (owner >= 0)]
        bins = np.bincount(length_bin(inside), minlength=sums.width_pixels.size)
        np.testing.assert_array_equal(sums.width_pixels, bins)


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(label_images(max_side=60))
def test_pixels_near_a_boundary(labels: NDArray[np.uint8]) -> None:
    """At most 1, 2, 4 px from the nearest pixel outside the object, from centre to centre, by all pairs of pixels."""
    runs, objects = found(labels)
    classes = find_classes(runs, 0)
    near = width.widths(runs, objects, classes, np.ones(1, bool), *width_edges()).near
    owner = owner_map(runs, objects)
    y, x = (a.ravel() for a in np.indices(owner.shape))
    apart = (y[:, None] - y) ** 2 + (x[:, None] - x) ** 2
    square = np.where(owner.ravel()[:, None] != owner.ravel(), apart, 10_000).min(axis=1).reshape(owner.shape)
    for k, class_id in enumerate(classes.class_id):
        inside = square[(labels == class_id) & (owner >= 0)]
        assert near[k].tolist() == [(inside <= limit).sum() for limit in (1, 4, 16)]


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_bands_make_no_difference(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.kron(random_labels(4, (40, 30), 3, grain=5), np.ones((9, 9), np.uint8)).astype(np.uint8)
    runs, objects = found(labels)
    whole = width.widths(runs, objects, find_classes(runs, 0), np.ones(1, bool), *width_edges())
    expected = width.local_width(runs, objects)[0]
    assert expected.max() == SATURATION
    monkeypatch.setattr(width, "BAND_PIXELS", 1)
    monkeypatch.setattr(width, "BAND_ROWS", rows)
    banded = width.widths(runs, objects, find_classes(runs, 0), np.ones(1, bool), *width_edges())
    np.testing.assert_equal(banded._asdict(), whole._asdict())
    np.testing.assert_array_equal(width.local_width(runs, objects)[0], expected)


def test_only_wanted_masks_are_measured() -> None:
    maps = [encode(label_map(random_labels(k, (40, 50), 3, grain=7))) for k in range(3)]
    runs = stack(maps)
    objects, classes = find_objects(runs, 0), find_classes(runs, 0)
    result = width.widths(runs, objects, classes, np.array([False, True, False]), *width_edges())
    wanted = classes.of_map == 1
    assert result.pixels[wanted].any() and result.near[wanted].any()
    assert not result.pixels[~wanted].any() and not result.near[~wanted].any()
    assert ((result.object_sum > 0) == (objects.of_map == 1)).all()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_large_shapes_have_the_width_of_the_definition(seed: int) -> None:
    """Blobs of two classes, many of them wider than any disc, with a few ignored pixels."""
    rng = np.random.default_rng(seed)
    field = gaussian_filter(rng.standard_normal((100, 140)), 30)
    labels = np.digitize(field, np.quantile(field, (0.15, 0.85))).astype(np.uint8)
    labels[rng.random(labels.shape) < 0.0001] = IGNORE
    values = widths(labels)
    assert (values == SATURATION).any()
    np.testing.assert_allclose(values, reference(owner_map(*found(labels))), rtol=1e-5)


@settings(deadline=None, max_examples=25)
@given(st.lists(label_images(), min_size=2, max_size=4))
def test_many_masks_are_measured_as_each_alone(images: list[NDArray[np.uint8]]) -> None:
    def measure(runs: Runs) -> width.Widths:
        objects, classes = find_objects(runs, 0), find_classes(runs, 0)
        return width.widths(runs, objects, classes, np.ones(runs.width.size, bool), *width_edges())

    runs = stack([encode(label_map(labels)) for labels in images])
    each = [measure(runs.one(i)) for i in range(len(images))]
    for actual, parts in zip(measure(runs), zip(*each, strict=True), strict=True):
        np.testing.assert_array_equal(actual, np.concatenate(parts))


def test_the_bounds_that_drop_centres_are_bounds() -> None:
    """What ``_centres`` tests in 16 bits implies the look-up tables."""
    d = np.arange(1, width.FULL)
    along = d + 2 * np.floor(np.sqrt(d - 1)).astype(int) + 1
    across = d + 2 * np.floor(np.sqrt(2 * d - 2)).astype(int) + 2
    axis, diagonal, sure_axis, sure_diagonal = width._containing()[:, 1:-1]
    assert (along >= axis).all()
    assert (along >= sure_axis)[1:].all()
    assert (across >= np.maximum(diagonal, sure_diagonal)).all()
