"""Classes from names: the folder of a binary mask, or the ending of its name, is the class of its foreground."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from statistics import median

from shapeprof.errors import UnreadableMask
from shapeprof.sampling import sample_order
from shapeprof.sources.encoding import Layout
from shapeprof.sources.formats.members import split_name
from shapeprof.sources.formats.stored_bytes import read_bytes
from shapeprof.sources.maskset import MaskFolder
from shapeprof.sources.names.words import NO_CLASSES, SEPARATORS, is_image_folder, is_mask_folder

MAX_CLASSES = 64  # chosen: more folders or endings are no classes
_LEAST_FILES = 3  # chosen: of a class on average, where no image has masks of two classes
_SAME = 0.5  # chosen: IoU from which masks of one name show one thing twice (two raters, say)
_LOOKED_AT = 8  # chosen: names whose masks are compared
_WORDS = re.compile(r"(?=..)[^\W\d_]+([ ._-]+[^\W\d_]+)*")
_AFTER_NUMBER = re.compile(rf"(.*\d)[{SEPARATORS}]+([^\W\d_].*)")


@dataclass(frozen=True, slots=True)
class Parts:
    """The folder or ending of every file that may be its class."""

    layout: Layout
    names: dict[str, str]  # class name by folder or ending
    images: dict[str, set[str]]  # the parts that each image has masks of, by what its masks have in common

    @property
    def share_images(self) -> bool:
        """Whether some images have masks of several classes."""
        return any(len(parts) > 1 for parts in self.images.values())


def parts_of(files: Iterable[str], *, asked: bool = False) -> Parts | None:
    """The folders or endings that may be classes, by the names alone; None when they can't be.

    ``asked``: the user says that names are classes, so a folder may have any name.
    """
    files = list(files)
    return _endings(files) or _folders(files, any_name=asked)


def says_classes(folder: MaskFolder, parts: Parts) -> bool:
    """Whether names that may be classes are classes: they occur often enough and do not show one thing twice."""
    if not 2 <= len(parts.names) <= MAX_CLASSES:
        return False
    if not parts.share_images:
        return parts.layout == "class-folders" and len(folder.files) >= _LEAST_FILES * len(parts.names)
    shared = sum(1 for found in parts.images.values() if len(found) > 1)
    if parts.layout == "class-endings" and 2 * shared < len(parts.images):
        return False
    return _shows_different_things(folder, parts)


def part_of(path: str, layout: Layout, known: Iterable[str]) -> str | None:
    """The class part of a path: its last folder among ``known``, or its longest ending among them; else None."""
    pure = PurePosixPath(path)
    known = set(known)
    if layout == "class-folders":
        return next((part for part in reversed(pure.parts[:-1]) if part in known), None)
    return next((e for e in sorted(known, key=len, reverse=True) if _ends(pure.stem, e)), None)


def without_part(path: str, layout: Layout, known: Iterable[str]) -> str:
    """The path without its class part: equal for all masks of one image."""
    pure = PurePosixPath(path)
    part = part_of(path, layout, known)
    if part is None:
        return path
    if layout == "class-endings":
        stem = pure.stem[: len(pure.stem) - len(part)].rstrip(SEPARATORS)
        # 001/road.png shows the image 001
        return (
            pure.parent / (stem + pure.suffix) if stem else pure.parent.with_name(pure.parent.name + pure.suffix)
        ).as_posix()
    at = len(pure.parts) - 2 - pure.parts[-2::-1].index(part)
    return "/".join([*pure.parts[:at], *pure.parts[at + 1 :]])


def class_id_of(path: str, layout: Layout, part_ids: tuple[tuple[str, int], ...]) -> int:
    """The class id of a file's foreground; raise UnreadableMask when its name holds no class."""
    ids = dict(part_ids)
    if layout == "class-pages":
        member = split_name(path)[1]
        if member not in ids:
            text = f"it has a page {member or 'only'}, where other files have {', '.join(ids)}; export it as they were"
            raise UnreadableMask(path, "no-class", text)
        return ids[member]
    part = part_of(path, layout, ids)
    if part is None:
        where = "its folder" if layout == "class-folders" else "its name's ending"
        text = f"{where} names none of the classes {', '.join(ids)}; rename it, or say --layout files"
        raise UnreadableMask(path, "no-class", text)
    return ids[part]


