"""Emitters are found by name."""

from __future__ import annotations

import pytest

from shapeprof import targets
from shapeprof.errors import UsageError


def test_names() -> None:
    assert "pytorch" in targets.emitter_names()


def test_unknown_names_suggest_a_near_one() -> None:
    with pytest.raises(UsageError, match="unknown target 'pytorhc'; did you mean 'pytorch'"):
        targets.find_emitter("pytorhc")
    with pytest.raises(UsageError, match=r"unknown target 'x'; known: .*pytorch"):
        targets.find_emitter("x")


def test_a_second_owner_of_a_name_is_refused() -> None:
    targets.emitter_names()
    with pytest.raises(ValueError, match=r"'pytorch' is already defined by shapeprof\.targets\.pytorch"):
        targets.emitter("pytorch")(lambda spec: ())
