"""PGM, the grey maps of Netpbm: binary (P5) and plain text (P2), of 8 and 16 bits. A sample is the stored value.

Reference: https://netpbm.sourceforge.net/doc/pgm.html
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.errors import UnreadableMask

from .format import Format, register
from .raster import Raster, check_size

_SPACE = rb"(?:\s|#[^\r\n]*[\r\n])+"  # a comment counts as space
_HEADER = re.compile(rb"P([25])" + (_SPACE + rb"(\d{1,9})") * 3 + rb"\s")


def _read(data: bytes, path: str, member: str, limit: int) -> Raster:
    header = _HEADER.match(data)
    if header is None:
        text = "its header stops before width, height and largest value; copy or export the file again"
        raise UnreadableMask(path, "damaged-file", text)
    width, height, most = (int(number) for number in header.groups()[1:])
    check_size(width, height, path, limit)
    if not 0 < most < 65536:
        text = f"it declares {most} as its largest value; expected 1 to 65535: export it again"
        raise UnreadableMask(path, "damaged-file", text)
    samples = data[header.end() :]
    values = _binary(samples, most) if header[1] == b"5" else _plain(samples)
    if values.size < width * height:
        text = f"it declares {width} x {height} pixels and holds {values.size}; copy or export the file again"
        raise UnreadableMask(path, "truncated-file", text)
    if values.size > width * height:
        text = f"{values.size - width * height} values follow its {width} x {height} pixels; split it into files"
        raise UnreadableMask(path, "multi-page", text)
    if values.max() > most:
        text = f"it holds {values.max()}, more than the largest value that it declares ({most}); export it again"
        raise UnreadableMask(path, "damaged-file", text)
    return Raster(values.astype(np.uint8 if most < 256 else np.uint16).reshape(height, width))


def _binary(samples: bytes, most: int) -> NDArray[Any]:
    size = 1 if most < 256 else 2
    return np.frombuffer(samples, "u1" if size == 1 else ">u2", len(samples) // size)


def _plain(samples: bytes) -> NDArray[Any]:
    numbers = re.sub(rb"#[^\r\n]*", b"", samples).split()
    if not all(number.isdigit() for number in numbers):
        raise ValueError("one of its values is no whole number")
    return np.array(list(map(int, numbers)), np.uint64)


register(Format("PGM", (".pgm",), lambda data: data[:2] in (b"P2", b"P5") and data[2:3].isspace(), _read))
