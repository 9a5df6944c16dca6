"""Scans that go on from what an earlier one has finished, whatever happened to it."""

from __future__ import annotations

import os
import random
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from shapeprof.errors import OutputError
from shapeprof.profile.profile import Profile
from shapeprof.scan import shard_cache as shard_store
from shapeprof.scan.options import ScanOptions
from shapeprof.scan.scan import scan_masks
from shapeprof.scan.shard_cache import measure_and_keep, restored, stored_shards
from shapeprof.scan.shards import Shard, ShardResult
from shapeprof.scan.workers import results
from shapeprof.sources import ReadOptions, detect, find_masks

from .builders import discs, strips, write_set
from .kills import damage, killed_and_resumed, outputs, start, with_mark

ONE = ScanOptions(workers=1)


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    return write_set(tmp_path / "masks", discs(40, 20, per_image=4) + strips(20, 3))


def fresh(masks: Path, out: Path, options: ScanOptions = ONE) -> list[bytes]:
    """What an undisturbed scan writes."""
    scan_masks(masks, options, out)
    return outputs(out)


def measured(profile: Profile) -> int:
    return int(profile.log["measured"])


def test_a_scan_of_what_was_scanned_measures_nothing(masks: Path, tmp_path: Path) -> None:
    first = scan_masks(masks, ONE, tmp_path / "out")
    before = outputs(tmp_path / "out")
    assert measured(first) == 60
    assert measured(scan_masks(masks, ONE, tmp_path / "out")) == 0
    assert outputs(tmp_path / "out") == before


@pytest.mark.slow
def test_only_added_files_are_measured(masks: Path, tmp_path: Path) -> None:
    scan_masks(masks, ONE, tmp_path / "out")
    for at, name in ((3, "aaa.png"), (40, "020-more.png"), (50, "zzz.png")):
        shutil.copy(masks / f"{at:03}.png", masks / name)
    assert measured(scan_masks(masks, ONE, tmp_path / "out")) == 3
    assert outputs(tmp_path / "out") == fresh(masks, tmp_path / "fresh")


@pytest.mark.slow
def test_changed_and_removed_files_take_their_shard_with_them(masks: Path, tmp_path: Path) -> None:
    scan_masks(masks, ONE, tmp_path / "out")
    shutil.copy(masks / "050.png", masks / "007.png")
    (masks / "033.png").unlink()
    again = scan_masks(masks, ONE, tmp_path / "out")
    assert 1 <= measured(again) <= 4  # of shards of two files
    assert outputs(tmp_path / "out") == fresh(masks, tmp_path / "fresh")
    found, _ = stored_shards(tmp_path / "out/shards")
    assert sum(len(shard.files) for shard in found) == 59  # what is of no use is gone


@pytest.mark.slow
def test_files_that_enter_or_leave_the_sample_are_measured_anew(masks: Path, tmp_path: Path) -> None:
    few = replace(ONE, survival_sample=10)
    scan_masks(masks, few, tmp_path / "out")
    for i in range(20):
        shutil.copy(masks / "003.png", masks / f"new{i}.png")
    scan_masks(masks, few, tmp_path / "out")
    assert outputs(tmp_path / "out") == fresh(masks, tmp_path / "fresh", few)


@pytest.mark.slow
def test_other_options_measure_anew_and_reports_do_not_share_shards(masks: Path, tmp_path: Path) -> None:
    scan_masks(masks, ONE, tmp_path / "out")
    for options in (replace(ONE, floor=500), replace(ONE, thickness=True, survival_sample=5)):
        scan_masks(masks, options, tmp_path / "out")
        assert outputs(tmp_path / "out") == fresh(masks, tmp_path / str(options.floor), options)
    half = replace(ONE, read=ReadOptions(train_size=128))
    assert measured(scan_masks(masks, half, tmp_path / "out")) == 60


def test_a_stored_shard_comes_back_as_it_was(masks: Path, tmp_path: Path) -> None:
    folder = find_masks(masks)
    files = folder.files[:4]
    encoding = detect(folder, ReadOptions())
    shard = Shard(masks, files, frozenset(files[:2]), encoding, ONE, states=tuple("abcd"), manner="m", store=tmp_path)
    one = measure_and_keep(shard)
    (stored,), damaged = stored_shards(tmp_path)
    two = restored(stored)
    assert (stored.manner, stored.states, damaged) == ("m", dict(zip(files, "abcd", strict=True)), [])
    for name in ("issues", "digests", "sizes", "nesting", "extremes", "read", "empty", "pixels", "ignored"):
        assert getattr(one, name) == getattr(two, name)
    assert [path for path, _ in two.sample] == list(files[:2])
    assert all((one.totals[c] == two.totals[c]).all() for c in one.totals)
    assert len(one.rows) == len(two.rows)
    for a, b in zip(one.rows, two.rows, strict=True):
        assert a.paths == b.paths and (a.of_map == b.of_map).all()
        for name, column in a.columns.items():
            assert b.columns[name].dtype == column.dtype
            assert ((column == b.columns[name]) | (column != column)).all()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.slow
