"""What a mask format is, and which ones there are.

To add one, add a file here that ends in ``register(Format(...))``. It is found by itself, and everything that depends
on the format follows: which files are masks, how they are read, what messages and documents name.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from shapeprof.wording import either

if TYPE_CHECKING:
    from .raster import Raster


@dataclass(frozen=True, slots=True)
class Format:
    """One way to store masks in a file.

    ``read``, ``members`` and ``size`` get the bytes of the file and its path for messages. They raise UnreadableMask
    for what they refuse; any other exception is reported as a damaged file (unless ``guarded`` is False).
    """

    title: str  # as messages and documents call it: "PNG"
    suffixes: tuple[str, ...]  # of its files, in lower case
    recognises: Callable[[bytes], bool]  # whether a file that begins so is of the format: content counts, not suffix
    read: Callable[[bytes, str, str, int], Raster]  # (data, path, member or "", most pixels) to the stored values
    # (data, path, most pixels) to the names of the masks in one file, ("",) for a single one; None: always a single one
    members: Callable[[bytes, str, int], tuple[str, ...]] | None = None
    # (data, path, member or "") to (width, height) without decoding pixels; None: Pillow reads it from the header.
    # An image format without ``header`` is asked only where Pillow can't read the file.
    size: Callable[[bytes, str, str], tuple[int, int]] | None = None
    header: int = 0  # bytes from the start of the file that ``size`` needs; 0: all
    arrays: bool = False  # holds arrays of any meaning: files are masks only where names say so, or nothing else is
    slices: bool = False  # its members are slices of a volume, never classes
    guarded: bool = True  # decode under a lock that silences libraries and turns their exceptions into UnreadableMask


_OWNERS: dict[str, str] = {}  # title or suffix to the module that registered it
_FORMATS: list[Format] = []
HEAD = 512  # bytes from the start of a file by which its format is recognised


def register(format_: Format) -> Format:
    """Make a format known; raise ValueError when its title or a suffix is taken."""
    frame = sys._getframe(1)
    while frame.f_code.co_name != "<module>" and frame.f_back is not None:
        frame = frame.f_back
    owner = frame.f_globals["__name__"]
    for key in (format_.title, *format_.suffixes):
        if key in _OWNERS:
            raise ValueError(f"mask format {key!r} is already defined by {_OWNERS[key]}")
    _OWNERS.update(dict.fromkeys((format_.title, *format_.suffixes), owner))
    _FORMATS.append(format_)
    return format_


@lru_cache(maxsize=1)
def all_formats() -> tuple[Format, ...]:
    """Every format: images, then arrays, by title."""
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"{__package__}.{module.name}")
    return tuple(sorted(_FORMATS, key=lambda format_: (format_.arrays, format_.title.lower())))


def format_of(data: bytes) -> Format | None:
    """The format that a file is of by its first bytes; None when no format begins so."""
    return next((format_ for format_ in all_formats() if format_.recognises(data[:HEAD])), None)


def titles() -> str:
    """All formats for a sentence: ``BMP, GIF, ... or NPZ``."""
    return either(format_.title for format_ in all_formats())


@lru_cache(maxsize=1)
def image_suffixes() -> frozenset[str]:
    """Suffixes of images that may be masks, in lower case."""
    return frozenset(suffix for format_ in all_formats() if not format_.arrays for suffix in format_.suffixes)


@lru_cache(maxsize=1)
def array_suffixes() -> tuple[str, ...]:
    """Suffixes of files of arrays that may be masks."""
    return tuple(suffix for format_ in all_formats() if format_.arrays for suffix in format_.suffixes)


@lru_cache(maxsize=1)
def member_suffixes() -> tuple[str, ...]:
    """Suffixes of files that may hold several masks."""
    return tuple(suffix for format_ in all_formats() if format_.members for suffix in format_.suffixes)


@lru_cache(maxsize=1)
def slice_suffixes() -> tuple[str, ...]:
    """Suffixes of volumes, whose masks are slices."""
    return tuple(suffix for format_ in all_formats() if format_.slices for suffix in format_.suffixes)
