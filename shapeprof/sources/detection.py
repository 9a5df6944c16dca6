"""From a sample of files to the encoding that they all share, with the reasons for it."""

from __future__ import annotations

from dataclasses import replace

from shapeprof.errors import NothingMeasurable
from shapeprof.issues import Issue
from shapeprof.sampling import COLOUR_SAMPLE, SAMPLE, sample_order
from shapeprof.wording import first_few

from .annotation_encoding import encoding_of
from .encoding import Encoding, ReadOptions
from .layouts.laid_out import LaidOut
from .layouts.layout import decide_layout
from .layouts.pages import PagesFound, class_pages, decide_pages
from .layouts.panoptic import panoptic_encoding
from .maskset import MaskFolder
from .names.known_sets import refuse_unread
from .values.colour import colour_of, decide_colour, palettes_differ
from .values.draft import Draft
from .values.grey import decide_grey
from .values.polarity import invert, inverted_polarity
from .values.roles import assign_roles, ignore_colour
from .values.survey import Observation, survey

MAX_TRIED = 1024  # files tried before a set of unreadable ones is given up


def detect(folder: MaskFolder, options: ReadOptions) -> Encoding:
    """The encoding of the masks in ``folder``: what each stored value means, and why.

    Looks at 64 files (256 where colours are classes), those with the smallest hashes of their
    relative path. Raises NothingMeasurable when none can be read as a mask.
    """
    if folder.annotations is not None:
        return encoding_of(folder, folder.annotations, options)
    refuse_unread(folder)
    if options.layout == "objects":
        options = replace(options, instances=None)  # files are instances then, not their values
    found = decide_pages(folder, options)
    seen = _look(folder, found, options.max_pixels)
    usable = [observation for observation in seen if not observation.is_photo]
    issues = [*found.issues, *_photo_issues([observation for observation in seen if observation.is_photo])]
    if not usable:
        raise NothingMeasurable(f"{folder.root}: {issues[-1].message}")
    if panoptic := panoptic_encoding(folder, usable, options):
        return panoptic
    draft, equal = _decide(usable, options, folder.root.resolve().name)
    draft.reasons += found.reasons
    for raw in options.ignored if draft.kind == "colour" else ():
        ignore_colour(draft, raw)
        draft.reasons.append(f"the colour #{raw:06X} is ignored, as asked")
    if options.invert:
        options = invert(draft, options)
    elif draft.kind == "binary" and options.background == "auto":
        draft.issues += inverted_polarity(folder, usable, draft, found.pages, options.max_pixels)
    laid = _laid_out(folder, draft, found, options)
    draft.reasons += laid.reasons
    table = laid.classes or assign_roles(draft, folder, options)
    return Encoding(
        kind=draft.kind,
        mapping=tuple(sorted((raw, id_) for raw, id_ in draft.mapping.items() if raw not in draft.ignored)),
        classes=table,
        ignored=tuple(sorted(draft.ignored)),
        instances=draft.instances or laid.layout == "objects" or draft.divisor > 0,
        equal_channels=equal,
        step=draft.step,
        levels=draft.levels,
        palette=tuple(sorted(draft.palette.items())),
        layout=laid.layout,
        part_ids=laid.part_ids,
        pages=found.pages,
        max_pixels=options.max_pixels,
        soft_share=draft.soft_share,
        divisor=draft.divisor,
        things=draft.things,
        reasons=tuple(draft.reasons),
        issues=(*issues, *laid.issues, *draft.issues),
    )


def _laid_out(folder: MaskFolder, draft: Draft, found: PagesFound, options: ReadOptions) -> LaidOut:
    """What a file holds. Pages that are classes make the draft binary."""
    if not found.classes:
        return decide_layout(folder, draft.kind, options)
    draft.kind, draft.step = "binary", None
    draft.mapping = {raw: int(raw != 0) for raw in {0, *draft.mapping}}
    return class_pages(found, options)


