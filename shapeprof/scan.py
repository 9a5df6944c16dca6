"""From a folder of masks to a Profile: plan shards, measure them on processes, merge in order."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import __version__, profile_file
from .errors import NothingMeasurable, OutputError, UnreadableMask
from .grouping import group_regex
from .labelmap import Issue
from .metrics.columns import COLUMNS
from .metrics.kernel import cache_folder
from .metrics.measure import MaskMeasurement, measure
from .profile import Counts, Extreme, Ledger, Nesting, Profile, merge_nesting, merge_tallies, part
from .sources import Encoding, MaskFolder, ReadOptions, detect, find_masks, read_mask
from .tally import extremes, merge_extremes, tally

MOST_FILES, SHARDS = (
    64,
    16,
)  # of a shard; shards of a small set, so that workers and progress have something to do
SMALL_SET = 1 << 20  # bytes of mask files under which starting processes takes longer than measuring
Progress = Callable[[int, int], None]  # files done, files in all


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """How to scan. Everything here but ``workers`` can change the profile and is recorded in it."""

    read: ReadOptions = field(default_factory=ReadOptions)
    floor: int = 32  # px; smaller objects are counted, not measured
    survival_sample: int = 256  # masks that linear survival, local width and the bootstrap use
    thickness: bool = False  # local width on every mask
    group: str | None = None  # pattern over mask paths: what it captures is resampled together
    strict: bool = False  # an unreadable mask is an error
    workers: int = 0  # processes; 0: one per CPU core, and none beside this one for small sets
    survival_best: int = 0  # masks that survival at best is computed on, 0.3 to 5 s each

    def arguments(self) -> dict[str, Any]:
        """What is recorded in the profile."""
        read = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self.read).items()}
        if read.get("class_file") is not None:
            read["class_file"] = str(read["class_file"])
        return {
            **read,
            "floor": self.floor,
            "survival_sample": self.survival_sample,
            "survival_best": self.survival_best,
            "thickness": self.thickness,
            "group": self.group,
        }


@dataclass(frozen=True, slots=True)
class Shard:
    """A run of files to measure in one go."""

    root: Path
    files: tuple[str, ...]
    sampled: frozenset[str]
    encoding: Encoding
    options: ScanOptions
    best: frozenset[str] = frozenset()  # those of ``files`` that survival at best is computed on


@dataclass
class ShardResult:
    """What a shard comes to; results of consecutive shards merge."""

    totals: dict[int, Counts] = field(default_factory=dict)
    sample: list[tuple[str, dict[int, Counts]]] = field(default_factory=list)
    extremes: dict[int, dict[str, tuple[Extreme, ...]]] = field(default_factory=dict)
    nesting: Nesting = field(default_factory=dict)
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)
    digests: list[tuple[str, str]] = field(default_factory=list)
    read: int = 0
    empty: int = 0
    pixels: int = 0
    ignored: int = 0
    background_pixels: int = 0
    rows: list[tuple[str, dict[str, NDArray[Any]]]] = field(default_factory=list)  # per file; not merged

    def merge(self, other: ShardResult) -> None:
        """Add what ``other`` counted, rows excepted."""
        self.totals = merge_tallies((self.totals, other.totals))
        self.extremes = merge_extremes(self.extremes, other.extremes)
        self.nesting = merge_nesting((self.nesting, other.nesting))
        for size, n in other.sizes.items():
            self.sizes[size] = self.sizes.get(size, 0) + n
        self.sample += other.sample
        self.issues += other.issues
        self.digests += other.digests
        for name in ("read", "empty", "pixels", "ignored", "background_pixels"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def add(self, measurement: MaskMeasurement, background: int | None, sampled: bool) -> None:
        """Count one mask."""
        tallies = tally(measurement, background)
        self.totals = merge_tallies((self.totals, tallies))
        if sampled:
            self.sample.append((measurement.path, tallies))
        self.extremes = merge_extremes(self.extremes, extremes(measurement, background))
        self.nesting = merge_nesting((self.nesting, measurement.nesting))
        self.sizes[measurement.size] = self.sizes.get(measurement.size, 0) + 1
        self.digests.append((measurement.path, measurement.digest))
        self.read += 1
        self.empty += not tallies
        self.pixels += measurement.size[0] * measurement.size[1]
        self.ignored += measurement.ignored
        if background in measurement.classes:
            self.background_pixels += measurement.classes[background].pixels
        self.rows.append((measurement.path, measurement.rows))


def measure_shard(shard: Shard) -> ShardResult:
    """Read and measure every file of a shard; unreadable ones become issues."""
    result = ShardResult()
    for path in shard.files:
        sampled = path in shard.sampled
        try:
            label_map, issues = read_mask(shard.root, path, shard.encoding, shard.options.read.train_size)
        except UnreadableMask as error:
            result.issues.append(Issue("error", error.code, error.message, path))
            continue
        options = shard.options
        measured = measure(
            label_map,
            floor=options.floor,
            sampled=sampled,
            thickness=options.thickness,
            best=path in shard.best,
        )
        result.issues += issues
        result.add(measured, label_map.classes.background, sampled)
    return result


def scan_masks(
    masks: Path, options: ScanOptions | None = None, out: Path | None = None, progress: Progress | None = None
) -> Profile:
    """Measure a folder of masks and write profile.json and objects.parquet.

    Args:
        masks: folder, searched recursively.
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
    folder = find_masks(masks)
    out = out or default_output(masks)
    prepare_output(out)
    encoding = detect(folder, options.read)
    sample = frozenset(smallest_hashes(folder.files, options.survival_sample))
    best = frozenset(smallest_hashes(folder.files, options.survival_best))
    shards = [
        Shard(folder.root, files, sample & frozenset(files), encoding, options, best & frozenset(files))
        for files in runs_of(folder.files)
    ]
    if progress:
        progress(0, len(folder.files))
    total, done = ShardResult(), 0
    with _RowWriter(out / "objects.parquet", encoding) as writer:
        for shard, result in zip(shards, results(shards, _workers(folder, options)), strict=True):
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
    _write_text(out / "profile.json", profile_file.dump(profile))
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
        totals=total.totals,
        sample=tuple(sorted(total.sample)),
        extremes=total.extremes,
        nesting=total.nesting,
        issues=issues,
        fingerprint=digest.hexdigest(),
        arguments=options.arguments(),
        tool_version=__version__,
    )


