"""Names taken apart, and the words that say what files hold."""

from __future__ import annotations

import pytest

from shapeprof.sampling import sample_order
from shapeprof.sources.names.name import Name, parsed
from shapeprof.sources.names.words import NO_CLASSES, SPLITS, is_image_folder, is_mask_folder, is_mask_word
from shapeprof.wording import either, first_few


@pytest.mark.parametrize(
    ("path", "folders", "stem", "suffix"),
    [
        ("a.png", (), "a", ".png"),
        ("train/masks/001_mask.PNG", ("train", "masks"), "001_mask", ".png"),
        ("case.nii.gz", (), "case.nii", ".gz"),
        ("folder.v2/plain", ("folder.v2",), "plain", ""),
        ("a b/c.d.tif", ("a b",), "c.d", ".tif"),
    ],
)
def test_a_path_in_parts(path: str, folders: tuple[str, ...], stem: str, suffix: str) -> None:
    assert parsed(path) == Name(folders, stem, suffix)
    assert parsed(path).folder == "/".join(folders)


def test_lies_in_looks_at_folders_of_any_depth_and_not_at_the_name() -> None:
    assert parsed("masks/train/a.png").lies_in(is_mask_folder)
    assert not parsed("train/mask.png").lies_in(is_mask_folder)


@pytest.mark.parametrize(
    "name",
    ["mask", "Masks", "labels", "labelsTr", "SegmentationClass", "SegmentationClassPNG", "gtFine", "gt", "masks_png"],
)
def test_folders_of_masks(name: str) -> None:
    assert is_mask_folder(name) and not is_image_folder(name)


@pytest.mark.parametrize("name", ["images", "img", "imagesTr", "JPEGImages", "leftImg8bit", "rgb", "Photos"])
def test_folders_of_images(name: str) -> None:
    assert is_image_folder(name) and not is_mask_folder(name)


@pytest.mark.parametrize("name", ["train", "unmasked", "masking tape", "imagery", "cat", "", "segments"])
def test_folders_of_neither(name: str) -> None:
    assert not is_mask_folder(name) and not is_image_folder(name)


@pytest.mark.parametrize(
    ("affix", "is_word"),
    [("_mask", True), (" label", True), ("-gt", True), ("_gtFine", True), ("ksam_", True), ("_sat", False)],
)
def test_words_for_masks_at_either_end(affix: str, is_word: bool) -> None:
    assert is_mask_word(affix) is is_word  # a prefix comes reversed


def test_words_of_splits_are_no_classes() -> None:
    assert set(SPLITS) <= NO_CLASSES and set(SPLITS.values()) == {"train", "val", "test"}


@pytest.mark.parametrize(
    ("items", "limit", "text"),
    [
        ([], 3, ""),
        (["a"], 3, "a"),
        (["a", "b", "c"], 3, "a, b, c"),
        (["a", "b", "c", "d"], 3, "a, b, c and 1 more"),
        (["a", "b", "c", "d"], 1, "a and 3 more"),
    ],
)
def test_the_first_few(items: list[str], limit: int, text: str) -> None:
    assert first_few(iter(items), limit) == text


def test_alternatives() -> None:
    assert either(["PNG"]) == "PNG"
    assert either(["PNG", "TIFF"]) == "PNG or TIFF"
    assert either(["PNG", "TIFF", "BMP"]) == "PNG, TIFF or BMP"


def test_the_sample_depends_on_names_alone() -> None:
    names = [f"{i:03}.png" for i in range(100)]
    order = sample_order(names)
    assert sorted(order) == names and order != names
    assert sample_order(reversed(names)) == order
    assert [name for name in sample_order([*names, "x.png"]) if name != "x.png"] == order
    assert order[:3] == ["035.png", "033.png", "012.png"]  # BLAKE2b of the name: the same on every machine
