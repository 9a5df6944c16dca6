"""Drawn annotations all the way: measured by instance and class, written as masks to train on."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from shapeprof.cli import app
from shapeprof.export.export import export_model
from shapeprof.profile.tally import part
from shapeprof.recommend.recommend import recommend_design
from shapeprof.scan import shards as scanner
from shapeprof.scan.options import ScanOptions
from shapeprof.scan.scan import kept_profile, scan_masks
from shapeprof.sources import ReadOptions

SIZE = (120, 160)  # rows, columns


def box(left: float, top: float, width: float, height: float) -> list[float]:
    return [left, top, left + width, top, left + width, top + height, left, top + height]


def write_annotations(root: Path, images: int = 12) -> Path:
    """Images and a COCO document: two beams that touch, a pane on one of them, and a beam in two pieces."""
    rng = np.random.default_rng(0)
    records, objects = [], []
    for i in range(images):
        name = f"{'train' if i % 3 else 'val'}/{i}.png"
        (root / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / "images" / name), rng.integers(0, 255, (*SIZE, 3), np.uint8))
        records.append({"id": i, "file_name": name, "height": SIZE[0], "width": SIZE[1]})
        shift = i % 4
        shapes: list[tuple[int, list[list[float]]]] = [
            (4, [box(10 + shift, 10, 40, 20)]),
            (4, [box(50 + shift, 10, 40, 20)]),
            (9, [box(15 + shift, 15, 12, 6)]),
            (4, [box(10, 60, 30, 10), box(60, 60, 30, 10)]),
        ]
        objects += [{"image_id": i, "category_id": c, "segmentation": s} for c, s in shapes]
    objects = [{"id": n, "iscrowd": 0, **o} for n, o in enumerate(objects)]
    categories = [{"id": 9, "name": "pane"}, {"id": 4, "name": "beam"}]
    document = {"images": records, "annotations": objects, "categories": categories}
    (root / "annotations").mkdir()
    (root / "annotations" / "all.json").write_text(json.dumps(document))
    return root


@pytest.mark.slow
def test_objects_are_those_of_the_document(tmp_path: Path) -> None:
    root = write_annotations(tmp_path / "set")
    profile = scan_masks(root, ScanOptions(floor=1), tmp_path / "out")
    assert profile.names == ("background", "beam", "pane") and profile.ledger.read == 12
    found = {c: (int(part(t, "found")), int(part(t, "pixels"))) for c, t in profile.totals.items()}
    assert found == {1: (36, 12 * (1600 + 600 - 72)), 2: (12, 12 * 72)}
    rows = pd.read_parquet(tmp_path / "out" / "objects.parquet")
    assert sorted(rows.groupby(["class_name", "area"]).size().items()) == [
        (("beam", 600), 12),  # in two pieces
        (("beam", 728), 12),  # under a pane
        (("beam", 800), 12),
        (("pane", 72), 12),
    ]
    assert set(rows.loc[rows.area == 600, "pieces"]) == {2}
    assert set(rows.loc[rows.area == 800, "touching"]) == {1}
    merged = scan_masks(root, ScanOptions(ReadOptions(merge=("pane,beam=part",)), floor=1), tmp_path / "merged")
    assert {c: int(part(t, "found")) for c, t in merged.totals.items()} == {1: 48}
    panes = scan_masks(root, ScanOptions(ReadOptions(exclude=("beam",)), floor=1), tmp_path / "panes")
    assert panes.names == ("background", "pane")
    assert {c: int(part(t, "found")) for c, t in panes.totals.items()} == {1: 12}
    semantic = scan_masks(root, ScanOptions(ReadOptions(instances=False), floor=1), tmp_path / "semantic")
    assert {c: int(part(t, "found")) for c, t in semantic.totals.items()} == {1: 36, 2: 12}  # joined and split


@pytest.mark.slow
def test_equal_scans_are_equal_for_any_number_of_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_annotations(tmp_path / "set")
    scan_masks(root, ScanOptions(workers=1), tmp_path / "one")
    monkeypatch.setattr(scanner, "SHARDS", 5)
    scan_masks(root, ScanOptions(workers=2), tmp_path / "two")
    assert (tmp_path / "one/profile.json").read_bytes() == (tmp_path / "two/profile.json").read_bytes()


@pytest.mark.parametrize("given", [".", "annotations", "annotations/all.json"])
def test_an_export_pairs_images_and_writes_masks(tmp_path: Path, given: str) -> None:
    root = write_annotations(tmp_path / "set")
    profile = scan_masks(root / given)
    result = export_model(profile, recommend_design(profile), tmp_path / "net", images=root / "images")
    assert [(c.name, c.raw_values) for c in result.spec.classes] == [("background", ()), ("beam", (4,)), ("pane", (9,))]
    with (tmp_path / "net" / "dataset.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12 and {row["split"] for row in rows} == {"train", "val"}
    for row in rows:
        mask = cv2.imread(str(tmp_path / "net" / row["mask"]), cv2.IMREAD_UNCHANGED)
        assert mask is not None and mask.shape == SIZE and np.bincount(mask.ravel()).tolist()[1:] == [2128, 72]
        assert Path(row["image"]).stem == Path(row["mask"]).stem


def test_a_kept_scan_is_outdated_by_a_changed_document(tmp_path: Path) -> None:
    root = write_annotations(tmp_path / "set")
    scan_masks(root)
    assert kept_profile(root) is not None
    document = root / "annotations" / "all.json"
    document.write_text(document.read_text() + " ")
    assert kept_profile(root) is None


def run(*arguments: str | Path) -> str:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.slow
def test_the_command_line(tmp_path: Path) -> None:
    root = write_annotations(tmp_path / "set")
    out = run("scan", root / "annotations" / "all.json", "--images", root / "images")
    assert "drawn from annotations" in out and "12 of 12 masks have their image" in " ".join(out.split())
    assert "drawn from annotations" in run("report", root / "annotations" / "all.json")
    run("export", "--no-verify", root / "annotations" / "all.json", "--images", root / "images", "-o", tmp_path / "net")
    (root / "masks").mkdir()
    for i in range(12):
        mask = np.zeros(SIZE, np.uint8)
        mask[20:60, 20 : 40 + i] = 1
        cv2.imwrite(str(root / "masks" / f"{i}.png"), mask)
    assert "drawn from annotations" not in run("scan", root)
    assert "drawn from annotations" in run("scan", root, "--annotations")
    assert "drawn from annotations" not in run("scan", root, "--no-annotations")
    out = run("scan", root, "--annotations", "--explain-input")
    assert "annotations/all.json" in out and "beam 11 %" in out and "4 objects" in out and "12 images" in out
    out = run("export", "--no-verify", root, "--annotations", "--images", root / "images", "-o", tmp_path / "other")
    assert "12 masks rewritten" in out
