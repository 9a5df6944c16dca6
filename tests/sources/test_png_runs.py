"""PNG bytes to runs: what the pixel decoder finds, or nothing."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from png_files import GREY, PALETTE, RGB, assemble, filtered, packed_rows, write_png

from shapeprof.errors import UnreadableMask
from shapeprof.sources.formats import png_runs
from shapeprof.sources.formats.decode import decode
from shapeprof.sources.formats.png_runs import RasterRuns, decode_png_runs
from shapeprof.sources.formats.raster import pack

KINDS = [*((GREY, depth) for depth in (1, 2, 4, 8, 16)), *((PALETTE, depth) for depth in (1, 2, 4, 8)), (RGB, 8)]


def expanded(runs: RasterRuns) -> np.ndarray:
    """(H, W) values; checks that every row is covered and that runs are as long as they can be."""
    out = np.full(runs.size, -1, np.int64)
    assert runs.row[0] == 0
    assert runs.row[-1] == runs.start.size == runs.value.size
    for y, (first, end) in enumerate(zip(runs.row, runs.row[1:], strict=False)):
        start, value = runs.start[first:end], runs.value[first:end]
        assert start[0] == 0
        assert (np.diff(start) > 0).all()
        assert (np.diff(value.astype(np.int64)) != 0).all()
        out[y] = np.repeat(value, np.diff(start, append=runs.size[1]))
    return out


def outcome(data: bytes) -> object:
    """What the pixel decoder makes of a file: raw values and palette, or the code of its refusal."""
    try:
        raster = decode(data, "x.png")
    except UnreadableMask as error:
        return error.code
    return (pack(raster.values) if raster.is_colour else raster.values).tolist(), raster.palette


def run_outcome(data: bytes) -> object:
    """The same by runs; None when the pixel decoder is asked."""
    try:
        runs = decode_png_runs(data, "x.png")
    except UnreadableMask as error:
        return error.code
    return None if runs is None else (expanded(runs).tolist(), runs.palette)


@st.composite
def pictures(draw: st.DrawFn) -> tuple[np.ndarray, int, int, list[int], int, int]:
    """(samples, depth, colour type, filters, compression level, number of IDAT chunks)."""
    colour_type, depth = draw(st.sampled_from(KINDS))
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (height, width, 3) if colour_type == RGB else (height, width)
    levels = rng.integers(0, 2**depth, (draw(st.integers(1, 5)), *shape[2:]))
    if draw(st.booleans()):
        samples = rng.integers(0, 2**depth, shape)  # noise
    else:
        samples = levels[rng.integers(0, len(levels), (height // 3 + 1, width // 5 + 1))]
        samples = samples.repeat(3, 0).repeat(5, 1)[:height, :width]  # blocks, with a few stray pixels
        stray = rng.random((height, width)) < draw(st.sampled_from([0, 0.05]))
        samples[stray] = levels[0]
    filters = rng.integers(0, 5, height).tolist() if draw(st.booleans()) else [draw(st.integers(0, 4))] * height
    return samples, depth, colour_type, filters, draw(st.sampled_from([0, 1, 6, 9])), draw(st.integers(1, 3))


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(picture=pictures())
def test_every_filter_depth_and_shape(picture: tuple[np.ndarray, int, int, list[int], int, int]) -> None:
    samples, depth, colour_type, filters, level, parts = picture
    palette = bytes(range(256)) * 3 if colour_type == PALETTE else b""
    data = write_png(samples, depth, colour_type, filters, palette[: 3 * 2**depth], level, parts)
    runs = decode_png_runs(data, "x.png")
    assert runs is not None
    found = expanded(runs)
    if colour_type == RGB:
        expected = samples @ np.array([65536, 256, 1])
    else:
        expected = samples * (255 // (2**depth - 1) if colour_type == GREY and depth < 8 else 1)
    assert (found == expected).all()
    assert (runs.palette is not None) == (colour_type == PALETTE)
    assert runs.bits == (24 if colour_type == RGB else max(8, depth))
    assert outcome(data) == (found.tolist(), runs.palette)


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "1", "I;16"])
def test_what_pillow_writes(mode: str) -> None:
    ids = np.random.default_rng(0).integers(0, 4, (9, 11)).repeat(7, 0).repeat(6, 1).astype(np.uint8)
    image = Image.fromarray(ids.astype(np.uint16) * 300) if mode == "I;16" else Image.fromarray(ids * 80)
    file = io.BytesIO()
    (image if mode == "I;16" else image.convert(mode)).save(file, "png")
    assert run_outcome(file.getvalue()) == outcome(file.getvalue())


def test_a_stream_that_is_inflated_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    samples = rng.integers(0, 256, (3, 7, 5, 3)).repeat(30, 1).repeat(40, 2)[0]
    data = write_png(samples, 8, RGB, rng.integers(0, 5, len(samples)).tolist())
    whole = decode_png_runs(data, "x.png")
    assert whole is not None
    for piece in (1, 1301, 5000):
        monkeypatch.setattr(png_runs, "PIECE", piece)
        cut = decode_png_runs(data, "x.png")
        assert cut is not None
        assert (expanded(cut) == expanded(whole)).all()
    assert (expanded(whole) == samples @ np.array([65536, 256, 1])).all()


def odd_files() -> dict[str, bytes]:
    """Files with something odd about them, by what it is."""
    samples = np.random.default_rng(2).integers(0, 3, (6, 40)).repeat(3, 0)
    raw = filtered(packed_rows(samples, 8), [4] * 18, 1)
    good = zlib.compress(raw)
    wrong = bytearray(raw)
    wrong[41 * 7] = 5

    def whole(stream: bytes, **more: int) -> bytes:
        return assemble((18, 40), more.pop("depth", 8), more.pop("kind", GREY), stream, **more)

    lie = assemble((2**20, 2**20), 8, GREY, good)
    return {
        "too little data": whole(zlib.compress(raw[:-1])),
        "too few rows": whole(zlib.compress(raw[:41])),
        "too much data": whole(zlib.compress(raw + raw)),
        "one byte more": whole(zlib.compress(raw + b"\0")),
        "bytes behind the stream": whole(good + b"tail"),
        "a stream cut short": whole(good[:-9]),
        "no checksum": whole(good[:-4]),
        "a wrong checksum": whole(good[:-1] + bytes([good[-1] ^ 1])),
        "no stream": whole(b""),
        "an unknown filter": whole(zlib.compress(bytes(wrong))),
        "an interlaced header": whole(good, interlace=1),
        "a depth there is not": whole(good, depth=3),
        "a depth that palettes do not have": whole(good, depth=16, kind=PALETTE),
        "no palette": whole(good, kind=PALETTE),
        "grey and alpha": whole(good, kind=4),
        "colours of 16 bits": whole(good, depth=16, kind=RGB),
        "an end and more": whole(good) + b"more",
        "a wide lie": assemble((1, 2**28), 8, GREY, good),
        "a tall lie": assemble((2**28, 1), 8, GREY, good),
        "a large lie, damaged": lie[:-20] + b"damage" + lie[-14:],
        "a large lie, cut short": lie[:-20],
        "a long strip": write_png(np.zeros((1, 1_200_000), int), 8),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", odd_files())
def test_what_is_odd_is_left_to_the_pixel_decoder(name: str) -> None:
    data = odd_files()[name]
    found = run_outcome(data)
    assert found is None or found == outcome(data)


def test_damaged_files_end_as_they_do_as_pixels() -> None:
    """Bytes changed or cut off, in the file and (with checksums made good) in the compressed stream."""
    rng = np.random.default_rng(3)
    samples = rng.integers(0, 4, (10, 13)).repeat(4, 0).repeat(5, 1)
    good = write_png(samples, 8, GREY, rng.integers(0, 5, 40).tolist())
    stream = zlib.compress(filtered(packed_rows(samples, 8), rng.integers(0, 5, 40).tolist(), 1))
    read = 0
    for i in range(500):
        data, inner = bytearray(good), bytearray(stream)
        if i % 5 == 0:
            data = data[: rng.integers(8, len(data))]
        elif i % 5 == 1:
            data[rng.integers(8, len(data))] ^= 1 << rng.integers(8)
        else:
            for _ in range(rng.integers(1, 3)):
                inner[rng.integers(len(inner))] = rng.integers(256)
            data = bytearray(assemble((40, 65), 8, GREY, bytes(inner)))
        found = run_outcome(bytes(data))
        assert found is None or found == outcome(bytes(data))
        read += isinstance(found, tuple)
    assert read < 50
