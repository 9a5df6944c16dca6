"""Words in the names of files and folders that say what these hold: the one list that every reader of names shares."""

from __future__ import annotations

import re
from functools import lru_cache

MASKS = (  # regular expressions, for names of any case
    *("masks?", "annotations?", "annot", "labels?", "lbl", "gt"),
    *("groundtruth", "ground_truth", "seg", "segmentation", "target"),
)
IMAGES = ("images?", "imgs?", "photos?", "rgb")
MASKS_BESIDE_IMAGES = (*MASKS, "manual")  # further words that count only where images of the same names are there
IMAGES_BESIDE_MASKS = (*IMAGES, "sat", "orig", "original", "input", "raw")
SPLITS = {  # word to split
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
OBJECTS = frozenset({"instance", "instances", "object", "objects"})
TONES = frozenset({"color", "colors", "colour", "colours", "colored", "coloured", "rgb"})  # may be the masks
_TO_LOOK_AT = """
    vis viz visual visuals visualization visualizations visualisation visualisations overlay overlays preview
    previews blend blended rendered render debug thumb thumbs thumbnail thumbnails human
"""
PREVIEWS = TONES | frozenset(_TO_LOOK_AT.split())
_NO_CLASS = """
    dev data dataset datasets all new old raw set batch part fold
    left right od os lat ap pa cc mlo lcc rcc lmlo rmlo top bottom front back rear up down north south east west
    pre post before after day night flip hflip vflip rot aug augmented orig original final copy real synthetic
    manual auto pred prediction predictions output outputs result results true gt gtfine gtcoarse default png tif tiff
"""  # parts of a set, sides, views and versions
NO_CLASSES = frozenset({*SPLITS, *_NO_CLASS.split()})
BACKGROUND = frozenset({"background", "_background_", "bg", "back ground", "backgrnd", "back"})  # names of classes
VOID = frozenset(
    {"unlabelled", "unlabeled", "void", "ignore", "ignored", "none", "unknown", "undefined", "unclassified"}
)
SEPARATORS = " ._-"  # between the words of a name
_ANY_MASK = f"({'|'.join(MASKS)})"
_MASK_WORD = re.compile(rf"[ ._-]?{_ANY_MASK}[a-z0-9 ._-]{{0,12}}", re.IGNORECASE)
_MASK_FOLDER = re.compile(
    rf"{_ANY_MASK}(ids|tr|ts|[ _-]?png|[ _-]index)?|segmentationclass(png)?|gtfine|gtcoarse", re.IGNORECASE
)
_IMAGE_FOLDER = re.compile(rf"({'|'.join(IMAGES)})|images?(tr|ts)|jpegimages|leftimg8bit", re.IGNORECASE)


@lru_cache(maxsize=4096)
def is_mask_folder(name: str) -> bool:
    """Whether a folder's name says that it holds masks."""
    return _MASK_FOLDER.fullmatch(name) is not None


@lru_cache(maxsize=4096)
def is_image_folder(name: str) -> bool:
    """Whether a folder's name says that it holds images."""
    return _IMAGE_FOLDER.fullmatch(name) is not None


def is_mask_word(affix: str) -> bool:
    """Whether a suffix (or a reversed prefix) is a word for masks, such as ``_mask`` or ``_gtFine``."""
    return any(is_mask_ending(text) for text in (affix, affix[::-1].rstrip(SEPARATORS)))


def is_mask_ending(text: str) -> bool:
    """Whether the end of a name is a word for masks, with its separator or without."""
    return _MASK_WORD.fullmatch(text) is not None
