"""Look at a sample of masks: which raw values they hold, how many pixels each has, and in what runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from shapeprof.errors import UnreadableMask
from shapeprof.limits import MAX_PIXELS
from shapeprof.sources.encoding import Pages
from shapeprof.sources.formats.decode import decode
from shapeprof.sources.formats.png import GREY, SIGNATURE
from shapeprof.sources.formats.png_runs import RasterRuns, decode_png_runs
from shapeprof.sources.formats.raster import Raster, equal_channels, pack
from shapeprof.sources.formats.stored_bytes import read_bytes

THREADS = 2  # that files are looked at on
MAX_KEPT = 4096  # distinct values kept of one file: beyond, it is no mask with classes
PHOTO_VALUES, PHOTO_RUN = 256, 3.0  # a photograph: over 256 values in runs of under 3 px
SOFT_RUN, SOFT_VALUES = 3.0, 8  # soft edges: at least 8 values, most of them, in runs of under 3 px

Storage = Literal["grey", "palette", "colour"]


@dataclass(frozen=True, slots=True)
class Observation:
    """What one sampled file holds."""

    path: str
    storage: Storage
    pixels: dict[int, int]  # raw value (grey, index or 0xRRGGBB) to its number of pixels
    run: dict[int, float]  # raw value to its mean run length along a row, pixels
    distinct: int  # number of distinct values, also beyond MAX_KEPT
    shape: tuple[int, int]  # (H, W)
    bits: int  # 8, 16 or 32
    equal_channels: bool  # RGB whose channels are equal, here as grey
    palette: tuple[int, ...]  # 0xRRGGBB by index, () without
    lossy: bool  # JPEG or lossy WebP
    depth: int = 8  # bits of a stored sample: 1, 2 or 4 are stretched to 0..255

    @property
    def mean_run(self) -> float:
        """Mean run length over all values, pixels."""
        runs = sum(count / self.run[raw] for raw, count in self.pixels.items())
        return sum(self.pixels.values()) / runs

    @property
    def is_photo(self) -> bool:
        """Whether it looks like a photograph: many values, hardly two equal neighbours."""
        limit = PHOTO_VALUES if self.storage == "colour" else PHOTO_VALUES // 4
        return self.distinct > limit and self.mean_run < PHOTO_RUN

    @property
    def is_soft(self) -> bool:
        """Whether most of its values only blend others: anti-aliased, resized or JPEG."""
        short = sum(1 for length in self.run.values() if length < SOFT_RUN)
        span = max(self.pixels) - min(self.pixels)
        return short >= SOFT_VALUES and short * 2 > len(self.run) and span >= 64 and self.bits == 8


def survey(
    root: Path,
    files: Iterable[str],
    *,
    stop: Callable[[list[Observation]], bool],
    limit: int = MAX_PIXELS,
    pages: Pages = "",
) -> tuple[list[Observation], list[UnreadableMask]]:
    """Observe ``files`` in order until ``stop`` says that enough were read; ``limit``, ``pages``: of ``decode``."""
    seen: list[Observation] = []
    failed: list[UnreadableMask] = []
    order = iter(files)
    with ThreadPoolExecutor(THREADS) as pool:
        ahead = deque(pool.submit(_try, root, path, limit, pages) for path in islice(order, 2 * THREADS))
        while ahead and not stop(seen):
            found = ahead.popleft().result()
            if isinstance(found, UnreadableMask):
                failed.append(found)
            else:
                seen.append(found)
            ahead += [pool.submit(_try, root, path, limit, pages) for path in islice(order, 1)]
    return seen, failed


def _try(root: Path, path: str, limit: int, pages: Pages) -> Observation | UnreadableMask:
    try:
        return look_at(read_bytes(root, path), path, limit, pages)
    except UnreadableMask as error:
        return error


def look_at(data: bytes, path: str, limit: int = MAX_PIXELS, pages: Pages = "") -> Observation:
    """What a file holds; raise UnreadableMask when it can't be read."""
    if not data.startswith(SIGNATURE):
        return observe(path, decode(data, path, limit, pages))
    runs = decode_png_runs(data, path, limit)
    found = observe(path, decode(data, path, limit)) if runs is None else observe_runs(path, runs)
    is_grey = data[25] == GREY and found.storage == "grey"
    return replace(found, depth=data[24]) if is_grey and data[24] < 8 else found


