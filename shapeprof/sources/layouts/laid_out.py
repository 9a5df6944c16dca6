"""The conclusion about the layout of a set."""

from __future__ import annotations

from dataclasses import dataclass

from shapeprof.issues import Issue
from shapeprof.labelmap import ClassTable
from shapeprof.sources.encoding import Layout


@dataclass(frozen=True, slots=True)
class LaidOut:
    """What a file of the set holds, and the classes where names are classes."""

    layout: Layout = "files"
    part_ids: tuple[tuple[str, int], ...] = ()
    classes: ClassTable | None = None  # where names are classes
    reasons: tuple[str, ...] = ()
    issues: tuple[Issue, ...] = ()
