"""The folder that a scan writes: profile.json, objects.parquet, log.json and shards."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from shapeprof.cache import cache_folder
from shapeprof.errors import OutputError
from shapeprof.metrics.registry import all_metrics
from shapeprof.sources import Encoding, MaskFolder, stored_files
from shapeprof.writing import temporary, writing

from .shard_cache import GOES_ON
from .shards import ObjectRows

STALE = 3600.0  # chosen: a temporary file unchanged for so many seconds is from a process that died
_OURS = r"(profile\.json|objects\.parquet|log\.json)(\.(\d+\.)?part)?"  # what a scan leaves behind


def default_output(masks: Path) -> Path:
    """``<masks>.shapeprof`` beside the masks; if that can't be written, a folder in the user's cache."""
    resolved = masks.resolve()
    beside = resolved.with_name(resolved.name + ".shapeprof")
    if beside.is_dir() or os.access(beside.parent, os.W_OK):
        return beside
    tag = hashlib.blake2b(os.fsencode(resolved), digest_size=6).hexdigest()
    return cache_folder() / "profiles" / f"{resolved.name}-{tag}"


def prepare_output(out: Path) -> None:
    """Create ``out`` and its folder of shards.

    Raises:
        OutputError: it is a file, can't be created, or holds files that shapeprof did not write.
    """
    present = {p.name for p in out.iterdir()} if out.is_dir() else set()
    ours = {name for name in present if name == "shards" or re.fullmatch(_OURS, name)}
    if others := sorted(present - ours):
        raise OutputError(
            f"{out}: exists and holds other files ({', '.join(others[:3])}); choose a new or empty folder with -o"
        )
    for name in sorted(ours):
        if (out / name).is_dir() != (name == "shards"):
            raise OutputError(
                f"{out / name}: is a {'file' if name == 'shards' else 'folder'} where shapeprof keeps a "
                f"{'folder' if name == 'shards' else 'file'}; remove it, or choose another folder with -o"
            )
    try:
        (out / "shards").mkdir(parents=True, exist_ok=True)
        probe = temporary(out / "profile.json")
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(f"{out}: can't be written ({error.strerror}); choose another folder with -o") from None


def file_states(folder: MaskFolder, document: str = "") -> dict[str, str]:
    """Map each mask to the sizes and times of the files it is read from. Measurements hold while they are the same.

    ``document``: a file that all masks depend on, relative to the folder.
    """
    on_disk = {path: _state(folder.root / path) for path in folder.stored}
    common = [_state(folder.root / document)] if document else []
    states = {}
    for name, files in stored_files(folder).items():
        own = [on_disk[path] if path in on_disk else _state(folder.root / path) for path in files]
        single = files == (name,) and not common
        states[name] = own[0] if single else _digest([*files, *own, *common])
    return states


def _state(path: Path) -> str:
    """Size, modification time and change time (as of renaming) of a file; "" if it is gone."""
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}"


def _digest(lines: Iterable[str]) -> str:
    text = "\n".join(lines).encode("utf-8", "surrogateescape")
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def folder_state(states: dict[str, str]) -> str:
    """Digest of the names and states of all masks. A scan is up to date while it is the same."""
    digest = hashlib.blake2b(digest_size=16)
    for path, state in states.items():
        digest.update(os.fsencode(path) + f"\0{state}\n".encode())
    return digest.hexdigest()


def remove_stale(folder: Path) -> None:
    """Remove temporary files of processes that died."""
    for path in folder.glob("*.part"):
        with suppress(OSError):
            if path.stat().st_mtime < time.time() - STALE:
                path.unlink()


class RowWriter:
    """Writes objects.parquet, under a temporary name until it is whole.

    A row group holds the objects of a fixed list of files, whichever files were measured together.
    """

    def __init__(self, path: Path, encoding: Encoding, groups: list[tuple[str, ...]]) -> None:
        """``groups``: the files of each row group, in order."""
        import pyarrow as pa

        kinds = {"int32": pa.int32(), "int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_()}
        fields = [
            ("path", pa.string()),
            ("class_name", pa.string()),
            *((c.name, kinds[c.dtype]) for c in all_metrics()),
        ]
        self._schema = pa.schema(fields)
        self._path, self._temporary = path, temporary(path)
        self._classes = encoding.classes
        self._groups = groups[::-1]
        self._waiting: dict[str, list[ObjectRows]] = {}  # files whose row group is not complete

    def __enter__(self) -> RowWriter:
        import pyarrow.parquet as pq

        with writing(self._path, GOES_ON):
            self._writer = pq.ParquetWriter(self._temporary, self._schema)
        return self

    def write(self, files: tuple[str, ...], rows: list[ObjectRows]) -> None:
        """Add the objects of some files; they need not make up a row group."""
        if not self._waiting and self._groups[-1] == files:
            self._groups.pop()
            self._write_group(rows)
            return
        for path in files:
            self._waiting[path] = []
        for some in rows:
            for path, own in _by_file(some):
                self._waiting[path].append(own)
        while self._groups and all(path in self._waiting for path in self._groups[-1]):
            self._write_group([own for path in self._groups.pop() for own in self._waiting.pop(path)])

    def _write_group(self, rows: list[ObjectRows]) -> None:
        import pyarrow as pa

        from .arrow import arrow_array, arrow_text

        if not rows:
            return
        columns = {c.name: np.concatenate([some.columns[c.name] for some in rows]) for c in all_metrics()}
        ids, which = np.unique(columns["class_id"], return_inverse=True)
        names = arrow_text([self._classes.name_of(int(c)) for c in ids]).take(arrow_array(which))
        paths = pa.chunked_array([arrow_text(_as_text(some.paths)).take(arrow_array(some.of_map)) for some in rows])
        arrays = [paths, names, *(arrow_array(columns[c.name]) for c in all_metrics())]
        table = pa.Table.from_arrays(arrays, schema=self._schema)
        if table.num_rows:
            with writing(self._path, GOES_ON):
                self._writer.write_table(table)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            with writing(self._path, GOES_ON) if kind is None else suppress(OSError):
                self._writer.close()
                if kind is None:
                    self._temporary.replace(self._path)
        finally:
            self._temporary.unlink(missing_ok=True)


def _by_file(rows: ObjectRows) -> Iterator[tuple[str, ObjectRows]]:
    """(file, its rows) for each file; the rows of a file are consecutive."""
    bounds = np.searchsorted(rows.of_map, np.arange(len(rows.paths) + 1)).tolist()
    for path, first, last in zip(rows.paths, bounds[:-1], bounds[1:], strict=True):
        columns = {name: column[first:last] for name, column in rows.columns.items()}
        yield path, ObjectRows((path,), np.zeros(last - first, np.int32), columns)


def _as_text(paths: tuple[str, ...]) -> list[str]:
    """Paths as valid text: bytes that are not UTF-8 become backslash escapes."""
    return [path.encode("utf-8", "backslashreplace").decode() for path in paths]
