"""The command line as a person meets it: subprocesses, exit codes, clean streams, no tracebacks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from .builders import discs, write_set


def run(*arguments: str | Path, cwd: Path | None = None, columns: int = 80, **environment: str) -> tuple[int, str, str]:
    env = {**os.environ, "COLUMNS": str(columns), **environment}
    command = [sys.executable, "-c", "from shapeprof.cli import main; main()", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, cwd=cwd, env=env, stdin=subprocess.DEVNULL, check=False)
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a scanned set."""
    folder = tmp_path_factory.mktemp("kept")
    write_set(folder / "masks", discs(14, 20, per_image=9), images=folder / "images")
    code, out, err = run("scan", "masks", cwd=folder)
    assert (code, err) == (0, ""), err
    assert "Train this" in out
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("width", [80, 120])
def test_the_report_fits_its_width(kept: Path, width: int) -> None:
    code, out, _ = run("report", "masks", cwd=kept, columns=width)
    assert code == 0
    assert max(len(line.rstrip()) for line in out.splitlines()) <= width
    for title in ("Train this", "Why", "Your masks", "How coarse may the output be?", "Other choices"):
        assert title in out
    assert "shapeprof export masks --images IMAGES -o my-net" in out


@pytest.mark.slow
def test_without_colour_nothing_but_text_is_printed(kept: Path) -> None:
    _, plain, _ = run("report", "masks", cwd=kept, NO_COLOR="1")
    _, coloured, _ = run("report", "masks", cwd=kept, FORCE_COLOR="1")
    assert "\x1b" not in plain and "\x1b[" in coloured


