"""The engine: how rules are found, ordered and run, and that a new one is seen everywhere without another edit."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shapeprof.design.draft import Draft
from shapeprof.design.family import DEFAULT
from shapeprof.design.spec import InputSpec
from shapeprof.export.export import build_spec
from shapeprof.profile.profile import Profile
from shapeprof.recommend.engine import refit, run, vote
from shapeprof.recommend.overrides import chosen
from shapeprof.recommend.recommend import recommend_design
from shapeprof.rules import rule as register
from shapeprof.rules.evidence import Evidence, evidence_of, resamples
from shapeprof.rules.rule import Outcome, Rule, all_rules, ordered, rule, step
from shapeprof.rules.thresholds import Thresholds
from shapeprof.rules.ties import tied

from .builders import discs, profile_of, strips
from .test_docs import generator

T = Thresholds()


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules that a test registers are gone after it."""
    all_rules()
    monkeypatch.setattr(register, "_REGISTERED", dict(register._REGISTERED))


@pytest.fixture(scope="module")
def profile() -> Profile:
    return profile_of(discs(30, 14, per_image=9))


def named(code: str, *after: str) -> Rule:
    return Rule(code, code.lower(), code, (), "", lambda e, d, t: Outcome({}, 0, ""), after, module=f"rules.{code}")


# A new rule -------------------------------------------------------------------------------------


def add_loss_rule() -> None:
    """What a new file in shapeprof/rules would hold."""

    @rule("T90", "loss-by-share", title="Loss by share", after="T7", sets=("training.loss",), always=True)
    def loss_by_share(evidence: Evidence, draft: Draft, t: Thresholds) -> Outcome:
        """Which loss the share of the smallest class asks for.

        What it decides: Tversky under a share that is a third of `rare_share`. Threshold: chosen.
        """
        share = min(evidence.pixel_shares.values())
        loss = "tversky" if share < t.rare_share * 20 else draft.training.loss
        return Outcome(
            {"training.loss": loss}, loss, f"The smallest class has {share:.0%}.", "pixel_share", measured=share
        )


def test_a_new_rule_is_seen_everywhere(profile: Profile) -> None:
    before = recommend_design(profile)
    add_loss_rule()
    r = recommend_design(profile)
    assert (before.training.loss, r.training.loss) == ("ce", "tversky")
    decision = r.decision("T90")
    assert decision is not None and decision == r.decision("loss-by-share") == r.decision_on("training.loss")
    assert (decision.title, decision.parts, decision.value) == ("Loss by share", ("training.loss",), "tversky")
    assert decision.changed and not decision.abstains
    spec = build_spec(profile, r, {0: 0, 1: 1}, InputSpec(), "none")
    why = spec.rationale_of("training.loss")
    assert why is not None and (why.rule, why.name, why.sets) == ("T90", "loss-by-share", ("training.loss",))
    assert [each.code for each in all_rules()].index("T90") > [each.code for each in all_rules()].index("T7")
    page = generator().rules_page()
    assert "## T90 loss-by-share\n\nSets `training.loss`. Runs after T7.\n\nWhich loss the share" in page


def test_a_new_rule_can_be_overridden_by_a_threshold(profile: Profile) -> None:
    add_loss_rule()
    r = recommend_design(profile, replace(T, rare_share=0.001))
    assert r.training.loss == "ce"
    assert r.decision("T90") is not None and not r.decision("T90").changed  # type: ignore[union-attr]


def test_a_rule_with_a_statistic_gets_interval_and_agreement(profile: Profile) -> None:
    @rule("R90", "width", title="Width", after="R4", sets=("training.ema",))
    def width(evidence: Evidence, draft: Draft, t: Thresholds) -> Outcome:
        """A page."""
        value = 0.9 if evidence.widths[1] > 20 else 0.0
        return Outcome({"training.ema": value}, value, "", "width_p50", lambda e: e.widths[1], threshold=20.0)

    r = recommend_design(profile)
    decision = r.decision("R90")
    assert decision is not None and decision.agreement == 1.0
    low, high = decision.interval
    assert low <= decision.measured <= high
    assert decision.margin == decision.measured - 20
    assert r.training.ema == decision.value == (0.9 if decision.measured > 20 else 0.0)


# The register -----------------------------------------------------------------------------------


