"""The register of findings: what each code means, whether a check of the profile or reading the files yields it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from inspect import cleandoc

from shapeprof.issues import Severity
from shapeprof.profile.profile import Profile
from shapeprof.recommend.decision import Recommendation

from .finding import Finding, Found, sentence

Check = Callable[[Profile, "Recommendation | None"], Iterator[Found]]


@dataclass(frozen=True)
class Registered:
    """One kind of finding."""

    code: str
    severity: Severity | None  # None: it depends on the case
    page: str  # its documentation
    check: Check | None = field(default=None, repr=False)  # None: reading the files finds it

    def find(self, profile: Profile, recommendation: Recommendation | None) -> Iterator[Finding]:
        """The findings of this kind in a profile."""
        assert self.check is not None and self.severity is not None, f"{self.code} is found by reading"
        for found in self.check(profile, recommendation):
            message = sentence(found.fact, found.remedy)
            yield Finding(self.severity, self.code, message, found.remedy, found.place, found.more)


_REGISTERED: dict[str, Registered] = {}


def finding(code: str, severity: Severity) -> Callable[[Check], Check]:
    """Register a check: it yields a ``Found`` for everything it finds, and its docstring is the code's page."""

    def register(check: Check) -> Check:
        add(Registered(code, severity, cleandoc(check.__doc__ or ""), check))
        return check

    return register


def add(new: Registered) -> None:
    """Register a code.

    Raises:
        ValueError: the code is taken, or has no page.
    """
    if new.code in _REGISTERED:
        raise ValueError(f"the finding {new.code} is registered twice; a code has one meaning")
    if not new.page:
        raise ValueError(f"the finding {new.code} has no page; give its function a docstring")
    _REGISTERED[new.code] = new


def all_findings() -> tuple[Registered, ...]:
    """Every registered finding, by code. A module of this package registers its own when it is imported."""
    package = importlib.import_module(__package__ or "")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return tuple(_REGISTERED[code] for code in sorted(_REGISTERED))
