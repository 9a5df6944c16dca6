"""Panoptic masks as COCO stores them: a colour is a segment's id, R + 256 G + 65536 B; a JSON file has its category.

Id 0 is unlabelled. Crowd segments are ignored, as they are not single objects.
"""

from __future__ import annotations

import json
import mmap
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from shapeprof.errors import InputError, UnreadableMask
from shapeprof.labelmap import ClassTable
from shapeprof.sources.encoding import Encoding, ReadOptions
from shapeprof.sources.maskset import MaskFolder
from shapeprof.sources.values.survey import Observation

_KEY = b'"segments_info"'
CROWD = -1  # in place of a category's id


@dataclass(frozen=True)
class Segments:
    """The segments in a panoptic JSON file."""

    names: dict[int, str]  # category id to name, of the categories that a segment has
    by_file: dict[str, NDArray[np.int64]]  # mask file to (N, 2) segment ids, sorted, and category ids or CROWD


def panoptic_encoding(folder: MaskFolder, seen: list[Observation], options: ReadOptions) -> Encoding | None:
    """The encoding of colours whose segments a JSON file in, beside or above the folder lists; else None."""
    if options.instances is False or not any(o.storage == "colour" for o in seen):
        return None
    for document in _documents(folder):
        segments = _load(document, document.stat().st_mtime_ns)
        if not any(listed_segments(segments, o.path) is not None for o in seen):
            continue
        names = tuple(segments.names[category] for category in sorted(segments.names))
        asked = options.classes or ()
        where = Path(os.path.relpath(document, folder.root)).as_posix()
        why = (
            f"{where} lists the segments of these masks, so a colour is a segment's id (R + 256 G + 65536 B), and its "
            f"category the class: {len(names)} categories in the order of their ids; every segment is one object, id 0 "
            "and crowds are ignored (--no-instances says that colours are classes)"
        )
        return Encoding(
            kind="instance",
            mapping=tuple((category, i) for i, category in enumerate(sorted(segments.names))),
            classes=ClassTable(asked if len(asked) == len(names) else names, None),
            instances=True,
            layout="panoptic",
            document=where,
            max_pixels=options.max_pixels,
            reasons=(why,),
        )
    return None


def _documents(folder: MaskFolder) -> list[Path]:
    """JSON files with segments: in the folder, beside it, and in ``annotations`` folders there."""
    root = folder.root.resolve()
    inside = [root / path for path in folder.others if path.lower().endswith(".json")]
    around = [place for above in (root.parent, root.parent.parent) for place in (above, above / "annotations")]
    beside = [path for place in around if place.is_dir() for path in sorted(place.glob("*.json"))]
    return [path for path in dict.fromkeys([*inside, *beside]) if _has_segments(path)]


def _has_segments(path: Path) -> bool:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(_KEY) >= 0
    except (OSError, ValueError):  # gone, or empty
        return False


def listed_segments(segments: Segments, path: str) -> NDArray[np.int64] | None:
    found = segments.by_file.get(path)
    return segments.by_file.get(PurePosixPath(path).name) if found is None else found


def reloaded_segments(document: Path, path: str) -> Segments:
    try:
        return _load(document, document.stat().st_mtime_ns)
    except (OSError, InputError) as error:
        text = f"its segments are listed in {document.name}, which can't be read: {error}"
        raise UnreadableMask(path, "no-segments", text) from None


@lru_cache(maxsize=2)
def _load(document: Path, _modified: int) -> Segments:
    """Parse a JSON file; raise InputError when it is not of the form."""
    try:
        data = json.loads(document.read_bytes())
        names = {int(each["id"]): str(each["name"]) for each in data["categories"]}
        by_file: dict[str, NDArray[np.int64]] = {}
        used: set[int] = set()
        for annotation in data["annotations"]:
            rows = [
                (int(each["id"]), CROWD if each.get("iscrowd") else int(each["category_id"]))
                for each in annotation["segments_info"]
            ]
            used.update(category for _, category in rows)
            by_file[str(annotation["file_name"])] = np.array(rows, np.int64).reshape(-1, 2)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise InputError(
            f"{document}: its segments can't be read ({type(error).__name__}: {error}); expected COCO's panoptic form: "
            "'categories' with id and name, 'annotations' with file_name and segments_info. Correct it or move it away"
        ) from None
    used.discard(CROWD)
    return Segments({category: names.get(category, f"category {category}") for category in used}, by_file)
