"""Scores against counts made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

torch = pytest.importorskip("torch")

from shapeprof.nn.metrics import (  # noqa: E402
    BOUNDARY_SHARE,
    ConfusionMatrix,
    MultiLabelConfusionMatrix,
    ShapeScores,
    confusion_matrix_of,
    skeleton,
)

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


def test_dice_by_hand() -> None:
    dice = matrix().dice().tolist()
    assert dice[:2] == pytest.approx([6 / 8, 4 / 6])
    assert math.isnan(dice[2])


def scores(predicted: np.ndarray, truth: np.ndarray, classes: int = 3) -> ShapeScores:
    made = ShapeScores(classes, 255, background=0)
    made.update(torch.from_numpy(predicted.astype(np.int64)), torch.from_numpy(truth.astype(np.int64)))
    return made


def square(side: int, start: int, size: int = 100, value: int = 1) -> np.ndarray:
    mask = np.zeros((size, size), np.int64)
    mask[start : start + side, start : start + side] = value
    return mask


def test_a_perfect_prediction_scores_one_and_absent_classes_nothing() -> None:
    truth = square(30, 10)
    truth[5] = 255
    made = scores(np.where(truth == 255, 0, truth), truth)
    for score in (made.boundary_iou(), made.object_f1(), made.centre_line_dice()):
        assert score[1] == 1 and math.isnan(score[2])
    assert math.isnan(made.object_f1()[0])  # the background has no objects


def test_boundary_iou_by_hand() -> None:
    """Side 100: the boundary is 3 px wide. A square of 40 in the middle of one of 50: rings that do not meet."""
    assert round(BOUNDARY_SHARE * math.hypot(100, 100)) == 3
    assert scores(square(40, 30), square(50, 25)).boundary_iou()[1] == 0
    ring = 50**2 - 44**2  # of the truth
    own = 48**2 - 42**2  # 1 px further in: 2 px of the ring are shared
    shared = 48**2 - 44**2
    found = scores(square(48, 26), square(50, 25)).boundary_iou()[1]
    assert found == pytest.approx(shared / (ring + own - shared))


def test_boundaries_agree_with_a_distance_transform() -> None:
    """Boundary pixels are those within 3 px (chessboard) of the outside, the image's edge included."""
    rng = np.random.default_rng(3)
    truth, predicted = ((ndimage.gaussian_filter(rng.random((100, 100)), 4) > 0.5).astype(int) for _ in range(2))

    def boundary(mask: np.ndarray) -> np.ndarray:
        return (mask == 1) & (ndimage.distance_transform_cdt(np.pad(mask, 1), "chessboard")[1:-1, 1:-1] <= 3)

    a, b = boundary(predicted), boundary(truth)
    expected = (a & b).sum() / (a | b).sum()
    assert scores(predicted, truth).boundary_iou()[1] == pytest.approx(expected)


def test_the_edge_of_ignored_pixels_is_no_boundary() -> None:
    truth = square(60, 20)
    truth[:, 50:] = 255
    predicted = square(60, 20)
    predicted[:, 50:] = 0  # what is predicted where pixels are ignored does not count
    assert scores(predicted, truth).boundary_iou()[1] == 1
    predicted[:, 47:50] = 0  # now the prediction has an edge there, 3 px inside, of 54 px between the outlines
    ring = 60 * 30 - 54 * 27  # of the truth, open at the ignored side
    own = 60 * 27 - 54 * 21
    shared = 60 * 27 - 54 * 24
    assert scores(predicted, truth).boundary_iou()[1] == pytest.approx(shared / (ring + own - shared))


def test_objects_by_hand() -> None:
    """Three true objects: one found, one found by half and a pixel less, one missed; one more is invented."""
    truth, predicted = np.zeros((40, 40)), np.zeros((40, 40))
    truth[2:12, 2:12] = predicted[2:12, 3:12] = 1  # IoU 0.9
    truth[20:30, 2:12] = 1
    predicted[20:30, 2:7] = 1  # IoU 0.5: not over it
    truth[20:30, 20:30] = 1
    predicted[2:12, 30:38] = 1
    assert scores(predicted, truth).object_f1()[1] == pytest.approx(2 * 1 / (3 + 3))


def test_two_objects_taken_as_one_match_at_most_one() -> None:
    truth = np.zeros((20, 40))
    truth[5:15, 2:18] = truth[5:15, 20:24] = 1
    predicted = truth.copy()
    predicted[5:15, 18:20] = 1  # IoU with the larger one: 160 / 220
    assert scores(predicted, truth).object_f1()[1] == pytest.approx(2 / 3)


def test_centre_lines_by_hand() -> None:
    truth = np.zeros((20, 60))
    truth[10, :] = 1
    half = truth.copy()
    half[:, 30:] = 0
    assert scores(half, truth).centre_line_dice()[1] == pytest.approx(2 * 1 * 0.5 / 1.5)
    assert scores(np.zeros_like(truth), truth).centre_line_dice()[1] == 0
    assert scores(truth, np.zeros_like(truth)).centre_line_dice()[1] == 0
    wide = truth.copy()
    wide[9:12] = 1
    assert scores(wide, truth).centre_line_dice()[1] > 0.97


