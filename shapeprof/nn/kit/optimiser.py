"""What the optimiser is made of: learning rate by step, precision, groups of parameters, averaged weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ..network import SegmentationNetwork

WARMUP_SHARE = 0.2  # of the steps, at most, for warm-up, even in a short run (chosen)
FINAL_RATE = 0.01  # the cosine ends at this share of the learning rate (chosen)


def rate_factor(step: int, steps: int, warmup: int) -> float:
    """Share of the learning rate at ``step`` (0-based): linear up over ``warmup`` steps, then a cosine."""
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return FINAL_RATE + (1 - FINAL_RATE) * (1 + math.cos(math.pi * min(done, 1.0))) / 2


def default_precision(device: torch.device) -> torch.dtype:
    """Of the forward pass: bfloat16 on GPUs that have it (from Ampere on), float16 on others, float32 on a CPU."""
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.get_device_capability(device)[0] >= 8 else torch.float16


def parameter_groups(
    network: SegmentationNetwork, training: Mapping[str, Any], learning_rate: float, *, pretrained: bool
) -> list[dict[str, Any]]:
    """Parameter groups for AdamW: with and without weight decay, a pretrained encoder's last, at its own rate."""
    encoder = {id(p) for p in network.encoder.parameters()} if pretrained else set()
    groups = []
    for inside, rate in ((False, learning_rate), (True, learning_rate * training["encoder_rate"])):
        part = [p for p in network.parameters() if (id(p) in encoder) == inside]
        for decays, decay in ((True, training["weight_decay"]), (False, 0.0)):
            some = [p for p in part if (p.ndim > 1) == decays]
            groups.append({"params": some, "lr": rate, "weight_decay": decay})
    return [group for group in groups if group["params"]]


@torch.no_grad()
def average(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    """Update the moving average in place: ``decay * averaged + (1 - decay) * network``; counts are copied."""
    pairs = zip(averaged.state_dict().values(), network.state_dict().values(), strict=True)
    for mine, theirs in pairs:
        if mine.is_floating_point():
            mine.lerp_(theirs, 1 - decay)
        else:
            mine.copy_(theirs)
