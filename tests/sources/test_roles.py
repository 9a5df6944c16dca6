"""Names of classes, the background, and colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from written import blocks, codes, colours, labels, look, save, save_palette

from shapeprof.errors import NothingMeasurable, UsageError

RED, GREEN, BLACK = (200, 0, 0), (0, 200, 0), (0, 0, 0)


def csv(*rows: tuple[str, tuple[int, int, int]]) -> str:
    return "name,r,g,b\n" + "\n".join(f"{name},{r},{g},{b}" for name, (r, g, b) in rows)


def test_stray_black_is_ignored_where_another_colour_is_the_unlabelled_one(tmp_path: Path) -> None:
    save(tmp_path / "a.png", colours(blocks(0, 1, 2), [BLACK, RED, GREEN]))
    (tmp_path / "class_dict.csv").write_text(csv(("unlabelled", RED), ("tree", GREEN)))
    _, encoding = look(tmp_path)
    assert encoding.classes.names == ("tree", "unlabelled") and encoding.classes.background == 1
    assert encoding.ignored == (0,) and "stray-colour" in codes(encoding.issues)
    np.testing.assert_array_equal(labels(tmp_path, "a.png", encoding), np.array([255, 1, 0])[blocks(0, 1, 2)])


def test_colours_of_a_class_file_that_no_mask_holds_are_classes_too(tmp_path: Path) -> None:
    save(tmp_path / "a.png", colours(blocks(0, 1), [BLACK, RED]))
    (tmp_path / "class_dict.csv").write_text(csv(("back", BLACK), ("roof", RED), ("tree", GREEN)))
    _, encoding = look(tmp_path)
    assert encoding.classes.names == ("back", "tree", "roof")  # in the order of the colours
    assert encoding.raw_values_of(1) == ("#00C800",)


def test_black_in_a_palette_is_the_background_whatever_its_index(tmp_path: Path) -> None:
    save_palette(tmp_path / "a.png", blocks(0, 1, 2), [RED, GREEN, BLACK])
    _, encoding = look(tmp_path)
    assert (encoding.kind, encoding.classes.background) == ("palette", 2)
    assert encoding.classes.names == ("class 0", "class 1", "background")


@pytest.mark.parametrize(("asked", "background"), [(60, 2), (2, 2), (0, 0), (None, None)])
def test_the_background_that_is_asked_for(tmp_path: Path, asked: int | None, background: int | None) -> None:
    save(tmp_path / "a.png", blocks(0, 30, 60, 90))
    _, encoding = look(tmp_path, background=asked)  # by stored value, else by class id
    assert encoding.classes.background == background
    with pytest.raises(UsageError, match="background 7: no mask looked at holds it; expected one of 0, 30, 60, 90"):
        look(tmp_path, background=7)


@pytest.mark.parametrize("word", ["Background", "_background_", "bg", "void", "Unlabeled"])
def test_a_class_that_is_called_so_is_the_background(tmp_path: Path, word: str) -> None:
    save(tmp_path / "a.png", blocks(0, 1, 2))
    (tmp_path / "classes.txt").write_text(f"cat\ndog\n{word}\n")
    assert look(tmp_path)[1].classes.background == 2


def test_a_value_0_with_another_name_is_no_background(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 1, 2))
    (tmp_path / "classes.txt").write_text("cat\ndog\nbird\n")
    _, encoding = look(tmp_path)
    assert encoding.classes.background is None
    assert any("the value 0 is called 'cat', so every class is foreground" in why for why in encoding.reasons)


def test_names_of_the_foreground_alone_leave_0_to_the_background(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 1, 2))
    assert look(tmp_path, classes=("cat", "dog"))[1].classes.names == ("background", "cat", "dog")
    _, encoding = look(tmp_path, classes=("cat", "dog", "bird", "fish"))
    assert encoding.classes.names == ("cat", "dog", "bird", "fish")


def test_rare_colours_beside_common_ones_are_doubted(tmp_path: Path) -> None:
    ids = np.zeros((200, 200), int)
    ids[:100] = 1
    ids[0, 0] = 2
    save(tmp_path / "a.png", colours(ids, [BLACK, RED, (201, 3, 1)]))
    _, encoding = look(tmp_path)
    assert codes(encoding.issues) == {"similar-colours"} and "#C90301 beside #C80000" in encoding.issues[0].message


def test_too_many_colours_are_objects_unless_the_user_denies_it(tmp_path: Path) -> None:
    ids = np.repeat(np.repeat(np.arange(256).reshape(16, 16), 4, 0), 4, 1)
    save(tmp_path / "a.png", colours(ids, [(i, 255 - i, 7 * i % 256) for i in range(256)]))
    _, encoding = look(tmp_path)
    assert encoding.instances and "256 colours in 1 files are too many for classes" in encoding.reasons[0]
    with pytest.raises(NothingMeasurable, match="the masks hold 256 colours; expected at most 250 classes"):
        look(tmp_path, instances=False)


def test_blended_colours_without_a_legend_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    save(tmp_path / "a.png", rng.integers(0, 256, (120, 3))[rng.integers(0, 120, (64, 64))])
    with pytest.raises(NothingMeasurable, match=r"hold blended colours \(such as a\.png.*no legend stands out"):
        look(tmp_path, instances=False)
