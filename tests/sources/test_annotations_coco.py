"""COCO documents as masks."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from annotated import coco, drawn, photo, square, write
from pycocotools import mask as coco_mask
from written import blocks, codes, look, save

from shapeprof.errors import InputError, NothingMeasurable, UnreadableMask, UsageError
from shapeprof.sources import Encoding, ReadOptions, find_masks, read_mask, read_runs


def polygon(left: float, top: float, side: float, **more: Any) -> dict[str, Any]:
    return {"segmentation": [square(left, top, side)], **more}


def test_polygons_become_labels_and_instances(tmp_path: Path) -> None:
    document = coco(
        [
            polygon(0, 0, 4),
            polygon(10, 10, 3, category_id=7),
            {"segmentation": [square(20, 0, 2), square(25, 0, 3)]},
            {"segmentation": square(0, 12, 2)},
        ],
        categories=[(7, "late"), (1, "early")],
    )
    write(tmp_path / "labels.json", document)
    folder, encoding = look(tmp_path)
    assert folder.files == ("a.jpg",) and folder.stored == ("labels.json",)
    assert encoding.classes.names == ("background", "early", "late") and encoding.classes.background == 0
    assert encoding.mapping == ((1, 1), (7, 2))  # ids with gaps close up
    labels, instances, issues = drawn(folder, encoding, "a.jpg")
    assert labels.shape == (20, 30) and not issues
    assert [(labels == c).sum() for c in (1, 2)] == [16 + 4 + 9 + 4, 9]
    assert [(instances == i).sum() for i in range(1, 5)] == [16, 9, 13, 4]  # rings of one object are united


def test_an_encoding_is_plain_data(tmp_path: Path) -> None:
    write(tmp_path / "labels.json", coco([polygon(0, 0, 4)]))
    encoding = look(tmp_path)[1]
    assert Encoding.from_dict(encoding.to_dict()) == encoding == pickle.loads(pickle.dumps(encoding))
    old = {key: value for key, value in encoding.to_dict().items() if key != "drawing"}
    assert Encoding.from_dict(old).drawing is None


def test_run_lengths_are_drawn(tmp_path: Path) -> None:
    mask = np.zeros((20, 30), np.uint8)
    mask[3:9, 4:12] = 1
    packed = coco_mask.encode(np.asfortranarray(mask))["counts"].decode()
    listed = [20 * 20 + 5, 10, 600 - 20 * 20 - 15]
    document = coco(
        [
            {"segmentation": {"size": [20, 30], "counts": packed}},
            {"segmentation": {"size": [20, 30], "counts": listed}},
            {"segmentation": {"size": [30, 20], "counts": packed}},
            {"segmentation": {"size": [20, 30], "counts": packed[:-2]}},
            {"segmentation": {"size": [20, 30], "counts": [599]}},
            {"segmentation": {"size": [20], "counts": None}},
        ]
    )
    write(tmp_path / "labels.json", document)
    labels, instances, issues = drawn(*look(tmp_path), "a.jpg")
    assert (labels[3:9, 4:12] == 1).all() and (instances == 1).sum() == 48
    assert (labels[5:15, 20] == 1).all() and (instances == 2).sum() == 10
    assert "a damaged RLE (4)" in issues[0].message and (labels != 0).sum() == 58


def test_crowds_are_ignored_or_objects_as_asked(tmp_path: Path) -> None:
    document = coco([polygon(0, 0, 10, iscrowd=1), polygon(0, 0, 3)])
    write(tmp_path / "labels.json", document)
    folder, encoding = look(tmp_path)
    labels = drawn(folder, encoding, "a.jpg")[0]
    assert [(labels == v).sum() for v in (1, 255)] == [9, 91]
    assert "crowd-regions" in codes(encoding.issues)
    folder, encoding = look(tmp_path, ignore_index=None)
    assert (drawn(folder, encoding, "a.jpg")[0] == 1).sum() == 100


@pytest.mark.parametrize(
    ("flag", "crowd"), [(1, True), ("1", True), ("0", False), (0, False), (True, True), ("false", False)]
)
def test_the_flag_of_a_crowd_may_be_text(tmp_path: Path, flag: object, crowd: bool) -> None:
    write(tmp_path / "labels.json", coco([polygon(0, 0, 10, iscrowd=flag)]))
    labels = drawn(*look(tmp_path), "a.jpg")[0]
    assert (labels == (255 if crowd else 1)).sum() == 100


def test_sizes_may_be_text(tmp_path: Path) -> None:
    document = coco([polygon(0, 0, 10)])
    document["images"][0] |= {"height": "20", "width": "30"}
    write(tmp_path / "labels.json", document)
    assert drawn(*look(tmp_path), "a.jpg")[0].shape == (20, 30)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"segmentation": [[1, 1, 5, 5]]}, "fewer than 3 points (1)"),
        ({"segmentation": [[1, 1, 5, 5, 1]]}, "fewer than 3 points (1)"),
        ({"segmentation": []}, "no outline (1)"),
        ({"segmentation": [[]]}, "no outline (1)"),
        ({"segmentation": None, "bbox": [1, 1, 2, 2]}, "only a box (1)"),
        ({"segmentation": "x"}, "no outline (1)"),
        ({"segmentation": [[1, 1, float("nan"), 5, 9, 9]]}, "coordinates that are no numbers (1)"),
        ({"segmentation": [[1, 1, 1e300, 5, 9, 9]]}, "coordinates that are no numbers (1)"),
        ({"segmentation": [[1, 1, "x", 5, 9, 9]]}, "coordinates that are no numbers (1)"),
        (polygon(100, 100, 5), "no pixel centre of the image inside (1)"),
        (polygon(-9, -9, 5), "no pixel centre of the image inside (1)"),
        (polygon(3, 3, 0.2), "no pixel centre of the image inside (1)"),
        (polygon(1, 1, 5, category_id=99), "an unknown category (1)"),
        (polygon(1, 1, 5, category_id=None), "an unknown category (1)"),
        (polygon(0, 0, 4), "nothing left to see under smaller objects (1)"),
    ],
)
def test_objects_that_can_not_be_drawn_are_counted(tmp_path: Path, bad: dict[str, Any], why: str) -> None:
    write(tmp_path / "labels.json", coco([bad, polygon(0, 0, 4)]))
    labels, _, issues = drawn(*look(tmp_path), "a.jpg")
    assert (labels == 1).sum() == 16
    assert codes(issues) == {"objects-not-drawn"} and why in issues[0].message


def test_objects_that_leave_the_image_are_cut_and_counted(tmp_path: Path) -> None:
    write(tmp_path / "labels.json", coco([polygon(-5, -5, 10), polygon(28.5, 10, 2)]))
    labels, _, issues = drawn(*look(tmp_path), "a.jpg")
    assert (labels == 1).sum() == 25 + 4
    assert codes(issues) == {"objects-clipped"} and issues[0].message.startswith("1 of its 2 objects")


def test_images_without_annotations_or_files_are_masks_too(tmp_path: Path) -> None:
    document = coco([polygon(0, 0, 4)], images=[(1, "a.jpg"), (2, "b.jpg"), (3, "sub/c.jpg")])
    write(tmp_path / "labels.json", document)
    photo(tmp_path / "a.jpg", 20, 30)
    photo(tmp_path / "other.jpg", 20, 30)
    folder, encoding = look(tmp_path)
    assert folder.files == ("a.jpg", "b.jpg", "sub/c.jpg")
    assert codes(folder.issues) == {"images-without-annotations"} and "other.jpg" in folder.issues[0].message
    assert folder.others == ("a.jpg", "other.jpg") and "1 of these images lie below" in encoding.reasons[0]
    assert not drawn(folder, encoding, "b.jpg")[0].any()


def test_the_size_comes_from_the_image_where_the_document_has_none(tmp_path: Path) -> None:
    write(tmp_path / "annotations" / "x.json", coco([polygon(0, 0, 4)], [(1, "a.jpg"), (2, "b.jpg")], size=None))
    photo(tmp_path / "images" / "a.jpg", 11, 13)
    folder, encoding = look(tmp_path)
    assert folder.files == ("images/a.jpg", "images/b.jpg")
    assert drawn(folder, encoding, "images/a.jpg")[0].shape == (11, 13)
    with pytest.raises(UnreadableMask, match=r"size is not in annotations/x\.json"):
        read_mask(folder.root, "images/b.jpg", encoding)
    folder, encoding = look(tmp_path / "annotations")  # the images lie beside the folder that is given
    assert folder.files == ("a.jpg", "b.jpg")
    assert drawn(folder, encoding, "a.jpg")[0].shape == (11, 13)


def test_a_document_per_split_as_roboflow_has_them(tmp_path: Path) -> None:
    categories = [(0, "things"), (1, "cat"), (2, "dog")]
    for split, category in (("train", 1), ("valid", 2)):
        document = coco([polygon(0, 0, 4, category_id=category)], categories=categories)
        for item in document["categories"]:
            item["supercategory"] = "things" if item["id"] else "none"
        write(tmp_path / split / "_annotations.coco.json", document)
        photo(tmp_path / split / "a.jpg", 20, 30)
    folder, encoding = look(tmp_path)
    assert folder.files == ("train/a.jpg", "valid/a.jpg")
    assert encoding.classes.names == ("background", "cat", "dog")
    assert any("'things', is the super-category" in reason for reason in encoding.reasons)
    assert [int(drawn(folder, encoding, name)[0].max()) for name in folder.files] == [1, 2]


def test_category_0_that_is_used_is_a_class(tmp_path: Path) -> None:
    write(tmp_path / "x.json", coco([polygon(0, 0, 4, category_id=0)], categories=[(0, "cat"), (3, "dog")]))
    folder, encoding = look(tmp_path)
    assert encoding.classes.names == ("background", "cat", "dog") and encoding.mapping == ((0, 1), (3, 2))
    assert any("no annotation is of the categories dog" in reason for reason in encoding.reasons)
    assert (drawn(folder, encoding, "a.jpg")[0] == 1).sum() == 16


def test_categories_of_one_name_are_one_class(tmp_path: Path) -> None:
    objects = [polygon(0, 0, 4, category_id=1), polygon(9, 0, 4, category_id=2)]
    write(tmp_path / "x.json", coco(objects, categories=[(1, "cat"), (2, "cat"), (3, "dog")]))
    folder, encoding = look(tmp_path)
    assert encoding.classes.names == ("background", "cat", "dog") and encoding.raw_values_of(1) == (1, 2)
    assert any("more than one category is called 'cat'" in reason for reason in encoding.reasons)
    assert (drawn(folder, encoding, "a.jpg")[0] == 1).sum() == 32


def test_documents_that_number_categories_differently_are_matched_by_name(tmp_path: Path) -> None:
    for split, categories in (("train", [(1, "cat"), (2, "dog")]), ("val", [(1, "dog"), (2, "cat")])):
        write(tmp_path / split / "x.json", coco([polygon(0, 0, 4)], categories=categories))
    folder, encoding = look(tmp_path)
    assert encoding.classes.names == ("background", "cat", "dog") and "categories-differ" in codes(encoding.issues)
    assert [int(drawn(folder, encoding, name)[0].max()) for name in folder.files] == [1, 2]


def test_an_image_in_two_documents_is_measured_once(tmp_path: Path) -> None:
    write(tmp_path / "instances.json", coco([polygon(0, 0, 4)]))
    write(tmp_path / "keypoints.json", coco([polygon(0, 0, 9)], images=[(1, "a.jpg"), (2, "b.jpg")]))
    folder, encoding = look(tmp_path)
    assert folder.files == ("a.jpg", "b.jpg")
    assert "a.jpg (in keypoints.json)" in folder.issues[0].message
    assert (drawn(folder, encoding, "a.jpg")[0] == 1).sum() == 16


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["images"].append({"id": 9}), "1 images have no id or no file_name"),
        (lambda d: d["images"].append({"id": 1, "file_name": "b.jpg"}), "1 images have an id or a file_name"),
        (lambda d: d["images"].append({"id": 5, "file_name": "a.jpg"}), "1 images have an id or a file_name"),
        (lambda d: d["annotations"].append({"image_id": 77}), "1 annotations name no image"),
        (lambda d: d["annotations"].append("x"), "1 annotations name no image"),
        (lambda d: d["categories"].append({"name": "x"}), "1 categories have no id"),
    ],
)
def test_parts_that_belong_to_nothing_are_counted(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    document = coco([polygon(0, 0, 4)])
    change(document)
    write(tmp_path / "x.json", document)
    folder, encoding = look(tmp_path)
    assert [issue for issue in folder.issues if said in issue.message and issue.code == "annotations-left-out"]
    assert (drawn(folder, encoding, "a.jpg")[0] == 1).sum() == 16


def test_ids_as_text_and_as_numbers_are_the_same(tmp_path: Path) -> None:
    write(tmp_path / "x.json", coco([polygon(0, 0, 4, image_id="1", category_id=1.0)]))
    assert (drawn(*look(tmp_path), "a.jpg")[0] == 1).sum() == 16


@pytest.mark.parametrize(
    ("file_name", "name"),
    [
        ("../../etc/a.jpg", "etc/a.jpg"),
        ("C:\\photos\\a.jpg", "a.jpg"),
        ("/home/me/a.jpg", "a.jpg"),
        ("./sub//a.jpg", "sub/a.jpg"),
        ("a\ud800.jpg", "a?.jpg"),
        ("x" * 4000, "x" * 4000),
        ("a\n[b].jpg", "a\n[b].jpg"),
    ],
)
def test_names_stay_below_the_folder(tmp_path: Path, file_name: str, name: str) -> None:
    write(tmp_path / "x.json", coco([polygon(0, 0, 4)], images=[(1, file_name)]))
    folder, encoding = look(tmp_path)
    assert folder.files == (name,)
    assert (drawn(folder, encoding, name)[0] == 1).sum() == 16


def test_one_document_instead_of_a_folder(tmp_path: Path) -> None:
    file = write(tmp_path / "x.json", coco([polygon(0, 0, 4)]))
    write(tmp_path / "y.json", coco([polygon(0, 0, 4)], images=[(1, "b.jpg")]))
    folder, encoding = look(file)
    assert (folder.root, folder.files, folder.stored) == (tmp_path, ("a.jpg",), ("x.json",))
    assert (drawn(folder, encoding, "a.jpg")[0] == 1).sum() == 16
    with pytest.raises(InputError, match="this is a file"):
        find_masks(write(tmp_path / "z.json", {"some": "thing"}))
    with pytest.raises(InputError, match="no masks can be drawn"):
        find_masks(write(tmp_path / "z.json", '{"images": [], "annotations'))
    with pytest.raises(InputError, match="this is a file"):
        find_masks(file, ReadOptions(annotations=False))


def test_runs_are_those_of_the_pixels_at_any_size(tmp_path: Path) -> None:
    write(tmp_path / "x.json", coco([polygon(0, 0, 10), polygon(2, 2, 4), polygon(15, 3, 9, iscrowd=1)]))
    folder, encoding = look(tmp_path)
    for train_size in (None, 8):
        runs, _ = read_runs(folder.root, "a.jpg", encoding, train_size)
        found, _ = read_mask(folder.root, "a.jpg", encoding, train_size)
        lengths = np.diff(np.append(runs.start, 0))
        lengths[runs.row[1:] - 1] = found.labels.shape[1] - runs.start[runs.row[1:] - 1]
        values = np.repeat(runs.value, lengths).reshape(runs.size)
        assert (np.where(values == -1, 255, values) == found.labels).all()
        assert (np.repeat(runs.instance, lengths).reshape(runs.size) == found.instances).all()
        assert runs.digest == found.digest != ""


def test_a_changed_document_is_parsed_again(tmp_path: Path) -> None:
    file = write(tmp_path / "x.json", coco([polygon(0, 0, 4)]))
    folder, encoding = look(tmp_path)
    before = read_mask(folder.root, "a.jpg", encoding)[0]
    write(file, coco([polygon(0, 0, 5)]))
    after = read_mask(folder.root, "a.jpg", encoding)[0]
    assert ((before.labels == 1).sum(), (after.labels == 1).sum()) == (16, 25) and before.digest != after.digest
    write(file, coco([], images=[(1, "b.jpg")]))
    with pytest.raises(UnreadableMask, match="no document holds it now"):
        read_mask(folder.root, "a.jpg", encoding)


def test_options_about_classes(tmp_path: Path) -> None:
    objects = [polygon(0, 0, 4), polygon(6, 0, 3, category_id=2), polygon(12, 0, 2, category_id=5)]
    write(tmp_path / "x.json", coco(objects, categories=[(1, "a"), (2, "b"), (5, "c")]))

    def counts(**options: Any) -> tuple[tuple[str, ...], int | None, list[int]]:
        folder, encoding = look(tmp_path, **options)
        values = read_mask(folder.root, "a.jpg", encoding)[0].labels
        return (encoding.classes.names, encoding.classes.background, [int((values == v).sum()) for v in (1, 2, 3, 255)])

    assert counts() == (("background", "a", "b", "c"), 0, [16, 9, 4, 0])
    assert counts(ignore_index=2) == (("background", "a", "c"), 0, [16, 4, 0, 9])
    assert counts(ignore_index=(1, 5)) == (("background", "b"), 0, [9, 0, 0, 20])
    assert counts(background=5) == (("background", "a", "b"), 0, [16, 9, 0, 0])
    assert counts(background=None) == (("unannotated", "a", "b", "c"), None, [16, 9, 4, 0])
    assert counts(classes=("x", "y", "z")) == (("background", "x", "y", "z"), 0, [16, 9, 4, 0])
    assert counts(classes=("o", "x", "y", "z"))[0] == ("o", "x", "y", "z")
    assert "class-names-mismatch" in codes(look(tmp_path, classes=("x",))[1].issues)
    with pytest.raises(UsageError, match=r"no category has that id; expected one of 1, 2, 5"):
        look(tmp_path, background=9)
    folder, encoding = look(tmp_path, instances=False)
    assert read_mask(folder.root, "a.jpg", encoding)[0].instances is None


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"images": 1, "annotations": [], "categories": []}', '{"images":' + "[" * 100_000]
)
def test_what_only_looks_like_a_document(tmp_path: Path, text: str) -> None:
    write(tmp_path / "x.json", text)
    with pytest.raises(NothingMeasurable, match=r"1 \.json"):
        find_masks(tmp_path)


def test_panoptic_documents_are_refused_with_the_reason(tmp_path: Path) -> None:
    document = coco([{"segments_info": [], "file_name": "a.png"}])
    write(tmp_path / "x.json", document)
    with pytest.raises(NothingMeasurable, match="give the folder of those"):
        find_masks(tmp_path)


def test_panoptic_documents_beside_masks_are_left_to_their_reader(tmp_path: Path) -> None:
    write(tmp_path / "x.json", coco([{"segments_info": [], "file_name": "a.png"}]))
    save(tmp_path / "x" / "a.png", blocks(0, 1))
    folder = find_masks(tmp_path)
    assert folder.files == ("x/a.png",) and "annotations-refused" not in codes(folder.issues)


def test_a_mask_too_large_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "x.json", coco([polygon(0, 0, 4)], [(1, "a.jpg")], size=(10**6, 10**6)))
    with pytest.raises(NothingMeasurable, match="more than the limit"):
        look(tmp_path)
