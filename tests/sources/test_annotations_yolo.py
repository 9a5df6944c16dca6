"""YOLO segmentation labels as masks."""

from __future__ import annotations

from pathlib import Path

import pytest
from annotated import drawn, photo, write
from written import codes, look

from shapeprof.errors import NothingMeasurable, UnreadableMask
from shapeprof.sources import find_masks, pair, read_mask

SQUARE = "0 0.1 0.1 0.3 0.1 0.3 0.3 0.1 0.3"  # on 20 x 40 pixels (rows x columns): columns 4 to 11, rows 2 to 5


def test_class_0_is_an_object(tmp_path: Path) -> None:
    write(tmp_path / "data.yaml", "nc: 3\nnames: [cat, dog, owl]\n")
    for split in ("train", "val"):
        photo(tmp_path / "images" / split / "a.jpg", 20, 40)
        write(tmp_path / "labels" / split / "a.txt", f"{SQUARE}\n1 0.5 0.5 0.6 0.5 0.6 0.6 0.5 0.6\n")
    folder, encoding = look(tmp_path)
    assert folder.files == ("images/train/a.jpg", "images/val/a.jpg")
    assert folder.stored == ("labels/train/a.txt", "labels/val/a.txt")
    assert encoding.classes.names == ("background", "cat", "dog", "owl") and encoding.classes.background == 0
    assert encoding.mapping == ((0, 1), (1, 2), (2, 3))
    labels, instances, issues = drawn(folder, encoding, "images/val/a.jpg")
    assert labels.shape == (20, 40) and (labels[2:6, 4:12] == 1).all() and not issues
    assert [(labels == c).sum() for c in (1, 2)] == [32, 8] and instances.max() == 2
    pairing = pair(folder, tmp_path / "images")
    assert [(p.mask, p.image, p.split) for p in pairing.pairs] == [
        ("images/train/a.jpg", "train/a.jpg", "train"),
        ("images/val/a.jpg", "val/a.jpg", "val"),
    ]


def test_the_folder_of_labels_alone(tmp_path: Path) -> None:
    photo(tmp_path / "images" / "train" / "a.b.png", 20, 40)
    write(tmp_path / "labels" / "train" / "a.b.txt", SQUARE)
    write(tmp_path / "labels" / "train" / "c.txt", SQUARE)
    folder, encoding = look(tmp_path / "labels")
    assert folder.files == ("train/a.b.png", "train/c.txt")
    assert encoding.classes.names == ("background", "class 0")
    assert (drawn(folder, encoding, "train/a.b.png")[0] == 1).sum() == 32
    with pytest.raises(UnreadableMask, match="no image of that name can be opened"):
        read_mask(folder.root, "train/c.txt", encoding)


def test_labels_beside_images_and_in_folders_of_other_names(tmp_path: Path) -> None:
    photo(tmp_path / "images_1" / "a.jpg", 20, 40)
    write(tmp_path / "labels_1" / "a.txt", SQUARE)
    photo(tmp_path / "b.jpg", 20, 40)
    write(tmp_path / "b.txt", "")
    write(tmp_path / "readme.txt", "not a label")
    write(tmp_path / "z.txt", SQUARE)
    folder, encoding = look(tmp_path)
    assert folder.files == ("b.jpg", "images_1/a.jpg", "readme.txt", "z.txt")
    assert not drawn(folder, encoding, "b.jpg")[0].any()
    assert (drawn(folder, encoding, "images_1/a.jpg")[0] == 1).sum() == 32
    with pytest.raises(UnreadableMask, match=r"readme\.txt can't be read: no line is a class number"):
        read_mask(folder.root, "readme.txt", encoding)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("0 0.5 0.5 0.2 0.2", "only a box (1)"),
        ("0 0.5 0.5 0.2 0.2 0.3", "fewer than 3 points (1)"),
        ("0 0.5 0.5", "fewer than 3 points (1)"),
        ("0", "no outline (1)"),
        ("0 0.5 0.5 nan 0.2 0.3 0.3", "coordinates that are no numbers (1)"),
        ("0 0.5 0.5 x 0.2 0.3 0.3", "coordinates that are no numbers (1)"),
        ("0 5 5 6 6 7 5", "no pixel centre of the image inside (1)"),
        ("x 0.5 0.5 0.2 0.2 0.3 0.3", "an unknown category (1)"),
        ("-1 0.5 0.5 0.2 0.2 0.3 0.3", "an unknown category (1)"),
    ],
)
def test_lines_that_are_no_outlines_are_counted(tmp_path: Path, line: str, why: str) -> None:
    photo(tmp_path / "a.jpg", 20, 40)
    write(tmp_path / "a.txt", f"{SQUARE}\n\n{line}\n")
    labels, _, issues = drawn(*look(tmp_path), "a.jpg")
    assert (labels == 1).sum() == 32
    assert codes(issues) == {"objects-not-drawn"} and why in issues[0].message


def test_boxes_alone_are_no_masks(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "0 0.5 0.5 0.2 0.2\n")
    with pytest.raises(NothingMeasurable, match=r"1 \.txt"):
        find_masks(tmp_path)
