"""The counts on paper against the network that torch builds."""

from __future__ import annotations

import pytest

from shapeprof.design.cost import cost, effective_receptive_field, padded_size
from shapeprof.design.encoder_spec import EncoderSpec
from shapeprof.design.spec import AsppSpec, DecoderSpec, HeadSpec, NetworkSpec, PpmSpec

torch = pytest.importorskip("torch")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from shapeprof.nn.network import build  # noqa: E402

SMALL = (8, 8, 16, 24)
CONTEXT = AsppSpec(rates=(2, 4), channels=16)
RESNET18 = EncoderSpec()

NETWORKS = {
    "plain with auxiliary heads": NetworkSpec(
        encoder=EncoderSpec(widths=SMALL),
        decoder=DecoderSpec(logit_stride=32, channels=8),
        auxiliary_heads=(HeadSpec(stride=16), HeadSpec(stride=8)),
    ),
    "skips to stride 4": NetworkSpec(
        encoder=EncoderSpec(widths=SMALL), decoder=DecoderSpec(logit_stride=4, skip_strides=(4, 8, 16), channels=12)
    ),
    "skips to stride 1": NetworkSpec(
        encoder=EncoderSpec(widths=SMALL, stem_stride=1, output_stride=16),
        decoder=DecoderSpec(logit_stride=1, skip_strides=(1, 2, 4, 8), channels=12),
        deep_supervision=(HeadSpec(stride=2), HeadSpec(stride=4)),
    ),
    "dilated with context": NetworkSpec(
        encoder=EncoderSpec(widths=SMALL, output_stride=8),
        context=CONTEXT,
        decoder=DecoderSpec(logit_stride=8, channels=8),
        auxiliary_heads=(HeadSpec(stride=8),),
    ),
    "skips, dilated, context, deep supervision": NetworkSpec(
        encoder=EncoderSpec(widths=SMALL, output_stride=16),
        context=CONTEXT,
        decoder=DecoderSpec(logit_stride=2, skip_strides=(2, 8), channels=12),
        deep_supervision=(HeadSpec(stride=4), HeadSpec(stride=8)),
        norm="group",
    ),
    "three stages behind a stem of stride 2, no image pooling": NetworkSpec(
        encoder=EncoderSpec(blocks=(1, 3, 2), widths=(8, 16, 16), stem_stride=2, output_stride=16),
        context=AsppSpec(rates=(3,), channels=8, image_pooling=False),
        decoder=DecoderSpec(logit_stride=4, skip_strides=(4,), channels=12),
    ),
    "pyramid pooling, multi-grid, reduced skips": NetworkSpec(
        encoder=EncoderSpec(blocks=(1, 2, 1, 3), widths=SMALL, output_stride=16, multi_grid=(1, 2, 4)),
        context=PpmSpec(bins=(1, 2, 3), channels=8),
        decoder=DecoderSpec(logit_stride=4, skip_strides=(4, 8), channels=12, skip_channels=5),
    ),
    "ResNet-18 with skips": NetworkSpec(decoder=DecoderSpec(logit_stride=4, skip_strides=(4, 8, 16))),
}


def on_paper_and_built(network: NetworkSpec, classes: int = 3, channels: int = 4):
    spec = {"model": network.model_dump(mode="json"), "classes": [{}] * classes, "input": {"channels": channels}}
    with torch.device("meta"):
        return build(spec)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("crop", [(64, 96), (70, 33)])
def test_parameters_and_macs_equal_those_of_torch(name: str, crop: tuple[int, int]) -> None:
    model = on_paper_and_built(NETWORKS[name])
    counted = cost(NETWORKS[name], classes=3, channels=4, crop=crop, batch=2)
    assert counted.training_parameters == sum(p.numel() for p in model.parameters())
    bare = model.without_training_heads()
    assert counted.parameters == sum(p.numel() for p in bare.parameters())
    with FlopCounterMode(display=False) as flops:
        bare(torch.zeros(1, 4, *crop, device="meta"))
    assert 2 * counted.macs == flops.get_total_flops()


