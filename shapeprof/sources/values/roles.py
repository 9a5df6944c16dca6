"""Names of classes, and which one is the background."""

from __future__ import annotations

from shapeprof.errors import UsageError
from shapeprof.issues import Issue
from shapeprof.labelmap import ClassTable
from shapeprof.sources.class_files import ClassNames, names_beside, read_class_file
from shapeprof.sources.encoding import ReadOptions, hex_colour
from shapeprof.sources.maskset import MaskFolder
from shapeprof.sources.names.known_sets import known_names
from shapeprof.sources.names.words import BACKGROUND, VOID
from shapeprof.wording import first_few

from .draft import Draft

LARGEST_ID = 65535  # that a mask can hold
MAX_TABLE = 1024  # unnamed classes listed; ids beyond are named after their number


def assign_roles(draft: Draft, folder: MaskFolder, options: ReadOptions) -> ClassTable:
    """Name the classes of ``draft`` and find its background; adds its reasons and issues."""
    names = _sourced_names(draft, folder, options)
    _extend_legend(draft, names)
    _ask_void(draft, names, options)
    table = ["" for _ in range(_count(draft, names))]
    given = _given(draft, names)
    for class_id in range(len(table)):
        table[class_id] = given.get(class_id, "")
    background = _background(draft, table, options)
    for class_id, name in enumerate(table):
        table[class_id] = name or _default_name(draft, class_id, background)
    return ClassTable(tuple(table), background)


def _sourced_names(draft: Draft, folder: MaskFolder, options: ReadOptions) -> ClassNames | None:
    if options.classes is not None:
        return ClassNames("--classes", ordered=options.classes)
    if options.class_file is not None:
        return read_class_file(options.class_file)
    if draft.instances:
        return None  # a file that names classes says nothing about objects
    names, issues = names_beside(folder)
    draft.issues += issues
    if names is not None or draft.kind not in ("index", "palette", "instance"):
        return names
    top = max((class_id for raw, class_id in draft.mapping.items() if raw != 255), default=0)
    known = known_names(folder, top)
    return None if known is None else ClassNames(known[0], by_value=dict(enumerate(known[1])))


def _count(draft: Draft, names: ClassNames | None) -> int:
    top = max(draft.mapping.values(), default=0) + (2 if draft.instances else 1)
    if names is None:
        return min(top, MAX_TABLE)
    if draft.instances or draft.kind == "colour":
        return top
    beyond = draft.kind in ("index", "palette")  # there a value that no mask looked at held is a class all the same
    by_value = [draft.mapping.get(raw, raw if beyond and raw <= LARGEST_ID else 0) for raw in names.by_value]
    return max([top, len(names.ordered), *(id_ + 1 for id_ in by_value)])


def _given(draft: Draft, names: ClassNames | None) -> dict[int, str]:
    """Names by class id, as far as the source fits what the masks hold."""
    if names is None:
        return {}
    given: dict[int, str] = {}
    if names.by_colour:
        colours = {raw: raw for raw in draft.mapping} if draft.kind == "colour" else draft.palette
        for raw, class_id in draft.mapping.items():
            if raw in colours and colours[raw] in names.by_colour:
                given[class_id] = names.by_colour[colours[raw]]
    if names.by_value and draft.kind != "colour":
        beyond = draft.kind in ("index", "palette")
        for raw, name in names.by_value.items():
            if beyond or raw in draft.mapping:
                given[draft.mapping.get(raw, raw)] = name
    if names.by_value and not set(range(1, max(draft.mapping.values(), default=0) + 1)) <= set(given):
        given = _fitted(draft, tuple(names.by_value[key] for key in sorted(names.by_value))) or given
    if names.ordered:
        given = _fitted(draft, names.ordered) or dict(enumerate(names.ordered))
    _report_fit(draft, names, given)
    return given


def _fitted(draft: Draft, ordered: tuple[str, ...]) -> dict[int, str] | None:
    """Ordered names by class id; if they name the foreground only, 0 is "background"; None if they don't fit."""
    count = max(draft.mapping.values(), default=0) + (2 if draft.instances else 1)
    if len(ordered) + 1 == count and 0 in draft.mapping and ordered[0].lower() not in BACKGROUND:
        draft.reasons.append("there is one name less than ids, so the names are those of classes 1 and up")
        return {0: "background"} | dict(enumerate(ordered, 1))
    return dict(enumerate(ordered)) if len(ordered) == count else None


