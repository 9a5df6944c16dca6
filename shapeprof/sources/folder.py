"""A folder as the list of its mask files, with a finding for everything else that lies in it."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from shapeprof.errors import InputError, NothingMeasurable
from shapeprof.labelmap import Issue

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
MASK_WORDS = r"(masks?|annotations?|annot|labels?|lbl|gt|groundtruth|ground_truth|seg|segmentation|target)"
_MASK_WORD = re.compile(rf"[ ._-]?{MASK_WORDS}[a-z0-9 ._-]{{0,12}}", re.IGNORECASE)
_MASK_FOLDER = re.compile(rf"{MASK_WORDS}(ids|[ _-]?png|[ _-]index)?|segmentationclass(png)?", re.IGNORECASE)
_IMAGE_FOLDER = re.compile(r"(images?|imgs?|jpegimages|photos?|rgb|leftimg8bit)", re.IGNORECASE)
_ANNOTATIONS = frozenset({".json", ".xml", ".txt", ".geojson"})
_TABLES = frozenset({".csv", ".tsv", ".yaml", ".yml", ".md", ".toml", ".html", ".pdf"})
_SYSTEM = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})
_ENOUGH = 0.9  # chosen: the share of images that a suffix must explain before images are set aside


@dataclass(frozen=True)
class MaskFolder:
    """The mask files of a folder."""

    root: Path
    files: tuple[str, ...]  # relative to root, forward slashes, sorted
    issues: tuple[Issue, ...] = ()
    others: tuple[str, ...] = field(default=(), repr=False)  # every file that is no mask; same form
    skipped: int = 0  # number of others, hidden or system entries and broken links
    annotations: AnnotationSet | None = field(default=None, repr=False)  # what ``files`` are to be drawn from
    stored: tuple[str, ...] = field(
        default=(), repr=False
    )  # the files on disk behind the masks: ``files``, unless given

    def __post_init__(self) -> None:
        if not self.stored:
            object.__setattr__(self, "stored", self.files)


def find_masks(root: Path, annotations: bool | None = None) -> MaskFolder:
    """List the masks below ``root``; raise InputError or NothingMeasurable when there are none.

    ``root`` may be one COCO or VIA document, too. ``annotations``: as in ``ReadOptions``.
    """
    from shapeprof.sources.annotations.folders import EXPECTED, annotated_file, annotated_folder

    if root.is_file() and annotations is not False and (drawn := annotated_file(root)):
        return drawn
    files, hidden, broken = list_files(root)
    if not files:
        raise NothingMeasurable(
            f"{root}: the folder is empty; expected mask images ({_formats()}) in it or in its sub-folders"
        )
    skips = _skipped_findings(hidden, broken)
    look = annotated_folder(root, files, annotations)
    if look.drawn is not None:
        skipped = look.drawn.skipped + len(hidden) + len(broken)
        return replace(look.drawn, issues=(*look.drawn.issues, *skips), skipped=skipped)
    masks = [path for path in files if _suffix(path) in MASK_SUFFIXES]
    others = [path for path in files if _suffix(path) not in MASK_SUFFIXES]
    if not masks:
        why = f". Not annotations either: {some(look.refused)}" if look.refused else ""
        raise NothingMeasurable(
            f"{root}: none of its {len(files)} files is a mask image (found: {_extensions(others)}){why}; "
            f"expected {_formats()}, or {EXPECTED}"
        )
    masks, images, issues = without_images(masks)
    told = set(look.beside)
    issues += [*look.issues, *other_findings([path for path in others if path not in told]), *skips]
    skipped = len(others) + len(images) + len(hidden) + len(broken)
    return MaskFolder(root, tuple(masks), tuple(issues), tuple(sorted([*others, *images])), skipped)


def list_files(root: Path) -> tuple[list[str], list[str], list[str]]:
    """(files, hidden or system files, broken links) below ``root``, relative and sorted.

    A folder reached a second time through a link is not entered again, so link loops end.
    """
    if not root.exists():
        raise InputError(f"{root}: no such folder; expected a folder of mask images. Check the path")
    if not root.is_dir():
        raise InputError(f"{root}: this is a file; expected the folder that holds it: {root.parent}")
    files: list[str] = []
    hidden: list[str] = []
    broken: list[str] = []
    seen: set[tuple[int, int]] = set()
    for folder, subfolders, names in os.walk(root, followlinks=True):
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
            whole = os.path.exists(os.path.join(folder, name))  # noqa: PTH110, PTH118 - 3x faster here
            (hidden if _is_system(name) else files if whole else broken).append(path)
    return sorted(files), sorted(hidden), sorted(broken)


def is_mask_folder(name: str) -> bool:
    """Whether a folder's name says that it holds masks."""
    return _MASK_FOLDER.fullmatch(name) is not None


