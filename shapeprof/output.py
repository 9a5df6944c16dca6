"""Where the results of a scan go: objects.parquet and profile.json in a folder of ours."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from .errors import OutputError
from .kernel import cache_folder
from .metrics.columns import COLUMNS
from .shards import ShardResult
from .sources import Encoding, MaskFolder

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
    for path in folder.stored:
        status = (folder.root / path).stat()
        digest.update(os.fsencode(path) + f"\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a file under a temporary name and rename it, so that it is whole or absent."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


class RowWriter:
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

    def __enter__(self) -> RowWriter:
        import pyarrow.parquet as pq

        self._writer = pq.ParquetWriter(self._temporary, self._schema)
        return self

    def write(self, result: ShardResult) -> None:
        """Append the rows of a shard as one row group."""
        import pyarrow as pa

        if not result.rows:
            return
        columns = {c.name: np.concatenate([rows.columns[c.name] for rows in result.rows]) for c in COLUMNS}
        ids, which = np.unique(columns["class_id"], return_inverse=True)
        names = pa.array([self._classes.name_of(int(c)) for c in ids], pa.string()).take(pa.array(which))
        paths = pa.chunked_array(
            [pa.array(_as_text(rows.paths), pa.string()).take(pa.array(rows.of_map)) for rows in result.rows]
        )
        table = pa.table([paths, names, *(columns[c.name] for c in COLUMNS)], schema=self._schema)
        if table.num_rows:
            self._writer.write_table(table)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._writer.close()
        if kind is None:
            self._temporary.replace(self._path)
        else:
            self._temporary.unlink(missing_ok=True)


def _as_text(paths: tuple[str, ...]) -> list[str]:
    """Paths as valid text: bytes that are no UTF-8 as backslash escapes."""
    return [path.encode("utf-8", "backslashreplace").decode() for path in paths]
