"""Files that name classes, with anything in them: names, or one sentence that names the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written import blocks, codes, colours, labels, look, save

from shapeprof.errors import InputError
from shapeprof.sources.class_files import NAME_FILES, ClassNames, read_class_file

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
JSON = st.recursive(SCALARS, lambda i: st.lists(i, max_size=4) | st.dictionaries(st.text(max_size=6), i, max_size=4))
KEYS = st.sampled_from(["name", "title", "id", "value", "color", "rgb", "index", "label"])
RECORDS = st.lists(st.dictionaries(KEYS, SCALARS | st.lists(SCALARS, max_size=4), max_size=4), max_size=4)
CELLS = st.sampled_from(["name", "r", "g", "b", "Class", "road", "", "0", "7", "255", "300", "-1", "x", '"', "#804080"])
ROWS = st.lists(st.lists(CELLS, max_size=5).map(",".join), max_size=5).map("\n".join)


def read(folder: Path, suffix: str, data: bytes) -> ClassNames | None:
    """The names in a file; None where it is refused."""
    path = folder / f"classes{suffix}"
    path.write_bytes(data)
    try:
        return read_class_file(path)
    except InputError as error:
        assert str(error).startswith(f"{path}: ")
        return None


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("names")


def check(found: ClassNames | None) -> None:
    if found is not None:
        assert found.ordered or found.by_value or found.by_colour
        assert all(0 <= colour <= 0xFFFFFF for colour in found.by_colour)
        assert all(isinstance(value, int) for value in found.by_value)


@given(
    st.sampled_from([".txt", ".csv", ".json", ".yaml"]), st.binary(max_size=60) | st.text(max_size=60).map(str.encode)
)
def test_any_bytes(place: Path, suffix: str, data: bytes) -> None:
    check(read(place, suffix, data))


@given(st.sampled_from([".json", ".yaml"]), JSON | RECORDS | RECORDS.map(lambda records: {"classes": records}))
def test_any_json(place: Path, suffix: str, data: Any) -> None:
    check(read(place, suffix, json.dumps(data).encode()))


@given(st.sampled_from([".csv", ".txt"]), ROWS)
def test_any_table(place: Path, suffix: str, text: str) -> None:
    check(read(place, suffix, text.encode()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "0,background\nroad\n"),  # a row of one cell
        ("a.csv", "name,r,g,b\nroad,1,2\n"),
        ("a.json", "[" * 100_000),
        ("a.yaml", "[" * 1_200),
        ("a.json", '[{"name": "road", "id": Infinity}]'),
        ("a.json", '[{"name": "road", "color": [300, 0, 0]}]'),
        ("a.csv", "name,r,g,b\nroad,0,256,0\n"),
        ("a.txt", "road:0,0,300::\n"),
    ],
)
def test_rows_cut_short_and_colours_that_are_none_are_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=r"a\.\w+: class names can't be read: .*Expected one name a line"):
        read_class_file(tmp_path / name)


NAMES = st.lists(st.text("abcdefgh xyz", min_size=1).map(str.strip).filter(bool), min_size=1, max_size=6, unique=True)


@given(NAMES)
def test_every_form_of_ordered_names_says_the_same(place: Path, names: list[str]) -> None:
    texts = {".txt": "\n".join(names), ".json": json.dumps(names), ".yaml": json.dumps({"names": names})}
    for suffix, text in texts.items():
        found = read(place, suffix, text.encode())
        assert found is not None and found.ordered == tuple(names)


@settings(max_examples=40)
@given(st.dictionaries(st.integers(0, 65535), st.sampled_from(["road", "tree", "sky"]), min_size=1, max_size=6))
def test_every_form_of_numbered_names_says_the_same(place: Path, names: dict[int, str]) -> None:
    texts = {
        ".txt": "\n".join(f"{value}: {name}" for value, name in names.items()),
        ".csv": "id,class\n" + "\n".join(f"{value},{name}" for value, name in names.items()),
        ".json": json.dumps([{"id": value, "name": name} for value, name in names.items()]),
        ".yaml": json.dumps({"names": {str(value): name for value, name in names.items()}}),
    }
    for suffix, text in texts.items():
        found = read(place, suffix, text.encode())
        assert found is not None and found.by_value == names


@settings(max_examples=40)
@given(st.dictionaries(st.integers(0, 0xFFFFFF), st.sampled_from(["road", "tree", "sky"]), min_size=1, max_size=6))
def test_every_form_of_coloured_names_says_the_same(place: Path, names: dict[int, str]) -> None:
    channels = {colour: [colour >> shift & 255 for shift in (16, 8, 0)] for colour in names}
    rows = {colour: ",".join(map(str, channels[colour])) for colour in names}
    texts = {
        ".txt": "\n".join(f"{name}:{rows[colour]}::" for colour, name in names.items()),
        ".csv": "name,r,g,b\n" + "\n".join(f"{name},{rows[colour]}" for colour, name in names.items()),
        ".json": json.dumps([{"name": name, "color": channels[colour]} for colour, name in names.items()]),
        ".yaml": json.dumps({"classes": [{"name": n, "colour": f"#{c:06x}"} for c, n in names.items()]}),
    }
    for suffix, text in texts.items():
        found = read(place, suffix, text.encode())
        assert found is not None and found.by_colour == names


def test_a_value_that_no_mask_can_hold_makes_no_table_of_that_length(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blocks(0, 1, 2))
    (tmp_path / "classes.json").write_text('{"0": "background", "1": "road", "2": "sky", "99999999999": "far"}')
    _, encoding = look(tmp_path)
    assert encoding.classes.names == ("background", "road", "sky")


@pytest.mark.parametrize("name", NAME_FILES)
def test_every_file_that_may_name_classes_is_looked_at(tmp_path: Path, name: str) -> None:
    save(tmp_path / "a.png", blocks(0, 1, 2))
    text = {
        ".csv": "Pixel Value,Class\n0,background\n1,road\n2,sky\n",
        ".json": '["background", "road", "sky"]',
        ".txt": "background\nroad\nsky\n",
    }.get(Path(name).suffix, "names: [background, road, sky]\n")
    (tmp_path / name).write_text(text)
    folder, encoding = look(tmp_path)
    assert encoding.classes.names == ("background", "road", "sky")
    assert f"class names are those of {name}" in encoding.reasons
    assert codes(folder.issues) == {"names-files"}


def test_the_legend_of_a_file_decides_the_ids_of_colours(tmp_path: Path) -> None:
    legend = [(0, 0, 0), (0, 200, 0), (200, 0, 0)]
    save(tmp_path / "a.png", colours(blocks(0, 1, 2), legend))
    rows = [f"{name},{r},{g},{b}" for name, (r, g, b) in zip(["sea", "wood", "town"], legend, strict=True)]
    (tmp_path / "class_dict.csv").write_text("\n".join(["name,r,g,b", *reversed(rows)]))
    _, encoding = look(tmp_path)
    assert encoding.classes.names == ("sea", "wood", "town") and encoding.raw_values_of(2) == ("#C80000",)
    assert (labels(tmp_path, "a.png", encoding) == blocks(0, 1, 2)).all()
