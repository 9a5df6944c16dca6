"""A file's bytes as raw stored values, before anyone says what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shapeprof.errors import UnreadableMask
from shapeprof.labelmap import MAX_PIXELS
from shapeprof.sources.encoding import Pages

from . import png, tiff
from .arrays import is_array_file, plane_names, read_plane
from .decoders import decoding, too_large
from .members import ARRAY_SUFFIXES, split_name

JOINED = ("one-hot", "exclusive")  # what "pages" says of planes that become one mask
MAX_ODD = 0.05  # chosen: share of pixels with several planes set (or none) beyond which a joined mask is refused


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


def decode(data: bytes, path: str, limit: int = MAX_PIXELS, pages: Pages = "") -> Raster:
    """Decode one file's bytes by content, whatever its extension; raise UnreadableMask.

    Args:
        data: the bytes of the file.
        path: the name of the mask, which says the member to read of a file that holds several.
        limit: pixels that a file may have.
        pages: how the planes of a file that holds several become one mask, when no member is named.
    """
    if not data:
        raise UnreadableMask(path, "empty-file", "the file has 0 bytes; copy or export it again")
    if data.startswith(png.SIGNATURE):
        return _decode_png(data, path, limit)
    member = split_name(path)[1]
    with decoding(path):
        if pages in JOINED and not member and len(names := members(data, path, limit)) > 1:
            return _joined([_decode_member(data, path, name, limit) for name in names], path, pages)
        return _decode_member(data, path, member, limit)


def members(data: bytes, path: str, limit: int = MAX_PIXELS) -> tuple[str, ...]:
    """The members of a file that may hold several masks: ("",) where it is one mask. Raises UnreadableMask."""
    with decoding(path):
        if is_array_file(data):
            return plane_names(data, path, limit)
        if data.startswith(tiff.SIGNATURES):
            return tiff.page_names(data, path, limit)
    return ("",)


def _decode_member(data: bytes, path: str, member: str, limit: int) -> Raster:
    if is_array_file(data):
        names = plane_names(data, path, limit) if not member else ()
        if len(names) > 1:
            raise tiff.several_pages(path, len(names))
        return from_array(read_plane(data, path, member, limit), path)
    return _decode_other(data, path, member, limit)


def from_array(values: NDArray[Any], path: str) -> Raster:
    """The raster of an (H, W) array of whole numbers or an (H, W, 3 or 4) array of uint8 colours, R first.

    The value -1 stands for pixels without a class: it becomes 255, or 65535 where ids need 16 bits.
    """
    if values.size == 0:
        raise UnreadableMask(path, "empty-file", f"its array has the shape {values.shape}; expected pixels")
    if values.ndim == 3:
        order = [2, 1, 0, 3][: values.shape[2]]
        return _checked(np.ascontiguousarray(values[..., order]), path)
    if values.dtype == np.bool_:
        values = values.astype(np.uint8)
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    if values.dtype.kind in "if" and values.min() == -1:
        values = np.where(values == -1, 255 if values.max() < 255 else 65535, values)
    if values.dtype == np.uint8:
        return Raster(np.ascontiguousarray(values))
    return Raster(np.ascontiguousarray(_whole_numbers(values, path)))


def _joined(planes: list[Raster], path: str, pages: Pages) -> Raster:
    """Planes of one class each as one map: the number of the plane (from 1 where "exclusive", 0 where none is set)."""
    first = planes[0].values
    if any(plane.values.shape != first.shape or plane.is_colour for plane in planes):
        raise UnreadableMask(path, "does-not-fit", "its planes differ in size or have colours; export it again")
    masks = [plane.values != 0 for plane in planes]
    count = np.sum(masks, axis=0, dtype=np.int32)
    odd = count != 1 if pages == "one-hot" else count > 1
    if odd.mean() > MAX_ODD:
        text = (
            f"on {odd.mean():.1%} of it {'not exactly one' if pages == 'one-hot' else 'more than one'} of its "
            f"{len(planes)} planes is set, where the planes of other masks exclude each other; read planes one by one "
            "with --pages classes"
        )
        raise UnreadableMask(path, "does-not-fit", text)
    values = np.zeros(first.shape, np.uint8 if len(planes) < 255 else np.uint16)
    for number, mask in enumerate(masks, start=pages == "exclusive"):
        values[mask] = number
    values[odd] = np.iinfo(values.dtype).max
    return Raster(values)


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


def _decode_png(data: bytes, path: str, limit: int) -> Raster:
    check_size(*png.png_size(data), path, limit)  # before anything else is believed
    file = png.parse_png(data, path)
    check_size(file.width, file.height, path, limit)
    try:
        values = cv2.imdecode(np.frombuffer(file.stripped, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        text = f"OpenCV can't hold its {file.width} x {file.height} pixels, or reads no such PNG; split it into tiles"
        raise UnreadableMask(path, "too-large", text) from None
    if values is None or values.shape[:2] != (file.height, file.width):
        raise UnreadableMask(path, "damaged-file", "its compressed image data can't be decoded; export the file again")
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
        values = _without_alpha(values, path)
        if values.ndim == 2:
            return Raster(values, lossy=lossy)
    if values.shape[2] != 3:
        raise _wrong_channels(path, f"{values.shape[2]} channels")
    if values.dtype == np.uint16:
        if equal_channels(values):
            return Raster(np.ascontiguousarray(values[..., 0]), lossy=lossy)
        if (values % 257).any():
            raise _wrong_channels(path, "colours of 16 bits a channel")
        values = (values // 257).astype(np.uint8)
    return Raster(values, lossy=lossy)


def _without_alpha(values: NDArray[Any], path: str) -> NDArray[Any]:
    """(H, W, 3) colours, or (H, W) grey values, of four channels.

    Alpha says nothing where it is equal everywhere. Where colours are, it is the mask. Transparent pixels that all
    hold one colour are shown black; where colours are hidden below, or half shown, the mask is refused.
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


