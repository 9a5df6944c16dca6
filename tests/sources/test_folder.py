"""Which files are masks, and what is said of the others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from written import blocks, codes, save

from shapeprof.errors import InputError, NothingMeasurable
from shapeprof.sources import find_masks


def test_masks_are_found_recursively_and_sorted(tmp_path: Path) -> None:
    for name in ("b/2.PNG", "b/10.png", "a.tif", "c.bmp", "d.gif", "e.webp"):
        save(tmp_path / name, blocks(0, 1))
    assert find_masks(tmp_path).files == ("a.tif", "b/10.png", "b/2.PNG", "c.bmp", "d.gif", "e.webp")


def test_every_other_file_is_in_a_finding(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 1))
    for name in ("_classes.csv", "notes.md", "ann.json", "x.npy", ".DS_Store", "Thumbs.db", "__MACOSX/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    folder = find_masks(tmp_path)
    assert folder.files == ("a.png",)
    expected = {"names-files", "side-files", "annotations-not-read", "files-not-read", "hidden-files"}
    assert codes(folder.issues) == expected | {"broken-links"}
    assert folder.others == ("_classes.csv", "ann.json", "notes.md", "x.npy")
    assert folder.skipped == 8


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone: no such folder; expected"):
        find_masks(tmp_path / "gone")


def test_a_file_instead_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="this is a file"):
        find_masks(save(tmp_path / "a.png", blocks(0, 1)))


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(NothingMeasurable, match="empty") as caught:
        find_masks(tmp_path)
    assert caught.value.exit_code == 3


def test_a_folder_without_masks(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(NothingMeasurable, match=r"1 \.json"):
        find_masks(tmp_path)


def test_link_loops_end(tmp_path: Path) -> None:
    save(tmp_path / "a" / "m.png", blocks(0, 1))
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert find_masks(tmp_path).files == ("a/m.png",)


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (("1.jpg", "2.jpg"), ("1_mask.png", "2_mask.png")),
        (("1.jpg", "2.jpg"), ("1.png", "2.png")),
        (("train/1.jpg", "val/2.jpg"), ("train/1_labels.png", "val/2_labels.png")),
        (("1.png", "2.png"), ("1_Annotation.png", "2_Annotation.png")),
        (("images/1.png", "images/2.png"), ("masks/1.png", "masks/2.png")),
        (("train/images/1.jpg", "train/images/2.jpg"), ("train/labels/1.jpg", "train/labels/2.jpg")),
        (("1_sat.jpg", "2_sat.jpg"), ("1_mask.png", "2_mask.png")),
        (("1_sat.jpg", "2_sat.jpg", "3_sat.jpg"), ("1_mask.png",)),
        (("img_1.png", "img_2.png"), ("mask_1.png", "mask_2.png")),
        (("image1.png", "image2.png"), ("label1.png", "label2.png")),
        (("a_1.png", "a_2.png"), ("a_1_L.png", "a_2_L.png")),
        (("a/image.png", "b/image.png"), ("a/mask.png", "b/mask.png")),
        (("train/1.tiff", "val/2.tiff"), ("train_labels/1.tif", "val_labels/2.tif")),
        (("b/b (1).png", "b/b (2).png"), ("b/b (1)_mask.png", "b/b (2)_mask.png", "b/b (2)_mask_1.png")),
        (("x/test/cut/1.png", "x/train/good/1.png"), ("x/ground_truth/cut/1_mask.png",)),
    ],
)
def test_images_among_masks_are_set_aside(tmp_path: Path, images: tuple[str, ...], masks: tuple[str, ...]) -> None:
    for name in images + masks:
        save(tmp_path / name, blocks(0, 1))
    folder = find_masks(tmp_path)
    assert folder.files == masks
    assert folder.others == images
    assert codes(folder.issues) == {"images-among-masks"}


@pytest.mark.parametrize(
    "names",
    [
        ("1.png", "2.png", "3_mask.png"),
        ("1_mask.png", "2_mask.png"),
        ("label1.png", "label2.png"),
        ("1_mask.png", "2.png", "3.png", "4.png", "1.png"),
        ("sat_1.png", "sun_2.png"),
    ],
    ids=" ".join,
)
def test_words_that_set_nothing_aside(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        save(tmp_path / name, blocks(0, 1))
    assert find_masks(tmp_path).files == tuple(sorted(names))


def test_stray_images_beside_masks_and_images_are_reported(tmp_path: Path) -> None:
    for name in ("images/1.png", "images/2.png", "logo.png", "masks/1.png", "masks/2.png"):
        save(tmp_path / name, blocks(0, 1))
    folder = find_masks(tmp_path)
    assert folder.files == ("masks/1.png", "masks/2.png")
    assert dict(zip(folder.others, folder.why, strict=True)) == {
        "images/1.png": "images-among-masks",
        "images/2.png": "images-among-masks",
        "logo.png": "beside-masks",
    }
    assert codes(folder.issues) == {"beside-masks", "images-among-masks"}


def test_folders_that_can_not_be_listed_are_reported(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 1))
    at = os.open(tmp_path, os.O_RDONLY)
    for _ in range(24):  # deeper than a path may be long
        os.mkdir("d" * 190, dir_fd=at)
        inner = os.open("d" * 190, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)
    folder = find_masks(tmp_path)
    assert folder.files == ("a.png",)
    assert [(issue.severity, issue.code) for issue in folder.issues] == [("error", "folders-not-read")]


def test_jpeg_masks_stay_masks(tmp_path: Path) -> None:
    for name in ("1.jpg", "2.jpg", "3.png"):
        save(tmp_path / name, blocks(0, 1))
    assert len(find_masks(tmp_path).files) == 3


def test_names_that_extend_each_other_stay_masks(tmp_path: Path) -> None:
    for name in ("1.png", "10.png", "2.png", "20.png", "cat.png", "category.png"):
        save(tmp_path / name, blocks(0, 1))
    assert len(find_masks(tmp_path).files) == 6


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_are_not_read(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 1))
    os.mkfifo(tmp_path / "b.png")
    folder = find_masks(tmp_path)
    assert folder.files == ("a.png",) and "hidden-files" in codes(folder.issues)


def test_the_photographs_of_cityscapes_are_no_masks(tmp_path: Path) -> None:
    for i in range(3):
        save(tmp_path / f"gtFine/train/x/x_{i}_gtFine_labelIds.png", blocks(0, 7, 11))
        save(tmp_path / f"leftImg8bit/train/x/x_{i}_leftImg8bit.png", blocks(0, 90, 200))
    folder = find_masks(tmp_path)
    assert {path.split("/")[0] for path in folder.files} == {"gtFine"} and len(folder.files) == 3
