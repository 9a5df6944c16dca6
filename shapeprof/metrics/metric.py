"""The declaration of a metric: a value per object, from which everything else about it follows.

``@metric(...)`` stands on a function of a ``Geometry`` that returns one value per object. From this declaration follow
the column of objects.parquet, the histogram in every tally, quantiles, the classes block of profile.json, an
extra column of the report, the page of ``shapeprof explain`` and docs/metrics.md, and the tests of types, ranges and
invariance.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .bins import Bins
    from .geometry import Geometry

RELIABLE_AREA = 200  # px, under which convexity of concave shapes reads high (see per_object.convexity)


@dataclass(frozen=True, slots=True)
class Metric:
    """One value per object. Call it with a ``Geometry`` to get the values of all objects, computed once."""

    name: str  # the column of objects.parquet
    dtype: str  # a NumPy type name
    unit: str
    low: float | None  # bounds of the values; None: unbounded
    high: float | None
    title: str  # of a column in the report
    key: str  # the name in profile.json and of the histogram: ``name`` unless an older contract says otherwise
    bins: Bins | None  # of its histogram; None: it has no histogram
    shows: tuple[int, ...]  # percentiles that profile.json and ``--json`` give
    shows_by_area: tuple[int, ...]  # the same over the pixels of objects of at least RELIABLE_AREA px
    in_report: bool  # whether the class table of the report shows its middle value
    undefined: str  # where the value is NaN
    invariant: bool  # whether shifts, flips and quarter turns of the mask leave it as it is
    page: str  # the docstring: meaning, formula, source
    compute: Callable[[Geometry], NDArray[Any]]

    def __call__(self, geometry: Geometry) -> NDArray[Any]:
        """The values of all objects, (n,)."""
        values: NDArray[Any] = geometry.once(self.name, self.compute).astype(self.dtype, copy=False)
        return values

    @property
    def meaning(self) -> str:
        """The first paragraph of the docstring, on one line."""
        return " ".join(self.page.split("\n\n")[0].split()).removesuffix(".")

    @property
    def range(self) -> str:
        """Its bounds as text."""
        low = "-inf" if self.low is None else f"{self.low:g}"
        return f"{low} to {'inf' if self.high is None else f'{self.high:g}'}" + (f" {self.unit}" if self.unit else "")

    def explain(self) -> str:
        """The page of ``shapeprof explain``."""
        facts = [f"Range: {self.range}. Undefined: {self.undefined}."]
        if self.bins is not None:
            facts.append(f'Quantiles per class: "{self.key}" in profile.json, within {self.bins.error}.')
        return f"{self.name}\n\n{self.page}\n\n" + "\n".join(facts)


_declared: list[Metric] = []


def metric(
    name: str,
    dtype: str = "float64",
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    title: str = "",
    key: str = "",
    bins: Bins | None = None,
    shows: tuple[int, ...] = (),
    shows_by_area: tuple[int, ...] = (),
    in_report: bool = False,
    undefined: str = "never",
    invariant: bool = True,
) -> Callable[[Callable[[Geometry], NDArray[Any]]], Metric]:
    """Declare the function below as a metric; see the fields of ``Metric``.

    Raises:
        ValueError: its name or key is taken, it has no docstring, or asks for percentiles without ``bins``.
    """

    def declare(compute: Callable[[Geometry], NDArray[Any]]) -> Metric:
        page = inspect.cleandoc(compute.__doc__ or "")
        new = Metric(
            name, dtype, unit, low, high, title or name.replace("_", " "), key or name, bins, shows, shows_by_area,
            in_report, undefined, invariant, page, compute,
        )  # fmt: skip
        _check(new)
        _declared.append(new)
        return new

    return declare


def _check(new: Metric) -> None:
    where = f"{new.compute.__module__}: the metric {new.name!r}"
    for other in _declared:
        if new.name == other.name or new.key == other.key:
            raise ValueError(f"{where} is declared in {other.compute.__module__} too; give it a name of its own")
    if not new.page:
        raise ValueError(f"{where} has no docstring; say there what it is, with its formula and source")
    if (new.shows or new.shows_by_area or new.in_report) and new.bins is None:
        raise ValueError(f"{where} shows percentiles but has no bins; choose UNIT, LENGTH or DEPTH from metrics.bins")
    if new.in_report and not new.shows:
        raise ValueError(f"{where} is in the report but shows no percentile; for example shows=(50,)")
    np.dtype(new.dtype)


def declared() -> tuple[Metric, ...]:
    """The metrics declared so far; ``registry.all_metrics`` has all."""
    return tuple(_declared)
