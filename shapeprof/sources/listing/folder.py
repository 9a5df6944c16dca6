"""A folder as the list of its mask files, with a finding for everything else that lies in it."""

from __future__ import annotations

import os
import posixpath
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from shapeprof.errors import InputError, NothingMeasurable, UsageError
from shapeprof.issues import Issue, Severity
from shapeprof.sources.encoding import ReadOptions
from shapeprof.sources.formats.members import ARRAY_SUFFIXES

from . import words
from .companions import images_by_words
from .forms import one_form

if TYPE_CHECKING:
    from shapeprof.sources.annotations.find import AnnotationSet

MASK_SUFFIXES = frozenset({".png", ".tif", ".tiff", ".bmp", ".webp", ".gif", ".jpg", ".jpeg"})
JPEG_SUFFIXES = frozenset({".jpg", ".jpeg"})
NAME_FILES = (  # read for class names, in this order
    "_classes.csv",
    "class_dict.csv",
    "classes.csv",
    "classes.json",
    "classes.yaml",
    "classes.yml",
    "classes.txt",
    "labels.txt",
    "labelmap.txt",
    "data.yaml",
)
_ANY_MASK = f"({'|'.join(words.MASKS)})"
_MASK_WORD = re.compile(rf"[ ._-]?{_ANY_MASK}[a-z0-9 ._-]{{0,12}}", re.IGNORECASE)
_MASK_FOLDER = re.compile(
    rf"{_ANY_MASK}(ids|tr|ts|[ _-]?png|[ _-]index)?|segmentationclass(png)?|gtfine|gtcoarse", re.IGNORECASE
)
_IMAGE_FOLDER = re.compile(rf"({'|'.join(words.IMAGES)})|images?(tr|ts)|jpegimages|leftimg8bit", re.IGNORECASE)
_ANNOTATIONS = frozenset({".json", ".xml", ".txt", ".geojson"})
_TABLES = frozenset({".csv", ".tsv", ".yaml", ".yml", ".md", ".toml", ".html", ".pdf"})
_SYSTEM = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})
_ENOUGH = 0.9  # chosen: the share of images that a suffix must explain before images are set aside


@dataclass(frozen=True)
class MaskFolder:
    """The masks of a folder."""

    root: Path
    files: tuple[str, ...]  # names of masks: relative to root, forward slashes, sorted
    issues: tuple[Issue, ...] = ()
    others: tuple[str, ...] = field(default=(), repr=False)  # every file that is no mask; same form
    skipped: int = 0  # number of others, hidden or system entries and broken links
    stored: tuple[str, ...] = field(default=(), repr=False)  # files behind the names, sorted; default: ``files``
    why: tuple[str, ...] = field(default=(), repr=False)  # of each of ``others``: the code of its finding
    image_names: tuple[str, ...] = field(default=(), repr=False)  # path to pair each name by; default: ``files``
    annotations: AnnotationSet | None = field(default=None, repr=False)  # what ``files`` are to be drawn from

    def __post_init__(self) -> None:
        if not self.stored:
            object.__setattr__(self, "stored", self.files)
        if not self.why:
            object.__setattr__(self, "why", ("",) * len(self.others))
        if not self.image_names:
            object.__setattr__(self, "image_names", self.files)

    def first_below(self, name: str) -> str | None:
        """The first file of a mask that is a folder of files; None when it is none."""
        at = bisect_left(self.stored, name + "/")
        return self.stored[at] if at < len(self.stored) and self.stored[at].startswith(name + "/") else None


