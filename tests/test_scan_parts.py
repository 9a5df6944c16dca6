"""The parts of a scan by themselves: Arrow arrays, the folder of results, shards, the number of workers."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from shapeprof.errors import OutputError
from shapeprof.scan.arrow import arrow_array, arrow_text, numpy_array
from shapeprof.scan.folder import default_output, file_states, folder_state, prepare_output
from shapeprof.scan.shards import MOST_FILES, SHARDS, ShardResult, runs_of
from shapeprof.scan.workers import SMALL_SET, number_of_workers, size_of
from shapeprof.sources import find_masks

from .builders import discs, write_set


@pytest.mark.parametrize("kind", [np.int32, np.int64, np.float64, np.bool_])
@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 1000])
def test_arrow_arrays_hold_what_numpy_arrays_held(kind: type, length: int) -> None:
    values = np.random.default_rng(length).integers(0, 2, length).astype(kind)
    assert arrow_array(values).to_pylist() == values.tolist()
    assert (numpy_array(arrow_array(values)) == values).all()
    assert (numpy_array(arrow_array(values).slice(length // 2)) == values[length // 2 :]).all()


def test_nan_stays_nan_and_text_stays_text() -> None:
    array = arrow_array(np.array([np.nan, 1.0]))
    assert array.null_count == 0 and np.isnan(numpy_array(array)[0])
    assert arrow_text(["", "ü", "a/b.png"]).to_pylist() == ["", "ü", "a/b.png"]
    assert arrow_text([]).to_pylist() == []


def test_results_go_beside_the_masks_or_into_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHAPEPROF_CACHE", str(tmp_path / "cache"))
    assert default_output(tmp_path / "masks") == tmp_path / "masks.shapeprof"
    monkeypatch.setattr(os, "access", lambda *_: False)
    one, other = default_output(tmp_path / "a" / "masks"), default_output(tmp_path / "b" / "masks")
    assert one != other and one.parent == other.parent == tmp_path / "cache" / "profiles"
    (tmp_path / "masks.shapeprof").mkdir()
    assert default_output(tmp_path / "masks") == tmp_path / "masks.shapeprof"


@pytest.mark.parametrize(
    ("name", "is_folder", "says"),
    [
        ("notes.txt", False, r"holds other files \(notes\.txt\); choose a new or empty folder with -o"),
        ("profile.json", True, "is a folder where shapeprof keeps a file; remove it"),
        ("shards", False, "is a file where shapeprof keeps a folder; remove it"),
    ],
)
def test_a_folder_with_anything_else_is_refused(tmp_path: Path, name: str, is_folder: bool, says: str) -> None:
    (tmp_path / name).mkdir() if is_folder else (tmp_path / name).touch()
    with pytest.raises(OutputError, match=says):
        prepare_output(tmp_path)


def test_what_a_scan_left_behind_is_no_hindrance(tmp_path: Path) -> None:
    for name in ("profile.json", "objects.parquet", "log.json", "objects.parquet.12.part", "profile.json.part"):
        (tmp_path / name).touch()
    before = sorted(tmp_path.iterdir())
    prepare_output(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / "shards"])


def test_states_change_with_the_files(tmp_path: Path) -> None:
    folder = find_masks(write_set(tmp_path / "masks", discs(3, 20)))
    before = file_states(folder)
    assert file_states(folder) == before and set(before) == set(folder.files)
    os.utime(tmp_path / "masks" / "001.png", ns=(1, 1))
    (tmp_path / "masks" / "002.png").unlink()
    after = file_states(folder)
    assert [path for path in before if before[path] != after[path]] == ["001.png", "002.png"]
    assert folder_state(before) != folder_state(after)
    (tmp_path / "masks" / "all.json").touch()
    assert all(state != after[path] for path, state in file_states(folder, "all.json").items())


@pytest.mark.parametrize("number", [0, 1, 31, 32, 33, 2048, 5000])
def test_shards_are_runs_of_equal_size(number: int) -> None:
    files = tuple(f"{i:05}.png" for i in range(number))
    runs = runs_of(files)
    assert tuple(path for run in runs for path in run) == files
    assert len({len(run) for run in runs[:-1]}) <= 1 and all(len(run) <= MOST_FILES for run in runs)
    assert len(runs) <= max(SHARDS, -(-number // MOST_FILES))


def test_results_add_up() -> None:
    one = ShardResult(read=2, pixels=10, sizes={(4, 4): 2}, digests=[("a", "x")])
    one.merge(ShardResult(read=1, empty=1, pixels=5, sizes={(4, 4): 1, (2, 2): 1}, digests=[("b", "y")]))
    assert (one.read, one.empty, one.pixels) == (3, 1, 15)
    assert one.sizes == {(4, 4): 3, (2, 2): 1} and one.digests == [("a", "x"), ("b", "y")]


@pytest.mark.parametrize(
    ("asked", "sizes", "workers"),
    [(3, [], 3), (0, [], 1), (0, [SMALL_SET - 1], 1), (0, [SMALL_SET], os.cpu_count()), (1, [SMALL_SET], 1)],
)
def test_small_sets_need_no_workers(asked: int, sizes: list[int], workers: int) -> None:
    assert number_of_workers(asked, sizes) == workers


def test_the_size_of_a_file_that_is_gone_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"123")
    assert (size_of(tmp_path / "a"), size_of(tmp_path / "b")) == (3, 0)
