"""Other designs: which ones are weighed, and what they keep and cost."""

from __future__ import annotations

import math

import pytest

from shapeprof.design.cost import cost
from shapeprof.design.draft import Draft
from shapeprof.design.family import DEFAULT, Knobs
from shapeprof.design.spec import AsppSpec, NetworkSpec
from shapeprof.profile.profile import Profile
from shapeprof.recommend.alternatives import LESSON, Alternative, candidates, pricer, runner_up_of
from shapeprof.recommend.recommend import recommend_design
from shapeprof.rules.evidence import evidence_of
from shapeprof.rules.thresholds import Thresholds
from tests.builders import crosses, discs, profile_of, strips

T = Thresholds()


@pytest.fixture(scope="module")
def convex() -> Profile:
    return profile_of(discs(60, 60))


@pytest.fixture(scope="module")
def concave() -> Profile:
    return profile_of(crosses(60, 60))


def labels(network: NetworkSpec, profile: Profile) -> list[str]:
    return [each.label for each in candidates(evidence_of(profile, 50), network, T)]


@pytest.mark.parametrize(
    ("stride", "neighbours"), [(1, [2]), (2, [4]), (4, [2, 8]), (8, [4, 16]), (16, [8, 32]), (32, [16])]
)
def test_neighbours_are_an_octave_away(stride: int, neighbours: list[int], convex: Profile) -> None:
    network = Knobs(logit_stride=stride, output_stride=16 if stride == 1 else 32, skip_strides=()).network()
    found = candidates(evidence_of(convex, 50), network, T)
    assert [c.knobs.logit_stride for c in found[3:]] == neighbours
    assert [c.label for c in found[:3]] == [LESSON, "U-Net + deep supervision", "DeepLabv3+"]
    for each in found[3:]:
        assert each.knobs.network().decoder.skip_strides == each.knobs.skip_strides
        assert bool(each.knobs.skip_strides) == (each.knobs.logit_stride < each.knobs.output_stride)


def test_neighbours_keep_context_and_output_stride(convex: Profile) -> None:
    network = Knobs(output_stride=16, skip_strides=(4, 8), context_rates=(3, 7)).network()
    finer, coarser = candidates(evidence_of(convex, 50), network, T)[3:]
    for each in (finer, coarser):
        assert (each.knobs.output_stride, each.knobs.context_rates) == (16, (3, 7))
    assert (finer.knobs.skip_strides, coarser.knobs.skip_strides) == ((2, 4, 8), (8,))


def test_the_lesson_read_literally(convex: Profile, concave: Profile) -> None:
    coarse, fine = (candidates(evidence_of(p, 50), DEFAULT.model, T)[0] for p in (convex, concave))
    assert (coarse.knobs.logit_stride, coarse.knobs.auxiliary_heads, coarse.knobs.skip_strides) == (32, (8, 16), ())
    assert coarse.note.startswith("convex (") and fine.note.startswith("not convex (")
    assert (fine.knobs.logit_stride, fine.knobs.skip_strides, fine.knobs.context_rates) == (4, (4, 8), (6, 12, 18))


def test_prices_are_those_of_the_chosen_channels_crop_and_batch(convex: Profile) -> None:
    evidence = evidence_of(convex, 50)
    chosen = Draft(Knobs(widths=(64, 128, 256, 512), norm="group").network(), DEFAULT.training)
    macs = cost(chosen.model, 2, 3, (128, 128), 16).macs
    price = pricer(evidence, chosen, macs)
    for candidate in candidates(evidence, chosen.model, T):
        priced = price(candidate)
        counted = cost(priced.network, 2, 3, (128, 128), 16)
        assert (priced.parameters, priced.macs) == (counted.parameters, counted.macs)
        assert priced.macs_ratio == counted.macs / macs
        assert (priced.network.encoder.widths, priced.network.norm) == ((64, 128, 256, 512), "group")
        view = evidence.classes[0]
        assert priced.kept == view.survival(priced.logit_stride)
        assert priced.kept_difference == pytest.approx(priced.kept - view.survival(4))
        assert (priced.loses_most, priced.recall) == ("thing", view.recall(priced.logit_stride))


def alternative(kept_difference: float, macs: int, network: NetworkSpec) -> Alternative:
    return Alternative("", "skip", network, 4, 1.0, "", kept_difference, 1.0, 1, macs, 1.0, "")


def test_the_runner_up_keeps_most_then_costs_least() -> None:
    chosen = DEFAULT.model
    nets = [Knobs(logit_stride=s, skip_strides=()).network() for s in (2, 4, 8, 16)]
    same = alternative(0.0, 1, chosen)
    worse = alternative(-0.2, 1, nets[0])
    better = alternative(0.3, 90, nets[1])  # keeping more counts as equal ...
    equal = alternative(-0.004, 50, nets[2])  # ... and so does half a point less
    assert runner_up_of([same, worse, better, equal], chosen) == equal
    assert runner_up_of([same, worse, better], chosen) == better
    assert runner_up_of([same, worse], chosen) == worse
    assert runner_up_of([same], chosen) is None


def test_a_runner_up_that_keeps_as_much_and_costs_more_is_a_tie(convex: Profile) -> None:
    r = recommend_design(convex)
    assert r.runner_up is not None
    near = abs(r.runner_up.kept_difference) < T.tie_points and r.runner_up.macs > r.cost.macs
    assert ("a tie, and the cheaper one is taken" in r.tie) == near


def test_an_abstaining_recommendation_weighs_nothing() -> None:
    r = recommend_design(profile_of(discs(5, 30)))
    assert (r.alternatives, r.lesson, r.runner_up, r.tie, r.convexity_decides) == ((), None, None, "", False)
    assert math.isnan(r.kept) and r.binding_class is None and r.limits == ()


def test_context_of_another_kind_is_not_kept(convex: Profile) -> None:
    network = Knobs().network().model_copy(update={"context": None})
    assert candidates(evidence_of(convex, 50), network, T)[3].knobs.context_rates == ()
    assert not isinstance(network.context, AsppSpec)


@pytest.mark.slow
def test_thin_strips_lose_nearly_all_by_the_lesson() -> None:
    r = recommend_design(profile_of(strips(30, 3)))
    assert r.lesson is not None and r.lesson.kept_difference < -0.8
