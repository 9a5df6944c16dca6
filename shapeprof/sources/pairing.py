"""Pair masks with images by name, and only where the match is certain."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path

from shapeprof.errors import PairingError
from shapeprof.grouping import group_of, group_regex
from shapeprof.issues import Issue
from shapeprof.wording import first_few

from .listing.files import list_files, may_be_image
from .maskset import MaskFolder
from .names.affixes import Affixes, Key, learn_affixes
from .names.companions import WithoutWords
from .names.name import parsed
from .names.words import SPLITS


@dataclass(frozen=True, slots=True)
class Pair:
    """One mask and its image."""

    mask: str  # relative to the mask folder
    image: str  # relative to the images' root
    split: str | None = None  # "train", "val" or "test", where folders say so
    group: str | None = None  # images of one group belong to one split
    more: tuple[str, ...] = ()  # masks of the same image that show further classes


@dataclass(frozen=True)
class Pairing:
    """The certain pairs, and the masks and images without a partner."""

    pairs: tuple[Pair, ...]
    issues: tuple[Issue, ...] = ()
    rule: str = ""  # how names were matched, a phrase
    masks_without_image: tuple[str, ...] = field(default=(), repr=False)
    images_without_mask: tuple[str, ...] = field(default=(), repr=False)
    ambiguous: tuple[tuple[str, tuple[str, ...]], ...] = field(default=(), repr=False)  # mask, candidates
    mismatched: tuple[Pair, ...] = field(default=(), repr=False)  # the image's size is not the mask's


def pair(
    masks: MaskFolder, images_root: Path, *, group_pattern: str | None = None, check_sizes: bool = True
) -> Pairing:
    """Pair every mask with the one image of its name; raise PairingError when no pair is found.

    ``group_pattern``: a regular expression with one capture group, searched in the mask's path;
    what it captures is the group. ``check_sizes``: read both headers and leave out pairs whose
    sizes differ.
    """
    group = None if group_pattern is None else group_regex(group_pattern)
    images = _images(masks, images_root)
    names: Affixes | WithoutWords = learn_affixes(list(dict.fromkeys(masks.image_names)), images)
    pairs, ambiguous, alone, left = _match(names, masks, images)
    if 2 * len(pairs) < len(set(masks.image_names)):
        other = _match(WithoutWords(), masks, images)
        if len(other[0]) > len(pairs):
            names, (pairs, ambiguous, alone, left) = WithoutWords(), other
    if not pairs:
        raise PairingError(_nothing_matches(masks, images_root, images))
    mismatched: list[Pair] = []
    issues = _loose_ends(ambiguous, alone, left)
    if check_sizes:
        pairs, mismatched, more = _same_size(pairs, masks, images_root)
        issues += more
    pairs = [_placed(item, group) for item in pairs]
    issues += _group_issues(pairs, group_pattern)
    return Pairing(
        tuple(pairs), tuple(issues), str(names), tuple(alone), tuple(left), tuple(ambiguous), tuple(mismatched)
    )


def _images(masks: MaskFolder, images_root: Path) -> list[str]:
    files = list_files(images_root).files
    found = [path for path in files if may_be_image(path)]
    mask_root, image_root = masks.root.resolve(), images_root.resolve()
    if mask_root.is_relative_to(image_root) or image_root.is_relative_to(mask_root):
        forms = [path for path, why in zip(masks.others, masks.why, strict=True) if why == "other-forms"]
        names = masks.files if masks.annotations is None else ()  # drawn masks are called like their images
        known = {mask_root / path for path in (*masks.stored, *names, *forms)}
        found = [path for path in found if image_root / path not in known]
    if not found:
        raise PairingError(
            f"{images_root}: no images in it besides the masks ({len(files)} files); expected the "
            "images that the masks were drawn on. Check the path"
        )
    return found


def _match(
    names: Affixes | WithoutWords, masks: MaskFolder, images: list[str]
) -> tuple[list[Pair], list[tuple[str, tuple[str, ...]]], list[str], list[str]]:
    """(pairs, masks with several candidates, masks without image, images without mask)."""
    by_key: dict[Key, list[str]] = defaultdict(list)
    for path in images:
        key = names.image_key(path)
        if key is not None:
            by_key[key].append(path)
    claims: dict[Key, dict[str, list[str]]] = defaultdict(dict)  # to the masks of one image name
    alone = []
    for image_name, path in zip(masks.image_names, masks.files, strict=True):
        key = names.mask_key(image_name)
        if key in by_key:
            claims[key].setdefault(image_name, []).append(path)
        else:
            alone.append(path)
    pairs, ambiguous = [], []
    for key, by_name in claims.items():
        if len(by_name) == 1 == len(by_key[key]):
            [(first, *more)] = by_name.values()
            pairs.append(Pair(first, by_key[key][0], more=tuple(more)))
        else:
            ambiguous += [(path, tuple(by_key[key])) for own in by_name.values() for path in own]
    taken = {item.image for item in pairs} | {image for _, candidates in ambiguous for image in candidates}
    left = [path for path in images if path not in taken]
    return sorted(pairs, key=lambda item: item.mask), sorted(ambiguous), alone, left


def _nothing_matches(masks: MaskFolder, images_root: Path, images: list[str]) -> str:
    return (
        f"no mask in {masks.root} has an image of its name in {images_root}: masks are named "
        f"{first_few(masks.files)}; "
        f"images {first_few(images)}. Expected names equal but for one prefix or suffix, in equal relative folders"
    )


def _loose_ends(ambiguous: list[tuple[str, tuple[str, ...]]], alone: list[str], left: list[str]) -> list[Issue]:
    issues = []
    if ambiguous:
        examples = first_few([f"{path} ({', '.join(found[:3])})" for path, found in ambiguous])
        text = f"{len(ambiguous)} masks have no single image: {examples}. They are left out; give each its own name"
        issues.append(Issue("warning", "ambiguous-pairs", text))
    if alone:
        text = f"{len(alone)} masks have no image: {first_few(alone)}. They are measured, but can't be trained on"
        issues.append(Issue("warning", "masks-without-image", text))
    if left:
        text = f"{len(left)} images have no mask: {first_few(left)}. They are left out"
        issues.append(Issue("warning", "images-without-mask", text))
    return issues


def _same_size(pairs: list[Pair], masks: MaskFolder, images_root: Path) -> tuple[list[Pair], list[Pair], list[Issue]]:
    """(pairs of one size, pairs that differ, issues)."""
    good, bad, texts, broken = [], [], [], []
    for item in pairs:
        stored = masks.first_below(item.mask) or item.mask
        mask, image = _mask_size(masks, stored), _size(images_root / item.image)
        if mask == image:
            others = (_size(masks.root / path) for path in item.more)
            mask = next((size for size in others if size is not None and size != image), mask)
        if image is None:
            broken.append(item.image)
        elif mask is None or mask == image:  # an unreadable mask is reported by its reader
            good.append(item)
        else:
            bad.append(item)
            texts.append(f"{item.image} {image[0]} x {image[1]}, mask {mask[0]} x {mask[1]}")
    issues = []
    if bad:
        text = (
            f"{len(bad)} pairs differ in size: {first_few(texts)}. They are left out; resize the masks by nearest "
            "neighbour, or check that they belong together"
        )
        issues.append(Issue("warning", "size-mismatch", text))
    if broken:
        text = f"{len(broken)} images can't be opened: {first_few(broken)}. Their pairs are left out; export them again"
        issues.append(Issue("warning", "unreadable-image", text))
    return good, bad, issues


def _mask_size(masks: MaskFolder, name: str) -> tuple[int, int] | None:
    """(width, height) of a mask; None when it can't be found out."""
    if masks.annotations is None:
        return _size(masks.root / name)
    from .reading.annotated import mask_size

    return mask_size(masks.root, name, masks.annotations.source)


def _size(path: Path) -> tuple[int, int] | None:
    """(width, height) from a file's header; None when it has none."""
    from .formats.decode import header_size

    return header_size(path)


def _placed(item: Pair, group: re.Pattern[str] | None) -> Pair:
    """``item`` with its split and group filled in."""
    splits = {_split(item.mask), _split(item.image)} - {None}
    split = splits.pop() if len(splits) == 1 else None
    return replace(item, split=split, group=group_of(item.mask, group))


def _split(path: str) -> str | None:
    """The split that a folder of ``path`` names, such as ``train`` or ``images_val2017``."""
    for part in parsed(path).folders:
        for word in re.split(r"[^a-z]+", part.lower()):
            if word in SPLITS:
                return SPLITS[word]
    return None


def _group_issues(pairs: list[Pair], pattern: str | None) -> list[Issue]:
    missing = [item.mask for item in pairs if pattern is not None and item.group is None]
    if not missing:
        return []
    text = f"the group pattern {pattern!r} does not match {len(missing)} of {len(pairs)} masks: {first_few(missing)}"
    return [Issue("warning", "no-group", text)]
