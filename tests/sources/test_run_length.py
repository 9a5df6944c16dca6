"""Runs of label maps against a plain count of equal neighbours, and COCO's run lengths against pycocotools."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco

from shapeprof.labelmap import ClassTable, LabelMap
from shapeprof.runmap import IGNORED, RunMap
from shapeprof.sources.annotations.model import BAD_RLE, BadShape, RunLength
from shapeprof.sources.encoding import Encoding
from shapeprof.sources.reading.drawing import compressed_counts, rasterise
from shapeprof.sources.reading.files import resize_nearest
from shapeprof.sources.reclass import reclassed_labels, reclassed_runs
from shapeprof.sources.run_length import encode, merged_runs

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 20))
CLASSES = ClassTable(("background", "a", "b"))


def expected(labels: np.ndarray, ids: np.ndarray | None) -> list[list[tuple[int, int, int]]]:
    """(first column, class id, object id) of the runs of each row."""
    rows = []
    most = np.iinfo(labels.dtype).max
    for y, line in enumerate(labels.tolist()):
        pairs = list(zip(line, [0] * len(line) if ids is None else ids[y].tolist(), strict=True))
        row, x = [], 0
        for (value, number), equal in groupby(pairs):
            row.append((x, IGNORED if value == most else value, number))
            x += len(list(equal))
        rows.append(row)
    return rows


def found(runs: RunMap) -> list[list[tuple[int, int, int]]]:
    ids = np.zeros(runs.start.size, int) if runs.instance is None else runs.instance
    whole = list(zip(runs.start.tolist(), runs.value.tolist(), ids.tolist(), strict=True))
    return [whole[a:b] for a, b in zip(runs.row[:-1].tolist(), runs.row[1:].tolist(), strict=True)]


@given(arrays.arrays(np.uint8, SHAPES, elements=st.sampled_from([0, 1, 2, 254, 255])))
@settings(deadline=None)  # a kernel is compiled first
def test_runs_of_labels(labels: np.ndarray) -> None:
    runs = encode(LabelMap(labels, CLASSES, "a.png", None, "digest"))
    assert found(runs) == expected(labels, None)
    assert (runs.size, runs.path, runs.digest, runs.instance) == (labels.shape, "a.png", "digest", None)


@pytest.mark.slow
@given(st.data(), SHAPES)
@settings(deadline=None)  # a kernel is compiled first
def test_runs_of_labels_and_objects(data: st.DataObject, shape: tuple[int, int]) -> None:
    labels = data.draw(arrays.arrays(np.uint16, shape, elements=st.sampled_from([0, 1, 255, 65535])))
    ids = data.draw(arrays.arrays(np.uint32, shape, elements=st.sampled_from([0, 1, 2, 2**31])))
    assert found(encode(LabelMap(labels, CLASSES, "a.png", ids))) == expected(labels, ids)


@pytest.mark.parametrize("instances", [False, True])
def test_more_runs_than_room_was_made_for(instances: bool) -> None:
    labels = np.tile(np.array([0, 1], np.uint8), (40, 400))
    ids = labels.astype(np.uint16) if instances else None
    assert found(encode(LabelMap(labels, CLASSES, "a.png", ids))) == expected(labels, ids)


@given(arrays.arrays(np.uint8, SHAPES, elements=st.integers(0, 3)), st.booleans())
@settings(deadline=None)  # a kernel is compiled first
def test_runs_that_have_become_equal_are_joined(labels: np.ndarray, with_ids: bool) -> None:
    ids = (labels * 3).astype(np.uint16) if with_ids else None
    runs = encode(LabelMap(labels, CLASSES, "a.png", ids))
    value = (runs.value // 2).astype(np.int32)
    own = np.zeros(0, np.int64) if runs.instance is None else runs.instance
    row, start, value, own = merged_runs(runs.row, runs.start, value, own)
    joined = replace(runs, row=row, start=start, value=value, instance=own if with_ids else None)
    assert found(joined) == expected(labels // 2, ids)


@given(st.data(), SHAPES)
@settings(deadline=None)  # a kernel is compiled first
def test_classes_of_runs_change_as_those_of_pixels(data: st.DataObject, shape: tuple[int, int]) -> None:
    labels = data.draw(arrays.arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 2, 3, 5, 255])))
    ids = np.where((labels > 0) & (labels < 255), np.arange(labels.size).reshape(shape) // 3 + 1, 0).astype(np.uint16)
    encoding = Encoding(
        "index", ((0, 0), (1, 1), (2, 2), (3, 3)), ClassTable(("background", "b")), new_ids=(0, 0, 1, 1)
    )
    known = np.array([0, 0, 1, 1, 0, 3])  # ids beyond the table close up
    for instances in (None, ids):
        whole = LabelMap(labels, CLASSES, "a.png", instances)
        pixels = reclassed_labels(whole, encoding)
        assert np.array_equal(pixels.labels, np.where(labels == 255, 255, known[np.minimum(labels, 5)]))
        if pixels.instances is not None:
            assert not pixels.instances[(pixels.labels == 0) | (pixels.labels == 255)].any()
        assert found(reclassed_runs(encode(whole), encoding)) == found(encode(pixels))


@pytest.mark.slow
@given(arrays.arrays(np.bool_, SHAPES))
def test_run_lengths_of_coco_in_both_forms(pixels: np.ndarray) -> None:
    coded = coco.encode(np.asfortranarray(pixels.astype(np.uint8)))
    columns = pixels.T.ravel().tolist()
    counts = [len(list(run)) for _, run in groupby(columns)]
    counts = [0, *counts] if columns[0] else counts
    assert compressed_counts(coded["counts"]) == counts
    for stored in (coded["counts"], tuple(counts)):
        part, top, left = rasterise(RunLength(stored, pixels.shape), pixels.shape)
        drawn = np.zeros_like(pixels)
        drawn[top : top + part.shape[0], left : left + part.shape[1]] = part
        assert np.array_equal(drawn, pixels)


@given(st.binary(max_size=12))
def test_any_text_is_run_lengths_of_the_image_or_damaged(text: bytes) -> None:
    try:
        part, _, _ = rasterise(RunLength(text, (4, 5)), (4, 5))
    except BadShape as error:
        assert str(error) == BAD_RLE
    else:
        counts = compressed_counts(text)
        assert counts is not None and sum(counts) == 20 and part.shape[0] <= 4 and part.shape[1] <= 5


@pytest.mark.parametrize("text", [b"/", b"p", b"\xff", b"P", b"PPPPPPPP0"])
def test_characters_that_are_no_run_lengths(text: bytes) -> None:
    assert compressed_counts(text) is None


@pytest.mark.parametrize("counts", [(), (19,), (21,), (-1, 21), (10, -10, 20), (2**40, 20 - 2**40)])
def test_run_lengths_that_do_not_fill_the_image(counts: tuple[int, ...]) -> None:
    with pytest.raises(BadShape, match=BAD_RLE):
        rasterise(RunLength(counts, (4, 5)), (4, 5))
    with pytest.raises(BadShape, match=BAD_RLE):
        rasterise(RunLength((20,), (5, 4)), (4, 5))  # of another image


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))), st.integers(1, 12))
def test_resizing_takes_the_pixel_below_each_centre(values: np.ndarray, shorter: int) -> None:
    resized = resize_nearest(values, shorter)
    rows, columns = resized.shape
    assert min(rows, columns) == shorter or min(values.shape) == shorter
    for y in range(rows):
        for x in range(columns):
            row = int((y + 0.5) * values.shape[0] / rows + 1e-9)
            column = int((x + 0.5) * values.shape[1] / columns + 1e-9)
            assert resized[y, x] == values[row, column]
    assert np.array_equal(resize_nearest(resized, shorter), resized)
