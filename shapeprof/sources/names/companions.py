"""Images among the masks, recognised by words in names: ``1_sat.jpg`` beside ``1_mask.png``."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from .name import parsed
from .words import IMAGES_BESIDE_MASKS, MASKS_BESIDE_IMAGES, SPLITS

MATCHED = 0.9  # chosen: share of masks that need an image of their name before images are set aside
_LEAST = 0.5  # chosen: share of files without a word that masks must explain
_MASK = re.compile("|".join(MASKS_BESIDE_IMAGES), re.IGNORECASE)
_IMAGE = re.compile("|".join(IMAGES_BESIDE_MASKS), re.IGNORECASE)
_FIRST = re.compile(r"([A-Za-z]+)(?:[ ._-]+|(?=\d))(.*\d.*)")
_LAST = re.compile(r"(.*?)[ ._-]*(?<![A-Za-z])([A-Za-z]+|ground_truth)(?:[ ._-]?\d{1,2})?")

Key = tuple[str, str]
Role = Literal["mask", "image", "neither"]


def images_by_words(files: list[str]) -> tuple[list[str], list[str]]:
    """(masks, images), separated by words for masks in the names of files or folders; ([], []) if that fails.

    Apart from such words and those for splits, nearly every mask must have the name of an image.
    """
    found = {path: _role(path) for path in files}
    masks = [path for path, (role, _, _) in found.items() if role == "mask"]
    others = [path for path in files if found[path][0] != "mask"]
    if not masks or not others:
        return [], []
    keys = {found[path][1] for path in others}
    if sum(found[path][1] in keys for path in masks) < MATCHED * len(masks):
        return [], []
    own = {found[path][1] for path in masks}
    unsaid = [path for path in others if found[path][0] == "neither"]
    in_folders = all(found[path][2] for path in masks)
    if not in_folders and sum(found[path][1] in own for path in unsaid) < _LEAST * len(unsaid):
        return [], []
    return masks, others


class WithoutWords:
    """Match names after removing the words for masks, images and splits from folders and stems."""

    def mask_key(self, path: str) -> Key | None:
        """The key of a mask or an image."""
        return "", _role(path)[1]

    image_key = mask_key

    def __str__(self) -> str:
        return "by name, without words for masks, images and splits"


def _role(path: str) -> tuple[Role, str, bool]:
    """(role of a file, what it has in common with its mask or image, whether its folder says that it is a mask)."""
    name = parsed(path)
    roles: list[Role] = []
    parts: list[str] = []
    for part in name.folders:
        role, rest = _role_of_folder(part)
        roles.append(role)
        parts += [rest] if rest else []
    by_folder = "mask" in roles
    role, stem = _role_of_stem(name.stem)
    roles.append(role)
    best: Role = "mask" if "mask" in roles else "image" if "image" in roles else "neither"
    return best, "/".join([*parts, stem]), by_folder


@lru_cache(maxsize=4096)
def _role_of_folder(name: str) -> tuple[Role, str]:
    if _MASK.fullmatch(name):
        return "mask", ""
    words = [word for word in re.split(r"[ ._-]+", name) if word]
    kept = [w for w in words if not (_MASK.fullmatch(w) or _IMAGE.fullmatch(w) or w.lower() in SPLITS)]
    masks, images = any(map(_MASK.fullmatch, words)), any(map(_IMAGE.fullmatch, words))
    role: Role = "mask" if masks else "image" if images else "neither"
    return role, "_".join(kept)


def _role_of_stem(stem: str) -> tuple[Role, str]:
    for regex, word, rest in ((_LAST, 2, 1), (_FIRST, 1, 2)):
        match = regex.fullmatch(stem)
        if match and (match[rest] or match[word] == stem):
            if _MASK.fullmatch(match[word]) or (match[word] == "L" and match[rest]):
                return "mask", match[rest]
            if _IMAGE.fullmatch(match[word]):
                return "image", match[rest]
    return "neither", stem
