"""Masks made for one test each, and short ways to look at them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from shapeprof.sources import Encoding, MaskFolder, ReadOptions, detect, find_masks, read_mask


def blocks(*ids: int, size: int = 24) -> np.ndarray:
    """A (size, size) map with ids in vertical bands."""
    band = np.repeat(np.arange(len(ids)), -(-size // len(ids)))[:size]
    return np.tile(np.array(ids)[band], (size, 1))


def save(path: Path, values: np.ndarray, mode: str | None = None, **options: object) -> Path:
    """Write an array as an image; parents are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dtype = np.uint16 if values.max() > 255 else np.uint8
    image = Image.fromarray(values.astype(dtype))
    if mode:
        image = image.convert(mode)
    image.save(path, **options)
    return path


def save_palette(path: Path, values: np.ndarray, palette: list[tuple[int, int, int]]) -> Path:
    """Write indices with a palette."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(values.astype(np.uint8))
    image.putpalette([channel for colour in palette for channel in colour])
    image.save(path)
    return path


def colours(ids: np.ndarray, legend: list[tuple[int, int, int]]) -> np.ndarray:
    """An RGB array of the legend's colours."""
    return np.array(legend, np.uint8)[ids]


def look(root: Path, **options: object) -> tuple[MaskFolder, Encoding]:
    """Find and detect."""
    folder = find_masks(root)
    return folder, detect(folder, ReadOptions(**options))  # type: ignore[arg-type]


def labels(root: Path, path: str, encoding: Encoding) -> np.ndarray:
    """The labels of one mask."""
    return read_mask(root, path, encoding)[0].labels


def codes(*issue_lists: object) -> set[str]:
    """The codes of findings."""
    return {issue.code for issues in issue_lists for issue in issues}  # type: ignore[attr-defined]
