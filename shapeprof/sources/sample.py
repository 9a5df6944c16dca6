"""Which masks are looked at when a whole set is too many: the same ones on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

SAMPLE = 64  # chosen: masks looked at to detect an encoding
COLOUR_SAMPLE = 256  # chosen: more for colours, as a colour that was not seen has no class


def sample_order(names: Iterable[str]) -> list[str]:
    """``names`` (relative paths) sorted by their hash, so that the first n are an arbitrary but fixed sample."""
    encoded = ((name.encode("utf-8", "surrogateescape"), name) for name in names)
    return [name for _, name in sorted((hashlib.blake2b(e, digest_size=8).digest(), name) for e, name in encoded)]
