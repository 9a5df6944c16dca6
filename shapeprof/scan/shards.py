"""Shards: runs of files that are measured together, and their results."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.errors import UnreadableMask
from shapeprof.issues import Issue
from shapeprof.metrics.bins import LENGTH_BINS
from shapeprof.metrics.measure import Measurements, measure
from shapeprof.profile.counts import tally
from shapeprof.profile.extremes import Extremes, extremes, merge_extremes
from shapeprof.profile.profile import Nesting, merge_nesting
from shapeprof.profile.tally import Counts, add_tallies
from shapeprof.runmap import RunMap
from shapeprof.sources import Encoding, read_runs

from .options import ScanOptions

MOST_FILES = 64  # of a shard
MOST_RUNS = 1 << 18  # of masks measured at once, unless one mask has more; 100 bytes each, and more are not faster
COUNTED = ("read", "empty", "pixels", "ignored", "background_pixels")  # counts of a result that add up
SHARDS = 32  # at least, where there are as many files, so that all workers have some


@dataclass(frozen=True, slots=True)
class Shard:
    """Files to measure together."""

    root: Path
    files: tuple[str, ...]
    sampled: frozenset[str]  # files for linear survival, local width and the bootstrap
    encoding: Encoding
    options: ScanOptions
    best: frozenset[str] = frozenset()  # files on which survival at best is computed
    states: tuple[str, ...] = ()  # of each file; its results hold as long as its state is the same
    manner: str = ""  # digest of how files are measured
    store: Path | None = None  # folder where results are kept
    suspect: bool = False  # a process died while it measured these files


@dataclass
class ShardResult:
    """The counts and objects of a shard. Results of consecutive shards merge into one."""

    totals: dict[int, Counts] = field(default_factory=dict)
    sample: list[tuple[str, dict[int, Counts]]] = field(default_factory=list)
    extremes: Extremes = field(default_factory=dict)
    nesting: Nesting = field(default_factory=dict)
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)
    digests: list[tuple[str, str]] = field(default_factory=list)
    read: int = 0
    empty: int = 0
    pixels: int = 0
    ignored: int = 0
    background_pixels: int = 0
    void_widths: Counts = field(default_factory=lambda: np.zeros(LENGTH_BINS, np.int64))  # of ignored pixels
    rows: list[ObjectRows] = field(default_factory=list)  # not merged

    def merge(self, other: ShardResult) -> None:
        """Add the counts of the next shard; its rows are not kept."""
        add_tallies(self.totals, other.totals)
        self.extremes = merge_extremes(self.extremes, other.extremes)
        self.nesting = merge_nesting((self.nesting, other.nesting))
        for size, n in other.sizes.items():
            self.sizes[size] = self.sizes.get(size, 0) + n
        self.sample += other.sample
        self.issues += other.issues
        self.digests += other.digests
        self.void_widths = self.void_widths + other.void_widths
        for name in COUNTED:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def add(self, found: Measurements) -> None:
        """Add the measurements of some masks."""
        totals, sample = tally(found)
        add_tallies(self.totals, totals)
        self.sample += sample
        self.extremes = merge_extremes(self.extremes, extremes(found))
        self.nesting = merge_nesting((self.nesting, found.nesting))
        for height, width in found.size.tolist():
            self.sizes[height, width] = self.sizes.get((height, width), 0) + 1
        self.digests += zip(found.paths, found.digests, strict=True)
        self.read += len(found.paths)
        self.empty += len(found.paths) - np.unique(found.classes.of_map[found.foreground]).size
        self.pixels += int(found.size.prod(axis=1).sum())
        self.ignored += int(found.ignored.sum())
        self.background_pixels += int(found.classes.pixels[~found.foreground].sum())
        self.void_widths = self.void_widths + found.void_width_pixels
        self.rows.append(ObjectRows(found.paths, found.classes.of_map[found.pair], found.rows))


@dataclass(frozen=True, slots=True)
class ObjectRows:
    """The objects of some masks."""

    paths: tuple[str, ...]  # of the masks
    of_map: NDArray[np.int32]  # (n,) mask of each object
    columns: dict[str, NDArray[Any]]  # (n,) by name, as in docs/metrics.md


def measure_shard(shard: Shard) -> ShardResult:
    """Read and measure every file of a shard; unreadable ones become issues."""
    result = ShardResult()
    waiting: list[RunMap] = []
    for path in shard.files:
        try:
            run_map, issues = read_runs(shard.root, path, shard.encoding, shard.options.read.train_size)
        except UnreadableMask as error:
            result.issues.append(Issue("error", error.code, error.message, path))
            continue
        result.issues += issues
        if waiting and sum(m.start.size for m in waiting) + run_map.start.size > MOST_RUNS:
            _measure(shard, waiting, result)
        waiting.append(run_map)
    if waiting:
        _measure(shard, waiting, result)
    return result


def _measure(shard: Shard, waiting: list[RunMap], result: ShardResult) -> None:
    """Measure the waiting masks together, and empty the list."""
    found = measure(
        waiting,
        shard.encoding.classes.background,
        floor=shard.options.floor,
        sampled=np.array([m.path in shard.sampled for m in waiting]),
        thickness=shard.options.thickness,
        with_best=np.array([m.path in shard.best for m in waiting]),
    )
    waiting.clear()
    result.add(found)


def runs_of(files: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Cut files into shards of equal size, which depends only on the number of files."""
    size = max(1, min(MOST_FILES, -(-len(files) // SHARDS)))
    return [files[i : i + size] for i in range(0, len(files), size)]
