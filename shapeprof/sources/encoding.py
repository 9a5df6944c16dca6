"""What was concluded about a folder of masks: how a stored value becomes a class id, and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal

from shapeprof.issues import Issue
from shapeprof.labelmap import ClassTable
from shapeprof.limits import MAX_PIXELS
from shapeprof.options import FILES, MEASURING, VALUES, class_names, finding, option, raw_value, raw_values

from .maskset import AnnotationSource

ODD = -2  # in place of a class id, for a raw value that the encoding does not know
Layout = Literal["files", "objects", "class-folders", "class-endings", "class-pages", "panoptic"]
Kind = Literal["index", "binary", "grey-multiples", "palette", "colour", "instance", "annotation"]
# What the pages (planes, slices, arrays) of a file are: masks of their own, or classes of one mask.
Pages = Literal["", "stack", "one-hot", "exclusive"]


# Most options act through the Encoding, on which kept measurements depend as a whole. One that acts in any other way
# is declared with ``option``.
_reading = partial(option, measures=False, recorded=True)


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the user says about the masks; the rest is detected."""

    classes: tuple[str, ...] | None = _reading(
        None,
        "Class names in id order: a,b,c or a csv, txt, json, yaml file.",
        panel=VALUES,
        metavar="FILE|NAMES",
        reads=class_names,
    )
    class_file: Path | None = None  # file of class names; typed as --classes
    background: int | Literal["auto"] | None = _reading(
        "auto",
        "Raw value of the background; none: every value is a class.",
        panel=VALUES,
        metavar="VALUE|none",
        reads=raw_value,
    )
    ignore_index: int | tuple[int, ...] | Literal["auto"] | None = _reading(
        "auto",
        "Raw values that belong to no class: 255 or 254,255.",
        panel=VALUES,
        metavar="VALUES|none",
        reads=raw_values,
    )
    instances: bool | None = _reading(None, "Values are object ids, not classes.", panel=VALUES, shown="detected")
    train_size: int | None = option(
        None, "Measure with the shorter side resized to N px. Default: native.", panel=MEASURING, metavar="N", min=8
    )
    annotations: bool | None = _reading(
        None, "Draw annotations even where there are masks.", panel=FILES, shown="where there are no masks", finds=True
    )
    exclude: tuple[str, ...] = _reading(
        (), "A class to leave out; may be given again.", panel=VALUES, flag="--exclude-class", metavar="NAME"
    )
    merge: tuple[str, ...] = _reading(
        (), "Classes to take as one; may be given again.", panel=VALUES, flag="--merge-classes", metavar="A,B=NEW"
    )
    pattern: str | None = _reading(
        None,
        "Which files are the masks, as '*_labelIds.png'. Default: by their names.",
        panel=FILES,
        metavar="GLOB",
        finds=True,
    )
    layout: Literal["auto", "files", "objects", "classes"] = _reading(
        "auto",
        "What a file holds: a mask, one object of its folder's mask, or the class that its name tells.",
        panel=FILES,
    )
    invert: bool = _reading(False, "Of two values, swap foreground and background.", panel=VALUES)
    pages: Literal["auto", "stack", "classes"] = _reading(
        "auto", "What the pages of a file are: a stack of masks, or classes of one mask.", panel=FILES
    )
    max_pixels: int = _reading(
        MAX_PIXELS, "Pixels of a file beyond which it is not read.", panel=FILES, metavar="N", min=1
    )

    @property
    def ignored(self) -> tuple[int, ...]:
        """The raw values that the user said belong to no class."""
        asked = self.ignore_index
        return asked if isinstance(asked, tuple) else (asked,) if isinstance(asked, int) else ()

    @classmethod
    def of_files(cls, arguments: dict[str, Any]) -> ReadOptions:
        """Options that choose the same mask files as the ``arguments`` recorded in a profile."""
        return finding(cls, arguments)


