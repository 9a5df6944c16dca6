"""The sample sets: made by their script, three designs, and statistics as their README prints them."""

from __future__ import annotations

import importlib.util
import io
import math
import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console

from shapeprof.profile.profile import Profile
from shapeprof.recommend.recommend import recommend_design
from shapeprof.report.terminal import Place, show
from shapeprof.scan.scan import scan_masks
from shapeprof.sources import find_masks, pair

SAMPLES = Path(__file__).parent.parent / "sample_masks"
DESIGNS = {"blobs": "auxiliary-head", "curves": "skip", "scene": "skip+dilated"}


@pytest.fixture(scope="module")
def profiles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Profile]:
    out = tmp_path_factory.mktemp("out")
    return {name: scan_masks(SAMPLES / name / "masks", out=out / name) for name in DESIGNS}


@pytest.mark.parametrize("name", DESIGNS)
def test_each_set_gets_a_design_of_its_own(profiles: dict[str, Profile], name: str) -> None:
    r = recommend_design(profiles[name])
    assert r.design == DESIGNS[name]
    network = [d for d in r.decisions if any(part.startswith("model.") for part in d.parts)]
    agreements = [d.agreement for d in network if not math.isnan(d.agreement)]
    assert len(agreements) >= 4 and min(agreements) >= 0.95


@pytest.mark.parametrize("name", DESIGNS)
def test_every_mask_has_its_image(profiles: dict[str, Profile], name: str) -> None:
    pairing = pair(find_masks(SAMPLES / name / "masks"), SAMPLES / name / "images")
    assert len(pairing.pairs) == profiles[name].images >= 24
    assert not pairing.issues


def test_the_readme_prints_what_is_measured(profiles: dict[str, Profile]) -> None:
    text = (SAMPLES / "README.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| (\w+) \| (\w+) \| (\d+) \| (\d+) \| ([\d.]+) % \| ([\d.]+) .*?((?: \| [\d.]+){5}) \|$", text, re.M
    )
    assert len(rows) == 6
    for (set_name, class_name, objects, cut, share, convexity, survivals), view in zip(
        rows, [v for name in DESIGNS for v in profiles[name].classes()], strict=True
    ):
        assert view.name in (class_name, "foreground")
        assert (view.measured, int(view.total("truncated"))) == (int(objects), int(cut))
        assert 100 * profiles[set_name].pixel_share(view) == pytest.approx(float(share), abs=0.06)
        assert view.convexity(0.5) == pytest.approx(float(convexity), abs=0.002)
        printed = [float(v) for v in survivals.split(" | ")[1:]]
        assert [view.survival(s) for s in (2, 4, 8, 16, 32)] == pytest.approx(printed, abs=0.0011)


def test_the_report_in_the_readme_is_the_real_one(profiles: dict[str, Profile]) -> None:
    """Every line of the excerpt is a line of the report at 80 columns."""
    stream = io.StringIO()
    profile = profiles["scene"]
    show(Console(file=stream, width=80, markup=False), profile, recommend_design(profile), Place("masks", Path("out")))
    real = {line.rstrip() for line in stream.getvalue().splitlines()}
    readme = (SAMPLES.parent / "README.md").read_text(encoding="utf-8")
    excerpt = readme.split("```")[3].strip("\n").splitlines()
    assert len(excerpt) > 15
    assert [line for line in excerpt if line not in real and line != "  ..."] == []


@pytest.mark.slow
def test_the_script_makes_the_committed_masks() -> None:
    spec = importlib.util.spec_from_file_location("make", SAMPLES / "make.py")
    assert spec is not None and spec.loader is not None
    make = importlib.util.module_from_spec(spec)
    sys.modules["make"] = make  # its NamedTuples look themselves up
    spec.loader.exec_module(make)
    for number, name, function, file in (
        (1, "blobs", make.make_blobs, "pebbles_03.png"),
        (2, "curves", make.make_curves, "0003_mask.png"),
    ):
        sample = function(np.random.default_rng((make.SEED, number, 2)), 2)
        committed = cv2.imread(str(SAMPLES / name / "masks" / file), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(committed > 0, sample.mask > 0)
