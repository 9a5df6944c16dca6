"""Tallies: what they count, that they merge exactly, and how near their quantiles are to the objects'."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shapeprof.metrics.bins import convexity_bin
from shapeprof.metrics.metric import RELIABLE_AREA
from shapeprof.metrics.strides import STRIDES
from shapeprof.metrics.width import local_width
from shapeprof.profile.class_view import ClassView
from shapeprof.profile.tally import LAYOUT, TALLY_SIZE, Counts, merge_tallies, new_tally, part
from tests.metrics.images import OneMask, found, label_map, measure_one, measured, random_labels, tally_one
from tests.shapes import disc, line, rectangle, star, strip, tree

FLOOR = 12
QUANTILES = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
HISTOGRAMS = {"area": "area", "box_length": "box_length", "feret": "feret_max", "mean_width": "mean_width"}
LENGTH_ERROR = 2 ** (0.5 / 16) - 1  # half a bin: 2.19 %


def measured_set(seed: int, images: int = 6, *, frame: bool = True) -> list[OneMask]:
    """Random masks; with a frame of background most of their objects are untruncated."""
    result = []
    for k in range(images):
        size = (60 + 7 * (seed + k) % 50, 70 + 13 * k % 40)
        labels = random_labels(
            seed + k, size, 4, ignored=0.05 * (k % 2), noise=0.01 * (k % 3), grain=5 + (3 * k + seed) % 14
        )
        labels = np.pad(labels, 3) if frame else labels
        path = f"{seed}-{k}.png"
        result.append(measure_one(label_map(labels, path=path), floor=FLOOR, sampled=k % 3 != 2))
    return result


def merged(measurements: list[OneMask]) -> dict[int, Counts]:
    return merge_tallies([tally_one(m) for m in measurements])


def rows_of(measurements: list[OneMask], class_id: int, name: str) -> NDArray[Any]:
    """One column over the measured objects of a class."""
    kept = [m.rows[name][(m.rows["class_id"] == class_id) & m.rows["measured"]] for m in measurements]
    return np.concatenate(kept)


def on_basis(view: ClassView, measurements: list[OneMask], name: str) -> NDArray[Any]:
    """The objects that quantiles are read from."""
    values = rows_of(measurements, view.id, name)
    if view.untruncated_only:
        values = values[~rows_of(measurements, view.id, "truncated")]
    return values


def statistics(view: ClassView) -> dict[str, float]:
    """Every point estimate of a class."""
    result: dict[str, float] = {
        "untruncated_only": view.untruncated_only,
        "touching": view.touching_share,
        "suspected merged": view.suspected_merged_share,
    }
    for q in QUANTILES:
        result[f"convexity_filled {q}"] = view.quantile("convexity_filled", q)
        result[f"concavity_depth {q}"] = view.quantile("concavity_depth", q)
        for weight in ("objects", "area"):
            result[f"convexity {q} {weight}"] = view.convexity(q, weight)
        for name in (*HISTOGRAMS, "width_pixels"):
            result[f"{name} {q}"] = view.quantile(name, q)
    for stride in (1, *STRIDES):
        for protocol in ("nearest", "linear", "best"):
            result[f"survival {stride} {protocol}"] = view.survival(stride, protocol)
            for reliable in (True, False):
                key = f"recall {stride} {protocol} {reliable}"
                result[key] = view.recall(stride, protocol, reliable=reliable)
            if stride > 1:
                result[f"per object {stride} {protocol}"] = view.per_object(stride, protocol)
    return result


# -- layout and merging


def test_the_layout_covers_the_vector_once() -> None:
    covered = np.zeros(TALLY_SIZE, int)
    for where, shape in LAYOUT.values():
        covered[where] += 1
        assert where.stop - where.start == math.prod(shape)
    assert (covered == 1).all()
    assert new_tally().dtype == np.int64


@pytest.mark.slow
@settings(deadline=None, max_examples=20)
@given(st.permutations(range(6)), st.integers(1, 5))
def test_the_sum_does_not_depend_on_order_or_grouping(order: list[int], cut: int) -> None:
    tallies = [tally_one(m) for m in measured_set(3)]
    together = merge_tallies(tallies)
    shuffled = [tallies[k] for k in order]
    grouped = merge_tallies([merge_tallies(shuffled[:cut]), merge_tallies(shuffled[cut:])])
    assert list(together) == list(grouped) == sorted(together)
    for class_id, counts in together.items():
        np.testing.assert_array_equal(counts, grouped[class_id])
        assert counts.dtype == np.int64


def test_merging_leaves_its_parts_alone() -> None:
    first, second = (tally_one(m) for m in measured_set(5, 2))
    before = {c: t.copy() for c, t in first.items()}
    merge_tallies([first, second])
    for class_id, counts in first.items():
        np.testing.assert_array_equal(counts, before[class_id])


# -- counts


@pytest.mark.parametrize("frame", [True, False], ids=["untruncated", "truncated"])
@pytest.mark.parametrize("seed", range(4))
def test_the_ledger(seed: int, frame: bool) -> None:
    """found = measured + below_floor, and every histogram holds the measured objects."""
    measurements = measured_set(seed, frame=frame)
    for class_id, counts in merged(measurements).items():
        view = ClassView(class_id, "", counts)
        areas = np.concatenate([m.rows["area"][m.rows["class_id"] == class_id] for m in measurements])
        assert view.found == areas.size
        assert view.measured == (areas >= FLOOR).sum()
        assert view.found == view.measured + view.total("below_floor")
        for name in ("convexity", *HISTOGRAMS):
            assert view.total(name) == view.measured, name
        truncated = rows_of(measurements, class_id, "truncated")
        for name in ("convexity", *HISTOGRAMS):
            assert part(counts, name).sum(axis=1).tolist() == [truncated.sum(), (~truncated).sum()]
        large = rows_of(measurements, class_id, "area")
        assert part(counts, "area_measured").tolist() == [large[truncated].sum(), large[~truncated].sum()]
        large = large[large >= RELIABLE_AREA]
        assert view.total("reliable") == view.total("convexity_reliable") == large.size
        assert view.total("convexity_area") == large.sum()
        assert view.total("truncated") == truncated.sum()
        assert view.total("borders_ignored") == rows_of(measurements, class_id, "borders_ignored").sum()
        holes = rows_of(measurements, class_id, "hole_count")
        assert (view.total("hole_count"), view.total("with_holes")) == (holes.sum(), (holes > 0).sum())
        assert view.total("pixels") == areas.sum()
        assert view.total("images") == sum(class_id in m.classes for m in measurements)
        perimeters = [m.rows["perimeter"][m.rows["class_id"] == class_id].sum() for m in measurements]
        assert view.perimeter == pytest.approx(sum(perimeters))


@pytest.mark.parametrize("seed", range(2))
def test_the_sample(seed: int) -> None:
    """Local width and linear survival are counted over sampled masks only."""
    measurements = measured_set(seed)
    sampled = [m for m in measurements if m.linear_lost is not None]
    assert 0 < len(sampled) < len(measurements)
    for class_id, counts in merged(measurements).items():
        view = ClassView(class_id, "", counts)
        areas = rows_of(sampled, class_id, "area")
        pixels = sum(m.classes[class_id].pixels for m in sampled if class_id in m.classes)
        assert view.total("sampled_images") == sum(class_id in m.classes for m in sampled)
        assert view.total("sampled_pixels") == view.total("width_pixels") == pixels
        assert view.total("sampled_objects") == areas.size
        assert view.total("sampled_reliable") == (areas >= RELIABLE_AREA).sum()


@pytest.mark.parametrize("protocol", ["nearest", "linear"])
@pytest.mark.parametrize("stride", STRIDES)
def test_survival_recall_and_share_per_object(stride: int, protocol: str) -> None:
    measurements = measured_set(2)
    k = STRIDES.index(stride)
    for class_id, counts in merged(measurements).items():
        view = ClassView(class_id, "", counts)
        used = [m for m in measurements if class_id in m.classes and getattr(m.classes[class_id], protocol) is not None]
        lost, gained = sum(getattr(m.classes[class_id], protocol)[:, k] for m in used)
        pixels = 2 * sum(m.classes[class_id].pixels for m in used)
        assert view.survival(stride, protocol) == pytest.approx((pixels - lost) / (pixels + gained))
        kept, area = [], []
        for m in used:
            chosen = (m.rows["class_id"] == class_id) & m.rows["measured"]
            area += m.rows["area"][chosen].tolist()
            if protocol == "nearest":
                kept += m.rows[f"survival_nearest_{stride}"][chosen].tolist()
            else:
                assert m.linear_lost is not None
                kept += (1 - m.linear_lost[chosen, k] / (2 * m.rows["area"][chosen])).tolist()
        share = np.array(kept)
        reliable = share[np.array(area) >= RELIABLE_AREA] if protocol == "linear" else share
        assert view.per_object(stride, protocol) == pytest.approx(share.mean(), abs=1e-6)
        assert view.recall(stride, protocol, reliable=False) == pytest.approx((share >= 0.5).mean())
        expected = (reliable >= 0.5).mean() if reliable.size else math.nan
        assert view.recall(stride, protocol) == pytest.approx(expected, nan_ok=True)


def test_an_object_that_keeps_exactly_half_is_recalled() -> None:
    """A bar of 2 x 64 in cells of 4: each phase keeps all or nothing of it."""
    labels = np.zeros((64, 64), np.uint8)
    labels[31:33] = 1  # halves in two cells at phase 0; half of one cell, the tie that class 1 wins, at phase 2
    measurement = measured(labels)
    assert measurement.rows["survival_nearest_4"].tolist() == [0.5]
    assert ClassView(1, "", tally_one(measurement)[1]).recall(4, "nearest") == 1


# -- quantiles


@pytest.mark.parametrize("frame", [True, False], ids=["untruncated", "truncated"])
@pytest.mark.parametrize("seed", range(4))
def test_quantiles_are_within_the_stated_bounds(seed: int, frame: bool) -> None:
    """Of the smallest value that at least a share q of the objects does not exceed."""
    measurements = measured_set(seed, frame=frame)
    for class_id, counts in merged(measurements).items():
        view = ClassView(class_id, "", counts)
        convexity, area = (on_basis(view, measurements, name) for name in ("convexity", "area"))
        large = area >= RELIABLE_AREA
        for q in QUANTILES:
            exact = np.quantile(convexity, q, method="inverted_cdf")
            assert view.convexity(q) == pytest.approx(exact, abs=0.001 + 1e-12)
            if large.any():
                of_pixels = np.repeat(convexity[large], area[large])
                exact = np.quantile(of_pixels, q, method="inverted_cdf")
                assert view.convexity(q, "area") == pytest.approx(exact, abs=0.001 + 1e-12)
            for name, column in HISTOGRAMS.items():
                exact = np.quantile(on_basis(view, measurements, column), q, method="inverted_cdf")
                assert view.quantile(name, q) == pytest.approx(exact, rel=LENGTH_ERROR + 1e-9), name


def test_quantiles_of_local_width() -> None:
    measurements = measured_set(1)
    for class_id, counts in merged(measurements).items():
        widths = []
        for m in measurements:
            if m.linear_lost is not None:
                labels = m.source.labels
                widths.append(local_width(*found(labels))[0][labels == class_id])
        values = np.concatenate(widths)
        for q in QUANTILES:
            exact = float(np.quantile(values, q, method="inverted_cdf"))
            assert ClassView(class_id, "", counts).quantile("width_pixels", q) == pytest.approx(
                exact, rel=LENGTH_ERROR + 1e-6
            )


@pytest.mark.parametrize("side", [7, 60, 300, 400, 1500], ids=lambda s: f"{s} px")
def test_areas_of_every_size_are_within_the_bound(side: int) -> None:
    """A scene's wall or road has a million pixels and more."""
    measurement = measured(np.pad(np.ones((side, side), np.uint8), 2), sampled=False)
    view = ClassView(1, "", tally_one(measurement)[1])
    assert view.quantile("area", 0.5) == pytest.approx(side**2, rel=LENGTH_ERROR + 1e-9)


