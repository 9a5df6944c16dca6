"""Numbers, names and counts as words, and histograms as text: exact answers, and what holds for every value."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shapeprof.report.text import BLOCKS, EIGHTHS, bar, regrouped, spark
from shapeprof.wording import big, brief, duration, listed, percent, plural, printable, quantity, short

SHARES = st.floats(0, 1)
LENGTHS = st.floats(0, 1e6)
TEXTS = st.text(st.characters(codec=None), max_size=400)  # lone surrogates and control characters too
UP = "\N{RIGHT-TO-LEFT OVERRIDE}"


def as_number(text: str) -> float:
    return float(text.replace(",", ""))


# Numbers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "share, text",
    [
        (math.nan, "-"),
        (0.0, "0 %"),
        (1e-300, "<1 %"),
        (0.00499, "<1 %"),
        (0.0051, "1 %"),
        (0.125, "12 %"),
        (0.5, "50 %"),
        (0.9949, "99 %"),
        (0.995, ">99 %"),
        (math.nextafter(1, 0), ">99 %"),
        (1.0, "100 %"),
        (1.5, "150 %"),
    ],
)
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text


@given(SHARES)
def test_only_nothing_is_0_per_cent_and_only_all_is_100(share: float) -> None:
    text = percent(share)
    assert (text == "100 %") == (share == 1)
    if share >= 0.00501 or share == 0:
        assert (text == "0 %") == (share == 0)
    if text[0].isdigit():
        assert abs(as_number(text.removesuffix(" %")) - 100 * share) <= 0.5 + 1e-9


@pytest.mark.parametrize(
    "value, text",
    [
        (math.nan, "-"),
        (0.0, "0.0"),
        (0.04, "0.0"),
        (1.26, "1.3"),
        (9.94, "9.9"),
        (9.95, "10"),
        (10.4, "10"),
        (999.6, "1,000"),
        (1234567.0, "1,234,567"),
    ],
)
def test_quantity(value: float, text: str) -> None:
    assert quantity(value) == text


@given(LENGTHS, LENGTHS)
def test_a_larger_length_never_reads_smaller(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert as_number(quantity(low)) <= as_number(quantity(high))
    assert as_number(short(low)) <= as_number(short(high))
    assert len(quantity(low).replace(",", "").split(".")[0]) < 2 or "." not in quantity(low)


@pytest.mark.parametrize(
    "value, text",
    [
        (0.0, "0"),
        (0.12345, "0.123"),
        (1.0, "1"),
        (12.345, "12.3"),
        (99.94, "99.9"),
        (100.4, "100"),
        (12345.6, "12,346"),
        (-0.5, "-0.5"),
        (-1234.0, "-1,234"),
    ],
)
def test_short(value: float, text: str) -> None:
    assert short(value) == text


@given(st.floats(1e-4, 1e12))
def test_short_numbers_have_no_exponent_and_are_near(value: float) -> None:
    text = short(value)
    assert "e" not in text
    assert as_number(text) == pytest.approx(value, rel=0.00501)


@pytest.mark.parametrize(
    "value, text",
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.0 k"),
        (1449, "1.4 k"),
        (14_300_000, "14.3 M"),
        (1e9, "1.0 G"),
        (2.5e12, "2500.0 G"),
    ],
)
def test_big(value: float, text: str) -> None:
    assert big(value) == text


@given(st.integers(0, 10**13))
def test_big_numbers_keep_their_size(value: int) -> None:
    number, _, unit = big(value).partition(" ")
    whole = float(number) * {"": 1, "k": 1e3, "M": 1e6, "G": 1e9}[unit]
    assert whole == pytest.approx(value, rel=0.051)


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (89.4, "89 s"),
        (90, "2 min"),
        (150, "2 min"),
        (151, "3 min"),
        (5399, "90 min"),
        (5400, "2 h"),
        (36000, "10 h"),
        (172799, "48 h"),
        (172800, "2 days"),
        (864000, "10 days"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@given(st.floats(0, 1e8))
def test_a_duration_is_off_by_a_third_at_most_and_never_one_day(seconds: float) -> None:
    number, unit = duration(seconds).split(" ")
    size = {"s": 1, "min": 60, "h": 3600, "days": 86400}[unit]
    assert abs(float(number) * size - seconds) <= size / 2 + 1e-6
    assert (number, unit) != ("1", "days")


# Names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, shown",
    [
        ("", ""),
        ("é ü 中", "é ü 中"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\udcff.png", r"\udcff.png"),
        ("\u200b", r"\u200b"),
        (f"{UP}gnp", r"\u202egnp"),
        ("x" * 200, "x" * 200),
        ("a" * 130 + "b" * 131, "a" * 120 + "..." + "b" * 77),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(TEXTS, st.integers(81, 300))
def test_printable_text_is_one_line_that_can_be_written_anywhere(text: str, limit: int) -> None:
    shown = printable(text, limit)
    assert shown.isprintable() and len(shown) <= limit
    assert shown.encode().decode() == shown
    assert printable(shown, limit) == shown


@pytest.mark.parametrize(
    "name, limit, shown",
    [
        ("nucleus", 24, "nucleus"),
        ("x" * 24, 24, "x" * 24),
        ("abcdefghijklmnopqrstuvwxyz", 24, "abcdefghijk…opqrstuvwxyz"),
        ("abcdef", 5, "ab…ef"),
        ("abcdef", 4, "a…ef"),
        ("a\nb", 4, r"a\nb"),
    ],
)
def test_brief(name: str, limit: int, shown: str) -> None:
    assert brief(name, limit) == shown


@given(TEXTS, st.integers(2, 60))
def test_a_brief_name_keeps_its_beginning_and_end(name: str, limit: int) -> None:
    shown, whole = brief(name, limit), printable(name, 100_000)
    assert len(shown) <= limit and shown.isprintable()
    if len(whole) > limit:
        head, tail = shown[: limit - limit // 2 - 1], shown[-(limit // 2) :]
        assert whole.startswith(head) and whole.endswith(tail) and len(shown) == limit
    else:
        assert shown == whole


@pytest.mark.parametrize(
    "names, most, text",
    [
        ([], 3, ""),
        (["a"], 3, "a"),
        (["a", "b"], 3, "a and b"),
        (["a", "b", "c"], 3, "a, b and c"),
        (list("abcdefg"), 3, "a, b, c and 4 more"),
        (list("abcd"), 1, "a and 3 more"),
        (["x"] * 2000, 2, "x, x and 1,998 more"),
    ],
)
def test_listed(names: list[str], most: int, text: str) -> None:
    assert listed(names, most) == text


@given(st.lists(st.text("abc", min_size=1, max_size=5), max_size=12), st.integers(1, 5))
def test_every_name_is_listed_or_counted(names: list[str], most: int) -> None:
    text = listed(names, most)
    more = re.search(r" and (\d+) more$", text)
    words = re.findall(r"\b[abc]+\b", re.sub(r" and (?=[abc]+$)", ", ", text).split(" and ")[0])
    assert words == names[: len(words)]
    assert len(words) + int(more[1] if more else 0) == len(names)


@pytest.mark.parametrize(
    "n, noun, text",
    [
        (0, "mask", "0 masks"),
        (1, "mask", "1 mask"),
        (1, "class", "1 class"),
        (2, "class", "2 classes"),
        (3, "patch", "3 patches"),
        (1234, "object", "1,234 objects"),
    ],
)
def test_plural(n: int, noun: str, text: str) -> None:
    assert plural(n, noun) == text


# Bars and histograms ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "share, text",
    [
        (math.nan, "    "),
        (0.0, "    "),
        (1 / 32, "▏   "),
        (0.25, "█   "),
        (0.5, "██  "),
        (0.625, "██▌ "),
        (0.97, "███▉"),
        (1.0, "████"),
        (-3.0, "    "),
        (7.0, "████"),
    ],
)
def test_bar(share: float, text: str) -> None:
    assert bar(share, 4) == text


@given(st.floats(-2, 3), st.integers(1, 40))
def test_a_bar_has_its_width_and_its_length(share: float, width: int) -> None:
    text = bar(share, width)
    assert len(text) == width
    eighths = sum(EIGHTHS.index(c) for c in text)
    assert abs(eighths / 8 - min(max(share, 0), 1) * width) <= 1 / 16 + 1e-9


@pytest.mark.parametrize(
    "counts, text",
    [
        ([], ""),
        ([0, 0, 0], "···"),
        ([5], "█"),
        ([1, 2, 4, 8], "▁▂▄█"),
        ([0, 1, 1_000_000], "·▁█"),
        ([4.5, 8.0], "▅█"),
        ([3, 3, 3], "███"),
    ],
)
def test_spark(counts: list[float], text: str) -> None:
    assert spark(counts) == text


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30))
def test_a_spark_hides_no_count_and_keeps_their_order(counts: list[int]) -> None:
    text = spark(list(counts))
    assert len(text) == len(counts)
    heights = [0 if c == "·" else BLOCKS.index(c) for c in text]
    assert [h > 0 for h in heights] == [c > 0 for c in counts]
    for a, b in zip(np.argsort(counts), np.argsort(counts)[1:], strict=False):
        assert heights[a] <= heights[b]


@pytest.mark.parametrize(
    "edges, groups",
    [([0, 2, 4, 6], [3, 7, 11]), ([2, 4], [21]), ([1, 2, 5], [3, 18]), ([0, 1, 1, 6], [1, 0, 20]), ([0, 99], [21])],
)
def test_regrouped(edges: list[int], groups: list[float]) -> None:
    assert regrouped(np.array([1, 2, 3, 4, 5, 6]), edges) == groups


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=50), st.lists(st.integers(0, 50), min_size=2, max_size=9))
def test_regrouping_loses_nothing(counts: list[int], edges: list[int]) -> None:
    groups = regrouped(np.array(counts), sorted(edges))
    assert sum(groups) == sum(counts) and len(groups) == len(edges) - 1
