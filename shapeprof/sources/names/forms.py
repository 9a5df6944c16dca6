"""One mask in several forms (label ids, instance ids, a coloured copy to look at): which of them is read."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache

from shapeprof.issues import Issue

from .name import parsed
from .words import OBJECTS, PREVIEWS, TONES, is_mask_folder

SHARED = 0.9  # chosen: share of a form's files that must be there in a better form to be set aside
_PLAIN, _NAMED, _UNNAMED, _OBJECTS, _PREVIEW = 1, 2, 3, 5, 9  # ranks; the smallest is read
_CITYSCAPES = {"labelids": 0, "labeltrainids": 1, "instanceids": _OBJECTS, "instancetrainids": 6, "color": 9}
_ENDING = re.compile(r"(.+?)[ ._-]+([A-Za-z]+)")
_WHY = {
    0: "labelIds hold the class of every pixel; the other forms add objects to it, or are to look at",
    1: "it is named for masks and nothing else",
    _NAMED: "it is the first that is named for masks",
    _UNNAMED: "the others are named for pictures to look at",
    _OBJECTS: "it holds objects, and no other form holds classes",
}


@dataclass
class _Form:
    """The files of one form, by mask."""

    rank: int
    files: dict[str, list[str]] = field(default_factory=dict)  # key to paths
    folders: set[str] = field(default_factory=set)  # folders of keys: of images, where a file is one object


def one_form(files: list[str]) -> tuple[list[str], Issue | None]:
    """The masks among ``files`` in one form each, and an issue when other forms were set aside.

    A form is set aside when nearly all its files are there in a better one, under the same name.
    """
    forms: dict[str, _Form] = {}
    for path in files:
        key, rank, shown = _form_of(path)
        form = forms.setdefault(shown, _Form(rank))
        form.files.setdefault(key, []).append(path)
        form.folders.add(key.rpartition("/")[0])
    kept: list[str] = []
    instead: dict[str, list[str]] = defaultdict(list)  # form that is read, to those it is read for
    for shown in sorted(forms, key=lambda s: (forms[s].rank, s)):
        better = next((k for k in kept if _covers(forms[k], forms[shown], shown)), None)
        if better is None:
            kept.append(shown)
        else:
            instead[better].append(shown)
    if not instead:
        return files, None
    aside = [forms[name].files for names in instead.values() for name in names]
    left = {path for files_of in aside for paths in files_of.values() for path in paths}
    texts = [
        f"{_called(best)} is read, as {_WHY.get(forms[best].rank, _WHY[_NAMED])}, and not "
        + ", ".join(f"{_called(name)} ({len(forms[name].files)})" for name in names)
        for best, names in instead.items()
    ]
    text = (
        f"{len(left)} files are further forms of the same masks and left alone: {'; '.join(texts)}. "
        "--pattern GLOB says which files are the masks"
    )
    return [path for path in files if path not in left], Issue("info", "other-forms", text)


def _covers(best: _Form, other: _Form, shown: str) -> bool:
    if best.rank == _UNNAMED and (other.rank < _PREVIEW or set(_words(shown)) & TONES):
        return False  # what has no name may be the images, and a coloured copy the masks
    if other.rank == _UNNAMED:
        return False
    common = sum(1 for key in other.files if key in best.files or key in best.folders)
    return common >= SHARED * len(other.files)


def _form_of(path: str) -> tuple[str, int, str]:
    """(mask that a file shows, rank of its form, folder and ending that name the form)."""
    name = parsed(path)
    parts, stem = list(name.folders), name.stem
    ranks, folder, ending = [], "", ""
    for i in range(len(parts) - 1, -1, -1):
        rank = _rank_of_folder(parts[i])
        if rank is not None:
            ranks.append(rank)
            folder = parts.pop(i) + "/"
            break
    while match := _ENDING.fullmatch(stem):
        rank = _rank_of_ending(match[2])
        if rank is None:
            break
        ranks.append(rank)
        ending = stem[len(match[1]) :] + ending
        stem = match[1]
    return "/".join([*parts, stem]), max(ranks, default=_UNNAMED), folder + ending


@lru_cache(maxsize=4096)
def _rank_of_folder(name: str) -> int | None:
    words = set(_words(name))
    mask = is_mask_folder(name) or any(map(is_mask_folder, words))
    if words & PREVIEWS and (mask or not words & TONES):
        return _PREVIEW
    if words & OBJECTS and (mask or "segmentation" in words):
        return _OBJECTS
    if is_mask_folder(name):
        return _PLAIN if len(words) == 1 or name.lower() == "segmentationclass" else _NAMED
    return _NAMED if name.lower().startswith("segmentationclass") else None


@lru_cache(maxsize=4096)
def _rank_of_ending(word: str) -> int | None:
    lower = word.lower()
    if lower in _CITYSCAPES:
        return _CITYSCAPES[lower]
    if lower in PREVIEWS:
        return _PREVIEW
    if lower in OBJECTS:
        return _OBJECTS
    return _PLAIN if is_mask_folder(word) else None


def _words(name: str) -> list[str]:
    """The words of a name in lower case: ``SegmentationObject`` has two."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]


def _called(form: str) -> str:
    """A form in words: ``masks/*_color``."""
    folder, _, ending = form.rpartition("/")
    return f"{folder + '/' if folder else ''}*{ending}" if ending else f"{folder}/" if folder else "the rest"
