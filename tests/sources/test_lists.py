"""A text file in place of the folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from written import blocks, codes, look, save

from shapeprof.errors import InputError, NothingMeasurable, UnreadableMask, UsageError
from shapeprof.sources import ReadOptions, find_masks, read_mask


def test_paths_relative_to_the_list_and_absolute(tmp_path: Path) -> None:
    one, two = save(tmp_path / "set/a/1.png", blocks(0, 1)), save(tmp_path / "other/2 b.png", blocks(0, 1))
    save(tmp_path / "set/a/3.png", blocks(0, 1))
    (tmp_path / "set/list.txt").write_text(f"\ufeff# masks\na/1.png\r\n\n{two}\n")
    folder, encoding = look(tmp_path / "set/list.txt")
    assert folder.root == tmp_path.resolve()
    assert folder.files == ("other/2 b.png", "set/a/1.png")
    assert codes(folder.issues) == {"listed"}
    assert encoding.kind == "binary"
    assert one.exists()


def test_a_second_column_is_the_mask(tmp_path: Path) -> None:
    save(tmp_path / "img/1.jpg", blocks(9, 8))
    save(tmp_path / "gt/1.png", blocks(0, 1))
    (tmp_path / "train.lst").write_text("img/1.jpg gt\\1.png\n".replace("\\", "/"))
    assert find_masks(tmp_path / "train.lst").files == ("gt/1.png",)


def test_missing_and_repeated_lines_are_reported(tmp_path: Path) -> None:
    save(tmp_path / "1.png", blocks(0, 1))
    (tmp_path / "list.txt").write_text("1.png\n1.png\ngone.png\n" + "x" * 4000 + "\n")
    folder, encoding = look(tmp_path / "list.txt")
    assert len(folder.files) == 3
    assert folder.stored == ("1.png",)
    assert codes(folder.issues) == {"listed", "listed-twice", "listed-but-missing"}
    with pytest.raises(UnreadableMask) as caught:
        read_mask(folder.root, "gone.png", encoding)
    assert caught.value.code == "missing-file"
    with pytest.raises(UnreadableMask):
        read_mask(folder.root, "x" * 4000, encoding)


def test_a_list_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("2007_000001\n2007_000002\n")
    with pytest.raises(InputError, match="none of its 2 lines is the path of a file"):
        find_masks(tmp_path / "ids.txt")
    (tmp_path / "empty.txt").write_text("# nothing\n")
    with pytest.raises(NothingMeasurable, match="the list is empty"):
        find_masks(tmp_path / "empty.txt")
    (tmp_path / "binary.txt").write_bytes(b"\0\1\2")
    with pytest.raises(InputError, match="no text"):
        find_masks(tmp_path / "binary.txt")


def test_a_pattern_for_a_list(tmp_path: Path) -> None:
    save(tmp_path / "1.png", blocks(0, 1))
    (tmp_path / "list.txt").write_text("1.png\n")
    with pytest.raises(UsageError, match="already says which files are masks"):
        find_masks(tmp_path / "list.txt", ReadOptions(pattern="*.png"))


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    name = b"caf\xe9.png"
    (tmp_path / "list.txt").write_bytes(name + b"\n")
    save(tmp_path / "a.png", blocks(0, 1)).rename(Path(str(tmp_path) + "/" + name.decode("utf-8", "surrogateescape")))
    folder, encoding = look(tmp_path / "list.txt")
    assert folder.files == (name.decode("utf-8", "surrogateescape"),)
    assert read_mask(folder.root, folder.files[0], encoding)[0].labels.max() == 1