def find_masks(root: Path, options: ReadOptions | None = None) -> MaskFolder:
    """List the masks below ``root``, or those that the text file or COCO or VIA document ``root`` lists.

    ``options``: ``pattern`` says which files are masks, ``annotations`` whether they are drawn.

    Raises:
        InputError: there is no such folder, or no file fits the pattern. NothingMeasurable: it holds no mask.
        UsageError: a pattern for a list.
    """
    from shapeprof.sources.annotations.folders import EXPECTED, annotated_file, annotated_folder

    from .lists import is_list, listed_masks

    options = options or ReadOptions()
    if root.is_file() and options.annotations is not False and (drawn := annotated_file(root)):
        return drawn
    if is_list(root):
        if options is not None and options.pattern:
            raise UsageError(f"--pattern {options.pattern}: the list {root} already says which files are masks")
        return listed_masks(root)
    files, hidden, broken, closed = list_files(root)
    if not files and not closed:
        raise NothingMeasurable(
            f"{root}: the folder is empty; expected mask images ({_formats()}) in it or in its sub-folders"
        )
    skips = _skipped_findings(hidden, broken, closed)
    masks = [path for path in files if _suffix(path) in MASK_SUFFIXES]
    masks = sorted(masks + _array_masks(files, masks))
    draw = False if options.pattern and options.annotations is None else options.annotations
    look = annotated_folder(root, files, masks, draw)
    if look.drawn is not None:
        skipped = look.drawn.skipped + len(hidden) + len(broken) + len(closed)
        return replace(look.drawn, issues=(*look.drawn.issues, *skips), skipped=skipped)
    others = sorted(set(files) - set(masks))
    if not masks:
        refused = f". Not annotations either: {some(look.refused)}" if look.refused else ""
        raise NothingMeasurable(
            f"{root}: none of its {len(files)} files is a mask image (found: {_extensions(others)}){refused}; "
            f"expected {_formats()}, or {EXPECTED}"
        )
    told = dict.fromkeys(look.beside, "annotations-beside-masks")
    masks, left, issues = _by_pattern(masks, root, options.pattern) if options.pattern else _without_companions(masks)
    codes, findings = other_findings([path for path in others if path not in told])
    left |= told | codes
    issues += [*look.issues, *findings, *skips]
    apart = sorted(left)
    skipped = len(left) + len(hidden) + len(broken) + len(closed)
    why = tuple(left[path] for path in apart)
    return MaskFolder(root, tuple(masks), tuple(issues), tuple(apart), skipped, why=why)


class Listing(NamedTuple):
    """What lies below a folder: relative paths, sorted."""

    files: list[str]
    hidden: list[str]  # hidden or system files and folders
    broken: list[str]  # links that lead nowhere
    closed: list[str]  # folders that can't be listed, with the reason


def list_files(root: Path) -> Listing:
    """All files below ``root``.

    A folder reached a second time through a link is not entered again, so link loops end.
    """
    if not root.exists():
        raise InputError(f"{root}: no such folder; expected a folder of images. Check the path")
    if not root.is_dir():
        raise InputError(f"{root}: this is a file; expected the folder that holds it: {root.parent}")
    files: list[str] = []
    hidden: list[str] = []
    broken: list[str] = []
    closed: list[str] = []

    def refused(error: OSError) -> None:
        at = os.path.relpath(os.fsdecode(error.filename), root)
        closed.append(f"{Path(at).as_posix()} ({error.strerror})")

    seen: set[tuple[int, int]] = set()
    for folder, subfolders, names in os.walk(root, followlinks=True, onerror=refused):
        info = Path(folder).stat()
        if (info.st_dev, info.st_ino) in seen:
            subfolders.clear()
            continue
        seen.add((info.st_dev, info.st_ino))
        at = Path(folder).relative_to(root)
        hidden += [(at / name).as_posix() + "/" for name in subfolders if _is_system(name)]
        subfolders[:] = sorted(name for name in subfolders if not _is_system(name))
        for name in names:
            path = (at / name).as_posix()
            place = os.path.join(folder, name)  # noqa: PTH118 - 3x faster here
            whole = os.path.isfile(place)  # noqa: PTH113
            strange = not whole and os.path.exists(place)  # noqa: PTH110 - a pipe or a device: reading it may never end
            (hidden if strange or _is_system(name) else files if whole else broken).append(path)
    return Listing(sorted(files), sorted(hidden), sorted(broken), sorted(closed))


@lru_cache(maxsize=4096)
def is_mask_folder(name: str) -> bool:
    """Whether a folder's name says that it holds masks."""
    return _MASK_FOLDER.fullmatch(name) is not None


def is_mask_word(affix: str) -> bool:
    """Whether a suffix (or a reversed prefix) is a word for masks, such as ``_mask`` or ``_gtFine``."""
    return any(_MASK_WORD.fullmatch(text) is not None for text in (affix, affix[::-1].rstrip(" ._-")))


@lru_cache(maxsize=4096)
def is_image_folder(name: str) -> bool:
    """Whether a folder's name says that it holds images."""
    return _IMAGE_FOLDER.fullmatch(name) is not None


def some(paths: Iterable[str], limit: int = 3) -> str:
    """The first few of ``paths`` and how many more there are, for a message."""
    items = list(paths)
    more = f" and {len(items) - limit} more" if len(items) > limit else ""
    return ", ".join(items[:limit]) + more


def _suffix(path: str) -> str:
    return posixpath.splitext(path)[1].lower()  # a path object would take five times as long, per name


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _is_system(name: str) -> bool:
    return name.startswith(".") or name in _SYSTEM or name.endswith(".shapeprof")


