"""What tells a mask's name from its image's: learned affixes, and words."""

from __future__ import annotations

import pytest

from shapeprof.sources.names.affixes import Affixes, learn_affixes
from shapeprof.sources.names.companions import WithoutWords, images_by_words

NUMBERS = [f"{i:03}" for i in range(12)]


@pytest.mark.parametrize(
    ("mask", "image", "affixes"),
    [
        ("{}.png", "{}.jpg", Affixes()),
        ("{}_mask.png", "{}.jpg", Affixes(mask_suffix="_mask")),
        ("mask_{}.png", "{}.jpg", Affixes(mask_prefix="mask_")),
        ("{}_gtFine.png", "{}_leftImg8bit.png", Affixes(mask_suffix="_gtFine", image_suffix="_leftImg8bit")),
        ("masks/{}.png", "images/{}.jpg", Affixes()),
        ("a/{}_L.png", "b/{}.jpg", Affixes(mask_suffix="_L", by_folder=False)),
    ],
)
def test_affixes_are_learned_from_the_names(mask: str, image: str, affixes: Affixes) -> None:
    masks, images = [mask.format(n) for n in NUMBERS], [image.format(n) for n in NUMBERS]
    found = learn_affixes(masks, images)
    assert found == affixes
    assert [found.mask_key(path) for path in masks] == [found.image_key(path) for path in images]


def test_a_name_without_the_affix_has_no_key() -> None:
    found = Affixes(mask_suffix="_mask")
    assert found.mask_key("001.png") is None and found.mask_key("_mask.png") is None
    assert found.mask_key("Train/masks/001_mask.png") == ("train", "001")
    assert found.length == 5


def test_a_single_pair_of_different_names_suggests_nothing() -> None:
    assert learn_affixes(["scan_a.png"], ["scan_b.png"]) == Affixes(by_folder=False)


def test_the_rule_in_words() -> None:
    assert str(Affixes()) == "by name, in the same relative folder"
    both = Affixes(mask_suffix="_mask", image_prefix="img_", by_folder=False)
    assert str(both) == "by name, '_mask' taken off the masks, 'img_' taken off the images, in any folder"


@pytest.mark.parametrize(
    ("mask", "image"),
    [
        ("{}_mask.png", "{}_sat.jpg"),
        ("label{}.png", "image{}.png"),
        ("train_labels/{}.png", "train/{}.png"),
        ("{}_manual1.png", "{}_orig.png"),
        ("{}L.png", "{}.png"),
    ],
)
def test_words_separate_masks_from_images(mask: str, image: str) -> None:
    masks, images = [mask.format(n) for n in NUMBERS], [image.format(n) for n in NUMBERS]
    if mask == "{}L.png":  # L alone behind a number is CamVid's with an underscore only
        masks = [f"{n}_L.png" for n in NUMBERS]
    assert images_by_words(sorted(masks + images)) == (sorted(masks), sorted(images))
    keys = WithoutWords()
    assert [keys.mask_key(path) for path in masks] == [keys.image_key(path) for path in images]


def test_words_alone_do_not_make_images() -> None:
    masks = [f"{n}_mask.png" for n in NUMBERS]
    assert images_by_words(masks) == ([], [])
    assert images_by_words([*masks, "other.png"]) == ([], [])  # no mask has an image of its name
    assert images_by_words([f"{n}.png" for n in NUMBERS]) == ([], [])
