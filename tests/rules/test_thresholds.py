"""Thresholds: what a TOML file may say, and that each has its origin and is read by a rule."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from shapeprof.errors import UsageError
from shapeprof.rules import thresholds
from shapeprof.rules.rule import all_rules
from shapeprof.rules.thresholds import Thresholds, override

ROOM = Path(thresholds.__file__).parent
NAMES = [f.name for f in fields(Thresholds)]


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("name", NAMES)
def test_any_of_them_can_be_overridden(tmp_path: Path, name: str) -> None:
    value = getattr(Thresholds(), name) * 2
    assert override(written(tmp_path, f"{name} = {value}")) == replace(Thresholds(), **{name: value})


@pytest.mark.parametrize("name", NAMES)
def test_every_one_names_the_rule_that_reads_it_and_its_origin(name: str) -> None:
    line = next(text for text in Path(thresholds.__file__).read_text().splitlines() if f"    {name}: " in text)
    comment = line.split("# ")[1]
    codes = re.findall(r"\b[RT]\d+\b", comment.split(":")[0])
    assert {*codes} <= {r.code for r in all_rules()}
    assert codes or comment.startswith("the lesson")
    assert len(comment.split(": ", 1)[1]) > 10


@pytest.mark.parametrize("name", NAMES)
def test_every_one_is_read(name: str) -> None:
    text = "".join(p.read_text() for p in [*ROOM.glob("*.py"), *ROOM.parent.glob("recommend/*.py")])
    assert f"t.{name}" in text or f"thresholds.{name}" in text


def test_a_page_names_its_thresholds_as_the_file_does() -> None:
    for rule in all_rules():
        for name in re.findall(r"`([a-z_]+)`", rule.page):
            assert name in NAMES, f"{rule.code}: {name}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tolerence = 0.2", r"mine\.toml: unknown threshold 'tolerence'; did you mean tolerance\?"),
        ("zzz = 1", "unknown threshold 'zzz'; known: min_images, min_objects"),
        ("tolerance = 'much'", "tolerance must be a number, got 'much'"),
        ("tolerance = true", "tolerance must be a number, got True"),
        ("tolerance = [1]", "tolerance must be a number"),
        ("tolerance = -0.1", "tolerance must be 0 or more, got -0.1"),
        ("tolerance = nan", "tolerance must be 0 or more, got nan"),
        ("memory_gb = inf", "memory_gb must be 0 or more, got inf"),
        ("crop_step = 0", "crop_step must be a whole number from 1, got 0"),
        ("small_set = 10.5", r"small_set must be a whole number from 1, got 10\.5"),
        ("tolerance = ", "is not TOML"),
    ],
)
def test_bad_ones_say_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        override(written(tmp_path, text))


def test_a_file_that_is_absent_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.toml: can't be read"):
        override(tmp_path / "absent.toml")
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"mine\.toml: is not TOML"):
        override(tmp_path / "mine.toml")


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert override(written(tmp_path, "")) == Thresholds()
