"""Options: what follows from one declaration."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest

from shapeprof.errors import UsageError
from shapeprof.limits import MAX_PIXELS, MEMORY_GB
from shapeprof.options import (
    PANELS,
    DesignOptions,
    ExportOptions,
    class_names,
    declared,
    finding,
    from_typed,
    measuring,
    option,
    raw_value,
    raw_values,
    recorded,
    typed_again,
)
from shapeprof.rules.thresholds import Thresholds
from shapeprof.scan.options import ScanOptions
from shapeprof.scan.shard_cache import manner_of
from shapeprof.sources import Encoding, ReadOptions
from shapeprof.sources.encoding import ClassTable

ALL = (ScanOptions, DesignOptions, ExportOptions)
ENCODING = Encoding("index", ((0, 0), (1, 1)), ClassTable(("background", "thing")))


@dataclass(frozen=True, slots=True)
class More(ScanOptions):
    """Scan options with some that a newcomer has added."""

    convexity_area: int = option(200, "Convexity only from this area on.", measures=True)
    forgotten: int = option(1, "Nothing is said about what it changes.")
    seeds: int = option(1, "Which masks are resampled together.", measures=False, recorded=True)
    colour: str = option("blue", "Of a bar.", measures=False)
    bare: float = 1.0  # a field that is not declared as an option


@pytest.mark.parametrize(
    ("name", "value", "is_recorded", "is_measuring"),
    [
        ("convexity_area", 100, True, True),
        ("forgotten", 2, True, True),
        ("bare", 2.0, True, True),
        ("seeds", 2, True, False),
        ("colour", "red", False, False),
    ],
)
def test_what_an_option_changes_follows_from_its_declaration(
    name: str, value: Any, is_recorded: bool, is_measuring: bool
) -> None:
    usual, other = More(), replace(More(), **{name: value})
    assert (usual.arguments() != other.arguments()) == (name in other.arguments()) == is_recorded
    assert (manner_of(ENCODING, usual) != manner_of(ENCODING, other)) == is_measuring
    assert (name in measuring(other)) == is_measuring


def test_what_is_measured_again_is_what_it_always_was() -> None:
    """Reading options act through the encoding; which masks are sampled is part of each mask's state."""
    assert measuring(ScanOptions()) == {"class_file": None, "train_size": None, "floor": 32, "thickness": False}


def test_the_arguments_of_a_profile() -> None:
    options = ScanOptions(
        ReadOptions(class_file=Path("names.csv"), ignore_index=(254, 255), exclude=("sky",)), floor=8, workers=3
    )
    assert options.arguments() == {
        "classes": None,
        "class_file": "names.csv",
        "background": "auto",
        "ignore_index": [254, 255],
        "instances": None,
        "train_size": None,
        "annotations": None,
        "exclude": ["sky"],
        "merge": [],
        "pattern": None,
        "layout": "auto",
        "invert": False,
        "pages": "auto",
        "max_pixels": MAX_PIXELS,
        "sample": 0,
        "floor": 8,
        "survival_sample": 256,
        "survival_best": 0,
        "thickness": False,
        "group": None,
    }
    assert json.loads(json.dumps(options.arguments())) == options.arguments()
    assert recorded(options) == options.arguments()


@pytest.mark.parametrize(("field", "value"), [("workers", 7), ("strict", True)])
def test_how_a_scan_runs_is_not_recorded(field: str, value: Any) -> None:
    assert replace(ScanOptions(), **{field: value}).arguments() == ScanOptions().arguments()


@pytest.mark.parametrize("kind", ALL)
def test_every_option_has_help_a_panel_and_a_flag_of_its_own(kind: type) -> None:
    options = [each for each in declared(kind) if each.flag is not None]
    assert len({each.flag for each in options}) == len(options) > 2
    for each in options:
        assert each.option.help.endswith((".", "...")) and len(each.option.help) < 110, each.name
        assert each.option.panel in PANELS
        assert str(each.flag).startswith("--")
        assert each.option.min is None or each.default is None or each.default >= each.option.min


