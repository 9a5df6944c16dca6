"""From a place that a person names (masks, a list, annotations, a URL, a profile) to its profile and its design.

Nothing is printed here: a ``Listener`` hears what takes time and what is worth a sentence.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InputError, PairingError, ShapeprofError, UsageError
from .issues import Issue
from .options import DesignOptions, ExportOptions
from .progress import Progress

if TYPE_CHECKING:
    from .export.export import Export
    from .export.verify import Verification
    from .profile.profile import Profile
    from .recommend.decision import Recommendation
    from .rules.thresholds import Thresholds
    from .scan.options import ScanOptions


@dataclass(frozen=True, slots=True)
class Listener:
    """Who hears about the work."""

    say: Callable[[str], None]  # takes a sentence
    bar: Callable[[str], AbstractContextManager[Progress | None]]  # opens a progress bar with a title


SILENT = Listener(lambda sentence: None, lambda title: nullcontext())


@dataclass(frozen=True, slots=True)
class Found:
    """A profile and where it is kept."""

    profile: Profile
    out: Path  # folder of profile.json
    seconds: float = math.nan  # that the scan took; NaN for a kept profile


def local(place: str, listener: Listener = SILENT) -> Path:
    """The path that ``place`` names. A URL is fetched; the path is that of the copy.

    Raises:
        UsageError: ``place`` is empty. InputError: the URL can't be fetched.
    """
    from .sources.listing.remote import fetched, is_url

    if not place.strip():
        raise UsageError("the place of the masks is empty, as from an unset variable in a script; expected a folder")
    if not is_url(place):
        return Path(place)
    with listener.bar("Fetching") as progress:
        return fetched(place, progress)


def prepare(masks: Path, options: ScanOptions) -> None:
    """Start what a scan's processes are forked from, if it may need any: best before anything heavy is imported."""
    from .scan.workers import prepare_for

    prepare_for(masks, options.workers)


def is_profile(place: Path) -> bool:
    """Whether ``place`` is a profile.json or a folder that holds one. Mask lists and annotation files are not."""
    from .sources import is_annotation_document
    from .sources.listing.lists import is_list

    if place.is_dir():
        return (place / "profile.json").is_file()
    return place.is_file() and not is_list(place) and not is_annotation_document(place)


def scan(
    masks: Path, options: ScanOptions, out: Path | None = None, images: Path | None = None, listener: Listener = SILENT
) -> Found:
    """Scan masks into ``out`` (default: beside the masks). With ``images``, also say whether masks have their image.

    Raises:
        InputError: ``images`` is no folder. What ``scan_masks`` raises.
    """
    from .scan.folder import default_output

    if images is not None and not images.is_dir():
        raise InputError(f"{images}: no such folder; expected the images that belong to the masks")
    found = _scanned(masks, options, out or default_output(masks), listener)
    if images is None:
        return found
    return replace(found, profile=with_pairs(found.profile, masks, images, options.group))


def find_profile(place: Path, options: ScanOptions | None = None, listener: Listener = SILENT) -> Found:
    """The profile at ``place``: given, kept by an earlier scan, or of a new scan.

    A kept scan counts if the masks are unchanged and it was made with ``options``; None takes any options.
    """
    from .profile import file as profile_file
    from .scan.folder import default_output
    from .scan.options import ScanOptions
    from .scan.scan import kept_profile

    if is_profile(place):
        file = place / "profile.json" if place.is_dir() else place
        return Found(profile_file.load(file), file.parent)
    kept = kept_profile(place, options)
    if kept is not None:
        usual = ScanOptions().arguments()
        unusual = [f"{name} {value}" for name, value in kept.arguments.items() if value != usual.get(name)]
        if options is None and unusual:
            listener.say(f"As in the kept scan of these masks: {', '.join(unusual)}.")
        return Found(kept, default_output(place))
    listener.say(f"No up-to-date scan of {place} is kept: scanning it first.")
    found = _scanned(place, options or ScanOptions(), default_output(place), listener)
    say_reused(found.profile, listener)
    return found


