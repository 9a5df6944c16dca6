"""One training step: forward, loss, backward, clip, AdamW, and the learning rate of the next."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .losses import loss_of
from .network import SegmentationNetwork

WARMUP_SHARE = 0.2  # warm-up takes at most this share of the steps, however few are asked for (chosen)
FINAL_RATE = 0.01  # the cosine ends at this share of the learning rate (chosen)


def rate_factor(step: int, steps: int, warmup: int) -> float:
    """Share of the learning rate at ``step`` (0-based): linear up over ``warmup`` steps, then a cosine."""
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return FINAL_RATE + (1 - FINAL_RATE) * (1 + math.cos(math.pi * min(done, 1.0))) / 2


class Optimisation:
    """Trains ``network`` in place for ``steps`` steps, with mixed precision on CUDA.

    Weight decay spares norms and biases: pulling a norm's scale to 0 is no regularisation.
    """

    def __init__(
        self, network: SegmentationNetwork, spec: Mapping[str, Any], *, steps: int, learning_rate: float
    ) -> None:
        training = spec["training"]
        self.device = next(network.parameters()).device
        self.network, self.loss, self.clip = network.train(), loss_of(spec), training["clip_norm"]
        self.loss.to(self.device)
        weights = [p for p in network.parameters() if p.ndim > 1]
        others = [p for p in network.parameters() if p.ndim <= 1]
        groups = [
            {"params": weights, "weight_decay": training["weight_decay"]},
            {"params": others, "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW(groups, lr=learning_rate)
        warmup = min(training["warmup_steps"], int(WARMUP_SHARE * steps))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimiser, lambda step: rate_factor(step, steps, warmup)
        )
        self.mixed = self.device.type == "cuda"
        self.precision = torch.bfloat16 if self.mixed and torch.cuda.is_bf16_supported() else torch.float16
        half = self.mixed and self.precision == torch.float16  # only float16 underflows without scaling
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=half)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return float(self.schedule.get_last_lr()[0])

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """One step on images (N, C, H, W) float32 and labels (N, H, W) int64; returns the loss, a scalar."""
        images = images.to(self.device, non_blocking=True)
        labels = labels.to(self.device, non_blocking=True)
        with torch.autocast(self.device.type, dtype=self.precision, enabled=self.mixed):
            output = self.network(images)
        loss = self.loss(output, labels)  # in float32
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimiser)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.schedule.step()
        result: Tensor = loss.detach()
        return result
