"""The one family of networks that rules choose from, named by a few numbers, and its default design."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from .cost import effective_receptive_field
from .draft import Draft
from .encoder_spec import EncoderSpec, skip_strides_of
from .spec import NetworkSpec, TrainingSpec


@dataclass(frozen=True)
class Knobs:
    """A network of the family; ``network()`` gives its spec. The rest of the spec follows from these numbers."""

    logit_stride: int = 4
    output_stride: int = 32
    skip_strides: tuple[int, ...] = (4, 8, 16)
    context_rates: tuple[int, ...] = ()  # of ASPP; empty: no ASPP
    auxiliary_heads: tuple[int, ...] = ()  # strides of encoder stages
    deep_supervision: tuple[int, ...] = ()  # strides of decoder levels
    head_weight: float = 0.4
    multi_grid: tuple[int, ...] = ()
    skip_channels: int | None = None
    widths: tuple[int, ...] = (32, 64, 128, 256)
    norm: str = "batch"

    def network(self) -> NetworkSpec:
        """The spec of this network."""
        context = {"kind": "aspp", "rates": self.context_rates, "channels": context_channels(self.widths)}
        return NetworkSpec.model_validate(
            {
                "encoder": {
                    "kind": "residual",
                    "blocks": (2,) * len(self.widths),
                    "widths": self.widths,
                    "stem_stride": stem_stride(self.logit_stride),
                    "output_stride": self.output_stride,
                    "multi_grid": self.multi_grid,
                },
                "context": context if self.context_rates else None,
                "decoder": {
                    "logit_stride": self.logit_stride,
                    "skip_strides": self.skip_strides,
                    "channels": decoder_channels(self.widths),
                    "skip_channels": self.skip_channels,
                },
                "auxiliary_heads": [{"stride": s, "weight": self.head_weight} for s in self.auxiliary_heads],
                "deep_supervision": [{"stride": s, "weight": self.head_weight} for s in self.deep_supervision],
                "norm": self.norm,
            }
        )


def stem_stride(logit_stride: int) -> int:
    """Logits at full resolution need features at full resolution: a stem of stride 1. Else stride 4."""
    return 1 if logit_stride == 1 else 4


def context_channels(widths: tuple[int, ...]) -> int:
    """Channels of ASPP: those of the last but one stage."""
    return widths[-2]


def decoder_channels(widths: tuple[int, ...]) -> int:
    """Channels of the decoder: those of the second stage."""
    return widths[1]


@cache
def encoder_of(stem: int, output_stride: int) -> EncoderSpec:
    """The family's encoder with this stem and output stride."""
    return EncoderSpec.model_validate({"stem_stride": stem, "output_stride": output_stride})


@cache
def effective_field(stem: int, output_stride: int) -> float:
    """Effective receptive field of that encoder at initialisation, px (see ``cost.effective_field``)."""
    return effective_receptive_field(encoder_of(stem, output_stride))


@cache
def possible_skips(logit_stride: int, output_stride: int) -> tuple[int, ...]:
    """Strides of the encoder's features from the logit stride up to, not including, the output stride."""
    encoder = encoder_of(stem_stride(logit_stride), output_stride)
    return tuple(s for s in skip_strides_of(encoder) if s >= logit_stride)


# What a set gets about which nothing is known: a U-Net with deep supervision, and the training that the training
# rules give where no number of the masks asks for anything else. Rules fill a copy of it; a decision counts as a
# change where it differs from this.
DEFAULT = Draft(
    model=Knobs(deep_supervision=(8,)).network(),
    training=TrainingSpec(
        crop=(128, 128), batch=16, steps=1500, warmup_steps=75, scale=(0.7, 1.4), jitter=0.25, loss="ce"
    ),
)