def _wrong_channels(path: str, seen: str) -> UnreadableMask:
    return UnreadableMask(
        path,
        "wrong-channels",
        f"it has {seen}; a mask has one channel of class ids, a palette, or 8-bit RGB colours: export it as index PNG",
    )


def _decode_other(data: bytes, path: str, member: str, limit: int) -> Raster:
    """Decode through Pillow, which refuses a file that is cut short; what it can't read of TIFF, through tifffile."""
    from PIL import UnidentifiedImageError

    is_tiff = data.startswith(tiff.SIGNATURES)
    try:
        with tiff.opened(data) as image:
            check_size(image.width, image.height, path, limit)
            if is_tiff:
                _to_page(image, data, path, member, limit)
                if tiff.is_odd(image):
                    return from_array(tiff.read_page(data, path, member, limit), path)
            elif (pages := getattr(image, "n_frames", 1)) > 1 and image.format != "MPO":
                text = f"it is an animation of {pages} pictures; a mask has one: split it into files"
                raise UnreadableMask(path, "multi-page", text)
            image.load()
            exact = image.format not in ("JPEG", "MPO") and (image.format != "WEBP" or data[12:16] == b"VP8L")
            return _from_pillow(image, path, lossy=not exact)
    except UnidentifiedImageError:
        if is_tiff:
            return from_array(tiff.read_page(data, path, member, limit), path)
        raise _not_an_image(data, path) from None


def _to_page(image: Any, data: bytes, path: str, member: str, limit: int) -> None:
    """Go to the page of a TIFF file that ``member`` names, or to the only one."""
    names = tiff.page_names(data, path, limit)
    if member not in names:
        if not member:
            raise tiff.several_pages(path, len(names))
        raise UnreadableMask(path, "no-such-member", f"it has no page '{member}'; expected one of {len(names)}")
    if member and not tiff.is_odd(image):
        image.seek(int(member))
        check_size(image.width, image.height, path, limit)


def _not_an_image(data: bytes, path: str) -> UnreadableMask:
    start = data[:12].decode("latin-1").encode("unicode_escape").decode()
    return UnreadableMask(
        path,
        "not-an-image",
        f"it starts with '{start}', which no known format of masks does; expected a PNG, TIFF, BMP, WebP, "
        "GIF, JPEG, NPY, NPZ, MATLAB or NIfTI mask",
    )


def _from_pillow(image: Any, path: str, *, lossy: bool) -> Raster:
    mode = image.mode
    if mode == "P":
        flat = image.getpalette("RGB") or []
        colours = zip(flat[0::3], flat[1::3], flat[2::3], strict=True)
        return Raster(np.asarray(image), tuple(r << 16 | g << 8 | b for r, g, b in colours))
    if mode == "1":
        return Raster(np.asarray(image.convert("L")))
    if mode in ("LA", "La", "RGBa", "PA", "RGBX"):
        mode = "RGB" if mode == "RGBX" else "RGBA"
        image = image.convert(mode)
    if mode in ("RGB", "RGBA"):
        order = [2, 1, 0, 3][: len(mode)]
        return _checked(np.ascontiguousarray(np.asarray(image)[..., order]), path, lossy=lossy)
    if mode == "L" or mode.startswith("I;16"):
        values = np.asarray(image)
        return Raster(values.astype(values.dtype.newbyteorder("="), copy=False), lossy=lossy)
    if mode in ("I", "F"):
        values = np.asarray(image)
        if mode == "I" and image.format == "TIFF" and tiff.is_unsigned(image):
            values = values.view(np.uint32)
        return from_array(values, path)
    raise _wrong_channels(path, f"pixels of mode {mode}")


def _whole_numbers(values: NDArray[Any], path: str) -> NDArray[Any]:
    """Integers of 32 bits or floating-point values as uint16 (or uint32) ids."""
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high < 2**32) or (values.dtype.kind == "f" and (values % 1).any()):
        raise UnreadableMask(
            path,
            "wrong-type",
            f"its {values.dtype} values run from {low:g} to {high:g}; class ids are whole numbers from 0: "
            "export it as 8- or 16-bit index PNG",
        )
    return values.astype(np.uint16 if high <= 65535 else np.uint32)


def header_size(path: Path) -> tuple[int, int] | None:
    """(width, height) of an image or a mask, from its header where it has one; None when that can't be read.

    ``path`` may name a member of a file. Of a file of several planes it is the size of the first.
    """
    name, member = split_name(str(path), Path())
    try:
        with decoding(path.name), Path(name).open("rb") as file:
            start = file.read(32)
            if start.startswith(png.SIGNATURE) and len(start) >= 24:
                return png.png_size(start)
            file.seek(0)
            if name.lower().endswith(ARRAY_SUFFIXES):
                data = file.read()
                first = member or plane_names(data, path.name, MAX_PIXELS)[0]
                height, width = read_plane(data, path.name, first, MAX_PIXELS).shape[:2]
                return int(width), int(height)
            with tiff.opened(file, formats=None) as image:
                if member:
                    image.seek(int(member))
                return int(image.width), int(image.height)
    except UnreadableMask:
        return None
