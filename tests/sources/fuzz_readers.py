"""Damaged masks in every format: the readers refuse them or read them, and do nothing else.

``python tests/sources/fuzz_readers.py --count 20000`` runs more than the test does. A case is a valid file of one
format with some of its bytes changed, cut, repeated or replaced by those of another; checksums and compression are
renewed for half of them, so that the damage gets behind these. Anything but a mask or an UnreadableMask is a failure:
other errors, warnings, a case of over 10 s, and output on stderr.
"""

from __future__ import annotations

import argparse
import gzip
import io
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
import tifffile
from PIL import Image
from png_files import GREY, PALETTE, RGB, assemble, chunk, write_png

from shapeprof.errors import UnreadableMask
from shapeprof.labelmap import ClassTable
from shapeprof.sources import Encoding, read_mask, read_runs
from shapeprof.sources.formats.decode import members
from shapeprof.sources.formats.members import member_name
from shapeprof.sources.formats.stored_bytes import read_bytes
from shapeprof.sources.values.survey import look_at

LIMIT = 2**22  # pixels: what declares more is refused, so that cases are quick
SECONDS = 10
_TABLE = ClassTable(("background", "a", "b", "c"), 0)
_IDS = tuple((i, i) for i in range(4))
ENCODINGS = (
    Encoding("index", _IDS, _TABLE, max_pixels=LIMIT),
    Encoding("binary", ((0, 0), (255, 1)), _TABLE, max_pixels=LIMIT),
    Encoding("palette", _IDS, _TABLE, palette=((0, 0), (1, 0x3C1098)), max_pixels=LIMIT),
    Encoding("colour", ((0, 0), (0x3C1098, 1)), _TABLE, max_pixels=LIMIT),
    Encoding("instance", ((0, 0),), _TABLE, instances=True, max_pixels=LIMIT),
    Encoding("index", _IDS, _TABLE, pages="one-hot", max_pixels=LIMIT),
    Encoding("index", _IDS, _TABLE, pages="stack", max_pixels=LIMIT),
)


