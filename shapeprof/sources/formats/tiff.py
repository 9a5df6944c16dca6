"""TIFF files: their pages, and the types of values that Pillow does not read."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.errors import UnreadableMask

from .decoders import check_pixels
from .format import Format, register
from .pillow import from_pillow, opened
from .planes import planes_of, several_pages
from .raster import Raster, check_size, from_array

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MAX_PAGES = 10_000  # chosen: of one file
_PILLOW = ("TIFF",)
_KIND, _BITS, _SAMPLES, _FORMAT = 254, 258, 277, 339  # tags
_REDUCED, _TRANSPARENCY = 1, 4  # bits of _KIND: the page is a copy of another, or its transparency


def _read(data: bytes, path: str, member: str, limit: int) -> Raster:
    """A page, decoded by Pillow, or by tifffile where Pillow can't read it."""
    from PIL import UnidentifiedImageError

    try:
        with opened(data, _PILLOW) as image:
            check_size(image.width, image.height, path, limit)
            _to_page(image, data, path, member, limit)
            if is_odd(image):
                return from_array(read_page(data, path, member, limit), path)
            image.load()
            if image.mode == "I" and is_unsigned(image):
                return from_array(np.asarray(image).view(np.uint32), path)
            return from_pillow(image, path, lossy=False)
    except UnidentifiedImageError:
        return from_array(read_page(data, path, member, limit), path)


def _to_page(image: Any, data: bytes, path: str, member: str, limit: int) -> None:
    """Go to the page of a TIFF file that ``member`` names, or to the only one."""
    names = page_names(data, path, limit)
    if member not in names:
        if not member:
            raise several_pages(path, len(names))
        raise UnreadableMask(path, "no-such-member", f"it has no page '{member}'; expected one of its {len(names)}")
    if member and not is_odd(image):
        image.seek(int(member))
        check_size(image.width, image.height, path, limit)


@lru_cache(maxsize=4)
def page_names(data: bytes, path: str, limit: int) -> tuple[str, ...]:
    """The numbers of a TIFF file's pages, from 0; ("",) where it has one page of one plane. Raises UnreadableMask.

    Pages that are declared as smaller copies of others, or as their transparency, don't count.
    """
    from PIL import UnidentifiedImageError

    try:
        with opened(data, _PILLOW) as image:
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


def _size(data: bytes, path: str, member: str) -> tuple[int, int]:
    """(width, height) of a page that Pillow can't read, such as one of 64-bit whole numbers."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[int(member) if member and len(file.pages) > 1 else 0].keyframe
        assert page is not None, "tifffile gives every page one"
        return int(page.imagewidth), int(page.imagelength)


register(
    Format("TIFF", (".tif", ".tiff"), lambda data: data.startswith(SIGNATURES), _read, members=page_names, size=_size)
)