@pytest.mark.parametrize("name", NETWORKS)
def test_memory_estimate_is_near_what_autograd_keeps(name: str) -> None:
    from shapeprof.nn.losses import SegmentationLoss

    network, crop, batch = NETWORKS[name], (128, 128), 2
    heads = (*network.auxiliary_heads, *network.deep_supervision)
    spec = {"model": network.model_dump(mode="json"), "classes": [{}] * 3, "input": {"channels": 3}}
    model = build(spec)
    kept: dict[int, int] = {}

    def note(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    images, labels = torch.randn(batch, 3, *crop), torch.zeros(batch, *crop, dtype=torch.int64)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
        loss = SegmentationLoss("ce+dice", 255, tuple(h.weight for h in heads))(model(images), labels)
    parameters = sum(p.numel() for p in model.parameters())
    seen = sum(kept.values()) + 3 * 4 * parameters  # gradients and moments; the weights are kept themselves
    del loss
    estimated = cost(network, classes=3, channels=3, crop=crop, batch=batch).memory_gb * 1e9
    assert estimated == pytest.approx(seen, rel=0.25)


def test_receptive_field_by_an_independent_recursion() -> None:
    """From the output back to the image: ``r = stride * r + (extent - stride)`` per convolution."""
    for name, network in NETWORKS.items():
        encoder = network.encoder
        stem = [(3, 2), (3, 2)] if encoder.stem_stride == 4 else [(3, encoder.stem_stride)]
        convs, previous, dilation = stem, encoder.stem_stride, 1
        layout = zip(encoder.stage_strides, encoder.stage_dilations, encoder.blocks, strict=True)
        for i, (stride, dilated, blocks) in enumerate(layout):
            last = i == len(encoder.blocks) - 1
            for unit in (last and encoder.multi_grid) or [1] * blocks:
                convs += [(2 * dilation * unit + 1, stride // previous), (2 * dilated * unit + 1, 1)]
                previous, dilation = stride, dilated
        if isinstance(network.context, AsppSpec):
            convs.append((2 * max(network.context.rates) + 1, 1))
        field = 1
        for extent, stride in reversed(convs):
            field = stride * field + extent - stride
        assert cost(network, 2, 3, (64, 64), 1).receptive_field == field, name


@pytest.mark.parametrize("output_stride", [4, 8, 16])
def test_receptive_field_is_the_support_of_the_gradient(output_stride: int) -> None:
    network = NetworkSpec(
        encoder=EncoderSpec(blocks=(1, 1, 1), widths=(2, 2, 2), output_stride=output_stride),
        decoder=DecoderSpec(logit_stride=output_stride),
    )
    spec = {"model": network.model_dump(mode="json"), "classes": [{}] * 2, "input": {"channels": 1}}
    model = build(spec).double().eval()
    for parameter in model.parameters():
        torch.nn.init.ones_(parameter)
    field = cost(network, 2, 1, (64, 64), 1).receptive_field
    side = 32 * (field // 32 + 2)
    image = torch.ones(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    features = model.encoder(image)[-1]
    centre = features.shape[-1] // 2
    features[0, 0, centre, centre].backward()
    seen = torch.nonzero(image.grad[0, 0].abs().sum(0)).flatten()
    assert int(seen[-1] - seen[0]) + 1 == field == len(seen)


def test_dilation_keeps_the_receptive_field() -> None:
    fields = [
        cost(NetworkSpec(encoder=EncoderSpec(output_stride=s), decoder=DecoderSpec(logit_stride=4)), 2, 3, (64, 64), 1)
        for s in (32, 16, 8, 4)
    ]
    assert len({f.receptive_field for f in fields}) == 1
    assert len({round(f.effective_receptive_field, 6) for f in fields}) == 1
    assert 180 < fields[0].effective_receptive_field < 240  # ResNet-18: 213 on paper with its 7x7 stem
    assert effective_receptive_field(RESNET18) == fields[0].effective_receptive_field


def test_more_batch_needs_more_memory_and_nothing_else() -> None:
    one, two = (cost(NETWORKS["skips to stride 4"], 2, 3, (64, 64), batch) for batch in (1, 2))
    assert two.memory_gb > one.memory_gb
    assert (two.macs, two.parameters) == (one.macs, one.parameters)


@pytest.mark.parametrize(
    ("size", "multiple", "padded"), [((64, 64), 32, (64, 64)), ((1, 65), 32, (64, 96)), ((7, 8), 4, (8, 8))]
)
def test_padded_size(size: tuple[int, int], multiple: int, padded: tuple[int, int]) -> None:
    assert padded_size(size, multiple) == padded
