"""YOLO segmentation: a text file per image, a line per object: class, then x y pairs from 0 to 1."""

from __future__ import annotations

from collections import Counter

from shapeprof.sources.class_files import ClassNames
from shapeprof.sources.maskset import AnnotationSet, AnnotationSource, Category

from .format import AnnotationFormat, Content, register
from .model import NOT_FINITE, ONLY_BOX, BadShape, ClassList, Document, NotThisFormat, Polygon, Record, Region, points

_BOX, _POINTS = 4, 6  # numbers behind the class: of a box, of the smallest outline


def parse(content: Content) -> Document:
    """The document in a text file; raise NotThisFormat when no line fits."""
    try:
        text = content.data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotThisFormat("it is no text") from None
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if lines and not any(_looks_right(line) for line in lines):
        raise NotThisFormat("no line is a class number and x y pairs from 0 to 1")
    used = Counter(line[0] for line in lines if _is_class(line[0]))
    document = Document(categories=[Category(key, "", int(key), "", n) for key, n in sorted(used.items())])
    document.add(Record(content.name, None, lines))
    return document


def _is_class(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) < 6 and str(int(text)) == text


def _looks_right(line: list[str]) -> bool:
    """Whether a line is a class number and an outline or box in fractions of the image size."""
    if not _is_class(line[0]) or len(line) < 1 + _BOX:
        return False
    try:
        values = [float(part) for part in line[1:]]
    except ValueError:
        return False
    return all(-1 <= value <= 2 for value in values)


def has_outline(document: Document) -> bool:
    """Whether at least one line is an outline rather than a box."""
    lines = (line for record in document.records.values() for line in record.regions)
    return any(_looks_right(line) and len(line) > _POINTS for line in lines)


def regions(record: Record, document: Document, source: AnnotationSource, size: tuple[int, int]) -> list[Region]:
    """The objects of an image of ``size`` (rows, columns)."""
    return [_region(line, size) for line in record.regions]


def _region(line: list[str], size: tuple[int, int]) -> Region:
    category, values = line[0], line[1:]
    if len(values) == _BOX:
        return Region(category, None, (ONLY_BOX,))
    try:
        ring = points([float(value) for value in values]) * (size[1], size[0])
    except ValueError:
        return Region(category, None, (NOT_FINITE,))
    except BadShape as error:
        return Region(category, None, (str(error),))
    return Region(category, Polygon((ring,)))


def classes(found: AnnotationSet, names: ClassNames | None) -> ClassList:
    """One class for every number up to the largest that is used or named."""
    given = {} if names is None else names.by_value or dict(enumerate(names.ordered))
    used = [category.id for category in found.categories if category.id is not None]
    numbers = range(max([*used, *given], default=-1) + 1)
    categories = [Category(str(number), given.get(number, f"class {number}"), number) for number in numbers]
    return ClassList(categories, ["YOLO's class 0 is an object: class ids are its numbers plus 1"])


register(
    AnnotationFormat("yolo", "YOLO", (".txt",), parse, regions, proves=has_outline, per_image=True, classes=classes)
)
