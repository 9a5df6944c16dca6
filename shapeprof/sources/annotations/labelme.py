"""LabelMe JSON: a document per image, with ``shapes``."""

from __future__ import annotations

import base64
import binascii
import math
from collections import Counter
from pathlib import PurePosixPath
from typing import Any

from shapeprof.errors import UnreadableMask
from shapeprof.sources.maskset import AnnotationSource, Category

from .format import AnnotationFormat, Content, register
from .model import (
    BAD_BITMAP,
    FAR,
    NO_AREA,
    NO_SHAPE,
    NOT_FINITE,
    TOO_FEW,
    BadShape,
    Bitmap,
    Document,
    NotThisFormat,
    Polygon,
    Record,
    Region,
    Shape,
    ellipse,
    file_name_of,
    number_of,
    points,
    rectangle,
    size_of,
    text_of,
)


def parse(content: Content) -> Document:
    """The document in a JSON file; raise NotThisFormat.

    The image that it may hold is dropped.
    """
    data = content.json
    if not isinstance(data, dict) or not isinstance(data.get("shapes"), list):
        raise NotThisFormat("LabelMe has a list 'shapes'")
    shapes = [shape for shape in data["shapes"] if isinstance(shape, dict)]
    used = Counter(text_of(shape.get("label")) for shape in shapes)
    document = Document(categories=[Category(name, name, None, "", n) for name, n in sorted(used.items())])
    size = size_of(data.get("imageHeight"), data.get("imageWidth"))
    document.add(Record(file_name_of(data.get("imagePath")) or PurePosixPath(content.name).stem, size, data["shapes"]))
    return document


def regions(record: Record, document: Document, source: AnnotationSource, size: tuple[int, int]) -> list[Region]:
    """The objects of an image; shapes with equal label and ``group_id`` are one object."""
    found: list[Region] = []
    groups: dict[tuple[str, str], int] = {}  # (label, group) to the place in ``found``
    for item in record.regions:
        fields = item if isinstance(item, dict) else {}
        category, group = text_of(fields.get("label")), text_of(fields.get("group_id"))
        try:
            region = Region(category, _shape(fields))
        except BadShape as error:
            region = Region(category, None, (str(error),))
        first = groups.setdefault((category, group), len(found)) if group else len(found)
        if first < len(found) and (united := _united(found[first], region)):
            found[first] = united
        else:
            found.append(region)
    return found


def _united(first: Region, second: Region) -> Region | None:
    """The union of two polygon regions; None for other shapes."""
    if isinstance(first.shape, Polygon) and isinstance(second.shape, Polygon):
        return Region(first.category, Polygon((*first.shape.rings, *second.shape.rings)))
    return None


def _shape(fields: dict[str, Any]) -> Shape:
    kind, corners = fields.get("shape_type") or "polygon", fields.get("points")
    if not isinstance(corners, list) or not corners:
        raise BadShape(NO_SHAPE)
    if kind == "polygon":
        return Polygon((points(corners),))
    if kind == "rectangle" and len(corners) == 4:  # LabelMe 6: all corners
        return Polygon((points(corners),))
    if kind not in ("rectangle", "circle", "mask"):
        raise BadShape(NO_AREA if kind in ("line", "linestrip", "point", "points") else NO_SHAPE)
    (x0, y0), (x1, y1) = _two(corners)
    if kind == "circle":  # its centre and a point on it
        radius = math.hypot(x1 - x0, y1 - y0)
        return ellipse(x0, y0, radius, radius)
    left, right, top, bottom = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
    return rectangle(left, top, right, bottom) if kind == "rectangle" else _bitmap(fields, top, left)


def _two(corners: list[Any]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Exactly two points; raise BadShape otherwise."""
    if len(corners) != 2 or not all(isinstance(corner, list) and len(corner) == 2 for corner in corners):
        raise BadShape(TOO_FEW if len(corners) < 2 else NO_SHAPE)
    (x0, y0), (x1, y1) = ((number_of(x), number_of(y)) for x, y in corners)
    if not all(abs(value) <= FAR for value in (x0, y0, x1, y1)):
        raise BadShape(NOT_FINITE)
    return (x0, y0), (x1, y1)


def _bitmap(fields: dict[str, Any], top: float, left: float) -> Bitmap:
    """A PNG in base64 whose first pixel lies at (top, left)."""
    from shapeprof.sources.formats.decode import decode

    try:
        values = decode(base64.b64decode(fields["mask"], validate=True), "").values
    except (KeyError, TypeError, ValueError, binascii.Error, UnreadableMask):
        raise BadShape(BAD_BITMAP) from None
    flat = values.max(axis=2) if values.ndim == 3 else values
    return Bitmap(flat > 0, round(top), round(left))


_MARKS = (b'"shapes"', b'"imageData"', b'"imagePath"', b'"lineColor"')
register(AnnotationFormat("labelme", "LabelMe", (".json",), parse, regions, _MARKS, per_image=True))
