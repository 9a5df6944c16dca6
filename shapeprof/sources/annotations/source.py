"""What must be known to draw a mask by its name: plain data, a part of the encoding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Format = Literal["coco", "via", "labelme", "yolo"]

TITLES: dict[Format, str] = {
    "coco": "COCO",
    "via": "VIA (VGG Image Annotator)",
    "labelme": "LabelMe",
    "yolo": "YOLO segmentation",
}
SUFFIXES: dict[Format, str] = {"coco": ".json", "via": ".json", "labelme": ".json", "yolo": ".txt"}
IGNORED_CATEGORY = -1  # in place of a class id: objects of the category are ignored pixels


@dataclass(frozen=True, slots=True)
class AnnotationSource:
    """Documents, where their images lie, and the class of every category."""

    format: Format
    # (document, or folder of documents that hold one image each; folder of its images), relative to the root.
    # Where documents and images share a folder, formats with a document per image need no entry.
    places: tuple[tuple[str, str], ...]
    classes: tuple[tuple[str, int], ...]  # (category as documents name it, class id or IGNORED_CATEGORY)
    attribute: str = ""  # VIA: the region attribute that holds the category
    crowd_ignored: bool = True  # COCO: crowd regions are ignored pixels; else objects
    instances: bool = True  # every object keeps an id of its own

    @property
    def per_image(self) -> bool:
        """Whether every image has a document of its own."""
        return self.format in ("labelme", "yolo")
