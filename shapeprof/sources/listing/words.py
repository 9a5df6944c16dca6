"""Words in the names of files and folders that say what these hold. Regular expressions, for names of any case."""

from __future__ import annotations

MASKS = (
    *("masks?", "annotations?", "annot", "labels?", "lbl", "gt"),
    *("groundtruth", "ground_truth", "seg", "segmentation", "target"),
)
IMAGES = ("images?", "imgs?", "photos?", "rgb")
SPLITS = {  # word to split
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
