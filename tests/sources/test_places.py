"""Where the images of annotation documents lie, and which document holds a mask."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from annotated import coco, labelme, pairs, photo, square, write
from written import look

from shapeprof.sources import stored_files
from shapeprof.sources.annotations.documents import guesses, is_annotation_document, load, recognise, resolve
from shapeprof.sources.annotations.model import NotThisFormat
from shapeprof.sources.annotations.places import Images, image_beside, image_folders, join, parent
from shapeprof.sources.files_behind import document_of
from shapeprof.sources.maskset import AnnotationSource


def test_relative_paths() -> None:
    assert join("", "a") == "a" and join("x/y", "a") == "x/y/a"
    assert parent("a") == "" and parent("x/y/a") == "x/y"


def test_image_folders_near_a_document() -> None:
    assert image_folders("") == ["", "images"]
    assert image_folders("labels") == ["labels", "labels/images", "images/labels", "images", ""]
    found = image_folders("labels/train")
    assert {"labels/train", "images/train", "train"} <= set(found)
    assert image_folders("/abs/labels")[0] == "/abs/labels" and "/abs/images" in image_folders("/abs/labels")


FILES = ["images/train/a.jpg", "images/val/a.jpg", "images/train/b.jpg", "masks/c.png", "notes.txt", "x/d.jpg"]


@pytest.mark.parametrize(
    ("document", "name", "image"),
    [
        ("annotations/train.json", "b.jpg", "images/train/b.jpg"),
        ("annotations/train.json", "train/b.jpg", "images/train/b.jpg"),
        ("annotations/train.json", "a.jpg", "images/train/a.jpg"),  # "train" is in the path of both
        ("annotations/all.json", "a.jpg", None),  # two are as near
        ("all.json", "d.jpg", "x/d.jpg"),
        ("all.json", "c.png", None),  # folders of masks hold no images
        ("all.json", "notes.txt", None),
    ],
)
def test_the_image_that_a_document_names(document: str, name: str, image: str | None) -> None:
    assert Images(Path("/nowhere"), FILES).find(document, name) == image


def test_the_image_of_a_documents_own_stem() -> None:
    images = Images(Path("/nowhere"), FILES)
    assert images.find_stem("labels/train/b.txt") == "images/train/b.jpg"
    assert images.find_stem("labels/val/a.txt") == "images/val/a.jpg"
    assert images.find_stem("labels/val/z.txt") is None
    assert images.is_there("x/d.jpg") and not images.is_there("x/e.jpg")


def test_images_that_were_not_listed_are_looked_for_on_disk(tmp_path: Path) -> None:
    photo(tmp_path / "images" / "a.jpg", 2, 3)
    images = Images(tmp_path, None)
    assert images.find("doc.json", "a.jpg") == "images/a.jpg" and images.find("doc.json", "b.jpg") is None
    assert image_beside(tmp_path, "labels/a.txt", "a") == tmp_path / "images" / "a.jpg"
    assert image_beside(tmp_path, "labels/a.txt", "other/b.jpg") is None


def test_a_document_is_recognised_by_suffix_and_beginning(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.json", coco([]))
    assert [f.name for f in guesses(plain)] == ["coco"]
    assert is_annotation_document(plain) and recognise(plain)[0].name == "coco"
    assert guesses(write(tmp_path / "b.txt", plain.read_text())) == []
    assert guesses(write(tmp_path / "profile.json", '{"schema_version": 1, "images": []}')) == []
    assert guesses(tmp_path / "gone.json") == [] and not is_annotation_document(tmp_path)
    assert not is_annotation_document(write(tmp_path / "c.json", " " * 5000 + '{"images": []}'))


def test_a_document_that_changes_is_parsed_again(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", coco([], images=[(1, "a.jpg")]))
    assert list(load(path, "coco").records) == ["a.jpg"]
    write(path, coco([], images=[(1, "bb.jpg")]))
    os.utime(path, ns=(1, 1))
    assert list(load(path, "coco").records) == ["bb.jpg"]
    write(path, labelme([]))
    with pytest.raises(NotThisFormat, match="it is no longer a COCO document"):
        load(path, "coco")
    path.unlink()
    with pytest.raises(NotThisFormat, match="it is gone"):
        load(path, "coco")


def test_the_document_that_holds_a_mask(tmp_path: Path) -> None:
    write(tmp_path / "x.json", coco([], images=[(1, "sub/a.jpg"), (2, "b.jpg")]))
    write(tmp_path / "y.json", coco([], images=[(1, "b.jpg"), (2, "c.jpg")]))
    source = AnnotationSource("coco", (("x.json", ""), ("y.json", "images")), ())
    assert resolve(tmp_path, "sub/a.jpg", source) == ("x.json", "sub/a.jpg")
    assert resolve(tmp_path, "a.jpg", source) == ("x.json", "sub/a.jpg")  # by its last part, which is unique
    assert resolve(tmp_path, "b.jpg", source) == ("x.json", "b.jpg")
    assert resolve(tmp_path, "images/c.jpg", source) == ("y.json", "c.jpg")
    assert resolve(tmp_path, "c.jpg", source) is None


def test_with_a_document_per_image_every_mask_has_its_own(tmp_path: Path) -> None:
    for name in "abc":
        photo(tmp_path / "images" / f"{name}.jpg", 20, 30)
        write(tmp_path / "labels" / f"{name}.json", labelme([{"points": pairs(square(0, 0, 4))}], f"{name}.jpg"))
    folder, _ = look(tmp_path)
    assert {name: document_of(folder, name) for name in folder.files} == {
        f"images/{name}.jpg": f"labels/{name}.json" for name in "abc"
    }
    assert stored_files(folder) == {f"images/{name}.jpg": (f"labels/{name}.json",) for name in "abc"}
    (tmp_path / "labels" / "b.json").unlink()
    assert document_of(folder, "images/b.jpg") is None and stored_files(folder)["images/b.jpg"] == ()
