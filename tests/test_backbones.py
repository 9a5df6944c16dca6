"""Published encoders on paper: their parameters as published, and all counts against what torch builds."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from shapeprof.design.cost import cost
from shapeprof.design.encoder_spec import BACKBONE_FAMILIES, BackboneSpec
from shapeprof.design.encoders import IMAGENET_MEAN, IMAGENET_STD, KNOWN, backbone_layers, find_encoder
from shapeprof.design.layer_cost import Grid
from shapeprof.design.spec import DecoderSpec, NetworkSpec
from shapeprof.errors import UsageError

from .nn.backbone_designs import CONFIGS, DILATED, NETWORKS, backbone

# Parameters as published for the classifiers (torchvision, timm), and of these the ones of the head, of the norm before
# it (ConvNeXt, Swin) and of the mask token (DINOv2), which a segmentation network does without.
PUBLISHED = {
    "microsoft/resnet-18": (11_689_512, 513_000),
    "microsoft/resnet-34": (21_797_672, 513_000),
    "microsoft/resnet-50": (25_557_032, 2_049_000),
    "microsoft/resnet-101": (44_549_160, 2_049_000),
    "microsoft/resnet-152": (60_192_808, 2_049_000),
    "facebook/convnext-tiny-224": (28_589_128, 769_000 + 1_536),
    "facebook/convnext-small-224": (50_223_688, 769_000 + 1_536),
    "facebook/convnext-base-224": (88_591_464, 1_025_000 + 2_048),
    "microsoft/swin-tiny-patch4-window7-224": (28_288_354, 769_000 + 1_536),
    "microsoft/swin-small-patch4-window7-224": (49_606_258, 769_000 + 1_536),
    "microsoft/swin-base-patch4-window7-224": (87_768_224, 1_025_000 + 2_048),
    "facebook/dinov2-small": (22_056_576, 384),
    "facebook/dinov2-base": (86_580_480, 768),
    "facebook/dinov2-large": (304_368_640, 1_024),
}
# GMAC at 224 x 224, as torchvision states them (as GFLOPS), heads included.
PUBLISHED_GMACS = {
    "microsoft/resnet-18": 1.81,
    "microsoft/resnet-50": 4.09,
    "facebook/convnext-tiny-224": 4.46,
    "facebook/convnext-base-224": 15.36,
    "microsoft/swin-tiny-patch4-window7-224": 4.49,
    "microsoft/swin-base-patch4-window7-224": 15.43,
}
FAMILY = {
    "microsoft/resnet-18": "ResNetBackbone",
    "microsoft/resnet-50": "ResNetBackbone",
    "facebook/convnext-tiny-224": "ConvNextBackbone",
    "microsoft/swin-tiny-patch4-window7-224": "SwinBackbone",
    "facebook/dinov2-small": "Dinov2Backbone",
}


def around(encoder: BackboneSpec) -> NetworkSpec:
    return NetworkSpec(encoder=encoder, decoder=DecoderSpec(logit_stride=encoder.output_stride, channels=8))


# The table --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KNOWN)
def test_parameters_equal_the_published_ones(name: str) -> None:
    whole, unused = PUBLISHED[name]
    layers = backbone_layers(KNOWN[name].encoder(32), 3, Grid((224, 224)))
    assert sum(layer.parameters for layer in layers) == whole - unused


@pytest.mark.parametrize("name", PUBLISHED_GMACS)
def test_operations_equal_the_published_ones(name: str) -> None:
    layers = backbone_layers(KNOWN[name].encoder(32), 3, Grid((224, 224)))
    assert sum(layer.macs for layer in layers) / 1e9 == pytest.approx(PUBLISHED_GMACS[name], rel=0.003)


def test_every_known_encoder_has_a_spec() -> None:
    assert {each.encoder(32).family for each in KNOWN.values()} == set(BACKBONE_FAMILIES)
    assert all((each.mean, each.std) == (IMAGENET_MEAN, IMAGENET_STD) for each in KNOWN.values())
    assert KNOWN["facebook/dinov2-base"].encoder(8).features == ((8, 768),)


def test_a_near_name_is_suggested() -> None:
    with pytest.raises(UsageError, match=r"'microsoft/resnet50'; did you mean microsoft/resnet-50\? Known"):
        find_encoder("microsoft/resnet50")
    with pytest.raises(UsageError, match="'dinov2-large'; did you mean facebook/dinov2-large"):
        find_encoder("dinov2-large")


def test_a_folder_is_read(tmp_path: Path) -> None:
    config = {**CONFIGS["ConvNeXt"], "architectures": ["ConvNextModel"], "torch_dtype": "float32"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    published = find_encoder(str(tmp_path))
    assert published.encoder(8).widths == (8, 16, 24, 32)
    assert "architectures" not in published.config and published.config["layer_scale_init_value"] == 1.0
    assert (published.mean, published.std) == (IMAGENET_MEAN, IMAGENET_STD)
    (tmp_path / "preprocessor_config.json").write_text('{"image_mean": [0.5, 0.5, 0.5]}')
    assert (find_encoder(str(tmp_path)).mean, find_encoder(str(tmp_path)).std) == ((0.5,) * 3, IMAGENET_STD)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "a folder without config.json"),
        ("{", "can't be read"),
        ("[]", "holds no object"),
        ('{"model_type": "vit"}', "model_type is 'vit'; known: resnet, convnext, swin, dinov2"),
        ('{"model_type": "convnext"}', "config of a convnext lacks depths, hidden_sizes"),
    ],
)
def test_a_folder_that_is_no_encoder_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(UsageError, match=message):
        find_encoder(str(tmp_path)).encoder(32)


@pytest.mark.parametrize(
    ("name", "changes", "stride", "message"),
    [
        ("Swin", {}, 16, "this swin has 32"),
        ("ConvNeXt", {"depths": [1, 1, 1], "hidden_sizes": [8, 8, 8]}, 32, "this convnext has 16 or less"),
        ("ConvNeXt", {"depths": [1, 1, 1]}, 16, "as long as depths"),
        ("ConvNeXt", {"patch_size": 8}, 32, "config.patch_size of a convnext is 8; it must be 4"),
        ("basic ResNet", {"downsample_in_first_stage": True}, 32, "must be False"),
        ("DINOv2", {"use_swiglu_ffn": True}, 16, "must be False"),
    ],
)
def test_what_cannot_be_built_is_refused(name: str, changes: dict[str, Any], stride: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        backbone(name, stride, config={**CONFIGS[name], **changes})


# Against torch ----------------------------------------------------------------------------------


def on_meta(network: NetworkSpec, channels: int = 3) -> Any:
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from shapeprof.nn.network import build

    model = {"model": network.model_dump(mode="json"), "classes": [{}] * 3, "input": {"channels": channels}}
    with torch.device("meta"):
        return build(model)


def assert_counts_equal_torch(network: NetworkSpec, crop: tuple[int, int]) -> None:
    """Parameters, and multiply-accumulates by kind, as hooks on every operation count them."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    model = on_meta(network)
    counted = cost(network, classes=3, channels=3, crop=crop, batch=2)
    assert counted.training_parameters == sum(p.numel() for p in model.parameters())
    bare = model.without_training_heads()
    assert counted.parameters == sum(p.numel() for p in bare.parameters())
    with FlopCounterMode(display=False) as flops, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        bare(torch.zeros(1, 3, *crop, device="meta"))
    assert 2 * counted.macs == flops.get_total_flops()
    seen: Counter[str] = Counter()
    for operation, count in flops.get_flop_counts()["Global"].items():
        kinds = {"convolution": "convolution", "bmm": "attention", "baddbmm": "attention"}
        seen[kinds.get(str(operation).removeprefix("aten."), "linear")] += count // 2
    assert counted.macs_by_kind == dict(seen)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("crop", [(64, 96), (70, 33)])
