"""One object per file: folders such as ``masks/<image id>/<object id>.png``."""

from __future__ import annotations

from collections import defaultdict
from pathlib import PurePosixPath

from shapeprof.errors import UnreadableMask
from shapeprof.labelmap import Issue
from shapeprof.sources.folder import MaskFolder
from shapeprof.sources.survey import read_bytes, sample_order

_FOLDERS, _FILES = 4, 8  # chosen: how many folders, and files in each, are looked at
_MIN_FOLDERS = 2


def one_object_per_file(folder: MaskFolder, kind: str) -> Issue | None:
    """A finding when folders hold binary masks of one size whose foregrounds exclude each other."""
    if kind != "binary":
        return None
    groups: dict[str, list[str]] = defaultdict(list)
    for path in folder.files:
        parent = PurePosixPath(path).parent.as_posix()
        if parent != ".":
            groups[parent].append(path)
    several = {name: files for name, files in groups.items() if len(files) > 1}
    if len(groups) < _MIN_FOLDERS or len(several) * 2 < len(groups):
        return None
    chosen = sample_order(several)[:_FOLDERS]
    if not all(_exclude_each_other(folder, several[name][:_FILES]) for name in chosen):
        return None
    text = (
        f"{len(groups)} folders hold {len(folder.files)} masks of one object each "
        "(masks/<image>/<object>.png, as in "
        "the Data Science Bowl 2018). This layout is not merged yet: each file is read as a mask of "
        "its own, so "
        "numbers per image are numbers per object. Merge each folder into one instance mask to mend it"
    )
    return Issue("warning", "one-object-per-file", text)


def _exclude_each_other(folder: MaskFolder, files: list[str]) -> bool:
    """Whether the foregrounds of ``files`` are of one size and (nearly) do not overlap."""
    import numpy as np

    from shapeprof.sources.decode import decode

    drawn, overlap, total = None, 0, 0
    for path in files:
        try:
            values = decode(read_bytes(folder.root, path), path).values
        except UnreadableMask:
            return False
        mask = values.max(axis=2) > 0 if values.ndim == 3 else values > 0
        if drawn is None:
            drawn = np.zeros_like(mask)
        if mask.shape != drawn.shape or mask.mean() > 0.5:
            return False
        overlap += int((mask & drawn).sum())
        total += int(mask.sum())
        drawn |= mask
    return total > 0 and overlap <= 0.02 * total