def _formats() -> str:
    return "PNG, TIFF, BMP, WebP, GIF, JPEG, NPY, NPZ, MATLAB or NIfTI"


def _array_masks(files: list[str], rasters: list[str]) -> list[str]:
    """The files of arrays that are masks: those that a folder or a word of their name calls so.

    Where none is called so, all are, unless there are images: arrays beside these may be features.
    """
    arrays = [path for path in files if path.lower().endswith(ARRAY_SUFFIXES)]
    named = [path for path in arrays if _is_called_mask(path)]
    return named if named or rasters else arrays


def _is_called_mask(path: str) -> bool:
    *folders, name = PurePosixPath(path).parts
    parts = re.split(r"[^a-z]+", name.lower().removesuffix(".gz"))[:-1]
    return any(map(is_mask_folder, folders)) or any(map(is_mask_folder, parts))


def _extensions(paths: Iterable[str]) -> str:
    counts = Counter(_suffix(path) or "no extension" for path in paths)
    return ", ".join(f"{count} {suffix}" for suffix, count in counts.most_common(4))


def _by_pattern(files: list[str], root: Path, pattern: str) -> tuple[list[str], dict[str, str], list[Issue]]:
    """(masks, code of the finding by path of the others, findings) as the user's glob says."""
    masks = [path for path in files if fnmatchcase(path, pattern) or fnmatchcase(_name(path), pattern)]
    if not masks:
        raise InputError(
            f"{root}: none of its {len(files)} image files fits the pattern {pattern!r} (found: {some(files)}); "
            "expected a glob such as '*_mask.png' or 'masks/*', which * crosses folders in"
        )
    left = dict.fromkeys(sorted(set(files) - set(masks)), "not-in-pattern")
    text = f"{len(masks)} of {len(files)} image files fit the pattern {pattern!r} and are the masks, as asked"
    return masks, left, [Issue("info", "pattern", text)]


def _without_companions(files: list[str]) -> tuple[list[str], dict[str, str], list[Issue]]:
    """The same without a pattern: images, and further forms of the same masks, are set aside."""
    chosen, issue = one_form(files, is_mask_folder)
    inside, beside = _in_named_folders(chosen)
    masks, images, issues = without_images(inside)
    if beside:
        text = (
            f"{len(beside)} image files lie neither in the folders named for masks nor in those named for images and "
            f"are left alone: {some(beside)}. If they are masks, say --pattern GLOB"
        )
        issues.append(Issue("warning", "beside-masks", text))
    left = dict.fromkeys(beside, "beside-masks")
    left |= dict.fromkeys(set(files) - set(chosen), "other-forms") | dict.fromkeys(images, "images-among-masks")
    return masks, left, [*([issue] if issue else []), *issues]


def without_images(files: list[str]) -> tuple[list[str], list[str], list[Issue]]:
    """(masks, images, findings): set aside the images that lie among the masks."""
    for split in (_by_folder, _by_words, _by_suffix):
        masks, images, how = split(files)
        if images:
            message = (
                f"{len(images)} of {len(files)} image files are taken to be the images of the masks and not "
                f"read as masks: {how} ({some(images)}). If they are masks, put them in a folder of their own, or "
                "say --pattern GLOB"
            )
            return masks, images, [Issue("info", "images-among-masks", message)]
    return files, [], []


def _in_named_folders(files: list[str]) -> tuple[list[str], list[str]]:
    """(files, stray ones): where folders named for masks and for images hold most files, the others are stray."""
    named = [path for path in files if _in_folder(path, is_mask_folder) or _in_folder(path, is_image_folder)]
    if len(named) == len(files) or not named:
        return files, []
    masks, images, _ = _by_folder(named)
    if not images or len(files) - len(named) > len(masks):
        return files, []
    return named, sorted(set(files) - set(named))


def _in_folder(path: str, named: Callable[[str], bool]) -> bool:
    """Whether a file lies in a folder of that name, at any depth."""
    return any(map(named, path.split("/")[:-1]))


def _by_folder(files: list[str]) -> tuple[list[str], list[str], str]:
    """Tell images from masks by folders named so: ``images/`` beside ``masks/``."""
    masks = [path for path in files if _in_folder(path, is_mask_folder)]
    images = [path for path in files if _in_folder(path, is_image_folder)]
    if not masks or not images or set(masks) & set(images) or len(masks) + len(images) != len(files):
        return files, [], ""
    return masks, images, "they lie in folders named for images, beside folders named for masks"


