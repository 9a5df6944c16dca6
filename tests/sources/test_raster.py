"""Ways to store a mask as an image: one example of each, and what is found in it."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from png_files import GREY, PALETTE, assemble, write_png
from written import blocks, codes, colours, labels, look, save, save_palette

from shapeprof.errors import UnreadableMask, UsageError
from shapeprof.sources import read_mask, read_runs
from shapeprof.sources.run_length import encode
from shapeprof.sources.values.survey import is_grey_ramp

LEGEND = [(0, 0, 0), (60, 16, 152), (132, 41, 246), (226, 169, 41)]


def disc(radius: float, size: int = 96, at: tuple[float, float] = (48, 48)) -> np.ndarray:
    """Distance inside of a disc's edge, in pixels, (size, size)."""
    rows, columns = np.mgrid[:size, :size]
    return radius - np.hypot(rows - at[0], columns - at[1])


def smooth(inside: np.ndarray, top: int = 255, over: float = 6) -> np.ndarray:
    """A disc of ``top`` with anti-aliased edges ``over`` some pixels."""
    return np.rint(np.clip(inside / over + 0.5, 0, 1) * top).astype(np.uint8)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
@pytest.mark.parametrize("kind", [GREY, PALETTE])
def test_samples_of_few_bits(tmp_path: Path, depth: int, kind: int) -> None:
    """Ids 0, 1 and (where there is room) 3: stretched by decoders, they are ids all the same."""
    ids = blocks(0, 1, 0, 1) if depth == 1 else blocks(0, 1, 3)
    palette = bytes(channel for colour in LEGEND for channel in colour) if kind == PALETTE else b""
    (tmp_path / "a.png").write_bytes(write_png(ids, depth, kind, palette=palette[: 3 * 2**depth]))
    _, encoding = look(tmp_path)
    assert (labels(tmp_path, "a.png", encoding) == ids).all()
    assert (
        encode(read_mask(tmp_path, "a.png", encoding)[0]).value == read_runs(tmp_path, "a.png", encoding)[0].value
    ).all()


@pytest.mark.parametrize("depth", [2, 4])
def test_a_single_id_in_few_bits(tmp_path: Path, depth: int) -> None:
    (tmp_path / "a.png").write_bytes(write_png(blocks(0, 1), depth))
    _, encoding = look(tmp_path)
    assert (labels(tmp_path, "a.png", encoding) == blocks(0, 1)).all()


@pytest.mark.parametrize("suffix", ["bmp", "gif", "webp", "tif", "png"])
@pytest.mark.parametrize("how", ["ids", "binary", "1-bit", "palette", "colour", "opaque"])
def test_formats(tmp_path: Path, suffix: str, how: str) -> None:
    ids = blocks(0, 1) if how in ("binary", "1-bit") else blocks(0, 1, 2, 3)
    path = tmp_path / f"a.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {}
    if suffix == "gif" and how in ("colour", "opaque"):
        pytest.skip("GIF stores palettes only")
    if how == "palette":
        save_palette(tmp_path / "a.png", ids, LEGEND)
        with Image.open(tmp_path / "a.png") as image:
            (image.convert("RGB") if suffix == "webp" else image).save(path, **options)
        if suffix != "png":
            (tmp_path / "a.png").unlink()
    elif how in ("colour", "opaque"):
        values = colours(ids, LEGEND)
        if how == "opaque":
            values = np.dstack([values, np.full(ids.shape, 255, np.uint8)])
        save(path, values, **options)
    else:
        save(
            path,
            ids * (255 if how in ("binary", "1-bit") else 1),
            mode="1" if how == "1-bit" and suffix != "webp" else None,
            **options,
        )
    _, encoding = look(tmp_path)
    assert (labels(tmp_path, path.name, encoding) == ids).all()


