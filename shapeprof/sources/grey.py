"""Which classes the grey values (or palette indices) of a set of masks stand for."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from shapeprof.errors import NothingMeasurable
from shapeprof.labelmap import Issue
from shapeprof.sources.encoding import Kind, ReadOptions
from shapeprof.sources.instance_ids import draft_numbered, numbered_classes
from shapeprof.sources.survey import Observation

# All chosen, and tested on the nine real sets; a user can overrule each conclusion.
MIN_STEP = 8  # grey values closer than this are ids, not shades made to be told apart
MIN_PAIR_STEP = 10  # chosen: of two shades s and 2 s, which ids are more often by chance
MIN_SHADE = 64  # a set whose largest value is below is taken as ids
MAX_SHADES, SHADE_GAP = 8, 24  # few values, far apart: shades without a common step
INSTANCE_IDS, INSTANCE_DENSITY = 24, 0.9  # ids 1..n without gaps, n differing: objects, not classes
SNAP_WINDOW = 10  # a soft value this near to a level belongs to it; levels are over twice as far apart
SNAP_COVER, SNAP_LEVEL = 0.9, 0.01  # levels hold 90 % of the pixels together, and 1 % each


@dataclass
class Draft:
    """Conclusions as they are drawn; becomes an Encoding."""

    kind: Kind
    mapping: dict[int, int]  # raw value to class id
    ignored: set[int] = field(default_factory=set)
    step: int | None = None
    levels: tuple[int, ...] = ()
    palette: dict[int, int] = field(default_factory=dict)  # index to 0xRRGGBB
    instances: bool = False
    divisor: int = 0
    things: tuple[int, ...] = ()
    reasons: list[str] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)


def decide_grey(seen: list[Observation], options: ReadOptions, folder_name: str) -> Draft:
    """The encoding of masks with one value a pixel."""
    values = sorted({raw for observation in seen for raw in observation.pixels})
    if options.instances or (options.instances is None and _looks_instance(seen, folder_name)):
        return _instance(seen, values, options)
    if values[-1] > 65535:
        return _instance(seen, values, options)
    soft = [observation for observation in seen if observation.is_soft]
    if soft:
        return _snapped(seen, soft)
    ignored = _ignored(values, options)
    exact = [raw for raw in values if raw not in ignored]
    draft = _exact(exact or [0], several=len(ignored) > 0)
    draft.ignored = ignored
    draft.issues += _lossy_findings(seen, draft)
    draft.reasons += _ignored_reason(ignored, exact, options)
    return draft


def shown(values: list[int] | tuple[int, ...], limit: int = 8) -> str:
    """Values for a sentence: ``0, 30, 60`` or the first few and the last."""
    if len(values) <= limit:
        return ", ".join(map(str, values))
    return ", ".join(map(str, values[: limit - 2])) + f" ... {values[-1]}"


def _exact(values: list[int], *, several: bool) -> Draft:
    """Binary, evenly or unevenly spaced shades, or ids as they are."""
    top, others = values[-1], [raw for raw in values if raw]
    if len(others) == 1 and not several and (top == 1 or top >= MIN_SHADE):
        return _binary(top)
    step = _step(others)
    if step:
        mapping = {raw: raw // step for raw in range(0, top + 1, step)}
        why = f"the values {shown(values)} are multiples of {step}, so a class id is its value / {step}"
        return Draft("grey-multiples", mapping, step=step, reasons=[why])
    gaps = [b - a for a, b in pairwise(values)]
    if 2 < len(values) <= MAX_SHADES and min(gaps) >= SHADE_GAP and top >= 2 * MIN_SHADE:
        why = f"the values {shown(values)} are few and far apart, so class ids are their ranks"
        return Draft("grey-multiples", {raw: i for i, raw in enumerate(values)}, reasons=[why])
    why = f"the values {shown(values)} are taken as class ids as they are"
    return Draft("index", {raw: raw for raw in values}, reasons=[why])


def _binary(top: int) -> Draft:
    why = f"the only values are 0 and {top}: background and one foreground class"
    return Draft("binary", {0: 0, top: 1}, reasons=[why])


def _step(others: list[int]) -> int | None:
    """The common step of shades, when they are dense enough on its multiples."""
    if len(others) < 2:
        return None
    step = math.gcd(*others)
    if others[-1] == step * len(others):  # none is missing: too regular for ids
        return step if step >= (MIN_STEP if len(others) >= 3 else MIN_PAIR_STEP) else None
    if others[-1] < MIN_SHADE:
        return None
    return step if step >= MIN_STEP and others[-1] // step <= 2 * (len(others) + 1) else None


def _ignored(values: list[int], options: ReadOptions) -> set[int]:
    """The raw values that belong to no class."""
    if options.ignore_index is None:
        return set()
    if options.ignore_index != "auto":
        return {options.ignore_index}
    top, others = values[-1], [raw for raw in values[:-1] if raw]
    if top not in (255, 65535) or not others:
        return set()
    if _step(others):  # shades with a step of their own: 255 must be on it, next to them
        step = _step([*others, top])
        return set() if step == _step(others) and step else {top}
    if _step([*others, top]) or min(others) >= MIN_SHADE:  # shades up to white
        return set()
    return {top}


def _ignored_reason(ignored: set[int], exact: list[int], options: ReadOptions) -> list[str]:
    if options.ignore_index != "auto":
        return [f"the value {value} is ignored, as asked" for value in ignored] or [
            "no value is ignored, as asked"
        ]
    if ignored:
        beside = f"stands alone beside the ids {shown(exact)}"
        return [f"the value {value} {beside}, so it is ignored" for value in ignored]
    return []


def _lossy_findings(seen: list[Observation], draft: Draft) -> list[Issue]:
    """A warning about ids in files of a format that changes values."""
    lossy = [observation.path for observation in seen if observation.lossy]
    if not lossy or draft.kind != "index" or len(draft.mapping) < 2:
        return []
    text = (
        f"{len(lossy)} of {len(seen)} masks looked at are JPEG (or lossy WebP), such as {lossy[0]}, which changes "
        "values by a few: class ids that lie so close can't be trusted. Export the masks as PNG"
    )
    return [Issue("warning", "lossy-ids", text)]


def _looks_instance(seen: list[Observation], folder_name: str) -> bool:
    """Whether every file numbers its objects 1..n, with an n of its own."""
    counts, dense = [], []
    for observation in seen:
        ids = [raw for raw in observation.pixels if raw]
        if ids:
            counts.append(len(ids))
            dense.append(observation.distinct / (max(ids) + 1))
    if not counts or any(observation.is_soft or observation.lossy for observation in seen):
        return False
    named = "instance" in folder_name.lower() and len(set(counts)) > 1
    if numbered_classes(seen):
        return True
    if max(counts) < (2 if named else INSTANCE_IDS):
        return False
    return median(dense) >= INSTANCE_DENSITY and len(set(counts)) > 1


def _instance(seen: list[Observation], values: list[int], options: ReadOptions) -> Draft:
    counts = sorted(len([raw for raw in observation.pixels if raw]) for observation in seen)
    why = (
        "every value but 0 is one object, as asked"
        if options.instances
        else f"the files number from {counts[0]} to {counts[-1]} values of their own, so a value is "
        "one object, not a class (--no-instances says otherwise)"
    )
    background = options.background if isinstance(options.background, int) else 0
    ignored = {options.ignore_index} if isinstance(options.ignore_index, int) else set()
    draft = Draft("instance", {background: 0}, ignored, instances=True, reasons=[why])
    if things := numbered_classes(seen):
        draft_numbered(draft, seen, things, options)
    return draft


def _snapped(seen: list[Observation], soft: list[Observation]) -> Draft:
    """Soft values, each taken to the nearest of the few true levels."""
    pixels: Counter[int] = Counter()
    for observation in seen:
        pixels.update(observation.pixels)
    total = sum(pixels.values())
    levels = _levels(pixels, total)
    if levels is None:
        raise NothingMeasurable(
            f"the masks hold blended grey values ({len(soft)} of {len(seen)} files looked at, such as "
            f"{soft[0].path} with {soft[0].distinct} values), and no few levels stand out; expected "
            "class ids. Export the masks without anti-aliasing, as PNG"
        )
    clean = _exact(levels, several=False)
    mapping = {
        raw: clean.mapping[min(levels, key=lambda level: (abs(level - raw), level))] for raw in range(256)
    }
    moved = 1 - sum(pixels[level] for level in levels) / total
    text = (
        f"{len(soft)} of {len(seen)} masks looked at hold blended values (JPEG, anti-aliasing or resizing): "
        f"{moved:.2%} of their pixels are taken to the nearest of {shown(levels)}, so boundaries are "
        "uncertain by "
        "about a pixel; between two classes a third may appear. Export them as PNG without smoothing"
    )
    why = f"values were snapped to the levels {shown(levels)}"
    return Draft(
        clean.kind,
        mapping,
        step=clean.step,
        levels=tuple(levels),
        reasons=[why, *clean.reasons],
        issues=[Issue("warning", "soft-masks", text)],
    )


def _levels(pixels: Counter[int], total: int) -> list[int] | None:
    """The true values behind soft ones, or None when they don't stand out."""
    left, levels, covered = Counter(pixels), [], 0
    while left:
        peak = max(left, key=lambda raw: (left[raw], -raw))
        near = [raw for raw in left if abs(raw - peak) <= SNAP_WINDOW]
        mass = sum(left[raw] for raw in near)
        if mass < SNAP_LEVEL * total:
            break
        levels.append(0 if peak <= 3 else 255 if peak >= 252 else peak)
        covered += mass
        for raw in near:
            del left[raw]
    levels.sort()
    gaps = [b - a for a, b in pairwise(levels)]
    if covered < SNAP_COVER * total or len(levels) > 16 or (gaps and min(gaps) <= 2 * SNAP_WINDOW):
        return None
    return levels
