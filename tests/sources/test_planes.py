"""Arrays as masks: planes, arrays of a file, and their names."""

from __future__ import annotations

import numpy as np
import pytest

from shapeprof.errors import UnreadableMask
from shapeprof.sources.formats.decoders import check_pixels, decoding
from shapeprof.sources.formats.members import member_name, split_name
from shapeprof.sources.formats.planes import mask_keys, plane_of, planes_of, planes_of_arrays
from shapeprof.sources.formats.raster import equal_channels, from_array, from_channels, pack


@pytest.mark.parametrize(
    ("shape", "members", "plane"),
    [
        ((5, 7), [""], (5, 7)),
        ((1, 5, 7), [""], (5, 7)),
        ((5, 7, 1), [""], (5, 7)),
        ((1, 1, 5, 7, 1), [""], (5, 7)),
        ((4, 1, 5, 7), list("0123"), (5, 7)),
        ((3, 5, 7), list("012"), (5, 7)),
        ((5, 7, 3), list("012"), (5, 7)),
        ((4, 7, 4), list("0123"), (7, 4)),  # equal: the first axis counts planes
    ],
)
def test_the_shorter_outer_axis_counts_planes(
    shape: tuple[int, ...], members: list[str], plane: tuple[int, int]
) -> None:
    values = np.arange(np.prod(shape)).reshape(shape) % 2
    found = planes_of(values.astype(np.int16), "a.npy")
    assert list(found) == members
    assert {each.shape for each in found.values()} == {plane}


def test_planes_keep_their_values() -> None:
    values = np.random.default_rng(1).integers(0, 9, (5, 7, 3)).astype(np.int32)
    for number, plane in planes_of(values, "a.npy").items():
        np.testing.assert_array_equal(plane, values[..., int(number)])


def test_three_channels_of_uint8_are_colours_unless_they_are_zeros_and_ones() -> None:
    colours = np.full((4, 5, 3), 200, np.uint8)
    assert list(planes_of(colours, "a")) == [""]
    assert list(planes_of(colours // 200, "a")) == ["0", "1", "2"]


@pytest.mark.parametrize("shape", [(5,), (2, 3, 4, 5), (0, 5, 7)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UnreadableMask, match=r"a file of whole numbers|a \.npy file") as refused:
        planes_of(np.zeros(shape), "a.npy")
    assert refused.value.code == "wrong-array" and str(shape) in refused.value.message


def test_members_of_several_arrays_have_both_names() -> None:
    arrays = {"liver": np.zeros((3, 4)), "spleen": np.zeros((2, 3, 4))}
    assert list(planes_of_arrays(arrays, "a.npz")) == ["liver", "spleen#0", "spleen#1"]
    assert list(planes_of_arrays({"liver": np.zeros((3, 4))}, "a.npz")) == [""]


def test_one_plane_needs_no_name_and_several_do() -> None:
    one, two = {"": np.zeros((3, 4))}, {"0": np.zeros((3, 4)), "1": np.ones((3, 4))}
    assert plane_of(one, "a.npy", "").shape == (3, 4)
    assert plane_of(two, "a.npy", "1").all()
    with pytest.raises(UnreadableMask, match="it holds 2 pages") as several:
        plane_of(two, "a.npy", "")
    with pytest.raises(UnreadableMask, match=r"no member '7' \(found: 0, 1\)") as missing:
        plane_of(two, "a.npy", "7")
    assert (several.value.code, missing.value.code) == ("multi-page", "no-such-member")


@pytest.mark.parametrize(
    ("keys", "masks"),
    [
        (["image", "mask"], ["mask"]),
        (["x", "y"], ["y"]),
        (["image", "liver", "spleen"], ["liver", "spleen"]),
        (["image", "features"], ["image", "features"]),
        (["ct_image", "ct_ground_truth"], ["ct_ground_truth"]),
        ([], []),
    ],
)
def test_which_arrays_of_a_file_are_masks(keys: list[str], masks: list[str]) -> None:
    assert mask_keys(keys) == masks


@pytest.mark.parametrize(
    ("name", "file", "member"),
    [
        ("stack.tif#3", "stack.tif", "3"),
        ("a/masks.NPZ#liver#3", "a/masks.NPZ", "liver#3"),
        ("case.nii.gz#17", "case.nii.gz", "17"),
        ("case.nii#1", "case.nii", "1"),
        ("a#b.png", "a#b.png", ""),
        ("a.png#1", "a.png#1", ""),
        ("plain.tif", "plain.tif", ""),
    ],
)
def test_names_of_members(name: str, file: str, member: str) -> None:
    assert split_name(name) == (file, member)
    assert member_name(file, member) == name


def test_the_values_of_arrays() -> None:
    for dtype in (np.bool_, np.uint8, np.int64, np.float16, np.float64, ">i4"):
        raster = from_array(np.array([[0, 1], [1, 0]]).astype(dtype), "a")
        assert raster.values.tolist() == [[0, 1], [1, 0]] and raster.values.dtype.kind == "u"
    assert from_array(np.array([[-1, 3]]), "a").values.tolist() == [[255, 3]]
    assert from_array(np.array([[-1, 300]]), "a").values.tolist() == [[65535, 300]]
    assert from_array(np.array([[70000, 0]]), "a").values.dtype == np.uint32
    for bad in (np.array([[0.5]]), np.array([[-2, 0]]), np.array([[np.nan]]), np.zeros((0, 3))):
        with pytest.raises(UnreadableMask):
            from_array(bad, "a")


def test_channels() -> None:
    grey = np.dstack([np.arange(6, dtype=np.uint8).reshape(2, 3)] * 3)
    assert equal_channels(grey) and not equal_channels(grey * np.array([1, 2, 1], np.uint8))
    assert pack(np.array([[[3, 2, 1]]], np.uint8)).tolist() == [[0x010203]]
    opaque = np.dstack([grey, np.full((2, 3), 255, np.uint8)])
    np.testing.assert_array_equal(from_channels(opaque, "a").values, grey)
    shape = np.dstack([np.zeros((2, 3, 3), np.uint8), np.array([[0, 9, 9], [0, 0, 9]], np.uint8)])
    assert from_channels(shape, "a").values.tolist() == [[0, 9, 9], [0, 0, 9]]  # alpha over one colour is the mask
    wide = (grey.astype(np.uint16) + np.array([0, 1, 0], np.uint16)) * 257
    assert from_channels(wide, "a").values.dtype == np.uint8
    with pytest.raises(UnreadableMask, match="colours of 16 bits"):
        from_channels(wide + np.uint16(1), "a")


def test_any_exception_of_a_decoder_is_about_the_file() -> None:
    for error, code in ((ValueError("file is truncated"), "truncated-file"), (KeyError("x"), "damaged-file")):
        with pytest.raises(UnreadableMask) as refused, decoding("a.tif"):
            raise error
        assert (refused.value.path, refused.value.code) == ("a.tif", code)
    with pytest.raises(UnreadableMask, match="more memory than there is"), decoding("a.tif"):
        raise MemoryError
    check_pixels((10, 10, 0), "a", 100)
    with pytest.raises(UnreadableMask, match="declares 10 x 11 values, more than the limit of 100"):
        check_pixels((10, 11), "a", 100)
