"""The ground files: writing, sampling."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from shapeprof.errors import OutputError
from shapeprof.sampling import name_hash, sample_order, smallest_hashes
from shapeprof.writing import temporary, write, writing

NAMES = [*(f"{i}.png" for i in range(100)), "folder/ü.png", "bytes\udcff.png", ""]


def test_a_sample_does_not_depend_on_the_order_of_names() -> None:
    shuffled = random.Random(0).sample(NAMES, len(NAMES))
    assert sample_order(NAMES) == sample_order(shuffled)
    assert sorted(sample_order(NAMES)) == sorted(NAMES)
    assert smallest_hashes(NAMES, 10) == smallest_hashes(shuffled, 10) == tuple(sorted(sample_order(NAMES)[:10]))
    hashes = [name_hash(name) for name in sample_order(NAMES)]
    assert hashes == sorted(hashes)


def test_a_sample_of_known_names_never_changes() -> None:
    """Kept profiles and exported splits rest on these."""
    assert sample_order(["a.png", "b.png", "c.png", "d.png"]) == ["b.png", "d.png", "a.png", "c.png"]
    assert name_hash("a.png").hex() == "e203797de73bf656"


@pytest.mark.parametrize("number", [0, 1, 50, 103, 1000])
def test_samples_have_as_many_names_as_there_are(number: int) -> None:
    assert len(smallest_hashes(NAMES, number)) == min(number, len(NAMES))
    assert set(smallest_hashes(NAMES[:50], number)) >= set(smallest_hashes(NAMES, number)) & set(NAMES[:50])


@pytest.mark.parametrize(
    ("content", "data"), [("a\nü\n", b"a\n\xc3\xbc\n"), (b"\0\r\n", b"\0\r\n"), ("\udcff", b"\xff")]
)
def test_text_and_bytes_are_written_as_they_are(tmp_path: Path, content: str | bytes, data: bytes) -> None:
    write(tmp_path / "new" / "deep" / "file", content)
    assert (tmp_path / "new" / "deep" / "file").read_bytes() == data
    write(tmp_path / "new" / "deep" / "file", b"other")
    assert (tmp_path / "new" / "deep" / "file").read_bytes() == b"other"
    assert [path.name for path in (tmp_path / "new" / "deep").iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["a" * 255, "ü" * 127, "profile.json"])
def test_the_longest_names_can_be_written(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, "x")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert f".{os.getpid()}.part" in temporary(tmp_path / name).name


def test_a_file_is_whole_or_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    write(file, "before")

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as opened:
            opened.write(data[:2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"file: can't be written \(No space left on device\); free some space"):
        write(file, "after", "free some space")
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


def test_a_place_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    write(tmp_path / "file", "x")
    with pytest.raises(OutputError, match=r"below: can't be written \(.+\); make room or choose another folder"):
        write(tmp_path / "file" / "below", "x")
    with (
        pytest.raises(OutputError, match=r"place: can't be written \(why\); do this"),
        writing(Path("place"), "do this"),
    ):
        raise OSError("why")
    with pytest.raises(KeyError), writing(Path("place")):
        raise KeyError("not of the system")
