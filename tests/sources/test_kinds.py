"""Every kind of encoding: the mapping, the first reason in its words, and labels that come back as they were stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from annotated import labelme, photo, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from png_files import write_png
from written import blocks, codes, colours, labels, look, save, save_palette

from shapeprof.errors import UsageError
from shapeprof.sources import Encoding, read_mask, read_runs
from shapeprof.sources.encoding import Kind

BLUE, RED = (0, 0, 200), (200, 0, 0)
PALETTE = [(0, 0, 0), BLUE, RED]
NUMBERED = ("background", "class 1", "class 2", "class 3")
ANNOTATION = {"points": [[0, 0], [9, 0], [9, 9], [0, 9]]}


def store(root: Path, kind: str) -> None:
    """Masks of one kind."""
    if kind == "annotation":
        photo(root / "a.jpg", 24, 24)
        write(root / "a.json", labelme([ANNOTATION], "a.jpg", (24, 24)))
    elif kind == "palette":
        save_palette(root / "a.png", blocks(0, 1, 2), PALETTE)
    elif kind == "colour":
        save(root / "a.png", colours(blocks(0, 1, 2), PALETTE))
    elif kind == "instance":
        for name, number in (("a", 30), ("b", 26)):
            save(root / f"{name}.png", blocks(*range(number), size=60))
    else:
        values = {"index": (0, 1, 3), "binary": (0, 255), "grey-multiples": (0, 60, 120, 180)}[kind]
        save(root / "a.png", blocks(*values))


@pytest.mark.parametrize(
    ("kind", "mapping", "names", "reason"),
    [
        ("index", {0: 0, 1: 1, 3: 3}, NUMBERED, "the values 0, 1, 3 are taken as class ids as they are"),
        (
            "binary",
            {0: 0, 255: 1},
            ("background", "foreground"),
            "the only values are 0 and 255: background and one foreground class",
        ),
        (
            "grey-multiples",
            {0: 0, 60: 1, 120: 2, 180: 3},
            NUMBERED,
            "the values 0, 60, 120, 180 are multiples of 60, so a class id is its value / 60",
        ),
        (
            "palette",
            {0: 0, 1: 1, 2: 2},
            NUMBERED[:3],
            "the files share one palette, and its indices 0 to 2 are the class ids",
        ),
        (
            "colour",
            {0: 0, 0xC8: 1, 0xC80000: 2},
            ("#000000", "#0000C8", "#C80000"),
            "3 colours were found in 1 files; class ids follow their order, darkest first",
        ),
        (
            "instance",
            {0: 0},
            ("background", "object"),
            "the files number from 19 to 29 values of their own, so a value is one object, not a class "
            "(--no-instances says otherwise)",
        ),
        (
            "annotation",
            {0: 0, 1: 1},
            ("background", "thing"),
            "1 LabelMe annotations in a.json are drawn as masks of 1 images",
        ),
    ],
)
def test_every_kind_and_why(
    tmp_path: Path, kind: str, mapping: dict[int, int], names: tuple[str, ...], reason: str
) -> None:
    store(tmp_path, kind)
    _, encoding = look(tmp_path)
    assert (encoding.kind, dict(encoding.mapping), encoding.classes.names) == (kind, mapping, names)
    assert encoding.classes.background == 0 and encoding.reasons[0] == reason
    assert Encoding.from_dict(encoding.to_dict()) == encoding


def test_no_kind_is_left_out_above() -> None:
    kinds = {"index", "binary", "grey-multiples", "palette", "colour", "instance", "annotation"}
    assert set(get_args(Kind)) == kinds


IDS = st.lists(st.lists(st.sampled_from([0, 1, 2]), min_size=12, max_size=12), min_size=4, max_size=8).map(np.array)
STORED: dict[str, Any] = {
    "index": save,
    "shades of 16 bits": lambda path, ids: path.write_bytes(write_png(ids * 700, 16)),
    "shades": lambda path, ids: save(path, ids * 90),
    "palette": lambda path, ids: save_palette(path, ids, PALETTE),
    "colour": lambda path, ids: save(path, colours(ids, PALETTE)),
    "equal channels": lambda path, ids: save(path, np.repeat((ids * 90)[..., None], 3, axis=2)),
    "2 bits": lambda path, ids: path.write_bytes(write_png(ids, 2)),
}


@pytest.mark.parametrize("form", STORED)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=IDS)
def test_ids_come_back_however_they_are_stored(tmp_path: Path, form: str, ids: np.ndarray) -> None:
    """A second file holds every class, so that the values are known whatever the first holds."""
    STORED[form](tmp_path / "b.png", blocks(0, 1, 2, size=36))
    STORED[form](tmp_path / "a.png", ids)
    _, encoding = look(tmp_path)
    classes = {raw: class_id for class_id, raw in enumerate(sorted(raw for raw, _ in encoding.mapping))}
    assert len(classes) == 3 and np.array_equal(labels(tmp_path, "a.png", encoding), ids)
    runs, _ = read_runs(tmp_path, "a.png", encoding)
    ends = np.append(runs.start[1:], 0)
    ends[runs.row[1:] - 1] = ids.shape[1]  # the last run of a row ends with it
    assert np.array_equal(np.repeat(runs.value, ends - runs.start).reshape(ids.shape), ids)


@pytest.mark.parametrize(
    ("values", "ignored"),
    [
        ((0, 1, 2, 255), (255,)),  # alone behind ids
        ((0, 1, 255), (255,)),
        ((0, 85, 170, 255), ()),  # shades up to white
        ((0, 60, 120, 255), (255,)),  # off the step of the shades
        ((0, 255), ()),
        ((0, 128, 255), ()),
    ],
)
def test_when_255_is_ignored(tmp_path: Path, values: tuple[int, ...], ignored: tuple[int, ...]) -> None:
    save(tmp_path / "a.png", blocks(*values))
    _, encoding = look(tmp_path)
    assert encoding.ignored == ignored
    assert any("255" in why and "ignored" in why for why in encoding.reasons) == bool(ignored)
    found = labels(tmp_path, "a.png", encoding)
    assert (found[blocks(*values) == 255] == 255).all() == bool(ignored)


def ring(inside: int, outside: int, shift: int) -> np.ndarray:
    """A disc away from the border."""
    rows, columns = np.mgrid[:48, :48]
    return np.where(np.hypot(rows - 24, columns - 20 - shift) < 9, inside, outside)


@pytest.mark.parametrize(("inside", "outside", "warned"), [(255, 0, False), (0, 255, True)])
def test_polarity_of_discs(tmp_path: Path, inside: int, outside: int, warned: bool) -> None:
    for number in range(4):
        save(tmp_path / f"{number}.png", ring(inside, outside, number))
    _, encoding = look(tmp_path)
    assert ("inverted-masks" in codes(encoding.issues)) is warned
    _, swapped = look(tmp_path, invert=True)
    assert "inverted-masks" not in codes(swapped.issues)
    first, second = (labels(tmp_path, "2.png", known) for known in (encoding, swapped))
    assert (
        np.array_equal((first == 1), (second == 0))
        and (second == swapped.classes.background).sum() == (first == 1).sum()
    )


def test_polarity_of_equal_channels_and_beside_colours(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / f"{number}.png", np.repeat(ring(0, 255, number)[..., None], 3, axis=2))
    assert "inverted-masks" in codes(look(tmp_path)[1].issues)
    (tmp_path / "3.png").write_bytes(b"damaged")  # what can't be read shows nothing
    assert "inverted-masks" in codes(look(tmp_path)[1].issues)


def test_swapping_more_than_two_values_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 1, 2))
    with pytest.raises(UsageError, match="--invert: expected masks of two values, found 3 classes"):
        look(tmp_path, invert=True)
    with pytest.raises(UsageError, match="leave out --background, which names it"):
        look(tmp_path, invert=True, background=1)
    with pytest.raises(UsageError, match="found object ids"):
        look(tmp_path, invert=True, instances=True)


def test_objects_by_value_whatever_the_background(tmp_path: Path) -> None:
    values = np.array([[5, 5, 0, 7], [5, 9, 9, 0]])
    save(tmp_path / "a.png", values)
    _, encoding = look(tmp_path, instances=True, background=5, ignore_index=(9,))
    found, _ = read_mask(tmp_path, "a.png", encoding)
    assert found.labels.tolist() == [[0, 0, 1, 1], [0, 255, 255, 1]]
    assert found.instances is not None and found.instances.tolist() == [[0, 0, 10, 7], [0, 0, 0, 10]]  # 0 gets a new id


def test_objects_by_colour_have_their_packed_colour_as_id(tmp_path: Path) -> None:
    save(tmp_path / "a.png", colours(blocks(0, 1, 2), PALETTE))
    _, encoding = look(tmp_path, instances=True)
    found, _ = read_mask(tmp_path, "a.png", encoding)
    assert found.instances is not None and np.array_equal(
        found.instances, np.array([0, 0xC8, 0xC80000])[blocks(0, 1, 2)]
    )
    assert np.array_equal(found.labels, blocks(0, 1, 1))


def test_cityscapes_ids_hold_a_class_and_a_number(tmp_path: Path) -> None:
    values = np.array([[7, 7, 26000, 26001], [26, 24000, 255, 7]])
    path = tmp_path / "a.png"
    path.write_bytes(write_png(values, 16))
    _, encoding = look(tmp_path)
    assert (encoding.kind, encoding.divisor, encoding.things, encoding.ignored) == ("instance", 1000, (24, 26), (255,))
    found, _ = read_mask(tmp_path, "a.png", encoding)
    assert found.labels.tolist() == [[7, 7, 26, 26], [26, 24, 255, 7]]
    ids = found.instances
    assert ids is not None and ids[0, 2:].tolist() == [26000, 26001] and ids[1, 1] == 24000
    assert ids[1, 0] == 0 and ids[1, 2] == 0  # a crowd of a numbered class, and what is ignored
    assert ids[0, 0] == ids[0, 1] != 0 and ids[1, 3] not in (0, ids[0, 0])  # pieces of a class without numbers
