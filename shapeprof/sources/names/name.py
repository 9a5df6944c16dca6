"""A relative path split into folders, stem and suffix: what every reader of names starts from."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple


class Name(NamedTuple):
    """``train/masks/001_mask.png``: folders ("train", "masks"), stem "001_mask", suffix ".png" in lower case."""

    folders: tuple[str, ...]
    stem: str
    suffix: str

    @property
    def folder(self) -> str:
        """The path of its folder; "" at the top."""
        return "/".join(self.folders)

    def lies_in(self, named: Callable[[str], bool]) -> bool:
        """Whether it lies, at any depth, in a folder whose name passes the test."""
        return any(map(named, self.folders))


@lru_cache(maxsize=1 << 16)
def parsed(path: str) -> Name:
    """The parts of a relative path with forward slashes."""
    *folders, last = path.split("/")
    stem, suffix = posixpath.splitext(last)  # a path object would take five times as long
    return Name(tuple(folders), stem, suffix.lower())
