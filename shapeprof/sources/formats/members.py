"""Names of masks that share a file: ``stack.tif#3``, ``masks.npz#liver``, ``masks.npz#liver#3``.

A member is the page of a TIFF file, the plane of an array, the slice of a volume (all counted from 0), or the name
of an array in a file that holds several.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path

from .format import member_suffixes


def member_name(file: str, member: str) -> str:
    """The name of one mask in ``file``; that of the file itself where it holds one mask only."""
    return f"{file}#{member}" if member else file


def split_name(name: str, root: Path | None = None) -> tuple[str, str]:
    """(file, member) of a mask's name; no member ("") for a file that holds one mask.

    ``root``: the folder to look in for a file that is really called like a member.
    """
    if "#" not in name:
        return name, ""
    found = _member().fullmatch(name)
    if found is None or (root is not None and os.path.isfile(os.path.join(root, name))):  # noqa: PTH113, PTH118
        return name, ""
    return found[1], found[2]


@lru_cache(maxsize=1)
def _member() -> re.Pattern[str]:
    suffixes = "|".join(map(re.escape, sorted(member_suffixes(), key=len, reverse=True)))
    return re.compile(rf"(.+?(?:{suffixes}))#(.+)", re.IGNORECASE | re.DOTALL)