def test_a_rule_must_name_what_it_sets(profile: Profile) -> None:
    @rule("T91", "sly", title="Sly", always=True)
    def sly(evidence: Evidence, draft: Draft, t: Thresholds) -> Outcome:
        """A page."""
        return Outcome({"training.batch": 1}, 1, "")

    with pytest.raises(ValueError, match=r"T91 sets training\.batch; name it in sets="):
        recommend_design(profile)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("training.los", r"training has no 'los'; did you mean loss\?"),
        ("trainin.loss", r"has no 'trainin'; did you mean training\?"),
        ("model.decoder.logit_strides", "did you mean logit_stride"),
        ("training.loss.terms", r"training\.loss has no 'terms'; there are none below it"),
    ],
)
def test_a_part_that_spec_yaml_has_not_is_refused(part: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rule("T92", "wrong", title="Wrong", sets=(part,))(lambda e, d, t: Outcome({}, 0, ""))


@pytest.mark.parametrize(("code", "name"), [("R1", "new"), ("T92", "logit-stride")])
def test_a_code_or_name_that_is_taken_names_its_owner(code: str, name: str) -> None:
    with pytest.raises(ValueError, match=r"is already in shapeprof\.rules\.logit_stride"):
        rule(code, name, title="Twice")(lambda e, d, t: Outcome({}, 0, ""))


def test_a_code_is_a_letter_and_a_number() -> None:
    with pytest.raises(ValueError, match="'loss' is no code; expected a letter and a number, as R1"):
        step("loss", "loss", title="Loss")(lambda: None)


def test_rules_run_behind_those_that_they_read() -> None:
    some = [named("T2"), named("R3", "R7"), named("R1"), named("R7", "R1"), named("T1", "T2")]
    assert [r.code for r in ordered(some)] == ["R1", "R7", "R3", "T2", "T1"]
    assert ordered(reversed(some)) == ordered(some)  # whatever the order in which files are found


def test_numbers_of_codes_are_numbers() -> None:
    assert [r.code for r in ordered([named("T10"), named("T9"), named("R4")])] == ["R4", "T9", "T10"]


def test_rules_that_wait_for_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="these rules wait for each other: R1 after R2, R2 after R1"):
        ordered([named("R1", "R2"), named("R2", "R1"), named("R3")])


def test_an_unknown_code_in_after_is_refused() -> None:
    with pytest.raises(ValueError, match=r"rules\.R2: R2 runs after R11, which is no rule; did you mean R1\?"):
        ordered([named("R1"), named("R2", "R11")])


def test_every_file_of_the_room_that_declares_a_rule_is_found() -> None:
    folder = Path(register.__file__).parent
    declaring = {p.stem for p in folder.glob("*.py") if "\n@rule(" in p.read_text() or "\n@step(" in p.read_text()}
    assert declaring == {r.module.rsplit(".", 1)[1] for r in all_rules()}


# Running ----------------------------------------------------------------------------------------


def test_where_a_rule_abstains_only_those_that_always_run_speak() -> None:
    draft, decided = run(evidence_of(profile_of(discs(3, 14)), 50), T)
    codes = [each.code for each, _ in decided]
    assert codes[0] == "R0" and all(code.startswith("T") for code in codes[1:])
    assert draft.model.decoder == DEFAULT.model.decoder
    assert draft.model.deep_supervision == DEFAULT.model.deep_supervision


def test_a_fixed_outcome_takes_a_rules_place(profile: Profile) -> None:
    evidence = evidence_of(profile, T.min_objects)
    _, decided = run(evidence, T)
    stride = next(outcome for each, outcome in decided if each.code == "R1")
    assert stride.cheaper is not None
    draft, _ = run(evidence, T, {"R1": stride.cheaper})
    assert draft.model.decoder.logit_stride == 2 * stride.value
    assert min(draft.model.decoder.skip_strides, default=32) >= 2 * stride.value


def test_only_rules_with_a_number_vote(profile: Profile) -> None:
    evidence = evidence_of(profile, T.min_objects)
    _, decided = run(evidence, T)
    votes = vote(next(iter(resamples(profile, evidence, 1))), decided, T)
    assert [*votes] == ["R0", "R1", "R7", "R3", "R6", "R4", "T2"]


