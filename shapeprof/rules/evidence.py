"""What rules see of a set: statistics of its classes, of the whole set or of a resample, and facts about its masks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from shapeprof.profile.class_view import ClassView
from shapeprof.profile.profile import Profile
from shapeprof.profile.tally import TALLY_SIZE, Counts

RESAMPLES = 200
SEED = 20161231


@dataclass(frozen=True)
class Evidence:
    """Statistics for rules. ``classes`` are the foreground classes with enough objects to decide."""

    images: int
    objects: int  # measured, all foreground classes
    classes: tuple[ClassView, ...]  # the only part that differs between resamples
    too_few: tuple[ClassView, ...]  # classes with too few objects, which decide nothing alone
    sides: tuple[float, float]  # median height and width of the masks, px
    output_classes: int  # of the network: foreground and background, at least two
    pixel_shares: Mapping[int, float]  # class id -> share of all pixels that are not ignored
    assumed_convexity: float | None = None  # to ask what would be decided if all objects had this convexity

    @property
    def all_classes(self) -> tuple[ClassView, ...]:
        """All foreground classes, by id."""
        return tuple(sorted((*self.classes, *self.too_few), key=lambda v: v.id))

    def convexity(self, view: ClassView) -> float:
        """Area-weighted 25 % quantile of a class's convexity, in (0, 1]; NaN when no object has 200 px."""
        return view.convexity(0.25, "area") if self.assumed_convexity is None else self.assumed_convexity

    def worst_survival(self, stride: int) -> float:
        """Smallest linear survival over the deciding classes."""
        return min(v.survival(stride) for v in self.classes)

    @cached_property
    def extents(self) -> dict[int, float]:
        """L90 of every deciding class, by id: the 90 % quantile of the Feret diameter, px."""
        return {v.id: v.quantile("feret", 0.9) for v in self.classes}

    @cached_property
    def widths(self) -> dict[int, float]:
        """The local width, px, that half of the area of a deciding class stays below; by id."""
        return {v.id: v.quantile("width_pixels", 0.5) for v in self.classes}

    @property
    def largest_extent(self) -> float:
        """Largest L90 over the deciding classes, px."""
        return max(self.extents.values(), default=math.nan)

    def view(self, class_id: int) -> ClassView:
        """The deciding class with this id."""
        return next(v for v in self.classes if v.id == class_id)


def or_zero(value: float) -> float:
    """``value``, or 0 where it is undefined: an unknown extent is not large, an unknown convexity not high."""
    return 0.0 if math.isnan(value) else value


def evidence_of(profile: Profile, min_objects: int) -> Evidence:
    """The evidence of the whole set."""
    views = profile.classes()
    enough = [v for v in views if v.measured >= min_objects and v.total("sampled_pixels")]
    ids = {v.id for v in enough}
    return Evidence(
        images=profile.images,
        objects=sum(v.measured for v in views),
        classes=tuple(enough),
        too_few=tuple(v for v in views if v.id not in ids),
        sides=profile.crop_sides(0.5),
        output_classes=max(2, len(profile.names)),
        pixel_shares={v.id: profile.pixel_share(v) for v in views},
    )


def resamples(profile: Profile, evidence: Evidence, n: int = RESAMPLES) -> Iterator[Evidence]:
    """Bootstrap over images or groups: ``n`` draws with replacement from the sampled ones, with a fixed seed.

    Every unit weighs as often as it was drawn. Which classes decide stays as it is: counts of
    objects are facts, not estimates.
    """
    units = profile.units()
    if not units:
        return
    draws = np.random.default_rng(SEED).multinomial(len(units), np.full(len(units), 1 / len(units)), size=n)
    drawn = {view.id: _drawn(view.id, units, draws) for view in evidence.classes}
    for i in range(n):
        views = []
        for view in evidence.classes:
            columns, values = drawn[view.id]
            tally = np.zeros(TALLY_SIZE)
            tally[columns] = values[i]
            views.append(replace(view, tally=tally))
        yield replace(evidence, classes=tuple(views))


def _drawn(
    class_id: int, units: tuple[dict[int, Counts], ...], draws: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Columns of the tally that are ever counted, and their sums in every draw, (n, columns)."""
    holding = [i for i, tallies in enumerate(units) if class_id in tallies]
    columns = (
        np.flatnonzero(np.any([units[i][class_id] != 0 for i in holding], axis=0)) if holding else np.zeros(0, int)
    )
    table = np.array([units[i][class_id][columns] for i in holding], np.float64).reshape(len(holding), columns.size)
    return columns, draws[:, holding].astype(np.float64) @ table
