"""CVAT for images 1.1 as masks."""

from __future__ import annotations

from pathlib import Path

import pytest
from annotated import drawn, square, write
from written import codes, look

from shapeprof.errors import NothingMeasurable
from shapeprof.sources import find_masks


def polygon(flat: list[float] | str, label: str = "thing") -> str:
    if not isinstance(flat, str):
        flat = ";".join(f"{x},{y}" for x, y in zip(flat[::2], flat[1::2], strict=True))
    return f'<polygon label="{label}" source="manual" occluded="0" points="{flat}" z_order="0"></polygon>'


def cvat(**images: str) -> str:
    items = (
        f'<image id="{i}" name="{name}.jpg" width="30" height="20">{shapes}</image>'
        for i, (name, shapes) in enumerate(images.items())
    )
    return f'<?xml version="1.0"?>\n<annotations><version>1.1</version>{"".join(items)}</annotations>'


def test_one_document_for_many_images(tmp_path: Path) -> None:
    shapes = polygon(square(0, 0, 4), "dog") + polygon(square(6, 0, 3), "cat")
    write(tmp_path / "annotations.xml", cvat(a=shapes, b=""))
    folder, encoding = look(tmp_path)
    assert folder.files == ("a.jpg", "b.jpg")
    assert encoding.classes.names == ("background", "cat", "dog")
    labels, instances, issues = drawn(folder, encoding, "a.jpg")
    assert labels.shape == (20, 30) and [(labels == c).sum() for c in (1, 2)] == [9, 16]
    assert instances.max() == 2 and not issues
    assert not drawn(folder, encoding, "b.jpg")[0].any()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("", "no outline (1)"),
        ("1,2;3,4", "fewer than 3 points (1)"),
        ("1,2;3;4,5", "no numbers (1)"),
        ("a,b", "no numbers"),
    ],
)
def test_polygons_that_can_not_be_drawn_are_counted(tmp_path: Path, given: str, why: str) -> None:
    write(tmp_path / "annotations.xml", cvat(a=polygon(given) + polygon(square(0, 0, 4))))
    labels, _, issues = drawn(*look(tmp_path), "a.jpg")
    assert (labels == 1).sum() == 16
    assert codes(issues) == {"objects-not-drawn"} and why in issues[0].message


def test_other_shapes_are_counted(tmp_path: Path) -> None:
    others = (
        '<tag label="night"/><box label="thing" xtl="1" ytl="1" xbr="5" ybr="5"/><points label="thing" points="1,2"/>'
    )
    write(tmp_path / "annotations.xml", cvat(a=others + polygon(square(0, 0, 4))))
    labels, _, issues = drawn(*look(tmp_path), "a.jpg")
    assert (labels == 1).sum() == 16
    assert "only a box (1)" in issues[0].message and "no outline (1)" in issues[0].message


def test_names_that_repeat_are_told(tmp_path: Path) -> None:
    text = cvat(a=polygon(square(0, 0, 4)), b=polygon(square(0, 0, 4)))
    write(tmp_path / "annotations.xml", text.replace("b.jpg", "a.jpg"))
    folder, encoding = look(tmp_path)
    assert folder.files == ("a.jpg",)
    assert "annotations-left-out" in codes(folder.issues, encoding.issues)


def test_a_document_type_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.xml", cvat(a="").replace("<annotations>", "<!DOCTYPE x><annotations>", 1))
    with pytest.raises(NothingMeasurable, match="declares a document type"):
        find_masks(tmp_path)
