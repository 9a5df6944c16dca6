"""What every annotation format is read as: images with regions, each a shape of one category."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from shapeprof.issues import Issue
from shapeprof.sources.class_files import ClassNames
from shapeprof.sources.maskset import AnnotationSet, Category
from shapeprof.wording import first_few

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FAR = 2.0**30  # px; coordinates beyond are no places in an image
TOO_FEW, NOT_FINITE, NEGATIVE = "fewer than 3 points", "coordinates that are no numbers", "a negative size"
NO_SHAPE, ONLY_BOX, NO_AREA = "no outline", "only a box", "a point or a line"
UNNAMED = "object"  # the class of objects that nothing names
UNKNOWN_CATEGORY, BAD_RLE, BAD_BITMAP = "an unknown category", "a damaged RLE", "a damaged bitmap"


class NotThisFormat(Exception):
    """A file is no document of the format; the message says what is missing."""


class BelongsToMasks(NotThisFormat):
    """A document that describes mask files, so the masks are to be read instead."""


class BadShape(Exception):
    """A shape that can't be drawn; the message is one of the phrases above."""


@dataclass(frozen=True, slots=True)
class Polygon:
    """The union of rings, each even-odd. (n, 2) float64: x, y in pixels; pixel edges are whole numbers."""

    rings: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True, slots=True)
class Ellipse:
    """Centre and semi-axes in pixels; ``angle`` of the first axis from x towards y, radians."""

    x: float
    y: float
    rx: float
    ry: float
    angle: float = 0.0


@dataclass(frozen=True, slots=True)
class RunLength:
    """A mask of the whole image in COCO's run-length encoding: column by column, background first."""

    counts: bytes | tuple[int, ...]  # compressed or not
    size: tuple[int, int]  # rows, columns


@dataclass(frozen=True, slots=True)
class Bitmap:
    """(h, w) bool pixels whose first one is the image's (row, column)."""

    pixels: NDArray[np.bool_]
    row: int
    column: int


Shape = Polygon | Ellipse | RunLength | Bitmap


@dataclass(frozen=True, slots=True)
class Region:
    """One annotated object."""

    category: str
    shape: Shape | None  # None: it can't be drawn
    problems: tuple[str, ...] = ()  # why not, or what of it is not
    crowd: bool = False


@dataclass(slots=True)
class Record:
    """One image in a document."""

    file_name: str  # as the document has it, forward slashes, no drive, no "..", valid text
    size: tuple[int, int] | None  # rows, columns; None: the document does not say
    regions: list[Any] = field(default_factory=list)  # as the format stores them


@dataclass(slots=True)
class Document:
    """One parsed file."""

    records: dict[str, Record] = field(default_factory=dict)  # by file name
    categories: list[Category] = field(default_factory=list)
    key_of: dict[str, str] = field(default_factory=dict)  # COCO: category id as text to its key, which is its name
    issues: list[Issue] = field(default_factory=list)
    by_base: dict[str, str] = field(default_factory=dict)  # last part of a file name that is unique: the file name

    def add(self, record: Record) -> bool:
        """Add a record; False, and nothing added, when the document has one of that file name."""
        if record.file_name in self.records:
            return False
        self.records[record.file_name] = record
        base = PurePosixPath(record.file_name).name
        self.by_base[base] = "" if base in self.by_base else record.file_name
        return True

    def find(self, rest: str) -> Record | None:
        """The record with that file name, or whose file name ends in it; None if it is not unique."""
        return self.records.get(rest) or self.records.get(self.by_base.get(rest, ""))


@dataclass
class ClassList:
    """The categories of a set that become classes, in order, and how that was concluded."""

    categories: list[Category]
    reasons: list[str] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)


def classes_by_name(found: AnnotationSet, names: ClassNames | None) -> ClassList:
    """Categories in the order of a file that names them, else by name."""
    order = {} if names is None else {name: i for i, name in enumerate(names.ordered)}
    categories = sorted(found.categories, key=lambda c: (order.get(c.name, len(order)), c.name))
    return ClassList([c if c.name else replace(c, name=UNNAMED) for c in categories])


def text_of(value: Any) -> str:
    """A JSON scalar as text that can be written as UTF-8; "" for null, lists and objects."""
    if value is None or isinstance(value, list | dict):
        return ""
    return str(value).encode("utf-8", "replace").decode().strip()


def number_of(value: Any) -> float:
    """A JSON number as a float; NaN for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan


def file_name_of(value: Any) -> str:
    """A file name in a document as a relative path; only its last part when it is absolute. "" for none."""
    text = text_of(value).replace("\\", "/").replace("\0", "")
    parts = [part for part in text.split("/") if part not in ("", ".", "..")]
    absolute = text.startswith("/") or (bool(parts) and parts[0].endswith(":"))
    return "/".join(parts[-1:] if absolute else parts)


def size_of(height: Any, width: Any) -> tuple[int, int] | None:
    """(rows, columns); None unless both are positive whole numbers, which may be written as text."""
    rows, columns = (
        number_of(int(n) if isinstance(n, str) and n.isascii() and n.isdigit() and len(n) < 10 else n)
        for n in (height, width)
    )
    if rows >= 1 and columns >= 1 and rows.is_integer() and columns.is_integer():
        return int(rows), int(columns)
    return None


def points(values: Any) -> NDArray[np.float64]:
    """A ring from a list of x, y, x, y, ... or of [x, y] pairs; raise BadShape."""
    import numpy as np

    try:
        flat = np.array(values, np.float64)
    except (ValueError, TypeError, OverflowError):
        raise BadShape(NOT_FINITE) from None
    if flat.size == 0:
        raise BadShape(NO_SHAPE)
    if flat.size < 6 or flat.size % 2 or (flat.ndim > 1 and flat.shape[-1] != 2):
        raise BadShape(TOO_FEW)
    if not (np.abs(flat) <= FAR).all():
        raise BadShape(NOT_FINITE)
    return flat.reshape(-1, 2)


def rectangle(left: float, top: float, right: float, bottom: float) -> Polygon:
    """An upright rectangle; raise BadShape."""
    return Polygon((points([left, top, right, top, right, bottom, left, bottom]),))


def ellipse(x: float, y: float, rx: float, ry: float, angle: float = 0.0) -> Ellipse:
    """An ellipse; raise BadShape."""
    if not all(abs(value) <= FAR for value in (x, y, rx, ry, angle)):
        raise BadShape(NOT_FINITE)
    if rx < 0 or ry < 0:
        raise BadShape(NEGATIVE)
    return Ellipse(x, y, rx, ry, angle)


def left_out(what: str, found: list[str], where: str, fix: str) -> list[Issue]:
    """One warning that lists entries without a mask; [] if there are none."""
    if not found:
        return []
    text = f"{len(found)} {what}: {first_few(found)}. They are left out; {fix}"
    return [Issue("warning", "annotations-left-out", text, where)]
