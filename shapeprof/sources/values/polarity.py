"""Masks whose foreground and background are swapped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.errors import UnreadableMask, UsageError
from shapeprof.issues import Issue
from shapeprof.sources.encoding import Pages, ReadOptions, hex_colour
from shapeprof.sources.formats.decode import decode
from shapeprof.sources.formats.raster import equal_channels
from shapeprof.sources.formats.stored_bytes import read_bytes
from shapeprof.sources.maskset import MaskFolder

from .draft import Draft
from .survey import Observation

# All chosen: what a mask must show to count as inverted, and how many must.
LOOKED_AT, LEAST_LOOKED_AT, MOST = 32, 3, 0.9
BORDER, ISLANDS = 0.98, 0.6  # of the border that is foreground; of all pixels that the "background" may cover


def invert(draft: Draft, options: ReadOptions) -> ReadOptions:
    """Swap the two classes of ``draft``; return options that name the new background.

    Raises:
        UsageError: the masks do not have two values, or a background is named too.
    """
    if options.background != "auto":
        raise UsageError("--invert swaps foreground and background; leave out --background, which names it")
    if draft.instances or len(set(draft.mapping.values())) != 2:
        found = "object ids" if draft.instances else f"{len(set(draft.mapping.values()))} classes"
        raise UsageError(f"--invert: expected masks of two values, found {found}; --background VALUE names it there")
    low = min(draft.mapping.values())
    draft.mapping = {raw: int(class_id == low) for raw, class_id in draft.mapping.items()}
    if draft.kind in ("index", "grey-multiples"):
        draft.kind, draft.step = "binary", None
    background = next(raw for raw, class_id in draft.mapping.items() if class_id == 0)
    if draft.levels and draft.kind != "colour":
        background = next(raw for raw in draft.levels if draft.mapping[raw] == 0)
    shown = hex_colour(background) if draft.kind == "colour" else str(background)
    draft.reasons.append(f"foreground and background are swapped, as asked: {shown} is the background")
    return replace(options, background=background)


def inverted_polarity(
    folder: MaskFolder, seen: list[Observation], draft: Draft, pages: Pages, limit: int
) -> list[Issue]:
    """A warning when what is stored as background lies in islands inside of the image, in nearly all masks.

    A mask shows it when the foreground covers 98 % of the image's border, and the other value some but under 60 % of
    the pixels.
    """
    raws = draft.levels or tuple(draft.mapping)
    both = [o for o in seen if len(set(o.pixels) & set(raws)) == 2 and _share(o, draft) < ISLANDS]
    if len(both) < max(LEAST_LOOKED_AT, MOST * sum(len(o.pixels) > 1 for o in seen)):
        return []
    shown = [_is_inverted(folder, o.path, draft, pages, limit) for o in both[:LOOKED_AT]]
    if sum(shown) < MOST * len(shown):
        return []
    top = max(raws)
    text = (
        f"in {sum(shown)} of {len(shown)} masks looked at the value {top} covers the border of the image, and 0 "
        f"lies in islands inside: 0 looks like the objects and {top} like the background. If so, use --invert"
    )
    return [Issue("warning", "inverted-masks", text)]


def _share(observation: Observation, draft: Draft) -> float:
    background = sum(n for raw, n in observation.pixels.items() if draft.mapping.get(raw) == 0)
    return background / sum(observation.pixels.values())


def _is_inverted(folder: MaskFolder, path: str, draft: Draft, pages: Pages, limit: int) -> bool:
    try:
        raster = decode(read_bytes(folder.root, path), path, limit, pages)
    except UnreadableMask:
        return False
    values: NDArray[Any] = raster.values
    if raster.is_colour:
        if not equal_channels(values):
            return False
        values = values[..., 0]
    top = max(draft.levels or draft.mapping)
    foreground = values > top // 2
    border = np.concatenate([foreground[0], foreground[-1], foreground[:, 0], foreground[:, -1]])
    return bool(border.mean() >= BORDER) and not bool(foreground.all())
