"""Mask files to label maps: find the files, detect what their values mean, read them, pair images.

Importing this loads neither numpy nor OpenCV; the functions that decode do so on first use.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shapeprof.issues import Issue
from shapeprof.labelmap import LabelMap
from shapeprof.runmap import RunMap

from .encoding import Encoding, ReadOptions
from .find import find_masks
from .maskset import MaskFolder
from .pairing import Pair, Pairing, pair

__all__ = [
    "Encoding",
    "MaskFolder",
    "Pair",
    "Pairing",
    "ReadOptions",
    "detect",
    "find_masks",
    "is_annotation_document",
    "masks_again",
    "pair",
    "read_layers",
    "read_mask",
    "read_runs",
    "read_whole",
    "regrouped",
    "stored_files",
]


def detect(folder: MaskFolder, options: ReadOptions | None = None) -> Encoding:
    """The encoding that the masks of ``folder`` share; see ``sources.detection``."""
    from . import detection, reclass

    options = options or ReadOptions()
    return reclass.reclassed(detection.detect(folder, options), options)


def regrouped(folder: MaskFolder, encoding: Encoding) -> MaskFolder:
    """``folder`` with the names of the masks that ``encoding`` reads; see ``sources.layouts.layout``."""
    from .layouts import layout

    return layout.regrouped(folder, encoding)


def masks_again(root: Path, arguments: dict[str, Any], encoding: Encoding) -> MaskFolder:
    """The masks that an earlier scan read with ``arguments`` (as its profile has them), by the names it gave them."""
    return regrouped(find_masks(root, ReadOptions.of_files(arguments)), encoding)


def stored_files(folder: MaskFolder) -> dict[str, tuple[str, ...]]:
    """The files on disk that each mask of ``folder`` is read from; see ``sources.files_behind``."""
    from . import files_behind

    return files_behind.stored_files(folder)


def is_annotation_document(path: Path) -> bool:
    """Whether a file looks like a COCO, VIA or LabelMe document; see ``sources.annotations``."""
    from .annotations import documents

    return documents.is_annotation_document(path)


def read_mask(
    folder_root: Path, relpath: str, encoding: Encoding, train_size: int | None = None
) -> tuple[LabelMap, tuple[Issue, ...]]:
    """One mask as a LabelMap and the findings about it; see ``sources.reading.masks``."""
    from . import reclass
    from .reading import masks

    label_map, issues = masks.read_mask(folder_root, relpath, encoding, train_size)
    return reclass.reclassed_labels(label_map, encoding) if encoding.new_ids else label_map, issues


def read_whole(folder_root: Path, relpaths: tuple[str, ...], encoding: Encoding) -> tuple[LabelMap, tuple[Issue, ...]]:
    """The mask of one image, of which ``relpaths`` may show a class each; see ``sources.reading.masks``."""
    from . import reclass
    from .reading import masks

    label_map, issues = masks.read_whole(folder_root, relpaths, encoding)
    return reclass.reclassed_labels(label_map, encoding) if encoding.new_ids else label_map, issues


def read_layers(folder_root: Path, relpaths: tuple[str, ...], encoding: Encoding) -> tuple[LabelMap, ...]:
    """Label maps that together show every class of every pixel of one image; see ``sources.reading.masks``."""
    from . import reclass
    from .reading import masks

    layers = masks.read_layers(folder_root, relpaths, encoding)
    return tuple(reclass.reclassed_labels(m, encoding) for m in layers) if encoding.new_ids else layers


def read_runs(
    folder_root: Path, relpath: str, encoding: Encoding, train_size: int | None = None
) -> tuple[RunMap, tuple[Issue, ...]]:
    """One mask as a RunMap and the findings about it; see ``sources.reading.runs``."""
    from . import reclass
    from .reading import runs

    run_map, issues = runs.read_runs(folder_root, relpath, encoding, train_size)
    return reclass.reclassed_runs(run_map, encoding) if encoding.new_ids else run_map, issues
