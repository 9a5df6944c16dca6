"""Findings: every code has a page, every message fits two lines and ends in what to do, each at its threshold."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from shapeprof.findings import thresholds
from shapeprof.findings.find import find_all
from shapeprof.findings.finding import LONGEST, Found, objects_of, sentence
from shapeprof.findings.reading import OBJECT, code, from_issues, short_message
from shapeprof.findings.registry import Registered, add, all_findings, finding
from shapeprof.issues import Issue
from shapeprof.metrics.bins import LENGTH_BINS, length_bin
from shapeprof.profile.class_view import ClassView
from shapeprof.profile.profile import Profile
from shapeprof.profile.tally import new_tally, part
from shapeprof.recommend.recommend import recommend_design

from .builders import discs, profile_of, strips

PACKAGE = Path(__file__).parent.parent / "shapeprof"
CODES = {kind.code for kind in all_findings()}
# Codes of --explain-input's list of files left alone: they are no findings about a set.
LEFT_ALONE = {"not-in-pattern"}


def found(profile: Profile, code: str) -> list[str]:
    return [f.message for f in find_all(profile) if f.code == code]


# Codes ------------------------------------------------------------------------------------------


def used_codes() -> set[str]:
    """Every code that the sources give to an Issue or an UnreadableMask, in any way of writing it."""
    codes: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] in ("findings", "nn", "targets"):
            continue
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Issue", "UnreadableMask", "_missing"):
                given = node.args[1] if len(node.args) > 1 else None
                if isinstance(given, ast.Constant):
                    codes.add(given.value)
                if isinstance(given, ast.IfExp):
                    codes |= {c.value for c in (given.body, given.orelse) if isinstance(c, ast.Constant)}
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "code":
                codes |= {c.value for c in ast.walk(node.value) if isinstance(c, ast.Constant) and "-" in str(c.value)}
    return codes


@pytest.mark.slow
def test_every_code_in_the_source_has_a_page() -> None:
    used = used_codes()
    assert len(used) > 60
    assert used <= CODES


def test_every_page_belongs_to_a_code_that_exists() -> None:
    text = "".join(p.read_text() for p in PACKAGE.rglob("*.py") if p.parent.name != "findings")
    for kind in all_findings():
        if kind.check is None and kind.code not in LEFT_ALONE:
            assert f'"{kind.code.removeprefix(OBJECT)}"' in text, f"{kind.code} is documented, and nothing finds it"


def test_pages_say_what_to_do() -> None:
    for kind in all_findings():
        assert "What to do: " in kind.page, kind.code
        assert (kind.check is None) == (kind.severity is None)


def test_a_code_is_registered_once_and_with_a_page() -> None:
    with pytest.raises(ValueError, match="registered twice"):
        add(Registered("objects-touch", "info", "page"))
    with pytest.raises(ValueError, match="no page"):
        finding("a-new-one", "info")(lambda profile, recommendation: iter(()))
    with pytest.raises(ValueError, match="longer than 160"):
        code("a-long-one", "x" * 100, "why", "y" * 100)
    assert not {"a-new-one", "a-long-one"} & {kind.code for kind in all_findings()}


def test_a_message_too_long_for_two_lines_is_a_mistake_of_its_author() -> None:
    assert sentence("it rains", "take a coat") == "it rains; take a coat"
    with pytest.raises(ValueError, match="161 characters"):
        sentence("x" * 100, "y" * 59)


# From reading -----------------------------------------------------------------------------------


def test_issues_of_one_code_are_one_finding_with_all_places() -> None:
    text = "the PNG stops after 90 bytes, before its end marker; copy or export the file again"
    issues = [Issue("error", "truncated-file", text, f"{name}.png") for name in "cab"]
    issues.append(Issue("warning", "truncated-file", text, "d.png"))
    first, second = from_issues(issues)
    assert (first.severity, first.place, first.more) == ("error", "c.png", ("a.png", "b.png"))
    assert first.message == text and first.remedy == "copy or export the file again" and first.text == ""
    assert (second.severity, second.place, second.more) == ("warning", "d.png", ())


def test_a_short_message_keeps_the_fact_and_takes_the_remedy_of_its_code() -> None:
    message, remedy = short_message(
        Issue(
            "warning", "masks-without-image", "46 masks have no image: a, b. They are measured, but can't be trained on"
        )
    )
    assert message == "46 masks have no image: a, b; add their images, or remove the masks"
    assert remedy == "add their images, or remove the masks"


def test_a_long_fact_loses_brackets_then_examples_then_its_own_words() -> None:
    def of(text: str) -> str:
        return short_message(Issue("warning", "masks-without-image", text))[0]

    names = ", ".join(f"scan_{i:03}.png" for i in range(20))
    mend = "; add their images, or remove the masks"
    assert of(f"46 masks have no image ({names})") == "46 masks have no image" + mend
    assert of(f"46 masks have no image: {names}") == "46 masks have no image" + mend
    assert of(f"no image: {names}") == "masks have no image: they are measured but can't be trained on" + mend
    assert of("x" * 300).startswith("masks have no image: they are measured")


def test_semicolons_in_brackets_end_no_clause() -> None:
    text = "it looks like a photograph (many values; no areas); expected a mask"
    assert short_message(Issue("error", "looks-like-photo", text))[0].startswith(text.split("; expected")[0] + "; give")


def test_a_code_of_another_version_is_shown_all_the_same() -> None:
    message, remedy = short_message(Issue("warning", "a-later-code", "something happened"))
    assert message == "something happened; see the whole text with --json" and message.endswith(remedy)


def test_the_whole_text_is_kept_where_the_message_is_shorter() -> None:
    long = (
        "palettes differ between files: index 0 is red in a.png, blue in b.png. To mend it, export all with one palette"
    )
    (only,) = from_issues([Issue("warning", "palettes-differ", long)])
    assert only.text == long and len(only.message) <= LONGEST


@pytest.mark.parametrize("kind", [k for k in all_findings() if k.check is None], ids=lambda k: k.code)
def test_any_text_of_any_code_becomes_two_lines_that_end_in_the_remedy(kind: Registered) -> None:
    for text in ("", "x", "x" * 159, "x" * 5000, "a: " + "b, " * 100 + ". c; d", "(((", "3 of 4; " * 40):
        message, remedy = short_message(Issue("info", kind.code, text))
        assert len(message) <= LONGEST and remedy and message.endswith(remedy)


def test_the_most_severe_come_first() -> None:
    issues = (
        Issue("info", "listed", "the masks are the 3 files that a.txt lists"),
        Issue("error", "empty-file", "the file has 0 bytes; copy or export it again", "a.png"),
        Issue("warning", "listed-twice", "2 lines repeat a path and count once: a"),
    )
    severities = [f.severity for f in find_all(profile_of(strips(2, 1), issues=issues))]
    assert severities[:2] == ["error", "warning"] and set(severities[2:]) == {"info"}


# From the profile -------------------------------------------------------------------------------


def test_a_plain_set_has_no_findings() -> None:
    assert find_all(profile_of(discs(60, 30))) == ()


def with_parts(view: ClassView, **parts: int) -> dict[int, np.ndarray]:
    """Totals of one class with some parts set."""
    tally = view.tally.copy()
    for name, value in parts.items():
        part(tally, name)[...] = value
    return {view.id: tally}


def test_touching_objects_are_found_from_the_threshold_on() -> None:
    profile = profile_of(discs(20, 30))
    (view,) = profile.classes()
    most = int(thresholds.CROWDED * view.measured)
    at, over = (replace(profile, totals=with_parts(view, touching=n)) for n in (most, most + 1))
    assert not found(at, "objects-touch")
    (message,) = found(over, "objects-touch")
    assert message.startswith("25 % of the thing objects touch another") and "boundary class" in message


def test_suspected_clusters_are_found() -> None:
    profile = profile_of(discs(20, 30))
    (view,) = profile.classes()
    (message,) = found(replace(profile, totals=with_parts(view, judged=20, suspected_merged=10)), "objects-merged")
    assert message.startswith("50 % of the thing objects look like several that touch")
    assert not found(replace(profile, totals=with_parts(view, judged=9, suspected_merged=9)), "objects-merged")


def test_a_class_in_holes_of_another_is_found() -> None:
    masks = discs(12, 60)
    for mask in masks:
        inner = cv2.erode(mask, np.ones((61, 61), np.uint8))
        mask[inner > 0] = 2
    profile = profile_of(masks, ("background", "cell", "nucleus"))
    pixels = int(part(profile.totals[2], "pixels"))
    (message,) = found(replace(profile, nesting={(1, 2): (pixels, 12)}), "class-in-holes")
    assert message.startswith("100 % of nucleus lies in holes of cell")
    assert not found(replace(profile, nesting={(1, 2): (pixels // 2, 6)}), "class-in-holes")


def banded() -> Profile:
    """Discs with a band of ignored pixels around them, 5 px wide."""
    masks = []
    for mask in discs(12, 20, per_image=4):
        band = cv2.dilate(mask, np.ones((11, 11), np.uint8)) * 255
        band[mask > 0] = mask[mask > 0]
        masks.append(band)
    void = np.zeros(LENGTH_BINS, np.int64)
    void[length_bin(np.array([5.0]))] = 1000
    return replace(profile_of(masks), void_widths=void)


def test_ignored_bands_that_flatter_outputs_are_found() -> None:
    profile = banded()
    (message,) = found(profile, "ignored-outlines")
    assert message.startswith("ignored bands up to 5.0 px wide line thing: they flatter outputs to 1/4")
    unlined = replace(profile_of(discs(12, 20, per_image=4)), void_widths=profile.void_widths)
    assert not found(unlined, "ignored-outlines")
    assert not found(replace(profile, void_widths=np.zeros(LENGTH_BINS, np.int64)), "ignored-outlines")


def test_small_and_thin_objects_are_found() -> None:
    small = profile_of(discs(60, 5))
    assert found(small, "objects-small")[0].startswith("100 % of the thing objects are under 200 px")
    assert found(profile_of(strips(20, 1)), "thin-parts")[0].startswith("a tenth of thing is under 2.0 px wide")
    assert not found(profile_of(strips(20, 6)), "thin-parts")


def test_classes_with_few_objects_are_found_also_against_the_rules_threshold() -> None:
    assert found(profile_of(discs(9, 30)), "few-objects") == [
        "thing has 9 measured objects, too few to decide anything; label more of it, or merge it with another class "
        "(--merge-classes)"
    ]
    profile = profile_of(discs(20, 30))
    assert not found(profile, "few-objects")
    assert "few-objects" in {f.code for f in find_all(profile, recommend_design(profile))}  # rules ask for 50


def test_objects_under_the_floor_and_a_single_class_are_warnings() -> None:
    specks = profile_of(discs(5, 2.0))
    (only,) = [f for f in find_all(specks) if f.code == "all-below-floor"]
    assert only.severity == "warning" and "floor of 32 px" in only.message
    full = profile_of([np.ones((40, 40), np.uint8)] * 3)
    (message,) = found(full, "one-class-only")
    assert message.endswith("say which value is the background (--background)")


def test_long_class_names_fit_their_line() -> None:
    name = "a very long name of a class that goes on and on and on" * 4
    for profile in (
        profile_of(discs(5, 2.0), ("background", name)),
        profile_of(strips(5, 1), ("background", name)),
        replace(banded(), names=("background", name)),
        profile_of([np.ones((40, 40), np.uint8)] * 3, ("background", name)),
    ):
        findings = find_all(profile)
        assert findings and all(len(f.message) <= LONGEST for f in findings)


def test_small_words() -> None:
    view = ClassView(1, "object", new_tally())
    assert objects_of(view) == "objects" and objects_of(replace(view, name="cell")) == "cell objects"
    assert Found("a", "b").place == ""
