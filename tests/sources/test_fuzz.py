"""A few hundred damaged files of every format; ``fuzz_readers.py`` runs as many as asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fuzz_readers import ENCODINGS, fuzz, mutated, read_all, seeds
from test_raster import panoptic

from shapeprof.errors import ShapeprofError
from shapeprof.sources import detect, find_masks, read_mask


def test_damaged_files_are_read_or_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    outcome = fuzz(440, tmp_path)
    assert outcome.failures == []
    assert {"read", "damaged-file", "truncated-file", "not-an-image", "does-not-fit"} <= set(outcome.codes)
    assert "Traceback" not in capfd.readouterr().err


def test_equal_files_end_alike(tmp_path: Path) -> None:
    assert fuzz(66, tmp_path, seed=1).digest == fuzz(66, tmp_path, seed=1).digest


def test_the_undamaged_files_are_read(tmp_path: Path) -> None:
    """Each by one of the encodings at least: else the changed ones would test little."""
    for suffix, files in seeds().items():
        for number, data in enumerate(files):
            name = f"{number}.{suffix}"
            (tmp_path / name).write_bytes(data)
            ends = [read_all(tmp_path, name, encoding)[2:] for encoding in ENCODINGS]
            refused = suffix == "gif" and number == 1  # an animation
            assert any("read" in found for found in ends) != refused, (name, ends)


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