def test_widths_under_one_pixel_read_one_pixel() -> None:
    """The ribbon formula gives 0.96 px for an oblique line of one pixel."""
    measurement = measured(line(40, 40))
    assert measurement.rows["mean_width"][0] == pytest.approx(0.956, abs=0.001)
    assert ClassView(1, "", tally_one(measurement)[1]).quantile("mean_width", 0.5) == 1


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 10**6), st.integers(0, 10**6))
def test_only_convex_objects_read_1(area: int, lacking: int) -> None:
    """Even with one pixel missing in a million."""
    counts = new_tally()
    bins = convexity_bin(np.array([area / (area + lacking)]))
    part(counts, "convexity")[1, bins] = 1
    read = ClassView(1, "", counts).convexity(0.5)
    assert (read == 1) == (lacking == 0)
    assert read == pytest.approx(area / (area + lacking), abs=0.001 + 1e-12)


# -- truncation and emptiness


def test_shape_is_read_from_untruncated_objects_while_they_hold_half_the_area() -> None:
    labels = np.zeros((100, 200), np.uint8)
    labels[10:40, 10:40] = 1  # 900 px, untruncated
    labels[60:, 150:] = 1  # 2000 px, truncated
    view = ClassView(1, "", tally_one(measured(labels))[1])
    assert not view.untruncated_only
    assert view.quantile("box_length", 1.0) == pytest.approx(50, rel=LENGTH_ERROR)
    labels[80:, 150:] = 0
    labels[60:80, 182:] = 0
    view = ClassView(1, "", tally_one(measured(labels))[1])
    assert not view.total("truncated")
    assert view.untruncated_only
    labels[-18:, -50:] = 1  # 900 px, truncated: a tie
    labels[60:80, 150:182] = 0
    view = ClassView(1, "", tally_one(measured(labels))[1])
    assert view.untruncated_only
    assert view.quantile("box_length", 1.0) == pytest.approx(30, rel=LENGTH_ERROR)


