"""COCO JSON: ``images``, ``annotations`` and ``categories``; also as Roboflow writes it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from shapeprof.sources.class_files import ClassNames
from shapeprof.sources.maskset import AnnotationSet, AnnotationSource, Category
from shapeprof.wording import first_few

from .format import AnnotationFormat, Content, register
from .model import (
    BAD_RLE,
    NO_SHAPE,
    ONLY_BOX,
    BadShape,
    BelongsToMasks,
    ClassList,
    Document,
    NotThisFormat,
    Polygon,
    Record,
    Region,
    RunLength,
    Shape,
    file_name_of,
    left_out,
    number_of,
    points,
    size_of,
    text_of,
)


def parse(content: Content) -> Document:
    """The document in a JSON file; raise NotThisFormat."""
    data, source = content.json, content.name
    if not isinstance(data, dict):
        raise NotThisFormat("it holds no object with 'images', 'annotations' and 'categories'")
    images, annotations, categories = (data.get(key) for key in ("images", "annotations", "categories"))
    if not (isinstance(images, list) and isinstance(annotations, list) and isinstance(categories, list) and categories):
        raise NotThisFormat("COCO has lists 'images', 'annotations' and 'categories'")
    if any(isinstance(item, dict) and "segments_info" in item for item in annotations[:8]):
        raise BelongsToMasks("COCO panoptic documents belong to PNG masks: give the folder of those")
    document = Document()
    by_id = _add_images(document, images, source)
    used: Counter[str] = Counter()
    lost = []
    for number, item in enumerate(annotations):
        record = by_id.get(_id(item.get("image_id"))) if isinstance(item, dict) else None
        if record is None:
            lost.append(f"number {number}")
            continue
        record.regions.append(item)
        used[_id(item.get("category_id"))] += 1
    document.issues += left_out("annotations name no image of the document", lost, source, "check their image_id")
    _add_categories(document, categories, used, source)
    return document


def _add_images(document: Document, images: list[Any], source: str) -> dict[str, Record]:
    """Add a record per image; return the records by image id."""
    by_id: dict[str, Record] = {}
    unnamed, twice = [], []
    for number, item in enumerate(images):
        fields = item if isinstance(item, dict) else {}
        name, image_id = file_name_of(fields.get("file_name")), _id(fields.get("id"))
        if not name or not image_id:
            unnamed.append(f"number {number}")
            continue
        record = Record(name, size_of(fields.get("height"), fields.get("width")))
        if image_id in by_id or not document.add(record):
            twice.append(name)
            continue
        by_id[image_id] = record
    document.issues += left_out("images have no id or no file_name", unnamed, source, "add them")
    document.issues += left_out("images have an id or a file_name of another", twice, source, "make them unique")
    return by_id


def _add_categories(document: Document, categories: list[Any], used: Counter[str], source: str) -> None:
    bad = []
    for number, item in enumerate(categories):
        fields = item if isinstance(item, dict) else {}
        key = _id(fields.get("id"))
        if not key or key in document.key_of:
            bad.append(f"number {number}")
            continue
        document.key_of[key] = name = text_of(fields.get("name")) or f"category {key}"
        whole = key.removeprefix("-").isdecimal()
        document.categories.append(
            Category(name, name, int(key) if whole else None, text_of(fields.get("supercategory")), used[key])
        )
    document.issues += left_out("categories have no id of their own", bad, source, "give each one")


def _id(value: Any) -> str:
    """An id as text, so that 1, 1.0 and "1" are equal; "" if it is missing."""
    number = number_of(value)
    return str(int(number)) if number.is_integer() and not isinstance(value, int) else text_of(value)


def regions(record: Record, document: Document, source: AnnotationSource, size: tuple[int, int]) -> list[Region]:
    """The objects of an image; their category is "" where its id is unknown."""
    key_of = document.key_of
    return [_region(item, key_of.get(_id(item.get("category_id")), "")) for item in record.regions]


def _region(item: dict[str, Any], category: str) -> Region:
    crowd = str(item.get("iscrowd", 0)).strip().lower() in ("1", "1.0", "true")
    found, box = item.get("segmentation"), item.get("bbox")
    if not found:
        return Region(category, None, (ONLY_BOX if box else NO_SHAPE,), crowd)
    try:
        shape, problems = _shape(found)
    except BadShape as error:
        return Region(category, None, (str(error),), crowd)
    return Region(category, shape, problems, crowd)


def _shape(found: Any) -> tuple[Shape | None, tuple[str, ...]]:
    """(shape, problems of its parts); raise BadShape."""
    if isinstance(found, dict):
        return _run_length(found), ()
    if not isinstance(found, list):
        raise BadShape(NO_SHAPE)
    if not any(isinstance(part, list) for part in found):  # one ring without the list around it
        found = [found]
    rings, problems = [], []
    for part in found:
        try:
            rings.append(points(part))
        except BadShape as error:
            problems.append(str(error))
    return Polygon(tuple(rings)) if rings else None, tuple(problems)


def _run_length(found: dict[str, Any]) -> RunLength:
    size, counts = found.get("size"), found.get("counts")
    shape = size_of(*size) if isinstance(size, list) and len(size) == 2 else None
    if shape is None:
        raise BadShape(BAD_RLE)
    if isinstance(counts, str) and counts.isascii():
        return RunLength(counts.encode(), shape)
    if isinstance(counts, list) and all(type(count) is int for count in counts):
        return RunLength(tuple(counts), shape)
    raise BadShape(BAD_RLE)


def classes(found: AnnotationSet, names: ClassNames | None) -> ClassList:
    """All categories except the one that Roboflow adds: id 0, unused, named like the super-category of the others."""
    result = ClassList([])
    parents = {category.parent for category in found.categories if category.id != 0}
    used: Counter[str] = Counter()
    for category in found.categories:
        if category.id == 0 and not category.used and category.name in parents:
            result.reasons.append(f"category 0, '{category.name}', is the super-category of others and no class")
            continue
        used[category.name] += category.used
        result.categories.append(category)
    if unused := [name for name, n in used.items() if not n]:
        result.reasons.append(f"no annotation is of the categories {first_few(unused, 8)}")
    return result


_MARKS = (b'"images"', b'"annotations"', b'"categories"', b'"licenses"', b'"info"')
register(AnnotationFormat("coco", "COCO", (".json",), parse, regions, _MARKS, classes=classes))