def test_a_damaged_shard_is_measured_anew(masks: Path, tmp_path: Path, seed: int) -> None:
    scan_masks(masks, ONE, tmp_path / "out")
    before = outputs(tmp_path / "out")
    how = damage(tmp_path / "out/shards", random.Random(seed))
    again = scan_masks(masks, ONE, tmp_path / "out")
    assert outputs(tmp_path / "out") == before
    assert measured(again) == (0 if how == "foreign" else 2)
    assert measured(scan_masks(masks, ONE, tmp_path / "out")) == 0


@pytest.mark.slow
def test_files_that_could_not_be_read_are_tried_again(masks: Path, tmp_path: Path) -> None:
    whole = (masks / "005.png").read_bytes()
    (masks / "005.png").write_bytes(whole[:80])
    state = (masks / "005.png").stat()
    first = scan_masks(masks, ONE, tmp_path / "out")
    assert first.ledger.unreadable == 1
    again = scan_masks(masks, ONE, tmp_path / "out")
    assert (measured(again), again.ledger.unreadable) == (1, 1)  # the rest of its shard is kept
    assert outputs(tmp_path / "out") == fresh(masks, tmp_path / "fresh")
    (masks / "005.png").write_bytes(whole)
    os.utime(masks / "005.png", ns=(state.st_atime_ns, state.st_mtime_ns))
    assert scan_masks(masks, ONE, tmp_path / "out").ledger.unreadable == 0


@pytest.mark.slow
def test_masks_that_lack_an_object_keep_saying_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for image in range(8):
        (tmp_path / f"masks/image{image}").mkdir(parents=True)
        for number, (row, column) in enumerate((r, c) for r in range(3) for c in range(3)):
            mask = np.zeros((96, 96), np.uint8)
            top, left = 32 * row + rng.integers(2, 8), 32 * column + rng.integers(2, 8)
            mask[top : top + 20, left : left + 20] = 255
            cv2.imwrite(str(tmp_path / f"masks/image{image}/{number}.png"), mask)
    whole = (tmp_path / "masks/image3/4.png").read_bytes()
    (tmp_path / "masks/image3/4.png").write_bytes(b"broken")
    first = scan_masks(tmp_path / "masks", ONE, tmp_path / "out")
    assert (first.encoding["layout"], first.ledger.files, first.ledger.read) == ("objects", 8, 8)
    before = outputs(tmp_path / "out")
    again = scan_masks(tmp_path / "masks", ONE, tmp_path / "out")
    assert measured(again) == 0 and outputs(tmp_path / "out") == before
    assert [issue.path for issue in again.issues if issue.severity == "error"] == ["image3/4.png"]
    (tmp_path / "masks/image3/4.png").write_bytes(whole)
    assert measured(scan_masks(tmp_path / "masks", ONE, tmp_path / "out")) == 1
    assert outputs(tmp_path / "out") == fresh(tmp_path / "masks", tmp_path / "fresh")


def test_an_image_that_gives_the_size_of_a_drawn_mask_is_a_part_of_it(tmp_path: Path) -> None:
    for folder in ("images", "labels"):
        (tmp_path / "set" / folder).mkdir(parents=True)
    for i in range(6):
        cv2.imwrite(str(tmp_path / f"set/images/{i}.jpg"), np.zeros((60, 80, 3), np.uint8))
        (tmp_path / f"set/labels/{i}.txt").write_text("0 0.1 0.1 0.6 0.1 0.6 0.7 0.1 0.7\n")
    scan_masks(tmp_path / "set", ONE, tmp_path / "out")
    cv2.imwrite(str(tmp_path / "set/images/3.jpg"), np.zeros((120, 160, 3), np.uint8))
    (tmp_path / "set/labels/5.txt").write_text("0 0.1 0.1 0.9 0.1 0.9 0.7 0.1 0.7\n")
    assert measured(scan_masks(tmp_path / "set", ONE, tmp_path / "out")) == 2
    assert outputs(tmp_path / "out") == fresh(tmp_path / "set", tmp_path / "fresh")


@pytest.mark.slow
def test_masks_that_change_places_are_measured_anew(masks: Path, tmp_path: Path) -> None:
    for path in masks.iterdir():
        np.save(path.with_suffix(".npy"), cv2.imread(str(path), cv2.IMREAD_UNCHANGED))
        path.unlink()
        os.utime(path.with_suffix(".npy"), (1.7e9, 1.7e9))
    scan_masks(masks, ONE, tmp_path / "out")
    (masks / "003.npy").rename(masks / "t")
    (masks / "044.npy").rename(masks / "003.npy")
    (masks / "t").rename(masks / "044.npy")
    scan_masks(masks, ONE, tmp_path / "out")
    assert outputs(tmp_path / "out") == fresh(masks, tmp_path / "fresh")


