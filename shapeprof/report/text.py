"""Numbers, bars and small histograms as text."""

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
    """A horizontal bar for a share in [0, 1], in eighths of a character."""
    if math.isnan(share):
        return " " * width
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (EIGHTHS[rest] if rest else "")).ljust(width)


def regrouped(histogram: NDArray[Any], edges: list[int]) -> list[float]:
    """Sums of a fine histogram between bin ``edges``; the first and last groups take what lies outside."""
    inner = [float(histogram[a:b].sum()) for a, b in pairwise(edges)]
    inner[0] += float(histogram[: edges[0]].sum())
    inner[-1] += float(histogram[edges[-1] :].sum())
    return inner


def percent(share: float) -> str:
    """A share as a whole percentage; "under 1 %" and "over 99 %" are told from 0 and 100."""
    if math.isnan(share):
        return "-"
    if 0 < share < 0.005:
        return "<1 %"
    if 0.995 <= share < 1:
        return ">99 %"
    return f"{share * 100:.0f} %"


def quantity(value: float) -> str:
    """A length in px with as many digits as it deserves."""
    if math.isnan(value):
        return "-"
    return f"{value:.1f}" if value < 9.95 else f"{value:,.0f}"


def short(value: float) -> str:
    """A number with three significant digits, never in exponents."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def big(value: float) -> str:
    """A large count with its SI prefix: 14.3 M."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.1f} {unit}"
    return f"{value:.0f}"


def duration(seconds: float) -> str:
    """A duration in the unit a person would use."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172800 else f"{seconds / 86400:.0f} days"


def printable(text: str, limit: int = 200) -> str:
    """``text`` with control characters and undecodable bytes shown as escapes, and cut at ``limit`` characters."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
    shown = shown.encode("utf-8", "backslashreplace").decode()
    return shown if len(shown) <= limit else shown[: limit - 80] + "..." + shown[-77:]


def plural(n: int, noun: str) -> str:
    """``n`` with its noun: 1 mask, 2 masks."""
    if n == 1:
        return f"1 {noun}"
    return f"{n:,} {noun}es" if noun.endswith(("s", "ch")) else f"{n:,} {noun}s"
