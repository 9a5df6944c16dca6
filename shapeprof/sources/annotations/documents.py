"""Parse a document whatever its format, once per process while it does not change; find the one that holds a mask."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path, PurePosixPath

from shapeprof.sources.maskset import AnnotationSource

from .format import AnnotationFormat, Content, all_formats, find_format
from .model import BelongsToMasks, Document, NotThisFormat
from .places import join, parent

HEAD = 4096  # bytes of a file by which its format is recognised
CACHED = 64  # documents kept per process: there are few of those that hold many images


def guesses(path: Path) -> list[AnnotationFormat]:
    """The formats that a file may be of by its suffix and its beginning; [] when it can't be read."""
    likely = [format_ for format_ in all_formats() if format_.marks and path.suffix.lower() in format_.suffixes]
    if not likely:
        return []
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError:
        return []
    if head.startswith(b'{"schema_version"'):  # a profile of ours
        return []
    return [format_ for format_ in likely if any(mark in head for mark in format_.marks)]


def is_annotation_document(path: Path) -> bool:
    """Whether a file looks like an annotation document, by its suffix and its beginning."""
    return path.is_file() and bool(guesses(path))


def recognise(path: Path) -> tuple[AnnotationFormat, Document]:
    """Parse a document and find its format; raise NotThisFormat with the reason of each format that was tried."""
    return _recognised(path, *_state(path))


def load(path: Path, format_: str) -> Document:
    """Parse a file of a format; raise NotThisFormat."""
    wanted = find_format(format_)
    if not wanted.marks:
        return _parsed(path, format_, *_state(path))
    found, document = recognise(path)
    if found != wanted:
        raise NotThisFormat(f"it is no longer a {wanted.title} document")
    return document


def _state(path: Path) -> tuple[int, int]:
    """Size and time of the last change: part of the cache keys, so that a changed file is parsed again."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        raise NotThisFormat("it is gone") from None
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=CACHED)
def _recognised(path: Path, size: int, modified: int) -> tuple[AnnotationFormat, Document]:
    content, reasons = _content(path), []
    for format_ in guesses(path):
        try:
            return format_, format_.parse(content)
        except BelongsToMasks:
            raise
        except NotThisFormat as error:
            reasons.append(str(error))
    raise NotThisFormat("; ".join(dict.fromkeys(reasons)))


@lru_cache(maxsize=CACHED)
def _parsed(path: Path, format_: str, size: int, modified: int) -> Document:
    return find_format(format_).parse(_content(path))


def _content(path: Path) -> Content:
    try:
        return Content(path.name, path.read_bytes())
    except OSError as error:
        raise NotThisFormat(f"the system does not allow reading it ({error.strerror})") from None


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
    for _ in range(2):  # a second time where a document has changed since the index was made
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
    """Map each mask name to (document, file name in it); the first document wins where several hold a name."""
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
