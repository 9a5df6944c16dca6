"""The form in which masks are measured: runs, maximal stretches of one row with one value.

A mask has far fewer runs than pixels, so what works on runs need not touch a pixel. Readers that
can, deliver runs without ever making the pixels (``sources.formats.png_runs``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

IGNORED = -1  # the class id of ignored pixels in a run map


@dataclass(frozen=True, slots=True)
class RunMap:
    """One mask as runs, row by row, left to right. Every row is covered without a gap, from column 0.

    Neighbours in a row differ in class or in instance id.
    """

    size: tuple[int, int]  # rows, columns
    row: NDArray[np.int64]  # (H + 1,) index of the first run of each row
    start: NDArray[np.int32]  # (R,) first column
    value: NDArray[np.int32]  # (R,) class id, IGNORED for ignored pixels
    path: str  # relative to the mask folder, forward slashes
    instance: NDArray[np.int64] | None = None  # (R,) instance id, 0 for no object
    digest: str = ""  # BLAKE2b of the file's bytes, 16 bytes in hex
