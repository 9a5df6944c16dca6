"""Reading one file: exact values back, and a clear refusal of what is no mask."""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from written import blocks, codes, colours, labels, look, save, save_palette

from shapeprof.errors import UnreadableMask
from shapeprof.sources import Encoding, read_mask
from shapeprof.sources.reading.files import resize_nearest

LEGEND = [(0, 0, 0), (60, 16, 152), (132, 41, 246), (226, 169, 41), (254, 221, 58)]


@pytest.fixture
def index(tmp_path: Path) -> Encoding:
    save(tmp_path / "good.png", blocks(0, 1, 2))
    return look(tmp_path)[1]


def refused(root: Path, name: str, encoding: Encoding) -> UnreadableMask:
    with pytest.raises(UnreadableMask) as caught:
        read_mask(root, name, encoding)
    assert caught.value.path == name
    assert name in str(caught.value)
    return caught.value


def test_the_label_map_knows_its_file(tmp_path: Path, index: Encoding) -> None:
    found, issues = read_mask(tmp_path, "good.png", index)
    data = (tmp_path / "good.png").read_bytes()
    assert found.digest == hashlib.blake2b(data, digest_size=16).hexdigest()
    assert (found.path, found.classes, issues) == ("good.png", index.classes, ())


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95, 0.999])
def test_a_truncated_png(tmp_path: Path, index: Encoding, share: float, capfd: pytest.CaptureFixture[str]) -> None:
    data = (tmp_path / "good.png").read_bytes()
    noise = np.random.default_rng(0).integers(0, 3, (99, 99))
    data = save(tmp_path / "cut.png", noise).read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: int(len(data) * share)])
    assert refused(tmp_path, "cut.png", index).code in ("truncated-file", "not-an-image")
    assert capfd.readouterr().err == ""


def test_a_changed_byte(tmp_path: Path, index: Encoding, capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray((tmp_path / "good.png").read_bytes())
    data[-20] ^= 1
    (tmp_path / "bad.png").write_bytes(data)
    assert refused(tmp_path, "bad.png", index).code == "damaged-file"
    assert capfd.readouterr().err == ""


def test_text_named_png(tmp_path: Path, index: Encoding) -> None:
    (tmp_path / "bad.png").write_text("hello world, no image")
    error = refused(tmp_path, "bad.png", index)
    assert error.code == "not-an-image"
    assert "hello" in error.message


def test_an_empty_file_and_a_missing_one(tmp_path: Path, index: Encoding) -> None:
    (tmp_path / "bad.png").write_bytes(b"")
    assert refused(tmp_path, "bad.png", index).code == "empty-file"
    assert refused(tmp_path, "gone.png", index).code == "missing-file"


def test_no_permission(tmp_path: Path, index: Encoding, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "locked.png", blocks(0, 1))
    if os.geteuid() == 0:  # root may read everything

        def denied(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", denied)
    else:
        path.chmod(0)
    assert refused(tmp_path, "locked.png", index).code == "permission"


@pytest.mark.parametrize("name", ["cut.jpg", "cut.tif", "cut.bmp", "cut.gif"])
def test_other_formats_cut_short(tmp_path: Path, index: Encoding, name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 3, (99, 99))
    data = save(tmp_path / name, noise).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    assert refused(tmp_path, name, index).code in ("truncated-file", "damaged-file")


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, body: bytes, *extra: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), *extra]
    return b"".join([*parts, chunk(b"IDAT", zlib.compress(body)), chunk(b"IEND", b"")])


def test_a_decompression_bomb(tmp_path: Path, index: Encoding) -> None:
    (tmp_path / "bomb.png").write_bytes(png(60000, 60000, b"\0" * 1000))
    error = refused(tmp_path, "bomb.png", index)
    assert error.code == "too-large"
    assert "60000 x 60000" in error.message


def test_side_chunks_make_no_noise(tmp_path: Path, index: Encoding, capfd: pytest.CaptureFixture[str]) -> None:
    broken_profile = chunk(b"iCCP", b"x\0\0" + zlib.compress(b"junk"))
    transparent = chunk(b"tRNS", b"\0\0")
    (tmp_path / "odd.png").write_bytes(png(4, 2, b"\0\0\1\2\0" * 2, broken_profile, transparent))
    assert labels(tmp_path, "odd.png", index).tolist() == [[0, 1, 2, 0]] * 2
    assert capfd.readouterr().err == ""


def test_a_photograph_among_index_masks(tmp_path: Path, index: Encoding) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (64, 64, 3))
    save(tmp_path / "photo.png", photo)
    save(tmp_path / "grey.png", photo[..., 0])
    assert refused(tmp_path, "photo.png", index).code == "looks-like-photo"
    assert refused(tmp_path, "grey.png", index).code == "looks-like-photo"


def test_a_photograph_among_colour_masks(tmp_path: Path) -> None:
    save(tmp_path / "a.png", colours(blocks(0, 1, 2), LEGEND))
    _, encoding = look(tmp_path)
    save(tmp_path / "photo.png", np.random.default_rng(0).integers(0, 256, (64, 64, 3)))
    assert refused(tmp_path, "photo.png", encoding).code == "looks-like-photo"


