"""Small networks that between them turn every knob, and the spec dictionaries around them."""

from __future__ import annotations

from typing import Any

from shapeprof.design.spec import (
    AsppSpec,
    ClassSpec,
    DecoderSpec,
    DerivedSpec,
    EncoderSpec,
    HeadSpec,
    InputSpec,
    ModelSpec,
    NetworkSpec,
    PpmSpec,
    TrainingSpec,
    design_name,
)

WIDTHS = (8, 8, 16, 16)
CONTEXT = AsppSpec(rates=(2, 4), channels=8)
ENCODER = EncoderSpec(blocks=(1, 1, 1, 1), widths=WIDTHS)

NETWORKS = {
    "plain": NetworkSpec(encoder=ENCODER, decoder=DecoderSpec(logit_stride=32, channels=8)),
    "auxiliary heads": NetworkSpec(
        encoder=ENCODER,
        decoder=DecoderSpec(logit_stride=16, channels=8),
        auxiliary_heads=(HeadSpec(stride=16), HeadSpec(stride=8, weight=0.2)),
    ),
    "skips, deep supervision": NetworkSpec(
        encoder=ENCODER,
        decoder=DecoderSpec(logit_stride=4, skip_strides=(4, 16), channels=8),
        deep_supervision=(HeadSpec(stride=8), HeadSpec(stride=16, weight=0.2)),
    ),
    "stem of stride 1, skips to stride 1": NetworkSpec(
        encoder=EncoderSpec(blocks=(1, 1, 1), widths=WIDTHS[:3], stem_stride=1, output_stride=8),
        decoder=DecoderSpec(logit_stride=1, skip_strides=(1, 2, 4), channels=8),
    ),
    "stem of stride 2": NetworkSpec(
        encoder=EncoderSpec(blocks=(1, 2), widths=(8, 16), stem_stride=2, output_stride=8),
        decoder=DecoderSpec(logit_stride=2, skip_strides=(2,), channels=8),
    ),
    "dilated to 8 with context": NetworkSpec(
        encoder=ENCODER.model_copy(update={"output_stride": 8}),
        context=CONTEXT,
        decoder=DecoderSpec(logit_stride=8, channels=8),
        auxiliary_heads=(HeadSpec(stride=8),),
    ),
    "dilated to 4": NetworkSpec(
        encoder=ENCODER.model_copy(update={"output_stride": 4}),
        decoder=DecoderSpec(logit_stride=2, skip_strides=(2,), channels=8),
    ),
    "skips, dilated to 16, context, both kinds of heads, group norm": NetworkSpec(
        encoder=ENCODER.model_copy(update={"output_stride": 16}),
        context=AsppSpec(rates=(), channels=8),
        decoder=DecoderSpec(logit_stride=4, skip_strides=(4, 8), channels=8),
        auxiliary_heads=(HeadSpec(stride=16),),
        deep_supervision=(HeadSpec(stride=8),),
        norm="group",
    ),
    "pyramid pooling, multi-grid, reduced skips": NetworkSpec(
        encoder=EncoderSpec(blocks=(1, 1, 1, 3), widths=WIDTHS, output_stride=16, multi_grid=(1, 2, 4)),
        context=PpmSpec(bins=(1, 2, 3), channels=4),
        decoder=DecoderSpec(logit_stride=4, skip_strides=(4,), channels=8, skip_channels=4),
        auxiliary_heads=(HeadSpec(stride=16),),
    ),
}


def model_spec(network: NetworkSpec, *, channels: int = 3, classes: int = 3, **training: Any) -> ModelSpec:
    """A whole spec around ``network``, with crops of 32 px."""
    names = ["background", *(f"class {i}" for i in range(1, classes))]
    derived = DerivedSpec(
        parameters=1, macs=1, receptive_field=1, effective_receptive_field=1, input_multiple=32, memory_gb=1
    )
    knobs = {"crop": (32, 32), "batch": 2, "steps": 4, "warmup_steps": 1} | training
    return ModelSpec(
        design=design_name(network),
        classes=tuple(ClassSpec(id=i, name=name) for i, name in enumerate(names)),
        background=0,
        input=InputSpec(
            channels=channels, order="grey" if channels == 1 else "RGB", mean=(0.5,) * channels, std=(0.25,) * channels
        ),
        model=network,
        derived=derived,
        training=TrainingSpec(**knobs),
    )