@pytest.mark.slow
def test_a_terminal_without_unicode_gets_a_report_too(kept: Path) -> None:
    code, out, err = run("report", "masks", cwd=kept, PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert code == 0 and "Train this" in out and "Traceback" not in err


@pytest.mark.slow
def test_json_is_one_object_and_nothing_else(kept: Path) -> None:
    code, out, err = run("scan", "masks", "--json", cwd=kept)
    data = json.loads(out)
    assert (code, err) == (0, "")
    assert set(data) >= {"schema_version", "input", "classes", "findings", "recommendation"}
    assert set(data["input"]) >= {"files", "read", "empty", "unreadable", "encoding", "reasons"}
    (thing,) = data["classes"]
    assert set(thing) >= {
        "id",
        "name",
        "objects",
        "pixel_share",
        "image_share",
        "convexity",
        "width",
        "box_length",
        "survival",
    }
    assert set(thing["objects"]) >= {"found", "measured", "below_floor", "truncated"}
    assert set(thing["convexity"]) >= {"p05", "p25", "p50", "p75", "p95", "area_weighted"}
    assert set(thing["survival"]) == {"2", "4", "8", "16", "32"}
    assert set(thing["survival"]["2"]) >= {"nearest", "linear", "per_object", "recall"}
    assert set(data["recommendation"]) >= {
        "design", "logit_stride", "output_stride", "binding_class", "skip_strides", "auxiliary_heads", "context",
        "decisions", "alternatives",
    }  # fmt: skip
    assert json.loads(run("report", "masks", "--json", cwd=kept)[1]) == data


@pytest.mark.slow
def test_report_and_export_do_not_scan_again(kept: Path) -> None:
    before = (kept / "masks.shapeprof/profile.json").stat().st_mtime_ns
    assert run("report", "masks", cwd=kept)[2] == ""
    code, out, err = run("export", "--no-verify", "masks", "-o", "net", cwd=kept)
    assert code == 0 and err == ""
    assert "missing: dataset.csv" in out
    assert (kept / "masks.shapeprof/profile.json").stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_profile_can_stand_for_its_masks(kept: Path) -> None:
    by_masks = run("report", "masks", "--json", cwd=kept)[1]
    assert run("report", "masks.shapeprof/profile.json", "--json", cwd=kept)[1] == by_masks
    assert run("report", "masks.shapeprof", "--json", cwd=kept)[1] == by_masks


@pytest.mark.parametrize(
    ("name", "expected"),
    [("R1", "logit stride"), ("r4", "auxiliary heads"), ("convexity", "hull_area"), (None, "Rules:")],
)
def test_explain_prints_the_page(name: str | None, expected: str) -> None:
    code, out, _ = run("explain", *([name] if name else []))
    assert code == 0 and expected in out


@pytest.mark.slow
def test_a_profile_is_not_read_with_other_options(kept: Path) -> None:
    code, out, err = run("export", "--no-verify", "masks.shapeprof", "-o", "net2", "--train-size", "64", cwd=kept)
    assert (code, out) == (2, "") and "--train-size" in err and "mask folder" in err


def broken_inputs(folder: Path) -> None:
    mask = discs(1, 20)[0]
    (folder / "empty").mkdir()
    (folder / "texts").mkdir()
    (folder / "texts/notes.txt").write_text("no masks here")
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    write_set(folder / "photo", [noise])
    write_set(folder / "blank", [np.zeros((16, 16), np.uint8)] * 2)
    write_set(folder / "letters", [])
    (folder / "letters/a.png").write_text("a letter")
    write_set(folder / "fine", [mask] * 3)
    (folder / "thesis").mkdir()
    (folder / "thesis/chapter1.txt").write_text("It was")
    (folder / "not-a-profile.json").write_text("[1, 2]")
    (folder / "old.json").write_text('{"schema_version": 0}')


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["scan", "absent"], 1, ["absent", "no such folder"]),
        (["scan", "fine/000.png"], 1, ["fine/000.png", "this is a file", "fine"]),
        (["scan", "empty"], 3, ["empty", "the folder is empty"]),
        (["scan", "texts"], 3, ["texts", ".txt"]),
        (["scan", "photo"], 3, ["photo", "photograph"]),
        (["scan", "blank"], 3, ["blank", "none holds an object", "--background"]),
        (["scan", "letters"], 3, ["letters", "a.png"]),
        (["scan", "fine", "-o", "thesis"], 1, ["thesis", "chapter1.txt", "-o"]),
        (["scan", "fine", "--background", "blue"], 2, ["--background", "blue"]),
        (["scan", "fine", "--classes", "absent.csv"], 2, ["absent.csv"]),
        (["scan", "fine", "--workers", "-1"], 2, ["--workers"]),
        (["scan", "fine", "--group", "("], 2, ["group pattern"]),
        (["scan"], 2, ["MASKS"]),
        (["report", "not-a-profile.json"], 1, ["not-a-profile.json", "is not a profile", "shapeprof scan"]),
        (["report", "old.json"], 1, ["old.json", "schema version 0", "scan again"]),
        (["export", "fine", "-o", "thesis"], 1, ["thesis", "chapter1.txt", "-o"]),
        (["export", "fine", "-o", "fine/000.png"], 1, ["is a file"]),
        (["export", "fine", "--images", "texts", "-o", "net"], 1, ["texts"]),
        (["export", "fine", "-o", "net", "--to", "pytorchh"], 2, ["did you mean 'pytorch'"]),
        (["explain", "R99"], 2, ["R99"]),
        (["explain", "convexty"], 2, ["did you mean convexity"]),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else str(v),
)
@pytest.mark.slow
def test_bad_input_gets_one_clear_message(tmp_path: Path, arguments: list[str], code: int, says: list[str]) -> None:
    broken_inputs(tmp_path)
    got, out, err = run(*arguments, cwd=tmp_path, columns=200)
    assert got == code, err
    assert out == ""
    assert "Traceback" not in err
    for text in says:
        assert text in err


@pytest.mark.slow
def test_one_broken_file_is_a_finding_and_the_rest_goes_on(tmp_path: Path) -> None:
    masks = write_set(tmp_path / "masks", discs(12, 20, per_image=4))
    (masks / "cut.png").write_bytes((masks / "000.png").read_bytes()[:100])
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    cv2.imwrite(str(masks / "photo.png"), noise)
    code, out, err = run("scan", masks, columns=200)
    assert code == 0 and "Traceback" not in err
    assert "(cut.png)" in out and "(photo.png)" in out and out.count("!! ") == 2
    assert "12 masks read" in out and "2 files could not be read" in out
    assert run("scan", masks, "--strict")[0] == 1


