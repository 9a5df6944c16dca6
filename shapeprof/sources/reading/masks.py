"""One mask to a LabelMap, whatever its layout, by an encoding detected before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from shapeprof.errors import UnreadableMask
from shapeprof.issues import Issue
from shapeprof.labelmap import LabelMap
from shapeprof.sources.encoding import Encoding, plain
from shapeprof.sources.formats.stored_bytes import read_bytes
from shapeprof.sources.layouts.class_names import class_id_of
from shapeprof.sources.maskset import AnnotationSource

from .files import digest_of, label_map_of, resize_nearest
from .objects import read_objects
from .panoptic import read_panoptic


def read_mask(
    folder_root: Path, relpath: str, encoding: Encoding, train_size: int | None = None
) -> tuple[LabelMap, tuple[Issue, ...]]:
    """Read one mask and the issues with it; raise UnreadableMask when it does not fit ``encoding``.

    ``train_size``: the length in pixels that the shorter side is resized to, by nearest neighbour.
    """
    if encoding.drawing is not None:
        return _drawn(folder_root, relpath, encoding, encoding.drawing, train_size)
    if encoding.layout != "files":
        return _laid_out(folder_root, relpath, encoding, train_size)
    return label_map_of(read_bytes(folder_root, relpath), relpath, encoding, train_size)


def read_whole(folder_root: Path, relpaths: tuple[str, ...], encoding: Encoding) -> tuple[LabelMap, tuple[Issue, ...]]:
    """Read the masks of one image, one per class, as one label map; where they overlap the smaller one is on top.

    Raises:
        UnreadableMask: one of them can't be read, or is of another size than the first.
    """
    maps = _of_one_size(folder_root, relpaths, encoding)
    if len(maps) == 1:
        return maps[0], ()
    background = encoding.classes.background
    labels = maps[0].labels.copy()
    shown = [m.labels != background for m in maps]
    for i in sorted(range(len(maps)), key=lambda i: (-int(shown[i].sum()), relpaths[i])):
        labels[shown[i]] = maps[i].labels[shown[i]]
    twice = int(np.sum(shown, axis=0, dtype=np.int64).clip(1).sum() - labels.size)
    issues: tuple[Issue, ...] = ()
    if twice:
        text = (
            f"{twice} px lie in masks of two classes; one index mask holds one: that of the smaller mask "
            "(--multi-label keeps both)"
        )
        issues = (Issue("warning", "classes-overlap", text, relpaths[0]),)
    return replace(maps[0], labels=labels), issues


def read_layers(folder_root: Path, relpaths: tuple[str, ...], encoding: Encoding) -> tuple[LabelMap, ...]:
    """Read the masks of one image as label maps that together show every class of every pixel.

    Masks of one class each are read as they are. With annotations, the first map is the whole drawn mask, the only one
    with ignored pixels; then each class is drawn alone.

    Raises:
        UnreadableMask: one of them can't be read, or is of another size than the first.
    """
    if encoding.drawing is None:
        return tuple(_of_one_size(folder_root, relpaths, encoding))
    layers = [read_mask(folder_root, relpaths[0], encoding)[0]]
    classes = encoding.drawing.classes
    for class_id in sorted({i for _, i in classes if i > 0}):
        alone = tuple((category, i) for category, i in classes if i in (0, class_id))
        drawing = replace(encoding.drawing, classes=alone)
        found, _ = read_mask(folder_root, relpaths[0], replace(encoding, drawing=drawing))
        layers.append(replace(found, labels=np.where(found.labels == class_id, found.labels, 0)))
    return tuple(layers)


def _of_one_size(folder_root: Path, relpaths: tuple[str, ...], encoding: Encoding) -> list[LabelMap]:
    maps = [read_mask(folder_root, path, encoding)[0] for path in relpaths]
    for path, found in zip(relpaths, maps, strict=True):
        if found.labels.shape != maps[0].labels.shape:
            seen, first = (f"{m.labels.shape[1]} x {m.labels.shape[0]}" for m in (found, maps[0]))
            text = f"it has {seen} pixels, the mask of another class of its image ({relpaths[0]}) {first}"
            raise UnreadableMask(path, "size-mismatch", text)
    return maps


def _laid_out(
    folder_root: Path, relpath: str, encoding: Encoding, train_size: int | None
) -> tuple[LabelMap, tuple[Issue, ...]]:
    """Read a mask that is a folder of objects, has panoptic segments, or shows the one class in its name."""
    is_folder = encoding.layout == "objects" and (folder_root / relpath).is_dir()
    if encoding.layout == "panoptic" or is_folder:
        read = read_objects if is_folder else read_panoptic
        found, issues = read(folder_root, relpath, encoding)
        if train_size is not None:
            instances = None if found.instances is None else resize_nearest(found.instances, train_size)
            found = replace(found, labels=resize_nearest(found.labels, train_size), instances=instances)
        return found, issues
    found, issues = read_mask(folder_root, relpath, plain(encoding), train_size)
    labels = found.labels
    if encoding.layout == "objects":  # a file beside the folders: one object
        return replace(found, instances=(labels == 1).astype(np.uint16)), issues
    class_id = class_id_of(relpath, encoding.layout, encoding.part_ids)
    return replace(found, labels=np.where(labels == 1, labels.dtype.type(class_id), labels)), issues


def _drawn(
    folder_root: Path, relpath: str, encoding: Encoding, drawing: AnnotationSource, train_size: int | None
) -> tuple[LabelMap, tuple[Issue, ...]]:
    """Draw a mask from its annotations; its digest is that of its pixels."""
    from .annotated import draw_mask

    drawn, issues = draw_mask(folder_root, relpath, drawing, encoding.max_pixels)
    labels, instances = drawn.labels, drawn.instances if drawing.instances else None
    digest = digest_of(repr(labels.shape).encode() + labels.tobytes() + drawn.instances.tobytes())
    if train_size is not None:
        labels = resize_nearest(labels, train_size)
        instances = None if instances is None else resize_nearest(instances, train_size)
    return LabelMap(labels, encoding.classes, relpath, instances, digest), issues
