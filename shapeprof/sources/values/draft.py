"""The encoding under construction, filled in step by step by detection."""

from __future__ import annotations

from dataclasses import dataclass, field

from shapeprof.issues import Issue
from shapeprof.sources.encoding import Kind


@dataclass
class Draft:
    """The conclusions so far; ``detection`` makes an Encoding of them."""

    kind: Kind
    mapping: dict[int, int]  # raw value to class id
    ignored: set[int] = field(default_factory=set)
    step: int | None = None
    levels: tuple[int, ...] = ()
    palette: dict[int, int] = field(default_factory=dict)  # index to 0xRRGGBB
    instances: bool = False
    soft_share: float = 1.0  # of pixels between levels, above which a mask is reported
    divisor: int = 0
    things: tuple[int, ...] = ()
    reasons: list[str] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
