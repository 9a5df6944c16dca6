"""Emitters are found by name."""

from __future__ import annotations

import pytest

from shapeprof import emitters
from shapeprof.errors import UsageError


def test_names() -> None:
    assert "pytorch" in emitters.emitter_names()


def test_unknown_names_suggest_a_near_one() -> None:
    with pytest.raises(UsageError, match="unknown target 'pytorhc'; did you mean 'pytorch'"):
        emitters.find_emitter("pytorhc")
    with pytest.raises(UsageError, match=r"unknown target 'x'; known: .*pytorch"):
        emitters.find_emitter("x")


def test_a_second_owner_of_a_name_is_refused() -> None:
    emitters.emitter_names()
    with pytest.raises(ValueError, match=r"'pytorch' is already defined by shapeprof\.emitters\.pytorch"):
        emitters.emitter("pytorch")(lambda spec: ())