def _look(folder: MaskFolder, found: PagesFound, limit: int) -> list[Observation]:
    """Look at a sample of the masks. Unreadable ones are skipped: they are reported when all files are read."""
    order = (sample_order(folder.files) if found.sample is None else found.sample)[:MAX_TRIED]

    def enough(seen: list[Observation]) -> bool:
        colours = any(o.storage == "colour" and not o.is_photo for o in seen)
        return len(seen) >= (COLOUR_SAMPLE if colours else SAMPLE)

    seen, failed = survey(folder.root, order, stop=enough, limit=limit, pages=found.pages)
    if not seen:
        raise NothingMeasurable(
            f"{folder.root}: none of the {len(failed)} files tried can be read as a mask. First: {failed[0]}"
        )
    return seen


def _photo_issues(photos: list[Observation]) -> list[Issue]:
    """One warning that lists files which look like photographs; [] if there are none."""
    if not photos:
        return []
    names = first_few(f"{photo.path} ({photo.distinct} values)" for photo in photos)
    looks = "1 file looks like a photograph" if len(photos) == 1 else f"{len(photos)} files look like photographs"
    text = f"{looks}, not a mask: {names}; expected few values in areas. "
    fix = "Give the folder of the masks, or move photographs out of it"
    return [Issue("warning", "looks-like-photo", text + fix)]


def _decide(seen: list[Observation], options: ReadOptions, folder_name: str) -> tuple[Draft, bool]:
    """(draft, whether greys are stored as RGB with equal channels)."""
    colours = [o for o in seen if o.storage == "colour"]
    palettes = [o for o in seen if o.storage == "palette"]
    if len(palettes) == len(seen) and not (differ := palettes_differ(palettes)):
        return _palette(palettes, options, folder_name), False
    if not colours and not palettes:
        equal = [o for o in seen if o.equal_channels]
        draft = decide_grey(seen, options, folder_name)
        if equal:
            draft.reasons.append(f"{len(equal)} of {len(seen)} files are RGB with three equal channels: one is read")
        return draft, bool(equal)
    differ = palettes_differ(palettes)
    if not colours and not differ and _are_ids(seen, palettes):
        draft = _palette(seen, options, folder_name)
        draft.issues.append(_mixed(colours, palettes, seen, "their values, which are ids in both"))
        return draft, False
    draft = decide_colour(seen, options)
    if differ:
        draft.issues.append(differ)
    elif len(colours) < len(seen):
        draft.issues.append(_mixed(colours, palettes, seen, "their displayed colours"))
    return draft, False


def _palette(seen: list[Observation], options: ReadOptions, folder_name: str) -> Draft:
    """Palette indices are ids, and the palette that the files share says what they look like."""
    draft = decide_grey(seen, options, folder_name)
    draft.palette = {raw: colour_of(raw, o) for o in seen if o.palette for raw in o.pixels}
    if not draft.instances and not draft.divisor:
        draft.kind = "palette"
        ids = sorted(draft.mapping)
        draft.mapping = {raw: raw for raw in ids if any(raw in o.pixels for o in seen)}
        draft.step = None
        draft.reasons[0] = f"the files share one palette, and its indices {ids[0]} to {ids[-1]} are the class ids"
    return draft


def _are_ids(seen: list[Observation], palettes: list[Observation]) -> bool:
    """Whether grey files hold the ids that palette files hold as indices."""
    indices = {raw for o in palettes for raw in o.pixels} | {0, 255}
    greys = {raw for o in seen if o.storage == "grey" for raw in o.pixels}
    return greys <= indices or max(greys - {255}, default=0) <= max(indices - {255})


def _mixed(colours: list[Observation], palettes: list[Observation], seen: list[Observation], how: str) -> Issue:
    greys = len(seen) - len(colours) - len(palettes)
    text = (
        f"the masks are stored in different ways: {len(colours)} as RGB colours, {len(palettes)} with a "
        f"palette, {greys} with one grey channel (or equal ones). All are read by {how}; check the classes"
    )
    return Issue("warning", "mixed-storage", text)