@pytest.mark.parametrize("name", ["objects.parquet", "profile.json", "shards"])
def test_what_stands_in_the_way_is_named(masks: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).touch() if name == "shards" else (tmp_path / "out" / name).mkdir()
    with pytest.raises(OutputError, match=f"{name}: is a (file|folder) where shapeprof keeps a"):
        scan_masks(masks, ONE, tmp_path / "out")


@pytest.mark.slow
def test_a_pipe_and_a_folder_called_like_shards_are_passed_over(masks: Path, tmp_path: Path) -> None:
    scan_masks(masks, ONE, tmp_path / "out")
    (tmp_path / "out/shards/0123.shard").mkdir()
    os.mkfifo(tmp_path / "out/shards/4567.shard")
    assert measured(scan_masks(masks, ONE, tmp_path / "out")) == 0


def test_what_dead_processes_left_behind_is_removed_and_what_others_write_is_not(masks: Path, tmp_path: Path) -> None:
    (tmp_path / "out/shards").mkdir(parents=True)
    for folder, name in (("out", "objects.parquet.12.part"), ("out/shards", "0123.part")):
        for age in ("old", "new"):
            path = tmp_path / folder / (name if age == "old" else name.replace("12", "34"))
            path.touch()
            if age == "old":
                os.utime(path, (1.7e9, 1.7e9))
    scan_masks(masks, ONE, tmp_path / "out")
    left = {path.name for path in (tmp_path / "out").rglob("*.part")}
    assert left == {"objects.parquet.34.part", "0343.part"}


@pytest.mark.slow
def test_two_scans_at_once_write_the_same(masks: Path, tmp_path: Path) -> None:
    both = [start(masks, 1, tmp_path / "out") for _ in range(2)]
    assert [scan.communicate()[1] for scan in both] == [b"", b""]
    assert outputs(tmp_path / "out") == fresh(masks, tmp_path / "fresh")
    assert not list((tmp_path / "out").glob("*.part"))


def _dies_on_004(shard: Shard) -> ShardResult:
    if "004.png" in shard.files:
        os._exit(9)
    return measure_and_keep(shard)


def _shards(masks: Path, **more: object) -> list[Shard]:
    folder = find_masks(masks)
    encoding = detect(folder, ReadOptions())
    runs = [folder.files[i : i + 5] for i in range(0, len(folder.files), 5)]
    return [Shard(masks, files, frozenset(), encoding, ONE, states=files, **more) for files in runs]  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_shard_that_a_process_died_on_is_measured_apart(masks: Path, tmp_path: Path) -> None:
    shards = _shards(masks, store=tmp_path)
    shards[0] = replace(shards[0], suspect=True)  # with a file that would kill this process
    found = list(results(shards, 1, _dies_on_004))
    assert sum(result.read for result in found) == 59
    assert [issue.path for result in found for issue in result.issues] == ["004.png"]


def test_a_scan_marks_what_it_measures(masks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(shard: Shard) -> ShardResult:
        assert shard_store.died_on(shard)
        raise KeyboardInterrupt

    shard = _shards(masks, store=tmp_path)[0]
    assert not shard_store.died_on(shard)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shard_store, "measure_shard", stop)
        measure_and_keep(shard)
    assert shard_store.died_on(shard)
    measure_and_keep(shard)
    assert not shard_store.died_on(shard)


def test_a_full_disk_is_a_clear_error(masks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"\.part: can't be written \(No space left.*goes on"):
        measure_and_keep(_shards(masks, store=tmp_path)[0])


@pytest.mark.slow
def test_a_disk_that_is_full_at_the_objects_is_one_too(
    masks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    out = tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(OutputError, match=r"objects\.parquet: can't be written"):
        patch.setattr(pq.ParquetWriter, "write_table", full)
        scan_masks(masks, ONE, out)
    assert not list(out.glob("objects*")) and not (out / "profile.json").exists()
    scan_masks(masks, ONE, out)
    assert outputs(out) == fresh(masks, tmp_path / "fresh")


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.slow
def test_killed_scans_go_on_to_the_same_profile(masks: Path, tmp_path: Path) -> None:
    """Four kills; ``python -m tests.kills 50`` kills more."""
    begun = time.monotonic()
    start(masks, 2, tmp_path / "whole").communicate()
    seconds, whole = time.monotonic() - begun, outputs(tmp_path / "whole")
    chance = random.Random(1)
    for number in range(4):
        code, _, _ = killed_and_resumed(masks, tmp_path / f"{number}", seconds, chance)
        assert code == 0
        assert outputs(tmp_path / f"{number}") == whole
    for _ in range(100):
        left = [pid for number in range(4) for pid in with_mark(str(tmp_path / f"{number}"))]
        if not left:
            break
        time.sleep(0.1)
    assert not left, "a killed scan leaves no process behind"
