"""The data as the trainer reads it: pairs of images and index masks, their split, the images' statistics."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from shapeprof.design.spec import InputSpec, SplitSpec
from shapeprof.errors import InputError, PairingError, UnreadableMask
from shapeprof.issues import Issue
from shapeprof.labelmap import LabelMap
from shapeprof.profile.profile import Profile
from shapeprof.progress import Progress
from shapeprof.sampling import sample_order, smallest_hashes
from shapeprof.sources import Encoding, MaskFolder, Pair, Pairing, masks_again, pair, read_layers, read_whole
from shapeprof.writing import write

IMAGE_SAMPLE = 64  # images behind mean, std and channel count


@dataclass(frozen=True)
class Matched:
    """Masks with their images and their part of the split."""

    masks: MaskFolder
    images: Path
    pairing: Pairing
    split_of: dict[str, str]  # mask path -> "train", "val" or "test"
    split_source: Literal["folders", "random"]

    @property
    def masks_per_image(self) -> float:
        """Mean number of masks of an image; more than 1 if each mask shows one class."""
        pairs = self.pairing.pairs
        return sum(1 + len(p.more) for p in pairs) / len(pairs)


class Row(NamedTuple):
    """One line of dataset.csv."""

    image: str
    mask: str
    split: str
    group: str


@dataclass(frozen=True)
class Dataset:
    """The rows of dataset.csv, and issues about masks that have none."""

    rows: tuple[Row, ...]
    rewritten: int  # masks converted to index PNG or bit fields
    issues: tuple[Issue, ...]


def match(profile: Profile, masks: Path | None, images: Path, group: str | None) -> Matched:
    """Pair the masks of a profile with images and split them.

    Raises:
        InputError: the masks are no longer there. PairingError: no image matches.
    """
    root = masks or Path(profile.log.get("masks", ""))
    if not root.exists():
        raise InputError(f"{root}: the masks of this profile are no longer there; give their folder with --masks")
    folder = masks_again(root, profile.arguments, Encoding.from_dict(profile.encoding))
    pairing = pair(folder, images, group_pattern=group)
    if not pairing.pairs:
        why = "; ".join(issue.message for issue in pairing.issues if issue.severity == "warning")
        raise PairingError(f"{images}: no mask has an image that it can be trained on: {why}")
    split_of, source = _split(pairing)
    return Matched(folder, images, pairing, split_of, source)


def _split(pairing: Pairing) -> tuple[dict[str, str], Literal["folders", "random"]]:
    """The split by train and val folders if there are both; else a fifth for validation, whole groups together."""
    given = {p.mask: p.split for p in pairing.pairs}
    if {"train", "val"} <= set(given.values()):
        return {mask: split or "train" for mask, split in given.items()}, "folders"
    units = {_unit(p) for p in pairing.pairs if p.split != "test"}
    order = sample_order(units)
    share = SplitSpec().validation_share
    held_out = set(order[: max(1, round(share * len(units)))]) if len(units) > 1 else set()

    def part(item: Pair) -> str:
        return "test" if item.split == "test" else "val" if _unit(item) in held_out else "train"

    return {p.mask: part(p) for p in pairing.pairs}, "random"


def _unit(item: Pair) -> str:
    return f"group {item.group}" if item.group is not None else f"mask {item.mask}"


def image_statistics(matched: Matched, train_size: int | None) -> InputSpec:
    """Channels, mean and std (of values scaled to [0, 1]) over a deterministic sample of the images."""
    sums = np.zeros((2, 3))
    count, grey = 0, True
    for name in smallest_hashes(tuple(p.image for p in matched.pairing.pairs), IMAGE_SAMPLE):
        image = read_rgb(matched.images / name)
        grey = grey and bool((image[..., 0] == image[..., 1]).all() and (image[..., 1] == image[..., 2]).all())
        sums += image.sum(axis=(0, 1)), (image**2).sum(axis=(0, 1))
        count += image.shape[0] * image.shape[1]
    mean = sums[0] / count
    std = np.sqrt(np.maximum(sums[1] / count - mean**2, 1e-6))
    channels = 1 if grey else 3
    return InputSpec(
        channels=channels,
        order="grey" if grey else "RGB",
        mean=tuple(round(float(v), 4) for v in mean[:channels]),
        std=tuple(max(round(float(v), 4), 0.001) for v in std[:channels]),
        train_size=train_size,
    )


def read_rgb(path: Path) -> NDArray[np.float64]:
    """An image as RGB in [0, 1], (H, W, 3), alpha dropped.

    Raises:
        InputError: it can't be decoded.
    """
    data = np.frombuffer(path.read_bytes(), np.uint8) if path.is_file() else np.zeros(0, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if image is None:
        raise InputError(f"{path}: can't be read as an image; re-save it as PNG or JPEG, or remove it and its mask")
    top = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0}.get(image.dtype, 1.0)
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    return image[..., 2::-1].astype(np.float64) / top


def write_dataset(
    profile: Profile,
    matched: Matched,
    out: Path,
    ids: dict[int, int],
    progress: Progress | None = None,
    *,
    multi_label: bool = False,
) -> Dataset:
    """Write every mask that is not a plain index PNG below ``out/masks``.

    Args:
        profile: of the masks.
        matched: masks with their images.
        out: folder of the export.
        ids: exported id of each class id.
        progress: called with masks done and masks in all.
        multi_label: write every mask as bit fields, in which a pixel keeps all its classes.
    """
    encoding = Encoding.from_dict(profile.encoding)
    names = dict(zip(matched.masks.files, matched.masks.image_names, strict=True))
    pairs = sorted(matched.pairing.pairs, key=lambda p: p.mask)
    rows: list[Row] = []
    issues: list[Issue] = []
    rewritten = 0
    for done, item in enumerate(pairs, start=1):
        path = matched.masks.root / item.mask
        if multi_label or not _is_plain(encoding, item.mask, ids):
            try:
                content, overlap = _png(matched.masks.root, (item.mask, *item.more), encoding, ids, multi_label)
            except UnreadableMask as error:
                issues.append(Issue("error", error.code, f"left out of dataset.csv: {error.message}", item.mask))
                continue
            issues += overlap
            path = out / "masks" / Path(names[item.mask]).with_suffix(".png")
            write(path, content)
            rewritten += 1
        mask = path.relative_to(out).as_posix() if path.is_relative_to(out) else path.resolve().as_posix()
        image = (matched.images / item.image).resolve().as_posix()
        rows.append(Row(image, mask, matched.split_of[item.mask], item.group or ""))
        if progress:
            progress(done, len(pairs))
    return Dataset(tuple(rows), rewritten, tuple(issues))


def _png(
    root: Path, files: tuple[str, ...], encoding: Encoding, ids: dict[int, int], multi_label: bool
) -> tuple[bytes, tuple[Issue, ...]]:
    """The mask of one image as the trainer reads it, and issues about classes that overlap."""
    if multi_label:
        return _bit_png(read_layers(root, files, encoding), ids), ()
    label_map, overlap = read_whole(root, files, encoding)
    return _index_png(label_map, _table(ids)), overlap


def _is_plain(encoding: Encoding, path: str, ids: dict[int, int]) -> bool:
    """Whether the trainer can read a mask as it is: a grey PNG of exported ids, 255 ignored."""
    same = all(old == new for old, new in ids.items()) and all(raw == i for raw, i in encoding.mapping)
    exact = not encoding.levels and not encoding.new_ids and not encoding.equal_channels and not encoding.instances
    exact = exact and encoding.layout == "files"
    stored = encoding.kind in ("index", "binary") and path.lower().endswith(".png")
    return same and exact and stored and set(encoding.ignored) <= {255}


def _table(ids: dict[int, int]) -> NDArray[np.uint16]:
    """Exported id by class id; 65535: ignored."""
    table = np.full(65536, 65535, np.uint16)
    for old, new in ids.items():
        table[old] = new
    return table


def _index_png(label_map: LabelMap, table: NDArray[np.uint16]) -> bytes:
    """A label map as an index PNG: uint8 with 255 ignored, or uint16 with 65535 ignored."""
    labels = table[label_map.labels]
    labels[label_map.labels == label_map.ignore_index] = 65535
    if len(np.unique(table)) <= 255:
        labels = np.where(labels == 65535, 255, labels).astype(np.uint8)
    return bytes(cv2.imencode(".png", labels)[1])


def _bit_png(layers: tuple[LabelMap, ...], ids: dict[int, int]) -> bytes:
    """Label maps of one image as a PNG of bit fields: bit ``ids[c]`` is set where any of them shows class c.

    uint8 with 255 ignored for up to 7 classes, else uint16 with 65535 ignored; a pixel is ignored if any layer does.
    """
    bits = np.zeros(layers[0].labels.shape, np.uint8 if len(ids) <= 7 else np.uint16)
    for layer in layers:
        for old, new in ids.items():
            bits |= (layer.labels == old).astype(bits.dtype) << new
    for layer in layers:
        bits[layer.labels == layer.ignore_index] = np.iinfo(bits.dtype).max
    return bytes(cv2.imencode(".png", bits)[1])


def table_of(dataset: Dataset) -> str:
    """The text of dataset.csv."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Row._fields)
    writer.writerows(dataset.rows)
    return text.getvalue()
