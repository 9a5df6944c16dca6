"""Which image belongs to which mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from written import blocks, codes, save

from shapeprof.errors import PairingError, UsageError
from shapeprof.sources import MaskFolder, Pairing, find_masks, pair
from shapeprof.sources.pairing import Pair


def make(root: Path, *names: str) -> Path:
    for name in names:
        save(root / name, blocks(0, 1))
    return root


def paired(tmp_path: Path, masks: list[str], images: list[str], **options: str) -> Pairing:
    make(tmp_path / "m", *masks)
    make(tmp_path / "i", *images)
    return pair(find_masks(tmp_path / "m"), tmp_path / "i", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("masks", "images"),
    [
        (["1.png", "2.png"], ["1.jpg", "2.jpg"]),
        (["1_mask.png"], ["1.jpg"]),
        (["1_Annotation.png", "2_Annotation.png"], ["1.png", "2.png"]),
        (["mask_1.png", "mask_2.png"], ["1.jpg", "2.jpg"]),
        (["1_mask.png", "2_mask.png"], ["1_sat.jpg", "2_sat.jpg"]),
        (["GT_1.png", "GT_2.png"], ["IMG_1.jpg", "IMG_2.jpg"]),
        (["c/1_gtFine_ids.png", "c/2_gtFine_ids.png"], ["c/1_leftImg8bit.png", "c/2_leftImg8bit.png"]),
        (["train/1.png", "val/2.png"], ["train/1.jpg", "val/2.jpg"]),
        (["Tile 1/p_1.png", "Tile 2/p_1.png"], ["Tile 1/p_1.jpg", "Tile 2/p_1.jpg"]),
        (["train/masks/1.png", "train/masks/2.png"], ["train/images/1.jpg", "train/images/2.jpg"]),
        (["1.png", "2.png"], ["a/1.jpg", "b/2.jpg"]),
        (["1.png", "10.png", "2.png"], ["1.jpg", "10.jpg", "2.jpg"]),
        (["a/mask.png", "b/mask.png"], ["a/image.png", "b/image.png"]),
        (["label1.png", "label2.png"], ["image1.jpg", "image2.jpg"]),
        (["x/ground_truth/cut/1_mask.png", "x/ground_truth/hit/1_mask.png"], ["x/test/cut/1.png", "x/test/hit/1.png"]),
    ],
)  # fmt: skip
def test_names_that_match(tmp_path: Path, masks: list[str], images: list[str]) -> None:
    found = paired(tmp_path, masks, images)
    assert [(item.mask, item.image) for item in found.pairs] == list(zip(masks, images, strict=True))
    assert not found.issues


@pytest.mark.parametrize(
    ("masks", "images"),
    [
        (["img_001.png"], ["img_002.jpg"]),
        (["scan_a.png"], ["scan_b.png"]),
        (["category.png"], ["cat.jpg"]),
        (["10.png"], ["1.jpg"]),
        (["x.png"], ["y.jpg"]),
    ],
)
def test_names_that_only_resemble_each_other(tmp_path: Path, masks: list[str], images: list[str]) -> None:
    with pytest.raises(PairingError, match=r"no mask in .* has an image of its name"):
        paired(tmp_path, masks, images)


def test_images_and_masks_in_one_folder(tmp_path: Path) -> None:
    make(tmp_path, "1.jpg", "1_mask.png", "2.jpg", "2_mask.png")
    found = pair(find_masks(tmp_path), tmp_path)
    assert found.pairs == (Pair("1_mask.png", "1.jpg"), Pair("2_mask.png", "2.jpg"))


def test_equal_names_in_other_folders_are_not_taken(tmp_path: Path) -> None:
    found = paired(tmp_path, ["T1/1.png", "T1/2.png", "T2/1.png"], ["T1/1.jpg", "T1/2.jpg", "T3/1.jpg"])
    assert [item.mask for item in found.pairs] == ["T1/1.png", "T1/2.png"]
    assert found.masks_without_image == ("T2/1.png",)
    assert found.images_without_mask == ("T3/1.jpg",)
    assert codes(found.issues) == {"masks-without-image", "images-without-mask"}


def test_two_candidates_are_reported(tmp_path: Path) -> None:
    found = paired(tmp_path, ["1.png", "2.png"], ["1.jpg", "1.bmp", "2.jpg"])
    assert [item.mask for item in found.pairs] == ["2.png"]
    assert found.ambiguous == (("1.png", ("1.bmp", "1.jpg")),)
    assert codes(found.issues) == {"ambiguous-pairs"}
    assert "1.bmp, 1.jpg" in found.issues[0].message


def test_sizes_must_agree(tmp_path: Path) -> None:
    make(tmp_path / "m", "1.png", "2.png", "3.png")
    make(tmp_path / "i", "1.jpg")
    save(tmp_path / "i" / "2.jpg", np.zeros((7, 9)))
    (tmp_path / "i" / "3.jpg").write_text("no image")
    found = pair(find_masks(tmp_path / "m"), tmp_path / "i")
    assert [item.mask for item in found.pairs] == ["1.png"]
    assert [item.mask for item in found.mismatched] == ["2.png"]
    assert codes(found.issues) == {"size-mismatch", "unreadable-image"}
    assert "9 x 7" in found.issues[0].message


@pytest.mark.parametrize(
    ("folder", "split"), [("training", "train"), ("valid", "val"), ("images_test2017", "test"), ("constrained", None)]
)
def test_splits_by_folder(tmp_path: Path, folder: str, split: str | None) -> None:
    [item] = paired(tmp_path, [f"{folder}/1.png"], [f"{folder}/1.jpg"]).pairs
    assert item.split == split


def test_groups_by_pattern(tmp_path: Path) -> None:
    masks, images = ["p1_l.png", "p1_r.png", "x.png"], ["p1_l.jpg", "p1_r.jpg", "x.jpg"]
    found = paired(tmp_path, masks, images, group_pattern=r"^(p\d+)_")
    assert [item.group for item in found.pairs] == ["p1", "p1", None]
    assert codes(found.issues) == {"no-group"}


@pytest.mark.parametrize("pattern", ["(", "p1", "(a)(b)"])
def test_patterns_that_make_no_sense(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(UsageError, match="group pattern"):
        pair(MaskFolder(tmp_path, ()), tmp_path, group_pattern=pattern)


def test_a_folder_without_images(tmp_path: Path) -> None:
    make(tmp_path, "1.png")
    with pytest.raises(PairingError, match="no images in it besides the masks"):
        pair(find_masks(tmp_path), tmp_path)
