"""Numeric matrices in MATLAB 5 files (``save -v5``, ``-v6`` and ``-v7``), also those in structs.

Read here, as ``scipy.io.loadmat`` was seen to end the process on damaged files, where no error can be caught.

Reference: MathWorks, MAT-File Format, level 5.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .decoders import check_pixels
from .planes import Planes, mask_keys, planes_of_arrays, register_arrays, wrong_array

MAGIC, MAGIC_7_3 = b"MATLAB 5.0", b"MATLAB 7.3"
_HEADER = 128  # bytes; the last two say the order of bytes
_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_MATRIX, _COMPRESSED = 14, 15  # types of elements
_STRUCT, _NUMERIC = 2, range(6, 16)  # classes of matrices
_COMPLEX = 0x0800
_DEEPEST, _MOST_FIELDS = 8, 4096  # chosen: of structs in structs; of fields of one


def matrices(data: bytes, path: str, limit: int) -> dict[str, NDArray[np.generic]]:
    """The real numeric matrices of two axes or more by name, those in structs under ``struct.field``.

    Args:
        data: the bytes of the file.
        path: the name of the mask, for messages.
        limit: elements that a matrix may have.

    Raises:
        UnreadableMask: a matrix is too large. ValueError and the like: the file is damaged.
    """
    order = {b"IM": "<", b"MI": ">"}[data[126:128]]
    found: dict[str, NDArray[np.generic]] = {}
    for kind, body in _elements(memoryview(data)[_HEADER:], order):
        if kind == _COMPRESSED:
            whole = zlib.decompressobj().decompress(body, 8 * limit + 2**16)
            kind, body = next(_elements(memoryview(whole), order))
        if kind == _MATRIX:
            _collect(body, order, "", found, path, limit, 0)
    return found


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """(type, body) of the elements in ``data``, one after the other; raise ValueError where one is cut short."""
    at = 0
    while at < len(data):
        kind, size = struct.unpack_from(f"{order}II", data, at)
        at, begin = at + 8, at + 8
        if kind >> 16:  # a small one: its size lies beside its type, and its body in place of the size
            kind, size, begin = kind & 0xFFFF, kind >> 16, begin - 4
        elif kind == _COMPRESSED:
            at += size
        else:
            at += -(-size // 8) * 8
        if begin + size > len(data):
            raise ValueError("the file is truncated: it stops inside of a variable")
        yield kind, data[begin : begin + size]


def _collect(
    body: memoryview, order: str, prefix: str, found: dict[str, NDArray[np.generic]], path: str, limit: int, depth: int
) -> None:
    """Add the matrix in ``body``, or the matrices in the fields of a struct."""
    if not body:
        return  # an empty matrix
    parts = _elements(body, order)
    flags = int(_values(next(parts), order)[0])
    shape = tuple(int(n) for n in _values(next(parts), order))
    name = ".".join(part for part in (prefix, bytes(next(parts)[1]).decode("latin-1")) if part)
    if flags & 0xFF == _STRUCT and depth < _DEEPEST:
        size = int(_values(next(parts), order)[0])
        names = bytes(next(parts)[1])
        count = min(len(names) // size, _MOST_FIELDS)
        fields = [names[i * size : (i + 1) * size].split(b"\0")[0].decode("latin-1") for i in range(count)]
        for field, (kind, inner) in zip(fields, parts, strict=False):  # of the first struct of an array
            if kind == _MATRIX:
                _collect(inner, order, f"{name}.{field}", found, path, limit, depth + 1)
    elif flags & 0xFF in _NUMERIC and not flags & _COMPLEX and len(shape) >= 2 and min(shape) >= 1:
        check_pixels(shape, path, limit)
        count = math.prod(shape)
        if count > 1:  # a single number is no mask
            found[name] = _values(next(parts), order)[:count].reshape(shape, order="F")


def _values(element: tuple[int, memoryview], order: str) -> NDArray[np.generic]:
    kind, body = element
    return np.frombuffer(body, np.dtype(_TYPES[kind]).newbyteorder("<" if order == "<" else ">"))


@lru_cache(maxsize=2)
def _planes(data: bytes, path: str, limit: int) -> Planes:
    """The matrices that may be masks, by name. The last files are kept, as their members are read one by one."""
    if data.startswith(MAGIC_7_3):
        raise wrong_array(path, "a MATLAB 7.3 file (HDF5)", "save it with save(..., '-v7')")
    arrays = matrices(data, path, limit)
    if not arrays:
        raise wrong_array(path, "no numeric matrix")
    return planes_of_arrays({key: arrays[key] for key in mask_keys(list(arrays))}, path)


register_arrays("MATLAB", (".mat",), lambda data: data.startswith((MAGIC, MAGIC_7_3)), _planes)
