"""From the name of a mask to the document that holds it."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from shapeprof.sources.annotations.documents import load
from shapeprof.sources.annotations.model import NotThisFormat
from shapeprof.sources.annotations.places import join, parent
from shapeprof.sources.annotations.source import SUFFIXES, AnnotationSource


def resolve(root: Path, name: str, source: AnnotationSource) -> tuple[str, str] | None:
    """(document relative to ``root``, file name of the record in it, "" for its only one); None for no mask."""
    return _by_folder(root, name, source) if source.per_image else _by_record(root, name, source)


def _by_folder(root: Path, name: str, source: AnnotationSource) -> tuple[str, str] | None:
    folder, file = parent(name), PurePosixPath(name).stem + SUFFIXES[source.format]
    for where in (*(where for where, place in source.places if place == folder), folder):
        if os.path.isfile(root / join(where, file)):  # noqa: PTH113 - no error for a name that no system takes
            return join(where, file), ""
    return None


def _by_record(root: Path, name: str, source: AnnotationSource) -> tuple[str, str] | None:
    for document, place in source.places:
        if place and not name.startswith(place + "/"):
            continue
        try:
            record = load(root / document, source.format).find(name[len(place) + 1 :] if place else name)
        except NotThisFormat:
            continue
        if record is not None:
            return document, record.file_name
    return None
