"""NumPy arrays and text as Arrow arrays, from their buffers.

``pyarrow.array`` does the same, but imports pandas to look whether it was given any of it: 0.3 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def arrow_array(values: NDArray[Any]) -> pa.Array:
    """(n,) integers, floats (NaN stays NaN, nothing is null) or booleans."""
    kind = pa.from_numpy_dtype(values.dtype)
    stored = np.packbits(values, bitorder="little") if values.dtype == bool else np.ascontiguousarray(values)
    return pa.Array.from_buffers(kind, values.size, [None, pa.py_buffer(stored)])


def arrow_text(texts: Sequence[str]) -> pa.Array:
    """Strings; lone surrogates are not allowed."""
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(encoded), buffers)


def numpy_array(array: pa.Array) -> NDArray[Any]:
    """The array that ``arrow_array`` was given."""
    buffer = array.buffers()[1]
    if pa.types.is_boolean(array.type):
        bits = np.unpackbits(np.frombuffer(buffer, np.uint8), bitorder="little")
        return bits[array.offset : array.offset + len(array)].astype(bool)
    kind = np.dtype(array.type.to_pandas_dtype())
    return np.frombuffer(buffer, kind, len(array), array.offset * kind.itemsize)
