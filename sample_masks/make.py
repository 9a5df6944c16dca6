"""Make the three sample sets: blobs, curves and scene (32, 32 and 56 images, with masks).

Usage: python sample_masks/make.py [FOLDER]   (default: the folder of this script)

Everything is drawn from fixed seeds, one generator per image, so that two runs write the same bytes. Masks
are exact functions of their geometry (a pixel belongs to an object when its centre does) and are written by
the small PNG encoder below, because OpenCV writes no palettes. Images need OpenCV, and the same codec to be
byte-identical. Arrays are (row, column), colours are BGR in [0, 1].
"""

from __future__ import annotations

import argparse
import itertools
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Rng = np.random.Generator
Bool = NDArray[np.bool_]
Bytes = NDArray[np.uint8]
Real = NDArray[np.float64]
Colour = tuple[float, float, float]

SEED = 20240
IMAGES = 32
SCENE_IMAGES, SCENE_VAL_IMAGES = 56, 16  # one road an image: enough roads for shape rules
BLOB_SIDE = 352
CURVE_SIDE = 256
SCENE_SHAPE = (256, 320)
BACKGROUND, HOUSE, TREE, ROAD, POLE = range(5)
CLASSES = ("background", "house", "tree", "road", "pole")
PALETTE = ((0, 0, 0), (214, 92, 60), (58, 150, 70), (128, 128, 140), (250, 214, 60))  # RGB


class Sample(NamedTuple):
    """An image in [0, 1], grey or BGR, and its label map."""

    image: Real
    mask: Bytes


# --- tools -----------------------------------------------------------------------------------------------


def png_bytes(mask: Bytes, palette: tuple[tuple[int, int, int], ...] = ()) -> bytes:
    """Encode a label map as an 8-bit PNG: grey values, or indices into the palette when there is one."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    height, width = mask.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 3 if palette else 0, 0, 0, 0)
    rows = np.pad(mask, ((0, 0), (1, 0)))  # each row starts with its filter type, 0
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header)]
    if palette:
        parts.append(chunk(b"PLTE", bytes(value for colour in palette for value in colour)))
    parts += [chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)), chunk(b"IEND", b"")]
    return b"".join(parts)


def write_image(path: Path, image: Real) -> None:
    """Write an image in [0, 1] as PNG or JPEG (quality 90), by the suffix of the path."""
    levels = np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)
    options = [cv2.IMWRITE_JPEG_QUALITY, 90, cv2.IMWRITE_PNG_COMPRESSION, 9]
    done, data = cv2.imencode(path.suffix, levels, options[:2] if path.suffix == ".jpg" else options[2:])
    if not done:
        raise OSError(f"cannot encode {path}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.tobytes())


def write_mask(path: Path, mask: Bytes, palette: tuple[tuple[int, int, int], ...] = ()) -> None:
    """Write a label map as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png_bytes(mask, palette))


def grid(shape: tuple[int, int]) -> tuple[Real, Real]:
    """Return the column and the row of every pixel centre."""
    rows, columns = np.indices(shape).astype(np.float64)
    return columns, rows


def noise(rng: Rng, shape: tuple[int, int], cell: float) -> Real:
    """Return smooth noise in about [-1, 1] whose features measure about `cell` px."""
    coarse = rng.uniform(-1, 1, (int(shape[0] / cell) + 3, int(shape[1] / cell) + 3))
    return np.asarray(cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC), dtype=np.float64)


def texture(rng: Rng, shape: tuple[int, int], cells: dict[float, float]) -> Real:
    """Sum noise of several feature sizes; `cells` maps the size in px to its amplitude."""
    total = np.zeros(shape)
    for cell, amplitude in cells.items():
        total += amplitude * noise(rng, shape, cell)
    return total


def grain(rng: Rng, image: Real, sigma: float) -> Real:
    """Add the noise of a camera."""
    return np.clip(image + rng.normal(0, sigma, image.shape), 0, 1)


