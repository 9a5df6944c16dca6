"""From the names of masks to the files on disk behind them."""

from __future__ import annotations

from collections import defaultdict

from shapeprof.sources.formats.members import split_name

from .folder import MaskFolder


def stored_files(folder: MaskFolder) -> dict[str, tuple[str, ...]]:
    """The files of every mask, relative and sorted: its own, that which it shares, or those of its folder.

    Masks that are drawn have the document that holds them (of documents of several masks each has all), and the image
    where only its header tells the size.
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


def _documents(folder: MaskFolder) -> dict[str, tuple[str, ...]]:
    from shapeprof.sources.annotations.read import size_image
    from shapeprof.sources.annotations.resolve import resolve

    assert folder.annotations is not None
    source = folder.annotations.source
    found = {}
    for name in folder.files:
        held = resolve(folder.root, name, source) if source.per_image else None
        documents = folder.stored if not source.per_image else () if held is None else (held[0],)
        image = size_image(folder.root, name, source)
        found[name] = documents if image is None else (*documents, image)
    return found
