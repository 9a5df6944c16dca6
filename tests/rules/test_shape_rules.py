"""The rules that read shape statistics, on numbers stated by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from shapeprof.design.draft import Draft
from shapeprof.design.family import DEFAULT, effective_field
from shapeprof.design.spec import AsppSpec, HeadSpec
from shapeprof.rules.detail import coarsest_stride, limits_of
from shapeprof.rules.evidence import Evidence
from shapeprof.rules.extent import wants_context
from shapeprof.rules.thresholds import Thresholds

from .stated import Stated, decide, kept_until, stated

FIELD = effective_field(4, 32)  # of the undilated encoder: 213 px
T = Thresholds()


def drafted(logits: int = 4, output: int = 32, skips: tuple[int, ...] = ()) -> Draft:
    return DEFAULT.filled(
        {
            "model.decoder.logit_stride": logits,
            "model.encoder.stem_stride": 1 if logits == 1 else 4,
            "model.encoder.output_stride": output,
            "model.decoder.skip_strides": skips,
        }
    )


# R0 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("images", "speaks"), [(9, False), (10, True)])
def test_ten_images_are_enough(images: int, speaks: bool) -> None:
    outcome = decide("R0", stated(Stated(), images=images))
    assert (outcome.value, outcome.abstains) == (speaks, not speaks)
    assert outcome.read is not None and outcome.read(stated(images=images)) == images


def test_no_class_with_enough_objects_abstains_and_names_them() -> None:
    outcome = decide("R0", stated(too_few=(Stated(measured=49), Stated(2, "hair", measured=3))))
    assert outcome.abstains and "No class has 50 objects: thing (49), hair (3)." in outcome.reason
    assert outcome.flips_when == "with 10 images and 50 objects of a class the rules decide"


def test_a_set_without_objects_abstains() -> None:
    assert "No class has 50 objects." in decide("R0", stated()).reason


# R1 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 2, 4, 8, 16, 32])
def test_the_coarsest_stride_that_keeps_all(stride: int) -> None:
    outcome = decide("R1", stated(Stated(survives=kept_until(stride))))
    assert outcome.value == outcome.sets["model.decoder.logit_stride"] == stride
    assert outcome.sets["model.encoder.stem_stride"] == (1 if stride == 1 else 4)


@pytest.mark.parametrize(("survival", "stride"), [(0.8899, 4), (0.89, 8)])
def test_eleven_points_may_be_lost(survival: float, stride: int) -> None:
    view = Stated(survives={2: 1, 4: 0.95, 8: survival, 16: 0.5, 32: 0.1})
    assert decide("R1", stated(view)).value == stride


@pytest.mark.parametrize(("recall", "stride"), [(0.9499, 4), (0.95, 8)])
def test_nineteen_of_twenty_objects_must_be_kept(recall: float, stride: int) -> None:
    outcome = decide("R1", stated(Stated(recalls={2: 1, 4: 1, 8: recall, 16: 0.5, 32: 0.1})))
    assert outcome.value == stride
    assert outcome.statistic == f"recall_linear({2 * stride})"
    assert (outcome.threshold, outcome.binding_class) == (0.95, "thing")


def test_a_stride_behind_a_gap_does_not_count() -> None:
    """Survival that recovers at a coarser stride is chance."""
    view = Stated(survives={2: 1, 4: 0.5, 8: 1, 16: 1, 32: 1})
    assert coarsest_stride(view, T) == 2  # type: ignore[arg-type]


def test_the_class_that_loses_most_binds_and_is_named() -> None:
    fine = Stated(1, "wire", survives=kept_until(4, 0.6))
    finer = Stated(2, "crack", survives=kept_until(4, 0.3))
    coarse = Stated(3, "road", survives=kept_until(16))
    evidence = stated(fine, finer, coarse)
    outcome = decide("R1", evidence)
    assert (outcome.value, outcome.binding_class) == (4, "crack")
    assert outcome.reason == "Output 1/4 keeps 100% of the area of crack, and 1/8 only 30%. 89% is asked for."
    assert outcome.flips_when == "stride 8 if crack kept 89% there, or with --tolerance 0.70"
    assert limits_of(evidence, T) == {1: 4, 2: 4, 3: 16}
    assert outcome.read is not None and outcome.read(evidence) == 0.3


def test_what_would_do_without_the_binding_class_is_said() -> None:
    outcome = decide("R1", stated(Stated(1, "wire", survives=kept_until(2)), Stated(2, "road")))
    assert outcome.reason.endswith("Without wire, 1/32 would do.")


@pytest.mark.parametrize(("stride", "cheaper"), [(4, 8), (16, 32), (32, None)])
def test_the_next_coarser_stride_is_the_cheaper_answer(stride: int, cheaper: int | None) -> None:
    outcome = decide("R1", stated(Stated(survives=kept_until(stride))))
    assert (outcome.cheaper.value if outcome.cheaper else None) == cheaper
    if outcome.cheaper:
        assert outcome.cheaper.sets["model.decoder.logit_stride"] == cheaper
        assert outcome.cheaper.reason.startswith(f"Output 1/{cheaper} keeps 50% of the area of thing, and resamples")
        assert (outcome.answer, outcome.cheaper.answer) == (f"output 1/{stride}", f"output 1/{cheaper}")


# R7 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("logits", "extent", "width", "budget", "output"),
    [
        (4, 50, 20, 1.0, 32),  # small objects
        (4, FIELD / 2 + 1, 20, 1.0, 16),  # objects over half of the field
        (4, FIELD / 2 - 1, 20, 1.0, 32),
        (4, 500, 4, 1.0, 32),  # long but thin
        (4, 500, 4.1, 1.0, 16),
        (1, 50, 20, 1.0, 16),  # a stem of stride 1 reaches 16 at most
        (8, 500, 20, 1.0, 32),  # skips
        (8, 50, 20, 2.7, 8),  # a budget for dilation
        (8, 50, 20, 2.6, 32),
        (16, 500, 20, 9.0, 32),
        (32, 500, 20, 9.0, 32),
    ],
)
def test_output_strides(logits: int, extent: float, width: float, budget: float, output: int) -> None:
    evidence = stated(Stated(extents=(20, 30, extent), widths=(2, width)))
    outcome = decide("R7", evidence, drafted(logits), compute_budget=budget)
    assert outcome.value == outcome.sets["model.encoder.output_stride"] == output
    assert outcome.threshold == pytest.approx(effective_field(1 if logits == 1 else 4, 16 if logits == 1 else 32) / 2)
    assert outcome.read is not None and outcome.read(evidence) == extent


def test_the_largest_class_that_is_not_thin_wants_context() -> None:
    hair = Stated(1, "hair", extents=(1, 1, 900), widths=(1, 2))
    road = Stated(2, "road", extents=(1, 1, 400))
    house = Stated(3, "house", extents=(1, 1, 300))
    found = wants_context(stated(hair, house, road), FIELD, T)
    assert found is not None and found.name == "road"
    assert wants_context(stated(hair), FIELD, T) is None


# R3 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("logits", "output", "skips"),
    [
        (4, 32, (4, 8, 16)),
        (2, 32, (2, 4, 8, 16)),
        (1, 16, (1, 2, 4, 8)),
        (4, 16, (4, 8)),
        (8, 16, (8,)),
        (16, 32, (16,)),
    ],
)
def test_skips_come_from_every_stride_between(logits: int, output: int, skips: tuple[int, ...]) -> None:
    outcome = decide("R3", stated(Stated(survives=kept_until(logits))), drafted(logits, output))
    assert outcome.value == outcome.sets["model.decoder.skip_strides"] == skips


@pytest.mark.parametrize(("kept", "on"), [(0.979, True), (0.985, False)])
def test_skips_must_bring_two_points(kept: float, on: bool) -> None:
    view = Stated(survives={2: 1, 4: 1, 8: 1, 16: 1, 32: kept})
    assert bool(decide("R3", stated(view), drafted(4)).value) == on


def test_vanishing_objects_ask_for_skips_too() -> None:
    view = Stated(recalls={2: 1, 4: 1, 8: 1, 16: 1, 32: 0.5})
    outcome = decide("R3", stated(view), drafted(8))
    assert outcome.value == (8, 16) and outcome.read is not None and outcome.read(stated(view)) == 0.5


def test_nothing_is_carried_to_logits_of_the_encoders_own_stride() -> None:
    outcome = decide("R3", stated(Stated()), drafted(32))
    assert outcome.value == () and outcome.read is not None and outcome.read(stated()) == 0.0


# R6 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extents", "rates"),
    [
        ((160, 320, 480), (2, 4, 7)),  # (160 / 32 - 1) / 2 = 2, (10 - 1) / 2 = 4.5, (15 - 1) / 2 = 7
        ((460, 470, 480), (7,)),  # nearly equal spans give one rate
        ((10, 20, 300), (1, 4)),  # no rate under 1
    ],
)
def test_rates_span_the_quantiles_of_the_extent(extents: tuple[float, float, float], rates: tuple[int, ...]) -> None:
    outcome = decide("R6", stated(Stated(extents=extents)), drafted(16))
    assert outcome.sets["model.context"] == AsppSpec(rates=rates, channels=128)
    assert outcome.value is True and outcome.binding_class == "thing"


def test_no_context_for_small_or_thin_objects() -> None:
    small, thin = (decide("R6", stated(v), drafted(4)) for v in (Stated(), Stated(extents=(9, 9, 900), widths=(1, 3))))
    assert small.sets == thin.sets == {"model.context": None}
    assert small.reason == f"Nine in ten objects are under 50 px; the encoder sees about {FIELD:.0f}. No ASPP."
    assert thin.reason == "thing is long (900 px) but thin: recognised from a few widths around. No ASPP."


# R4 -------------------------------------------------------------------------------------------


def heads(evidence: Evidence, draft: Draft, **thresholds: float) -> tuple[tuple[int, ...], tuple[int, ...]]:
    outcome = decide("R4", evidence, draft, **thresholds)
    on, deep = outcome.sets["model.auxiliary_heads"], outcome.sets["model.deep_supervision"]
    assert all(isinstance(h, HeadSpec) for h in (*on, *deep))
    assert outcome.value == tuple(h.stride for h in on)
    return outcome.value, tuple(h.stride for h in deep)


@pytest.mark.parametrize(
    ("convex", "logits", "skips", "expected"),
    [
        (0.95, 32, (), ((8, 16), ())),
        (0.90, 32, (), ((8, 16), ())),
        (0.89, 32, (), ((), ())),  # not convex, and no decoder for deep supervision
        (0.95, 8, (8, 16), ((8, 16), ())),
        (0.95, 4, (4, 8, 16), ((), (8,))),  # too fine: the decoder's next level instead
        (0.50, 8, (8, 16), ((), (16,))),
        (0.50, 16, (16,), ((), ())),  # 32 is no level of the decoder
        (math.nan, 32, (), ((), ())),  # no object of 200 px: unknown is not convex
    ],
)
def test_heads(convex: float, logits: int, skips: tuple[int, ...], expected: object) -> None:
    assert heads(stated(Stated(convex=convex)), drafted(logits, 32, skips)) == expected


def test_a_head_needs_a_stage_that_can_draw_its_target() -> None:
    view = Stated(survives={2: 1, 4: 1, 8: 0.95, 16: 0.89, 32: 0.89})
    assert heads(stated(view), drafted(16, 32, (16,)))[0] == (4, 8)
    assert heads(stated(view), drafted(16, 32, (16,)), most_heads=1)[0] == (8,)


def test_only_the_classes_that_bind_must_be_convex() -> None:
    binding = Stated(1, "cell", survives=kept_until(8, 0.95) | {16: 0.5, 32: 0.5}, convex=0.95)
    loose = Stated(2, "star", convex=0.3)
    assert heads(stated(binding, loose), drafted(8, 32, (8, 16)))[0] != ()


def test_the_question_what_if_all_were_convex_reaches_the_rule() -> None:
    evidence = stated(Stated(convex=0.2))
    assert heads(evidence, drafted(32))[0] == ()
    assert heads(replace(evidence, assumed_convexity=1.0), drafted(32))[0] == (8, 16)
