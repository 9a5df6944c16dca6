"""Whether the masks of a folder are to be drawn from annotations, or are its image files."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from shapeprof.errors import InputError, NothingMeasurable
from shapeprof.issues import Issue
from shapeprof.sources.class_files import NAME_FILES
from shapeprof.sources.listing.files import may_be_raster_mask, other_issues
from shapeprof.sources.listing.images_among_masks import without_images
from shapeprof.sources.maskset import AnnotationSet, MaskFolder
from shapeprof.sources.names.name import parsed
from shapeprof.sources.names.words import is_image_folder, is_mask_folder, is_mask_word
from shapeprof.wording import first_few

from .documents import is_annotation_document
from .find import find_annotations, looks_like_annotations, refusals
from .format import annotation_titles, document_suffixes

_OF_DOCUMENTS = frozenset({"annotations", "annotation", "labels", "label"})  # folders of documents as often
_HEADS = 16  # chosen: documents beside masks, of each folder, that are looked at to name them all


def annotated_file(path: Path) -> MaskFolder | None:
    """The masks in one annotation document; None when the file does not look like one.

    Raises:
        InputError: it looks like a document and can't be read.
    """
    if not is_annotation_document(path):
        return None
    found, refused = find_annotations(path.parent, [path.name], listed=False)
    if found is None:
        why = refused[0] if refused else "it lists no image"
        raise InputError(f"{path}: no masks can be drawn from it: {why}; expected a document of {annotation_titles()}")
    return _folder(path.parent, [path.name], found)


@dataclass(frozen=True)
class Look:
    """The decision between image files and annotations."""

    drawn: MaskFolder | None = None  # the masks that are to be drawn; None: the image files are the masks
    beside: tuple[str, ...] = ()  # documents beside masks, which are not read
    issues: tuple[Issue, ...] = ()  # about ``beside`` and ``refused``
    refused: tuple[str, ...] = ()  # files that look like documents and can't be read, with the reasons


def annotated_folder(root: Path, files: list[str], rasters: list[str], asked: bool | None) -> Look:
    """Whether the masks of a folder are to be drawn.

    ``rasters``: those of ``files`` that are images or arrays. ``asked``: as in ``ReadOptions.annotations``.

    Masks that are image files win unless asked. Images are no masks: files that documents name, and those
    that lie with them.

    Raises:
        NothingMeasurable: ``asked``, and there are no annotations.
    """
    documents = [path for path in files if _may_be_document(path)]
    if asked is False or (not documents and not asked):
        return Look()
    if asked is None and _are_masks(root, rasters):
        return _masks_win(_beside_masks(root, documents), [])
    found, refused = find_annotations(root, files)
    if found is None:
        if asked:
            why = f": {first_few(refused)}" if refused else ""
            raise NothingMeasurable(
                f"{root}: no annotations in its {len(files)} files{why}; expected {annotation_titles()}"
            )
        return Look(issues=tuple(refusals(refused)), refused=tuple(refused))
    if asked is None and (masks := _masks_left(rasters, found)):
        return _masks_win(list(found.documents), masks)
    return Look(_folder(root, files, found))


def _may_be_document(path: str) -> bool:
    lower = path.lower()
    return lower.endswith(document_suffixes()) and lower.rpartition("/")[2] not in NAME_FILES


def _are_masks(root: Path, rasters: list[str]) -> bool:
    """Whether names alone show that the image files are masks, so that no document needs to be opened."""
    name = root.resolve().name
    if rasters and is_mask_folder(name) and name.lower() not in _OF_DOCUMENTS:
        return True
    in_mask_folder = any(parsed(path).lies_in(is_mask_folder) for path in rasters)
    return in_mask_folder or bool(without_images(rasters)[1])


def _masks_left(rasters: list[str], found: AnnotationSet) -> list[str]:
    """The image files that are no images of the documents, so that they must be masks."""
    stems = {_stem(path) for path in found.images}
    folders = {PurePosixPath(path).parent for path in found.images}
    masks = []
    for path in rasters:
        pure = PurePosixPath(path)
        if path in found.images:
            continue
        extends = any(
            _stem(path)[:cut] in stems and (cut == len(pure.stem) or is_mask_word(pure.stem[cut:]))
            for cut in range(1, len(pure.stem) + 1)
        )
        with_images = pure.parent in folders or any(map(is_image_folder, pure.parts[:-1]))
        if extends or not (with_images or pure.suffix.lower() in (".jpg", ".jpeg")):
            masks.append(path)
    return masks


def _stem(path: str) -> str:
    return PurePosixPath(path).stem


def _beside_masks(root: Path, documents: list[str]) -> list[str]:
    """The documents beside masks; the first few files of a folder stand for the others with their suffix."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in documents:
        pure = PurePosixPath(path)
        groups[pure.parent.as_posix(), pure.suffix.lower()].append(path)
    known = [g for g in groups.values() if any(looks_like_annotations(root / path) for path in g[:_HEADS])]
    return sorted(path for group in known for path in group)


def _masks_win(documents: list[str], masks: list[str]) -> Look:
    if not documents:
        return Look()
    which = f" ({first_few(masks)})" if masks else ""
    text = (
        f"annotations lie beside the masks: {first_few(documents)}. The image files are read as masks{which}; "
        "--annotations draws the annotations instead"
    )
    return Look(None, tuple(documents), (Issue("info", "annotations-beside-masks", text),))


def _folder(root: Path, files: list[str], found: AnnotationSet) -> MaskFolder:
    documents = set(found.documents)
    others = [path for path in files if path not in documents]
    images = {path for path in others if may_be_raster_mask(path)}
    codes, about_others = other_issues([path for path in others if path not in images])
    codes |= dict.fromkeys(images, "images-among-masks")
    issues = [*found.issues, *about_others]
    loose = sorted(images - found.images)
    if loose:
        text = (
            f"{len(loose)} image files are in no annotation document: {first_few(loose)}. They are not measured; "
            "an image without objects counts when its document lists it"
        )
        issues.append(Issue("info", "images-without-annotations", text))
        codes |= dict.fromkeys(loose, "images-without-annotations")
    why = tuple(codes.get(path, "") for path in others)
    stored = tuple(found.documents)
    return MaskFolder(
        root, found.names, tuple(issues), tuple(others), len(others), stored=stored, why=why, annotations=found
    )
