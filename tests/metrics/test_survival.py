"""Survival under both protocols against a slow reference, geometry and by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shapeprof.labelmap import ignore_index
from shapeprof.metrics.linear import linear
from shapeprof.metrics.nearest import nearest
from shapeprof.metrics.runs import find_classes, find_objects, stack
from shapeprof.metrics.strides import STRIDES
from shapeprof.metrics.survival import Survival
from shapeprof.sources.run_length import encode
from tests.metrics.images import IGNORE, OneMask, found, label_images, label_map, measured, owner_map, random_labels
from tests.shapes import PHASES, Mask, annulus, crescent, disc, ellipse, rectangle, star, strip, tree

Ints = NDArray[np.int64]
PROTOCOLS = {"nearest": nearest, "linear": linear}


def counts(
    protocol: str, labels: NDArray[Any], background: int | None = 0, instances: NDArray[Any] | None = None
) -> Survival:
    return counts_of(protocol, [labels], background, [instances])


def counts_of(
    protocol: str, masks: Sequence[NDArray[Any]], background: int | None, instances: Sequence[Any]
) -> Survival:
    """Of several masks in one call."""
    maps = [encode(label_map(m, background, ids)) for m, ids in zip(masks, instances, strict=True)]
    runs = stack(maps)
    return PROTOCOLS[protocol](runs, find_objects(runs, background), find_classes(runs, background))


# -- the slow reference: plain NumPy, whole arrays, integers only


class Reference(NamedTuple):
    lost: Ints  # (k, 5)
    gained: Ints  # (k, 5)
    object_lost: Ints  # (n, 5)
    tied: Ints  # (5,) scored pixels with more than one best class


def reference(protocol: str, labels: NDArray[Any], background: int | None, owner: Ints, objects: int) -> Reference:
    """Counts by the definition, over both phases."""
    classes = [int(c) for c in np.unique(labels) if c != ignore_index(labels.dtype)]
    classes.sort(key=lambda c: (c == background, c))
    truth = np.full(labels.shape, -1)
    for k, c in enumerate(classes):
        truth[labels == c] = k
    result = Reference(*(np.zeros((n, len(STRIDES)), np.int64) for n in (len(classes),) * 2 + (objects, 1)))
    upsample = {"nearest": _nearest_scores, "linear": _linear_scores}[protocol]
    for k, stride in enumerate(STRIDES if classes else ()):
        for phase in (0, stride // 2):
            scores = upsample(truth, stride, phase, len(classes))
            best = scores.max(axis=-1)
            winner = np.argmax(scores == best[..., None], axis=-1)  # the first of the tied
            wrong = (truth >= 0) & (winner != truth)
            result.lost[:, k] += np.bincount(truth[wrong], minlength=len(classes))
            result.gained[:, k] += np.bincount(winner[wrong], minlength=len(classes))
            result.object_lost[:, k] += np.bincount(owner[wrong & (owner >= 0)], minlength=objects)
            result.tied[0, k] += (((scores == best[..., None]).sum(axis=-1) > 1) & (truth >= 0)).sum()
    return result._replace(tied=result.tied[0])


def _pool(truth: Ints, stride: int, phase: int, classes: int) -> tuple[Ints, tuple[int, int]]:
    """Pixels per cell and class of the padded image, and the image's place in it."""
    before = [-n % stride // 2 + phase for n in truth.shape]
    after = [-(n + b) % stride for n, b in zip(truth.shape, before, strict=True)]
    padded = np.pad(truth, list(zip(before, after, strict=True)), mode="edge")
    one_hot = padded[..., None] == np.arange(classes)
    rows, columns = (n // stride for n in padded.shape)
    cells = one_hot.reshape(rows, stride, columns, stride, classes).sum(axis=(1, 3))
    return cells, (before[0], before[1])


def _nearest_scores(truth: Ints, stride: int, phase: int, classes: int) -> Ints:
    cells, (top, left) = _pool(truth, stride, phase, classes)
    full = cells.repeat(stride, axis=0).repeat(stride, axis=1)
    return full[top : top + truth.shape[0], left : left + truth.shape[1]]


def _linear_scores(truth: Ints, stride: int, phase: int, classes: int) -> NDArray[Any]:
    """Up-sampled shares as exact integers, times a common denominator per pixel."""
    cells, (top, left) = _pool(truth, stride, phase, classes)
    valid = cells.sum(axis=-1)
    if (valid == 0).any() or (valid != stride**2).any():  # ignored pixels: denominators differ
        cells, valid = cells.astype(object), np.maximum(valid, 1).astype(object)
    else:
        valid = np.ones_like(valid)
    (y0, y1, fy), (x0, x1, fx) = (
        _corners(np.arange(n) + offset, stride, cells.shape[axis])
        for axis, (n, offset) in enumerate(zip(truth.shape, (top, left), strict=True))
    )
    corners = [
        (cells[y[:, None], x], valid[y[:, None], x], wy[:, None] * wx)
        for y, wy in ((y0, 2 * stride - fy), (y1, fy))
        for x, wx in ((x0, 2 * stride - fx), (x1, fx))
    ]
    product = corners[0][1] * corners[1][1] * corners[2][1] * corners[3][1]
    return sum((share * (product // total * weight)[..., None] for share, total, weight in corners), 0)


def _corners(pixel: Ints, stride: int, cells: int) -> tuple[Ints, Ints, Ints]:
    """The two cells between whose centres a pixel lies (half-pixel centres), and its way, in 1 / (2 stride)."""
    place = 2 * pixel + 1 - stride
    first = place // (2 * stride)
    way = place - first * 2 * stride
    return np.clip(first, 0, cells - 1), np.clip(first + 1, 0, cells - 1), way


def check(
    protocol: str, labels: NDArray[Any], background: int | None = 0, instances: NDArray[Any] | None = None
) -> None:
    """Equal; the linear protocol may break ties otherwise where cells hold ignored pixels (no dyadic shares)."""
    runs, objects = found(labels, background, instances)
    expected = reference(protocol, labels, background, owner_map(runs, objects), objects.class_id.size)
    actual = counts(protocol, labels, background, instances)
    exact = protocol == "nearest" or not (labels == ignore_index(labels.dtype)).any()
    for name in actual._fields:
        value, wanted = getattr(actual, name), getattr(expected, name)
        assert value.shape == wanted.shape
        allowed = np.zeros(len(STRIDES)) if exact else expected.tied
        assert (np.abs(value - wanted) <= allowed).all(), (name, value, wanted, allowed)


@pytest.mark.parametrize("background", [0, 2, None])
@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(deadline=None, max_examples=40)
@given(label_images(max_side=45, ignored=False))
def test_counts_equal_the_reference(protocol: str, background: int | None, labels: NDArray[np.uint8]) -> None:
    check(protocol, labels, background)


@pytest.mark.parametrize("background", [0, None])
@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(deadline=None, max_examples=25)
@given(label_images(max_side=39))
def test_counts_equal_the_reference_with_ignored_pixels(
    protocol: str, background: int | None, labels: NDArray[np.uint8]
) -> None:
    check(protocol, labels, background)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(deadline=None, max_examples=20)
@given(label_images(max_side=39, classes=2, ignored=False), st.integers(0, 2**32 - 1))
def test_losses_of_instances_equal_the_reference(protocol: str, labels: NDArray[np.uint8], seed: int) -> None:
    """Survival is of classes: between two touching instances nothing is lost."""
    ids = np.random.default_rng(seed).integers(5, size=labels.shape).astype(np.uint16)
    check(protocol, labels, instances=ids)


@pytest.mark.parametrize("instances", [False, True], ids=["semantic", "instances"])
@pytest.mark.parametrize("background", [0, None])
@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(deadline=None, max_examples=15)
@given(st.lists(label_images(max_side=50, classes=5), min_size=2, max_size=4), st.integers(0, 2**32 - 1))
def test_many_masks_at_once_equal_each_alone(
    protocol: str, background: int | None, instances: bool, masks: list[NDArray[np.uint8]], seed: int
) -> None:
    """Of any sizes, and one without a class between them; the same instance id in two masks is two objects."""
    masks.insert(1, np.full((37, 50), IGNORE, np.uint8))
    rng = np.random.default_rng(seed)
    ids = [rng.integers(4, size=m.shape).astype(np.uint16) if instances else None for m in masks]
    each = [counts(protocol, m, background, i) for m, i in zip(masks, ids, strict=True)]
    together = counts_of(protocol, masks, background, ids)
    for actual, parts in zip(together, zip(*each, strict=True), strict=True):
        np.testing.assert_array_equal(actual, np.concatenate(parts))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("size", [(1, 1), (1, 97), (97, 1), (67, 131), (130, 63), (3, 1033), (1033, 3)], ids=str)
@pytest.mark.parametrize("ignored", [0.0, 0.15], ids=["all labelled", "some ignored"])
def test_larger_images_equal_the_reference(protocol: str, size: tuple[int, int], ignored: float) -> None:
    check(protocol, random_labels(3, size, 5, ignored, noise=0.05, grain=9))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(deadline=None, max_examples=30)
@given(label_images())
def test_what_is_lost_is_gained(protocol: str, labels: NDArray[np.uint8]) -> None:
    result = counts(protocol, labels, background=None)
    np.testing.assert_array_equal(result.lost.sum(axis=0), result.gained.sum(axis=0))
    np.testing.assert_array_equal(result.lost.sum(axis=0), result.object_lost.sum(axis=0))


# -- ties, ignored pixels, degenerate images


@pytest.mark.parametrize(
    ("pair", "background", "loser"),
    [
        pytest.param((1, 2), 0, 2, id="smaller class"),
        pytest.param((2, 1), 0, 2, id="smaller class, the other way round"),
        pytest.param((0, 1), 0, 0, id="background last"),
        pytest.param((0, 1), None, 1, id="no background"),
        pytest.param((1, 7), 1, 1, id="background 1 last"),
    ],
)
def test_ties(pair: tuple[int, int], background: int | None, loser: int) -> None:
    """Half a cell each at phase 0; at phase 1 every cell is one pixel."""
    labels = np.array([[pair[0], pair[1]], [pair[1], pair[0]]], np.uint8)
    measurement = measured(labels, background)
    winner = sum(pair) - loser
    assert measurement.classes[loser].nearest[:, 0].tolist() == [2, 0]
    assert measurement.classes[winner].nearest[:, 0].tolist() == [0, 2]


def test_linear_ties() -> None:
    """Stride 2, phase 0: both cells hold half of each class, so every pixel is tied."""
    labels = np.array([[1, 2, 2, 1], [2, 1, 1, 2]], np.uint8)
    result = reference("linear", labels, 0, np.zeros((2, 4), np.int64), 1)
    assert result.tied[0] >= 8
    classes = measured(labels).classes
    assert classes[2].linear is not None
    assert classes[2].linear[0, 0] >= 4, "the larger id loses its four pixels"


def test_ignored_pixels_do_not_count() -> None:
    """One labelled pixel among 1023 ignored ones keeps its class at every stride."""
    labels = np.full((32, 32), IGNORE, np.uint8)
    labels[13, 17] = 1
    for protocol in PROTOCOLS:
        result = counts(protocol, labels)
        assert not result.lost.any()
        assert not result.gained.any()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_all_ignored(protocol: str) -> None:
    result = counts(protocol, np.full((37, 50), IGNORE, np.uint8))
    assert [a.shape for a in result] == [(0, 5), (0, 5), (0, 5)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("background", [0, None])
@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize("size", [(1, 1), (33, 47), (64, 64)], ids=str)
def test_one_class_loses_nothing(protocol: str, background: int | None, value: int, size: tuple[int, int]) -> None:
    result = counts(protocol, np.full(size, value, np.uint8), background)
    assert result.lost.shape == (1, 5)
    assert not any(a.any() for a in result)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_lone_pixel_is_lost_at_every_stride(protocol: str) -> None:
    labels = np.zeros((64, 64), np.uint8)
    labels[31, 31] = 1
    assert counts(protocol, labels).lost[0].tolist() == [2] * 5


def test_losses_reach_the_rows() -> None:
    """The survival columns are kept pixels over both phases."""
    labels = random_labels(5, (70, 90), noise=0.02, grain=6)
    result, rows = counts("nearest", labels), measured(labels).rows
    for k, s in enumerate(STRIDES):
        expected = 1 - result.object_lost[:, k] / (2 * rows["area"])
        np.testing.assert_array_equal(rows[f"survival_nearest_{s}"], expected)


# -- laws


@pytest.mark.parametrize("times", [2, 4])
@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.tuples(*[st.integers(1, 3)] * 2), st.sampled_from((0.0, 0.2)), st.integers(1, 9))
def test_nearest_of_an_enlarged_mask_is_the_same(
    times: int, seed: int, cells: tuple[int, int], ignored: float, grain: int
) -> None:
    """At stride ``times * s``, for both phases scale too; sides are multiples of 32, so nothing is padded."""
    labels = random_labels(seed, (32 * cells[0], 32 * cells[1]), 4, ignored, 0.1, grain)
    small = counts("nearest", labels)
    large = counts("nearest", np.kron(labels, np.ones((times, times), np.uint8)))
    shift = STRIDES.index(2 * times)
    for name in small._fields:
        expected = times**2 * getattr(small, name)[:, : len(STRIDES) - shift]
        np.testing.assert_array_equal(getattr(large, name)[:, shift:], expected, err_msg=name)


def iou(measurements: list[OneMask], protocol: str, stride: int) -> float:
    """Of class 1, pooled over masks and phases."""
    lost, gained = sum(np.array(getattr(m.classes[1], protocol))[:, STRIDES.index(stride)] for m in measurements)
    pixels = 2 * sum(m.classes[1].pixels for m in measurements)
    return float((pixels - lost) / (pixels + gained))


def placed(mask: Mask, at: int) -> Mask:
    """The mask with enough background around it, the ``at``-th of several places on the grid."""
    return np.pad(mask, ((32 + 5 * at % 16, 32), (32 + 11 * at % 16, 32)))


OBLIQUE = (11, 30, 53, 77, 118, 160)


@pytest.mark.slow
@pytest.mark.parametrize("stride", [4, 8, 16])
@pytest.mark.parametrize(
    ("ratio", "documented", "low", "high"),
    [(4, 0.97, 0.96, 0.99), (2, 0.95, 0.93, 0.975), (1, 0.78, 0.69, 0.88), (0.5, 0.0, 0.0, 0.045)],
    ids=["w/s=4", "w/s=2", "w/s=1", "w/s=0.5"],
)
def test_linear_falls_with_width_over_stride(
    stride: int, ratio: float, documented: float, low: float, high: float
) -> None:
    """Long straight strips: documented is the mean over directions; one direction lies between low and high."""
    length = max(240, 25 * stride * max(1, ratio))
    values = []
    for angle in (11, 30, 53, 77, 118, 160):
        masks = [placed(strip(ratio * stride, angle, length, p), k) for k, p in enumerate(PHASES[::2])]
        values.append(iou([measured(mask) for mask in masks], "linear", stride))
    assert np.mean(values) == pytest.approx(documented, abs=0.015)
    assert low <= min(values)
    assert max(values) <= high


LARGE: dict[str, Callable[[tuple[float, float]], Mask]] = {
    "disc": lambda p: disc(60, p),
    "small disc": lambda p: disc(30, p),
    "ellipse": lambda p: ellipse(70, 25, 31, p),
    "flat ellipse": lambda p: ellipse(80, 20, -63, p),
    "rectangle": lambda p: rectangle(150, 50, 23, p),
    "near-square": lambda p: rectangle(90, 80, 61, p),
    "star": lambda p: star(90, 0.5, 5, 10, p),
    "seven-pointed star": lambda p: star(90, 0.6, 7, 5, p),
    "annulus": lambda p: annulus(100, 50, p),
    "crescent": lambda p: crescent(80, 45, p),
    "strip": lambda p: strip(24, -15, 200, p),
    "tree": lambda p: tree(60, 12, 4, 77, p),
}


@pytest.mark.parametrize("shape", LARGE)
def test_nearest_follows_its_closed_form(shape: str) -> None:
    """IoU = (1 - c x / 2) / (1 + c x / 2) with x = s P / A < 1: c is near 0.235 whatever the shape."""
    masks = [measured(placed(LARGE[shape](phase), k), sampled=False) for k, phase in enumerate((*PHASES, *PHASES))]
    perimeter_over_area = sum(m.rows["perimeter"][0] for m in masks) / sum(m.rows["area"][0] for m in masks)
    tried = 0
    for stride in STRIDES:
        x = stride * float(perimeter_over_area)
        if x < 1:
            value = iou(masks, "nearest", stride)
            c = 2 * (1 - value) / (1 + value) / x
            assert 0.19 < c < 0.25, (stride, x, c)
            tried += 1
    assert tried >= 2


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("shape", ["disc", "rectangle", "star", "tree"])
def test_survival_falls_with_stride(protocol: str, shape: str) -> None:
    mask = measured(placed(LARGE[shape](PHASES[0]), 1))
    values = [iou([mask], protocol, s) for s in STRIDES]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.9
