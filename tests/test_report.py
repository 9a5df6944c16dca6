"""The report on one screen: golden texts, and what holds for every profile."""

from __future__ import annotations

import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from shapeprof.findings.find import find_all
from shapeprof.findings.finding import LONGEST
from shapeprof.issues import Issue
from shapeprof.labelmap import ClassTable, LabelMap
from shapeprof.metrics.registry import all_metrics
from shapeprof.profile.profile import Profile
from shapeprof.profile.tally import merge_tallies
from shapeprof.recommend.recommend import recommend_design
from shapeprof.report.machine import to_json
from shapeprof.report.summary import Place, summarise
from shapeprof.report.terminal import SCREEN, fitting, lines_of, show
from shapeprof.report.text import bar, spark
from shapeprof.wording import big, brief, duration, listed, percent, plural, printable, quantity, short
from tests.metrics.images import measure_one, tally_one

from .builders import crosses, discs, profile_of, strips

GOLDEN = Path(__file__).parent / "golden"
PLACE = Place("masks", Path("masks.shapeprof"), "images", (), 3.2)


def shown(profile: Profile, width: int = 80, place: Place = PLACE, *, details: bool = False) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width, markup=False)
    show(console, profile, recommend_design(profile), place, details=details)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def titles(text: str) -> list[str]:
    return [line.split(" ─")[0] for line in text.splitlines() if " ───" in line]


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


def crowded() -> Profile:
    """Eight classes, more findings than one screen has room for."""
    masks = []
    for wire in strips(20, 2, per_image=2):
        for i in range(8):
            wire[20 + 26 * i : 32 + 26 * i, 40:70] = i + 1
        masks.append(wire)
    codes = ("masks-without-image", "images-without-mask", "stray-values", "lossy-ids", "mixed-storage", "listed-twice")
    issues = tuple(Issue("warning", code, f"something about {code}") for code in codes)
    names = ("background", *(f"a class with a rather long name {i}" for i in range(8)))
    return profile_of(masks, names, issues=issues)


CASES = {"discs": lambda: profile_of(discs(60, 100)), "mixed": mixed, "few": lambda: profile_of(discs(3, 20)),
         "crowded": crowded}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_golden_report(case: str, request: pytest.FixtureRequest) -> None:
    """To accept a change: ``pytest tests/test_report.py --accept``, then read the difference."""
    text = shown(CASES[case]())
    file = GOLDEN / f"report-{case}.txt"
    if request.config.getoption("--accept"):
        GOLDEN.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