@pytest.mark.slow
def test_scan_says_whether_masks_have_their_images(kept: Path, tmp_path: Path) -> None:
    masks = shutil.copytree(kept / "masks", tmp_path / "masks")
    _, out, _ = run("scan", masks, "--images", kept / "images", columns=200)
    assert "14 of 14 masks have their image" in out
    _, out, _ = run("scan", masks, "--images", write_set(tmp_path / "others", discs(2, 9), "_b.png"), columns=200)
    assert " ! " in out and "others" in out
    code, out, err = run("scan", masks, "--images", tmp_path / "absent")
    assert (code, out) == (1, "") and "absent: no such folder" in err


@pytest.mark.slow
def test_hostile_names_print_harmlessly(tmp_path: Path) -> None:
    masks = write_set(tmp_path / "masks", discs(12, 20, per_image=4))
    for name in ("[bold red]x[b].png", "new\nline.png", "\x1b[31mred.png"):
        (masks / name).write_text("not a mask")
    code, out, err = run("scan", masks, "--details", columns=200)
    assert code == 0 and "\x1b" not in out + err
    assert "[bold red]x[b].png" in out
    paths = {p for f in json.loads(run("scan", masks, "--json")[1])["findings"] for p in (f["path"], *f["more"])}
    assert {"[bold red]x[b].png", "new\nline.png", "\x1b[31mred.png"} <= paths


@pytest.mark.slow
def test_scan_does_not_need_to_write_beside_the_masks(tmp_path: Path) -> None:
    masks = write_set(tmp_path / "masks", discs(12, 20, per_image=4))
    code, _, err = run("scan", masks, "-o", tmp_path / "elsewhere/deep")
    assert code == 0, err
    assert (tmp_path / "elsewhere/deep/profile.json").is_file()
    assert not (tmp_path / "masks.shapeprof").exists()


@pytest.mark.slow
def test_options_that_say_how_masks_are_stored(tmp_path: Path) -> None:
    """Discs of 0 on 255, with corners that are ignored: inverted, and read under a limit of pixels."""
    rows, columns = np.mgrid[:64, :64]
    for i in range(4):
        values = np.where(np.hypot(rows - 30 - i, columns - 32) < 15, 0, 255).astype(np.uint8)
        values[:3, :3], values[-3:, -3:] = 7, 9
        (tmp_path / "masks").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "masks" / f"{i}.png"), values)
    options = ("--invert", "--ignore-index", "7,9", "--max-pixels", "4096")
    code, out, err = run("scan", "masks", "--json", *options, cwd=tmp_path)
    assert (code, err) == (0, "")
    profile = json.loads((tmp_path / "masks.shapeprof" / "profile.json").read_text())
    assert profile["encoding"]["ignored"] == [7, 9]
    assert profile["encoding"]["mapping"] == [[0, 1], [255, 0]]
    assert profile["arguments"]["ignore_index"] == [7, 9]
    assert json.loads(out)
    code, _, err = run("scan", "masks", "--max-pixels", "4095", cwd=tmp_path)
    assert code == 3 and "--max-pixels" in err and "Traceback" not in err
    code, _, err = run("scan", "masks", "--pages", "books", cwd=tmp_path)
    assert code == 2 and "Traceback" not in err


@pytest.mark.slow
def test_an_export_reads_masks_as_asked_and_says_when_the_kept_scan_did_not_read_them_plainly(tmp_path: Path) -> None:
    two = [mask + (mask & np.eye(256, dtype=np.uint8)) for mask in discs(14, 20, per_image=9)]
    write_set(tmp_path / "masks", two, images=tmp_path / "images")
    assert run("scan", "masks", "--sample", "12", "--exclude-class", "class 2", cwd=tmp_path)[0] == 0
    images = ("--images", tmp_path / "images")
    code, _, err = run("export", "--no-verify", "masks", *images, "-o", tmp_path / "a", cwd=tmp_path)
    assert (code, err) == (0, "As in the kept scan of these masks: exclude ['class 2'], sample 12.\n")
    for number, option in enumerate((["--pages", "auto"], ["--no-instances"], ["--no-annotations"])):
        code, _, err = run(
            "export", "--no-verify", "masks", *images, *option, "-o", tmp_path / str(number), cwd=tmp_path
        )
        assert code == 0 and err.startswith("No up-to-date scan of masks is kept")
        assert yaml_classes(tmp_path / str(number)) == ["background", "class 1", "class 2"]
    merged = ("--merge-classes", "class 1,class 2=thing")
    assert run("export", "--no-verify", "masks", *images, *merged, "-o", tmp_path / "m", cwd=tmp_path)[0] == 0
    assert yaml_classes(tmp_path / "m") == ["background", "thing"]


