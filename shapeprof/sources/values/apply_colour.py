"""Colours to class ids, through a table of all 2^24 colours."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.errors import UnreadableMask
from shapeprof.issues import Issue
from shapeprof.runmap import IGNORED
from shapeprof.sources.encoding import ODD, Encoding, hex_colour
from shapeprof.sources.formats.raster import Raster, pack
from shapeprof.wording import first_few

from .colour import SNAP_DISTANCE
from .survey import observe

MAX_STRAY = 0.5  # chosen: share of pixels without a class beyond which a mask is refused
_IGNORE, _UNSEEN = 255, 254  # at most 250 colours are classes, so uint8 holds both


def colour_labels(raster: Raster, encoding: Encoding, path: str) -> tuple[NDArray[Any], tuple[Issue, ...]]:
    """(H, W) uint8 labels of a colour-coded mask, however it is stored."""
    table = _table(encoding)
    colours: NDArray[Any]  # the colour of each raw value, or of each pixel
    if raster.is_colour:
        packed = pack(raster.values)
        labels = table.take(packed)
    else:
        colours = _value_colours(raster, path)
        packed = colours
        labels = table[colours].take(raster.values)
    unseen = labels == _UNSEEN
    if not unseen.any():
        return labels, ()
    strange = (packed if raster.is_colour else colours[raster.values])[unseen]
    if encoding.levels:
        labels[unseen] = _nearest(strange, encoding)
        if (labels == _IGNORE).mean() > MAX_STRAY:
            raise _refused(raster, encoding, path)
        share = float((labels[unseen] == _IGNORE).sum() / labels.size)
        return labels, () if share <= encoding.soft_share else (_far_softer(share, encoding, path),)
    if strange.size > MAX_STRAY * labels.size:
        raise _refused(raster, encoding, path)
    labels[unseen] = _IGNORE
    found = np.unique(strange)
    text = (
        f"{found.size} colours that none of the masks looked at first held ({_shown(found)}) cover "
        f"{strange.size / labels.size:.2%} of it; those pixels are ignored. Correct the mask, or name "
        "all colours in a class file"
    )
    return labels, (Issue("warning", "unseen-colour", text, path),)


def _far_softer(share: float, encoding: Encoding, path: str) -> Issue:
    text = (
        f"{share:.1%} of its pixels have a colour that is near none of {_legend(encoding)}, far more than in other "
        "masks; they are ignored. Export it without smoothing, as PNG"
    )
    return Issue("warning", "soft-mask", text, path)


def classes_by_colour(encoding: Encoding, colours: NDArray[np.int32]) -> NDArray[np.int32]:
    """Class ids of colours 0xRRGGBB; IGNORED, or ODD where ``colour_labels`` must look at pixels."""
    classes = _table(encoding).take(colours).astype(np.int32)
    classes[classes == _UNSEEN] = ODD
    classes[classes == _IGNORE] = IGNORED
    return classes


@lru_cache(maxsize=2)
def _table(encoding: Encoding) -> NDArray[np.uint8]:
    table = np.full(2**24, _UNSEEN, np.uint8)
    for raw, class_id in encoding.mapping:
        table[raw] = class_id
    for raw in encoding.ignored:
        table[raw] = _IGNORE
    return table


def _value_colours(raster: Raster, path: str) -> NDArray[Any]:
    """0xRRGGBB by raw value, 256 entries, of a grey or palette file."""
    if raster.values.dtype != np.uint8:
        raise UnreadableMask(
            path,
            "does-not-fit",
            f"it holds {raster.values.dtype} values, where the other masks have colours; export it as they were",
        )
    if raster.palette is None:
        return np.arange(256) * 0x010101
    colours = np.zeros(256, np.int64)
    colours[: len(raster.palette)] = raster.palette[:256]
    return colours


def _nearest(strange: NDArray[Any], encoding: Encoding) -> NDArray[np.uint8]:
    """The class of the nearest legend colour for each of ``strange``; ignored where no legend colour is near."""
    found, which = np.unique(strange, return_inverse=True)
    ids = np.full(found.size, _IGNORE, np.uint8)
    legend = [*encoding.mapping, *((raw, _IGNORE) for raw in encoding.ignored)]
    channels = np.stack([found >> shift & 255 for shift in (16, 8, 0)]).astype(np.int16)
    best = np.full(found.size, SNAP_DISTANCE + 1)
    for raw, class_id in legend:
        own = np.array([[raw >> shift & 255] for shift in (16, 8, 0)], np.int16)
        away = np.abs(channels - own).max(axis=0)
        ids[away < best] = class_id
        best = np.minimum(best, away)
    return ids[which]


def _refused(raster: Raster, encoding: Encoding, path: str) -> UnreadableMask:
    seen = observe(path, raster)
    if seen.is_photo:
        text = (
            f"it looks like a photograph: {seen.distinct} colours; expected a mask of the colours {_legend(encoding)}"
        )
        return UnreadableMask(path, "looks-like-photo", text)
    text = (
        f"more than {MAX_STRAY:.0%} of it has none of the colours of the other masks; found "
        f"{seen.distinct} colours, expected {_legend(encoding)}. Export it as the others were"
    )
    return UnreadableMask(path, "does-not-fit", text)


def _legend(encoding: Encoding) -> str:
    return first_few([hex_colour(raw) for raw, _ in encoding.mapping], 4)


def _shown(found: NDArray[Any]) -> str:
    return first_few([hex_colour(int(raw)) for raw in found[:50]])