@dataclass(frozen=True)
class Encoding:
    """The mapping from stored values to class ids. Plain data: pickles, and is JSON by ``to_dict``.

    A raw value is an integer: the grey value, the palette index, or a colour packed as 0xRRGGBB.
    """

    kind: Kind
    mapping: tuple[tuple[int, int], ...]  # (raw value, class id), sorted by raw value
    classes: ClassTable
    ignored: tuple[int, ...] = ()  # raw values that belong to no class
    instances: bool = False  # every value is one object, not a class
    equal_channels: bool = False  # stored as RGB whose three channels are equal
    step: int | None = None  # grey-multiples: class id = value / step
    levels: tuple[int, ...] = ()  # the true raw values that soft ones snap to; () when values are exact
    palette: tuple[tuple[int, int], ...] = ()  # (index, 0xRRGGBB) of the palette that the files share
    new_ids: tuple[int, ...] = ()  # class id in ``classes`` by id as read, IGNORED for none; () where they are equal
    layout: Layout = "files"  # "objects": a mask is a folder of files of one object each; else see ``part_ids``
    part_ids: tuple[tuple[str, int], ...] = ()  # class id of a file's foreground by its folder, or its name's ending
    divisor: int = 0  # instance ids: class id = value // divisor, or the value itself below it; 0: one class
    things: tuple[int, ...] = ()  # with a divisor: the class ids whose objects are numbered
    pages: Pages = ""  # how a file of several pages is read; "": none was seen
    max_pixels: int = MAX_PIXELS  # of a file; it is not read beyond
    soft_share: float = 1.0  # with levels: a mask with a larger share of pixels between them is reported
    document: str = ""  # panoptic: the JSON file of segments, relative to the mask folder
    reasons: tuple[str, ...] = ()  # plain sentences: why each conclusion
    issues: tuple[Issue, ...] = ()
    drawing: AnnotationSource | None = None  # annotation: the documents; raw values are their category ids

    @property
    def classes_may_overlap(self) -> bool:
        """Whether a pixel may have several classes: classes have separate files, or are drawn from annotations."""
        return self.drawing is not None or bool(self.part_ids)

    def __hash__(self) -> int:
        # Cheap, as the tables made from an encoding are cached under it for every mask that is read.
        return hash((self.kind, len(self.mapping), self.ignored, self.levels, self.layout))

    def raw_values_of(self, class_id: int) -> tuple[int | str, ...]:
        """The stored values that mean ``class_id``; colours as ``"#RRGGBB"``."""
        raws = [raw for raw, id_ in self.mapping if self._new_id(id_) == class_id]
        if self.levels and self.kind != "colour":
            raws = [raw for raw in raws if raw in self.levels]
        return tuple(hex_colour(raw) if self.kind == "colour" else raw for raw in raws)

    def _new_id(self, class_id: int) -> int:
        return self.new_ids[class_id] if class_id < len(self.new_ids) else class_id

    def to_dict(self) -> dict[str, Any]:
        """The encoding as JSON values, by field."""
        data: dict[str, Any] = _with(list, asdict(self))
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Encoding:
        """The encoding that ``to_dict`` wrote; missing fields get their defaults."""
        fields = _with(tuple, data)
        fields["classes"] = ClassTable(**fields["classes"])
        fields["issues"] = tuple(Issue(**issue) for issue in fields["issues"])
        if drawing := fields.get("drawing"):
            fields["drawing"] = AnnotationSource(**drawing)
        return cls(**fields)


@lru_cache(maxsize=8)
def plain(encoding: Encoding) -> Encoding:
    """The encoding for reading one file by itself (layout "files")."""
    return replace(encoding, layout="files", instances=encoding.instances and encoding.layout != "objects")


def hex_colour(packed: int) -> str:
    """``0x3C1098`` as ``"#3C1098"``."""
    return f"#{packed:06X}"


def _with(kind: type[list[Any]] | type[tuple[Any, ...]], value: Any) -> Any:
    """Copy of ``value`` with every list and tuple in it, at any depth, converted to ``kind``."""
    if isinstance(value, dict):
        return {key: _with(kind, item) for key, item in value.items()}
    return kind(_with(kind, item) for item in value) if isinstance(value, list | tuple) else value
