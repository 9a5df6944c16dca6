"""The encoding: plain data with the meaning of stored values."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from shapeprof.issues import Issue
from shapeprof.labelmap import ClassTable
from shapeprof.sources import Encoding, MaskFolder, ReadOptions
from shapeprof.sources.encoding import hex_colour, plain
from shapeprof.sources.maskset import AnnotationSource
from shapeprof.sources.names.known_sets import CITYSCAPES, CITYSCAPES_TRAIN, PASCAL_VOC, known_names

TABLE = ClassTable(("background", "cat", "dog"), 0)
GREY = Encoding("grey-multiples", ((0, 0), (30, 1), (60, 2)), TABLE, step=30, reasons=("because",))


@pytest.mark.parametrize(
    "encoding",
    [
        GREY,
        Encoding("colour", ((0, 0), (0x3C1098, 1)), TABLE, issues=(Issue("warning", "code", "text", "a.png"),)),
        Encoding(
            "annotation",
            ((1, 1),),
            TABLE,
            drawing=AnnotationSource("coco", (("a.json", "images"),), (("cat", 1), ("void", -1))),
        ),
        Encoding("binary", ((0, 0), (255, 1)), TABLE, layout="class-folders", part_ids=(("cat", 1), ("dog", 2))),
    ],
)
def test_an_encoding_survives_json_and_pickle(encoding: Encoding) -> None:
    assert Encoding.from_dict(json.loads(json.dumps(encoding.to_dict()))) == encoding
    assert pickle.loads(pickle.dumps(encoding)) == encoding
    assert len({encoding, Encoding.from_dict(encoding.to_dict())}) == 1


def test_fields_that_an_older_profile_lacks_get_their_defaults() -> None:
    data = GREY.to_dict()
    del data["soft_share"], data["things"], data["drawing"]
    assert Encoding.from_dict(data) == GREY


def test_the_stored_values_of_a_class() -> None:
    assert GREY.raw_values_of(2) == (60,)
    soft = Encoding("binary", tuple((raw, int(raw > 127)) for raw in range(256)), TABLE, levels=(0, 255))
    assert soft.raw_values_of(1) == (255,)
    colour = Encoding("colour", ((0, 0), (0x3C1098, 1), (0xFF, 1)), TABLE)
    assert colour.raw_values_of(1) == ("#3C1098", "#0000FF")
    merged = Encoding("index", ((0, 0), (1, 1), (2, 2)), ClassTable(("background", "animal"), 0), new_ids=(0, 1, 1))
    assert merged.raw_values_of(1) == (1, 2)
    assert hex_colour(0x0102) == "#000102"


def test_one_file_by_itself() -> None:
    objects = Encoding("binary", ((0, 0), (255, 1)), TABLE, instances=True, layout="objects")
    assert (plain(objects).layout, plain(objects).instances) == ("files", False)
    ids = Encoding("instance", ((0, 0),), TABLE, instances=True, layout="class-folders")
    assert plain(ids).instances


def test_classes_may_overlap_in_files_of_their_own_and_in_annotations() -> None:
    assert not GREY.classes_may_overlap
    assert Encoding("binary", ((0, 0), (255, 1)), TABLE, part_ids=(("cat", 1),)).classes_may_overlap
    assert Encoding("annotation", (), TABLE, drawing=AnnotationSource("coco", (), ())).classes_may_overlap


@pytest.mark.parametrize(("asked", "ignored"), [("auto", ()), (None, ()), (255, (255,)), ((254, 255), (254, 255))])
def test_ignored_values(asked: object, ignored: tuple[int, ...]) -> None:
    assert ReadOptions(ignore_index=asked).ignored == ignored  # type: ignore[arg-type]


def test_a_folder_of_masks_fills_in_what_follows_from_its_files() -> None:
    folder = MaskFolder(Path("x"), ("a.png", "b/c.png"), others=("n.txt",))
    assert folder.stored == folder.image_names == folder.files and folder.why == ("",)
    objects = MaskFolder(folder.root, ("b",), stored=("b/1.png", "b/2.png", "bb/1.png"))
    assert objects.first_below("b") == "b/1.png" and objects.first_below("a") is None
    assert objects.first_below("b/1.png") is None


@pytest.mark.parametrize(
    ("files", "top", "known"),
    [
        (("x/aachen_000000_000019_gtFine_labelIds.png",), 33, ("Cityscapes", CITYSCAPES)),
        (("x/aachen_gtFine_instanceIds.png",), 33, ("Cityscapes", CITYSCAPES)),
        (("aachen_gtFine_labelTrainIds.png",), 18, ("Cityscapes", CITYSCAPES_TRAIN)),
        (("aachen_gtFine_labelTrainIds.png",), 19, None),
        (("aachen_gtFine_labelIds.png", "other.png"), 3, None),
        (("SegmentationClass/2007_000027.png",), 20, ("PASCAL VOC", PASCAL_VOC)),
        (("SegmentationClass/2007_000027.png",), 21, None),
        (("masks/2007_000027.png",), 20, None),
    ],
)
def test_public_sets_are_known_by_the_names_of_their_files(
    files: tuple[str, ...], top: int, known: tuple[str, tuple[str, ...]] | None
) -> None:
    assert known_names(MaskFolder(Path("/data"), files), top) == known
    assert (len(CITYSCAPES), len(CITYSCAPES_TRAIN), len(PASCAL_VOC)) == (34, 19, 21)