def test_the_skeleton_is_that_of_the_soft_loss() -> None:
    from shapeprof.nn.losses import soft_skeleton

    rng = np.random.default_rng(0)
    mask = ndimage.gaussian_filter(rng.random((60, 70)), 3) > 0.5
    expected = soft_skeleton(torch.from_numpy(mask)[None, None].float(), thinnings=40)[0, 0].numpy() > 0
    assert (skeleton(mask) == expected).all()
    assert not skeleton(np.ones((9, 9), bool)).any()


def test_images_add_up() -> None:
    one, two, both = (ShapeScores(3, 255, 0) for _ in range(3))
    for made, masks in ((one, (square(40, 30), square(50, 25))), (two, (square(30, 10), square(30, 11)))):
        for target in (made, both):
            target.update(*(torch.from_numpy(mask) for mask in masks))
    assert (both.boundary == one.boundary + two.boundary).all()
    assert (both.objects == one.objects + two.objects).all() and (both.lines == one.lines + two.lines).all()


# Multi-label: (classes, H, W) of 0 and 1 --------------------------------------------------------

LABELS = torch.tensor([[[1, 1, 0, 255]], [[1, 0, 0, 255]], [[0, 0, 0, 255]]], dtype=torch.uint8)
GUESS = torch.tensor([[[1, 0, 1, 1]], [[1, 0, 0, 1]], [[0, 0, 0, 1]]], dtype=torch.bool)


def multi_label_matrix() -> MultiLabelConfusionMatrix:
    made = MultiLabelConfusionMatrix(3, 255)
    made.update(GUESS, LABELS)
    return made


def test_multi_label_counts_by_hand() -> None:
    """Per class, [[neither, only predicted], [missed, right]]; the last pixel is ignored."""
    made = multi_label_matrix()
    assert made.counts.tolist() == [[[0, 1], [1, 1]], [[2, 0], [0, 1]], [[3, 0], [0, 0]]]
    assert made.right().tolist() == [1, 1, 0]
    assert made.truth().tolist() == [2, 1, 0]
    assert made.predicted().tolist() == [2, 1, 0]
    assert made.iou().tolist()[:2] == pytest.approx([1 / 3, 1]) and math.isnan(made.iou()[2])
    assert made.dice().tolist()[:2] == pytest.approx([2 / 4, 1]) and math.isnan(made.dice()[2])
    assert made.miou() == made.foreground_miou(None) == pytest.approx((1 / 3 + 1) / 2)


def test_multi_label_majority_is_each_class_everywhere_or_nowhere() -> None:
    """Class 0 is on 2 px of 3, class 1 on one."""
    majority = multi_label_matrix().majority_iou().tolist()
    assert majority[:2] == pytest.approx([2 / 3, 0]) and math.isnan(majority[2])


def test_multi_label_agrees_with_a_binary_matrix_per_class() -> None:
    generator = torch.Generator().manual_seed(0)
    target, guess = (torch.rand(4, 20, 30, generator=generator) < 0.4 for _ in range(2))
    labels = target.to(torch.uint8)
    labels[:, :3] = 255
    made = MultiLabelConfusionMatrix(4, 255)
    for rows in (slice(0, 7), slice(7, 20)):  # updates add up
        made.update(guess[:, rows], labels[:, rows])
    for c in range(4):
        alone = ConfusionMatrix(2, 255)
        alone.update(guess[c].long(), labels[c].long())
        assert torch.equal(made.counts[c], alone.counts)
        assert float(made.iou()[c]) == float(alone.iou()[1])
        assert float(made.dice()[c]) == float(alone.dice()[1])


def test_the_task_of_the_spec_decides() -> None:
    spec = {"task": "multi-label", "classes": [{}] * 3, "ignore_index": 255}
    assert confusion_matrix_of(spec).counts.shape == (3, 2, 2)
    multi_class = confusion_matrix_of(spec | {"task": "multi-class"})
    assert multi_class.counts.shape == (3, 3) and type(multi_class) is ConfusionMatrix


def test_shape_scores_of_classes_that_overlap_are_those_of_each_alone() -> None:
    truths, guesses = ([square(40, at), square(50, 25)] for at in (25, 28))
    both = ShapeScores(2, 255, background=None)
    target, guess = (torch.from_numpy(np.stack(masks)) for masks in (truths, guesses))
    target = target.to(torch.uint8)
    target[:, :10] = 255
    before = guess.clone()
    both.update(guess.bool(), target)
    assert torch.equal(guess, before)
    for c in range(2):
        truth = np.where(np.arange(100)[:, None] < 10, 255, truths[c])
        alone = scores(guesses[c], truth)
        for name in ("boundary_iou", "object_f1", "centre_line_dice"):
            assert getattr(both, name)()[c] == getattr(alone, name)()[1]
    assert both.boundary_iou()[1] == 1 and both.boundary_iou()[0] < 1
