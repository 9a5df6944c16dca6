"""Emitters turn a ``ModelSpec`` into the files of one target; they write nothing and import nothing heavy.

To add one, add a file here with a function ``@emitter("name")``; it is found by itself.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from shapeprof.design.spec import ModelSpec
from shapeprof.errors import UsageError


@dataclass(frozen=True, slots=True)
class EmittedFile:
    """One file of an export."""

    path: str  # relative to the export folder, forward slashes
    content: str | bytes  # text is written as UTF-8 with "\n" line ends


Emitter = Callable[[ModelSpec], tuple[EmittedFile, ...]]

_EMITTERS: dict[str, Emitter] = {}


def emitter(name: str) -> Callable[[Emitter], Emitter]:
    """Register the decorated function as the emitter ``name``."""

    def register(function: Emitter) -> Emitter:
        if name in _EMITTERS:
            raise ValueError(f"emitter {name!r} is already defined by {_EMITTERS[name].__module__}")
        _EMITTERS[name] = function
        return function

    return register


def emitter_names() -> tuple[str, ...]:
    """Names of all emitters, sorted."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return tuple(sorted(_EMITTERS))


def find_emitter(name: str) -> Emitter:
    """The emitter ``name``.

    Raises:
        UsageError: if there is none, with the nearest name.
    """
    names = emitter_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
        raise UsageError(f"unknown target {name!r}; {hint}")
    return _EMITTERS[name]
