"""ModelSpec: one versioned, validated document that says all that is needed to build and train a network.

It is written as ``spec.yaml`` and is the only thing that emitters and the trainer read. Two
words are never mixed: *output stride* is the encoder's (as in DeepLab), *logit stride* that of
the finest logits, before they are enlarged to the input's size.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from shapeprof.errors import SpecError

from .encoder_spec import Block, Count, Encoder, EncoderSpec, skip_strides_of

SCHEMA_VERSION = 3

Stride = Literal[1, 2, 4, 8, 16, 32]
Share = Annotated[float, Field(ge=0, le=1)]

LOSS_TERMS = ("ce", "weighted-ce", "focal", "ohem", "dice", "tversky", "cldice")  # of nn/losses.py
LOSS_PATTERN = "^({0})([+]({0}))*$".format("|".join(LOSS_TERMS))

DesignName = Literal["auxiliary-head", "skip", "dilated", "skip+dilated", "default"]
FAMILIAR: dict[DesignName, str] = {  # the name that a colleague knows
    "auxiliary-head": "FCN (coarse residual encoder, auxiliary heads)",
    "skip": "U-Net with a residual encoder",
    "dilated": "DeepLabv3 style (dilated residual encoder)",
    "skip+dilated": "DeepLabv3+ style (dilated encoder, long skips)",
    "default": "FCN with a residual encoder",
}


class ClassSpec(Block):
    """One class. ``raw_values`` are the values of the user's own masks that became this id."""

    id: Annotated[int, Field(ge=0)]
    name: str
    raw_values: tuple[int | str, ...] = ()
    pixel_share: Share = 0.0


class InputSpec(Block):
    """What the network eats: float32 (N, C, H, W), ``(value / 255 - mean) / std`` per channel."""

    channels: Count = 3
    order: Literal["RGB", "grey"] = "RGB"
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.25, 0.25, 0.25)
    train_size: Count | None = None  # shorter side after resizing, px; None: native scale

    @model_validator(mode="after")
    def _one_value_per_channel(self) -> InputSpec:
        if not len(self.mean) == len(self.std) == self.channels:
            raise ValueError(
                f"{self.channels} channels need as many means and stds; got {len(self.mean)} and {len(self.std)}"
            )
        if min(self.std) <= 0:
            raise ValueError(f"std must be positive, got {self.std}")
        return self


class AsppSpec(Block):
    """Atrous spatial pyramid pooling (ASPP) after the encoder: 1x1, one 3x3 per rate, image pooling."""

    kind: Literal["aspp"] = "aspp"
    rates: tuple[Count, ...] = (6, 12, 18)
    channels: Count = 128
    image_pooling: bool = True


class PpmSpec(Block):
    """Pyramid pooling module (PPM) after the encoder: means over ``bins`` x ``bins`` cells, joined by a 3x3."""

    kind: Literal["ppm"] = "ppm"
    bins: tuple[Count, ...] = (1, 2, 3, 6)
    channels: Count = 128


ContextSpec = Annotated[AsppSpec | PpmSpec, Field(discriminator="kind")]


class DecoderSpec(Block):
    """From the encoder's output to the logits: doubles the resolution until ``logit_stride``.

    At every stride in ``skip_strides`` the encoder's features of that stride are joined in
    (long skip connections), reduced by a 1x1 to ``skip_channels`` at most; None: to ``channels``.
    """

    logit_stride: Stride = 4
    skip_strides: tuple[Stride, ...] = ()
    channels: Count = 64
    skip_channels: Count | None = None


class HeadSpec(Block):
    """One extra classifier that exists only in training; its loss counts ``weight`` times."""

    stride: Stride
    weight: Annotated[float, Field(gt=0, le=1)] = 0.4


