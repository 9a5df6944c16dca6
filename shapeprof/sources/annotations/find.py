"""The annotation documents in a folder, and the masks that they hold, by name."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from shapeprof.issues import Issue
from shapeprof.sources.class_files import NAME_FILES
from shapeprof.sources.listing.files import may_be_raster_mask
from shapeprof.sources.maskset import AnnotationSet, AnnotationSource, Category
from shapeprof.wording import first_few

from .documents import guesses, is_annotation_document, load, recognise, resolve
from .format import AnnotationFormat, all_formats, find_format
from .model import BelongsToMasks, Document, NotThisFormat, left_out
from .places import Images, image_beside, join, parent

_TRIED = 16  # chosen: files of a folder that are looked at for one that proves them documents


def find_annotations(root: Path, files: list[str], *, listed: bool = True) -> tuple[AnnotationSet | None, list[str]]:
    """(the annotation set among ``files`` or None, reasons why other files could not be read).

    ``listed``: whether ``files`` is all that lies below ``root``. Of several formats the one with the most
    masks is taken.
    """
    images = Images(root, files if listed else None)
    refused: list[str] = []
    found = _recognised(root, files, refused) | _proven(root, files)
    sets = [_gathered(root, images, format_, documents) for format_, documents in found.items()]
    sets = sorted((s for s in sets if s.names), key=lambda s: -len(s.names))
    if not sets:
        return None, refused
    issues = list(sets[0].issues)
    for other in sets[1:]:
        text = (
            f"{len(other.documents)} {find_format(other.source.format).title} documents are not read beside the "
            f"{find_format(sets[0].source.format).title} ones, which hold more masks: {first_few(other.documents)}. "
            "Give them alone to read them"
        )
        issues.append(Issue("warning", "other-annotations", text))
    issues += refusals(refused)
    return replace(sets[0], issues=tuple(issues)), refused


def refusals(refused: list[str]) -> list[Issue]:
    """One warning that lists files which look like annotations and can't be parsed; [] if there are no such files."""
    if not refused:
        return []
    text = f"{len(refused)} files look like annotations but can't be read as such: {first_few(refused)}"
    return [Issue("warning", "annotations-refused", text)]


def looks_like_annotations(path: Path) -> bool:
    """Whether a file looks like an annotation document of any format."""
    return is_annotation_document(path) or any(_proves(format_, path) for format_ in all_formats())


Documents = dict[str, Document | str]  # by path; text: why it can't be read


def _recognised(root: Path, files: list[str], refused: list[str]) -> dict[str, Documents]:
    """Documents recognised by their beginning, by format; those that can't be parsed are added to ``refused``."""
    found: dict[str, Documents] = defaultdict(dict)
    damaged: list[tuple[str, list[AnnotationFormat], str]] = []
    for path in files:
        if _names_classes(path) or not (formats := guesses(root / path)):
            continue
        try:
            format_, document = recognise(root / path)
        except BelongsToMasks as error:
            if not any(map(may_be_raster_mask, files)):
                refused.append(f"{path} ({error})")
            continue
        except NotThisFormat as error:
            damaged.append((path, formats, str(error)))
            continue
        found[format_.name][path] = document
    for path, formats, why in damaged:  # with a document per image, one that is damaged is a mask that is
        name = next((f.name for f in formats if f.per_image and f.name in found), None)
        if name is None:
            refused.append(f"{path} ({why})")
        else:
            found[name][path] = why
    return found


def _proven(root: Path, files: list[str]) -> dict[str, Documents]:
    """Documents of formats without marks, by format: every file of a folder in which one file proves the format."""
    found: dict[str, Documents] = {}
    for format_ in all_formats():
        folders: dict[str, list[str]] = defaultdict(list)
        for path in files if format_.proves else ():
            if path.lower().endswith(format_.suffixes) and not _names_classes(path):
                folders[parent(path)].append(path)
        proven = [paths for paths in folders.values() if any(_proves(format_, root / p) for p in paths[:_TRIED])]
        if proven:
            found[format_.name] = {path: _tried(format_, root / path) for paths in proven for path in paths}
    return found


def _names_classes(path: str) -> bool:
    return path.rpartition("/")[2].lower() in NAME_FILES