def _ends(stem: str, ending: str) -> bool:
    head = stem.removesuffix(ending)
    return stem == ending or (head != stem and head[-1:] in tuple(SEPARATORS))


def _is_class(name: str) -> bool:
    words = re.split(rf"[{SEPARATORS}]+", name.lower())
    return _WORDS.fullmatch(name) is not None and not set(words) <= NO_CLASSES


def _as_text(name: str) -> str:
    """``name`` as text that can be written: bytes that are no UTF-8 as escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


def _cleaned(part: str) -> str:
    """``part`` without words for masks: ``road_mask`` is ``road``; empty when nothing is left."""
    words = re.split(rf"([{SEPARATORS}]+)", part)
    while words and (is_mask_folder(words[-1]) or not words[-1].strip(SEPARATORS)):
        words.pop()
    while words and (is_mask_folder(words[0]) or not words[0].strip(SEPARATORS)):
        words.pop(0)
    return "".join(words)


def _endings(files: list[str]) -> Parts | None:
    """Endings behind a number (``001_road``), or the whole name in a folder per image (``001/road``)."""
    names: dict[str, str] = {}
    images: dict[str, set[str]] = defaultdict(set)
    for path in files:
        pure = PurePosixPath(path)
        match = _AFTER_NUMBER.fullmatch(pure.stem)
        head, part = (match[1], match[2]) if match else ("", pure.stem)
        name = _cleaned(part)
        if not _is_class(name) or (not head and len(pure.parts) < 2):
            return None
        names[part] = _as_text(name)
        images["/".join([*pure.parts[:-1], head])].add(part)
    counts = Counter(part for found in images.values() for part in found)
    if len(names) < 2 or min(counts.values()) < min(2, len(images)):
        return None
    return Parts("class-endings", names, images)


def _folders(files: list[str], *, any_name: bool) -> Parts | None:
    """The last folder of every file whose name is no word for masks, images, splits or versions."""
    names: dict[str, str] = {}
    images: dict[str, set[str]] = defaultdict(set)
    for path in files:
        parts = list(PurePosixPath(path).parts)
        at = [i for i, part in enumerate(parts[:-1]) if not (is_mask_folder(part) or is_image_folder(part))]
        at = [i for i in at if parts[i].lower() not in NO_CLASSES]
        if not at or not (_is_class(name := parts[at[-1]]) or any_name):
            return None
        names[name] = _as_text(name)
        images["/".join([*parts[: at[-1]], *parts[at[-1] + 1 :]])].add(name)
    return Parts("class-folders", names, images) if len(names) > 1 else None


def _shows_different_things(folder: MaskFolder, parts: Parts) -> bool:
    """Whether masks of one name differ: two raters of one image, or a mask and its copy, agree."""
    import numpy as np

    from shapeprof.sources.formats.decode import decode

    by_image: dict[str, list[str]] = defaultdict(list)
    for path in folder.files:
        by_image[without_part(path, parts.layout, parts.names)].append(path)
    several = [key for key, found in by_image.items() if len(found) > 1]
    most = []
    for key in sample_order(several)[:_LOOKED_AT]:
        masks = []
        for path in by_image[key]:
            try:
                values = decode(read_bytes(folder.root, path), path).values
            except UnreadableMask:
                continue
            masks.append(values.max(axis=2) > 0 if values.ndim == 3 else values > 0)
        pairs = [(a, b) for i, a in enumerate(masks) for b in masks[i + 1 :] if a.shape == b.shape and (a | b).any()]
        if pairs:
            most.append(max(float(np.sum(a & b) / np.sum(a | b)) for a, b in pairs))
    return not most or median(most) <= _SAME
