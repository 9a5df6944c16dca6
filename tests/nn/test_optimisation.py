"""The learning rate's course, and which weights decay."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from shapeprof.nn.network import build  # noqa: E402
from shapeprof.nn.optimisation import FINAL_RATE, Optimisation, rate_factor  # noqa: E402
from shapeprof.nn.progress import duration  # noqa: E402

from .designs import NETWORKS, model_spec  # noqa: E402


def test_rate_rises_linearly_then_falls_as_a_cosine() -> None:
    rates = [rate_factor(step, 100, 10) for step in range(101)]
    assert rates[:10] == pytest.approx([0.1 * (i + 1) for i in range(10)])
    assert rates[10] == 1
    assert rates[55] == pytest.approx((1 + FINAL_RATE) / 2)
    assert rates[100] == pytest.approx(FINAL_RATE)
    assert rate_factor(0, 1, 0) == 1


def test_warmup_leaves_room_in_short_runs() -> None:
    spec = model_spec(NETWORKS["plain"], warmup_steps=200).to_dict()
    optimisation = Optimisation(build(spec), spec, steps=10, learning_rate=1.0)
    assert optimisation.learning_rate == pytest.approx(0.5)  # 2 steps of warm-up


def test_norms_and_biases_do_not_decay() -> None:
    spec = model_spec(NETWORKS["plain"]).to_dict()
    groups = Optimisation(build(spec), spec, steps=10, learning_rate=1.0).optimiser.param_groups
    assert [group["weight_decay"] for group in groups] == [0.01, 0.0]
    assert all(p.ndim == 4 for p in groups[0]["params"])
    assert all(p.ndim == 1 for p in groups[1]["params"])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.52, "0.5 s"), (42.4, "42 s"), (125, "2 min 05 s"), (59.9, "60 s"), (7800, "2 h 10 min")],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
