"""A file's bytes as raw stored values, before anyone says what they mean."""

from __future__ import annotations

import io
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shapeprof.errors import UnreadableMask
from shapeprof.sources import png

_WARNINGS_LOCK = threading.Lock()  # catch_warnings changes global state: one thread at a time


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


def decode(data: bytes, path: str) -> Raster:
    """Decode one file's bytes by content, whatever its extension; raise UnreadableMask."""
    if not data:
        raise UnreadableMask(path, "empty-file", "the file has 0 bytes; copy or export it again")
    if data.startswith(png.SIGNATURE):
        return _decode_png(data, path)
    return _decode_other(data, path)


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


def _check_size(width: int, height: int, path: str) -> None:
    if width < 1 or height < 1:
        text = f"it declares {width} x {height} pixels, or stops before it does; export the file again"
        raise UnreadableMask(path, "truncated-file", text)
    if width * height > png.MAX_PIXELS:
        raise UnreadableMask(
            path,
            "too-large",
            f"it declares {width} x {height} pixels, more than the limit of {png.MAX_PIXELS:,}; "
            "split it into tiles",
        )


def _decode_png(data: bytes, path: str) -> Raster:
    _check_size(*png.png_size(data), path)  # before anything else is believed
    file = png.parse_png(data, path)
    _check_size(file.width, file.height, path)
    values = cv2.imdecode(np.frombuffer(file.stripped, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.shape[:2] != (file.height, file.width):
        raise UnreadableMask(
            path, "damaged-file", "its compressed image data can't be decoded; export the file again"
        )
    if file.colour_type == png.PALETTE:
        if file.depth < 8:  # OpenCV stretches small samples to 0..255; an index is the sample itself
            values = values // (255 // (2**file.depth - 1))
        return Raster(values, file.palette)
    return _checked(values, path)


def _checked(values: NDArray[Any], path: str, *, lossy: bool = False) -> Raster:
    """Drop an alpha channel that says nothing, and bring 16-bit colours to 8 bits where exact."""
    if values.ndim == 2:
        return Raster(values, lossy=lossy)
    if values.shape[2] == 4:
        _check_alpha(values, path)
        values = np.ascontiguousarray(values[..., :3])
    if values.shape[2] != 3:
        raise _wrong_channels(path, f"{values.shape[2]} channels")
    if values.dtype == np.uint16:
        if equal_channels(values):
            return Raster(np.ascontiguousarray(values[..., 0]), lossy=lossy)
        if (values % 257).any():
            raise _wrong_channels(path, "colours of 16 bits a channel")
        values = (values // 257).astype(np.uint8)
    return Raster(values, lossy=lossy)


def _check_alpha(values: NDArray[Any], path: str) -> None:
    alpha = values[..., 3]
    hidden = alpha != np.iinfo(values.dtype).max
    if not hidden.any():
        return
    if values[..., :3][hidden].any() or (alpha[hidden] != 0).any():
        raise UnreadableMask(
            path,
            "alpha-channel",
            f"{hidden.mean():.1%} of its pixels are transparent and hold a colour below; a mask needs one "
            "value a pixel: flatten it (in Pillow: convert('RGB')) and export it again",
        )


def _wrong_channels(path: str, seen: str) -> UnreadableMask:
    return UnreadableMask(
        path,
        "wrong-channels",
        f"it has {seen}; a mask has one channel of class ids, a palette, or 8-bit RGB colours: "
        "export it as index PNG",
    )


def _decode_other(data: bytes, path: str) -> Raster:
    """Decode through Pillow, which refuses a file that is cut short."""
    from PIL import Image, UnidentifiedImageError

    try:
        with _WARNINGS_LOCK, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the size is judged below; odd tags don't matter
            image = Image.open(io.BytesIO(data))
        with image:
            _check_size(*image.size, path)
            pages = getattr(image, "n_frames", 1)
            if pages > 1:
                raise UnreadableMask(
                    path,
                    "multi-page",
                    f"it holds {pages} pages, of which a mask has one; split it into files",
                )
            image.load()
            exact = image.format != "JPEG" and (image.format != "WEBP" or data[12:16] == b"VP8L")
            return _from_pillow(image, path, lossy=not exact)
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise _not_an_image(data, path, error) from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError) as error:
        code = "truncated-file" if "truncat" in str(error) else "damaged-file"
        raise UnreadableMask(path, code, f"{error}; copy or export the file again") from error


def _not_an_image(data: bytes, path: str, error: Exception) -> UnreadableMask:
    if not isinstance(error, OSError):  # a decompression bomb
        return UnreadableMask(path, "too-large", f"{error}; split it into tiles")
    start = data[:12].decode("latin-1").encode("unicode_escape").decode()
    return UnreadableMask(
        path,
        "not-an-image",
        f"it starts with '{start}', which no known image format does; expected a PNG, TIFF, BMP, WebP, "
        "GIF or JPEG mask",
    )


def _from_pillow(image: Any, path: str, *, lossy: bool) -> Raster:
    mode = image.mode
    if mode == "P":
        flat = image.getpalette("RGB") or []
        colours = zip(flat[0::3], flat[1::3], flat[2::3], strict=True)
        return Raster(np.asarray(image), tuple(r << 16 | g << 8 | b for r, g, b in colours))
    if mode == "1":
        return Raster(np.asarray(image.convert("L")))
    if mode in ("RGB", "RGBA"):
        order = [2, 1, 0, 3][: len(mode)]
        return _checked(np.ascontiguousarray(np.asarray(image)[..., order]), path, lossy=lossy)
    if mode == "L" or mode.startswith("I;16"):
        values = np.asarray(image)
        return Raster(values.astype(values.dtype.newbyteorder("="), copy=False), lossy=lossy)
    if mode in ("I", "F"):
        return Raster(_whole_numbers(np.asarray(image), path))
    raise _wrong_channels(path, f"pixels of mode {mode}")


def _whole_numbers(values: NDArray[Any], path: str) -> NDArray[Any]:
    """Integers of 32 bits or floating-point values as uint16 (or uint32) ids."""
    low, high = values.min(), values.max()
    if not (low >= 0 and high < 2**32) or (values.dtype.kind == "f" and (values % 1).any()):
        raise UnreadableMask(
            path,
            "wrong-type",
            f"its {values.dtype} values run from {low} to {high}; class ids are whole numbers from 0: "
            "export it as 8- or 16-bit index PNG",
        )
    return values.astype(np.uint16 if high <= 65535 else np.uint32)


def header_size(path: Path) -> tuple[int, int] | None:
    """(width, height) of an image file from its header alone; None when that can't be read."""
    from PIL import Image

    try:
        with path.open("rb") as file:
            start = file.read(32)
            if start.startswith(png.SIGNATURE) and len(start) >= 24:
                return png.png_size(start)
            file.seek(0)
            with _WARNINGS_LOCK, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with Image.open(file) as image:
                    return image.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
