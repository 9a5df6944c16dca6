"""The masks of one image put together: one index mask, or layers that keep every class of a pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from annotated import coco, square, write
from written import codes, look, save

from shapeprof.errors import UnreadableMask
from shapeprof.sources import read_layers, read_whole, regrouped


def part(rows: slice, columns: slice, size: tuple[int, int] = (12, 16)) -> np.ndarray:
    values = np.zeros(size, np.uint8)
    values[rows, columns] = 255
    return values


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    for i in range(3):
        save(tmp_path / f"{i}_road.png", part(slice(0, 8), slice(0, 16)))
        save(tmp_path / f"{i}_car.png", part(slice(6, 10), slice(0, 4)))
    return tmp_path


def test_the_smaller_of_two_masks_is_on_top(classes: Path) -> None:
    folder, encoding = look(classes)
    assert encoding.part_ids == (("car", 1), ("road", 2))
    assert regrouped(folder, encoding).image_names[:2] == ("0.png", "0.png")
    found, issues = read_whole(classes, ("0_road.png", "0_car.png"), encoding)
    expected = np.where(part(slice(0, 8), slice(0, 16)) > 0, 2, 0)
    expected[6:10, 0:4] = 1
    np.testing.assert_array_equal(found.labels, expected)
    assert codes(issues) == {"classes-overlap"} and issues[0].message.startswith("8 px lie in masks of two classes")
    alone, issues = read_whole(classes, ("0_road.png",), encoding)
    assert (alone.labels == 2).sum() == 128 and not issues


def test_layers_keep_both_classes_of_a_pixel(classes: Path) -> None:
    _, encoding = look(classes)
    road, car = read_layers(classes, ("0_road.png", "0_car.png"), encoding)
    assert ((road.labels == 2) & (car.labels == 1)).sum() == 8


def test_layers_of_annotations_are_the_drawn_mask_and_each_class_alone(tmp_path: Path) -> None:
    objects = [
        {"segmentation": [square(0, 0, 8)], "category_id": 1},
        {"segmentation": [square(0, 0, 4)], "category_id": 2},
    ]
    write(tmp_path / "a.json", coco(objects, categories=[(1, "dog"), (2, "tail"), (3, "unused")]))
    folder, encoding = look(tmp_path)
    drawn, *layers = read_layers(folder.root, ("a.jpg",), encoding)
    assert [(drawn.labels == i).sum() for i in (1, 2)] == [48, 16]
    assert [[(layer.labels == i).sum() for i in (1, 2, 3)] for layer in layers] == [[64, 0, 0], [0, 16, 0], [0, 0, 0]]


def test_layers_have_the_classes_that_were_asked_for(classes: Path) -> None:
    _, encoding = look(classes, exclude=("car",))
    road, car = read_layers(classes, ("0_road.png", "0_car.png"), encoding)
    assert set(np.unique(road.labels)) == {0, 1} and not car.labels.any()


def test_masks_of_one_image_must_be_of_one_size(classes: Path) -> None:
    _, encoding = look(classes)
    save(classes / "0_car.png", part(slice(0, 2), slice(0, 2), (12, 15)))
    for read in (read_whole, read_layers):
        with pytest.raises(UnreadableMask, match=r"15 x 12 pixels.*\(0_road\.png\) 16 x 12") as refused:
            read(classes, ("0_road.png", "0_car.png"), encoding)
        assert (refused.value.path, refused.value.code) == ("0_car.png", "size-mismatch")
