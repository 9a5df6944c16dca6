"""Scores against counts made by hand."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from shapeprof.nn.metrics import ConfusionMatrix  # noqa: E402

TRUTH = torch.tensor([[0, 0, 0, 1], [0, 1, 1, 255]])
PREDICTED = torch.tensor([[0, 0, 1, 1], [0, 1, 0, 1]])


def matrix(classes: int = 3) -> ConfusionMatrix:
    made = ConfusionMatrix(classes, ignore_index=255)
    made.update(PREDICTED, TRUTH)
    return made


def test_counts() -> None:
    assert matrix().counts.tolist() == [[3, 1, 0], [1, 2, 0], [0, 0, 0]]


def test_iou_by_hand() -> None:
    iou = matrix().iou().tolist()
    assert iou[:2] == pytest.approx([3 / 5, 2 / 4])
    assert math.isnan(iou[2])  # neither in the truth nor predicted


def test_means_leave_out_absent_classes() -> None:
    assert matrix().miou() == pytest.approx((3 / 5 + 2 / 4) / 2)
    assert matrix().foreground_miou(background=0) == pytest.approx(2 / 4)
    assert matrix().foreground_miou(background=None) == pytest.approx(matrix().miou())


def test_a_class_that_is_only_predicted_scores_zero() -> None:
    made = ConfusionMatrix(3, 255)
    made.update(torch.tensor([0, 2]), torch.tensor([0, 0]))
    assert made.iou()[2] == 0


def test_updates_add_up() -> None:
    parts = ConfusionMatrix(3, 255)
    for row in range(2):
        parts.update(PREDICTED[row], TRUTH[row])
    assert torch.equal(parts.counts, matrix().counts)


def test_majority_is_the_score_of_always_guessing_the_most_frequent_class() -> None:
    iou = matrix().majority_iou().tolist()
    assert iou[:2] == pytest.approx([4 / 7, 0])
    assert math.isnan(iou[2])


def test_nothing_counted_is_nan() -> None:
    made = ConfusionMatrix(2, 255)
    made.update(torch.zeros(4, dtype=torch.int64), torch.full((4,), 255))
    assert math.isnan(made.miou())
