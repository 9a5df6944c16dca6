"""Rules: from statistics to the knobs of a network. One function per rule; its docstring is its page.

A rule sees the evidence and the knobs set so far, and returns a ``Finding``. The register
(``RULES``, in the order in which they run) drives the recommendation, ``shapeprof explain`` and
the documentation. No rule sees a mask.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from shapeprof.design.cost import effective_receptive_field
from shapeprof.design.spec import EncoderSpec, NetworkSpec, skip_strides_of
from shapeprof.profile.class_view import ClassView

from .evidence import Evidence
from .thresholds import Thresholds


@dataclass(frozen=True)
class Knobs:
    """What the rules set. ``network()`` turns them into the network's spec."""

    logit_stride: int = 4
    output_stride: int = 32
    skip_strides: tuple[int, ...] = (4, 8, 16)
    context_rates: tuple[int, ...] = ()
    auxiliary_heads: tuple[int, ...] = ()  # strides of encoder stages
    deep_supervision: tuple[int, ...] = ()  # strides of decoder levels
    head_weight: float = 0.4
    multi_grid: tuple[int, ...] = ()
    skip_channels: int | None = None
    widths: tuple[int, ...] = (32, 64, 128, 256)
    norm: str = "batch"

    @property
    def stem_stride(self) -> int:
        """Logits at full resolution need features at full resolution: a stride-1 stem; else stride 4."""
        return 1 if self.logit_stride == 1 else 4

    def network(self) -> NetworkSpec:
        """The spec of the network with these knobs."""
        return NetworkSpec.model_validate(
            {
                "encoder": {
                    "kind": "residual",
                    "blocks": (2,) * len(self.widths),
                    "widths": self.widths,
                    "stem_stride": self.stem_stride,
                    "output_stride": self.output_stride,
                    "multi_grid": self.multi_grid,
                },
                "context": {"kind": "aspp", "rates": self.context_rates, "channels": self.widths[-2]}
                if self.context_rates
                else None,
                "decoder": {
                    "logit_stride": self.logit_stride,
                    "skip_strides": self.skip_strides,
                    "channels": self.widths[1],
                    "skip_channels": self.skip_channels,
                },
                "auxiliary_heads": [{"stride": s, "weight": self.head_weight} for s in self.auxiliary_heads],
                "deep_supervision": [{"stride": s, "weight": self.head_weight} for s in self.deep_supervision],
                "norm": self.norm,
            }
        )


@cache
def encoder_of(stem_stride: int, output_stride: int) -> EncoderSpec:
    """The encoder that all designs share, at one output stride."""
    return EncoderSpec.model_validate({"stem_stride": stem_stride, "output_stride": output_stride})


@cache
def effective_field(stem_stride: int, output_stride: int) -> float:
    """Effective receptive field of that encoder at initialisation, px (see ``cost.effective_field``)."""
    return effective_receptive_field(encoder_of(stem_stride, output_stride))


def wants_context(evidence: Evidence, field: float, t: Thresholds) -> ClassView | None:
    """The class whose objects outgrow half of ``field`` px (L90, the largest first); thin classes never do.

    Thin: half of the area no wider than 4 px. Vessels are long, but recognised from a few widths
    around: context gave them 0.0 to 0.2 Dice.
    """

    def outgrows(view: ClassView) -> bool:
        extent, width = view.length("feret", 0.9), view.length("width_pixels", 0.5)
        return extent > t.field_share * field and not width <= t.thin_width

    wanting = [v for v in evidence.classes if outgrows(v)]
    return max(wanting, key=lambda v: (v.length("feret", 0.9), -v.id), default=None)


def possible_skips(knobs: Knobs) -> tuple[int, ...]:
    """Strides of the encoder's features from the logit stride up to, not including, the output stride."""
    encoder = encoder_of(knobs.stem_stride, knobs.output_stride)
    return tuple(s for s in skip_strides_of(encoder) if s >= knobs.logit_stride)


@dataclass(frozen=True)
class Finding:
    """What one rule makes of the evidence."""

    sets: dict[str, Any]  # knob -> value
    value: Any  # the decision in short, comparable between resamples
    reason: str  # one or two plain sentences with the numbers
    statistic: str = ""  # name of the number that decided
    read: Callable[[Evidence], float] | None = None  # the same number, for any resample
    threshold: float = math.nan
    binding_class: str | None = None
    flips_when: str = ""
    abstains: bool = False


Check = Callable[[Evidence, Knobs, Thresholds], Finding]


@dataclass(frozen=True)
class Rule:
    """A registered rule."""

    code: str  # "R1"
    name: str  # what it decides: "logit-stride"
    check: Check = field(repr=False)

    @property
    def page(self) -> str:
        """The rule's documentation: its docstring."""
        from inspect import cleandoc

        return cleandoc(self.check.__doc__ or "")


_REGISTERED: dict[str, Rule] = {}


def rule(code: str, name: str) -> Callable[[Check], Check]:
    """Register a rule under its code."""

    def register(check: Check) -> Check:
        if code in _REGISTERED:
            raise ValueError(f"rule {code} is already {_REGISTERED[code].check.__module__}")
        _REGISTERED[code] = Rule(code, name, check)
        return check

    return register


def rules() -> tuple[Rule, ...]:
    """All rules that set a knob, in the order in which they run."""
    from . import context, resolution, supervision  # noqa: F401  (importing registers)

    return tuple(_REGISTERED[code] for code in ("R0", "R1", "R7", "R3", "R6", "R4"))
