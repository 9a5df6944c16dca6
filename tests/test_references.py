"""The named designs: counted by hand, on paper and as built."""

from __future__ import annotations

import pytest

from shapeprof.design.cost import cost
from shapeprof.design.spec import design_name
from shapeprof.rules.references import REFERENCES

torch = pytest.importorskip("torch")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from shapeprof.nn.network import build  # noqa: E402

# Counted by hand for widths 32, 64, 128, 256, RGB, 2 classes and a crop of 64 x 64 px (1,024 px at stride 2, then
# 256, 64, 16 and 4). Parameters are a convolution's weights and 2 per channel for its norm, or 1 for a bias.
#   stem        3x16x9 + 32, 16x32x9 + 64                                              5,136
#   stage 1     4 (32x32x9 + 64)                                                      37,120
#   stage 2     32x64x9 + 128, 3 (64x64x9 + 128), shortcut 32x64 + 128                131,712
#   stage 3     64x128x9 + 256, 3 (128x128x9 + 256), shortcut 64x128 + 256            525,568
#   stage 4     128x256x9 + 512, 3 (256x256x9 + 512), shortcut 128x256 + 512        2,099,712
ENCODER = 5_136 + 37_120 + 131_712 + 525_568 + 2_099_712
STEM_MACS = 432 * 1024 + 4_608 * 256
STAGE_WEIGHTS = (36_864, 131_072, 524_288, 2_097_152)
# Two 3x3s of 64 channels behind a 3x3, and a head of a 3x3 and a 1x1:
FUSE, HEAD = 36_864, 36_864 + 128
FUSE_PARAMETERS, HEAD_PARAMETERS = FUSE + 128, 36_864 + 128 + 128 + 2

UNET_LEVELS = (  # (reduction, first 3x3) of the levels at strides 16, 8, 4, 2; their norms; pixels
    (128 * 64, (256 + 64) * 64 * 9, 128 + 128, 16),
    (64 * 64, (64 + 64) * 64 * 9, 128 + 128, 64),
    (32 * 32, (64 + 32) * 64 * 9, 64 + 128, 256),
    (16 * 16, (64 + 16) * 64 * 9, 32 + 128, 1024),
)
ASPP = 256 * 128 + 3 * (256 * 128 * 9) + 5 * 128 * 128  # its 1x1, its rates, its projection
BY_HAND = {
    "unet": (
        ENCODER + sum(a + b + norms + FUSE_PARAMETERS for a, b, norms, _ in UNET_LEVELS) + HEAD_PARAMETERS,
        STEM_MACS
        + sum(w * px for w, px in zip(STAGE_WEIGHTS, (256, 64, 16, 4), strict=True))
        + sum((a + b + FUSE) * px for a, b, _, px in UNET_LEVELS)
        + HEAD * 1024,
    ),
    "fcn-auxiliary-head": (
        ENCODER + 256 * 64 * 9 + 128 + 130,
        STEM_MACS
        + sum(w * px for w, px in zip(STAGE_WEIGHTS, (256, 64, 64, 64), strict=True))
        + (256 * 64 * 9 + 128) * 64,
    ),
    "deeplabv3+": (
        ENCODER
        + (ASPP + 5 * 256 + 256 * 128 + 128)  # five norms; image pooling
        + (128 * 64 * 9 + 128 + FUSE_PARAMETERS)
        + (32 * 32 + 64 + 96 * 64 * 9 + 128 + FUSE_PARAMETERS)
        + HEAD_PARAMETERS,
        STEM_MACS
        + sum(w * px for w, px in zip(STAGE_WEIGHTS, (256, 64, 16, 16), strict=True))
        + (ASPP * 16 + 256 * 128)
        + (128 * 64 * 9 + FUSE) * 64
        + (32 * 32 + 96 * 64 * 9 + FUSE) * 256
        + HEAD * 256,
    ),
}
TOTALS = {  # the same, added up
    "unet": (3_358_194, 194_166_784),
    "fcn-auxiliary-head": (2_946_962, 196_665_344),
    "deeplabv3+": (4_074_322, 117_817_344),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_parameters_and_macs_equal_those_counted_by_hand(name: str) -> None:
    network = REFERENCES[name].knobs.network()
    counted = cost(network, classes=2, channels=3, crop=(64, 64), batch=1)
    assert (counted.parameters, counted.macs) == BY_HAND[name] == TOTALS[name]
    spec = {"model": network.model_dump(mode="json"), "classes": [{}] * 2, "input": {"channels": 3}}
    with torch.device("meta"):
        model = build(spec).without_training_heads()
    assert sum(p.numel() for p in model.parameters()) == counted.parameters
    with FlopCounterMode(display=False) as flops:
        model(torch.zeros(1, 3, 64, 64, device="meta"))
    assert flops.get_total_flops() == 2 * counted.macs


def test_heads_that_only_training_has_are_counted_apart() -> None:
    counted = cost(REFERENCES["fcn-auxiliary-head"].knobs.network(), 2, 3, (64, 64), 1)
    assert counted.training_parameters - counted.parameters == 128 * 64 * 9 + 128 + 64 * 2 + 2


@pytest.mark.parametrize("name", REFERENCES)
def test_references_are_what_they_are_called(name: str) -> None:
    network = REFERENCES[name].knobs.network()
    assert (
        design_name(network)
        == {
            "unet": "skip",
            "unet-deep-supervision": "skip",
            "fcn-auxiliary-head": "dilated",
            "deeplabv3": "dilated",
            "deeplabv3+": "skip+dilated",
        }[name]
    )
    assert bool(network.deep_supervision) == (name == "unet-deep-supervision")
    assert bool(network.auxiliary_heads) == (name == "fcn-auxiliary-head")
