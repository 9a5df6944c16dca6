"""What files are read as, explained without measuring them; and names that try to do harm."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from rich.console import Console
from written import blocks, colours, save

from shapeprof.errors import InputError, UsageError
from shapeprof.report.input import input_to_json, render_input
from shapeprof.sources import ReadOptions
from shapeprof.sources.explain import InputReport, explain_input

HOSTILE = (
    "[bold red]x[bold].png",
    "[[y]].png",
    "new\nline.png",
    "bell\x07 and \x1b[31mred.png",
    "..png",
    "a..b.png",
    "n" * 200 + ".png",
    " spaces  .png",
    "\u202egnp.exe.png",
    os.fsdecode(b"caf\xe9.png"),
)


def printed(report: InputReport, width: int = 100) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width, markup=False, emoji=False, highlight=False)
    console.print(render_input(report))
    return stream.getvalue()


def test_masks_images_and_what_is_left_alone(tmp_path: Path) -> None:
    for i in range(25):
        save(tmp_path / f"{i:02}.jpg", blocks(90, 80, 70))
        save(tmp_path / f"{i:02}_mask.png", blocks(0, 1, 2, 255))
    (tmp_path / "notes.md").write_text("x")
    report = explain_input(tmp_path)
    assert len(report.folder.files) == 25
    assert len(report.readings) == 20
    first = report.readings[0]
    assert (first.name, first.storage, first.size) == ("00_mask.png", "PNG, 8 bits, grey", (24, 24))
    assert first.values == (0, 1, 2, 255)
    assert dict(first.pixels) == {"background": 144, "class 1": 144, "class 2": 144}
    assert first.ignored == 144
    text = " ".join(printed(report).split())
    for part in ("25 masks", "25 images", "1 other file left alone", "class ids as grey values", "and 5 more", "255"):
        assert part in text
    data = json.loads(input_to_json(explain_input(tmp_path, limit=None)))
    assert len(data["files"]) == 25
    assert data["left_alone_by_reason"] == {"images-among-masks": 25, "side-files": 1}
    assert data["encoding"]["kind"] == "index"
    assert data["problem"] is None


def test_a_file_that_can_not_be_read_says_why(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 255))
    (tmp_path / "b.png").write_bytes(b"")
    save(tmp_path / "c.png", colours(blocks(0, 1), [(0, 0, 0), (9, 80, 200)]))
    report = explain_input(tmp_path, ReadOptions(classes=("nothing", "cell")))
    assert [[i.code for i in r.issues] for r in report.readings][1] == ["empty-file"]
    assert "not readable: empty-file" in printed(report)


def test_a_set_that_can_not_be_detected_is_shown_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no png")
    report = explain_input(tmp_path)
    assert report.encoding is None
    assert "none of the 1 files tried can be read" in " ".join(printed(report).split())
    assert json.loads(input_to_json(report))["problem"]


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        explain_input(tmp_path / "gone")


def test_hostile_names_print_harmlessly_and_stay_intact(tmp_path: Path) -> None:
    for name in HOSTILE:
        save(tmp_path / "x.png", blocks(0, 1)).rename(os.path.join(tmp_path, name))  # noqa: PTH118
    report = explain_input(tmp_path)
    assert set(report.folder.files) == set(HOSTILE) - {"..png"}
    text = printed(report, 4000)
    assert "\x1b" not in text and "\x07" not in text and "\u202e" not in text
    assert (
        "[bold red]x[bold].png" in text
        and "new\\nline.png" in text
        and "caf\\xe9.png" in text.replace("\\udce9", "\\xe9")
    )
    assert text.count("\n") < 40
    data = json.loads(input_to_json(report))
    assert {entry["name"] for entry in data["files"]} == set(report.folder.files)


def test_classes_left_out_and_taken_together_are_shown_as_they_are_measured(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 1, 2, 3))
    names = ("background", "road", "car", "truck")
    asked = ReadOptions(classes=names, exclude=("road",), merge=("car,truck=vehicle",))
    report = explain_input(tmp_path, asked)
    assert dict(report.readings[0].pixels) == {"background": 288, "vehicle": 288}
    assert "the class 'road' is left out, as asked" in " ".join(printed(report).split())
    with pytest.raises(UsageError, match="no class of this name"):
        explain_input(tmp_path, ReadOptions(exclude=("lorry",)))
