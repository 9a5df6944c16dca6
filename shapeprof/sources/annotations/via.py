"""VIA (VGG Image Annotator) JSON: images with ``regions``, plain (1.x and 2.x) or in a 2.x project file."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from shapeprof.issues import Issue
from shapeprof.sources.class_files import ClassNames
from shapeprof.sources.maskset import AnnotationSet, AnnotationSource, Category
from shapeprof.wording import first_few

from .format import AnnotationFormat, Content, register
from .model import (
    NEGATIVE,
    NO_AREA,
    NO_SHAPE,
    NOT_FINITE,
    UNNAMED,
    BadShape,
    ClassList,
    Document,
    NotThisFormat,
    Polygon,
    Record,
    Region,
    Shape,
    ellipse,
    file_name_of,
    left_out,
    number_of,
    points,
    rectangle,
    text_of,
)

NAMED_SO = ("class", "label", "category", "name", "type", "object")  # preferred among equally frequent attributes


def parse(content: Content) -> Document:
    """The document in a JSON file; raise NotThisFormat."""
    data, source = content.json, content.name
    if isinstance(data, dict) and "_via_img_metadata" in data:
        data = data["_via_img_metadata"]
    items = list(data.values()) if isinstance(data, dict) else data
    if not isinstance(items, list) or not any(
        isinstance(item, dict) and "filename" in item and "regions" in item for item in items
    ):
        raise NotThisFormat("VIA has entries with 'filename' and 'regions'")
    document = Document()
    bad, twice = [], []
    for number, item in enumerate(items):
        fields = item if isinstance(item, dict) else {}
        name = file_name_of(fields.get("filename"))
        if not name:
            bad.append(f"number {number}")
        elif not document.add(Record(name, None, _listed(fields.get("regions")))):
            twice.append(name)
    document.issues += left_out("entries have no filename", bad, source, "add it")
    document.issues += left_out("entries have the filename of another", twice, source, "make them unique")
    counted: Counter[tuple[str, str]] = Counter(
        pair for record in document.records.values() for region in record.regions for pair in _attributes(region)
    )
    document.categories = [Category(value, value, None, name, n) for (name, value), n in sorted(counted.items())]
    return document


def attribute_of(categories: tuple[Category, ...]) -> str:
    """The attribute that most regions have (``Category.parent`` holds the attribute here)."""
    counted: Counter[str] = Counter()
    for category in categories:
        counted[category.parent] += category.used

    def rank(name: str) -> tuple[int, int, str]:
        lower = name.lower()
        return -counted[name], NAMED_SO.index(lower) if lower in NAMED_SO else len(NAMED_SO), name

    return min(counted, key=rank, default="")


def _listed(found: Any) -> list[Any]:
    """Regions as a list; VIA 1 numbers them in an object."""
    if isinstance(found, dict):
        return list(found.values())
    return found if isinstance(found, list) else []


def _attributes(region: Any) -> list[tuple[str, str]]:
    """(attribute, value) pairs of a region; a checkbox group with one tick has that value."""
    found = region.get("region_attributes") if isinstance(region, dict) else None
    if not isinstance(found, dict):
        return []
    pairs = []
    for name, value in found.items():
        if isinstance(value, dict):
            ticked = [key for key, on in value.items() if on]
            value = ticked[0] if len(ticked) == 1 else None
        if text := text_of(value):
            pairs.append((text_of(name), text))
    return pairs


def regions(record: Record, document: Document, source: AnnotationSource, size: tuple[int, int]) -> list[Region]:
    """The objects of an image; the category of one without the source's attribute is ""."""
    found = []
    for item in record.regions:
        category = dict(_attributes(item)).get(source.attribute, "")
        fields = item.get("shape_attributes") if isinstance(item, dict) else None
        try:
            found.append(Region(category, _shape(fields if isinstance(fields, dict) else {})))
        except BadShape as error:
            found.append(Region(category, None, (str(error),)))
    return found


def _shape(fields: dict[str, Any]) -> Shape:
    kind = fields.get("name")
    if kind == "polygon":
        xs, ys = fields.get("all_points_x"), fields.get("all_points_y")
        if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
            raise BadShape(NO_SHAPE)
        return Polygon((points([list(pair) for pair in zip(xs, ys, strict=True)]),))
    if kind == "rect":
        x, y, width, height = _numbers(fields, "x", "y", "width", "height")
        if width < 0 or height < 0:
            raise BadShape(NEGATIVE)
        return rectangle(x, y, x + width, y + height)
    if kind == "circle":
        x, y, radius = _numbers(fields, "cx", "cy", "r")
        return ellipse(x, y, radius, radius)
    if kind == "ellipse":
        x, y, rx, ry = _numbers(fields, "cx", "cy", "rx", "ry")
        angle = number_of(fields.get("theta", 0.0))
        return ellipse(x, y, rx, ry, angle)
    raise BadShape(NO_AREA if kind in ("polyline", "point") else NO_SHAPE)


def _numbers(fields: dict[str, Any], *names: str) -> list[float]:
    values = [number_of(fields.get(name)) for name in names]
    if any(math.isnan(value) for value in values):
        raise BadShape(NOT_FINITE)
    return values


def classes(found: AnnotationSet, names: ClassNames | None) -> ClassList:
    """One class per value of the main attribute; regions without it join the only class, or get a class "object"."""
    attribute = attribute_of(found.categories)
    result = ClassList([category for category in found.categories if category.parent == attribute])
    own = list(result.categories)
    others = sorted({category.parent for category in found.categories} - {attribute})
    if attribute:
        besides = f" (not {first_few(others, 8)})" if others else ""
        result.reasons.append(f"the class of an object is its attribute '{attribute}'{besides}")
    unnamed = found.regions - sum(category.used for category in own)
    if unnamed:
        name = own[0].name if len(own) == 1 else UNNAMED
        result.categories.append(Category("", name))
        if own:
            text = (
                f"{unnamed} of {found.regions} objects have no attribute '{attribute}': they count as "
                f"'{name}'. Name them in the annotations if they are something else"
            )
            result.issues.append(Issue("warning", "objects-without-class", text))
    return result


_MARKS = (b'"_via_', b'"filename"', b'"fileref"', b'"shape_attributes"', b'"region_attributes"')
register(AnnotationFormat("via", "VIA", (".json",), parse, regions, _MARKS, classes=classes, attribute=attribute_of))
