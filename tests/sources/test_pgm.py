"""PGM files, binary and plain."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from written import blocks, codes, labels, look, save

from shapeprof.errors import UnreadableMask
from shapeprof.sources import find_masks, pair, read_runs
from shapeprof.sources.formats.decode import decode, header_size

IDS = blocks(0, 1, 2, 3)


def binary(values: np.ndarray, most: int = 255) -> bytes:
    kind = "u1" if most < 256 else ">u2"
    return b"P5\n# written by hand\n%d %d\n%d\n" % (*values.shape[::-1], most) + values.astype(kind).tobytes()


def plain(values: np.ndarray, most: int = 255) -> bytes:
    rows = "\n".join(" ".join(map(str, row)) for row in values)
    return f"P2 {values.shape[1]} # columns\n{values.shape[0]}\t{most}\n{rows} # end\n".encode()


@pytest.mark.parametrize(("write", "most"), [(binary, 3), (binary, 255), (binary, 65535), (plain, 255), (plain, 65535)])
def test_binary_and_plain_of_8_and_16_bits(tmp_path: Path, write: object, most: int) -> None:
    (tmp_path / "a.pgm").write_bytes(write(IDS[:9], most))  # type: ignore[operator]
    folder, encoding = look(tmp_path)
    assert (encoding.kind, len(encoding.classes.names)) == ("index", 4)
    np.testing.assert_array_equal(labels(tmp_path, "a.pgm", encoding), IDS[:9])
    assert read_runs(tmp_path, "a.pgm", encoding)[0].size == (9, 24)
    assert header_size(tmp_path / "a.pgm") == (24, 9)
    assert not codes(folder.issues, encoding.issues)


def test_what_opencv_writes_is_read(tmp_path: Path) -> None:
    for name, values in (("8", IDS.astype(np.uint8)), ("16", (IDS * 700).astype(np.uint16))):
        assert cv2.imwrite(str(tmp_path / f"{name}.pgm"), values)
        np.testing.assert_array_equal(decode((tmp_path / f"{name}.pgm").read_bytes(), name).values, values)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"P5\n4 4", "damaged-file"),
        (b"P5 4 4 0\n" + bytes(16), "damaged-file"),
        (b"P5 4 4 70000\n" + bytes(16), "damaged-file"),
        (b"P5 4 4 255\n" + bytes(15), "truncated-file"),
        (b"P5 4 4 255\n" + bytes(17), "multi-page"),
        (b"P5 4 4 7\n" + bytes([9] * 16), "damaged-file"),
        (b"P5 0 4 255\n", "truncated-file"),
        (b"P2 2 2 9 1 2 x 3", "damaged-file"),
        (b"P2 2 2 9 1 2 -1 3", "damaged-file"),
        (b"P2 2 2 9 1 2 3", "truncated-file"),
        (b"P5 999999 999999 255\n", "too-large"),
    ],
)
def test_damaged_files_are_refused(data: bytes, code: str) -> None:
    with pytest.raises(UnreadableMask) as refused:
        decode(data, "a.pgm", limit=2**20)
    assert refused.value.code == code


def test_a_pgm_may_still_be_the_image_of_a_mask(tmp_path: Path) -> None:
    save(tmp_path / "masks" / "a.png", IDS)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.pgm").write_bytes(binary(IDS))
    pairing = pair(find_masks(tmp_path / "masks"), tmp_path / "images")
    assert [(p.mask, p.image) for p in pairing.pairs] == [("a.png", "a.pgm")]
