"""The fixed bins in which lengths, areas and convexities are counted.

Counts in fixed bins add, so that merging them is exact. Quantiles are read within 0.001 (convexity) and
2.2 % (lengths and areas).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONVEXITY_BINS = 501  # 0.002 wide; the last holds exactly 1
PER_OCTAVE = 16
LENGTH_BINS = PER_OCTAVE * 32  # up to 2^32 px, of length or of area


def length_bin(values: NDArray[Any]) -> NDArray[np.int64]:
    """Logarithmic bin of lengths or areas: ``floor(16 log2(v) + 1/2)``, so that 1, 2, 4 ... are bin centres.

    What is under 1 px reads 1.
    """
    bins: NDArray[np.int64] = np.floor(PER_OCTAVE * np.log2(np.maximum(values, 1)) + 0.5).astype(np.int64)
    result: NDArray[np.int64] = np.minimum(bins, LENGTH_BINS - 1)
    return result


def convexity_bin(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Bin of convexities: 0.002 wide, with exactly 1 in a bin of its own."""
    bins: NDArray[np.int64] = (values * (CONVEXITY_BINS - 1)).astype(np.int64)
    result: NDArray[np.int64] = np.minimum(bins, CONVEXITY_BINS - 1 - (values < 1))
    return result


@lru_cache(maxsize=1)
def width_edges() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """``length_bin`` by look-up, for widths w up to 64 px, in 1/32 px of which there is at most one edge.

    Smallest width in every length bin, ``edges``, and the bin of every multiple of 1/32 px, ``bins``. The
    bin of w is ``k + (w >= edges[k + 1])`` with ``k = bins[int(32 * w)]``.
    """
    edges = np.empty(LENGTH_BINS + 1, np.float32)
    edges[0], edges[-1] = 0, np.inf
    for k in range(1, LENGTH_BINS):
        near = np.float32(2 ** ((k - 0.5) / PER_OCTAVE))
        steps = near.view(np.int32) + np.arange(-4, 5, dtype=np.int32)  # its neighbours among the floats
        candidates = steps.view(np.float32)
        edges[k] = candidates[length_bin(candidates) >= k].min()
    return edges, length_bin(np.arange(64 * 32 + 1, dtype=np.float32) / 32)
