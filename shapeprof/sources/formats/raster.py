"""The stored values of one file, and their checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shapeprof.errors import UnreadableMask

from .decoders import too_large


@dataclass(frozen=True, slots=True)
class Raster:
    """Decoded values. (H, W) grey values or palette indices, or (H, W, 3) uint8 in B, G, R order."""

    values: NDArray[Any]  # uint8 or uint16; uint32 for the largest object ids
    palette: tuple[int, ...] | None = None  # 0xRRGGBB by index: ``values`` are palette indices
    lossy: bool = False  # the file's format may have changed values (JPEG, lossy WebP)

    @property
    def is_colour(self) -> bool:
        """Whether there are three channels."""
        return self.values.ndim == 3


def from_array(values: NDArray[Any], path: str) -> Raster:
    """The raster of an (H, W) array of whole numbers or an (H, W, 3 or 4) array of uint8 colours, R first.

    The value -1 stands for pixels without a class: it becomes 255, or 65535 where ids need 16 bits.
    """
    if values.size == 0:
        raise UnreadableMask(path, "empty-file", f"its array has the shape {values.shape}; expected pixels")
    if values.ndim == 3:
        order = [2, 1, 0, 3][: values.shape[2]]
        return from_channels(np.ascontiguousarray(values[..., order]), path)
    if values.dtype == np.bool_:
        values = values.astype(np.uint8)
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    if values.dtype.kind in "if" and values.min() == -1:
        values = np.where(values == -1, 255 if values.max() < 255 else 65535, values)
    if values.dtype == np.uint8:
        return Raster(np.ascontiguousarray(values))
    return Raster(np.ascontiguousarray(_whole_numbers(values, path)))


def from_channels(values: NDArray[Any], path: str, *, lossy: bool = False) -> Raster:
    """The raster of an (H, W) array, or of an (H, W, 3 or 4) one in B, G, R, alpha order.

    An alpha channel that says nothing is dropped, and 16-bit colours become 8-bit ones where that is exact.
    """
    if values.ndim == 2:
        return Raster(values, lossy=lossy)
    if values.shape[2] == 4:
        values = _without_alpha(values, path)
        if values.ndim == 2:
            return Raster(values, lossy=lossy)
    if values.shape[2] != 3:
        raise wrong_channels(path, f"{values.shape[2]} channels")
    if values.dtype == np.uint16:
        if equal_channels(values):
            return Raster(np.ascontiguousarray(values[..., 0]), lossy=lossy)
        if (values % 257).any():
            raise wrong_channels(path, "colours of 16 bits a channel")
        values = (values // 257).astype(np.uint8)
    return Raster(values, lossy=lossy)


def _without_alpha(values: NDArray[Any], path: str) -> NDArray[Any]:
    """Four channels without alpha: (H, W, 3) colours, or (H, W) grey values.

    Alpha that is equal everywhere is dropped. If all colours are equal, alpha is the mask. Transparent pixels
    that all hold one colour become black; if transparency hides several colours, or is partial, the mask is refused.
    """
    colours, alpha = np.ascontiguousarray(values[..., :3]), values[..., 3]
    if (alpha == alpha[0, 0]).all():
        return colours
    if (colours == colours[0, 0]).all():
        return np.ascontiguousarray(alpha)
    hidden = alpha == 0
    shown = alpha[~hidden]
    if (shown != shown[0]).any() or (hidden.any() and (colours[hidden] != colours[hidden][0]).any()):
        raise UnreadableMask(
            path,
            "alpha-channel",
            f"{(alpha != alpha.max()).mean():.1%} of its pixels are transparent and hold a colour below; a mask needs "
            "one value a pixel: flatten it (in Pillow: convert('RGB')) and export it again",
        )
    colours[hidden] = 0
    return colours


def wrong_channels(path: str, seen: str) -> UnreadableMask:
    """The error about a file whose channels can't be class ids."""
    return UnreadableMask(
        path,
        "wrong-channels",
        f"it has {seen}; a mask has one channel of class ids, a palette, or 8-bit RGB colours: export it as index PNG",
    )


def equal_channels(values: NDArray[Any]) -> bool:
    """Whether the three channels of an (H, W, 3) array hold the same values everywhere."""
    first = cv2.extractChannel(values, 0)
    return all(cv2.norm(first, cv2.extractChannel(values, i), cv2.NORM_INF) == 0 for i in (1, 2))


def pack(values: NDArray[Any]) -> NDArray[np.uint32]:
    """(H, W) uint32 colours 0x00RRGGBB of an (H, W, 3) uint8 array in B, G, R order."""
    four = cv2.cvtColor(values, cv2.COLOR_BGR2BGRA)
    four[..., 3] = 0
    packed: NDArray[np.uint32] = four.view("<u4")[..., 0]
    return packed


def check_size(width: int, height: int, path: str, limit: int) -> None:
    """Raise UnreadableMask when a file declares no pixels, or more than ``limit``."""
    if width < 1 or height < 1:
        text = f"it declares {width} x {height} pixels, or stops before it does; export the file again"
        raise UnreadableMask(path, "truncated-file", text)
    if width * height > limit:
        raise too_large(path, f"{width} x {height} pixels", limit)


def _whole_numbers(values: NDArray[Any], path: str) -> NDArray[Any]:
    """Integers of 32 bits or floating-point values as uint16 (or uint32) ids."""
    seen = f"its values are of type {values.dtype}"
    if values.dtype.kind in "uif":
        low, high = float(values.min()), float(values.max())
        if low >= 0 and high < 2**32 and (values.dtype.kind != "f" or not (values % 1).any()):
            return values.astype(np.uint16 if high <= 65535 else np.uint32)
        seen = f"its {values.dtype} values run from {low:g} to {high:g}"
    text = f"{seen}; class ids are whole numbers from 0: export it as 8- or 16-bit index PNG"
    raise UnreadableMask(path, "wrong-type", text)
