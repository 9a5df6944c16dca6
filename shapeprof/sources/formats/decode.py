"""Decode a file of any format to its stored values, before their meaning is detected."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shapeprof.errors import UnreadableMask
from shapeprof.limits import MAX_PIXELS
from shapeprof.sources.encoding import Pages

from .decoders import decoding
from .format import HEAD, Format, format_of, titles
from .members import split_name
from .pillow import opened
from .raster import Raster

JOINED = ("one-hot", "exclusive")  # values of ``pages`` for planes that become one mask
MAX_ODD = 0.05  # chosen: share of pixels with several planes set (or none) beyond which a joined mask is refused


def decode(data: bytes, path: str, limit: int = MAX_PIXELS, pages: Pages = "") -> Raster:
    """Decode one file's bytes by content, whatever its extension; raise UnreadableMask.

    Args:
        data: the bytes of the file.
        path: the name of the mask, which says the member to read of a file that holds several.
        limit: pixels that a file may have.
        pages: how the planes of a file that holds several become one mask, when no member is named.
    """
    format_ = _format(data, path)
    member = split_name(path)[1]
    if not format_.guarded:
        return format_.read(data, path, member, limit)
    from PIL import UnidentifiedImageError

    with decoding(path):
        if pages in JOINED and not member and len(names := _members(format_, data, path, limit)) > 1:
            return _joined([format_.read(data, path, name, limit) for name in names], path, pages)
        try:
            return format_.read(data, path, member, limit)
        except UnidentifiedImageError:
            raise _not_an_image(data, path) from None


def members(data: bytes, path: str, limit: int = MAX_PIXELS) -> tuple[str, ...]:
    """The names of the masks in a file, ("",) for a single one. Raises UnreadableMask."""
    format_ = format_of(data)
    if format_ is None or format_.members is None:
        return ("",)
    with decoding(path):
        return _members(format_, data, path, limit)


def _members(format_: Format, data: bytes, path: str, limit: int) -> tuple[str, ...]:
    return ("",) if format_.members is None else format_.members(data, path, limit)


def _format(data: bytes, path: str) -> Format:
    if not data:
        raise UnreadableMask(path, "empty-file", "the file has 0 bytes; copy or export it again")
    format_ = format_of(data)
    if format_ is None:
        raise _not_an_image(data, path)
    return format_


def _not_an_image(data: bytes, path: str) -> UnreadableMask:
    start = data[:12].decode("latin-1").encode("unicode_escape").decode()
    text = f"it starts with '{start}', which no known format of masks does; expected a {titles()} mask"
    return UnreadableMask(path, "not-an-image", text)


def _joined(planes: list[Raster], path: str, pages: Pages) -> Raster:
    """Join planes of one class each: values are plane numbers ("exclusive": from 1, and 0 where no plane is set)."""
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


def header_size(path: Path) -> tuple[int, int] | None:
    """(width, height) of an image or a mask, from its header where it has one; None when that can't be read.

    ``path`` may name a member of a file. For a file of several planes it is the size of the first.
    """
    from PIL import UnidentifiedImageError

    name, member = split_name(str(path), Path())
    try:
        with decoding(path.name), Path(name).open("rb") as file:
            start = file.read(HEAD)
            format_ = format_of(start)
            size = None if format_ is None else format_.size
            if format_ is not None and size is not None and (format_.arrays or len(start) >= format_.header > 0):
                return size(start if format_.header else start + file.read(), path.name, member)
            file.seek(0)
            try:
                with opened(file) as image:
                    if member:
                        image.seek(int(member))
                    return int(image.width), int(image.height)
            except UnidentifiedImageError:
                if format_ is None or size is None or format_.header:
                    return None
                file.seek(0)
                return size(file.read(), path.name, member)
    except UnreadableMask:
        return None
