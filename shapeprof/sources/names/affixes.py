"""What distinguishes a mask's file name from its image's, learned from the names themselves."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass

from .name import Name, parsed
from .words import is_image_folder, is_mask_folder, is_mask_word

_LOOKED_AT = 2000  # chosen: masks whose names are compared to find candidates
_CANDIDATES = 12  # chosen: the most frequent ones that are tried on all names

Key = tuple[str, str]  # (folder, bare stem)


@dataclass(frozen=True, slots=True)
class Affixes:
    """The prefix and suffix to remove from mask and image stems, and whether folders must agree."""

    mask_prefix: str = ""
    mask_suffix: str = ""
    image_prefix: str = ""
    image_suffix: str = ""
    by_folder: bool = True  # a mask and its image lie in the same relative folder

    def mask_key(self, path: str) -> Key | None:
        """The key of a mask: (folder, stem without affixes); None when it does not have the affixes."""
        return _key(path, self.mask_prefix, self.mask_suffix, self.by_folder)

    def image_key(self, path: str) -> Key | None:
        """The key of an image: (folder, stem without affixes); None when it does not have the affixes."""
        return _key(path, self.image_prefix, self.image_suffix, self.by_folder)

    @property
    def length(self) -> int:
        """Number of characters taken off."""
        return sum(map(len, (self.mask_prefix, self.mask_suffix, self.image_prefix, self.image_suffix)))

    def __str__(self) -> str:
        sides = []
        for side, prefix, suffix in (
            ("masks", self.mask_prefix, self.mask_suffix),
            ("images", self.image_prefix, self.image_suffix),
        ):
            affix = " and ".join(f"'{part}'" for part in (prefix, suffix) if part)
            sides += [f"{affix} taken off the {side}"] if affix else []
        names = "by name" + (f", {', '.join(sides)}" if sides else "")
        return names + (", in the same relative folder" if self.by_folder else ", in any folder")


def learn_affixes(masks: list[str], images: list[str]) -> Affixes:
    """The affixes that give the most one-to-one matches; the fewest characters among equals.

    Folders are ignored only when that matches more than half of what could match and comparing them does not: equal
    names in different folders are common.
    """
    found = _candidates(_stems(masks), _stems(images))
    for by_folder in (True, False):
        tried = [Affixes(*affix, by_folder=by_folder) for affix in found]
        scores = [(_one_to_one(affix, masks, images), -affix.length, -i) for i, affix in enumerate(tried)]
        best = max(scores)
        if best[0] * 2 > min(len(masks), len(images)) or not by_folder:
            return tried[-best[2]]
    raise AssertionError("unreachable: the second round always returns")


def _one_to_one(affixes: Affixes, masks: list[str], images: list[str]) -> int:
    mask_keys = Counter(affixes.mask_key(path) for path in masks)
    image_keys = Counter(affixes.image_key(path) for path in images)
    return sum(1 for key, n in mask_keys.items() if key is not None and n == 1 == image_keys.get(key))


def _candidates(masks: list[str], images: list[str]) -> list[tuple[str, str, str, str]]:
    """(mask prefix, mask suffix, image prefix, image suffix), the most frequent first."""
    suffixes = _endings(masks, images)
    backward = _endings([stem[::-1] for stem in masks], [stem[::-1] for stem in images])
    ranked = [("", "", "", "")]
    ranked += [("", mask, "", image) for (mask, image), _ in suffixes.most_common(_CANDIDATES)]
    ranked += [(mask[::-1], "", image[::-1], "") for (mask, image), _ in backward.most_common(_CANDIDATES)]
    return list(dict.fromkeys(ranked))


def _endings(masks: list[str], images: list[str]) -> Counter[tuple[str, str]]:
    """How often a mask's stem becomes an image's by changing one ending into another."""
    known, order = set(images), sorted(set(images))
    counts: Counter[tuple[str, str]] = Counter()
    for mask in masks[:_LOOKED_AT]:
        found = {(mask[cut:], "") for cut in range(1, len(mask)) if mask[:cut] in known}
        at = bisect_left(order, mask)
        for image in order[max(0, at - 1) : at + 2]:
            common = _common(mask, image)
            while common and not mask[common - 1].isalnum():  # an ending starts with its separator
                common -= 1
            if 0 < common < min(len(mask), len(image)):
                found.add((mask[common:], image[common:]))
        counts.update(pair for pair in found if _is_ending(*pair))
    # What a single name suggests on both sides is chance: "scan_a" is no mask of "scan_b".
    return Counter({pair: n for pair, n in counts.items() if n > 1 or not pair[1] or is_mask_word(pair[0])})


def _is_ending(mask: str, image: str) -> bool:
    """Whether both may be affixes: words set apart, not the rest of a number or of a name."""
    words = (part for part in (mask, image) if part)
    return all(is_mask_word(word) or (not word[0].isalnum() and any(char.isalpha() for char in word)) for word in words)


def _common(first: str, second: str) -> int:
    pairs = zip(first, second, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))


def _stems(paths: list[str]) -> list[str]:
    return [parsed(path).stem for path in paths]


def _key(path: str, prefix: str, suffix: str, by_folder: bool) -> Key | None:
    name = parsed(path)
    stem = name.stem
    if not (stem.startswith(prefix) and stem.endswith(suffix)) or len(stem) <= len(prefix) + len(suffix):
        return None
    return _folder(name) if by_folder else "", stem[len(prefix) : len(stem) - len(suffix)]


def _folder(name: Name) -> str:
    """The folder without the parts that only say "images" or "masks"."""
    return "/".join(part.lower() for part in name.folders if not (is_mask_folder(part) or is_image_folder(part)))
