"""Losses with answers known by hand."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from shapeprof.nn.losses import SegmentationLoss, cross_entropy, loss_of, soft_dice_loss  # noqa: E402
from shapeprof.nn.network import TrainingOutput  # noqa: E402

from .designs import NETWORKS, model_spec  # noqa: E402

IGNORE = 255


def certain(target: torch.Tensor, classes: int) -> torch.Tensor:
    """Logits that predict ``target`` with certainty."""
    one_hot = torch.nn.functional.one_hot(target.clamp(max=classes - 1), classes)
    return 50.0 * one_hot.movedim(-1, 1).float()


def test_cross_entropy_of_equal_logits_is_the_log_of_the_classes() -> None:
    target = torch.randint(0, 4, (2, 5, 7))
    assert float(cross_entropy(torch.zeros(2, 4, 5, 7), target, IGNORE)) == pytest.approx(math.log(4))


def test_a_perfect_prediction_costs_nothing() -> None:
    target = torch.randint(0, 3, (2, 8, 8))
    loss = SegmentationLoss("ce+dice", IGNORE)
    assert float(loss(TrainingOutput(certain(target, 3), ()), target)) == pytest.approx(0, abs=1e-6)


def test_dice_by_hand() -> None:
    """p = 1/2 everywhere, class 1 on a quarter: class 0 scores 2*6/(8+12), class 1 2*2/(8+4)."""
    target = torch.zeros(1, 4, 4, dtype=torch.int64)
    target[:, :2, :2] = 1
    expected = 1 - (12 / 20 + 4 / 12) / 2
    assert float(soft_dice_loss(torch.zeros(1, 2, 4, 4), target, IGNORE)) == pytest.approx(expected)


def test_dice_leaves_out_classes_that_are_absent() -> None:
    target = torch.zeros(1, 4, 4, dtype=torch.int64)
    assert float(soft_dice_loss(certain(target, 5), target, IGNORE)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("kind", ["ce", "ce+dice"])
def test_ignored_pixels_count_nowhere(kind: str) -> None:
    loss = SegmentationLoss(kind, IGNORE)
    target = torch.randint(0, 3, (2, 6, 6))
    target[:, :3] = IGNORE
    logits = torch.randn(2, 3, 6, 6, requires_grad=True)
    value = loss(TrainingOutput(logits, ()), target)
    value.backward()
    assert logits.grad is not None
    assert not logits.grad[:, :, :3].any()
    assert logits.grad[:, :, 3:].any()
    alone = loss(TrainingOutput(logits.detach()[:, :, 3:], ()), target[:, 3:])
    assert float(value.detach()) == pytest.approx(float(alone))


@pytest.mark.parametrize("kind", ["ce", "ce+dice"])
def test_a_batch_of_ignored_pixels_costs_nothing_and_is_no_nan(kind: str) -> None:
    logits = torch.randn(1, 2, 4, 4, requires_grad=True)
    value = SegmentationLoss(kind, IGNORE)(TrainingOutput(logits, ()), torch.full((1, 4, 4), IGNORE))
    value.backward()
    assert float(value.detach()) == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_training_heads_count_by_their_weight() -> None:
    main, one, two = (torch.randn(1, 2, 4, 4) for _ in range(3))
    target = torch.randint(0, 2, (1, 4, 4))
    loss = SegmentationLoss("ce+dice", IGNORE, (0.4, 0.2))
    whole = float(loss(TrainingOutput(main, (one, two)), target))
    parts = [float(loss.one(logits, target)) for logits in (main, one, two)]
    assert whole == pytest.approx(parts[0] + 0.4 * parts[1] + 0.2 * parts[2])


def test_weights_come_from_the_spec_in_the_order_of_the_heads() -> None:
    name = "skips, dilated to 16, context, both kinds of heads, group norm"
    assert loss_of(model_spec(NETWORKS[name]).to_dict()).head_weights == (0.4, 0.4)
    assert loss_of(model_spec(NETWORKS["auxiliary heads"]).to_dict()).head_weights == (0.4, 0.2)


def test_an_unknown_loss_is_refused() -> None:
    with pytest.raises(ValueError, match="'focal' is unknown"):
        SegmentationLoss("focal", IGNORE)
