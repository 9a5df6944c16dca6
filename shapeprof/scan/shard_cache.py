"""Finished shards on disk: a killed scan goes on from them, and a later one measures only what is new.

One file per shard: a line with the checksum of the rest, a line of JSON that says what was measured and how, a line
of JSON with counts, then tallies and objects as Arrow streams. It has a temporary name until it is whole. A temporary
file found later is from a process that died: its shard is measured in a process of its own.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import ipc

from shapeprof.errors import OutputError
from shapeprof.issues import Issue
from shapeprof.metrics.registry import all_metrics
from shapeprof.options import measuring
from shapeprof.profile.file import extremes_from_json, extremes_to_json
from shapeprof.profile.tally import LAYOUT, TALLY_SIZE, Counts
from shapeprof.sources import Encoding
from shapeprof.version import __version__
from shapeprof.writing import writing

from .arrow import arrow_array, numpy_array
from .options import ScanOptions
from .shards import COUNTED, ObjectRows, Shard, ShardResult, measure_shard

_MAGIC = b"shapeprof shard 1 "
GOES_ON = "make room or choose another folder with -o. The same command then goes on where this scan stopped"


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
    """Digest of everything but the file itself that its measurements depend on."""
    how = encoding.to_dict()
    del how["reasons"], how["issues"]
    columns = [[metric.name for metric in all_metrics()], [(name, shape) for name, (_, shape) in LAYOUT.items()]]
    text = json.dumps([__version__, columns, how, measuring(options)], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def key_of(shard: Shard) -> str:
    """The name under which a shard is stored."""
    text = json.dumps([shard.manner, shard.files, shard.states])
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def measure_and_keep(shard: Shard) -> ShardResult:
    """Measure a shard and keep its result.

    Raises:
        OutputError: the result can't be written.
    """
    if shard.store is None:
        return measure_shard(shard)
    partial = _partial(shard, shard.store)
    with writing(partial, GOES_ON):
        partial.touch()
    result = measure_shard(shard)
    with writing(partial, GOES_ON):
        partial.write_bytes(_packed(shard, result))
        partial.replace(partial.with_suffix(".shard"))
    return result


def _partial(shard: Shard, store: Path) -> Path:
    """The name under which a shard is written; it exists while the shard is measured."""
    return store / f"{key_of(shard)}.part"


def died_on(shard: Shard) -> bool:
    """Whether a process died, or was killed, while it measured this shard."""
    return shard.store is not None and _partial(shard, shard.store).exists()


def stored_shards(store: Path) -> tuple[list[Stored], list[Path]]:
    """(whole shards in a folder, damaged ones and those of another format)."""
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
    """The result of a stored shard.

    Raises:
        OutputError: it is gone or damaged since it was found.
    """
    lines = _checked_lines(stored.path)
    if lines is None:
        raise OutputError(
            f"{stored.path}: changed while it was read; expected one scan at a time to write to its folder. "
            "Scan again, with -o elsewhere if another scan of these masks is running"
        )
    return _unpacked(*lines[1:])


def _packed(shard: Shard, result: ShardResult) -> bytes:
    """A shard as bytes. Files that could not be read are left out, so that every scan tries them again."""
    failed = set(shard.files) - {path for path, _ in result.digests}
    read = [pair for pair in zip(shard.files, shard.states, strict=True) if pair[0] not in failed]
    header = {"manner": shard.manner, "states": read}
    tallies = _tallies_packed(result)
    counts = {
        "total_classes": list(result.totals),
        "sample_classes": [[path, list(of_class)] for path, of_class in result.sample],
        "tally_bytes": len(tallies),
        "extremes": extremes_to_json(result.extremes),
        "nesting": [[*pair, *found] for pair, found in result.nesting.items()],
        "sizes": [[*size, n] for size, n in result.sizes.items()],
        "issues": [asdict(issue) for issue in result.issues if issue.path not in failed],
        "digests": result.digests,
        "void_widths": result.void_widths.tolist(),
        "row_paths": [rows.paths for rows in result.rows],
        **{name: getattr(result, name) for name in COUNTED},
    }
    rest = b"\n".join([json.dumps(header).encode(), json.dumps(counts).encode(), tallies + _rows_packed(result)])
    return _MAGIC + hashlib.blake2b(rest, digest_size=16).hexdigest().encode() + b"\n" + rest


def _tallies_packed(result: ShardResult) -> bytes:
    """All tallies end to end, those of the totals first, as the positions and values that are not zero."""
    tallies = [*result.totals.values(), *(t for _, of_class in result.sample for t in of_class.values())]
    at = [np.flatnonzero(tally) for tally in tallies]
    counts = [tally[where] for tally, where in zip(tallies, at, strict=True)]
    places = [where + k * TALLY_SIZE for k, where in enumerate(at)]
    none = np.zeros(0, np.int64)
    columns = {"place": np.concatenate([none, *places]), "count": np.concatenate([none, *counts])}
    return _stream([_batch(columns)])


def _tallies_unpacked(packed: bytes, number: int) -> list[Counts]:
    table = np.zeros(number * TALLY_SIZE, np.int64)
    with ipc.open_stream(packed) as reader:
        for batch in reader:
            table[numpy_array(batch["place"])] = numpy_array(batch["count"])
    return list(table.reshape(number, TALLY_SIZE))


def _batch(columns: dict[str, NDArray[Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([arrow_array(column) for column in columns.values()], list(columns))


def _stream(batches: list[pa.RecordBatch]) -> bytes:
    sink = io.BytesIO()
    with ipc.new_stream(sink, batches[0].schema, options=ipc.IpcWriteOptions(compression="lz4")) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue()


def _rows_packed(result: ShardResult) -> bytes:
    """All objects, one batch for each ``ObjectRows``."""
    batches = [
        _batch({"of_map": rows.of_map, **{c.name: rows.columns[c.name] for c in all_metrics()}}) for rows in result.rows
    ]
    return _stream(batches) if batches else b""


def _checked_lines(path: Path) -> list[bytes] | None:
    """Header, counts and rows of a stored shard; None where its checksum is wrong."""
    try:
        first, _, rest = path.read_bytes().partition(b"\n") if path.is_file() else (b"", b"", b"")
    except OSError:
        return None
    if first != _MAGIC + hashlib.blake2b(rest, digest_size=16).hexdigest().encode():
        return None
    return rest.split(b"\n", 2)


def _unpacked(counts: bytes, packed: bytes) -> ShardResult:
    data: dict[str, Any] = json.loads(counts)
    classes = [data["total_classes"], *(of_class for _, of_class in data["sample_classes"])]
    tallies = iter(_tallies_unpacked(packed[: data["tally_bytes"]], sum(map(len, classes))))
    totals, *sampled = [dict(zip(of_class, islice(tallies, len(of_class)), strict=True)) for of_class in classes]
    result = ShardResult(
        totals=totals,
        sample=[(path, own) for (path, _), own in zip(data["sample_classes"], sampled, strict=True)],
        extremes=extremes_from_json(data["extremes"]),
        nesting={(o, i): (pixels, objects) for o, i, pixels, objects in data["nesting"]},
        sizes={(h, w): n for h, w, n in data["sizes"]},
        issues=[Issue(**issue) for issue in data["issues"]],
        digests=[(path, digest) for path, digest in data["digests"]],
        void_widths=np.array(data["void_widths"], np.int64),
        **{name: data[name] for name in COUNTED},
    )
    if data["row_paths"]:
        with ipc.open_stream(packed[data["tally_bytes"] :]) as reader:
            for paths, batch in zip(data["row_paths"], reader, strict=True):
                columns = {c.name: numpy_array(batch[c.name]) for c in all_metrics()}
                result.rows.append(ObjectRows(tuple(paths), numpy_array(batch["of_map"]), columns))
    return result
