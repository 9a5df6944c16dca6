"""From a recommendation to a folder that trains: the spec, the data as the trainer reads it, the emitted files."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from . import __version__
from .cost import cost
from .emitters import EmittedFile, find_emitter
from .errors import InputError, OutputError, PairingError, UnreadableMask
from .labelmap import Issue, LabelMap
from .profile import Profile
from .recommend import Decision, Recommendation
from .scan import smallest_hashes
from .sources import Encoding, MaskFolder, Pair, Pairing, find_masks, pair, read_mask
from .spec import (
    ClassSpec,
    DerivedSpec,
    InputSpec,
    ModelSpec,
    Provenance,
    Rationale,
    SplitSpec,
)

IMAGE_SAMPLE = 64  # images behind mean, std and channel count
MARKER = "spec.yaml"  # a folder that holds it is an earlier export and may be written over
DEFAULT_GREY, DEFAULT_RGB = (0.5,), (0.5, 0.5, 0.5)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Export:
    """What was written, and what was not."""

    folder: Path
    spec: ModelSpec
    files: tuple[str, ...]
    pairs: int = 0
    train: int = 0
    val: int = 0
    rewritten_masks: int = 0  # masks that were not plain index PNG
    missing: tuple[str, ...] = ()  # what is still needed before training, as sentences
    issues: tuple[Issue, ...] = field(default=())


def export_model(
    profile: Profile,
    recommendation: Recommendation,
    out: Path,
    *,
    masks: Path | None = None,
    images: Path | None = None,
    target: str = "pytorch",
    group: str | None = None,
    progress: Progress | None = None,
) -> Export:
    """Write the recommended model as a folder that trains.

    Args:
        profile: of the masks.
        recommendation: for that profile.
        out: new or empty folder, or an earlier export, which is written over.
        masks: the mask folder; default: where the profile was made.
        images: folder of the images; without it everything but the data is written.
        target: name of the emitter.
        group: regular expression with one capture group over mask paths; images of one group stay in one split.
        progress: called with masks done and masks in all.

    Raises:
        OutputError: ``out`` holds something else or can't be written.
        PairingError, InputError: images and masks don't match, or can't be read.
    """
    emit = find_emitter(target)
    _prepare(out)
    ids = {old: new for new, old in enumerate(_class_ids(profile))}
    pairing = _pair(profile, masks, images, group)
    input_spec = _input_spec(profile, pairing[1], images) if pairing and images else _default_input(profile)
    splits, source = _splits(pairing[1]) if pairing else ({}, "none")
    spec = build_spec(profile, recommendation, ids, input_spec, source)
    files = list(emit(spec))
    rewritten = 0
    if pairing and images:
        folder, found = pairing
        rows, rewritten = _write_masks(profile, folder, found, images, out, ids, splits, progress)
        files.append(EmittedFile("dataset.csv", _csv(rows)))
    for file in files:
        _write(out / file.path, file.content)
    values = list(splits.values())
    return Export(
        folder=out,
        spec=spec,
        files=tuple(f.path for f in files),
        pairs=len(splits),
        train=values.count("train"),
        val=values.count("val"),
        rewritten_masks=rewritten,
        missing=()
        if pairing
        else ("dataset.csv and the masks: export again with --images FOLDER to pair them",),
        issues=pairing[1].issues if pairing else (),
    )


def _prepare(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out}: is a file; give -o a new or empty folder")
    if out.is_dir() and any(out.iterdir()) and not (out / MARKER).is_file():
        names = ", ".join(sorted(p.name for p in out.iterdir())[:3])
        raise OutputError(f"{out}: exists and holds something else ({names}); give -o a new or empty folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: can't be created ({error.strerror}); give -o another folder") from None


def _write(path: Path, content: str | bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content)
    except OSError as error:
        raise OutputError(f"{path}: can't be written ({error.strerror})") from None


# The spec -------------------------------------------------------------------------------------


def _class_ids(profile: Profile) -> list[int]:
    """Every class id that the masks hold or the table names, ascending; their positions are the exported ids."""
    return sorted({*range(len(profile.names)), *profile.totals})


def build_spec(
    profile: Profile,
    recommendation: Recommendation,
    ids: dict[int, int],
    input_spec: InputSpec,
    split: Literal["folders", "random", "none"],
) -> ModelSpec:
    """The complete spec. ``ids`` maps the profile's class ids to 0 .. K-1."""
    encoding = Encoding.from_dict(profile.encoding)
    views = {v.id: v for v in profile.classes()}
    network, training = recommendation.network, recommendation.training
    valid = max(1, profile.pixels - profile.ignored)
    counted = cost(network, len(ids), input_spec.channels, training.crop, training.batch)

    def share(old: int) -> float:
        if old == profile.background:
            return profile.background_pixels / valid
        return views[old].total("pixels") / valid if old in views else 0.0

    return ModelSpec(
        design=recommendation.design,
        classes=tuple(
            ClassSpec(
                id=new,
                name=profile.name_of(old),
                raw_values=encoding.raw_values_of(old),
                pixel_share=share(old),
            )
            for old, new in ids.items()
        ),
        background=None if profile.background is None else ids[profile.background],
        input=input_spec,
        model=network,
        derived=DerivedSpec(
            parameters=counted.parameters,
            macs=counted.macs,
            receptive_field=counted.receptive_field,
            effective_receptive_field=round(counted.effective_receptive_field, 1),
            input_multiple=counted.input_multiple,
            memory_gb=round(counted.memory_gb, 2),
        ),
        training=training,
        split=SplitSpec(source=split),
        rationale=tuple(_rationale(d) for d in recommendation.decisions),
        provenance=Provenance(
            version=__version__,
            profile_fingerprint=profile.fingerprint,
            images=profile.images,
            objects=sum(v.measured for v in views.values()),
        ),
    )