def test_a_class_of_nothing_is_undefined() -> None:
    values = statistics(ClassView(1, "", new_tally()))
    defined = {key for key, value in values.items() if not math.isnan(value)}
    assert defined == {"untruncated_only"} | {key for key in values if key.split()[1:2] == ["1"]}


def test_an_image_without_objects_has_no_tally() -> None:
    assert tally_one(measured(np.zeros((9, 9), np.uint8))) == {}


def test_no_background_counts_every_class() -> None:
    labels = np.repeat(np.arange(3, dtype=np.uint8), 20)[:, None].repeat(40, axis=1)
    assert list(tally_one(measured(labels, None))) == [0, 1, 2]


def test_instances_in_pieces_and_pixels_of_no_object() -> None:
    ids = np.zeros((30, 60), np.uint16)
    ids[5:15, 5:15] = ids[5:15, 30:40] = 3
    ids[20:28, 5:15] = 4
    labels = (ids > 0).astype(np.uint8)
    labels[20:28, 40:50] = 1  # crowd
    counts = tally_one(measured(labels, instances=ids))[1]
    view = ClassView(1, "", counts)
    assert (view.found, view.total("in_pieces")) == (2, 1)
    assert view.total("pixels") == 360
    assert view.total("width_pixels") == 280


# -- duplication


def shapes_set() -> list[OneMask]:
    masks = [disc(20), star(30), strip(4, 30), tree(20, 3), rectangle(40, 9, 50), line(30, 70)]
    return [measured(mask) for mask in masks]


SETS: dict[str, Callable[[], list[OneMask]]] = {
    "random": lambda: measured_set(0),
    "truncated": lambda: measured_set(1, frame=False),
    "shapes": shapes_set,
    "one image": lambda: measured_set(4, 1),
}


@pytest.mark.parametrize("times", [2, 3, 7])
@pytest.mark.parametrize("name", SETS)
def test_repeating_every_image_changes_no_point_estimate(name: str, times: int) -> None:
    measurements = SETS[name]()
    once, repeated = merged(measurements), merged(measurements * times)
    assert list(once) == list(repeated)
    for class_id in once:
        a, b = (ClassView(class_id, "", counts[class_id]) for counts in (once, repeated))
        np.testing.assert_equal(statistics(b), statistics(a))
        assert (b.found, b.measured) == (times * a.found, times * a.measured)
        assert b.perimeter == pytest.approx(times * a.perimeter)
