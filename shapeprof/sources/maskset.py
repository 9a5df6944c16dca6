"""The masks of a folder: their names, the files behind them, and the annotations that they are drawn from."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from pathlib import Path

from shapeprof.issues import Issue

IGNORED_CATEGORY = -1  # in place of a class id: objects of the category are ignored pixels


@dataclass(frozen=True, slots=True)
class AnnotationSource:
    """Picklable description of an annotation set, kept in Encoding: format, where documents and images lie, classes."""

    format: str  # name of the AnnotationFormat
    # (document, or folder of documents that hold one image each; folder of its images), relative to the root.
    # Where documents and images share a folder, formats with a document per image need no entry.
    places: tuple[tuple[str, str], ...]
    classes: tuple[tuple[str, int], ...]  # (category as documents name it, class id or IGNORED_CATEGORY)
    attribute: str = ""  # VIA: the region attribute that holds the category
    crowd_ignored: bool = True  # COCO: crowd regions are ignored pixels; else objects
    instances: bool = True  # every object keeps an id of its own


@dataclass(frozen=True, slots=True)
class Category:
    """A kind of object, as annotation documents name it."""

    key: str  # as regions name it
    name: str
    id: int | None = None  # its number in the document
    parent: str = ""  # its super-category
    used: int = 0  # number of regions


@dataclass(frozen=True)
class AnnotationSet:
    """The masks that documents of one format hold."""

    source: AnnotationSource  # its classes are empty until ``annotation_encoding`` numbers them
    names: tuple[str, ...]  # of the masks: their images, relative to the root, sorted
    documents: tuple[str, ...]  # relative to the root, sorted
    categories: tuple[Category, ...]  # of all documents; ``used`` is summed
    regions: int  # in all documents
    images: frozenset[str]  # the names that are files below the root
    issues: tuple[Issue, ...] = ()


@dataclass(frozen=True)
class MaskFolder:
    """The masks of a folder."""

    root: Path
    files: tuple[str, ...]  # names of masks: relative to root, forward slashes, sorted
    issues: tuple[Issue, ...] = ()
    others: tuple[str, ...] = field(default=(), repr=False)  # every file that is no mask; same form
    skipped: int = 0  # number of others, hidden or system entries and broken links
    stored: tuple[str, ...] = field(default=(), repr=False)  # files behind the names, sorted; default: ``files``
    why: tuple[str, ...] = field(default=(), repr=False)  # code of the issue about each of ``others``
    image_names: tuple[str, ...] = field(
        default=(), repr=False
    )  # path by which a mask finds its image; default: ``files``
    annotations: AnnotationSet | None = field(
        default=None, repr=False
    )  # what the masks are drawn from; None: they are image files

    def __post_init__(self) -> None:
        if not self.stored:
            object.__setattr__(self, "stored", self.files)
        if not self.why:
            object.__setattr__(self, "why", ("",) * len(self.others))
        if not self.image_names:
            object.__setattr__(self, "image_names", self.files)

    def first_below(self, name: str) -> str | None:
        """The first file of a mask that is a folder of files; None for a mask that is one file."""
        at = bisect_left(self.stored, name + "/")
        return self.stored[at] if at < len(self.stored) and self.stored[at].startswith(name + "/") else None
