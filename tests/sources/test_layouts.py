"""Masks that are parts: one object per file, one class per file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from written import blocks, codes, colours, look, save

from shapeprof.errors import UnreadableMask, UsageError
from shapeprof.sources import Encoding, pair, read_mask, read_runs, read_whole, regrouped


def square(row: int, column: int, side: int = 6, size: int = 24, value: int = 255) -> np.ndarray:
    mask = np.zeros((size, size), np.uint8)
    mask[row : row + side, column : column + side] = value
    return mask


SPOTS = ((0, 0, 6), (8, 8, 6), (16, 16, 8), (0, 16, 6), (16, 0, 6))


def nuclei(root: Path, *images: str) -> Path:
    """Five objects in a folder per image."""
    for image in images:
        for i, (row, column, side) in enumerate(SPOTS, start=1):
            save(root / image / f"x{i}.png", square(row, column, side))
    return root


def objects(root: Path, name: str, encoding: Encoding) -> np.ndarray:
    found, _ = read_mask(root, name, encoding)
    assert found.instances is not None
    return found.instances


def test_files_of_one_object_are_one_mask_per_folder(tmp_path: Path) -> None:
    nuclei(tmp_path, "train/a", "train/b.c", "train/d")
    folder, encoding = look(tmp_path)
    assert (encoding.layout, encoding.kind, encoding.instances) == ("objects", "binary", True)
    assert "3 folders hold 15 files" in " ".join(encoding.reasons)
    grouped = regrouped(folder, encoding)
    assert grouped.files == ("train/a", "train/b.c", "train/d")
    assert grouped.stored == folder.files
    expected = sum(square(*spot, value=i) for i, spot in enumerate(SPOTS, start=1))
    for name in grouped.files:
        found, issues = read_mask(tmp_path, name, encoding)
        assert (found.labels == (expected > 0)).all()
        assert (objects(tmp_path, name, encoding) == expected).all()
        assert not issues
    runs, _ = read_runs(tmp_path, "train/a", encoding)
    assert runs.instance is not None
    assert set(runs.instance.tolist()) == {0, 1, 2, 3, 4, 5}
    assert runs.digest == read_mask(tmp_path, "train/a", encoding)[0].digest
    assert Encoding.from_dict(json.loads(json.dumps(encoding.to_dict()))) == encoding


@pytest.mark.parametrize("odd", ["size", "empty"])
def test_one_odd_file_does_not_change_what_files_are(tmp_path: Path, odd: str) -> None:
    nuclei(tmp_path, *"abcdef")
    save(tmp_path / "c/x2.png", np.zeros((24, 24)) if odd == "empty" else np.pad(square(8, 8, 6), 1))
    _, encoding = look(tmp_path)
    assert encoding.layout == "objects"
    _, issues = read_mask(tmp_path, "c", encoding)
    assert codes(issues) == {"empty-object" if odd == "empty" else "object-size-mismatch"}


def test_objects_at_another_size(tmp_path: Path) -> None:
    nuclei(tmp_path, "a", "b")
    _, encoding = look(tmp_path)
    found, _ = read_mask(tmp_path, "a", encoding, 12)
    assert found.labels.shape == (12, 12)
    assert found.instances is not None
    assert np.unique(found.instances).tolist() == [0, 1, 2, 3, 4, 5]


def test_of_overlapping_objects_the_smaller_is_shown(tmp_path: Path) -> None:
    nuclei(tmp_path, "a", "b")
    save(tmp_path / "a" / "x0.png", square(9, 9, side=2))
    _, encoding = look(tmp_path, layout="objects")
    found = objects(tmp_path, "a", encoding)
    assert found[9, 9] == 1  # the first by name, painted after the larger third
    assert found[8, 8] == 3
    _, issues = read_mask(tmp_path, "a", encoding)
    assert codes(issues) == {"objects-overlap"}


def test_an_unreadable_object_is_missing_and_reported(tmp_path: Path) -> None:
    nuclei(tmp_path, "a", "b", "c")
    (tmp_path / "a" / "x2.png").write_bytes((tmp_path / "a" / "x2.png").read_bytes()[:40])
    save(tmp_path / "a" / "x9.png", square(0, 0, size=30))
    _, encoding = look(tmp_path, layout="objects")
    found, issues = read_mask(tmp_path, "a", encoding)
    assert {(i.severity, i.code, i.path) for i in issues} == {
        ("error", "object-truncated-file", "a/x2.png"),
        ("error", "object-size-mismatch", "a/x9.png"),
    }
    assert found.instances is not None
    assert np.unique(found.instances).tolist() == [0, 1, 3, 4, 5]


def test_hidden_and_empty_objects_are_reported(tmp_path: Path) -> None:
    nuclei(tmp_path, "a", "b")
    save(tmp_path / "a" / "x6.png", square(0, 0))  # as the first: of equal ones the later is shown
    save(tmp_path / "a" / "x7.png", square(0, 0, value=0))
    _, encoding = look(tmp_path, layout="objects")
    found, issues = read_mask(tmp_path, "a", encoding)
    assert found.instances is not None
    assert np.unique(found.instances).tolist() == [0, 2, 3, 4, 5, 6]
    assert {(i.severity, i.code) for i in issues} == {("warning", "objects-overlap"), ("warning", "empty-object")}
    assert "1 objects lie wholly under others: a/x1.png" in issues[0].message
    assert "1 of its 7 files hold no object: a/x7.png" in issues[1].message


def test_a_folder_without_a_readable_object_is_no_mask(tmp_path: Path) -> None:
    nuclei(tmp_path, "a", "b")
    _, encoding = look(tmp_path)
    for name in os.listdir(tmp_path / "a"):  # noqa: PTH208
        (tmp_path / "a" / name).write_bytes(b"")
    with pytest.raises(UnreadableMask, match="none of its 5 files"):
        read_mask(tmp_path, "a", encoding)


def test_a_file_beside_the_folders_is_one_object(tmp_path: Path) -> None:
    nuclei(tmp_path, "a", "b")
    save(tmp_path / "alone.png", square(4, 4))
    folder, encoding = look(tmp_path)
    assert regrouped(folder, encoding).files == ("a", "alone.png", "b")
    assert np.unique(objects(tmp_path, "alone.png", encoding)).tolist() == [0, 1]


@pytest.mark.parametrize("names", [("train", "val"), ("train/masks", "test/masks")], ids=" ".join)
def test_parts_of_a_set_are_no_images(tmp_path: Path, names: tuple[str, ...]) -> None:
    nuclei(tmp_path, *names)
    assert look(tmp_path)[1].layout == "files"


def test_folders_with_an_empty_mask_hold_masks(tmp_path: Path) -> None:
    nuclei(tmp_path, "p1", "p2")
    save(tmp_path / "p1" / "x6.png", square(0, 0, value=0))
    assert look(tmp_path)[1].layout == "files"


def test_too_few_objects_to_tell(tmp_path: Path) -> None:
    for tile in ("Tile 1", "Tile 2"):
        save(tmp_path / tile / "1.png", square(0, 0))
        save(tmp_path / tile / "2.png", square(16, 16))
    _, encoding = look(tmp_path)
    assert (encoding.layout, codes(encoding.issues)) == ("files", {"maybe-objects"})
    assert look(tmp_path, layout="objects")[1].layout == "objects"


def test_layouts_as_asked(tmp_path: Path) -> None:
    nuclei(tmp_path, "a", "b")
    assert look(tmp_path, layout="files")[1].layout == "files"
    assert look(tmp_path, layout="classes")[1].classes.names == ("background", "a", "b")
    with pytest.raises(UsageError, match="--layout classes: neither"):
        look(tmp_path / "a", layout="classes")
    with pytest.raises(UsageError, match="--layout objects: the masks lie in no sub-folders"):
        look(tmp_path / "a", layout="objects")
    save(tmp_path / "c" / "d" / "x.png", colours(blocks(0, 1, 2), [(0, 0, 0), (9, 0, 0), (0, 9, 0)]))
    with pytest.raises(UsageError, match="not binary"):
        look(tmp_path / "c", layout="objects")


@pytest.mark.parametrize(
    ("folders", "images"),
    [
        (["masks/a", "masks/b"], ["a.png", "b.png"]),
        (["a/masks", "b/masks"], ["a/images/a.png", "b/images/b.png"]),
        (["train/a/masks", "val/b/masks"], ["train/a/images/a.png", "val/b/images/b.png"]),
        (["a.1", "a.2"], ["a.1.png", "a.2.png"]),
    ],
)
def test_folders_of_objects_pair_with_images(tmp_path: Path, folders: list[str], images: list[str]) -> None:
    nuclei(tmp_path / "m", *folders)
    for name in images:
        save(tmp_path / "i" / name, square(0, 0))
    folder, encoding = look(tmp_path / "m")
    found = pair(regrouped(folder, encoding), tmp_path / "i")
    assert [(p.mask, p.image) for p in found.pairs] == list(zip(folders, images, strict=True))
    assert not found.issues


def test_images_beside_folders_of_objects(tmp_path: Path) -> None:
    for image in ("a", "b"):
        nuclei(tmp_path, f"{image}/masks")
        save(tmp_path / image / "images" / f"{image}.png", blocks(1, 2, 3))
    folder, encoding = look(tmp_path)
    folder = regrouped(folder, encoding)
    assert folder.files == ("a/masks", "b/masks")
    assert [p.image for p in pair(folder, tmp_path).pairs] == ["a/images/a.png", "b/images/b.png"]


def test_an_image_of_another_size_than_its_objects(tmp_path: Path) -> None:
    nuclei(tmp_path / "m", "a", "b")
    save(tmp_path / "i" / "a.png", square(0, 0))
    save(tmp_path / "i" / "b.png", square(0, 0, size=30))
    folder, encoding = look(tmp_path / "m")
    assert codes(pair(regrouped(folder, encoding), tmp_path / "i").issues) == {"size-mismatch"}


CAT, DOG = square(0, 0), square(12, 12)


def classes(root: Path, names: list[str], **options: object) -> dict[str, set[str]]:
    """Names of the classes in each mask."""
    for i, name in enumerate(names):
        save(root / name, square(3 * i % 17, 7 * i % 17))
    folder, encoding = look(root, **options)
    found = {}
    for name in regrouped(folder, encoding).files:
        labels = read_mask(root, name, encoding)[0].labels
        runs, _ = read_runs(root, name, encoding)
        assert set(np.unique(labels)) == set(runs.value.tolist())
        found[name] = {encoding.classes.name_of(int(c)) for c in np.unique(labels)} - {"background"}
    return found


def test_the_folder_names_the_class(tmp_path: Path) -> None:
    names = [f"masks/{kind}/{i:03}.png" for kind in ("cat", "dog") for i in range(3)]
    assert classes(tmp_path, names) == {name: {name.split("/")[1]} for name in names}
    _, encoding = look(tmp_path)
    assert (encoding.layout, encoding.classes.names) == ("class-folders", ("background", "cat", "dog"))
    assert "class-from-name" in codes(encoding.issues)
    assert Encoding.from_dict(json.loads(json.dumps(encoding.to_dict()))) == encoding


def test_the_folder_names_the_class_of_other_images(tmp_path: Path) -> None:
    names = [f"{kind}/{kind[0]}{i}.png" for kind in ("scratch", "blow hole") for i in range(3)]
    assert classes(tmp_path, names) == {name: {name.split("/")[0]} for name in names}


@pytest.mark.parametrize(
    ("pattern", "kinds"),
    [
        ("train/{i:03}_{kind}.png", ("road", "car")),
        ("{i:03}_{kind}_mask.png", ("road", "car")),
        ("{i:05}_{kind}.png", ("l_brow", "hair")),
        ("{i}/{kind}.png", ("chair", "table")),
    ],
)
def test_the_ending_names_the_class(tmp_path: Path, pattern: str, kinds: tuple[str, ...]) -> None:
    names = {pattern.format(i=i, kind=kind): {kind} for kind in kinds for i in range(3)}
    assert classes(tmp_path, list(names)) == names
    assert look(tmp_path)[1].layout == "class-endings"


@pytest.mark.parametrize(
    "names",
    [
        ["Tile 1/p1.png", "Tile 1/p2.png", "Tile 2/p1.png", "Tile 2/p2.png"],
        ["train/1.png", "train/2.png", "val/1.png", "val/2.png"],
        ["left/1.png", "left/2.png", "right/1.png", "right/2.png"],
        ["p1_l.png", "p1_r.png", "p2_l.png", "p2_r.png"],
        ["0a3f/1.png", "0a3f/2.png", "9be1/1.png", "9be1/2.png"],
        ["001_mask.png", "002_mask.png"],
    ],
    ids=" ".join,
)
def test_names_that_tell_no_class(tmp_path: Path, names: list[str]) -> None:
    assert set(classes(tmp_path, names, layout="auto")) == set(names)
    assert look(tmp_path)[1].part_ids == ()


def test_a_class_folder_whose_name_is_no_utf_8(tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9")
    names = [f"{kind}/{i:03}.png" for kind in ("tea", "coffee") for i in range(3)]
    for i, name in enumerate(names):
        save(tmp_path / name, square(3 * i % 17, 7 * i % 17))
    (tmp_path / "coffee").rename(tmp_path / odd)
    _, encoding = look(tmp_path, layout="classes")
    assert encoding.classes.names == ("background", "caf\\udce9", "tea")
    assert read_mask(tmp_path, f"{odd}/000.png", encoding)[0].labels.max() == 1


def test_two_raters_are_no_classes(tmp_path: Path) -> None:
    for i in range(3):
        save(tmp_path / "alice" / f"{i}.png", square(4, 4, side=10))
        save(tmp_path / "bob" / f"{i}.png", square(4, 5, side=10))
    assert look(tmp_path)[1].layout == "files"
    assert look(tmp_path, layout="classes")[1].classes.names == ("background", "alice", "bob")


def test_classes_in_the_order_asked_for(tmp_path: Path) -> None:
    names = [f"masks/{kind}/{i}.png" for kind in ("cat", "dog") for i in range(3)]
    classes(tmp_path, names)
    _, encoding = look(tmp_path, classes=("background", "dog", "cat", "cow"))
    assert encoding.classes.names == ("background", "dog", "cat", "cow")
    assert dict(encoding.part_ids) == {"cat": 2, "dog": 1}


def test_a_mask_whose_name_has_no_class(tmp_path: Path) -> None:
    names = [f"masks/{kind}/{i}.png" for kind in ("cat", "dog") for i in range(3)]
    classes(tmp_path, names)
    _, encoding = look(tmp_path)
    save(tmp_path / "masks" / "cow" / "1.png", CAT)
    with pytest.raises(UnreadableMask, match="names none of the classes cat, dog"):
        read_mask(tmp_path, "masks/cow/1.png", encoding)


@pytest.mark.parametrize(
    ("masks", "images"),
    [
        ("masks/{kind}/{i}.png", "images/{i}.jpg"),
        ("{kind}/train/{i}.png", "train/{i}.jpg"),
        ("{i}_{kind}.png", "{i}.jpg"),
        ("{i}/{kind}.png", "{i}.jpg"),
    ],
)
def test_masks_of_classes_pair_with_the_image_that_they_share(tmp_path: Path, masks: str, images: str) -> None:
    for i in (7, 8, 9):
        save(tmp_path / "m" / masks.format(kind="road", i=i), square(0, 0, 20))
        save(tmp_path / "m" / masks.format(kind="car", i=i), square(4, 4, 6))
        save(tmp_path / "i" / images.format(i=i), square(0, 0))
    folder, encoding = look(tmp_path / "m")
    found = pair(regrouped(folder, encoding), tmp_path / "i")
    assert [item.image for item in found.pairs] == [images.format(i=i) for i in (7, 8, 9)]
    assert all(len(item.more) == 1 for item in found.pairs)
    assert not found.issues
    whole, issues = read_whole(tmp_path / "m", (found.pairs[0].mask, *found.pairs[0].more), encoding)
    expected = square(0, 0, 20, value=2)
    expected[4:10, 4:10] = 1  # the car lies above the road
    assert (whole.labels == expected).all()
    assert [issue.code for issue in issues] == ["classes-overlap"]
    assert issues[0].message.startswith("36 px")
