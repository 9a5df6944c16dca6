"""Instance ids that hold a class: class * 1000 + number, and the class alone where objects are not numbered.

The encoding of Cityscapes' ``_instanceIds.png`` (Cordts et al. 2016; cityscapesScripts, ``json2instanceImg.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shapeprof.sources.encoding import Encoding, ReadOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .draft import Draft
    from .survey import Observation

DIVISOR = 1000
MAX_CLASS = 255  # chosen: larger quotients are no class ids
MAX_UNNUMBERED = 64  # chosen: more values below 1000 in one file number objects themselves
_NUMBERED = 0.9  # chosen: share of files with large values whose numbers must be nearly without gaps


def numbered_classes(seen: list[Observation]) -> tuple[int, ...]:
    """The classes whose objects are numbered, sorted; () when the values are no class * 1000 + number.

    Small values must be few, large ones at most 255,999 with numbers that leave few gaps, and some class must
    have several objects in one file.
    """
    things: set[int] = set()
    several, regular, large = False, 0, 0
    for observation in seen:
        numbers: dict[int, list[int]] = {}
        for raw in observation.pixels:
            numbers.setdefault(raw // DIVISOR, []).append(raw % DIVISOR)
        small = numbers.pop(0, [])
        if len(small) > MAX_UNNUMBERED or max(small, default=0) > MAX_CLASS or max(numbers, default=0) > MAX_CLASS:
            return ()
        if numbers:
            large += 1
            regular += all(max(found) <= 2 * len(found) for found in numbers.values())
            several |= any(len(found) > 1 for found in numbers.values())
            things |= set(numbers)
    return tuple(sorted(things)) if several and regular >= _NUMBERED * large else ()


def draft_numbered(draft: Draft, seen: list[Observation], things: tuple[int, ...], options: ReadOptions) -> None:
    """Make ``draft`` one of classes with numbered objects."""
    ids = {raw // DIVISOR if raw >= DIVISOR else raw for observation in seen for raw in observation.pixels}
    ignored = {255} & ids if options.ignore_index == "auto" else set(options.ignored)
    draft.kind, draft.instances, draft.divisor, draft.things = "instance", False, DIVISOR, things
    draft.mapping = {raw: raw for raw in sorted(ids - ignored)}
    draft.ignored = {int(raw) for raw in ignored if raw is not None}
    shown = ", ".join(map(str, things[:8])) + (" ..." if len(things) > 8 else "")
    draft.reasons = [
        f"values from {DIVISOR} are class * {DIVISOR} + number, as in Cityscapes: objects of the classes {shown}",
        f"values below {DIVISOR} are classes: their pieces are objects, but those of numbered classes are crowds, "
        "which count in areas and as no object",
    ]


def numbered_labels(values: NDArray[Any], encoding: Encoding) -> tuple[NDArray[Any], NDArray[Any]]:
    """((H, W) class ids, uint8 or uint16; (H, W) uint32 object ids, 0 for none) of class * divisor + number.

    A numbered object keeps its value as id; the 8-connected pieces of classes without numbers get ids beyond.
    """
    import cv2
    import numpy as np

    top = int(values.max())
    classes = np.arange(top + 1, dtype=np.uint32)
    classes[encoding.divisor :] //= encoding.divisor
    held = np.unique(classes[np.flatnonzero(np.bincount(values.ravel(), minlength=top + 1))])
    wide = max((int(c) for c in held if c not in encoding.ignored), default=0) >= 255
    dtype, most = (np.uint16, 65535) if wide else (np.uint8, 255)
    ids = classes.copy()
    for raw in encoding.ignored:
        ids[classes == raw] = most
    labels = ids.astype(dtype)[values]
    instances = np.where(values >= encoding.divisor, values, 0).astype(np.uint32)
    instances[labels == most] = 0
    ends = max(top, encoding.divisor)
    no_object = {*encoding.things, *encoding.ignored, encoding.classes.background}
    for class_id in (int(c) for c in held if int(c) not in no_object):
        count, pieces = cv2.connectedComponents((values == class_id).astype(np.uint8), connectivity=8)
        if count > 1:
            instances += np.where(pieces > 0, pieces + ends, 0).astype(np.uint32)
            ends += count - 1
    return labels, instances
