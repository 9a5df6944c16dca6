"""Whether a folder's masks are its image files or its annotations."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from annotated import coco, photo, square, write
from written import blocks, codes, save

from shapeprof.errors import NothingMeasurable
from shapeprof.scan.folder import file_states
from shapeprof.sources import ReadOptions, detect, find_masks, pair, read_mask
from shapeprof.sources.annotations.documents import CACHED

DOCUMENT = coco([{"segmentation": [square(0, 0, 4)]}], images=[(1, "a.jpg"), (2, "b.jpg")])


def dataset(root: Path) -> Path:
    for name in ("a", "b"):
        photo(root / "images" / f"{name}.jpg", 20, 30)
    write(root / "annotations" / "x.json", DOCUMENT)
    return root


@pytest.mark.parametrize("mask", ["masks/a.png", "images/a_mask.png", "images/a.png", "other/c.png", "gt/c.png"])
def test_masks_win_and_it_is_said_how_to_override(tmp_path: Path, mask: str) -> None:
    save(dataset(tmp_path) / mask, blocks(0, 1))
    folder = find_masks(tmp_path)
    assert mask in folder.files and folder.annotations is None
    assert "--annotations draws" in next(i for i in folder.issues if i.code == "annotations-beside-masks").message
    assert "annotations-not-read" not in codes(folder.issues)
    assert find_masks(tmp_path, ReadOptions(annotations=True)).files == ("images/a.jpg", "images/b.jpg")
    assert "annotations-not-read" in codes(find_masks(tmp_path, ReadOptions(annotations=False)).issues)


@pytest.mark.parametrize("image", ["images/c.jpg", "images/c.png", "c.jpg", "more/images/c.png"])
def test_images_that_no_document_names_are_no_masks(tmp_path: Path, image: str) -> None:
    save(dataset(tmp_path) / image, blocks(0, 1))
    folder = find_masks(tmp_path)
    assert folder.files == ("images/a.jpg", "images/b.jpg")
    assert codes(folder.issues) == {"images-without-annotations"} and image in folder.issues[0].message


def test_a_pattern_says_which_files_are_masks(tmp_path: Path) -> None:
    save(dataset(tmp_path) / "images" / "m_c.png", blocks(0, 1))
    folder = find_masks(tmp_path, ReadOptions(pattern="m_*"))
    assert folder.files == ("images/m_c.png",) and folder.annotations is None
    folder = find_masks(tmp_path, ReadOptions(pattern="m_*", annotations=True))
    assert folder.files == ("images/a.jpg", "images/b.jpg")


def test_arrays_can_be_the_masks(tmp_path: Path) -> None:
    (dataset(tmp_path) / "masks").mkdir()
    np.save(tmp_path / "masks" / "a.npy", blocks(0, 1).astype(np.uint8))
    folder = find_masks(tmp_path)
    assert "masks/a.npy" in folder.files and "annotations-beside-masks" in codes(folder.issues)


def test_annotations_that_there_are_not(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 1))
    with pytest.raises(NothingMeasurable, match="no annotations in its 1 files; expected COCO"):
        find_masks(tmp_path, ReadOptions(annotations=True))


def test_a_damaged_document_among_images_is_reported(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 1))
    write(tmp_path / "x.json", '{"images": [')
    issue = next(i for i in find_masks(tmp_path).issues if i.code == "annotations-refused")
    assert "x.json (it is no JSON" in issue.message


def test_the_format_with_the_most_masks_is_read(tmp_path: Path) -> None:
    dataset(tmp_path)
    write(tmp_path / "labels" / "a.txt", "0 0.1 0.1 0.3 0.1 0.3 0.3 0.1 0.3")
    folder = find_masks(tmp_path)
    assert folder.stored == ("annotations/x.json",)
    assert "labels/a.txt" in next(i for i in folder.issues if i.code == "other-annotations").message


def test_changes_of_the_documents_are_seen(tmp_path: Path) -> None:
    before = file_states(find_masks(dataset(tmp_path)))
    assert file_states(find_masks(tmp_path)) == before
    write(tmp_path / "annotations" / "x.json", {**DOCUMENT, "info": "changed"})
    assert not set(file_states(find_masks(tmp_path)).items()) & set(before.items())


def test_pairs_with_the_images_wherever_either_is_given(tmp_path: Path) -> None:
    dataset(tmp_path)
    for masks in (tmp_path, tmp_path / "annotations", tmp_path / "annotations" / "x.json"):
        for images in (tmp_path, tmp_path / "images"):
            pairing = pair(find_masks(masks), images)
            assert [p.image for p in pairing.pairs] == [
                (f"{'images/' if images == tmp_path else ''}{name}.jpg") for name in ("a", "b")
            ]
            assert not pairing.issues


def test_an_image_of_another_size_than_its_document_says(tmp_path: Path) -> None:
    photo(dataset(tmp_path) / "images" / "b.jpg", 40, 60)
    pairing = pair(find_masks(tmp_path), tmp_path / "images")
    assert [p.image for p in pairing.pairs] == ["a.jpg"]
    assert [i.code for i in pairing.issues] == ["size-mismatch"]
    assert "b.jpg 60 x 40, mask 30 x 20" in pairing.issues[0].message


def test_how_far_objects_overlap_is_reported(tmp_path: Path) -> None:
    objects = [{"segmentation": [square(0, 0, 10)]}, {"segmentation": [square(2, 2, 5)]}]
    write(tmp_path / "x.json", coco(objects))
    issues = detect(find_masks(tmp_path), ReadOptions()).issues
    assert "25.0% of the pixels in objects" in next(i for i in issues if i.code == "objects-overlap").message


def test_images_of_one_document_in_several_places(tmp_path: Path) -> None:
    """As in one real set, whose valid/ has some of its images in valid/images/; others are nowhere."""
    names = ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    document = coco([], images=list(enumerate(names)))
    write(tmp_path / "valid" / "_annotations.coco.json", document)
    for image in ("valid/a.jpg", "valid/b.jpg", "valid/images/c.jpg"):
        photo(tmp_path / image, 20, 30)
    folder = find_masks(tmp_path)
    assert folder.files == ("valid/a.jpg", "valid/b.jpg", "valid/d.jpg", "valid/images/c.jpg")
    encoding = detect(folder, ReadOptions())
    assert all(read_mask(folder.root, name, encoding)[0].labels.shape == (20, 30) for name in folder.files)


def test_equal_image_names_are_distinguished_by_words_of_the_document(tmp_path: Path) -> None:
    for split, side in (("train2017", 4), ("val2017", 5)):
        document = coco([{"segmentation": [square(0, 0, side)]}], images=[(1, "1.jpg")])
        write(tmp_path / "annotations" / f"instances_{split}.json", document)
        photo(tmp_path / split / "1.jpg", 20, 30)
    folder = find_masks(tmp_path)
    assert folder.files == ("train2017/1.jpg", "val2017/1.jpg") and not folder.issues
    encoding = detect(folder, ReadOptions())
    found = [int((read_mask(folder.root, name, encoding)[0].labels == 1).sum()) for name in folder.files]
    assert found == [16, 25]


def test_more_documents_than_are_kept_in_memory(tmp_path: Path) -> None:
    for i in range(CACHED + 10):
        document = coco([{"segmentation": [square(0, 0, 1 + i % 9)]}], images=[(1, f"{i}.jpg")])
        write(tmp_path / f"{i}.json", document)
    folder = find_masks(tmp_path)
    assert len(folder.files) == len(folder.stored) == CACHED + 10
    encoding = detect(folder, ReadOptions())
    for name in folder.files:
        found = read_mask(folder.root, name, encoding)[0].labels
        assert (found == 1).sum() == (1 + int(name.removesuffix(".jpg")) % 9) ** 2


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    write(tmp_path / f"{name}.txt", "0 0.1 0.1 0.3 0.1 0.3 0.3 0.1 0.3")
    photo(tmp_path / f"{name}.jpg", 20, 40)
    folder = find_masks(tmp_path)
    assert folder.files == (f"{name}.jpg",)
    assert (read_mask(folder.root, folder.files[0], detect(folder, ReadOptions()))[0].labels == 1).sum() == 32
