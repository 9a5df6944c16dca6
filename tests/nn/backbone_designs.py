"""Small published-style encoders, and networks around two of them."""

from __future__ import annotations

from typing import Any

from shapeprof.design.encoder_spec import BackboneSpec
from shapeprof.design.spec import AsppSpec, DecoderSpec, HeadSpec, NetworkSpec

SIZES = {"depths": [1, 2, 1, 2], "hidden_sizes": [8, 16, 24, 32]}
RESNET = {"model_type": "resnet", "embedding_size": 8, **SIZES}
CONFIGS: dict[str, dict[str, Any]] = {
    "basic ResNet": {"layer_type": "basic", **RESNET},
    "bottleneck ResNet": {"layer_type": "bottleneck", **RESNET},
    "bottleneck ResNet, stride in the 1x1": {"layer_type": "bottleneck", "downsample_in_bottleneck": True, **RESNET},
    "ConvNeXt": {"model_type": "convnext", "layer_scale_init_value": 1.0, **SIZES},
    "Swin": {
        "model_type": "swin",
        "depths": [1, 2, 1, 1],
        "embed_dim": 8,
        "num_heads": [1, 2, 2, 4],
        "window_size": 3,
        "drop_path_rate": 0.0,
    },
    "DINOv2": {
        "model_type": "dinov2",
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "patch_size": 14,
        "image_size": 56,
    },
}
DILATED = ("basic ResNet", "bottleneck ResNet", "bottleneck ResNet, stride in the 1x1", "ConvNeXt")


def backbone(which: str, output_stride: int = 32, **more: Any) -> BackboneSpec:
    """The encoder of ``CONFIGS``, with random weights."""
    values = {"name": which, "config": CONFIGS[which], "pretrained": False, "output_stride": output_stride}
    return BackboneSpec.model_validate(values | more)


NETWORKS = {
    "dilated ResNet with context, skips and both kinds of heads": NetworkSpec(
        encoder=backbone("bottleneck ResNet", 8, multi_grid=(1, 2)),
        context=AsppSpec(rates=(2,), channels=8),
        decoder=DecoderSpec(logit_stride=2, skip_strides=(2, 4), channels=8, skip_channels=6),
        auxiliary_heads=(HeadSpec(stride=8),),
        deep_supervision=(HeadSpec(stride=4),),
    ),
    "Swin with one skip": NetworkSpec(
        encoder=backbone("Swin"), decoder=DecoderSpec(logit_stride=8, skip_strides=(16,), channels=8)
    ),
    "dilated ConvNeXt": NetworkSpec(
        encoder=backbone("ConvNeXt", 16),
        decoder=DecoderSpec(logit_stride=4, skip_strides=(4,), channels=8),
        norm="group",
    ),
    "DINOv2": NetworkSpec(
        encoder=backbone("DINOv2", 8), decoder=DecoderSpec(logit_stride=4, skip_strides=(), channels=8)
    ),
}