def runs_of(files: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Files cut into shards of equal size; depends on nothing but their number."""
    size = max(1, min(MOST_FILES, -(-len(files) // SHARDS)))
    return [files[i : i + size] for i in range(0, len(files), size)]


def _workers(folder: MaskFolder, options: ScanOptions) -> int:
    """Processes to use: as asked; else one per core, or this one alone for a small set."""
    if options.workers:
        return options.workers
    size = sum((folder.root / path).stat().st_size for path in folder.files)
    return 1 if size < SMALL_SET else os.cpu_count() or 1


def smallest_hashes(paths: tuple[str, ...], n: int) -> tuple[str, ...]:
    """The ``n`` paths with the smallest hashes, sorted: a sample that does not depend on order."""

    def key(path: str) -> bytes:
        return hashlib.blake2b(path.encode("utf-8", "surrogateescape"), digest_size=8).digest()

    return tuple(sorted(sorted(paths, key=lambda p: (key(p), p))[:n]))


def results(
    shards: list[Shard], workers: int, measure: Callable[[Shard], ShardResult] = measure_shard
) -> Iterator[ShardResult]:
    """Results in the order of the shards. A worker that dies costs only the file that killed it."""
    workers = min(workers, len(shards))
    if workers <= 1:
        yield from map(measure, shards)
        return
    pending: dict[int, Future[ShardResult]] = {}
    broken = False
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start_worker) as pool:
        for i, shard in enumerate(shards):
            try:
                for ahead in range(i, min(i + 2 * workers, len(shards))):  # bounds what waits in memory
                    if ahead not in pending and not broken:
                        pending[ahead] = pool.submit(measure, shards[ahead])
                result = pending.pop(i).result() if i in pending else _isolated(shard, measure)
            except BrokenProcessPool:
                broken = True
                result = _isolated(shard, measure)
            yield result


def _start_worker() -> None:
    import cv2

    cv2.setNumThreads(1)


def _isolated(shard: Shard, measure: Callable[[Shard], ShardResult]) -> ShardResult:
    """Measure a shard in a process of its own; if that dies too, file by file."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_start_worker) as pool:
        try:
            return pool.submit(measure, shard).result()
        except BrokenProcessPool:
            pass
    if len(shard.files) == 1:
        message = "the process that read it died; try to open it in an image viewer, and re-save or remove it"
        return ShardResult(issues=[Issue("error", "decoder-crashed", message, shard.files[0])])
    total = ShardResult()
    for file in shard.files:
        one = _isolated(replace(shard, files=(file,)), measure)
        total.merge(one)
        total.rows += one.rows
    return total


class _RowWriter:
    """Writes objects.parquet shard by shard, under a temporary name until it is whole."""

    def __init__(self, path: Path, encoding: Encoding) -> None:
        import pyarrow as pa

        kinds = {"int32": pa.int32(), "int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_()}
        fields = [
            ("path", pa.string()),
            ("class_name", pa.string()),
            *((c.name, kinds[c.dtype]) for c in COLUMNS),
        ]
        self._schema = pa.schema(fields)
        self._path, self._temporary = path, path.with_name(path.name + ".part")
        self._classes = encoding.classes

    def __enter__(self) -> _RowWriter:
        import pyarrow.parquet as pq

        self._writer = pq.ParquetWriter(self._temporary, self._schema)
        return self

    def write(self, result: ShardResult) -> None:
        """Append the rows of a shard as one row group."""
        import pyarrow as pa

        if not result.rows:
            return
        columns = {c.name: np.concatenate([rows[c.name] for _, rows in result.rows]) for c in COLUMNS}
        names = [self._classes.name_of(int(c)) for c in columns["class_id"]]
        paths = [path for path, rows in result.rows for _ in range(rows["area"].size)]
        paths = [p.encode("utf-8", "backslashreplace").decode() for p in paths]
        table = pa.table([paths, names, *(columns[c.name] for c in COLUMNS)], schema=self._schema)
        if table.num_rows:
            self._writer.write_table(table)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._writer.close()
        if kind is None:
            self._temporary.replace(self._path)
        else:
            self._temporary.unlink(missing_ok=True)


# Where results go -----------------------------------------------------------------------------

OUR_FILES = {"profile.json", "objects.parquet", "objects.parquet.part", "profile.json.part"}


def default_output(masks: Path) -> Path:
    """``<masks>.shapeprof`` beside the masks; where that can't be written, a place in the user's cache."""
    resolved = masks.resolve()
    beside = resolved.with_name(resolved.name + ".shapeprof")
    if beside.is_dir() or os.access(beside.parent, os.W_OK):
        return beside
    tag = hashlib.blake2b(os.fsencode(resolved), digest_size=6).hexdigest()
    return cache_folder().parent / "profiles" / f"{resolved.name}-{tag}"


def prepare_output(out: Path) -> None:
    """Create ``out``.

    Raises:
        OutputError: it is a file, can't be created, or holds files that shapeprof did not write.
    """
    if out.is_dir() and (others := sorted({p.name for p in out.iterdir()} - OUR_FILES)):
        raise OutputError(
            f"{out}: exists and holds other files ({', '.join(others[:3])}); choose a new or empty folder with -o"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "profile.json.part").touch()
        (out / "profile.json.part").unlink()
    except OSError as error:
        raise OutputError(
            f"{out}: can't be written ({error.strerror}); choose another folder with -o"
        ) from None


def folder_state(folder: MaskFolder) -> str:
    """Digest of names, sizes and modification times: whether a scan is still up to date."""
    digest = hashlib.blake2b(digest_size=16)
    for path in folder.files:
        status = (folder.root / path).stat()
        digest.update(os.fsencode(path) + f"\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


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
        and profile.log.get("state") == folder_state(find_masks(masks))
    ):
        return profile
    return None


def _write_text(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
