"""One file to a Document, whatever its format; parsed once per process as long as it does not change."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from .format import AnnotationFormat, Content, all_formats, find_format
from .model import BelongsToMasks, Document, NotThisFormat

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
    """A document and its format; raise NotThisFormat with the reasons why it is of none."""
    return _recognised(path, *_state(path))


def load(path: Path, format_: str) -> Document:
    """Parse a file of a format; raise NotThisFormat."""
    wanted = find_format(format_)
    if not wanted.marks:
        return _parsed(path, format_, *_state(path))
    found, document = recognise(path)
    if found != wanted:
        raise NotThisFormat(f"it is no {wanted.title} document any longer")
    return document


def _state(path: Path) -> tuple[int, int]:
    """Size and time of the last change: a changed file is another one to the caches."""
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
