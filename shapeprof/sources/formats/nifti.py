"""NIfTI volumes, read by nibabel: each slice along the last axis is a mask."""

from __future__ import annotations

import gzip
import io
from functools import lru_cache
from typing import Any

import numpy as np

from shapeprof.errors import UnreadableMask

from .decoders import check_pixels
from .planes import Planes, register_arrays, wrong_array

GZIP = b"\x1f\x8b"
_SIZES = (b"\x5c\x01\x00\x00", b"\x00\x00\x01\x5c")  # of the header, 348, in either order of bytes
_MAGIC = (b"n+1\0", b"ni1\0")
_HEADER = 352  # bytes of a NIfTI header and its extension flag


def _recognises(data: bytes) -> bool:
    return data.startswith(GZIP) or _is_nifti(data)


def _is_nifti(data: bytes) -> bool:
    return data[:4] in _SIZES and data[344:348] in _MAGIC


def _members(data: bytes, path: str, limit: int) -> tuple[str, ...]:
    slices = _shape(data, path, limit)[2]
    return ("",) if slices == 1 else tuple(map(str, range(slices)))


@lru_cache(maxsize=2)
def _slices(data: bytes, path: str, limit: int) -> Planes:
    """The slices of a volume along its last axis, each (Y, X). The last volumes are kept."""
    columns, rows, slices = _shape(data, path, limit)
    nibabel = _nibabel(path)
    if data.startswith(GZIP):
        data = _unzipped(data, path, 16 * columns * rows * slices + 2**20)
    values = np.asanyarray(nibabel.Nifti1Image.from_bytes(data).dataobj)
    volume = values.reshape((columns, rows, slices), order="F")
    if slices == 1:
        return {"": volume[..., 0].T}
    return {str(i): volume[..., i].T for i in range(slices)}


def _shape(data: bytes, path: str, limit: int) -> tuple[int, int, int]:
    """(columns, rows, slices) as the header says."""
    nibabel = _nibabel(path)
    start = _unzipped(data, path, _HEADER) if data.startswith(GZIP) else data
    if not _is_nifti(start):
        raise wrong_array(path, "a compressed file that is no NIfTI volume")
    shape = tuple(int(n) for n in nibabel.Nifti1Header(start[:348], check=False).get_data_shape())
    axes = (*shape, 1, 1)
    if len(shape) < 2 or any(n != 1 for n in shape[3:]) or min(axes) < 1:
        raise wrong_array(path, f"a volume of shape {shape}")
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


register_arrays("NIfTI", (".nii", ".nii.gz"), _recognises, _slices, members=_members, slices=True)