def blur(field: Real, sigma: float) -> Real:
    """Blur by a Gaussian."""
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma), dtype=np.float64)


def grown(mask: Bool, gap: int) -> Bool:
    """Grow a mask by `gap` px in the eight directions."""
    kernel = np.ones((2 * gap + 1, 2 * gap + 1), np.uint8)
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel)) > 0


def paint(image: Real, alpha: Real | Bool, colour: Colour | Real) -> None:
    """Blend a colour, or another image, over an image in place."""
    weight = alpha.astype(np.float64)[..., None]
    image += weight * (np.asarray(colour, dtype=np.float64) - image)


def jitter(rng: Rng, colour: Colour, spread: float) -> Colour:
    """Change a colour's lightness and, half as much, its hue."""
    values = np.asarray(colour) + rng.uniform(-spread, spread) + rng.uniform(-spread / 2, spread / 2, 3)
    blue, green, red = np.clip(values, 0, 1)
    return float(blue), float(green), float(red)


# --- blobs: pebbles on sand ------------------------------------------------------------------------------


class Pebble(NamedTuple):
    """A convex pebble: its own coordinates, and a level that is 1 on its outline and less inside."""

    across: Real
    along: Real
    level: Real

    @property
    def mask(self) -> Bool:
        """Pixels whose centre lies in the pebble."""
        return self.level <= 1


def draw_pebble(rng: Rng, cut: bool) -> Pebble:
    """Draw a superellipse, seen under a slight perspective, which makes it an egg and keeps it convex.

    A pebble that may be `cut` has its centre near a border.
    """
    half = rng.uniform(64, 80)
    ratio, power, egg, angle = rng.uniform((0.82, 1.9, 0.0, 0.0), (0.98, 2.7, 0.12, 2 * np.pi))
    centre = rng.uniform(half, BLOB_SIDE - half, 2)
    if cut:
        centre[rng.integers(2)] = rng.choice((0.4 * half, BLOB_SIDE - 0.4 * half))
    columns, rows = grid((BLOB_SIDE, BLOB_SIDE))
    x, y = columns - centre[0], rows - centre[1]
    u = (x * np.cos(angle) + y * np.sin(angle)) / half
    v = (y * np.cos(angle) - x * np.sin(angle)) / half
    depth = np.maximum(1 + egg * u, 0.2)
    u, v = u / depth, v / depth / ratio
    return Pebble(u, v, np.abs(u) ** power + np.abs(v) ** power)


def touches_border(mask: Bool) -> bool:
    """Tell whether a mask has pixels in the outer rows or columns."""
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())


def place_pebbles(rng: Rng) -> list[Pebble]:
    """Draw 3 or 4 pebbles, fewer when no more fit, with gaps of at least 6 px.

    In one image of four the border may cut one of them.
    """
    wanted = int(rng.integers(3, 5))
    pebbles: list[Pebble] = []
    taken = np.zeros((BLOB_SIDE, BLOB_SIDE), dtype=bool)
    may_cut = rng.random() < 0.25
    for _ in range(800):
        cut = bool(may_cut and not pebbles)
        pebble = draw_pebble(rng, cut)
        mask = pebble.mask
        if touches_border(mask) == cut and not (mask & taken).any():
            pebbles.append(pebble)
            taken |= grown(mask, 6)
        if len(pebbles) == wanted:
            break
    return pebbles


def paint_sand(rng: Rng) -> Real:
    """Paint uneven sand with grit: small dark and light grains that are no pebbles."""
    shape = (BLOB_SIDE, BLOB_SIDE)
    sand = 0.42 + rng.uniform(-0.06, 0.06) + texture(rng, shape, {90: 0.10, 24: 0.05, 7: 0.05, 3: 0.06})
    for _ in range(int(rng.integers(25, 60))):
        x, y, radius, tone = rng.uniform((0, 0, 1.0, -0.2), (BLOB_SIDE, BLOB_SIDE, 5.0, 0.2))
        columns, rows = grid(shape)
        sand += tone * np.clip(radius + 0.5 - np.hypot(columns - x, rows - y), 0, 1)
    return sand


