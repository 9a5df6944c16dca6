"""Losses with answers known by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

torch = pytest.importorskip("torch")

from shapeprof.design import spec as spec_module  # noqa: E402
from shapeprof.design.spec import TrainingSpec  # noqa: E402
from shapeprof.nn.losses import (  # noqa: E402
    TERMS,
    SegmentationLoss,
    class_weights,
    cross_entropy,
    focal,
    hard_pixels,
    loss_of,
    negative_log_likelihood,
    soft_centre_line_dice,
    soft_dice_loss,
    soft_skeleton,
    terms_of,
    tversky,
)
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


@pytest.mark.parametrize("kind", [*TERMS, "ce+dice"])
def test_ignored_pixels_count_nowhere(kind: str) -> None:
    loss = SegmentationLoss(kind, IGNORE, pixel_shares=(0.5, 0.2, 0.3))
    target = torch.randint(0, 3, (2, 6, 6))
    target[:, :3] = IGNORE
    logits = torch.randn(2, 3, 6, 6, requires_grad=True)
    value = loss(TrainingOutput(logits, ()), target)
    value.backward()
    assert logits.grad is not None
    assert not logits.grad[:, :, :3].any()
    assert logits.grad[:, :, 3:].any()
    if kind == "cldice":
        return  # a centre line depends on its surroundings
    alone = loss(TrainingOutput(logits.detach()[:, :, 3:], ()), target[:, 3:])
    assert float(value.detach()) == pytest.approx(float(alone))


@pytest.mark.parametrize("kind", [*TERMS, "ce+dice"])
def test_a_batch_of_ignored_pixels_costs_nothing_and_is_no_nan(kind: str) -> None:
    logits = torch.randn(1, 2, 4, 4, requires_grad=True)
    loss = SegmentationLoss(kind, IGNORE, pixel_shares=(0.5, 0.5))
    value = loss(TrainingOutput(logits, ()), torch.full((1, 4, 4), IGNORE))
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


def logits_of(probabilities: torch.Tensor) -> torch.Tensor:
    """Two-class logits (1, 2, H, W) whose softmax gives class 1 these probabilities (H, W)."""
    return torch.stack([1 - probabilities, probabilities]).log()[None]


P = torch.tensor([[0.9, 0.6, 0.2, 0.5]])
T = torch.tensor([[[1, 1, 0, 0]]])


def test_weighted_cross_entropy_is_that_of_torch() -> None:
    target, logits = torch.randint(0, 3, (2, 5, 5)), torch.randn(2, 3, 5, 5)
    target[0, 0] = IGNORE
    weights = torch.tensor([0.5, 2.0, 1.0])
    expected = torch.nn.functional.cross_entropy(logits, target, weights, ignore_index=IGNORE)
    assert float(cross_entropy(logits, target, IGNORE, weights)) == pytest.approx(float(expected))


def test_class_weights_balance_by_the_median() -> None:
    assert class_weights([0.9, 0.09, 0.01]) == pytest.approx([0.1, 1, 9])
    assert class_weights([0.9, 0.0999, 0.0001, 0]) == pytest.approx([0.111, 1, 10, 1])
    assert class_weights([0, 0]) == [1, 1]


def test_focal_by_hand() -> None:
    p = [0.9, 0.6, 0.8, 0.5]  # of the true class
    expected = sum(-((1 - q) ** 2) * math.log(q) for q in p) / 4
    assert float(focal(logits_of(P), T, IGNORE)) == pytest.approx(expected)


def test_hard_pixels_by_hand() -> None:
    hard = [0.6, 0.5]  # under 0.7
    assert float(hard_pixels(logits_of(P), T, IGNORE)) == pytest.approx(-sum(map(math.log, hard)) / 2)
    easy = torch.linspace(0.8, 0.95, 32)[None]  # none is hard: the two least certain ones count
    expected = -(math.log(0.8) + math.log(float(easy[0, 1]))) / 2
    found = hard_pixels(logits_of(easy), torch.ones(1, 1, 32, dtype=torch.int64), IGNORE)
    assert float(found) == pytest.approx(expected)


def test_tversky_by_hand() -> None:
    def index(overlap: float, predicted: float, truth: float) -> float:
        return overlap / (overlap + 0.3 * (predicted - overlap) + 0.7 * (truth - overlap))

    expected = 1 - (index(1.5, 2.2, 2) + index(1.3, 1.8, 2)) / 2
    assert float(tversky(logits_of(P), T, IGNORE)) == pytest.approx(expected)
    half = float(tversky(logits_of(P), T, IGNORE, 0.5, 0.5))
    assert half == pytest.approx(float(soft_dice_loss(logits_of(P), T, IGNORE)))


def opened(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(eroded by a cross, that dilated by a square); outside of the image nothing is eroded."""
    thin = ndimage.binary_erosion(mask, ndimage.generate_binary_structure(2, 1), border_value=1)
    return thin, ndimage.binary_dilation(thin, np.ones((3, 3)))


