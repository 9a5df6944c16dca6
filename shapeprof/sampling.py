"""Samples of names that are the same on every machine: names in the order of their hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

SAMPLE = 64  # chosen: masks looked at to detect an encoding
COLOUR_SAMPLE = 256  # chosen: more for colours, as a colour that was not seen has no class


def name_hash(name: str) -> bytes:
    """The hash of a name, 8 bytes; names that are no valid text have one too."""
    return hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()


def sample_order(names: Iterable[str]) -> list[str]:
    """``names`` in the order of their hashes, whatever order they came in: any beginning is a random sample."""
    return sorted(names, key=lambda name: (name_hash(name), name))


def smallest_hashes(names: Iterable[str], n: int) -> tuple[str, ...]:
    """The ``n`` names with the smallest hashes, sorted by name."""
    return tuple(sorted(sample_order(names)[:n]))
