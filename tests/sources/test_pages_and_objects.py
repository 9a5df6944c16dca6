"""What the planes of a file are, and whether files are single objects."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from written import codes, look, save

from shapeprof.errors import UnreadableMask, UsageError
from shapeprof.sources import MaskFolder, ReadOptions, find_masks
from shapeprof.sources.layouts.objects import SURE, holds_objects, merged_folder, object_files, object_folders
from shapeprof.sources.layouts.pages import decide_pages


def disc(row: int, column: int, radius: int = 4, size: int = 32) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    return ((y - row) ** 2 + (x - column) ** 2 <= radius**2).astype(np.uint8)


def pages(root: Path, *files: np.ndarray, **options: object) -> object:
    for i, planes in enumerate(files):
        np.save(root / f"mask{i}.npy", planes)
    return decide_pages(find_masks(root), ReadOptions(**options))  # type: ignore[arg-type]


ONE_HOT = np.stack([1 - disc(9, 9) - disc(20, 20), disc(9, 9), disc(20, 20)])
APART = ONE_HOT[1:]
ACROSS = np.stack([disc(9, 9, 6), disc(13, 13, 6)])
SLICES = np.stack([disc(16, 16, r) for r in (6, 7, 8)])


@pytest.mark.parametrize(
    ("files", "expected", "classes"),
    [
        ((ONE_HOT,), "one-hot", ()),
        ((APART, APART[::-1]), "exclusive", ()),
        ((APART,), "stack", ()),  # one file does not show that they are classes
        ((ACROSS, ACROSS[::-1]), "stack", ("0", "1")),
        ((SLICES, SLICES), "stack", ()),  # neighbours are alike
        ((APART, ONE_HOT), "stack", ()),  # their number differs
        ((ONE_HOT * 3 + ONE_HOT[::-1],), "stack", ()),  # not binary
        ((ONE_HOT[0],), "", ()),
    ],
)
def test_planes_are_a_stack_or_classes(
    tmp_path: Path, files: tuple[np.ndarray, ...], expected: str, classes: tuple[str, ...]
) -> None:
    found = pages(tmp_path, *files)
    assert (found.pages, found.classes) == (expected, classes)  # type: ignore[attr-defined]


def test_what_planes_are_can_be_asked_for(tmp_path: Path) -> None:
    assert pages(tmp_path, ONE_HOT, pages="stack").pages == "stack"  # type: ignore[attr-defined]
    assert pages(tmp_path, APART, pages="classes").pages == "exclusive"  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match=r"--pages classes: the files hold different pages \(2, 3 of them\)"):
        pages(tmp_path, APART, ONE_HOT, pages="classes")
    with pytest.raises(UsageError, match="the pages hold more than two values each"):
        pages(tmp_path, APART * 7 + APART[::-1], APART, pages="classes")


def objects(root: Path, images: int = 4, each: int = 3, **places: int) -> MaskFolder:
    rng = np.random.default_rng(0)
    for i in range(images):
        spots = rng.permutation(9)[:each]
        for n, spot in enumerate(spots):
            save(root / f"image{i}" / f"{n}.png", 255 * disc(5 + 10 * (spot // 3), 5 + 10 * (spot % 3)))
    return find_masks(root)


def test_single_objects_that_never_overlap(tmp_path: Path) -> None:
    folder = objects(tmp_path, images=8, each=6)
    assert holds_objects(folder) >= SURE
    assert set(object_folders(folder)) == {f"image{i}" for i in range(8)}
    assert merged_folder(folder).files == tuple(f"image{i}" for i in range(8))
    assert merged_folder(folder).image_names[0] == "image0.png"
    assert object_files(tmp_path, "image0") == [f"image0/{n}.png" for n in range(6)]
    assert look(tmp_path)[1].layout == "objects"


@pytest.mark.parametrize("spoil", ["overlap", "pieces", "empty", "size", "splits", "alone"])
def test_files_that_are_no_single_objects(tmp_path: Path, spoil: str) -> None:
    objects(tmp_path, images=8, each=6)
    for i in range(8):
        folder = tmp_path / f"image{i}"
        match spoil:
            case "overlap":
                save(folder / "x.png", 255 * disc(16, 16, 12))
            case "pieces":
                for n in range(6):
                    save(folder / f"{n}.png", 255 * (disc(3 + 4 * n, 4, 1) | disc(3 + 4 * n, 20, 1)))
            case "empty":
                save(folder / "x.png", disc(0, 0, 0) * 0)
            case "size":
                save(folder / "x.png", 255 * disc(3, 3, 1, size=31))
            case "splits":
                folder.rename(tmp_path / ("train", "val", "test", "dev", "images", "masks", "training", "testing")[i])
            case "alone":
                for n in range(1, 6):
                    (folder / f"{n}.png").unlink()
    if spoil == "splits":
        assert holds_objects(find_masks(tmp_path, ReadOptions(pattern="*.png"))) == 0
    else:
        assert holds_objects(find_masks(tmp_path)) == 0


def test_few_objects_are_reported_and_read_one_by_one(tmp_path: Path) -> None:
    objects(tmp_path, images=2, each=2)
    _, encoding = look(tmp_path)
    assert encoding.layout == "files" and "maybe-objects" in codes(encoding.issues)
    assert look(tmp_path, layout="objects")[1].layout == "objects"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_of_objects_that_can_not_be_listed(tmp_path: Path) -> None:
    (tmp_path / "image0").mkdir(mode=0o000)
    with pytest.raises(UnreadableMask, match="check its permissions"):
        object_files(tmp_path, "image0")


def test_a_folder_of_objects_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMask, match="the folder of its objects can't be listed"):
        object_files(tmp_path, "image0")
