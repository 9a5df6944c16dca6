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
    """Detect the encoding that the masks of ``folder`` share; see ``sources.detection``."""
    from . import detection, reclass

    options = options or ReadOptions()
    return reclass.reclassed(detection.detect(folder, options), options)


def regrouped(folder: MaskFolder, encoding: Encoding) -> MaskFolder:
    """``folder`` with one name per mask that ``encoding`` reads (folders of objects, pages); see ``layouts.layout``."""
    from .layouts import layout

    return layout.regrouped(folder, encoding)


def masks_again(root: Path, arguments: dict[str, Any], encoding: Encoding) -> MaskFolder:
    """Find the masks of an earlier scan again; ``arguments`` and ``encoding`` are those in its profile."""
    return regrouped(find_masks(root, ReadOptions.of_files(arguments)), encoding)


def stored_files(folder: MaskFolder) -> dict[str, tuple[str, ...]]:
    """Map each mask of ``folder`` to the files that it is read from; see ``sources.files_behind``."""
    from . import files_behind

    return files_behind.stored_files(folder)


def is_annotation_document(path: Path) -> bool:
    """Whether a file looks like an annotation document, by its beginning; see ``sources.annotations``."""
    from .annotations import documents

    return documents.is_annotation_document(path)


def read_mask(
    folder_root: Path, relpath: str, encoding: Encoding, train_size: int | None = None
) -> tuple[LabelMap, tuple[Issue, ...]]:
    """Read one mask as a LabelMap, with the issues found; see ``sources.reading.masks``."""
    from . import reclass
    from .reading import masks

    label_map, issues = masks.read_mask(folder_root, relpath, encoding, train_size)
    return reclass.reclassed_labels(label_map, encoding) if encoding.new_ids else label_map, issues


def read_whole(folder_root: Path, relpaths: tuple[str, ...], encoding: Encoding) -> tuple[LabelMap, tuple[Issue, ...]]:
    """Read the masks of one image, one per class, as one LabelMap; see ``sources.reading.masks``."""
    from . import reclass
    from .reading import masks

    label_map, issues = masks.read_whole(folder_root, relpaths, encoding)
    return reclass.reclassed_labels(label_map, encoding) if encoding.new_ids else label_map, issues


def read_layers(folder_root: Path, relpaths: tuple[str, ...], encoding: Encoding) -> tuple[LabelMap, ...]:
    """Read one image as layers that keep every class of a pixel; see ``sources.reading.masks``."""
    from . import reclass
    from .reading import masks

    layers = masks.read_layers(folder_root, relpaths, encoding)
    return tuple(reclass.reclassed_labels(m, encoding) for m in layers) if encoding.new_ids else layers


def read_runs(
    folder_root: Path, relpath: str, encoding: Encoding, train_size: int | None = None
) -> tuple[RunMap, tuple[Issue, ...]]:
    """Read one mask as a RunMap, with the issues found; see ``sources.reading.runs``."""
    from . import reclass
    from .reading import runs

    run_map, issues = runs.read_runs(folder_root, relpath, encoding, train_size)
    return reclass.reclassed_runs(run_map, encoding) if encoding.new_ids else run_map, issues
