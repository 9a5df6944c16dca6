"""What is made of single values in annotation documents: text, numbers, names, sizes, outlines."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shapeprof.sources.annotations.model import (
    FAR,
    NEGATIVE,
    NO_SHAPE,
    NOT_FINITE,
    TOO_FEW,
    BadShape,
    Document,
    Record,
    ellipse,
    file_name_of,
    left_out,
    number_of,
    points,
    rectangle,
    size_of,
    text_of,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), ([], ""), ({"a": 1}, ""), (3, "3"), (2.5, "2.5"), (True, "True"), (" cat ", "cat"), ("", "")],
)
def test_scalars_are_text(value: Any, text: str) -> None:
    assert text_of(value) == text


def test_text_that_is_no_unicode_can_be_written_all_the_same() -> None:
    assert text_of("a\ud800b") == "a?b"


@pytest.mark.slow
@given(JSON)
def test_no_value_breaks_text_numbers_and_names(value: Any) -> None:
    text_of(value).encode()
    assert isinstance(number_of(value), float)
    name = file_name_of(value)
    assert not name.startswith("/") and ".." not in name.split("/") and "\\" not in name and "\0" not in name
    size = size_of(value, value)
    assert size is None or (size[0] == size[1] >= 1)


@pytest.mark.parametrize("value", [True, False, None, "3", [], 10**400, math.nan])
def test_what_is_no_number(value: Any) -> None:
    assert math.isnan(number_of(value))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a.jpg", "a.jpg"),
        ("train/a.jpg", "train/a.jpg"),
        ("train\\a.jpg", "train/a.jpg"),
        ("./../x/../a.jpg", "x/a.jpg"),
        ("/home/me/a.jpg", "a.jpg"),
        ("C:\\data\\a.jpg", "a.jpg"),
        ("a//b.jpg", "a/b.jpg"),
        ("a\0.jpg", "a.jpg"),
        ("..", ""),
        ("/", ""),
        (None, ""),
        (7, "7"),
    ],
)
def test_file_names_stay_relative(written: Any, read: str) -> None:
    assert file_name_of(written) == read


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [
        (3, 4, (3, 4)),
        (3.0, "4", (3, 4)),
        ("0012", "5", (12, 5)),
        (0, 4, None),
        (-3, 4, None),
        (3.5, 4, None),
        (None, 4, None),
        (True, 4, None),
        ("3.0", "4", None),
        ("\u0663", "4", None),  # a digit, but no ASCII one
        ("1234567890", "4", None),
        (math.inf, 4, None),
        ([3], [4], None),
    ],
)
def test_sizes_are_positive_whole_numbers(height: Any, width: Any, size: tuple[int, int] | None) -> None:
    assert size_of(height, width) == size


@pytest.mark.parametrize("values", [[0, 0, 4, 0, 4, 4], [[0, 0], [4, 0], [4, 4]], ["0", "0", "4", "0", "4", "4"]])
def test_a_ring_from_a_list_or_from_pairs(values: Any) -> None:
    assert points(values).tolist() == [[0, 0], [4, 0], [4, 4]]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([], NO_SHAPE),
        ([1, 2], TOO_FEW),
        ([1, 2, 3, 4], TOO_FEW),
        ([1, 2, 3, 4, 5, 6, 7], TOO_FEW),  # half a point
        ([[1, 2, 3], [4, 5, 6]], TOO_FEW),  # points in space
        ([[1, 2], [3]], NOT_FINITE),
        ([1, 2, 3, 4, 5, "x"], NOT_FINITE),
        ([1, 2, 3, 4, 5, math.nan], NOT_FINITE),
        ([1, 2, 3, 4, 5, math.inf], NOT_FINITE),
        ([1, 2, 3, 4, 5, 2 * FAR], NOT_FINITE),
        ([1, 2, 3, 4, 5, 10**400], NOT_FINITE),
        ({"x": 1}, NOT_FINITE),
    ],
)
def test_what_is_no_ring(values: Any, why: str) -> None:
    with pytest.raises(BadShape, match=why):
        points(values)


@pytest.mark.parametrize("shape", [(0, 0, -1, 2), (0, 0, 2, -1)])
def test_an_ellipse_of_negative_size(shape: tuple[float, ...]) -> None:
    with pytest.raises(BadShape, match=NEGATIVE):
        ellipse(*shape)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -2 * FAR])
@pytest.mark.parametrize("at", range(5))
def test_an_ellipse_of_no_numbers(bad: float, at: int) -> None:
    values = [1.0, 2.0, 3.0, 4.0, 0.5]
    values[at] = bad
    with pytest.raises(BadShape, match=NOT_FINITE):
        ellipse(*values)


def test_the_corners_of_a_rectangle_in_order() -> None:
    assert rectangle(1, 2, 5, 9).rings[0].tolist() == [[1, 2], [5, 2], [5, 9], [1, 9]]


def test_records_are_found_by_their_name_or_by_its_last_part_where_that_is_unique() -> None:
    document = Document()
    first, second, third = Record("x/a.jpg", None), Record("y/a.jpg", (2, 3)), Record("y/b.jpg", None)
    assert all(map(document.add, (first, second, third)))
    assert not document.add(Record("x/a.jpg", (9, 9))) and document.records["x/a.jpg"] is first
    assert document.find("y/a.jpg") is second and document.find("b.jpg") is third
    assert document.find("a.jpg") is None and document.find("c.jpg") is None


def test_what_is_left_out_is_one_warning_with_the_fix() -> None:
    assert left_out("images have no id", [], "x.json", "add them") == []
    [issue] = left_out("images have no id", ["a", "b", "c", "d"], "x.json", "add them")
    assert (issue.severity, issue.code, issue.path) == ("warning", "annotations-left-out", "x.json")
    assert issue.message == "4 images have no id: a, b, c and 1 more. They are left out; add them"


@given(st.lists(st.tuples(st.floats(-100, 100), st.floats(-100, 100)), min_size=3, max_size=9))
def test_flat_and_paired_outlines_are_the_same_ring(ring: list[tuple[float, float]]) -> None:
    flat = [value for point in ring for value in point]
    assert np.array_equal(points(flat), points([list(point) for point in ring]))
