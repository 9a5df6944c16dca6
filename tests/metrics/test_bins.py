"""Bins: every value within the stated error, and the quantiles read from them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shapeprof.metrics.bins import DEPTH, LENGTH, UNIT, Bins, length_bin, quantile_bin, width_edges

LENGTH_ERROR = 2 ** (0.5 / 16) - 1  # half a bin: 2.19 %


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_the_bins_of_local_width_are_the_bins_of_lengths(seed: int) -> None:
    """Looked up in a table of edges: also on the values next to an edge."""
    rng = np.random.default_rng(seed)
    exact = 2 ** ((rng.integers(1, 95, size=50) - 0.5) / 16)
    near = np.nextafter(exact.astype(np.float32), np.float32(rng.integers(100)))
    values = np.concatenate([rng.uniform(0.5, 63, 200), exact, near, [1, 2, 63]]).astype(np.float32)
    edges, bins = width_edges()
    looked_up = bins[(values * 32).astype(int)]
    looked_up += values >= edges[looked_up + 1]
    np.testing.assert_array_equal(looked_up, length_bin(values))


@settings(deadline=None, max_examples=200)
@given(st.floats(1, 2**17 / 1.03))
def test_length_bins(value: float) -> None:
    read = 2 ** (int(length_bin(np.array([value]))[0]) / 16)
    assert read == pytest.approx(value, rel=LENGTH_ERROR + 1e-12)


@pytest.mark.parametrize("value", [1, 2, 4, 1024, 65536])
def test_powers_of_two_are_read_exactly(value: int) -> None:
    assert 2 ** (int(length_bin(np.array([value]))[0]) / 16) == value


@settings(deadline=None, max_examples=200)
@given(st.floats(0, 1))
def test_values_from_0_to_1_are_within_the_error(value: float) -> None:
    k = int(UNIT.bin_of(np.array([value]))[0])
    assert 0 <= k < UNIT.number
    assert UNIT.value_of(k) == pytest.approx(value, abs=0.001 + 1e-12)
    assert (UNIT.value_of(k) == 1) == (value == 1)


def test_depths_of_one_pixel_or_less_read_0() -> None:
    assert [DEPTH.value_of(int(k)) for k in DEPTH.bin_of(np.array([0.0, 1.0, 2.0, 8.0]))] == [0, 0, 2, 8]
    assert LENGTH.value_of(0) == 1


@pytest.mark.parametrize("bins", [UNIT, LENGTH, DEPTH])
def test_an_empty_histogram_has_no_quantile(bins: Bins) -> None:
    assert math.isnan(bins.quantile(np.zeros(bins.number, np.int64), 0.5))
    assert quantile_bin(np.zeros(0), 0.5) == -1


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=40).filter(any), st.floats(0, 1))
def test_the_quantile_is_the_smallest_value_that_a_share_does_not_exceed(counts: list[int], q: float) -> None:
    values = np.repeat(np.arange(len(counts)), counts)
    k = quantile_bin(np.array(counts), q)
    assert counts[k] > 0
    assert (values <= k).mean() >= q - 1e-12
    assert q == 0 or (values < k).mean() < q + 1e-12


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(1, 1e6), min_size=1, max_size=30), st.floats(0, 1))
def test_quantiles_of_lengths(values: list[float], q: float) -> None:
    histogram = np.bincount(LENGTH.bin_of(np.array(values)), minlength=LENGTH.number)
    exact = np.quantile(values, q, method="inverted_cdf")
    assert LENGTH.quantile(histogram, q) == pytest.approx(exact, rel=LENGTH_ERROR + 1e-9)