def rgba(ids: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return np.dstack([colours(ids, LEGEND), alpha]).astype(np.uint8)


def test_alpha(tmp_path: Path) -> None:
    ids = blocks(0, 1, 2)
    hidden = np.where(ids == 0, 0, 128)
    save(tmp_path / "overlay" / "a.png", rgba(ids, hidden))
    save(tmp_path / "all-clear" / "a.png", rgba(ids, np.zeros_like(ids)))
    for name in ("overlay", "all-clear"):
        _, encoding = look(tmp_path / name)
        assert (labels(tmp_path / name, "a.png", encoding) == ids).all()
    save(tmp_path / "cut-out" / "a.png", rgba(np.full_like(ids, 1), np.where(ids == 2, 255, 0)))
    _, encoding = look(tmp_path / "cut-out")
    assert encoding.kind == "binary"
    assert (labels(tmp_path / "cut-out", "a.png", encoding) == (ids == 2)).all()


def test_a_foreground_of_237_and_238_raw_values(tmp_path: Path) -> None:
    """Two true classes behind 238 raw values; the foreground is 237, and no pixel is 255."""
    for i in range(4):
        save(tmp_path / f"{i}.png", smooth(disc(30, at=(40 + i, 48)), 237))
    values = np.unique(np.concatenate([np.asarray(Image.open(p)).ravel() for p in tmp_path.iterdir()]))
    assert len(values) > 100
    assert values.max() == 237
    _, encoding = look(tmp_path)
    assert (encoding.kind, encoding.levels) == ("binary", (0, 237))
    [issue] = [issue for issue in encoding.issues if issue.code == "soft-masks"]
    off = np.mean([~np.isin(np.asarray(Image.open(p)), (0, 237)) for p in tmp_path.iterdir()])
    assert f"{off:.2%} of all pixels" in issue.message
    assert (labels(tmp_path, "0.png", encoding) == (disc(30, at=(40, 48)) > 0)).mean() > 0.998


def test_a_level_of_soft_masks_can_be_ignored(tmp_path: Path) -> None:
    for i in range(4):
        save(tmp_path / f"{i}.jpg", np.select([disc(20) > i, disc(40) > i], [255, 100], 0), quality=92)
    _, encoding = look(tmp_path, ignore_index=100)
    assert encoding.levels == (0, 100, 255)
    found = labels(tmp_path, "0.jpg", encoding)
    truth = np.select([disc(20) > 0, disc(40) > 0], [1, 255], 0)
    assert (found == truth).mean() > 0.97
    assert set(np.unique(found)) == {0, 1, 255}


def test_thin_soft_objects_are_not_lost(tmp_path: Path) -> None:
    """A soft line covers under 1 % of the pixels; its value is a level all the same."""
    rows, columns = np.mgrid[:300, :300]
    for i in range(3):
        away = np.abs(rows - 0.37 * columns - 60 - 9 * i) * (columns < 150) + 9 * (columns >= 150)
        save(tmp_path / f"{i}.png", np.rint(np.clip(2.2 - away, 0, 1) * 255))
    _, encoding = look(tmp_path)
    assert encoding.levels == (0, 255)
    found = labels(tmp_path, "0.png", encoding)
    assert 0.001 < found.mean() < 0.01


def test_masks_that_were_halved_by_averaging(tmp_path: Path) -> None:
    """Three blends between two values are no classes."""
    for i in range(4):
        whole = (disc(61, 192, (90 + i, 95)) > 0) * 255
        save(tmp_path / f"{i}.png", np.rint(whole.reshape(96, 2, 96, 2).mean(axis=(1, 3))))
    assert look(tmp_path)[1].levels == (0, 255)
    assert look(tmp_path, classes=("a", "b", "c", "d", "e"))[1].levels == ()


def test_thin_classes_are_no_blends(tmp_path: Path) -> None:
    """Three classes of thin lines on two broad ones, in shades that do not lie evenly between these."""
    for i in range(4):
        values = (disc(40, at=(44 + i, 48)) > 0) * 255
        for column, shade in ((20, 70), (50, 100), (70, 190)):
            values[:, column : column + 2] = shade
        save(tmp_path / f"{i}.png", values)
    _, encoding = look(tmp_path)
    assert (encoding.levels, len(encoding.mapping)) == ((), 5)


def test_shades_that_stand_out_but_are_rare_are_reported(tmp_path: Path) -> None:
    for i in range(4):
        values = smooth(disc(30, 200, (80 + i, 80)))
        values[150:158, 20:40] = 120
        save(tmp_path / f"{i}.png", values)
    [issue] = [issue for issue in look(tmp_path)[1].issues if issue.code == "soft-masks"]
    assert "values 120 stand out" in issue.message


def test_jpeg_masks(tmp_path: Path) -> None:
    for i in range(3):
        save(tmp_path / f"{i}.jpg", np.where(disc(30, at=(40 + i, 44)) > 0, 255, 0), quality=75)
    _, encoding = look(tmp_path)
    assert (encoding.kind, encoding.levels) == ("binary", (0, 255))
    assert (labels(tmp_path, "1.jpg", encoding) == (disc(30, at=(41, 44)) > 0)).mean() > 0.995


def test_a_mask_far_softer_than_the_others_is_reported(tmp_path: Path) -> None:
    for i in range(8):
        save(tmp_path / f"{i}.png", smooth(disc(30, at=(40 + i, 48)), over=2))
    _, encoding = look(tmp_path)
    assert not read_mask(tmp_path, "3.png", encoding)[1]
    save(tmp_path / "soft.png", smooth(disc(30), over=12))
    _, issues = read_mask(tmp_path, "soft.png", encoding)
    assert codes(issues) == {"soft-mask"}
    save(tmp_path / "softer.png", np.clip(disc(60) * 4, 0, 255))
    with pytest.raises(UnreadableMask, match="between the levels"):
        read_mask(tmp_path, "softer.png", encoding)


def test_a_colour_mask_far_softer_than_the_others_is_reported(tmp_path: Path) -> None:
    def painted(over: float) -> np.ndarray:
        share = np.clip(disc(30) / over + 0.5, 0, 1)[..., None]
        return np.rint(share * (200, 30, 90) + (1 - share) * (20, 160, 40)).astype(np.uint8)

    for i in range(5):
        save(tmp_path / f"{i}.png", painted(3 + i / 10))
    save(tmp_path / "later" / "soft.png", painted(12))
    _, encoding = look(tmp_path)
    assert encoding.levels == (0x14A028, 0xC81E5A)
    assert not read_mask(tmp_path, "1.png", encoding)[1]
    found, issues = read_mask(tmp_path, "later/soft.png", encoding)
    assert codes(issues) == {"soft-mask"}
    assert f"{(found.labels == 255).mean():.1%} of its pixels" in issues[0].message


def test_a_soft_mask_in_an_exact_set_is_snapped_and_reported(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 255))
    _, encoding = look(tmp_path)
    save(tmp_path / "soft.png", smooth(disc(30)))
    found, issues = read_mask(tmp_path, "soft.png", encoding)
    assert codes(issues) == {"soft-mask"}
    assert (found.labels == (disc(30) > 0)).mean() > 0.998