def shade_pebble(rng: Rng, pebble: Pebble, light: float) -> Real:
    """Light a pebble like a dome, with spots and sometimes veins."""
    dome = np.sqrt(np.clip(1 - pebble.level, 0, 1))
    towards = pebble.across * np.cos(light) + pebble.along * np.sin(light)
    spots = texture(rng, (BLOB_SIDE, BLOB_SIDE), {40: 0.06, 12: 0.05, 4: 0.03})
    veins = np.exp(-((noise(rng, (BLOB_SIDE, BLOB_SIDE), 50) / 0.08) ** 2)) * rng.choice((0.0, 0.0, 0.12, -0.1))
    tone: float = rng.uniform(0.34, 0.66)
    return np.asarray(tone * (0.78 + 0.30 * dome + 0.16 * towards) + spots + veins)


def make_blobs(rng: Rng, _index: int) -> Sample:
    """Make one image of `blobs`: grey, mask 0 or 255."""
    pebbles = place_pebbles(rng)
    image = paint_sand(rng)
    light = rng.uniform(0, 2 * np.pi)
    mask = np.zeros((BLOB_SIDE, BLOB_SIDE), dtype=bool)
    for pebble in pebbles:
        mask |= pebble.mask
    shift = np.rint(5 * np.array((np.sin(light), np.cos(light)))).astype(int)
    image *= 1 - 0.45 * blur(np.roll(mask.astype(np.float64), shift, (0, 1)), 3.5)
    for pebble in pebbles:
        edge = blur(pebble.mask.astype(np.float64), 0.8)
        image += edge * (shade_pebble(rng, pebble, light) - image)
    image *= 1 + 0.18 * noise(rng, image.shape, 140)
    return Sample(grain(rng, image, 0.012), np.where(mask, 255, 0).astype(np.uint8))


# --- curves: branching vessels ---------------------------------------------------------------------------


def draw_stroke(rng: Rng, start: Real, heading: float, length: float, width: float) -> Real:
    """Draw a winding, slightly tapering stroke as rows of (column, row, radius, heading), 0.5 px apart.

    It ends where it leaves the image. No part is thinner than 2.3 px.
    """
    steps = int(2 * length)
    way = np.arange(steps) / 2
    angle = np.full(steps, heading)
    for _ in range(3):
        bend = rng.uniform(0.1, 0.4) * np.sin(way / rng.uniform(9, 28) + rng.uniform(0, 6.3))
        angle += bend - bend[0]
    x, y = start[0] + np.cumsum(np.cos(angle)) / 2, start[1] + np.cumsum(np.sin(angle)) / 2
    radius = np.maximum(np.linspace(width, 0.8 * width, steps) / 2, 1.15)
    stroke = np.column_stack((x, y, radius, angle))
    outside = (np.minimum(x, y) < 0) | (np.maximum(x, y) > CURVE_SIDE - 1)
    return stroke[: int(outside.argmax())] if outside.any() else stroke


def draw_tree(rng: Rng, start: Real, heading: float, length: float, width: float, order: int = 0) -> Real:
    """Draw a stroke with its branches, and theirs, as one table of points."""
    stroke = draw_stroke(rng, start, heading, length, width)
    parts = [stroke]
    side = rng.choice((-1, 1))
    at = int(rng.uniform(25, 50))
    while order < 2 and at < len(stroke) - 16:
        x, y, radius, angle = stroke[at]
        turn = side * rng.uniform(0.5, 1.0)
        reach = length * rng.uniform(0.3, 0.55)
        parts.append(draw_tree(rng, np.array((x, y)), angle + turn, reach, 1.7 * radius, order + 1))
        side, at = -side, at + int(rng.uniform(44, 84))
    return np.concatenate(parts)


