"""Scores of a segmentation over all pixels of a set, and over its boundaries, objects and centre lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
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

    def right(self) -> Tensor:
        """Pixels of each class that are predicted as such (TP), (classes,) int64."""
        return self.counts.diag()

    def truth(self) -> Tensor:
        """Pixels of each class (TP + FN), (classes,) int64."""
        return self.counts.sum(1)

    def predicted(self) -> Tensor:
        """Pixels predicted as each class (TP + FP), (classes,) int64."""
        return self.counts.sum(0)

    def iou(self) -> Tensor:
        """IoU per class, (classes,) float64."""
        return _iou(self.right(), self.truth(), self.predicted())

    def dice(self) -> Tensor:
        """Dice coefficient (F1 of pixels) per class, (classes,) float64; NaN where the class is absent."""
        return 2 * self.right().double() / (self.truth() + self.predicted())

    def miou(self) -> float:
        """Mean IoU over the classes that occur; NaN if nothing was counted."""
        return float(self.iou().nanmean())

    def foreground_miou(self, background: int | None) -> float:
        """Mean IoU over the classes that occur, without ``background``; NaN if none occurs."""
        return float(self.iou()[[c for c in range(self.classes) if c != background]].nanmean())

    def majority_iou(self) -> Tensor:
        """IoU per class of always predicting the most frequent class: the score to beat."""
        truth = self.truth()
        always = torch.zeros_like(truth)
        always[truth.argmax()] = truth.sum()
        return _iou(torch.minimum(truth, always), truth, always)


class MultiLabelConfusionMatrix(ConfusionMatrix):
    """The same scores where a pixel may be of several classes: a 2 x 2 matrix per class, of being of it or not."""

    def __init__(self, classes: int, ignore_index: int) -> None:
        super().__init__(classes, ignore_index)
        self.counts = torch.zeros(classes, 2, 2, dtype=torch.int64)  # class, truth, prediction

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add ``prediction`` and ``target``: (classes, ...) of equal shape, 1 where a pixel is of the class, else 0."""
        for counts, guess, truth in zip(self.counts, prediction, target, strict=True):
            counted = truth != self.ignore_index
            cells = 2 * truth[counted].long() + guess[counted]
            counts += torch.bincount(cells.cpu(), minlength=4).reshape(2, 2)

    def right(self) -> Tensor:
        return self.counts[:, 1, 1]

    def truth(self) -> Tensor:
        return self.counts[:, 1].sum(1)

    def predicted(self) -> Tensor:
        return self.counts[:, :, 1].sum(1)

    def majority_iou(self) -> Tensor:
        """IoU per class of always predicting what most pixels are, of the class or not: the score to beat."""
        truth, pixels = self.truth(), self.counts.sum((1, 2))
        always = torch.where(2 * truth > pixels, pixels, 0)
        return _iou(torch.minimum(truth, always), truth, always)


def confusion_matrix_of(spec: Mapping[str, Any]) -> ConfusionMatrix:
    """An empty confusion matrix of the kind that the task of ``spec`` (the dictionary in spec.yaml) asks for."""
    kind = MultiLabelConfusionMatrix if spec["task"] == "multi-label" else ConfusionMatrix
    return kind(len(spec["classes"]), spec["ignore_index"])


def _iou(right: Tensor, truth: Tensor, predicted: Tensor) -> Tensor:
    return right.double() / (truth + predicted - right)  # 0 / 0 is NaN: the class is absent


BOUNDARY_SHARE = 0.02  # of the image's diagonal: how far from a boundary pixels count (Cheng et al.)
MATCH = 0.5  # IoU over which a predicted object is a true one: no object then has two partners


