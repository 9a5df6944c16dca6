"""Set aside the images that lie among the masks, recognised by folder, word or extension."""

from __future__ import annotations

from collections import Counter

from shapeprof.issues import Issue
from shapeprof.sources.names.companions import images_by_words
from shapeprof.sources.names.name import parsed
from shapeprof.sources.names.words import is_image_folder, is_mask_ending, is_mask_folder
from shapeprof.wording import first_few

_JPEG = frozenset({".jpg", ".jpeg"})
_ENOUGH = 0.9  # chosen: the share of images that a suffix must explain before images are set aside


def without_images(files: list[str]) -> tuple[list[str], list[str], list[Issue]]:
    """(masks, images, issues): set aside the images that lie among the masks."""
    for split in (_by_folder, _by_words, _by_suffix):
        masks, images, how = split(files)
        if images:
            message = (
                f"{len(images)} of {len(files)} image files are the images of the masks and not read "
                f"as masks: {how} ({first_few(images)}). If they are masks, put them in a folder of their own, or "
                "say --pattern GLOB"
            )
            return masks, images, [Issue("info", "images-among-masks", message)]
    return files, [], []


def in_named_folders(files: list[str]) -> tuple[list[str], list[str]]:
    """(files, stray ones): where folders named for masks and for images hold most files, the others are stray."""
    named = [path for path in files if parsed(path).lies_in(is_mask_folder) or parsed(path).lies_in(is_image_folder)]
    if len(named) == len(files) or not named:
        return files, []
    masks, images, _ = _by_folder(named)
    if not images or len(files) - len(named) > len(masks):
        return files, []
    return named, sorted(set(files) - set(named))


def _by_folder(files: list[str]) -> tuple[list[str], list[str], str]:
    """Separate images from masks by folders: ``images/`` beside ``masks/``."""
    masks = [path for path in files if parsed(path).lies_in(is_mask_folder)]
    images = [path for path in files if parsed(path).lies_in(is_image_folder)]
    if not masks or not images or set(masks) & set(images) or len(masks) + len(images) != len(files):
        return files, [], ""
    return masks, images, "they lie in folders named for images, beside folders named for masks"


def _by_words(files: list[str]) -> tuple[list[str], list[str], str]:
    """Separate images from masks by words in names: ``a_sat.jpg`` beside ``a_mask.png``."""
    masks, images = images_by_words(files)
    return (
        (masks, images, "a word in their names marks the masks, and each has an image of its name")
        if images
        else (files, [], "")
    )


def _by_suffix(files: list[str]) -> tuple[list[str], list[str], str]:
    """Separate images from masks by stems: ``a.jpg`` beside ``a_mask.png`` (or ``a.png``)."""
    jpegs = [path for path in files if parsed(path).suffix in _JPEG]
    exact = [path for path in files if parsed(path).suffix not in _JPEG]
    if jpegs and exact:
        ending = _common_ending([parsed(p).stem for p in jpegs], [parsed(p).stem for p in exact], need_word=False)
        if ending is not None:
            name = f"'{ending}' " if ending else ""
            return exact, jpegs, f"each JPEG has a mask of the same name {name and 'plus ' + name}beside it"
        return files, [], ""
    ending = _common_ending([parsed(p).stem for p in files], [parsed(p).stem for p in files], need_word=True)
    if ending is None:
        return files, [], ""
    masks = [path for path in files if parsed(path).stem.endswith(ending)]
    images = [path for path in files if path not in set(masks)]
    return masks, images, f"each has a mask of the same name plus '{ending}' beside it"


def _common_ending(images: list[str], masks: list[str], *, need_word: bool) -> str | None:
    """The ending that makes nearly every image's stem the stem of a mask, and every mask's.

    With ``need_word`` the two lists are one: the ending must then name a mask, and half the files
    must carry it.
    """
    known = set(images)
    endings: Counter[str] = Counter()
    for stem in masks:
        for cut in range(len(stem) + 1 - need_word):
            head, tail = stem[: len(stem) - cut], stem[len(stem) - cut :]
            if head in known and (is_mask_ending(tail) or (not need_word and not tail)):
                endings[tail] += 1
    for ending, count in endings.most_common(1):
        total = len(images) - count if need_word else max(len(images), len(masks))
        if total and _ENOUGH <= count / total <= 1 / _ENOUGH:
            return ending
    return None