class NetworkSpec(Block):
    """Every knob of the one network family. ``nn/network.py`` builds exactly this."""

    encoder: Encoder = EncoderSpec()
    context: ContextSpec | None = None
    decoder: DecoderSpec = DecoderSpec()
    auxiliary_heads: tuple[HeadSpec, ...] = ()  # on encoder stages, by stride
    deep_supervision: tuple[HeadSpec, ...] = ()  # on decoder levels, by stride
    norm: Literal["batch", "group"] = "batch"

    @model_validator(mode="after")
    def _buildable(self) -> NetworkSpec:
        encoder, decoder = self.encoder, self.decoder
        if decoder.logit_stride > encoder.output_stride:
            raise ValueError(
                f"logit stride {decoder.logit_stride} is coarser than the encoder's output stride "
                f"{encoder.output_stride}: set them equal"
            )
        available = skip_strides_of(encoder)
        for stride in decoder.skip_strides:
            if stride not in available:
                raise ValueError(f"no encoder features at stride {stride}; skips are possible at {available}")
            if not decoder.logit_stride <= stride < encoder.output_stride:
                raise ValueError(
                    f"a skip at stride {stride} must lie between the logit stride {decoder.logit_stride} "
                    f"and the encoder's output stride {encoder.output_stride}"
                )
        stages = encoder.stage_strides[:-1]
        for head in self.auxiliary_heads:
            if head.stride not in stages:
                raise ValueError(f"no intermediate stage at stride {head.stride} for an auxiliary head: {stages}")
        for head in self.deep_supervision:
            if not decoder.logit_stride < head.stride < encoder.output_stride:
                raise ValueError(
                    f"no decoder level at stride {head.stride} for deep supervision: levels lie strictly "
                    f"between {decoder.logit_stride} and {encoder.output_stride}"
                )
        return self


def design_name(network: NetworkSpec) -> DesignName:
    """The name of a design follows from its knobs alone."""
    skips = bool(network.decoder.skip_strides)
    dilated = max(network.encoder.stage_dilations) > 1
    if skips:
        return "skip+dilated" if dilated else "skip"
    if dilated:
        return "dilated"
    return "auxiliary-head" if network.auxiliary_heads else "default"


class DerivedSpec(Block):
    """What follows from the network and the crop; counted, not chosen. None: all of the image is seen."""

    parameters: Count
    macs: Count  # multiply-accumulates of one crop, forward, evaluation
    receptive_field: Count | None  # theoretical, encoder and context, px
    effective_receptive_field: Annotated[float, Field(gt=0)] | None  # at initialisation, encoder and context, px
    input_multiple: Count  # sizes are padded to a multiple of this, inside the network
    memory_gb: Annotated[float, Field(gt=0)]  # estimated, training, one batch, float32


class TrainingSpec(Block):
    """How to train: AdamW, warm-up then cosine, random crops with foreground oversampling."""

    crop: tuple[Count, Count]  # rows, columns, px at training scale
    batch: Count
    accumulate: Count = 1  # batches whose gradients one step adds up
    steps: Count
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    encoder_rate: Annotated[float, Field(gt=0, le=1)] = 1.0  # share of it for a pretrained encoder
    weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    warmup_steps: Annotated[int, Field(ge=0)] = 200
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    foreground_share: Share = 0.5  # of the crops, centred on a pixel of a class drawn evenly
    horizontal_flip: bool = True
    vertical_flip: bool = True
    scale: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (1.0, 1.0)  # random resizing, range
    jitter: Annotated[float, Field(ge=0, lt=1)] = 0.0  # brightness and contrast change by up to this share
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0  # decay of the averaged weights that are scored and kept; 0: none
    patience: Annotated[int, Field(ge=0)] = 0  # evaluations without a better mean IoU that end training; 0: none do
    loss: Annotated[str, Field(pattern=LOSS_PATTERN)] = "ce+dice"  # terms joined by +, none twice
    seed: int = 0

    @model_validator(mode="after")
    def _each_term_once(self) -> TrainingSpec:
        terms = self.loss.split("+")
        if len(set(terms)) < len(terms):
            raise ValueError(f"loss {self.loss!r} names a term twice")
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale {self.scale}: the first factor must be the smaller one")
        return self


