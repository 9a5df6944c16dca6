"""Losses: terms on pixels and on regions, their sum over the main and the training-only logits.

Every term takes ``logits`` (N, classes, H, W) float and a ``target``, and returns a scalar in float32. The target's
shape says what is asked of a pixel:

- multi-class, (N, H, W) int64 class ids: which class it has. Probabilities are a softmax over the classes.
- multi-label, (N, classes, H, W) integers, 1 where it is of the class and else 0: a question per class, which
  count alike. Probabilities are sigmoids; one class with logits z is two classes with logits (0, z).

Pixels with the ignore index (in all channels) count nowhere; a batch without any other pixel gives 0, not NaN. Terms
on regions are averaged over the classes present in ``target``: a class that is absent would score 0 whatever is
predicted.

Coarse logits arrive here enlarged to the target's size (``network.py`` does it, bilinearly).
The other way, shrinking the target to the logits' stride, deletes what is thinner than the
stride: a 2 px crack has no pixel left in nearest-neighbour targets of stride 8, and the head
would be taught that it isn't there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .network import TrainingOutput

FOCUS = 2.0  # gamma of the focal loss (Lin et al.)
HARD = 0.7  # OHEM: pixels whose class gets less than this are hard (DeepLab and OCRNet code bases)
HARD_SHARE = 1 / 16  # and at least this share of the pixels counts (chosen)
FALSE_POSITIVES, FALSE_NEGATIVES = 0.3, 0.7  # alpha and beta of the Tversky index (Salehi et al.)
THINNINGS = 10  # of the soft skeleton: lines up to twice as wide are thinned to their middle (chosen)
LARGEST_WEIGHT = 10.0  # of a class in weighted cross-entropy, times that of the median class (chosen)


def negative_log_likelihood(logits: Tensor, target: Tensor, ignore_index: int) -> Tensor:
    """``-log p`` of what is true, in the shape of ``target``; 0 where ignored; range [0, inf)."""
    if target.ndim == 3:
        return F.cross_entropy(logits.float(), target, ignore_index=ignore_index, reduction="none")
    ignored = target == ignore_index
    truth = target.masked_fill(ignored, 0).float()
    each = F.binary_cross_entropy_with_logits(logits.float(), truth, reduction="none")
    return each.masked_fill(ignored, 0)


def cross_entropy(logits: Tensor, target: Tensor, ignore_index: int, weights: Tensor | None = None) -> Tensor:
    """Mean of ``-log p`` of what is true over the counted pixels (multi-label: and classes); range [0, inf).

    ``weights``: (classes,), pixels count as much as the weight of their class; multi-label: (2, classes), as much as
    that of being without and of being with the class.
    """
    each = negative_log_likelihood(logits, target, ignore_index)
    counted = target != ignore_index
    if weights is None:
        return each.sum() / counted.sum().clamp(min=1)
    known = target.masked_fill(~counted, 0)
    if target.ndim == 3:
        mass = weights[known] * counted
    else:
        without, of_class = weights[:, :, None, None]  # (classes, 1, 1)
        mass = torch.where(known == 1, of_class, without) * counted
    return (each * mass).sum() / mass.sum().clamp(min=torch.finfo(torch.float32).tiny)


def focal(logits: Tensor, target: Tensor, ignore_index: int) -> Tensor:
    """Mean over what ``cross_entropy`` counts of ``-(1 - p) ** gamma * log(p)``, p of what is true; range [0, inf).

    Reference: Lin et al. 2017, Focal loss for dense object detection; there over sigmoids, without its alpha.
    """
    each = negative_log_likelihood(logits, target, ignore_index)
    total = ((1 - torch.exp(-each)) ** FOCUS * each).sum()  # 0 where ignored
    return total / (target != ignore_index).sum().clamp(min=1)


def hard_pixels(logits: Tensor, target: Tensor, ignore_index: int) -> Tensor:
    """Mean cross-entropy over the hard pixels (OHEM; multi-label: pixels and classes); range [0, inf).

    Hard are those where what is true gets a probability under 0.7, and never fewer than a sixteenth of the counted.
    Reference: Shrivastava et al. 2016, Training region-based object detectors with online hard example mining.
    """
    each = negative_log_likelihood(logits, target, ignore_index)
    counted = each[target != ignore_index]  # (pixels,)
    if not counted.numel():
        return each.sum()
    least = max(1, int(HARD_SHARE * counted.numel()))
    threshold = -torch.log(counted.new_tensor(HARD))
    threshold = torch.minimum(threshold, counted.detach().topk(least).values[-1])
    hard = counted >= threshold
    return (counted * hard).sum() / hard.sum()


def probabilities(logits: Tensor, target: Tensor, ignore_index: int) -> Tensor:
    """The predicted probability of every class, (N, classes, H, W) float32; 0 where ignored."""
    counted = target != ignore_index
    if target.ndim == 3:
        return logits.float().softmax(dim=1) * counted.unsqueeze(1)
    return logits.float().sigmoid() * counted


def tversky(
    logits: Tensor, target: Tensor, ignore_index: int, alpha: float = FALSE_POSITIVES, beta: float = FALSE_NEGATIVES
) -> Tensor:
    """One minus the soft Tversky index ``TP / (TP + alpha FP + beta FN)``, averaged; range [0, 1].

    Over all counted pixels of the batch, with probabilities as prediction. ``alpha = beta = 1/2`` is the Dice
    coefficient; a larger ``beta`` punishes missed pixels more. Reference: Salehi et al. 2017.
    """
    predicted = probabilities(logits, target, ignore_index)
    overlap, truth = _overlap_and_truth(predicted, target, ignore_index)
    extent = alpha * predicted.sum((0, 2, 3)) + beta * truth + (1 - alpha - beta) * overlap
    index = overlap / extent.clamp(min=1e-6)
    return _over_present(1 - index, truth > 0)


def _overlap_and_truth(predicted: Tensor, target: Tensor, ignore_index: int) -> tuple[Tensor, Tensor]:
    """By class, (classes,) each: the probability on its true pixels (TP), and the number of these."""
    counted = target != ignore_index
    if target.ndim == 4:
        truth = (target == 1).float()
        return (predicted * truth).sum((0, 2, 3)), truth.sum((0, 2, 3))
    known = target.masked_fill(~counted, 0)
    right = predicted.gather(1, known.unsqueeze(1)).flatten()  # p of the true class; no one-hot needed
    zeros = predicted.new_zeros(predicted.shape[1])
    overlap = zeros.index_add(0, known.flatten(), right)
    return overlap, zeros.index_add(0, known.flatten(), counted.flatten().float())


def soft_dice_loss(logits: Tensor, target: Tensor, ignore_index: int) -> Tensor:
    """One minus the soft Dice coefficient ``2 sum(p g) / (sum(p) + sum(g))``, averaged; range [0, 1].

    Reference: Milletari et al. 2016, V-Net.
    """
    return tversky(logits, target, ignore_index, 0.5, 0.5)


def soft_centre_line_dice(logits: Tensor, target: Tensor, ignore_index: int, background: int | None) -> Tensor:
    """One minus the soft clDice of the foreground classes, averaged; range [0, 1].

    clDice is the harmonic mean of the share of the predicted centre line that lies in the truth and that of the true
    centre line that is predicted: whether lines connect, not how wide they are. Images count together. Reference:
    Shit et al. 2021, clDice, with its soft skeleton.
    """
    classes = [c for c in range(logits.shape[1]) if c != background]
    predicted = probabilities(logits, target, ignore_index)[:, classes]  # (N, foreground, H, W)
    if target.ndim == 3:
        ids = torch.tensor(classes, device=target.device)[None, :, None, None]
        truth = ((target.unsqueeze(1) == ids) & (target != ignore_index).unsqueeze(1)).float()
    else:
        truth = (target[:, classes] == 1).float()
    score = centre_line_dice(predicted, truth)
    return _over_present(1 - score, truth.sum((0, 2, 3)) > 0)


def centre_line_dice(predicted: Tensor, truth: Tensor) -> Tensor:
    """clDice by class, (C,), of predicted and true shares (N, C, H, W) in [0, 1]; 0 where a centre line is empty."""
    thin, thin_truth = soft_skeleton(predicted), soft_skeleton(truth)
    tiny = torch.finfo(torch.float32).tiny

    def share(line: Tensor, area: Tensor) -> Tensor:
        return (line * area).sum((0, 2, 3)) / line.sum((0, 2, 3)).clamp(min=tiny)

    precision, sensitivity = share(thin, truth), share(thin_truth, predicted)
    return 2 * precision * sensitivity / (precision + sensitivity).clamp(min=tiny)


def soft_skeleton(shares: Tensor, thinnings: int = THINNINGS) -> Tensor:
    """The skeleton of shares (N, C, H, W) in [0, 1], differentiable; of 0 and 1 it is Lantuéjoul's.

    What opening removes is collected while the shape is eroded. Reference: Shit et al. 2021.
    """

    def eroded(x: Tensor) -> Tensor:
        return torch.minimum(_smallest(x, (3, 1)), _smallest(x, (1, 3)))

    def removed_by_opening(x: Tensor) -> Tensor:
        return F.relu(x - F.max_pool2d(eroded(x), 3, 1, 1))

    skeleton = removed_by_opening(shares)
    for _ in range(thinnings):
        shares = eroded(shares)
        removed = removed_by_opening(shares)
        skeleton = skeleton + F.relu(removed - skeleton * removed)
    return skeleton


def _smallest(x: Tensor, size: tuple[int, int]) -> Tensor:
    return -F.max_pool2d(-x, size, 1, (size[0] // 2, size[1] // 2))


def _over_present(each: Tensor, present: Tensor) -> Tensor:
    """Mean of ``each`` (classes,) over the classes that are present; 0 without any."""
    return (each * present).sum() / present.sum().clamp(min=1)


TERMS = ("ce", "weighted-ce", "focal", "ohem", "dice", "tversky", "cldice")


def terms_of(kind: str) -> tuple[str, ...]:
    """The terms of ``training.loss``, such as ``"ce+dice"``.

    Raises:
        ValueError: a term is unknown or named twice.
    """
    if not isinstance(kind, str):
        raise ValueError(f"training.loss {kind!r} is no text; known: {', '.join(TERMS)}, joined by +")
    terms = tuple(kind.split("+"))
    if unknown := [term for term in terms if term not in TERMS]:
        raise ValueError(f"training.loss {kind!r}: {unknown[0]!r} is unknown; known: {', '.join(TERMS)}, joined by +")
    if len(set(terms)) < len(terms):
        raise ValueError(f"training.loss {kind!r} names a term twice")
    return terms


def class_weights(shares: list[float]) -> list[float]:
    """Weights by median frequency balancing: the median share of pixels over that of each class, at most 10.

    A class without pixels gets 1. Reference: Eigen and Fergus 2015.
    """
    known = sorted(share for share in shares if share > 0)
    if not known:
        return [1.0] * len(shares)
    median = known[len(known) // 2]
    return [min(LARGEST_WEIGHT, median / share) if share > 0 else 1.0 for share in shares]


class SegmentationLoss(nn.Module):
    """The sum of some terms on the main logits, plus that of each training-only head times its weight.

    Args:
        kind: terms joined by ``+``; see ``TERMS``.
        ignore_index: the value in targets that counts nowhere.
        head_weights: of the training-only heads, in the network's order.
        background: class that has no centre lines; None: every class may have.
        pixel_shares: of every class, for ``weighted-ce``.
        multi_label: targets have a channel per class, and ``weighted-ce`` balances being of a class or not.
    """

    weights: Tensor | None

    def __init__(
        self,
        kind: str,
        ignore_index: int,
        head_weights: tuple[float, ...] = (),
        background: int | None = 0,
        pixel_shares: tuple[float, ...] = (),
        *,
        multi_label: bool = False,
    ) -> None:
        super().__init__()
        self.terms, self.ignore_index, self.head_weights = terms_of(kind), ignore_index, head_weights
        self.background = background
        weights = None
        if "weighted-ce" in self.terms:
            if not pixel_shares:
                raise ValueError("training.loss 'weighted-ce' needs the pixel share of every class")
            if multi_label:
                weights = torch.tensor([class_weights([1 - share, share]) for share in pixel_shares]).T
            else:
                weights = torch.tensor(class_weights(list(pixel_shares)))
        self.register_buffer("weights", weights, persistent=False)

    def term(self, name: str, logits: Tensor, target: Tensor) -> Tensor:
        """One term on one set of logits (N, classes, H, W)."""
        ignored = self.ignore_index
        match name:
            case "ce":
                return cross_entropy(logits, target, ignored)
            case "weighted-ce":
                return cross_entropy(logits, target, ignored, self.weights)
            case "focal":
                return focal(logits, target, ignored)
            case "ohem":
                return hard_pixels(logits, target, ignored)
            case "dice":
                return soft_dice_loss(logits, target, ignored)
            case "tversky":
                return tversky(logits, target, ignored)
            case _:
                return soft_centre_line_dice(logits, target, ignored, self.background)

    def one(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss of one set of logits (N, classes, H, W)."""
        return torch.stack([self.term(name, logits, target) for name in self.terms]).sum()

    def forward(self, output: TrainingOutput, target: Tensor) -> Tensor:
        loss = self.one(output.logits, target)
        for weight, logits in zip(self.head_weights, output.auxiliary, strict=True):
            loss = loss + weight * self.one(logits, target)
        return loss


def loss_of(spec: Mapping[str, Any]) -> SegmentationLoss:
    """The loss that ``spec`` (the dictionary in spec.yaml) describes."""
    heads = (*spec["model"]["auxiliary_heads"], *spec["model"]["deep_supervision"])
    return SegmentationLoss(
        spec["training"]["loss"],
        spec["ignore_index"],
        tuple(head["weight"] for head in heads),
        spec["background"],
        tuple(float(each["pixel_share"]) for each in spec["classes"]),
        multi_label=spec["task"] == "multi-label",
    )
