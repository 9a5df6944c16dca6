"""From an annotation set to the encoding of its masks: categories become classes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from shapeprof.errors import NothingMeasurable, UnreadableMask, UsageError
from shapeprof.issues import Issue
from shapeprof.labelmap import ClassTable
from shapeprof.sampling import SAMPLE, sample_order
from shapeprof.wording import first_few

from .annotations.format import find_format
from .class_files import ClassNames, names_beside, read_class_file
from .encoding import Encoding, ReadOptions
from .maskset import IGNORED_CATEGORY, AnnotationSet, AnnotationSource, Category, MaskFolder
from .names.words import BACKGROUND
from .reading.annotated import draw_mask

IGNORED_NAME = "__ignore__"  # LabelMe's name for what belongs to no class


@dataclass
class _Table:
    """The classes found so far."""

    names: list[str] = field(default_factory=lambda: ["background"])
    class_of: dict[str, int] = field(default_factory=dict)  # by category key
    raw: dict[int, int] = field(default_factory=dict)  # category id in the documents to class id
    reasons: list[str] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)


def encoding_of(folder: MaskFolder, found: AnnotationSet, options: ReadOptions) -> Encoding:
    """The encoding of drawn masks: 0 is background, categories follow in the order of their ids or names.

    Draws 64 masks to see how far objects overlap. Raises NothingMeasurable when no mask can be drawn, and UsageError
    when an option names a category that does not exist.
    """
    format_ = find_format(found.source.format)
    table = _table(found, folder, options)
    source = replace(
        found.source,
        classes=tuple(table.class_of.items()),
        attribute=format_.attribute(found.categories) if format_.attribute else "",
        crowd_ignored=options.ignore_index is not None,
        instances=options.instances is not False,
    )
    _rename(table, options)
    reasons = [*_how(found), *table.reasons]
    if not source.instances:
        reasons.append("connected pixels of a class are one object, as asked")
    asked = {"--invert": options.invert, "--layout": options.layout != "auto", "--pages": options.pages != "auto"}
    if idle := [name for name, given in asked.items() if given]:
        text = f"{' and '.join(idle)} {'changes' if len(idle) == 1 else 'change'} nothing here: annotations are drawn"
        table.issues.append(Issue("warning", "option-without-effect", text))
    issues = [*table.issues, *_sample_issues(folder.root, found, source, options.max_pixels)]
    return Encoding(
        kind="annotation",
        mapping=tuple(sorted(table.raw.items())),
        classes=ClassTable(tuple(table.names), None if options.background is None else 0),
        reasons=tuple(reasons),
        issues=tuple(issues),
        drawing=source,
        max_pixels=options.max_pixels,
    )


def _how(found: AnnotationSet) -> list[str]:
    documents, masks = len(found.documents), len(found.names)
    where = found.documents[0] if documents == 1 else f"{documents} files"
    here = len(found.images)
    title = find_format(found.source.format).title
    images = "" if here == masks else f"; {here or 'none'} of these images lie below this folder"
    return [
        f"{found.regions:,} {title} annotations in {where} are drawn as masks of {masks:,} images{images}",
        "a pixel belongs to an object when its centre does; the smaller of two objects is painted on top",
    ]


def _table(found: AnnotationSet, folder: MaskFolder, options: ReadOptions) -> _Table:
    table = _Table()
    format_ = find_format(found.source.format)
    listed = format_.classes(found, _class_file(folder, table) if format_.per_image else None)
    categories = listed.categories
    table.reasons += listed.reasons
    table.issues += listed.issues
    raws = {category.id for category in categories if category.id is not None}
    asked = options.background
    if isinstance(asked, int) and asked != 0 and asked not in raws:
        shown = first_few((str(raw) for raw in sorted(raws)), 12) or "none: these categories have no ids"
        raise UsageError(f"background {asked}: no category has that id; expected one of {shown}")
    known: dict[str, int] = {}  # class by name
    for category in categories:
        role = _role(category, options)
        class_id = role if role is not None else known.get(category.name)
        if class_id is None:
            class_id = known[category.name] = len(table.names)
            table.names.append(category.name)
        elif role is None and category.id is not None:
            table.reasons.append(f"more than one category is called '{category.name}': they are one class")
        table.class_of[category.key] = class_id
        if role == IGNORED_CATEGORY:
            table.reasons.append(f"objects of the category '{category.name}' are ignored pixels")
        elif role == 0:
            text = (
                f"objects of the category '{category.name}' are background, as it is called so; if they are meant as "
                "objects, rename the category"
            )
            table.issues.append(Issue("warning", "background-category", text))
        if category.id is not None and class_id != IGNORED_CATEGORY:
            table.raw[category.id] = class_id
    _match_by_name(found, table)
    if not table.raw:
        table.raw = {class_id: class_id for class_id in range(len(table.names))}
    if options.background is None:
        table.names[0] = "unannotated"
        table.reasons.append("pixels of no object are a class like the others, as asked")
    return table


def _role(category: Category, options: ReadOptions) -> int | None:
    """0 for background, IGNORED_CATEGORY for ignored pixels, None for a class."""
    name = category.name.lower()
    if name == IGNORED_NAME or (category.id is not None and category.id in options.ignored):
        return IGNORED_CATEGORY
    if category.id is not None and category.id == options.background:
        return 0
    return 0 if name in BACKGROUND and options.background == "auto" else None


def _class_file(folder: MaskFolder, table: _Table) -> ClassNames | None:
    """Class names from ``data.yaml``, ``classes.txt`` or the like, beside or above the documents."""
    names, issues = names_beside(MaskFolder(folder.root, folder.stored))
    table.issues += issues
    if names is not None:
        table.reasons.append(f"class names are those of {names.source}")
    return names


def _match_by_name(found: AnnotationSet, table: _Table) -> None:
    """Warn where documents give one number to different categories; names decide there."""
    ids: dict[int, set[str]] = {}
    for category in found.categories:
        if category.id is not None:
            ids.setdefault(category.id, set()).add(category.key)
    if any(len(keys) > 1 for keys in ids.values()):
        table.raw.clear()
        text = "the documents number their categories differently: they are matched by name"
        table.issues.append(Issue("warning", "categories-differ", text))


def _rename(table: _Table, options: ReadOptions) -> None:
    """Use the class names that the user gave, with or without one for the background."""
    names: tuple[str, ...] | None = options.classes
    if names is None and options.class_file is not None:
        given = read_class_file(options.class_file)
        names = given.ordered or tuple(given.by_value[key] for key in sorted(given.by_value))
    if names is None:
        return
    if len(names) == len(table.names):
        table.names = list(names)
    elif len(names) == len(table.names) - 1:
        table.names[1:] = names
    else:
        text = (
            f"{len(names)} class names are given for {len(table.names)} classes ({', '.join(table.names)}), so those "
            "of the annotations are kept; give one for each in that order"
        )
        table.issues.append(Issue("warning", "class-names-mismatch", text))


def _sample_issues(root: Path, found: AnnotationSet, source: AnnotationSource, max_pixels: int) -> list[Issue]:
    """Issues found by drawing a sample: how far objects overlap, and whether there are crowd regions."""
    covered = shared = crowds = drawn_masks = 0
    failed: list[UnreadableMask] = []
    for name in sample_order(found.names)[:SAMPLE]:
        try:
            drawn, _ = draw_mask(root, name, source, max_pixels)
        except UnreadableMask as error:
            failed.append(error)
            continue
        drawn_masks += 1
        covered, shared, crowds = covered + drawn.covered, shared + drawn.shared, crowds + drawn.crowds
    if not drawn_masks:
        raise NothingMeasurable(f"{root}: none of the {len(failed)} masks tried can be drawn. First: {failed[0]}")
    issues = []
    if shared:
        text = (
            f"in the {drawn_masks} masks looked at, {shared / covered:.1%} of the pixels in objects lie in two or "
            "more: the smaller object has them"
        )
        issues.append(Issue("info", "objects-overlap", text))
    if crowds:
        text = f"the {drawn_masks} masks looked at hold {crowds} crowd regions: "
        what = "objects like others, as asked" if not source.crowd_ignored else "ignored pixels below the objects"
        issues.append(Issue("info", "crowd-regions", text + what))
    return issues
