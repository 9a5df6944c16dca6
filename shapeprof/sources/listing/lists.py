"""A text file that lists the masks, one path a line, in place of their folder."""

from __future__ import annotations

import os
from pathlib import Path

from shapeprof.errors import InputError, NothingMeasurable
from shapeprof.issues import Issue
from shapeprof.sources.maskset import MaskFolder
from shapeprof.wording import first_few

LIST_SUFFIXES = frozenset({".txt", ".lst", ".list"})


def is_list(path: Path) -> bool:
    """Whether ``path`` is a file that may list masks."""
    return path.suffix.lower() in LIST_SUFFIXES and path.is_file()


def listed_masks(path: Path) -> MaskFolder:
    """The masks that a text file lists.

    A line is a path, absolute or relative to the list's folder; of two columns (image, mask) the
    last is taken. Empty lines and lines that begin with ``#`` are skipped. A path that is not there stays
    among the masks, so that it is counted when it can't be read.

    Raises:
        InputError: the file can't be read, or none of its lines is the path of a file. NothingMeasurable: it is empty.
    """
    try:
        text = path.read_bytes().removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    except OSError as error:
        raise InputError(f"{path}: the list can't be read ({error.strerror}); check the file") from None
    if "\0" in text:
        raise InputError(f"{path}: this is no text; expected one path of a mask a line")
    lines = [line.strip() for line in text.split("\n")]
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise NothingMeasurable(f"{path}: the list is empty; expected one path of a mask a line")
    base = path.parent.resolve()
    found = [_entry(base, line) for line in lines]
    if not any(_is_file(entry) for entry in found):
        raise InputError(
            f"{path}: none of its {len(lines)} lines is the path of a file (the first: {lines[0]}); expected one "
            f"path of a mask a line, absolute or relative to {base}"
        )
    root = Path(os.path.commonpath([base, *(os.path.dirname(entry) for entry in found)]))  # noqa: PTH120
    names = [Path(os.path.relpath(entry, root)).as_posix() for entry in found]
    files = tuple(sorted(set(names)))
    present = tuple(name for name in files if _is_file(str(root / name)))
    return MaskFolder(root, files, tuple(_issues(path, names, files, present)), stored=present)


def _issues(path: Path, names: list[str], files: tuple[str, ...], present: tuple[str, ...]) -> list[Issue]:
    issues = [Issue("info", "listed", f"the masks are the {len(files)} files that {path.name} lists")]
    if len(names) > len(files):
        twice = sorted({name for name in names if names.count(name) > 1}) if len(names) < 10_000 else []
        text = f"{len(names) - len(files)} lines repeat a path and count once: {first_few(twice) or 'not shown'}"
        issues.append(Issue("warning", "listed-twice", text))
    if len(present) < len(files):
        gone = sorted(set(files) - set(present))
        text = (
            f"{len(gone)} of {len(files)} listed masks are not there: {first_few(gone)}. They count as unreadable; "
            "correct the list, or restore them"
        )
        issues.append(Issue("warning", "listed-but-missing", text))
    return issues


def _entry(base: Path, line: str) -> str:
    """The absolute path that a line stands for."""
    for text in (line, line.replace("\\", "/"), line.split()[-1]):
        path = os.path.normpath(base / text)
        if _is_file(path):
            return path
    return os.path.normpath(base / line)


def _is_file(path: str) -> bool:
    """Whether a file exists; False also for names that no file system accepts, such as one of 4,000 characters."""
    try:
        return os.path.isfile(path)  # noqa: PTH113
    except (OSError, ValueError):
        return False