def test_three_channels_among_grey_masks(tmp_path: Path, index: Encoding) -> None:
    save(tmp_path / "rgb.png", colours(blocks(0, 1, 2), LEGEND))
    error = refused(tmp_path, "rgb.png", index)
    assert error.code == "wrong-channels"
    assert "#3C1098" in error.message


def test_alpha_counts_only_where_it_hides(tmp_path: Path, index: Encoding) -> None:
    values = np.dstack([blocks(0, 1, 2)] * 3 + [np.full((24, 24), 255)])
    save(tmp_path / "opaque.png", values)
    assert (labels(tmp_path, "opaque.png", index) == blocks(0, 1, 2)).all()
    values[:5, :, 3] = 90
    save(tmp_path / "clear.png", values)
    assert refused(tmp_path, "clear.png", index).code == "alpha-channel"


def test_several_pages(tmp_path: Path, index: Encoding) -> None:
    pages = [Image.fromarray(blocks(0, i).astype(np.uint8)) for i in (1, 2)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    assert refused(tmp_path, "pages.tif", index).code == "multi-page"


def test_fractions_and_whole_floats(tmp_path: Path, index: Encoding) -> None:
    Image.fromarray(blocks(0, 1, 2).astype(np.float32)).save(tmp_path / "whole.tif")
    Image.fromarray(blocks(0, 1, 2) / np.float32(4)).save(tmp_path / "parts.tif")
    assert (labels(tmp_path, "whole.tif", index) == blocks(0, 1, 2)).all()
    assert refused(tmp_path, "parts.tif", index).code == "wrong-type"


def test_an_unseen_class_and_an_unseen_255(tmp_path: Path, index: Encoding) -> None:
    save(tmp_path / "more.png", blocks(0, 9))
    found, issues = read_mask(tmp_path, "more.png", index)
    assert (found.labels == blocks(0, 9)).all()
    assert codes(issues) == {"unseen-class"}
    assert found.classes.name_of(9) == "class 9"
    save(tmp_path / "void.png", blocks(0, 255))
    found, issues = read_mask(tmp_path, "void.png", index)
    assert codes(issues) == {"unseen-value"}


def test_binary_files_with_another_foreground(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 255))
    _, encoding = look(tmp_path)
    save(tmp_path / "one.png", blocks(0, 1))
    found, issues = read_mask(tmp_path, "one.png", encoding)
    assert (found.labels == blocks(0, 1)).all()
    assert codes(issues) == {"other-foreground"}
    save(tmp_path / "many.png", blocks(*range(0, 240, 10), size=120))
    assert refused(tmp_path, "many.png", encoding).code == "does-not-fit"


def test_train_size_takes_the_nearest_pixel() -> None:
    values = np.arange(8 * 12).reshape(8, 12)
    assert resize_nearest(values, 8) is values
    assert (resize_nearest(values, 24) == values.repeat(3, 0).repeat(3, 1)).all()
    assert resize_nearest(values, 4).shape == (4, 6)
    assert resize_nearest(np.zeros((1000, 2)), 1).shape == (500, 1)
    ours, theirs = resize_nearest(values, 5), Image.fromarray(values.astype(np.uint8)).resize((8, 5), 0)
    assert (ours == np.asarray(theirs)).all()


def test_train_size_resizes_instances_too(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 1, 2))
    _, encoding = look(tmp_path, instances=True)
    found, _ = read_mask(tmp_path, "a.png", encoding, train_size=12)
    assert found.instances is not None
    assert found.labels.shape == found.instances.shape == (12, 12)


def _write(root: Path, ids: np.ndarray, how: str) -> Path:
    """Write ``ids`` (0..4) in one encoding, with an anchor that holds all of them."""
    anchor = blocks(0, 1, 2, 3, 4)
    for name, values in (("anchor", anchor), ("it", ids)):
        path = root / f"{name}.png"
        if how == "palette":
            save_palette(path, values, LEGEND)
        elif how == "colour":
            save(path, colours(values, LEGEND))
        elif how == "16-bit":
            root.mkdir(exist_ok=True)
            Image.fromarray(values.astype(np.uint16)).save(path)
        elif how == "rgb":
            save(path, values, mode="RGB")
        elif how == "tiff":
            path = save(path.with_suffix(".tif"), values, compression="tiff_lzw")
        elif how == "webp":
            path = save(path.with_suffix(".webp"), values, lossless=True)
        else:
            save(path, values * {"index": 1, "multiples": 30}[how])
    return path


@pytest.mark.parametrize("how", ["index", "16-bit", "multiples", "palette", "colour", "rgb", "tiff", "webp"])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=arrays.arrays(np.int64, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 4)))
def test_what_is_written_is_read(tmp_path: Path, how: str, ids: np.ndarray) -> None:
    path = _write(tmp_path / how, ids, how)
    _, encoding = look(tmp_path / how)
    found, issues = read_mask(tmp_path / how, path.name, encoding)
    assert found.labels.dtype == np.uint8
    assert (found.labels == ids).all()
    assert not issues
    ids_of = {raw: id_ for id_ in range(5) for raw in encoding.raw_values_of(id_)}
    assert sorted(ids_of.values()) == [0, 1, 2, 3, 4]


@pytest.mark.slow
def test_importing_loads_neither_numpy_nor_opencv() -> None:
    code = "import sys, shapeprof.sources; print({'numpy', 'cv2', 'PIL', 'yaml'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