@pytest.mark.parametrize(
    ("kind", "name", "flag"),
    [
        (ScanOptions, "floor", "--floor"),
        (ScanOptions, "survival_sample", "--survival-sample"),
        (ScanOptions, "instances", "--instances/--no-instances"),
        (ScanOptions, "exclude", "--exclude-class"),
        (ScanOptions, "invert", "--invert"),
        (ScanOptions, "class_file", None),
        (ExportOptions, "verify", "--verify/--no-verify"),
        (ExportOptions, "images", "--images"),
    ],
)
def test_flags(kind: type, name: str, flag: str | None) -> None:
    assert {each.name: each.flag for each in declared(kind)}[name] == flag


def test_nested_options_are_declared_in_order() -> None:
    names = [each.name for each in declared(ScanOptions)]
    assert names[: len(fields(ReadOptions))] == [each.name for each in fields(ReadOptions)]
    assert names[-1] == "workers" and "read" not in names


def test_what_was_not_typed_keeps_its_default(tmp_path: Path) -> None:
    nothing = {each.name: None for each in declared(ScanOptions)}
    assert from_typed(ScanOptions, nothing) == from_typed(ScanOptions, {}) == ScanOptions()
    typed = {"classes": "a, b", "background": "none", "ignore_index": "7,9", "merge": ["a,b=c"], "floor": 8, "other": 1}
    assert from_typed(ScanOptions, typed) == ScanOptions(
        ReadOptions(classes=("a", "b"), background=None, ignore_index=(7, 9), merge=("a,b=c",)), floor=8
    )
    assert from_typed(ReadOptions, {"instances": False, "annotations": True}) == ReadOptions(
        instances=False, annotations=True
    )
    (tmp_path / "names.csv").write_text("a\nb\n")
    path = str(tmp_path / "names.csv")
    assert from_typed(ReadOptions, {"classes": path}) == ReadOptions(class_file=Path(path))


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("-1", -1), ("#1E1E1E", 0x1E1E1E), ("none", None), ("None", None), ("255", 255)]
)
def test_raw_values_as_they_are_typed(text: str, value: int | None) -> None:
    assert raw_value("--background", text) == raw_values("--ignore-index", text) == value


@pytest.mark.parametrize("text", ["blue", "", "1.5", "#12345G", "1;2"])
def test_a_raw_value_that_is_none_names_option_value_and_expectation(text: str) -> None:
    with pytest.raises(UsageError, match=r"--background .*: expected a whole number, a colour like #1E1E1E, or none"):
        raw_value("--background", text)
    with pytest.raises(UsageError, match="--ignore-index"):
        raw_values("--ignore-index", f"1,{text}")


def test_class_names_are_names_or_a_file(tmp_path: Path) -> None:
    assert class_names("--classes", "sky") == {"classes": ("sky",)}
    assert class_names("--classes", "sky , tree.1") == {"classes": ("sky", "tree.1")}
    (tmp_path / "names.txt").write_text("sky")
    assert class_names("--classes", str(tmp_path / "names.txt")) == {"class_file": tmp_path / "names.txt"}
    with pytest.raises(UsageError, match=r"--classes absent\.csv: no such file; give a file, or names as a,b,c"):
        class_names("--classes", "absent.csv")


def test_the_files_of_a_profile_are_found_with_its_own_options() -> None:
    arguments = ScanOptions(ReadOptions(pattern="*_mask.png", annotations=False, invert=True), floor=4).arguments()
    assert finding(ReadOptions, arguments) == ReadOptions(pattern="*_mask.png", annotations=False)
    assert ReadOptions.of_files(arguments) == ReadOptions(pattern="*_mask.png", annotations=False)
    assert ReadOptions.of_files({}) == ReadOptions()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (DesignOptions(), ()),
        (DesignOptions(tolerance=0.1), ("--tolerance", "0.1")),
        (DesignOptions(rules=Path("my rules.toml"), memory=24.0), ("--rules", "my rules.toml", "--memory", "24")),
    ],
)
def test_the_next_command_repeats_what_differs(options: DesignOptions, words: tuple[str, ...]) -> None:
    assert typed_again(options) == words


def test_defaults_stand_once() -> None:
    memory = {each.name: each for each in declared(DesignOptions)}["memory"]
    assert memory.option.shown == f"{MEMORY_GB:g}" and Thresholds().memory_gb == MEMORY_GB
    assert ReadOptions().max_pixels == ENCODING.max_pixels == MAX_PIXELS
