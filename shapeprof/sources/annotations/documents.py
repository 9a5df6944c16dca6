"""One file to a Document, whatever its format; parsed once per process as long as it does not change."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from shapeprof.sources.annotations import coco, labelme, via, yolo
from shapeprof.sources.annotations.model import Document, NotThisFormat
from shapeprof.sources.annotations.source import TITLES, Format

HEAD = 4096  # bytes of a JSON file that must name a key of the format
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


def recognise(path: Path, formats: list[Format]) -> tuple[Format, Document]:
    """The first of some JSON formats that a file is of; raise NotThisFormat with the reasons."""
    data, reasons = _json(_bytes(path)), []
    for format_ in formats:
        try:
            return format_, _PARSERS[format_](data, path.name)
        except NotThisFormat as error:
            reasons.append(str(error))
    raise NotThisFormat("; ".join(reasons))


def load(path: Path, format_: Format) -> Document:
    """Parse a file; raise NotThisFormat."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        raise NotThisFormat(f"{TITLES[format_]} document: it is gone") from None
    return _load(path, format_, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _load(path: Path, format_: Format, size: int, modified: int) -> Document:
    """``size`` and ``modified`` make a changed file another one."""
    data = _bytes(path)
    return yolo.parse(data, path.name) if format_ == "yolo" else _PARSERS[format_](_json(data), path.name)


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
