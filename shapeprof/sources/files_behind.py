"""From the names of masks to the files on disk that they are read from."""

from __future__ import annotations

from collections import defaultdict

from .annotations.documents import resolve
from .annotations.format import find_format
from .formats.members import split_name
from .maskset import MaskFolder


def stored_files(folder: MaskFolder) -> dict[str, tuple[str, ...]]:
    """Map each mask to the files it is read from: its own, a multi-page file it shares, or all files of its folder.

    A drawn mask has the document that holds it (in a set of documents with many images each, all of them), and its
    image where only the image's header has the size.
    """
    if folder.annotations is not None:
        return _documents(folder)
    on_disk = frozenset(folder.stored)
    inside: dict[str, list[str]] = defaultdict(list)
    for path in folder.stored:
        inside[path.rpartition("/")[0]].append(path)
    found = {}
    for name in folder.files:
        file = name if name in on_disk else split_name(name)[0]
        found[name] = (file,) if file in on_disk else tuple(inside.get(name, ()))
    return found


def document_of(folder: MaskFolder, name: str) -> str | None:
    """The annotation document that holds a mask, relative to the root; None for image files and when it is gone."""
    if folder.annotations is None:
        return None
    held = resolve(folder.root, name, folder.annotations.source)
    return None if held is None else held[0]


def _documents(folder: MaskFolder) -> dict[str, tuple[str, ...]]:
    from .reading.annotated import size_image

    assert folder.annotations is not None
    source = folder.annotations.source
    per_image = find_format(source.format).per_image
    found = {}
    for name in folder.files:
        documents = folder.stored
        if per_image:
            document = document_of(folder, name)
            documents = () if document is None else (document,)
        image = size_image(folder.root, name, source)
        found[name] = documents if image is None else (*documents, image)
    return found
