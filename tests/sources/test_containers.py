"""Files that hold arrays or several pages: NPY, NPZ, MATLAB, NIfTI, TIFF stacks."""

from __future__ import annotations

import gzip
import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse
import tifffile
from PIL import Image
from written import blocks, codes, labels, look, save

from shapeprof.errors import NothingMeasurable, UnreadableMask, UsageError
from shapeprof.sources import Encoding, find_masks, pair, read_mask, read_runs, regrouped
from shapeprof.sources.formats.matlab import matrices

IDS = blocks(0, 1, 2, 3)


def discs(n: int, shift: int = 0) -> np.ndarray:
    """(n, 48, 48) discs far from each other, of which each is one class."""
    rows, columns = np.mgrid[:48, :48]
    centres = [((12 * i + 6 + shift) % 48, (17 * i + 9) % 48) for i in range(n)]
    return np.array([np.hypot(rows - y, columns - x) < 5 for y, x in centres])


def refused(root: Path, name: str, encoding: Encoding) -> UnreadableMask:
    with pytest.raises(UnreadableMask) as caught:
        read_mask(root, name, encoding)
    return caught.value


def names(root: Path, **options: object) -> tuple[tuple[str, ...], Encoding]:
    """The names of masks, and the encoding."""
    folder, encoding = look(root, **options)
    return regrouped(folder, encoding).files, encoding


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.int64, np.uint64, np.float16, np.float64, ">u2"])
@pytest.mark.parametrize("shape", [(24, 24), (1, 24, 24), (24, 24, 1), (1, 1, 24, 24)])
def test_npy_of_any_type(tmp_path: Path, dtype: object, shape: tuple[int, ...]) -> None:
    ids = IDS > 0 if dtype is bool else IDS
    np.save(tmp_path / "a.npy", ids.astype(dtype).reshape(shape))
    _, encoding = look(tmp_path)
    assert (labels(tmp_path, "a.npy", encoding) == ids).all()


def test_npy_in_the_order_of_columns_and_minus_one(tmp_path: Path) -> None:
    ids = np.asfortranarray(np.where(IDS == 3, -1, IDS))
    np.save(tmp_path / "a.npy", ids)
    _, encoding = look(tmp_path)
    assert encoding.ignored == (255,)
    assert (labels(tmp_path, "a.npy", encoding) == np.where(IDS == 3, 255, IDS)).all()


def test_npy_of_colours(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([(0, 0, 0), (60, 16, 152)], np.uint8)[blocks(0, 1)])
    _, encoding = look(tmp_path)
    assert encoding.raw_values_of(1) == ("#3C1098",)


