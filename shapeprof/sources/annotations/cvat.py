"""CVAT for images 1.1 XML: one document for many images, with the outlines of objects as ``<polygon>``."""

from __future__ import annotations

from collections import Counter
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
    left_out,
    points,
    size_of,
    text_of,
)


def parse(content: Content) -> Document:
    """The document in an XML file; raise NotThisFormat."""
    root = content.xml
    images = root.findall("image")
    if root.tag != "annotations" or not images:
        raise NotThisFormat("CVAT has a root element <annotations> with elements <image>")
    used = Counter(text_of(item.get("label")) for image in images for item in _shapes(image))
    document = Document(categories=[Category(name, name, None, "", n) for name, n in sorted(used.items())])
    bad, twice = [], []
    for number, image in enumerate(images):
        name = file_name_of(image.get("name"))
        size = size_of(image.get("height"), image.get("width"))
        if not name:
            bad.append(f"number {number}")
        elif not document.add(Record(name, size, _shapes(image))):
            twice.append(name)
    document.issues += left_out("images have no name", bad, content.name, "add it")
    document.issues += left_out("images have the name of another", twice, content.name, "make them unique")
    return document


def _shapes(image: Element) -> list[Element]:
    """The shapes of an image. A <tag> has a label too, but no shape."""
    return [item for item in image if item.tag != "tag" and item.get("label")]


def regions(record: Record, document: Document, source: AnnotationSource, size: tuple[int, int]) -> list[Region]:
    """The objects of an image; only polygons are drawn."""
    return [_region(item) for item in record.regions]


def _region(item: Element) -> Region:
    category = text_of(item.get("label"))
    if item.tag != "polygon":
        return Region(category, None, (ONLY_BOX if item.tag == "box" else NO_SHAPE,))
    try:
        pairs = [pair.split(",") for pair in (item.get("points") or "").split(";") if pair]
        return Region(category, Polygon((points([[float(x), float(y)] for x, y in pairs]),)))
    except BadShape as error:
        return Region(category, None, (str(error),))
    except ValueError:
        return Region(category, None, (NOT_FINITE,))


register(AnnotationFormat("cvat", "CVAT", (".xml",), parse, regions, (b"<annotations",)))
