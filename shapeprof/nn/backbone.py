"""Pretrained encoders: built by Hugging Face transformers, dilated to the output stride that the spec asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

Knobs = Mapping[str, Any]  # the encoder block of spec.yaml


def layout(encoder: Knobs) -> tuple[list[int], int]:
    """Strides of the features that ``Backbone`` returns, and the index of the first that is a stage's."""
    raise ValueError("not built yet")


class Backbone(nn.Module):
    """A pretrained encoder; the attributes are those of ``network.Encoder``."""

    widths: tuple[int, ...]
    strides: tuple[int, ...]
    first_stage: int
    multiple: int

    def __init__(self, channels: int, encoder: Knobs, *, pretrained: bool, frozen: bool) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> list[Tensor]:
        raise NotImplementedError
