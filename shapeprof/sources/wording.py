"""Lists of names in messages."""

from __future__ import annotations

from collections.abc import Iterable


def first_few(items: Iterable[str], limit: int = 3) -> str:
    """The first ``limit`` items and how many more there are: ``a.png, b.png, c.png and 4 more``."""
    listed = list(items)
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more


def either(words: Iterable[str]) -> str:
    """Alternatives in a sentence: ``PNG, TIFF or BMP``."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last
