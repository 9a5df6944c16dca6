"""A few hundred damaged files of every format; ``fuzz_readers.py`` runs as many as asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz_readers import ENCODINGS, fuzz, read_all, seeds


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
