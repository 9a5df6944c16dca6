"""Published encoders: built offline, dilated exactly, loaded for real from a folder, and trained whole."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from shapeprof.design.encoder_spec import BackboneSpec  # noqa: E402
from shapeprof.nn.kit.backbone import Backbone, layout  # noqa: E402
from shapeprof.nn.kit.checkpoint import load, save  # noqa: E402
from shapeprof.nn.kit.errors import InputError  # noqa: E402
from shapeprof.nn.losses import loss_of  # noqa: E402
from shapeprof.nn.network import TrainingOutput, build  # noqa: E402

from .backbone_designs import CONFIGS, DILATED, NETWORKS, backbone  # noqa: E402
from .designs import model_spec  # noqa: E402

STRIDES = {name: (4, 8, 16, 32) if name in (*DILATED, "DINOv2") else (32,) for name in CONFIGS}


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    torch.manual_seed(0)


def built(spec: BackboneSpec, *, channels: int = 3, pretrained: bool = False, frozen: bool = False) -> Backbone:
    return Backbone(channels, spec.model_dump(mode="json"), pretrained=pretrained, frozen=frozen)


def published(name: str, folder: Path) -> Any:
    """A whole model as it is published, head included, saved in ``folder``."""
    config = transformers.AutoConfig.for_model(**CONFIGS[name])
    whole = transformers.AutoModel if name == "DINOv2" else transformers.AutoModelForImageClassification
    model = whole.from_config(config)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # as after training
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2.0)
    model.save_pretrained(folder)
    return model.eval()


# Features ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_features_are_those_of_the_spec(name: str) -> None:
    for stride in STRIDES[name]:
        spec = backbone(name, stride)
        encoder = built(spec)
        features = encoder(torch.randn(1, 3, 64, 96))
        seen = tuple((64 // f.shape[2], f.shape[1]) for f in features)
        assert seen == spec.features == tuple(zip(encoder.strides, encoder.widths, strict=True))
        assert [96 // f.shape[3] for f in features] == list(encoder.strides)
        assert (list(encoder.strides), encoder.first_stage) == layout(spec.model_dump())
        assert encoder.strides[encoder.first_stage :] == spec.stage_strides
        assert encoder.multiple == stride


@pytest.mark.slow
@pytest.mark.parametrize("name", DILATED)
@pytest.mark.parametrize("output_stride", [4, 8, 16])
def test_dilation_computes_the_same_features_more_densely(name: str, output_stride: int) -> None:
    """Holschneider et al. 1989: with equal weights, every d-th feature is that of the strided network."""
    grid = (1, 2) if "ResNet" in name else ()
    coarse, dense = (built(backbone(name, s, multi_grid=grid)).eval() for s in (32, output_stride))
    dense.load_state_dict(coarse.state_dict())
    image = torch.randn(1, 3, 160, 96)
    pairs = list(zip(coarse(image), dense(image), strict=True))
    for few, many in pairs:
        step = many.shape[2] // few.shape[2]
        torch.testing.assert_close(many[:, :, ::step, ::step], few, rtol=1e-4, atol=1e-4)
    assert pairs[-1][1].shape[2] == 160 // output_stride


@pytest.mark.parametrize("name", DILATED)
def test_dilated_encoders_work_at_every_multiple_of_the_output_stride(name: str) -> None:
    encoder = built(backbone(name, 8))
    assert [f.shape[2:] for f in encoder(torch.randn(1, 3, 40, 24))][-1] == (5, 3)


def test_multi_grid_multiplies_the_dilations_of_the_last_stage() -> None:
    encoder = built(backbone("basic ResNet", 8, multi_grid=(1, 2)))
    convolutions = [
        [part.convolution.dilation[0] for block in stage.layers for part in block.layer]
        for stage in encoder.network.encoder.stages
    ]
    assert convolutions == [[1, 1], [1, 1, 1, 1], [1, 2], [2, 4, 8, 8]]


def test_a_resnet_equals_that_of_transformers(tmp_path: Path) -> None:
    whole = published("bottleneck ResNet", tmp_path)
    encoder = built(backbone("bottleneck ResNet", name=str(tmp_path), pretrained=True), pretrained=True).eval()
    image = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(encoder(image)[-1], whole.resnet(image).last_hidden_state)


def test_a_dinov2_equals_that_of_transformers_where_a_patch_covers_the_output_stride(tmp_path: Path) -> None:
    whole = published("DINOv2", tmp_path)
    encoder = built(backbone("DINOv2", 16, name=str(tmp_path), pretrained=True), pretrained=True).eval()
    image = torch.randn(1, 3, 64, 80)
    seen = torch.nn.functional.interpolate(image, (56, 70), mode="bilinear", antialias=True)
    tokens = whole(seen).last_hidden_state[:, 1:]  # without the class token
    torch.testing.assert_close(encoder(image)[0], tokens.transpose(1, 2).reshape(1, 16, 4, 5))


@pytest.mark.parametrize("name", ["Swin", "ConvNeXt"])
def test_features_of_a_pyramid_are_normalised_per_position(name: str, tmp_path: Path) -> None:
    encoder = built(backbone(name)).eval()
    for feature in encoder(torch.randn(1, 3, 64, 64)):
        torch.testing.assert_close(feature.mean(1), torch.zeros_like(feature[:, 0]), atol=1e-4, rtol=0)
    assert not [n for n, _ in encoder.named_parameters() if "hidden_states_norms" in n]


# Weights ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONFIGS)
def test_published_weights_arrive(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = published(name, tmp_path).state_dict()
    encoder = built(backbone(name, name=str(tmp_path), pretrained=True), pretrained=True)
    for key, value in encoder.network.state_dict().items():
        same = [k for k in whole if k.endswith(key)]
        assert len(same) == 1 and torch.equal(whole[same[0]], value), key
    assert encoder.training
    assert "LOAD REPORT" not in capfd.readouterr().err


def test_weights_in_the_cache_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = tmp_path / "models--nobody--small"  # as huggingface_hub lays it out
    whole = published("ConvNeXt", cached / "snapshots/abc").state_dict()
    (cached / "refs").mkdir()
    (cached / "refs/main").write_text("abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    encoder = built(backbone("ConvNeXt", name="nobody/small", pretrained=True), pretrained=True)
    key = "embeddings.patch_embeddings.weight"
    assert torch.equal(encoder.network.state_dict()[key], whole[f"convnext.{key}"])


def test_dilation_changes_no_weight(tmp_path: Path) -> None:
    published("ConvNeXt", tmp_path)
    encoders = [built(backbone("ConvNeXt", s, name=str(tmp_path), pretrained=True), pretrained=True) for s in (32, 8)]
    for few, many in zip(*(e.state_dict().items() for e in encoders), strict=True):
        assert few[0] == many[0] and torch.equal(few[1], many[1])


def test_nothing_is_fetched_unless_asked(tmp_path: Path) -> None:
    spec = backbone("ConvNeXt", name="nobody/has-this")
    built(spec, pretrained=True)  # the spec says random weights
    built(backbone("ConvNeXt", name="nobody/has-this", pretrained=True))  # a checkpoint follows


def test_weights_that_cannot_be_had_are_named_with_the_ways_out() -> None:
    spec = backbone("ConvNeXt", name="nobody/has-this", pretrained=True)
    with pytest.raises(InputError, match=r"no weights for the encoder nobody/has-this.*HF_HOME.*pretrained to false"):
        built(spec, pretrained=True)


def test_a_folder_without_weights_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no weights for the encoder"):
        built(backbone("Swin", name=str(tmp_path), pretrained=True), pretrained=True)


@pytest.mark.parametrize("content", [b"", b"no weights at all"])
def test_damaged_weights_are_named(tmp_path: Path, content: bytes) -> None:
    published("Swin", tmp_path)
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=f"no weights for the encoder {tmp_path}"):
        built(backbone("Swin", name=str(tmp_path), pretrained=True), pretrained=True)


def test_transformers_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match="the encoder Swin needs the package transformers: pip install"):
        built(backbone("Swin"))


def test_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    published("basic ResNet", tmp_path)
    spec = backbone("bottleneck ResNet", name=str(tmp_path), pretrained=True)
    with pytest.raises(InputError, match=str(tmp_path)):
        built(spec, pretrained=True)


def test_weights_that_lack_something_are_refused(tmp_path: Path) -> None:
    published("basic ResNet", tmp_path)
    deeper = {**CONFIGS["basic ResNet"], "depths": [1, 2, 1, 3]}
    spec = BackboneSpec(name=str(tmp_path), config=deeper)
    with pytest.raises(InputError, match=r"lack 12 of this encoder's, first encoder\.stages\.3\.layers\.2"):
        built(spec, pretrained=True)


def test_pretrained_weights_of_colour_images_refuse_grey_ones() -> None:
    spec = backbone("ConvNeXt", pretrained=True)
    with pytest.raises(InputError, match=r"input.channels is 1, but the weights of ConvNeXt expect 3"):
        built(spec, channels=1, pretrained=True)
    assert built(backbone("ConvNeXt"), channels=1)(torch.randn(1, 1, 64, 64))[0].shape[1] == 8


def test_batch_norm_is_frozen_only_with_pretrained_weights() -> None:
    def modes(*, frozen: bool, pretrained: bool) -> set[bool]:
        encoder = built(backbone("basic ResNet", pretrained=pretrained), frozen=frozen)
        encoder.eval().train()
        return {m.training for m in encoder.modules() if isinstance(m, torch.nn.BatchNorm2d)}

    assert modes(frozen=True, pretrained=True) == {False}
    assert modes(frozen=False, pretrained=True) == {True}
    assert modes(frozen=True, pretrained=False) == {True}  # random weights have no statistics to keep


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": {"model_type": "vit"}}, "model_type is 'vit'; known: resnet, convnext, swin, dinov2"),
        ({"output_stride": 16}, "output_stride is 16; this swin has 32"),
        ({"multi_grid": [1, 2]}, "one factor per block of a ResNet's last stage"),
    ],
)
def test_knobs_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layout({**backbone("Swin").model_dump(), **changes})


def test_a_config_that_makes_no_sense_is_refused() -> None:
    encoder = backbone("Swin").model_dump(mode="json")
    encoder["config"]["window_size"] = "seven"
    with pytest.raises(InputError, match=r"encoder\.config of Swin can't be built"):
        Backbone(3, encoder, pretrained=False, frozen=False)


# The network around it --------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [(37, 53), (5, 90)])
def test_the_network_takes_any_size_and_every_parameter_gets_a_gradient(name: str, size: tuple[int, int]) -> None:
    spec = model_spec(NETWORKS[name]).to_dict()
    model = build(spec)
    images, labels = torch.randn(2, 3, *size), torch.randint(0, 3, (2, *size))
    output = model(images)
    assert isinstance(output, TrainingOutput)
    assert output.logits.shape == (2, 3, *size)
    loss_of(spec)(output, labels).backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []
    assert model.eval()(images).shape == (2, 3, *size)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_a_checkpoint_brings_the_same_logits_back(name: str, tmp_path: Path) -> None:
    import yaml

    spec = model_spec(NETWORKS[name]).to_dict()
    model = build(spec)
    model(torch.randn(4, 3, 64, 64))  # running statistics other than 0 and 1
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
    save(tmp_path / "best.pt", model, spec, step=1, miou=0.5)
    image = torch.randn(1, 3, 40, 56)
    torch.testing.assert_close(load(tmp_path, "best.pt")(image), model.eval()(image))


def test_the_same_seed_gives_the_same_network() -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(7)
        states.append(build(model_spec(NETWORKS["DINOv2"]).to_dict()).state_dict())
    assert all(torch.equal(a, b) for a, b in zip(states[0].values(), states[1].values(), strict=True))
