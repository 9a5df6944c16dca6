"""Grey values and palette indices to class ids."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shapeprof.errors import UnreadableMask
from shapeprof.issues import Issue
from shapeprof.runmap import IGNORED
from shapeprof.sources.encoding import ODD, Encoding, hex_colour
from shapeprof.sources.formats.raster import Raster, equal_channels, pack
from shapeprof.wording import first_few

from .levels import between_levels
from .survey import is_grey_ramp, observe

MAX_SOFT = 0.3  # chosen: share of pixels off the levels beyond which a mask is refused
MAX_STRAY, MAX_STRAY_VALUES = 0.05, 16  # share and number of values without a class beyond which a mask is refused
_MARK = 254  # an unseen value among 8-bit labels, until it is looked at; ids stay below


@dataclass(frozen=True, slots=True)
class _Table:
    """Class id by raw value for one encoding."""

    ids: NDArray[np.int32]  # 65,536 entries; IGNORED, or ODD for values without a class
    narrow: NDArray[np.uint8]  # the same for 8-bit values; 255 ignored, _MARK unseen
    flagged: NDArray[np.uint8]  # 1 for 8-bit values that want a second look
    identity: bool  # 8-bit values are class ids already
    top: int  # largest value that was seen
    wide: bool  # some 8-bit values are ids that uint8 labels have no room for


def grey_labels(raster: Raster, encoding: Encoding, path: str) -> tuple[NDArray[Any], tuple[Issue, ...]]:
    """Labels of a mask with one value a pixel."""
    values = _palette_indices(raster, encoding, path) if encoding.kind == "palette" else _greys(raster, path)
    table = _table(encoding)
    if values.dtype != np.uint8 or table.wide:
        return _wide_labels(values, table, encoding, path)
    if table.identity:
        top = int(values.max())
        if top <= table.top:
            return values, ()
        if encoding.kind != "binary":
            return values, _beyond(values, top, encoding, path)
    labels = np.asarray(cv2.LUT(values, table.narrow))
    if encoding.levels or (labels.max() >= _MARK and (labels == _MARK).any()):
        labels[labels == _MARK] = 255
        return _second_look(values, labels, table, encoding, path)
    return labels, ()


@lru_cache(maxsize=8)
def _table(encoding: Encoding) -> _Table:
    extends = encoding.kind in ("index", "palette")
    ids = np.full(65536, ODD, np.int32)
    if extends and not encoding.levels and all(raw == id_ for raw, id_ in encoding.mapping):
        ids[:] = np.arange(65536)
    if encoding.step and not encoding.levels:
        beyond = np.arange(0, 256 if encoding.step < 256 else 65536, encoding.step)
        ids[beyond] = np.arange(len(beyond))
    raws = [raw for raw, _ in encoding.mapping]
    ids[raws] = [id_ for _, id_ in encoding.mapping]
    ids[[raw for raw in encoding.ignored if raw < 65536]] = IGNORED
    known = {*raws, *encoding.ignored}
    for most in {255, 65535} - known:
        ids[most] = ODD  # probably an ignore value that no sampled mask held
    flagged = (ids[:256] == ODD).astype(np.uint8)
    if encoding.levels:
        flagged[[raw for raw in range(256) if raw not in encoding.levels]] = 1
    wide = max((id_ for raw, id_ in encoding.mapping if raw < 256), default=0) >= _MARK
    small = ids[:256]
    narrow = np.where(small == ODD, _MARK, np.where(small < 0, 255, small)).astype(np.uint8)
    same = [raw for raw in range(255) if small[raw] != raw]
    identity = small[255] < 0 and (not same if extends else encoding.mapping == ((0, 0), (1, 1)))
    if not identity and 254 not in raws:
        narrow[254], flagged[254] = _MARK, 1
    return _Table(ids, narrow, flagged, bool(identity), max(known, default=0), wide)


@lru_cache(maxsize=8)
def classes_by_value(encoding: Encoding, bits: int) -> NDArray[np.int32]:
    """(65536,) class id of raw values of 8 or 16 bits, for runs; IGNORED, or ODD where pixels must be looked at.

    Wherever it is not ODD, it is what ``grey_labels`` gives.
    """
    table = _table(encoding)
    if bits == 16 or table.wide:
        return table.ids
    classes = np.full(65536, ODD, np.int32)
    if encoding.levels:
        return classes
    if table.identity:
        classes[: table.top + 1] = np.arange(table.top + 1)
        if encoding.kind == "binary":
            classes[2:255] = ODD
        if table.top >= 255:
            classes[255] = IGNORED
    else:
        classes[:256] = table.narrow
        classes[:256][table.narrow == 255] = IGNORED
        classes[:256][table.narrow == _MARK] = ODD
    return classes


def _greys(raster: Raster, path: str) -> NDArray[Any]:
    values = raster.values
    if raster.is_colour:
        if equal_channels(values):
            return np.ascontiguousarray(cv2.extractChannel(values, 0))
        raise _colours_refused(raster, path)
    if raster.palette is None:
        if values.dtype == np.uint32:
            raise _refused(path, f"values up to {values.max()}", "at most 65535")
        return values
    if not is_grey_ramp(raster.palette, values):
        raise _refused(path, "a palette of colours", "grey values, as in the other masks")
    ramp = np.array([colour & 255 for colour in raster.palette], np.uint8)
    return np.asarray(ramp[values])


def _palette_indices(raster: Raster, encoding: Encoding, path: str) -> NDArray[Any]:
    """The indices of a palette mask, put in the order of the palette that the set shares."""
    shared = dict(encoding.palette)
    if raster.palette is None:
        known = {raw for raw, _ in encoding.mapping} | set(encoding.ignored)
        if raster.is_colour or not known.issuperset(np.unique(raster.values).tolist()):
            raise _refused(path, "no palette, and other values", "a palette, as in the other masks")
        return raster.values
    own = raster.palette
    if all(index < len(own) and own[index] == colour for index, colour in encoding.palette):
        return raster.values
    order = np.arange(256, dtype=np.uint8)
    index_of = {colour: index for index, colour in encoding.palette}
    for index in np.flatnonzero(np.bincount(raster.values.ravel(), minlength=256)):
        colour = own[index] if index < len(own) else None
        if colour == shared.get(int(index)) or (colour not in index_of and int(index) not in shared):
            continue
        if colour is None or colour not in index_of or len(index_of) < len(shared):
            seen = "no colour" if colour is None else hex_colour(colour)
            raise UnreadableMask(
                path,
                "palette-differs",
                f"its palette has {seen} at index {index}, where the other masks have "
                f"{hex_colour(shared.get(int(index), 0))}; export it with the palette of the others",
            )
        order[index] = index_of[colour]
    return np.asarray(order[raster.values])


def _beyond(values: NDArray[Any], top: int, encoding: Encoding, path: str) -> tuple[Issue, ...]:
    """Issues of an index mask with values above those in the sample; refuse it when it is a photograph."""
    _refuse_photo(values, path)
    if top == 255:
        share = float((values == 255).mean())
        return (_stray_issue(path, [255], share, "If it is a class, pass --ignore-index none"),)
    text = f"it holds class id {top}, which none of the masks looked at first held; it counts as a class of its own"
    return (Issue("info", "unseen-class", text, path),)


def _second_look(
    values: NDArray[Any], labels: NDArray[Any], table: _Table, encoding: Encoding, path: str
) -> tuple[NDArray[Any], tuple[Issue, ...]]:
    """Labels of an 8-bit mask with values that the encoding does not hold: correct, report or refuse them."""
    counts = np.bincount(values.ravel(), minlength=256)
    strange = [int(raw) for raw in np.flatnonzero(counts * table.flagged)]
    share = float(counts[strange].sum()) / values.size
    held = [int(raw) for raw in np.flatnonzero(counts)]
    if encoding.levels:
        return labels, _soft_issues(dict(zip(held, counts[held].tolist(), strict=True)), encoding, path)
    if encoding.kind == "binary" and len(strange) == 1 and set(held) <= {0, *strange}:
        text = (
            f"its foreground is {strange[0]}, where the other masks have {encoding.mapping[-1][0]}; read as foreground"
        )
        return (values > 0).astype(np.uint8), (Issue("warning", "other-foreground", text, path),)
    seen = observe(path, Raster(values))
    if seen.is_soft and encoding.kind in ("binary", "grey-multiples"):
        snapped = _snapping(encoding)
        found = _soft_issues(seen.pixels, snapped, path)
        return np.asarray(cv2.LUT(values, _table(snapped).narrow)), found
    _refuse_photo(values, path)
    if len(strange) > MAX_STRAY_VALUES or (share > MAX_STRAY and strange != [255]):
        known = first_few([str(raw) for raw, _ in encoding.mapping], 8)
        raise _refused(path, f"{len(strange)} other values on {share:.1%} of its pixels", f"the values {known}")
    return labels, (_stray_issue(path, strange, share, "Correct the mask, or pass --ignore-index"),)


@lru_cache(maxsize=8)
def _snapping(encoding: Encoding) -> Encoding:
    """``encoding`` with every value taken to the nearest that it knows: for a soft mask in a set of exact ones."""
    known = {raw: class_id for raw, class_id in encoding.mapping if raw < 256}
    levels = tuple(known)
    nearest = [min(levels, key=lambda level: (abs(level - raw), level)) for raw in range(256)]
    mapping = tuple((raw, known[level]) for raw, level in enumerate(nearest))
    return replace(encoding, mapping=mapping, levels=levels, ignored=(), soft_share=0.0)


def _soft_issues(pixels: dict[int, int], encoding: Encoding, path: str) -> tuple[Issue, ...]:
    """A warning about a mask with far more pixels between the levels than the set has; refuse it when they are many."""
    share = between_levels(pixels, encoding.levels)
    levels = first_few(map(str, encoding.levels))
    if share > MAX_SOFT:
        raise _refused(path, f"{share:.0%} of its pixels between the levels", levels)
    if share <= encoding.soft_share:
        return ()
    text = (
        f"{share:.1%} of its pixels lie between the levels {levels}, far more than in other masks; they are "
        "taken to the nearest. Export it without smoothing, as PNG"
    )
    return (Issue("warning", "soft-mask", text, path),)


def _wide_labels(
    values: NDArray[Any], table: _Table, encoding: Encoding, path: str
) -> tuple[NDArray[Any], tuple[Issue, ...]]:
    """Labels of 16-bit values, or of ids that 8 bits can't hold beside the ignore index."""
    ids = table.ids.take(values)
    issues: tuple[Issue, ...] = ()
    unseen = ids == ODD
    if unseen.any():
        strange = [int(raw) for raw in np.unique(values[unseen])]
        share = float(unseen.mean())
        if len(strange) > MAX_STRAY_VALUES or (share > MAX_STRAY and strange[-1] not in (255, 65535)):
            known = first_few([str(raw) for raw, _ in encoding.mapping], 8)
            raise _refused(path, f"{len(strange)} other values on {share:.1%} of its pixels", f"the values {known}")
        issues = (_stray_issue(path, strange, share, "Correct the mask, or pass --ignore-index"),)
    wide = int(ids.max()) >= 255
    dtype, most = (np.uint16, 65535) if wide else (np.uint8, 255)
    return np.where(ids < 0, most, ids).astype(dtype), issues