def ids(seed: int = 0, size: tuple[int, int] = (17, 23)) -> np.ndarray:
    """Ids 0 to 3 in blocks."""
    small = np.random.default_rng(seed).integers(0, 4, (size[0] // 3 + 1, size[1] // 4 + 1))
    return small.repeat(3, 0).repeat(4, 1)[: size[0], : size[1]].astype(np.uint8)


def saved(values: np.ndarray, form: str, **options: Any) -> bytes:
    """The bytes of an image that Pillow writes."""
    file = io.BytesIO()
    Image.fromarray(values).save(file, form, **options)
    return file.getvalue()


def tiff(values: np.ndarray, **options: Any) -> bytes:
    """The bytes of a TIFF file that tifffile writes."""
    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


def npy(values: np.ndarray) -> bytes:
    """The bytes of an NPY file."""
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def npz(entries: dict[str, bytes]) -> bytes:
    """The bytes of an NPZ file of ready NPY files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return file.getvalue()


def matlab(variables: dict[str, Any], *, compressed: bool) -> bytes:
    """The bytes of a MATLAB 5 file."""
    file = io.BytesIO()
    scipy.io.savemat(file, variables, do_compression=compressed)
    return file.getvalue()


def nifti() -> bytes:
    """The bytes of a NIfTI volume of three slices, made by hand."""
    volume = np.stack([ids(i) for i in range(3)])
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *volume.shape[::-1], 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, 2, 8)
    struct.pack_into("<8f", header, 76, *[1.0] * 8)
    struct.pack_into("<f", header, 108, 352.0)
    header[344:348] = b"n+1\0"
    return bytes(header) + volume.tobytes()


def seeds() -> dict[str, list[bytes]]:
    """Valid files, by suffix."""
    values = ids()
    palette = bytes([0, 0, 0, 60, 16, 152, 132, 41, 246, 226, 169, 41])
    colours = np.frombuffer(palette, np.uint8).reshape(4, 3)[values]
    rgba = np.dstack([colours, np.full(values.shape, 255, np.uint8)])
    pages = np.stack([values == i for i in range(4)]).astype(np.uint8)
    filters = [0, 1, 2, 3, 4] * 3 + [4, 3]
    interlaced = assemble(values.shape, 8, GREY, zlib.compress(b"\0" + bytes(600)), interlace=1)
    frames = [Image.fromarray(page) for page in pages]
    animated = io.BytesIO()
    frames[0].save(animated, "GIF", save_all=True, append_images=frames[1:])
    return {
        "png": [
            *(write_png(values & (1 if depth == 1 else 3), depth, filters=filters) for depth in (1, 2, 4, 8, 16)),
            write_png(values, 8, PALETTE, filters, palette),
            write_png(values, 2, PALETTE, palette=palette),
            write_png(colours, 8, RGB, filters, parts=3),
            saved(rgba, "PNG"),
            interlaced,
        ],
        "tif": [
            *(saved(values, "TIFF", compression=how) for how in ("raw", "tiff_lzw", "packbits", "tiff_deflate")),
            saved(colours, "TIFF"),
            tiff(values.astype(np.int64)),
            tiff(values.astype(np.float32), bigtiff=True),
            tiff(pages, photometric="minisblack"),
            tiff(pages, photometric="minisblack", planarconfig="separate", compression="zlib"),
            tiff(values.astype(">u4"), byteorder=">", tile=(16, 16)),
        ],
        "bmp": [saved(values, "BMP"), saved(colours, "BMP"), saved(values > 1, "BMP")],
        "gif": [saved(values, "GIF"), animated.getvalue()],
        "webp": [saved(colours, "WEBP", lossless=True), saved(colours, "WEBP"), saved(rgba, "WEBP", lossless=True)],
        "jpg": [saved(values * 80, "JPEG"), saved(colours, "JPEG", progressive=True)],
        "npy": [npy(values), npy(pages.astype(np.float32)), npy(values.astype(">i8")), npy(np.asfortranarray(values))],
        "npz": [npz({"mask.npy": npy(values)}), npz({"a.npy": npy(values), "b.npy": npy(pages)})],
        "mat": [
            matlab({"mask": values}, compressed=True),
            matlab({"mask": values.astype(float), "other": pages}, compressed=False),
            matlab({"GTcls": {"Segmentation": values, "Cells": np.array([[1, "a"]], object)}}, compressed=False),
        ],
        "pgm": [saved(values, "PPM"), b"P2 23 17 3\n" + " ".join(map(str, values.ravel())).encode()],
        "nii": [nifti()],
        "nii.gz": [gzip.compress(nifti(), mtime=0)],
    }  # fmt: skip


def mutated(data: bytes, others: list[bytes], rng: np.random.Generator) -> bytes:
    """``data`` with one to four random changes."""
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(0, max(1, len(changed))))
        if rng.random() < 0.5:  # headers decide more than pixels do
            at = int(rng.integers(0, max(1, min(len(changed), 400))))
        size = int(rng.integers(1, 40))
        match int(rng.integers(0, 8)):
            case 0:
                changed[at : at + 1] = bytes([int(rng.integers(0, 256))])
            case 1:
                changed[at : at + 1] = bytes([changed[at] ^ 1 << int(rng.integers(0, 8))]) if changed else b""
            case 2:
                del changed[at : at + size]
            case 3:
                changed[at:at] = changed[at : at + size]
            case 4:
                del changed[at:]
            case 5:
                extreme = int(rng.choice([0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000]))
                form = str(rng.choice(["<I", ">I", "<H", ">H"]))
                changed[at : at + struct.calcsize(form)] = struct.pack(
                    form, extreme & (2 ** (8 * struct.calcsize(form)) - 1)
                )
            case 6:
                changed[at:at] = rng.bytes(size)
            case _:
                other = others[int(rng.integers(0, len(others)))]
                cut = int(rng.integers(0, len(other)))
                changed[at : at + size] = other[cut : cut + size]
    return bytes(changed)


def with_new_checksums(data: bytes) -> bytes:
    """A PNG file whose chunks have the checksums that their (changed) content asks for."""
    out, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + min(length, len(data) - at - 12)]
        out += chunk(kind, body)
        at += 12 + len(body)
    return bytes(out)


def deep(data: bytes, suffix: str, others: list[bytes], rng: np.random.Generator) -> bytes:
    """``data`` with changes behind its checksums and its compression."""
    if suffix == "png":
        return with_new_checksums(mutated(data, others, rng))
    if suffix == "nii.gz":
        return gzip.compress(mutated(gzip.decompress(data), others, rng), mtime=0)
    if suffix == "npz":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return npz({name: mutated(archive.read(name), others, rng) for name in archive.namelist()})
    return mutated(data, others, rng)


class Hang(BaseException):
    """A case that takes too long; no reader may catch it."""


@dataclass
class Outcome:
    """What became of the cases."""

    codes: Counter[str] = field(default_factory=Counter)  # "read", or the code of the refusal
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0
    digest: int = 0  # of all outcomes: equal for equal seeds


def fuzz(count: int, folder: Path, seed: int = 0) -> Outcome:
    """Read ``count`` damaged files; what fails is kept in ``folder``."""
    files = seeds()
    every = [data for group in files.values() for data in group]
    outcome = Outcome()
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        suffix = list(files)[number % len(files)]
        data = files[suffix][int(rng.integers(0, len(files[suffix])))]
        data = (deep if rng.random() < 0.5 else mutated_only)(data, suffix, every, rng)
        name = f"{number}.{suffix}"
        (folder / name).write_bytes(data)
        started = time.monotonic()
        try:
            with warnings.catch_warnings(), limited(SECONDS):
                warnings.simplefilter("error")
                found = read_all(folder, name, ENCODINGS[number // len(files) % len(ENCODINGS)])
        except BaseException as error:  # whatever it is, it is the finding
            if isinstance(error, KeyboardInterrupt):
                raise
            outcome.failures.append(f"{name}: {''.join(traceback.format_exception(error)[-3:])}")
            continue
        outcome.slowest = max(outcome.slowest, time.monotonic() - started)
        outcome.codes.update(found)
        outcome.digest = zlib.crc32(repr(found).encode(), outcome.digest)
        (folder / name).unlink()
    return outcome


def mutated_only(data: bytes, _suffix: str, others: list[bytes], rng: np.random.Generator) -> bytes:
    """``mutated``, called as ``deep`` is."""
    return mutated(data, others, rng)


def read_all(folder: Path, name: str, encoding: Encoding) -> list[str]:
    """Look at a file, list its members, and read it by pixels and by runs: how each ended."""
    data = (folder / name).read_bytes()
    found = [ended(lambda: look_at(data, name, LIMIT))]
    listed: list[str] = []
    found.append(ended(lambda: listed.extend(members(read_bytes(folder, name), name, LIMIT))))
    for member in listed[:2] or [""]:
        whole = member_name(name, member)
        found.append(ended(lambda whole=whole: read_mask(folder, whole, encoding)))
        found.append(ended(lambda whole=whole: read_runs(folder, whole, encoding)))
    return found


def ended(read: Callable[[], Any]) -> str:
    """ "read", or the code of the refusal."""
    try:
        read()
    except UnreadableMask as error:
        assert error.message, "a refusal says why"
        return error.code
    return "read"


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Raise Hang in what takes longer."""

    def stop(*_: object) -> None:
        raise Hang(f"over {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def main() -> None:
    """Run many cases and print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = fuzz(asked.count, Path(folder), asked.seed)
    lines = [
        f"{asked.count} files, seed {asked.seed}: {len(outcome.failures)} failures, slowest {outcome.slowest:.2f} s",
        str(dict(outcome.codes.most_common())),
        *outcome.failures[:20],
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    raise SystemExit(bool(outcome.failures))


if __name__ == "__main__":
    main()
