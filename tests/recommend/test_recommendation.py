"""What a recommendation says beside its decisions: limits, certainty, time, scores, and what was not looked at."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from shapeprof.design.cost import cost, training_seconds
from shapeprof.design.draft import Draft
from shapeprof.design.family import DEFAULT
from shapeprof.errors import ProfileError
from shapeprof.profile.profile import Profile
from shapeprof.recommend.decision import decisions_on
from shapeprof.recommend.engine import run, vote
from shapeprof.recommend.recommend import priced, recommend_design
from shapeprof.recommend.unseen import unseen
from shapeprof.rules.evidence import RESAMPLES, evidence_of, or_zero, resamples
from shapeprof.rules.rule import Outcome, all_rules
from shapeprof.rules.thresholds import Thresholds
from tests.builders import discs, profile_of, strips

T = Thresholds()


def test_a_profile_without_masks_is_refused() -> None:
    with pytest.raises(ProfileError, match="this profile holds no mask"):
        recommend_design(profile_of([]))


@pytest.fixture(scope="module")
def two_classes() -> Profile:
    masks = strips(60, 4, per_image=4)
    for mask in masks:
        mask[100:150, 5:250] = 2
    return profile_of(masks, ("background", "wire", "road"))


# Evidence -----------------------------------------------------------------------------------------


def test_evidence_holds_the_facts_of_the_set(two_classes: Profile) -> None:
    evidence = evidence_of(two_classes, 50)
    assert (evidence.images, evidence.output_classes, evidence.sides) == (60, 3, (256.0, 256.0))
    assert [v.name for v in evidence.all_classes] == ["wire", "road"]
    views = {v.id: v for v in two_classes.classes()}
    assert evidence.extents == {c: views[c].quantile("feret", 0.9) for c in (1, 2)}
    assert evidence.widths == {c: views[c].quantile("width_pixels", 0.5) for c in (1, 2)}
    assert evidence.largest_extent == max(evidence.extents.values())
    assert evidence.pixel_shares == {c: two_classes.pixel_share(views[c]) for c in (1, 2)}


def test_classes_with_few_objects_stand_apart(two_classes: Profile) -> None:
    few = evidence_of(two_classes, 61)
    assert [v.name for v in few.too_few] == ["road"] and [*few.extents] == [1]
    assert [v.id for v in few.all_classes] == [1, 2]


def test_resamples_repeat_and_centre_on_the_set(two_classes: Profile) -> None:
    evidence = evidence_of(two_classes, 50)
    first, second = ([e.worst_survival(4) for e in resamples(two_classes, evidence)] for _ in range(2))
    assert first == second and len(first) == RESAMPLES
    assert np.mean(first) == pytest.approx(evidence.worst_survival(4), abs=0.01)
    drawn = next(iter(resamples(two_classes, evidence)))
    assert drawn.images == evidence.images and drawn.pixel_shares == evidence.pixel_shares
    assert drawn.extents != {} and drawn is not evidence


def test_every_unit_weighs_as_often_as_it_is_drawn(two_classes: Profile) -> None:
    """A draw with replacement of 60 images holds 60 images, whatever they are."""
    evidence = evidence_of(two_classes, 50)
    for drawn in resamples(two_classes, evidence, 5):
        assert drawn.classes[1].total("sampled_images") == 60


@pytest.mark.parametrize(("value", "zero"), [(math.nan, 0.0), (0.5, 0.5), (0.0, 0.0)])
def test_unknown_is_zero(value: float, zero: float) -> None:
    assert or_zero(value) == zero


# Decisions ----------------------------------------------------------------------------------------


def test_agreement_counts_the_votes_that_decide_alike(two_classes: Profile) -> None:
    evidence = evidence_of(two_classes, 50)
    _, decided = run(evidence, T)
    votes = [{"R1": Outcome({}, value, "")} for value in (1, 2, 2, 2)]
    stride = next(o for r, o in decided if r.code == "R1").value
    found = {d.rule: d for d in decisions_on(decided, evidence, (), votes)}
    assert found["R1"].agreement == [1, 2, 2, 2].count(stride) / 4
    assert math.isnan(found["R7"].agreement)


def test_intervals_are_the_middle_95_percent_of_the_resamples(two_classes: Profile) -> None:
    evidence = evidence_of(two_classes, 50)
    _, decided = run(evidence, T)
    drawn = list(resamples(two_classes, evidence))
    outcome = next(o for r, o in decided if r.code == "R1")
    assert outcome.read is not None
    values = [outcome.read(e) for e in drawn]
    decisions = decisions_on(decided, evidence, drawn, [vote(each, decided, T) for each in drawn[:3]])
    found = next(d for d in decisions if d.rule == "R1")
    assert found.interval == pytest.approx(tuple(np.quantile(values, (0.025, 0.975))))


def test_decisions_come_in_the_order_of_the_rules(two_classes: Profile) -> None:
    codes = [d.rule for d in recommend_design(two_classes).decisions]
    assert codes == [r.code for r in all_rules() if r.check is not None]


def test_a_change_is_a_part_that_differs_from_the_default(two_classes: Profile) -> None:
    r = recommend_design(two_classes)
    made = Draft(r.network, r.training)
    for d in r.decisions:
        if d.changed:
            assert any(made.part(p) != DEFAULT.part(p) for p in d.parts), d.rule
    changed = {d.rule for d in r.decisions if d.changed}
    assert "R1" in changed and changed.isdisjoint({"R0", "T1", "T8", "T10", "T11"})


def test_every_part_that_differs_from_the_default_has_a_decision(two_classes: Profile) -> None:
    r = recommend_design(two_classes)
    for block, old in ((r.network, DEFAULT.model), (r.training, DEFAULT.training)):
        name = "model" if block is r.network else "training"
        for part in type(block).model_fields:
            if getattr(block, part) != getattr(old, part):
                deciding = [d for d in r.decisions if any(p.startswith(f"{name}.{part}") for p in d.parts)]
                assert deciding, f"{name}.{part}"


# Beside them --------------------------------------------------------------------------------------


def test_limits_name_every_deciding_class_finest_first(two_classes: Profile) -> None:
    r = recommend_design(two_classes)
    assert [name for name, _ in r.limits] == ["wire", "road"]
    assert r.binding_class == "wire" and r.limits[0][1] == r.network.decoder.logit_stride
    assert r.logit_stride_without == r.limits[1][1]


@pytest.mark.slow
def test_one_class_leaves_nothing_without_it() -> None:
    r = recommend_design(profile_of(discs(30, 14, per_image=9)))
    assert r.binding_class == "thing" and r.logit_stride_without is None


@pytest.mark.slow
def test_the_cost_is_that_of_the_network(two_classes: Profile) -> None:
    r = recommend_design(two_classes)
    assert r.cost == cost(r.network, 3, 3, r.training.crop, r.training.batch)
    assert r.cost == priced(Draft(r.network, r.training), evidence_of(two_classes, 50))
    assert r.seconds == training_seconds(r.cost.macs, r.training.batch, r.training.steps)
    assert r.seconds.cpu > 50 * r.seconds.gpu


@pytest.mark.slow
def test_memory_is_a_threshold_and_an_argument(two_classes: Profile) -> None:
    by_argument = recommend_design(two_classes, memory_gb=0.3)
    by_threshold = recommend_design(two_classes, replace(T, memory_gb=0.3))
    assert by_argument == by_threshold and by_argument.cost.memory_gb <= 0.3
    assert by_argument.thresholds.memory_gb == 0.3


def test_scores_to_judge_by_come_with_a_reason(two_classes: Profile) -> None:
    judge = recommend_design(two_classes).judge_by
    assert judge is not None and judge.scores[0] == "mean IoU" and "clDice" in judge.scores
    assert "wire" in judge.reason


def test_a_decision_is_found_by_code_name_and_part(two_classes: Profile) -> None:
    r = recommend_design(two_classes)
    assert r.decision("R1") == r.decision("logit-stride") == r.decision_on("model.decoder.logit_stride")
    assert r.decision_on("training.crop") == r.decision("T3")  # the last of the two that set it
    assert r.decision("R99") is None and r.decision_on("training.seed") is None


@pytest.mark.slow
def test_what_was_not_looked_at_is_said(two_classes: Profile) -> None:
    sentences = unseen(two_classes)
    assert sentences == recommend_design(two_classes).unseen
    assert any(s.startswith("The images:") for s in sentences) and any("input sizes" in s for s in sentences)
    assert not any("sample" in s for s in sentences)
    assert all(0 < s.find(": ") < 40 and s.endswith(".") for s in sentences)
    part = replace(two_classes, sample=two_classes.sample[:10], arguments={"train_size": 128})
    assert any("a sample of 10 of 60 masks" in s for s in unseen(part))
    assert not any("input sizes" in s for s in unseen(part))
