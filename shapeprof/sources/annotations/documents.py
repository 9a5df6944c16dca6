"""One file to a Document, whatever its format; parsed once per process as long as it does not change."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from . import coco, labelme, via, yolo
from .model import BelongsToMasks, Document, NotThisFormat
from .source import TITLES, Format

HEAD = 4096  # bytes of a JSON file that must name a key of the format
CACHED = 64  # documents kept per process: there are few of those that hold many images
_MARKS: dict[Format, tuple[bytes, ...]] = {
    "coco": (b'"images"', b'"annotations"', b'"categories"', b'"licenses"', b'"info"'),
    "via": (b'"_via_', b'"filename"', b'"fileref"', b'"shape_attributes"', b'"region_attributes"'),
    "labelme": (b'"shapes"', b'"imageData"', b'"imagePath"', b'"lineColor"'),
}
_PARSERS = {"coco": coco.parse, "via": via.parse, "labelme": labelme.parse}


def guesses(path: Path) -> list[Format]:
    """The JSON formats that the beginning of a file may be of; none when it can't be read."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError:
        return []
    if head.startswith(b'{"schema_version"'):  # a profile of ours
        return []
    return [format_ for format_, marks in _MARKS.items() if any(mark in head for mark in marks)]


def is_annotation_document(path: Path) -> bool:
    """Whether a file looks like a COCO or VIA document or one of LabelMe, by its beginning."""
    return path.suffix.lower() == ".json" and path.is_file() and bool(guesses(path))


def recognise(path: Path) -> tuple[Format, Document]:
    """A JSON file and the format that it is of; raise NotThisFormat with the reasons why it is of none."""
    return _recognised(path, *_state(path))


def load(path: Path, format_: Format) -> Document:
    """Parse a file of a format; raise NotThisFormat."""
    if format_ == "yolo":
        return _labels(path, *_state(path))
    found, document = recognise(path)
    if found != format_:
        raise NotThisFormat(f"it is no {TITLES[format_]} document any longer")
    return document


def _state(path: Path) -> tuple[int, int]:
    """Size and time of the last change: a changed file is another one to the caches."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        raise NotThisFormat("it is gone") from None
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=CACHED)
def _recognised(path: Path, size: int, modified: int) -> tuple[Format, Document]:
    data, reasons = _json(_bytes(path)), []
    for format_ in guesses(path):
        try:
            return format_, _PARSERS[format_](data, path.name)
        except BelongsToMasks:
            raise
        except NotThisFormat as error:
            reasons.append(str(error))
    raise NotThisFormat("; ".join(reasons))


@lru_cache(maxsize=CACHED)
def _labels(path: Path, size: int, modified: int) -> Document:
    return yolo.parse(_bytes(path), path.name)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotThisFormat(f"the system does not allow reading it ({error.strerror})") from None


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except RecursionError:
        raise NotThisFormat("it is no JSON that can be read (nested too deeply)") from None
    except ValueError as error:  # JSONDecodeError, UnicodeDecodeError and numbers of too many digits
        raise NotThisFormat(f"it is no JSON ({error})") from None
