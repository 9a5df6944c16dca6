"""From what reading said to findings: words are cut so that the remedy stays, one finding a code, hostile words."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shapeprof.findings.find import find_all
from shapeprof.findings.finding import LONGEST, SEVERITIES
from shapeprof.findings.reading import OBJECT, from_issues, short_message
from shapeprof.findings.registry import all_findings
from shapeprof.issues import Issue
from tests.builders import profile_of, strips

THIN = profile_of(strips(2, 1))  # two findings of its own
READ = [kind for kind in all_findings() if kind.check is None]
CODES = [kind.code for kind in READ]
PAGES = {kind.code: kind.page for kind in READ}
TEXTS = st.text(st.characters(codec=None), max_size=400) | st.text("a1:;., ()", max_size=400)
ISSUES = st.lists(
    st.builds(
        Issue, st.sampled_from(SEVERITIES), st.sampled_from([*CODES[:4], "of-a-later-version"]), TEXTS,
        st.sampled_from(["", "a.png", "b.png", "c/\x1b[31m.png"]),
    ),
    max_size=12,
)  # fmt: skip


def remedy_of(code: str) -> str:
    """What the page of a code says to do."""
    return PAGES[code].rsplit("What to do: ", 1)[1].removesuffix(".")


def short(code: str, text: str) -> str:
    return short_message(Issue("warning", code, text))[0]


# Shortening -------------------------------------------------------------------------------------

IMAGES = "add their images, or remove the masks"


@pytest.mark.parametrize(
    "text, fact",
    [
        ("3 masks have no image", "3 masks have no image"),
        ("  3 masks have no image. ", "3 masks have no image"),
        ("3 masks have no image; they are measured", "3 masks have no image"),
        ("3 masks have no image. Add them", "3 masks have no image"),
        ("3 masks (a; b. c) have no image; add them", "3 masks (a; b. c) have no image"),
        ("a.png has 1.5 images", "a.png has 1.5 images"),
        (f"3 masks ({'x' * 200}) have no image", "3 masks have no image"),
        (f"3 masks ({'x' * 90}) and 4 ({'y' * 90}) have no image", "3 masks and 4 have no image"),
        (f"3 masks have no image: {'a.png, ' * 40}", "3 masks have no image"),
        (f"3 masks have no image ({'x' * 99}): {'a.png, ' * 40}", "3 masks have no image"),
        (f"no numbers: {'a.png, ' * 40}", "masks have no image: they are measured but can't be trained on"),
        ("x" * 161, "masks have no image: they are measured but can't be trained on"),
        ("", "masks have no image: they are measured but can't be trained on"),
        (" .;:, ", "masks have no image: they are measured but can't be trained on"),
    ],
)
def test_the_fact_is_shortened_step_by_step_and_the_remedy_stays(text: str, fact: str) -> None:
    assert short("masks-without-image", text) == f"{fact}; {IMAGES}"


def test_a_fact_stays_whole_up_to_the_last_character() -> None:
    room = LONGEST - len(IMAGES) - 2
    fits, over = "1" + "x" * (room - 1), "1" + "x" * room
    assert short("masks-without-image", fits) == f"{fits}; {IMAGES}"
    assert len(short("masks-without-image", fits)) == LONGEST
    assert over not in short("masks-without-image", over)


def test_an_unclosed_bracket_ends_no_clause_and_loses_nothing() -> None:
    assert short("masks-without-image", "3 masks (a; b") == f"3 masks (a; b; {IMAGES}"


@pytest.mark.parametrize(
    "text, message, remedy",
    [
        ("it stops; copy it again", "it stops; copy it again", "copy it again"),
        ("it stops. It has 9 bytes; copy it again.", "it stops. It has 9 bytes; copy it again", "copy it again"),
        ("it stops. Copy it again.", "it stops. Copy it again", "Copy it again"),
        ("it stops", "it stops; copy or export it again", "copy or export it again"),
        (f"it stops; copy {'x' * 200}", "it stops; copy or export it again", "copy or export it again"),
        (
            f"{'x' * 200}; copy it again",
            "the file stops before its end; copy or export it again",
            "copy or export it again",
        ),
    ],
)
def test_words_that_end_in_what_to_do_are_kept_where_they_fit(text: str, message: str, remedy: str) -> None:
    assert short_message(Issue("error", "truncated-file", text)) == (message, remedy)


def test_words_of_codes_that_say_no_remedy_get_that_of_the_code() -> None:
    text = "it looks like a photograph; a mask was expected"
    assert short("looks-like-photo", text) == f"it looks like a photograph; {remedy_of('looks-like-photo')}"


@pytest.mark.parametrize("code", [c for c in CODES if OBJECT + c in PAGES])
def test_a_file_of_one_object_has_the_remedy_of_any_file(code: str) -> None:
    assert remedy_of(OBJECT + code) == remedy_of(code)
    text = "x" * 300
    assert short(OBJECT + code, text) == "one object: " + short(code, text)


@pytest.mark.parametrize("code", CODES)
def test_words_too_long_for_a_code_become_its_general_ones(code: str) -> None:
    general = short(code, "x" * 300)
    seen = general.removesuffix(f"; {remedy_of(code)}")
    assert PAGES[code].startswith(f"{seen[:1].upper()}{seen[1:]}.\n")


@given(st.sampled_from([*CODES, "of-a-later-version", "x\ny"]), TEXTS)
def test_every_message_fits_and_ends_in_what_to_do(code: str, text: str) -> None:
    message, remedy = short_message(Issue("error", code, text))
    assert 0 < len(message) <= LONGEST and remedy and message.endswith(remedy)


@given(st.sampled_from(CODES), TEXTS)
def test_a_message_shortened_again_is_the_same(code: str, text: str) -> None:
    message, remedy = short_message(Issue("error", code, text))
    if message.endswith(f"; {remedy_of(code)}"):
        assert short_message(Issue("error", code, message))[1].endswith(remedy)


# Grouping ---------------------------------------------------------------------------------------


def test_findings_come_in_the_order_of_their_first_issues() -> None:
    issues = [Issue("info", code, "x", path) for code, path in (("b", "1"), ("a", "2"), ("b", "3"), ("c", "4"))]
    assert [(f.code, f.place, f.more) for f in from_issues(issues)] == [
        ("b", "1", ("3",)), ("a", "2", ()), ("c", "4", ()),
    ]  # fmt: skip


def test_files_that_are_named_twice_count_once() -> None:
    issues = [Issue("error", "empty-file", "0 bytes", path) for path in ("a", "b", "a", "b", "c")]
    (only,) = from_issues(issues)
    assert (only.place, only.more) == ("a", ("b", "c"))


def test_nothing_read_is_nothing_found() -> None:
    assert list(from_issues([])) == []


@given(ISSUES)
def test_every_issue_is_in_one_finding(issues: list[Issue]) -> None:
    findings = list(from_issues(issues))
    assert len({(f.severity, f.code) for f in findings}) == len(findings)
    for f in findings:
        group = [i for i in issues if (i.severity, i.code) == (f.severity, f.code)]
        assert {f.place, *f.more} == {i.path for i in group}
        assert f.place == group[0].path and f.place not in f.more
        assert f.text in ("", group[0].message)
        assert f.text or f.message == group[0].message or not group[0].message
    assert {(i.severity, i.code) for i in issues} == {(f.severity, f.code) for f in findings}


@pytest.mark.slow
def test_the_first_findings_of_a_process_have_their_remedies_too() -> None:
    program = (
        "from dataclasses import replace\n"
        "from shapeprof.findings.find import find_all\n"
        "from shapeprof.issues import Issue\n"
        "from tests.builders import profile_of\n"
        "issue = Issue('error', 'truncated-file', 'it stops; copy it again', 'a.png')\n"
        "print(find_all(replace(profile_of([]), issues=(issue,)))[0].message)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "it stops; copy it again"


# Order ------------------------------------------------------------------------------------------


@given(ISSUES)
def test_severities_only_fall_and_reading_comes_before_the_checks(issues: list[Issue]) -> None:
    findings = find_all(replace(THIN, issues=tuple(issues)))
    assert [f.severity for f in findings] == sorted((f.severity for f in findings), key=SEVERITIES.index)
    infos = [f.code for f in findings if f.severity == "info"]
    assert infos[-2:] == ["few-objects", "thin-parts"]
    for severity in SEVERITIES:
        read = list(dict.fromkeys(i.code for i in issues if i.severity == severity))
        assert [f.code for f in findings if f.severity == severity][: len(read)] == read
