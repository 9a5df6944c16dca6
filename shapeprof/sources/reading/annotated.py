"""One mask, drawn from its annotations."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from shapeprof.errors import UnreadableMask
from shapeprof.issues import Issue
from shapeprof.sources.annotations.documents import load, resolve
from shapeprof.sources.annotations.format import find_format
from shapeprof.sources.annotations.model import UNKNOWN_CATEGORY, Document, NotThisFormat, Record
from shapeprof.sources.annotations.places import image_beside
from shapeprof.sources.formats.decode import header_size
from shapeprof.sources.formats.raster import check_size
from shapeprof.sources.maskset import AnnotationSource

from .drawing import Drawn, draw


def draw_mask(root: Path, name: str, source: AnnotationSource, max_pixels: int) -> tuple[Drawn, tuple[Issue, ...]]:
    """Draw the mask of an image; return it and the issues with it, or raise UnreadableMask.

    ``max_pixels``: larger masks are refused.
    """
    document, record, where = _record(root, name, source)
    size = _size(root, name, record, where)
    check_size(size[1], size[0], name, max_pixels)
    classes = dict(source.classes)
    found = find_format(source.format).regions(record, document, source, size)
    regions = [(region, classes.get(region.category)) for region in found]
    most = max(classes.values(), default=0)
    drawn = draw(regions, size, most=most, crowd_ignored=source.crowd_ignored)
    unknown = sum(class_id is None for _, class_id in regions)
    if unknown:
        drawn.problems[UNKNOWN_CATEGORY] += unknown
    return drawn, _issues(drawn, len(regions), name)


def mask_size(root: Path, name: str, source: AnnotationSource) -> tuple[int, int] | None:
    """(width, height) of a mask without drawing it; None when it can't be known."""
    try:
        _, record, where = _record(root, name, source)
        return _size(root, name, record, where)[::-1]
    except UnreadableMask:
        return None


def _record(root: Path, name: str, source: AnnotationSource) -> tuple[Document, Record, str]:
    """(document, record, path of the document); raise UnreadableMask."""
    found = resolve(root, name, source)
    if found is None:
        text = "no document holds it now; expected the one that was listed"
        raise UnreadableMask(name, "missing-file", text)
    path, file_name = found
    try:
        document = load(root / path, source.format)
    except NotThisFormat as error:
        text = f"its annotations in {path} can't be read: {error}; export them again"
        raise UnreadableMask(name, "damaged-document", text) from None
    record = document.find(file_name) if file_name else next(iter(document.records.values()))
    assert record is not None, "resolve has found it"
    return document, record, path


def _size(root: Path, name: str, record: Record, where: str) -> tuple[int, int]:
    """(rows, columns) from the document, else from the image's header; raise UnreadableMask."""
    size = record.size
    if size is None:
        found = next((found for image in _images(root, name, record, where) if (found := header_size(image))), None)
        if found is None:
            text = (
                f"its size is not in {where}, and no image of that name can be opened beside it or in a folder "
                "'images' near it; put the images there, or give the folder that holds images and annotations"
            )
            raise UnreadableMask(name, "size-unknown", text)
        size = found[::-1]
    return size


def _images(root: Path, name: str, record: Record, where: str) -> Iterator[Path]:
    """Where the image of a record may lie."""
    yield root / name
    if beside := image_beside(root, where, record.file_name):
        yield beside


def size_image(root: Path, name: str, source: AnnotationSource) -> str | None:
    """The image whose header gives the size of a mask, relative to ``root``; None when its document does."""
    try:
        _, record, where = _record(root, name, source)
    except UnreadableMask:
        return None
    if record.size is not None:
        return None
    images = (image for image in _images(root, name, record, where) if image.is_file())
    return next((Path(os.path.relpath(image, root)).as_posix() for image in images), None)


def _issues(drawn: Drawn, regions: int, name: str) -> tuple[Issue, ...]:
    issues = []
    if drawn.problems:
        reasons = "; ".join(f"{why} ({n})" for why, n in sorted(drawn.problems.items()))
        text = f"of its {regions} objects {drawn.problems.total()}, or parts of them, are not in the mask: {reasons}"
        issues.append(Issue("warning", "objects-not-drawn", f"{text}. Correct them in the annotations", name))
    if drawn.clipped:
        text = f"{drawn.clipped} of its {regions} objects reach beyond the image and are cut at its border"
        issues.append(Issue("info", "objects-clipped", text, name))
    return tuple(issues)
