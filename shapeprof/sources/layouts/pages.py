"""Files that hold several planes: TIFF pages, planes of an array, slices of a volume, arrays of one file.

Either each is a mask of its own (a stack), or each is one class of one mask. Classes that exclude each other are joined
to one map. Classes that overlap fit into no map: each plane is then measured as a binary mask of its class.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

from shapeprof.errors import UnreadableMask, UsageError
from shapeprof.issues import Issue
from shapeprof.labelmap import ClassTable
from shapeprof.sampling import sample_order
from shapeprof.sources.encoding import Encoding, Pages, ReadOptions
from shapeprof.sources.formats.decode import decode, members
from shapeprof.sources.formats.format import member_suffixes, slice_suffixes
from shapeprof.sources.formats.members import member_name, split_name
from shapeprof.sources.formats.stored_bytes import read_bytes
from shapeprof.sources.maskset import MaskFolder

from .laid_out import LaidOut

# All chosen. Few planes that are alike in number and kind in several files are classes; see ``_relation``.
FILES = 8  # looked at
MOST_OVERLAPPING, MOST_EXCLUSIVE = 8, 64  # planes of a file, for these to be classes that overlap, or do not
LEAST_ALIKE = 0.5  # intersection over union of neighbouring planes from which they are slices of one thing
PER_FILE = 8  # planes of a file that are looked at for values, and more where files are few

Planes = list[NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class PagesFound:
    """How files with several planes are read."""

    pages: Pages = ""
    sample: tuple[str, ...] | None = None  # names to look at in place of files
    classes: tuple[str, ...] = ()  # members that are classes of their own
    reasons: tuple[str, ...] = ()
    issues: tuple[Issue, ...] = ()


def decide_pages(folder: MaskFolder, options: ReadOptions) -> PagesFound:
    """Decide what the planes of a file are, from the first 8 files of a sample that may hold several.

    Raises:
        UsageError: classes are asked for, and files hold different planes.
    """
    files = [path for path in folder.files if path.lower().endswith(member_suffixes())]
    if not files:
        return PagesFound()
    looked = {path: _members(folder, path, options.max_pixels) for path in sample_order(files)[:FILES]}
    several = {path: names for path, names in looked.items() if len(names) > 1}
    if not several:
        return PagesFound()
    relation, why = _asked_or_found(folder, several, options)
    first = next(iter(several))
    what = f"{len(several)} of {len(looked)} files looked at hold several pages ({first}: {len(several[first])})"
    if relation in ("one-hot", "exclusive"):
        ids = "the class id is the page's number, from 0" if relation == "one-hot" else "page 0 is class 1, and so on"
        text = f"{what}; {why}, so the pages are joined: {ids} (--pages stack says that they are masks)"
        pages: Pages = "one-hot" if relation == "one-hot" else "exclusive"
        return PagesFound(pages, reasons=(text,), issues=(Issue("info", "pages-joined", text),))
    share = max(PER_FILE, -(-64 // len(files)))
    order = sample_order(files)[: max(FILES, 64 // PER_FILE)]
    rest = sample_order(path for path in folder.files if path not in set(files))
    sample = [name for path in order for name in sample_order(_names(folder, path, options.max_pixels))[:share]]
    if relation == "classes":
        text = (
            f"{what}; {why}, so each page is read as a binary mask of its own class, under names such as "
            f"{member_name(first, several[first][0])}: numbers are right per class, and an image counts once per class "
            "(--pages stack says that they are masks)"
        )
        issue = Issue("info", "pages-are-classes", text)
        return PagesFound("stack", (*sample, *rest), several[first], (text,), (issue,))
    text = (
        f"{what}; {why}, so each page is read as a mask of its own, under names such as "
        f"{member_name(first, several[first][0])} (--pages classes says otherwise). Pages of one file are no "
        "independent samples: --group '^(.*)#' holds them together"
    )
    return PagesFound("stack", (*sample, *rest), reasons=(text,), issues=(Issue("info", "pages-are-masks", text),))


def class_pages(found: PagesFound, options: ReadOptions) -> LaidOut:
    """Each page is a binary mask of its own class: by its number, or by the name of its array."""
    names = tuple(name if not name.isdigit() else f"page {name}" for name in found.classes)
    asked = tuple(name for name in options.classes or () if name.lower() != "background")
    if len(asked) == len(names):
        names = asked
    part_ids = tuple((member, number) for number, member in enumerate(found.classes, start=1))
    return LaidOut("class-pages", part_ids, ClassTable(("background", *names), 0))


def unfolded(folder: MaskFolder, encoding: Encoding) -> MaskFolder:
    """``folder`` with the names of all pages in place of the files that hold them.

    Masks of one class each belong to the image of their file. A file that can't be read stays, so that it is counted
    when it is read.
    """
    names = sorted(name for path in folder.files for name in _names(folder, path, encoding.max_pixels))
    images = [split_name(name)[0] for name in names] if encoding.layout == "class-pages" else names
    return replace(folder, files=tuple(names), image_names=tuple(images))


def _names(folder: MaskFolder, path: str, limit: int) -> list[str]:
    if not path.lower().endswith(member_suffixes()):
        return [path]
    return [member_name(path, member) for member in _members(folder, path, limit)]


def _members(folder: MaskFolder, path: str, limit: int) -> tuple[str, ...]:
    try:
        return members(read_bytes(folder.root, path), path, limit)
    except UnreadableMask:
        return ("",)


def _asked_or_found(folder: MaskFolder, several: dict[str, tuple[str, ...]], options: ReadOptions) -> tuple[str, str]:
    """("stack", "classes", "one-hot" or "exclusive", and why)."""
    if options.pages == "stack":
        return "stack", "as asked"
    if all(path.lower().endswith(slice_suffixes()) for path in several) and options.pages == "auto":
        return "stack", "they are slices of volumes"
    numbers = {len(names) for names in several.values()}
    same = len(set(several.values())) == 1
    if options.pages == "classes" and not same:
        raise UsageError(
            f"--pages classes: the files hold different pages ({', '.join(map(str, sorted(numbers)))} of them); "
            "expected one page per class in every file"
        )
    if not same or max(numbers) > MOST_EXCLUSIVE:
        return "stack", "their number differs" if not same else "they are many"
    read = [_binary_planes(folder, path, names, options.max_pixels) for path, names in several.items()]
    planes = [found for found in read if found is not None]
    if len(planes) < len(read) or not planes:
        if options.pages == "classes":
            raise UsageError("--pages classes: the pages hold more than two values each; expected one class per page")
        return "stack", "they are not binary"
    return _relation(planes, asked=options.pages == "classes")


def _relation(files: list[Planes], *, asked: bool) -> tuple[str, str]:
    """How the binary planes of each file relate, and why.

    One-hot: exactly one is set in every pixel of every file. Classes otherwise only where several files agree, and
    neighbouring planes are not alike, as those of a stack are: exclusive ones, or up to 8 that overlap.
    """
    counts = [np.sum(planes, axis=0, dtype=np.int32) for planes in files]
    if all((count == 1).all() for count in counts):
        return "one-hot", "in every pixel exactly one is set"
    exclusive = all((count <= 1).all() for count in counts)
    alike = [_overlap(a, b) for planes in files for a, b in pairwise(planes) if a.any() or b.any()]
    unlike = not alike or median(alike) < LEAST_ALIKE
    agree = asked or (len(files) > 1 and unlike and len(files[0]) <= MOST_EXCLUSIVE)
    if agree and exclusive:
        return "exclusive", "they are binary, equally many, and exclude each other"
    if asked or (agree and len(files[0]) <= MOST_OVERLAPPING):
        return ("classes", "as asked" if asked else "they are binary, equally many, few, and differ from each other")
    if len(files) == 1:
        return "stack", "there is one such file, and it does not show that they are classes"
    return "stack", "neighbours are alike, as slices are" if not unlike else "they are many and overlap"


def _overlap(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Intersection over union of two planes that are not both empty."""
    return float((first & second).sum() / (first | second).sum())


def _binary_planes(folder: MaskFolder, path: str, names: Iterable[str], limit: int) -> Planes | None:
    """The planes of a file as boolean arrays; None unless all are binary and of one size."""
    planes: Planes = []
    for member in names:
        name = member_name(path, member)
        try:
            values = decode(read_bytes(folder.root, name), name, limit).values
        except UnreadableMask:
            return None
        is_first = not planes
        if values.ndim != 2 or not (is_first or values.shape == planes[0].shape):
            return None
        if ((values != 0) & (values != values.max())).any():
            return None
        planes.append(values != 0)
    return planes
