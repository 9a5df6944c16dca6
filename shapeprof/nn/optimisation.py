"""One training step: forward, loss, backward, clip, AdamW, averaged weights, and the learning rate of the next."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from . import distributed
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


def default_precision(device: torch.device) -> torch.dtype:
    """Of the forward pass: bfloat16 on GPUs that have it (from Ampere on), float16 on others, float32 on a CPU."""
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.get_device_capability(device)[0] >= 8 else torch.float16


class Optimisation:
    """Trains ``network`` in place for ``steps`` steps; one of several processes under torchrun.

    Weight decay spares norms and biases: pulling a norm's scale to 0 is no regularisation. A pretrained encoder
    learns at its share of the learning rate.

    Args:
        accumulate: batches whose gradients one step adds up.
        precision: of the forward pass (autocast); None: ``default_precision``.
        compiled: compile the network (``torch.compile``); its state dictionary keeps its names.

    Attributes:
        averaged: the exponential moving average (EMA) of weights and buffers; None where the spec asks for none.
    """

    def __init__(
        self,
        network: SegmentationNetwork,
        spec: Mapping[str, Any],
        *,
        steps: int,
        learning_rate: float,
        accumulate: int = 1,
        precision: torch.dtype | None = None,
        compiled: bool = False,
    ) -> None:
        training = spec["training"]
        self.device = next(network.parameters()).device
        self.network, self.loss = network.train(), loss_of(spec).to(self.device)
        self.accumulate, self.clip = accumulate, training["clip_norm"]
        self.ignore_index = spec["ignore_index"]
        pretrained = spec["model"]["encoder"]["kind"] == "backbone"
        groups = _parameter_groups(network, training, learning_rate, pretrained=pretrained)
        self.optimiser = torch.optim.AdamW(groups, lr=learning_rate)
        warmup = min(training["warmup_steps"], int(WARMUP_SHARE * steps))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, lambda step: rate_factor(step, steps, warmup))
        self.precision = precision or default_precision(self.device)
        half = self.precision == torch.float16  # only float16 underflows without scaling
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=half)
        self.decay = training["ema"]
        self.averaged = copy.deepcopy(network).eval().requires_grad_(False) if self.decay else None
        self.parallel: DistributedDataParallel | None = None
        if distributed.size() > 1:
            devices = [self.device] if self.device.type == "cuda" else None
            self.parallel = DistributedDataParallel(network, devices)
        self.forward: Callable[[Tensor], Any] = self.parallel or network
        if compiled:
            self.forward = torch.compile(self.forward)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return float(self.schedule.get_last_lr()[0])

    @property
    def scored(self) -> SegmentationNetwork:
        """The network to evaluate and to keep: with averaged weights where there are any."""
        return self.averaged or self.network

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """One step on images (N, C, H, W) float32 and their labels, (N, H, W) int64 or (N, classes, H, W).

        They are ``accumulate`` batches, one behind the other: the gradient is the mean of theirs. Returns the loss, a
        scalar: the mean over the batches, of all processes.
        """
        self.optimiser.zero_grad(set_to_none=True)
        batches = list(zip(images.chunk(self.accumulate), labels.chunk(self.accumulate), strict=True))
        losses = []
        for number, (some, theirs) in enumerate(batches, start=1):
            last = number == len(batches)
            # Processes add up their gradients once a step.
            with nullcontext() if last or self.parallel is None else self.parallel.no_sync():
                losses.append(self._backward(some, theirs, share=1 / len(batches)))
        self.scaler.unscale_(self.optimiser)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        if self.averaged is not None:
            done = self.schedule.last_epoch  # steps before this one
            average(self.averaged, self.network, min(self.decay, (1 + done) / (10 + done)))
        self.schedule.step()
        return distributed.total(torch.stack(losses).sum()) / distributed.size()

    def _backward(self, images: Tensor, labels: Tensor, *, share: float) -> Tensor:
        """Add ``share`` of this batch's gradient; returns as much of its loss."""
        images = images.to(self.device, non_blocking=True)
        labels = labels.to(self.device, non_blocking=True)
        mixed = self.precision != torch.float32
        with torch.autocast(self.device.type, dtype=self.precision if mixed else None, enabled=mixed):
            output = self.forward(images)
        loss = self.loss(output, labels) * share  # in float32
        if self.parallel is not None:
            # DDP takes the mean over processes. Weighted by its counted pixels, that of a mean over pixels is the mean
            # over the pixels of all. Terms on regions see one process's crops, and are weighted alike.
            counted = (labels != self.ignore_index).sum().float()
            everywhere = distributed.total(counted.clone()).clamp(min=1)
            loss = loss * (counted * distributed.size() / everywhere)
        self.scaler.scale(loss).backward()
        result: Tensor = loss.detach()
        return result

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on; the tensors are those in use, not copies."""
        return {name: part.state_dict() for name, part in self._parts().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state``, which ``state_dict`` of another run gave."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    def _parts(self) -> dict[str, Any]:
        parts = {"network": self.network, "averaged": self.averaged}
        rest = {"optimiser": self.optimiser, "schedule": self.schedule, "scaler": self.scaler}
        return {name: part for name, part in (parts | rest).items() if part is not None}


def _parameter_groups(
    network: SegmentationNetwork, training: Mapping[str, Any], learning_rate: float, *, pretrained: bool
) -> list[dict[str, Any]]:
    """Parameters with and without weight decay, those of a pretrained encoder behind the others."""
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
    """Move weights and buffers of ``averaged`` to ``decay`` of themselves and the rest of ``network``'s; counts
    become those of ``network``."""
    pairs = zip(averaged.state_dict().values(), network.state_dict().values(), strict=True)
    for mine, theirs in pairs:
        if mine.is_floating_point():
            mine.lerp_(theirs, 1 - decay)
        else:
            mine.copy_(theirs)
