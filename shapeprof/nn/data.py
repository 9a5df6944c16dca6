"""Images and masks: reading dataset.csv and its files, and cutting training crops out of them.

Arrays are (row, column) or (row, column, channel). Images keep their stored type (uint8 or uint16)
until the last step. Masks are one-channel images of 8 or 16 bits whose largest value (255 or 65535) is ignored.
Multi-class, the value is the class id; multi-label, it is a bit field: bit c (of value 2 ** c) is set where
the pixel is of class c. Every crop follows from the seed and its number alone, so that the number of workers changes
nothing.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from .kit.errors import InputError

COLUMNS = ("image", "mask", "split", "group")
TASKS = ("multi-class", "multi-label")
ALL_BITS = 65535  # the bit field of a pixel to ignore, whatever the type that stores it
BITS = 15  # classes of a bit field at most: with 16 one that is full would be ignored
Image = NDArray[Any]  # (H, W, C) uint8 or uint16
Labels = NDArray[np.int32]  # (H, W) class ids and the spec's ignore index; or bit fields and ALL_BITS


@dataclass(frozen=True, slots=True)
class Pair:
    """One row of dataset.csv."""

    image: Path
    mask: Path
    split: str  # "train" or "val"; other rows are not read
    group: str  # pairs of one group are on one side of the split; may be empty


def read_pairs(table: Path) -> list[Pair]:
    """The rows of dataset.csv; relative paths start at its folder.

    Raises:
        InputError: if the table or a file that it names is missing.
    """
    try:
        with table.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            reader = csv.DictReader(file)
            rows, columns = list(reader), reader.fieldnames or ()
    except FileNotFoundError:
        message = f"{table} is missing: run 'shapeprof export' with --images, which pairs images and masks"
        raise InputError(message) from None
    if missing := [name for name in COLUMNS if name not in columns]:
        raise InputError(f"{table} lacks the column {missing[0]!r}; expected {', '.join(COLUMNS)}")
    fields = [[row[name] or "" for name in COLUMNS] for row in rows]  # None: a line that is too short
    pairs = [Pair(table.parent / image, table.parent / mask, *rest) for image, mask, *rest in fields]
    for number, pair in enumerate(pairs, start=2):
        for path in (pair.image, pair.mask):
            if not path.is_file():
                raise InputError(f"{path} is missing; {table.name} names it in line {number}")
    return pairs


def read_image(path: Path, channels: int) -> Image:
    """The image as (H, W, channels), uint8 or uint16: grey if ``channels`` is 1, RGB if it is 3.

    Alpha is dropped, colour turned to grey or grey to colour as asked, EXIF orientation applied.
    """
    if channels not in (1, 3):
        raise InputError(f"input.channels is {channels}: read_image in nn/data.py reads 1 (grey) or 3 (RGB)")
    flags = cv2.IMREAD_ANYDEPTH | (cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR)
    image = _decode(path, flags)
    if image.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{path} holds {image.dtype} values; expected 8 or 16 bits a channel")
    if channels == 1:
        return image[:, :, np.newaxis]
    return np.ascontiguousarray(image[:, :, ::-1])  # OpenCV reads BGR


def read_labels(path: Path, classes: int, ignore_index: int) -> Labels:
    """The mask as (H, W) int32: class ids 0 .. classes - 1, and ``ignore_index``."""
    mask = _decode_mask(path)
    ignored = mask == np.iinfo(mask.dtype).max
    highest = int(mask.max(where=~ignored, initial=0))
    if highest >= classes:
        raise InputError(f"{path} holds class id {highest}, but spec.yaml has only 0 to {classes - 1}")
    return np.where(ignored, ignore_index, mask.astype(np.int32))


def read_bits(path: Path, classes: int) -> Labels:
    """The multi-label mask as (H, W) int32: bit fields of 0 .. 2 ** classes - 1, and ``ALL_BITS``."""
    mask = _decode_mask(path)
    held = 8 * mask.itemsize - 1
    if classes > held:
        seen = f"{mask.dtype} bit fields, which hold {held} classes"
        raise InputError(f"{path} has {seen}; spec.yaml has {classes}: expected uint16")
    ignored = mask == np.iinfo(mask.dtype).max
    highest = int(mask.max(where=~ignored, initial=0))
    if highest >> classes:
        seen = f"the value {highest}, which has bit {highest.bit_length() - 1} set"
        raise InputError(f"{path} holds {seen}, but the classes in spec.yaml are bits 0 to {classes - 1}")
    return np.where(ignored, ALL_BITS, mask.astype(np.int32))


def unpack_bits(bits: Labels, classes: int, ignore_index: int) -> NDArray[np.uint8]:
    """Bit fields (H, W) as (classes, H, W): 1 where a pixel is of the class, else 0; ``ignore_index`` where ignored."""
    members = np.empty((classes, *bits.shape), np.uint8)
    for c in range(classes):
        members[c] = bits >> c & 1
    members[:, bits == ALL_BITS] = ignore_index
    return members


def pack_bits(members: NDArray[np.bool_]) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """(classes, H, W) as bit fields (H, W): uint8 for up to 7 classes, else uint16."""
    bits = np.zeros(members.shape[1:], np.uint8 if len(members) <= 7 else np.uint16)
    for c, mask in enumerate(members):
        bits |= mask.astype(bits.dtype) << c
    return bits


def _decode_mask(path: Path) -> NDArray[Any]:
    mask = _decode(path, cv2.IMREAD_UNCHANGED)
    if mask.ndim != 2 or mask.dtype not in (np.uint8, np.uint16):
        seen = f"{mask.shape} {mask.dtype}"
        raise InputError(f"{path} is no index mask: decoded to {seen}, expected (H, W) uint8 or uint16")
    return mask


def _decode(path: Path, flags: int) -> NDArray[Any]:
    """Like ``cv2.imread``, which returns None for any failure and can't open every path on Windows."""
    try:
        stored = np.fromfile(path, np.uint8)
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from None
    decoded = cv2.imdecode(stored, flags) if stored.size else None
    if decoded is None:
        raise InputError(f"{path} can't be decoded as an image ({stored.size} bytes)")
    return decoded


