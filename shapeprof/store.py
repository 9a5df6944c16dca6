"""Finished shards on disk: a killed scan goes on from them, and a later one measures only what is new.

One file per shard, under a temporary name until it is whole: a line with the checksum of the rest, a line of
JSON that says what was measured and how, a line of JSON with the counts, and the objects as an Arrow stream.
A temporary file that is found belongs to a process that died: its shard is measured in a process of its own.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import ipc

from . import __version__
from .errors import OutputError
from .labelmap import Issue
from .metrics.columns import COLUMNS
from .profile_file import (
    extremes_from_json,
    extremes_to_json,
    sparse_counts,
    sparse_tallies,
    tallies_from_json,
)
from .shards import ObjectRows, ScanOptions, Shard, ShardResult, measure_shard
from .sources import Encoding

_MAGIC = b"shapeprof shard 1 "
_COUNTS = ("read", "empty", "pixels", "ignored", "background_pixels")


@dataclass(frozen=True, slots=True)
class Stored:
    """A shard that an earlier scan has measured."""

    path: Path
    manner: str  # digest of how it was measured
    states: dict[str, str]  # file -> its state then (see ``Shard.states``)

    @property
    def files(self) -> tuple[str, ...]:
        """Its files, sorted."""
        return tuple(self.states)


def manner_of(encoding: Encoding, options: ScanOptions) -> str:
    """Digest of all that the measurements of a file depend on, beside the file."""
    how = encoding.to_dict()
    del how["reasons"], how["issues"]
    columns = [column.name for column in COLUMNS]
    text = json.dumps(
        [__version__, columns, how, options.floor, options.thickness, options.read.train_size], sort_keys=True
    )
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def key_of(shard: Shard) -> str:
    """The name under which a shard is stored."""
    text = json.dumps([shard.manner, shard.files, shard.states])
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def measure_and_keep(shard: Shard) -> ShardResult:
    """Measure a shard and store what it comes to.

    Raises:
        OutputError: it can't be stored.
    """
    if shard.store is None:
        return measure_shard(shard)
    temporary = shard.store / f"{key_of(shard)}.part"
    try:
        temporary.touch()
        result = measure_shard(shard)
        temporary.write_bytes(_packed(shard, result))
        temporary.replace(temporary.with_suffix(".shard"))
    except OSError as error:
        raise OutputError(
            f"{error.filename or temporary}: can't be written ({error.strerror}); make room or choose another "
            "folder with -o. The same command then goes on where this scan stopped"
        ) from None
    return result


def died_on(shard: Shard) -> bool:
    """Whether a process died, or was killed, while it measured this shard."""
    return shard.store is not None and (shard.store / f"{key_of(shard)}.part").exists()


def stored_shards(store: Path) -> tuple[list[Stored], list[Path]]:
    """(the whole shards of a folder, files that are none: damaged, or of another version)."""
    found, damaged = [], []
    for path in sorted(store.glob("*.shard")):
        lines = _checked_lines(path)
        if lines is None:
            damaged.append(path)
        else:
            header = json.loads(lines[0])
            found.append(Stored(path, header["manner"], dict(header["states"])))
    return found, damaged


def restored(stored: Stored) -> ShardResult:
    """What a stored shard came to.

    Raises:
        OutputError: it is gone or damaged since it was found.
    """
    lines = _checked_lines(stored.path)
    if lines is None:
        raise OutputError(
            f"{stored.path}: has changed while it was used; expected one scan at a time to write to its folder. "
            "Scan again, with -o elsewhere if another scan of these masks goes on"
        )
    return _unpacked(*lines[1:])


def tidy(store: Path, unused: Iterable[Path]) -> None:
    """Remove stored shards that are of no use, and what processes that died have left behind."""
    for path in (*unused, *store.glob("*.part")):
        path.unlink(missing_ok=True)


def _packed(shard: Shard, result: ShardResult) -> bytes:
    """The bytes of a stored shard, without files that could not be read: those are tried anew every time."""
    failed = {issue.path for issue in result.issues if issue.severity == "error"}
    read = [pair for pair in zip(shard.files, shard.states, strict=True) if pair[0] not in failed]
    header = {"manner": shard.manner, "states": read}
    counts = {
        "totals": sparse_tallies(result.totals),
        "sample": [[path, sparse_tallies(tallies)] for path, tallies in result.sample],
        "extremes": extremes_to_json(result.extremes),
        "nesting": [[*pair, *found] for pair, found in result.nesting.items()],
        "sizes": [[*size, n] for size, n in result.sizes.items()],
        "issues": [asdict(issue) for issue in result.issues if issue.path not in failed],
        "digests": result.digests,
        "void_widths": sparse_counts(result.void_widths),
        "row_paths": [rows.paths for rows in result.rows],
        **{name: getattr(result, name) for name in _COUNTS},
    }
    rest = b"\n".join([json.dumps(header).encode(), json.dumps(counts).encode(), _rows_packed(result)])
    return _MAGIC + hashlib.blake2b(rest, digest_size=16).hexdigest().encode() + b"\n" + rest


def _rows_packed(result: ShardResult) -> bytes:
    """All objects, one batch for each ``ObjectRows``."""
    sink = io.BytesIO()
    schema = pa.schema([("of_map", pa.int32()), *((c.name, c.dtype) for c in COLUMNS)])
    with ipc.new_stream(sink, schema, options=ipc.IpcWriteOptions(compression="lz4")) as writer:
        for rows in result.rows:
            columns = [rows.of_map, *(rows.columns[c.name] for c in COLUMNS)]
            writer.write_batch(
                pa.record_batch([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema)
            )
    return sink.getvalue()


def _checked_lines(path: Path) -> list[bytes] | None:
    """Header, counts and rows of a stored shard; None when they are not what was written."""
    try:
        first, _, rest = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    if first != _MAGIC + hashlib.blake2b(rest, digest_size=16).hexdigest().encode():
        return None
    return rest.split(b"\n", 2)


def _unpacked(counts: bytes, rows: bytes) -> ShardResult:
    data: dict[str, Any] = json.loads(counts)
    result = ShardResult(
        totals=tallies_from_json(data["totals"]),
        sample=[(path, tallies_from_json(tallies)) for path, tallies in data["sample"]],
        extremes=extremes_from_json(data["extremes"]),
        nesting={(o, i): (pixels, objects) for o, i, pixels, objects in data["nesting"]},
        sizes={(h, w): n for h, w, n in data["sizes"]},
        issues=[Issue(**issue) for issue in data["issues"]],
        digests=[(path, digest) for path, digest in data["digests"]],
        **{name: data[name] for name in _COUNTS},
    )
    positions, values = data["void_widths"]
    result.void_widths[np.array(positions, np.int64)] = values
    with ipc.open_stream(rows) as reader:
        for paths, batch in zip(data["row_paths"], reader, strict=True):
            columns = {c.name: batch[c.name].to_numpy(zero_copy_only=False) for c in COLUMNS}
            result.rows.append(ObjectRows(tuple(paths), batch["of_map"].to_numpy(), columns))
    return result
