"""The terminal report: golden texts, and the promises that hold for every profile."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console

from shapeprof.issues import Issue
from shapeprof.labelmap import ClassTable, LabelMap
from shapeprof.metrics.bins import LENGTH_BINS, length_bin
from shapeprof.profile.profile import Profile
from shapeprof.profile.tally import merge_tallies
from shapeprof.recommend.recommend import recommend_design
from shapeprof.report.terminal import Place, show
from shapeprof.report.text import bar, big, duration, percent, printable, quantity, spark
from tests.metrics.images import measure_one, tally_one

from .builders import crosses, discs, profile_of, strips

GOLDEN = Path(__file__).parent / "golden"


def shown(profile: Profile, width: int) -> str:
    stream = io.StringIO()
    place = Place("masks", Path("masks.shapeprof"), "images", (), 3.2)
    show(Console(file=stream, width=width, markup=False), profile, recommend_design(profile), place)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def mixed() -> Profile:
    masks = strips(60, 4, per_image=4)
    for mask in masks:
        mask[100:150, 5:250] = 2
        mask[:2] = 255
    issues = (
        Issue("error", "truncated-file", "the PNG stops after 90 bytes; copy it again", "a/[b]\x1b.png"),
        Issue("warning", "palettes-differ", "two palettes"),
    )
    return profile_of(masks, ("background", "wire", "road"), issues=issues)


CASES = {"discs": lambda: profile_of(discs(60, 100)), "mixed": mixed, "few": lambda: profile_of(discs(3, 20))}


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("case", CASES)
def test_golden_report(case: str, width: int, request: pytest.FixtureRequest) -> None:
    """To accept a change: ``pytest tests/test_report.py --accept``, then read the difference."""
    text = shown(CASES[case](), width)
    file = GOLDEN / f"report-{case}-{width}.txt"
    if request.config.getoption("--accept"):
        GOLDEN.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_but_those_to_paste_is_wider_than_the_terminal(width: int) -> None:
    for case in CASES.values():
        for line in shown(case(), width).splitlines():
            assert len(line) <= width or line.startswith("Next ")


def test_the_answer_comes_first_and_the_command_last() -> None:
    lines = shown(mixed(), 100).splitlines()
    titles = [line.split(" ─")[0] for line in lines if " ───" in line]
    assert titles == [
        "Train this", "Why", "Your masks", "How coarse may the output be?", "Other choices", "Before you train",
    ]  # fmt: skip
    assert lines[-3].startswith("Next  shapeprof export masks --images images")


def test_it_says_when_convexity_decides_nothing() -> None:
    assert "decides nothing here" in shown(profile_of(strips(30, 3)), 200)
    assert "decides the auxiliary heads" in shown(profile_of(crosses(60, 60)), 200)


def test_control_characters_and_markup_are_harmless() -> None:
    text = shown(mixed(), 100)
    assert "\x1b" not in text and "a/[b]\\x1b.png" in text


def test_small_pieces() -> None:
    assert percent(0.0) == "0 %" and percent(0.001) == "<1 %" and percent(0.999) == ">99 %" and percent(1) == "100 %"
    assert percent(math.nan) == quantity(math.nan) == "-"
    assert bar(0.5, 4) == "██  " and bar(1, 2) == "██" and bar(0, 2) == "  " and len(bar(0.37, 10)) == 10
    assert spark([0, 1, 100]) == "·▁█" and spark([0, 0]) == "··"
    assert big(14_300_000) == "14.3 M" and big(950) == "950"
    assert duration(30) == "30 s" and duration(600) == "10 min" and duration(3 * 86400) == "3 days"
    assert printable("a\nb\udcff") == "a\\nb\\udcff"
    assert len(printable("x" * 4000)) == 200


def test_survival_at_best_has_a_column_where_it_was_computed() -> None:
    masks = discs(12, 20, per_image=9)
    profile = profile_of(masks)
    assert "at best" not in shown(profile, 100)
    tallies = [tally_one(measure_one(LabelMap(m, ClassTable(profile.names), ""), best=True)) for m in masks[:2]]
    unmeasured = [tally_one(measure_one(LabelMap(m, ClassTable(profile.names), ""))) for m in masks[2:]]
    text = shown(replace(profile, totals=merge_tallies(tallies + unmeasured)), 100)
    assert "at best" in text and "At best: logits optimised for the mask itself, on 2 masks." in text


def test_void_bands_that_flatter_fine_strides_are_noted() -> None:
    masks = []
    for mask in discs(12, 20, per_image=4):
        banded = cv2.dilate(mask, np.ones((11, 11), np.uint8)) * 255
        banded[mask > 0] = mask[mask > 0]
        masks.append(banded)
    profile = profile_of(masks)
    view = profile.classes()[0]
    assert view.ignored_boundary_share == 1
    void = np.zeros(LENGTH_BINS, np.int64)
    void[length_bin(np.array([5.0]))] = 1000
    text = " ".join(shown(replace(profile, void_widths=void), 100).split())
    assert (
        "ignored pixels line more than half of the outlines of thing, half of them in bands up to 5.0 px wide" in text
    )
    assert "what strides up to 4 lose" in text
    without = replace(profile_of(discs(12, 20, per_image=4)), void_widths=void)
    assert "ignored pixels line" not in " ".join(shown(without, 100).split())
