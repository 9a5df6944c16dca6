"""The decorator that compiles a kernel: numba, without the GIL, cached in the user's cache folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np


def cache_folder() -> Path:
    """Where compiled kernels live: ``$SHAPEPROF_CACHE``, else the platform's user cache folder."""
    if override := os.environ.get("SHAPEPROF_CACHE"):
        return Path(override) / "kernels"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "shapeprof" / "kernels"


def is_compiled() -> bool:
    """Whether an earlier run has left compiled kernels; if not, the first mask waits for the compiler."""
    folder = cache_folder()
    return folder.is_dir() and any(folder.rglob("*.nbc"))


def kernel(function: Callable[..., Any]) -> Any:
    """Compile ``function`` on first use. Other users of numba in the process keep their cache folder."""
    folder, before = cache_folder(), numba.config.CACHE_DIR  # type: ignore[attr-defined]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
        compiled = numba.njit(cache=True, nogil=True)(function)
    except OSError:  # no cache folder can be written: compile anew in every process
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
