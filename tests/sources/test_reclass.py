"""Classes left out and taken together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from written import blocks, colours, look, save

from shapeprof.errors import UsageError
from shapeprof.runmap import IGNORED
from shapeprof.sources import Encoding, read_mask, read_runs
from shapeprof.sources.run_length import encode

NAMES = ("background", "road", "car", "truck", "tree")


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    save(tmp_path / "a.png", blocks(0, 1, 2, 3, 4, 255, size=48))
    save(tmp_path / "b.png", blocks(4, 3, 2, 1, 0, 4, size=48))
    return tmp_path


def both(root: Path, path: str, encoding: Encoding) -> np.ndarray:
    """The labels of a mask, ignored as -1; runs and pixels must say the same."""
    label_map, _ = read_mask(root, path, encoding)
    runs, _ = read_runs(root, path, encoding)
    same = encode(label_map)
    for name in ("row", "start", "value"):
        assert (getattr(runs, name) == getattr(same, name)).all()
    labels = label_map.labels.astype(int)
    return np.where(labels == label_map.ignore_index, IGNORED, labels)


def test_a_class_left_out_is_background_and_ids_close_up(masks: Path) -> None:
    folder, encoding = look(masks, classes=NAMES, exclude=("Road",))
    assert encoding.classes.names == ("background", "car", "truck", "tree")
    assert (both(folder.root, "a.png", encoding) == blocks(0, 0, 1, 2, 3, -1, size=48)).all()
    assert encoding.raw_values_of(1) == (2,)
    assert encoding.raw_values_of(0) == (0, 1)
    assert "the class 'road' is left out, as asked" in encoding.reasons


def test_classes_taken_together_have_the_first_ones_place(masks: Path) -> None:
    _, encoding = look(masks, classes=NAMES, merge=("truck, car = vehicle",), exclude=("tree",))
    assert encoding.classes.names == ("background", "road", "vehicle")
    assert (both(masks, "a.png", encoding) == blocks(0, 1, 2, 2, 0, -1, size=48)).all()
    assert len(read_runs(masks, "a.png", encoding)[0].value) == 48 * 5  # car and truck are one run
    assert encoding == Encoding.from_dict(encoding.to_dict())


def test_without_a_background_a_class_left_out_is_ignored(masks: Path) -> None:
    _, encoding = look(masks, classes=NAMES, background=None, exclude=("car",))
    assert encoding.classes.background is None
    assert (both(masks, "b.png", encoding) == blocks(3, 2, -1, 1, 0, 3, size=48)).all()


def test_a_class_that_no_mask_looked_at_held_moves_down(masks: Path) -> None:
    _, encoding = look(masks, classes=NAMES, exclude=("road",))
    save(masks / "late.png", blocks(0, 9, 1, 4))
    assert (both(masks, "late.png", encoding) == blocks(0, 8, 0, 3)).all()


def test_colours_and_levels(tmp_path: Path) -> None:
    legend = [(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)]
    save(tmp_path / "c.png", colours(blocks(0, 1, 2, 3), legend))
    _, encoding = look(tmp_path, merge=("#FF0000,#0000FF=purple",))
    assert sorted(encoding.classes.names) == ["#000000", "#00FF00", "purple"]
    found = both(tmp_path, "c.png", encoding)
    assert found[0, 8] == found[0, 20] == encoding.classes.names.index("purple")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"exclude": ("lorry",)}, "--exclude-class lorry: no class of this name; the masks have: background, road"),
        ({"exclude": ("background",)}, "this is the background"),
        ({"exclude": NAMES[1:]}, "leaves no class of objects"),
        ({"merge": ("car",)}, "expected two names or more and a new one"),
        ({"merge": ("car=x",)}, "expected two names or more"),
        ({"merge": ("car,truck=",)}, "expected two names or more"),
        ({"merge": ("car,truck=v", "car,tree=w")}, "named more than once"),
        ({"merge": ("car,truck=v",), "exclude": ("car",)}, "named more than once"),
        ({"merge": ("car,truck=Tree",)}, "there is a class 'Tree' already"),
        ({"merge": ("car,background=x",)}, "'background' is the background; leave classes out"),
    ],
)
def test_what_is_wrong_is_said(masks: Path, options: dict[str, tuple[str, ...]], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        look(masks, classes=NAMES, **options)
