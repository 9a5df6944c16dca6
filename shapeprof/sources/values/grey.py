"""Which classes the grey values (or palette indices) of a set of masks stand for."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from statistics import median

from shapeprof.errors import NothingMeasurable
from shapeprof.issues import Issue
from shapeprof.sources.encoding import ReadOptions

from .draft import Draft
from .instance_ids import draft_numbered, numbered_classes
from .levels import SNAP_COVER, SNAP_WINDOW, between_levels, levels_of, run_lengths
from .survey import SOFT_RUN, Observation

# All chosen, and tested on the nine real sets; a user can overrule each conclusion.
MIN_STEP = 8  # grey values closer than this are ids, not shades made to look different
MIN_PAIR_STEP = 10  # chosen: of two shades s and 2 s, as two ids are twice each other by chance more often
MIN_SHADE = 64  # a set whose largest value is below is taken as ids
MAX_SHADES, SHADE_GAP = 8, 24  # few values, far apart: shades without a common step
MANY_IDS = 24  # values from which ids may be those of objects
INSTANCE_IDS, INSTANCE_DENSITY = 24, 0.9  # ids 1..n without gaps, n differing: objects, not classes
LEAST_BLENDS, BLEND_RUN = (3, 3.0)  # values between two that make a set soft, and how much shorter their runs are
STRAY = 1e-3  # values on a smaller share of all pixels that spoil an otherwise plain set of shades are slips
SOFT_TIMES, SOFT_LEAST = (3.0, 0.02)  # a mask with 3 times the usual share between levels, and over 2 %, is reported


def decide_grey(seen: list[Observation], options: ReadOptions, folder_name: str) -> Draft:
    """The encoding of masks with one value a pixel."""
    values = sorted({raw for observation in seen for raw in observation.pixels})
    if options.instances or (options.instances is None and _looks_instance(seen, folder_name)):
        return _instance(seen, values, options)
    if values[-1] > 65535:
        return _instance(seen, values, options)
    soft = [observation for observation in seen if observation.is_soft] or _few_blends(seen, options)
    if soft:
        return _snapped(seen, soft, options)
    if two := _two_foregrounds(seen, values, options):
        return two
    samples = _small_samples(seen, values)
    ignored = _ignored(values, options)
    exact = [raw for raw in values if raw not in ignored]
    draft = samples or _exact(exact or [0], several=bool(ignored) and exact[-1:] < [MIN_SHADE])
    if draft.kind == "index" and (common := _without_strays(seen, values)):
        ignored = _ignored(common, options)
        exact = [raw for raw in common if raw not in ignored]
        clean = _exact(exact or [0], several=bool(ignored) and exact[-1:] < [MIN_SHADE])
        if clean.kind != "index":
            draft = clean
            draft.issues.append(_stray_issue(seen, sorted(set(values) - set(common)), exact))
    draft.ignored = ignored
    draft.issues += [*_lossy_issues(seen, draft), *_maybe_ids(seen, draft)]
    draft.reasons += _ignored_reason(ignored, exact, options)
    return draft


def _maybe_ids(seen: list[Observation], draft: Draft) -> list[Issue]:
    """A warning when values look like ids of objects: many, and nearly each in one file only."""
    files = Counter(raw for observation in seen for raw in observation.pixels)
    once = sum(files[raw] == 1 for raw in draft.mapping)
    if draft.kind != "index" or len(draft.mapping) < MANY_IDS or once < INSTANCE_DENSITY * len(draft.mapping) - 1:
        return []
    text = (
        f"{len(draft.mapping)} values, {once} of them in only one of the {len(seen)} masks looked at: they look "
        "like ids of objects, not of classes; if so, say --instances"
    )
    return [Issue("warning", "maybe-instances", text)] if len(seen) > 1 else []


def _two_foregrounds(seen: list[Observation], values: list[int], options: ReadOptions) -> Draft | None:
    """Binary if some masks store the foreground as 1 and others as 255 (two exports in one folder); else None."""
    ones, whites = (sum(raw in o.pixels for o in seen) for raw in (1, 255))
    both = any({1, 255} <= o.pixels.keys() for o in seen)
    if values != [0, 1, 255] or both or min(ones, whites) < 2 or options.ignore_index != "auto":
        return None
    text = (
        f"the foreground is 1 in {ones} of the masks looked at and 255 in {whites}, and no mask holds both: both are "
        "read as foreground (--ignore-index 255 says otherwise)"
    )
    why = "the only values are 0 and either 1 or 255: background and one foreground class"
    return Draft("binary", {0: 0, 1: 1, 255: 1}, reasons=[why], issues=[Issue("warning", "two-foregrounds", text)])


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


def _small_samples(seen: list[Observation], values: list[int]) -> Draft | None:
    """Ids of samples of 2 or 4 bits, where all files have such: decoders stretch them to 0..255."""
    depth = max(observation.depth for observation in seen)
    if depth not in (2, 4) or any(observation.storage != "grey" for observation in seen):
        return None
    step = 255 // (2**depth - 1)
    if any(raw % step for raw in values):
        return None
    mapping = {raw: raw // step for raw in range(0, values[-1] + 1, step)}
    why = f"the files have samples of {depth} bits, which are class ids 0 to {values[-1] // step}"
    return Draft("grey-multiples", mapping, step=step, reasons=[why])


def _without_strays(seen: list[Observation], values: list[int]) -> list[int]:
    """The values of grey files without those that cover hardly any pixel."""
    if any(observation.storage != "grey" for observation in seen):
        return []
    pixels: Counter[int] = Counter()
    for observation in seen:
        pixels.update(observation.pixels)
    least = STRAY * sum(pixels.values())
    common = [raw for raw in values if pixels[raw] >= least]
    return common if 1 < len(common) < len(values) else []


def _stray_issue(seen: list[Observation], strays: list[int], common: list[int]) -> Issue:
    files = [observation.path for observation in seen if set(strays) & set(observation.pixels)]
    text = (
        f"{len(strays)} values ({shown(strays)}) cover under {STRAY:.1%} of the pixels, in {len(files)} of {len(seen)} "
        f"masks looked at (such as {files[0]}), and do not fit the others ({shown(common)}): they are probably slips "
        "and ignored. Correct the masks, or name every class with --classes FILE if they are classes"
    )
    return Issue("warning", "stray-values", text)


def _binary(top: int) -> Draft:
    why = f"the only values are 0 and {top}: background and one foreground class"
    return Draft("binary", {0: 0, top: 1}, reasons=[why])


def _step(others: list[int]) -> int | None:
    """The common step of shades, when they are dense enough on its multiples."""
    if len(others) < 2:
        return None
    step = math.gcd(*others)
    if others[-1] == step * len(others):  # no multiple is missing: too regular for ids
        return step if step >= (MIN_STEP if len(others) >= 3 else MIN_PAIR_STEP) else None
    if others[-1] < MIN_SHADE:
        return None
    return step if step >= MIN_STEP and others[-1] // step <= 2 * (len(others) + 1) else None


def _ignored(values: list[int], options: ReadOptions) -> set[int]:
    """The raw values that belong to no class."""
    if options.ignore_index != "auto":
        return set(options.ignored)
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
        return [f"the value {value} is ignored, as asked" for value in sorted(ignored)] or [
            "no value is ignored, as asked"
        ]
    if ignored:
        beside = f"stands alone beside the ids {shown(exact)}"
        return [f"the value {value} {beside}, so it is ignored" for value in ignored]
    return []


def _lossy_issues(seen: list[Observation], draft: Draft) -> list[Issue]:
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
    """Whether every file numbers its objects 1..n, with its own n."""
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
    draft = Draft("instance", {background: 0}, set(options.ignored), instances=True, reasons=[why])
    if things := numbered_classes(seen):
        draft_numbered(draft, seen, things, options)
    return draft


def _snapped(seen: list[Observation], soft: list[Observation], options: ReadOptions) -> Draft:
    """Soft values, each taken to the nearest of the few true levels."""
    pixels: Counter[int] = Counter()
    for observation in seen:
        pixels.update(observation.pixels)
    total = sum(pixels.values())
    levels, doubtful = levels_of(pixels, run_lengths(seen))
    if levels is None:
        raise NothingMeasurable(
            f"the masks hold blended grey values ({len(soft)} of {len(seen)} files looked at, such as "
            f"{soft[0].path} with {soft[0].distinct} values), and no few levels stand out; expected "
            "class ids. Export the masks without anti-aliasing, as PNG"
        )
    kept = [level for level in levels if level not in options.ignored] or levels
    clean = _exact(kept, several=False)
    nearest = {raw: min(levels, key=lambda level: (abs(level - raw), level)) for raw in range(256)}
    mapping = {raw: clean.mapping[level] for raw, level in nearest.items() if level in kept}
    shares = [between_levels(observation.pixels, levels) for observation in soft]
    moved = 1 - sum(pixels[level] for level in levels) / total
    text = (
        f"{len(soft)} of {len(seen)} masks looked at hold blended values (JPEG, anti-aliasing or resizing): "
        f"{moved:.2%} of all pixels are taken to the nearest of {shown(levels)}, {between_levels(pixels, levels):.2%} "
        f"from over {SNAP_WINDOW} away, so boundaries are uncertain by about a pixel; between two classes a third may "
        "appear. Export them as PNG without smoothing"
    )
    if doubtful:
        text += f". The values {shown(doubtful)} stand out but cover too little: if they are classes, they are lost"
    why = f"values were snapped to the levels {shown(levels)}"
    return Draft(
        clean.kind,
        mapping,
        set(nearest) - set(mapping),
        step=clean.step,
        levels=tuple(levels),
        soft_share=round(max(SOFT_TIMES * median(shares), SOFT_LEAST), 6),
        reasons=[why, *clean.reasons],
        issues=[Issue("warning", "soft-masks", text)],
    )


def _few_blends(seen: list[Observation], options: ReadOptions) -> list[Observation]:
    """The files that hold two values and some blends of them, if most do: binary masks that were halved by averaging.

    Blends are three or more values that lie evenly between the two, all in short runs. Where more than two classes are
    named, they are classes.
    """
    if len(options.classes or ()) > 2:
        return []
    several = [observation for observation in seen if len(observation.pixels) > 1]
    soft = []
    for observation in several:
        low, *between, high = sorted(observation.pixels)
        runs = [observation.run[raw] for raw in between]
        even = all(abs(a + b - low - high) <= 2 for a, b in zip(between, reversed(between), strict=True))
        plain = observation.bits == 8 and high - low >= MIN_SHADE and even and len(between) >= LEAST_BLENDS
        if (
            plain
            and max(runs) < SOFT_RUN
            and min(observation.run[low], observation.run[high]) >= BLEND_RUN * sum(runs) / len(runs)
            and between_levels(observation.pixels, (low, high)) <= 1 - SNAP_COVER
        ):
            soft.append(observation)
    return soft if 2 * len(soft) > len(several) else []