class ShapeScores:
    """Scores that look at boundaries, objects and centre lines, by class, over all images of a set.

    Pixels to ignore count nowhere, and their edges are no boundaries. A score is NaN where a class has neither
    boundary, object nor centre line in truth and prediction.
    """

    def __init__(self, classes: int, ignore_index: int, background: int | None) -> None:
        self.classes, self.ignore_index, self.background = classes, ignore_index, background
        self.boundary = np.zeros((classes, 2), np.int64)  # pixels in both boundaries, in either
        self.objects = np.zeros((classes, 3), np.int64)  # matched, in the prediction, in the truth
        # Of the predicted line: px in the truth, px; of the true one: px predicted, px.
        self.lines = np.zeros((classes, 4))

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add one image: ``prediction`` and ``target`` (H, W) of class ids, or (classes, H, W) of 0 and 1."""
        predicted, truth = prediction.cpu().numpy(), target.cpu().numpy()
        for c in range(self.classes):
            if truth.ndim == 2:
                mine, theirs, ignored = predicted == c, truth == c, truth == self.ignore_index
            else:
                mine, theirs, ignored = predicted[c] == 1, truth[c] == 1, truth[c] == self.ignore_index
            if not (theirs.any() or (mine & ~ignored).any()):
                continue
            self.boundary[c] += _boundary_overlap(mine, theirs, ignored)
            if c != self.background:
                mine &= ~ignored
                self.objects[c] += _object_matches(mine, theirs)
                self.lines[c] += _line_overlap(mine, theirs)

    def boundary_iou(self) -> NDArray[np.float64]:
        """Boundary IoU, (classes,), range [0, 1]: that of the pixels within 2 % of the diagonal of their mask's edge.

        Reference: Cheng et al. 2021, Boundary IoU; with the distance of their code, over the pixels of all images.
        """
        return _ratio(self.boundary[:, 0], self.boundary[:, 1])

    def object_f1(self) -> NDArray[np.float64]:
        """F1 of connected components (8 neighbours) matched at an IoU over 0.5, (classes,), range [0, 1].

        Not of the background.
        """
        return _ratio(2 * self.objects[:, 0], self.objects[:, 1] + self.objects[:, 2])

    def centre_line_dice(self) -> NDArray[np.float64]:
        """clDice, (classes,), range [0, 1], no background: whether lines are found and connect, whatever their width.

        The harmonic mean of the shares of the predicted centre line in the truth and of the true one in the prediction.
        Centre lines are morphological skeletons (Lantuéjoul). Reference: Shit et al. 2021.
        """
        found, predicted, covered, true = self.lines.T
        # 2 P S / (P + S) of P = found / predicted and S = covered / true; 0 where one mask has no line
        score = _ratio(2 * found * covered, found * true + covered * predicted)
        return np.where(np.isnan(score) & (predicted + true > 0), 0.0, score)


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        result: NDArray[np.float64] = np.true_divide(part, whole)
    return result


def _boundary_overlap(
    mine: NDArray[np.bool_], theirs: NDArray[np.bool_], ignored: NDArray[np.bool_]
) -> tuple[int, int]:
    """(pixels in both boundaries, in either), where they count. The image's edge is a boundary."""
    distance = max(1, round(BOUNDARY_SHARE * float(np.hypot(*mine.shape))))

    def boundary(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        whole = np.pad((mask | ignored).astype(np.uint8), 1)
        inner = cv2.erode(whole, np.ones((3, 3), np.uint8), iterations=distance)[1:-1, 1:-1]
        edge: NDArray[np.bool_] = mask & (inner == 0) & ~ignored
        return edge

    a, b = boundary(mine), boundary(theirs)
    return int((a & b).sum()), int((a | b).sum())


def _object_matches(mine: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> tuple[int, int, int]:
    """(matched objects, those of the prediction, those of the truth)."""
    found, labels = cv2.connectedComponents(mine.astype(np.uint8), connectivity=8)
    true, true_labels = cv2.connectedComponents(theirs.astype(np.uint8), connectivity=8)
    size, true_size = np.bincount(labels.ravel()), np.bincount(true_labels.ravel())
    both = mine & theirs
    pairs, overlap = np.unique(labels[both].astype(np.int64) * true + true_labels[both], return_counts=True)
    either = size[pairs // true] + true_size[pairs % true] - overlap
    return int((overlap > MATCH * either).sum()), found - 1, true - 1


def _line_overlap(mine: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    line, true_line = skeleton(mine), skeleton(theirs)
    return int((line & theirs).sum()), int(line.sum()), int((true_line & mine).sum()), int(true_line.sum())


def skeleton(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The morphological skeleton of a mask (H, W): what opening removes while it is eroded away.

    Erosion by a cross, dilation by a square; beyond the image's edge the mask goes on. Reference: Lantuéjoul 1980.
    """
    cross, square = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)), np.ones((3, 3), np.uint8)
    rest, found = mask.astype(np.uint8), np.zeros(mask.shape, np.uint8)
    while rest.any():
        thin = cv2.erode(rest, cross)  # OpenCV's border goes on for ever
        if thin.all():
            break  # the mask is the whole image: it has no centre line
        found |= rest & (np.asarray(cv2.dilate(thin, square)) == 0)
        rest = np.asarray(thin, np.uint8)
    return found.astype(bool)
