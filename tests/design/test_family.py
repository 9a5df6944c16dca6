"""The family of networks: every combination of its numbers that rules can choose is a valid spec."""

from __future__ import annotations

import itertools

import pytest

from shapeprof.design.cost import CPU_MACS, GPU_MACS, training_seconds
from shapeprof.design.family import (
    DEFAULT,
    Knobs,
    context_channels,
    decoder_channels,
    effective_field,
    encoder_of,
    possible_skips,
    stem_stride,
)
from shapeprof.design.spec import NetworkSpec, design_name, sets_part


def test_the_default_is_a_unet_with_deep_supervision() -> None:
    network = DEFAULT.model
    assert (network.decoder.logit_stride, network.encoder.output_stride) == (4, 32)
    assert network.decoder.skip_strides == (4, 8, 16) and network.context is None
    assert [h.stride for h in network.deep_supervision] == [8] and not network.auxiliary_heads
    assert design_name(network) == "skip"


@pytest.mark.parametrize(("logits", "output"), [*itertools.product((1, 2, 4, 8, 16, 32), (8, 16, 32))])
def test_every_pair_of_strides_is_a_network(logits: int, output: int) -> None:
    if logits > output or (logits == 1 and output == 32):
        with pytest.raises(ValueError, match="stride"):
            Knobs(logit_stride=logits, output_stride=output, skip_strides=()).network()
        return
    skips = possible_skips(logits, output)
    network = Knobs(logit_stride=logits, output_stride=output, skip_strides=skips).network()
    assert network == NetworkSpec.model_validate(network.model_dump())
    assert all(logits <= s < output for s in skips)
    assert network.encoder.stem_stride == stem_stride(logits)


@pytest.mark.parametrize(
    ("logits", "output", "skips"),
    [(1, 16, (1, 2, 4, 8)), (2, 32, (2, 4, 8, 16)), (4, 16, (4, 8)), (8, 32, (8, 16)), (16, 32, (16,)), (32, 32, ())],
)
def test_possible_skips(logits: int, output: int, skips: tuple[int, ...]) -> None:
    assert possible_skips(logits, output) == skips


def test_channels_follow_the_stages() -> None:
    assert (decoder_channels((32, 64, 128, 256)), context_channels((32, 64, 128, 256))) == (64, 128)


def test_dilation_does_not_enlarge_the_field() -> None:
    """By hand: squared jumps 1, 4, 4 x 16; 16, 3 x 64; 64, 3 x 256; 256, 3 x 1024; times 8 / 12; 4 times the root."""
    by_hand = 4 * ((1 + 4 + 64 + 16 + 192 + 64 + 768 + 256 + 3072) * 8 / 12) ** 0.5
    assert [effective_field(4, output) for output in (32, 16, 8)] == pytest.approx([by_hand] * 3)
    assert encoder_of(4, 8).stage_dilations == (1, 1, 2, 4)


def test_heads_weigh_what_is_said() -> None:
    network = Knobs(auxiliary_heads=(8,), deep_supervision=(8,), head_weight=0.2).network()
    assert [h.weight for h in (*network.auxiliary_heads, *network.deep_supervision)] == [0.2, 0.2]


def test_time_is_work_over_speed() -> None:
    seconds = training_seconds(macs=10**9, batch=16, steps=1000)
    assert seconds.cpu == pytest.approx(16e12 / CPU_MACS) == 800
    assert seconds.gpu == pytest.approx(16e12 / GPU_MACS) == pytest.approx(9.6)


@pytest.mark.parametrize(
    ("sets", "part", "true"),
    [
        (("training.loss",), "training.loss", True),
        (("model.decoder",), "model.decoder.logit_stride", True),
        (("model.decoder.logit_stride",), "model.decoder", False),
        (("model.deep",), "model.deep_supervision", False),
        ((), "training.loss", False),
    ],
)
def test_a_decision_sets_its_parts_and_what_lies_in_them(sets: tuple[str, ...], part: str, true: bool) -> None:
    assert sets_part(sets, part) is true