class Evil:
    """Runs something when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return exec, ("raise SystemExit('unpickled')",)


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "good.npy", IDS)
    _, encoding = look(tmp_path)
    np.save(tmp_path / "evil.npy", np.array([[Evil()]], object), allow_pickle=True)
    np.savez(tmp_path / "evil.npz", mask=np.array([[Evil()]], object))
    for name in ("evil.npy", "evil.npz"):
        error = refused(tmp_path, name, encoding)
        assert error.code == "wrong-array"
        assert "never loaded" in error.message


def test_arrays_that_are_no_masks(tmp_path: Path) -> None:
    np.save(tmp_path / "good.npy", IDS)
    _, encoding = look(tmp_path)
    np.save(tmp_path / "parts.npy", IDS / 4)
    np.save(tmp_path / "line.npy", IDS[0])
    np.save(tmp_path / "five.npy", np.zeros((2, 3, 4, 5, 6)))
    np.save(tmp_path / "empty.npy", np.zeros((0, 5)))
    np.save(tmp_path / "text.npy", np.array([["a"]]))
    np.save(tmp_path / "several.npy", np.zeros((5, 24, 24)))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "good.npy").read_bytes()[:-9])
    (tmp_path / "v73.mat").write_bytes(b"MATLAB 7.3 MAT-file" + bytes(500))
    found = {p.name: refused(tmp_path, p.name, encoding).code for p in tmp_path.iterdir() if p.name != "good.npy"}
    assert found == {
        "parts.npy": "wrong-type",
        "line.npy": "wrong-array",
        "five.npy": "wrong-array",
        "empty.npy": "empty-file",
        "text.npy": "wrong-array",
        "several.npy": "multi-page",
        "cut.npy": "truncated-file",
        "v73.mat": "wrong-array",
    }


def test_an_array_bomb(tmp_path: Path) -> None:
    np.save(tmp_path / "good.npy", IDS)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (60000, 60000)})
    (tmp_path / "bomb.npy").write_bytes(header.getvalue())
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mask.npy", header.getvalue() + bytes(10**6))
    _, encoding = look(tmp_path)
    assert refused(tmp_path, "bomb.npy", encoding).code == "too-large"
    assert refused(tmp_path, "bomb.npz", encoding).code == "too-large"


def test_npz_takes_the_array_called_mask(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", image=np.random.default_rng(0).random((24, 24)), label=IDS)
    files, encoding = names(tmp_path)
    assert files == ("a.npz",)
    assert (labels(tmp_path, "a.npz", encoding) == IDS).all()


def test_npz_of_several_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", left=IDS, right=3 - IDS)
    files, encoding = names(tmp_path)
    assert files == ("a.npz#left", "a.npz#right")
    assert (labels(tmp_path, "a.npz#right", encoding) == 3 - IDS).all()
    assert refused(tmp_path, "a.npz#middle", encoding).code == "no-such-member"


def test_arrays_of_one_class_each_are_named_by_their_keys(tmp_path: Path) -> None:
    for i in range(3):
        planes = discs(2, i)
        np.savez(tmp_path / f"{i}.npz", liver=planes[0] | planes[1], spleen=planes[1])
    files, encoding = names(tmp_path, pages="classes")
    assert files[:2] == ("0.npz#liver", "0.npz#spleen")
    assert encoding.classes.names == ("background", "liver", "spleen")
    assert set(np.unique(labels(tmp_path, "0.npz#spleen", encoding))) == {0, 2}


def test_matlab_matrices_and_structs(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"mask": IDS, "image": np.random.default_rng(0).random((24, 24))})
    scipy.io.savemat(
        tmp_path / "b.mat",
        {"GTcls": {"Segmentation": IDS.astype(np.uint8), "Boundaries": np.zeros((2, 1), object)}},
        do_compression=True,
    )
    files, encoding = names(tmp_path)
    assert files == ("a.mat", "b.mat")
    for name in files:
        assert (labels(tmp_path, name, encoding) == IDS).all()


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "f4", "f8", "i8", "u8", bool])
def test_matlab_types_as_scipy_reads_them(tmp_path: Path, compressed: bool, dtype: object) -> None:
    """Also variables that are passed over: text, cells, empty, sparse and complex ones, structs in structs."""
    wanted = {"m": (IDS > 0 if dtype is bool else IDS).astype(dtype), "deep": {"in": {"b": IDS[:5].astype(dtype)}}}
    others = {
        "text": "hello",
        "cell": np.array([[1, "a"]], object),
        "none": np.zeros((0, 3)),
        "sparse": scipy.sparse.csc_array(np.eye(4)),
        "complex": np.eye(3) * 1j,
        "one": 3,
        "a_long_name_for_a_small_matrix": np.eye(2),
    }
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, wanted | others, do_compression=compressed)
    found = matrices(path.read_bytes(), "a.mat", 10**6)
    known = scipy.io.loadmat(path, simplify_cells=True)
    assert set(found) == {"m", "deep.in.b", "a_long_name_for_a_small_matrix"}
    assert (found["m"] == known["m"]).all()
    assert (found["deep.in.b"] == known["deep"]["in"]["b"]).all()


def nifti(path: Path, volume: np.ndarray) -> None:
    """Write a (Z, Y, X) volume as nibabel has it, (X, Y, Z)."""
    nibabel = pytest.importorskip("nibabel")
    data = nibabel.Nifti1Image(volume.T.astype(np.uint8), np.eye(4)).to_bytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_slices_of_a_nifti_volume(tmp_path: Path, suffix: str) -> None:
    volume = np.stack([np.pad(IDS, ((0, 0), (0, 6))) * (k > 0) for k in range(5)])
    nifti(tmp_path / f"case{suffix}", volume)
    files, encoding = names(tmp_path)
    assert files == tuple(f"case{suffix}#{k}" for k in range(5))
    for k in range(5):
        assert (labels(tmp_path, files[k], encoding) == volume[k]).all()
        found, _ = read_runs(tmp_path, files[k], encoding)
        assert found.size == (24, 30)
    assert "pages-are-masks" in codes(encoding.issues)
    digests = {read_mask(tmp_path, name, encoding)[0].digest for name in files}
    assert len(digests) == 2  # of what a slice holds, not of the file


def test_without_nibabel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nifti(tmp_path / "case.nii", IDS[None])
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(NothingMeasurable, match=r"pip install shapeprof\[medical\]"):
        look(tmp_path)


@pytest.mark.parametrize("dtype", ["u4", "i4", "u8", "i8", "f2", "f4", "f8", "i2", "i1"])
def test_tiff_of_any_type(tmp_path: Path, dtype: str) -> None:
    for name in ("a.tif", "b.tif"):
        tifffile.imwrite(tmp_path / name, IDS.astype(dtype))
    _, encoding = look(tmp_path)
    assert (labels(tmp_path, "a.tif", encoding) == IDS).all()


def test_large_ids_in_tiff(tmp_path: Path) -> None:
    ids = np.where(IDS == 3, 3_000_000_000, IDS).astype(np.uint32)
    tifffile.imwrite(tmp_path / "a.tif", ids)
    _, encoding = look(tmp_path)
    assert encoding.instances
    found, _ = read_mask(tmp_path, "a.tif", encoding)
    assert found.instances is not None
    assert found.instances.dtype == np.uint32
    assert (found.instances == ids).all()


def test_tiff_stack(tmp_path: Path) -> None:
    pages = [blocks(0, 1, 2), blocks(0, 2), blocks(2, 0, 1)]
    tifffile.imwrite(tmp_path / "a.tif", np.stack(pages).astype(np.uint8), photometric="minisblack")
    save(tmp_path / "b.tif", blocks(0, 1))
    files, encoding = names(tmp_path)
    assert files == ("a.tif#0", "a.tif#1", "a.tif#2", "b.tif")
    for i, page in enumerate(pages):
        assert (labels(tmp_path, f"a.tif#{i}", encoding) == page).all()
    assert refused(tmp_path, "a.tif#7", encoding).code == "no-such-member"


def test_smaller_copies_are_no_pages(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(IDS.astype(np.uint8))
        file.write(IDS[::2, ::2].astype(np.uint8), subfiletype=1)
    files, encoding = names(tmp_path)
    assert files == ("a.tif",)
    assert (labels(tmp_path, "a.tif", encoding) == IDS).all()


def test_planes_of_one_page(tmp_path: Path) -> None:
    """Pillow would keep the first of two samples, and knows no five."""
    for name in "ab":
        planes = np.moveaxis(discs(5), 0, 2).astype(np.uint8)
        tifffile.imwrite(tmp_path / f"{name}.tif", planes, photometric="minisblack", planarconfig="contig")
    files, encoding = names(tmp_path)
    assert (files, encoding.pages) == (("a.tif", "b.tif"), "exclusive")
    assert (labels(tmp_path, "a.tif", encoding) == sum((i + 1) * p for i, p in enumerate(discs(5)))).all()


@pytest.mark.parametrize("axis", [0, 2])
def test_one_hot_planes_are_joined(tmp_path: Path, axis: int) -> None:
    np.save(tmp_path / "a.npy", np.moveaxis(np.arange(4)[:, None, None] == IDS, 0, axis).astype(np.float32))
    files, encoding = names(tmp_path)
    assert (files, encoding.pages, encoding.classes.background) == (("a.npy",), "one-hot", 0)
    assert (labels(tmp_path, "a.npy", encoding) == IDS).all()


def test_exclusive_pages_are_joined_and_a_file_that_overlaps_is_refused(tmp_path: Path) -> None:
    for i in range(3):
        tifffile.imwrite(tmp_path / f"{i}.tif", discs(3, i).astype(np.uint8), photometric="minisblack")
    files, encoding = names(tmp_path)
    assert (files, encoding.pages) == (("0.tif", "1.tif", "2.tif"), "exclusive")
    assert set(np.unique(labels(tmp_path, "1.tif", encoding))) == {0, 1, 2, 3}
    tifffile.imwrite(tmp_path / "later.tif", np.ones((3, 48, 48), np.uint8), photometric="minisblack")
    error = refused(tmp_path, "later.tif", encoding)
    assert "--pages classes" in error.message


def test_overlapping_pages_are_classes_of_their_own(tmp_path: Path) -> None:
    """A multi-label file: no pixel of a class is lost to another one."""
    for i in range(3):
        planes = discs(3, i)
        planes[0] |= planes[1]
        tifffile.imwrite(tmp_path / f"{i}.tif", planes.astype(np.uint8) * 255, photometric="minisblack")
    files, encoding = names(tmp_path)
    assert files[:3] == ("0.tif#0", "0.tif#1", "0.tif#2")
    assert encoding.classes.names == ("background", "page 0", "page 1", "page 2")
    assert "pages-are-classes" in codes(encoding.issues)
    for page in range(3):
        found = read_runs(tmp_path, f"1.tif#{page}", encoding)[0]
        assert set(found.value.tolist()) == {0, page + 1}
    planes = discs(3, 1)
    assert (labels(tmp_path, "1.tif#0", encoding) == (planes[0] | planes[1])).all()
    assert names(tmp_path, classes=("a", "b", "c"))[1].classes.names == ("background", "a", "b", "c")
    assert names(tmp_path, pages="stack")[1].classes.names == ("background", "foreground")
    assert Encoding.from_dict(encoding.to_dict()) == encoding


def test_slices_that_are_alike_stay_a_stack(tmp_path: Path) -> None:
    for i in range(3):
        stack = np.stack([discs(1, i)[0]] * 4).astype(np.uint8)
        tifffile.imwrite(tmp_path / f"{i}.tif", stack, photometric="minisblack")
    files, encoding = names(tmp_path)
    assert len(files) == 12
    assert encoding.classes.names == ("background", "foreground")


def test_pages_that_can_be_no_classes(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.stack([IDS, IDS]))
    np.save(tmp_path / "b.npy", np.stack([IDS, IDS, IDS]))
    with pytest.raises(UsageError, match="2, 3 of them"):
        look(tmp_path, pages="classes")
    (tmp_path / "b.npy").unlink()
    with pytest.raises(UsageError, match="more than two values"):
        look(tmp_path, pages="classes")


def test_animations_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "good.png", IDS)
    _, encoding = look(tmp_path)
    frames = [Image.fromarray(blocks(*pair).astype(np.uint8)) for pair in ((0, 200), (200, 0))]
    for name in ("a.gif", "a.webp", "a.png"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        assert refused(tmp_path, name, encoding).code == "multi-page"


def test_a_file_that_is_called_like_a_page(tmp_path: Path) -> None:
    save(tmp_path / "a.tif#1.png", IDS)
    save(tmp_path / "b#2.png", IDS)
    files, encoding = names(tmp_path)
    assert files == ("a.tif#1.png", "b#2.png")
    for name in files:
        assert (labels(tmp_path, name, encoding) == IDS).all()


@pytest.mark.parametrize(
    ("files", "masks"),
    [
        (("a.npy", "b.npy"), ("a.npy", "b.npy")),
        (("a.npy", "a.png"), ("a.png",)),
        (("a_mask.npy", "a.jpg"), ("a_mask.npy",)),
        (("images/a.npy", "masks/a.npy"), ("masks/a.npy",)),
        (("imagesTr/a.nii.gz", "labelsTr/a.nii.gz"), ("labelsTr/a.nii.gz",)),
        (("volume-0.nii", "segmentation-0.nii"), ("segmentation-0.nii",)),
        (("a_features.npy", "a_label.npz"), ("a_label.npz",)),
    ],
)
def test_which_arrays_are_masks(tmp_path: Path, files: tuple[str, ...], masks: tuple[str, ...]) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = find_masks(tmp_path)
    assert found.files == masks
    assert set(found.others) == set(files) - set(masks)
    assert len(found.issues) == (len(files) > len(masks))


def test_arrays_and_pages_pair_with_images(tmp_path: Path) -> None:
    """By the name of their file; not where the sizes differ; the pages of classes all with one image."""
    for i in range(3):
        planes = discs(3, i)
        planes[0] |= planes[1]
        (tmp_path / "pages").mkdir(exist_ok=True)
        tifffile.imwrite(tmp_path / "pages" / f"{i}.tif", planes.astype(np.uint8), photometric="minisblack")
        save(tmp_path / "images" / f"{i}.png", np.full((48, 48 + i // 2), 7))
    (tmp_path / "arrays").mkdir()
    for i in range(3):
        np.save(tmp_path / "arrays" / f"{i}.npy", discs(1, i)[0])
    folder, encoding = look(tmp_path / "arrays")
    found = pair(regrouped(folder, encoding), tmp_path / "images")
    assert [(p.mask, p.image) for p in found.pairs] == [("0.npy", "0.png"), ("1.npy", "1.png")]
    assert codes(found.issues) == {"size-mismatch"}
    folder, encoding = look(tmp_path / "pages")
    found = pair(regrouped(folder, encoding), tmp_path / "images")
    assert [(p.mask, p.more) for p in found.pairs] == [(f"{i}.tif#0", (f"{i}.tif#1", f"{i}.tif#2")) for i in (0, 1)]
    assert codes(found.issues) == {"size-mismatch"}
