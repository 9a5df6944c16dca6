"""One declaration per format: what follows from it, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import fuzz_readers
import pytest
from annotated import coco, square, write

from shapeprof.errors import InputError, NothingMeasurable, UnreadableMask
from shapeprof.sources import find_masks
from shapeprof.sources.annotations import format as annotations
from shapeprof.sources.formats import format as masks
from shapeprof.sources.formats.decode import decode, header_size


def test_the_formats_that_there_are() -> None:
    first = ["BMP", "GIF", "JPEG", "PGM", "PNG", "TIFF", "WebP", "MATLAB", "NIfTI", "NPY", "NPZ"]
    titles = [each.title for each in masks.all_formats()]
    assert [title for title in titles if title in first] == first  # images, then arrays
    assert masks.titles() == f"{', '.join(titles[:-1])} or {titles[-1]}"
    drawn = [each.title for each in annotations.all_formats()]
    assert drawn == sorted(drawn, key=str.lower) and {"COCO", "CVAT", "LabelMe", "Pascal VOC", "VIA", "YOLO"} <= {
        *drawn
    }
    assert {".mat", ".nii", ".nii.gz", ".npy", ".npz"} <= set(masks.array_suffixes())
    assert {".tif", ".tiff", *masks.array_suffixes()} <= set(masks.member_suffixes())
    assert masks.slice_suffixes() == (".nii", ".nii.gz")


@pytest.mark.parametrize(
    ("data", "title"),
    [
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"MM\0*", "TIFF"),
        (b"II+\0", "TIFF"),
        (b"RIFF\1\2\3\4WEBPVP8L", "WebP"),
        (b"RIFF\1\2\3\4WAVE", None),
        (b"GIF89a", "GIF"),
        (b"BM\0\0", "BMP"),
        (b"P5 1 1 1 x", "PGM"),
        (b"P6 1 1 1 x", None),
        (b"PK\x03\x04", "NPZ"),
        (b"\x93NUMPY", "NPY"),
        (b"\x1f\x8b", "NIfTI"),
        (b"MATLAB 7.3 MAT-file", "MATLAB"),
        (b"", None),
    ],
)
def test_a_file_is_recognised_by_its_first_bytes(data: bytes, title: str | None) -> None:
    found = masks.format_of(data)
    assert (found.title if found else None) == title


def test_no_two_formats_claim_the_same_bytes() -> None:
    for data in (
        b"\x89PNG\r\n\x1a\n",
        b"MM\0*",
        b"BM",
        b"P2\n",
        b"\x93NUMPY",
        bytes([40, 0, 0, 0]),
        b"\x5c\1\0\0" + bytes(508),
    ):
        assert sum(f.recognises(data) for f in masks.all_formats()) <= 1


def test_a_second_owner_of_a_name_is_refused_and_the_first_is_named() -> None:
    png = next(f for f in masks.all_formats() if f.title == "PNG")
    with pytest.raises(ValueError, match=r"'PNG' is already defined by shapeprof\.sources\.formats\.png"):
        masks.register(png)
    with pytest.raises(ValueError, match=r"'\.png' is already defined by shapeprof\.sources\.formats\.png"):
        masks.register(replace(png, title="Other"))
    with pytest.raises(ValueError, match=r"'coco' is already defined by shapeprof\.sources\.annotations\.coco"):
        annotations.register(annotations.find_format("coco"))


def test_messages_name_every_format(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMask) as refused:
        decode(b"no mask", "a.png")
    assert masks.titles() in refused.value.message
    write(tmp_path / "a.json", "{}")
    with pytest.raises(NothingMeasurable) as nothing:
        find_masks(tmp_path)
    assert f"{masks.titles()}, or {annotations.annotation_titles()} annotations" in str(nothing.value)
    broken = {**coco([{"segmentation": [square(0, 0, 4)]}]), "categories": []}
    with pytest.raises(InputError, match=annotations.annotation_titles()):
        find_masks(write(tmp_path / "b.json", broken))


def test_naming_the_annotation_formats_loads_nothing_heavy() -> None:
    code = (
        "import sys; from shapeprof.sources.annotations.format import annotation_titles; annotation_titles(); "
        "print({'numpy', 'cv2', 'PIL', 'yaml', 'xml.dom'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_every_format_is_fuzzed_and_has_a_size_in_its_header(tmp_path: Path) -> None:
    """A new format needs seeds in fuzz_readers.py, and ``size`` where Pillow does not know its header."""
    seeds = fuzz_readers.seeds()
    for each in masks.all_formats():
        own = [suffix for suffix in each.suffixes if suffix.removeprefix(".") in seeds]
        assert own, f"{each.title}: add valid files to seeds() in tests/sources/fuzz_readers.py"
        sizes = []
        for number, data in enumerate(seeds[own[0].removeprefix(".")]):
            path = tmp_path / f"{number}{own[0]}"
            path.write_bytes(data)
            sizes.append(header_size(path))
        assert any(sizes), f"{each.title}: give size=..., Pillow can't read its header"
