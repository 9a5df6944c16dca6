"""A few hundred damaged files of every format; ``fuzz_readers.py`` runs as many as asked."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from fuzz_readers import ENCODINGS, LIMIT, fuzz, mutated, read_all, seeds
from test_raster import panoptic

from shapeprof.errors import NothingMeasurable, ShapeprofError, UnreadableMask
from shapeprof.sources import ReadOptions, detect, find_masks, read_mask, read_runs, regrouped


@pytest.mark.slow
def test_damaged_files_are_read_or_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    outcome = fuzz(440, tmp_path)
    assert outcome.failures == []
    assert {"read", "damaged-file", "truncated-file", "not-an-image", "does-not-fit"} <= set(outcome.codes)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.slow
def test_equal_files_end_alike(tmp_path: Path) -> None:
    assert fuzz(66, tmp_path, seed=1).digest == fuzz(66, tmp_path, seed=1).digest


@pytest.mark.slow
def test_the_undamaged_files_are_read(tmp_path: Path) -> None:
    """Each by one of the encodings at least: else the changed ones would test little."""
    for suffix, files in seeds().items():
        for number, data in enumerate(files):
            name = f"{number}.{suffix}"
            (tmp_path / name).write_bytes(data)
            ends = [read_all(tmp_path, name, encoding)[2:] for encoding in ENCODINGS]
            refused = suffix == "gif" and number == 1  # an animation
            assert any("read" in found for found in ends) != refused, (name, ends)


@pytest.mark.slow
def test_damaged_lists_of_segments(tmp_path: Path) -> None:
    """A damaged JSON file of panoptic segments is read, passed over, or refused by name."""
    panoptic(tmp_path)
    document = tmp_path / "panoptic.json"
    whole, folder = document.read_bytes(), find_masks(tmp_path / "masks")
    ends = set()
    for number in range(300):
        document.write_bytes(mutated(whole, [whole], np.random.default_rng(number)))
        try:
            read_mask(folder.root, "a.png", detect(folder))
            ends.add("read")
        except ShapeprofError as error:
            ends.add(type(error).__name__)
            assert ".json" in str(error)
    assert ends >= {"read", "InputError"}


@pytest.mark.parametrize("seed", range(6))
def test_folders_of_damaged_files(tmp_path: Path, seed: int) -> None:
    """Found, detected and read, or refused as a whole: with a good mask among them and without."""
    rng = np.random.default_rng([9, seed])
    files = seeds()
    every = [data for group in files.values() for data in group]
    for number in range(60):
        suffix = sorted(files)[int(rng.integers(0, len(files)))]
        data = files[suffix][int(rng.integers(0, len(files[suffix])))]
        whole = number == 0 and seed % 2
        (tmp_path / f"{number}_mask.{suffix}").write_bytes(data if whole else mutated(data, every, rng))
    options = ReadOptions(max_pixels=LIMIT, pages=("auto", "stack", "auto")[seed % 3])
    folder = find_masks(tmp_path)
    try:
        encoding = detect(folder, options)
    except NothingMeasurable:
        return
    ends = Counter()
    for name in regrouped(folder, encoding).files:
        try:
            read_runs(tmp_path, name, encoding)
            ends["read"] += 1
        except UnreadableMask as error:
            assert error.path == name
            ends["refused"] += 1
    assert ends["refused"] > 5
