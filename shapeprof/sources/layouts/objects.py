"""Recognise folders that are one image each, with one object per file."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from shapeprof.errors import UnreadableMask
from shapeprof.sampling import sample_order
from shapeprof.sources.formats.stored_bytes import read_bytes
from shapeprof.sources.listing.files import may_be_raster_mask
from shapeprof.sources.maskset import MaskFolder
from shapeprof.sources.names.words import SPLITS, is_image_folder, is_mask_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FOLDERS, _FILES = 8, 32  # chosen: how many folders, and files in each, are looked at
_OVERLAP = 0.02  # chosen: share of the foreground that may lie in two files of a folder
_ONE_PIECE = 0.9  # chosen: share of files whose largest piece holds as much of the foreground
_ODD = 0.25  # chosen: share of the folders looked at that may hold something odd, such as one file of another size
SURE = 3.0  # chosen: if files lay anywhere, none of 3 expected pairs would overlap in 5 % of sets


def object_folders(folder: MaskFolder) -> dict[str, list[str]]:
    """The files of each folder that may be one image: those in sub-folders, by folder."""
    groups: dict[str, list[str]] = defaultdict(list)
    for path in folder.files:
        parent = PurePosixPath(path).parent.as_posix()
        if parent != ".":
            groups[parent].append(path)
    return dict(groups)


def holds_objects(folder: MaskFolder) -> float:
    """Evidence (0: none) that each folder is one image with one object per file; accepted from ``SURE``.

    0 unless there are several folders, most with several files and not named as parts of a data set. In three quarters
    of the folders looked at, the files must have one size, hold one piece each and exclude each other. Then the
    evidence is the number of pairs of files expected to overlap if objects lay anywhere: two spots that cover the
    shares p and q of a mask meet with a probability of about (sqrt(p) + sqrt(q))^2.
    """
    groups = object_folders(folder)
    several = {name: files for name, files in groups.items() if len(files) > 1}
    if len(groups) < 2 or len(several) * 2 < len(groups) or any(_says_part(name) for name in groups):
        return 0.0
    chosen = sample_order(several)[:_FOLDERS]
    found = [_expected_meetings(folder, sample_order(several[name])[:_FILES]) for name in chosen]
    agree = [meetings for meetings in found if meetings is not None]
    return sum(agree) if len(found) - len(agree) <= _ODD * len(found) else 0.0


def _says_part(name: str) -> bool:
    """Whether a folder is named for a part of a data set: ``train``, ``val/masks``."""
    parts = PurePosixPath(name).parts
    return all(part.lower() in {*SPLITS, "dev"} or is_mask_folder(part) or is_image_folder(part) for part in parts)


def _expected_meetings(folder: MaskFolder, files: list[str]) -> float | None:
    """Number of pairs of ``files`` expected to overlap by chance; None if they do overlap or are not single objects."""
    import numpy as np

    from shapeprof.sources.formats.decode import decode

    drawn, overlap, whole = None, 0, 0
    shares: list[float] = []
    for path in files:
        try:
            values = decode(read_bytes(folder.root, path), path).values
        except UnreadableMask:
            continue
        mask = values.max(axis=2) > 0 if values.ndim == 3 else values > 0
        if drawn is None:
            drawn = np.zeros_like(mask)
        if mask.shape != drawn.shape or not 0 < mask.mean() <= 0.5:
            return None
        overlap += int((mask & drawn).sum())
        shares.append(float(mask.mean()))
        whole += _is_one_piece(mask)
        drawn |= mask
    if drawn is None or overlap > _OVERLAP * sum(shares) * drawn.size or whole < _ONE_PIECE * len(shares):
        return None
    side = np.sqrt(shares)
    meet = np.minimum(np.add.outer(side, side) ** 2, 1.0)
    return float(np.triu(meet, 1).sum())


def _is_one_piece(mask: NDArray[np.bool_]) -> bool:
    import cv2
    import numpy as np

    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    return bool(areas.max() >= _ONE_PIECE * areas.sum())


def merged_folder(folder: MaskFolder) -> MaskFolder:
    """``folder`` with one mask per folder of objects; files outside of such folders stay masks.

    The folder ``a/masks`` belongs to the image ``a``.
    """
    groups = object_folders(folder)
    alone = [path for path in folder.files if PurePosixPath(path).parent.as_posix() == "."]
    names = tuple(sorted([*groups, *alone]))
    images = tuple(_image_name(name) if name in groups else name for name in names)
    return replace(folder, files=names, stored=folder.stored, image_names=images)


def _image_name(name: str) -> str:
    parts = list(PurePosixPath(name).parts)
    while len(parts) > 1 and is_mask_folder(parts[-1]):
        parts.pop()
    return "/".join(parts) + ".png"


def object_files(root: Path, name: str) -> list[str]:
    """The image files of the folder ``name``, sorted, relative to ``root``."""
    try:
        found = os.listdir(root / name)  # noqa: PTH208 - names are wanted
    except OSError as error:
        text = f"the folder of its objects can't be listed ({error.strerror}); check its permissions"
        raise UnreadableMask(name, "not-readable", text) from None
    return sorted(f"{name}/{file}" for file in found if not file.startswith(".") and may_be_raster_mask(file))
