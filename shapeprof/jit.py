"""The decorator that compiles a kernel: numba, without the GIL, cached in the user's cache folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from .cache import cache_folder


def is_compiled() -> bool:
    """Whether an earlier run has left compiled kernels; if not, the first mask waits for the compiler."""
    folder = cache_folder() / "kernels"
    return folder.is_dir() and any(folder.rglob("*.nbc"))


def kernel(function: Callable[..., Any]) -> Any:
    """Compile ``function`` on first use. Other users of numba in the process keep their cache folder."""
    folder, before = cache_folder() / "kernels", numba.config.CACHE_DIR  # type: ignore[attr-defined]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
        compiled = numba.njit(cache=True, nogil=True)(function)
    except OSError:  # no cache folder can be written: every process compiles for itself
        compiled = numba.njit(nogil=True)(function)
    finally:
        numba.config.CACHE_DIR = before  # type: ignore[attr-defined]
    return compiled


@kernel
def grown(old, capacity):  # type: ignore[no-untyped-def]
    """A copy of an array, from within a kernel, with room for ``capacity`` rows."""
    new = np.empty((capacity,) + old.shape[1:], old.dtype)  # noqa: RUF005 (numba takes no stars here)
    new[: old.shape[0]] = old
    return new
