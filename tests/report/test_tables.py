"""The tables of the report at several widths: classes, outputs and other choices, from summaries made by hand."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from shapeprof.metrics.bins import CONVEXITY_BINS, LENGTH_BINS, convexity_bin, length_bin
from shapeprof.recommend.recommend import recommend_design
from shapeprof.report.histograms import convexity_counts, length_counts
from shapeprof.report.summary import Choice, ClassRow, Place, StrideRow, Summary, summarise
from shapeprof.report.terminal import SCREEN, fitting, lines_of, render
from tests.builders import discs, profile_of

TEXTS = st.text(st.characters(codec=None), min_size=1, max_size=60)
MASKS, OUTPUTS, CHOICES, LAST = "Your masks", "How coarse may the output be?", "Other choices", "Before you train"
NEXT = {MASKS: OUTPUTS, OUTPUTS: CHOICES, CHOICES: LAST}
ROW = ClassRow("cell", 350, 0.04, 87.0, (0, 1, 4, 0), 4.0, (0, 8), 0.912, (0, 0, 2), {})
RECOMMENDED = Choice("Recommended", "", 2, 0.995, 0.0, 1.0, 3_575_859, True)


@cache
def base() -> Summary:
    profile = profile_of(discs(60, 30))
    return summarise(profile, recommend_design(profile), (), Place("masks", Path("out")))


def shown(summary: Summary, width: int = 80, *, details: bool = False) -> list[str]:
    stream = io.StringIO()
    console = Console(file=stream, width=width, markup=False, highlight=False)
    console.print(render(summary, details=details))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def section(title: str, width: int = 80, *, details: bool = False, **changes: Any) -> list[str]:
    """The lines of one section of the report, without indent and blank lines."""
    text = shown(replace(base(), **changes), width, details=details)
    start, end = (next(i for i, line in enumerate(text) if line.startswith(f"{t} ─")) for t in (title, NEXT[title]))
    return [line[2:] for line in text[start + 1 : end] if line]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


# Classes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_class_in_a_row(width: int) -> None:
    head, row, *_ = section(MASKS, width, classes=(ROW,))
    assert cells(head) == ["objects", "pixels", "across, px", "width, px", "convexity 0 .. 1"]
    assert row == "cell      350     4 %     87 ·▂█·    4.0 ·█   0.912 ··█"


@pytest.mark.parametrize(
    "changes, text",
    [
        ({"objects": 1_234_567}, "1,234,567"),
        ({"objects": 0}, "0"),
        ({"pixel_share": 1e-5}, "<1 %"),
        ({"pixel_share": math.nan}, "-"),
        ({"across": math.nan, "across_counts": (0, 0)}, "- ··"),
        ({"across": 9.5}, "9.5 ·▂█·"),
        ({"across": 12345.0}, "12,345 ·▂█·"),
        ({"width": 60.0}, "60 ·█"),
        ({"width": 60.1}, "63+ ·█"),
        ({"width": 1.0}, "1.0 ·█"),
        ({"convexity": 1.0}, "1.000 ··█"),
        ({"convexity": 0.0004}, "0.000 ··█"),
        ({"convexity": math.nan, "convexity_counts": ()}, "-"),
    ],
)
def test_cells_of_odd_numbers(changes: dict[str, Any], text: str) -> None:
    assert text in cells(section(MASKS, classes=(replace(ROW, **changes),))[1])


@pytest.mark.parametrize(
    "name, text",
    [
        ("fourteen chars", "fourteen chars"),
        ("fifteen letters", "fiftee…letters"),
        ("a\nb", r"a\nb"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("[bold]x[/bold]", "[bold]x[/bold]"),
        ("细胞核", "细胞核"),
        ("\udcff", r"\udcff"),
    ],
)
def test_names_of_classes(name: str, text: str) -> None:
    assert cells(section(MASKS, classes=(replace(ROW, name=name),))[1])[0] == text


def test_further_columns_take_the_place_of_histograms() -> None:
    head, row, *_ = section(MASKS, classes=(replace(ROW, extra={"depth, px": 12.345, "filled": math.nan}),))
    assert cells(head)[-3:] == ["convexity", "depth, px", "filled"]
    assert cells(row) == ["cell", "350", "4 %", "87", "4.0", "0.912", "12.3", "-"]


@pytest.mark.parametrize("n, hidden, words", [(1, 0, ""), (6, 0, ""), (6, 1, "and 1 class more: --details. "),
                                              (6, 94, "and 94 classes more: --details. ")])  # fmt: skip
def test_as_many_rows_as_classes_and_the_rest_is_counted(n: int, hidden: int, words: str) -> None:
    rows = tuple(replace(ROW, name=f"c{i}") for i in range(n))
    text = section(MASKS, 200, classes=rows, hidden_classes=hidden, counts="9 found.")
    assert [cells(line)[0] for line in text[1 : n + 1]] == [f"c{i}" for i in range(n)]
    assert text[n + 1] == f"{words}9 found." and len(text) == n + 3


@pytest.mark.slow
@given(st.lists(TEXTS, min_size=1, max_size=6), st.sampled_from([60, 80, 120]))
def test_classes_of_any_name_keep_their_line_and_the_width(names: list[str], width: int) -> None:
    text = section(MASKS, width, classes=tuple(replace(ROW, name=name) for name in names), counts="1 found.")
    assert len(text) - len(names) <= 4
    assert all(cell_len(line) <= width - 2 and line.isprintable() for line in text)


# Outputs ----------------------------------------------------------------------------------------

STRIDES = (
    StrideRow(1, 1.0, 1.0, math.nan, False), StrideRow(2, 0.996, 1.0, math.nan, True),
    StrideRow(4, 0.5, 0.75, math.nan, False), StrideRow(8, 0.0, 0.0, math.nan, False),
)  # fmt: skip


@pytest.mark.parametrize("width", [80, 120])
def test_outputs_are_bars_and_full_resolution_is_left_out(width: int) -> None:
    text = section(OUTPUTS, width, strides=STRIDES, class_for_strides="wire", strides_note="")
    assert [cells(line) for line in text] == [
        ["output", "area of wire it can keep", "objects kept"],
        ["1/2", "█" * 23 + "▉", ">99 %", "100 %", "◀ this"],
        ["1/4", "█" * 12, "50 %", "75 %"],
        ["1/8", "0 %", "0 %"],
    ]


def test_full_resolution_is_shown_where_it_is_chosen() -> None:
    rows = (replace(STRIDES[0], chosen=True), replace(STRIDES[1], chosen=False))
    text = section(OUTPUTS, strides=rows, strides_note="")
    assert cells(text[1]) == ["1/1", "█" * 24, "100 %", "100 %", "◀ this"] and cells(text[2])[0] == "1/2"


def test_survival_at_best_has_a_column_where_any_row_knows_it() -> None:
    rows = (STRIDES[1], replace(STRIDES[2], best=0.9))
    text = section(OUTPUTS, strides=rows, strides_note="")
    assert cells(text[0])[-2:] == ["at best", "objects kept"]
    assert cells(text[1])[2:4] == [">99 %", "-"] and cells(text[2])[2:] == ["50 %", "90 %", "75 %"]


def test_unknown_shares_are_dashes_and_no_objects_are_no_table() -> None:
    unknown = replace(STRIDES[1], area=math.nan, objects=math.nan)
    assert cells(section(OUTPUTS, strides=(unknown,), strides_note="")[1]) == ["1/2", "-", "-", "◀ this"]
    assert section(OUTPUTS, strides=()) == ["No object, no answer."]


def test_the_class_of_the_outputs_is_cut_and_the_note_is_below() -> None:
    text = section(OUTPUTS, strides=STRIDES, class_for_strides="a very long name of a class", strides_note="Others.")
    assert "area of a very l…f a class it can keep" in text[0] and text[-1] == "Others."


# Choices ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes, row",
    [
        ({}, ["U-Net", "1/2", "90 % (tie)", "1.0x", "2.0 M"]),
        ({"difference": -0.13}, ["U-Net", "1/2", "90 % (-13)", "1.0x", "2.0 M"]),
        ({"difference": 0.02}, ["U-Net", "1/2", "90 % (+2)", "1.0x", "2.0 M"]),
        ({"compute": 0.149, "parameters": 999}, ["U-Net", "1/2", "90 % (tie)", "0.1x", "999"]),
        ({"keeps": math.nan, "stride": 32}, ["U-Net", "1/32", "- (tie)", "1.0x", "2.0 M"]),
        ({"label": "x" * 50}, ["x" * 18 + "…" + "x" * 19, "1/2", "90 % (tie)", "1.0x", "2.0 M"]),
    ],
)
def test_a_choice_in_a_row(changes: dict[str, Any], row: list[str]) -> None:
    other = replace(Choice("U-Net", "", 2, 0.9, 0.0, 1.0, 2_000_000), **changes)
    text = section(CHOICES, 120, choices=(RECOMMENDED, other))
    assert cells(text[0]) == ["a ceiling, not a predicted score", "output", "can keep", "compute", "parameters"]
    assert cells(text[1]) == ["Recommended", "1/2", ">99 %", "1.0x", "3.6 M"] and cells(text[2]) == row


def test_notes_are_for_the_details() -> None:
    noted = (replace(RECOMMENDED, note="the same as U-Net"),)
    assert "the same as" not in "".join(section(CHOICES, 160, choices=noted))
    assert "Recommended: the same as U-Net" in section(CHOICES, 160, choices=noted, details=True)[1]


def test_without_choices_there_is_no_section() -> None:
    assert not any(line.startswith(CHOICES) for line in shown(replace(base(), choices=())))


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("n", [1, 4, 10])
def test_no_table_is_wider_than_the_terminal_or_longer_than_the_screen(n: int, width: int) -> None:
    rows = tuple(replace(ROW, name="an odd and long name " * (i + 1), objects=10**i) for i in range(6))
    choices = (RECOMMENDED, *[Choice("a network with a long name", "", 4, 0.5, -0.5, 1.1, 10**7)] * n)
    full = replace(base(), classes=rows, hidden_classes=n, strides=STRIDES, choices=choices)
    assert all(cell_len(line) <= width for line in shown(full, width))
    assert lines_of(full, fitting(full)) <= SCREEN


# Histograms -------------------------------------------------------------------------------------


@pytest.mark.parametrize("length, at", [(1, 0), (8, 0), (11, 0), (16, 1), (100, 3), (1000, 6), (10**6, 6)])
def test_a_length_is_counted_in_its_octave(length: float, at: int) -> None:
    fine = np.zeros(LENGTH_BINS, np.int64)
    fine[length_bin(np.array(length))] = 5
    counts = length_counts(fine, 8, 1024)
    assert len(counts) == 7 and counts[at] == sum(counts) == 5


@pytest.mark.parametrize("value, at", [(0.0, 0), (0.05, 0), (0.11, 1), (0.55, 5), (0.89, 8), (0.91, 9), (1.0, 9)])
def test_a_convexity_is_counted_in_its_tenth(value: float, at: int) -> None:
    fine = np.zeros(CONVEXITY_BINS, np.int64)
    fine[convexity_bin(np.array(value))] = 5
    counts = convexity_counts(fine)
    assert len(counts) == 10 and counts[at] == sum(counts) == 5
