"""PNG files: their chunks are checked, then OpenCV decodes the pixels.

``cv2`` expands palettes to colours and prints complaints about side chunks on stderr. Both are
avoided by the data that it gets: ``stripped`` keeps the image alone and declares palette indices grey.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import cv2
import numpy as np

from shapeprof.errors import UnreadableMask

from .format import Format, register
from .raster import Raster, check_size, from_channels

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6  # colour types of the PNG specification
_HEADER = struct.Struct(">IIBBBBB")
_CHUNK = struct.Struct(">I4s")


@dataclass(frozen=True, slots=True)
class PngFile:
    """One PNG file, its chunks checked."""

    width: int
    height: int
    depth: int  # bits per sample
    colour_type: int
    palette: tuple[int, ...]  # 0xRRGGBB by index; () without PLTE
    plain: bool  # begins with its only header, which names the methods that PNG has; not interlaced
    data: bytes  # the whole file
    header: bytes  # body of IHDR
    image: tuple[tuple[int, int], ...]  # where in ``data`` its IDAT chunks begin and end
    is_bare: bool  # has no chunk beside header, image and end

    @property
    def compressed(self) -> bytes:
        """The compressed samples: the bodies of the IDAT chunks."""
        bodies = [self.data[start + _CHUNK.size : end - 4] for start, end in self.image]
        return bodies[0] if len(bodies) == 1 else b"".join(bodies)

    @property
    def stripped(self) -> bytes:
        """A valid PNG of the same samples; palette indices as grey values."""
        if self.is_bare:
            return self.data
        return _rebuilt(self.header, [self.data[start:end] for start, end in self.image], self.colour_type)


def parse_png(data: bytes, path: str) -> PngFile:
    """Read the chunks of ``data``; raise UnreadableMask when one is cut short or damaged.

    Every chunk's checksum is compared: that costs under 1 % of a decode and finds every cut and
    almost every changed byte, where some decoders return a half-filled image.
    """
    header, palette, image, simple = b"", b"", [], True
    offset = header_at = len(SIGNATURE)
    while True:
        kind, body, end = _chunk(data, offset, path)
        if kind == b"IHDR":
            header, header_at = body, offset
        elif kind == b"PLTE":
            palette = body
        elif kind == b"IDAT":
            image.append((offset, end))
        elif kind == b"IEND":
            break
        elif kind == b"acTL" and int.from_bytes(body[:4], "big") > 1:
            text = "it is an animation of several pictures; a mask has one: split it into files"
            raise UnreadableMask(path, "multi-page", text)
        else:
            simple = False
        offset = end
    if len(header) != _HEADER.size or not image:
        raise UnreadableMask(path, "damaged-file", "the PNG has no header or no image data; export it again")
    width, height, depth, colour_type, *methods = _HEADER.unpack(header)
    plain = header_at == len(SIGNATURE) and data[12:16] == b"IHDR" and methods == [0, 0, 0]
    bare = simple and not palette
    return PngFile(width, height, depth, colour_type, _packed(palette), plain, data, header, tuple(image), bare)


def png_size(data: bytes) -> tuple[int, int]:
    """(width, height) as the first bytes of a PNG say; (0, 0) when they are too few."""
    if len(data) < len(SIGNATURE) + 16:
        return 0, 0
    width, height = struct.unpack_from(">II", data, len(SIGNATURE) + 8)
    return int(width), int(height)


def _chunk(data: bytes, offset: int, path: str) -> tuple[bytes, bytes, int]:
    """(type, body, end offset) of the chunk at ``offset``."""
    if offset + 12 > len(data):
        raise _truncated(path, len(data))
    length, kind = _CHUNK.unpack_from(data, offset)
    end = offset + 12 + length
    if end > len(data):
        raise _truncated(path, len(data))
    body = data[offset + 8 : end - 4]
    stored = int.from_bytes(data[end - 4 : end], "big")
    if zlib.crc32(body, zlib.crc32(kind)) != stored:
        raise UnreadableMask(
            path,
            "damaged-file",
            f"the checksum of its {kind.decode('latin-1')} chunk does not match, so bytes were changed "
            "after it was written; copy or export the file again",
        )
    return kind, body, end


def _truncated(path: str, size: int) -> UnreadableMask:
    return UnreadableMask(
        path,
        "truncated-file",
        f"the PNG stops after {size} bytes, before its end marker; copy or export the file again",
    )


def _rebuilt(header: bytes, image: list[bytes], colour_type: int) -> bytes:
    if colour_type == PALETTE:  # same samples, same depth: only the meaning of a value differs
        header = header[:9] + bytes([GREY]) + header[10:]
    checksum = zlib.crc32(b"IHDR" + header).to_bytes(4, "big")
    start = _CHUNK.pack(len(header), b"IHDR") + header + checksum
    end = _CHUNK.pack(0, b"IEND") + zlib.crc32(b"IEND").to_bytes(4, "big")
    return b"".join([SIGNATURE, start, *image, end])


def _packed(palette: bytes) -> tuple[int, ...]:
    return tuple(int.from_bytes(palette[i : i + 3], "big") for i in range(0, len(palette) - 2, 3))


def _read(data: bytes, path: str, member: str, limit: int) -> Raster:
    check_size(*png_size(data), path, limit)  # before anything else is believed
    file = parse_png(data, path)
    check_size(file.width, file.height, path, limit)
    try:
        values = cv2.imdecode(np.frombuffer(file.stripped, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        text = f"OpenCV can't hold its {file.width} x {file.height} pixels, or reads no such PNG; split it into tiles"
        raise UnreadableMask(path, "too-large", text) from None
    if values is None or values.shape[:2] != (file.height, file.width):
        raise UnreadableMask(path, "damaged-file", "its compressed image data can't be decoded; export the file again")
    if file.colour_type == PALETTE:
        if file.depth < 8:  # OpenCV stretches small samples to 0..255; an index is the sample itself
            values = values // (255 // (2**file.depth - 1))
        return Raster(values, file.palette)
    return from_channels(values, path)


def _size(data: bytes, path: str, member: str) -> tuple[int, int]:
    return png_size(data)


register(Format("PNG", (".png",), lambda data: data.startswith(SIGNATURE), _read, size=_size, header=24, guarded=False))
