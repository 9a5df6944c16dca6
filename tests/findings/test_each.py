"""Each check of a profile just under, at and just over its threshold, from counts that are set by hand."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shapeprof.findings.find import find_all
from shapeprof.findings.finding import LONGEST
from shapeprof.findings.registry import all_findings
from shapeprof.findings.thresholds import CROWDED, FEW, LINED, NESTED, THIN, UNRELIABLE
from shapeprof.metrics.bins import LENGTH_BINS, length_bin
from shapeprof.profile.profile import Profile
from shapeprof.profile.tally import Counts, new_tally, part
from shapeprof.recommend.recommend import recommend_design
from tests.builders import discs, profile_of

Value = int | list[int]
CHECKS = {kind.code for kind in all_findings() if kind.check is not None}
# 100 objects of 300 px, 10 px wide, in an image of 100,000 px: nothing to say about them.
PLAIN: dict[str, Value] = {
    "images": 20, "pixels": 30_000, "found": 100, "reliable": [0, 100], "area_measured": [0, 30_000],
    "crofton": [1000, 1000], "judged": 100,
}  # fmt: skip


def tally(width: float = 10.0, **parts: Value) -> Counts:
    """A plain class, its parts as given."""
    counts = new_tally()
    for name, value in (PLAIN | parts).items():
        part(counts, name)[...] = value
    part(counts, "width_pixels")[int(length_bin(np.array(width)))] = part(counts, "pixels")
    return counts


@cache
def empty() -> Profile:
    return profile_of([])


def profile(*classes: Counts, names: tuple[str, ...] = ("thing", "other", "third"), **more: object) -> Profile:
    values = {
        "names": ("background", *names[: len(classes)]),
        "pixels": 100_000,
        "background_pixels": 70_000,
        "totals": {i + 1: counts for i, counts in enumerate(classes)},
    }
    return replace(empty(), **(values | more))  # type: ignore[arg-type]


def codes(of: Profile) -> set[str]:
    return {f.code for f in find_all(of) if f.code in CHECKS}


def message(of: Profile, code: str) -> str:
    (only,) = [f.message for f in find_all(of) if f.code == code]
    return only


def voids(width: float | None, pixels: int = 1000) -> np.ndarray:
    counts = np.zeros(LENGTH_BINS, np.int64)
    if width is not None:
        counts[int(length_bin(np.array(width)))] = pixels
    return counts


def nested(pixels: int) -> Profile:
    return profile(tally(), tally(pixels=1000), nesting={(1, 2): (pixels, 5)})


def lined(edges: int, band: float | None = 5.0, found: int = 100) -> Profile:
    return profile(tally(ignored_edges=edges, found=found, reliable=[0, found]), void_widths=voids(band))


# code -> (profiles without the finding, profiles with it); those next to the threshold first
CASES = {
    "objects-touch": (
        [profile(tally(touching=19)), profile(tally(touching=20)), profile(tally(touching=0)),
         profile(tally(found=9, reliable=[0, 9], touching=9))],
        [profile(tally(touching=21)), profile(tally(touching=100)),
         profile(tally(found=10, reliable=[0, 10], touching=3))],
    ),
    "objects-merged": (
        [profile(tally(suspected_merged=19)), profile(tally(suspected_merged=20)),
         profile(tally(judged=9, suspected_merged=9)), profile(tally(judged=0))],
        [profile(tally(suspected_merged=21)), profile(tally(judged=10, suspected_merged=3))],
    ),
    "class-in-holes": (
        [nested(0), nested(499), nested(500)],
        [nested(501), nested(1000)],
    ),
    "ignored-outlines": (
        [lined(499), lined(500), lined(501, None), lined(501, 1.0), lined(1000, 1.9), lined(900, found=9)],
        [lined(501), lined(501, 2.0), lined(1000, 40.0), lined(501, found=10)],
    ),
    "objects-small": (
        [profile(tally(reliable=[0, 100])), profile(tally(reliable=[0, 61])), profile(tally(reliable=[30, 30]))],
        [profile(tally(reliable=[0, 59])), profile(tally(reliable=[29, 30])), profile(tally(reliable=0))],
    ),
    "thin-parts": (
        [profile(tally(2.0)), profile(tally(2.1)), profile(tally(64.0)), profile(tally(pixels=0))],
        [profile(tally(1.9)), profile(tally(1.0))],
    ),
    "few-objects": (
        [profile(tally(found=10, reliable=[0, 10])), profile(tally(found=11, reliable=[0, 11])),
         profile(tally(found=0, reliable=0))],
        [profile(tally(found=9, reliable=[0, 9])), profile(tally(found=1, reliable=[0, 1])),
         profile(tally(), tally(found=12, below_floor=3, reliable=[0, 9]))],
    ),
    "all-below-floor": (
        [profile(tally(below_floor=99, reliable=[0, 1])), profile(tally(below_floor=100, reliable=0), tally()),
         profile()],
        [profile(tally(below_floor=100, reliable=0)), profile(*[tally(below_floor=100, reliable=0)] * 2)],
    ),
    "one-class-only": (
        [profile(tally(pixels=99_999)), profile(tally(pixels=100_000), ignored=1),
         profile(tally(pixels=50_000), tally(pixels=50_000))],
        [profile(tally(pixels=100_000)), profile(tally(pixels=99_000), ignored=1000)],
    ),
}  # fmt: skip


def test_every_check_has_its_cases() -> None:
    assert set(CASES) == CHECKS


def test_the_thresholds_are_those_of_the_cases() -> None:
    assert (CROWDED, FEW, NESTED, LINED, UNRELIABLE, THIN) == (0.2, 10, 0.5, 0.5, 0.4, 2.0)


def test_a_plain_class_has_nothing_to_say() -> None:
    assert codes(profile(tally())) == codes(profile(tally(), tally())) == set()


@pytest.mark.parametrize("code, i", [(code, i) for code in CASES for i in range(len(CASES[code][0]))])
def test_up_to_the_threshold_nothing_is_found(code: str, i: int) -> None:
    assert code not in codes(CASES[code][0][i])


@pytest.mark.parametrize("code, i", [(code, i) for code in CASES for i in range(len(CASES[code][1]))])
def test_beyond_the_threshold_it_is_found(code: str, i: int) -> None:
    assert code in codes(CASES[code][1][i])


@pytest.mark.parametrize(
    "code, text",
    [
        ("objects-touch", "21 % of the thing objects touch another and grow together; "
         "to count them, train with a boundary class or an instance method"),
        ("objects-merged", "21 % of the thing objects look like several that touch, so convexity reads low; "
         "scan instance ids if there are any"),
        ("class-in-holes", "50 % of other lies in holes of thing, which lowers its convexity; "
         "export --multi-label to predict both whole"),
        ("ignored-outlines", "ignored bands up to 5.0 px wide line thing: they flatter outputs to 1/4; "
         "choose a finer one where outlines matter"),
        ("objects-small", "41 % of the thing objects are under 200 px, too small to read convexity from; "
         "judge them by width instead"),
        ("thin-parts", "a tenth of thing is under 2.0 px wide and vanishes when images shrink; "
         "train on crops at full size"),
        ("few-objects", "thing has 9 measured objects, too few to decide anything; "
         "label more of it, or merge it with another class (--merge-classes)"),
        ("all-below-floor", "no object reaches the floor of 32 px, so none is measured; "
         "scan again with a smaller --floor"),
        ("one-class-only", "every pixel of every mask is thing: there is nothing to tell it from; "
         "say which value is the background (--background)"),
    ],
)  # fmt: skip
def test_what_is_said_just_over_the_threshold(code: str, text: str) -> None:
    assert message(CASES[code][1][0], code) == text


# Several classes, options and rules -------------------------------------------------------------


def test_each_class_is_judged_by_itself() -> None:
    touching, calm = tally(touching=90), tally()
    found = [f for f in find_all(profile(touching, calm, touching)) if f.code == "objects-touch"]
    assert [f.message.split(" of the ")[1].split(" ")[0] for f in found] == ["thing", "third"]


def test_a_class_of_objects_is_not_called_object_objects() -> None:
    assert message(profile(tally(touching=30), names=("object",)), "objects-touch").startswith("30 % of the objects ")


def test_the_floor_is_the_one_that_was_asked_for() -> None:
    below = profile(tally(below_floor=100, reliable=0), arguments={"floor": 1000})
    assert "the floor of 1000 px" in message(below, "all-below-floor")


def test_one_object_is_singular() -> None:
    assert message(CASES["few-objects"][1][1], "few-objects").startswith("thing has 1 measured object, ")


@pytest.mark.parametrize("band, stride", [(2.0, 2), (3.9, 2), (4.0, 4), (15.5, 8), (16.0, 16), (500.0, 32)])
def test_a_band_flatters_outputs_up_to_its_width(band: float, stride: int) -> None:
    assert f"they flatter outputs to 1/{stride};" in message(lined(600, band), "ignored-outlines")


def test_several_lined_classes_are_counted() -> None:
    line = tally(ignored_edges=900)
    text = message(profile(line, line, line, void_widths=voids(5.0)), "ignored-outlines")
    assert "line thing and 2 more" in text


def test_nesting_in_both_directions_is_two_findings() -> None:
    both = profile(tally(pixels=1000), tally(pixels=1000), nesting={(1, 2): (900, 5), (2, 1): (800, 5)})
    found = [f.message for f in find_all(both) if f.code == "class-in-holes"]
    assert [m.split(",")[0] for m in found] == [
        "90 % of other lies in holes of thing", "80 % of thing lies in holes of other",
    ]  # fmt: skip


def test_a_nested_class_without_pixels_is_no_finding() -> None:
    assert "class-in-holes" not in codes(profile(tally(), tally(pixels=0), nesting={(1, 2): (0, 0)}))


def test_classes_that_decide_are_not_few() -> None:
    deciding = profile_of(discs(60, 30))
    recommendation = recommend_design(deciding)
    assert recommendation.limits and "few-objects" not in {f.code for f in find_all(deciding, recommendation)}
    silent = replace(recommendation, limits=())
    assert "few-objects" in {f.code for f in find_all(deciding, silent)}


@given(
    st.integers(1, 10**6),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(1, 100),
    st.text(st.characters(codec=None), min_size=1, max_size=60),
)
def test_whatever_is_counted_messages_are_short_and_end_in_the_remedy(
    found: int, touching: float, reliable: float, width: float, name: str
) -> None:
    counts = tally(
        width, found=found, touching=int(touching * found), reliable=[0, int(reliable * found)], ignored_edges=900
    )
    for f in find_all(profile(counts, names=(name,), void_widths=voids(width))):
        assert len(f.message) <= LONGEST and f.message.endswith("; " + f.remedy) and f.message.isprintable()
