"""TIFF files: their pages, and the types of values that Pillow does not read."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from shapeprof.errors import UnreadableMask

from .arrays import planes_of
from .decoders import check_pixels

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MAX_PAGES = 10_000  # chosen: of one file
FORMATS = ("TIFF", "BMP", "DIB", "GIF", "WEBP", "JPEG")  # that Pillow opens here: no others are masks
_KIND, _BITS, _SAMPLES, _FORMAT = 254, 258, 277, 339  # tags
_REDUCED, _TRANSPARENCY = 1, 4  # bits of _KIND: the page is a copy of another, or its transparency


@contextmanager
def opened(file: bytes | BinaryIO, formats: tuple[str, ...] | None = FORMATS) -> Iterator[Any]:
    """A file opened by Pillow without its limit of pixels, which the caller checks; inside of ``decoding``."""
    from PIL import Image

    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        image = Image.open(io.BytesIO(file) if isinstance(file, bytes) else file, formats=formats)
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    with image:
        yield image


@lru_cache(maxsize=4)
def page_names(data: bytes, path: str, limit: int) -> tuple[str, ...]:
    """The numbers of a TIFF file's pages, from 0; ("",) where it has one page of one plane. Raises UnreadableMask.

    Pages that are declared as smaller copies of others, or as their transparency, are none.
    """
    from PIL import UnidentifiedImageError

    try:
        with opened(data) as image:
            if is_odd(image):
                return tuple(_arrays(data, path, limit))
            numbers = _page_numbers(image, path)
    except UnidentifiedImageError:
        return tuple(_arrays(data, path, limit))
    return ("",) if numbers == [0] else tuple(map(str, numbers))


def is_odd(image: Any) -> bool:
    """Whether Pillow would drop samples of the page that an opened TIFF file is at."""
    return int(image.tag_v2.get(_SAMPLES, 1)) > len(image.getbands())


def is_unsigned(image: Any) -> bool:
    """Whether the page's values are whole numbers without a sign."""
    formats = image.tag_v2.get(_FORMAT, 1)
    return set(formats if isinstance(formats, tuple) else (formats,)) == {1}


def read_page(data: bytes, path: str, member: str, limit: int) -> NDArray[Any]:
    """(H, W) values of a page, or of a plane of the only page, through tifffile; colours as (H, W, 3), R first."""
    found = _arrays(data, path, limit)
    if member not in found:
        if not member:
            raise several_pages(path, len(found))
        text = f"it has no page '{member}'; expected one of 0 to {len(found) - 1}"
        raise UnreadableMask(path, "no-such-member", text)
    return found[member]


def several_pages(path: str, pages: int) -> UnreadableMask:
    """What is said of a file with several pages where one is expected."""
    text = (
        f"it holds {pages} pages, where the other masks have one; split it into files, or say --pages stack: "
        "each page is a mask then"
    )
    return UnreadableMask(path, "multi-page", text)


def _page_numbers(image: Any, path: str) -> list[int]:
    numbers: list[int] = []
    for number in range(MAX_PAGES):
        try:
            image.seek(number)
        except EOFError:
            return numbers
        if not int(image.tag_v2.get(_KIND, 0) or 0) & (_REDUCED | _TRANSPARENCY) or not number:
            numbers.append(number)
    raise _too_many(path)


def _too_many(path: str) -> UnreadableMask:
    return UnreadableMask(path, "too-large", f"it holds over {MAX_PAGES:,} pages; split it into files")


@lru_cache(maxsize=2)
def _arrays(data: bytes, path: str, limit: int) -> dict[str, NDArray[Any]]:
    """The pages (or the planes of the only page) of a file that Pillow can't read, by number."""
    import tifffile

    pages: list[NDArray[Any]] = []
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        for number, page in enumerate(file.pages):
            if number >= MAX_PAGES:
                raise _too_many(path)
            kind = page.subfiletype if isinstance(page, tifffile.TiffPage) else 0
            if number and kind & (_REDUCED | _TRANSPARENCY):
                continue
            check_pixels((len(pages) + 1, *page.shape), path, limit)
            pages.append(np.asarray(page.asarray()))
    if not pages:
        raise UnreadableMask(path, "damaged-file", "no page of it can be read; copy or export the file again")
    if len(pages) == 1:
        return planes_of(pages[0], path)
    return {str(number): page for number, page in enumerate(pages)}
