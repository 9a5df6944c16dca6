"""Leave classes out and merge classes as the user asks (``--exclude-class``, ``--merge-classes``).

An encoding keeps the classes that the masks hold; ``Encoding.new_ids`` says what becomes of each after reading.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shapeprof.errors import UsageError
from shapeprof.labelmap import ClassTable, LabelMap, ignore_index
from shapeprof.runmap import IGNORED, RunMap

from .encoding import Encoding, ReadOptions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def reclassed(encoding: Encoding, options: ReadOptions) -> Encoding:
    """The encoding without the excluded classes and with the merged ones.

    A class that is left out becomes background, or ignored where no class is background. A merged class
    has the place of its first member. Raises UsageError for names that are not there.
    """
    if not options.exclude and not options.merge:
        return encoding
    table = encoding.classes
    merged = [_merge_of(text, table) for text in options.merge]
    excluded = {_id_of(name, table, "--exclude-class") for name in options.exclude}
    twice = [i for ids, _ in merged for i in ids]
    if len(twice) != len(set(twice)) or excluded & set(twice):
        raise UsageError("a class is named more than once in --merge-classes and --exclude-class; name it once")
    if table.background in excluded:
        raise UsageError(
            f"--exclude-class {table.names[table.background or 0]}: this is the background, which holds no objects; "
            "expected a class of objects"
        )
    for ids, name in merged:
        if table.background in ids:
            raise UsageError(
                f"--merge-classes: '{table.names[table.background or 0]}' is the background; leave classes out with "
                "--exclude-class instead of merging them with it"
            )
        same = [i for i, known in enumerate(table.names) if known.lower() == name.lower() and i not in ids]
        if same and not set(same) <= excluded:
            raise UsageError(
                f"--merge-classes: there is a class '{name}' already; name it among those, or choose another"
            )
    head = {i: min(ids) for ids, _ in merged for i in ids}
    names = {i: name for i, name in enumerate(table.names) if i not in excluded and head.get(i, i) == i}
    names |= {min(ids): name for ids, name in merged}
    order = sorted(names)
    place = {old: new for new, old in enumerate(order)}
    nowhere = IGNORED if table.background is None else place[head.get(table.background, table.background)]
    new_ids = [nowhere if i in excluded else place[head.get(i, i)] for i in range(len(table.names))]
    background = None if table.background is None else nowhere
    if len(order) - (background is not None) < 1:
        raise UsageError("--exclude-class leaves no class of objects; expected at least one")
    reasons = [f"the class '{table.names[i]}' is left out, as asked" for i in sorted(excluded)]
    reasons += [
        f"{' and '.join(repr(table.names[i]) for i in ids)} are one class, '{name}', as asked" for ids, name in merged
    ]
    return replace(
        encoding,
        classes=ClassTable(tuple(names[i] for i in order), background),
        new_ids=tuple(new_ids),
        reasons=(*encoding.reasons, *reasons),
    )


def reclassed_runs(run_map: RunMap, encoding: Encoding) -> RunMap:
    """A mask with the classes that ``reclassed`` decided; neighbours that have become equal are one run."""
    import numpy as np

    from .run_length import merged_runs

    value = _new_ids(run_map.value, encoding)
    ids = np.zeros(0, np.int64)
    if run_map.instance is not None:
        ids = np.where(_is_object(value, encoding), run_map.instance, 0)
    row, start, value, ids = merged_runs(run_map.row, run_map.start, value, ids)
    return replace(run_map, row=row, start=start, value=value, instance=None if run_map.instance is None else ids)


def reclassed_labels(label_map: LabelMap, encoding: Encoding) -> LabelMap:
    """A label map with the classes that ``reclassed`` decided."""
    import numpy as np

    labels = label_map.labels
    ids = np.where(labels == label_map.ignore_index, np.int32(IGNORED), labels.astype(np.int32))
    ids = _new_ids(ids, encoding)
    instances = label_map.instances
    if instances is not None:
        instances = np.where(_is_object(ids, encoding), instances, 0).astype(instances.dtype)
    labels = np.where(ids == IGNORED, ignore_index(labels.dtype), ids).astype(labels.dtype)
    return replace(label_map, labels=labels, instances=instances, classes=encoding.classes)


def _new_ids(ids: NDArray[np.int32], encoding: Encoding) -> NDArray[np.int32]:
    """New class ids; ids beyond the table shift down as the table shrinks, and ignored pixels stay ignored."""
    import numpy as np

    beyond = len(encoding.new_ids) - len(encoding.classes.names)
    known = np.array(encoding.new_ids, np.int32)
    inside = (ids >= 0) & (ids < known.size)
    moved: NDArray[np.int32] = np.where(ids < 0, IGNORED, ids - beyond).astype(np.int32)
    moved[inside] = known[ids[inside]]
    return moved


def _is_object(ids: NDArray[np.int32], encoding: Encoding) -> NDArray[np.bool_]:
    result: NDArray[np.bool_] = (ids != IGNORED) & (ids != encoding.classes.background)
    return result


def _merge_of(text: str, table: ClassTable) -> tuple[list[int], str]:
    """(ids, new name) of ``"car,truck=vehicle"``."""
    members, equals, name = text.rpartition("=")
    parts = [part.strip() for part in members.split(",") if part.strip()]
    if not equals or not name.strip() or len(parts) < 2:
        raise UsageError(f"--merge-classes {text}: expected two names or more and a new one: car,truck=vehicle")
    return [_id_of(part, table, "--merge-classes") for part in parts], name.strip()


def _id_of(name: str, table: ClassTable, option: str) -> int:
    """The class id of a name, whatever its case."""
    for same in (str, str.lower):
        found = [i for i, known in enumerate(table.names) if same(known) == same(name)]
        if len(found) == 1:
            return found[0]
    raise UsageError(f"{option} {name}: no class of this name; the masks have: {', '.join(table.names)}")