def _rationale(d: Decision) -> Rationale:
    def known(value: float) -> float | None:
        return None if math.isnan(value) else float(f"{value:.6g}")

    low, high = (known(v) for v in d.interval)
    return Rationale(
        rule=d.rule,
        sets=d.sets,
        value=list(d.value) if isinstance(d.value, tuple) else d.value,
        reason=d.reason,
        statistic=d.statistic or None,
        measured=known(d.measured),
        interval=None if low is None or high is None else (low, high),
        threshold=known(d.threshold),
        agreement=known(d.agreement),
        binding_class=d.binding_class,
        flips_when=d.flips_when or None,
    )


def _default_input(profile: Profile) -> InputSpec:
    return InputSpec(train_size=profile.arguments.get("train_size"))


def _input_spec(profile: Profile, pairing: Pairing, images: Path) -> InputSpec:
    """Channels, mean and std (of values scaled to [0, 1]) over a deterministic sample of the images."""
    sums = np.zeros((2, 3))
    count, grey = 0, True
    for name in smallest_hashes(tuple(p.image for p in pairing.pairs), IMAGE_SAMPLE):
        image = read_rgb(images / name)
        grey = grey and bool(
            (image[..., 0] == image[..., 1]).all() and (image[..., 1] == image[..., 2]).all()
        )
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
        train_size=profile.arguments.get("train_size"),
    )


def read_rgb(path: Path) -> NDArray[np.float64]:
    """An image as RGB in [0, 1], (H, W, 3), alpha dropped.

    Raises:
        InputError: it can't be decoded.
    """
    data = np.frombuffer(path.read_bytes(), np.uint8) if path.is_file() else np.zeros(0, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED | cv2.IMREAD_ANYDEPTH) if data.size else None
    if image is None:
        raise InputError(
            f"{path}: can't be read as an image; re-save it as PNG or JPEG, or remove it and its mask"
        )
    top = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0}.get(image.dtype, 1.0)
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    return image[..., 2::-1].astype(np.float64) / top


# The data -------------------------------------------------------------------------------------


def _pair(
    profile: Profile, masks: Path | None, images: Path | None, group: str | None
) -> tuple[MaskFolder, Pairing] | None:
    if images is None:
        return None
    root = masks or Path(profile.log.get("masks", ""))
    if not root.is_dir():
        raise InputError(
            f"{root}: the masks of this profile are no longer there; give their folder with --masks"
        )
    folder = find_masks(root)
    pairing = pair(folder, images, group_pattern=group)
    if not pairing.pairs:
        raise PairingError(f"{images}: no image could be matched with a mask in {root}; {pairing.rule}")
    return folder, pairing


