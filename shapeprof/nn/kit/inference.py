"""From an image to its map of classes, for images of any size."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from ..network import SegmentationNetwork

WINDOW = 1536  # side, px: about 3 GB of activations in a network with 64 channels at stride 1 (chosen)
# Of a window, shared with the next: of 1536 px about an effective receptive field a side (chosen).
OVERLAP = 1 / 3
GRID = 32  # px, the coarsest stride: windows that start on it sample the image where the whole would


@torch.inference_mode()
def class_map(
    network: SegmentationNetwork,
    image: Tensor,
    size: tuple[int, int] | None = None,
    *,
    window: int = WINDOW,
    overlap: int | None = None,
    multi_label: bool = False,
) -> Tensor:
    """The most probable class of every pixel; multi-label, whether each class has a probability over 1/2.

    Args:
        network: in evaluation mode.
        image: (C, H, W) float32, normalised, on the network's device.
        size: rows and columns of the result if not the image's. The logits are enlarged, not the classes, unless the
            image is predicted in windows.
        window: side in px, 64 or more, a multiple of 64 (what is over is cut off). Images beyond it are predicted in
            windows whose logits are blended where they overlap.
        overlap: px that neighbouring windows share, at most half of one, a multiple of 32 (filled up to it); default:
            a third. The outer quarter, where a window sees least, is dropped, the half in the middle blended.
        multi_label: classes don't exclude each other.

    Returns:
        (H, W) int64 class ids; multi-label (classes, H, W) bool.
    """
    window = window // (2 * GRID) * 2 * GRID
    overlap = -(-round(OVERLAP * window if overlap is None else overlap) // GRID) * GRID
    if not 0 <= overlap <= window // 2 or not window:
        raise ValueError(f"window {window} and overlap {overlap}: expected 64 px or more, and at most half of it")

    def decided(logits: Tensor) -> Tensor:  # (classes, h, w)
        return logits > 0 if multi_label else logits.argmax(dim=0)

    rows, columns = image.shape[-2:]
    if max(rows, columns) > window:
        classes = torch.cat([decided(band) for band in _bands(network, image, window, overlap)], dim=-2)
        return classes if size is None else _nearest(classes, size)
    logits = network(image.unsqueeze(0))  # (1, classes, H, W)
    if size is not None and size != (rows, columns):
        logits = F.interpolate(logits.float(), size, mode="bilinear", align_corners=False)
    return decided(logits[0])


def _bands(network: SegmentationNetwork, image: Tensor, window: int, overlap: int) -> Iterator[Tensor]:
    """The blended logits from top to bottom, (classes, h, W) float32 each: not all of a large image at a time."""
    rows, columns = image.shape[-2:]
    step, below = window - overlap, torch.zeros(())
    for top in _starts(rows, window, overlap):
        band = torch.zeros(())
        for left in _starts(columns, window, overlap):
            part = image[:, top : top + window, left : left + window]
            logits = network(part.unsqueeze(0))[0].float()  # (classes, h, w)
            height, width = logits.shape[-2:]
            if left == 0:
                band = logits.new_zeros(len(logits), height, columns)
            band[..., left : left + width] += logits * _weights(left, width, columns, overlap).to(band)
        band *= _weights(top, height, rows, overlap).to(band)[:, None]
        if top:
            band[:, :overlap] += below
        done = height if top + height == rows else step
        below = band[:, done:]
        yield band[:, :done]


def _starts(length: int, window: int, overlap: int) -> range:
    """First pixels of the windows along an axis; the last one ends with the image."""
    return range(0, max(1, length - overlap), window - overlap)


def _weights(start: int, size: int, length: int, overlap: int) -> Tensor:
    """Weights (size,) of a window along an axis of ``length``; those of all windows add up to 1 at every pixel.

    Towards a neighbour: 0 in the outer quarter of the overlap, rising evenly over the half in the middle.
    """
    centre = torch.arange(size) + 0.5
    weights = torch.ones(size)
    if start > 0:
        weights = torch.minimum(weights, (centre - overlap / 4) / (overlap / 2))
    if start + size < length:
        weights = torch.minimum(weights, (size - centre - overlap / 4) / (overlap / 2))
    return weights.clamp(min=0)


def _nearest(classes: Tensor, size: tuple[int, int]) -> Tensor:
    """``classes`` (..., H, W) at ``size``: those nearest to the new pixels' centres."""
    rows, columns = (
        ((torch.arange(n, device=classes.device) + 0.5) * old / n).long()
        for n, old in zip(size, classes.shape[-2:], strict=True)
    )
    return classes[..., rows[:, None], columns]
