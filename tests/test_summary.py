"""The summary: numbers and sentences of a report, without any layout."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shapeprof.findings.find import find_all
from shapeprof.profile.profile import Ledger, Profile
from shapeprof.recommend.decision import Recommendation
from shapeprof.recommend.overrides import chosen
from shapeprof.recommend.recommend import recommend_design
from shapeprof.report.histograms import convexity_counts, length_counts
from shapeprof.report.summary import (
    KINDS,
    LOSSES,
    MOST_CLASSES,
    MOST_REASONS,
    SAFE,
    Place,
    Summary,
    plain,
    resolution,
    summarise,
)

from .builders import crosses, discs, profile_of, strips

PLACE = Place("masks", Path("masks.shapeprof"))
SOURCE = Path(__file__).parent.parent / "shapeprof" / "report"


def summary_of(profile: Profile, place: Place = PLACE, *, details: bool = False) -> Summary:
    recommendation = recommend_design(profile)
    return summarise(profile, recommendation, find_all(profile, recommendation), place, details=details)


def two_classes() -> Profile:
    masks = strips(60, 4, per_image=4)
    for mask in masks:
        mask[100:150, 5:250] = 2
    return profile_of(masks, ("background", "wire", "road"))


def test_the_header_says_what_was_read() -> None:
    profile = replace(two_classes(), ledger=Ledger(63, 60, 2, 3, 0))
    first, second = summary_of(profile, replace(PLACE, seconds=31.2)).header
    assert first == "60 masks read in 31 s: class ids as grey values; 410 objects in 2 classes."
    assert second == "1 size, 256x256 px; 2 masks without objects, 3 files could not be read."


def test_the_network_has_a_name_that_a_colleague_knows() -> None:
    assert summary_of(profile_of(discs(3, 20))).network == f"{SAFE}, output at quarter resolution."
    assert (
        summary_of(two_classes()).network
        == "DeepLabv3+ style (dilated encoder, long skips), output at half resolution."
    )
    assert [resolution(s) for s in (1, 2, 4, 8)] == [
        "full resolution", "half resolution", "quarter resolution", "1/8 resolution",
    ]  # fmt: skip


def test_every_name_of_a_kind_design_and_loss_is_known() -> None:
    from typing import get_args

    from shapeprof.design.spec import FAMILIAR, DesignName, TrainingSpec
    from shapeprof.sources.encoding import Kind

    assert set(KINDS) == set(get_args(Kind))
    assert set(FAMILIAR) >= {name for name in get_args(DesignName) if name not in ("reference", "custom")}
    assert set(get_args(TrainingSpec.model_fields["loss"].annotation)) <= set(LOSSES)


@pytest.mark.slow
def test_the_facts_are_those_of_the_recommendation() -> None:
    profile = replace(two_classes(), arguments={"train_size": 512})
    r = recommend_design(profile)
    facts = summary_of(profile).facts
    assert list(facts) == ["Model", "Crop", "Compute", "Training", "Memory", "Time", "Loss", "Judge by"]
    assert facts["Crop"] == f"{r.training.crop[1]} x {r.training.crop[0]} px, shorter side 512 px"
    assert facts["Training"] == f"{r.training.steps:,} steps of {r.training.batch} crops"
    assert facts["Memory"] == f"{r.cost.memory_gb:.1f} of 8 GB"
    assert facts["Judge by"] == "mean IoU, clDice"


def test_small_batches_are_said_with_what_is_behind_a_step() -> None:
    profile = two_classes()
    r = recommend_design(profile)
    small = replace(r, training=r.training.model_copy(update={"batch": 4, "accumulate": 2}))
    facts = summarise(profile, small, (), PLACE).facts
    assert facts["Training"].endswith("steps of 8 crops (4 at a time)")


# Why --------------------------------------------------------------------------------------------

SETS = {
    "thin": lambda: profile_of(strips(60, 3)),
    "convex": lambda: profile_of(discs(60, 100)),
    "concave": lambda: profile_of(crosses(60, 60)),
    "two": two_classes,
    "few": lambda: profile_of(discs(3, 20)),
    "many": lambda: profile_of(discs(60, 9, per_image=16)),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", SETS)
def test_at_most_five_sentences_of_at_most_two_numbers(case: str) -> None:
    why = summary_of(SETS[case]()).why
    assert 1 <= len(why) <= MOST_REASONS and why[-1].title == "Convexity"
    for reason in why:
        bare = re.sub(r"1/\d+", "", reason.text)  # names of outputs
        assert len(re.findall(r"\d[\d.,]*", bare)) <= 2, reason.text
        assert "(" not in reason.text and reason.text.endswith(".") and len(reason.text) <= 160


@pytest.mark.slow
@pytest.mark.parametrize("case", ["thin", "convex", "concave", "two", "many"])
def test_why_begins_with_the_output_and_has_only_what_changed(case: str) -> None:
    profile = SETS[case]()
    r = recommend_design(profile)
    first, *others = (reason.title for reason in summary_of(profile).why)
    stride = r.decision_on("model.decoder.logit_stride")
    assert stride is not None and first == stride.title
    changed = {d.title for d in r.decisions if d.changed}
    assert set(others) - {"Convexity"} <= changed


def test_a_silent_set_says_so_first() -> None:
    why = summary_of(SETS["few"]()).why
    assert why[0].text == "3 images; shape rules need 10."
    assert why[-1].text == "It decides nothing here: there are too few masks or objects to decide from."


@pytest.mark.slow
def test_what_the_user_chose_is_a_decision_like_others() -> None:
    profile = two_classes()
    r = chosen(recommend_design(profile), profile, "unet", None)
    summary = summarise(profile, r, (), PLACE)
    assert summary.decisions[-1].rule == "user" and summary.network.startswith("U-Net")


def test_plain_sentences() -> None:
    assert plain("A keeps 96 % (L90). The rest is cut.") == "A keeps 96 %."
    assert plain("1.5 times as wide") == "1.5 times as wide."
    assert plain("Class b. is one.") == "Class b."


@pytest.mark.slow
def test_what_was_not_looked_at_is_said_in_short_and_whole() -> None:
    summary = summary_of(two_classes())
    assert summary.unseen[0] == "The images" and summary.unseen_whole[0].startswith("The images: masks do not show")


# Tables -----------------------------------------------------------------------------------------


def many_classes(n: int) -> Profile:
    mask = np.zeros((256, 256), np.uint8)
    for i in range(n):
        mask[20 * i + 2 : 20 * i + 18, 10 : 60 + 10 * i] = i + 1
    return profile_of([mask] * 12, ("background", *(f"c{i + 1}" for i in range(n))))


def test_six_classes_have_a_row_and_the_rest_is_counted() -> None:
    six, eight = summary_of(many_classes(6)), summary_of(many_classes(8))
    assert len(six.classes) == 6 and six.hidden_classes == 0
    assert len(eight.classes) == MOST_CLASSES and eight.hidden_classes == 2
    assert [row.name for row in eight.classes] == [f"c{i}" for i in range(3, 9)]  # the largest, in the order of ids
    assert len(summary_of(many_classes(8), details=True).classes) == 8


@pytest.mark.slow
def test_the_class_that_needs_the_finest_output_has_a_row_and_the_table_of_outputs() -> None:
    summary = summary_of(two_classes())
    assert summary.class_for_strides == "wire" and "wire" in {row.name for row in summary.classes}
    assert [row.stride for row in summary.strides] == [1, 2, 4, 8, 16, 32]
    assert [row.stride for row in summary.strides if row.chosen] == [2]
    assert summary.strides[0].area == 1 and summary.strides[-1].area < 0.05
    assert all(math.isnan(row.best) for row in summary.strides)
    assert summary.strides_note == "The others need: road at 1/16."


def test_a_tie_names_both_outputs_and_why_agrees_with_the_one_taken() -> None:
    """Small discs alone need 1/4; with these large ones, resamples are split between 1/4 and 1/8."""
    summary = summary_of(profile_of([*discs(50, 8), *discs(14, 22)]))
    assert summary.network.endswith("output at 1/8 resolution.")
    assert re.fullmatch(
        r"Output 1/4 and output 1/8 are a tie: only \d\d% of resamples agree on the first\. "
        r"The second is cheaper and is taken\.",
        summary.tie,
    )
    detail = next(reason for reason in summary.why if reason.title == "Detail")
    assert detail.text == (
        "Output 1/8 keeps 88% of the area of thing, and resamples are split on whether that is enough."
    )


def test_where_the_profile_lies_is_said_with_its_number_of_objects() -> None:
    place = Place("masks", Path("out/of the way"))
    assert summary_of(two_classes(), place).kept_in == "out/of the way: profile.json, objects.parquet (410 rows)"


def test_rows_of_classes_add_up() -> None:
    summary = summary_of(two_classes())
    wire, road = summary.classes
    assert (wire.objects, road.objects) == (350, 60)
    assert sum(wire.across_counts) == 350 and sum(road.convexity_counts) == 60
    assert summary.counts == "410 found: 410 measured (0 cut by the border), 0 under 32 px."


def test_histograms_keep_what_lies_outside() -> None:
    from shapeprof.metrics.bins import CONVEXITY_BINS, LENGTH_BINS

    assert sum(length_counts(np.ones(LENGTH_BINS, int), 8, 1024)) == LENGTH_BINS
    assert len(length_counts(np.ones(LENGTH_BINS, int), 1, 64)) == 6
    tenths = convexity_counts(np.ones(CONVEXITY_BINS, int))
    assert len(tenths) == 10 and sum(tenths) == CONVEXITY_BINS


def recommended(profile: Profile) -> Recommendation:
    return recommend_design(profile)


@pytest.mark.slow
def test_choices_are_the_recommended_one_and_those_that_differ() -> None:
    profile = two_classes()
    r = recommended(profile)
    choices = summary_of(profile).choices
    assert choices[0].recommended and choices[0].compute == 1.0 and choices[0].keeps == r.kept
    assert len(choices) == 1 + sum(a.network != r.network for a in r.alternatives)
    assert "By convexity alone" in {choice.label for choice in choices}
    for choice in choices[1:]:
        assert choice.difference == 0 or abs(choice.difference) >= r.thresholds.tie_points


@pytest.mark.slow
def test_a_network_equal_to_the_recommended_one_is_no_other_choice() -> None:
    profile = two_classes()
    r = recommended(profile)
    equal = replace(r.alternatives[1], network=r.network, label="U-Net + deep supervision")
    summary = summarise(profile, replace(r, alternatives=(equal,)), (), PLACE)
    assert len(summary.choices) == 1 and summary.choices[0].note == "the same as U-Net + deep supervision"
    assert summarise(profile, replace(r, alternatives=()), (), PLACE).choices == ()


# The rest ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_commands_can_be_pasted() -> None:
    place = Place("my masks", Path("out"), "my images", ("--memory", "4"))
    assert summary_of(two_classes(), place).next == (
        "shapeprof export 'my masks' --images 'my images' -o my-net --memory 4",
        "python my-net/train.py",
        "shapeprof report 'my masks' --details",
    )
    assert " --images IMAGES " in summary_of(two_classes()).next[0]


@pytest.mark.slow
def test_records_have_what_one_needs_to_doubt_them() -> None:
    profile = two_classes()
    details = summary_of(profile).decisions
    assert [d.rule for d in details] == [d.rule for d in recommend_design(profile).decisions]
    record = next(d.record for d in details if "survival_linear" in d.record)
    assert re.match(
        r"survival_linear\(4\) 0\.\d+ \[0\.\d+, 0\.\d+\], threshold 0\.89; 100 % of resamples agree", record
    )
    assert "flips: " in record
    assert any(d.record == "" for d in details)


@pytest.mark.slow
def test_the_wiring_of_the_network_is_said_in_the_details() -> None:
    text = summary_of(two_classes()).connections
    assert text.startswith("Long skips carry detail from 1/2, 1/4 and 1/8; no auxiliary heads; deep supervision at 1/4")
    assert "encoder dilated to 1/16 (output stride 16); then ASPP" in text
    assert "auxiliary heads at 1/8 and 1/16 (training only, weight 0.4)" in summary_of(SETS["convex"]()).connections


def test_the_report_knows_no_rule() -> None:
    for path in SOURCE.glob("*.py"):
        if path.stem != "verification":
            assert not re.search(r"[\"'][RT]\d+[\"']", path.read_text()), path
