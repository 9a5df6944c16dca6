"""Imported by the process that workers are forked from: loads what they need by measuring one small mask."""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from shapeprof.sources import detect, find_masks

from .options import ScanOptions
from .shard_cache import measure_and_keep
from .shards import Shard


def _mask() -> NDArray[np.uint8]:
    """A mask with some of everything: a hole, an object in it, a concave object, touching ones, ignored pixels."""
    mask = np.zeros((128, 128), np.uint8)
    mask[4:60, 4:60], mask[16:48, 16:48], mask[24:40, 24:40] = 1, 0, 2
    mask[70:120, 4:60], mask[80:120, 20:44] = 1, 0
    mask[70:90, 60:90], mask[100:104, 70:128] = 2, 3
    mask[:2] = 255
    return mask


def warm() -> None:
    """Measure the small mask as a scan would."""
    cv2.setNumThreads(1)  # or forks of this process would wait for OpenCV's threads for ever
    options = ScanOptions()
    with tempfile.TemporaryDirectory() as name:
        cv2.imwrite(str(Path(name) / "mask.png"), _mask())
        folder = find_masks(Path(name))
        encoding, files = detect(folder, options.read), folder.files
        shard = Shard(folder.root, files, frozenset(files), encoding, options, states=("",), store=folder.root)
        measure_and_keep(shard)


warm()
