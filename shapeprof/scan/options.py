"""How to scan: the options of measuring, with those of reading."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shapeprof.options import FILES, MEASURING, option, recorded
from shapeprof.sources.encoding import ReadOptions


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """How to scan. A profile records the options that can change it."""

    read: ReadOptions = field(default_factory=ReadOptions)
    sample: int = option(
        0,
        "Measure only N of the masks; 0: all of them.",
        panel=FILES,
        metavar="N",
        min=0,
        measures=False,
        recorded=True,
    )
    floor: int = option(
        32, "Objects under this area are counted, not measured.", panel=MEASURING, metavar="PX", min=1, measures=True
    )
    # Which masks are in these two samples is part of the state of each mask (``scan._plan``).
    survival_sample: int = option(
        256,
        "Masks on which to measure widths and what each output keeps.",
        panel=MEASURING,
        metavar="N",
        min=10,
        measures=False,
        recorded=True,
    )
    survival_best: int = option(
        0,
        "Masks on which to also compute the best that an output can keep (0.3 to 5 s each).",
        panel=MEASURING,
        metavar="N",
        min=0,
        measures=False,
        recorded=True,
    )
    thickness: bool = option(
        False, "Measure widths on every mask, not only on the sample.", panel=MEASURING, measures=True
    )
    group: str | None = option(
        None,
        "Masks whose paths match alike in its group (one patient, one video) stay together.",
        panel=MEASURING,
        metavar="REGEX",
        measures=False,
        recorded=True,
    )
    strict: bool = option(
        False, "Fail where a mask can't be read, instead of leaving it out.", panel=MEASURING, measures=False
    )
    workers: int = option(
        0, "Processes; 0: one per core.", panel=MEASURING, metavar="N", min=0, shown="one per core", measures=False
    )

    def arguments(self) -> dict[str, Any]:
        """The options that change the profile, as it records them."""
        return recorded(self)
