"""What a rule is, and the register of all rules in the order in which they run."""

from __future__ import annotations

import difflib
import importlib
import math
import pkgutil
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from inspect import cleandoc
from typing import Any

from shapeprof.design.draft import Draft
from shapeprof.design.family import DEFAULT

from .evidence import Evidence
from .thresholds import Thresholds


@dataclass(frozen=True)
class Outcome:
    """What one rule decides, and from which number."""

    sets: Mapping[str, Any]  # part of spec.yaml ("training.loss") -> value
    value: Any  # the decision in short, comparable between resamples
    reason: str  # one or two plain sentences with the numbers
    statistic: str = ""  # name of the number that decided
    # The number itself, of the whole set or of a resample; with it come an interval and the agreement of resamples.
    read: Callable[[Evidence], float] | None = None
    measured: float = math.nan  # the number, where resampling images says nothing about it
    threshold: float = math.nan
    binding_class: str | None = None
    flips_when: str = ""
    abstains: bool = False  # there is too little to decide from: rules that are not ``always`` stay silent
    answer: str = ""  # the decision in words, for sentences about ties: "output 1/8"
    cheaper: Outcome | None = None  # what is taken instead if resamples are split between the two (R16)


Check = Callable[[Evidence, Draft, Thresholds], Outcome]


@dataclass(frozen=True)
class Rule:
    """A registered rule."""

    code: str  # "R1"
    name: str  # what it decides: "logit-stride"
    title: str  # of its line in the report: "Detail"
    parts: tuple[str, ...]  # of spec.yaml that it sets
    page: str  # its documentation: its docstring
    check: Check | None = field(repr=False)  # None: a step of the engine, which has a page but decides no part
    after: tuple[str, ...] = ()  # codes of the rules whose decisions it reads
    always: bool = False  # runs also where an earlier rule abstains
    refits: bool = False  # runs again when a user chooses another network
    module: str = ""

    def run(self, evidence: Evidence, draft: Draft, t: Thresholds) -> Outcome:
        """The outcome on this evidence.

        Raises:
            ValueError: it sets a part that its decorator does not name.
        """
        assert self.check is not None, f"{self.code} is a step of the engine"
        outcome = self.check(evidence, draft, t)
        for each in (outcome, outcome.cheaper):
            if each is not None and (unnamed := each.sets.keys() - {*self.parts}):
                raise ValueError(f"{self.module}: {self.code} sets {', '.join(sorted(unnamed))}; name it in sets=(...)")
        return outcome


_REGISTERED: dict[str, Rule] = {}


def rule(
    code: str,
    name: str,
    *,
    title: str,
    sets: tuple[str, ...] = (),
    after: str | tuple[str, ...] = (),
    always: bool = False,
    refits: bool = False,
) -> Callable[[Check], Check]:
    """Register a rule.

    Args:
        code: "R" or "T" and a number, unique.
        name: what it decides, in a word or two with hyphens.
        title: of its line in the report.
        sets: the parts of spec.yaml that it sets.
        after: codes of the rules that must have run before.
        always: it runs even where an earlier rule abstains; the others read shape statistics and then stay silent.
        refits: it runs again when a user chooses another network than the recommended one.
    """

    def register(check: Check) -> Check:
        for path in sets:
            DEFAULT.part(path)
        earlier = (after,) if isinstance(after, str) else after
        page, module = cleandoc(check.__doc__ or ""), check.__module__
        _register(Rule(code, name, title, sets, page, check, earlier, always, refits, module))
        return check

    return register


def step(code: str, name: str, *, title: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a step of the engine that weighs the outcomes of rules: it has a code and a page like a rule."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        _register(Rule(code, name, title, (), cleandoc(function.__doc__ or ""), None, module=function.__module__))
        return function

    return register


def _register(new: Rule) -> None:
    if re.fullmatch(r"[A-Z]\d+", new.code) is None:
        raise ValueError(f"{new.module}: {new.code!r} is no code; expected a letter and a number, as R1")
    for old in _REGISTERED.values():
        if new.code == old.code or new.name == old.name:
            raise ValueError(f"{new.module}: rule {new.code} ({new.name}) is already in {old.module}")
    _REGISTERED[new.code] = new


def all_rules() -> tuple[Rule, ...]:
    """All rules in the order in which they run, then the steps of the engine."""
    package = importlib.import_module(__package__ or "")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return ordered(_REGISTERED.values())


def ordered(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """``rules`` sorted so that each comes behind those that it names in ``after``; of those free to run, by code.

    Raises:
        ValueError: an unknown code, or rules that wait for each other.
    """
    waiting = {r.code: r for r in sorted(rules, key=_place)}
    for each in waiting.values():
        for code in each.after:
            if code not in waiting:
                near = difflib.get_close_matches(code, waiting, 1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise ValueError(f"{each.module}: {each.code} runs after {code}, which is no rule{hint}")
    placed: list[Rule] = []
    while waiting:
        free = next((r for r in waiting.values() if waiting.keys().isdisjoint(r.after)), None)
        if free is None:
            circle = ", ".join(f"{r.code} after {' and '.join(r.after)}" for r in waiting.values())
            raise ValueError(f"these rules wait for each other: {circle}")
        placed.append(waiting.pop(free.code))
    return tuple(placed)


def _place(each: Rule) -> tuple[bool, str, int]:
    return each.check is None, each.code[0], int(each.code[1:])
