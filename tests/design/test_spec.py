"""spec.yaml: what it refuses, in words, and why its parts have their values."""

from __future__ import annotations

from typing import Any

import pytest

from shapeprof.design.family import DEFAULT, Knobs
from shapeprof.design.spec import (
    SCHEMA_VERSION,
    ClassSpec,
    DerivedSpec,
    InputSpec,
    ModelSpec,
    Rationale,
    design_name,
    parse_spec,
)
from shapeprof.errors import SpecError


def spec(**values: Any) -> ModelSpec:
    derived = DerivedSpec(
        parameters=1, macs=1, receptive_field=1, effective_receptive_field=1.0, input_multiple=32, memory_gb=1.0
    )
    given: dict[str, Any] = {
        "design": "skip",
        "classes": (ClassSpec(id=0, name="background"), ClassSpec(id=1, name="thing")),
        "background": 0,
        "input": InputSpec(),
        "model": DEFAULT.model,
        "derived": derived,
        "training": DEFAULT.training,
    }
    return ModelSpec(**(given | values))


def because(rule: str, *sets: str) -> Rationale:
    return Rationale(rule=rule, name=rule.lower(), sets=sets, value=1, reason="")


def test_a_spec_survives_its_own_document() -> None:
    made = spec(rationale=(because("R1", "model.decoder.logit_stride"),))
    assert parse_spec(made.to_dict(), "spec.yaml") == made
    assert made.schema_version == SCHEMA_VERSION == 3


@pytest.mark.parametrize("version", [1, 2, 4])
def test_another_version_is_refused_with_what_to_do(version: int) -> None:
    with pytest.raises(SpecError, match=rf"^a/spec\.yaml: schema_version {version}; .* reads 3\. Export again$"):
        parse_spec(spec().to_dict() | {"schema_version": version, "rationale": "of another form"}, "a/spec.yaml")


@pytest.mark.parametrize("data", [None, [], "text", {}])
def test_what_is_no_spec_is_refused(data: object) -> None:
    with pytest.raises(SpecError, match=r"mine\.yaml is not a valid spec"):
        parse_spec(data, "mine.yaml")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"design": "dilated"}, "design is 'dilated', but the knobs make 'skip'"),
        ({"classes": [{"id": 0, "name": "only"}]}, "at least 2 of them"),
        ({"classes": [{"id": 0, "name": "a"}, {"id": 2, "name": "b"}]}, "ids 0, 1, 2, ... in order"),
        ({"task": "multi-label"}, "multi-label has no background"),
        ({"extra": 1}, "extra: Extra inputs are not permitted"),
        ({"input": {"channels": 1}}, "1 channels need as many means and stds; got 3 and 3"),
        ({"input": {"std": [1, 1, 0]}}, "std must be positive"),
        ({"background": "zero"}, "background: Input should be a valid integer"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as error:
        parse_spec(spec().to_dict() | change, "spec.yaml")
    assert message in str(error.value)


def test_the_last_decision_on_a_part_is_why() -> None:
    made = spec(
        rationale=(
            because("T2", "training.crop"),
            because("T3", "training.crop", "training.batch"),
            because("R1", "model.decoder.logit_stride"),
            because("user", "model.encoder", "model.decoder"),
        )
    )
    rules = {
        part: why.rule if (why := made.rationale_of(part)) else None
        for part in ("training.crop", "training.batch", "model.decoder.logit_stride", "model.norm", "training")
    }
    assert rules == {
        "training.crop": "T3",
        "training.batch": "T3",
        "model.decoder.logit_stride": "user",
        "model.norm": None,
        "training": None,
    }


def test_reasons_do_not_change_what_a_checkpoint_is_bound_to() -> None:
    plain, explained = spec(), spec(rationale=(because("R1", "model.norm"),))
    assert plain.digest() == explained.digest()
    assert plain.digest() != spec(model=Knobs(deep_supervision=(8,), norm="group").network()).digest()


@pytest.mark.parametrize(
    ("knobs", "name"),
    [
        (Knobs(), "skip"),
        (Knobs(output_stride=16, skip_strides=(4,)), "skip+dilated"),
        (Knobs(logit_stride=8, output_stride=8, skip_strides=()), "dilated"),
        (Knobs(logit_stride=32, skip_strides=(), auxiliary_heads=(8,)), "auxiliary-head"),
        (Knobs(logit_stride=32, skip_strides=()), "default"),
    ],
)
def test_names_follow_from_the_knobs(knobs: Knobs, name: str) -> None:
    assert design_name(knobs.network()) == name
