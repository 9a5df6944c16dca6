"""Coarse histograms of a class, for small figures."""

from __future__ import annotations

import math
from typing import Any

from numpy.typing import NDArray

from shapeprof.metrics.bins import CONVEXITY_BINS, PER_OCTAVE

from .text import regrouped


def length_counts(histogram: NDArray[Any], low: int, high: int) -> tuple[float, ...]:
    """Counts per octave of a length from about ``low`` to ``high`` px; the ends hold what lies beyond."""
    half = PER_OCTAVE // 2
    edges = list(range(int(PER_OCTAVE * math.log2(low)) - half // 2, int(PER_OCTAVE * math.log2(high)) + half, half))
    return tuple(regrouped(histogram, [max(0, edge) for edge in edges[::2]]))


def convexity_counts(histogram: NDArray[Any]) -> tuple[float, ...]:
    """Counts per tenth of convexity, from 0 to 1."""
    return tuple(regrouped(histogram, [round(k * (CONVEXITY_BINS - 1) / 10) for k in range(11)]))
