"""Rules: first what they must not do, then what they must, then that every answer carries its numbers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from shapeprof.recommend.decision import Recommendation
from shapeprof.recommend.recommend import recommend_design
from shapeprof.rules.rule import all_rules
from shapeprof.rules.thresholds import Thresholds

from .builders import crosses, discs, profile_of, strips


def decided(masks: list[np.ndarray], **thresholds: float) -> Recommendation:
    return recommend_design(profile_of(masks), replace(Thresholds(), **thresholds))


# What must not fire ---------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 9])
def test_with_under_ten_images_the_rules_abstain(n: int) -> None:
    r = recommend_design(profile_of(discs(n, 14, per_image=16)))
    assert r.design == "default"
    assert [d.rule for d in r.decisions if d.rule.startswith("R")] == ["R0"]
    assert r.decisions[0].abstains and r.decision("crop") is not None  # training is planned all the same
    assert f"{n} images" in r.decisions[0].reason
    assert r.network.deep_supervision and r.network.decoder.skip_strides == (4, 8, 16)


def test_with_under_fifty_objects_the_rules_abstain() -> None:
    r = recommend_design(profile_of(discs(49, 60)))
    assert r.design == "default"
    assert "thing (49)" in r.decisions[0].reason
    assert recommend_design(profile_of(discs(50, 60))).design != "default"


def test_a_class_with_few_objects_is_named_and_decides_nothing() -> None:
    masks = discs(60, 60)
    for mask in masks[:20]:
        mask[5:7, 10:200] = 2
    r = recommend_design(profile_of(masks, ("background", "disc", "hair")))
    assert "hair (20)" in r.decisions[0].reason
    assert r.binding_class == "disc"


def test_thin_convex_objects_get_no_auxiliary_heads() -> None:
    r = decided(strips(30, 3))
    heads = r.decision("R4")
    assert heads is not None and heads.measured == 1.0  # a straight strip is perfectly convex ...
    assert not r.network.auxiliary_heads  # ... and still needs its resolution
    assert r.network.decoder.logit_stride <= 2


def test_thick_concave_objects_get_no_auxiliary_heads() -> None:
    r = decided(crosses(60, 60))
    assert r.network.decoder.logit_stride >= 8
    assert not r.network.auxiliary_heads
    assert r.convexity_decides


@pytest.mark.slow
def test_small_objects_ask_for_no_context() -> None:
    r = decided(discs(30, 14, per_image=9))
    assert r.network.context is None


def test_long_thin_objects_ask_for_no_context_and_no_dilation() -> None:
    r = decided(strips(30, 3))
    assert r.network.context is None
    assert max(r.network.encoder.stage_dilations) == 1
    assert r.design == "skip"


# What must fire -------------------------------------------------------------------------------


def test_large_convex_objects_get_coarse_logits_and_heads() -> None:
    r = decided(discs(60, 100))
    assert r.design == "auxiliary-head"
    assert r.network.decoder.logit_stride == 32
    assert [h.stride for h in r.network.auxiliary_heads] == [8, 16]
    assert all(h.weight == 0.4 for h in r.network.auxiliary_heads)


@pytest.mark.slow
@pytest.mark.parametrize("width", [2, 5, 8])  # clear of the threshold: linear survival scales within a bound
def test_doubled_masks_shift_the_logit_stride_by_one_octave(width: int) -> None:
    masks = strips(30, width, per_image=2)
    stride = decided(masks).network.decoder.logit_stride
    doubled = [np.kron(m, np.ones((2, 2), np.uint8)) for m in masks]
    assert decided(doubled).network.decoder.logit_stride == 2 * stride


@pytest.mark.slow
def test_wider_strips_never_need_finer_logits() -> None:
    strides = [decided(strips(30, w, per_image=2)).network.decoder.logit_stride for w in (1, 2, 4, 8, 16, 32)]
    assert strides == sorted(strides)
    assert strides[0] == 1 and strides[-1] >= 16


def test_a_long_thick_class_beside_a_fine_one_gets_dilation_and_skips() -> None:
    masks = strips(60, 4, per_image=4)
    for mask in masks:
        mask[100:150, 5:250] = 2
    r = recommend_design(profile_of(masks, ("background", "wire", "road")))
    assert r.design == "skip+dilated"
    assert r.binding_class == "wire"
    assert r.network.context is not None
    assert r.logit_stride_without is not None and r.logit_stride_without > r.network.decoder.logit_stride


def test_an_ample_budget_dilates_instead_of_skipping() -> None:
    masks = strips(30, 16, per_image=2)
    assert decided(masks).design == "skip"
    rich = decided(masks, compute_budget=3.0)
    assert rich.network.encoder.output_stride == 8
    assert rich.design == "dilated"


@pytest.mark.slow
def test_tolerance_moves_the_stride() -> None:
    masks = discs(60, 40)
    strides = [decided(masks, tolerance=t).network.decoder.logit_stride for t in (0.005, 0.05, 0.11, 0.5)]
    assert strides == sorted(strides) and strides[0] < strides[-1]


# Numbers, certainty, ties ---------------------------------------------------------------------


def test_every_decision_carries_its_numbers() -> None:
    r = decided(discs(30, 14, per_image=9))
    codes = [d.rule for d in r.decisions]
    assert codes == ["R0", "R1", "R7", "R3", "R6", "R4", *(f"T{i}" for i in range(1, 12))]
    for d in r.decisions:
        assert d.reason and d.name and d.title
        if d.rule.startswith("R") or d.name == "crop":
            assert 0 <= d.agreement <= 1 and d.interval[0] <= d.interval[1]
        if d.statistic:
            assert d.margin == d.measured - d.threshold and math.isfinite(d.margin)
    assert r.decisions[1].binding_class == "thing" and r.decisions[1].flips_when


def test_decisions_repeat_exactly() -> None:
    profile = profile_of(discs(30, 14, per_image=9))
    assert recommend_design(profile) == recommend_design(profile)


@pytest.mark.slow
def test_duplicated_images_change_no_decision_but_narrow_the_interval() -> None:
    rng = np.random.default_rng(3)
    masks = [m for r in rng.uniform(8, 30, 40) for m in discs(1, r, per_image=4)]
    once, thrice = decided(masks), decided(masks * 3)
    assert once.network == thrice.network
    first, second = once.decisions[1], thrice.decisions[1]
    assert first.measured == pytest.approx(second.measured)
    assert second.interval[1] - second.interval[0] < first.interval[1] - first.interval[0]


def test_groups_are_resampled_together() -> None:
    """Sixty copies of one image say no more than the image: the interval of three groups stays wide."""
    rng = np.random.default_rng(5)
    masks = [m for r in (12, 22, 32) for m in discs(1, r, per_image=4) * 20]
    masks = [masks[i] for i in rng.permutation(60)]
    names = [f"g{round(float(np.count_nonzero(m)) / 1000)}" for m in masks]
    profile = profile_of(masks)
    sample = tuple((f"{g}_{p}", t) for g, (p, t) in zip(names, profile.sample, strict=True))
    alone = recommend_design(replace(profile, sample=sample)).decisions[1]
    together = recommend_design(replace(profile, sample=sample, arguments={"group": "(g[0-9]+)_"})).decisions[1]
    assert together.measured == alone.measured
    assert together.interval[1] - together.interval[0] > 2 * (alone.interval[1] - alone.interval[0])


def test_a_close_call_is_a_tie_and_takes_the_cheaper() -> None:
    """Half of the images say one stride, half the next: resamples disagree."""
    masks = discs(30, 28, seed=1) + discs(30, 32, seed=2)
    profile = profile_of(masks)
    view = profile.classes()[0]
    between = 1 - view.survival(16) - 0.0005  # a tolerance right at the edge, on the strict side
    r = recommend_design(profile, replace(Thresholds(), tolerance=between))
    assert "tie" in r.tie
    assert r.network.decoder.logit_stride == 16
    assert r.decisions[1].agreement < 0.8


@pytest.mark.slow
def test_the_lesson_and_the_runner_up_are_always_shown() -> None:
    for masks in (discs(60, 100), strips(30, 3)):
        r = decided(masks)
        assert r.lesson is not None and r.lesson in r.alternatives
        assert r.runner_up is not None and r.runner_up in r.alternatives
        assert r.runner_up.network != r.network
    thin = decided(strips(30, 3)).lesson
    assert thin is not None and thin.logit_stride == 32  # read literally, convex strips go to a coarse net
    assert thin.kept_difference < -0.8  # and lose nearly everything


# The register and the thresholds --------------------------------------------------------------


def test_rules_have_pages_with_the_same_headings() -> None:
    codes = [r.code for r in all_rules()]
    assert len(codes) == len(set(codes))
    for rule in all_rules():
        assert "What it decides:" in rule.page
        assert "hreshold" in rule.page, f"{rule.code} does not say where its thresholds come from"


# Training ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("masks", "low"), [(discs(12, 30, per_image=5), 0.7), (strips(30, 3), 0.7), (strips(30, 2), 1.0)]
)
def test_random_scale_never_shrinks_w10_under_two_pixels(masks: list[np.ndarray], low: float) -> None:
    profile = profile_of(masks)
    smallest, largest = recommend_design(profile).training.scale
    width = min(v.quantile("width_pixels", 0.1) for v in profile.classes())
    assert largest == 1.4
    assert smallest == pytest.approx(low, abs=0.02)
    assert smallest == 1.0 or smallest * width >= 2.0


@pytest.mark.parametrize(
    ("names", "horizontal", "vertical"),
    [
        (("background", "left kidney", "right kidney"), False, True),
        (("background", "lung_L", "lung_R"), False, True),
        (("background", "LeftHand", "RightHand"), False, True),
        (("background", "upper lip", "lower lip"), True, False),
        (("background", "left turn only", "kidney"), True, True),  # the other side is no class
        (("background", "bright", "copyright"), True, True),
    ],
)
def test_classes_that_mirror_each_other_are_not_flipped(
    names: tuple[str, ...], horizontal: bool, vertical: bool
) -> None:
    masks = discs(12, 30, per_image=6)
    for mask in masks:
        mask[:, 120:][mask[:, 120:] == 1] = 2
    training = recommend_design(profile_of(masks, names)).training
    assert (training.horizontal_flip, training.vertical_flip) == (horizontal, vertical)


def test_small_batches_are_added_up() -> None:
    training = recommend_design(profile_of(discs(12, 60, per_image=5)), memory_gb=0.08).training
    assert training.batch < 8
    assert 6 <= training.batch * training.accumulate <= 8