def test_the_skeleton_of_a_mask_is_what_openings_remove() -> None:
    rng = np.random.default_rng(0)
    mask = ndimage.gaussian_filter(rng.random((60, 70)), 3) > 0.5
    expected, rest = np.zeros_like(mask), mask
    for _ in range(11):
        thin, back = opened(rest)
        expected |= rest & ~back
        rest = thin
    found = soft_skeleton(torch.from_numpy(mask)[None, None].float())[0, 0]
    assert (found.numpy() == expected).all()


def test_centre_lines_by_hand() -> None:
    """A line of 1 px, of which the prediction has the left half: all of it is true, half is found."""
    target = torch.zeros(1, 9, 20, dtype=torch.int64)
    target[:, 4] = 1
    half = target.clone()
    half[:, :, 10:] = 0
    whole = float(soft_centre_line_dice(certain(target, 2), target, IGNORE, 0))
    assert whole == pytest.approx(0, abs=1e-6)
    found = float(soft_centre_line_dice(certain(half, 2), target, IGNORE, 0))
    assert found == pytest.approx(1 - 2 * 1 * 0.5 / 1.5, abs=1e-6)


def test_width_is_no_matter_to_centre_lines() -> None:
    target = torch.zeros(1, 15, 40, dtype=torch.int64)
    target[:, 7] = 1
    wide = target.clone()
    wide[:, 6:9] = 1
    assert float(soft_centre_line_dice(certain(wide, 2), target, IGNORE, 0)) < 0.06
    assert float(soft_dice_loss(certain(wide, 2), target, IGNORE)) > 0.25


def test_terms_are_those_of_the_spec() -> None:
    assert spec_module.LOSS_TERMS == TERMS
    assert terms_of("ohem+cldice") == ("ohem", "cldice")
    training = model_spec(NETWORKS["plain"]).training
    for kind in ("ce+tversky", "+".join(TERMS)):
        assert TrainingSpec.model_validate({**training.model_dump(), "loss": kind}).loss == kind


@pytest.mark.parametrize("kind", ["lovasz", "ce+lovasz", "", "ce+", "ce+ce"])
def test_an_unknown_loss_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match=r"is unknown; known: ce, weighted-ce|names a term twice"):
        SegmentationLoss(kind, IGNORE)
    with pytest.raises(ValueError, match="loss"):
        TrainingSpec(crop=(64, 64), batch=2, steps=2, loss=kind)
    with pytest.raises(ValueError, match="pixel share"):
        SegmentationLoss("weighted-ce", IGNORE)
    with pytest.raises(ValueError, match=r"training\.loss 5 is no text; known: ce, weighted-ce"):
        terms_of(5)  # type: ignore[arg-type]


# Multi-label: targets (N, classes, H, W) of 0 and 1 ---------------------------------------------


