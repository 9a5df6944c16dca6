"""Scores of a segmentation, all from one confusion matrix over all pixels of the set."""

from __future__ import annotations

import torch
from torch import Tensor


class ConfusionMatrix:
    """Counts of pixels by (true class, predicted class).

    IoU of class c is ``TP / (TP + FP + FN)``, range [0, 1]; NaN where c is neither in the truth
    nor predicted. Reference: Everingham et al. 2010, The Pascal VOC challenge.
    """

    def __init__(self, classes: int, ignore_index: int) -> None:
        self.classes, self.ignore_index = classes, ignore_index
        self.counts = torch.zeros(classes, classes, dtype=torch.int64)  # rows: truth; columns: prediction

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add ``prediction`` and ``target``: integer class ids of equal shape, on any device."""
        counted = target != self.ignore_index
        pairs = target[counted].long() * self.classes + prediction[counted].long()
        counts = torch.bincount(pairs.flatten().cpu(), minlength=self.classes**2)
        self.counts += counts.reshape(self.classes, self.classes)

    def iou(self) -> Tensor:
        """IoU per class, (classes,) float64."""
        return _iou(self.counts)

    def miou(self) -> float:
        """Mean IoU over the classes that occur; NaN if nothing was counted."""
        return float(self.iou().nanmean())

    def foreground_miou(self, background: int | None) -> float:
        """Mean IoU over the classes that occur, without ``background``; NaN if none occurs."""
        return float(self.iou()[[c for c in range(self.classes) if c != background]].nanmean())

    def majority_iou(self) -> Tensor:
        """IoU per class of always predicting the most frequent class: the score to beat."""
        truth = self.counts.sum(1)
        always = torch.zeros_like(self.counts)
        always[:, truth.argmax()] = truth
        return _iou(always)


def _iou(counts: Tensor) -> Tensor:
    right = counts.diag().double()
    return right / (counts.sum(0) + counts.sum(1) - counts.diag())  # 0 / 0 is NaN: the class is absent