def resize_image(image: Image, size: tuple[int, int]) -> Image:
    """``image`` at ``size`` (rows, columns): mean over areas when it shrinks, bilinear when it grows."""
    if image.shape[:2] == size:
        return image
    method = cv2.INTER_AREA if size[0] < image.shape[0] else cv2.INTER_LINEAR
    return cv2.resize(image, size[::-1], interpolation=method).reshape(*size, image.shape[2])


def resize_labels(labels: Labels, size: tuple[int, int]) -> Labels:
    """``labels`` at ``size`` (rows, columns): the nearest to the new pixel's centre (``cv2.INTER_NEAREST``
    takes the nearest to its corner, half a pixel off)."""
    rows, columns = (((np.arange(n) + 0.5) * old / n).astype(int) for n, old in zip(size, labels.shape, strict=True))
    return labels[np.ix_(rows, columns)]


def to_tensor(image: Image, mean: Any, std: Any) -> Tensor:
    """(H, W, C) uint8 or uint16 to (C, H, W) float32: ``(value / 255 - mean) / std``; 16 bits by 65535."""
    scaled = image.astype(np.float32) / np.iinfo(image.dtype).max
    normalised = (scaled - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)
    return torch.from_numpy(np.ascontiguousarray(normalised.transpose(2, 0, 1)))


