"""Label maps to run maps: for masks that were decoded to pixels."""

from __future__ import annotations

import numpy as np

from shapeprof.jit import grown, kernel
from shapeprof.labelmap import LabelMap
from shapeprof.runmap import IGNORED, RunMap


@kernel
def _encode(labels, instances, use_instances, ignored):  # type: ignore[no-untyped-def]
    """Runs of every row. Eight pixels at a time are passed over when none differs from its left neighbour."""
    height, width = labels.shape
    words = (width + 7) // 8
    changes = np.zeros(8 * words, np.uint8)
    eight_changes = changes.view(np.uint64)
    capacity = max(1024, 4 * height)
    row = np.empty(height + 1, np.int64)
    start, value = np.empty(capacity, np.int32), np.empty(capacity, np.int32)
    key = np.empty(capacity if use_instances else 0, np.int64)
    n = 0
    for y in range(height):
        row[y] = n
        if n + width > capacity:
            capacity = 2 * (n + width)
            start, value = grown(start, capacity), grown(value, capacity)
            if use_instances:
                key = grown(key, capacity)
        line, ids = labels[y], instances[y]
        if use_instances:
            for x in range(1, width):
                changes[x] = (line[x] != line[x - 1]) | (ids[x] != ids[x - 1])
        else:
            for x in range(1, width):
                changes[x] = line[x] != line[x - 1]
        changes[0] = 1
        for word in range(words):
            if eight_changes[word]:
                for x in range(8 * word, 8 * word + 8):
                    if changes[x]:
                        start[n] = x
                        value[n] = IGNORED if line[x] == ignored else np.int32(line[x])
                        if use_instances:
                            key[n] = ids[x]
                        n += 1
    row[height] = n
    return row, start[:n].copy(), value[:n].copy(), key[:n].copy()


@kernel
def merged_runs(row, start, value, ids):  # type: ignore[no-untyped-def]
    """Join neighbouring runs that have become equal: (row, start, value, ids); ``ids`` stays empty if it is empty."""
    new_row = np.empty_like(row)
    new_start, new_value, new_ids = np.empty_like(start), np.empty_like(value), np.empty_like(ids)
    n = 0
    for y in range(row.size - 1):
        new_row[y] = first = n
        for i in range(row[y], row[y + 1]):
            same = n > first and value[i] == new_value[n - 1]
            if same and ids.size:
                same = ids[i] == new_ids[n - 1]
            if not same:
                new_start[n], new_value[n] = start[i], value[i]
                if ids.size:
                    new_ids[n] = ids[i]
                n += 1
    new_row[-1] = n
    return new_row, new_start[:n], new_value[:n], new_ids[: n if ids.size else 0]


def encode(label_map: LabelMap) -> RunMap:
    """The runs of a label map."""
    labels, instances = label_map.labels, label_map.instances
    ids = labels if instances is None else instances
    row, start, value, key = _encode(labels, ids, instances is not None, label_map.ignore_index)
    size = (labels.shape[0], labels.shape[1])
    return RunMap(size, row, start, value, label_map.path, None if instances is None else key, label_map.digest)
