"""All metrics per object, in the order of their columns."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from . import per_object
from .metric import Metric, declared

_FIRST = ("identity", "convexity", "holes", "outline", "width", "crowding", "border", "survival")


@cache
def all_metrics() -> tuple[Metric, ...]:
    """Every metric of ``per_object``, file by file: ``_FIRST``, then all other files by name."""
    found = sorted(module.name for module in iter_modules(per_object.__path__))
    order = [f"{per_object.__name__}.{name}" for name in (*_FIRST, *(n for n in found if n not in _FIRST))]
    for module in order:
        import_module(module)
    return tuple(sorted(declared(), key=lambda metric: order.index(metric.compute.__module__)))


def histograms() -> tuple[Metric, ...]:
    """The metrics that are counted in bins."""
    return tuple(metric for metric in all_metrics() if metric.bins is not None)


def find_metric(key: str) -> Metric | None:
    """The metric with this key (its name in profile.json), or None."""
    return next((metric for metric in all_metrics() if metric.key == key), None)
