"""A spec in the making: parts by name, filled without a copy of what stays, validated at the end."""

from __future__ import annotations

import pytest

from shapeprof.design.draft import Draft
from shapeprof.design.family import DEFAULT
from shapeprof.design.spec import AsppSpec, HeadSpec
from shapeprof.errors import SpecError


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("training.crop", (256, 128)),
        ("model.norm", "group"),
        ("model.decoder.logit_stride", 2),
        ("model.encoder.widths", (8, 8, 16, 24)),
        ("model.context", AsppSpec(rates=(2,))),
        ("model.auxiliary_heads", (HeadSpec(stride=8),)),
    ],
)
def test_a_part_is_what_it_was_filled_with(path: str, value: object) -> None:
    draft = DEFAULT.filled({path: value})
    assert draft.part(path) == value != DEFAULT.part(path)
    assert draft.filled({path: DEFAULT.part(path)}) == DEFAULT


def test_several_parts_of_one_block_are_filled_together() -> None:
    sets = {"model.decoder.logit_stride": 8, "model.decoder.skip_strides": (8, 16), "training.batch": 4}
    draft = DEFAULT.filled(sets)
    assert {path: draft.part(path) for path in sets} == sets
    assert draft.model.encoder is DEFAULT.model.encoder  # what stays is not copied


def test_nothing_to_fill_is_the_same_draft() -> None:
    assert DEFAULT.filled({}) is DEFAULT
    same = DEFAULT.filled({"model.norm": "batch"})
    assert same == DEFAULT and same.model is DEFAULT.model


def test_a_draft_may_not_fit_until_it_is_checked() -> None:
    draft = DEFAULT.filled({"model.decoder.logit_stride": 32})
    with pytest.raises(SpecError, match=r"do not fit together: .*a skip at stride 4 must lie between"):
        draft.checked()
    assert draft.filled({"model.decoder.skip_strides": (), "model.deep_supervision": ()}).checked()


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ({"training.batch": 0}, "batch: Input should be greater than or equal to 1"),
        ({"training.loss": "ce+ce"}, "names a term twice"),
        ({"training.scale": (1.2, 0.8)}, "the first factor must be the smaller one"),
        ({"model.norm": "layer"}, "norm: Input should be 'batch' or 'group'"),
    ],
)
def test_what_spec_yaml_would_refuse_is_refused(sets: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        DEFAULT.filled(sets).checked()


def test_checking_changes_nothing_that_fits() -> None:
    assert DEFAULT.checked() == DEFAULT == Draft(DEFAULT.model, DEFAULT.training)
