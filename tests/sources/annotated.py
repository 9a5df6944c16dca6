"""Annotation documents made for one test each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from shapeprof.issues import Issue
from shapeprof.sources import Encoding, MaskFolder, read_mask


def write(path: Path, content: Any) -> Path:
    """Text as it is, anything else as JSON; parents are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def photo(path: Path, rows: int, columns: int) -> Path:
    """An image of that size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((rows, columns, 3), np.uint8)).save(path)
    return path


def square(left: float, top: float, side: float) -> list[float]:
    """x, y, x, y, ... of a square."""
    return [left, top, left + side, top, left + side, top + side, left, top + side]


def pairs(flat: list[float]) -> list[list[float]]:
    """The same as [x, y] pairs."""
    return [list(pair) for pair in zip(flat[::2], flat[1::2], strict=True)]


def coco(
    objects: list[dict[str, Any]],
    images: list[tuple[int, str]] | None = None,
    categories: list[tuple[int, str]] | None = None,
    size: tuple[int, int] | None = (20, 30),
) -> dict[str, Any]:
    """A COCO document; by default one image "a.jpg" of 20 rows and 30 columns, and the category 1, "thing"."""
    known = {} if size is None else {"height": size[0], "width": size[1]}
    return {
        "images": [{"id": i, "file_name": name, **known} for i, name in images or [(1, "a.jpg")]],
        "categories": [{"id": i, "name": name} for i, name in categories or [(1, "thing")]],
        "annotations": [
            {"id": n, "image_id": 1, "category_id": 1, "iscrowd": 0, **o} for n, o in enumerate(objects, 1)
        ],
    }


def labelme(shapes: list[dict[str, Any]], image: str = "a.jpg", size: tuple[int, int] = (20, 30)) -> dict[str, Any]:
    """A LabelMe document."""
    shapes = [{"label": "thing", "group_id": None, "shape_type": "polygon", **shape} for shape in shapes]
    document = {"version": "5.0.1", "flags": {}, "shapes": shapes, "imagePath": image, "imageData": None}
    return {**document, "imageHeight": size[0], "imageWidth": size[1]}


def via(images: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]]) -> dict[str, Any]:
    """A VIA document: regions as (shape attributes, region attributes)."""
    return {
        f"{name}123": {
            "filename": name,
            "size": 123,
            "regions": [{"shape_attributes": s, "region_attributes": a} for s, a in regions],
            "file_attributes": {},
        }
        for name, regions in images.items()
    }


def drawn(folder: MaskFolder, encoding: Encoding, name: str) -> tuple[np.ndarray, np.ndarray, list[Issue]]:
    """(labels, instances, findings) of one mask."""
    found, issues = read_mask(folder.root, name, encoding)
    assert found.instances is not None
    return found.labels, found.instances, list(issues)
