"""What grey values stand for, decided from a few files at a time."""

from __future__ import annotations

import numpy as np
import pytest
from written import blocks

from shapeprof.errors import NothingMeasurable
from shapeprof.sources import ReadOptions
from shapeprof.sources.formats.raster import Raster
from shapeprof.sources.values.draft import Draft
from shapeprof.sources.values.grey import decide_grey, shown
from shapeprof.sources.values.survey import Observation, observe


def files(*held: tuple[int, ...]) -> list[Observation]:
    """A file for each tuple of values."""
    dtype = np.uint16 if max(map(max, held)) > 255 else np.uint8
    return [observe(f"{i}.png", Raster(blocks(*values).astype(dtype))) for i, values in enumerate(held)]


def decided(*held: tuple[int, ...], **options: object) -> Draft:
    return decide_grey(files(*held), ReadOptions(**options), "masks")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "kind", "mapping"),
    [
        ((0, 1), "binary", {0: 0, 1: 1}),
        ((0, 255), "binary", {0: 0, 255: 1}),
        ((0, 237), "binary", {0: 0, 237: 1}),
        ((0, 2), "index", {0: 0, 2: 2}),
        ((0, 1, 2, 3), "index", {0: 0, 1: 1, 2: 2, 3: 3}),
        ((0, 3, 7), "index", {0: 0, 3: 3, 7: 7}),
        ((0, 30, 60, 90), "grey-multiples", {0: 0, 30: 1, 60: 2, 90: 3}),
        ((0, 64, 128), "grey-multiples", {0: 0, 64: 1, 128: 2}),
        ((0, 80, 130, 255), "grey-multiples", {0: 0, 80: 1, 130: 2, 255: 3}),
        ((0, 40, 80, 160), "grey-multiples", {0: 0, 40: 1, 80: 2, 120: 3, 160: 4}),
        ((0, 1000), "binary", {0: 0, 1000: 1}),
    ],
)
def test_values_as_ids_shades_or_two_levels(values: tuple[int, ...], kind: str, mapping: dict[int, int]) -> None:
    draft = decided(values, values)
    assert (draft.kind, draft.mapping, draft.ignored) == (kind, mapping, set())
    assert draft.reasons and not draft.issues


@pytest.mark.parametrize(
    ("values", "ignored"),
    [
        ((0, 1, 2, 255), {255}),
        ((0, 1, 2, 65535), {65535}),
        ((0, 30, 60, 255), {255}),  # not on the step of the others
        ((0, 85, 170, 255), set()),  # shades up to white
        ((0, 51, 102, 153, 204, 255), set()),
    ],
)
def test_255_alone_beside_ids_is_ignored(values: tuple[int, ...], ignored: set[int]) -> None:
    draft = decided(values)
    assert draft.ignored == ignored and not ignored & set(draft.mapping)


def test_what_is_ignored_can_be_asked_for() -> None:
    assert decided((0, 1, 2, 255), ignore_index=None).mapping == {0: 0, 1: 1, 2: 2, 255: 255}
    draft = decided((0, 1, 2, 254, 255), ignore_index=(254, 255))
    assert draft.ignored == {254, 255} and "the value 254 is ignored, as asked" in draft.reasons


def test_two_exports_with_two_foregrounds() -> None:
    draft = decided((0, 1), (0, 1), (0, 255), (0, 255))
    assert draft.mapping == {0: 0, 1: 1, 255: 1} and [i.code for i in draft.issues] == ["two-foregrounds"]
    assert decided((0, 1), (0, 255), (0, 255)).kind == "index"  # one file alone may be a slip


def test_numbers_of_objects() -> None:
    own = [tuple(range(n)) for n in (26, 30, 40)]
    grids = [np.pad(np.arange(n), (0, 100 - n)).reshape(10, 10).repeat(3, 0).repeat(3, 1) for n in map(len, own)]
    seen = [observe(f"{i}.png", Raster(grid.astype(np.uint8))) for i, grid in enumerate(grids)]
    draft = decide_grey(seen, ReadOptions(), "masks")
    assert (draft.kind, draft.instances, draft.mapping) == ("instance", True, {0: 0})
    assert "the files number from 25 to 39 values of their own" in draft.reasons[0]
    assert decide_grey(seen, ReadOptions(instances=False), "masks").kind == "index"
    few = files((0, 1, 2), (0, 1, 2, 3))
    assert decide_grey(few, ReadOptions(), "masks").kind == "index"
    assert decide_grey(few, ReadOptions(), "instance masks").kind == "instance"  # the folder says so


def test_many_values_of_one_file_each_look_like_objects() -> None:
    draft = decided(tuple(range(24)), tuple(range(24, 48)), instances=False)
    assert draft.kind == "index" and [i.code for i in draft.issues] == ["maybe-instances"]


def test_ids_in_jpeg_files_are_doubted() -> None:
    seen = [observe(f"{i}.jpg", Raster(blocks(0, 1, 2).astype(np.uint8), lossy=True)) for i in range(2)]
    draft = decide_grey(seen, ReadOptions(), "masks")
    assert [i.code for i in draft.issues] == ["lossy-ids"] and "2 of 2 masks" in draft.issues[0].message


def test_stray_values_among_shades_are_ignored_with_a_warning() -> None:
    values = np.repeat(np.array([0, 60, 120], np.uint8), 2000).reshape(60, 100)
    values[0, 0] = 61
    draft = decide_grey([observe("a.png", Raster(values))], ReadOptions(), "masks")
    assert (draft.kind, draft.mapping) == ("grey-multiples", {0: 0, 60: 1, 120: 2})
    assert [i.code for i in draft.issues] == ["stray-values"] and "61" in draft.issues[0].message


def test_blends_without_levels_are_refused() -> None:
    rng = np.random.default_rng(0)
    seen = [observe("a.png", Raster(rng.integers(0, 256, (64, 64)).astype(np.uint8)))]
    with pytest.raises(
        NothingMeasurable, match=r"the masks hold blended grey values \(1 of 1.*no few levels stand out"
    ):
        decide_grey(seen, ReadOptions(), "masks")


def test_values_in_a_sentence() -> None:
    assert shown([0, 30, 60]) == "0, 30, 60"
    assert shown(tuple(range(20)), 8) == "0, 1, 2, 3, 4, 5 ... 19"
