"""Masks in files of arrays: NumPy's NPY and NPZ, MATLAB 5 matrices, and NIfTI volumes.

Nothing in a file is run: pickled objects are refused. What a file declares is held against the limit of pixels before
it is believed.
"""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.errors import UnreadableMask

from . import matlab
from .decoders import check_pixels, too_large

NPY, ZIP, GZIP = b"\x93NUMPY", b"PK\x03\x04", b"\x1f\x8b"
MATLAB_7_3 = b"MATLAB 7.3"
_NIFTI_SIZES = (b"\x5c\x01\x00\x00", b"\x00\x00\x01\x5c")  # of the header, 348, in either order of bytes
_NIFTI_MAGIC = (b"n+1\0", b"ni1\0")
_HEADER = 352  # bytes of a NIfTI header and its extension flag
_MASK_KEY = re.compile(r"(.*[._-])?(masks?|labels?|lbl|gt|ground_?truth|seg|segmentations?|annotations?|y)", re.I)
_IMAGE_KEY = re.compile(r"(.*[._-])?(images?|imgs?|x|rgb|raw|data_x|features?|embeddings?)", re.IGNORECASE)


def is_array_file(data: bytes) -> bool:
    """Whether a file's first bytes are those of a format that is read here."""
    return data.startswith((NPY, ZIP, matlab.MAGIC, MATLAB_7_3, GZIP)) or _is_nifti(data)


def plane_names(data: bytes, path: str, limit: int) -> tuple[str, ...]:
    """The members of a file of arrays: ("",) where it holds one mask. Raises UnreadableMask."""
    if data.startswith(GZIP) or _is_nifti(data):
        slices = _nifti_shape(data, path, limit)[2]
        return ("",) if slices == 1 else tuple(map(str, range(slices)))
    return tuple(_planes(data, path, limit))


def read_plane(data: bytes, path: str, member: str, limit: int) -> NDArray[Any]:
    """One mask of a file of arrays: (H, W), or (H, W, 3) uint8 colours in R, G, B order.

    Raises:
        UnreadableMask: the file can't be read, or has no such member.
    """
    found = _planes(data, path, limit)
    if member not in found:
        names = ", ".join(list(found)[:4]) or "none"
        text = f"it has no member '{member}' (found: {names}); expected one that was there before"
        raise UnreadableMask(path, "no-such-member", text)
    return found[member]


def planes_of(values: NDArray[Any], path: str) -> dict[str, NDArray[Any]]:
    """The masks of an array of two or three axes (axes of length 1 aside) by their number.

    (H, W) is one mask, under "". (H, W, 3) and (H, W, 4) of uint8 are colours, unless they hold nothing but 0 and 1.
    Of any other array with three axes, the first or the last counts planes: the shorter one, the first if equal.
    """
    values = _without_axes_of_1(values)
    if values.ndim == 2:
        return {"": values}
    if values.ndim != 3 or 0 in values.shape:
        raise _no_matrix(path, f"an array of shape {values.shape}")
    if values.dtype == np.uint8 and values.shape[2] in (3, 4) and values.max() > 1:
        return {"": values}
    if values.shape[2] < values.shape[0]:
        values = np.moveaxis(values, 2, 0)
    return {str(i): plane for i, plane in enumerate(values)}


def _without_axes_of_1(values: NDArray[Any]) -> NDArray[Any]:
    """``values`` with axes of length 1 dropped, at both ends and of channels (N, 1, H, W), while over two are left."""
    while values.ndim > 2 and values.shape[0] == 1:
        values = values[0]
    while values.ndim > 2 and values.shape[-1] == 1:
        values = values[..., 0]
    return values[:, 0] if values.ndim == 4 and values.shape[1] == 1 else values


@lru_cache(maxsize=2)
def _planes(data: bytes, path: str, limit: int) -> dict[str, NDArray[Any]]:
    """Every mask of a file by its member. The last files are kept, as their members are read one by one."""
    if data.startswith(GZIP) or _is_nifti(data):
        return _nifti(data, path, limit)
    if data.startswith(NPY):
        return planes_of(_npy(data, path, limit), path)
    arrays = _npz(data, path, limit) if data.startswith(ZIP) else _matlab(data, path, limit)
    found: dict[str, NDArray[Any]] = {}
    for key, values in arrays.items():
        planes = planes_of(values, path)
        for number, plane in planes.items():
            found["#".join(part for part in (key if len(arrays) > 1 else "", number) if part)] = plane
    return found


