"""How good a network is on held-out pairs: whole images, scored at the size of their masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from ..data import Image, Pair, Reader, resize_image
from ..metrics import ConfusionMatrix, ShapeScores, confusion_matrix_of
from ..network import SegmentationNetwork
from .errors import InputError
from .figure import displayed, grid, paint, palette
from .inference import WINDOW, class_map

EXAMPLES = 6  # rows in predictions.png (chosen)


def predictions(
    network: SegmentationNetwork, pairs: Sequence[Pair], spec: dict[str, Any], *, window: int = WINDOW
) -> Iterator[tuple[Image, torch.Tensor, torch.Tensor]]:
    """Image (H, W, C), target and prediction of every pair, at the mask's size.

    Both are (H, W) class ids, or multi-label (classes, H, W), as ``Reader.target`` and ``class_map`` give them;
    images beyond ``window`` px are predicted in overlapping windows.

    The network's mode is evaluation while the iterator runs, and as before when it is exhausted.
    """
    reader, device, training = Reader(spec), next(network.parameters()).device, network.training
    network.eval()
    for pair in pairs:
        image, labels = reader.native(pair)
        size = (labels.shape[0], labels.shape[1])
        scaled = reader.tensor(resize_image(image, reader.training_size(size)))
        predicted = class_map(network, scaled.to(device), size, window=window, multi_label=reader.multi_label)
        yield image, reader.target(labels), predicted
    network.train(training)


def evaluate(
    network: SegmentationNetwork, pairs: Sequence[Pair], spec: dict[str, Any], *, window: int = WINDOW
) -> ConfusionMatrix:
    """The confusion matrix over all pixels of ``pairs``; ``window`` as in ``predictions``."""
    matrix = confusion_matrix_of(spec)
    for _, target, predicted in predictions(network, pairs, spec, window=window):
        matrix.update(predicted.cpu(), target)
    return matrix


def shape_scores(
    network: SegmentationNetwork, pairs: Sequence[Pair], spec: dict[str, Any], *, window: int = WINDOW
) -> ShapeScores:
    """Scores of boundaries, objects and centre lines over ``pairs``: slower than ``evaluate``."""
    scores = ShapeScores(len(spec["classes"]), spec["ignore_index"], spec["background"])
    for _, target, predicted in predictions(network, pairs, spec, window=window):
        scores.update(predicted, target)
    return scores


def class_names(spec: dict[str, Any]) -> list[str]:
    """Names by class id, fit to print: what isn't printable (line ends, escapes) becomes a space."""
    names = (str(each["name"]) for each in spec["classes"])
    return ["".join(c if c.isprintable() else " " for c in name) for name in names]


def score_table(matrix: ConfusionMatrix, spec: dict[str, Any]) -> str:
    """IoU per class beside that of always predicting the most frequent class, as lines of text.

    Multi-label: beside that of predicting the class everywhere or nowhere, whichever is right more often.
    """
    names = class_names(spec)
    width = max(12, *(len(name) for name in names))
    lines = [f"{'class':<{width}}     IoU  majority     pixels"]
    columns = (matrix.iou(), matrix.majority_iou(), matrix.truth())
    for name, iou, majority, pixels in zip(names, *columns, strict=True):
        lines.append(f"{name:<{width}}  {_number(iou)}    {_number(majority)}  {int(pixels):>9}")
    mean, baseline = matrix.miou(), float(matrix.majority_iou().nanmean())
    lines.append(f"{'mean':<{width}}  {_number(mean)}    {_number(baseline)}")
    if spec["background"] is not None:
        lines.append(f"{'foreground':<{width}}  {_number(matrix.foreground_miou(spec['background']))}")
    return "\n".join(lines)


def shape_table(scores: ShapeScores, matrix: ConfusionMatrix, spec: dict[str, Any]) -> str:
    """Dice, boundary IoU, F1 of objects and clDice per class, as lines of text."""
    names = class_names(spec)
    width = max(12, *(len(name) for name in names))
    lines = [f"{'class':<{width}}    Dice  boundary  objects  centre lines"]
    columns = (matrix.dice(), scores.boundary_iou(), scores.object_f1(), scores.centre_line_dice())
    for name, dice, boundary, objects, centre in zip(names, *columns, strict=True):
        lines.append(
            f"{name:<{width}}  {_number(dice)}    {_number(boundary)}   {_number(objects)}        {_number(centre)}"
        )
    lines.append(
        "boundary: IoU within 2 % of the diagonal of an edge; objects: F1 at IoU over 0.5; centre lines: clDice"
    )
    return "\n".join(lines)


def _number(value: torch.Tensor | float) -> str:
    return "absent" if np.isnan(float(value)) else f"{float(value):6.3f}"


def draw_predictions(
    path: Path, network: SegmentationNetwork, pairs: Sequence[Pair], spec: dict[str, Any], *, window: int = WINDOW
) -> None:
    """Write ``EXAMPLES`` held-out pairs, evenly spread over ``pairs``, as one PNG."""
    chosen = [pairs[i] for i in np.unique(np.linspace(0, len(pairs) - 1, EXAMPLES).astype(int))]
    colours = palette(len(spec["classes"]), spec["background"])
    rows = []
    for image, target, predicted in predictions(network, chosen, spec, window=window):
        shown = (displayed(image), paint(target.numpy(), colours), paint(predicted.cpu().numpy(), colours))
        rows.append(shown)
    encoded = cv2.imencode(".png", np.ascontiguousarray(grid(rows)[:, :, ::-1]))[1]
    try:
        path.write_bytes(encoded.tobytes())
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror}") from None