def coverage(points: Real) -> Real:
    """Return how much of each pixel the discs around the points cover; >= 0.5 is inside."""
    cover = np.zeros((CURVE_SIDE, CURVE_SIDE))
    base = np.rint(points[:, :2]).astype(int)
    for dy, dx in np.ndindex(7, 7):
        column, row = base[:, 0] + dx - 3, base[:, 1] + dy - 3
        distance = np.hypot(column - points[:, 0], row - points[:, 1])
        value = np.clip(points[:, 2] + 0.5 - distance, 0, 1)
        inside = (np.minimum(column, row) >= 0) & (np.maximum(column, row) < CURVE_SIDE)
        np.maximum.at(cover, (row[inside], column[inside]), value[inside])
    return cover


def place_trees(rng: Rng) -> list[Real]:
    """Draw 4 to 6 trees of at least 240 px that keep gaps of 4 px, as coverage maps."""
    wanted = int(rng.integers(4, 7))
    trees: list[Real] = []
    taken = np.zeros((CURVE_SIDE, CURVE_SIDE), dtype=bool)
    for _ in range(600):
        start = rng.uniform(4, CURVE_SIDE - 4, 2)
        heading, length, width = rng.uniform((0, 80, 3.0), (2 * np.pi, 160, 4.2))
        tree = coverage(draw_tree(rng, start, heading, length, width))
        mask = tree >= 0.5
        cut = touches_border(mask) and rng.random() < 0.75
        if mask.sum() >= 240 and not cut and not (mask & taken).any():
            trees.append(tree)
            taken |= grown(mask, 4)
        if len(trees) == wanted:
            break
    return trees


def paint_tissue(rng: Rng) -> Real:
    """Paint a tissue with uneven tone, pale bands and dark spots, none of which are vessels."""
    shape = (CURVE_SIDE, CURVE_SIDE)
    image = np.empty((*shape, 3))
    image[:] = jitter(rng, (0.42, 0.55, 0.80), 0.05)
    image += texture(rng, shape, {110: 0.08, 35: 0.05, 10: 0.03, 3: 0.025})[..., None]
    paint(image, 0.35 * np.clip(noise(rng, shape, 60), 0, 1), (0.35, 0.45, 0.85))
    for _ in range(3):
        band = draw_stroke(rng, rng.uniform(0, CURVE_SIDE, 2), rng.uniform(0, 6.3), 260, 4)
        paint(image, np.clip(2.0 * blur(coverage(band), 2.5), 0, 0.5), (0.66, 0.76, 0.90))
    columns, rows = grid(shape)
    for _ in range(int(rng.integers(10, 25))):
        x, y, radius, depth = rng.uniform((0, 0, 1.5, 0.2), (CURVE_SIDE, CURVE_SIDE, 4.5, 0.6))
        spot = np.clip(radius + 0.5 - np.hypot(columns - x, rows - y), 0, 1)
        paint(image, depth * spot, (0.22, 0.22, 0.55))
    return image


def make_curves(rng: Rng, _index: int) -> Sample:
    """Make one image of `curves`: colour, mask 0 or 1."""
    trees = place_trees(rng)
    image = paint_tissue(rng)
    cover = np.max(trees, axis=0)
    paint(image, 0.25 * blur(cover, 2.0), (0.25, 0.25, 0.62))
    for tree in trees:
        fade = rng.uniform(0.45, 0.85) * (1 + 0.25 * noise(rng, (CURVE_SIDE, CURVE_SIDE), 40))
        paint(image, np.clip(fade, 0, 1) * blur(tree, 0.5), jitter(rng, (0.18, 0.16, 0.48), 0.04))
    columns, rows = grid((CURVE_SIDE, CURVE_SIDE))
    middle = rng.uniform(0.3 * CURVE_SIDE, 0.7 * CURVE_SIDE, 2)
    image *= (1 - 0.4 * (np.hypot(columns - middle[0], rows - middle[1]) / CURVE_SIDE) ** 2)[..., None]
    return Sample(grain(rng, image, 0.02), (cover >= 0.5).astype(np.uint8))


