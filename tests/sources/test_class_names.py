"""Classes from folders and from endings of names."""

from __future__ import annotations

import pytest

from shapeprof.errors import UnreadableMask
from shapeprof.sources.encoding import Layout
from shapeprof.sources.layouts.class_names import class_id_of, part_of, parts_of, without_part

IDS = (("cat", 1), ("dog", 2), ("wild cat", 3))


@pytest.mark.parametrize(
    ("path", "layout", "part", "rest"),
    [
        ("masks/cat/001.png", "class-folders", "cat", "masks/001.png"),
        ("cat/dog/001.png", "class-folders", "dog", "cat/001.png"),
        ("cat/cat/001.png", "class-folders", "cat", "cat/001.png"),
        ("bird/001.png", "class-folders", None, "bird/001.png"),
        ("001_cat.png", "class-endings", "cat", "001.png"),
        ("001_wild cat.png", "class-endings", "wild cat", "001.png"),
        ("001/dog.png", "class-endings", "dog", "001.png"),
        ("x/001 - dog.png", "class-endings", "dog", "x/001.png"),
        ("001_hotdog.png", "class-endings", None, "001_hotdog.png"),
    ],
)
def test_the_class_part_of_a_path(path: str, layout: Layout, part: str | None, rest: str) -> None:
    known = [name for name, _ in IDS]
    assert part_of(path, layout, known) == part
    assert without_part(path, layout, known) == rest


def test_the_class_id_of_a_path() -> None:
    assert class_id_of("001_wild cat.png", "class-endings", IDS) == 3
    assert class_id_of("stack.tif#1", "class-pages", (("0", 1), ("1", 2))) == 2
    with pytest.raises(UnreadableMask, match="its folder names none of the classes cat, dog, wild cat"):
        class_id_of("bird/001.png", "class-folders", IDS)
    with pytest.raises(UnreadableMask, match="its name's ending names none"):
        class_id_of("001_bird.png", "class-endings", IDS)
    with pytest.raises(UnreadableMask, match="it has a page 7, where other files have 0, 1"):
        class_id_of("stack.tif#7", "class-pages", (("0", 1), ("1", 2)))


@pytest.mark.parametrize(
    ("files", "layout", "names"),
    [
        (["cat/1.png", "dog/2.png"], "class-folders", {"cat": "cat", "dog": "dog"}),
        (["masks/cat/1.png", "masks/dog/1.png"], "class-folders", {"cat": "cat", "dog": "dog"}),
        (["1_cat.png", "1_dog.png"], "class-endings", {"cat": "cat", "dog": "dog"}),
        (["1_cat_mask.png", "1_dog_mask.png"], "class-endings", {"cat_mask": "cat", "dog_mask": "dog"}),
        (["1/cat.png", "1/dog.png"], "class-endings", {"cat": "cat", "dog": "dog"}),
    ],
)
def test_folders_and_endings_that_may_be_classes(files: list[str], layout: Layout, names: dict[str, str]) -> None:
    found = parts_of(files)
    assert found is not None and (found.layout, found.names) == (layout, names)


@pytest.mark.parametrize(
    "files",
    [
        ["1.png", "2.png"],
        ["train/1.png", "val/2.png"],
        ["left/1.png", "right/1.png"],
        ["cat/1.png", "cat/2.png"],
        ["a/1.png", "b/1.png"],  # a class is a word of two letters or more
        ["Tile 1/1.png", "Tile 2/1.png"],
        ["1_pred.png", "1_gt.png"],
        ["cat/1.png", "2.png"],
    ],
)
def test_names_that_are_no_classes(files: list[str]) -> None:
    assert parts_of(files) is None


def test_any_folder_is_a_class_when_the_user_says_so() -> None:
    found = parts_of(["a/1.png", "b/1.png"], asked=True)
    assert found is not None and found.names == {"a": "a", "b": "b"} and found.share_images