def test_stray_values_do_not_spoil_a_binary_set(tmp_path: Path) -> None:
    """Three pixels of 17 must not turn 255 into an ignore value."""
    ids = blocks(0, 255, size=96)
    for i in range(4):
        save(tmp_path / f"{i}.png", ids)
    ids[5, 5:8] = 17
    save(tmp_path / "stray.png", ids)
    _, encoding = look(tmp_path)
    assert (encoding.kind, encoding.ignored) == ("binary", ())
    assert "stray-values" in codes(encoding.issues)
    found, issues = read_mask(tmp_path, "stray.png", encoding)
    assert (found.labels == np.where(ids == 17, 255, ids // 255)).all()
    assert codes(issues) == {"unseen-value"}


def test_rare_ids_are_classes(tmp_path: Path) -> None:
    ids = blocks(0, 1, 2, size=96)
    ids[5, 5:8] = 17
    save(tmp_path / "a.png", ids)
    _, encoding = look(tmp_path)
    assert (labels(tmp_path, "a.png", encoding) == ids).all()


def inverted(root: Path, files: int = 5) -> None:
    """Discs stored as 0 on 255."""
    for i in range(files):
        save(root / f"{i}.png", np.where(disc(20, at=(40 + i, 50)) > 0, 0, 255))


def test_inverted_polarity_is_found_and_corrected(tmp_path: Path) -> None:
    inverted(tmp_path)
    _, encoding = look(tmp_path)
    assert "inverted-masks" in codes(encoding.issues)
    assert labels(tmp_path, "0.png", encoding)[0, 0] == 1
    _, turned = look(tmp_path, invert=True)
    assert "inverted-masks" not in codes(turned.issues)
    assert turned.classes.names == ("background", "foreground")
    assert turned.classes.background == 0
    assert (labels(tmp_path, "0.png", turned) == (disc(20, at=(40, 50)) > 0)).all()
    assert (
        read_runs(tmp_path, "0.png", turned)[0].value == encode(read_mask(tmp_path, "0.png", turned)[0]).value
    ).all()


@pytest.mark.parametrize("top", [1, 5, 255])
def test_any_two_values_can_be_inverted(tmp_path: Path, top: int) -> None:
    ids = blocks(0, top, 9)
    save(tmp_path / "a.png", ids)
    _, encoding = look(tmp_path, invert=True, ignore_index=9)
    assert (labels(tmp_path, "a.png", encoding) == np.select([ids == 0, ids == top], [1, 0], 255)).all()


def test_soft_inverted_masks(tmp_path: Path) -> None:
    for i in range(5):
        save(tmp_path / f"{i}.png", 255 - smooth(disc(30, at=(40 + i, 48))))
    assert {"inverted-masks", "soft-masks"} <= codes(look(tmp_path)[1].issues)
    _, encoding = look(tmp_path, invert=True)
    assert (labels(tmp_path, "0.png", encoding) == (disc(30, at=(40, 48)) > 0)).mean() > 0.998


@pytest.mark.parametrize("kind", ["discs", "large", "bands", "few"])
def test_polarity_that_is_no_finding(tmp_path: Path, kind: str) -> None:
    for i in range(5 if kind != "few" else 2):
        inside = {"discs": disc(20), "large": disc(60), "bands": disc(20, at=(0, 48)), "few": disc(20)}[kind] > 0
        mask = np.where(inside, 255, 0) if kind in ("discs", "large") else np.where(inside, 0, 255)
        save(tmp_path / f"{i}.png", mask)
    assert not look(tmp_path)[1].issues


def test_invert_wants_two_values(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 1, 2))
    with pytest.raises(UsageError, match=r"found 3 classes; --background"):
        look(tmp_path, invert=True)
    with pytest.raises(UsageError, match="found object ids"):
        look(tmp_path, invert=True, instances=True)
    with pytest.raises(UsageError, match="leave out --background"):
        look(tmp_path, invert=True, background=1)


@pytest.mark.parametrize("how", ["index", "colour", "instance"])
def test_several_ignored_values(tmp_path: Path, how: str) -> None:
    ids = blocks(0, 1, 2, 3)
    save(tmp_path / "a.png", colours(ids, LEGEND) if how == "colour" else ids)
    raws = (0x8429F6, 0x3C1098) if how == "colour" else (2, 1)
    _, encoding = look(tmp_path, ignore_index=raws, instances=how == "instance")
    assert encoding.ignored == tuple(sorted(raws))
    assert ((labels(tmp_path, "a.png", encoding) == 255) == np.isin(ids, (1, 2))).all()


def test_no_background_at_all(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 1, 2))
    _, encoding = look(tmp_path, background=None)
    assert encoding.classes.background is None
    assert (labels(tmp_path, "a.png", encoding) == blocks(0, 1, 2)).all()


