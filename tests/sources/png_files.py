"""PNG files written by hand: any depth, any filter on every row, any mistake."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE = 0, 2, 3


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def packed_rows(samples: np.ndarray, depth: int) -> np.ndarray:
    """(H, bytes) uint8 rows, unfiltered, of (H, W) samples or (H, W, 3) colours."""
    flat = samples.reshape(len(samples), -1)
    if depth == 16:
        return flat.astype(">u2").view(np.uint8)
    bits = np.unpackbits(flat.astype(np.uint8)[..., None], axis=-1)[..., 8 - depth :]
    return np.packbits(bits.reshape(len(samples), -1), axis=-1)


def filtered(rows: np.ndarray, filters: Sequence[int], step: int) -> bytes:
    """The rows behind their filters; ``step``: bytes from a pixel to the next, at least 1."""
    height, width = rows.shape
    padded = np.zeros((height + 1, width + step), np.int64)
    padded[1:, step:] = rows
    left, up, corner = padded[1:, :-step], padded[:-1, step:], padded[:-1, :-step]
    to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    nearest = np.where(to_up <= to_corner, up, corner)
    nearest = np.where((to_left <= to_up) & (to_left <= to_corner), left, nearest)
    predictions = (np.zeros_like(left), left, up, (left + up) // 2, nearest)
    out = bytearray()
    for y, kind in enumerate(filters):
        out.append(kind)
        out += ((rows[y] - predictions[kind][y]) % 256).astype(np.uint8).tobytes()
    return bytes(out)


def assemble(
    size: tuple[int, int],
    depth: int,
    colour_type: int,
    stream: bytes,
    palette: bytes = b"",
    interlace: int = 0,
    parts: int = 1,
) -> bytes:
    """A PNG file around a compressed stream, cut into ``parts`` IDAT chunks."""
    height, width = size
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlace)
    cuts = [len(stream) * i // parts for i in range(parts + 1)]
    images = [chunk(b"IDAT", stream[a:b]) for a, b in pairwise(cuts)]
    colours = [chunk(b"PLTE", palette)] if palette else []
    return b"".join([SIGNATURE, chunk(b"IHDR", header), *colours, *images, chunk(b"IEND", b"")])


def write_png(
    samples: np.ndarray,
    depth: int,
    colour_type: int = GREY,
    filters: Sequence[int] | None = None,
    palette: bytes = b"",
    level: int = 6,
    parts: int = 1,
) -> bytes:
    """The bytes of a PNG file of ``samples``; ``filters``: of each row, None without."""
    step = 3 if colour_type == RGB else max(1, depth // 8)
    rows = filtered(packed_rows(samples, depth), filters or [0] * len(samples), step)
    size = (samples.shape[0], samples.shape[1])
    return assemble(size, depth, colour_type, zlib.compress(rows, level), palette, parts=parts)
