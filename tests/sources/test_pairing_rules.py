"""Pairs by every rule of names, and what becomes of masks and images that have none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from annotated import coco, photo, write
from hypothesis import given
from hypothesis import strategies as st
from written import blocks, codes, look, save

from shapeprof.sources import MaskFolder, find_masks, pair, regrouped
from shapeprof.sources.names.affixes import Affixes, learn_affixes
from shapeprof.sources.names.companions import WithoutWords
from shapeprof.sources.pairing import Pair

NUMBERS = ("001", "002", "010")


def both(root: Path, mask: str, image: str) -> tuple[MaskFolder, Path]:
    for number in NUMBERS:
        save(root / "m" / mask.format(number), blocks(0, 1))
        save(root / "i" / image.format(number), blocks(0, 9))
    return find_masks(root / "m"), root / "i"


@pytest.mark.parametrize(
    ("mask", "image", "rule"),
    [
        ("{}.png", "{}.jpg", "by name, in the same relative folder"),
        ("{}_mask.png", "{}.jpg", "by name, '_mask' taken off the masks, in the same relative folder"),
        ("gt_{}.png", "{}.jpg", "by name, 'gt_' taken off the masks, in the same relative folder"),
        (
            "{}_gt.png",
            "{}_in.jpg",
            "by name, '_gt' taken off the masks, '_in' taken off the images, in the same relative folder",
        ),
        ("a/{}.png", "b/{}.jpg", "by name, in any folder"),
        ("ground_truth/{}_mask.png", "test/{}.png", "by name, '_mask' taken off the masks, in any folder"),
        ("label{}.png", "image{}.jpg", "by name, without words for masks, images and splits"),
    ],
)
def test_every_rule_in_its_words(tmp_path: Path, mask: str, image: str, rule: str) -> None:
    found = pair(*both(tmp_path, mask, image))
    assert found.rule == rule and not found.issues
    assert [(item.mask, item.image) for item in found.pairs] == [(mask.format(n), image.format(n)) for n in NUMBERS]


@pytest.mark.parametrize(
    ("mask", "image", "split"),
    [
        ("train/{}.png", "train/{}.jpg", "train"),
        ("Testing/{}.png", "testing/{}.jpg", "test"),
        ("{}.png", "validation/{}.jpg", "val"),  # one of the two suffices
        ("train/{}.png", "val/{}.jpg", None),  # and two that differ say nothing
        ("trainer/{}.png", "trainer/{}.jpg", None),
    ],
)
def test_the_split_of_a_pair(tmp_path: Path, mask: str, image: str, split: str | None) -> None:
    assert {item.split for item in pair(*both(tmp_path, mask, image)).pairs} == {split}


def test_what_has_no_partner_is_named_with_what_becomes_of_it(tmp_path: Path) -> None:
    masks, images = both(tmp_path, "{}.png", "{}.jpg")
    save(tmp_path / "m" / "900.png", blocks(0, 1))
    save(tmp_path / "i" / "800.jpg", blocks(0, 9))
    save(tmp_path / "i" / "001.bmp", blocks(0, 9))
    found = pair(find_masks(tmp_path / "m"), images, group_pattern=r"^(0)")
    texts = {issue.code: issue.message for issue in found.issues}
    assert texts == {
        "ambiguous-pairs": "1 masks have no single image: 001.png (001.bmp, 001.jpg). They are left out; give each its "
        "own name",
        "masks-without-image": "1 masks have no image: 900.png. They are measured, but can't be trained on",
        "images-without-mask": "1 images have no mask: 800.jpg. They are left out",
    }
    assert [item.group for item in found.pairs] == ["0", "0"] and masks.files == ("001.png", "002.png", "010.png")


def test_the_masks_of_an_image_that_show_one_class_each(tmp_path: Path) -> None:
    for number in range(4):
        for shift, name in enumerate(("road", "tree", "wall")):
            save(tmp_path / "m" / f"{number}_{name}.png", np.roll(blocks(1, 0, 0), 8 * shift, axis=1) * 255)
        save(tmp_path / "i" / f"{number}.jpg", blocks(0, 9))
    folder, encoding = look(tmp_path / "m")
    found = pair(regrouped(folder, encoding), tmp_path / "i")
    assert [item.image for item in found.pairs] == [f"{n}.jpg" for n in range(4)]
    assert found.pairs[2] == Pair("2_road.png", "2.jpg", more=("2_tree.png", "2_wall.png"))


def test_a_further_mask_of_another_size_leaves_the_image_out(tmp_path: Path) -> None:
    for name, size in (("1_a.png", 24), ("1_b.png", 30)):
        save(tmp_path / "m" / name, blocks(0, 1, size=size))
    save(tmp_path / "i" / "1.jpg", blocks(0, 9))
    masks = MaskFolder(tmp_path / "m", ("1_a.png", "1_b.png"), image_names=("1.png", "1.png"))
    found = pair(masks, tmp_path / "i")
    assert not found.pairs and codes(found.issues) == {"size-mismatch"} and "mask 30 x 30" in found.issues[0].message
    assert len(pair(masks, tmp_path / "i", check_sizes=False).pairs) == 1


def test_drawn_masks_pair_with_the_images_that_their_document_names(tmp_path: Path) -> None:
    for name, rows in (("a", 20), ("b", 21)):
        photo(tmp_path / f"{name}.jpg", rows, 30)
    write(tmp_path / "x.json", coco([], [(1, "a.jpg"), (2, "b.jpg")]))
    found = pair(find_masks(tmp_path), tmp_path)
    assert [(item.mask, item.image) for item in found.pairs] == [("a.jpg", "a.jpg")]
    assert [item.mask for item in found.mismatched] == ["b.jpg"]  # the document says 20 rows


WORDS = st.sampled_from(["scan", "img", "p1", "left", "x-ray", "Tile"])
AFFIXES = st.sampled_from(["_mask", "_gt", "-label", " seg", "_L", "_groundTruth"])


@given(st.lists(st.tuples(WORDS, st.integers(0, 999)), min_size=2, max_size=9, unique=True), AFFIXES, st.booleans())
def test_a_suffix_of_all_masks_is_found_whatever_the_names(
    names: list[tuple[str, int]], affix: str, in_folders: bool
) -> None:
    folder = "train/" if in_folders else ""
    stems = [f"{word}_{number:03}" for word, number in names]
    masks, images = [f"{folder}{stem}{affix}.png" for stem in stems], [f"{folder}{stem}.jpg" for stem in stems]
    found = learn_affixes(masks, images)
    assert found == Affixes(mask_suffix=affix)
    assert [found.mask_key(path) for path in masks] == [found.image_key(path) for path in images]


PATHS = st.lists(st.text("ab1_/-. ", min_size=1, max_size=9), max_size=8)


@given(PATHS, PATHS)
def test_any_names_have_keys_or_none(masks: list[str], images: list[str]) -> None:
    for rule in (learn_affixes(masks, images), WithoutWords()):
        for path in (*masks, *images):
            for key in (rule.mask_key(path), rule.image_key(path)):
                assert key is None or (len(key) == 2 and all(isinstance(part, str) for part in key))
