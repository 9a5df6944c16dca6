"""What a sampled file holds, and what follows from it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from png_files import write_png
from written import blocks

from shapeprof.labelmap import ClassTable
from shapeprof.sources import Encoding
from shapeprof.sources.formats.raster import Raster
from shapeprof.sources.values.instance_ids import numbered_classes, numbered_labels
from shapeprof.sources.values.levels import between_levels, levels_of, run_lengths
from shapeprof.sources.values.survey import MAX_KEPT, Observation, look_at, observe


def seen(values: np.ndarray, palette: tuple[int, ...] | None = None) -> Observation:
    return observe("a.png", Raster(values, palette))


def test_pixels_and_runs_of_every_value() -> None:
    values = np.array([[0, 0, 0, 5, 5, 0], [5, 5, 5, 5, 5, 5]], np.uint8)
    found = seen(values)
    assert found.pixels == {0: 4, 5: 8} and found.run == {0: 2.0, 5: 4.0}  # runs end with their row
    assert (found.distinct, found.shape, found.bits, found.storage) == (2, (2, 6), 8, "grey")
    assert found.mean_run == 3.0  # 12 pixels in 4 runs


def test_a_png_is_counted_by_its_runs_as_by_its_pixels() -> None:
    values = blocks(0, 3, 1, 2).astype(np.uint8)
    runs = look_at(write_png(values, 2), "a.png")
    assert runs.depth == 2 and runs.pixels == seen(values * 85).pixels and runs.run == seen(values * 85).run


@pytest.mark.parametrize(
    ("palette", "storage", "raws"),
    [
        (None, "grey", {0, 1, 2}),
        ((0x000000, 0xFF0000, 0x00FF00), "palette", {0, 1, 2}),
        ((0x000000, 0x010101, 0x020202), "grey", {0, 1, 2}),  # greys that stand for their index
        ((0x000000, 0xFFFFFF, 0x000000), "grey", {0, 255}),  # black and white
        ((0x000000, 0x808080, 0x404040), "palette", {0, 1, 2}),
    ],
)
def test_palettes_of_greys_store_grey_values(palette: tuple[int, ...] | None, storage: str, raws: set[int]) -> None:
    found = seen(blocks(0, 1, 2).astype(np.uint8), palette)
    assert (found.storage, set(found.pixels)) == (storage, raws)


def test_colours_and_equal_channels() -> None:
    grey = np.dstack([blocks(0, 7).astype(np.uint8)] * 3)
    assert seen(grey).equal_channels and seen(grey).pixels == {0: 288, 7: 288}
    colour = grey.copy()
    colour[..., 2] = 9  # B, G, R
    assert seen(colour).storage == "colour" and set(seen(colour).pixels) == {0x090000, 0x090707}


def test_a_photograph_has_many_values_in_short_runs() -> None:
    rng = np.random.default_rng(0)
    assert seen(rng.integers(0, 256, (64, 64)).astype(np.uint8)).is_photo
    assert not seen(blocks(*range(24)).astype(np.uint8)).is_photo
    ids = np.repeat(np.repeat(np.arange(100).reshape(10, 10), 8, 0), 8, 1).astype(np.uint8)
    assert not seen(ids).is_photo  # as many values, in areas
    wide = seen(np.arange(128 * 64, dtype=np.uint16).reshape(64, 128))
    assert wide.distinct == 8192 and len(wide.pixels) == MAX_KEPT


def test_soft_edges_are_values_in_short_runs() -> None:
    ramp = np.concatenate([np.zeros(20), np.linspace(0, 255, 12), np.full(20, 255)]).astype(np.uint8)
    assert seen(np.tile(ramp, (8, 1))).is_soft
    assert not seen(np.tile(np.repeat(ramp, 5), (8, 1))).is_soft


def test_levels_stand_out_between_blends() -> None:
    ramp = np.concatenate([np.full(60, 0), [40, 90, 140, 190], np.full(30, 237)]).astype(np.uint8)
    observation = seen(np.tile(ramp, (8, 1)))
    pixels = observation.pixels

    assert levels_of(Counter(pixels), run_lengths([observation])) == ([0, 237], [])
    assert between_levels(pixels, (0, 237)) == pytest.approx(4 / 94)
    noise = Counter(dict.fromkeys(range(256), 10))
    assert levels_of(noise, dict.fromkeys(range(256), 1.0)) == (None, [])


def numbered(*values: int) -> Observation:
    return seen(blocks(*values).astype(np.uint16))


def test_class_times_1000_plus_number() -> None:
    assert numbered_classes([numbered(0, 7, 24000, 24001, 26000)]) == (24, 26)
    assert numbered_classes([numbered(0, 24000, 26000)]) == ()  # no class has two objects
    assert numbered_classes([numbered(0, 24000, 24500)]) == ()  # numbers with gaps
    assert numbered_classes([numbered(0, 999, 24000, 24001)]) == ()  # 999 is no class id
    assert numbered_classes([numbered(0, 1, 2)]) == ()


def test_numbered_objects_and_pieces_of_other_classes() -> None:
    values = np.array([[0, 7, 0, 7], [24000, 24000, 24001, 24], [0, 0, 0, 255]], np.uint16)
    encoding = Encoding(
        "instance",
        tuple((raw, raw) for raw in (0, 7, 24)),
        ClassTable(tuple(map(str, range(25))), 0),
        ignored=(255,),
        divisor=1000,
        things=(24,),
    )
    labels, instances = numbered_labels(values, encoding)
    assert labels.tolist() == [[0, 7, 0, 7], [24, 24, 24, 24], [0, 0, 0, 255]]
    assert instances[1].tolist() == [24000, 24000, 24001, 0]  # a crowd is no object
    first, second = int(instances[0, 1]), int(instances[0, 3])
    assert first != second and min(first, second) > 24001 and instances[2].tolist() == [0, 0, 0, 0]
