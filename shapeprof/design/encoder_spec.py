"""The encoder's part of the spec: a residual encoder trained from scratch, or a published one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Count = Annotated[int, Field(ge=1)]

# Families of pretrained encoders (model_type of transformers) and the fields of its config that are needed here.
BACKBONE_FAMILIES = {
    "resnet": ("depths", "hidden_sizes", "embedding_size", "layer_type"),
    "convnext": ("depths", "hidden_sizes"),
    "swin": ("depths", "embed_dim", "num_heads", "window_size"),
    "dinov2": ("hidden_size", "num_hidden_layers", "num_attention_heads", "patch_size"),
}
# What must have its default where it is named: the strides, or the counts on paper, rest on it.
BACKBONE_DEFAULTS: dict[str, dict[str, Any]] = {
    "resnet": {"downsample_in_first_stage": False, "hidden_act": "relu"},
    "convnext": {"patch_size": 4},
    "swin": {"patch_size": 4, "use_absolute_embeddings": False},
    "dinov2": {"use_swiglu_ffn": False},
}


class Block(BaseModel):
    """A block of spec.yaml: immutable, and without unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EncoderSpec(Block):
    """A residual encoder of basic blocks, trained from scratch: a stem, then one stage per entry of ``blocks``.

    The first stage runs at stride 4 (at the stem's stride if that is larger than 4 would allow),
    each later one halves the resolution until ``output_stride``; from there on stages keep the
    stride and double their dilation instead. ``multi_grid`` multiplies the dilation of the last
    stage's blocks, one factor each (Chen et al. 2017, DeepLabv3); empty: 1 for all.
    """

    kind: Literal["residual"] = "residual"
    blocks: tuple[Count, ...] = (2, 2, 2, 2)
    widths: tuple[Count, ...] = (64, 128, 256, 512)
    stem_stride: Literal[1, 2, 4] = 4
    output_stride: Literal[4, 8, 16, 32] = 32
    multi_grid: tuple[Count, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> EncoderSpec:
        if len(self.blocks) != len(self.widths):
            raise ValueError(f"blocks {self.blocks} and widths {self.widths} must have the same length")
        if self.output_stride > self.deepest_stride:
            raise ValueError(
                f"output stride {self.output_stride} needs more stages than {len(self.blocks)}: "
                f"these reach stride {self.deepest_stride}"
            )
        if self.multi_grid and len(self.multi_grid) != self.blocks[-1]:
            raise ValueError(
                f"multi-grid {self.multi_grid} needs one factor for each of the last stage's {self.blocks[-1]} blocks"
            )
        return self

    @property
    def features(self) -> tuple[tuple[int, int], ...]:
        """``(stride, channels)`` of every feature map, shallow to deep: the stem's, then the stages'."""
        first = self.widths[0]
        stem = ((2, max(1, first // 2)), (4, first)) if self.stem_stride == 4 else ((self.stem_stride, first),)
        return (*stem, *zip(self.stage_strides, self.widths, strict=True))

    @property
    def deepest_stride(self) -> int:
        """The stride that the last stage would have without dilation."""
        return int(self.stem_stride * 2 ** (len(self.blocks) - (1 if self.stem_stride == 4 else 0)))

    @property
    def stage_strides(self) -> tuple[int, ...]:
        """Stride of every stage's output, with ``output_stride`` respected."""
        first = 4 if self.stem_stride == 4 else self.stem_stride * 2
        return tuple(min(first * 2**i, self.output_stride) for i in range(len(self.blocks)))

    @property
    def stage_dilations(self) -> tuple[int, ...]:
        """Dilation of every stage: 1 until the output stride is reached, then 2, 4, ..."""
        first = 4 if self.stem_stride == 4 else self.stem_stride * 2
        return tuple(max(1, first * 2**i // self.output_stride) for i in range(len(self.blocks)))


class BackboneSpec(Block):
    """A published encoder, built by Hugging Face ``transformers``, with its pretrained weights or without.

    ResNet and ConvNeXt reach smaller output strides by dilation. Swin has output stride 32. DINOv2 cuts the image
    into patches of one size: the image is enlarged or shrunk so that a patch covers ``output_stride`` px, and there
    are no finer features.
    """

    kind: Literal["backbone"] = "backbone"
    name: str  # where its weights are published: "microsoft/resnet-50"
    pretrained: bool = True  # False: random weights, and nothing is fetched
    config: dict[str, Any]  # of transformers: model_type, and what differs from its defaults
    output_stride: Literal[4, 8, 16, 32] = 32
    multi_grid: tuple[Count, ...] = ()  # of ResNets: as in a residual encoder

    @model_validator(mode="after")
    def _consistent(self) -> BackboneSpec:
        family = self.config.get("model_type")
        needed = BACKBONE_FAMILIES.get(str(family))
        if needed is None:
            raise ValueError(f"config.model_type is {family!r}; known: {', '.join(BACKBONE_FAMILIES)}")
        if missing := [name for name in needed if name not in self.config]:
            raise ValueError(f"config of a {family} lacks {', '.join(missing)}")
        for name, value in BACKBONE_DEFAULTS[self.family].items():
            if self.config.get(name, value) != value:
                raise ValueError(f"config.{name} of a {family} is {self.config[name]!r}; it must be {value!r}")
        deepest = 32 if family == "dinov2" else 4 * 2 ** (len(self.config["depths"]) - 1)
        if self.output_stride > deepest or (family == "swin" and self.output_stride != deepest):
            less = "" if family == "swin" else " or less"
            raise ValueError(f"output stride {self.output_stride}: this {family} has {deepest}{less}")
        for name in ("hidden_sizes", "num_heads"):
            if name in needed and len(self.config[name]) != len(self.config["depths"]):
                raise ValueError(f"config.{name} {self.config[name]} must be as long as depths {self.config['depths']}")
        if self.multi_grid and (family != "resnet" or len(self.multi_grid) != self.config["depths"][-1]):
            raise ValueError(f"multi-grid {self.multi_grid} needs a ResNet and one factor per block of its last stage")
        return self

    @property
    def family(self) -> str:
        """The kind of network: a ``model_type`` of transformers."""
        return str(self.config["model_type"])

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of every stage."""
        match self.family:
            case "swin":
                return tuple(self.config["embed_dim"] * 2**i for i in range(len(self.config["depths"])))
            case "dinov2":
                return (self.config["hidden_size"],)
            case _:
                return tuple(self.config["hidden_sizes"])

    @property
    def stage_strides(self) -> tuple[int, ...]:
        """Stride of every stage's output, with ``output_stride`` respected."""
        if self.family == "dinov2":
            return (self.output_stride,)
        return tuple(min(4 * 2**i, self.output_stride) for i in range(len(self.widths)))

    @property
    def stage_dilations(self) -> tuple[int, ...]:
        """Dilation of every stage: 1 until the output stride is reached, then 2, 4, ..."""
        if self.family == "dinov2":
            return (1,)
        return tuple(max(1, 4 * 2**i // self.output_stride) for i in range(len(self.widths)))

    @property
    def features(self) -> tuple[tuple[int, int], ...]:
        """``(stride, channels)`` of every feature map, shallow to deep; a ResNet's stem has stride 2."""
        stem = ((2, self.config["embedding_size"]),) if self.family == "resnet" else ()
        return (*stem, *zip(self.stage_strides, self.widths, strict=True))


Encoder = Annotated[EncoderSpec | BackboneSpec, Field(discriminator="kind")]


def skip_strides_of(encoder: EncoderSpec | BackboneSpec) -> tuple[int, ...]:
    """Strides at which ``encoder`` has features finer than its output: the stem's and the stages'."""
    strides = sorted({stride for stride, _ in encoder.features})
    return tuple(s for s in strides if s < encoder.output_stride)
