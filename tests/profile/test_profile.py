"""A profile's own statistics: sizes, void bands, nesting, and the units of the bootstrap."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shapeprof.metrics.bins import LENGTH
from shapeprof.profile.profile import Ledger, Profile, merge_nesting
from shapeprof.profile.tally import add_tallies, merge_tallies, new_tally, part


def tally_of(pixels: int) -> Any:
    counts = new_tally()
    part(counts, "pixels")[...] = pixels
    return counts


def profile(**fields: Any) -> Profile:
    given = {
        "names": ("background", "thing"), "background": 0, "encoding": {}, "ledger": Ledger(3, 2, 0, 1), "sizes": {},
        "pixels": 100, "ignored": 20, "background_pixels": 40, "totals": {}, "sample": (), "extremes": {}, "issues": (),
        "fingerprint": "",
    }  # fmt: skip
    return Profile(**(given | fields))


def test_names_of_classes_beyond_the_table() -> None:
    assert [profile().name_of(c) for c in (1, 2, 7)] == ["thing", "class 2", "class 7"]


def test_classes_and_their_share_of_pixels() -> None:
    made = profile(totals={4: tally_of(10), 1: tally_of(30)})
    assert [(view.id, view.name) for view in made.classes()] == [(1, "thing"), (4, "class 4")]
    assert [made.pixel_share(view) for view in made.classes()] == [30 / 80, 10 / 80]
    assert math.isnan(profile(totals={1: tally_of(0)}, pixels=0, ignored=0).pixel_share(made.classes()[0]))


def test_the_width_of_void_bands() -> None:
    assert math.isnan(profile().void_width(0.5))
    bands = np.bincount(LENGTH.bin_of(np.array([4, 4, 4, 16])), minlength=LENGTH.number)
    made = profile(void_widths=bands)
    assert [made.void_width(q) for q in (0.5, 1)] == [4, 16]


def test_sides_of_masks() -> None:
    made = profile(sizes={(100, 300): 1, (200, 100): 2, (50, 400): 1})
    assert made.crop_sides(0.5) == (100, 100)
    assert made.crop_sides(1) == (200, 400)
    assert all(math.isnan(side) for side in profile().crop_sides(0.5))


def test_nested_classes_and_their_share() -> None:
    made = profile(totals={1: tally_of(200), 2: tally_of(50)}, nesting={(1, 2): (40, 3), (1, 9): (5, 0)})
    first, second = made.nested()
    assert (first.outer, first.inner, first.pixels, first.objects, first.share_of_inner) == (1, 2, 40, 3, 0.8)
    assert math.isnan(second.share_of_inner)


def test_units_are_masks_or_groups_of_them() -> None:
    sample = tuple((path, {1: tally_of(n)}) for path, n in (("p1_a.png", 1), ("p1_b.png", 2), ("p2_a.png", 4)))

    def pixels(made: Profile) -> list[int]:
        return [int(part(unit[1], "pixels")) for unit in made.units()]

    assert sorted(pixels(profile(sample=sample))) == [1, 2, 4]
    assert sorted(pixels(profile(sample=sample, arguments={"group": "(p[0-9])"}))) == [3, 4]


nestings = st.dictionaries(
    st.tuples(st.integers(0, 3), st.integers(0, 3)), st.tuples(st.integers(0, 9), st.integers(0, 9))
)


@settings(deadline=None, max_examples=50)
@given(st.lists(nestings, max_size=4))
def test_nesting_merges_in_any_order(parts: list[Any]) -> None:
    whole = merge_nesting(parts)
    assert whole == merge_nesting(parts[::-1]) == merge_nesting([merge_nesting(parts[:2]), merge_nesting(parts[2:])])
    for pair in whole:
        assert whole[pair] == tuple(sum(nesting.get(pair, (0, 0))[k] for nesting in parts) for k in (0, 1))


@pytest.mark.parametrize("present", [True, False])
def test_adding_tallies_copies_what_is_new(present: bool) -> None:
    into, other = ({1: tally_of(5)} if present else {}), {1: tally_of(7)}
    add_tallies(into, other)
    assert int(part(into[1], "pixels")) == (12 if present else 7)
    into[1] += 1
    assert int(part(other[1], "pixels")) == 7
    assert list(merge_tallies([{2: tally_of(1)}, {1: tally_of(1)}])) == [1, 2]
