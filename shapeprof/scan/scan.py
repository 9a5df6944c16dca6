"""From a folder of masks to a Profile: plan shards, measure them, merge them in order, keep the result."""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

from shapeprof.errors import NothingMeasurable, UnreadableMask
from shapeprof.grouping import group_regex
from shapeprof.issues import Issue
from shapeprof.profile import file as profile_file
from shapeprof.profile.profile import Ledger, Profile
from shapeprof.progress import Progress
from shapeprof.sampling import smallest_hashes
from shapeprof.sources import Encoding, MaskFolder, detect, find_masks, masks_again, regrouped
from shapeprof.version import __version__
from shapeprof.writing import write

from .folder import RowWriter, default_output, file_states, folder_state, prepare_output, remove_stale
from .options import ScanOptions
from .shard_cache import GOES_ON, Stored, died_on, manner_of, measure_and_keep, restored, stored_shards
from .shards import Shard, ShardResult, runs_of
from .workers import number_of_workers, prepare, results, size_of


def scan_masks(
    masks: Path, options: ScanOptions | None = None, out: Path | None = None, progress: Progress | None = None
) -> Profile:
    """Measure a folder of masks and write profile.json, objects.parquet and log.json.

    Shards that an earlier scan finished are not measured again, even if that scan was killed later.

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
    folder, encoding, workers = _prepared(masks, options)
    out = out or default_output(masks)
    prepare_output(out)
    states = file_states(folder, encoding.document)
    plan, unused = _plan(folder, encoding, options, states, out / "shards")
    with RowWriter(out / "objects.parquet", encoding, runs_of(folder.files)) as writer:
        total = _measured(plan, workers, writer, options.strict, progress)
    if not total.read:
        raise NothingMeasurable(_nothing_readable(masks, total.issues))
    profile = _profile(folder, encoding, options, total)
    log = {
        "masks": str(masks.resolve()),
        "state": folder_state(states),
        "seconds": round(time.time() - started, 3),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S"),
        "measured": sum(len(shard.files) for shard in plan if isinstance(shard, Shard)),
    }
    profile = replace(profile, log=log)
    write(out / "profile.json", profile_file.dump(profile), GOES_ON)
    write(out / profile_file.LOG_NAME, json.dumps(log) + "\n", GOES_ON)
    for path in unused:
        with suppress(OSError):  # a folder of that name, say
            path.unlink()
    for place in (out, out / "shards"):
        remove_stale(place)
    if not profile.totals:
        raise NothingMeasurable(_no_object(masks, profile))
    return profile


def _prepared(masks: Path, options: ScanOptions) -> tuple[MaskFolder, Encoding, int]:
    """(masks to measure, their encoding, processes to use). The processes start while the encoding is detected."""
    folder = find_masks(masks, options.read)
    workers = number_of_workers(options.workers, (size_of(folder.root / path) for path in folder.stored))
    if workers > 1:
        prepare()
    encoding = detect(folder, options.read)
    return _part(regrouped(folder, encoding), options.sample), encoding, workers


def _measured(
    plan: list[Shard | Stored], workers: int, writer: RowWriter, strict: bool, progress: Progress | None
) -> ShardResult:
    """The merged results of all shards, measured now or kept; their objects go to ``writer``.

    Raises:
        UnreadableMask: with ``strict``, at the first mask that can't be read.
    """
    total, done, files = ShardResult(), 0, sum(len(shard.files) for shard in plan)
    if progress:
        progress(0, files)
    to_measure = [shard for shard in plan if isinstance(shard, Shard)]
    with closing(results(to_measure, workers, measure_and_keep)) as measured:
        for shard in plan:
            result = next(measured) if isinstance(shard, Shard) else restored(shard)
            unreadable = next((issue for issue in result.issues if issue.severity == "error"), None)
            if strict and unreadable:
                raise UnreadableMask(unreadable.path, unreadable.code, unreadable.message)
            writer.write(shard.files, result.rows)
            total.merge(result)
            done += len(shard.files)
            if progress:
                progress(done, files)
    return total


def _part(folder: MaskFolder, number: int) -> MaskFolder:
    """The ``number`` masks (0: all) whose names have the smallest hashes."""
    left_out = len(folder.files) - number
    if not number or left_out <= 0:
        return folder
    text = (
        f"{left_out:,} of {len(folder.files):,} masks are left out, as --sample {number} asked: those with the "
        "largest hashes of their names, so that the same ones stay on every machine"
    )
    return replace(
        folder, files=smallest_hashes(folder.files, number), issues=(*folder.issues, Issue("warning", "sampled", text))
    )


def _plan(
    folder: MaskFolder, encoding: Encoding, options: ScanOptions, states: dict[str, str], store: Path
) -> tuple[list[Shard | Stored], list[Path]]:
    """(shards to measure and shards kept on disk, sorted by first file; files of kept shards that no longer hold).

    A kept shard holds as long as all its files are there and unchanged, and are in the same samples.
    """
    sample = frozenset(smallest_hashes(folder.files, options.survival_sample))
    best = frozenset(smallest_hashes(folder.files, options.survival_best))
    manner = manner_of(encoding, options)
    states = {path: f"{state}-{path in sample:d}{path in best:d}" for path, state in states.items()}
    known: list[Stored] = []
    covered: set[str] = set()
    stored, unused = stored_shards(store)
    for shard in stored:
        same = shard.manner == manner and all(states.get(path) == state for path, state in shard.states.items())
        if same and shard.states and not covered & shard.states.keys():
            known.append(shard)
            covered |= shard.states.keys()
        else:
            unused.append(shard.path)
    new = []
    for files in runs_of(tuple(path for path in folder.files if path not in covered)):
        inside, of_files = frozenset(files), tuple(states[path] for path in files)
        own = Shard(folder.root, files, sample & inside, encoding, options, best & inside, of_files, manner, store)
        new.append(replace(own, suspect=died_on(own)))
    return sorted([*known, *new], key=lambda shard: shard.files[0]), unused


def _nothing_readable(masks: Path, issues: list[Issue]) -> str:
    first = f"; the first: {issues[0].path}: {issues[0].message}" if issues else ""
    return f"{masks}: none of its {len(issues)} mask files could be read{first}"


def _no_object(masks: Path, profile: Profile) -> str:
    name = "" if profile.background is None else f" ({profile.name_of(profile.background)})"
    return (
        f"{masks}: {profile.ledger.read} masks were read, but none holds an object: every pixel is background{name} "
        f"or ignored. If a value is wrongly taken as background or ignored, say --background or --ignore-index"
    )


def _profile(folder: MaskFolder, encoding: Encoding, options: ScanOptions, total: ShardResult) -> Profile:
    digest = hashlib.blake2b(digest_size=16)
    for path, content in sorted(total.digests):
        digest.update(path.encode("utf-8", "surrogateescape") + b"\0" + content.encode() + b"\n")
    own = sorted(total.issues, key=lambda issue: issue.path)  # stable: of one file they keep their order
    issues = (*folder.issues, *encoding.issues, *own)
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


def kept_profile(masks: Path, options: ScanOptions | None = None) -> Profile | None:
    """The profile of an earlier scan if no mask has changed since and it was made with ``options`` (None: any).

    None if there is no such profile, or if it holds no object, as such a scan had failed.
    """
    path = default_output(masks) / "profile.json"
    if not path.is_file():
        return None
    profile = profile_file.load(path)
    wanted = profile.arguments if options is None else options.arguments()
    same = json.dumps(profile.arguments, sort_keys=True) == json.dumps(wanted, sort_keys=True)
    if not same or profile.tool_version != __version__ or not profile.totals:
        return None
    encoding = Encoding.from_dict(profile.encoding)
    folder = _part(masks_again(masks, profile.arguments, encoding), profile.arguments.get("sample", 0))
    states = file_states(folder, encoding.document)
    return profile if profile.log.get("state") == folder_state(states) else None
