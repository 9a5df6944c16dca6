"""Every file below a folder, and the issues about files that are no masks."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from shapeprof.errors import InputError
from shapeprof.issues import Issue, Severity
from shapeprof.sources.class_files import NAME_FILES
from shapeprof.sources.formats.format import image_suffixes, titles
from shapeprof.sources.names.name import parsed
from shapeprof.wording import first_few

_ANNOTATIONS = frozenset({".json", ".xml", ".txt", ".geojson"})
_TABLES = frozenset({".csv", ".tsv", ".yaml", ".yml", ".md", ".toml", ".html", ".pdf"})
_SYSTEM = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})
_IMAGES_ONLY = frozenset({".jp2", ".ppm", ".avif", ".jfif"})  # images that may be no masks


class Listing(NamedTuple):
    """Everything below a folder: relative paths, sorted."""

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


def all_image_suffixes() -> frozenset[str]:
    """Suffixes of images that masks may be drawn on, in lower case."""
    return _IMAGES_ONLY | image_suffixes()


def may_be_image(path: str) -> bool:
    """Whether a file may be the image that a mask was drawn on, by its suffix."""
    suffix = parsed(path).suffix
    return suffix in _IMAGES_ONLY or suffix in image_suffixes()


def may_be_raster_mask(path: str) -> bool:
    """Whether a file is an image of a format that masks have, by its suffix."""
    return parsed(path).suffix in image_suffixes()


def _is_system(name: str) -> bool:
    return name.startswith(".") or name in _SYSTEM or name.endswith(".shapeprof")


def extensions(paths: Iterable[str]) -> str:
    """The most frequent suffixes of files, for a message: ``12 .txt, 3 .json``."""
    counts = Counter(parsed(path).suffix or "no extension" for path in paths)
    return ", ".join(f"{count} {suffix}" for suffix, count in counts.most_common(4))


def other_issues(others: list[str]) -> tuple[dict[str, str], list[Issue]]:
    """(issue code of each file, issues) about files that are no images."""
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
            f"are in no format that is read as a mask ({titles()}), or are arrays that neither a folder nor a word "
            "of their name calls masks",
            "If they hold masks, convert them, or put them into a folder 'masks'",
        ),
    }
    found: list[Issue] = []
    codes: dict[str, str] = {}
    for key, (severity, code, what, fix) in texts.items():
        codes |= dict.fromkeys(groups.get(key, ()), code)
        if paths := groups.get(key):
            message = f"files that {what}: {first_few(paths)} ({extensions(paths)})"
            found.append(Issue(severity, code, f"{message}. {fix}" if fix else message))
    return codes, found


def _kind_of_other(path: str) -> str:
    name, suffix = path.rpartition("/")[2].lower(), parsed(path).suffix
    if name in NAME_FILES:
        return "names"
    if suffix in _TABLES or name.startswith(("readme", "license", "licence", "notice", "changelog")):
        return "side"
    return "annotations" if suffix in _ANNOTATIONS else "unknown"


def skipped_issues(listing: Listing) -> list[Issue]:
    """Issues about hidden files, broken links and folders that can't be listed."""
    _, hidden, broken, closed = listing
    found = []
    if hidden:
        text = (
            f"{len(hidden)} hidden or system files and folders, or pipes and devices, are skipped: {first_few(hidden)}"
        )
        found.append(Issue("info", "hidden-files", text))
    if broken:
        text = f"{len(broken)} links lead nowhere: {first_few(broken)}. Restore their targets or remove them"
        found.append(Issue("warning", "broken-links", text))
    if closed:
        text = (
            f"{len(closed)} folders can't be listed and are not measured: {first_few(closed)}. Check their permissions"
        )
        found.append(Issue("error", "folders-not-read", text))
    return found
