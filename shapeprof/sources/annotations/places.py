"""Where the images of a document lie."""

from __future__ import annotations

import os
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from shapeprof.sources.listing.files import all_image_suffixes, may_be_image
from shapeprof.sources.names.words import is_mask_folder

_LEVELS = 3  # chosen: folders upwards from a document in which images/ is looked for


def join(folder: str, name: str) -> str:
    """``folder/name``, or ``name`` when the folder is ""."""
    return f"{folder}/{name}" if folder else name


def parent(path: str) -> str:
    """The folder of a relative path; "" for the root."""
    return posixpath.dirname(path)


def image_folders(folder: str) -> list[str]:
    """Where the images of documents in ``folder`` may lie: there, or in ``images`` beside or above it.

    With ``labels/train`` for example ``images/train``, with ``annotations`` also ``images``.
    """
    parts = [part for part in folder.split("/") if part]
    start = "/" if folder.startswith("/") else ""
    found = [folder]
    for at in range(len(parts), max(len(parts) - _LEVELS, 0) - 1, -1):
        above, below = parts[:at], parts[at:]
        found += [start + "/".join(path) for path in ([*above, "images", *below], [*above, "images", *below[1:]])]
        found += [start + "/".join([*above, *below[1:]])] if below else []
    return list(dict.fromkeys(found))


class Images:
    """The image files below a root, to find those that documents name; files in folders of masks don't count."""

    def __init__(self, root: Path, files: Iterable[str] | None) -> None:
        """``files``: all below ``root``; None: they were not listed, and the disk is asked."""
        self._root = root
        self._known: set[str] | None = None if files is None else set()
        self._by_last: dict[str, list[str]] = defaultdict(list)  # by last part, and by stem with a "/" behind it
        for path in files or ():
            pure = PurePosixPath(path)
            if may_be_image(path) and not any(map(is_mask_folder, pure.parts[:-1])):
                self._add(path, pure)

    def _add(self, path: str, pure: PurePosixPath) -> None:
        assert self._known is not None
        self._known.add(path)
        self._by_last[pure.name].append(path)
        self._by_last[pure.stem + "/"].append(path)

    def is_there(self, path: str) -> bool:
        """Whether there is an image of that path, relative to the root."""
        return os.path.isfile(self._root / path) if self._known is None else path in self._known  # noqa: PTH113

    def find(self, document: str, file_name: str, raw: str = "") -> str | None:
        """The image that a document names, relative to the root; ``raw``: as it names it, with ``..``."""
        folder = parent(document)
        candidates = [posixpath.normpath(join(folder, raw))] if raw else []
        candidates += [join(place, file_name) for place in image_folders(folder)]
        base = posixpath.basename(file_name)
        for path in candidates:
            if not path.startswith("..") and self.is_there(path):
                return path
        same = self._by_last.get(base, [])
        whole = [path for path in same if path.endswith("/" + file_name)]
        return _nearest(document, whole or same)

    def find_stem(self, document: str) -> str | None:
        """The image of a document's own stem, relative to the root."""
        stem = PurePosixPath(document).stem
        same = self._by_last.get(stem + "/", [])
        for place in image_folders(parent(document)):
            if found := [path for path in same if parent(path) == place]:
                return found[0]
        return _nearest(document, same)


def _nearest(document: str, images: list[str]) -> str | None:
    """The image whose path shares the most words with the document's; None when two share as many."""
    words = set(_words(document))
    ranked = sorted(images, key=lambda path: (-len(words & set(_words(path))), path))
    if len(ranked) > 1 and len(words & set(_words(ranked[0]))) == len(words & set(_words(ranked[1]))):
        return None
    return ranked[0] if ranked else None


def _words(path: str) -> list[str]:
    return [word for word in re.split(r"[/_. -]+", path.lower()) if word]


def image_beside(root: Path, document: str, file_name: str) -> Path | None:
    """The image that a document in or outside of ``root`` names, on disk: by its name, else by its stem."""
    folder = Path(os.path.abspath(root / document)).parent.as_posix()  # noqa: PTH100 - links stay links
    stem, suffix = PurePosixPath(file_name).stem, PurePosixPath(file_name).suffix.lower()
    names = [file_name] if suffix in all_image_suffixes() else []
    names += [stem + suffix for suffix in sorted(all_image_suffixes())]
    for place in image_folders(folder):
        for name in names:
            path = Path(place) / name
            if os.path.isfile(path):  # noqa: PTH113 - no error for a name that no system takes
                return path
    return None
