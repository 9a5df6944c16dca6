"""Which classes the colours of a set of masks stand for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from statistics import median

from shapeprof.errors import NothingMeasurable
from shapeprof.issues import Issue
from shapeprof.sources.encoding import ReadOptions, hex_colour
from shapeprof.wording import first_few

from .draft import Draft
from .grey import SOFT_LEAST, SOFT_TIMES
from .survey import Observation

MAX_COLOURS = 250  # chosen: more colours than this are no classes
SNAP_DISTANCE = 24  # chosen: a soft colour this near to one of the legend, in each channel, is it
LEGEND_SHARE = 0.002  # of soft masks: a colour of the legend holds this share of all pixels ...
LEGEND_COVER = 0.85  # ... and the legend this share together; chosen, tested on JPEG and resized masks


def colours_of(observation: Observation) -> dict[int, int]:
    """Pixels by 0xRRGGBB of one file, whatever it is stored as."""
    if observation.storage == "colour":
        return observation.pixels
    counts: Counter[int] = Counter()
    for raw, count in observation.pixels.items():
        counts[colour_of(raw, observation)] += count
    return dict(counts)


def colour_of(raw: int, observation: Observation) -> int:
    """The displayed colour of a raw value of a grey or palette file."""
    if observation.storage == "palette":
        return observation.palette[raw] if raw < len(observation.palette) else 0
    return (raw & 255) * 0x010101


def decide_colour(seen: list[Observation], options: ReadOptions) -> Draft:
    """The encoding of masks whose colours are classes (or objects)."""
    pixels: Counter[int] = Counter()
    for observation in seen:
        pixels.update(colours_of(observation))
    soft = [observation for observation in seen if observation.storage == "colour" and _is_soft(observation)]
    if options.instances or (options.instances is None and not soft and len(pixels) > MAX_COLOURS):
        return _instance(seen, len(pixels), options)
    if soft:
        return _soft(pixels, soft, len(seen))
    if len(pixels) > MAX_COLOURS:
        raise NothingMeasurable(
            f"the masks hold {len(pixels)} colours; expected at most {MAX_COLOURS} classes. If each "
            "colour is one object, pass --instances; if these are photographs, give the folder of the masks"
        )
    legend = sorted(pixels)
    why = f"{len(legend)} colours were found in {len(seen)} files; class ids follow their order, darkest first"
    draft = Draft("colour", {raw: i for i, raw in enumerate(legend)}, reasons=[why])
    draft.issues += _doubtful(seen)
    return draft


def palettes_differ(seen: list[Observation]) -> Issue | None:
    """A warning when one palette index stands for different colours in different files."""
    colours: dict[int, dict[int, str]] = defaultdict(dict)  # index to colour to the first file
    for observation in seen:
        for index in observation.pixels if observation.storage == "palette" else ():
            colours[index].setdefault(colour_of(index, observation), observation.path)
    for index, files in sorted(colours.items()):
        if len(files) > 1:
            examples = [f"{hex_colour(colour)} in {path}" for colour, path in files.items()]
            text = (
                f"palettes differ between files: index {index} is {first_few(examples)}. Indices mean "
                "nothing here, so classes are read from the colours. Export all masks with one palette to correct it"
            )
            return Issue("warning", "palettes-differ", text)
    return None


def _is_soft(observation: Observation) -> bool:
    short = sum(1 for length in observation.run.values() if length < 3.0)
    return short >= 16 and short * 2 > len(observation.run)


def _soft(pixels: Counter[int], soft: list[Observation], files: int) -> Draft:
    """A legend of the common colours; the others are blends."""
    total = sum(pixels.values())
    legend: list[int] = []
    for raw, count in pixels.most_common(MAX_COLOURS):
        if count >= LEGEND_SHARE * total and all(distance(raw, other) > 48 for other in legend):
            legend.append(raw)
    off = _off(pixels, legend)
    if not legend or off > 1 - LEGEND_COVER:
        raise NothingMeasurable(
            f"{len(soft)} of {files} files looked at hold blended colours (such as {soft[0].path} with "
            f"{soft[0].distinct}), and no legend stands out; expected a few exact colours. Export the "
            "masks as PNG without anti-aliasing; if these are photographs, give the folder of the masks"
        )
    legend.sort()
    shares = [_off(observation.pixels, legend) for observation in soft]
    moved = 1 - sum(pixels[raw] for raw in legend) / total
    text = (
        f"{len(soft)} of {files} masks looked at hold blended colours (JPEG, anti-aliasing or "
        f"resizing): {moved:.2%} of "
        f"their pixels have none of the {len(legend)} colours of the legend; near ones are taken "
        f"to it and the others ({off:.2%}) ignored. Export them as PNG without smoothing"
    )
    why = f"{len(legend)} colours stand out ({first_few(map(hex_colour, legend), 6)}); class ids follow their order"
    mapping = {raw: i for i, raw in enumerate(legend)}
    issue = Issue("warning", "soft-masks", text)
    usual = round(max(SOFT_TIMES * median(shares), SOFT_LEAST), 6)
    return Draft("colour", mapping, levels=tuple(legend), soft_share=usual, reasons=[why], issues=[issue])


def _off(pixels: Mapping[int, int], legend: list[int]) -> float:
    """The share of pixels whose colour is near none of the legend."""
    off = sum(n for raw, n in pixels.items() if all(distance(raw, other) > SNAP_DISTANCE for other in legend))
    return off / sum(pixels.values())


def distance(first: int, second: int) -> int:
    """The largest difference of two packed colours in one channel."""
    return max(abs((first >> shift & 255) - (second >> shift & 255)) for shift in (16, 8, 0))


def _instance(seen: list[Observation], colours: int, options: ReadOptions) -> Draft:
    why = (
        "every colour but black is one object, as asked"
        if options.instances
        else f"{colours} colours in {len(seen)} files are too many for classes, so a colour is one object"
    )
    background = options.background if isinstance(options.background, int) else 0
    return Draft("instance", {background: 0}, set(options.ignored), instances=True, reasons=[why])


def _doubtful(seen: list[Observation]) -> list[Issue]:
    """Colours so near to each other that one may be a slip of the other."""
    pixels: Counter[int] = Counter()
    for observation in seen:
        pixels.update(colours_of(observation))
    rare = [raw for raw, count in pixels.items() if count < 1e-4 * sum(pixels.values())]
    near = {raw: other for raw in rare for other in pixels if other not in rare and distance(raw, other) <= 8}
    if not near:
        return []
    text = "; ".join(f"{hex_colour(raw)} beside {hex_colour(other)}" for raw, other in list(near.items())[:3])
    return [
        Issue(
            "warning",
            "similar-colours",
            f"{len(near)} rare colours are nearly equal to common ones ({text}): each is read as a "
            "class of its own. If they are slips, replace them in the masks",
        )
    ]
