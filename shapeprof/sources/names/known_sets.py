"""Class names of public data sets that are recognised by the names of their files."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from shapeprof.errors import InputError
from shapeprof.sources.maskset import MaskFolder
from shapeprof.wording import first_few

# cityscapesScripts, helpers/labels.py: names by id, and by train id.
CITYSCAPES = (
    "unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic", "ground", "road",
    "sidewalk", "parking", "rail track", "building", "wall", "fence", "guard rail", "bridge", "tunnel", "pole",
    "polegroup", "traffic light", "traffic sign", "vegetation", "terrain", "sky", "person", "rider", "car", "truck",
    "bus", "caravan", "trailer", "train", "motorcycle", "bicycle",
)  # fmt: skip
CITYSCAPES_TRAIN = (
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation",
    "terrain", "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
)  # fmt: skip
# VOC 2012 development kit, section 2.
PASCAL_VOC = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
_ADE_FULL = re.compile(r"ADE_(train|val|test|frame)\w*_seg", re.IGNORECASE)


def known_names(folder: MaskFolder, top: int) -> tuple[str, tuple[str, ...]] | None:
    """(name of the set, class names by id) when the files are named as in a set that is known.

    ``top``: the largest class id that the masks hold, 255 excepted; more than the set has means another set.
    """
    stems = [PurePosixPath(path).stem for path in folder.files]
    in_voc = "segmentationclass" in {part.lower() for part in (*folder.root.resolve().parts, *_folders(folder))}
    for is_it, source, names in (
        (all(re.search(r"_(label|instance)Ids$", stem) for stem in stems), "Cityscapes", CITYSCAPES),
        (all(re.search(r"_(label|instance)TrainIds$", stem) for stem in stems), "Cityscapes", CITYSCAPES_TRAIN),
        (in_voc and all(re.fullmatch(r"\d{4}_\d{6}", stem) for stem in stems), "PASCAL VOC", PASCAL_VOC),
    ):
        if is_it and top < len(names):
            return source, names
    return None


def refuse_unread(folder: MaskFolder) -> None:
    """Raise InputError for a set whose encoding is known but not supported."""
    full = [path for path in folder.files if _ADE_FULL.fullmatch(PurePosixPath(path).stem)]
    if 2 * len(full) > len(folder.files):
        raise InputError(
            f"{folder.root}: {len(full)} masks are named as in the full ADE20K set ({first_few(full)}), where "
            "R / 10 * 256 + G is one of 3,000 classes and B the object: that is not read. Give the masks of its scene "
            "parsing benchmark (annotations/*.png, 150 classes), or convert these to index PNG"
        )


def _folders(folder: MaskFolder) -> set[str]:
    return {part for path in folder.files for part in PurePosixPath(path).parts[:-1]}