# What holds for every profile -------------------------------------------------------------------


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    """Profiles of masks with up to six classes of rectangles, with findings of any kind."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    classes, side = draw(st.integers(1, 6)), draw(st.sampled_from((24, 96)))
    masks = []
    for _ in range(draw(st.integers(1, 14))):
        mask = np.zeros((side, side), np.uint8)
        for _ in range(draw(st.integers(1, 9))):
            row, column = rng.integers(0, side - 2, 2)
            height, width = rng.integers(1, side, 2)
            mask[row : row + height, column : column + width] = rng.choice([*range(1, classes + 1), 0, 255])
        masks.append(mask)
    masks[0][0, 0] = 1
    names = ("background", *draw(st.lists(st.text(max_size=60), min_size=classes, max_size=classes, unique=True)))
    text = st.text(alphabet="ab c;.:()[]%\x1b…é漢", max_size=400)
    codes = ("truncated-file", "masks-without-image", "stray-values", "pattern", "listed", "a-code-from-later")
    kinds = st.builds(Issue, st.sampled_from(("error", "warning", "info")), st.sampled_from(codes), text, text)
    return profile_of(masks, names, issues=tuple(draw(st.lists(kinds, max_size=9))))


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(profiles())
def test_any_profile_fits_one_screen_with_the_answer_on_top(profile: Profile) -> None:
    text = shown(profile)
    lines = text.splitlines()
    assert len(lines) <= SCREEN
    pasted = next(i for i, line in enumerate(lines) if line.startswith("Next "))
    assert all(cell_len(line) <= 80 for line in lines[:pasted])
    answer = " ".join(lines[:10])
    for word in ("output at", "Model", "Compute", "Crop", "Training", "Memory", "Time", "Loss", "Judge by"):
        assert word in answer
    assert "\x1b" not in text
    for found in find_all(profile, recommend_design(profile)):
        assert len(found.message) <= LONGEST and found.remedy and found.message.endswith(found.remedy)


@pytest.mark.slow
@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("case", CASES)
def test_no_line_but_those_to_paste_is_wider_than_the_terminal(case: str, width: int) -> None:
    lines = shown(CASES[case](), width).splitlines()
    assert all(len(line) <= width or line.startswith(("Next ", "More ")) for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_wider_terminal_shows_the_same_words(case: str) -> None:
    def words(text: str) -> list[str]:
        return re.sub("[─█▏▎▍▌▋▊▉ \n]+", " ", text).split()

    profile = CASES[case]()
    assert words(shown(profile, 120)) == words(shown(profile, 80))


def test_the_answer_comes_first_and_the_commands_last() -> None:
    text = shown(mixed(), 100)
    assert titles(text) == [
        "Train this", "Why", "Your masks", "How coarse may the output be?", "Other choices", "Before you train",
    ]  # fmt: skip
    assert text.splitlines()[-4:] == [
        "Kept  masks.shapeprof: profile.json, objects.parquet (410 rows)",
        "Next  shapeprof export masks --images images -o my-net",
        "      python my-net/train.py",
        "More  shapeprof report masks --details",
    ]


def test_findings_without_room_are_named_by_their_codes() -> None:
    text = shown(crowded())
    assert "findings more (--details): " in text and text.count("something about") < 6
    assert "2 classes more: --details" in text
    everything = shown(crowded(), details=True)
    assert everything.count("\n     something about") == 6 and "name 7" in everything


def test_other_sections_give_way_to_the_first_findings() -> None:
    profile = crowded()
    recommendation = recommend_design(profile)
    summary = summarise(profile, recommendation, find_all(profile, recommendation), PLACE)
    room = fitting(summary)
    assert room.findings >= 3 and not room.blank and lines_of(summary, room) <= SCREEN
    calm = fitting(replace(summary, findings=(), classes=summary.classes[:1], why=summary.why[:2]))
    assert calm.blank and calm.findings == 0


def test_paths_of_findings_are_named_and_counted() -> None:
    issues = tuple(
        Issue("error", "empty-file", "the file has 0 bytes; copy or export it again", f"m/{i}.png") for i in range(4)
    )
    text = " ".join(shown(profile_of(discs(5, 40), issues=issues)).split())
    assert "!! the file has 0 bytes; copy or export it again (m/0.png and 3 more)" in text
    everything = " ".join(shown(profile_of(discs(5, 40), issues=issues), details=True).split())
    assert "empty-file: the file" in everything and "in m/0.png, m/1.png, m/2.png, m/3.png" in everything


@pytest.mark.slow
def test_a_set_without_findings_says_so() -> None:
    profile = profile_of(discs(60, 30))
    assert find_all(profile, recommend_design(profile)) == ()
    assert "Before you train" in shown(profile) and "  Nothing to mend was found in the masks.\n" in shown(profile)
    assert "Nothing to mend" not in shown(mixed())


def test_a_long_or_hostile_place_of_the_profile_fits_too() -> None:
    lines = shown(profile_of(discs(5, 30)), place=replace(PLACE, out=Path("deep" * 30, "a\x1b"))).splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("Kept"))
    assert all(len(line) <= 80 for line in lines[first:-3])
    assert "".join(lines[first:-3]).replace(" ", "") == (
        f"Kept{'deep' * 30}/a\\x1b:profile.json,objects.parquet(5rows)"
    )


@pytest.mark.slow
def test_it_says_when_convexity_decides_nothing() -> None:
    assert "it decides nothing here: width decides" in shown(profile_of(strips(30, 3)), 200)
    assert "decides the auxiliary heads" in shown(profile_of(crosses(60, 60)), 200)
    assert "too few masks or objects" in shown(CASES["few"](), 200)


def test_control_characters_and_markup_are_harmless() -> None:
    text = shown(mixed(), 100)
    assert "\x1b" not in text and "a/[b]\\x1b.png" in text


@pytest.mark.slow
def test_survival_at_best_has_a_column_where_it_was_computed() -> None:
    masks = discs(12, 20, per_image=9)
    profile = profile_of(masks)
    assert "at best" not in shown(profile)
    tallies = [tally_one(measure_one(LabelMap(m, ClassTable(profile.names), ""), best=True)) for m in masks[:2]]
    unmeasured = [tally_one(measure_one(LabelMap(m, ClassTable(profile.names), ""))) for m in masks[2:]]
    assert "at best" in shown(replace(profile, totals=merge_tallies(tallies + unmeasured)))


@pytest.mark.slow
def test_a_metric_declared_for_the_report_has_a_column(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = tuple(replace(m, in_report=m.name == "convexity_filled") for m in all_metrics())
    monkeypatch.setattr("shapeprof.report.summary.all_metrics", lambda: declared)
    text = shown(mixed())
    assert "convexity filled" in text
    assert all(len(line) <= 80 for line in text.splitlines())
    row = summarise(mixed(), recommend_design(mixed()), (), PLACE).classes[0]
    assert row.extra == {"convexity filled": 1.0}


@pytest.mark.slow
def test_details_have_every_decision_and_how_the_masks_were_read() -> None:
    profile = mixed()
    text = shown(profile, 100, details=True)
    assert titles(text)[-2:] == ["How the masks were read", "Every decision"]
    flat = " ".join(text.split())
    for decision in recommend_design(profile).decisions:
        assert (decision.title in text and " ".join(decision.reason.split()) in flat) or len(decision.reason) > 60
    assert (
        "of resamples agree; flips: " in flat and "output stride 16" in flat and "output stride" not in shown(profile)
    )


# For machines -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_json_has_every_finding_and_the_sentences_of_the_report() -> None:
    profile = mixed()
    data = json.loads(to_json(profile, recommend_design(profile)))
    first = data["findings"][0]
    assert first["severity"] == "error" and first["code"] == "truncated-file"
    assert first["path"] == "a/[b]\x1b.png" and first["more"] == [] and first["message"].endswith(first["remedy"])
    assert {f["code"] for f in data["findings"]} == {f.code for f in find_all(profile, recommend_design(profile))}
    assert len(data["issues"]) == 2
    assert data["summary"]["network"].startswith("DeepLabv3+ style")
    assert [reason["title"] for reason in data["summary"]["why"]][-1] == "Convexity"
    assert data["recommendation"]["judge_by"] == ["mean IoU", "clDice"]
    assert data["recommendation"]["training_seconds"]["cpu"] > data["recommendation"]["training_seconds"]["gpu"]


# Words ------------------------------------------------------------------------------------------


def test_numbers_as_words() -> None:
    assert percent(0.0) == "0 %" and percent(0.001) == "<1 %" and percent(0.999) == ">99 %" and percent(1) == "100 %"
    assert percent(math.nan) == quantity(math.nan) == "-"
    assert quantity(9.94) == "9.9" and quantity(9.96) == "10" and quantity(1234.4) == "1,234"
    assert short(0.12345) == "0.123" and short(1234.5) == "1,234"
    assert big(14_300_000) == "14.3 M" and big(950) == "950"
    assert duration(30) == "30 s" and duration(600) == "10 min" and duration(7200) == "2 h"
    assert duration(3 * 86400) == "3 days"
    assert plural(1, "mask") == "1 mask" and plural(2000, "class") == "2,000 classes"


def test_bars_and_histograms() -> None:
    assert bar(0.5, 4) == "██  " and bar(1, 2) == "██" and bar(0, 2) == "  " and len(bar(0.37, 10)) == 10
    assert bar(math.nan, 3) == "   "
    assert spark([0, 1, 100]) == "·▁█" and spark([0, 0]) == "··"


def test_names_are_safe_and_fit() -> None:
    assert printable("a\nb\udcff") == "a\\nb\\udcff"
    assert len(printable("x" * 4000)) == 200
    assert brief("short") == "short" and brief("0123456789", 5) == "01…89" and len(brief("\x1b" * 99)) == 24
    assert listed(["a"]) == "a" and listed(["a", "b", "c"]) == "a, b and c" and listed([]) == ""
    assert listed(list("abcde"), 2) == "a, b and 3 more"