def test_small_networks_cost_what_torch_counts(name: str, crop: tuple[int, int]) -> None:
    pytest.importorskip("torch")
    assert_counts_equal_torch(NETWORKS[name], crop)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILY)
def test_published_encoders_cost_what_torch_counts(name: str) -> None:
    pytest.importorskip("torch")
    network = around(KNOWN[name].encoder(32))
    assert type(on_meta(network).encoder.network).__name__ == FAMILY[name]
    assert_counts_equal_torch(network, (128, 160))


def kept_by_autograd(function: Any, parameters: Any) -> int:
    """Bytes of the tensors that ``function`` leaves for the backward pass, without ``parameters``."""
    import torch

    weights = {p.untyped_storage().data_ptr() for p in parameters}
    kept: dict[int, int] = {}

    def note(tensor: Any) -> Any:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
        result = function()
    seen = sum(size for place, size in kept.items() if place not in weights)
    del result
    return seen


@pytest.mark.parametrize("name", CONFIGS)
def test_kept_values_are_near_what_autograd_keeps(name: str) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from shapeprof.nn.kit.backbone import Backbone

    spec = backbone(name, 16 if name == "DINOv2" else 32)
    encoder = Backbone(3, spec.model_dump(mode="json"), pretrained=False, frozen=False)
    images = torch.randn(2, 3, 128, 128)
    seen = kept_by_autograd(lambda: encoder(images), encoder.parameters())
    counted = sum(layer.kept_values for layer in backbone_layers(spec, 3, Grid((128, 128))))
    images_bytes = 0 if name == "DINOv2" else images.untyped_storage().nbytes()  # of the data, not of the network
    assert 2 * 4 * counted == pytest.approx(seen - images_bytes, rel=0.1)


