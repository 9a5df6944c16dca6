"""Numbers, names and counts as words, the same in every message."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def percent(share: float) -> str:
    """Whole per cent, but "<1 %" and ">99 %" instead of a rounded 0 or 100; "-" for NaN."""
    if math.isnan(share):
        return "-"
    if 0 < share < 0.005:
        return "<1 %"
    if 0.995 <= share < 1:
        return ">99 %"
    return f"{share * 100:.0f} %"


def quantity(value: float) -> str:
    """A length in px: one decimal under 10, whole from there on; "-" for NaN."""
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
    """A duration in the unit that a person would use."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172800 else f"{seconds / 86400:.0f} days"


def printable(text: str, limit: int = 200) -> str:
    """``text`` with control characters and undecodable bytes as escapes, its middle cut out beyond ``limit``."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
    shown = shown.encode("utf-8", "backslashreplace").decode()
    return shown if len(shown) <= limit else shown[: limit - 80] + "..." + shown[-77:]


def brief(name: str, limit: int = 24) -> str:
    """A name or path that takes at most ``limit`` characters of a line: a longer one loses its middle."""
    shown = printable(name, max(len(name), 200) * 10)
    tail = limit // 2
    return shown if len(shown) <= limit else f"{shown[: limit - tail - 1]}…{shown[-tail:]}"


def listed(names: Sequence[str], most: int = 3, limit: int = 24) -> str:
    """Names in a sentence: "a, b and c", or "a, b, c and 4 more"."""
    shown = [brief(name, limit) for name in names]
    if len(shown) > most:
        shown = [*shown[:most], f"{len(shown) - most:,} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else ""


def first_few(items: Iterable[str], limit: int = 3) -> str:
    """The first ``limit`` items and how many more there are: ``a.png, b.png, c.png and 4 more``."""
    names = list(items)
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def either(words: Iterable[str]) -> str:
    """Alternatives in a sentence: ``PNG, TIFF or BMP``."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def plural(n: int, noun: str) -> str:
    """``n`` with its noun: 1 mask, 2 masks."""
    if n == 1:
        return f"1 {noun}"
    return f"{n:,} {noun}es" if noun.endswith(("s", "ch")) else f"{n:,} {noun}s"
