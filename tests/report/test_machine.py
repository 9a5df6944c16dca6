"""The report for machines: its names are a contract, its numbers are JSON, and it says what the report says."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shapeprof.findings.find import find_all
from shapeprof.findings.finding import SEVERITIES, Finding
from shapeprof.findings.registry import all_findings
from shapeprof.issues import Issue
from shapeprof.profile.classes_block import number
from shapeprof.profile.profile import Ledger, Profile
from shapeprof.recommend.decision import Recommendation
from shapeprof.recommend.recommend import recommend_design
from shapeprof.report.machine import findings_block, to_json
from shapeprof.report.summary import Place, summarise
from tests.builders import discs, profile_of, strips

ISSUES = (
    Issue("error", "truncated-file", "the PNG stops after 90 bytes; copy it again", "a/[b]\x1b.png"),
    Issue("error", "truncated-file", "the PNG stops after 12 bytes; copy it again", "z\udcff.png"),
    Issue("warning", "palettes-differ", "two palettes"),
)

CODES = {kind.code for kind in all_findings()}  # registers them all

# Names may be added here, never renamed or removed.
FROZEN = {
    "": "schema_version tool_version input summary classes findings issues recommendation",
    "input": "files read empty unreadable skipped encoding reasons fingerprint",
    "summary": "network facts tie why not_looked_at connections",
    "summary.why[]": "title text",
    "classes[]": (
        "id name objects shape_basis pixel_share image_share area convexity convexity_filled concavity_depth feret "
        "box_length mean_width width perimeter near_boundary ignored_boundary_share holes crowding nesting survival "
        "sampled_images"
    ),
    "classes[].objects": "found measured below_floor truncated borders_ignored in_pieces reliable",
    "classes[].convexity": "p05 p25 p50 p75 p95 area_weighted",
    "classes[].convexity.area_weighted": "p05 p25 p50",
    "classes[].width": "p05 p10 p50",
    "classes[].near_boundary": "1 2 4",
    "classes[].holes": "count objects pixels",
    "classes[].crowding": "touching_share suspected_merged_share",
    "classes[].survival": "2 4 8 16 32",
    "classes[].survival.2": "nearest linear best per_object recall per_object_nearest recall_nearest",
    "findings[]": "severity code message path more remedy text",
    "issues[]": "severity code message path",
    "recommendation": (
        "design logit_stride output_stride binding_class logit_stride_without_binding_class coarsest_logit_strides "
        "skip_strides auxiliary_heads deep_supervision context kept recall convexity_decides tie training parameters "
        "macs memory_gb training_seconds judge_by decisions alternatives"
    ),
    "recommendation.deep_supervision[]": "stride weight",
    "recommendation.context": "kind rates channels image_pooling",
    "recommendation.training_seconds": "gpu cpu",
    "recommendation.decisions[]": (
        "rule title parts value reason statistic measured interval threshold margin agreement binding_class "
        "flips_when abstains changed sets"
    ),
    "recommendation.alternatives[]": (
        "label role design logit_stride kept loses_most kept_difference recall parameters macs macs_ratio note"
    ),
}


@cache
def mixed() -> tuple[Profile, Recommendation, Any]:
    """A profile of thin and thick classes with a finding of every kind, its recommendation and its JSON."""
    masks = strips(60, 4, per_image=4)
    for mask in masks:
        mask[100:150, 5:250] = 2
        mask[:2] = 255
    profile = profile_of(masks, ("background", "wire", "road"), issues=ISSUES, ledger=Ledger(66, 60, 1, 4, 2))
    recommendation = recommend_design(profile)
    return profile, recommendation, json.loads(to_json(profile, recommendation))


@cache
def few() -> tuple[Profile, Recommendation, Any]:
    profile = profile_of(discs(3, 20))
    recommendation = recommend_design(profile)
    return profile, recommendation, json.loads(to_json(profile, recommendation))


def at(data: Any, path: str) -> list[Any]:
    """Every value at a path such as ``classes[].holes``."""
    found = [data]
    for step in path.split(".") if path else ():
        found = [each[step.removesuffix("[]")] for each in found]
        if step.endswith("[]"):
            found = [inner for each in found for inner in each]
    return found


@pytest.mark.parametrize("path", FROZEN)
def test_every_name_of_the_contract_is_there(path: str) -> None:
    found = at(mixed()[2], path)
    assert found
    for each in found:
        missing = set(FROZEN[path].split()) - set(each)
        assert not missing, f"{path}: {missing} are part of the contract"


@pytest.mark.parametrize("path", FROZEN)
def test_the_contract_lists_every_name(path: str) -> None:
    for each in at(mixed()[2], path):
        assert list(each) == FROZEN[path].split()


def test_what_is_written_is_ascii_and_reads_back_equal() -> None:
    profile, recommendation, data = mixed()
    text = to_json(profile, recommendation)
    assert text.isascii() and "\x1b" not in text and "NaN" not in text and "Infinity" not in text
    assert json.loads(json.dumps(data)) == data == json.loads(text)
    assert data["findings"][0]["more"] == ["z\udcff.png"]


def test_the_same_profile_gives_the_same_text_wherever_it_lies() -> None:
    profile, recommendation, _ = mixed()
    elsewhere = Place("other masks", Path("x"), "images", ("--floor", "9"), 12.0)
    assert to_json(profile, recommendation, elsewhere) == to_json(profile, recommendation)


def test_the_input_is_the_ledger() -> None:
    data = mixed()[2]["input"]
    assert {k: data[k] for k in ("files", "read", "empty", "unreadable", "skipped")} == {
        "files": 66, "read": 60, "empty": 1, "unreadable": 4, "skipped": 2,
    }  # fmt: skip
    assert data["encoding"] == "index" and data["fingerprint"] == "0" * 32


def test_the_sentences_are_those_of_the_report() -> None:
    profile, recommendation, data = mixed()
    summary = summarise(profile, recommendation, (), Place("masks", Path("out")))
    assert data["summary"]["network"] == summary.network and data["summary"]["facts"] == summary.facts
    assert data["summary"]["why"] == [asdict(reason) for reason in summary.why]
    assert tuple(data["summary"]["not_looked_at"]) == summary.unseen_whole


# Numbers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value, written",
    [(math.nan, None), (0.0, 0.0), (1 / 3, 0.333333), (123456789.0, 123457000.0), (1e-9, 1e-9), (-2.5, -2.5)],
)
def test_numbers_have_six_digits_and_nan_is_null(value: float, written: float | None) -> None:
    assert number(value) == written


@given(st.floats(-1e12, 1e12))
def test_a_number_is_near_and_stays_when_written_again(value: float) -> None:
    written = number(value)
    assert written is not None and written == pytest.approx(value, rel=1e-5)
    assert number(json.loads(json.dumps(written))) == written


def test_what_was_not_measured_is_null() -> None:
    for each in mixed()[2]["classes"]:
        assert {block["best"] for block in each["survival"].values()} == {None}
    unmeasured = profile_of(discs(4, 2.0))  # all objects are under the floor
    (only,) = json.loads(to_json(unmeasured, recommend_design(unmeasured)))["classes"]
    assert only["objects"]["found"] == 4 and only["objects"]["measured"] == 0
    assert only["convexity"]["p50"] is None and only["convexity"]["area_weighted"]["p05"] is None
    assert only["crowding"] == {"touching_share": None, "suspected_merged_share": None}


def test_unknown_numbers_of_a_recommendation_are_null_too() -> None:
    profile, recommendation, _ = mixed()
    unknown = replace(recommendation, kept=math.nan, recall=math.nan, binding_class=None, logit_stride_without=None)
    data = json.loads(to_json(profile, unknown))["recommendation"]
    assert data["kept"] is None and data["recall"] is None and data["binding_class"] is None


def test_a_set_without_objects_is_written_too() -> None:
    empty = profile_of([np.zeros((64, 64), np.uint8)] * 3)
    data = json.loads(to_json(empty, recommend_design(empty)))
    assert data["classes"] == [] and data["recommendation"]["decisions"][0]["abstains"]


# Findings and issues ----------------------------------------------------------------------------


def test_findings_are_all_of_them_in_their_order() -> None:
    profile, recommendation, data = mixed()
    assert data["findings"] == findings_block(find_all(profile, recommendation))
    assert {f["code"] for f in data["findings"]} <= CODES
    ranks = [SEVERITIES.index(f["severity"]) for f in data["findings"]]
    assert ranks == sorted(ranks)
    first = data["findings"][0]
    assert (first["code"], first["path"], first["more"]) == ("truncated-file", "a/[b]\x1b.png", ["z\udcff.png"])


def test_issues_are_what_reading_said_one_by_one() -> None:
    assert mixed()[2]["issues"] == [asdict(issue) for issue in ISSUES]


def test_a_finding_has_its_whole_text_or_its_message() -> None:
    short = Finding("info", "a", "it rains; take a coat", "take a coat")
    long = replace(short, text="it rains, as it did yesterday", place="a.png", more=("b.png",))
    first, second = findings_block([short, long])
    assert first["text"] == "it rains; take a coat" and first["path"] == "" and first["more"] == []
    assert second["text"] == "it rains, as it did yesterday"
    assert (second["message"], second["path"], second["more"]) == ("it rains; take a coat", "a.png", ["b.png"])


# The recommendation -----------------------------------------------------------------------------


def test_decisions_are_those_of_the_rules() -> None:
    _, recommendation, data = mixed()
    decisions = data["recommendation"]["decisions"]
    assert [d["rule"] for d in decisions] == [d.rule for d in recommendation.decisions]
    assert [d["sets"] for d in decisions] == [d.name for d in recommendation.decisions]
    assert all("name" not in d for d in decisions)
    for known in (d for d in decisions if None not in (d["measured"], d["threshold"], d["margin"])):
        assert known["margin"] == pytest.approx(known["measured"] - known["threshold"], abs=2e-3)
    for d in decisions:
        assert d["interval"] is None or d["interval"][0] <= d["interval"][1]
        assert d["agreement"] is None or 0 <= d["agreement"] <= 1


def test_one_decision_sets_the_stride_of_the_network() -> None:
    recommendation = mixed()[2]["recommendation"]
    (stride,) = [d for d in recommendation["decisions"] if d["sets"] == "logit-stride"]
    assert stride["value"] == recommendation["logit_stride"] == 2
    assert recommendation["binding_class"] == "wire"
    limits = recommendation["coarsest_logit_strides"]
    assert limits["wire"] == 2 and limits["road"] == recommendation["logit_stride_without_binding_class"] > 2


def test_alternatives_have_one_lesson_and_are_compared_with_the_recommended_one() -> None:
    recommendation = mixed()[2]["recommendation"]
    alternatives = recommendation["alternatives"]
    roles = [a["role"] for a in alternatives]
    assert roles.count("lesson") == 1 and roles.count("runner-up") == 1 and set(roles) <= {
        "lesson", "runner-up", "other",
    }  # fmt: skip
    for a in alternatives:
        assert a["kept_difference"] == pytest.approx(a["kept"] - recommendation["kept"], abs=1e-5)
        assert a["macs_ratio"] == pytest.approx(a["macs"] / recommendation["macs"], rel=1e-5)


def test_where_rules_are_silent_the_default_is_written_with_the_reason() -> None:
    recommendation = few()[2]["recommendation"]
    first = recommendation["decisions"][0]
    assert (first["rule"], first["abstains"], first["measured"], first["threshold"]) == ("R0", True, 3.0, 10.0)
    assert first["margin"] == -7.0 and first["interval"] is None and first["agreement"] is None
    assert recommendation["tie"] is None and recommendation["coarsest_logit_strides"] == {}