@pytest.mark.parametrize("name", NETWORKS)
def test_memory_estimate_is_near_what_autograd_keeps(name: str) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from shapeprof.nn.losses import loss_of
    from shapeprof.nn.network import build

    from .nn.designs import model_spec

    spec = model_spec(NETWORKS[name], loss="ce+dice").to_dict()
    model, loss = build(spec), loss_of(spec)
    images, labels = torch.randn(2, 3, 128, 128), torch.zeros(2, 128, 128, dtype=torch.int64)
    seen = kept_by_autograd(lambda: loss(model(images), labels), model.parameters())
    seen += 16 * sum(p.numel() for p in model.parameters())  # weights, gradients, moments
    estimated = cost(NETWORKS[name], classes=3, channels=3, crop=(128, 128), batch=2).memory_gb * 1e9
    assert estimated == pytest.approx(seen, rel=0.25)


# Receptive fields -------------------------------------------------------------------------------


def test_published_receptive_fields() -> None:
    """Araujo et al. 2019 and torchvision's ResNets: 435 px for ResNet-18; attention has no such field."""
    assert cost(around(KNOWN["microsoft/resnet-18"].encoder(32)), 2, 3, (64, 64), 1).receptive_field == 435
    for name in ("microsoft/swin-tiny-patch4-window7-224", "facebook/dinov2-small"):
        counted = cost(around(KNOWN[name].encoder(32)), 2, 3, (64, 64), 1)
        assert counted.receptive_field is counted.effective_receptive_field is None


@pytest.mark.parametrize("name", DILATED)
def test_dilation_keeps_the_receptive_field(name: str) -> None:
    fields = {cost(around(backbone(name, stride)), 2, 3, (64, 64), 1).receptive_field for stride in (4, 8, 16, 32)}
    assert len(fields) == 1


@pytest.mark.parametrize("name", DILATED)
@pytest.mark.parametrize("output_stride", [8, 16])
def test_receptive_field_is_the_support_of_the_gradient(name: str, output_stride: int) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from shapeprof.nn.kit.backbone import Backbone

    config = {**CONFIGS[name], "depths": [1, 1, 1], "hidden_sizes": [4, 8, 8]}
    spec = backbone(name, output_stride, config={**config, "num_stages": 3})
    torch.manual_seed(0)
    encoder = Backbone(1, spec.model_dump(mode="json"), pretrained=False, frozen=False).double().eval()
    if spec.family == "resnet":  # a maximum passes the gradient to one input only
        encoder.network.embedder.pooler = torch.nn.AvgPool2d(3, 2, 1)
        for parameter in encoder.parameters():  # and a ReLU none where its input is negative
            parameter.data.abs_()
    field = cost(around(spec), 2, 1, (64, 64), 1).receptive_field
    assert field is not None
    side = 32 * (field // 32 + 3)
    image = torch.rand(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    features = encoder(image)[-1]
    centre = features.shape[-1] // 2
    features[0, :, centre, centre].square().sum().backward()
    assert image.grad is not None
    seen = torch.nonzero(image.grad[0, 0].abs().sum(0)).flatten()
    assert int(seen[-1] - seen[0]) + 1 == field
