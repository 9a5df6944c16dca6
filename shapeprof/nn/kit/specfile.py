"""Reading spec.yaml without pydantic: fields are checked here, values where they are used."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from .errors import InputError

SCHEMA_VERSION = 3

# The fields of every block that is read here; "" is the document itself. "block:kind" is a block of that kind.
FIELDS: dict[str, tuple[str, ...]] = {
    "": (
        *("schema_version", "design", "task", "classes", "background", "ignore_index", "input", "model"),
        *("derived", "training", "split", "rationale", "provenance"),
    ),
    "input": ("channels", "order", "mean", "std", "train_size"),
    "model": ("encoder", "context", "decoder", "auxiliary_heads", "deep_supervision", "norm"),
    "model.encoder:residual": ("kind", "blocks", "widths", "stem_stride", "output_stride", "multi_grid"),
    "model.encoder:backbone": ("kind", "name", "pretrained", "config", "output_stride", "multi_grid"),
    "model.context:aspp": ("kind", "rates", "channels", "image_pooling"),
    "model.context:ppm": ("kind", "bins", "channels"),
    "model.decoder": ("logit_stride", "skip_strides", "channels", "skip_channels"),
    "training": (
        *("crop", "batch", "accumulate", "steps", "learning_rate", "encoder_rate", "weight_decay"),
        *("warmup_steps", "clip_norm", "foreground_share", "horizontal_flip", "vertical_flip", "scale"),
        *("jitter", "ema", "patience", "loss", "seed"),
    ),
    "split": ("validation_share", "source", "seed"),
}
# Of the training block, with what each may be:
NUMBERS: dict[str, tuple[Callable[[float], bool], str]] = {
    "learning_rate": (lambda n: 0 < n < math.inf, "a number over 0"),
    "encoder_rate": (lambda n: 0 < n <= 1, "a share over 0, up to 1"),
    "weight_decay": (lambda n: 0 <= n < math.inf, "0 or more"),
    "clip_norm": (lambda n: 0 < n < math.inf, "a number over 0"),
    "foreground_share": (lambda n: 0 <= n <= 1, "0 to 1"),
    "jitter": (lambda n: 0 <= n < 1, "0 or more, under 1"),
    "ema": (lambda n: 0 <= n < 1, "0 or more, under 1"),
}
WHOLE_NUMBERS = {"batch": 1, "accumulate": 1, "steps": 1, "warmup_steps": 0, "patience": 0, "seed": 0}  # lowest
LARGEST = 2**63
IDENTITY = ("task", "classes", "ignore_index", "input", "model")  # what a checkpoint is bound to


def read_spec(path: Path) -> dict[str, Any]:
    """The dictionary in ``path``, with every field that the trainer reads.

    Raises:
        InputError: naming the file and the field.
    """
    try:
        spec = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; it is written by 'shapeprof export'") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    _check_schema(spec, path)
    for block, fields in FIELDS.items():
        place, _, kind = block.partition(":")
        value = spec
        for key in place.split(".") if place else ():
            value = value[key]
        if value is None and place == "model.context":
            continue  # a network without context
        where = f"{path}: {place or 'the document'}"
        if not kind:
            _check_fields(value, fields, where)
        elif _kind_of(value, place, where) == kind:
            _check_fields(value, fields, f"{where} of kind {kind}")
    _check_training(spec["training"], f"{path}: training")
    _check_classes(spec, str(path))
    _check_input(spec["input"], f"{path}: input")
    return dict(spec)


def _check_schema(spec: object, path: Path) -> None:
    """First of all: another version has other fields."""
    version = spec.get("schema_version", SCHEMA_VERSION) if isinstance(spec, dict) else SCHEMA_VERSION
    if version != SCHEMA_VERSION:
        raise InputError(f"{path}: schema_version {version}; this trainer reads {SCHEMA_VERSION}. Export again")


def _kind_of(block: object, place: str, where: str) -> object:
    kinds = [name.partition(":")[2] for name in FIELDS if name.startswith(f"{place}:")]
    if not isinstance(block, dict) or block.get("kind") not in kinds:
        seen = block.get("kind") if isinstance(block, dict) else block
        raise InputError(f"{where} has the kind {seen!r}; expected {' or '.join(kinds)}")
    return block["kind"]


def _check_fields(block: object, fields: tuple[str, ...], where: str) -> None:
    if not isinstance(block, dict):
        raise InputError(f"{where} is not a block of fields; expected {', '.join(fields)}")
    for name in block:
        if name not in fields:
            near = difflib.get_close_matches(str(name), fields, n=1)
            raise InputError(f"{where} has an unknown field {name!r}" + (f"; meant {near[0]!r}?" if near else ""))
    if missing := [name for name in fields if name not in block]:
        raise InputError(f"{where} lacks {', '.join(missing)}")


def _check_training(training: dict[str, Any], where: str) -> None:
    """Numbers are numbers afterwards."""
    for name, (fits, expected) in NUMBERS.items():
        try:
            training[name] = float(training[name])  # YAML 1.1 reads 1e-3 as text
        except (TypeError, ValueError):
            raise InputError(f"{where}.{name} {training[name]!r} is no number") from None
        if not fits(training[name]):
            raise InputError(f"{where}.{name} {training[name]:g}; expected {expected}")
    for name, lowest in WHOLE_NUMBERS.items():
        if not _is_whole(training[name]):
            raise InputError(f"{where}.{name} {training[name]!r} is no whole number")
        if not lowest <= training[name] < LARGEST:
            raise InputError(f"{where}.{name} {training[name]}; expected {lowest} or more")
    scale = training["scale"]
    if not _are_numbers(scale, 2) or not 0 < scale[0] <= scale[1]:
        raise InputError(f"{where}.scale {scale!r}; expected the least and the largest factor, as [0.7, 1.4]")
    crop = training["crop"]
    if not isinstance(crop, list) or len(crop) != 2 or not all(_is_whole(n) and n > 0 for n in crop):
        raise InputError(f"{where}.crop {crop!r}; expected rows and columns, as [256, 256]")


def _check_classes(spec: dict[str, Any], where: str) -> None:
    """Ids are 0, 1, 2, ...; the background is one of them, the ignore index is not."""
    classes, fewest = spec["classes"], 1 if spec["task"] == "multi-label" else 2
    if not isinstance(classes, list) or len(classes) < fewest:
        raise InputError(f"{where}: classes {classes!r}; expected {fewest} or more")
    ids = [each.get("id") if isinstance(each, dict) else each for each in classes]
    if ids != list(range(len(classes))):
        raise InputError(f"{where}: the classes have the ids {ids}; expected 0, 1, 2, ... in order")
    background, ignored = spec["background"], spec["ignore_index"]
    if background is not None and background not in ids:
        raise InputError(f"{where}: background {background!r}; expected null or a class id up to {ids[-1]}")
    if not _is_whole(ignored) or ignored in ids:
        raise InputError(f"{where}: ignore_index {ignored!r}; expected a whole number that is no class id")


def _check_input(block: dict[str, Any], where: str) -> None:
    channels, size = block["channels"], block["train_size"]
    if (channels, block["order"]) not in ((1, "grey"), (3, "RGB")):
        raise InputError(f"{where}: {channels!r} channels in the order {block['order']!r}; expected 1 grey or 3 RGB")
    for name in ("mean", "std"):
        if not _are_numbers(block[name], channels) or (name == "std" and min(block[name]) <= 0):
            more = " over 0" if name == "std" else ""
            raise InputError(f"{where}.{name} {block[name]!r}; expected {channels} numbers{more}, one per channel")
    if size is not None and (not _is_whole(size) or size < 1):
        raise InputError(f"{where}.train_size {size!r}; expected null or the shorter side in px")


def _are_numbers(values: object, count: int) -> bool:
    numbers = isinstance(values, list) and all(isinstance(n, int | float) and math.isfinite(n) for n in values)
    return numbers and len(values) == count  # type: ignore[arg-type]


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def digest(spec: dict[str, Any]) -> str:
    """BLAKE2b (16 bytes, hex) of what defines the network; equals shapeprof's ``ModelSpec.digest``."""
    part = {name: spec[name] for name in IDENTITY}
    return hashlib.blake2b(json.dumps(part, sort_keys=True).encode(), digest_size=16).hexdigest()
