"""The files that a mask is read from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from annotated import coco, labelme, photo, square, write
from written import blocks, look, save

from shapeprof.sources import MaskFolder, find_masks, is_annotation_document, masks_again, regrouped, stored_files
from shapeprof.sources.files_behind import document_of
from shapeprof.sources.reading.annotated import mask_size

SHAPE = {"points": [[1, 1], [9, 1], [9, 9], [1, 9]]}


def test_a_mask_of_its_own_file(tmp_path: Path) -> None:
    for name in ("a.png", "b/c#1.png"):
        save(tmp_path / name, blocks(0, 1))
    folder = find_masks(tmp_path)
    assert stored_files(folder) == {"a.png": ("a.png",), "b/c#1.png": ("b/c#1.png",)}
    assert document_of(folder, "a.png") is None


def test_pages_share_a_file_and_objects_a_folder(tmp_path: Path) -> None:
    np.save(tmp_path / "s.npy", np.stack([blocks(0, 1, 2), blocks(2, 1, 0), blocks(1, 2, 0)]))
    folder, encoding = look(tmp_path, pages="stack")
    assert stored_files(regrouped(folder, encoding)) == {f"s.npy#{i}": ("s.npy",) for i in range(3)}
    objects = MaskFolder(tmp_path, ("x", "z"), stored=("x/1.png", "x/2.png", "y/1.png"))
    assert stored_files(objects) == {"x": ("x/1.png", "x/2.png"), "z": ()}
    assert objects.first_below("x") == "x/1.png" and objects.first_below("z") is None


def test_a_drawn_mask_has_its_document_and_the_image_that_says_its_size(tmp_path: Path) -> None:
    for name, size in (("a", (20, 30)), ("b", (0, 0))):
        photo(tmp_path / f"{name}.jpg", 20, 30)
        write(tmp_path / f"{name}.json", labelme([SHAPE], f"{name}.jpg", size))
    folder, _ = look(tmp_path)
    assert folder.annotations is not None
    assert stored_files(folder) == {"a.jpg": ("a.json",), "b.jpg": ("b.json", "b.jpg")}
    assert mask_size(tmp_path, "b.jpg", folder.annotations.source) == (30, 20)
    (tmp_path / "b.json").unlink()
    assert document_of(folder, "b.jpg") is None and stored_files(folder)["b.jpg"] == ()
    assert mask_size(tmp_path, "b.jpg", folder.annotations.source) is None


def test_masks_of_documents_of_many_images_have_all_of_them(tmp_path: Path) -> None:
    for name in ("x", "y"):
        write(tmp_path / f"{name}.json", coco([{"segmentation": [square(1, 1, 5)]}], [(1, f"{name}.jpg")]))
    folder, _ = look(tmp_path)
    assert stored_files(folder) == dict.fromkeys(("x.jpg", "y.jpg"), ("x.json", "y.json"))
    assert document_of(folder, "y.jpg") == "y.json"


def test_the_masks_of_an_earlier_scan_are_found_again(tmp_path: Path) -> None:
    np.save(tmp_path / "s.npy", np.stack([blocks(0, 1, 2), blocks(2, 1, 0)]))
    _, encoding = look(tmp_path, pages="stack")
    assert masks_again(tmp_path, {}, encoding).files == ("s.npy#0", "s.npy#1")


def test_what_looks_like_a_document(tmp_path: Path) -> None:
    assert is_annotation_document(write(tmp_path / "a.json", labelme([SHAPE])))
    assert not is_annotation_document(write(tmp_path / "b.json", {"points": []}))
    assert not is_annotation_document(tmp_path / "gone.json") and not is_annotation_document(tmp_path)
