"""From an image to its map of classes, for images of any size."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .network import SegmentationNetwork

TILE = 1536  # side, px: about 3 GB of activations in a network with 64 channels at stride 1 (chosen)
MARGIN = 256  # px that a tile sees beyond what it decides: about an effective receptive field (chosen)


@torch.inference_mode()
def class_map(network: SegmentationNetwork, image: Tensor, size: tuple[int, int] | None = None) -> Tensor:
    """The most probable class of every pixel.

    ``network`` is in evaluation mode; ``image`` is (C, H, W) float32, normalised, on its device.
    Images beyond ``TILE`` are predicted in overlapping tiles. Returns (H, W) int64, or ``size``
    (rows, columns) where that is given: there the logits are enlarged, not the classes.
    """
    rows, columns = image.shape[-2:]
    if max(rows, columns) > TILE:
        classes = _by_tiles(network, image)
        if size is None or size == (rows, columns):
            return classes
        return F.interpolate(classes[None, None].double(), size, mode="nearest-exact")[0, 0].long()
    logits = network(image.unsqueeze(0))  # (1, classes, H, W)
    if size is not None and size != (rows, columns):
        logits = F.interpolate(logits.float(), size, mode="bilinear", align_corners=False)
    best: Tensor = logits.argmax(dim=1)[0]
    return best


def _by_tiles(network: SegmentationNetwork, image: Tensor) -> Tensor:
    """Tiles of ``TILE`` px, of which all but a ``MARGIN`` towards their neighbours is kept."""
    rows, columns = image.shape[-2:]
    classes = torch.empty(rows, columns, dtype=torch.int64, device=image.device)
    core = TILE - 2 * MARGIN
    for top in range(0, rows, core):
        for left in range(0, columns, core):
            first, start = max(0, top - MARGIN), max(0, left - MARGIN)
            tile = image[:, first : top + core + MARGIN, start : left + core + MARGIN]
            best = network(tile.unsqueeze(0)).argmax(dim=1)[0]
            kept = best[top - first : top - first + core, left - start : left - start + core]
            classes[top : top + core, left : left + core] = kept
    return classes
