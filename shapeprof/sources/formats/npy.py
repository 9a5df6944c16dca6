"""NumPy's files of arrays: NPY, and NPZ with several.

Nothing in a file is run: pickled objects are refused. What a file declares is compared with the limit of pixels before
it is believed.
"""

from __future__ import annotations

import io
import zipfile
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.errors import UnreadableMask

from .decoders import check_pixels, too_large
from .planes import Planes, mask_keys, planes_of, planes_of_arrays, register_arrays, wrong_array

NPY, ZIP = b"\x93NUMPY", b"PK\x03\x04"


@lru_cache(maxsize=2)
def _planes(data: bytes, path: str, limit: int) -> Planes:
    """Every mask of a file by its member. The last files are kept, as their members are read one by one."""
    if data.startswith(NPY):
        return planes_of(_npy(data, path, limit), path)
    return planes_of_arrays(_npz(data, path, limit), path)


def _npy(data: bytes, path: str, limit: int) -> NDArray[Any]:
    """The array of an NPY file; raise UnreadableMask for objects, records and sizes that can't be."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise wrong_array(path, f"an NPY file of version {version[0]}.{version[1]}")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_columns, dtype = read(file)
    if dtype.kind not in "buif":
        kind = "pickled objects, which are never loaded" if dtype.hasobject else f"values of type {dtype}"
        raise wrong_array(path, kind)
    check_pixels(shape, path, limit)
    count, offset = int(np.prod(shape, dtype=np.int64)), file.tell()
    if len(data) - offset < count * dtype.itemsize:
        text = f"it declares {count * dtype.itemsize} bytes of values and holds {len(data) - offset}; copy it again"
        raise UnreadableMask(path, "truncated-file", text)
    return np.frombuffer(data, dtype, count, offset).reshape(shape, order="F" if by_columns else "C")


def _npz(data: bytes, path: str, limit: int) -> dict[str, NDArray[Any]]:
    """The arrays of an NPZ file that may be masks, by name."""
    arrays: dict[str, NDArray[Any]] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {i.filename.removesuffix(".npy"): i for i in archive.infolist() if i.filename.endswith(".npy")}
        for key in mask_keys(list(entries)):
            entry = entries[key]
            if entry.file_size > 8 * limit + 2**16:
                raise too_large(path, f"{entry.file_size:,} bytes", limit)
            values = _npy(archive.read(entry), path, limit)
            if values.ndim >= 2:
                arrays[key] = values
    if not arrays:
        raise wrong_array(path, "no array of two axes")
    return arrays


register_arrays("NPY", (".npy",), lambda data: data.startswith(NPY), _planes)
register_arrays("NPZ", (".npz",), lambda data: data.startswith(ZIP), _planes)
