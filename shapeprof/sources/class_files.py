"""Class names from the user, or from a file beside the masks."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from shapeprof.errors import InputError
from shapeprof.issues import Issue
from shapeprof.wording import first_few

from .maskset import MaskFolder

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
_LEVELS_ABOVE = 2  # dataset/train/masks finds dataset/classes.txt
_HEX = re.compile(r"#?([0-9a-fA-F]{6})")
_BOM = "utf-8-sig"


@dataclass(frozen=True)
class ClassNames:
    """Names by raw value or by colour, or (``ordered``) by position."""

    source: str  # where they come from, for messages
    ordered: tuple[str, ...] = ()
    by_value: dict[int, str] = field(default_factory=dict)
    by_colour: dict[int, str] = field(default_factory=dict)  # 0xRRGGBB


def read_class_file(path: Path) -> ClassNames:
    """The names in a csv, txt, json or yaml file; raise InputError when it holds none."""
    try:
        text = path.read_text(encoding=_BOM)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: class names can't be read: {error}") from error
    try:
        names = _parse(text, path)
    except IndexError:
        raise InputError(
            f"{path}: class names can't be read: a row has fewer cells than the first. {_EXPECTED}"
        ) from None
    except RecursionError:
        raise InputError(f"{path}: class names can't be read: it is nested too deeply. {_EXPECTED}") from None
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise InputError(f"{path}: class names can't be read: {error}. {_EXPECTED}") from error
    if not (names.ordered or names.by_value or names.by_colour):
        raise InputError(f"{path}: no class names in it. {_EXPECTED}")
    return names


_EXPECTED = (
    "Expected one name a line, a CSV with columns 'Pixel Value, Class' or 'name, r, g, b', or JSON/YAML "
    'like ["background", "road"] or {"0": "background"}'
)


def names_beside(folder: MaskFolder) -> tuple[ClassNames | None, list[Issue]]:
    """Class names from a file in or above the folder, and a warning where other such files differ.

    Raises:
        InputError: there is no class name in the file.
    """
    path, others = _class_file(folder)
    if path is None:
        return None, []
    issues = []
    if others:
        text = (
            f"class names are read from {path}; {len(others)} files of that name differ: {first_few(map(str, others))}"
        )
        issues.append(Issue("warning", "class-files-differ", text))
    return replace(read_class_file(path), source=os.path.relpath(path, folder.root)), issues


def _class_file(folder: MaskFolder) -> tuple[Path | None, list[Path]]:
    """(the first file that names classes or None, files of the same name with other content)."""
    places = sorted({PurePosixPath(path).parent.as_posix() for path in folder.files})[:64]
    # Every folder between the masks and the root may hold the file: root/train, root, and two above.
    inside = {folder.root / part for place in places for part in _ancestry(place)}
    above = list(folder.root.resolve().parents)[:_LEVELS_ABOVE]
    for group in (sorted(inside), *([place] for place in above)):
        for name in NAME_FILES:
            found = [place / name for place in group if (place / name).is_file()]
            if found:
                first = found[0].read_bytes()
                return found[0], [path for path in found[1:] if path.read_bytes() != first]
    return None, []


def _ancestry(place: str) -> list[str]:
    path = PurePosixPath(place)
    return [path.as_posix(), *(parent.as_posix() for parent in path.parents)]


def _parse(text: str, path: Path) -> ClassNames:
    suffix, source = path.suffix.lower(), path.name
    if suffix == ".json":
        return _from_data(json.loads(text), source)
    if suffix in (".yaml", ".yml"):
        import yaml

        try:
            return _from_data(yaml.safe_load(text), source)
        except yaml.YAMLError as error:
            raise ValueError(str(error)) from error
    if suffix == ".csv":
        return _from_csv(text, source)
    return _from_lines(text, source)


def _from_data(data: Any, source: str) -> ClassNames:
    """Names from JSON or YAML in the common forms."""
    if isinstance(data, dict):
        for key in ("classes", "names", "labels", "categories"):
            if isinstance(data.get(key), list | dict):
                return _from_data(data[key], source)
        if all(str(key).lstrip("-").isdigit() for key in data):
            return ClassNames(source, by_value={int(key): str(name) for key, name in data.items()})
        if all(isinstance(value, int) for value in data.values()):
            return ClassNames(source, by_value={int(value): str(name) for name, value in data.items()})
        raise ValueError(f"unknown form with the keys {list(data)[:4]}")
    if not isinstance(data, list):
        raise ValueError(f"expected a list or an object, found {type(data).__name__}")
    if all(isinstance(item, str) for item in data):
        return ClassNames(source, ordered=tuple(data))
    return _from_records([dict(item) for item in data], source)


def _from_records(records: list[dict[str, Any]], source: str) -> ClassNames:
    """Names from a list of objects with a name and perhaps an id and a colour."""
    names = [str(_first(record, "name", "title", "class", "label")) for record in records]
    colours = [_first(record, "color", "colour", "rgb", optional=True) for record in records]
    ids = [_first(record, "id", "value", "pixel value", "index", optional=True) for record in records]
    packed = [None if colour is None else _packed(colour) for colour in colours]
    by_colour = {c: name for c, name in zip(packed, names, strict=True) if c is not None}
    by_value = {int(i): name for i, name in zip(ids, names, strict=True) if i is not None}
    return ClassNames(source, () if by_value or by_colour else tuple(names), by_value, by_colour)


def _first(record: dict[str, Any], *keys: str, optional: bool = False) -> Any:
    for key in keys:
        if record.get(key) is not None:
            return record[key]
    if optional:
        return None
    raise ValueError(f"an entry without '{keys[0]}': {record}")


def _packed(colour: Any) -> int | None:
    """0xRRGGBB of "#RRGGBB", "r,g,b" or [r, g, b]; None for anything else. Raises ValueError for channels over 255."""
    if isinstance(colour, str):
        if match := _HEX.fullmatch(colour.strip()):
            return int(match[1], 16)
        colour = re.split(r"[,; ]+", colour.strip("()[] "))
    try:
        red, green, blue = (int(part) for part in colour)
    except (TypeError, ValueError, OverflowError):
        return None
    if not all(0 <= channel <= 255 for channel in (red, green, blue)):
        raise ValueError(f"the colour {red}, {green}, {blue} has a channel outside of 0 to 255")
    return red << 16 | green << 8 | blue


def _from_csv(text: str, source: str) -> ClassNames:
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text)) if any(row)]
    if not rows:
        return ClassNames(source)
    head = [cell.lower() for cell in rows[0]]
    if {"r", "g", "b"} <= set(head) and "name" in head:
        at = [head.index(key) for key in ("name", "r", "g", "b")]
        colours = {_packed([row[i] for i in at[1:]]): row[at[0]] for row in rows[1:]}
        return ClassNames(source, by_colour={c: name for c, name in colours.items() if c is not None})
    body = rows if rows[0][0].isdigit() or len(rows[0]) == 1 else rows[1:]
    if len(rows[0]) == 1:
        return ClassNames(source, ordered=tuple(row[0] for row in body))
    number = 0 if all(row[0].isdigit() for row in body) else 1
    return ClassNames(source, by_value={int(row[number]): row[1 - number] for row in body})


def _from_lines(text: str, source: str) -> ClassNames:
    """One name a line; ``0: road``, ``0 road`` and CVAT's ``road:128,64,128::`` are understood."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if lines and all(re.match(r"[^:]+:\d+,\d+,\d+:", line) for line in lines):
        pairs = [line.split(":")[:2] for line in lines]
        return ClassNames(source, by_colour={_packed(colour) or 0: name for name, colour in pairs})
    numbered = [re.fullmatch(r"(\d+)\s*[:,=\t ]\s*(\D.*)", line) for line in lines]
    if lines and all(numbered):
        return ClassNames(source, by_value={int(m[1]): m[2] for m in numbered if m})
    return ClassNames(source, ordered=tuple(lines))
