"""What stored values are taken to mean, and why: one example for each way to store a mask."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from written import blocks, codes, colours, labels, look, save, save_palette

from shapeprof.errors import InputError, NothingMeasurable, UsageError
from shapeprof.labelmap import ClassTable
from shapeprof.sources import Encoding, read_mask

LEGEND = [(0, 0, 0), (60, 16, 152), (132, 41, 246), (254, 221, 58)]


def test_index_values_are_ids_and_255_is_ignored(tmp_path: Path) -> None:
    ids = blocks(0, 1, 3, 255)
    save(tmp_path / "a.png", ids)
    _, encoding = look(tmp_path)
    assert (encoding.kind, encoding.ignored) == ("index", (255,))
    assert encoding.mapping == ((0, 0), (1, 1), (3, 3))
    assert encoding.classes.background == 0
    found = labels(tmp_path, "a.png", encoding)
    assert found.dtype == np.uint8
    assert (found == ids).all()


def test_16_bit_ids(tmp_path: Path) -> None:
    ids = blocks(0, 2, 700, 65535)
    save(tmp_path / "a.png", ids)
    save(tmp_path / "b.png", ids)  # equal numbers of values: classes, not objects
    _, encoding = look(tmp_path)
    assert (encoding.kind, encoding.ignored) == ("index", (65535,))
    found = labels(tmp_path, "a.png", encoding)
    assert found.dtype == np.uint16
    assert (found == ids).all()


def test_16_bit_file_of_small_ids_becomes_uint8(tmp_path: Path) -> None:
    ids = blocks(0, 2, 5, 65535)
    save(tmp_path / "a.png", ids)
    _, encoding = look(tmp_path)
    found = labels(tmp_path, "a.png", encoding)
    assert found.dtype == np.uint8
    assert (found == np.where(ids == 65535, 255, ids)).all()


def test_255_beside_254_is_a_class(tmp_path: Path) -> None:
    ids = blocks(0, 7, 254, 255)
    save(tmp_path / "a.png", ids)
    _, encoding = look(tmp_path, ignore_index=None)
    found = labels(tmp_path, "a.png", encoding)
    assert found.dtype == np.uint16
    assert (found == ids).all()


@pytest.mark.parametrize("top", [1, 128, 255])
def test_two_values_are_binary(tmp_path: Path, top: int) -> None:
    save(tmp_path / "a.png", blocks(0, top))
    _, encoding = look(tmp_path)
    assert encoding.kind == "binary"
    assert encoding.classes == ClassTable(("background", "foreground"), 0)
    assert encoding.raw_values_of(1) == (top,)
    assert (labels(tmp_path, "a.png", encoding) == blocks(0, 1)).all()


def test_1_bit_png(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 255), mode="1")
    _, encoding = look(tmp_path)
    assert (labels(tmp_path, "a.png", encoding) == blocks(0, 1)).all()


def test_rgb_with_equal_channels_is_grey(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 255), mode="RGB")
    _, encoding = look(tmp_path)
    assert (encoding.kind, encoding.equal_channels) == ("binary", True)
    assert (labels(tmp_path, "a.png", encoding) == blocks(0, 1)).all()


def test_multiples_extend_to_unseen_ones(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 30, 60, 120))
    _, encoding = look(tmp_path)
    assert (encoding.kind, encoding.step) == ("grey-multiples", 30)
    save(tmp_path / "later.png", blocks(0, 210))
    found, issues = read_mask(tmp_path, "later.png", encoding)
    assert (found.labels == blocks(0, 7)).all()
    assert not issues


@pytest.mark.parametrize(
    ("values", "ids", "ignored"),
    [
        ((0, 85, 170, 255), (0, 1, 2, 3), ()),
        ((0, 30, 60, 90, 255), (0, 1, 2, 3, 255), (255,)),
        ((0, 127, 255), (0, 1, 2), ()),
        ((0, 10, 70), (0, 10, 70), ()),
        ((0, 17, 34, 51), (0, 1, 2, 3), ()),
        ((0, 7, 26, 33), (0, 7, 26, 33), ()),
    ],
)
def test_shades_and_ids(
    tmp_path: Path, values: tuple[int, ...], ids: tuple[int, ...], ignored: tuple[int, ...]
) -> None:
    save(tmp_path / "a.png", blocks(*values))
    _, encoding = look(tmp_path)
    assert encoding.ignored == ignored
    assert (labels(tmp_path, "a.png", encoding) == blocks(*ids)).all()


@pytest.mark.parametrize("values", [(0,), (1,), (255,), (7,)])
def test_a_single_value(tmp_path: Path, values: tuple[int, ...]) -> None:
    save(tmp_path / "a.png", blocks(*values, size=1))
    _, encoding = look(tmp_path)
    expected = 1 if values == (255,) else values[0]
    assert labels(tmp_path, "a.png", encoding).tolist() == [[expected]]


def test_palette_indices_are_ids(tmp_path: Path) -> None:
    save_palette(tmp_path / "a.png", blocks(0, 1, 3), LEGEND)
    save_palette(tmp_path / "b.png", blocks(0, 2, 255), LEGEND + [(9, 9, 9)] * 251 + [(224, 224, 192)])
    _, encoding = look(tmp_path)
    assert (encoding.kind, encoding.ignored) == ("palette", (255,))
    assert dict(encoding.palette)[1] == 0x3C1098
    assert (labels(tmp_path, "a.png", encoding) == blocks(0, 1, 3)).all()
    assert (labels(tmp_path, "b.png", encoding) == blocks(0, 2, 255)).all()


def test_palettes_that_differ_are_read_by_colour(tmp_path: Path) -> None:
    save_palette(tmp_path / "a.png", blocks(0, 1), [LEGEND[0], LEGEND[2]])
    save_palette(tmp_path / "b.png", blocks(0, 1), [LEGEND[2], LEGEND[0]])
    _, encoding = look(tmp_path)
    assert encoding.kind == "colour"
    [issue] = [issue for issue in encoding.issues if issue.code == "palettes-differ"]
    assert "a.png" in issue.message
    assert "b.png" in issue.message
    assert (labels(tmp_path, "a.png", encoding) == 1 - labels(tmp_path, "b.png", encoding)).all()


def test_grey_ids_beside_palettes_stay_ids(tmp_path: Path) -> None:
    save_palette(tmp_path / "a.png", blocks(0, 1, 2), LEGEND)
    save(tmp_path / "b.png", blocks(0, 2))
    _, encoding = look(tmp_path)
    assert (encoding.kind, codes(encoding.issues)) == ("palette", {"mixed-storage"})
    assert (labels(tmp_path, "a.png", encoding) == blocks(0, 1, 2)).all()
    assert (labels(tmp_path, "b.png", encoding) == blocks(0, 2)).all()


def test_colours_beside_palettes_are_read_by_colour(tmp_path: Path) -> None:
    save_palette(tmp_path / "a.png", blocks(0, 1, 2), LEGEND)
    save(tmp_path / "b.png", colours(blocks(0, 2), LEGEND))
    _, encoding = look(tmp_path)
    assert (encoding.kind, codes(encoding.issues)) == ("colour", {"mixed-storage"})
    assert (labels(tmp_path, "a.png", encoding) == blocks(0, 1, 2)).all()
    assert (labels(tmp_path, "b.png", encoding) == blocks(0, 2)).all()


def test_a_later_palette_in_another_order_is_put_right(tmp_path: Path) -> None:
    save_palette(tmp_path / "a.png", blocks(0, 1, 2), LEGEND)
    _, encoding = look(tmp_path)
    save_palette(tmp_path / "later.png", blocks(0, 1), [LEGEND[2], LEGEND[0]])
    assert (labels(tmp_path, "later.png", encoding) == blocks(2, 0)).all()


def test_colours_are_ids_by_packed_value(tmp_path: Path) -> None:
    ids = blocks(3, 0, 1, 2)
    save(tmp_path / "a.png", colours(ids, LEGEND))
    _, encoding = look(tmp_path)
    assert (encoding.kind, encoding.classes.background) == ("colour", 0)
    assert encoding.raw_values_of(1) == ("#3C1098",)
    assert (labels(tmp_path, "a.png", encoding) == ids).all()


def test_colours_without_black_have_no_background(tmp_path: Path) -> None:
    save(tmp_path / "a.png", colours(blocks(1, 2), LEGEND))
    _, encoding = look(tmp_path)
    assert encoding.classes == ClassTable(("#3C1098", "#8429F6"), None)


def test_an_unseen_colour_is_ignored_and_reported(tmp_path: Path) -> None:
    save(tmp_path / "a.png", colours(blocks(0, 1, 1), LEGEND))
    _, encoding = look(tmp_path)
    save(tmp_path / "later.png", colours(blocks(0, 1, 2), LEGEND))
    found, issues = read_mask(tmp_path, "later.png", encoding)
    assert (found.labels == blocks(0, 1, 255)).all()
    assert codes(issues) == {"unseen-colour"}
    assert "#8429F6" in issues[0].message


def test_a_colour_can_be_ignored(tmp_path: Path) -> None:
    save(tmp_path / "a.png", colours(blocks(0, 1, 2), LEGEND))
    _, encoding = look(tmp_path, ignore_index=0, background=None)
    assert encoding.classes.background is None
    assert (labels(tmp_path, "a.png", encoding) == blocks(255, 0, 1)).all()


def test_files_that_number_their_objects_are_instances(tmp_path: Path) -> None:
    for n in (30, 36, 48):
        save(tmp_path / f"{n}.png", blocks(*range(n), size=48))
    _, encoding = look(tmp_path)
    assert (encoding.kind, encoding.instances) == ("instance", True)
    found, _ = read_mask(tmp_path, "30.png", encoding)
    assert found.instances is not None
    assert found.instances.dtype == np.uint16
    assert (found.instances == blocks(*range(30), size=48)).all()
    assert (found.labels == (found.instances > 0)).all()
    assert encoding.classes == ClassTable(("background", "object"), 0)


def test_instances_can_be_forced_and_forbidden(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 1, 2))
    assert look(tmp_path, instances=True)[1].instances
    for n in (30, 36):
        save(tmp_path / f"{n}.png", blocks(*range(n), size=48))
    assert look(tmp_path, instances=False)[1].kind == "index"


def test_coloured_instances(tmp_path: Path) -> None:
    save(tmp_path / "a.png", colours(blocks(0, 1, 2), LEGEND))
    _, encoding = look(tmp_path, instances=True, classes=("cell",))
    found, _ = read_mask(tmp_path, "a.png", encoding)
    assert found.instances is not None
    assert found.instances.dtype == np.uint32
    assert np.unique(found.instances).size == 3
    assert found.classes.names == ("background", "cell")


def disc(size: int = 128) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size]
    return np.hypot(rows - size / 2, columns - size / 2)


def test_soft_masks_snap_to_their_levels(tmp_path: Path) -> None:
    soft = np.clip((40 - disc()) * 60 + 128, 0, 255)
    save(tmp_path / "a.png", soft)
    save(tmp_path / "b.jpg", np.where(disc() < 30, 255, 0), quality=90)
    _, encoding = look(tmp_path)
    assert (encoding.kind, encoding.levels) == ("binary", (0, 255))
    assert "soft-masks" in codes(encoding.issues)
    assert encoding.raw_values_of(1) == (255,)
    assert (labels(tmp_path, "a.png", encoding) == (soft.astype(np.uint8) > 127)).mean() > 0.999
    assert (labels(tmp_path, "b.jpg", encoding) == (disc() < 30)).mean() > 0.995


def test_small_ids_in_jpeg_are_doubted(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", blocks(0, 0, 5), quality=95)
    assert "lossy-ids" in codes(look(tmp_path)[1].issues)


def test_soft_colours_snap_to_their_legend(tmp_path: Path) -> None:
    ids = (disc() < 40).astype(int) + (disc() < 20)
    save(tmp_path / "a.jpg", colours(ids, LEGEND), quality=92, subsampling=0)
    _, encoding = look(tmp_path)
    assert encoding.kind == "colour"
    assert len(encoding.classes.names) == 3
    found = labels(tmp_path, "a.jpg", encoding)
    assert (found == ids)[found != 255].mean() > 0.98


def test_gradients_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.png", np.clip(disc(320) * 3, 0, 255))
    with pytest.raises(NothingMeasurable, match="blended grey values"):
        look(tmp_path)


def photo(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (64, 64, 3))


def test_photographs_are_not_masks(tmp_path: Path) -> None:
    save(tmp_path / "photo.png", photo())
    with pytest.raises(NothingMeasurable, match="looks like a photograph"):
        look(tmp_path)
    save(tmp_path / "a.png", blocks(0, 1))
    _, encoding = look(tmp_path)
    assert (encoding.kind, codes(encoding.issues)) == ("binary", {"looks-like-photo"})


def test_unreadable_files_do_not_stop_detection(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 1))
    (tmp_path / "b.png").write_text("text")
    assert look(tmp_path)[1].kind == "binary"  # the ledger of the scan reports b.png
    (tmp_path / "a.png").unlink()
    with pytest.raises(NothingMeasurable, match=r"none of the 1 files.*b\.png"):
        look(tmp_path)


def test_background_by_option_name_and_value(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 1, 2))
    assert look(tmp_path, background=None)[1].classes.background is None
    assert look(tmp_path, background=2)[1].classes.background == 2
    _, named = look(tmp_path, classes=("road", "car", "void"))
    assert (named.classes.background, named.classes.names[0]) == (2, "road")
    _, road = look(tmp_path, classes=("road", "car", "tree"))
    assert road.classes.background is None
    assert any("called 'road'" in reason for reason in road.reasons)


def test_a_background_that_no_mask_holds(tmp_path: Path) -> None:
    save(tmp_path / "a.png", colours(blocks(1, 2), LEGEND))
    with pytest.raises(UsageError, match=r"background 77.*#3C1098"):
        look(tmp_path, background=77)


def test_names_of_the_foreground_alone(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 255))
    assert look(tmp_path, classes=("crack",))[1].classes.names == ("background", "crack")


def test_roboflow_names(tmp_path: Path) -> None:
    save(tmp_path / "train" / "a.png", blocks(0, 1, 2))
    (tmp_path / "train" / "_classes.csv").write_text("Pixel Value, Class\n0, background\n1, cat\n2, dog\n")
    _, encoding = look(tmp_path)
    assert encoding.classes == ClassTable(("background", "cat", "dog"), 0)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classes.txt", "sky\ncat\ndog\n"),
        ("labels.txt", "0: sky\n1: cat\n2: dog\n"),
        ("classes.json", '["sky", "cat", "dog"]'),
        ("classes.json", '{"0": "sky", "1": "cat", "2": "dog"}'),
        ("classes.json", '{"sky": 0, "cat": 1, "dog": 2}'),
        ("classes.json", '{"classes": [{"name": "sky"}, {"name": "cat"}, {"name": "dog"}]}'),
        ("data.yaml", "names: [sky, cat, dog]\n"),
        ("n.yaml", "names:\n  0: sky\n  1: cat\n  2: dog\n"),
        ("n.csv", "name\nsky\ncat\ndog\n".replace("name\n", "")),
    ],
)
def test_forms_of_class_files(tmp_path: Path, name: str, text: str) -> None:
    save(tmp_path / "set" / "masks" / "a.png", blocks(0, 1, 2))
    path = tmp_path / "set" / name
    path.write_text(text)
    given = look(tmp_path / "set" / "masks", class_file=path)[1]
    assert given.classes == ClassTable(("sky", "cat", "dog"), None)
    if not name.startswith("n."):
        assert look(tmp_path / "set" / "masks")[1].classes == given.classes


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("class_dict.csv", "name,r,g,b\nvoid,0,0,0\nhouse,60,16,152\nland,132,41,246\n"),
        ("labelmap.txt", "# label:color_rgb:parts\nvoid:0,0,0::\nhouse:60,16,152::\nland:132,41,246::\n"),
        ("classes.json", json.dumps({"classes": [{"title": n, "color": c} for n, c in (
            ("void", "#000000"), ("house", "#3C1098"), ("land", "#8429F6"))]})),
    ],
)  # fmt: skip
def test_names_by_colour(tmp_path: Path, name: str, text: str) -> None:
    save(tmp_path / "a.png", colours(blocks(0, 1, 2), LEGEND))
    (tmp_path / name).write_text(text)
    assert look(tmp_path)[1].classes == ClassTable(("void", "house", "land"), 0)


def test_a_class_file_adds_the_colours_that_no_sampled_mask_held(tmp_path: Path) -> None:
    save(tmp_path / "a.png", colours(blocks(0, 2), LEGEND))
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\nbg,0,0,0\nhouse,60,16,152\nland,132,41,246\n")
    _, encoding = look(tmp_path)
    assert encoding.classes.names == ("bg", "house", "land")
    assert (labels(tmp_path, "a.png", encoding) == blocks(0, 2)).all()


def test_names_that_do_not_fit(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 1, 2, 3))
    (tmp_path / "classes.txt").write_text("one\ntwo\n")
    assert "class-names-mismatch" in codes(look(tmp_path)[1].issues)


@pytest.mark.parametrize("text", ["", "{", '{"a": {"b": 1}}', "3"])
def test_class_files_without_names(tmp_path: Path, text: str) -> None:
    save(tmp_path / "a.png", blocks(0, 1))
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match=r"x\.json: .*Expected one name a line"):
        look(tmp_path, class_file=tmp_path / "x.json")


def test_folders_of_ordinary_masks_are_not_objects(tmp_path: Path) -> None:
    for part in ("train", "val"):
        save(tmp_path / part / "1.png", blocks(0, 0, 255))
        save(tmp_path / part / "2.png", blocks(0, 255, 255))
    assert not look(tmp_path)[1].issues


def test_encoding_survives_json_and_pickle(tmp_path: Path) -> None:
    save(tmp_path / "a.png", colours(blocks(0, 1, 2), LEGEND))
    _, encoding = look(tmp_path)
    assert Encoding.from_dict(json.loads(json.dumps(encoding.to_dict()))) == encoding
    read_mask(tmp_path, "a.png", encoding)
    assert len(pickle.dumps(encoding)) < 2000  # no tables travel along
    assert pickle.loads(pickle.dumps(encoding)) == encoding


def test_many_values_of_one_file_each_may_be_objects(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(6):
        save(tmp_path / f"{i}.png", blocks(0, *(rng.integers(300, 60000, 6).tolist())))
    assert "maybe-instances" in codes(look(tmp_path)[1].issues)
    assert look(tmp_path, instances=True)[1].issues == ()
