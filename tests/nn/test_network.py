"""The network: every knob, any size, and heads that exist only in training."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from shapeprof.design.spec import DecoderSpec, EncoderSpec, NetworkSpec  # noqa: E402
from shapeprof.nn.losses import loss_of  # noqa: E402
from shapeprof.nn.network import SegmentationNetwork, TrainingOutput, build, stage_layout  # noqa: E402
from shapeprof.nn.train import Optimisation  # noqa: E402

from .designs import NETWORKS, model_spec  # noqa: E402

CLASSES = 3


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def network(name: str, channels: int = 3) -> SegmentationNetwork:
    return build(model_spec(NETWORKS[name], channels=channels, classes=CLASSES).to_dict())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("size", "channels"), [((37, 53), 3), ((64, 33), 1), ((5, 90), 4)])
def test_logits_have_the_size_of_the_input(name: str, size: tuple[int, int], channels: int) -> None:
    knobs, model = NETWORKS[name], network(name, channels)
    output = model(torch.randn(2, channels, *size))
    assert isinstance(output, TrainingOutput)
    assert output.logits.shape == (2, CLASSES, *size)
    heads = len(knobs.auxiliary_heads) + len(knobs.deep_supervision)
    assert [each.shape for each in output.auxiliary] == [output.logits.shape] * heads
    logits = model.eval()(torch.randn(1, channels, *size))
    assert isinstance(logits, torch.Tensor)
    assert logits.shape == (1, CLASSES, *size)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("side", [1, 8, 31])
def test_one_small_image_trains(name: str, side: int) -> None:
    """Batch 1 at one feature per image is where batch norm and image pooling use to crash."""
    spec = model_spec(NETWORKS[name], classes=CLASSES).to_dict()
    output = build(spec)(torch.randn(1, 3, side, side))
    loss_of(spec)(output, torch.zeros(1, side, side, dtype=torch.int64)).backward()


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_reach_every_parameter(name: str) -> None:
    spec = model_spec(NETWORKS[name], classes=CLASSES).to_dict()
    model = build(spec)
    images, target = torch.randn(2, 3, 75, 101), torch.randint(0, CLASSES, (2, 75, 101))
    loss_of(spec)(model(images), target).backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


@pytest.mark.parametrize("name", NETWORKS)
def test_dropping_the_training_heads_changes_no_logit(name: str) -> None:
    model = network(name)
    model(torch.randn(4, 3, 64, 64))  # running statistics other than 0 and 1
    image = torch.randn(1, 3, 40, 56)
    bare = model.without_training_heads()
    assert torch.equal(bare(image), model.eval()(image))
    assert not [key for key in bare.state_dict() if key.startswith(("auxiliary", "deep"))]
    assert bare.train()(torch.randn(2, 3, 64, 64)).auxiliary == ()


@pytest.mark.parametrize("name", NETWORKS)
def test_features_run_at_the_strides_of_the_spec(name: str) -> None:
    encoder, model = NETWORKS[name].encoder, network(name)
    features = model.encoder(torch.randn(1, 3, 128, 64))
    assert [128 // f.shape[2] for f in features] == [64 // f.shape[3] for f in features]
    assert tuple(128 // f.shape[2] for f in features)[-len(encoder.blocks) :] == encoder.stage_strides
    assert stage_layout(encoder.model_dump()) == tuple(zip(encoder.stage_strides, encoder.stage_dilations, strict=True))


@pytest.mark.parametrize("output_stride", [4, 8, 16])
def test_dilation_computes_the_same_features_more_densely(output_stride: int) -> None:
    """Holschneider et al. 1989: with equal weights, every d-th feature is that of the strided network."""
    coarse, dense = (
        build(
            model_spec(
                NetworkSpec(
                    encoder=EncoderSpec(blocks=(1, 2, 1, 1), widths=(4, 6, 8, 10), output_stride=stride),
                    decoder=DecoderSpec(logit_stride=4, channels=8),
                )
            ).to_dict()
        ).encoder.eval()
        for stride in (32, output_stride)
    )
    dense.load_state_dict(coarse.state_dict())
    image, step = torch.randn(1, 3, 160, 96), 32 // output_stride
    torch.testing.assert_close(dense(image)[-1][:, :, ::step, ::step], coarse(image)[-1])


def test_multi_grid_multiplies_the_dilations_of_the_last_stage() -> None:
    encoder = network("pyramid pooling, multi-grid, reduced skips").encoder
    dilations = [
        tuple(conv[0].dilation[0] for conv in (block.first, block.second))
        for stage in encoder.stages
        for block in stage
    ]
    assert dilations == [(1, 1), (1, 1), (1, 1), (1, 2), (4, 4), (8, 8)]  # 2 x (1, 2, 4); the first on the old grid


def test_pyramid_pooling_sees_the_whole_image() -> None:
    model = network("pyramid pooling, multi-grid, reduced skips").eval()
    image = torch.randn(1, 3, 160, 160, requires_grad=True)
    model(image)[0, 0, 0, 0].backward()
    assert image.grad is not None
    assert float(image.grad[0, :, -32:, -32:].abs().sum()) > 0


def test_skips_are_reduced_to_the_channels_of_the_spec() -> None:
    model = network("pyramid pooling, multi-grid, reduced skips")
    reductions = [level.reduce[0].out_channels for level in model.levels if level.reduce is not None]
    assert reductions == [4]


def test_a_skip_brings_what_the_coarse_features_lost() -> None:
    """A logit at stride 1 depends on its own pixel."""
    model = network("stem of stride 1, skips to stride 1").eval()
    image = torch.randn(1, 3, 64, 64, requires_grad=True)
    model(image)[0, 0, 32, 32].backward()
    assert image.grad is not None
    assert image.grad[0, :, 32, 32].abs().sum() > 0


def test_padding_is_replication_not_zeros() -> None:
    model = network("plain").eval()
    image = torch.full((1, 3, 33, 33), 3.0)
    padded = torch.full((1, 3, 64, 64), 3.0)
    torch.testing.assert_close(model(image), model(padded)[..., :33, :33])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["skips, deep supervision", "dilated to 8 with context"])
def test_one_batch_can_be_learned_by_heart(name: str) -> None:
    spec = model_spec(NETWORKS[name], classes=2, warmup_steps=5).to_dict()
    model = build(spec)
    images, target = torch.randn(2, 3, 64, 64), torch.zeros(2, 64, 64, dtype=torch.int64)
    target[0, 16:48, 8:40], target[1, 8:24, 32:64] = 1, 1
    images += 2.0 * target.unsqueeze(1)
    optimisation = Optimisation(model, spec, steps=60, learning_rate=2e-2)
    first = float(optimisation.step(images, target))
    for _ in range(59):
        last = float(optimisation.step(images, target))
    assert last < 0.35 * first
    right = (model(images).logits.argmax(1) == target).float().mean()
    assert right > 0.95


@pytest.mark.parametrize(
    ("block", "field", "value", "message"),
    [
        ("encoder", "output_stride", 64, "can't be reached"),
        ("encoder", "widths", [8], "differ in length"),
        ("encoder", "multi_grid", [1, 2], "the last stage has 1 blocks"),
        ("context", "rates", [0], "context.rates .*: 0 is no whole number from 1 on"),
        ("decoder", "logit_stride", 3, r"logit_stride 3; expected one of \(1, 2, 4"),
        ("decoder", "skip_strides", [4, 4], "names a stride twice"),
        ("decoder", "logit_stride", 32, "exceeds the output stride"),
        ("decoder", "skip_strides", [1], r"skip_strides: no features at stride 1; possible: \[4, 8\]"),
    ],
)
def test_knobs_that_do_not_fit_are_refused(block: str, field: str, value: object, message: str) -> None:
    name = "skips, dilated to 16, context, both kinds of heads, group norm"
    spec = model_spec(NETWORKS[name]).to_dict()
    spec["model"][block][field] = value
    with pytest.raises(ValueError, match=message):
        build(spec)


def test_an_unknown_norm_is_refused() -> None:
    spec = model_spec(NETWORKS["plain"]).to_dict()
    spec["model"]["norm"] = "bacth"
    with pytest.raises(ValueError, match="norm 'bacth'; expected batch or group"):
        build(spec)


def test_the_same_seed_gives_the_same_network() -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(7)
        states.append(network("plain").state_dict())
    assert all(torch.equal(a, b) for a, b in zip(states[0].values(), states[1].values(), strict=True))
