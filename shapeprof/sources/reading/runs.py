"""One file to a RunMap, by an encoding detected before.

PNG masks are read run by run. Anything unusual is read pixel by pixel, as ``masks.read_mask`` does; the result is the
same.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.issues import Issue
from shapeprof.runmap import IGNORED, RunMap
from shapeprof.sources.encoding import ODD, Encoding, plain
from shapeprof.sources.formats.decoders import no_memory
from shapeprof.sources.formats.png import SIGNATURE
from shapeprof.sources.formats.png_runs import RasterRuns, decode_png_runs
from shapeprof.sources.formats.stored_bytes import read_bytes
from shapeprof.sources.layouts.class_names import class_id_of
from shapeprof.sources.run_length import encode, merged_runs
from shapeprof.sources.values.apply_colour import classes_by_colour
from shapeprof.sources.values.apply_grey import classes_by_value

from .files import digest_of, label_map_of
from .masks import read_mask


def read_runs(
    folder_root: Path, relpath: str, encoding: Encoding, train_size: int | None = None
) -> tuple[RunMap, tuple[Issue, ...]]:
    """Read one mask and the issues with it; raise UnreadableMask when it does not fit ``encoding``.

    ``train_size``: the length in pixels that the shorter side is resized to, by nearest neighbour.
    """
    try:
        if encoding.drawing is not None:
            drawn, issues = read_mask(folder_root, relpath, encoding, train_size)
            return encode(drawn), issues
        if encoding.layout != "files":
            return _laid_out(folder_root, relpath, encoding, train_size)
        data = read_bytes(folder_root, relpath)
        if train_size is None and data.startswith(SIGNATURE):
            raster = decode_png_runs(data, relpath, encoding.max_pixels)
            found = None if raster is None else _mapped(raster, encoding)
            if raster is not None and found is not None:
                row, start, value, ids = found
                instance = ids if encoding.instances else None
                return RunMap(raster.size, row, start, value, relpath, instance, digest_of(data)), ()
        label_map, issues = label_map_of(data, relpath, encoding, train_size)
        return encode(label_map), issues
    except MemoryError:
        raise no_memory(relpath) from None


def _laid_out(
    folder_root: Path, relpath: str, encoding: Encoding, train_size: int | None
) -> tuple[RunMap, tuple[Issue, ...]]:
    """Read a mask that is a folder of objects, has panoptic segments, or shows the one class in its name."""
    if encoding.layout in ("objects", "panoptic"):
        label_map, issues = read_mask(folder_root, relpath, encoding, train_size)
        return encode(label_map), issues
    found, issues = read_runs(folder_root, relpath, plain(encoding), train_size)
    class_id = np.int32(class_id_of(relpath, encoding.layout, encoding.part_ids))
    return replace(found, value=np.where(found.value == 1, class_id, found.value)), issues


def _mapped(raster: RasterRuns, encoding: Encoding) -> Any:
    """(row, start, class id, instance id) of the runs; None where pixels must be looked at."""
    if encoding.divisor:
        return None
    if encoding.instances:
        return merged_runs(raster.row, raster.start, *_objects(raster, encoding))
    read = {"colour": _classes_of_colours, "palette": _classes_of_indices}.get(encoding.kind, _classes_of_greys)
    classes = read(raster, encoding)
    if classes is None or classes.min() == ODD:
        return None
    return merged_runs(raster.row, raster.start, classes, np.zeros(0, np.int64))


def _classes_of_greys(raster: RasterRuns, encoding: Encoding) -> NDArray[np.int32] | None:
    if raster.palette is not None:
        return None
    value = _grey(raster.value) if raster.bits == 24 else raster.value
    return None if value is None else classes_by_value(encoding, 16 if raster.bits == 16 else 8).take(value)


def _grey(colours: NDArray[np.int32]) -> NDArray[np.int32] | None:
    """Colours with equal channels as grey values; None if any colour is not grey."""
    greys = colours & 255
    return greys if (colours == greys * 0x010101).all() else None


def _classes_of_indices(raster: RasterRuns, encoding: Encoding) -> NDArray[np.int32] | None:
    own = raster.palette
    if own is None or any(i >= len(own) or own[i] != colour for i, colour in encoding.palette):
        return None
    return classes_by_value(encoding, 8).take(raster.value)


def _classes_of_colours(raster: RasterRuns, encoding: Encoding) -> NDArray[np.int32] | None:
    value = raster.value
    if raster.bits == 16:
        return None
    if raster.palette is not None:
        colours = np.zeros(256, np.int32)
        colours[: len(raster.palette)] = raster.palette[:256]
        value = colours.take(value)
    elif raster.bits == 8:
        value = value * 0x010101
    return classes_by_colour(encoding, value)


def _objects(raster: RasterRuns, encoding: Encoding) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Class (1, 0 for background) and object id (0 for none), as ``apply_instances.object_labels`` has them."""
    value = raster.value
    if raster.bits == 24 and (greys := _grey(value)) is not None:
        value = greys
    background, ids = encoding.mapping[0][0], value.astype(np.int64)
    if background != 0:  # 0 is an object then, and needs an id
        ids[value == 0] = ids.max() + 1
    classes = (value != background).astype(np.int32)
    for raw in encoding.ignored:
        classes[value == raw] = IGNORED
    ids[classes != 1] = 0
    return classes, ids