def multi_label_batch(classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and a target with classes that overlap, one row of it ignored."""
    generator = torch.Generator().manual_seed(classes)
    logits = 2 * torch.randn(2, classes, 12, 9, generator=generator)
    target = (torch.rand(2, classes, 12, 9, generator=generator) < 0.4).to(torch.uint8)
    target[:, :, 0] = IGNORE
    return logits, target


def counted_arrays(logits: torch.Tensor, target: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """(p, truth) of the counted pixels, (classes, pixels) float64."""
    p = 1 / (1 + np.exp(-logits.double().numpy()))
    counted = target.numpy()[:, 0] != IGNORE
    return tuple(np.stack([a[:, c][counted] for c in range(a.shape[1])]) for a in (p, target.numpy() * 1.0))


def test_multi_label_cross_entropy_is_that_of_torch() -> None:
    logits, target = multi_label_batch()
    rest, truth = logits[:, :, 1:], target[:, :, 1:].float()
    expected = torch.nn.functional.binary_cross_entropy_with_logits(rest, truth)
    assert float(cross_entropy(logits, target, IGNORE)) == pytest.approx(float(expected))
    heavier = torch.tensor([2.0, 5.0, 1.0])  # times that of being without the class, 1
    each = torch.nn.functional.binary_cross_entropy_with_logits(
        rest, truth, pos_weight=heavier[:, None, None], reduction="sum"
    )
    mass = torch.where(truth == 1, heavier[:, None, None], 1).sum()
    weights = torch.stack([torch.ones(3), heavier])
    assert float(cross_entropy(logits, target, IGNORE, weights)) == pytest.approx(float(each / mass))


def test_multi_label_terms_by_numpy() -> None:
    logits, target = multi_label_batch()
    p, truth = counted_arrays(logits, target)
    right = np.where(truth == 1, p, 1 - p)
    assert float(focal(logits, target, IGNORE)) == pytest.approx(-((1 - right) ** 2 * np.log(right)).mean())
    assert float(hard_pixels(logits, target, IGNORE)) == pytest.approx(-np.log(right[right < 0.7]).mean())
    overlap, false, missed = ((a * b).sum(axis=1) for a, b in ((p, truth), (p, 1 - truth), (1 - p, truth)))
    index = overlap / (overlap + 0.3 * false + 0.7 * missed)
    assert float(tversky(logits, target, IGNORE)) == pytest.approx(1 - index.mean())
    dice = 2 * overlap / (p.sum(axis=1) + truth.sum(axis=1))
    assert float(soft_dice_loss(logits, target, IGNORE)) == pytest.approx(1 - dice.mean())


def test_multi_label_dice_by_hand() -> None:
    """p = 1/2 everywhere; class 0 on all 16 px, class 1 on 4 of them, class 2 nowhere."""
    target = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    target[:, 0] = target[:, 1, :2, :2] = 1
    expected = 1 - (16 / 24 + 4 / 12) / 2  # 2 * 8 / (8 + 16), 2 * 2 / (8 + 4)
    assert float(soft_dice_loss(torch.zeros(1, 3, 4, 4), target, IGNORE)) == pytest.approx(expected)


def test_multi_label_centre_lines_by_hand() -> None:
    """Two lines that cross, of 1 px: one is found whole, of the other the left half."""
    target = torch.zeros(1, 2, 21, 40, dtype=torch.uint8)
    target[:, 0, :, 20] = target[:, 1, 10] = 1
    predicted = target.clone()
    predicted[:, 1, :, 20:] = 0
    logits = 100.0 * predicted - 50
    expected = (0 + 1 - 2 * 1 * 0.5 / 1.5) / 2
    found = soft_centre_line_dice(logits, target, IGNORE, None)
    assert float(found) == pytest.approx(expected, abs=1e-6)
    two = [
        float(soft_centre_line_dice(certain(predicted[:, c].long(), 2), target[:, c].long(), IGNORE, 0))
        for c in range(2)
    ]
    assert float(found) == pytest.approx(sum(two) / 2, abs=1e-6)


@pytest.mark.parametrize("kind", TERMS)
def test_one_class_with_logits_z_is_two_classes_with_logits_0_and_z(kind: str) -> None:
    logits, target = multi_label_batch(classes=1)
    two, ids = torch.cat([torch.zeros_like(logits), logits], dim=1), target[:, 0].long()
    each = negative_log_likelihood(logits, target, IGNORE)[:, 0]
    torch.testing.assert_close(each, negative_log_likelihood(two, ids, IGNORE))
    one = SegmentationLoss(kind, IGNORE, background=None, pixel_shares=(0.3,), multi_label=True)
    pair = SegmentationLoss(kind, IGNORE, background=0, pixel_shares=(0.7, 0.3))
    found, expected = float(one.one(logits, target)), float(pair.one(two, ids))
    if kind in ("dice", "tversky"):  # there the mean over both classes
        swapped = (1 - target).masked_fill(target == IGNORE, IGNORE)
        found = (found + float(one.one(-logits, swapped))) / 2
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", TERMS)
def test_multi_label_classes_count_alike_and_by_themselves(kind: str) -> None:
    """A term is the mean over its classes; ohem and weighted-ce look at all decisions together, in any order."""
    logits, target = multi_label_batch()
    loss = SegmentationLoss(kind, IGNORE, background=None, pixel_shares=(0.4, 0.4, 0.4), multi_label=True)
    if kind in ("ohem", "weighted-ce"):
        again = loss.one(logits.flip(1), target.flip(1))
        assert float(loss.one(logits, target)) == pytest.approx(float(again))
        return
    each = [float(loss.one(logits[:, c : c + 1], target[:, c : c + 1])) for c in range(3)]
    assert float(loss.one(logits, target)) == pytest.approx(sum(each) / 3, rel=1e-5)


@pytest.mark.parametrize("kind", [*TERMS, "ce+dice"])
def test_multi_label_ignored_pixels_count_nowhere(kind: str) -> None:
    loss = SegmentationLoss(kind, IGNORE, background=None, pixel_shares=(0.5, 0.2, 0.3), multi_label=True)
    logits, target = multi_label_batch()
    logits.requires_grad_()
    value = loss(TrainingOutput(logits, ()), target)
    value.backward()
    assert logits.grad is not None and torch.isfinite(logits.grad).all()
    assert not logits.grad[:, :, 0].any() and logits.grad[:, :, 1:].any()
    if kind != "cldice":  # a centre line depends on its surroundings
        alone = loss(TrainingOutput(logits.detach()[:, :, 1:], ()), target[:, :, 1:])
        assert float(value.detach()) == pytest.approx(float(alone), rel=1e-5)

    logits.grad = None
    nothing = loss(TrainingOutput(logits, ()), torch.full_like(target, IGNORE))
    nothing.backward()
    assert float(nothing.detach()) == 0
    assert not logits.grad.any() and torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("kind", TERMS)
def test_logits_without_doubt_keep_multi_label_losses_finite(kind: str) -> None:
    _, target = multi_label_batch()
    loss = SegmentationLoss(kind, IGNORE, background=None, pixel_shares=(0.5, 0.2, 0.0), multi_label=True)
    for sign in (1, -1):
        logits = (sign * 1e4 * (target.float() - 0.5)).requires_grad_()
        value = loss.one(logits, target)
        value.backward()
        assert torch.isfinite(value) and torch.isfinite(logits.grad).all()
        if sign > 0 and kind != "cldice":
            assert float(value.detach()) == pytest.approx(0, abs=1e-6)


def test_multi_label_weights_balance_each_class_with_its_absence() -> None:
    loss = SegmentationLoss("weighted-ce", IGNORE, pixel_shares=(0.2, 0.5, 0.01), multi_label=True)
    assert loss.weights is not None
    assert loss.weights.tolist() == [[1, 1, 1], pytest.approx([4, 1, 10])]


def test_the_task_of_the_spec_decides() -> None:
    spec = model_spec(NETWORKS["plain"], loss="weighted-ce+dice").to_dict()
    assert loss_of(spec).weights.shape == (3,)
    spec |= {"task": "multi-label", "background": None}
    made = loss_of(spec)
    assert made.weights.shape == (2, 3) and made.background is None


# What the multi-class terms gave on this batch before there were others.
MULTI_CLASS = {
    "ce": 2.3925085,
    "weighted-ce": 2.5239015,
    "focal": 2.0528979,
    "ohem": 2.679934,
    "dice": 0.7057748,
    "tversky": 0.72215,
    "cldice": 0.7080078,
}


def test_multi_class_values_are_unchanged() -> None:
    numbers = np.random.default_rng(5)
    logits = torch.from_numpy(numbers.normal(0, 2, (2, 4, 15, 16))).float()
    target = torch.from_numpy(numbers.integers(0, 3, (2, 15, 16)))
    target[:, :4] = IGNORE
    for kind, expected in MULTI_CLASS.items():
        loss = SegmentationLoss(kind, IGNORE, pixel_shares=(0.6, 0.3, 0.1, 0))
        assert float(loss.one(logits, target)) == pytest.approx(expected, rel=1e-5), kind
    assert MULTI_CLASS.keys() == set(TERMS)
