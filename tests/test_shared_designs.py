"""Real data sets get the designs that the rules promise; skipped where the data is absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from shapeprof.export.export import export_model
from shapeprof.profile.profile import Profile
from shapeprof.recommend.recommend import Recommendation, recommend_design
from shapeprof.scan.options import ScanOptions
from shapeprof.scan.scan import scan_masks
from shapeprof.sources import ReadOptions

DATASETS = Path(__file__).parent.parent.parent / "shared/datasets"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not DATASETS.is_dir(), reason=f"the real data sets are not at {DATASETS}"),
]


def scanned(masks: str, out: Path, **read: object) -> tuple[Profile, Recommendation]:
    options = ScanOptions(ReadOptions(**read), survival_sample=60)  # type: ignore[arg-type]
    profile = scan_masks(DATASETS / masks, options, out)
    assert profile.ledger.unreadable == 0 and profile.ledger.read == profile.ledger.files
    return profile, recommend_design(profile)


@pytest.mark.slow
def test_heads_are_convex_and_get_coarse_logits_with_auxiliary_heads(tmp_path: Path) -> None:
    profile, r = scanned("hc18_fetal_head/masks", tmp_path)
    assert profile.classes()[0].convexity(0.5) > 0.99
    assert r.design == "auxiliary-head"
    assert r.network.decoder.logit_stride == 32 and len(r.network.auxiliary_heads) == 2
    assert r.convexity_decides


@pytest.mark.slow
def test_pavement_gets_long_skips_for_its_cracks(tmp_path: Path) -> None:
    names = ("background", "crack", "pothole", "sealed crack", "patch", "alligator crack", "cover", "joint")
    _, r = scanned("paveseg_pavement/masks", tmp_path, classes=names)
    assert r.design in ("skip", "skip+dilated")
    assert r.network.decoder.logit_stride <= 4
    assert r.binding_class == "crack"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("masks", "read", "stride"),
    [
        ("dsb2018_nuclei/masks_index", {}, 4),
        ("indoor_corridor_roboflow/masks", {}, 8),
        ("dubai_aerial/masks_index", {"background": None}, 4),
    ],
    ids=["nuclei", "corridor", "aerial"],
)
def test_logit_strides_of_the_sets_behind_the_tolerance(
    tmp_path: Path, masks: str, read: dict[str, object], stride: int
) -> None:
    _, r = scanned(masks, tmp_path, **read)
    assert r.network.decoder.logit_stride == stride


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "masks", "pairs"),
    [("hc18_fetal_head", "masks", 80), ("dsb2018_nuclei", "masks_index", 100), ("paveseg_pavement", "masks", 60)],
)
def test_exports_pair_every_image(tmp_path: Path, name: str, masks: str, pairs: int) -> None:
    profile, r = scanned(f"{name}/{masks}", tmp_path / "profile")
    result = export_model(profile, r, tmp_path / "net", images=DATASETS / name / "images")
    assert result.pairs == pairs and not result.issues


@pytest.mark.slow
def test_one_file_per_object_is_one_mask_per_folder(tmp_path: Path) -> None:
    masks = DATASETS / "dsb2018_nuclei/masks"
    profile = scan_masks(masks, ScanOptions(survival_sample=10), tmp_path / "profile")
    assert (profile.ledger.files, profile.encoding["layout"]) == (100, "objects")
    result = export_model(
        profile, recommend_design(profile), tmp_path / "net", images=DATASETS / "dsb2018_nuclei/images"
    )
    assert result.pairs == 100 and not [i for i in result.issues if i.severity == "error"]
