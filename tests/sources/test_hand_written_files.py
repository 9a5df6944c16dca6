"""Files written byte by byte, whose stored values are known: PNG, MATLAB, NIfTI, NPY, TIFF."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from png_files import GREY, PALETTE, RGB, SIGNATURE, assemble, chunk, write_png

from shapeprof.errors import UnreadableMask
from shapeprof.sources.formats.decode import decode, header_size, members
from shapeprof.sources.formats.members import member_name, split_name

IDS = np.array([[0, 1, 2, 3], [3, 3, 0, 1], [2, 2, 2, 0]])


def refused(data: bytes, path: str, limit: int = 10**6) -> UnreadableMask:
    with pytest.raises(UnreadableMask) as caught:
        decode(data, path, limit)
    assert caught.value.path == path and str(caught.value).startswith(f"{path}: ")
    return caught.value


# --- PNG


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_palette_indices_of_every_depth_are_the_samples_themselves(depth: int) -> None:
    indices = IDS % 2**depth
    colours = bytes(range(3 * 2 ** min(depth, 4)))
    raster = decode(write_png(indices, depth, PALETTE, palette=colours), "a.png")
    assert np.array_equal(raster.values, indices) and not raster.is_colour
    assert raster.palette is not None and raster.palette[:2] == (0x000102, 0x030405)


def test_transparent_entries_of_a_palette_change_no_index() -> None:
    whole = write_png(IDS, 8, PALETTE, palette=bytes(range(12)))
    at = whole.index(b"IDAT") - 4
    raster = decode(whole[:at] + chunk(b"tRNS", bytes([0, 128, 255])) + whole[at:], "a.png")
    assert np.array_equal(raster.values, IDS) and raster.palette == (0x000102, 0x030405, 0x060708, 0x090A0B)


@pytest.mark.parametrize(("depth", "most"), [(1, 1), (2, 3), (4, 15)])
def test_grey_samples_of_few_bits_are_stretched_to_255(depth: int, most: int) -> None:
    samples = IDS % (most + 1)
    assert np.array_equal(decode(write_png(samples, depth, GREY), "a.png").values, samples * (255 // most))


@pytest.mark.slow
@given(arrays.arrays(np.uint16, st.tuples(st.integers(1, 6), st.integers(1, 6))))
def test_16_bit_greys_are_the_samples(samples: np.ndarray) -> None:
    raster = decode(write_png(samples, 16, GREY), "a.png")
    assert raster.values.dtype == np.uint16 and np.array_equal(raster.values, samples)


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 5), st.integers(1, 5), st.just(3))))
def test_colours_are_blue_first(colours: np.ndarray) -> None:
    assert np.array_equal(decode(write_png(colours, 8, RGB), "a.png").values, colours[..., ::-1])


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (SIGNATURE, "truncated-file", "or stops before it does"),
        (assemble((0, 4), 8, GREY, zlib.compress(b"")), "truncated-file", "it declares 4 x 0 pixels"),
        (write_png(IDS, 8)[:-4], "truncated-file", "before its end marker; copy or export the file again"),
        (write_png(IDS, 8)[:-13], "truncated-file", "the PNG stops after"),
        (assemble((3, 4), 8, GREY, b"no stream"), "damaged-file", "can't be decoded; export the file again"),
        (assemble((3, 4), 8, GREY, b"x").replace(b"IDAT", b"IDAX"), "damaged-file", "the checksum of its IDAX chunk"),
        (assemble((2000, 2000), 8, GREY, b""), "too-large", "2000 x 2000 pixels, more than the limit of 1,000,000"),
    ],
)
def test_png_files_that_are_refused(data: bytes, code: str, words: str) -> None:
    error = refused(data, "deep/a.png")
    assert error.code == code and words in error.message


def test_a_png_without_image_data_or_with_several_pictures() -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 3, 8, 0, 0, 0, 0))
    end = chunk(b"IEND", b"")
    assert "no header or no image data" in refused(SIGNATURE + header + end, "a.png").message
    animation = chunk(b"acTL", struct.pack(">II", 3, 0))
    assert refused(SIGNATURE + header + animation + end, "a.png").code == "multi-page"
    still = SIGNATURE + header + chunk(b"acTL", struct.pack(">II", 1, 0))
    picture = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + bytes(row) for row in IDS.tolist())))
    assert np.array_equal(decode(still + picture + end, "a.png").values, IDS)


# --- MATLAB


def element(kind: int, body: bytes, order: str = "<") -> bytes:
    return struct.pack(f"{order}II", kind, len(body)) + body + bytes(-len(body) % 8)


def matrix(name: bytes, values: np.ndarray, order: str = "<", class_: int = 9, kind: int = 2) -> bytes:
    """A matrix element of uint8 values."""
    flags = struct.pack(f"{order}II", class_, 0)
    shape = struct.pack(f"{order}{values.ndim}i", *values.shape)
    body = values.astype(np.uint8).tobytes(order="F")
    parts = [(6, flags), (5, shape), (1, name), (kind, body)]
    return element(14, b"".join(element(k, b, order) for k, b in parts), order)


def mat(*elements: bytes, order: str = "<") -> bytes:
    end = b"\x00\x01IM" if order == "<" else b"\x01\x00MI"
    return b"MATLAB 5.0 MAT-file".ljust(124) + end + b"".join(elements)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_matrix_in_either_order_of_bytes(order: str) -> None:
    assert np.array_equal(decode(mat(matrix(b"mask", IDS, order), order=order), "a.mat").values, IDS)


def test_a_compressed_matrix_and_a_name_in_a_small_element() -> None:
    packed = zlib.compress(matrix(b"labels", IDS))
    assert np.array_equal(decode(mat(struct.pack("<II", 15, len(packed)) + packed), "a.mat").values, IDS)
    body = element(6, struct.pack("<II", 9, 0)) + element(5, struct.pack("<ii", *IDS.shape))
    small = struct.pack("<I", 2 << 16 | 1) + b"gt\0\0"
    whole = element(14, body + small + element(2, IDS.astype(np.uint8).tobytes(order="F")))
    assert np.array_equal(decode(mat(whole), "a.mat").values, IDS)


def struct_of(name: bytes, fields: dict[bytes, bytes]) -> bytes:
    parts = [(6, struct.pack("<II", 2, 0)), (5, struct.pack("<ii", 1, 1)), (1, name)]
    parts += [(5, struct.pack("<i", 16)), (1, b"".join(key.ljust(16, b"\0") for key in fields))]
    return element(14, b"".join(element(k, b) for k, b in parts) + b"".join(fields.values()))


def test_the_matrix_in_a_struct_of_a_struct() -> None:
    inner = struct_of(b"", {b"note": matrix(b"", np.ones((1, 1))), b"mask": matrix(b"", IDS)})
    data = mat(struct_of(b"GTcls", {b"x": element(14, b""), b"Seg": inner}))
    assert members(data, "a.mat") == ("",) and np.array_equal(decode(data, "a.mat").values, IDS)


def test_matrices_of_one_file_are_members_and_those_called_masks_go_first() -> None:
    data = mat(matrix(b"image", IDS + 9), matrix(b"liver_mask", IDS), matrix(b"lung_mask", IDS > 1))
    assert members(data, "a.mat") == ("liver_mask", "lung_mask")
    assert np.array_equal(decode(data, "a.mat#lung_mask").values, IDS > 1)
    assert refused(data, "a.mat").code == "multi-page"
    error = refused(data, "a.mat#heart")
    assert error.code == "no-such-member" and "found: liver_mask, lung_mask" in error.message


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (mat(), "wrong-array", "it holds no numeric matrix"),
        (mat(element(14, b"")), "wrong-array", "it holds no numeric matrix"),
        (mat(matrix(b"text", IDS, class_=4)), "wrong-array", "it holds no numeric matrix"),
        (mat(matrix(b"z", IDS, class_=0x0800 | 9)), "wrong-array", "it holds no numeric matrix"),
        (mat(matrix(b"one", np.ones((1, 1)))), "wrong-array", "it holds no numeric matrix"),
        (mat(matrix(b"mask", IDS)[:-8]), "truncated-file", "it stops inside of a variable"),
        (mat(matrix(b"mask", IDS, kind=99)), "damaged-file", "copy or export the file again"),
        (b"MATLAB 7.3 MAT-file".ljust(512, b"\0"), "wrong-array", "save it with save(..., '-v7')"),
        (mat(matrix(b"mask", np.zeros((40, 40)))), "too-large", "40 x 40 values, more than the limit of 1,000"),
    ],
)
def test_matlab_files_that_are_refused(data: bytes, code: str, words: str) -> None:
    error = refused(data, "a.mat", 1000)
    assert error.code == code and words in error.message


# --- NIfTI


def nifti(volume: np.ndarray, order: str = "<", magic: bytes = b"n+1\0", shape: tuple[int, ...] | None = None) -> bytes:
    """A NIfTI-1 file of uint8 voxels, x fastest."""
    head = bytearray(352)
    shape = shape or volume.shape
    struct.pack_into(f"{order}i", head, 0, 348)
    struct.pack_into(f"{order}8h", head, 40, len(shape), *shape, *[1] * (7 - len(shape)))
    struct.pack_into(f"{order}hh", head, 70, 2, 8)  # uint8
    struct.pack_into(f"{order}8f", head, 76, *[1.0] * 8)
    struct.pack_into(f"{order}f", head, 108, 352.0)
    head[344:348] = magic
    return bytes(head) + volume.astype(np.uint8).tobytes(order="F")


@pytest.mark.parametrize("order", ["<", ">"])
def test_slices_of_a_volume_have_x_along_the_row(order: str) -> None:
    pytest.importorskip("nibabel")
    volume = np.arange(4 * 3 * 2).reshape(4, 3, 2)  # x, y, z
    data = nifti(volume, order)
    assert members(data, "a.nii") == ("0", "1")
    for z in (0, 1):
        assert np.array_equal(decode(data, f"a.nii#{z}").values, volume[:, :, z].T)


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 1), (4, 3, 1, 1)])
def test_a_volume_of_one_slice_is_one_mask(shape: tuple[int, ...]) -> None:
    pytest.importorskip("nibabel")
    data = nifti(IDS.T.reshape(shape))
    assert members(data, "a.nii") == ("",) and np.array_equal(decode(data, "a.nii").values, IDS)


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (nifti(np.zeros((4, 3, 1, 2))), "wrong-array", "a volume of shape (4, 3, 1, 2)"),
        (nifti(np.zeros(4), shape=(4,)), "wrong-array", "a volume of shape (4,)"),
        (nifti(np.zeros(0), shape=(400, 300, 20)), "too-large", "400 x 300 x 20 values"),
        (nifti(np.zeros(5), shape=(4, 3, 1)), "damaged-file", "copy or export the file again"),
    ],
)
def test_volumes_that_are_refused(data: bytes, code: str, words: str) -> None:
    pytest.importorskip("nibabel")
    error = refused(data, "a.nii")
    assert error.code == code and words in error.message


# --- NPY and NPZ


def npy(values: np.ndarray, version: tuple[int, int] = (1, 0)) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, values, version)
    return file.getvalue()


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
@pytest.mark.parametrize("dtype", ["?", "u1", "<u2", ">u2", "<i4", ">i8", "<f4", "f2"])
def test_arrays_of_every_type_and_version(version: tuple[int, int], dtype: str) -> None:
    values = (IDS > 0 if dtype == "?" else IDS).astype(dtype)
    assert np.array_equal(decode(npy(values, version), "a.npy").values, values.astype(int))


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (npy(IDS.astype("u1"), (3, 0)), "wrong-array", "an NPY file of version 3.0"),
        (npy(IDS.astype("u1"))[:-3], "truncated-file", "it declares 12 bytes of values and holds 9; copy it again"),
        (npy(np.array(["a", "b"])), "wrong-array", "values of type <U1"),
        (npy(IDS.astype(complex)), "wrong-array", "values of type complex128"),
        (npy(np.zeros((0, 4), "u1")), "empty-file", "its array has the shape (0, 4); expected pixels"),
        (npy(IDS + 0.5), "wrong-type", "its float64 values run from 0.5 to 3.5; class ids are whole numbers"),
        (npy(IDS - 3), "wrong-type", "its int64 values run from -3 to 0"),
        (npy(IDS * 2**40), "wrong-type", "class ids are whole numbers from 0"),
        (npy(np.zeros((2, 3, 4, 5), "u1")), "wrong-array", "an array of shape (2, 3, 4, 5)"),
        (b"\x93NUMPY\x01\x00", "damaged-file", "copy or export the file again"),
    ],
)
def test_arrays_that_are_refused(data: bytes, code: str, words: str) -> None:
    error = refused(data, "a.npy")
    assert error.code == code and words in error.message


def npz(**values: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in values.items():
            archive.writestr(name.replace("_npy", ".npy"), data)
    return file.getvalue()


def test_arrays_of_an_npz_by_key_and_plane() -> None:
    stack = npy(np.stack([IDS, IDS[::-1]]))
    data = npz(
        liver_mask_npy=npy(IDS), lung_mask_npy=stack, image_npy=npy(IDS), readme_txt=b"text", seg_npy=npy(IDS[0])
    )
    assert members(data, "a.npz") == ("liver_mask", "lung_mask#0", "lung_mask#1")
    assert np.array_equal(decode(data, "a.npz#lung_mask#1").values, IDS[::-1])
    alone = npz(mask_npy=stack)
    assert members(alone, "a.npz") == ("0", "1") and np.array_equal(decode(alone, "a.npz#0").values, IDS)


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (npz(), "not-an-image", "which no known format of masks does"),
        (npz(readme_txt=b"text"), "wrong-array", "it holds no array of two axes"),
        (npz(mask_npy=npy(IDS[0])), "wrong-array", "it holds no array of two axes"),
        (npz(mask_npy=npy(IDS))[:-30], "damaged-file", "copy or export the file again"),
        (npz(mask_npy=bytes(10**5)), "too-large", "100,000 bytes, more than the limit of 1,000"),
    ],
)
def test_npz_files_that_are_refused(data: bytes, code: str, words: str) -> None:
    error = refused(data, "a.npz", 1000)
    assert error.code == code and words in error.message


# --- TIFF


def tiff(values: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file, bigtiff=bool(options.pop("big", False)), byteorder=options.pop("order", "<")) as out:  # type: ignore[arg-type]
        out.write(values, contiguous=False, **options)  # type: ignore[arg-type]
    return file.getvalue()


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "f4"])
def test_tiff_and_bigtiff_in_either_order_of_bytes(big: bool, order: str, dtype: str) -> None:
    data = tiff(IDS.astype(dtype), big=big, order=order)
    assert data[2 if order == "<" else 3] == (43 if big else 42)
    assert np.array_equal(decode(data, "a.tif").values, IDS)


def test_pages_of_a_tiff_by_number() -> None:
    data = tiff(np.stack([IDS, IDS[::-1], 3 - IDS]).astype("u1"), photometric="minisblack")
    assert members(data, "a.tif") == ("0", "1", "2") and refused(data, "a.tif").code == "multi-page"
    assert np.array_equal(decode(data, "a.tif#2").values, 3 - IDS)
    assert refused(data, "a.tif#3").code == "no-such-member"


# --- names of members, sizes from headers


@given(st.sampled_from(["a.tif", "b/c.NPZ", "d.nii.gz", "e#f.mat", "x.npy"]), st.text(min_size=1, max_size=8))
def test_the_name_of_a_member_splits_into_file_and_member(file: str, member: str) -> None:
    assert split_name(member_name(file, member)) == (file, member)
    assert split_name(member_name(file, "")) == (file, "")


@pytest.mark.parametrize("name", ["a.png#3", "a#b.png", "#.png", "a.tif#", "a.tif"])
def test_names_that_are_no_member(name: str) -> None:
    assert split_name(name) == (name, "")


def test_a_file_that_is_called_like_a_member_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.tif#3").write_bytes(b"")
    assert split_name("a.tif#3", tmp_path) == ("a.tif#3", "") and split_name("a.tif#4", tmp_path) == ("a.tif", "4")


@pytest.mark.parametrize(
    ("name", "data", "size"),
    [
        ("a.png", write_png(IDS, 8), (4, 3)),
        ("a.png", write_png(IDS, 8)[:24], (4, 3)),  # the header suffices
        ("a.png", write_png(IDS, 8)[:20], None),
        ("a.npy", npy(IDS), (4, 3)),
        ("a.npz", npz(mask_npy=npy(np.stack([IDS, IDS]))), (4, 3)),
        ("a.mat", mat(matrix(b"mask", IDS)), (4, 3)),
        ("a.tif", tiff(IDS.astype("u1")), (4, 3)),
        ("a.tif", tiff(IDS.astype("i8")), (4, 3)),  # Pillow reads no 64-bit numbers
        ("a.tif", tiff(np.stack([IDS] * 5).astype("i8"), photometric="minisblack", planarconfig="separate"), (4, 3)),
        ("a.pgm", b"P5 4 3 255 " + bytes(12), (4, 3)),
        ("a.ppm", b"P6 4 3 255 " + bytes(36), (4, 3)),  # an image that can be no mask
        ("a.png", b"", None),
        ("a.png", b"text", None),
        ("a.npy", npy(IDS)[:-1], None),
    ],
)
def test_the_size_in_a_header(tmp_path: Path, name: str, data: bytes, size: tuple[int, int] | None) -> None:
    (tmp_path / name).write_bytes(data)
    assert header_size(tmp_path / name) == size


def test_the_size_of_a_file_that_is_gone(tmp_path: Path) -> None:
    assert header_size(tmp_path / "a.png") is None
