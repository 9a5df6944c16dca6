"""VIA documents as masks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from annotated import drawn, photo, via, write
from written import codes, look

POLYGON = {"name": "polygon", "all_points_x": [0, 4, 4, 0], "all_points_y": [0, 0, 4, 4]}


@pytest.mark.parametrize("form", ["plain", "project", "version 1"])
def test_all_forms_of_the_file(tmp_path: Path, form: str) -> None:
    document = via({"a.jpg": [(POLYGON, {"class": "cat"})], "b.jpg": []})
    if form == "version 1":
        for image in document.values():
            image["regions"] = {str(i): region for i, region in enumerate(image["regions"])}
    if form == "project":
        document = {"_via_settings": {}, "_via_img_metadata": document, "_via_attributes": {"region": {}}}
    write(tmp_path / "annotations" / "x.json", document)
    for name in ("a", "b"):
        photo(tmp_path / "images" / f"{name}.jpg", 20, 30)
    folder, encoding = look(tmp_path)
    assert folder.files == ("images/a.jpg", "images/b.jpg")
    assert encoding.classes.names == ("background", "cat")
    labels, _, issues = drawn(folder, encoding, "images/a.jpg")
    assert labels.shape == (20, 30) and (labels == 1).sum() == 16 and not issues
    assert not drawn(folder, encoding, "images/b.jpg")[0].any()


def single(tmp_path: Path, *regions: tuple[dict[str, Any], dict[str, Any]]) -> tuple[Any, ...]:
    """(encoding, labels, instances, findings) of one image of 20 x 30 pixels."""
    photo(tmp_path / "a.jpg", 20, 30)
    write(tmp_path / "x.json", via({"a.jpg": list(regions)}))
    folder, encoding = look(tmp_path)
    return encoding, *drawn(folder, encoding, "a.jpg")


@pytest.mark.parametrize(
    ("shape", "pixels"),
    [
        ({"name": "rect", "x": 2, "y": 1, "width": 4, "height": 3}, 12),
        ({"name": "circle", "cx": 10, "cy": 10, "r": 3}, 32),
        ({"name": "ellipse", "cx": 10, "cy": 10, "rx": 3, "ry": 3}, 32),
        ({"name": "ellipse", "cx": 10, "cy": 10, "rx": 0.9, "ry": 5, "theta": math.pi / 2}, 16),
    ],
)
def test_every_shape_with_an_area(tmp_path: Path, shape: dict[str, Any], pixels: int) -> None:
    _, labels, _, issues = single(tmp_path, (shape, {}))
    assert (labels == 1).sum() == pixels and not issues
    if "theta" in shape:
        assert (labels[9:11, 6:14] == 1).all()  # turned by a right angle: along the row


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        ({"name": "rect", "x": 2, "y": 1, "width": -4, "height": 3}, "a negative size (1)"),
        ({"name": "circle", "cx": 2, "cy": 1, "r": -4}, "a negative size (1)"),
        ({"name": "circle", "cx": 2, "cy": 1}, "coordinates that are no numbers (1)"),
        ({"name": "point", "cx": 2, "cy": 1}, "a point or a line (1)"),
        ({"name": "polyline", "all_points_x": [1], "all_points_y": [1]}, "a point or a line (1)"),
        ({"name": "polygon", "all_points_x": [1, 2, 3], "all_points_y": [1, 2]}, "no outline (1)"),
        ({"name": "polygon", "all_points_x": [1, 2], "all_points_y": [1, 2]}, "fewer than 3 points (1)"),
        ({}, "no outline (1)"),
    ],
)
def test_shapes_that_can_not_be_drawn_are_counted(tmp_path: Path, shape: dict[str, Any], why: str) -> None:
    _, labels, _, issues = single(tmp_path, (shape, {"class": "cat"}), (POLYGON, {"class": "cat"}))
    assert (labels == 1).sum() == 16
    assert codes(issues) == {"objects-not-drawn"} and why in issues[0].message


RECT = {"name": "rect", "x": 10, "y": 10, "width": 2, "height": 2}


@pytest.mark.parametrize(
    ("first", "second", "names", "values", "code"),
    [
        ({}, {}, ("background", "object"), {1}, set()),
        ({"kind": "cat"}, {}, ("background", "cat"), {1}, {"objects-without-class"}),
        ({"kind": "background"}, {}, ("background",), {0}, {"objects-without-class", "background-category"}),
        ({"kind": "dog"}, {"kind": "cat"}, ("background", "cat", "dog"), {1, 2}, set()),
        ({"kind": {"dog": True, "cat": False}}, {"kind": "cat"}, ("background", "cat", "dog"), {1, 2}, set()),
        ({"note": "x", "type": "b"}, {"type": "a", "note": "x"}, ("background", "a", "b"), {1, 2}, set()),
        ({"kind": "dog", "id": 1}, {"kind": "cat"}, ("background", "cat", "dog"), {1, 2}, set()),
    ],
)
def test_which_attribute_is_the_class(
    tmp_path: Path,
    first: dict[str, Any],
    second: dict[str, Any],
    names: tuple[str, ...],
    values: set[int],
    code: set[str],
) -> None:
    encoding, labels, _, _ = single(tmp_path, (POLYGON, first), (RECT, second))
    assert encoding.classes.names == names
    assert {int(labels[0, 0]), int(labels[10, 10])} == values
    assert codes(encoding.issues) == code


def test_objects_without_a_class_among_several_are_one_of_their_own(tmp_path: Path) -> None:
    other = {**RECT, "x": 20}
    encoding, labels, _, _ = single(tmp_path, (POLYGON, {"k": "a"}), (RECT, {"k": "b"}), (other, {}))
    assert encoding.classes.names == ("background", "a", "b", "object")
    assert [int(labels[0, 0]), int(labels[10, 10]), int(labels[10, 20])] == [1, 2, 3]
    assert codes(encoding.issues) == {"objects-without-class"}
