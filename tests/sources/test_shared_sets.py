"""Nine real sets as their authors encoded them: the readers against masks derived by other means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from written import codes, look

from shapeprof.sources import find_masks, pair, read_mask, regrouped

pytestmark = pytest.mark.shared
Shared = Callable[[str], Path]


def truth(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind", "suffix", "classes"),
    [
        ("hc18_fetal_head", "binary", "_Annotation", 2),
        ("paveseg_pavement", "grey-multiples", "_mask", 8),
        ("indoor_corridor_roboflow", "index", "_mask", 11),
    ],
)
def test_derived_index_masks(shared: Shared, name: str, kind: str, suffix: str, classes: int) -> None:
    root = shared(name)
    folder, encoding = look(root / "masks")
    assert (encoding.kind, encoding.classes.background, len(encoding.classes.names)) == (kind, 0, classes)
    for path in folder.files[::2]:
        found, issues = read_mask(folder.root, path, encoding)
        assert (found.labels == truth(root / "masks_index" / path.replace(suffix, ""))).all()
        assert not issues


@pytest.mark.slow
def test_dubai_is_read_by_colour(shared: Shared) -> None:
    root = shared("dubai_aerial")
    folder, encoding = look(root / "masks")
    assert encoding.kind == "colour"
    assert {"palettes-differ", "class-names-mismatch"} <= codes(encoding.issues)
    met: dict[int, set[int]] = {}
    for path in folder.files:
        found, _ = read_mask(folder.root, path, encoding)
        pairs = np.unique(found.labels.astype(int) * 256 + truth(root / "masks_index" / path))
        for ours, theirs in zip(pairs // 256, pairs % 256, strict=True):
            met.setdefault(int(theirs), set()).add(int(ours))
    assert all(len(met[class_id]) == 1 for class_id in range(5))
    assert len(set.union(*(met[class_id] for class_id in range(5)))) == 5
    assert met[255] == {255, encoding.classes.background}  # stray black, and "Unlabeled"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dsb2018_nuclei", "building_facades_coco", "publaynet_sample_coco"])
def test_instance_masks(shared: Shared, name: str) -> None:
    folder, encoding = look(shared(name) / "masks_instance")
    assert encoding.instances
    for path in folder.files[:10]:
        found, _ = read_mask(folder.root, path, encoding)
        assert found.instances is not None
        assert (found.instances == truth(folder.root / path)).all()


@pytest.mark.slow
def test_dsb_objects_are_merged_into_one_mask_per_folder(shared: Shared) -> None:
    root = shared("dsb2018_nuclei")
    folder, encoding = look(root / "masks")
    assert (encoding.layout, encoding.instances) == ("objects", True)
    folder = regrouped(folder, encoding)
    assert (len(folder.files), len(folder.stored)) == (100, 4334)
    for name in folder.files:
        found, issues = read_mask(folder.root, name, encoding)
        assert found.instances is not None
        assert codes(issues) <= {"objects-overlap"}
        assert (found.labels == truth(root / "masks_index" / f"{name}.png")).all()
        theirs = truth(root / "masks_instance" / f"{name}.png")
        assert len(np.unique(found.instances)) == len(np.unique(theirs))
        pairs = np.unique(found.instances.astype(np.int64) * 65536 + theirs)
        assert len(pairs) <= len(np.unique(theirs)) + len(issues)  # a pixel in two files is of either


FACADES = (
    *("balcony-fence", "car", "facade", "fence", "non-building-infrastructure", "shop", "street"),
    *("traffic-infrastructure", "vegetation", "window"),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "documents", "masks", "objects", "names", "least"),
    [
        ("publaynet_sample_coco", "annotations", 20, 193, ("text", "title", "list", "table", "figure"), 0.94),
        ("feral_cats_yoloseg", "labels", 80, 367, ("cat",), 0.98),
        ("kudzu_bugs_via", "annotations", 40, 869, ("kudzu",), 0.95),
        ("building_facades_coco", "annotations", 50, 1627, FACADES, 0.84),
    ],
)
def test_annotations_are_drawn(
    shared: Shared, name: str, documents: str, masks: int, objects: int, names: tuple[str, ...], least: float
) -> None:
    """IoU with masks that others drew from the same annotations, by OpenCV's fillPoly.

    That fills outlines too, half a pixel more on each side, which adds 0.1 to 6 % to the area of a class here.
    The facades were also painted in the order of ``area``, which Roboflow fills with the area of the box: that
    decides which of two large objects is on top, and costs vegetation most (IoU 0.85).
    """
    root = shared(name)
    folder, encoding = look(root / documents)
    assert (encoding.kind, encoding.classes.names) == ("annotation", ("background", *names))
    derived = {path.relative_to(root / "masks").with_suffix(""): path for path in (root / "masks").rglob("*.png")}
    met = np.zeros((len(names) + 1, len(names) + 1), np.int64)  # pixels by our class and theirs
    count = read = 0
    for path in folder.files:
        if (other := derived.get(Path(path).with_suffix(""))) is None:
            continue
        found, issues = read_mask(folder.root, path, encoding)
        expected = truth(other)
        assert found.instances is not None and not codes(issues) & {"objects-not-drawn"}
        assert set(np.unique(found.labels)) == set(np.unique(expected))
        pairs = found.labels.astype(np.int64) * len(met) + expected
        met += np.bincount(pairs.ravel(), minlength=met.size).reshape(met.shape)
        count += len(np.unique(found.instances)) - 1
        read += 1
    assert (read, count) == (masks, objects)  # as many objects as ids in masks_instance/
    union = met.sum(axis=0) + met.sum(axis=1) - met.diagonal()
    assert (met.diagonal() / union).min() > least


@pytest.mark.slow
def test_photographs_are_refused(shared: Shared) -> None:
    folder = find_masks(shared("paveseg_pavement") / "images")
    from shapeprof.errors import NothingMeasurable
    from shapeprof.sources import detect
    from shapeprof.sources.maskset import MaskFolder

    with pytest.raises(NothingMeasurable, match="photographs"):
        detect(MaskFolder(folder.root, folder.files[:8]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "masks", "count", "splits"),
    [
        ("hc18_fetal_head", "masks", 80, {None}),
        ("paveseg_pavement", "masks", 60, {None}),
        ("indoor_corridor_roboflow", "masks", 120, {"train", "val", "test"}),
        ("dubai_aerial", "masks", 36, {None}),
        ("dsb2018_nuclei", "masks_index", 100, {None}),
        ("dsb2018_nuclei", "masks", 100, {None}),
    ],
)
def test_images_pair(shared: Shared, name: str, masks: str, count: int, splits: set[str | None]) -> None:
    root = shared(name)
    folder, encoding = look(root / masks)
    found = pair(regrouped(folder, encoding), root / "images")
    assert len(found.pairs) == count
    assert {item.split for item in found.pairs} == splits
    assert not found.issues