class SplitSpec(Block):
    """How images are divided into training and validation."""

    validation_share: Share = 0.2
    source: Literal["folders", "random", "none"] = "none"  # existing train/val folders, or seeded by path
    seed: int = 0


class Rationale(Block):
    """Why parts of this spec have their values: the decision of one rule."""

    rule: str  # its code, "R1"; "user": what the user chose
    name: str  # what it decides, "logit-stride"
    sets: tuple[str, ...]  # the parts, as "model.decoder.logit_stride"
    value: Any
    reason: str
    statistic: str | None = None
    measured: float | None = None
    interval: tuple[float, float] | None = None
    threshold: float | None = None
    agreement: float | None = None  # share of bootstrap resamples that decide alike
    binding_class: str | None = None
    flips_when: str | None = None


def sets_part(sets: Iterable[str], part: str) -> bool:
    """Whether a decision that ``sets`` these parts sets ``part``: it is one of them, or lies in one."""
    return any(f"{part}.".startswith(f"{each}.") for each in sets)


class Provenance(Block):
    """What this spec was made from."""

    tool: str = "shapeprof"
    version: str = ""
    profile_fingerprint: str = ""
    images: int = 0  # masks behind the profile
    objects: int = 0


class ModelSpec(Block):
    """The whole document."""

    schema_version: Literal[3] = 3
    design: DesignName
    task: Literal["multi-class", "multi-label"] = "multi-class"  # multi-label: a pixel may belong to several classes
    classes: tuple[ClassSpec, ...]
    background: int | None
    ignore_index: int = 255
    input: InputSpec
    model: NetworkSpec
    derived: DerivedSpec
    training: TrainingSpec
    split: SplitSpec = SplitSpec()
    rationale: tuple[Rationale, ...] = ()
    provenance: Provenance = Provenance()

    @model_validator(mode="after")
    def _consistent(self) -> ModelSpec:
        fewest = 2 if self.task == "multi-class" else 1
        if [c.id for c in self.classes] != list(range(len(self.classes))) or len(self.classes) < fewest:
            raise ValueError(f"classes need ids 0, 1, 2, ... in order, and at least {fewest} of them")
        if self.task == "multi-label" and self.background is not None:
            raise ValueError("multi-label has no background: a pixel there belongs to no class")
        if self.design != design_name(self.model) and self.design != "default":
            raise ValueError(f"design is {self.design!r}, but the knobs make {design_name(self.model)!r}")
        return self

    def rationale_of(self, part: str) -> Rationale | None:
        """Why a part, such as "model.decoder.logit_stride", has its value: the last decision that set it."""
        return next((r for r in reversed(self.rationale) if sets_part(r.sets, part)), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, dicts, numbers and strings, ready for YAML or JSON."""
        data: dict[str, Any] = self.model_dump(mode="json")
        return data

    def digest(self) -> str:
        """BLAKE2b (16 bytes, hex) of everything that defines the network: what a checkpoint is bound to."""
        part = self.model_dump(mode="json", include={"task", "classes", "ignore_index", "input", "model"})
        return hashlib.blake2b(json.dumps(part, sort_keys=True).encode(), digest_size=16).hexdigest()


def parse_spec(data: object, origin: str) -> ModelSpec:
    """Validate ``data`` (as read from YAML).

    Raises:
        SpecError: with ``origin`` and every field that is wrong.
    """
    version = data.get("schema_version", SCHEMA_VERSION) if isinstance(data, dict) else SCHEMA_VERSION
    if version != SCHEMA_VERSION:
        raise SpecError(f"{origin}: schema_version {version}; this shapeprof reads {SCHEMA_VERSION}. Export again")
    try:
        return ModelSpec.model_validate(data)
    except ValidationError as error:
        lines = [f"{'.'.join(str(p) for p in e['loc']) or 'spec'}: {e['msg']}" for e in error.errors()]
        raise SpecError(f"{origin} is not a valid spec: " + "; ".join(lines)) from None
