"""Bars and small histograms as text."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from numpy.typing import NDArray

BLOCKS = " ▁▂▃▄▅▆▇█"
EIGHTHS = " ▏▎▍▌▋▊▉█"


def spark(counts: list[float]) -> str:
    """A histogram in one line; a bin that holds anything shows at least the lowest block."""
    top = max(counts, default=0)
    if top <= 0:
        return "·" * len(counts)
    return "".join(BLOCKS[max(math.ceil(8 * c / top), 1)] if c > 0 else "·" for c in counts)


def bar(share: float, width: int) -> str:
    """A horizontal bar for a share in [0, 1], in eighths of a character; blank for NaN."""
    if math.isnan(share):
        return " " * width
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (EIGHTHS[rest] if rest else "")).ljust(width)


def regrouped(histogram: NDArray[Any], edges: list[int]) -> list[float]:
    """Sums of a fine histogram between bin ``edges``; the first and last groups also hold what lies outside."""
    inner = [float(histogram[a:b].sum()) for a, b in pairwise(edges)]
    inner[0] += float(histogram[: edges[0]].sum())
    inner[-1] += float(histogram[edges[-1] :].sum())
    return inner