def observe(path: str, raster: Raster) -> Observation:
    """The raw values of ``raster``, counted by runs along its rows."""
    values, storage = raster.values, _storage(raster)
    shape = (int(values.shape[0]), int(values.shape[1]))
    bits = 8 * values.dtype.itemsize
    equal = raster.is_colour and equal_channels(values)
    if equal:
        values, storage = np.ascontiguousarray(values[..., 0]), "grey"
    elif raster.is_colour:
        values = pack(values)
    palette = raster.palette or ()
    if palette and is_grey_ramp(palette, values):
        values, palette, storage = np.array([c & 255 for c in palette], np.uint8)[values], (), "grey"
    flat = values.reshape(-1)
    counted = _count(flat, np.arange(0, flat.size, shape[1]), np.ones(flat.size, np.uint8))
    return Observation(path, storage, *counted, shape, bits, bool(equal), palette, raster.lossy)


def observe_runs(path: str, raster: RasterRuns) -> Observation:
    """The raw values of a file that was read as runs."""
    values: NDArray[Any] = raster.value
    palette = raster.palette or ()
    storage: Storage = "palette" if palette else "grey"
    equal = False
    if raster.bits == 24:
        greys = values & 255
        equal = bool((values == greys * 0x010101).all())
        values, storage = (greys, "grey") if equal else (values, "colour")
    if palette and is_grey_ramp(palette, values):
        values, palette, storage = np.array([c & 255 for c in palette], np.uint8)[values], (), "grey"
    counted = _count(values, raster.row[:-1], raster.length)
    bits = 16 if raster.bits == 16 else 8
    return Observation(path, storage, *counted, raster.size, bits, equal, palette, lossy=False)


def is_grey_ramp(palette: tuple[int, ...], indices: NDArray[Any]) -> bool:
    """Whether every used palette entry is a grey that stands for its index, or for black and white.

    Such a palette stores a grey mask; its displayed values are the raw ones.
    """
    used = [int(i) for i in np.flatnonzero(np.bincount(indices.ravel(), minlength=1))]
    if used and used[-1] >= len(palette):
        return False
    colours = [palette[i] for i in used]
    greys = [c & 255 for c in colours]
    if any(c != g * 0x010101 for c, g in zip(colours, greys, strict=True)):
        return False
    return greys == used or set(greys) <= {0, 255}


def _storage(raster: Raster) -> Storage:
    return "colour" if raster.is_colour else "palette" if raster.palette else "grey"


def _count(
    values: NDArray[Any], rows: NDArray[np.int64], lengths: NDArray[Any]
) -> tuple[dict[int, int], dict[int, float], int]:
    """(pixels by value, mean run length by value, number of distinct values) of stretches of equal pixels.

    A run ends with its row; ``rows``: the first stretch of each.
    """
    border = np.concatenate(([True], values[1:] != values[:-1]))
    border[rows] = True
    starts = np.flatnonzero(border)
    heads, own = values[starts], np.add.reduceat(lengths, starts, dtype=np.int64)
    if heads.max() < 1 << 16:  # counting is faster than sorting
        runs = np.bincount(heads)
        raws = np.flatnonzero(runs)
        runs, pixels = runs[raws], np.bincount(heads, weights=own)[raws]
    else:
        raws, which, runs = np.unique(heads, return_inverse=True, return_counts=True)
        pixels = np.bincount(which, weights=own)
    kept = np.argsort(-pixels, kind="stable")[:MAX_KEPT]
    found: list[int] = raws[kept].tolist()
    counts = dict(zip(found, pixels[kept].astype(np.int64).tolist(), strict=True))
    return counts, dict(zip(found, (pixels / runs)[kept].tolist(), strict=True)), int(raws.size)
