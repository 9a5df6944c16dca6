"""The runs of every object, gathered: what the metrics that look at one object at a time read."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapeprof.jit import kernel

from .runs import Ints, Objects, Runs


class Members(NamedTuple):
    """``order[first[k] : first[k + 1]]`` are the runs of object k, row by row, left to right."""

    order: Ints
    first: Ints  # (n + 1,)
    row: NDArray[np.int32]  # (R,) row of every run, counted in the stack of masks


@kernel
def _gather(row, of_run, n):  # type: ignore[no-untyped-def]
    first = np.zeros(n + 1, np.int64)
    row_of = np.empty(of_run.size, np.int32)
    for y in range(row.size - 1):
        for i in range(row[y], row[y + 1]):
            row_of[i] = y
            if of_run[i] >= 0:
                first[of_run[i] + 1] += 1
    for k in range(n):
        first[k + 1] += first[k]
    order = np.empty(first[n], np.int64)
    at = first[:n].copy()
    for i in range(of_run.size):
        k = of_run[i]
        if k >= 0:
            order[at[k]] = i
            at[k] += 1
    return order, first, row_of


def members(runs: Runs, objects: Objects) -> Members:
    """Gather the runs of every object, in time proportional to the number of runs."""
    return Members(*_gather(runs.row, objects.of_run, objects.class_id.size))
