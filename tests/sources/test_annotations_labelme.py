"""LabelMe documents as masks."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from annotated import drawn, labelme, pairs, photo, square, write
from written import codes, look

from shapeprof.errors import UnreadableMask
from shapeprof.sources import read_mask


def test_a_document_per_image(tmp_path: Path) -> None:
    for name in ("a", "b"):
        photo(tmp_path / "images" / f"{name}.png", 20, 30)
    shapes = [{"points": pairs(square(0, 0, 4)), "label": "dog"}, {"points": pairs(square(6, 0, 3)), "label": "cat"}]
    write(tmp_path / "json" / "a.json", labelme(shapes, "..\\images\\a.png"))
    write(tmp_path / "json" / "b.json", labelme([], "../images/b.png"))
    write(tmp_path / "json" / "c.json", labelme(shapes, "c.jpg"))
    folder, encoding = look(tmp_path)
    assert folder.files == ("images/a.png", "images/b.png", "json/c.jpg")
    assert encoding.classes.names == ("background", "cat", "dog")  # by name: the documents have no ids
    labels, instances, _ = drawn(folder, encoding, "images/a.png")
    assert [(labels == c).sum() for c in (1, 2)] == [9, 16] and instances.max() == 2
    assert not drawn(folder, encoding, "images/b.png")[0].any()


def mask(pixels: np.ndarray) -> str:
    return base64.b64encode(cv2.imencode(".png", pixels.astype(np.uint8))[1].tobytes()).decode()


@pytest.mark.parametrize(
    ("shape", "pixels"),
    [
        ({"points": [[2, 1], [6, 4]], "shape_type": "rectangle"}, 12),
        ({"points": [[6, 4], [2, 1]], "shape_type": "rectangle"}, 12),
        ({"points": [[2, 1], [6, 1], [6, 4], [2, 4]], "shape_type": "rectangle"}, 12),
        ({"points": [[10, 10], [13, 10]], "shape_type": "circle"}, 32),
        ({"points": [[3, 4], [6, 6]], "shape_type": "mask", "mask": mask(np.eye(3))}, 3),
        ({"points": pairs(square(0, 0, 4)), "shape_type": None}, 16),
    ],
)
def test_every_shape_with_an_area(tmp_path: Path, shape: dict[str, Any], pixels: int) -> None:
    write(tmp_path / "a.json", labelme([shape]))
    labels, _, issues = drawn(*look(tmp_path), "a.jpg")
    assert (labels == 1).sum() == pixels and not issues


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        ({"points": [[1, 1], [2, 2]], "shape_type": "line"}, "a point or a line (1)"),
        ({"points": [[1, 1]], "shape_type": "point"}, "a point or a line (1)"),
        ({"points": [[1, 1], [2, 2]]}, "fewer than 3 points (1)"),
        ({"points": []}, "no outline (1)"),
        ({"points": "x"}, "no outline (1)"),
        ({"points": [[1, 1], [2, 2], [3]]}, "coordinates that are no numbers (1)"),
        ({"points": [[1, 1], [2, None]], "shape_type": "circle"}, "coordinates that are no numbers (1)"),
        ({"points": [[1, 1], [5, 5]], "shape_type": "mask", "mask": "!"}, "a damaged bitmap (1)"),
        ({"points": [[1, 1], [5, 5]], "shape_type": "mask"}, "a damaged bitmap (1)"),
        ({"points": [[1, 1], [5, 5]], "shape_type": "cube"}, "no outline (1)"),
    ],
)
def test_shapes_that_can_not_be_drawn_are_counted(tmp_path: Path, shape: dict[str, Any], why: str) -> None:
    write(tmp_path / "a.json", labelme([shape, {"points": pairs(square(0, 0, 4))}]))
    labels, _, issues = drawn(*look(tmp_path), "a.jpg")
    assert (labels == 1).sum() == 16
    assert codes(issues) == {"objects-not-drawn"} and why in issues[0].message


def test_a_group_is_one_object(tmp_path: Path) -> None:
    parts = [{"points": pairs(square(x, 0, 4)), "group_id": 3} for x in (0, 10)]
    write(tmp_path / "a.json", labelme([*parts, {"points": pairs(square(20, 0, 4))}]))
    instances = drawn(*look(tmp_path), "a.jpg")[1]
    assert [(instances == i).sum() for i in (1, 2)] == [32, 16] and instances.max() == 2


def test_names_with_a_meaning(tmp_path: Path) -> None:
    shapes = [
        {"points": pairs(square(0, 0, 9)), "label": "thing"},
        {"points": pairs(square(2, 2, 2)), "label": "_background_"},
        {"points": pairs(square(12, 2, 3)), "label": "__ignore__"},
    ]
    write(tmp_path / "a.json", labelme(shapes))
    write(tmp_path / "labels.txt", "__ignore__\n_background_\nthing\nother\n")
    folder, encoding = look(tmp_path)
    assert encoding.classes.names == ("background", "thing")
    labels = drawn(folder, encoding, "a.jpg")[0]
    assert [(labels == v).sum() for v in (1, 255)] == [77, 9]


def test_a_damaged_document_is_a_mask_that_can_not_be_read(tmp_path: Path) -> None:
    write(tmp_path / "a.json", labelme([{"points": pairs(square(0, 0, 4))}]))
    write(tmp_path / "b.json", '{"shapes": [')
    folder, encoding = look(tmp_path)
    assert folder.files == ("a.jpg", "b.json")
    with pytest.raises(UnreadableMask, match=r"annotations in b\.json can't be read: it is no JSON"):
        read_mask(folder.root, "b.json", encoding)
