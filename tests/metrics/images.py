"""Label maps for the tests of the metrics, and slow references that several of them share."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.measure import label

from shapeprof.labelmap import ClassTable, LabelMap, ignore_index
from shapeprof.metrics import runs as runs_module
from shapeprof.metrics.measure import MaskMeasurement, measure

IGNORE = 255


def label_map(
    labels: NDArray[Any], background: int | None = 0, instances: NDArray[Any] | None = None, path: str = ""
) -> LabelMap:
    """A label map of an array; booleans and wide integers become uint8."""
    array = np.ascontiguousarray(labels)
    if array.dtype not in (np.uint8, np.uint16):
        array = array.astype(np.uint8)
    return LabelMap(array, ClassTable(("background", "thing"), background), path, instances)


def found(
    labels: NDArray[Any], background: int | None = 0, instances: NDArray[Any] | None = None
) -> tuple[runs_module.Runs, runs_module.Objects]:
    """Runs and objects of an array."""
    made = label_map(labels, background, instances)
    runs = runs_module.encode(made)
    return runs, runs_module.find_objects(runs, background, made.ignore_index)


def owner_map(runs: runs_module.Runs, objects: runs_module.Objects) -> NDArray[np.int64]:
    """Object of every pixel, (H, W); -1 for none."""
    flat = np.repeat(objects.of_run, runs.stop - runs.start).astype(np.int64)
    return flat.reshape(-1, runs.width)


def measured(
    labels: NDArray[Any], background: int | None = 0, instances: NDArray[Any] | None = None, **options: Any
) -> MaskMeasurement:
    """Everything measured on an array; the floor is 1 px unless told."""
    return measure(label_map(labels, background, instances), **{"floor": 1, **options})


def row_of(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """The columns of the one object of a boolean mask."""
    rows = measured(mask).rows
    assert rows["area"].size == 1, "the mask holds one object"
    return {name: column[0] for name, column in rows.items()}


def reference_owner(labels: NDArray[Any], background: int | None = 0) -> NDArray[np.int64]:
    """Object of every pixel by scikit-image, numbered from 0 by first pixel; -1 for none."""
    ignored = ignore_index(labels.dtype)
    components = label(labels.astype(np.int64), background=-1, connectivity=2)
    is_object = (labels != ignored) & (labels != (-1 if background is None else background))
    kept, first, inverse = np.unique(
        np.where(is_object, components, 0), return_index=True, return_inverse=True
    )
    order = np.argsort(np.where(kept == 0, -1, first))
    rank = np.empty(kept.size, np.int64)
    rank[order] = np.arange(kept.size)
    return (rank[inverse] - (0 in kept)).reshape(labels.shape)


def random_labels(
    seed: int,
    shape: tuple[int, int],
    classes: int = 4,
    ignored: float = 0.0,
    noise: float = 0.1,
    grain: int = 4,
) -> NDArray[np.uint8]:
    """Blobs of ``grain`` px with salt-and-pepper ``noise``, and blobs of ignored pixels (a share)."""
    rng = np.random.default_rng(seed)

    def blobs(count: int) -> NDArray[np.int64]:
        coarse = rng.integers(count, size=(-(-shape[0] // grain) + 1, -(-shape[1] // grain) + 1))
        y, x = rng.integers(grain, size=2)
        return np.kron(coarse, np.ones((grain, grain), np.int64))[y : y + shape[0], x : x + shape[1]]

    labels = blobs(classes)
    labels = np.where(rng.random(shape) < noise, rng.integers(classes, size=shape), labels)
    labels[(blobs(1000) < 1000 * ignored) & (rng.random(shape) < 0.9)] = IGNORE
    return labels.astype(np.uint8)


@st.composite
def label_images(
    draw: st.DrawFn, max_side: int = 40, classes: int = 4, ignored: bool = True
) -> NDArray[np.uint8]:
    """Random multi-class images, from one pixel to ``max_side`` a side."""
    shape = draw(st.tuples(*[st.integers(1, max_side)] * 2))
    return random_labels(
        seed=draw(st.integers(0, 2**32 - 1)),
        shape=shape,
        classes=draw(st.integers(1, classes)),
        ignored=draw(st.sampled_from((0.0, 0.1, 0.4))) if ignored else 0.0,
        noise=draw(st.sampled_from((0.0, 0.1, 0.5, 1.0))),
        grain=draw(st.integers(1, 12)),
    )
