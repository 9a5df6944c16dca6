"""Panoptic masks as COCO stores them: a colour is a segment's id, R + 256 G + 65536 B; a JSON file has its category.

Id 0 is unlabelled. Segments of a crowd are ignored, as they are no single object.
"""

from __future__ import annotations

import json
import mmap
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.errors import InputError, UnreadableMask
from shapeprof.issues import Issue
from shapeprof.labelmap import ClassTable, LabelMap
from shapeprof.sources.encoding import Encoding, ReadOptions
from shapeprof.sources.formats.decode import decode, pack
from shapeprof.sources.listing.folder import MaskFolder
from shapeprof.sources.values.survey import Observation, read_bytes

_KEY = b'"segments_info"'
_CROWD = -1  # in place of a category's id


@dataclass(frozen=True)
class Segments:
    """What a panoptic JSON file says."""

    names: dict[int, str]  # category id to name, of the categories that a segment has
    by_file: dict[str, NDArray[np.int64]]  # mask file to (N, 2) segment ids, sorted, and category ids or _CROWD


def panoptic_encoding(folder: MaskFolder, seen: list[Observation], options: ReadOptions) -> Encoding | None:
    """The encoding of colours whose segments a JSON file in, beside or above the folder lists; else None."""
    if options.instances is False or not any(o.storage == "colour" for o in seen):
        return None
    for document in _documents(folder):
        segments = _load(document, document.stat().st_mtime_ns)
        if not any(_listed(segments, o.path) is not None for o in seen):
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


def read_panoptic(root: Path, path: str, encoding: Encoding) -> tuple[LabelMap, tuple[Issue, ...]]:
    """One mask: labels are classes, 255 (or 65535) ignored; instances are segment ids.

    Raises:
        UnreadableMask: it can't be decoded, or its segments are not listed.
    """
    from shapeprof.sources.masks import digest_of

    data = read_bytes(root, path)
    raster = decode(data, path, encoding.max_pixels)
    segments = _reloaded(root / encoding.document, path)
    listed = _listed(segments, path)
    if listed is None:
        text = f"{encoding.document} lists no segments of it; expected an annotation with its file_name"
        raise UnreadableMask(path, "no-segments", text)
    found, which = np.unique(_ids(raster.values), return_inverse=True)
    class_of = dict(encoding.mapping)
    dtype, ignored = (np.uint8, 255) if len(class_of) < 255 else (np.uint16, 65535)
    category_of = dict(listed.tolist())
    classes = [class_of.get(category_of.get(int(id_), _CROWD), ignored) for id_ in found]
    labels = np.array(classes, dtype)[which].reshape(raster.values.shape[:2])
    unknown = [int(id_) for id_ in found if id_ and int(id_) not in category_of]
    issues: tuple[Issue, ...] = ()
    if unknown:
        share = float(np.isin(which, np.flatnonzero(np.isin(found, unknown))).mean())
        text = (
            f"{len(unknown)} of its segments (such as {unknown[0]}, on {share:.2%} of it together) are not listed in "
            f"{encoding.document}; those pixels are ignored"
        )
        issues = (Issue("warning", "unlisted-segment", text, path),)
    instances = found.astype(np.uint32)[which].reshape(labels.shape)
    return LabelMap(labels, encoding.classes, path, np.where(labels == ignored, 0, instances), digest_of(data)), issues


def _ids(values: NDArray[Any]) -> NDArray[Any]:
    """(H, W) segment ids of B, G, R colours or of grey values (of which three are equal)."""
    if values.ndim == 2:
        return values.astype(np.uint32) * np.uint32(0x010101 if values.dtype == np.uint8 else 1)
    packed = pack(values)
    return packed >> 16 | packed & 0xFF00 | (packed & 0xFF) << 16


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


def _listed(segments: Segments, path: str) -> NDArray[np.int64] | None:
    found = segments.by_file.get(path)
    return segments.by_file.get(PurePosixPath(path).name) if found is None else found


def _reloaded(document: Path, path: str) -> Segments:
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
                (int(each["id"]), _CROWD if each.get("iscrowd") else int(each["category_id"]))
                for each in annotation["segments_info"]
            ]
            used.update(category for _, category in rows)
            by_file[str(annotation["file_name"])] = np.array(rows, np.int64).reshape(-1, 2)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise InputError(
            f"{document}: its segments can't be read ({type(error).__name__}: {error}); expected COCO's panoptic form: "
            "'categories' with id and name, 'annotations' with file_name and segments_info. Mend it or move it away"
        ) from None
    used.discard(_CROWD)
    return Segments({category: names.get(category, f"category {category}") for category in used}, by_file)