def _npy(data: bytes, path: str, limit: int) -> NDArray[Any]:
    """The array of an NPY file; raise UnreadableMask for objects, records and sizes that can't be."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise _no_matrix(path, f"an NPY file of version {version[0]}.{version[1]}")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_columns, dtype = read(file)
    if dtype.kind not in "buif":
        kind = "pickled objects, which are never loaded" if dtype.hasobject else f"values of type {dtype}"
        raise _no_matrix(path, kind)
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
        raise _no_matrix(path, "no array of two axes")
    return arrays


def mask_keys(keys: list[str]) -> list[str]:
    """Of the names of arrays in one file: those that are words for masks; else all that are none for images."""
    masks = [key for key in keys if _MASK_KEY.fullmatch(key)]
    return masks or [key for key in keys if not _IMAGE_KEY.fullmatch(key)] or keys


def _matlab(data: bytes, path: str, limit: int) -> dict[str, NDArray[Any]]:
    """The matrices of a MATLAB file that may be masks, by name."""
    if data.startswith(MATLAB_7_3):
        raise _no_matrix(path, "a MATLAB 7.3 file (HDF5)", "save it with save(..., '-v7')")
    arrays = matlab.matrices(data, path, limit)
    if not arrays:
        raise _no_matrix(path, "no numeric matrix")
    return {key: arrays[key] for key in mask_keys(list(arrays))}


def _is_nifti(data: bytes) -> bool:
    return data[:4] in _NIFTI_SIZES and data[344:348] in _NIFTI_MAGIC


def _nifti(data: bytes, path: str, limit: int) -> dict[str, NDArray[Any]]:
    """The slices of a volume along its last axis, each (Y, X): rows are the second axis, columns the first."""
    columns, rows, slices = _nifti_shape(data, path, limit)
    nibabel = _nibabel(path)
    if data.startswith(GZIP):
        data = _unzipped(data, path, 16 * columns * rows * slices + 2**20)
    values = np.asanyarray(nibabel.Nifti1Image.from_bytes(data).dataobj)
    volume = values.reshape((columns, rows, slices), order="F")
    if slices == 1:
        return {"": volume[..., 0].T}
    return {str(i): volume[..., i].T for i in range(slices)}


def _nifti_shape(data: bytes, path: str, limit: int) -> tuple[int, int, int]:
    """(columns, rows, slices) as the header says."""
    nibabel = _nibabel(path)
    start = _unzipped(data, path, _HEADER) if data.startswith(GZIP) else data
    if not _is_nifti(start):
        raise _no_matrix(path, "a compressed file that is no NIfTI volume")
    shape = tuple(int(n) for n in nibabel.Nifti1Header(start[:348], check=False).get_data_shape())
    axes = (*shape, 1, 1)
    if len(shape) < 2 or any(n != 1 for n in shape[3:]) or min(axes) < 1:
        raise _no_matrix(path, f"a volume of shape {shape}")
    check_pixels(shape, path, limit)
    return axes[0], axes[1], axes[2]


def _nibabel(path: str) -> Any:
    try:
        import nibabel
    except ImportError:
        text = "it is a NIfTI volume, which nibabel reads; it is not installed: pip install shapeprof[medical]"
        raise UnreadableMask(path, "needs-nibabel", text) from None
    return nibabel


def _unzipped(data: bytes, path: str, most: int) -> bytes:
    """At most ``most`` bytes of a gzip file."""
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        return file.read(most)


def _no_matrix(path: str, seen: str, mend: str = "save class ids as a NumPy array or index PNG") -> UnreadableMask:
    kind = PurePosixPath(path).suffix or "array"
    text = f"it holds {seen}; expected a {kind} file of whole numbers on two axes, or of planes of them: {mend}"
    return UnreadableMask(path, "wrong-array", text)