def _proves(format_: AnnotationFormat, path: Path) -> bool:
    if format_.proves is None or path.suffix.lower() not in format_.suffixes:
        return False
    document = _tried(format_, path)
    return not isinstance(document, str) and format_.proves(document)


def _tried(format_: AnnotationFormat, path: Path) -> Document | str:
    try:
        return load(path, format_.name)
    except NotThisFormat as error:
        return str(error)


def _gathered(root: Path, images: Images, format_: str, documents: Documents) -> AnnotationSet:
    """The annotation set of the documents of one format."""
    named = _named_by_document if find_format(format_).per_image else _named_by_record
    claims, places = named(root, images, format_, documents)
    source = AnnotationSource(format_, tuple(places), ())
    names: dict[str, tuple[str, str]] = {}
    twice = []
    for name, claim in claims:
        if name in names or resolve(root, name, source) != claim:
            twice.append(f"{name} (in {claim[0]})")
        else:
            names[name] = claim
    issues = [
        replace(issue, path=path) for path, d in documents.items() if isinstance(d, Document) for issue in d.issues
    ]
    issues += left_out(
        "images are in more than one document", twice, "", "give one document alone, or a folder for each"
    )
    good = [document for document in documents.values() if isinstance(document, Document)]
    return AnnotationSet(
        source,
        tuple(sorted(names)),
        tuple(sorted(documents)),
        _merged(good),
        sum(len(record.regions) for document in good for record in document.records.values()),
        frozenset(name for name in names if images.is_there(name)),
        tuple(issues),
    )


Claims = list[tuple[str, tuple[str, str]]]  # (name, what ``resolve`` is to find)


def _named_by_record(
    root: Path, images: Images, format_: str, documents: Documents
) -> tuple[Claims, list[tuple[str, str]]]:
    """Claims and image folders for documents that hold many images."""
    claims: Claims = []
    places: list[tuple[str, str]] = []
    for path, document in documents.items():
        if isinstance(document, str):
            continue
        found = {name: images.find(path, name) for name in document.records}
        folders = Counter(_place(image, name) for name, image in found.items() if image is not None)
        usual = folders.most_common(1)[0][0] if folders else parent(path)
        places += [(path, place) for place in dict.fromkeys([usual, *sorted(folders)])]
        claims += [(image or join(usual, name), (path, name)) for name, image in found.items()]
    return claims, places


def _place(image: str, name: str) -> str:
    """The folder that a document's ``name`` is relative to; the folder of ``image`` when only the last part agrees."""
    return image[: -len(name)].rstrip("/") if image == name or image.endswith("/" + name) else parent(image)


def _named_by_document(
    root: Path, images: Images, format_: str, documents: Documents
) -> tuple[Claims, list[tuple[str, str]]]:
    """Claims and image folders for formats with a document per image.

    A name has the stem of its document, whatever image the document names.
    """
    claims: Claims = []
    places: dict[tuple[str, str], None] = {}
    for path, document in documents.items():
        record = None if isinstance(document, str) else next(iter(document.records.values()))
        wanted = PurePosixPath(path).stem + (PurePosixPath(record.file_name).suffix if record else "")
        image = images.find_stem(path) or (images.find(path, wanted) if record else None)
        if image is None:
            beside = image_beside(root, path, wanted)
            suffix = beside.suffix if beside else PurePosixPath(wanted).suffix or find_format(format_).suffixes[0]
            image = join(parent(path), PurePosixPath(path).stem + suffix)
        if parent(image) != parent(path):
            places[parent(path), parent(image)] = None
        claims.append((image, (path, "")))
    return claims, list(places)


def _merged(documents: Iterable[Document]) -> tuple[Category, ...]:
    """The categories of all documents, their uses summed, in the order of their ids, then of their names."""
    found: dict[tuple[int | None, str, str], Category] = {}
    for category in (category for document in documents for category in document.categories):
        key = category.id, category.key, category.parent
        known = found.get(key, replace(category, used=0))
        found[key] = replace(known, used=known.used + category.used)
    return tuple(sorted(found.values(), key=lambda c: (c.id is None, c.id or 0, c.key, c.parent)))