def is_mask_word(affix: str) -> bool:
    """Whether a suffix (or a reversed prefix) is a word for masks, such as ``_mask`` or ``_gtFine``."""
    return any(_MASK_WORD.fullmatch(text) is not None for text in (affix, affix[::-1].rstrip(" ._-")))


def is_image_folder(name: str) -> bool:
    """Whether a folder's name says that it holds images."""
    return _IMAGE_FOLDER.fullmatch(name) is not None


def some(paths: Iterable[str], limit: int = 3) -> str:
    """The first few of ``paths`` and how many more there are, for a message."""
    items = list(paths)
    more = f" and {len(items) - limit} more" if len(items) > limit else ""
    return ", ".join(items[:limit]) + more


def _suffix(path: str) -> str:
    return PurePosixPath(path).suffix.lower()


def _is_system(name: str) -> bool:
    return name.startswith(".") or name in _SYSTEM or name.endswith(".shapeprof")


def _formats() -> str:
    return "PNG, TIFF, BMP, WebP, GIF or JPEG"


def _extensions(paths: Iterable[str]) -> str:
    counts = Counter(_suffix(path) or "no extension" for path in paths)
    return ", ".join(f"{count} {suffix}" for suffix, count in counts.most_common(4))


def without_images(files: list[str]) -> tuple[list[str], list[str], list[Issue]]:
    """(masks, images, findings): set aside the images that lie among the masks."""
    for split in (_by_folder, _by_suffix):
        masks, images, how = split(files)
        if images:
            message = (
                f"{len(images)} of {len(files)} image files are taken to be the images of the masks and not "
                f"read as masks: {how} ({some(images)}). If they are masks, put them in a folder of their own"
            )
            return masks, images, [Issue("info", "images-among-masks", message)]
    return files, [], []


def _by_folder(files: list[str]) -> tuple[list[str], list[str], str]:
    """Tell images from masks by folders named so: ``images/`` beside ``masks/``."""
    masks = [path for path in files if any(map(is_mask_folder, PurePosixPath(path).parts[:-1]))]
    images = [path for path in files if any(map(is_image_folder, PurePosixPath(path).parts[:-1]))]
    if not masks or not images or set(masks) & set(images) or len(masks) + len(images) != len(files):
        return files, [], ""
    return masks, images, "they lie in folders named for images, beside folders named for masks"


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
    return PurePosixPath(path).stem


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


def other_findings(others: list[str]) -> list[Issue]:
    """What is said of files that are no masks, by kind."""
    groups: dict[str, list[str]] = defaultdict(list)
    for path in others:
        suffix = _suffix(path)
        if PurePosixPath(path).name.lower() in NAME_FILES:
            groups["names"].append(path)
        elif suffix in _ANNOTATIONS or suffix in _TABLES:
            groups["annotations" if suffix in _ANNOTATIONS else "side"].append(path)
        else:
            groups["unknown"].append(path)
    texts = {
        "names": ("info", "names-files", "may name the classes and are looked at for that only"),
        "annotations": (
            "warning",
            "annotations-not-read",
            "may be annotations of a kind that is not read. If the masks beside them hold the same objects "
            "nothing is lost; else draw them as index PNG first",
        ),
        "side": ("info", "side-files", "are no masks and are left alone"),
        "unknown": (
            "warning",
            "files-not-read",
            f"are in no format that is read as a mask ({_formats()}). If they hold masks, convert them",
        ),
    }
    found: list[Issue] = []
    for key, (severity, code, text) in texts.items():
        if paths := groups.get(key):
            message = f"{len(paths)} files {text}: {some(paths)} ({_extensions(paths)})"
            found.append(Issue("warning" if severity == "warning" else "info", code, message))
    return found


def _skipped_findings(hidden: list[str], broken: list[str]) -> list[Issue]:
    found = []
    if hidden:
        text = f"{len(hidden)} hidden or system files and folders are skipped: {some(hidden)}"
        found.append(Issue("info", "hidden-files", text))
    if broken:
        text = f"{len(broken)} links lead nowhere: {some(broken)}. Restore their targets or remove them"
        found.append(Issue("warning", "broken-links", text))
    return found
