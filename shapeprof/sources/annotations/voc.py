"""Pascal VOC XML: a document per image, with the outlines of objects as ``<polygon>``. Mere boxes are not drawn."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element

from shapeprof.sources.maskset import AnnotationSource, Category

from .format import AnnotationFormat, Content, register
from .model import (
    NO_SHAPE,
    NOT_FINITE,
    ONLY_BOX,
    BadShape,
    Document,
    NotThisFormat,
    Polygon,
    Record,
    Region,
    file_name_of,
    points,
    size_of,
)  # fmt: skip


def parse(content: Content) -> Document:
    """The document in an XML file; raise NotThisFormat, also when its objects have nothing but boxes."""
    root = content.xml
    if root.tag != "annotation":
        raise NotThisFormat("Pascal VOC has a root element <annotation>")
    objects = root.findall("object")
    if objects and not any(item.find("polygon") is not None for item in objects):
        raise NotThisFormat("its objects have boxes and no <polygon>: they can't be drawn")
    used = Counter(_text(item, "name") for item in objects)
    document = Document(categories=[Category(name, name, None, "", n) for name, n in sorted(used.items())])
    size = size_of(_text(root, "size/height"), _text(root, "size/width"))
    name = file_name_of(_text(root, "filename")) or PurePosixPath(content.name).stem
    document.add(Record(name, size, list(objects)))
    return document


def regions(record: Record, document: Document, source: AnnotationSource, size: tuple[int, int]) -> list[Region]:
    """The objects of an image; several polygons of one object are united."""
    return [_region(item) for item in record.regions]


def _region(item: Element) -> Region:
    category, rings, problems = _text(item, "name"), [], []
    for polygon in item.findall("polygon"):
        try:
            rings.append(points(_corners(polygon)))
        except BadShape as error:
            problems.append(str(error))
    if not rings and not problems:
        problems.append(ONLY_BOX if item.find("bndbox") is not None else NO_SHAPE)
    return Region(category, Polygon(tuple(rings)) if rings else None, tuple(problems))


def _corners(polygon: Element) -> list[list[float]]:
    """[x, y] pairs of ``<x1> <y1> <x2> <y2> ...``, or of ``<pt><x> <y></pt>`` as the LabelMe website writes them."""
    pairs = [(_text(pt, "x"), _text(pt, "y")) for pt in polygon.findall("pt")]
    if not pairs:
        numbers = range(1, len(polygon) // 2 + 1)
        pairs = [(_text(polygon, f"x{n}"), _text(polygon, f"y{n}")) for n in numbers]
    try:
        return [[float(x), float(y)] for x, y in pairs]
    except ValueError:
        raise BadShape(NOT_FINITE) from None


def _text(item: Element, path: str) -> str:
    return (item.findtext(path) or "").strip()


register(AnnotationFormat("voc", "Pascal VOC", (".xml",), parse, regions, (b"<annotation",), per_image=True))
