"""What ``scan --explain-input`` shows, from reports that are made by hand: no file is read."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from shapeprof.errors import NothingMeasurable
from shapeprof.issues import Issue
from shapeprof.labelmap import ClassTable
from shapeprof.report.input import input_to_json, render_input
from shapeprof.sources import Encoding, MaskFolder
from shapeprof.sources.explain import InputReport, Reading

ENCODING = Encoding("index", ((0, 0), (1, 1)), ClassTable(("background", "cell")), reasons=("values are 0 and 1",))
PLAIN = Reading("a.png", "PNG, 8 bits, grey", (30, 40), (0, 1), 2, (("background", 900), ("cell", 300)))
TEXTS = st.text(st.characters(codec=None), min_size=1, max_size=40)


def report(*readings: Reading, **more: Any) -> InputReport:
    """A report of some masks; ``more``: fields of the report or of its folder."""
    folder = {
        "files": tuple(r.name for r in readings),
        "issues": (),
        "others": (),
        "skipped": 0,
        "stored": (),
        "why": (),
    }
    folder |= {k: more.pop(k) for k in list(more) if k in folder}
    made = MaskFolder(Path("masks"), **folder)
    return replace(InputReport(Path("masks"), made, ENCODING, None, readings), **more)


def lines(of: InputReport, width: int = 200) -> list[str]:
    stream = io.StringIO()
    console = Console(file=stream, width=width, markup=False, emoji=False, highlight=False)
    console.print(render_input(of))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def cells(reading: Reading) -> list[str]:
    """The cells of the row of one mask."""
    row = lines(report(reading))[-1 - len(reading.issues)]
    return [cell.strip() for cell in row.split("  ") if cell.strip()]


# The head ---------------------------------------------------------------------------------------


def test_a_plain_report_line_by_line() -> None:
    text = lines(report(PLAIN))
    assert text[:4] == [
        "1 mask in masks; 0 images; 0 other files left alone.", "", "Read as: class ids as grey values.",
        "  values are 0 and 1",
    ]  # fmt: skip
    assert text[5].split() == ["mask", "stored", "as", "size", "values", "read", "as"]
    assert text[6].split("  ")[0] == "a.png" and len(text) == 7
    assert cells(PLAIN) == ["a.png", "PNG, 8 bits, grey", "40x30", "0, 1", "background 75 %, cell 25 %"]


@pytest.mark.parametrize(
    "more, head",
    [
        ({"why": ("images-among-masks", "side-files"), "others": ("a.jpg", "b.md"), "skipped": 2},
         "1 mask in masks; 1 image; 1 other file left alone."),
        ({"why": ("images-among-masks",) * 3, "others": ("a", "b", "c"), "skipped": 5},
         "1 mask in masks; 3 images; 2 other files left alone."),
        ({"stored": ("x.json", "y.json")}, "1 mask in masks, kept in 2 files; 0 images; 0 other files left alone."),
        ({"files": tuple(f"{i:04}" for i in range(1234))}, "1,234 masks in masks; 0 images; 0 other files left alone."),
    ],
)  # fmt: skip
def test_what_lies_in_the_folder_is_counted(more: dict[str, Any], head: str) -> None:
    assert lines(report(PLAIN, **more))[0] == head


def test_masks_without_a_row_are_counted() -> None:
    whole = report(PLAIN, replace(PLAIN, name="b.png"))
    assert "more; --json" not in "\n".join(lines(whole))
    part = report(PLAIN, files=("a.png", *(f"{i}" for i in range(1500))))
    assert lines(part)[-1] == "... and 1,500 more; --json lists all."


@pytest.mark.parametrize(
    "encoding, text",
    [
        (Encoding("binary", ((0, 0), (255, 1)), ClassTable(("b", "o"))), "two values, object or not."),
        (replace(ENCODING, kind="palette"), "class ids with a palette."),
        (replace(ENCODING, kind="instance", instances=True), "instance ids, each object of its own."),
    ],
)
def test_how_masks_are_read_is_said_in_words(encoding: Encoding, text: str) -> None:
    assert f"Read as: {text}" in lines(report(PLAIN, encoding=encoding))


def test_a_problem_stands_where_the_reading_would() -> None:
    failed = report(replace(PLAIN, pixels=()), encoding=None, problem=NothingMeasurable("no file can be \x1bread"))
    text = lines(failed)
    assert text[2] == r"!! no file can be \x1bread" and not any(line.startswith("Read as") for line in text)
    assert json.loads(input_to_json(failed))["encoding"] is None


def test_findings_of_folder_encoding_and_masks_have_their_marks_and_files() -> None:
    encoding = replace(ENCODING, issues=(Issue("warning", "b", "the encoding"),))
    bad = replace(PLAIN, pixels=(), issues=(Issue("error", "empty-file", "it holds nothing", "a.png"),))
    text = lines(report(bad, issues=(Issue("info", "a", "the folder"),), encoding=encoding))
    assert text[1] == " · the folder" and " ! the encoding" in text and text[-1] == "!! a.png: it holds nothing"


# The rows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values, distinct, shown",
    [
        ((), 0, "-"),
        ((7,), 1, "7"),
        ((0, 1, 2, 3, 4, 5), 6, "0, 1, 2, 3, 4, 5"),
        (tuple(range(7)), 7, "0, 1, 2, 3, 4, 5 ... 7 values"),
        (tuple(range(9)), 65536, "0, 1, 2, 3, 4, 5 ... 65,536 values"),
        (("#000000", "#FF00FF"), 2, "#000000, #FF00FF"),
    ],
)
def test_values(values: tuple[int | str, ...], distinct: int, shown: str) -> None:
    assert cells(replace(PLAIN, values=values, distinct=distinct))[3] == shown


ERROR = Issue("error", "empty-file", "x", "a.png")


@pytest.mark.parametrize(
    "changes, shown",
    [
        ({"pixels": (("cell", 5),)}, "cell 100 %"),
        ({"pixels": (("background", 1), ("cell", 999))}, "cell >99 %, background <1 %"),
        ({"pixels": (("a", 1), ("b", 1))}, "a 50 %, b 50 %"),
        ({"pixels": tuple((c, 10) for c in "abcd")}, "a 25 %, b 25 %, c 25 %, d 25 %"),
        ({"pixels": tuple((c, 10) for c in "abcdef")}, "a 17 %, b 17 %, c 17 %, d 17 %, 2 more"),
        ({"pixels": (("cell", 60),), "ignored": 40}, "cell 60 %, ignored 40 %"),
        ({"pixels": (), "ignored": 40}, "ignored 100 %"),
        ({"pixels": (("cell", 1),), "objects": 0}, "cell 100 %, 0 objects"),
        ({"pixels": (("cell", 1),), "objects": 1}, "cell 100 %, 1 object"),
        ({"pixels": (("cell", 1),), "objects": 1200}, "cell 100 %, 1,200 objects"),
        ({"pixels": ()}, "-"),
        ({"pixels": (), "issues": (ERROR,)}, "not readable: empty-file"),
        ({"pixels": (), "issues": (ERROR, replace(ERROR, code="b"))}, "not readable: empty-file, b"),
        ({"pixels": (), "issues": (replace(ERROR, severity="warning"),)}, "-"),
        ({"pixels": (), "issues": (replace(ERROR, path="a.png/1.png"),)}, "-"),
    ],
)
def test_read_as(changes: dict[str, Any], shown: str) -> None:
    assert cells(replace(PLAIN, **changes))[4] == shown


def test_a_mask_that_nothing_is_known_of_has_dashes() -> None:
    assert cells(Reading("a.png", "", None, (), 0)) == ["a.png", "-", "-", "-", "-"]


# Anything ---------------------------------------------------------------------------------------


@given(st.lists(st.tuples(TEXTS, TEXTS, st.integers(1, 10**6)), min_size=1, max_size=4), st.integers(50, 160))
def test_names_of_any_kind_print_within_the_width_and_survive_json(
    named: list[tuple[str, str, int]], width: int
) -> None:
    made = report(*(replace(PLAIN, name=name, pixels=((kind, n),)) for name, kind, n in named))
    for line in lines(made, width):
        assert line.isprintable() and cell_len(line) <= width
    data = json.loads(input_to_json(made))
    assert [f["name"] for f in data["files"]] == [name for name, _, _ in named]
    assert [f["read_as"] for f in data["files"]] == [[{"class": kind, "pixels": n}] for _, kind, n in named]


def test_the_json_has_every_name_and_nothing_else() -> None:
    issue = Issue("warning", "listed-twice", "2 lines", "")
    made = report(PLAIN, others=("z.md", "b.jpg"), why=("side-files", "images-among-masks"), skipped=2, issues=(issue,))
    text = input_to_json(made)
    data = json.loads(text)
    assert text.isascii() and list(data) == [
        "root", "masks", "stored_files", "left_alone", "left_alone_by_reason", "findings", "encoding",
        "problem", "files",
    ]  # fmt: skip
    assert (data["root"], data["masks"], data["stored_files"]) == ("masks", 1, 1)
    assert data["left_alone"][0] == {"path": "z.md", "why": "side-files"}
    assert list(data["left_alone_by_reason"].items()) == [("images-among-masks", 1), ("side-files", 1)]
    assert data["findings"] == [asdict(issue)] and data["problem"] is None
    assert data["files"] == [
        {
            "name": "a.png", "storage": "PNG, 8 bits, grey", "size": [30, 40], "values": [0, 1], "distinct_values": 2,
            "read_as": [{"class": "background", "pixels": 900}, {"class": "cell", "pixels": 300}],
            "ignored_pixels": 0, "objects": None, "issues": [],
        }
    ]  # fmt: skip
    assert Encoding.from_dict(data["encoding"]) == ENCODING
