"""Profile: what a set of masks holds, as mergeable integer counts.

One *tally* per class: a vector of int64 counts with named parts (``LAYOUT``). Tallies add, so
merging is exact, associative and independent of workers and order. Quantiles are read from
fixed bins: convexity within 0.001, lengths and areas within 2.2 % (16 bins per octave).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.grouping import group_of, group_regex
from shapeprof.issues import Issue
from shapeprof.metrics.bins import CONVEXITY_BINS, LENGTH_BINS, PER_OCTAVE
from shapeprof.metrics.columns import STRIDES

SCHEMA_VERSION = 2
SHARE_UNIT = 1 << 20  # fixed point for sums of shares
RELIABLE_AREA = 200  # px, under which convexity of concave shapes reads high (see metrics.shape)
EXTREMES_KEPT = 3
NEAR = (1, 2, 4)  # px

Counts = NDArray[np.int64]
Nesting = dict[tuple[int, int], tuple[int, int]]  # (outer, inner) class ids -> pixels, objects

# name -> shape. First axis of a histogram: 0 truncated, 1 untruncated objects.
_PARTS: dict[str, tuple[int, ...]] = {
    "images": (),  # images that hold the class
    "pixels": (),
    "found": (),
    "below_floor": (),
    "truncated": (),  # of the measured
    "borders_ignored": (),  # of the measured
    "ignored_edges": (),  # pixel edges of all objects that ignored pixels line; of crofton[0] pixel edges
    "area_measured": (2,),
    "reliable": (2,),  # measured objects of at least RELIABLE_AREA px
    "hole_count": (),
    "with_holes": (),
    "hole_area": (),  # pixels in holes of measured objects
    "in_pieces": (),
    "touching": (),  # of the measured
    "crofton": (2,),  # intercept counts: axis-parallel, diagonal
    "convexity": (2, CONVEXITY_BINS),  # measured objects
    "convexity_filled": (2, CONVEXITY_BINS),  # measured objects, holes counted in
    "concavity_depth": (2, LENGTH_BINS),  # the first bin: 1 px or less, which is none
    "convexity_reliable": (2, CONVEXITY_BINS),
    "convexity_area": (2, CONVEXITY_BINS),  # pixels of reliable objects, by their convexity
    "area": (2, LENGTH_BINS),
    "extent": (2, LENGTH_BINS),
    "feret": (2, LENGTH_BINS),
    "mean_width": (2, LENGTH_BINS),
    "nearest_lost": (5,),
    "nearest_gained": (5,),
    "nearest_share": (5,),  # sum over measured objects, in 1 / SHARE_UNIT
    "nearest_kept": (5,),  # measured objects that keep at least half of their pixels
    "sampled_images": (),  # the rest is over the sample only
    "sampled_pixels": (),
    "sampled_objects": (),
    "sampled_reliable": (),
    "judged": (),  # measured objects of at least 200 px: those that can be suspected
    "suspected_merged": (),
    "width_pixels": (LENGTH_BINS,),  # pixels by local width
    "near_boundary": (3,),  # pixels within NEAR px of what is outside their object, of those in width_pixels
    "linear_lost": (5,),
    "linear_gained": (5,),
    "linear_share": (5,),
    "linear_kept": (5,),
    "linear_kept_reliable": (5,),
    "best_images": (),  # the rest is over the masks of --survival-best only
    "best_pixels": (),
    "best_objects": (),
    "best_reliable": (),
    "best_lost": (5,),
    "best_gained": (5,),
    "best_share": (5,),
    "best_kept": (5,),
    "best_kept_reliable": (5,),
}
# protocol -> the parts that hold what it was computed on: pixels, measured and reliable objects
_BASIS = {
    "linear": ("sampled_pixels", "sampled_objects", "sampled_reliable"),
    "best": ("best_pixels", "best_objects", "best_reliable"),
}


def _layout() -> tuple[dict[str, tuple[slice, tuple[int, ...]]], int]:
    table, at = {}, 0
    for name, shape in _PARTS.items():
        size = math.prod(shape)
        table[name] = (slice(at, at + size), shape)
        at += size
    return table, at


LAYOUT, TALLY_SIZE = _layout()


def part(tally: NDArray[Any], name: str) -> NDArray[Any]:
    """A view of one named part of a tally, in its own shape."""
    where, shape = LAYOUT[name]
    return tally[where].reshape(shape)


def new_tally() -> Counts:
    """A tally of nothing."""
    return np.zeros(TALLY_SIZE, np.int64)


@dataclass(frozen=True, slots=True)
class Extreme:
    """An object worth looking at: where it is and why."""

    value: float
    path: str
    box: tuple[int, int, int, int]  # min_row, min_col, max_row, max_col, half-open


Extremes = dict[int, dict[str, tuple[Extreme, ...]]]  # by class id and kind


@dataclass(frozen=True, slots=True)
class Nested:
    """One class in the holes of another."""

    outer: int  # class id
    inner: int
    pixels: int  # of the inner class, in holes of objects of the outer class
    objects: int  # of the inner class that lie there wholly, small ones too
    share_of_inner: float  # of all the inner class's pixels


@dataclass(frozen=True)
class ClassView:
    """Statistics of one class, read from its tally. Undefined ones (nothing to read) are NaN."""

    id: int
    name: str
    tally: NDArray[Any]

    def total(self, name: str) -> float:
        """Sum of a part."""
        return float(part(self.tally, name).sum())

    @property
    def found(self) -> int:
        """Objects found; ``found = measured + below_floor``."""
        return int(self.total("found"))

    @property
    def measured(self) -> int:
        """Objects at or over the floor."""
        return int(self.total("found") - self.total("below_floor"))

    @property
    def untruncated_only(self) -> bool:
        """Whether shape is read from untruncated objects: they hold at least half of the measured area."""
        truncated, untruncated = part(self.tally, "area_measured")
        return bool(untruncated >= truncated)

    def histogram(self, name: str) -> NDArray[Any]:
        """A histogram on the basis that rules use: untruncated objects, or all (``untruncated_only``)."""
        rows = part(self.tally, name)
        if rows.ndim == 1:
            return rows
        result: NDArray[Any] = rows[1] if self.untruncated_only else rows.sum(axis=0)
        return result

    def convexity(self, q: float, weight: str = "objects") -> float:
        """Quantile of convexity, in (0, 1], within 0.001.

        Over measured objects (``weight="objects"``), or over the pixels of objects of at least
        200 px (``"area"``), which is what rules read.
        """
        k = _quantile(self.histogram("convexity_area" if weight == "area" else "convexity"), q)
        return _convexity(k)

    def convexity_filled(self, q: float) -> float:
        """Quantile of convexity with holes counted in, over measured objects, in (0, 1], within 0.001."""
        return _convexity(_quantile(self.histogram("convexity_filled"), q))

    def concavity_depth(self, q: float) -> float:
        """Quantile of concavity depth over measured objects, px, within 2.2 %; 0 for 1 px or less."""
        k = _quantile(self.histogram("concavity_depth"), q)
        return 0.0 if k == 0 else math.nan if k < 0 else float(2 ** (k / PER_OCTAVE))

    @property
    def touching_share(self) -> float:
        """Share of measured objects that touch another of their class; only with instance ids."""
        return self.total("touching") / self.measured if self.measured else math.nan

    @property
    def suspected_merged_share(self) -> float:
        """Share of the sampled objects of at least 200 px that are probably several objects."""
        judged = self.total("judged")
        return self.total("suspected_merged") / judged if judged else math.nan

    def length(self, name: str, q: float) -> float:
        """Quantile of ``extent``, ``feret``, ``mean_width``, ``area`` or ``width_pixels``, px, within 2.2 %."""
        k = _quantile(self.histogram(name), q)
        return math.nan if k < 0 else float(2 ** (k / PER_OCTAVE))

    def survival(self, stride: int, protocol: str = "linear") -> float:
        """Pixel-pooled IoU of the class after a round trip to ``stride``. In [0, 1]; 1 at stride 1.

        Protocols: ``linear``, ``nearest``, and ``best`` (NaN unless scanned with ``survival_best``).
        """
        if stride == 1:
            return 1.0
        k = STRIDES.index(stride)
        pixels = 2 * self.total("pixels" if protocol == "nearest" else _BASIS[protocol][0])  # two phases
        lost = float(part(self.tally, f"{protocol}_lost")[k])
        gained = float(part(self.tally, f"{protocol}_gained")[k])
        return (pixels - lost) / (pixels + gained) if pixels else math.nan

    def recall(self, stride: int, protocol: str = "linear", *, reliable: bool = True) -> float:
        """Share of objects that keep at least half of their pixels at ``stride``. In [0, 1].

        ``reliable``: only objects of at least 200 px (not with nearest), else all measured ones.
        """
        if stride == 1:
            return 1.0
        reliable = reliable and protocol != "nearest"
        k = STRIDES.index(stride)
        basis = _BASIS.get(protocol)
        objects = self.total(basis[2 if reliable else 1]) if basis else float(self.measured)
        kept = part(self.tally, f"{protocol}_kept" + ("_reliable" if reliable else ""))[k]
        return float(kept) / objects if objects else math.nan

    def per_object(self, stride: int, protocol: str = "linear") -> float:
        """Mean over measured objects of the share of their own pixels kept at ``stride``. In [0, 1]."""
        objects = float(self.measured) if protocol == "nearest" else self.total(_BASIS[protocol][1])
        share = part(self.tally, f"{protocol}_share")[STRIDES.index(stride)]
        return float(share) / SHARE_UNIT / objects if objects else math.nan

    def near_boundary(self, distance: int) -> float:
        """Share of the class's pixels within 1, 2 or 4 px of a pixel outside their object. In [0, 1].

        From centre to centre; what lies outside the image is not outside the object. Over the masks that local width
        was measured on.
        """
        pixels = self.total("width_pixels")
        near = part(self.tally, "near_boundary")[NEAR.index(distance)]
        return float(near) / pixels if pixels else math.nan

    @property
    def ignored_boundary_share(self) -> float:
        """Share of the pixel edges around all objects that ignored pixels line. In [0, 1]."""
        edges = float(part(self.tally, "crofton")[0])
        return self.total("ignored_edges") / edges if edges else math.nan

    @property
    def perimeter(self) -> float:
        """Crofton perimeter of all objects, px."""
        axis, diagonal = part(self.tally, "crofton")
        return float(math.pi / 8 * (axis + diagonal / math.sqrt(2)))


def _convexity(k: int) -> float:
    """The convexity that bin ``k`` stands for; NaN for no bin."""
    return math.nan if k < 0 else 1.0 if k == CONVEXITY_BINS - 1 else (k + 0.5) / (CONVEXITY_BINS - 1)


def _quantile(histogram: NDArray[Any], q: float) -> int:
    """Bin of the q-quantile; -1 for an empty histogram."""
    cumulative = np.cumsum(histogram)
    if not cumulative.size or cumulative[-1] <= 0:
        return -1
    return int(np.searchsorted(cumulative, max(q * cumulative[-1], 1e-9)))


@dataclass(frozen=True)
class Ledger:
    """Every file of the folder is in exactly one of these. ``files = read + unreadable``; empty are read."""

    files: int = 0
    read: int = 0
    empty: int = 0  # read, without any object
    unreadable: int = 0
    skipped: int = 0  # files that are no masks


@dataclass(frozen=True)
class Profile:
    """What a mask set holds. See ``to_dict`` for the file's layout."""

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
        k = _quantile(self.void_widths, q)
        return math.nan if k < 0 else float(2 ** (k / PER_OCTAVE))

    def nested(self) -> tuple[Nested, ...]:
        """Which classes lie in the holes of which, by id."""
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
            sides.append(float(values[order][_quantile(counts[order], q)]) if values.size else math.nan)
        return sides[0], sides[1]


def merge_nesting(parts: Iterable[Mapping[tuple[int, int], tuple[int, int]]]) -> Nesting:
    """Sum of nested pixels and objects by pair of classes."""
    merged: Nesting = {}
    for nesting in parts:
        for pair, (pixels, objects) in nesting.items():
            before = merged.get(pair, (0, 0))
            merged[pair] = (before[0] + pixels, before[1] + objects)
    return dict(sorted(merged.items()))


def add_tallies(into: dict[int, Counts], other: Mapping[int, Counts]) -> None:
    """Add tallies to others, by class id."""
    for class_id, tally in other.items():
        if class_id in into:
            into[class_id] += tally
        else:
            into[class_id] = tally.copy()


def merge_tallies(parts: Iterable[Mapping[int, Counts]]) -> dict[int, Counts]:
    """Sum of tallies by class id."""
    merged: dict[int, Counts] = {}
    for tallies in parts:
        add_tallies(merged, tallies)
    return dict(sorted(merged.items()))