# --- scene: a street -------------------------------------------------------------------------------------


class Canvas(NamedTuple):
    """A street being painted: image, labels, and the row of the road's upper edge by column."""

    image: Real
    mask: Bytes
    kerb: Real


def paint_ground(rng: Rng) -> Canvas:
    """Paint sky, hills and grass."""
    height, width = SCENE_SHAPE
    columns, rows = grid(SCENE_SHAPE)
    image = np.empty((height, width, 3))
    image[:] = jitter(rng, (0.88, 0.76, 0.62), 0.06)
    image += (rows / height * 0.18)[..., None]
    paint(image, np.clip(texture(rng, SCENE_SHAPE, {70: 0.7, 25: 0.4}), 0, 0.8), (0.95, 0.94, 0.93))
    hills = rng.uniform(100, 122) + 12 * noise(rng, (1, width), 70)
    paint(image, rows > hills, jitter(rng, (0.42, 0.46, 0.40), 0.05))
    paint(image, rows > hills + rng.uniform(12, 25), jitter(rng, (0.24, 0.52, 0.46), 0.06))
    image += ((rows > hills) * texture(rng, SCENE_SHAPE, {40: 0.05, 8: 0.05, 3: 0.05}))[..., None]
    kerb = rng.uniform(178, 192) + rng.uniform(-0.05, 0.05) * (columns[0] - width / 2)
    kerb += rng.uniform(2, 7) * np.sin(columns[0] / rng.uniform(45, 90) + rng.uniform(0, 6.3))
    return Canvas(image, np.zeros(SCENE_SHAPE, np.uint8), kerb)


def paint_road(rng: Rng, canvas: Canvas) -> None:
    """Paint the road across the whole width, its pavements, which are background, and its markings."""
    columns, rows = grid(SCENE_SHAPE)
    breadth = rng.uniform(36, 50) + rng.uniform(-0.03, 0.03) * (columns[0] - SCENE_SHAPE[1] / 2)
    below = rows - canvas.kerb
    road = (below >= 0) & (below < breadth)
    speckle = texture(rng, SCENE_SHAPE, {60: 0.05, 12: 0.03, 2.5: 0.05})[..., None]
    paint(canvas.image, (below >= -6) & (below < breadth + 9), jitter(rng, (0.62, 0.65, 0.68), 0.05) + speckle)
    paint(canvas.image, road, jitter(rng, (0.40, 0.39, 0.39), 0.06) + speckle)
    middle = np.abs(below - breadth / 2) < 1.5
    paint(canvas.image, 0.7 * (middle & ((columns + rng.uniform(0, 40)) % 40 < 22)), (0.85, 0.88, 0.88))
    canvas.mask[road] = ROAD


def window_frames(rng: Rng, left: float, top: float, width: float, height: float) -> Bool:
    """Return two to six windows in a regular grid on a wall: the holes of the house."""
    columns, rows = grid(SCENE_SHAPE)
    across = int(rng.integers(2, 4)) if width > 66 else 2
    down = 2 if height > 58 else 1
    x, y = (columns - left) / width * across % 1, (rows - top) / height * down % 1
    wall = (columns >= left) & (columns < left + width) & (rows >= top) & (rows < top + height)
    return wall & (np.abs(x - 0.5) < 0.24) & (np.abs(y - 0.52) < 0.24)


