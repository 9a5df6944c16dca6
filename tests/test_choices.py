"""A published encoder in place of the recommended one: what stays, what goes and says so, and that it trains."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from shapeprof.cli import main
from shapeprof.design.cost import cost
from shapeprof.design.encoder_spec import BackboneSpec, EncoderSpec
from shapeprof.design.encoders import IMAGENET_MEAN, IMAGENET_STD, KNOWN
from shapeprof.design.spec import AsppSpec, DecoderSpec, HeadSpec, NetworkSpec, design_name, parse_spec
from shapeprof.errors import UsageError
from shapeprof.export.export import describe, export_model
from shapeprof.profile.profile import Profile
from shapeprof.recommend.decision import USER, Recommendation
from shapeprof.recommend.overrides import ENCODER_RATE, LEARNING_RATE, chosen, swapped, with_encoder
from shapeprof.recommend.recommend import recommend_design
from shapeprof.rules.references import REFERENCES
from shapeprof.rules.thresholds import Thresholds
from shapeprof.scan.scan import scan_masks

from .builders import discs, profile_of, strips, write_set
from .nn.backbone_designs import CONFIGS

RESNET, CONVNEXT = KNOWN["microsoft/resnet-50"], KNOWN["facebook/convnext-tiny-224"]
SWIN, DINOV2 = KNOWN["microsoft/swin-tiny-patch4-window7-224"], KNOWN["facebook/dinov2-small"]
DILATED = NetworkSpec(
    encoder=EncoderSpec(output_stride=8),
    context=AsppSpec(rates=(6, 12)),
    decoder=DecoderSpec(logit_stride=2, skip_strides=(2, 4), channels=48, skip_channels=32),
    auxiliary_heads=(HeadSpec(stride=8), HeadSpec(stride=4)),
    deep_supervision=(HeadSpec(stride=4),),
)


@pytest.fixture(scope="module")
def profile() -> Profile:
    return profile_of(strips(30, 6))


@pytest.fixture(scope="module")
def recommendation(profile: Profile) -> Recommendation:
    return recommend_design(profile)


# The network ------------------------------------------------------------------------------------


def test_a_resnet_keeps_everything() -> None:
    network, changes = swapped(DILATED, RESNET, pretrained=True)
    assert changes == []
    assert network.model_copy(update={"encoder": DILATED.encoder}) == DILATED
    assert network.encoder == RESNET.encoder(8)
    assert design_name(network) == design_name(DILATED)


def test_a_convnext_has_no_features_at_stride_2() -> None:
    network, changes = swapped(DILATED, CONVNEXT, pretrained=True)
    assert network.decoder.skip_strides == (4,)
    assert changes == ["No long skips at 1/2: it has no features there."]
    assert network.encoder.output_stride == 8 and network.context == DILATED.context


def test_a_swin_gets_skips_where_dilation_is_impossible() -> None:
    network, changes = swapped(DILATED, SWIN, pretrained=True)
    assert network.encoder.output_stride == 32
    assert network.decoder.skip_strides == (4, 8, 16)
    assert network.context == AsppSpec(rates=(2, 3))  # as far in px: 6 * 8 = 48, at stride 32
    assert changes[:2] == [
        "Output stride 32, not 8: a Swin can't be dilated.",
        "Long skips from 1/8, 1/16 bring the detail that dilation kept.",
    ]


def test_a_dinov2_has_one_feature_map() -> None:
    network, changes = swapped(DILATED, DINOV2, pretrained=True)
    assert (network.encoder.output_stride, network.decoder.skip_strides) == (8, ())
    assert network.auxiliary_heads == () and network.deep_supervision == DILATED.deep_supervision
    assert changes == [
        "No long skips at 1/2, 1/4: it has no features there.",
        "No auxiliary heads at 1/4, 1/8: it has no features there.",
    ]


def test_a_dinov2_is_never_shrunk_to_half() -> None:
    plain = NetworkSpec(decoder=DecoderSpec(logit_stride=32), auxiliary_heads=(HeadSpec(stride=8),))
    network, changes = swapped(plain, DINOV2, pretrained=True)
    assert (network.encoder.output_stride, network.decoder.logit_stride) == (16, 16)
    assert changes[0].startswith("Output stride 16, not 32: its patches have 14 px")


def test_full_resolution_is_decoded_from_coarser_skips() -> None:
    fine = NetworkSpec(
        encoder=EncoderSpec(blocks=(2, 2, 2), widths=(8, 16, 32), stem_stride=1, output_stride=8),
        decoder=DecoderSpec(logit_stride=1, skip_strides=(1, 2, 4)),
    )
    network, changes = swapped(fine, RESNET, pretrained=True)
    assert (network.decoder.logit_stride, network.decoder.skip_strides) == (1, (2, 4))
    assert changes == ["No long skips at 1/1: it has no features there."]


# The plan ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KNOWN)
def test_every_known_encoder_fits_a_recommendation(name: str, profile: Profile, recommendation: Recommendation) -> None:
    changed = with_encoder(recommendation, profile, name)
    assert changed.network.encoder.kind == "backbone" and changed.network.encoder.name == name
    assert NetworkSpec.model_validate(changed.network.model_dump()) == changed.network
    crop, batch = changed.training.crop, changed.training.batch
    assert changed.cost == cost(changed.network, 2, 3, crop, batch)
    assert changed.cost.memory_gb <= Thresholds().memory_gb or max(crop) <= 128
    assert changed.network.norm == ("batch" if batch >= 8 else "group")
    assert changed.training.accumulate == max(1, 8 // batch)
    assert changed.training.loss == recommendation.training.loss
    assert changed.design == design_name(changed.network)
    last = changed.decisions[-1]
    assert (last.rule, last.name, last.value, last.changed) == (USER, "encoder", name, True)
    assert "model.encoder" in last.parts and changed.decision_on("model.encoder") == last
    assert [d.rule for d in changed.decisions[:-1]] == [d.rule for d in recommendation.decisions]


def test_a_smaller_memory_plans_smaller_batches(profile: Profile, recommendation: Recommendation) -> None:
    plenty, little = (
        chosen(recommendation, profile, encoder=RESNET.name, memory_gb=gb).training.batch for gb in (24.0, 2.0)
    )
    assert little < plenty


def test_pretrained_weights_learn_slowly_and_random_ones_do_not(
    profile: Profile, recommendation: Recommendation
) -> None:
    slow = with_encoder(recommendation, profile, SWIN.name)
    assert (slow.training.learning_rate, slow.training.encoder_rate) == (LEARNING_RATE, ENCODER_RATE)
    assert isinstance(slow.network.encoder, BackboneSpec) and slow.network.encoder.pretrained
    free = with_encoder(recommendation, profile, SWIN.name, pretrained=False)
    assert free.training.learning_rate == recommendation.training.learning_rate
    assert isinstance(free.network.encoder, BackboneSpec) and not free.network.encoder.pretrained
    assert "random weights" in free.decisions[-1].reason


# The export -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_export_normalises_as_the_encoder_was_trained(tmp_path: Path) -> None:
    masks = write_set(tmp_path / "masks", discs(12, 14, per_image=9), images=tmp_path / "images")
    profile = scan_masks(masks)
    plain = recommend_design(profile)
    changed = with_encoder(plain, profile, "microsoft/resnet-18")
    result = export_model(profile, changed, tmp_path / "net", images=tmp_path / "images")
    assert (result.spec.input.channels, result.spec.input.order) == (3, "RGB")  # though the images are grey
    assert (result.spec.input.mean, result.spec.input.std) == (IMAGENET_MEAN, IMAGENET_STD)
    assert result.spec.derived.parameters == changed.cost.parameters
    data = yaml.safe_load((tmp_path / "net/spec.yaml").read_text())
    assert parse_spec(data, "spec.yaml") == result.spec
    assert data["rationale"][-1]["rule"] == USER
    assert "transformers" in (tmp_path / "net/requirements.txt").read_text()
    assert any("You chose the encoder microsoft/resnet-18" in line for line in describe(result))
    bare = export_model(profile, plain, tmp_path / "plain", images=tmp_path / "images")
    assert bare.spec.input.channels == 1
    assert "transformers" not in (tmp_path / "plain/requirements.txt").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bottleneck ResNet", "ConvNeXt", "Swin", "DINOv2"])
def test_an_encoder_in_a_folder_is_exported_built_trained_and_loaded(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from shapeprof.nn.kit.checkpoint import load, save
    from shapeprof.nn.kit.specfile import read_spec
    from shapeprof.nn.losses import loss_of
    from shapeprof.nn.network import build

    config = transformers.AutoConfig.for_model(**CONFIGS[name])
    saved = transformers.AutoModel.from_config(config)
    saved.save_pretrained(tmp_path / "encoder")
    masks = write_set(tmp_path / "masks", discs(12, 14, per_image=9), images=tmp_path / "images")
    arguments = ["export", "--no-verify", str(masks), "--images", str(tmp_path / "images"), "-o", str(tmp_path / "net")]
    monkeypatch.setattr("sys.argv", ["shapeprof", *arguments, "--encoder", str(tmp_path / "encoder")])
    with pytest.raises(SystemExit) as done:
        main()
    assert not done.value.code
    assert "You chose the encoder" in capsys.readouterr().out

    spec = read_spec(tmp_path / "net/spec.yaml")
    network = build(spec, pretrained=True)
    state = network.encoder.network.state_dict()
    loaded = [k for k in saved.state_dict() if any(key.endswith(k) for key in state)]
    assert len(loaded) > 0.9 * len(state) - 2
    for key in loaded:
        assert any(torch.equal(value, saved.state_dict()[key]) for k, value in state.items() if k.endswith(key))
    images, labels = torch.randn(2, 3, 96, 64), torch.randint(0, 2, (2, 96, 64))
    loss_of(spec)(network(images), labels).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    save(tmp_path / "net/best.pt", network, spec, step=1, miou=0.5)
    shared = tmp_path / "encoder"
    for file in shared.iterdir():
        file.unlink()  # to predict, only the checkpoint is needed
    again = load(tmp_path / "net", "best.pt")
    torch.testing.assert_close(again(images), network.eval()(images))


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr("sys.argv", ["shapeprof", *arguments])
    with pytest.raises(SystemExit) as done:
        main()
    return done.value.code


def test_the_command_refuses_what_it_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = write_set(tmp_path / "masks", discs(12, 14, per_image=9))
    arguments = ("export", "--no-verify", str(masks), "-o", str(tmp_path / "net"))
    assert run(monkeypatch, *arguments, "--encoder", "resnet-50") == 2
    assert "did you mean microsoft/resnet-50?" in capsys.readouterr().err
    assert run(monkeypatch, *arguments, "--no-pretrained") == 2
    assert "--no-pretrained without --encoder" in capsys.readouterr().err
    assert not (tmp_path / "net").exists()


def test_a_reference_design_is_exported_with_the_recommended_channels(
    profile: Profile, recommendation: Recommendation
) -> None:
    for name, reference in REFERENCES.items():
        made = chosen(recommendation, profile, name)
        assert made.network.encoder.widths == recommendation.network.encoder.widths
        assert made.network.decoder.skip_strides == reference.knobs.skip_strides
        assert made.network.decoder.logit_stride == reference.knobs.logit_stride
        assert made.cost == cost(made.network, 2, 3, made.training.crop, made.training.batch)
        assert made.decisions[-1].rule == USER and reference.title in made.decisions[-1].reason
        assert made.design == design_name(made.network)


def test_rates_that_the_crop_cannot_hold_are_dropped_and_told(profile: Profile, recommendation: Recommendation) -> None:
    made = chosen(recommendation, profile, "deeplabv3+")
    side = min(made.training.crop)
    assert side < 288  # of 18 x 16 px
    assert isinstance(made.network.context, AsppSpec)
    assert max(made.network.context.rates) < side / 16
    assert f"No ASPP at rate 18: a crop of {side} px is too small." in made.decisions[-1].reason


def test_a_reference_takes_an_encoder_too(profile: Profile, recommendation: Recommendation) -> None:
    made = chosen(recommendation, profile, "unet", "microsoft/resnet-18")
    assert isinstance(made.network.encoder, BackboneSpec)
    assert made.network.decoder.skip_strides == (2, 4, 8, 16)
    assert [d.name for d in made.decisions if d.rule == USER] == ["design", "encoder"]


def test_an_unknown_reference_names_the_nearest(profile: Profile, recommendation: Recommendation) -> None:
    with pytest.raises(UsageError, match=r"'deeplab'; did you mean deeplabv3\? Known: unet, .*"):
        chosen(recommendation, profile, "deeplab")


def test_a_broken_encoder_is_an_error(tmp_path: Path, profile: Profile, recommendation: Recommendation) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**CONFIGS["ConvNeXt"], "patch_size": 16}))
    with pytest.raises(UsageError, match=r"config\.patch_size of a convnext is 16; it must be 4"):
        with_encoder(recommendation, profile, str(tmp_path))