def test_votes_on_the_set_itself_repeat_its_decisions(profile: Profile) -> None:
    evidence = evidence_of(profile, T.min_objects)
    _, decided = run(evidence, T)
    outcomes = {each.code: outcome.value for each, outcome in decided}
    assert all(outcomes[code] == each.value for code, each in vote(evidence, decided, T).items())


def test_refitting_asks_only_what_depends_on_the_network(profile: Profile) -> None:
    evidence = evidence_of(profile, T.min_objects)
    start, _ = run(evidence, T)
    draft, decided = refit(evidence, T, start)
    assert [each.code for each, _ in decided] == ["T3", "T4", "T5", "T6"]
    assert draft == start
    little, _ = refit(evidence, replace(T, memory_gb=0.1), start)
    assert little.training.batch < start.training.batch and little.model.norm == "group"


# Ties -------------------------------------------------------------------------------------------


def votes_of(*values: int) -> list[Outcome]:
    return [Outcome({}, value, "") for value in values]


@pytest.mark.parametrize(
    ("votes", "taken"),
    [
        ([4] * 8 + [8] * 2, False),  # 80 % agree
        ([4] * 7 + [8] * 3, True),
        ([4] * 7 + [8] + [2] * 2, False),  # too few for the cheaper
        ([4] * 7 + [2] * 3, False),  # the others want it dearer
        ([], False),
    ],
)
def test_a_tie_takes_the_cheaper(votes: list[int], taken: bool) -> None:
    outcome = Outcome({}, 4, "", cheaper=Outcome({}, 8, ""))
    assert tied(outcome, votes_of(*votes), T) == (outcome.cheaper if taken else None)


def test_nothing_ties_where_no_cheaper_outcome_is_named() -> None:
    assert tied(Outcome({}, 4, ""), votes_of(8, 8, 8), T) is None


# What the user chooses --------------------------------------------------------------------------


def test_a_reference_is_the_users_decision_on_the_parts_that_it_sets(profile: Profile) -> None:
    r = recommend_design(profile)
    made = chosen(r, profile, "unet-deep-supervision")
    for part in ("model.encoder", "model.decoder", "model.auxiliary_heads", "model.deep_supervision"):
        assert made.decision_on(part) == made.decisions[-1]
    spec = build_spec(profile, made, {0: 0, 1: 1}, InputSpec(), "none")
    for part in ("model.decoder.logit_stride", "model.encoder.output_stride"):
        why = spec.rationale_of(part)
        assert why is not None and why.rule == "user"
    assert spec.rationale_of("training.loss").rule == "T7"  # type: ignore[union-attr]
    assert spec.rationale_of("training.seed") is None


def test_what_is_planned_again_says_so_in_the_choice() -> None:
    profile = profile_of(strips(30, 6))
    r = recommend_design(profile)
    made = chosen(r, profile, encoder="microsoft/resnet-50", memory_gb=2.0)
    batch = made.decision("batch")
    assert batch is not None and made.training.batch == batch.value < r.training.batch
    assert batch.reason in made.decisions[-1].reason
    assert made.thresholds.memory_gb == 2.0


def test_numbers_that_there_are_none_of_are_nan(profile: Profile) -> None:
    flips = recommend_design(profile).decision("flips")
    assert flips is not None and all(
        math.isnan(v) for v in (flips.measured, flips.threshold, flips.margin, flips.agreement, *flips.interval)
    )


def test_a_rule_that_sets_nonsense_is_an_error_that_names_the_field(profile: Profile) -> None:
    @rule("T93", "nonsense", title="Nonsense", sets=("training.loss",), always=True)
    def nonsense(evidence: Evidence, draft: Draft, t: Thresholds) -> Outcome:
        """A page."""
        return Outcome({"training.loss": "luck"}, "luck", "")

    with pytest.raises(Exception, match=r"the rules set parts that do not fit together: loss: String should match"):
        recommend_design(profile)


def test_default_is_what_a_set_gets_about_which_nothing_is_known() -> None:
    """Three masks of one object each: R0 abstains, and every training rule gives its default but for the thin scale."""
    mask = np.zeros((256, 256), np.uint8)
    mask[100:160, 100:160] = 1
    r = recommend_design(profile_of([mask] * 3))
    assert [d.rule for d in r.decisions if d.changed] == []
    assert (r.network, r.training) == (DEFAULT.model, DEFAULT.training)
