"""From a folder of masks to a Profile: plan shards, measure them, merge in order, keep the result."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from . import __version__, profile_file
from .errors import NothingMeasurable, UnreadableMask
from .grouping import group_regex
from .labelmap import Issue
from .output import RowWriter, default_output, folder_state, prepare_output, write_text
from .profile import Ledger, Profile, part
from .shards import ScanOptions, Shard, ShardResult, runs_of, smallest_hashes
from .sources import Encoding, MaskFolder, detect, find_masks
from .workers import prepare, results

SMALL_SET = 1 << 20  # bytes of mask files under which starting processes takes longer than measuring

Progress = Callable[[int, int], None]  # files done, files in all


def scan_masks(
    masks: Path, options: ScanOptions | None = None, out: Path | None = None, progress: Progress | None = None
) -> Profile:
    """Measure a folder of masks and write profile.json and objects.parquet.

    Args:
        masks: folder, searched recursively, or one COCO or VIA document.
        options: how to read and measure.
        out: folder for the results; default ``default_output(masks)``.
        progress: called with files done and files in all.

    Raises:
        InputError: the folder can't be used. NothingMeasurable: no mask in it could be read.
        UnreadableMask: with ``options.strict``. OutputError: ``out`` can't be used.
    """
    options = options or ScanOptions()
    started = time.time()
    if options.group is not None:
        group_regex(options.group)
    folder = find_masks(masks, options.read.annotations)
    workers = _workers(folder, options)
    if workers > 1:
        prepare()
    encoding = detect(folder, options.read)
    out = out or default_output(masks)
    prepare_output(out)
    sample = frozenset(smallest_hashes(folder.files, options.survival_sample))
    best = frozenset(smallest_hashes(folder.files, options.survival_best))
    shards = [
        Shard(folder.root, files, sample & frozenset(files), encoding, options, best & frozenset(files))
        for files in runs_of(folder.files)
    ]
    if progress:
        progress(0, len(folder.files))
    total, done = ShardResult(), 0
    with RowWriter(out / "objects.parquet", encoding) as writer:
        for shard, result in zip(shards, results(shards, workers), strict=True):
            unreadable = [i for i in result.issues if i.severity == "error"]
            if options.strict and unreadable:
                raise UnreadableMask(unreadable[0].path, unreadable[0].code, unreadable[0].message)
            writer.write(result)
            total.merge(result)
            done += len(shard.files)
            if progress:
                progress(done, len(folder.files))
    if not total.read:
        raise NothingMeasurable(_nothing_readable(masks, total.issues))
    profile = _profile(folder, encoding, options, total)
    log = {
        "masks": str(masks.resolve()),
        "state": folder_state(folder),
        "seconds": round(time.time() - started, 3),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S"),
    }
    profile = replace(profile, log=log)
    write_text(out / "profile.json", profile_file.dump(profile))
    if not profile.totals:
        raise NothingMeasurable(_no_object(masks, profile))
    return profile


def _nothing_readable(masks: Path, issues: list[Issue]) -> str:
    first = f"; the first: {issues[0].path}: {issues[0].message}" if issues else ""
    return f"{masks}: none of its {len(issues)} mask files could be read{first}"


def _no_object(masks: Path, profile: Profile) -> str:
    name = "" if profile.background is None else f" ({profile.name_of(profile.background)})"
    return (
        f"{masks}: {profile.ledger.read} masks were read, but none holds an object: every pixel is background{name} "
        f"or ignored. If a value is wrongly taken as background or ignored, say --background or --ignore-index"
    )


def _set_findings(total: ShardResult, options: ScanOptions) -> list[Issue]:
    """What is odd about the set as a whole."""
    findings = []
    pixels = {c: int(part(t, "pixels")) for c, t in total.totals.items()}
    if len(pixels) == 1 and next(iter(pixels.values())) == total.pixels - total.ignored:
        message = (
            "every pixel of every mask is one class: there is nothing to tell it from; expected a background"
        )
        findings.append(Issue("warning", "one-class-only", message))
    measured = sum(int(part(t, "found")) - int(part(t, "below_floor")) for t in total.totals.values())
    if total.totals and not measured:
        message = f"no object reaches the floor of {options.floor} px; measure smaller ones with --floor"
        findings.append(Issue("warning", "all-below-floor", message))
    return findings


def _profile(folder: MaskFolder, encoding: Encoding, options: ScanOptions, total: ShardResult) -> Profile:
    digest = hashlib.blake2b(digest_size=16)
    for path, content in total.digests:
        digest.update(path.encode("utf-8", "surrogateescape") + b"\0" + content.encode() + b"\n")
    issues = (*folder.issues, *encoding.issues, *total.issues, *_set_findings(total, options))
    files = len(folder.files)
    return Profile(
        names=encoding.classes.names,
        background=encoding.classes.background,
        encoding=encoding.to_dict(),
        ledger=Ledger(files, total.read, total.empty, files - total.read, len(folder.others)),
        sizes=dict(sorted(total.sizes.items())),
        pixels=total.pixels,
        ignored=total.ignored,
        background_pixels=total.background_pixels,
        totals=dict(sorted(total.totals.items())),
        sample=tuple(sorted(total.sample)),
        extremes=total.extremes,
        nesting=total.nesting,
        void_widths=total.void_widths,
        issues=issues,
        fingerprint=digest.hexdigest(),
        arguments=options.arguments(),
        tool_version=__version__,
    )


def _workers(folder: MaskFolder, options: ScanOptions) -> int:
    """Processes to use: as asked; else one per core, or this one alone for a small set."""
    if options.workers:
        return options.workers
    size = sum((folder.root / path).stat().st_size for path in folder.stored)
    return 1 if size < SMALL_SET else os.cpu_count() or 1


def kept_profile(masks: Path, options: ScanOptions | None = None) -> Profile | None:
    """The profile of an earlier scan of ``masks`` if it is still up to date (and was made with ``options``)."""
    path = default_output(masks) / "profile.json"
    if not path.is_file():
        return None
    profile = profile_file.load(path)
    wanted = profile.arguments if options is None else options.arguments()
    same = json.dumps(profile.arguments, sort_keys=True) == json.dumps(wanted, sort_keys=True)
    if (
        same
        and profile.tool_version == __version__
        and profile.log.get("state") == folder_state(find_masks(masks, wanted.get("annotations")))
    ):
        return profile
    return None
