"""The masks of a folder, a list or an annotation document, with an issue about everything else that lies there."""

from __future__ import annotations

import re
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from shapeprof.errors import InputError, NothingMeasurable, UsageError
from shapeprof.issues import Issue
from shapeprof.wording import first_few

from .annotations.folders import annotated_file, annotated_folder
from .annotations.format import annotation_titles
from .encoding import ReadOptions
from .formats.format import array_suffixes, titles
from .listing.files import extensions, list_files, may_be_raster_mask, other_issues, skipped_issues
from .listing.images_among_masks import in_named_folders, without_images
from .listing.lists import is_list, listed_masks
from .maskset import MaskFolder
from .names.forms import one_form
from .names.name import parsed
from .names.words import is_mask_folder


def find_masks(root: Path, options: ReadOptions | None = None) -> MaskFolder:
    """List the masks below ``root``, or in the text file or annotation document ``root``.

    ``options``: ``pattern`` says which files are masks, ``annotations`` whether they are drawn.

    Raises:
        InputError: there is no such folder, or no file fits the pattern. NothingMeasurable: it holds no mask.
        UsageError: a pattern for a list.
    """
    options = options or ReadOptions()
    if root.is_file() and options.annotations is not False and (drawn := annotated_file(root)):
        return drawn
    if is_list(root):
        if options.pattern:
            raise UsageError(f"--pattern {options.pattern}: the list {root} already says which files are masks")
        return listed_masks(root)
    listing = list_files(root)
    files, unlisted = listing.files, sum(map(len, listing[1:]))
    if not files and not listing.closed:
        raise NothingMeasurable(
            f"{root}: the folder is empty; expected mask images ({titles()}) in it or in its sub-folders"
        )
    skips = skipped_issues(listing)
    images = [path for path in files if may_be_raster_mask(path)]
    candidates = sorted(images + _array_masks(files, images))
    draw = False if options.pattern and options.annotations is None else options.annotations
    look = annotated_folder(root, files, candidates, draw)
    if look.drawn is not None:
        issues = (*look.drawn.issues, *skips)
        return replace(look.drawn, issues=issues, skipped=look.drawn.skipped + unlisted)
    others = sorted(set(files) - set(candidates))
    if not candidates:
        refused = f". Not annotations either: {first_few(look.refused)}" if look.refused else ""
        raise NothingMeasurable(
            f"{root}: none of its {len(files)} files is a mask image (found: {extensions(others)}){refused}; "
            f"expected {titles()}, or {annotation_titles()} annotations"
        )
    chosen = _by_pattern(candidates, root, options.pattern) if options.pattern else _by_names(candidates)
    masks, left_alone, found = chosen
    beside = dict.fromkeys(look.beside, "annotations-beside-masks")
    codes, about_others = other_issues([path for path in others if path not in beside])
    left_alone |= beside | codes
    apart = tuple(sorted(left_alone))
    issues = (*found, *look.issues, *about_others, *skips)
    why = tuple(left_alone[path] for path in apart)
    return MaskFolder(root, tuple(masks), issues, apart, len(apart) + unlisted, why=why)


def _array_masks(files: list[str], rasters: list[str]) -> list[str]:
    """The array files that are masks: those whose folder or name says so.

    If no name says so, all array files are masks, unless there are images: arrays beside images may be features.
    """
    arrays = [path for path in files if path.lower().endswith(array_suffixes())]
    named = [path for path in arrays if _is_called_mask(path)]
    return named if named or rasters else arrays


def _is_called_mask(path: str) -> bool:
    last = path.rpartition("/")[2].lower().removesuffix(".gz")
    words = re.split(r"[^a-z]+", last)[:-1]
    return parsed(path).lies_in(is_mask_folder) or any(map(is_mask_folder, words))


def _by_pattern(files: list[str], root: Path, pattern: str) -> tuple[list[str], dict[str, str], list[Issue]]:
    """(masks, issue code of each other file, issues) by the user's glob."""
    masks = [path for path in files if fnmatchcase(path, pattern) or fnmatchcase(path.rpartition("/")[2], pattern)]
    if not masks:
        raise InputError(
            f"{root}: none of its {len(files)} image files fits the pattern {pattern!r} (found: {first_few(files)}); "
            "expected a glob such as '*_mask.png' or 'masks/*', which * crosses folders in"
        )
    left = dict.fromkeys(sorted(set(files) - set(masks)), "not-in-pattern")
    text = f"{len(masks)} of {len(files)} image files fit the pattern {pattern!r} and are the masks, as asked"
    return masks, left, [Issue("info", "pattern", text)]


def _by_names(files: list[str]) -> tuple[list[str], dict[str, str], list[Issue]]:
    """(masks, issue code of each other file, issues) by names: images and other forms of the masks are set aside."""
    chosen, issue = one_form(files)
    inside, beside = in_named_folders(chosen)
    masks, images, issues = without_images(inside)
    if beside:
        text = (
            f"{len(beside)} image files lie neither in the folders named for masks nor in those named for images and "
            f"are left alone: {first_few(beside)}. If they are masks, say --pattern GLOB"
        )
        issues.append(Issue("warning", "beside-masks", text))
    left = dict.fromkeys(beside, "beside-masks")
    left |= dict.fromkeys(set(files) - set(chosen), "other-forms") | dict.fromkeys(images, "images-among-masks")
    return masks, left, [*([issue] if issue else []), *issues]