def _report_fit(draft: Draft, names: ClassNames, given: dict[int, str]) -> None:
    unnamed = [raw for raw, id_ in draft.mapping.items() if id_ not in given]
    if draft.kind == "colour":
        unused = len(set(names.by_colour) - set(draft.mapping))
        shown = [hex_colour(raw) for raw in unnamed]
    else:
        unused = 0 if names.by_colour else max(0, len(names.ordered) - max(draft.mapping.values(), default=0) - 1)
        shown = [str(raw) for raw in unnamed]
    if not unnamed and not (unused and draft.kind == "colour"):
        draft.reasons.append(f"class names are those of {names.source}")
        return
    text = (
        f"the class names in {names.source} do not match what the masks hold: {len(unnamed)} values "
        "have no name there "
        f"({first_few(shown, 6) or 'none'}) and {unused} names no value. Unmatched classes are named after their "
        "value; give the names in id order with --classes"
    )
    draft.issues.append(Issue("warning", "class-names-mismatch", text))


def _extend_legend(draft: Draft, names: ClassNames | None) -> None:
    """Add the colours that a fitting class file names and no mask looked at held."""
    if names is None or draft.kind != "colour" or not set(draft.mapping) <= set(names.by_colour):
        return
    known = set(names.by_colour) - draft.ignored
    draft.mapping = {raw: class_id for class_id, raw in enumerate(sorted(known))}


def _ask_void(draft: Draft, names: ClassNames | None, options: ReadOptions) -> None:
    """Ignore black where another colour is named as background or unlabelled: it is stray then."""
    if draft.kind != "colour" or 0 not in draft.mapping or names is None or options.background != "auto":
        return
    known = {raw: names.by_colour[raw].lower() for raw in draft.mapping if raw in names.by_colour}
    if 0 in known or not any(name in BACKGROUND | VOID for name in known.values()):
        return
    ignore_colour(draft, 0)
    why = "black is ignored: another colour is named as the unlabelled one"
    draft.reasons.append(why)
    text = f"stray black pixels (#000000) are in no class of {names.source}; they are ignored"
    draft.issues.append(Issue("warning", "stray-colour", text))


def ignore_colour(draft: Draft, raw: int) -> None:
    """Ignore one colour; the class ids of the others are renumbered without a gap."""
    draft.ignored.add(raw)
    draft.mapping = {c: i for i, c in enumerate(sorted(set(draft.mapping) - {raw}))}


def _background(draft: Draft, table: list[str], options: ReadOptions) -> int | None:
    if draft.instances:
        return 0
    if options.background is None:
        draft.reasons.append("no class is background, as asked")
        return None
    if options.background != "auto":
        return _asked_background(draft, options.background)
    lower = [name.strip().lower() for name in table]
    for known in (BACKGROUND, VOID):
        for class_id, name in enumerate(lower):
            if name in known:
                draft.reasons.append(f"class {class_id} is called '{table[class_id]}', so it is the background")
                return class_id
    return _background_by_value(draft, table)


def _asked_background(draft: Draft, raw: int) -> int:
    class_id = draft.mapping.get(raw)
    if class_id is None and draft.kind in ("index", "palette"):
        class_id = raw
    if class_id is None and raw in draft.mapping.values():
        class_id = raw
    if class_id is None:
        held = [hex_colour(key) if draft.kind == "colour" else str(key) for key in sorted(draft.mapping)]
        raise UsageError(f"background {raw}: no mask looked at holds it; expected one of {first_few(held, 12)}")
    draft.reasons.append(f"class {class_id} is the background, as asked")
    return class_id


def _background_by_value(draft: Draft, table: list[str]) -> int | None:
    word = "black" if draft.kind == "colour" else "the value 0"
    black = [i for i, colour in draft.palette.items() if colour == 0 and i in draft.mapping]
    if draft.kind == "palette" and black and 0 not in black:
        draft.reasons.append(f"index {black[0]} is black in the palette, so it is the background")
        return draft.mapping[black[0]]
    class_id = draft.mapping.get(0)
    if class_id is None:
        draft.reasons.append(f"no mask looked at holds {word}, so every class is foreground (--background says which)")
        return None
    if class_id < len(table) and table[class_id]:
        draft.reasons.append(
            f"{word} is called '{table[class_id]}', so every class is foreground (--background says otherwise)"
        )
        return None
    draft.reasons.append(f"{word} is present, so it is the background")
    return class_id


def _default_name(draft: Draft, class_id: int, background: int | None) -> str:
    if draft.kind == "colour":
        return next((hex_colour(raw) for raw, id_ in draft.mapping.items() if id_ == class_id), f"class {class_id}")
    if class_id == background:
        return "background"
    if draft.instances:
        return "object"
    return "foreground" if draft.kind == "binary" else f"class {class_id}"
