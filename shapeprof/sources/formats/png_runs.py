"""PNG bytes to runs, without making the pixels.

The row filters of PNG predict a pixel from its left, upper and upper left neighbours. Where residuals are
zero, runs go on: so filters are undone from run to run, which takes a fraction of the time of a decode. The
compressed stream is inflated in pieces of some rows, so that a mask of any size takes little memory.

What is read here is exactly what the pixel decoder reads. Any unusual file is left to that decoder, which says
what is wrong with it.

The loops are written out in few kernels: helpers that take arrays cost reference counts in them.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.jit import grown, kernel
from shapeprof.limits import MAX_PIXELS

from .png import GREY, PALETTE, RGB, PngFile, parse_png, png_size

MAX_SIDE = 10**6  # the most that libpng, which decodes the pixels, reads
PIECE = 2**20  # chosen: bytes inflated at a time, and at least a row
_CHANNELS = {GREY: 1, PALETTE: 1, RGB: 3}
_DEPTHS = {GREY: (1, 2, 4, 8, 16), PALETTE: (1, 2, 4, 8), RGB: (8,)}
_zlib: Any = zlib
with suppress(ImportError):  # on a machine that it is not built for
    from isal import isal_zlib

    _zlib = isal_zlib  # inflates masks three times as fast as the standard library
_NONE, _SUB, _UP, _AVERAGE, _PAETH = range(5)  # row filters
# Number of a word's lowest byte that is not 0: on top of its lowest bit times a de Bruijn sequence stands which it is.
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_LOWEST_BYTE = np.zeros(64, np.uint8)
for _bit in range(64):
    _LOWEST_BYTE[(0x03F79D71B4CB0A89 << _bit & (1 << 64) - 1) >> 58] = _bit // 8


@dataclass(frozen=True, slots=True)
class RasterRuns:
    """One file's stored values as runs: every row is covered from column 0, and neighbours in a row differ."""

    size: tuple[int, int]  # rows, columns
    row: NDArray[np.int64]  # (H + 1,) index of the first run of each row
    start: NDArray[np.int32]  # (R,) first column
    value: NDArray[np.int32]  # (R,) grey value, palette index, or colour as 0xRRGGBB
    bits: int  # that values have: 8, 16, or 24 for colours
    palette: tuple[int, ...] | None  # 0xRRGGBB by index: values are palette indices

    @property
    def length(self) -> NDArray[np.int32]:
        """(R,) pixels of each run."""
        stop = np.empty_like(self.start)
        stop[:-1] = self.start[1:]
        stop[self.row[1:] - 1] = self.size[1]
        lengths: NDArray[np.int32] = stop - self.start
        return lengths


