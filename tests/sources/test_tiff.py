"""TIFF pages, by Pillow and by tifffile, and files that other readers refuse."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from fuzz_readers import matlab, npy, npz
from written import blocks

from shapeprof.errors import UnreadableMask
from shapeprof.sources.formats import tiff
from shapeprof.sources.formats.decode import decode, header_size, members

IDS = blocks(0, 1, 2, 3)


def stack(dtype: type, pages: int = 3) -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for number in range(pages):
            writer.write((IDS + number).astype(dtype), metadata=None)
    return file.getvalue()


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.complex64])
def test_every_page_of_a_stack(dtype: type) -> None:
    data = stack(dtype)
    assert members(data, "a.tif") == ("0", "1", "2")
    if dtype is np.complex64:
        with pytest.raises(UnreadableMask):
            decode(data, "a.tif#0")
        return
    for number in range(3):
        np.testing.assert_array_equal(decode(data, f"a.tif#{number}").values, IDS + number)
    with pytest.raises(UnreadableMask) as several:
        decode(data, "a.tif")
    with pytest.raises(UnreadableMask) as missing:
        decode(data, "a.tif#9")
    assert (several.value.code, missing.value.code) == ("multi-page", "no-such-member")
    assert "--pages stack" in several.value.message


def test_the_size_of_a_page(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(stack(np.uint8))
    assert header_size(tmp_path / "a.tif") == header_size(tmp_path / "a.tif#2") == (24, 24)
    assert header_size(tmp_path / "a.tif#7") is None and header_size(tmp_path / "gone.tif") is None
    (tmp_path / "a.npz").write_bytes(npz({"mask.npy": npy(IDS[:5]), "label.npy": npy(IDS[:7])}))
    assert header_size(tmp_path / "a.npz#label") == (24, 7) and header_size(tmp_path / "a.npz") == (24, 5)


def test_a_page_declared_as_a_smaller_copy_is_skipped() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(IDS.astype(np.int64), metadata=None)
        writer.write(IDS[::2, ::2].astype(np.int64), subfiletype=1, metadata=None)
    assert members(file.getvalue(), "a.tif") == ("",)
    assert decode(file.getvalue(), "a.tif").values.shape == IDS.shape


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_more_pages_than_a_mask_file_has(monkeypatch: pytest.MonkeyPatch, dtype: type) -> None:
    monkeypatch.setattr(tiff, "MAX_PAGES", 2)
    with pytest.raises(UnreadableMask, match="it holds over 2 pages"):
        members(stack(dtype, 4), "a.tif")


@pytest.mark.parametrize(
    ("data", "name", "text"),
    [
        (npz({"notes.npy": npy(np.arange(4))}), "a.npz", "no array of two axes"),
        (matlab({"x": 3.0}, compressed=False), "a.mat", "no numeric matrix"),
        (b"\x93NUMPY\x03\x00" + bytes(60), "a.npy", "an NPY file of version 3.0"),
        (b"\x1f\x8b" + bytes(40), "a.nii.gz", ""),
        (b"BM" + bytes(30), "a.bmp", ""),
        (b"MM\0*" + bytes(20), "a.tif", ""),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "a.png", ""),
    ],
)
def test_files_without_a_mask_are_refused_by_name(data: bytes, name: str, text: str) -> None:
    with pytest.raises(UnreadableMask) as refused:
        decode(data, name)
    assert refused.value.path == name and text in refused.value.message


def test_an_array_of_an_npz_that_declares_more_than_the_limit() -> None:
    with pytest.raises(UnreadableMask, match="more than the limit of 100"):
        decode(npz({"mask.npy": npy(np.zeros((400, 400), np.uint8))}), "a.npz", limit=100)


def test_planes_that_differ_are_not_joined() -> None:
    arrays = npz({"mask_a.npy": npy(IDS > 1), "mask_b.npy": npy((IDS < 2)[:9])})
    with pytest.raises(UnreadableMask, match="its planes differ in size"):
        decode(arrays, "a.npz", pages="one-hot")
