"""Damaged documents: a finding or an error of ours, never a traceback.

SHAPEPROF_FUZZ=5000 mutates that many documents of each format; SHAPEPROF_FUZZ_SEED=x mutates others.
"""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from annotated import coco, labelme, pairs, photo, square, via

from shapeprof.errors import ShapeprofError, UnreadableMask
from shapeprof.sources import ReadOptions, detect, find_masks, read_mask, read_runs

ROUNDS = int(os.environ.get("SHAPEPROF_FUZZ", "150"))
ODD: list[Any] = [
    None, True, False, 0, -1, 1, 2, 1.5, -1e9, 1e300, 10**400, float("nan"), float("inf"), "", "x", "1", "-0", "\0",
    "\ud800", "../../x", "C:\\x", "a" * 5000, [], [[]], [None], {}, {"": 0}, [1, 2], [[1, 2, 3, 4, 5, 6]], "ooooo0",
]  # fmt: skip
SIZES = (12, 16)

Z = square(1, 1, 6)
DOCUMENTS: dict[str, Any] = {
    "coco": coco(
        [
            {"segmentation": [Z, square(8, 2, 3)], "bbox": [1, 1, 6, 6]},
            {"segmentation": {"size": [12, 16], "counts": [20, 5, 167]}, "iscrowd": 1},
            {"segmentation": {"size": [12, 16], "counts": "d05W5"}, "category_id": 4},
        ],
        images=[(1, "a.png"), (2, "sub/b.png")],
        categories=[(1, "thing"), (4, "other")],
        size=SIZES,
    ),
    "labelme": labelme(
        [
            {"points": pairs(Z)},
            {"points": pairs(Z), "group_id": 1, "label": "other"},
            {"points": [[1, 1], [4, 4]], "shape_type": "circle"},
            {"points": [[1, 1], [4, 4]], "shape_type": "rectangle"},
            {"points": [[1, 1], [4, 4]], "shape_type": "mask", "mask": "iVBORw0KGgo="},
        ],
        "a.png",
        SIZES,
    ),
    "via": via(
        {
            "a.png": [
                ({"name": "polygon", "all_points_x": Z[::2], "all_points_y": Z[1::2]}, {"class": "a"}),
                ({"name": "rect", "x": 1, "y": 2, "width": 3, "height": 4}, {"class": {"b": True}}),
                ({"name": "ellipse", "cx": 5, "cy": 5, "rx": 3, "ry": 2, "theta": 0.5}, {}),
                ({"name": "circle", "cx": 5, "cy": 5, "r": 3}, {"class": "c", "note": "x"}),
            ],
            "b.png": [],
        }
    ),
}
LABELS = "0 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5\n3 0.2 0.2 0.9 0.2 0.9 0.9\n1 0.5 0.5 0.2 0.2\n"
VOC = (
    "<annotation><filename>a.png</filename><size><width>16</width><height>12</height></size><object><name>a</name>"
    "<polygon><x1>1</x1><y1>1</y1><x2>7</x2><y2>1</y2><x3>7</x3><y3>7</y3></polygon></object><object><name>b</name>"
    "<bndbox><xmin>1</xmin></bndbox><polygon><pt><x>1</x><y>1</y></pt></polygon></object></annotation>"
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, part in list(items) for place in ((value, key), *places(part))]


def mutated(document: Any, rng: random.Random) -> bytes:
    """One to three values replaced, dropped or doubled; or bytes changed, cut out or cut off."""
    document = copy.deepcopy(document)
    if isinstance(document, str) or rng.random() < 0.3:
        data = bytearray((document if isinstance(document, str) else json.dumps(document)).encode())
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(max(1, len(data)))
            kind = rng.randrange(4)
            if kind == 0:
                del data[at : at + rng.randint(1, 9)]
            elif kind == 1:
                data[at:at] = bytes(rng.choice(b'0123456789-.eE,[]{}" \n\xff\x00') for _ in range(rng.randint(1, 5)))
            elif kind == 2 and data:
                data[at % len(data)] = rng.randrange(256)
            elif rng.random() < 0.2:
                del data[at:]
        return bytes(data)
    for _ in range(rng.randint(1, 3)):
        container, key = rng.choice(places(document) or [({}, "")])
        kind = rng.randrange(6)
        try:
            if kind == 0:
                del container[key]
            elif kind == 1 and isinstance(container, list):
                container.append(copy.deepcopy(container[key]))
            elif kind == 2:
                other, name = rng.choice(places(document))
                container[key] = copy.deepcopy(other[name])
            else:
                container[key] = copy.deepcopy(rng.choice(ODD))
        except (KeyError, IndexError):  # gone with an earlier change
            continue
    return json.dumps(document).encode()


def outcome(root: Path) -> str:
    """What became of a folder: read, refused, or some of it unreadable."""
    try:
        folder = find_masks(root)
        assert folder.annotations is not None or not folder.files or folder.files == ("a.png", "b.png")
        if folder.annotations is None:
            return "no annotations"
        encoding = detect(folder, ReadOptions())
    except ShapeprofError as error:
        assert str(error)
        return type(error).__name__
    result = "read"
    for name in folder.files:
        assert not name.startswith("/") and ".." not in name.split("/")
        name.encode()
        try:
            found, issues = read_mask(folder.root, name, encoding)
            read_runs(folder.root, name, encoding)
        except UnreadableMask:
            result = "unreadable"
            continue
        assert set(map(int, found.labels.ravel())) <= {*range(len(encoding.classes.names)), 255}
        assert all(issue.message and issue.severity != "error" for issue in issues)
    return result


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "document", "file"),
    [
        ("coco", DOCUMENTS["coco"], "x.json"),
        ("labelme", DOCUMENTS["labelme"], "a.json"),
        ("via", DOCUMENTS["via"], "x.json"),
        ("voc", VOC, "a.xml"),
        ("yolo", LABELS, "a.txt"),
    ],
)
def test_damaged_documents(tmp_path: Path, name: str, document: Any, file: str) -> None:
    rng = random.Random(name + os.environ.get("SHAPEPROF_FUZZ_SEED", ""))
    for image in ("a.png", "b.png"):
        photo(tmp_path / image, *SIZES)
    write: Callable[[bytes], object] = (tmp_path / file).write_bytes
    write(document.encode() if isinstance(document, str) else json.dumps(document).encode())
    assert outcome(tmp_path) == "read"
    seen: dict[str, int] = {}
    for number in range(ROUNDS):
        write(mutated(document, rng))
        os.utime(tmp_path / file, ns=(number, number))  # the clock of the disk may stand still meanwhile
        result = outcome(tmp_path)
        seen[result] = seen.get(result, 0) + 1
    least = ROUNDS // (50 if name == "voc" else 5)  # almost any changed byte spoils XML
    assert sum(seen.values()) == ROUNDS and seen["read"] > least, seen
