"""Receptive fields by gradient, against those counted on paper and against hand counts."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from shapeprof.design.cost import cost  # noqa: E402
from shapeprof.nn.kit.receptive_field import effective_field, theoretical_field  # noqa: E402
from shapeprof.nn.network import build  # noqa: E402

from .designs import NETWORKS, model_spec  # noqa: E402


@pytest.mark.parametrize("name", NETWORKS)
def test_the_theoretical_field_is_the_one_on_paper(name: str) -> None:
    on_paper = cost(NETWORKS[name], 3, 3, (64, 64), 1).receptive_field
    assert on_paper is not None
    network = build(model_spec(NETWORKS[name]).to_dict())
    assert theoretical_field(network, 3, on_paper) == (on_paper, on_paper)
    assert theoretical_field(network, 3, 32) == (on_paper, on_paper)  # wherever the search starts


def test_the_field_of_seven_convolutions_by_hand() -> None:
    network = build(model_spec(NETWORKS["stem of stride 2"]).to_dict())
    # stem 1; stage 0: 2 (stride 2), 4; stage 1, two blocks: 4 (stride 2), 8, 8, 8: each adds twice its jump.
    assert theoretical_field(network, 3, 9) == (1 + 2 * (1 + 2 + 4 + 4 + 8 + 8 + 8),) * 2


def test_the_effective_field_is_smaller_and_near_its_estimate() -> None:
    torch.manual_seed(0)
    counted = cost(NETWORKS["plain"], 3, 3, (64, 64), 1)
    network = build(model_spec(NETWORKS["plain"]).to_dict())
    seen = effective_field(network, 3, 256)
    assert counted.receptive_field is not None and counted.effective_receptive_field is not None
    assert 0.5 * counted.effective_receptive_field < seen < counted.receptive_field