def yaml_classes(folder: Path) -> list[str]:
    spec = yaml.safe_load((folder / "spec.yaml").read_text(encoding="utf-8"))
    return [each["name"] for each in spec["classes"]]


@pytest.mark.parametrize(
    ("command", "panels", "options"),
    [
        (
            "scan",
            ("Which files are masks, and how", "What their values mean", "Measuring", "The design"),
            ("--pattern", "--explain-input", "--no-instances", "--merge-classes", "--floor", "--strict", "--memory"),
        ),
        (
            "export",
            ("Which files are masks, and how", "What their values mean", "Measuring", "The design"),
            ("--images", "--no-verify", "--no-pretrained", "--to", "--train-size", "--group", "--rules"),
        ),
        ("report", ("The design",), ("--details", "--json", "--tolerance")),
    ],
)
def test_help_shows_options_in_panels_with_limits_and_defaults(
    command: str, panels: tuple[str, ...], options: tuple[str, ...]
) -> None:
    code, out, err = run(command, "--help", columns=120)
    assert (code, err) == (0, "")
    assert sorted(panels, key=out.index) == list(panels)
    assert [option for option in options if option not in out] == []
    assert "x>=0.5" in out and "[default: (8)]" in out
    assert ("--floor" in out) == (command == "scan")
    if command == "scan":
        assert "[default: 32]" in out and "x>=10" in out and "[default: (detected)]" in out


def test_the_help_of_export_lists_the_targets() -> None:
    assert "What to write: pytorch" in " ".join(run("export", "--help", columns=200)[1].split())


@pytest.mark.slow
def test_details_show_more(kept: Path) -> None:
    short, long = run("report", "masks", cwd=kept)[1], run("report", "masks", "--details", cwd=kept)[1]
    assert len(long.splitlines()) > len(short.splitlines()) + 10
    assert run("scan", "masks", "--details", cwd=kept)[1].splitlines()[1:9] == long.splitlines()[1:9]


@pytest.mark.slow
def test_the_next_command_repeats_the_options_of_the_design(kept: Path, tmp_path: Path) -> None:
    (tmp_path / "my rules.toml").write_text("min_objects = 7\n")
    design = ("--tolerance", "0.1", "--memory", "24", "--rules", tmp_path / "my rules.toml")
    out = run("report", "masks", *design, cwd=kept, columns=400)[1]
    assert f"--tolerance 0.1 --rules '{tmp_path / 'my rules.toml'}' --memory 24" in out
    out = run("scan", "masks", "-o", tmp_path / "out", cwd=kept, columns=400)[1]
    assert f"shapeprof export {tmp_path / 'out' / 'profile.json'}" in out


@pytest.mark.slow
def test_a_group_alone_does_not_ask_for_another_scan(kept: Path, tmp_path: Path) -> None:
    options = ("--images", "images", "--group", r"(\d)\.png", "--no-verify", "-o", tmp_path / "net")
    code, out, err = run("export", "masks.shapeprof", *options, cwd=kept)
    assert (code, err) == (0, "") and "train.py" in out
    rows = (tmp_path / "net" / "dataset.csv").read_text().splitlines()[1:]
    assert {row.rsplit(",", 1)[1] for row in rows} == {str(i) for i in range(10)}


@pytest.mark.slow
def test_explain_lists_all_names() -> None:
    code, out, _ = run("explain")
    rules, metrics = out.splitlines()[:2]
    assert code == 0 and rules.startswith("Rules:") and metrics.startswith("Metrics:")
    assert "R0" in rules and "convexity" in metrics


@pytest.mark.parametrize("place", ["", " "])
@pytest.mark.parametrize("command", ["scan", "report"])
def test_an_empty_place_is_named(command: str, place: str) -> None:
    code, out, err = run(command, place)
    assert (code, out) == (2, "") and "expected a folder" in err
