"""From folders as people have them to profiles and exports: layouts, lists, URLs, and names that try to do harm."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from shapeprof.export.export import export_model
from shapeprof.profile import file as profile_file
from shapeprof.profile.profile import Profile
from shapeprof.profile.tally import part
from shapeprof.recommend.recommend import recommend_design
from shapeprof.scan.options import ScanOptions
from shapeprof.scan.scan import kept_profile, scan_masks

from .builders import discs, write_set
from .test_cli import run

SHARED = Path(__file__).resolve().parents[2] / "shared" / "datasets"
ONE = ScanOptions(workers=1)


def class_table(profile: Profile) -> dict[str, tuple[int, int]]:
    """Pixels and images by class name."""
    return {profile.name_of(c): (int(part(t, "pixels")), int(part(t, "images"))) for c, t in profile.totals.items()}


def found(profile: Profile) -> int:
    return sum(int(part(t, "found")) for t in profile.totals.values())


def write(path: Path, mask: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), mask)


def as_objects(root: Path, masks: list[np.ndarray]) -> Path:
    """Each mask as a folder with a file per object, and its image beside."""
    for i, mask in enumerate(masks):
        count, pieces = cv2.connectedComponents(mask)
        for k in range(1, count):
            write(root / "masks" / f"im{i:03}" / f"{k:02}.png", np.where(pieces == k, 255, 0).astype(np.uint8))
        write(root / "images" / f"im{i:03}.png", mask * 90 + 20)
    return root


@pytest.mark.slow
@pytest.mark.shared
def test_dsb_in_its_authors_encoding_is_what_the_derived_masks_are(tmp_path: Path) -> None:
    root = SHARED / "dsb2018_nuclei"
    if not root.is_dir():
        pytest.skip(f"the real data set is not at {SHARED}")
    options = ScanOptions(survival_sample=10)
    own = scan_masks(root / "masks", options, tmp_path / "own")
    index = scan_masks(root / "masks_index", options, tmp_path / "index")
    instance = scan_masks(root / "masks_instance", options, tmp_path / "instance")
    assert class_table(own) == class_table(index) == {"foreground": (1_944_426, 100)}
    assert found(own) == found(instance) == 4334
    assert (own.ledger.files, own.ledger.read) == (100, 100)


@pytest.mark.slow
def test_objects_in_files_of_their_own(tmp_path: Path) -> None:
    masks = discs(12, 20, per_image=9)
    profile = scan_masks(as_objects(tmp_path, masks) / "masks", ONE)
    plain = scan_masks(write_set(tmp_path / "whole", masks), ONE)
    assert class_table(profile) == class_table(plain)
    assert found(profile) == found(plain) == 108
    table = pd.read_parquet(tmp_path / "masks.shapeprof" / "objects.parquet")
    assert set(table["path"]) == {f"im{i:03}" for i in range(12)}
    result = export_model(profile, recommend_design(profile), tmp_path / "net", images=tmp_path / "images")
    with (result.folder / "dataset.csv").open(newline="") as file:
        pairs = list(csv.DictReader(file))
    assert len(pairs) == 12
    assert (cv2.imread(str(tmp_path / "net" / "masks/im003.png"), 0) == masks[3]).all()


def test_a_file_of_an_object_that_changes_makes_the_scan_old(tmp_path: Path) -> None:
    masks = as_objects(tmp_path, discs(12, 20, per_image=9)) / "masks"
    scan_masks(masks, ONE)
    assert kept_profile(masks) is not None
    (masks / "im000" / "01.png").unlink()
    assert kept_profile(masks) is None


def test_an_unreadable_object_is_in_the_findings(tmp_path: Path) -> None:
    masks = as_objects(tmp_path, discs(12, 20, per_image=9)) / "masks"
    (masks / "im000" / "01.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    profile = scan_masks(masks, ONE)
    assert (profile.ledger.read, profile.ledger.unreadable, found(profile)) == (12, 0, 107)
    [issue] = [issue for issue in profile.issues if issue.path]
    assert (issue.severity, issue.path) == ("error", "im000/01.png")


def test_classes_in_files_of_their_own(tmp_path: Path) -> None:
    for i, (small, large) in enumerate(zip(discs(12, 20, per_image=4), discs(12, 60), strict=True)):
        write(tmp_path / "masks" / f"{i:03}_car.png", small * 255)
        write(tmp_path / "masks" / f"{i:03}_road.png", large * 255)
        write(tmp_path / "images" / f"{i:03}.png", small * 90 + large * 60)
    profile = scan_masks(tmp_path / "masks", ONE)
    assert {name: images for name, (_, images) in class_table(profile).items()} == {"car": 12, "road": 12}
    assert found(profile) == 60
    result = export_model(profile, recommend_design(profile), tmp_path / "net", images=tmp_path / "images")
    assert result.pairs == 12
    written = cv2.imread(str(tmp_path / "net" / "masks/004.png"), 0)
    car = cv2.imread(str(tmp_path / "masks/004_car.png"), 0) > 0
    road = cv2.imread(str(tmp_path / "masks/004_road.png"), 0) > 0
    assert ((written == 1) == car).all()
    assert ((written == 2) == (road & ~car)).all()


def test_numbered_classes_are_measured_by_class_and_object(tmp_path: Path) -> None:
    for i, (cars, road) in enumerate(zip(discs(12, 20, per_image=4), discs(12, 60, seed=3), strict=True)):
        count, numbers = cv2.connectedComponents(cars)
        assert count == 5
        values = np.where(numbers > 0, 26000 + numbers - 1, np.where(road > 0, 7, 0)).astype(np.uint16)
        write(tmp_path / "masks" / f"a_{i:06}_000019_gtFine_instanceIds.png", values)
    profile = scan_masks(tmp_path / "masks", ONE)
    assert {name: images for name, (_, images) in class_table(profile).items()} == {"road": 12, "car": 12}
    of_class = {profile.name_of(c): int(part(t, "found")) for c, t in profile.totals.items()}
    assert of_class["car"] == 48


@pytest.mark.slow
def test_a_list_is_scanned_and_what_it_misses_is_counted(tmp_path: Path) -> None:
    write_set(tmp_path / "m", discs(12, 20, per_image=4), images=tmp_path / "i")
    names = sorted(p.name for p in (tmp_path / "m").iterdir())[:11]
    (tmp_path / "train.txt").write_text("".join(f"m/{name}\n" for name in [*names, "gone.png"]))
    code, out, err = run("scan", "train.txt", cwd=tmp_path, columns=200)
    assert (code, err) == (0, "")
    assert "11 masks read" in out and "gone.png" in out
    profile = profile_file.load(tmp_path / "train.txt.shapeprof" / "profile.json")
    assert (profile.ledger.files, profile.ledger.read, profile.ledger.unreadable) == (12, 11, 1)
    assert run("report", "train.txt", cwd=tmp_path)[2] == ""  # kept: not scanned again
    code, _, err = run("export", "--no-verify", "train.txt", "--images", "i", "-o", "net", cwd=tmp_path)
    assert code == 0, err
    assert len((tmp_path / "net" / "dataset.csv").read_text().splitlines()) == 12


@pytest.mark.slow
def test_a_pattern_is_kept_with_the_profile(tmp_path: Path) -> None:
    masks, other = discs(12, 20, per_image=4), discs(12, 9, per_image=4)
    for i in range(12):
        write(tmp_path / "m" / f"{i:03}_a.png", masks[i])
        write(tmp_path / "m" / f"{i:03}_b.png", other[i])
        write(tmp_path / "i" / f"{i:03}.png", masks[i] * 90)
    code, out, err = run("scan", "m", "--pattern", "*_a.png", "--images", "i", cwd=tmp_path, columns=200)
    assert (code, err) == (0, "")
    assert "12 of 12 masks have their image" in out
    code, _, err = run("export", "--no-verify", "m", "--images", "i", "-o", "net", cwd=tmp_path)
    assert (code, err) == (0, "As in the kept scan of these masks: pattern *_a.png.\n")
    assert "_b" not in (tmp_path / "net" / "dataset.csv").read_text()
    assert run("scan", "m", "--pattern", "*.tif", cwd=tmp_path)[0] == 1
    assert run("scan", "m", "--layout", "heap", cwd=tmp_path)[0] == 2


@pytest.mark.slow
def test_a_url_is_scanned(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    masks = write_set(tmp_path / "m", discs(12, 20, per_image=4))
    code, out, err = run("scan", f"file://{masks}", cwd=tmp_path, columns=200)
    assert (code, err) == (0, "")
    assert "12 masks read" in out
    code, out, err = run("scan", f"file://{masks}", "--explain-input", cwd=tmp_path, columns=200)
    assert code == 0 and "12 masks in" in out
    code, out, err = run("scan", "file:///no/such", cwd=tmp_path, columns=200)
    assert (code, out) == (1, "") and "there is no file" in err


@pytest.mark.slow
def test_explaining_measures_nothing(tmp_path: Path) -> None:
    write_set(tmp_path / "m", discs(3, 20, per_image=4))
    code, out, err = run("scan", "m", "--explain-input", cwd=tmp_path, columns=120)
    assert (code, err) == (0, "")
    assert "3 masks" in out and "000.png" in out and "foreground" in out
    assert not (tmp_path / "m.shapeprof").exists()
    code, out, _ = run("scan", "m", "--explain-input", "--json", cwd=tmp_path)
    assert code == 0 and len(json.loads(out)["files"]) == 3
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_text("no png")
    code, out, err = run("scan", "broken", "--explain-input", cwd=tmp_path, columns=120)
    assert code == 3 and "none of the 1 files" in out and "Traceback" not in err


HOSTILE = (
    "[bold red]x[b].png",
    "[[y]].png",
    "new\nline.png",
    "bell\x07 and \x1b[31mred.png",
    "a..b.png",
    "n" * 200 + ".png",
    'comma, "quote".png',
    os.fsdecode(b"caf\xe9.png"),
)


@pytest.mark.slow
def test_hostile_names_stay_intact_in_every_output(tmp_path: Path) -> None:
    masks = write_set(tmp_path / "m", discs(len(HOSTILE) + 4, 20, per_image=4), images=tmp_path / "i")
    for folder in (tmp_path / "i", masks):
        for old, name in zip(sorted(folder.iterdir()), HOSTILE, strict=False):
            old.rename(folder / name)
    code, out, err = run("scan", "m", "--images", "i", cwd=tmp_path, columns=200)
    assert (code, err) == (0, "")
    assert "\x1b" not in out and "\x07" not in out
    profile = profile_file.load(tmp_path / "m.shapeprof" / "profile.json")
    assert set(HOSTILE) <= {path for path, _ in profile.sample}
    rows = pd.read_parquet(tmp_path / "m.shapeprof" / "objects.parquet")
    escaped = {name.encode("utf-8", "backslashreplace").decode() for name in HOSTILE}
    assert escaped <= set(rows["path"])
    code, _, err = run("export", "--no-verify", "m", "--images", "i", "-o", "net", cwd=tmp_path)
    assert code == 0 and "Traceback" not in err
    with (tmp_path / "net" / "dataset.csv").open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        pairs = list(csv.DictReader(file))
    assert {Path(row["mask"]).name for row in pairs} >= set(HOSTILE)
    assert all(Path(row["mask"]).stem == Path(row["image"]).stem for row in pairs)
