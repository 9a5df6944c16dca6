"""The fixed bins in which metrics are counted.

Counts in fixed bins add, so that merging them is exact. Quantiles are read within half a bin: 0.001 of values
from 0 to 1, 2.2 % of lengths and areas.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONVEXITY_BINS = 501  # 0.002 wide; the last holds exactly 1
PER_OCTAVE = 16
LENGTH_BINS = PER_OCTAVE * 32  # up to 2^32 px, of length or of area


def length_bin(values: NDArray[Any]) -> NDArray[np.int64]:
    """Logarithmic bin of lengths or areas: ``floor(16 log2(v) + 1/2)``, so that 1, 2, 4 ... are bin centres.

    Values under 1 px fall into the bin of 1 px.
    """
    bins: NDArray[np.int64] = np.floor(PER_OCTAVE * np.log2(np.maximum(values, 1)) + 0.5).astype(np.int64)
    result: NDArray[np.int64] = np.minimum(bins, LENGTH_BINS - 1)
    return result


def convexity_bin(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Bin of convexities and other values in [0, 1]: 0.002 wide, with exactly 1 in a bin of its own."""
    bins: NDArray[np.int64] = (values * (CONVEXITY_BINS - 1)).astype(np.int64)
    result: NDArray[np.int64] = np.minimum(bins, CONVEXITY_BINS - 1 - (values < 1))
    return result


def _length(k: int) -> float:
    return float(2 ** (k / PER_OCTAVE))


def _length_or_zero(k: int) -> float:
    return _length(k) if k else 0.0


def _share(k: int) -> float:
    return 1.0 if k == CONVEXITY_BINS - 1 else (k + 0.5) / (CONVEXITY_BINS - 1)


@dataclass(frozen=True, slots=True)
class Bins:
    """One kind of bins: how many there are, the bin of a value, and the value that a bin stands for."""

    number: int
    bin_of: Callable[[NDArray[Any]], NDArray[np.int64]]
    value_of: Callable[[int], float]
    error: str  # how far a quantile can be off

    def quantile(self, histogram: NDArray[Any], q: float) -> float:
        """The q-quantile of a histogram in these bins: its smallest value that a share q does not exceed.

        NaN for an empty histogram.
        """
        k = quantile_bin(histogram, q)
        return math.nan if k < 0 else self.value_of(k)


UNIT = Bins(CONVEXITY_BINS, convexity_bin, _share, "0.001")  # values from 0 to 1
LENGTH = Bins(LENGTH_BINS, length_bin, _length, "2.2 %")  # lengths and areas of 1 px or more
DEPTH = Bins(LENGTH_BINS, length_bin, _length_or_zero, "2.2 %")  # lengths; 1 px or less reads 0


def quantile_bin(histogram: NDArray[Any], q: float) -> int:
    """Bin of the q-quantile of a histogram; -1 if it is empty."""
    cumulative = np.cumsum(histogram)
    if not cumulative.size or cumulative[-1] <= 0:
        return -1
    return int(np.searchsorted(cumulative, max(q * cumulative[-1], 1e-9)))


@lru_cache(maxsize=1)
def width_edges() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Tables that give ``length_bin(w)`` for widths w up to 64 px without a logarithm.

    ``edges``: the smallest width in every length bin. ``bins``: the bin of every multiple of 1/32 px. Any
    1/32 px holds at most one edge, so the bin of w is ``k + (w >= edges[k + 1])`` with ``k = bins[int(32 * w)]``.
    """
    edges = np.empty(LENGTH_BINS + 1, np.float32)
    edges[0], edges[-1] = 0, np.inf
    for k in range(1, LENGTH_BINS):
        near = np.float32(2 ** ((k - 0.5) / PER_OCTAVE))
        steps = near.view(np.int32) + np.arange(-4, 5, dtype=np.int32)  # the floats next to it
        candidates = steps.view(np.float32)
        edges[k] = candidates[length_bin(candidates) >= k].min()
    return edges, length_bin(np.arange(64 * 32 + 1, dtype=np.float32) / 32)