def test_the_limit_of_pixels(tmp_path: Path) -> None:
    for name in ("a.png", "a.tif", "a.bmp"):
        save(tmp_path / "masks" / name, blocks(0, 1, size=64))
    np.save(tmp_path / "masks" / "a.npy", blocks(0, 1, size=64))
    save(tmp_path / "masks" / "small.png", blocks(0, 1))
    folder, encoding = look(tmp_path, max_pixels=1000)
    assert len(folder.files) == 5
    for name in set(folder.files) - {"masks/small.png"}:
        for read in (read_mask, read_runs):
            with pytest.raises(UnreadableMask, match=r"limit of 1,000.*--max-pixels") as caught:
                read(tmp_path, name, encoding)
            assert caught.value.code == "too-large"
    _, raised = look(tmp_path, max_pixels=64 * 64)
    assert (labels(tmp_path, "masks/a.tif", raised) == blocks(0, 1, size=64)).all()


@pytest.mark.slow
def test_a_mask_beyond_the_default_limit(tmp_path: Path) -> None:
    """24,000 x 24,000 pixels of 1 bit, 577 million, in a file of 70 KB: read as runs when it is asked for."""
    side = 24_000
    packer = zlib.compressobj(9)
    row = b"\0" + bytes(side // 8)
    stream = b"".join(packer.compress(row) for _ in range(side - 1))
    stream += packer.compress(b"\0" + b"\xff" * (side // 8)) + packer.flush()
    (tmp_path / "large.png").write_bytes(assemble((side, side), 1, GREY, stream))
    save(tmp_path / "small.png", blocks(0, 255))
    _, encoding = look(tmp_path)
    with pytest.raises(UnreadableMask, match=r"24000 x 24000 pixels, more than the limit of 536,870,912"):
        read_runs(tmp_path, "large.png", encoding)
    found, _ = read_runs(tmp_path, "large.png", look(tmp_path, max_pixels=10**9)[1])
    assert found.value.tolist() == [0] * (side - 1) + [1]


def test_memory_that_ends_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.png", "a.tif"):
        save(tmp_path / name, blocks(0, 1))
    _, encoding = look(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("shapeprof.sources.reading.runs.decode_png_runs", full)
    monkeypatch.setattr("shapeprof.sources.formats.tiff.opened", full)
    for name in ("a.png", "a.tif"):
        with pytest.raises(UnreadableMask, match="more memory than there is") as caught:
            read_runs(tmp_path, name, encoding)
        assert caught.value.path == name


def panoptic(root: Path) -> np.ndarray:
    """One mask of five segments, of which one is a crowd and one is not listed; its JSON file beside the folder."""
    ids = np.array([0, 1, 70_000, 9_000_000, 513, 77])[blocks(0, 1, 2, 3, 4, 5)]
    save(root / "masks" / "a.png", np.stack([ids & 255, ids >> 8 & 255, ids >> 16], axis=2))
    segments = [(1, 18, 0), (70_000, 18, 0), (9_000_000, 90, 0), (513, 18, 1)]
    document = {
        "images": [{"id": 5, "file_name": "a.jpg"}],
        "categories": [{"id": 90, "name": "sky"}, {"id": 18, "name": "dog"}, {"id": 3, "name": "unused"}],
        "annotations": [
            {
                "file_name": "a.png",
                "image_id": 5,
                "segments_info": [{"id": i, "category_id": c, "iscrowd": crowd} for i, c, crowd in segments],
            }
        ],
    }
    (root / "panoptic.json").write_text(json.dumps(document))
    return ids


def test_panoptic_masks_and_their_segments(tmp_path: Path) -> None:
    ids = panoptic(tmp_path)
    _, encoding = look(tmp_path / "masks")
    assert encoding.classes.names == ("dog", "sky")
    assert encoding.classes.background is None
    found, issues = read_mask(tmp_path / "masks", "a.png", encoding)
    assert (found.labels == np.array([255, 0, 0, 1, 255, 255])[blocks(0, 1, 2, 3, 4, 5)]).all()
    assert found.instances is not None
    assert (found.instances == np.where(found.labels == 255, 0, ids)).all()
    assert codes(issues) == {"unlisted-segment"}
    assert (read_runs(tmp_path / "masks", "a.png", encoding)[0].value == encode(found).value).all()
    save(tmp_path / "masks" / "b.png", colours(blocks(0, 1), LEGEND))
    with pytest.raises(UnreadableMask, match=r"panoptic\.json lists no segments of it"):
        read_mask(tmp_path / "masks", "b.png", encoding)


def test_panoptic_masks_without_their_segments(tmp_path: Path) -> None:
    panoptic(tmp_path)
    (tmp_path / "panoptic.json").unlink()
    _, encoding = look(tmp_path / "masks", instances=True)
    assert encoding.classes.names == ("background", "object")
    found, _ = read_mask(tmp_path / "masks", "a.png", encoding)
    assert found.instances is not None
    assert np.unique(found.instances).size == 6


def test_an_index_beyond_the_palette() -> None:
    """It has no colour, so the palette is no ramp of greys."""
    black_and_white = (0x000000, 0xFFFFFF)
    assert is_grey_ramp(black_and_white, np.array([[0, 1]]))
    assert not is_grey_ramp(black_and_white, np.array([[0, 1, 3]]))


def test_masks_with_foregrounds_of_1_and_of_255(tmp_path: Path) -> None:
    for i in range(4):
        save(tmp_path / f"a{i}.png", blocks(0, 1, 0))
        save(tmp_path / f"b{i}.png", blocks(0, 255, 0))
    _, encoding = look(tmp_path)
    assert (encoding.kind, encoding.ignored, codes(encoding.issues)) == ("binary", (), {"two-foregrounds"})
    for name in ("a0.png", "b0.png"):
        assert (labels(tmp_path, name, encoding) == blocks(0, 1, 0)).all()
        assert set(read_runs(tmp_path, name, encoding)[0].value.tolist()) == {0, 1}
    save(tmp_path / "border.png", blocks(0, 1, 255))
    assert look(tmp_path)[1].ignored == (255,)  # a border, as one mask holds both