def _by_words(files: list[str]) -> tuple[list[str], list[str], str]:
    """Tell images from masks by words in names: ``a_sat.jpg`` beside ``a_mask.png``."""
    masks, images = images_by_words(files)
    return (masks, images, "a word tells the masks, and each has an image of its name") if images else (files, [], "")


def _by_suffix(files: list[str]) -> tuple[list[str], list[str], str]:
    """Tell images from masks by stems: ``a.jpg`` beside ``a_mask.png`` (or ``a.png``)."""
    jpegs = [path for path in files if _suffix(path) in JPEG_SUFFIXES]
    exact = [path for path in files if _suffix(path) not in JPEG_SUFFIXES]
    if jpegs and exact:
        ending = _common_ending([_stem(p) for p in jpegs], [_stem(p) for p in exact], need_word=False)
        if ending is not None:
            name = f"'{ending}' " if ending else ""
            return exact, jpegs, f"each JPEG has a mask of the same name {name and 'plus ' + name}beside it"
        return files, [], ""
    ending = _common_ending([_stem(p) for p in files], [_stem(p) for p in files], need_word=True)
    if ending is None:
        return files, [], ""
    masks = [path for path in files if PurePosixPath(path).stem.endswith(ending)]
    images = [path for path in files if path not in set(masks)]
    return masks, images, f"each has a mask of the same name plus '{ending}' beside it"


def _stem(path: str) -> str:
    return posixpath.splitext(_name(path))[0]


def _common_ending(images: list[str], masks: list[str], *, need_word: bool) -> str | None:
    """The ending that makes nearly every image's stem the stem of a mask, and every mask's.

    With ``need_word`` the two lists are one: the ending must then name a mask, and half the files
    must carry it.
    """
    known = set(images)
    endings: Counter[str] = Counter()
    for stem in masks:
        for cut in range(len(stem) + 1 - need_word):
            head, tail = stem[: len(stem) - cut], stem[len(stem) - cut :]
            if head in known and (_MASK_WORD.fullmatch(tail) or (not need_word and not tail)):
                endings[tail] += 1
    for ending, count in endings.most_common(1):
        total = len(images) - count if need_word else max(len(images), len(masks))
        if total and _ENOUGH <= count / total <= 1 / _ENOUGH:
            return ending
    return None


def other_findings(others: list[str]) -> tuple[dict[str, str], list[Issue]]:
    """(code of the finding by path, findings) about files that are no images."""
    groups: dict[str, list[str]] = defaultdict(list)
    for path in others:
        groups[_kind_of_other(path)].append(path)
    texts: dict[str, tuple[Severity, str, str, str]] = {
        "names": ("info", "names-files", "may name the classes, looked at for that only", ""),
        "annotations": (
            "warning",
            "annotations-not-read",
            "may be annotations of a kind that is not read",
            "If the masks beside them hold the same objects nothing is lost; else draw them as index PNG first",
        ),
        "side": ("info", "side-files", "are no masks, left alone", ""),
        "unknown": (
            "warning",
            "files-not-read",
            f"are in no format that is read as a mask ({_formats()}), or are arrays that neither a folder nor a word "
            "of their name calls masks",
            "If they hold masks, convert them, or put them into a folder 'masks'",
        ),
    }
    found: list[Issue] = []
    codes: dict[str, str] = {}
    for key, (severity, code, what, mend) in texts.items():
        codes |= dict.fromkeys(groups.get(key, ()), code)
        if paths := groups.get(key):
            message = f"files that {what}: {some(paths)} ({_extensions(paths)})"
            found.append(Issue(severity, code, f"{message}. {mend}" if mend else message))
    return codes, found


def _kind_of_other(path: str) -> str:
    name, suffix = _name(path).lower(), _suffix(path)
    if name in NAME_FILES:
        return "names"
    if suffix in _TABLES or name.startswith(("readme", "license", "licence", "notice", "changelog")):
        return "side"
    return "annotations" if suffix in _ANNOTATIONS else "unknown"


def _skipped_findings(hidden: list[str], broken: list[str], closed: list[str]) -> list[Issue]:
    found = []
    if hidden:
        text = f"{len(hidden)} hidden or system files and folders, or pipes and devices, are skipped: {some(hidden)}"
        found.append(Issue("info", "hidden-files", text))
    if broken:
        text = f"{len(broken)} links lead nowhere: {some(broken)}. Restore their targets or remove them"
        found.append(Issue("warning", "broken-links", text))
    if closed:
        text = f"{len(closed)} folders can't be listed: {some(closed)}. What they hold is not measured; mend that"
        found.append(Issue("error", "folders-not-read", text))
    return found
