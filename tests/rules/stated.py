"""Evidence whose numbers are stated by hand, so that what a rule must answer can be worked out on paper."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, cast

from shapeprof.design.draft import Draft
from shapeprof.design.family import DEFAULT
from shapeprof.profile.profile import ClassView
from shapeprof.rules.evidence import Evidence
from shapeprof.rules.rule import Outcome, all_rules
from shapeprof.rules.thresholds import Thresholds

ALL_KEPT = dict.fromkeys((2, 4, 8, 16, 32), 1.0)


@dataclass
class Stated:
    """What rules ask of a class."""

    id: int = 1
    name: str = "thing"
    survives: dict[int, float] = field(default_factory=lambda: dict(ALL_KEPT))  # stride -> linear survival
    recalls: dict[int, float] = field(default_factory=lambda: dict(ALL_KEPT))
    extents: tuple[float, float, float] = (40.0, 45.0, 50.0)  # L50, L75, L90, px
    widths: tuple[float, float] = (10.0, 20.0)  # w10, w50, px
    convex: float = 0.95
    measured: int = 100
    images: int = 20  # that hold the class

    def survival(self, stride: int) -> float:
        return 1.0 if stride == 1 else self.survives[stride]

    def recall(self, stride: int) -> float:
        return 1.0 if stride == 1 else self.recalls[stride]

    def quantile(self, name: str, q: float) -> float:
        return dict(zip((0.5, 0.75, 0.9), self.extents, strict=True))[q] if name == "feret" else self.width(q)

    def width(self, q: float) -> float:
        return {0.1: self.widths[0], 0.5: self.widths[1]}[q]

    def convexity(self, q: float, weight: str) -> float:
        assert (q, weight) == (0.25, "area")
        return self.convex

    def total(self, name: str) -> float:
        assert name == "images"
        return float(self.images)


def stated(*classes: Stated, too_few: tuple[Stated, ...] = (), **facts: Any) -> Evidence:
    """Evidence of 100 masks of 640 x 480 with these classes, each with a fifth of the pixels."""
    views = (*classes, *too_few)
    values: dict[str, Any] = {
        "images": 100,
        "objects": sum(v.measured for v in views),
        "classes": tuple(cast(ClassView, v) for v in classes),
        "too_few": tuple(cast(ClassView, v) for v in too_few),
        "sides": (480.0, 640.0),
        "output_classes": 1 + len(views),
        "pixel_shares": {v.id: 0.2 for v in views},
    }
    return Evidence(**(values | facts))


def decide(code: str, evidence: Evidence, draft: Draft = DEFAULT, **thresholds: float) -> Outcome:
    """What one rule answers."""
    rule = next(r for r in all_rules() if r.code == code)
    return rule.run(evidence, draft, Thresholds(**thresholds))  # type: ignore[arg-type]


def kept_until(stride: int, below: float = 0.5) -> dict[int, float]:
    """All is kept up to this stride, and ``below`` at coarser ones."""
    return {s: 1.0 if s <= stride else below for s in ALL_KEPT}


UNKNOWN = math.nan
