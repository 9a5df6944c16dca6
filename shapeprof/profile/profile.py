"""Profile: what a set of masks holds, as counts that merge exactly."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shapeprof.grouping import group_of, group_regex
from shapeprof.issues import Issue
from shapeprof.metrics.bins import LENGTH, LENGTH_BINS, quantile_bin

from .class_view import ClassView
from .extremes import Extremes
from .tally import Counts, merge_tallies, part

SCHEMA_VERSION = 3

Nesting = dict[tuple[int, int], tuple[int, int]]  # (outer, inner) class ids -> pixels, objects


@dataclass(frozen=True, slots=True)
class Nested:
    """One class in the holes of another."""

    outer: int  # class id
    inner: int
    pixels: int  # of the inner class, in holes of objects of the outer class
    objects: int  # of the inner class that lie there wholly, small ones too
    share_of_inner: float  # of all the inner class's pixels


@dataclass(frozen=True)
class Ledger:
    """Counts of files: ``files = read + unreadable``; ``empty`` ones are among those read."""

    files: int = 0
    read: int = 0
    empty: int = 0  # read, without any object
    unreadable: int = 0
    skipped: int = 0  # files that are no masks


@dataclass(frozen=True)
class Profile:
    """What a mask set holds. ``file.dump`` writes it."""

    names: tuple[str, ...]  # class names by id, background included
    background: int | None
    encoding: dict[str, Any]  # how the masks were read, with the reasons
    ledger: Ledger
    sizes: dict[tuple[int, int], int]  # (rows, columns) -> masks
    pixels: int  # over all masks
    ignored: int  # pixels
    background_pixels: int
    totals: dict[int, Counts]  # by class id, foreground only
    sample: tuple[tuple[str, dict[int, Counts]], ...]  # per sampled mask, by path: the bootstrap's units
    extremes: Extremes
    issues: tuple[Issue, ...]
    fingerprint: str  # of paths and contents
    arguments: dict[str, Any] = field(default_factory=dict)
    tool_version: str = ""
    log: dict[str, Any] = field(default_factory=dict)  # time, place: differs between equal scans
    nesting: Nesting = field(default_factory=dict)  # (outer, inner) class: pixels and objects in its holes
    void_widths: Counts = field(default_factory=lambda: np.zeros(LENGTH_BINS, np.int64))  # see ``void_width``

    @property
    def images(self) -> int:
        """Masks that were read."""
        return self.ledger.read

    def name_of(self, class_id: int) -> str:
        """The name of a class."""
        return self.names[class_id] if class_id < len(self.names) else f"class {class_id}"

    def classes(self) -> tuple[ClassView, ...]:
        """All foreground classes that occur, by id."""
        return tuple(ClassView(c, self.name_of(c), self.totals[c]) for c in sorted(self.totals))

    def pixel_share(self, view: ClassView) -> float:
        """Share of all pixels that are not ignored."""
        valid = self.pixels - self.ignored
        return view.total("pixels") / valid if valid else math.nan

    def units(self) -> tuple[dict[int, Counts], ...]:
        """The bootstrap's sampling units: tallies of each sampled mask, or of each group of them (--group)."""
        pattern = self.arguments.get("group")
        regex = group_regex(pattern) if pattern else None
        members: dict[str, list[dict[int, Counts]]] = {}
        for path, tallies in self.sample:
            group = group_of(path, regex)
            members.setdefault(f"mask {path}" if group is None else f"group {group}", []).append(tallies)
        return tuple(merge_tallies(members[key]) for key in sorted(members))

    def void_width(self, q: float) -> float:
        """Quantile of the local width of ignored pixels, px, within 2.2 %; NaN when there are none.

        Over the ignored pixels of sampled masks. A band of ignored pixels around objects hides boundary errors.
        """
        return LENGTH.quantile(self.void_widths, q)

    def nested(self) -> tuple[Nested, ...]:
        """The classes that lie in holes of another class, by id."""
        found = []
        for (outer, inner), (pixels, objects) in sorted(self.nesting.items()):
            whole = int(part(self.totals[inner], "pixels")) if inner in self.totals else 0
            found.append(Nested(outer, inner, pixels, objects, pixels / whole if whole else math.nan))
        return tuple(found)

    def crop_sides(self, q: float) -> tuple[float, float]:
        """The q-quantile of mask heights and widths, px."""
        sides = []
        for axis in (0, 1):
            values = np.array([s[axis] for s in sorted(self.sizes)])
            counts = np.array([self.sizes[s] for s in sorted(self.sizes)])
            order = np.argsort(values, kind="stable")
            sides.append(float(values[order][quantile_bin(counts[order], q)]) if values.size else math.nan)
        return sides[0], sides[1]


def merge_nesting(parts: Iterable[Mapping[tuple[int, int], tuple[int, int]]]) -> Nesting:
    """Sum of nested pixels and objects by pair of classes."""
    merged: Nesting = {}
    for nesting in parts:
        for pair, (pixels, objects) in nesting.items():
            before = merged.get(pair, (0, 0))
            merged[pair] = (before[0] + pixels, before[1] + objects)
    return dict(sorted(merged.items()))