def _splits(pairing: Pairing) -> tuple[dict[str, str], Literal["folders", "random"]]:
    """Mask path -> "train", "val" or "test": existing folders, else a fifth by hash, whole groups together."""
    given = {p.mask: p.split for p in pairing.pairs}
    if {"train", "val"} <= set(given.values()):
        return {mask: split or "train" for mask, split in given.items()}, "folders"
    units = sorted({_unit(p) for p in pairing.pairs if p.split != "test"})
    order = sorted(
        units, key=lambda u: hashlib.blake2b(u.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    )
    share = SplitSpec().validation_share
    held_out = set(order[: max(1, round(share * len(units)))]) if len(units) > 1 else set()
    chosen = {
        p.mask: "test" if p.split == "test" else "val" if _unit(p) in held_out else "train"
        for p in pairing.pairs
    }
    return chosen, "random"


def _unit(item: Pair) -> str:
    return f"group {item.group}" if item.group is not None else f"mask {item.mask}"


def _write_masks(
    profile: Profile,
    folder: MaskFolder,
    pairing: Pairing,
    images: Path,
    out: Path,
    ids: dict[int, int],
    splits: dict[str, str],
    progress: Progress | None,
) -> tuple[list[tuple[str, str, str, str]], int]:
    """Rows of dataset.csv, and how many masks had to be rewritten as index PNG under ``out/masks``."""
    encoding = Encoding.from_dict(profile.encoding)
    table = _table(ids)
    rows, rewritten = [], 0
    for done, item in enumerate(sorted(pairing.pairs, key=lambda p: p.mask)):
        path = folder.root / item.mask
        if not _plain(encoding, item.mask, ids):
            try:
                label_map, _ = read_mask(folder.root, item.mask, encoding, None)
            except UnreadableMask:
                continue  # in the profile's ledger already
            path = out / "masks" / Path(item.mask).with_suffix(".png")
            _write(path, _index_png(label_map, table))
            rewritten += 1
        mask = path.relative_to(out).as_posix() if path.is_relative_to(out) else path.resolve().as_posix()
        rows.append(((images / item.image).resolve().as_posix(), mask, splits[item.mask], item.group or ""))
        if progress:
            progress(done + 1, len(pairing.pairs))
    return rows, rewritten


def _plain(encoding: Encoding, path: str, ids: dict[int, int]) -> bool:
    """Whether a mask already is what the trainer reads: a grey PNG of exported ids, 255 ignored."""
    same = all(old == new for old, new in ids.items()) and all(raw == i for raw, i in encoding.mapping)
    exact = not encoding.levels and not encoding.equal_channels and not encoding.instances
    stored = encoding.kind in ("index", "binary") and path.lower().endswith(".png")
    return same and exact and stored and set(encoding.ignored) <= {255}


def _table(ids: dict[int, int]) -> NDArray[np.uint16]:
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


def _csv(rows: list[tuple[str, str, str, str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("image", "mask", "split", "group"))
    writer.writerows(rows)
    return text.getvalue()


def describe(result: Export) -> Iterator[str]:
    """Lines that say what was exported and what to do next."""
    spec = result.spec
    yield f"{result.folder}: {spec.design}, {spec.derived.parameters:,} parameters, {len(spec.classes)} classes"
    if result.pairs:
        source = "folders of the data" if spec.split.source == "folders" else "a hash of the names"
        yield f"{result.pairs:,} pairs: {result.train:,} train, {result.val:,} val (split by {source})"
        if result.rewritten_masks:
            yield f"{result.rewritten_masks:,} masks rewritten as index PNG under {result.folder / 'masks'}"
    yield from (f"missing: {what}" for what in result.missing)


def to_json(result: Export) -> str:
    """The export for machines."""
    data: dict[str, Any] = {
        "folder": str(result.folder),
        "design": result.spec.design,
        "files": list(result.files),
        "pairs": result.pairs,
        "train": result.train,
        "val": result.val,
        "rewritten_masks": result.rewritten_masks,
        "missing": list(result.missing),
        "findings": [
            {"severity": i.severity, "code": i.code, "message": i.message, "path": i.path}
            for i in result.issues
        ],
        "spec_digest": result.spec.digest(),
    }
    return json.dumps(data, indent=2)
