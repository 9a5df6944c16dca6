"""Arrays that hold one mask or several: the planes of an array, and the arrays of a file that are masks."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.errors import UnreadableMask
from shapeprof.limits import MAX_PIXELS

from .format import Format, register
from .raster import Raster, from_array

_MASK_KEY = re.compile(r"(.*[._-])?(masks?|labels?|lbl|gt|ground_?truth|seg|segmentations?|annotations?|y)", re.I)
_IMAGE_KEY = re.compile(r"(.*[._-])?(images?|imgs?|x|rgb|raw|data_x|features?|embeddings?)", re.IGNORECASE)

Planes = dict[str, NDArray[Any]]  # by member: (H, W), or (H, W, 3) uint8 colours in R, G, B order


def planes_of(values: NDArray[Any], path: str) -> Planes:
    """The masks of an array of two or three axes (axes of length 1 aside) by their number.

    (H, W) is one mask, under "". (H, W, 3) and (H, W, 4) of uint8 are colours, unless they hold nothing but 0 and 1.
    Of any other array with three axes, the first or the last counts planes: the shorter one, the first if equal.
    """
    values = _without_axes_of_1(values)
    if values.ndim == 2:
        return {"": values}
    if values.ndim != 3 or 0 in values.shape:
        raise wrong_array(path, f"an array of shape {values.shape}")
    if values.dtype == np.uint8 and values.shape[2] in (3, 4) and values.max() > 1:
        return {"": values}
    if values.shape[2] < values.shape[0]:
        values = np.moveaxis(values, 2, 0)
    return {str(i): plane for i, plane in enumerate(values)}


def _without_axes_of_1(values: NDArray[Any]) -> NDArray[Any]:
    """``values`` with axes of length 1 dropped, at both ends and of channels (N, 1, H, W), while over two are left."""
    while values.ndim > 2 and values.shape[0] == 1:
        values = values[0]
    while values.ndim > 2 and values.shape[-1] == 1:
        values = values[..., 0]
    return values[:, 0] if values.ndim == 4 and values.shape[1] == 1 else values


def planes_of_arrays(arrays: dict[str, NDArray[Any]], path: str) -> Planes:
    """The masks in the arrays of one file: by array, by plane, or by both (``liver#3``)."""
    found: Planes = {}
    for key, values in arrays.items():
        for number, plane in planes_of(values, path).items():
            found["#".join(part for part in (key if len(arrays) > 1 else "", number) if part)] = plane
    return found


def mask_keys(keys: list[str]) -> list[str]:
    """Array names that look like masks; if none does, all that do not look like images."""
    masks = [key for key in keys if _MASK_KEY.fullmatch(key)]
    return masks or [key for key in keys if not _IMAGE_KEY.fullmatch(key)] or keys


def plane_of(planes: Planes, path: str, member: str) -> NDArray[Any]:
    """The plane ``member``, or the only one; raise UnreadableMask when there is none or there are several."""
    if not member and len(planes) > 1:
        raise several_pages(path, len(planes))
    if member not in planes:
        names = ", ".join(list(planes)[:4]) or "none"
        text = f"it has no member '{member}' (found: {names}); expected one that was there before"
        raise UnreadableMask(path, "no-such-member", text)
    return planes[member]


def register_arrays(
    title: str,
    suffixes: tuple[str, ...],
    recognises: Callable[[bytes], bool],
    planes: Callable[[bytes, str, int], Planes],
    members: Callable[[bytes, str, int], tuple[str, ...]] | None = None,
    *,
    slices: bool = False,
) -> None:
    """Register a format of arrays; ``planes``: (data, path, most pixels) to all masks of a file, by member.

    ``members``: their names alone, where these cost less. The other arguments are fields of ``Format``.
    """

    def read(data: bytes, path: str, member: str, limit: int) -> Raster:
        return from_array(plane_of(planes(data, path, limit), path, member), path)

    def names(data: bytes, path: str, limit: int) -> tuple[str, ...]:
        return tuple(planes(data, path, limit))

    def size(data: bytes, path: str, member: str) -> tuple[int, int]:
        found = planes(data, path, MAX_PIXELS)
        height, width = plane_of(found, path, member or next(iter(found))).shape[:2]
        return int(width), int(height)

    register(Format(title, suffixes, recognises, read, members or names, size, arrays=True, slices=slices))


def several_pages(path: str, pages: int) -> UnreadableMask:
    """The error about a file with several pages where one is expected."""
    text = (
        f"it holds {pages} pages, where the other masks have one; split it into files, or say --pages stack: "
        "each page is a mask then"
    )
    return UnreadableMask(path, "multi-page", text)


def wrong_array(path: str, seen: str, fix: str = "save class ids as a NumPy array or index PNG") -> UnreadableMask:
    """The error about an array that can't be a mask."""
    kind = PurePosixPath(path).suffix or "array"
    text = f"it holds {seen}; expected a {kind} file of whole numbers on two axes, or of planes of them: {fix}"
    return UnreadableMask(path, "wrong-array", text)
