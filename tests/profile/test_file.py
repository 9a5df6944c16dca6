"""profile.json: what is written is read back, and what can't be read says what to do."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from shapeprof.errors import ProfileError
from shapeprof.metrics.registry import histograms
from shapeprof.profile.classes_block import classes_block, number, percentiles
from shapeprof.profile.file import dump, load, load_objects
from shapeprof.profile.profile import SCHEMA_VERSION, Profile
from tests.builders import discs, profile_of

# the keys of a class in --json: a contract, to which names may be added
KEYS = {
    *("id", "name", "objects", "shape_basis", "pixel_share", "image_share", "convexity", "width", "mean_width"),
    *("box_length", "feret", "area", "perimeter", "near_boundary", "ignored_boundary_share", "holes"),
    *("convexity_filled", "concavity_depth", "crowding", "nesting", "survival", "sampled_images"),
}
PERCENTILES = {
    "convexity": {"p05", "p25", "p50", "p75", "p95", "area_weighted"},
    "convexity_filled": {"p50"},
    "concavity_depth": {"p50", "p90"},
    "width": {"p05", "p10", "p50"},
    "mean_width": {"p05", "p10", "p50"},
    "box_length": {"p25", "p50", "p75", "p90"},
    "feret": {"p25", "p50", "p75", "p90"},
    "area": {"p05", "p50", "p95"},
}


@pytest.fixture(scope="module")
def profile() -> Profile:
    return profile_of(discs(3, 20))


def written(profile: Profile, folder: Path) -> Path:
    path = folder / "profile.json"
    path.write_text(dump(profile), encoding="utf-8")
    return path


def test_what_is_written_is_read_back(profile: Profile, tmp_path: Path) -> None:
    again = load(written(profile, tmp_path))
    assert dump(again) == dump(profile)
    for class_id, counts in profile.totals.items():
        np.testing.assert_array_equal(again.totals[class_id], counts)
    assert again.extremes == profile.extremes


def test_the_keys_of_a_class_are_a_contract(profile: Profile) -> None:
    (block,) = classes_block(profile)
    assert set(block) >= KEYS
    for key, points in PERCENTILES.items():
        assert set(block[key]) == points, key
    assert set(block["convexity"]["area_weighted"]) == {"p05", "p25", "p50"}


def test_every_metric_that_shows_percentiles_is_in_the_block(profile: Profile) -> None:
    (block,), (view,) = classes_block(profile), profile.classes()
    for m in histograms():
        for p in m.shows:
            assert block[m.key][f"p{p:02d}"] == number(view.quantile(m.key, p / 100))


def test_numbers_for_json() -> None:
    assert number(1 / 3) == 0.333333
    assert number(math.nan) is None


def test_percentiles_of_discs(profile: Profile) -> None:
    (view,) = profile.classes()
    assert percentiles(view, "convexity", (5, 50)) == {"p05": 1.0, "p50": 1.0}
    assert percentiles(view, "box_length", (50,))["p50"] == pytest.approx(40, rel=0.05)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("{", "is not JSON", id="cut"),
        pytest.param("[1]", "is not a profile of shapeprof", id="other JSON"),
        pytest.param("{}", "give the profile.json that `shapeprof scan` wrote", id="no version"),
        pytest.param('{"schema_version": 2}', "has schema version 2, this shapeprof reads 3; scan again", id="older"),
        pytest.param('{"schema_version": 99}', "has schema version 99, this shapeprof reads 3; scan again", id="newer"),
        pytest.param('{"schema_version": 3}', "is damaged", id="lacking"),
    ],
)
def test_what_is_not_a_profile_says_so(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ProfileError) as caught:
        load(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_profile_of_an_older_version_has_to_be_made_again(profile: Profile, tmp_path: Path) -> None:
    """Version 2 had the longest side of the box under the name extent."""
    assert SCHEMA_VERSION == 3
    path = written(profile, tmp_path)
    data = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(data | {"schema_version": 2}), encoding="utf-8")
    with pytest.raises(ProfileError, match="scan again"):
        load(path)


def test_an_unknown_part_is_damage(profile: Profile, tmp_path: Path) -> None:
    path = written(profile, tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace('"box_length":[[', '"extent":[['), encoding="utf-8")
    with pytest.raises(ProfileError, match="is damaged"):
        load(path)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"profile\.json: can't be read .*; give the profile\.json of a scan"):
        load(tmp_path / "profile.json")
    with pytest.raises(ProfileError, match=r"objects\.parquet: no such file; give the folder"):
        load_objects(tmp_path)
