"""T8: whether images may be mirrored."""

from __future__ import annotations

import re
from collections.abc import Iterable

from shapeprof.design.draft import Draft

from .evidence import Evidence
from .rule import Outcome, rule
from .thresholds import Thresholds

HORIZONTAL, VERTICAL = "training.horizontal_flip", "training.vertical_flip"
SIDES = {"left": "right", "l": "r"}
ENDS = {"upper": "lower", "top": "bottom", "superior": "inferior"}


@rule("T8", "flips", title="Flips", sets=(HORIZONTAL, VERTICAL), always=True)
def flips(evidence: Evidence, draft: Draft, t: Thresholds) -> Outcome:
    """Whether training mirrors images, left to right and top to bottom.

    What it decides: both flips are on, unless two classes differ only by their side: "left kidney" and "right kidney"
    (or l and r) forbid the horizontal flip; upper and lower, top and bottom, superior and inferior the vertical one.

    Why: a flip doubles what is seen of a set for nothing, but it would turn one of such classes into the other.
    Whether gravity or reading direction matters is not in the masks: check the vertical flip yourself.

    Threshold: none; the names of the classes decide.

    Example: "lung_L" and "lung_R": no horizontal flip. "left turn only" alone forbids nothing.
    """
    names = [view.name for view in evidence.all_classes]
    horizontal, vertical = (not are_mirrored(names, words) for words in (SIDES, ENDS))
    if horizontal and vertical:
        reason = "No two class names differ only by left and right or up and down: images may be mirrored both ways."
    else:
        which = "left and right" if not horizontal else "up and down"
        which = which if horizontal or vertical else "left and right, and others by up and down"
        reason = f"Some classes differ only by {which}: mirroring would turn one into the other."
    value = tuple(w for w, on in (("horizontal", horizontal), ("vertical", vertical)) if on)
    return Outcome({HORIZONTAL: horizontal, VERTICAL: vertical}, value, reason)


def are_mirrored(names: Iterable[str], sides: dict[str, str]) -> bool:
    """Whether two of the class ``names`` differ only by their side, as "left kidney" and "right kidney".

    ``sides``: words and their opposites.
    """
    words = [tuple(re.findall(r"[a-z]+|\d+", re.sub("([a-z])([A-Z])", r"\1 \2", n).lower())) for n in names]
    swapped = {tuple(sides.get(word, word) for word in each) for each in words if {*each} & sides.keys()}
    return not swapped.isdisjoint(words)
