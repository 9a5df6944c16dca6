"""Write four synthetic mask sets, the same ones for the same seed: ``make_masks.py FOLDER [--seed N] [--scale F]``.

- ``voc``: palette PNGs, 500 x 375 or 375 x 500, 1 to 6 blobs of 20 classes, each with a 5 px band of 255
- ``street``: 8-bit index PNGs, 2048 x 1024, 19 classes, about 100 components: layers, boxes, poles
- ``nuclei``: 16-bit instance PNGs, 1024 x 1024, 300 to 1,000 ids, touching
- ``trees``: 8-bit binary PNGs, 1000 x 1000, thin branching lines of 1 to 7 px
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Mask = NDArray[Any]
Rng = np.random.Generator


def blob(rng: Rng, x: float, y: float, radius: float, wobble: float, points: int = 48) -> NDArray[np.int32]:
    """A closed outline around (x, y): a circle with a few random harmonics, stretched and turned."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    r = np.ones(points)
    for k in range(2, 6):
        r += wobble / k * rng.normal() * np.cos(k * angle + rng.uniform(0, 2 * np.pi))
    r = radius * np.maximum(r, 0.2)
    stretch, turn = rng.uniform(0.6, 1.0), rng.uniform(0, np.pi)
    u, v = r * np.cos(angle), stretch * r * np.sin(angle)
    px = x + u * math.cos(turn) - v * math.sin(turn)
    py = y + u * math.sin(turn) + v * math.cos(turn)
    return np.stack([px, py], axis=1).round().astype(np.int32)


def voc_mask(rng: Rng) -> Mask:
    """A photograph's objects: few, large, each inside a band that is ignored."""
    height, width = (375, 500) if rng.random() < 0.7 else (500, 375)
    mask = np.zeros((height, width), np.uint8)
    for _ in range(rng.integers(1, 7)):
        radius = float(rng.lognormal(math.log(55), 0.6))
        outline = blob(rng, rng.uniform(0, width), rng.uniform(0, height), radius, 0.5)
        cv2.fillPoly(mask, [outline], int(rng.integers(1, 21)))
        cv2.polylines(mask, [outline], True, 255, 5)
    return mask


def street_mask(rng: Rng) -> Mask:
    """A street scene: sky, buildings, road and pavement, then many boxes, poles, signs and people."""
    height, width = 1024, 2048
    mask = np.full((height, width), 10, np.uint8)  # sky
    horizon = int(rng.integers(400, 520))
    x = 0
    while x < width:  # a skyline of buildings and trees
        step = int(rng.integers(80, 300))
        top = int(rng.integers(40, horizon - 40))
        if rng.random() < 0.7:
            cv2.rectangle(mask, (x, top), (x + step, height), 2, -1)
        else:
            cv2.fillPoly(mask, [blob(rng, x + step / 2, top + 150, step, 0.8, 160)], 8)
        x += step
    vanishing = int(rng.integers(700, 1300))
    for spread, value in ((1400, 1), (900, 0)):  # pavement, road
        corners = [(vanishing - 40, horizon), (vanishing + 40, horizon)]
        corners += [(vanishing + spread, height), (vanishing - spread, height)]
        cv2.fillPoly(mask, [np.array(corners, np.int32)], value)
    for _ in range(int(rng.integers(30, 55))):
        depth = rng.uniform(0.05, 1.0) ** 1.7
        x, y = int(rng.uniform(0, width)), int(horizon + depth * 380)
        size = max(6.0, 260 * depth)
        kind = rng.random()
        if kind < 0.35:  # vehicle
            cv2.fillPoly(mask, [blob(rng, x, y, size / 2, 0.25, 64)], int(rng.integers(13, 19)))
        elif kind < 0.6:  # person, on a bicycle
            cv2.ellipse(mask, (x, y), (max(2, int(size / 8)), max(5, int(size / 2))), 0, 0, 360, 11, -1)
        elif kind < 0.85:  # pole and sign
            thick = max(1, int(size / 20))
            cv2.line(mask, (x, y), (x, max(0, y - int(2 * size))), 5, thick)
            side = max(2, int(size / 7))
            cv2.rectangle(mask, (x - side, y - int(2 * size)), (x + side, y - int(2 * size) + side), 7, -1)
        else:  # bush
            cv2.fillPoly(mask, [blob(rng, x, y, size / 2, 0.9, 120)], 8)
    mask[-24:] = 255  # the car's bonnet
    return mask


def nuclei_mask(rng: Rng) -> Mask:
    """A microscope image: 300 to 1,000 nuclei with ids, many of them touching."""
    side, wanted = 1024, int(rng.integers(300, 1001))
    mask = np.zeros((side, side), np.uint16)
    mean = math.sqrt(side * side * 0.45 / wanted / math.pi)
    for i in range(1, wanted + 1):
        radius = float(np.clip(rng.normal(mean, mean / 4), 4, 40))
        outline = blob(rng, rng.uniform(0, side), rng.uniform(0, side), radius, 0.15, 32)
        cv2.fillPoly(mask, [outline], i)
    return mask


def trees_mask(rng: Rng) -> Mask:
    """Roots, vessels or cracks: a few trees of thin lines."""
    mask = np.zeros((1000, 1000), np.uint8)
    for _ in range(rng.integers(2, 12)):
        tips = [(rng.uniform(0, 1000), rng.uniform(0, 1000), rng.uniform(0, 2 * np.pi), rng.uniform(3, 7))]
        for _ in range(60):
            if not tips:
                break
            x, y, angle, thick = tips.pop(0)
            for _ in range(int(rng.integers(4, 14))):
                to_x, to_y = x + 12 * math.cos(angle), y + 12 * math.sin(angle)
                cv2.line(mask, (int(x), int(y)), (int(to_x), int(to_y)), 1, max(1, round(thick)))
                x, y, angle = to_x, to_y, angle + rng.normal(0, 0.25)
            if 0 <= x < 1000 and 0 <= y < 1000 and thick > 0.8:
                tips += [(x, y, angle + rng.uniform(0.2, 0.9), thick * 0.75)]
                tips += [(x, y, angle - rng.uniform(0.2, 0.9), thick * 0.75)]
    return mask


def voc_palette() -> list[int]:
    """The palette of PASCAL VOC: colours of the 256 indices from their bits."""
    flat = []
    for index in range(256):
        colour, rest = [0, 0, 0], index
        for bit in range(7, -1, -1):
            for channel in range(3):
                colour[channel] |= (rest >> channel & 1) << bit
            rest >>= 3
        flat += colour
    return flat


SETS: dict[str, tuple[Callable[[Rng], Mask], int]] = {
    "voc": (voc_mask, 200),
    "street": (street_mask, 30),
    "nuclei": (nuclei_mask, 40),
    "trees": (trees_mask, 40),
}


def write(folder: Path, name: str, count: int, seed: int) -> None:
    """Write ``count`` masks of a set into ``folder / name``."""
    make, _ = SETS[name]
    target = folder / name
    target.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        mask = make(np.random.default_rng([seed, sorted(SETS).index(name), i]))
        image = Image.fromarray(mask)
        if name == "voc":
            image.putpalette(voc_palette())
        image.save(target / f"{i:04d}.png")


def main() -> None:
    """Write all four sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the number of masks")
    arguments = parser.parse_args()
    for name, (_, count) in SETS.items():
        write(arguments.folder, name, max(1, round(count * arguments.scale)), arguments.seed)
        print(f"{arguments.folder / name}: {max(1, round(count * arguments.scale))} masks")


if __name__ == "__main__":
    main()
