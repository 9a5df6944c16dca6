"""Scanning folders: determinism, the ledger, what is kept, and workers that die."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from shapeprof.errors import NothingMeasurable, OutputError, UnreadableMask
from shapeprof.findings.find import find_all
from shapeprof.issues import Issue
from shapeprof.metrics.registry import all_metrics
from shapeprof.profile.file import classes_block, dump, load, load_objects
from shapeprof.sampling import smallest_hashes
from shapeprof.scan import shards as scanner
from shapeprof.scan import workers
from shapeprof.scan.options import ScanOptions
from shapeprof.scan.scan import kept_profile, scan_masks
from shapeprof.scan.shards import ShardResult
from shapeprof.sources import ReadOptions, detect, find_masks

from .builders import discs, strips, write_set


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    return write_set(tmp_path / "masks", discs(9, 20, per_image=4) + strips(5, 3))


@pytest.mark.slow
def test_equal_scans_are_equal_for_any_number_of_workers(
    masks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan_masks(masks, ScanOptions(workers=1), tmp_path / "one")
    with monkeypatch.context() as each:
        each.setattr(scanner, "MOST_RUNS", 1)  # no two masks are measured at once
        scan_masks(masks, ScanOptions(workers=1), tmp_path / "each")
    monkeypatch.setattr(scanner, "SHARDS", 5)
    scan_masks(masks, ScanOptions(workers=1), tmp_path / "shards")
    scan_masks(masks, ScanOptions(workers=3), tmp_path / "three")
    one = pd.read_parquet(tmp_path / "one/objects.parquet")
    for name in ("each", "shards", "three"):
        assert (tmp_path / "one/profile.json").read_bytes() == (tmp_path / name / "profile.json").read_bytes()
        pd.testing.assert_frame_equal(one, pd.read_parquet(tmp_path / name / "objects.parquet"))


def test_a_copy_elsewhere_scans_to_the_same_profile(masks: Path, tmp_path: Path) -> None:
    shutil.copytree(masks, tmp_path / "deep/er/copy")
    scan_masks(masks, out=tmp_path / "a")
    scan_masks(tmp_path / "deep/er/copy", out=tmp_path / "b")
    assert (tmp_path / "a/profile.json").read_bytes() == (tmp_path / "b/profile.json").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_mask_that_vanishes_during_the_scan_is_told(masks: Path, tmp_path: Path, workers: int) -> None:
    def vanish(done: int, total: int) -> None:
        if not done:
            (masks / "004.png").unlink()

    profile = scan_masks(masks, ScanOptions(workers=workers), tmp_path / "out", progress=vanish)
    assert (profile.ledger.files, profile.ledger.read, profile.ledger.unreadable) == (14, 13, 1)
    assert [(i.severity, i.code) for i in profile.issues if i.path == "004.png"] == [("error", "missing-file")]


def test_the_ledger_closes(masks: Path, tmp_path: Path) -> None:
    (masks / "broken.png").write_bytes((masks / "000.png").read_bytes()[:90])
    (masks / "letter.png").write_text("dear sir")
    cv2.imwrite(str(masks / "nothing.png"), np.zeros((64, 64), np.uint8))
    (masks / "notes.txt").write_text("x")
    ignored = np.zeros((64, 64), np.uint8)
    ignored[:8], ignored[20, 20] = 255, 1  # one object under the floor, an ignored band
    cv2.imwrite(str(masks / "speck.png"), ignored)
    profile = scan_masks(masks, out=tmp_path / "out")
    ledger = profile.ledger
    assert (ledger.files, ledger.read, ledger.empty, ledger.unreadable, ledger.skipped) == (18, 16, 1, 2, 1)
    assert {i.path for i in profile.issues if i.severity == "error"} == {"broken.png", "letter.png"}
    rows = load_objects(tmp_path / "out")
    view = profile.classes()[0]
    assert view.found == len(rows) == 9 * 4 + 5 * 4 + 1
    assert view.measured == rows.measured.sum() == len(rows) - 1
    assert view.total("pixels") + profile.background_pixels + profile.ignored == profile.pixels
    assert rows.area.sum() == view.total("pixels")
    assert list(rows.columns) == ["path", "class_name", *(m.name for m in all_metrics())]


def test_profile_json_round_trips(masks: Path, tmp_path: Path) -> None:
    profile = scan_masks(masks, out=tmp_path / "out")
    again = load(tmp_path / "out/profile.json")
    assert dump(again) == (tmp_path / "out/profile.json").read_text()
    assert classes_block(again) == classes_block(profile)


def test_extremes_name_objects_that_exist(masks: Path, tmp_path: Path) -> None:
    profile = scan_masks(masks, out=tmp_path / "out")
    rows = load_objects(tmp_path / "out")
    for kind, column in (
        ("least_convex", "convexity"),
        ("largest", "area"),
        ("most_broken_at_8", "survival_nearest_8"),
    ):
        usable = rows[rows.measured & ~rows.truncated & (rows.area >= 200)]
        extreme = profile.extremes[1][kind][0]
        best = usable[column].max() if kind == "largest" else usable[column].min()
        assert extreme.value == best
        row = rows[(rows.path == extreme.path) & (rows.min_row == extreme.box[0]) & (rows.min_col == extreme.box[1])]
        assert len(row) == 1 and row[column].item() == best


def test_strict_makes_an_unreadable_mask_an_error(masks: Path, tmp_path: Path) -> None:
    (masks / "letter.png").write_text("dear sir")
    with pytest.raises(UnreadableMask, match=r"letter\.png"):
        scan_masks(masks, ScanOptions(strict=True), tmp_path / "out")
    assert not (tmp_path / "out/objects.parquet").exists()


def test_all_background_is_nothing_measurable(tmp_path: Path) -> None:
    write_set(tmp_path / "masks", [np.zeros((32, 32), np.uint8)] * 3)
    with pytest.raises(NothingMeasurable, match="none holds an object"):
        scan_masks(tmp_path / "masks")


def test_one_class_everywhere_and_nothing_above_the_floor_are_findings(tmp_path: Path) -> None:
    write_set(tmp_path / "full", [np.ones((32, 32), np.uint8)] * 3)
    assert "one-class-only" in {f.code for f in find_all(scan_masks(tmp_path / "full"))}
    speck = np.zeros((32, 32), np.uint8)
    speck[4:6, 4:6] = 1
    write_set(tmp_path / "specks", [speck] * 3)
    assert "all-below-floor" in {f.code for f in find_all(scan_masks(tmp_path / "specks"))}


def test_train_size_measures_at_training_resolution(masks: Path, tmp_path: Path) -> None:
    native = scan_masks(masks, out=tmp_path / "a")
    half = scan_masks(masks, ScanOptions(ReadOptions(train_size=128)), tmp_path / "b")
    assert set(half.sizes) == {(128, 128)}
    ratio = half.classes()[0].quantile("box_length", 0.5) / native.classes()[0].quantile("box_length", 0.5)
    assert ratio == pytest.approx(0.5, rel=0.1)


def test_local_width_is_on_the_sample_or_on_every_mask(masks: Path, tmp_path: Path) -> None:
    scan_masks(masks, ScanOptions(survival_sample=10), tmp_path / "a")
    rows = load_objects(tmp_path / "a")
    assert rows[rows.local_width.notna()].path.nunique() == 10
    scan_masks(masks, ScanOptions(survival_sample=10, thickness=True), tmp_path / "b")
    assert load_objects(tmp_path / "b").local_width.notna().all()


def test_a_scan_is_kept_until_the_masks_or_the_options_change(masks: Path) -> None:
    assert kept_profile(masks) is None
    scan_masks(masks)
    assert kept_profile(masks) is not None
    assert kept_profile(masks, ScanOptions()) is not None
    assert kept_profile(masks, ScanOptions(floor=64)) is None
    os.utime(masks / "000.png", ns=(1, 1))
    assert kept_profile(masks) is None


def test_a_folder_that_holds_something_else_is_not_written(masks: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter.txt").write_text("x")
    with pytest.raises(OutputError, match=r"chapter\.txt.*-o"):
        scan_masks(masks, out=tmp_path / "thesis")
    with pytest.raises(OutputError, match="can't be written"):
        scan_masks(masks, out=masks / "000.png" / "below-a-file")


def _dies_on_004(shard: scanner.Shard) -> ShardResult:
    if "004.png" in shard.files:
        os._exit(9)
    return scanner.measure_shard(shard)


@pytest.mark.slow
def test_a_worker_that_dies_costs_only_the_file_that_killed_it(
    masks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = find_masks(masks)
    encoding = detect(folder, ReadOptions())
    shards = [
        scanner.Shard(masks, folder.files[i : i + 5], frozenset(), encoding, ScanOptions())
        for i in range(0, len(folder.files), 5)
    ]
    results = list(workers.results(shards, workers=2, measure=_dies_on_004))
    assert len(results) == len(shards)
    assert sum(r.read for r in results) == len(folder.files) - 1
    lost = [i for r in results for i in r.issues]
    assert lost == [Issue("error", "decoder-crashed", lost[0].message, "004.png")]
    assert [p for r in results for p, _ in r.digests] == sorted(set(folder.files) - {"004.png"})


@pytest.mark.slow
def test_a_script_on_its_own_may_use_workers(masks: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    lines = ("from pathlib import Path", "from shapeprof import ScanOptions, scan_masks")
    scan = "print(scan_masks(Path('masks'), ScanOptions(workers=2)).ledger.read)"
    script.write_text("\n".join([*lines, scan]))
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("14\n", "")  # it did not run once more in each worker


def test_the_sample_does_not_depend_on_order() -> None:
    names = tuple(f"{i}.png" for i in range(100))
    assert smallest_hashes(names, 10) == smallest_hashes(names[::-1], 10)
    assert set(smallest_hashes(names[:50], 10)) >= set(smallest_hashes(names, 10)) & set(names[:50])


def test_options_that_change_nothing_measured_are_not_recorded() -> None:
    assert replace(ScanOptions(), workers=7).arguments() == ScanOptions().arguments()


@pytest.mark.slow
def test_survival_at_best_is_computed_on_the_masks_asked_for(masks: Path, tmp_path: Path) -> None:
    plain = scan_masks(masks, ScanOptions(workers=1), tmp_path / "plain")
    assert plain.arguments["survival_best"] == 0
    assert classes_block(plain)[0]["survival"]["8"]["best"] is None
    options = ScanOptions(workers=1, survival_best=3)
    profile = scan_masks(masks, options, tmp_path / "one")
    scan_masks(masks, replace(options, workers=2), tmp_path / "two")
    assert (tmp_path / "one/profile.json").read_bytes() == (tmp_path / "two/profile.json").read_bytes()
    view = profile.classes()[0]
    assert view.total("best_images") == 3
    chosen = set(smallest_hashes(tuple(path for path, _ in profile.sample), 3))
    same = [tallies[1] for path, tallies in profile.sample if path in chosen]
    of_those = replace(view, tally=sum(same[1:], same[0]))
    for s in (2, 4, 8, 16, 32):
        best = view.survival(s, "best")
        assert of_those.survival(s) <= best <= 1
        assert best == pytest.approx(classes_block(profile)[0]["survival"][str(s)]["best"], rel=1e-5)
        assert 0 <= view.recall(s, "best") <= 1 and 0 <= view.per_object(s, "best") <= 1
    assert of_those.survival(16) < view.survival(16, "best")
    assert load(tmp_path / "one/profile.json").classes()[0].survival(8, "best") == view.survival(8, "best")


def test_a_part_of_the_masks_is_scanned_as_if_it_were_alone(masks: Path, tmp_path: Path) -> None:
    profile = scan_masks(masks, ScanOptions(sample=5))
    assert profile.ledger.files == profile.ledger.read == 5
    assert next(i.message for i in profile.issues if i.code == "sampled").startswith("9 of 14 masks are left out")
    assert kept_profile(masks) is not None
    chosen = smallest_hashes(find_masks(masks).files, 5)
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in chosen:
        shutil.copy(masks / name, alone / name)
    assert scan_masks(alone).totals.keys() == profile.totals.keys()
    assert all((scan_masks(alone).totals[c] == profile.totals[c]).all() for c in profile.totals)
    assert profile.fingerprint == scan_masks(alone).fingerprint
    assert "sampled" not in {i.code for i in scan_masks(masks, ScanOptions(sample=14)).issues}
