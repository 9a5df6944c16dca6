"""How a folder of masks would be read, and why, without measuring it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shapeprof.errors import InputError, NothingMeasurable, UnreadableMask
from shapeprof.issues import Issue
from shapeprof.labelmap import LabelMap
from shapeprof.wording import first_few

from . import Encoding, MaskFolder, ReadOptions, detect, find_masks, read_mask, regrouped
from .encoding import hex_colour
from .files_behind import document_of
from .formats.format import format_of
from .formats.stored_bytes import read_bytes
from .layouts.objects import object_files
from .values.survey import Observation, look_at

SHOWN = 20  # files that are looked at one by one, unless all are asked for


@dataclass(frozen=True, slots=True)
class Reading:
    """One mask: how it is stored, and what it is read as."""

    name: str
    storage: str  # "PNG, 8 bits, palette"; "" when it can't be read
    size: tuple[int, int] | None  # rows, columns
    values: tuple[int | str, ...]  # the raw values held, colours as "#RRGGBB"; () for several files
    distinct: int  # number of distinct raw values
    pixels: tuple[tuple[str, int], ...] = ()  # class name, pixels; by class id
    ignored: int = 0  # pixels of no class
    objects: int | None = None  # object ids; None where objects are found by measuring
    issues: tuple[Issue, ...] = ()


@dataclass(frozen=True)
class InputReport:
    """How the masks of a folder would be read."""

    root: Path
    folder: MaskFolder
    encoding: Encoding | None  # None: detection failed
    problem: Exception | None  # why detection failed
    readings: tuple[Reading, ...]

    @property
    def findings(self) -> tuple[Issue, ...]:
        """Findings about the folder and its encoding."""
        return (*self.folder.issues, *(() if self.encoding is None else self.encoding.issues))


def explain_input(root: Path, options: ReadOptions | None = None, limit: int | None = SHOWN) -> InputReport:
    """How the masks below ``root`` would be read.

    ``limit``: how many masks are looked at one by one, in order of their names; None: all.

    Raises:
        InputError: there is no such folder. NothingMeasurable: it holds no mask. UsageError: an option does not fit.
    """
    options = options or ReadOptions()
    folder = find_masks(root, options)
    encoding, problem = None, None
    try:
        encoding = detect(folder, options)
        folder = regrouped(folder, encoding)
    except (InputError, NothingMeasurable) as error:
        problem = error
    names = folder.files if limit is None else folder.files[:limit]
    readings = tuple(_reading(folder, name, encoding, options.train_size) for name in names)
    return InputReport(root, folder, encoding, problem, readings)


def _reading(folder: MaskFolder, name: str, encoding: Encoding | None, train_size: int | None) -> Reading:
    stored, seen = "", None
    issues: tuple[Issue, ...] = ()
    try:
        stored, seen = _stored(folder, name)
    except UnreadableMask as error:  # also of a mask that is no file of its own: its reader knows better
        issues = (Issue("error", error.code, error.message, name),)
    values: tuple[int | str, ...] = ()
    if seen is not None:
        raws = sorted(seen.pixels)
        values = tuple(hex_colour(raw) for raw in raws) if seen.storage == "colour" else tuple(raws)
    shape, distinct = (None, 0) if seen is None else (seen.shape, seen.distinct)
    if encoding is None:
        return Reading(name, stored, shape, values, distinct, issues=issues)
    try:
        found, issues = read_mask(folder.root, name, encoding, train_size)
    except UnreadableMask as error:
        issues = (Issue("error", error.code, error.message, name),)
        return Reading(name, stored, shape, values, distinct, issues=issues)
    pixels, ignored, objects = _counts(found)
    return Reading(name, stored, found.labels.shape, values, distinct, pixels, ignored, objects, issues)


def _stored(folder: MaskFolder, name: str) -> tuple[str, Observation | None]:
    """(how a mask is stored, what its file holds; None when it is a folder of files)."""
    if folder.annotations is not None:
        return f"drawn from {document_of(folder, name) or first_few(folder.stored, 1)}", None
    if folder.first_below(name) is not None:
        return f"{len(object_files(folder.root, name))} files of one object", None
    data = read_bytes(folder.root, name)
    seen = look_at(data, name)
    kind = {"grey": "grey", "palette": "palette", "colour": "RGB"}[seen.storage]
    format_ = format_of(data)
    parts = ["" if format_ is None else format_.title, f"{seen.bits} bits"]
    parts.append("RGB, equal channels" if seen.equal_channels else kind)
    return ", ".join([*parts, "lossy"] if seen.lossy else parts), seen


def _counts(found: LabelMap) -> tuple[tuple[tuple[str, int], ...], int, int | None]:
    """(pixels by class, ignored pixels, number of object ids)."""
    counts = np.bincount(found.labels.ravel())
    ids = [int(i) for i in np.flatnonzero(counts)]
    pixels = tuple((found.classes.name_of(i), int(counts[i])) for i in ids if i != found.ignore_index)
    ignored = int(counts[found.ignore_index]) if found.ignore_index < counts.size else 0
    objects = None if found.instances is None else int(np.count_nonzero(np.unique(found.instances)))
    return pixels, ignored, objects
