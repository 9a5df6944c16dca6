"""Crowding and nesting from mask files to the findings: tallies, profile.json, the classes block."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from shapeprof.findings.find import find_all
from shapeprof.profile.classes_block import classes_block
from shapeprof.profile.file import dump, load, load_objects
from shapeprof.profile.profile import Profile
from shapeprof.profile.tally import part
from shapeprof.scan.options import ScanOptions
from shapeprof.scan.scan import scan_masks
from shapeprof.sources import ReadOptions

from .builders import Mask, discs, profile_of, write_set


def dumbbells(n: int) -> list[Mask]:
    """Masks of two discs grown together, four times."""
    rows, columns = np.mgrid[:256, :256]
    masks = []
    for i in range(n):
        mask = np.zeros((256, 256), np.uint8)
        for y in (60 + i, 180):
            for x in (50, 84, 170, 204 - i % 3):
                mask[(rows - y) ** 2 + (columns - x) ** 2 < 18**2] = 1
        masks.append(mask)
    return masks


def cells(n: int) -> list[Mask]:
    """Nuclei 2 in holes of cytoplasm 1, but for one of every five."""
    masks = discs(n, 24, per_image=9)
    for mask, nucleus in zip(masks, discs(n, 10, per_image=9), strict=True):
        mask[nucleus > 0] = 2
        mask[:50, :50][mask[:50, :50] == 1] = 0
    return masks


def found(profile: Profile) -> dict[str, str]:
    """The messages of the findings by code."""
    return {finding.code: finding.message for finding in find_all(profile)}


def test_merged_components_are_counted_and_found() -> None:
    profile = profile_of(dumbbells(8))
    view = profile.classes()[0]
    assert view.total("judged") == view.total("suspected_merged") == 32
    assert view.suspected_merged_share == 1
    assert view.touching_share == 0
    findings = found(profile)
    assert findings["objects-merged"].startswith("100 % of the")
    assert "objects-touch" not in findings


def test_single_objects_and_few_are_no_finding() -> None:
    assert "objects-merged" not in found(profile_of(discs(20, 20, per_image=4)))
    assert "objects-merged" not in found(profile_of(dumbbells(2)))


def test_what_is_not_sampled_is_not_judged() -> None:
    view = profile_of(dumbbells(8), sampled=2).classes()[0]
    assert view.total("judged") == 8
    assert math.isnan(profile_of(dumbbells(2), sampled=0).classes()[0].suspected_merged_share)


@pytest.fixture
def instances(tmp_path: Path) -> Path:
    masks = []
    for mask in dumbbells(6):
        ids = np.zeros((256, 256), np.uint16)
        ids[:, :67], ids[:, 67:128], ids[:, 128:187], ids[:, 187:] = 300, 301, 302, 303
        ids[128:] += 10
        masks.append(np.where(mask > 0, ids, 0).astype(np.uint16))
    return write_set(tmp_path / "ids", masks)


def test_touching_instances_are_counted_and_found(instances: Path, tmp_path: Path) -> None:
    options = ScanOptions(ReadOptions(instances=True))
    profile = scan_masks(instances, options, tmp_path / "out")
    rows = load_objects(tmp_path / "out")
    assert len(rows) == 48
    assert rows.touching.all()
    assert (rows.suspected_merged == 0).all()
    assert profile.classes()[0].touching_share == 1
    assert found(profile)["objects-touch"].startswith("100 % of the")


@pytest.mark.slow
def test_nesting_goes_to_the_profile_and_the_findings(tmp_path: Path) -> None:
    masks = write_set(tmp_path / "cells", cells(12))
    profile = scan_masks(masks, ScanOptions(workers=1), tmp_path / "one")
    sharded = scan_masks(masks, ScanOptions(workers=2), tmp_path / "two")
    assert profile.nesting == sharded.nesting
    assert list(profile.nesting) == [(1, 2)]
    (nested,) = profile.nested()
    assert nested.objects == 12 * 8
    nuclei = next(v for v in profile.classes() if v.id == 2)
    assert nested.share_of_inner == nested.pixels / nuclei.total("pixels") == pytest.approx(8 / 9, abs=0.01)
    assert "89 %" in found(profile)["class-in-holes"]

    kept = load(tmp_path / "one/profile.json")
    assert kept.nesting == profile.nesting
    assert dump(kept) == (tmp_path / "one/profile.json").read_text()
    assert json.loads(dump(kept))["nesting"] == [
        {
            "outer": 1,
            "inner": 2,
            "pixels": nested.pixels,
            "objects": 96,
            "share_of_inner": pytest.approx(nested.share_of_inner, rel=1e-5),
        }
    ]


def test_the_classes_block() -> None:
    outer, inner = classes_block(profile_of(cells(6), ("background", "cytoplasm", "nucleus")))
    assert outer["convexity_filled"]["p50"] == 1
    assert outer["convexity"]["p50"] < 0.9
    assert outer["holes"]["pixels"] > 0
    assert outer["concavity_depth"]["p50"] == 0
    assert outer["concavity_depth"]["p90"] > 10  # the cells whose nucleus lies bare
    assert inner["crowding"] == {"touching_share": 0, "suspected_merged_share": 0}
    (depths,) = classes_block(profile_of(dumbbells(6)))
    between = math.hypot(17, 18) - 18  # from the middle of the hull's edge to either disc
    assert depths["concavity_depth"]["p50"] == pytest.approx(between, abs=0.5)


def test_the_histograms_cover_all_measured_objects() -> None:
    profile = profile_of(cells(6), ("background", "cytoplasm", "nucleus"))
    for view in profile.classes():
        for name in ("convexity_filled", "concavity_depth"):
            assert part(view.tally, name).sum() == view.measured
