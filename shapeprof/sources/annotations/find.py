"""The annotation documents in a folder, and the masks that they hold, by name."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from shapeprof.issues import Issue
from shapeprof.sources.listing.folder import MASK_SUFFIXES, NAME_FILES, some

from .documents import guesses, is_annotation_document, load, recognise
from .model import BelongsToMasks, Category, Document, NotThisFormat, left_out
from .places import Images, image_beside, join, parent
from .resolve import resolve
from .source import SUFFIXES, TITLES, AnnotationSource, Format
from .yolo import has_outline

_TRIED = 16  # chosen: text files of a folder that are looked at for an outline


@dataclass(frozen=True)
class AnnotationSet:
    """The masks that documents of one format hold."""

    source: AnnotationSource  # its classes are empty: ``classes`` numbers them
    names: tuple[str, ...]  # of the masks: their images, relative to the root, sorted
    documents: tuple[str, ...]  # relative to the root, sorted
    categories: tuple[Category, ...]  # of all documents; ``used`` is summed
    regions: int  # in all documents
    images: frozenset[str]  # the names that are files below the root
    issues: tuple[Issue, ...] = ()


def find_annotations(root: Path, files: list[str], *, listed: bool = True) -> tuple[AnnotationSet | None, list[str]]:
    """(the masks that documents among ``files`` hold, why others are no documents).

    ``listed``: whether ``files`` is all that lies below ``root``. Of several formats the one with the most
    masks is taken.
    """
    images = Images(root, files if listed else None)
    refused: list[str] = []
    found = _json_documents(root, files, refused) | _text_documents(root, files)
    sets = [_gathered(root, images, format_, documents) for format_, documents in found.items()]
    sets = sorted((s for s in sets if s.names), key=lambda s: -len(s.names))
    if not sets:
        return None, refused
    issues = list(sets[0].issues)
    for other in sets[1:]:
        text = (
            f"{len(other.documents)} {TITLES[other.source.format]} documents are not read beside the "
            f"{TITLES[sets[0].source.format]} ones, which hold more masks: {some(other.documents)}. "
            "Give them alone to read them"
        )
        issues.append(Issue("warning", "other-annotations", text))
    issues += refusals(refused)
    return replace(sets[0], issues=tuple(issues)), refused


def refusals(refused: list[str]) -> list[Issue]:
    """The finding about files that look like annotations and are none."""
    if not refused:
        return []
    text = f"{len(refused)} files look like annotations but are none that is read: {some(refused)}"
    return [Issue("warning", "annotations-refused", text)]


def looks_like_annotations(path: Path) -> bool:
    """Whether a file looks like annotations of any kind that is read."""
    return _try_outline(path) if path.suffix.lower() == ".txt" else is_annotation_document(path)


Documents = dict[str, Document | str]  # by path; text: why it can't be read


def _json_documents(root: Path, files: list[str], refused: list[str]) -> dict[Format, Documents]:
    found: dict[Format, Documents] = defaultdict(dict)
    damaged: list[tuple[str, list[Format], str]] = []
    for path in files:
        pure = PurePosixPath(path)
        if pure.suffix.lower() != ".json" or pure.name.lower() in NAME_FILES:
            continue
        if not (formats := guesses(root / path)):
            continue
        try:
            format_, document = recognise(root / path)
        except BelongsToMasks as error:
            if not any(PurePosixPath(other).suffix.lower() in MASK_SUFFIXES for other in files):
                refused.append(f"{path} ({error})")
            continue
        except NotThisFormat as error:
            damaged.append((path, formats, str(error)))
            continue
        found[format_][path] = document
    for path, formats, why in damaged:  # with a document per image, one that is damaged is a mask that is
        if "labelme" in formats and "labelme" in found:
            found["labelme"][path] = why
        else:
            refused.append(f"{path} ({why})")
    return found


def _text_documents(root: Path, files: list[str]) -> dict[Format, Documents]:
    """YOLO labels: folders of text files, one of which has an outline."""
    folders: dict[str, list[str]] = defaultdict(list)
    for path in files:
        pure = PurePosixPath(path)
        if pure.suffix.lower() == ".txt" and pure.name.lower() not in NAME_FILES:
            folders[parent(path)].append(path)
    found: Documents = {}
    for paths in folders.values():
        if any(_try_outline(root / path) for path in paths[:_TRIED]):
            found |= {path: _try_text(root / path) for path in paths}
    return {"yolo": found} if found else {}


def _try_outline(path: Path) -> bool:
    document = _try_text(path)
    return not isinstance(document, str) and has_outline(document)


def _try_text(path: Path) -> Document | str:
    try:
        return load(path, "yolo")
    except NotThisFormat as error:
        return str(error)


def _gathered(root: Path, images: Images, format_: Format, documents: Documents) -> AnnotationSet:
    """The masks of some documents of one format."""
    named = _named_by_document if format_ in ("labelme", "yolo") else _named_by_record
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
    root: Path, images: Images, format_: Format, documents: Documents
) -> tuple[Claims, list[tuple[str, str]]]:
    """Names of the masks in documents that hold many, and the folders of their images."""
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
    """The folder below which a document's ``name`` is ``image``; its own when only the last part agrees."""
    return image[: -len(name)].rstrip("/") if image == name or image.endswith("/" + name) else parent(image)


def _named_by_document(
    root: Path, images: Images, format_: Format, documents: Documents
) -> tuple[Claims, list[tuple[str, str]]]:
    """Names of the masks that have a document each, and the folders where images lie elsewhere.

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
            suffix = beside.suffix if beside else PurePosixPath(wanted).suffix or SUFFIXES[format_]
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
