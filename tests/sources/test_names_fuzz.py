"""Folders named at random: whatever the names, every file is a mask, a part of one, or left alone with a reason."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import numpy as np
import pytest
from written import save

from shapeprof.errors import ShapeprofError
from shapeprof.report.input import input_to_json
from shapeprof.sources import (
    Encoding,
    ReadOptions,
    detect,
    find_masks,
    pair,
    read_mask,
    read_runs,
    read_whole,
    regrouped,
)
from shapeprof.sources.explain import explain_input

SETS = int(os.environ.get("SHAPEPROF_FUZZ", "150"))
WORDS = (
    "mask", "masks", "image", "images", "cat", "dog", "train", "val", "labels", "SegmentationClass", "instance", "vis",
    "color", "labelIds", "instanceIds", "gtFine", "L", "001", "2", "a", "[b]", "x y", "..z", "manual1", "\u00e9", "-",
    "_", "ADE_train_1_seg", "sat", "overlay", "1.", "Tile 1", "n\nl", os.fsdecode(b"\xe9"),
)  # fmt: skip
SEPARATORS = ("_", "", "-", " ", ".")
SUFFIXES = (".png", ".png", ".png", ".jpg", ".txt", ".PNG")


def random_names(rng: random.Random) -> list[str]:
    """Up to 14 paths, some of them all combinations of a few parts, as real sets are."""
    folders = [rng.choice(WORDS) for _ in range(rng.randint(1, 3))]
    stems = [rng.choice(WORDS) for _ in range(rng.randint(1, 4))]
    endings = [rng.choice(WORDS) for _ in range(rng.randint(0, 2))]
    separator = rng.choice(SEPARATORS)
    below = rng.choice(["", rng.choice(WORDS) + "/"])
    names = []
    for folder in folders:
        for stem in stems:
            for ending in [*endings, ""]:
                name = stem + (separator + ending if ending else "") + rng.choice(SUFFIXES)
                names.append(rng.choice([f"{folder}/{below}{name}", f"{folder}/{name}", f"{folder}/{below}{name}"]))
    return names[:14]


def blobs(rng: random.Random, kind: str) -> np.ndarray:
    values = np.zeros((12, 12), np.uint16)
    row, column, side = rng.randrange(10), rng.randrange(10), rng.randint(1, 4)
    top = {"binary": 255, "ids": rng.randint(1, 5), "numbered": 1000 * rng.randint(1, 30) + rng.randint(0, 3)}[kind]
    values[row : row + side, column : column + side] = top
    return values


@pytest.mark.parametrize("seed", range(SETS))
def test_every_file_is_accounted_for(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    kind = rng.choice(["binary", "binary", "binary", "ids", "numbered"])
    written = set()
    for name in random_names(rng):
        path = tmp_path / "set" / name
        if path.suffix == ".txt":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")
        else:
            save(path, blobs(rng, kind if path.suffix != ".jpg" else "binary"), format="PNG")
        written.add(path.relative_to(tmp_path / "set").as_posix())
    options = ReadOptions(layout=rng.choice(["auto", "auto", "files", "objects", "classes"]))  # type: ignore[arg-type]
    try:
        folder = find_masks(tmp_path / "set", options)
        assert {*folder.files, *folder.others} | hidden(written) == written
        assert folder.stored == folder.files
        encoding = detect(folder, options)
    except ShapeprofError as error:
        assert str(error)
        return
    grouped = regrouped(folder, encoding)
    assert grouped.stored == folder.files
    assert len(set(grouped.files)) == len(grouped.files) == len(grouped.image_names)
    again = Encoding.from_dict(json.loads(json.dumps(encoding.to_dict())))
    for name in grouped.files:
        found, _ = read_mask(folder.root, name, again)
        runs, _ = read_runs(folder.root, name, again)
        assert runs.size == found.labels.shape
        assert (runs.instance is None) == (found.instances is None)
    assert json.loads(input_to_json(explain_input(tmp_path / "set", options)))["masks"] == len(grouped.files)
    try:
        for item in pair(grouped, tmp_path / "set").pairs:
            read_whole(folder.root, (item.mask, *item.more), encoding)
    except ShapeprofError as error:
        assert str(error)


def hidden(names: set[str]) -> set[str]:
    """Those of ``names`` that lie in or are hidden files."""
    return {name for name in names if any(part.startswith(".") for part in name.split("/"))}
