"""Masks read as runs: equal, array for array, to masks read as pixels, and so are findings and refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from png_files import GREY, PALETTE, RGB, write_png
from written import blocks, colours, look, save, save_palette

from shapeprof.errors import UnreadableMask
from shapeprof.sources import Encoding, read_mask, read_runs
from shapeprof.sources.reading import runs as runs_module
from shapeprof.sources.run_length import encode

LEGEND = [(0, 0, 0), (60, 16, 152), (132, 41, 246), (226, 169, 41), (254, 221, 58)]


def result(read: Callable[[], tuple[Any, Any]]) -> tuple[Any, ...]:
    """A run map and issues in parts that can be compared, or the refusal."""
    try:
        found, issues = read()
    except UnreadableMask as error:
        return error.path, error.code, error.message
    arrays = [found.row, found.start, found.value]
    arrays += [] if found.instance is None else [found.instance]
    listed = [(array.dtype, array.tolist()) for array in arrays]
    return found.size, found.path, found.digest, listed, issues


def same(root: Path, name: str, encoding: Encoding, train_size: int | None = None) -> tuple[Any, ...]:
    """What both ways of reading say, which is the same."""

    def by_pixels() -> tuple[Any, Any]:
        label_map, issues = read_mask(root, name, encoding, train_size)
        return encode(label_map), issues

    found = result(lambda: read_runs(root, name, encoding, train_size))
    assert found == result(by_pixels)
    return found


def scene(seed: int, levels: int) -> np.ndarray:
    """(27, 35) ids in blocks, with stray pixels."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, levels, (9, 7)).repeat(3, 0).repeat(5, 1)
    ids[rng.random(ids.shape) < 0.03] = 0
    return ids


def write(path: Path, ids: np.ndarray, how: str) -> None:
    """Write ids 0..4 as ``how`` says."""
    if how == "palette":
        save_palette(path, ids, LEGEND)
    elif how == "colour":
        save(path, colours(ids, LEGEND))
    elif how == "rgb":
        save(path, ids, mode="RGB")
    elif how == "16-bit":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(write_png(ids, 16, GREY, [2] * len(ids)))
    elif how == "4-bit":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(write_png(ids, 4, GREY, [3] * len(ids)))
    else:
        scale = {"index": lambda v: v, "multiples": lambda v: v * 30, "binary": lambda v: (v > 2) * 255}[how]
        save(path, scale(ids))


WAYS = ["index", "binary", "multiples", "palette", "colour", "rgb", "16-bit", "4-bit"]


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("instances", [False, True])
def test_every_encoding_takes_the_fast_way(
    tmp_path: Path, how: str, instances: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(3):
        write(tmp_path / f"{seed}.png", scene(seed, 5), how)
    folder, encoding = look(tmp_path, instances=instances)
    found = [same(tmp_path, name, encoding) for name in folder.files]
    assert all(len(each) == 5 for each in found)

    def forbidden(*_: object) -> None:
        raise AssertionError("read as pixels")

    monkeypatch.setattr(runs_module, "label_map_of", forbidden)
    for name in folder.files:
        read_runs(tmp_path, name, encoding)


@pytest.mark.parametrize("background", [0, 2, None])
@pytest.mark.parametrize(("ignored", "instances"), [(0, False), (3, False), (3, True)])
def test_ignored_values_and_other_backgrounds(
    tmp_path: Path, ignored: int, background: int | None, instances: bool
) -> None:
    for seed in range(2):
        write(tmp_path / f"{seed}.png", scene(seed, 5), "index")
    folder, encoding = look(tmp_path, ignore_index=ignored, background=background, instances=instances)
    for name in folder.files:
        same(tmp_path, name, encoding)


@pytest.mark.slow
def test_what_does_not_fit_is_said_alike(tmp_path: Path) -> None:
    """Files of every encoding, read by the encoding of every other one."""
    rng = np.random.default_rng(0)
    for how in WAYS:
        write(tmp_path / how / "set" / "a.png", scene(0, 5), how)
        write(tmp_path / how / "set" / "b.png", scene(1, 5), how)
    soft = np.clip(np.add.outer(np.arange(-40, 40), np.arange(-40, 40)) * 2 + 128, 0, 255)
    strangers = {
        "noise": write_png(rng.integers(0, 256, (40, 40)), 8),
        "photo": write_png(rng.integers(0, 256, (40, 40, 3)), 8, RGB),
        "unseen": write_png(blocks(0, 9), 8),
        "most": write_png(blocks(0, 255), 8),
        "other": write_png(blocks(0, 7), 8),
        "soft": write_png(soft, 8),
        "wide": write_png(blocks(0, 1, 60000), 16),
        "orders": write_png(blocks(0, 1, 2), 8, PALETTE, palette=bytes([0, 0, 0, 132, 41, 246, 60, 16, 152])),
        "ramp": write_png(blocks(0, 1), 1, PALETTE, palette=bytes([0, 0, 0, 255, 255, 255])),
        "short": write_png(blocks(0, 1, 7), 8, PALETTE, palette=bytes([0, 0, 0, 60, 16, 152])),
        "strange colour": write_png(colours(blocks(0, 1), [(0, 0, 0), (9, 200, 9)]), 8, RGB),
        "cut": write_png(scene(0, 5), 8)[:-20],
        "empty": b"",
        "text": b"no image",
    }
    seen = set()
    for how in WAYS:
        _, encoding = look(tmp_path / how / "set")
        for data in strangers.values():
            (tmp_path / "it.png").write_bytes(data)
            found = same(tmp_path, "it.png", encoding)
            seen.add(found[1] if len(found) == 3 else "read")
        for other in WAYS:
            same(tmp_path / other / "set", "a.png", encoding)
        same(tmp_path / how / "set", "a.png", encoding, train_size=13)
        assert same(tmp_path, "gone.png", encoding)[1] == "missing-file"
    assert {"read", "truncated-file", "empty-file", "not-an-image", "does-not-fit"} <= seen


def test_soft_levels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(4):
        values = (scene(i, 2) * 255).repeat(6, 0).repeat(6, 1)
        edge = np.zeros_like(values, bool)
        edge[:, 1:] = values[:, 1:] != values[:, :-1]
        values[edge] = rng.integers(1, 255, edge.sum())
        save(tmp_path / f"{i}.png", values)
    folder, encoding = look(tmp_path)
    for name in folder.files:
        same(tmp_path, name, encoding)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), how=st.sampled_from(WAYS), instances=st.booleans())
def test_values_that_the_sample_held_or_not(tmp_path: Path, seed: int, how: str, instances: bool) -> None:
    root = tmp_path / how / str(instances)
    if not (root / "set").exists():
        write(root / "set" / "a.png", scene(0, 4), how)
    _, encoding = look(root / "set", instances=instances)
    write(root / "it.png", scene(seed, 5), how)
    same(root, "it.png", encoding)


@pytest.mark.parametrize("name", ["dsb2018_nuclei/masks_instance", "dubai_aerial/masks", "hc18_fetal_head/masks"])
def test_real_masks(shared: Callable[[str], Path], name: str) -> None:
    set_name, _, folder_name = name.partition("/")
    folder, encoding = look(shared(set_name) / folder_name)
    for path in folder.files[:3]:
        assert len(same(folder.root, path, encoding)) == 5
