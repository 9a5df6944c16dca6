"""Mask sets and profiles for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shapeprof.labelmap import ClassTable, LabelMap
from shapeprof.profile.profile import Ledger, Profile
from shapeprof.profile.tally import merge_tallies
from shapeprof.sources import Encoding
from tests.metrics.images import measure_one, tally_one

Mask = NDArray[np.uint8]


def discs(n: int, radius: float, side: int = 256, seed: int = 0, per_image: int = 1, value: int = 1) -> list[Mask]:
    """``n`` masks of filled discs on a grid, each shifted by up to 4 px."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    masks = []
    for _ in range(n):
        mask = np.zeros((side, side), np.uint8)
        cells = round(per_image**0.5 + 0.49)
        for k in range(per_image):
            centre = (np.array(divmod(k, cells)) + 0.5) * side / cells + rng.uniform(-4, 4, 2)
            mask[(rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 < radius**2] = value
        masks.append(mask)
    return masks


def strips(n: int, width: int, side: int = 256, seed: int = 0, per_image: int = 4, value: int = 1) -> list[Mask]:
    """``n`` masks of straight horizontal or vertical strips, ``side`` - 40 px long: convex and thin."""
    rng = np.random.default_rng(seed)
    masks = []
    for i in range(n):
        mask = np.zeros((side, side), np.uint8)
        for k in range(per_image):
            at = round((k + 0.5) * side / per_image + rng.integers(-6, 7))
            mask[at : at + width, 20 : side - 20] = value
        masks.append(mask if i % 2 else mask.T.copy())
    return masks


def crosses(n: int, arm: int, side: int = 256, seed: int = 0, value: int = 1) -> list[Mask]:
    """``n`` masks of one thick plus sign with arms ``arm`` px wide: concave and thick."""
    rng = np.random.default_rng(seed)
    masks = []
    for _ in range(n):
        mask = np.zeros((side, side), np.uint8)
        y, x = side // 2 + rng.integers(-8, 9, 2)
        half, reach = arm // 2, side // 2 - 20
        mask[y - half : y + half, x - reach : x + reach] = value
        mask[y - reach : y + reach, x - half : x + half] = value
        masks.append(mask)
    return masks


def profile_of(
    masks: Sequence[Mask], names: tuple[str, ...] = ("background", "thing"), sampled: int | None = None, **more: Any
) -> Profile:
    """The profile of masks of class ids, without any file; every mask is sampled unless ``sampled`` says how many."""
    tallies = []
    for i, mask in enumerate(masks):
        label_map = LabelMap(mask, ClassTable(names), f"{i:03}.png")
        tallies.append(tally_one(measure_one(label_map, sampled=sampled is None or i < sampled)))
    sizes: dict[tuple[int, int], int] = {}
    for mask in masks:
        sizes[mask.shape[0], mask.shape[1]] = sizes.get((mask.shape[0], mask.shape[1]), 0) + 1
    values: dict[str, Any] = {
        "names": names,
        "background": 0,
        "encoding": Encoding("index", ((0, 0), (1, 1)), ClassTable(names)).to_dict(),
        "ledger": Ledger(len(masks), len(masks)),
        "sizes": sizes,
        "pixels": sum(m.size for m in masks),
        "ignored": sum(int((m == 255).sum()) for m in masks),
        "background_pixels": sum(int((m == 0).sum()) for m in masks),
        "totals": merge_tallies(tallies),
        "sample": tuple((f"{i:03}.png", t) for i, t in enumerate(tallies) if sampled is None or i < sampled),
        "extremes": {},
        "issues": (),
        "fingerprint": "0" * 32,
    }
    return Profile(**(values | more))


def write_set(folder: Path, masks: Sequence[Mask], suffix: str = ".png", images: Path | None = None) -> Path:
    """Write masks (and grey images that show them, with noise) as numbered files; returns ``folder``."""
    rng = np.random.default_rng(1)
    folder.mkdir(parents=True, exist_ok=True)
    for i, mask in enumerate(masks):
        assert cv2.imwrite(str(folder / f"{i:03}{suffix}"), mask)
        if images is not None:
            images.mkdir(parents=True, exist_ok=True)
            image = np.clip(60 + 100.0 * (mask > 0) + rng.normal(0, 20, mask.shape), 0, 255).astype(np.uint8)
            assert cv2.imwrite(str(images / f"{i:03}.jpg"), image)
    return folder
