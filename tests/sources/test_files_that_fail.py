"""Files that are closed, gone, cut short or of a strange kind while they are read: the mask is named, with the fix."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from annotated import coco, labelme, photo, write
from PIL import Image
from png_files import write_png
from written import blocks, codes, look, save

from shapeprof.errors import InputError, UnreadableMask
from shapeprof.sources import ReadOptions, find_masks, read_mask
from shapeprof.sources.annotations.documents import load, resolve
from shapeprof.sources.annotations.model import NotThisFormat
from shapeprof.sources.class_files import read_class_file
from shapeprof.sources.formats.decode import decode
from shapeprof.sources.formats.pillow import from_pillow
from shapeprof.sources.formats.raster import from_channels
from shapeprof.sources.formats.stored_bytes import read_bytes
from shapeprof.sources.layouts.class_names import parts_of, says_classes
from shapeprof.sources.layouts.objects import holds_objects
from shapeprof.sources.layouts.pages import decide_pages
from shapeprof.sources.listing.lists import listed_masks
from shapeprof.sources.maskset import AnnotationSource

SHAPE = {"points": [[1, 1], [9, 1], [9, 9], [1, 9]]}


def closed(monkeypatch: pytest.MonkeyPatch, error: Exception, suffix: str) -> None:
    """Make every file with that suffix fail to open."""
    whole = Path.open

    def refuse(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name.endswith(suffix):
            raise error
        return whole(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (PermissionError(13, "Permission denied"), "permission", "change its permissions (chmod +r)"),
        (FileNotFoundError(2, "No such file"), "missing-file", "expected the file that was listed"),
        (MemoryError(), "too-large", "split it into tiles, or use fewer --workers"),
        (OSError(5, "Input/output error"), "not-readable", "Input/output error; check the disk or copy it"),
        (IsADirectoryError(21, "Is a directory"), "not-readable", "Is a directory; check the disk"),
    ],
)
def test_what_the_system_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str, words: str
) -> None:
    save(tmp_path / "a.png", blocks(0, 1))
    closed(monkeypatch, error, ".png")
    with pytest.raises(UnreadableMask) as caught:
        read_bytes(tmp_path, "a.png")
    assert (caught.value.path, caught.value.code) == ("a.png", code) and words in str(caught.value)


def test_a_class_file_and_a_list_that_can_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("classes.txt", "masks.lst"):
        (tmp_path / name).write_text("a.png\n")
        closed(monkeypatch, PermissionError(13, "Permission denied"), name)
    with pytest.raises(InputError, match=r"classes\.txt: class names can't be read: .*Permission denied"):
        read_class_file(tmp_path / "classes.txt")
    with pytest.raises(InputError, match=r"masks\.lst: the list can't be read \(Permission denied\); check the file"):
        listed_masks(tmp_path / "masks.lst")


def test_a_list_with_a_name_that_no_system_takes(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 1))
    (tmp_path / "masks.txt").write_text(f"a.png\n{'x' * 5000}.png\n")
    folder = find_masks(tmp_path / "masks.txt")
    assert "a.png" in folder.files and len(folder.files) == 2 and "listed-but-missing" in codes(folder.issues)


def test_documents_that_are_closed_or_have_become_another_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.json", labelme([SHAPE]))
    with pytest.raises(NotThisFormat, match="it is no longer a COCO document"):
        load(path, "coco")
    with pytest.raises(NotThisFormat, match="it is gone"):
        load(tmp_path / "b.json", "labelme")
    path = write(tmp_path / "c.txt", "0 0 0 1 0 1 1")
    monkeypatch.setattr(Path, "read_bytes", lambda _: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    with pytest.raises(NotThisFormat, match=r"the system does not allow reading it \(Permission denied\)"):
        load(path, "yolo")


def test_a_document_that_no_longer_holds_an_image(tmp_path: Path) -> None:
    path = write(tmp_path / "x.json", coco([], [(1, "a.jpg"), (2, "b.jpg")]))
    source = AnnotationSource("coco", (("x.json", ""), ("y.json", "")), ())
    assert resolve(tmp_path, "b.jpg", source) == ("x.json", "b.jpg")
    write(path, coco([], [(1, "a.jpg")], size=(21, 30)))
    assert resolve(tmp_path, "b.jpg", source) is None and resolve(tmp_path, "a.jpg", source) == ("x.json", "a.jpg")
    path.write_text("no json")
    assert resolve(tmp_path, "a.jpg", source) is None


@pytest.mark.parametrize("mode", ["LA", "RGBX", "PA", "RGBa"])
def test_modes_of_pillow_with_a_further_channel(mode: str) -> None:
    values = from_pillow(Image.new("RGBA", (2, 2), (7, 7, 7, 255)).convert(mode), "a", lossy=False).values
    assert values.shape == (2, 2, 3) and (values == 7).all()


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB", "HSV", "La"])
def test_colours_that_are_no_rgb_are_refused(mode: str) -> None:
    with pytest.raises(UnreadableMask, match=f"pixels of mode {mode}; a mask has one channel") as caught:
        from_pillow(Image.new(mode, (2, 2)), "a.jpg", lossy=False)
    assert caught.value.code == "wrong-channels"


def test_a_jpeg_of_four_inks_is_refused() -> None:
    file = io.BytesIO()
    Image.new("CMYK", (8, 8)).save(file, "JPEG")
    with pytest.raises(UnreadableMask, match=r"a\.jpg: it has pixels of mode CMYK.*export it as index PNG"):
        decode(file.getvalue(), "a.jpg")


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_other_numbers_of_channels_are_refused(channels: int) -> None:
    with pytest.raises(UnreadableMask, match=f"it has {channels} channels"):
        from_channels(np.zeros((3, 4, channels), np.uint8), "a.png")


def test_16_bit_channels_that_are_equal_or_are_8_bit_colours() -> None:
    greys = np.repeat(np.array([[[0], [999]]], np.uint16), 3, axis=2)
    assert from_channels(greys, "a.png").values.tolist() == [[0, 999]]
    colours = np.array([[[1, 2, 3], [255, 0, 9]]], np.uint16)
    assert np.array_equal(from_channels(colours * 257, "a.png").values, colours)
    with pytest.raises(UnreadableMask, match="colours of 16 bits a channel"):
        from_channels(colours * 256, "a.png")


def test_a_png_that_opencv_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise cv2.error("too large")

    monkeypatch.setattr(cv2, "imdecode", refuse)
    with pytest.raises(UnreadableMask, match=r"OpenCV can't hold its 24 x 24 pixels.*split it into tiles") as caught:
        decode(write_png(blocks(0, 1), 8), "a.png")
    assert caught.value.code == "too-large"


def test_options_without_effect_on_annotations_are_named(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg", 20, 30)
    write(tmp_path / "a.json", labelme([SHAPE]))
    (tmp_path / "names.txt").write_text("ground\nleaf\n")
    _, encoding = look(tmp_path, invert=True, pages="stack", class_file=tmp_path / "names.txt")
    [text] = [issue.message for issue in encoding.issues if issue.code == "option-without-effect"]
    assert text == "--invert and --pages change nothing here: annotations are drawn"
    assert encoding.classes.names == ("ground", "leaf")
    (tmp_path / "names.txt").write_text("0: ground\n1: leaf\n")
    assert look(tmp_path, class_file=tmp_path / "names.txt")[1].classes.names == ("ground", "leaf")


def test_damaged_files_do_not_stop_what_is_concluded_from_names(tmp_path: Path) -> None:
    for number in range(4):
        for name, ids in (("cat", (0, 1)), ("dog", (1, 0))):
            save(tmp_path / f"{number}_{name}.png", blocks(*ids) * 255)
    (tmp_path / "1_cat.png").write_bytes(b"damaged")
    folder = find_masks(tmp_path)
    parts = parts_of(folder.files)
    assert parts is not None and says_classes(folder, parts)


def test_a_damaged_object_does_not_make_a_folder_something_else(tmp_path: Path) -> None:
    for image in range(4):
        for number in range(6):
            mask = np.zeros((40, 60), np.uint8)
            mask[5:30, 10 * number : 10 * number + 8] = 255
            save(tmp_path / f"{image:03}x" / f"{number}.png", mask)
    whole = holds_objects(find_masks(tmp_path))
    (tmp_path / "001x" / "3.png").write_bytes(b"damaged")
    assert whole > holds_objects(find_masks(tmp_path)) > 3


def test_planes_of_several_sizes_or_values_are_no_classes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        np.savez(tmp_path / f"{name}.npz", a_mask=blocks(0, 1), b_mask=blocks(0, 1, size=30))
    found = decide_pages(find_masks(tmp_path), ReadOptions())
    assert found.pages == "stack" and "they are not binary" in found.reasons[0]


def test_an_empty_json_file_lists_no_segments(tmp_path: Path) -> None:
    save(tmp_path / "masks" / "a.png", np.dstack([blocks(0, 9), blocks(0, 3), blocks(0, 4)]))
    (tmp_path / "empty.json").write_bytes(b"")
    assert look(tmp_path / "masks")[1].kind == "colour"


def test_a_folder_that_says_it_lists_segments_and_does_not(tmp_path: Path) -> None:
    save(tmp_path / "masks" / "a.png", np.dstack([blocks(0, 9), blocks(0, 3), blocks(0, 4)]))
    listed = [{"segments_info": [], "file_name": "b.png"}]
    write(tmp_path / "p.json", {"categories": [{"id": 1, "name": "x"}], "annotations": listed})
    assert look(tmp_path / "masks")[1].kind == "colour"


def test_a_mask_that_is_gone(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 1))
    encoding = look(tmp_path)[1]
    with pytest.raises(UnreadableMask, match=r"b\.png: it is gone; expected the file that was listed"):
        read_mask(tmp_path, "b.png", encoding)
