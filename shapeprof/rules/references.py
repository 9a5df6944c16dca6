"""Well-known designs as points of the one family: what the recommended design is held against, or exported instead.

Channels follow the recommendation; the knobs below are what makes each design itself. Where a paper's
encoder differs (VGG, Xception), the family's residual encoder stands in its place.
"""

from __future__ import annotations

from dataclasses import dataclass

from shapeprof.design.family import Knobs


@dataclass(frozen=True)
class Reference:
    """A design that has a name."""

    title: str
    knobs: Knobs
    source: str


_UNET = Knobs(logit_stride=2, output_stride=32, skip_strides=(2, 4, 8, 16))

REFERENCES: dict[str, Reference] = {
    "unet": Reference(
        "U-Net", _UNET, "Ronneberger et al. 2015; with a residual encoder of stride 32 and logits at stride 2"
    ),
    "unet-deep-supervision": Reference(
        "U-Net + deep supervision",
        Knobs(logit_stride=2, output_stride=32, skip_strides=_UNET.skip_strides, deep_supervision=(4, 8)),
        "Isensee et al. 2021, nnU-Net: extra classifiers on the decoder's levels, in training only",
    ),
    "fcn-auxiliary-head": Reference(
        "FCN + auxiliary head",
        Knobs(logit_stride=8, output_stride=8, skip_strides=(), auxiliary_heads=(8,)),
        "Long et al. 2015 and Zhao et al. 2017: dilated to stride 8, one head on the last but one stage",
    ),
    "deeplabv3": Reference(
        "DeepLabv3",
        Knobs(logit_stride=16, output_stride=16, skip_strides=(), context_rates=(6, 12, 18), multi_grid=(1, 2)),
        "Chen et al. 2017: output stride 16, multi-grid, ASPP with rates 6, 12, 18 and image pooling",
    ),
    "deeplabv3+": Reference(
        "DeepLabv3+",
        Knobs(logit_stride=4, output_stride=16, skip_strides=(4,), context_rates=(6, 12, 18), skip_channels=48),
        "Chen et al. 2018: DeepLabv3 with features of stride 4, reduced to 48 channels, in its decoder",
    ),
}
