"""Losses: cross-entropy, soft Dice, and their sum over the main and the training-only logits.

Every function takes ``logits`` (N, classes, H, W) float and ``target`` (N, H, W) int64 with class
ids and ``ignore_index``, and returns a scalar in float32. Pixels to ignore count nowhere; a batch
without any other pixel gives 0, not NaN.

Coarse logits arrive here enlarged to the target's size (``network.py`` does it, bilinearly).
The other way, shrinking the target to the logits' stride, deletes what is thinner than the
stride: a 2 px crack has no pixel left in nearest-neighbour targets of stride 8, and the head
would be taught that it isn't there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from .network import TrainingOutput


def cross_entropy(logits: Tensor, target: Tensor, ignore_index: int) -> Tensor:
    """Mean over the counted pixels of ``-log softmax(logits)[target]``; range [0, inf)."""
    total = F.cross_entropy(logits.float(), target, ignore_index=ignore_index, reduction="sum")
    return total / (target != ignore_index).sum().clamp(min=1)


def soft_dice_loss(logits: Tensor, target: Tensor, ignore_index: int) -> Tensor:
    """One minus the soft Dice coefficient, averaged over the classes present in ``target``.

    Per class ``2 sum(p g) / (sum(p) + sum(g))`` over all counted pixels of the batch, with p the
    softmax and g the indicator of the class; range [0, 1]. A class that is absent would score 0
    whatever is predicted, so it is left out. Reference: Milletari et al. 2016, V-Net.
    """
    classes = logits.shape[1]
    counted = target != ignore_index  # (N, H, W)
    known = target.masked_fill(~counted, 0)
    probabilities = logits.float().softmax(dim=1) * counted.unsqueeze(1)  # (N, classes, H, W)
    right = probabilities.gather(1, known.unsqueeze(1)).flatten()  # p of the true class; no one-hot needed
    zeros = probabilities.new_zeros(classes)
    overlap = zeros.index_add(0, known.flatten(), right)  # (classes,)
    truth = zeros.index_add(0, known.flatten(), counted.flatten().float())
    dice = 2 * overlap / (probabilities.sum((0, 2, 3)) + truth).clamp(min=1)
    present = truth > 0
    return ((1 - dice) * present).sum() / present.sum().clamp(min=1)


class SegmentationLoss(nn.Module):
    """``kind`` of the main logits, plus that of each training-only head times its weight."""

    def __init__(self, kind: str, ignore_index: int, head_weights: tuple[float, ...] = ()) -> None:
        super().__init__()
        if kind not in ("ce", "ce+dice"):
            raise ValueError(f"training.loss {kind!r} is unknown; known: 'ce', 'ce+dice'")
        self.dice, self.ignore_index, self.head_weights = kind == "ce+dice", ignore_index, head_weights

    def one(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss of one set of logits (N, classes, H, W)."""
        loss = cross_entropy(logits, target, self.ignore_index)
        if self.dice:
            loss = loss + soft_dice_loss(logits, target, self.ignore_index)
        return loss

    def forward(self, output: TrainingOutput, target: Tensor) -> Tensor:
        loss = self.one(output.logits, target)
        for weight, logits in zip(self.head_weights, output.auxiliary, strict=True):
            loss = loss + weight * self.one(logits, target)
        return loss


def loss_of(spec: Mapping[str, Any]) -> SegmentationLoss:
    """The loss that ``spec`` (the dictionary in spec.yaml) describes."""
    heads = (*spec["model"]["auxiliary_heads"], *spec["model"]["deep_supervision"])
    return SegmentationLoss(
        spec["training"]["loss"], spec["ignore_index"], tuple(head["weight"] for head in heads)
    )
