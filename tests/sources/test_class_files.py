"""Files that name classes, in every form that is understood."""

from __future__ import annotations

from pathlib import Path

import pytest

from shapeprof.errors import InputError
from shapeprof.sources import MaskFolder
from shapeprof.sources.class_files import ClassNames, names_beside, read_class_file

ROAD = 128 << 16 | 64 << 8 | 128


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.txt", "background\nroad\n\n# a note\ncar\n", {"ordered": ("background", "road", "car")}),
        ("a.txt", "\ufeffbackground\r\nroad", {"ordered": ("background", "road")}),
        ("a.txt", "0: background\n7: road", {"by_value": {0: "background", 7: "road"}}),
        ("a.txt", "0 background\n7\troad", {"by_value": {0: "background", 7: "road"}}),
        ("a.txt", "back:0,0,0::\nroad:128,64,128::", {"by_colour": {0: "back", ROAD: "road"}}),
        ("a.csv", "name,r,g,b\nback,0,0,0\nroad,128,64,128", {"by_colour": {0: "back", ROAD: "road"}}),
        ("a.csv", "Pixel Value, Class\n0, background\n3, road", {"by_value": {0: "background", 3: "road"}}),
        ("a.csv", "class,id\nbackground,0\nroad,3", {"by_value": {0: "background", 3: "road"}}),
        ("a.csv", "background\nroad", {"ordered": ("background", "road")}),
        ("a.json", '["background", "road"]', {"ordered": ("background", "road")}),
        ("a.json", '{"0": "background", "-1": "void"}', {"by_value": {0: "background", -1: "void"}}),
        ("a.json", '{"background": 0, "road": 3}', {"by_value": {0: "background", 3: "road"}}),
        ("a.json", '{"classes": [{"title": "road", "color": "#804080"}]}', {"by_colour": {ROAD: "road"}}),
        ("a.json", '[{"name": "road", "id": 3, "color": [128, 64, 128]}]', None),
        ("a.json", '[{"label": "road"}, {"label": "car"}]', {"ordered": ("road", "car")}),
        ("a.yaml", "names:\n  0: background\n  1: road\n", {"by_value": {0: "background", 1: "road"}}),
        ("data.yml", "nc: 2\nnames: [background, road]\n", {"ordered": ("background", "road")}),
    ],
)
def test_every_form(tmp_path: Path, name: str, text: str, expected: dict[str, object] | None) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    if expected is None:  # an object with all three
        expected = {"by_value": {3: "road"}, "by_colour": {ROAD: "road"}}
    assert read_class_file(path) == ClassNames(name, **expected)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.txt", "", "no class names in it"),
        ("a.json", "{", "can't be read"),
        ("a.json", "3", "expected a list or an object, found int"),
        ("a.json", '{"a": "b"}', "unknown form with the keys"),
        ("a.json", '[{"color": "#804080"}]', "an entry without 'name'"),
        ("a.yaml", "a: [", "can't be read"),
        ("a.csv", "class,id\nroad,x", "can't be read"),
    ],
)
def test_what_can_not_be_read_names_the_file_and_what_is_expected(
    tmp_path: Path, name: str, text: str, why: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as refused:
        read_class_file(tmp_path / name)
    assert why in str(refused.value) and str(tmp_path / name) in str(refused.value)
    assert "Expected one name a line" in str(refused.value)


def test_a_file_beside_the_masks_goes_before_one_above_them(tmp_path: Path) -> None:
    root = tmp_path / "set" / "masks"
    (root / "train").mkdir(parents=True)
    folder = MaskFolder(root, ("train/a.png",))
    assert names_beside(folder) == (None, [])
    (tmp_path / "classes.txt").write_text("far\n")
    found, issues = names_beside(folder)
    assert found is not None and (found.source, found.ordered, issues) == ("../../classes.txt", ("far",), [])
    (root / "train" / "labels.txt").write_text("near\n")
    found, _ = names_beside(folder)
    assert found is not None and (found.source, found.ordered) == ("train/labels.txt", ("near",))


def test_files_that_differ_are_named(tmp_path: Path) -> None:
    for name, text in (("a", "x\n"), ("b", "y\n"), ("c", "x\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "classes.txt").write_text(text)
    found, issues = names_beside(MaskFolder(tmp_path, ("a/1.png", "b/1.png", "c/1.png")))
    assert found is not None and found.ordered == ("x",)
    assert [issue.code for issue in issues] == ["class-files-differ"]
    assert "1 files of that name differ" in issues[0].message and str(tmp_path / "b") in issues[0].message
