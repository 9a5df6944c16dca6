"""Targets are found by name, and an export asks its target for files, checks and next lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shapeprof.design.spec import ModelSpec
from shapeprof.errors import UsageError
from shapeprof.export.export import export_model, next_lines
from shapeprof.recommend.recommend import recommend_design
from shapeprof.session import quick_checks
from shapeprof.targets import target as registry
from shapeprof.targets.target import EmittedFile, find_target, target, target_names
from tests.builders import discs, profile_of


@pytest.fixture
def note() -> Iterator[str]:
    """A target that writes one file and needs no data."""

    @target("note", title="a note", needs_dataset=False, next_lines=lambda folder: (f"cat {folder.name}/note.txt",))
    def emit(spec: ModelSpec) -> tuple[EmittedFile, ...]:
        return (EmittedFile("note.txt", f"{spec.design}\n"),)

    yield "note"
    del registry._TARGETS["note"]


def test_names() -> None:
    assert "pytorch" in target_names() and list(target_names()) == sorted(target_names())


def test_unknown_names_suggest_a_near_one() -> None:
    with pytest.raises(UsageError, match="unknown target 'pytorhc'; did you mean 'pytorch'"):
        find_target("pytorhc")
    with pytest.raises(UsageError, match=r"unknown target 'x'; known: .*pytorch"):
        find_target("x")


def test_a_second_owner_of_a_name_is_refused() -> None:
    find_target("pytorch")
    with pytest.raises(ValueError, match=r"'pytorch' is already defined by shapeprof\.targets\.pytorch"):
        target("pytorch", title="again")(lambda spec: ())


def test_a_new_target_is_exported_by_its_name_alone(note: str, tmp_path: Path) -> None:
    profile = profile_of(discs(20, 12))
    result = export_model(profile, recommend_design(profile), tmp_path / "out", target=note)
    assert (tmp_path / "out/note.txt").read_text() == f"{result.spec.design}\n"
    assert result.files == ("note.txt",) and result.missing == ()
    assert next_lines(result) == ("cat out/note.txt",)
    assert str(quick_checks(result)) == "the target note has no checks"


def test_next_lines_wait_for_data_and_are_quoted(tmp_path: Path) -> None:
    profile = profile_of(discs(20, 12))
    result = export_model(profile, recommend_design(profile), tmp_path / "my net")
    assert result.missing and next_lines(result) == ()
    assert next_lines(replace(result, missing=())) == (f"python '{tmp_path / 'my net' / 'train.py'}'",)