def _refuse_photo(values: NDArray[Any], path: str) -> None:
    seen = observe(path, Raster(values))
    if seen.is_photo or seen.is_soft:
        code = "looks-like-photo" if seen.is_photo else "soft-mask"
        what = "it looks like a photograph" if seen.is_photo else "its values are blended (anti-aliased or JPEG)"
        raise UnreadableMask(
            path, code, f"{what}: {seen.distinct} grey values; expected class ids. Export the mask as index PNG"
        )


def _colours_refused(raster: Raster, path: str) -> UnreadableMask:
    seen = observe(path, raster)
    if seen.is_photo:
        text = f"it looks like a photograph: {seen.distinct} colours; expected a mask of class ids"
        return UnreadableMask(path, "looks-like-photo", text)
    shown = first_few([hex_colour(int(colour)) for colour in np.unique(pack(raster.values))[:20]])
    text = f"it has three different channels ({shown}); expected one value a pixel, as in the other masks"
    return UnreadableMask(path, "wrong-channels", text)


def _refused(path: str, seen: str, expected: str) -> UnreadableMask:
    text = f"it does not fit the other masks: found {seen}, expected {expected}. Export it as the others were"
    return UnreadableMask(path, "does-not-fit", text)


def _stray_issue(path: str, values: list[int], share: float, fix: str) -> Issue:
    shown = first_few(map(str, values), 4)
    text = f"the value {shown} covers {share:.2%} of it and is no class of this set; those pixels are ignored. {fix}"
    return Issue("warning", "unseen-value", text, path)
