"""What a file of a set of binary masks holds: a mask, one object of a mask, or one class of it."""

from __future__ import annotations

from dataclasses import replace

from shapeprof.errors import UsageError
from shapeprof.issues import Issue
from shapeprof.labelmap import ClassTable
from shapeprof.sources.encoding import Encoding, ReadOptions
from shapeprof.sources.maskset import MaskFolder
from shapeprof.wording import first_few

from .class_names import Parts, parts_of, says_classes, without_part
from .laid_out import LaidOut
from .objects import SURE, holds_objects, merged_folder, object_folders
from .pages import unfolded


def decide_layout(folder: MaskFolder, kind: str, options: ReadOptions) -> LaidOut:
    """Decide what each file holds, from names and, where these do not suffice, from a sample of the files.

    Raises:
        UsageError: the layout that is asked for does not fit.
    """
    asked = options.layout
    if kind != "binary" and asked in ("objects", "classes"):
        raise UsageError(f"--layout {asked}: the masks are not binary, so a file holds more than one of them")
    if kind != "binary" or asked == "files":
        return LaidOut()
    parts = None if asked == "objects" else parts_of(folder.files, asked=asked == "classes")
    if parts is not None and (asked == "classes" or says_classes(folder, parts)):
        return _by_class(parts, options)
    if asked == "classes":
        raise UsageError(
            "--layout classes: neither folders nor the endings of names distinguish classes "
            f"({first_few(folder.files)}); expected masks/cat/001.png or 001_cat.png"
        )
    if asked == "objects" and not object_folders(folder):
        raise UsageError(f"--layout objects: the masks lie in no sub-folders of {folder.root}; expected one per image")
    sure = holds_objects(folder) if asked == "auto" and options.instances is not False else 0.0
    if asked == "objects" or sure >= SURE:
        return _by_object(folder, asked == "objects")
    if sure > 0:
        text = (
            "each file is read as a mask of its own; the folders may also hold one object per file, but too few to "
            "tell (--layout objects reads each folder as one mask)"
        )
        return LaidOut(issues=(Issue("info", "maybe-objects", text),))
    return LaidOut()


def regrouped(folder: MaskFolder, encoding: Encoding) -> MaskFolder:
    """``folder`` with one name per mask that ``encoding`` reads, and the path by which each mask finds its image."""
    if encoding.pages == "stack":
        return unfolded(folder, encoding)
    if encoding.layout == "objects":
        return merged_folder(folder)
    if encoding.layout in ("files", "panoptic"):
        return folder
    parts = dict(encoding.part_ids)
    return replace(folder, image_names=tuple(without_part(path, encoding.layout, parts) for path in folder.files))


def _by_object(folder: MaskFolder, asked: bool) -> LaidOut:
    groups = object_folders(folder)
    why = "as asked" if asked else "as they are one piece each and exclude each other"
    text = (
        f"{len(groups)} folders hold {sum(map(len, groups.values())):,} files of one object each, {why}: "
        "a folder is a mask, a file an instance (--layout files says otherwise)"
    )
    return LaidOut("objects", reasons=(text,))


def _by_class(parts: Parts, options: ReadOptions) -> LaidOut:
    found = sorted(set(parts.names.values()))
    asked = tuple(name for name in options.classes or () if name.lower() != "background")
    if asked and set(found) <= set(asked):
        found = list(asked)
    ids = {name: i for i, name in enumerate(found, start=1)}
    where = "folder" if parts.layout == "class-folders" else "ending of its name"
    shared = (
        "; an image with masks of several classes counts once per class, as classes may overlap (--group makes its "
        "masks one sample)"
        if parts.share_images
        else ""
    )
    text = (
        f"the {where} is the class of a mask ({first_few(found, 6)}), so each file is a mask of its own{shared} "
        "(--layout files says that they are no classes)"
    )
    issue = Issue("info", "class-from-name", text)
    part_ids = tuple(sorted((part, ids[name]) for part, name in parts.names.items()))
    return LaidOut(parts.layout, part_ids, ClassTable(("background", *found), 0), (text,), (issue,))
