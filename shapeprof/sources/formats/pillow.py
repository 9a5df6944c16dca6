"""Images that Pillow reads: BMP, GIF, JPEG and WebP. Pillow refuses a file that is cut short."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO

import numpy as np

from shapeprof.errors import UnreadableMask

from .format import Format, register
from .raster import Raster, check_size, from_array, from_channels, wrong_channels

_DIB_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # sizes that a bitmap without a file header begins with


@contextmanager
def opened(file: bytes | BinaryIO, formats: tuple[str, ...] | None = None) -> Iterator[Any]:
    """A file opened by Pillow without its limit of pixels, which the caller checks; inside of ``decoding``.

    ``formats``: Pillow's names of those that the file may be of; None: any.
    """
    from PIL import Image

    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        image = Image.open(io.BytesIO(file) if isinstance(file, bytes) else file, formats=formats)
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    with image:
        yield image


def _read(formats: tuple[str, ...], data: bytes, path: str, member: str, limit: int) -> Raster:
    """The only picture of a file that is of one of Pillow's ``formats``."""
    with opened(data, formats) as image:
        check_size(image.width, image.height, path, limit)
        if (pages := getattr(image, "n_frames", 1)) > 1 and image.format != "MPO":
            text = f"it is an animation of {pages} pictures; a mask has one: split it into files"
            raise UnreadableMask(path, "multi-page", text)
        image.load()
        exact = image.format not in ("JPEG", "MPO") and (image.format != "WEBP" or data[12:16] == b"VP8L")
        return from_pillow(image, path, lossy=not exact)


def from_pillow(image: Any, path: str, *, lossy: bool) -> Raster:
    """The raster of an image that Pillow has loaded."""
    mode = image.mode
    if mode == "P":
        flat = image.getpalette("RGB") or []
        colours = zip(flat[0::3], flat[1::3], flat[2::3], strict=True)
        return Raster(np.asarray(image), tuple(r << 16 | g << 8 | b for r, g, b in colours))
    if mode == "1":
        return Raster(np.asarray(image.convert("L")))
    if mode in ("LA", "RGBa", "PA", "RGBX"):
        mode = "RGB" if mode == "RGBX" else "RGBA"
        image = image.convert(mode)
    if mode in ("RGB", "RGBA"):
        order = [2, 1, 0, 3][: len(mode)]
        return from_channels(np.ascontiguousarray(np.asarray(image)[..., order]), path, lossy=lossy)
    if mode == "L" or mode.startswith("I;16"):
        values = np.asarray(image)
        return Raster(values.astype(values.dtype.newbyteorder("="), copy=False), lossy=lossy)
    if mode in ("I", "F"):
        return from_array(np.asarray(image), path)
    raise wrong_channels(path, f"pixels of mode {mode}")


def _is_bitmap(data: bytes) -> bool:
    return data.startswith(b"BM") or int.from_bytes(data[:4], "little") in _DIB_HEADERS


register(Format("BMP", (".bmp",), _is_bitmap, partial(_read, ("BMP", "DIB"))))
register(Format("GIF", (".gif",), lambda data: data.startswith(b"GIF8"), partial(_read, ("GIF",))))
register(Format("JPEG", (".jpg", ".jpeg"), lambda data: data.startswith(b"\xff\xd8"), partial(_read, ("JPEG",))))
register(
    Format("WebP", (".webp",), lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", partial(_read, ("WEBP",)))
)