def _scanned(masks: Path, options: ScanOptions, out: Path, listener: Listener) -> Found:
    from .jit import is_compiled
    from .scan.scan import scan_masks

    if not is_compiled():
        listener.say(
            "First run on this machine: compiling the kernels, once: about a minute, up to three beside other work."
        )
    started = time.monotonic()
    try:
        with listener.bar("Measuring") as progress:
            profile = scan_masks(masks, options, out, progress)
    except KeyboardInterrupt:
        listener.say("What is measured is kept: the same command goes on from there.")
        raise
    return Found(profile, out, time.monotonic() - started)


def say_reused(profile: Profile, listener: Listener) -> None:
    """Say how many masks were not measured, because an earlier scan had kept their measurements."""
    files = profile.ledger.files
    if (reused := files - profile.log["measured"]) > 0:
        listener.say(f"{reused:,} of {files:,} masks are as an earlier scan measured them.")


def with_pairs(profile: Profile, masks: Path, images: Path, group: str | None) -> Profile:
    """The profile with an issue about how many masks have their image. The kept profile stays as it is."""
    from .sources import Encoding, masks_again, pair

    try:
        folder = masks_again(masks, profile.arguments, Encoding.from_dict(profile.encoding))
        pairing = pair(folder, images, group_pattern=group)
    except PairingError as error:
        issues: tuple[Issue, ...] = (Issue("warning", "images-do-not-match", str(error)),)
    else:
        paired = sum(1 + len(item.more) for item in pairing.pairs)
        text = f"{paired:,} of {profile.ledger.files:,} masks have their image ({pairing.rule})"
        issues = (*pairing.issues, Issue("info", "images-paired", text))
    return replace(profile, issues=(*profile.issues, *issues))


def thresholds(design: DesignOptions) -> Thresholds:
    """The thresholds of the rules: the defaults, those of the rules file, then those typed as options.

    Raises:
        UsageError: the rules file can't be read, or has an unknown name or a value that is no number.
    """
    from .rules.thresholds import Thresholds, override

    chosen = override(design.rules) if design.rules else Thresholds()
    return chosen if design.tolerance is None else replace(chosen, tolerance=design.tolerance)


def recommended(profile: Profile, rules: Thresholds, design: DesignOptions) -> Recommendation:
    """The network for the masks of a profile."""
    from .recommend.recommend import recommend_design

    return recommend_design(profile, rules, design.memory)


def chosen(
    recommendation: Recommendation, profile: Profile, export: ExportOptions, design: DesignOptions
) -> Recommendation:
    """The recommendation with the design and the encoder that a person named instead.

    Raises:
        UsageError: there is no such design or encoder.
    """
    from .recommend import overrides

    return overrides.chosen(
        recommendation, profile, export.reference, export.encoder, pretrained=export.pretrained, memory_gb=design.memory
    )


def export(
    profile: Profile,
    recommendation: Recommendation,
    out: Path,
    masks: Path | None,
    options: ExportOptions,
    group: str | None = None,
    listener: Listener = SILENT,
) -> Export:
    """Write the recommended model into ``out``; see ``export_model``. ``group`` defaults to that of the scan."""
    from .export.export import export_model

    with listener.bar("Writing masks") as progress:
        return export_model(
            profile,
            recommendation,
            out,
            masks=masks,
            images=options.images,
            target=options.to,
            group=group or profile.arguments.get("group"),
            progress=progress,
            multi_label=options.multi_label,
        )


def quick_checks(result: Export, listener: Listener = SILENT) -> Verification | ShapeprofError:
    """The checks of an export that take seconds, or why there are none: the export itself is done."""
    from .export.verify import verify_model

    if result.target.checks is None:
        return UsageError(f"the target {result.target.name} has no checks")
    try:
        with listener.bar("Checking") as progress:
            return verify_model(result.folder, quick=True, progress=progress)
    except ShapeprofError as error:
        return error