def paint_house(rng: Rng, canvas: Canvas, middle: float, base: float) -> None:
    """Paint a wall with a gable, in which windows are holes of the class."""
    columns, rows = grid(SCENE_SHAPE)
    width, height, gable = rng.uniform((54, 46, 14), (82, 74, 30))
    left, top = middle - width / 2, base - height
    wall = (np.abs(columns - middle) <= width / 2) & (rows >= top) & (rows < base)
    slope = np.abs(columns - middle) / (width / 2)
    roof = (rows < top) & (rows >= top - gable * (1 - slope)) & (slope <= 1)
    windows = window_frames(rng, left, top, width, height)
    colour = jitter(rng, ((0.42, 0.52, 0.72), (0.62, 0.74, 0.80), (0.36, 0.40, 0.62))[rng.integers(3)], 0.08)
    rough = texture(rng, SCENE_SHAPE, {30: 0.05, 3: 0.04})
    courses = 0.05 * (rows % 5 < 1) * rng.integers(2)
    paint(canvas.image, wall, np.asarray(colour) + (rough - courses)[..., None])
    paint(canvas.image, roof, np.asarray(jitter(rng, (0.26, 0.28, 0.46), 0.07)) + rough[..., None])
    paint(canvas.image, windows, np.asarray((0.40, 0.34, 0.30)) + 0.15 * noise(rng, SCENE_SHAPE, 9)[..., None])
    canvas.mask[(wall | roof) & ~windows] = HOUSE
    canvas.mask[windows] = BACKGROUND


def paint_tree(rng: Rng, canvas: Canvas, middle: float, base: float) -> None:
    """Paint a trunk and a ragged crown: many leafy discs scattered over an ellipse."""
    columns, rows = grid(SCENE_SHAPE)
    wide, high, thick = rng.uniform((24, 26, 3.0), (36, 40, 4.5))
    centre = base - rng.uniform(16, 26) - high
    trunk = (np.abs(columns - middle) <= thick) & (rows >= centre) & (rows < base)
    paint(canvas.image, trunk, jitter(rng, (0.20, 0.28, 0.36), 0.04))
    colour = jitter(rng, ((0.16, 0.36, 0.24), (0.14, 0.42, 0.38), (0.16, 0.38, 0.56))[rng.integers(3)], 0.05)
    leaves = texture(rng, SCENE_SHAPE, {14: 0.08, 5: 0.08, 2.5: 0.08})
    tone = np.full(SCENE_SHAPE, -1.0)
    for angle, reach, radius in rng.uniform((0, 0, 4), (2 * np.pi, 1, 11), (70, 3)):
        x = middle + wide * np.sqrt(reach) * np.cos(angle)
        y = centre + high * np.sqrt(reach) * np.sin(angle)
        leaf = np.hypot(columns - x, rows - y) <= radius
        tone[leaf] = (0.05 * (y - rows) / radius - 0.004 * (y - centre))[leaf]
    crown = tone > -1
    paint(canvas.image, crown, np.asarray(colour) + (leaves + tone)[..., None])
    canvas.mask[trunk | crown] = TREE


def paint_things(rng: Rng, canvas: Canvas) -> None:
    """Paint five houses and trees side by side, the farther ones first."""
    places = SCENE_SHAPE[1] * (np.arange(5) + 0.5) / 5 + rng.uniform(-9, 9, 5)
    kinds = rng.permutation((HOUSE, HOUSE, TREE, TREE, rng.choice((HOUSE, TREE))))
    bases = rng.uniform(148, 166, 5)
    for i in np.argsort(bases):
        (paint_house if kinds[i] == HOUSE else paint_tree)(rng, canvas, float(places[i]), float(bases[i]))


def pole_mask(rng: Rng, x: int, foot: int) -> Bool:
    """Return a post, 3 px wide and 76 to 150 px long: two of five carry a lamp on a thin arm, or a plate."""
    mask = np.zeros(SCENE_SHAPE, dtype=bool)
    head = max(foot - int(rng.integers(76, 151)), 3)
    mask[head:foot, x - 1 : x + 2] = True
    kind = rng.random()
    if kind < 0.2:
        side, reach = int(rng.choice((-1, 1))), int(rng.integers(7, 12))
        tip = x + side * reach
        mask[head : head + 2, min(x, tip) : max(x, tip) + 1] = True
        mask[head : head + 5, tip - 3 : tip + 4] = True
    elif kind < 0.4:
        mask[head + 6 : head + 16, x - 5 : x + 6] = True
    return mask