def decode_png_runs(data: bytes, path: str, limit: int = MAX_PIXELS) -> RasterRuns | None:
    """The runs of a PNG file; None when the pixel decoder must read it, or report what is wrong with it.

    Raises UnreadableMask when a chunk is cut short or damaged. Reads grey and palette PNGs of every depth and
    8-bit RGB, without interlacing.
    """
    width, height = png_size(data)
    if not 0 < width * height <= limit or max(width, height) > MAX_SIDE:
        return None  # whatever else is wrong: this is what the pixel decoder says first
    file = parse_png(data, path)
    depth = file.depth
    if (
        not file.plain
        or sys.byteorder != "little"
        or depth not in _DEPTHS.get(file.colour_type, ())
        or (file.colour_type == PALETTE and not file.palette)
    ):
        return None
    bits = depth * _CHANNELS[file.colour_type]
    line_bytes, pixel_bytes = (width * bits + 7) // 8, (bits + 7) // 8
    row = np.zeros(height + 1, np.int64)
    start, value = np.empty((2, max(1024, 4 * height)), np.int32)
    change = np.ones(8 * (line_bytes // 8 + 1), np.uint8)
    y = 0
    for piece in _inflated(file, line_bytes + 1):
        rows = len(piece) // (line_bytes + 1)
        known, start, value = _undo(
            np.frombuffer(piece, np.uint8), rows, y, pixel_bytes, change, row, start, value, line_bytes
        )
        if not known:
            return None
        y += rows
    if y != height:
        return None
    start, value = start[: row[height]].copy(), value[: row[height]].copy()
    if bits < 8:
        step = 1 if file.colour_type == PALETTE else 255 // (2**bits - 1)  # grey samples are stretched to 0..255
        row, start, value = _split(row, start, value, width, bits, step)
    palette = file.palette if file.colour_type == PALETTE else None
    return RasterRuns((height, width), row, start, value, max(bits, 8), palette)


def _inflated(file: PngFile, line_bytes: int) -> Iterator[bytes]:
    """The filtered rows in pieces of whole rows; ends early when the stream does not hold just these rows."""
    left = file.height * line_bytes
    size = max(1, PIECE // line_bytes) * line_bytes
    stream, waiting = _zlib.decompressobj(), file.compressed
    try:
        while left:
            last = left <= size
            piece = stream.decompress(waiting, left + 1 if last else size)
            if len(piece) != min(left, size) or (last and (not stream.eof or stream.unused_data)):
                return
            waiting = stream.unconsumed_tail
            left -= len(piece)
            yield piece
    except _zlib.error:
        return


@kernel
def _plus(a, b):  # type: ignore[no-untyped-def]
    """The sums, modulo 256, of the bytes of two packed pixels."""
    return ((a & 0x7F7F7F) + (b & 0x7F7F7F)) ^ ((a ^ b) & 0x808080)


@kernel
def _mean(a, b):  # type: ignore[no-untyped-def]
    """The means, rounded down, of the bytes of two packed pixels."""
    return (a & b) + (((a ^ b) & 0xFEFEFE) >> 1)


@kernel
def _paeth(left, up, corner):  # type: ignore[no-untyped-def]
    """For every byte of packed pixels, that neighbour which is nearest to left + up - corner."""
    chosen = 0
    for shift in (0, 8, 16):
        a, b, c = left >> shift & 255, up >> shift & 255, corner >> shift & 255
        to_a, to_b, to_c = abs(b - c), abs(a - c), abs(a + b - 2 * c)
        best = a if to_a <= to_b and to_a <= to_c else b if to_b <= to_c else c
        chosen |= best << shift
    return chosen


@kernel
def _undo(out, rows, y, pixel_bytes, change, row, start, value, line_bytes):  # type: ignore[no-untyped-def]
    """Append the runs of ``rows`` filtered rows; (whether all filters are known, start, value).

    A run can begin only where the row above has one that begins (if the filter looks there), or where the
    residual is not 0 (Sub, Paeth, Average) or differs from that of the pixel before (None, Up): those places
    alone are visited. Paeth predicts the left pixel where up and corner are equal. Average predicts it where
    up and left are equal, and goes on pixel by pixel where they are not.
    ``change`` is not 0 at such places, and at its end. Indices are unsigned: numba looks at signed ones for being
    negative.
    """
    width = line_bytes // pixel_bytes
    words = change.view(np.uint64)
    zero, one, three, seven = np.uint64(0), np.uint64(1), np.uint64(3), np.uint64(7)
    n, end, step = np.uint64(row[y]), np.uint64(width), np.uint64(pixel_bytes)
    for number in range(rows):
        begin = number * (line_bytes + 1)
        kind = out[begin]
        if kind > _PAETH:
            return False, start, value
        line = out[begin + 1 : begin + 1 + line_bytes]
        if kind in (_NONE, _UP):
            later, changes = line[pixel_bytes:], change[pixel_bytes:line_bytes]
            for i in range(line_bytes - pixel_bytes):
                changes[i] = later[i] ^ line[i]
        else:
            for i in range(line_bytes):
                change[i] = line[i]
        room = row[y] + width
        if room > start.size:
            start, value = grown(start, 2 * room), grown(value, 2 * room)
        above, end_above = np.uint64(row[max(y - 1, 0)]), np.uint64(row[y])
        next_above = end if kind in (_NONE, _SUB) or y == 0 else zero
        next_change = zero
        left = up = np.int64(0)
        x = zero
        while x < end:
            corner = up
            if x == next_above:
                up = np.int64(value[above])
                above += one
                next_above = np.uint64(start[above]) if above < end_above else end
            here = x * step
            residual = np.int64(line[here])
            if pixel_bytes > 1:
                residual = residual << 8 | np.int64(line[here + one])
            if pixel_bytes > 2:
                residual = residual << 8 | np.int64(line[here + one + one])
            if kind in (_NONE, _UP):
                new = _plus(up, residual)
            elif kind == _AVERAGE:
                new = _plus(_mean(left, up), residual)
            elif corner == up:
                new = _plus(left, residual)
            else:
                new = _plus(_paeth(left, up, corner), residual)
            if new != left or x == zero:
                start[n] = x
                value[n] = new
                n += one
            left = new
            if x >= next_change:  # on to the next byte of ``change`` that is not 0, eight at a time
                here += step
                at = here >> three
                word = words[at] >> ((here & seven) << three)
                if word == zero:
                    at += one
                    while words[at] == zero:
                        at += one
                    word, here = words[at], at << three
                here += np.uint64(_LOWEST_BYTE[((word & (~word + one)) * _DE_BRUIJN) >> np.uint64(58)])
                next_change = here if pixel_bytes == 1 else here // step
            x = x + one if kind == _AVERAGE and new != up else min(next_above, next_change)
        y += 1
        row[y] = n
    return True, start, value


@kernel
def _split(row, start, value, width, bits, step):  # type: ignore[no-untyped-def]
    """Runs of bytes that hold several samples, as runs of samples times ``step``."""
    samples, most = 8 // bits, (1 << bits) - 1
    capacity = 2 * start.size + width
    new_row = np.empty(row.size, np.int64)
    new_start, new_value = np.empty(capacity, np.int32), np.empty(capacity, np.int32)
    n = 0
    for y in range(row.size - 1):
        new_row[y] = n
        if n + width > new_start.size:
            new_start, new_value = grown(new_start, 2 * (n + width)), grown(new_value, 2 * (n + width))
        last = -1
        for i in range(row[y], row[y + 1]):
            packed = np.int64(value[i])
            begin = samples * start[i]
            end = samples * start[i + 1] if i + 1 < row[y + 1] else width
            if packed == (packed & most) * (255 // most):
                end = begin + 1
            for x in range(begin, min(end, width)):
                sample = packed >> (8 - bits * (x % samples + 1)) & most
                if sample != last:
                    new_start[n], new_value[n] = x, sample * step
                    n += 1
                    last = sample
    new_row[row.size - 1] = n
    return new_row, new_start[:n].copy(), new_value[:n].copy()
