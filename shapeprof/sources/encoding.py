"""What was concluded about a folder of masks: how a stored value becomes a class id, and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from shapeprof.labelmap import ClassTable, Issue
from shapeprof.sources.annotations.source import AnnotationSource

ODD = -2  # in place of a class id: of a raw value that the encoding does not know
Kind = Literal["index", "binary", "grey-multiples", "palette", "colour", "instance", "annotation"]


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the user said about the masks; everything else is detected."""

    classes: tuple[str, ...] | None = None  # names in id order
    class_file: Path | None = None  # names from a csv, txt, json or yaml file
    background: int | Literal["auto"] | None = "auto"  # raw value; None: no class is background
    ignore_index: int | Literal["auto"] | None = "auto"  # raw value; None: every value is a class
    instances: bool | None = None  # True: every value is one object; None: decide from the values
    train_size: int | None = None  # shorter side in pixels; None: native size
    annotations: bool | None = (
        None  # True: draw annotations, even beside masks; False: never; None: without masks
    )


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
    reasons: tuple[str, ...] = ()  # plain sentences: why each conclusion
    issues: tuple[Issue, ...] = ()
    drawing: AnnotationSource | None = None  # annotation: the documents; raw values are their category ids

    def __hash__(self) -> int:
        # Cheap, as the tables made from an encoding are cached under it for every mask that is read.
        return hash((self.kind, len(self.mapping), self.ignored, self.levels))

    def raw_values_of(self, class_id: int) -> tuple[int | str, ...]:
        """The stored values that mean ``class_id``; colours as ``"#RRGGBB"``."""
        if self.levels and self.kind != "colour":
            raws = [raw for raw, id_ in self.mapping if id_ == class_id and raw in self.levels]
        else:
            raws = [raw for raw, id_ in self.mapping if id_ == class_id]
        return tuple(hex_colour(raw) if self.kind == "colour" else raw for raw in raws)

    def to_dict(self) -> dict[str, Any]:
        """The encoding as JSON values."""
        return {
            "kind": self.kind,
            "mapping": [list(pair) for pair in self.mapping],
            "classes": {"names": list(self.classes.names), "background": self.classes.background},
            "ignored": list(self.ignored),
            "instances": self.instances,
            "equal_channels": self.equal_channels,
            "step": self.step,
            "levels": list(self.levels),
            "palette": [list(pair) for pair in self.palette],
            "reasons": list(self.reasons),
            "issues": [_issue_to_dict(issue) for issue in self.issues],
            "drawing": None if self.drawing is None else self.drawing.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Encoding:
        """The encoding that ``to_dict`` wrote."""
        table = data["classes"]
        return cls(
            kind=cast(Kind, data["kind"]),
            mapping=_pairs(data["mapping"]),
            classes=ClassTable(tuple(table["names"]), table["background"]),
            ignored=tuple(data["ignored"]),
            instances=data["instances"],
            equal_channels=data["equal_channels"],
            step=data["step"],
            levels=tuple(data["levels"]),
            palette=_pairs(data["palette"]),
            reasons=tuple(data["reasons"]),
            issues=tuple(Issue(**issue) for issue in data["issues"]),
            drawing=AnnotationSource.from_dict(data["drawing"]) if data.get("drawing") else None,
        )


def hex_colour(packed: int) -> str:
    """``0x3C1098`` as ``"#3C1098"``."""
    return f"#{packed:06X}"


def _pairs(rows: list[list[int]]) -> tuple[tuple[int, int], ...]:
    return tuple((int(first), int(second)) for first, second in rows)


def _issue_to_dict(issue: Issue) -> dict[str, str]:
    return {
        "severity": issue.severity,
        "code": issue.code,
        "message": issue.message,
        "path": issue.path,
    }
