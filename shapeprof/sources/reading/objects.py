"""A folder of files of one object each, read as one instance mask."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapeprof.errors import UnreadableMask
from shapeprof.issues import Issue
from shapeprof.labelmap import LabelMap
from shapeprof.sources.encoding import Encoding, plain
from shapeprof.sources.formats.stored_bytes import read_bytes
from shapeprof.sources.layouts.objects import object_files
from shapeprof.wording import first_few

from .files import label_map_of


def read_objects(root: Path, name: str, encoding: Encoding) -> tuple[LabelMap, tuple[Issue, ...]]:
    """One instance mask of the files in the folder ``name``: ids 1..n in the order of their names.

    Where objects overlap the smaller one stays visible, of equal ones the later. A file that can't be read, or is of
    another size than most, is left out and counted in an issue of severity "error".

    Raises:
        UnreadableMask: none of the files can be read.
    """
    single = plain(encoding)
    files = object_files(root, name)
    read: list[_Object] = []
    issues: list[Issue] = []
    digest = hashlib.blake2b(digest_size=16)
    for number, path in enumerate(files, start=1):
        try:
            label_map, found = label_map_of(read_bytes(root, path), path, single)
        except UnreadableMask as error:
            issues.append(_missing(path, error.code, error.message))
            continue
        issues += found
        digest.update(os.fsencode(path) + b"\0" + label_map.digest.encode() + b"\n")
        read.append(_Object.of(number, path, label_map.labels == 1))
    if not read:
        first = f"; the first: {issues[0].path}: {issues[0].message}" if issues else ""
        raise UnreadableMask(name, "no-object-readable", f"none of its {len(files)} files can be read{first}")
    sizes = [item.size for item in read]
    size = max(sorted(set(sizes)), key=sizes.count)
    for item in read:
        if item.size != size:
            text = f"it has {item.size[1]} x {item.size[0]} pixels, the others {size[1]} x {size[0]}"
            issues.append(_missing(item.path, "size-mismatch", text))
    whole = [item for item in read if item.size == size]
    instances = np.zeros(size, np.uint16 if len(files) < 65536 else np.uint32)
    for item in sorted(whole, key=lambda item: (-item.area, item.number)):
        instances[item.box][item.mask] = item.number
    labels = (instances > 0).astype(np.uint8)
    issues += _overlap(name, whole, instances)
    return LabelMap(labels, encoding.classes, name, instances, digest.hexdigest()), tuple(issues)


class _Object(NamedTuple):
    """One object, cut out of its file."""

    number: int
    path: str
    size: tuple[int, int]  # of the file
    area: int
    box: tuple[slice, slice]
    mask: NDArray[np.bool_]  # in the box

    @classmethod
    def of(cls, number: int, path: str, mask: NDArray[np.bool_]) -> _Object:
        """The object of a whole mask."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box = (slice(0, 0), slice(0, 0))
        if rows.size:
            box = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
        size = (mask.shape[0], mask.shape[1])
        return cls(number, path, size, int(mask.sum()), box, mask[box].copy())


def _missing(path: str, code: str, message: str) -> Issue:
    return Issue("error", f"object-{code}", f"this object is missing from its mask: {message}", path)


def _overlap(name: str, whole: list[_Object], instances: NDArray[Any]) -> list[Issue]:
    """Findings about objects that hide others, and files without one."""
    seen = np.bincount(instances.ravel(), minlength=max(item.number for item in whole) + 1)
    hidden = [item.path for item in whole if item.area and not seen[item.number]]
    empty = [item.path for item in whole if not item.area]
    pixels, visible = sum(item.area for item in whole), int(seen[1:].sum())
    issues = []
    if pixels > visible:
        text = (
            f"{pixels - visible} px ({pixels / visible - 1:.2%}) of its objects lie in two of them; the smaller one is "
            "shown"
        )
        text += f"; {len(hidden)} objects lie wholly under others: {first_few(hidden)}" if hidden else ""
        issues.append(Issue("warning" if hidden else "info", "objects-overlap", text, name))
    if empty:
        text = f"{len(empty)} of its {len(whole)} files hold no object: {first_few(empty)}"
        issues.append(Issue("warning", "empty-object", text, name))
    return issues
