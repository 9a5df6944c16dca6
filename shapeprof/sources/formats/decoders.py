"""Run a decoder silently; turn any exception into UnreadableMask."""

from __future__ import annotations

import logging
import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from shapeprof.errors import UnreadableMask

_LOCK = threading.RLock()  # catching warnings changes global state: one thread at a time
_LOGGERS = ("PIL", "tifffile", "nibabel.global")


@contextmanager
def decoding(path: str) -> Iterator[None]:
    """Turn every exception into an UnreadableMask of ``path``; suppress warnings and log messages of libraries.

    Damaged files were seen to raise more than twenty kinds of errors in Pillow, tifffile, NumPy and nibabel, so that
    no list of them would hold.
    """
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        try:
            yield
        except UnreadableMask:
            raise
        except MemoryError:
            raise no_memory(path) from None
        except Exception as error:
            code = "truncated-file" if "truncat" in str(error) else "damaged-file"
            seen = str(error) or type(error).__name__
            raise UnreadableMask(path, code, f"{seen}; copy or export the file again") from error


def no_memory(path: str) -> UnreadableMask:
    """The error about a mask that does not fit into memory."""
    text = "reading it takes more memory than there is; split it into tiles, or use fewer --workers"
    return UnreadableMask(path, "too-large", text)


def check_pixels(shape: tuple[int, ...], path: str, limit: int) -> None:
    """Raise UnreadableMask when a file declares more values than ``limit``; ``shape``: values along each axis."""
    if math.prod(max(1, int(n)) for n in shape) > limit:
        raise too_large(path, f"{' x '.join(map(str, shape))} values", limit)


def too_large(path: str, seen: str, limit: int) -> UnreadableMask:
    """The error about a file that declares more than ``limit`` pixels."""
    fix = "split it into tiles, or raise the limit (--max-pixels)"
    text = f"it declares {seen}, more than the limit of {limit:,}; {fix}"
    return UnreadableMask(path, "too-large", text)