def paint_poles(rng: Rng, canvas: Canvas) -> None:
    """Paint 4 to 8 posts on the far pavement, in front of everything."""
    count = int(rng.integers(4, 9))
    slots = np.linspace(16, SCENE_SHAPE[1] - 16, count + 1)
    columns, _ = grid(SCENE_SHAPE)
    for left, right in itertools.pairwise(slots):
        x = int(rng.integers(int(left) + 1, int(right) - 12)) + 6
        foot = int(canvas.kerb[x]) - int(rng.integers(4, 8))
        mask = pole_mask(rng, x, foot)
        colour = jitter(rng, ((0.20, 0.22, 0.22), (0.72, 0.74, 0.74), (0.30, 0.42, 0.28))[rng.integers(3)], 0.06)
        gloss = 0.10 * (x - columns).clip(-1, 1) + texture(rng, SCENE_SHAPE, {20: 0.08})
        paint(canvas.image, mask, np.asarray(colour) + gloss[..., None])
        canvas.mask[mask] = POLE


def make_scene(rng: Rng, _index: int) -> Sample:
    """Make one image of `scene`: colour, mask 0 to 4."""
    canvas = paint_ground(rng)
    paint_road(rng, canvas)
    paint_things(rng, canvas)
    paint_poles(rng, canvas)
    light = 0.92 + 0.14 * noise(rng, SCENE_SHAPE, 150) + rng.uniform(-0.08, 0.08)
    return Sample(grain(rng, canvas.image * light[..., None], 0.018), canvas.mask)


# --- the sets --------------------------------------------------------------------------------------------


def write_set(
    folder: Path, number: int, make: Callable[[Rng, int], Sample], write: Callable[..., Any], images: int = IMAGES
) -> None:
    """Make the images of one set, each from its own seed, and hand them to the set's writer."""
    for index in range(images):
        sample = make(np.random.default_rng((SEED, number, index)), index)
        write(folder, index, sample)


def write_blob(folder: Path, index: int, sample: Sample) -> None:
    """Write grey JPEG images and 0/255 masks of the same name."""
    write_image(folder / "images" / f"pebbles_{index + 1:02d}.jpg", sample.image)
    write_mask(folder / "masks" / f"pebbles_{index + 1:02d}.png", sample.mask)


def write_curve(folder: Path, index: int, sample: Sample) -> None:
    """Write JPEG images and 0/1 masks whose names end in _mask."""
    write_image(folder / "images" / f"{index + 1:04d}.jpg", sample.image)
    write_mask(folder / "masks" / f"{index + 1:04d}_mask.png", sample.mask)


def write_scene(folder: Path, index: int, sample: Sample) -> None:
    """Write JPEG images and palette masks, in train and val."""
    part = "train" if index < SCENE_IMAGES - SCENE_VAL_IMAGES else "val"
    write_image(folder / "images" / part / f"street_{index + 1:03d}.jpg", sample.image)
    write_mask(folder / "masks" / part / f"street_{index + 1:03d}.png", sample.mask, PALETTE)


def main() -> None:
    """Write the three sets under the folder given, or beside this script."""
    parser = argparse.ArgumentParser(description="Make the sample sets blobs, curves and scene.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).resolve().parent)
    folder: Path = parser.parse_args().folder
    write_set(folder / "blobs", 1, make_blobs, write_blob)
    write_set(folder / "curves", 2, make_curves, write_curve)
    write_set(folder / "scene", 3, make_scene, write_scene, SCENE_IMAGES)
    (folder / "scene" / "classes.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    print(f"wrote {2 * IMAGES + SCENE_IMAGES} images with masks under {folder}")


if __name__ == "__main__":
    main()
