"""What a network costs, counted on paper: parameters, operations, receptive field, memory.

Pure arithmetic on the knobs: it needs no torch, so that designs can be weighed while scanning.
``layers_of`` lists what ``nn/network.py`` builds; ``tests/test_cost.py`` holds the two together.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from .encoder_spec import BackboneSpec, EncoderSpec
from .encoders import backbone_layers
from .layer_cost import Convolution, Grid, Kind, Layer
from .spec import AsppSpec, NetworkSpec, PpmSpec

FLOAT_BYTES = 4
STATES = 4  # float32 values kept per parameter: weight, gradient, and AdamW's two moments
LOGIT_COPIES = 4  # per head, of its full-size logits: enlarged, log-softmax, softmax, softmax where counted
LABEL_VALUES = 4  # per head and pixel, whatever the classes: the target's id (int64), its probability, a mask

# Multiply-accumulates of the forward pass that training gets through in a second, its backward pass included in the
# time. CPU: whole runs on two Xeon cores reached 11 to 27 G, single steps 26 to 55. GPU: assumed, 10 TFLOP/s sustained.
CPU_MACS, GPU_MACS = 20e9, 5000e9 / 3


class Seconds(NamedTuple):
    """How long training takes, estimated."""

    gpu: float  # one that sustains 10 TFLOP/s
    cpu: float  # two cores


@dataclass(frozen=True, slots=True)
class Cost:
    """What follows from a network, a crop and a batch."""

    parameters: int  # of the network that predicts
    training_parameters: int  # with the heads that only training has
    macs: int  # multiply-accumulates of convolutions, linear layers and attention, one crop, forward, evaluation
    receptive_field: int | None  # theoretical side, encoder and the context's widest rate; px; None: attention
    effective_receptive_field: float | None  # side at initialisation, same path, px; None: attention
    input_multiple: int  # the network pads sizes to a multiple of this
    memory_gb: float  # 10**9 bytes, estimated: training with one batch in float32
    layers: tuple[Layer, ...]  # encoder, context, decoder, head, training-only heads

    @property
    def macs_by_kind(self) -> dict[Kind, int]:
        """``macs`` of the convolutions, the linear layers and the products of attention (queries with keys, and
        weights with values), where there are any."""
        sums: Counter[Kind] = Counter()
        for layer in self.layers:
            if not layer.training_only:
                sums[layer.kind] += layer.macs
        return {kind: macs for kind, macs in sums.items() if macs}


def cost(network: NetworkSpec, classes: int, channels: int, crop: tuple[int, int], batch: int) -> Cost:
    """Count ``network`` for images of ``channels`` channels and ``classes`` classes.

    ``crop`` is (rows, columns) in px; ``batch`` the crops per training step.
    """
    size = padded_size(crop, network.encoder.output_stride)
    layers = tuple(layers_of(network, classes, channels, size))
    kept = [layer for layer in layers if not layer.training_only]
    parameters = sum(layer.parameters for layer in layers)
    heads = 1 + len(network.auxiliary_heads) + len(network.deep_supervision)
    pixels, values = size[0] * size[1], LOGIT_COPIES * classes + LABEL_VALUES
    path = [] if any(layer.kind == "attention" for layer in layers) else receptive_path(layers)
    return Cost(
        parameters=sum(layer.parameters for layer in kept),
        training_parameters=parameters,
        macs=sum(layer.macs for layer in kept),
        receptive_field=theoretical_field(path) if path else None,
        effective_receptive_field=effective_field(path) if path else None,
        input_multiple=network.encoder.output_stride,
        memory_gb=training_bytes(layers, pixels * heads * values, batch) / 1e9,
        layers=layers,
    )


def training_seconds(macs: int, batch: int, steps: int) -> Seconds:
    """Estimated seconds of training; ``macs``: of one crop, forward."""
    work = macs * batch * steps
    return Seconds(gpu=work / GPU_MACS, cpu=work / CPU_MACS)


def padded_size(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    """Rows and columns that the network works on inside: multiples of ``multiple``, at least two of it."""
    rows, columns = (multiple * max(2, -(-side // multiple)) for side in size)
    return rows, columns


def layers_of(network: NetworkSpec, classes: int, channels: int, size: tuple[int, int]) -> Iterator[Layer]:
    """Every layer for an input of ``size`` (rows, columns), a multiple of the output stride."""
    knobs, at = network.decoder, Grid(size)
    if isinstance(network.encoder, BackboneSpec):
        yield from backbone_layers(network.encoder, channels, at)
    else:
        yield from _encoder(network.encoder, channels, at)
    features = dict(network.encoder.features)  # of equal strides, the deepest
    stride: int = network.encoder.output_stride
    width = network.encoder.widths[-1]
    if network.context:
        yield from _context(network.context, width, stride, at)
        width = network.context.channels
    while stride > knobs.logit_stride:
        stride //= 2
        skip = features[stride] if stride in knobs.skip_strides else 0
        reduced = min(skip, knobs.skip_channels or knobs.channels)
        yield from _decoder_level(stride, (width, skip, reduced, knobs.channels), at)
        width = knobs.channels
    yield at(stride, "head.0", width, knobs.channels, 3)
    yield at(stride, "head.1", knobs.channels, classes, 1, norm=False)
    for i, head in enumerate(network.auxiliary_heads):
        stages = zip(network.encoder.stage_strides[:-1], network.encoder.widths, strict=False)
        inputs = [width for reached, width in stages if reached == head.stride][-1]
        name = f"auxiliary_heads.{i}"
        yield at(head.stride, f"{name}.0", inputs, knobs.channels, 3, training_only=True)
        yield at(head.stride, f"{name}.1", knobs.channels, classes, 1, norm=False, training_only=True)
    for i, head in enumerate(network.deep_supervision):
        name = f"deep_supervision.{i}"
        yield at(head.stride, name, knobs.channels, classes, 1, norm=False, training_only=True)


def _encoder(encoder: EncoderSpec, channels: int, at: Grid) -> Iterator[Convolution]:
    width, stride, dilation = channels, 1, 1
    for i, (reached, outputs) in enumerate(encoder.features[: -len(encoder.blocks)]):
        yield at(reached, f"encoder.stem.{i}", width, outputs, 3, stride=reached // stride)
        width, stride = outputs, reached
    layout = zip(encoder.stage_strides, encoder.stage_dilations, encoder.widths, encoder.blocks, strict=True)
    for i, (reached, dilated, outputs, blocks) in enumerate(layout):
        for j in range(blocks):
            name, step = f"encoder.stages.{i}.{j}", reached // stride
            unit = encoder.multi_grid[j] if encoder.multi_grid and i == len(encoder.blocks) - 1 else 1
            yield at(reached, f"{name}.first", width, outputs, 3, stride=step, dilation=unit * dilation)
            yield at(reached, f"{name}.second", outputs, outputs, 3, dilation=unit * dilated)
            if step > 1 or width != outputs:
                yield at(reached, f"{name}.shortcut", width, outputs, 1, stride=step)
            width, stride, dilation = outputs, reached, dilated


def _context(context: AsppSpec | PpmSpec, inputs: int, stride: int, at: Grid) -> Iterator[Convolution]:
    width = context.channels
    if isinstance(context, PpmSpec):
        for i, bins in enumerate(context.bins):
            yield Convolution(f"context.branches.{i}", inputs, width, 1, rows=bins, columns=bins, norm=False)
        joined = inputs + len(context.bins) * width
        yield at(stride, "context.project", joined, width, 3, joined=True)
        return
    yield at(stride, "context.branches.0", inputs, width, 1)
    for i, rate in enumerate(context.rates, start=1):
        yield at(stride, f"context.branches.{i}", inputs, width, 3, dilation=rate)
    if context.image_pooling:
        yield Convolution("context.pooling", inputs, width, 1, rows=1, columns=1, norm=False)
    branches = 1 + len(context.rates) + context.image_pooling
    yield at(stride, "context.project", branches * width, width, 1, joined=True)


def _decoder_level(stride: int, widths: tuple[int, int, int, int], at: Grid) -> Iterator[Convolution]:
    """``widths``: of the coarser level, of the skip (0: none) before and after its reduction, of the level itself."""
    inputs, skip, reduced, outputs = widths
    if skip:
        yield at(stride, f"levels.{stride}.reduce", skip, reduced, 1)
    yield at(stride, f"levels.{stride}.fuse.0", inputs + reduced, outputs, 3, joined=True)
    yield at(stride, f"levels.{stride}.fuse.1", outputs, outputs, 3)


def receptive_path(layers: Iterable[Layer]) -> list[Layer]:
    """The longest way from the image to the encoder's output, then through the context's widest rate."""
    path: list[Layer] = []
    widest: Layer | None = None
    for layer in layers:
        if layer.name.startswith("encoder.") and not layer.name.endswith("shortcut"):
            path.append(layer)
        elif layer.name.startswith("context.branches.") and layer.dilation > (widest.dilation if widest else 0):
            widest = layer
    return [*path, *([widest] if widest else [])]


def theoretical_field(path: Iterable[Layer]) -> int:
    """Side in px of all that one output can see: ``1 + sum((k - 1) dilation jump)``.

    The jump is the distance in px between two neighbouring inputs of the convolution. Reference:
    Araujo et al. 2019, Computing receptive fields of convolutional neural networks. Image pooling
    sees the whole image and isn't counted.
    """
    field, jump = 1, 1
    for layer in path:
        field += (layer.kernel - 1) * layer.dilation * jump
        jump *= layer.stride
    return field


def effective_field(path: Iterable[Layer]) -> float:
    """Side in px of what one output mostly sees at initialisation.

    Formula: ``4 sqrt(sum((k^2 - 1) / 12 (jump dilation)^2))``.

    Random weights spread the gradient like a sum of independent uniform steps, each with the
    variance of a kernel's taps; four standard deviations hold 95 %. Reference: Luo et al. 2016,
    Understanding the effective receptive field. Shortcuts carry part of the gradient straight through: the square
    that held 95 % of it had .70 to .80 of this side in four exports (`shapeprof verify` measures it), and training
    changes it. Of a ConvNeXt it is what its branches would give at full weight: they start at 1e-6 of it.
    """
    variance, jump = 0.0, 1
    for layer in path:
        variance += (layer.kernel**2 - 1) / 12 * (layer.dilation * jump) ** 2
        jump *= layer.stride
    return 4 * math.sqrt(variance)


def effective_receptive_field(encoder: EncoderSpec) -> float:
    """``effective_field`` of an encoder alone, px: what its features mostly see without context."""
    side = 2 * encoder.output_stride
    return effective_field(receptive_path(_encoder(encoder, 1, Grid((side, side)))))


def training_bytes(layers: Iterable[Layer], loss_values: int, batch: int) -> int:
    """Estimated bytes that training with one batch needs in float32.

    ``4 (4 parameters + batch (kept values + loss values))``: weights, gradients and AdamW's
    moments; per image, what the backward pass needs of every layer (``kept_values``)
    and ``loss_values``: full-size logits of all heads, ``(4 classes + 4) pixels`` each. Within
    25 % of what autograd keeps (tests/test_cost.py). An estimate: workspace, fragmentation and
    passing gradients come on top; mixed precision takes up to half of it off.
    """
    layers = list(layers)
    kept = sum(layer.kept_values for layer in layers) + loss_values
    return FLOAT_BYTES * (STATES * sum(layer.parameters for layer in layers) + batch * kept)