class Reader:
    """Reads pairs as ``spec`` says: task, channels, classes, ignore index and training scale.

    Raises:
        InputError: the task is unknown; bit fields can't hold the classes, or targets of 0 and 1 the ignore index.
    """

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.input, self.classes = spec["input"], len(spec["classes"])
        self.ignore_index: int = spec["ignore_index"]
        if spec["task"] not in TASKS:
            raise InputError(f"spec.yaml: task {spec['task']!r}; expected {' or '.join(TASKS)}")
        self.multi_label = spec["task"] == "multi-label"
        self.ignored = ALL_BITS if self.multi_label else self.ignore_index  # in labels as they are read
        if self.multi_label and self.classes > BITS:
            raise InputError(
                f"spec.yaml has {self.classes} classes; multi-label masks hold {BITS} at most: take some together, or "
                "leave some out"
            )
        if self.multi_label and not 2 <= self.ignore_index <= 255:
            raise InputError(
                f"spec.yaml: ignore_index {self.ignore_index}; multi-label targets are 0 and 1, so expected 2 to 255"
            )

    def native(self, pair: Pair) -> tuple[Image, Labels]:
        """Image (H, W, C) and labels (H, W) as stored."""
        image = read_image(pair.image, self.input["channels"])
        if self.multi_label:
            labels = read_bits(pair.mask, self.classes)
        else:
            labels = read_labels(pair.mask, self.classes, self.ignore_index)
        if image.shape[:2] != labels.shape:
            seen = f"{image.shape[0]} x {image.shape[1]} rows x columns"
            raise InputError(f"{pair.image} has {seen}, its mask {pair.mask} {labels.shape[0]} x {labels.shape[1]}")
        return image, labels

    def training_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns after the shorter side became ``input.train_size``."""
        if self.input["train_size"] is None:
            return size
        scale = self.input["train_size"] / min(size)
        return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))

    def tensor(self, image: Image) -> Tensor:
        """What the network eats: (C, H, W) float32 at the size that ``image`` has."""
        return to_tensor(image, self.input["mean"], self.input["std"])

    def target(self, labels: Labels) -> Tensor:
        """What a prediction is held against: (H, W) int64 class ids, or multi-label (classes, H, W) uint8."""
        if self.multi_label:
            return torch.from_numpy(unpack_bits(labels, self.classes, self.ignore_index))
        return torch.from_numpy(labels.astype(np.int64))


def crop_origin(
    labels: Labels,
    crop: tuple[int, int],
    rng: np.random.Generator,
    *,
    foreground: NDArray[np.int32] | None = None,
    bits: bool = False,
) -> tuple[int, int]:
    """Top left corner (row, column) of a crop; negative where the image is smaller than the crop.

    With ``foreground`` class ids: centred on a random pixel of one of those in ``labels``, each
    class as likely as the others, and moved inside the image; uniform where no such class is present.
    ``bits``: labels are bit fields.
    """
    free = [have - want for have, want in zip(labels.shape, crop, strict=True)]
    origin = [int(rng.integers(min(f, 0), max(f, 0) + 1)) for f in free]
    present = np.zeros(0, np.int32)
    if foreground is not None and bits:
        known = np.where(labels == ALL_BITS, 0, labels)
        present = foreground[np.bitwise_or.reduce(known, axis=None) >> foreground & 1 == 1]
    elif foreground is not None:
        present = np.intersect1d(labels, foreground)
    if present.size:
        chosen = rng.choice(present)
        members = known >> chosen & 1 if bits else labels == chosen
        at = rng.choice(np.flatnonzero(members))
        centre = np.unravel_index(at, labels.shape)
        for axis in (0, 1):
            if free[axis] > 0:
                origin[axis] = int(np.clip(centre[axis] - crop[axis] // 2, 0, free[axis]))
    return origin[0], origin[1]


def cut(
    image: Image, labels: Labels, origin: tuple[int, int], crop: tuple[int, int], ignored: int
) -> tuple[Image, Labels]:
    """The window of ``crop`` (rows, columns) at ``origin``; beyond the border the image is mirrored and
    the labels are ``ignored``: the network sees no false edge and is not graded there."""
    (top, left), (rows, columns) = origin, crop
    inside = np.s_[max(top, 0) : top + rows, max(left, 0) : left + columns]
    image, labels = image[inside], labels[inside]
    before, start = max(-top, 0), max(-left, 0)
    after, end = rows - before - labels.shape[0], columns - start - labels.shape[1]
    if before or start or after or end:
        channels = image.shape[2]
        image = cv2.copyMakeBorder(image, before, after, start, end, cv2.BORDER_REFLECT_101)
        image = image.reshape(rows, columns, channels)
        labels = np.pad(labels, ((before, after), (start, end)), constant_values=ignored)
    return image, labels


class Crops(Dataset[tuple[Tensor, Tensor]]):
    """``count`` random crops: images in a new random order every epoch.

    Item i is image (C, h, w) float32 and target (h, w) int64, or multi-label (classes, h, w) uint8.
    """

    def __init__(
        self, pairs: list[Pair], spec: Mapping[str, Any], *, crop: tuple[int, int], count: int, seed: int
    ) -> None:
        self.pairs, self.reader, self.training = pairs, Reader(spec), spec["training"]
        self.crop, self.count, self.seed = crop, count, seed % 2**32
        self.order: tuple[int, NDArray[np.int64]] | None = None  # the epoch and its order of the pairs
        mean, std = (torch.tensor(spec["input"][name])[:, None, None] for name in ("mean", "std"))
        self.mean, self.std = mean, std
        ids = range(len(spec["classes"]))
        self.foreground = np.array([c for c in ids if c != spec["background"]], np.int32)

    def __len__(self) -> int:
        return self.count

    def pair_of(self, index: int) -> Pair:
        """The pair that crop ``index`` is cut from."""
        epoch, place = divmod(index, len(self.pairs))
        if self.order is None or self.order[0] != epoch:  # drawn once an epoch: 20 ms for a million pairs
            rng = np.random.default_rng((self.seed, 0, epoch))
            self.order = epoch, rng.permutation(len(self.pairs))
        return self.pairs[int(self.order[1][place])]

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng((self.seed, 1, index))
        image, labels = self.reader.native(self.pair_of(index))
        size = self.reader.training_size((labels.shape[0], labels.shape[1]))
        image, labels = resize_image(image, size), resize_labels(labels, size)
        window = self._window(rng)
        oversample = rng.random() < self.training["foreground_share"]
        foreground = self.foreground if oversample else None
        origin = crop_origin(labels, window, rng, foreground=foreground, bits=self.reader.multi_label)
        image, labels = cut(image, labels, origin, window, self.reader.ignored)
        image, labels = resize_image(image, self.crop), resize_labels(labels, self.crop)
        for axis, name in enumerate(("vertical_flip", "horizontal_flip")):
            if self.training[name] and rng.random() < 0.5:
                image, labels = np.flip(image, axis), np.flip(labels, axis)
        return self._jittered(self.reader.tensor(image), rng), self.reader.target(labels)

    def _window(self, rng: np.random.Generator) -> tuple[int, int]:
        """Rows and columns that become a crop: the crop's divided by a factor drawn evenly on a log scale."""
        low, high = self.training["scale"]
        factor = math.exp(rng.uniform(math.log(low), math.log(high))) if low < high else low
        return max(1, round(self.crop[0] / factor)), max(1, round(self.crop[1] / factor))

    def _jittered(self, image: Tensor, rng: np.random.Generator) -> Tensor:
        """``image`` (C, h, w), normalised, with its values and then its contrast times 1 - jitter .. 1 + jitter."""
        share = self.training["jitter"]
        if not share:
            return image
        brightness, contrast = rng.uniform(1 - share, 1 + share, 2)
        black = -self.mean / self.std  # of value 0
        image = black + (image - black) * brightness
        middle = image.mean(dim=(1, 2), keepdim=True)
        varied: Tensor = middle + (image - middle) * contrast
        return varied.float()
