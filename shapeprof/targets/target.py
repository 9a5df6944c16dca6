"""What a target is, and which ones there are.

To add one, add a file here with a function ``@target("name", ...)`` that turns a spec into files. It is found:
`shapeprof export --to name` writes it, checks it and ends with its next lines.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shapeprof.design.spec import ModelSpec
from shapeprof.errors import UsageError


@dataclass(frozen=True, slots=True)
class EmittedFile:
    """One file of an export."""

    path: str  # relative to the export folder, forward slashes
    content: str | bytes  # text is written as UTF-8 with "\n" line ends


Emit = Callable[[ModelSpec], tuple[EmittedFile, ...]]
NextLines = Callable[[Path], tuple[str, ...]]


def _nothing(folder: Path) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of export."""

    name: str  # as `--to` takes it: "pytorch"
    title: str  # one line about it, for the help
    emit: Emit  # every file but the data
    needs_dataset: bool = True  # it trains on dataset.csv and masks, which are written where images are given
    checks: str | None = None  # script of the folder that `shapeprof verify` runs; None: there is nothing to check
    next_lines: NextLines = _nothing  # (the export folder) to the commands to type next, ready to paste


_TARGETS: dict[str, Target] = {}


def target(
    name: str, *, title: str, needs_dataset: bool = True, checks: str | None = None, next_lines: NextLines = _nothing
) -> Callable[[Emit], Emit]:
    """Register the decorated function as the target ``name``; see ``Target`` for the arguments.

    Raises:
        ValueError: the name is taken.
    """

    def register(emit: Emit) -> Emit:
        if name in _TARGETS:
            raise ValueError(f"target {name!r} is already defined by {_TARGETS[name].emit.__module__}")
        _TARGETS[name] = Target(name, title, emit, needs_dataset, checks, next_lines)
        return emit

    return register


def all_targets() -> tuple[Target, ...]:
    """Every target, by name."""
    package = importlib.import_module(__package__ or "")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return tuple(_TARGETS[name] for name in sorted(_TARGETS))


def target_names() -> tuple[str, ...]:
    """Names of all targets, sorted."""
    return tuple(each.name for each in all_targets())


def find_target(name: str) -> Target:
    """The target ``name``.

    Raises:
        UsageError: if there is none, with the nearest name.
    """
    names = target_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
        raise UsageError(f"unknown target {name!r}; {hint}")
    return _TARGETS[name]
