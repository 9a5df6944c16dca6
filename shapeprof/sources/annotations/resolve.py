"""From the name of a mask to the document that holds it."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path, PurePosixPath

from shapeprof.sources.maskset import AnnotationSource

from .documents import load
from .format import find_format
from .model import NotThisFormat
from .places import join, parent


def resolve(root: Path, name: str, source: AnnotationSource) -> tuple[str, str] | None:
    """(document relative to ``root``, file name of the record in it, "" for its only one); None for no mask."""
    return _by_folder(root, name, source) if find_format(source.format).per_image else _by_record(root, name, source)


def _by_folder(root: Path, name: str, source: AnnotationSource) -> tuple[str, str] | None:
    folder, file = parent(name), PurePosixPath(name).stem + find_format(source.format).suffixes[0]
    for where in (*(where for where, place in source.places if place == folder), folder):
        if os.path.isfile(root / join(where, file)):  # noqa: PTH113 - no error for a name that no system takes
            return join(where, file), ""
    return None


def _by_record(root: Path, name: str, source: AnnotationSource) -> tuple[str, str] | None:
    for _ in range(2):  # anew if a document has changed since the index was made
        found = _index(root, source.format, source.places).get(name)
        if found and _holds(root, source.format, *found):
            return found
        _index.cache_clear()
    return None


def _holds(root: Path, format_: str, document: str, file_name: str) -> bool:
    try:
        return load(root / document, format_).find(file_name) is not None
    except NotThisFormat:
        return False


@lru_cache(maxsize=4)
def _index(root: Path, format_: str, places: tuple[tuple[str, str], ...]) -> dict[str, tuple[str, str]]:
    """What every name stands for; of documents that hold the same one, the first."""
    index: dict[str, tuple[str, str]] = {}
    for document, place in places:
        try:
            parsed = load(root / document, format_)
        except NotThisFormat:
            continue
        for base, file_name in (*((n, n) for n in parsed.records), *parsed.by_base.items()):
            if file_name:
                index.setdefault(join(place, base), (document, file_name))
    return index
