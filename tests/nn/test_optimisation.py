"""The learning rate's course, which weights decay, accumulated gradients, averaged weights."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from shapeprof.nn.kit.optimiser import FINAL_RATE, average, rate_factor  # noqa: E402
from shapeprof.nn.kit.progress import duration  # noqa: E402
from shapeprof.nn.network import build  # noqa: E402
from shapeprof.nn.train import Optimisation  # noqa: E402

from .backbone_designs import NETWORKS as PRETRAINED  # noqa: E402
from .designs import NETWORKS, model_spec  # noqa: E402
from .folders import GROUP_NORM  # noqa: E402


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


@pytest.mark.filterwarnings("ignore")  # of transformers, while it is imported
def test_a_pretrained_encoder_learns_at_its_share() -> None:
    pytest.importorskip("transformers")
    spec = model_spec(PRETRAINED["Swin with one skip"], encoder_rate=0.1).to_dict()
    network = build(spec)
    optimisation = Optimisation(network, spec, steps=10, learning_rate=1.0)
    rates = {id(p): group["initial_lr"] for group in optimisation.optimiser.param_groups for p in group["params"]}
    encoder = {id(p) for p in network.encoder.parameters()}
    assert len(rates) == len(list(network.parameters()))
    assert all(rate == pytest.approx(0.1 if p in encoder else 1.0) for p, rate in rates.items())
    assert optimisation.learning_rate == pytest.approx(1.0)  # that of the others

    spec = model_spec(NETWORKS["plain"], encoder_rate=0.1).to_dict()
    groups = Optimisation(build(spec), spec, steps=10, learning_rate=1.0).optimiser.param_groups
    assert {group["initial_lr"] for group in groups} == {1.0}


@pytest.mark.slow
def test_accumulated_batches_are_one_batch() -> None:
    """Of equal size, with group norm, and no pixel to ignore: means of means are means."""
    spec = model_spec(NETWORKS[GROUP_NORM], loss="ce").to_dict()
    torch.manual_seed(0)
    networks = [build(spec) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    losses = []
    for network, accumulate in zip(networks, (1, 2), strict=True):
        optimisation = Optimisation(network, spec, steps=9, learning_rate=1e-3, accumulate=accumulate)
        draw = torch.Generator().manual_seed(1)
        for _ in range(3):
            images = torch.randn(4, 3, 32, 32, generator=draw)
            labels = torch.randint(0, 3, (4, 32, 32), generator=draw)
            losses.append(float(optimisation.step(images, labels)))
    assert losses[:3] == pytest.approx(losses[3:], abs=1e-6)
    assert losses[0] > losses[2] != losses[1]
    for name, value in networks[0].state_dict().items():
        torch.testing.assert_close(value, networks[1].state_dict()[name], rtol=0, atol=1e-5)


def test_averaging() -> None:
    """Weights and running statistics move, counts are copied."""
    averaged, network = torch.nn.BatchNorm1d(1), torch.nn.BatchNorm1d(1)
    network.weight.data.fill_(3.0)
    network.running_mean.fill_(8.0)
    network.num_batches_tracked.fill_(7)
    average(averaged, network, 0.75)
    assert averaged.weight.tolist() == [1.5] and averaged.running_mean.tolist() == [2.0]
    assert int(averaged.num_batches_tracked) == 7


def test_averaged_weights_follow_closely_at_first() -> None:
    """The decay of step t, from 0, is (1 + t) / (10 + t), at most the spec's."""
    spec = model_spec(NETWORKS["plain"], ema=0.15).to_dict()
    optimisation = Optimisation(build(spec), spec, steps=9, learning_rate=1e-2)
    assert optimisation.scored is optimisation.averaged is not None
    name = "head.0.0.weight"
    expected = optimisation.network.state_dict()[name].clone()
    for decay in (1 / 10, 0.15, 0.15):
        optimisation.step(torch.randn(2, 3, 32, 32), torch.randint(0, 3, (2, 32, 32)))
        expected = decay * expected + (1 - decay) * optimisation.network.state_dict()[name]
        torch.testing.assert_close(optimisation.averaged.state_dict()[name], expected)
    assert not optimisation.averaged.training and optimisation.network.training


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.52, "0.5 s"), (42.4, "42 s"), (125, "2 min 05 s"), (59.9, "60 s"), (7800, "2 h 10 min")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
