"""Mask files to label maps: find the files, detect what their values mean, read them, pair images.

Importing this loads neither numpy nor OpenCV; the functions that decode do so on first use.
"""

from __future__ import annotations

from pathlib import Path

from shapeprof.labelmap import Issue, LabelMap
from shapeprof.runmap import RunMap
from shapeprof.sources.encoding import Encoding, ReadOptions
from shapeprof.sources.folder import MaskFolder, find_masks
from shapeprof.sources.pairing import Pair, Pairing, pair

__all__ = [
    "Encoding",
    "MaskFolder",
    "Pair",
    "Pairing",
    "ReadOptions",
    "detect",
    "find_masks",
    "is_annotation_document",
    "pair",
    "read_mask",
    "read_runs",
]


def detect(folder: MaskFolder, options: ReadOptions | None = None) -> Encoding:
    """The encoding that the masks of ``folder`` share; see ``sources.detection``."""
    from shapeprof.sources import detection

    return detection.detect(folder, options or ReadOptions())


def is_annotation_document(path: Path) -> bool:
    """Whether a file looks like a COCO, VIA or LabelMe document; see ``sources.annotations``."""
    from shapeprof.sources.annotations import documents

    return documents.is_annotation_document(path)


def read_mask(
    folder_root: Path, relpath: str, encoding: Encoding, train_size: int | None = None
) -> tuple[LabelMap, tuple[Issue, ...]]:
    """One mask as a LabelMap and the findings about it; see ``sources.masks``."""
    from shapeprof.sources import masks

    return masks.read_mask(folder_root, relpath, encoding, train_size)


def read_runs(
    folder_root: Path, relpath: str, encoding: Encoding, train_size: int | None = None
) -> tuple[RunMap, tuple[Issue, ...]]:
    """One mask as a RunMap and the findings about it; see ``sources.runs``."""
    from shapeprof.sources import runs

    return runs.read_runs(folder_root, relpath, encoding, train_size)
