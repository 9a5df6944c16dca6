"""Which of several forms of a mask is read, and how public sets lie on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from written import blocks, codes, labels, look, save, save_palette

from shapeprof.errors import InputError
from shapeprof.sources import ReadOptions, find_masks, pair, read_mask, read_runs

CITY = "aachen_000000_{:06}_gtFine_{}.png"


def files(root: Path, *names: str, **options: object) -> tuple[tuple[str, ...], set[str]]:
    for name in names:
        if not (root / name).exists():
            save(root / name, blocks(0, 1))
    folder = find_masks(root, ReadOptions(**options))  # type: ignore[arg-type]
    assert len(folder.why) == len(folder.others)
    assert {*folder.files, *folder.others} == set(names)
    return folder.files, codes(folder.issues)


@pytest.mark.parametrize(
    ("read", "left"),
    [
        (["masks/1.png", "masks/2.png"], ["masks_visual/1.png", "masks_visual/2.png"]),
        (["masks/1.png", "masks/2.png"], ["masks_instance/1.png", "masks_instance/2.png"]),
        (["masks/1/a.png", "masks/1/b.png", "masks/2/a.png"], ["masks_index/1.png", "masks_index/2.png"]),
        (["train/masks/1.png", "val/masks/2.png"], ["train/overlay/1.jpg", "val/overlay/2.jpg"]),
        (["1_mask.png", "2_mask.png"], ["1_mask_color.png", "2_mask_color.png"]),
        (["1_label.png", "2_label.png"], ["1_preview.png", "2_preview.png"]),
        (["a/1.png", "a/2.png"], ["a/1_overlay.png", "a/2_overlay.png"]),
        (["SegmentationClass/1.png"], ["SegmentationObject/1.png", "SegmentationClassAug/1.png"]),
        ([CITY.format(1, "labelIds")], [CITY.format(1, kind) for kind in ("color", "instanceIds", "labelTrainIds")]),
    ],
    ids=lambda names: names[0],
)  # fmt: skip
def test_one_form_is_read(tmp_path: Path, read: list[str], left: list[str]) -> None:
    assert files(tmp_path, *read, *left) == (tuple(read), {"other-forms"})


@pytest.mark.parametrize(
    "names",
    [
        ["masks_01/1.png", "masks_01/2.png", "masks_02/1.png", "masks_02/2.png"],
        ["Tile 1/1.png", "Tile 2/1.png"],
        ["train/masks/1.png", "val/masks/1.png"],
        ["1.png", "1_color.png", "2.png", "2_color.png"],
        ["masks/1.png", "masks/2.png", "masks_color/3.png"],
        ["objects/1.png", "objects/2.png"],
    ],
    ids=" ".join,
)
def test_masks_of_their_own_stay(tmp_path: Path, names: list[str]) -> None:
    assert files(tmp_path, *names) == (tuple(sorted(names)), set())


def test_a_pattern_says_which_files_are_masks(tmp_path: Path) -> None:
    names = [CITY.format(i, kind) for i in (1, 2) for kind in ("color", "instanceIds", "labelIds")]
    found, issues = files(tmp_path, *names, pattern="*_instanceIds.png")
    assert found == (CITY.format(1, "instanceIds"), CITY.format(2, "instanceIds"))
    assert issues == {"pattern"}
    assert files(tmp_path, *names, pattern="aachen*1_gtFine_c*")[0] == (CITY.format(1, "color"),)


def test_a_pattern_that_fits_nothing(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 1))
    with pytest.raises(InputError, match=r"none of its 1 image files fits the pattern '\*_x.png' \(found: a.png\)"):
        find_masks(tmp_path, ReadOptions(pattern="*_x.png"))


def test_cityscapes_label_ids(tmp_path: Path) -> None:
    for i in (1, 2):
        save(tmp_path / "gtFine/train/aachen" / CITY.format(i, "labelIds"), blocks(0, 7, 26))
        save(tmp_path / "gtFine/train/aachen" / CITY.format(i, "instanceIds"), blocks(0, 7, 26001))
        save(tmp_path / f"leftImg8bit/train/aachen/aachen_000000_{i:06}_leftImg8bit.png", blocks(9, 8, 7))
    folder, encoding = look(tmp_path / "gtFine")
    assert encoding.classes.background == 0
    assert [encoding.classes.names[i] for i in (0, 7, 26)] == ["unlabeled", "road", "car"]
    found = pair(folder, tmp_path / "leftImg8bit")
    assert len(found.pairs) == 2
    assert {item.split for item in found.pairs} == {"train"}


def test_cityscapes_train_ids_have_no_background(tmp_path: Path) -> None:
    save(tmp_path / CITY.format(1, "labelTrainIds"), blocks(0, 2, 13, 255))
    _, encoding = look(tmp_path)
    assert (encoding.classes.background, encoding.ignored) == (None, (255,))
    assert [encoding.classes.names[i] for i in (0, 2, 13)] == ["road", "building", "car"]


def numbered(root: Path) -> np.ndarray:
    """A road in two pieces, a crowd of persons, two cars and a person; the last car in two pieces."""
    values = np.zeros((24, 28), np.int64)
    values[:10, 2:6] = values[14:, 2:6] = 7
    values[:, 8:12], values[:10, 14:18], values[:12, 20:22] = 24, 26000, 24000
    values[12:, 20:22] = values[:, 26:] = 26001
    save(root / CITY.format(1, "instanceIds"), values)
    return values


def test_instance_ids_hold_classes(tmp_path: Path) -> None:
    values = numbered(tmp_path)
    _, encoding = look(tmp_path)
    assert (encoding.kind, encoding.instances, encoding.divisor) == ("instance", True, 1000)
    assert encoding.things == (24, 26)
    assert [encoding.classes.names[i] for i in (0, 7, 24, 26)] == ["unlabeled", "road", "person", "car"]
    found, issues = read_mask(tmp_path, CITY.format(1, "instanceIds"), encoding)
    assert not issues
    assert (found.labels == np.where(values >= 1000, values // 1000, values)).all()
    assert found.instances is not None
    of_class = {c: np.unique(found.instances[found.labels == c]).tolist() for c in (0, 7, 24, 26)}
    assert of_class[0] == [0]
    assert len(of_class[7]) == 2  # the pieces of the road
    assert not set(of_class[7]) & {0, 24000, 26000, 26001}
    assert of_class[24] == [0, 24000]  # the crowd is no object
    assert of_class[26] == [26000, 26001]
    runs, _ = read_runs(tmp_path, CITY.format(1, "instanceIds"), encoding)
    assert runs.instance is not None
    assert set(zip(runs.value.tolist(), runs.instance.tolist(), strict=True)) == set(
        zip(found.labels.ravel().tolist(), found.instances.ravel().tolist(), strict=True)
    )


def test_ignored_values_of_numbered_ids(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 255, 13000, 13001, 2))
    _, encoding = look(tmp_path)
    assert encoding.ignored == (255,)
    assert (labels(tmp_path, "a.png", encoding) == blocks(0, 255, 13, 13, 2)).all()


def test_numbered_ids_as_plain_values(tmp_path: Path) -> None:
    numbered(tmp_path)
    assert look(tmp_path, instances=False)[1].divisor == 0


def test_many_small_ids_are_no_classes(tmp_path: Path) -> None:
    save(tmp_path / "a.png", np.arange(1600).reshape(40, 40).repeat(4, axis=1))
    save(tmp_path / "b.png", np.arange(900).reshape(30, 30).repeat(4, axis=1))
    _, encoding = look(tmp_path)
    assert (encoding.instances, encoding.divisor) == (True, 0)


def test_pascal_voc(tmp_path: Path) -> None:
    palette = [(0, 0, 0), (128, 0, 0)] + [(9, 9, 9)] * 253 + [(224, 224, 192)]
    for i in (1, 2):
        for kind in ("SegmentationClass", "SegmentationObject"):
            (tmp_path / kind).mkdir(exist_ok=True)
            save_palette(tmp_path / kind / f"2007_00000{i}.png", blocks(0, 1, 255), palette)
        save(tmp_path / "JPEGImages" / f"2007_00000{i}.jpg", blocks(50, 60, 70))
        (tmp_path / "Annotations").mkdir(exist_ok=True)
        (tmp_path / "Annotations" / f"2007_00000{i}.xml").write_text("<annotation/>")
    (tmp_path / "ImageSets" / "Segmentation").mkdir(parents=True)
    (tmp_path / "ImageSets" / "Segmentation" / "train.txt").write_text("2007_000001\n")
    folder, encoding = look(tmp_path)
    assert folder.files == ("SegmentationClass/2007_000001.png", "SegmentationClass/2007_000002.png")
    assert {"other-forms", "images-among-masks", "annotations-not-read"} <= codes(folder.issues)
    assert (encoding.kind, encoding.ignored) == ("palette", (255,))
    assert encoding.classes.names[:2] == ("background", "aeroplane")
    assert len(pair(folder, tmp_path / "JPEGImages").pairs) == 2


def test_ade20k_scene_parsing(tmp_path: Path) -> None:
    for part, short in (("training", "train"), ("validation", "val")):
        save(tmp_path / "annotations" / part / f"ADE_{short}_00000001.png", blocks(0, 5, 150))
        save(tmp_path / "images" / part / f"ADE_{short}_00000001.jpg", blocks(50, 60, 70))
    (tmp_path / "objectInfo150.txt").write_text("Idx\tName\n1\twall\n")
    folder, encoding = look(tmp_path)
    assert folder.files == (
        "annotations/training/ADE_train_00000001.png",
        "annotations/validation/ADE_val_00000001.png",
    )
    assert (encoding.kind, encoding.classes.background) == ("index", 0)
    assert {item.split for item in pair(folder, tmp_path / "images").pairs} == {"train", "val"}


def test_the_full_ade20k_is_refused_in_words(tmp_path: Path) -> None:
    values = np.stack([blocks(10, 20), blocks(3, 4), blocks(1, 2)], axis=2)
    save(tmp_path / "ADE_train_00000001_seg.png", values)
    with pytest.raises(InputError, match="full ADE20K set"):
        look(tmp_path)


def test_roboflow_masks_beside_images(tmp_path: Path) -> None:
    for part in ("train", "valid"):
        for i in (1, 2):
            save(tmp_path / part / f"{part}{i}_jpg.rf.0a1b.jpg", blocks(50, 60, 70))
            save(tmp_path / part / f"{part}{i}_jpg.rf.0a1b_mask.png", blocks(0, 1, 2))
        (tmp_path / part / "_classes.csv").write_text("Pixel Value, Class\n0, background\n1, cat\n2, dog\n")
    folder, encoding = look(tmp_path)
    assert len(folder.files) == 4
    assert all(path.endswith("_mask.png") for path in folder.files)
    assert encoding.classes.names == ("background", "cat", "dog")
    assert {item.split for item in pair(folder, tmp_path).pairs} == {"train", "val"}
