"""Label maps for the tests of the metrics, and slow references that several of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.measure import label

from shapeprof.labelmap import ClassTable, LabelMap, ignore_index
from shapeprof.metrics.holes import Nesting
from shapeprof.metrics.measure import Measurements, measure
from shapeprof.metrics.runs import Objects, Runs, find_objects, stack
from shapeprof.metrics.survival import Survival
from shapeprof.profile.counts import tally
from shapeprof.profile.tally import Counts
from shapeprof.sources.run_length import encode

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
) -> tuple[Runs, Objects]:
    """Runs and objects of an array."""
    runs = stack([encode(label_map(labels, background, instances))])
    return runs, find_objects(runs, background)


def owner_map(runs: Runs, objects: Objects) -> NDArray[np.int64]:
    """Object of every pixel, (H, W); -1 for none."""
    flat = np.repeat(objects.of_run, runs.stop - runs.start).astype(np.int64)
    return flat.reshape(-1, int(runs.width[0]))


@dataclass(frozen=True)
class ClassSums:
    """What was measured on one class of one mask as a whole."""

    pixels: int
    nearest: NDArray[np.int64]  # (2, 5) lost and gained
    linear: NDArray[np.int64] | None
    best: NDArray[np.int64] | None
    width_pixels: NDArray[np.int64]  # (bins,)


@dataclass(frozen=True)
class OneMask:
    """The measurements of a single mask, by class id."""

    whole: Measurements
    source: LabelMap

    @property
    def rows(self) -> dict[str, NDArray[Any]]:
        return self.whole.rows

    @property
    def size(self) -> tuple[int, int]:
        return int(self.whole.size[0, 0]), int(self.whole.size[0, 1])

    @property
    def ignored(self) -> int:
        return int(self.whole.ignored[0])

    @property
    def nesting(self) -> Nesting:
        return self.whole.nesting

    @property
    def linear_lost(self) -> NDArray[np.int64] | None:
        return self.whole.linear.object_lost if self.whole.sampled[0] else None

    @property
    def best_lost(self) -> NDArray[np.int64] | None:
        return self.whole.best.object_lost if self.whole.with_best[0] else None

    @property
    def classes(self) -> dict[int, ClassSums]:
        def sums(result: Survival, pair: int) -> NDArray[np.int64]:
            return np.stack((result.lost[pair], result.gained[pair]))

        whole = self.whole
        return {
            int(c): ClassSums(
                pixels=int(whole.classes.pixels[k]),
                nearest=sums(whole.nearest, k),
                linear=sums(whole.linear, k) if whole.sampled[0] else None,
                best=sums(whole.best, k) if whole.with_best[0] else None,
                width_pixels=whole.widths.pixels[k],
            )
            for k, c in enumerate(whole.classes.class_id)
        }


def measure_one(
    made: LabelMap, *, floor: int = 32, sampled: bool = True, thickness: bool = False, best: bool = False
) -> OneMask:
    """Everything measured on one label map."""
    options: dict[str, Any] = {"floor": floor, "thickness": thickness}
    flags = {"sampled": np.array([sampled]), "with_best": np.array([best])}
    return OneMask(measure([encode(made)], made.classes.background, **options, **flags), made)


def measured(
    labels: NDArray[Any], background: int | None = 0, instances: NDArray[Any] | None = None, **options: Any
) -> OneMask:
    """Everything measured on an array; the floor is 1 px by default."""
    return measure_one(label_map(labels, background, instances), **{"floor": 1, **options})


def tally_one(one: OneMask) -> dict[int, Counts]:
    """Its tallies by class id."""
    return tally(one.whole)[0]


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
    kept, first, inverse = np.unique(np.where(is_object, components, 0), return_index=True, return_inverse=True)
    order = np.argsort(np.where(kept == 0, -1, first))
    rank = np.empty(kept.size, np.int64)
    rank[order] = np.arange(kept.size)
    return (rank[inverse] - (0 in kept)).reshape(labels.shape)


def random_labels(
    seed: int, shape: tuple[int, int], classes: int = 4, ignored: float = 0.0, noise: float = 0.1, grain: int = 4
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
def label_images(draw: st.DrawFn, max_side: int = 40, classes: int = 4, ignored: bool = True) -> NDArray[np.uint8]:
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
