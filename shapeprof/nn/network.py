"""The network: encoder, optional context, decoder with optional long skips, heads.

One family; ``spec.yaml`` holds every knob and ``build`` makes exactly what it says.

    image -> encoder ------------------> context -> decoder ----> head -> logits
               |  features at strides   (ASPP, PPM)    ^   |
               |---- long skips (1x1) -----------------'   '-> deep supervision  (training only)
               '---- auxiliary heads                                             (training only)

References
----------
He et al. 2016, Deep residual learning: basic blocks. He et al. 2019, Bag of tricks: a stem of 3x3s.
Long, Shelhamer, Darrell 2015, FCN; Ronneberger et al. 2015, U-Net: long skips.
Chen et al. 2017, Rethinking atrous convolution (DeepLabv3): output stride by dilation, ASPP.
Chen et al. 2018, DeepLabv3+: low-level features reduced by a 1x1 before they are joined.
Zhao et al. 2017, PSPNet: pyramid pooling, auxiliary head. Lee et al. 2015; Isensee et al. 2021: deep supervision.
Wu, He 2018, Group normalization. He et al. 2015, Delving deep into rectifiers: initialisation.

Shapes are ``(N, C, H, W)`` float32; s is the encoder's output stride, and "/4" reads "at stride 4".
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from .kit.backbone import Backbone

Norm = Callable[[int], nn.Module]
Knobs = Mapping[str, Any]  # one block of spec.yaml

NORMS = ("batch", "group")
STRIDES = (1, 2, 4, 8, 16, 32)
GROUP_WIDTH = 8  # channels per group: few enough for narrow layers; Wu and He find 2 to 16 alike
CLASSIFIER_STD = 0.01  # first logits near 0, so that the first loss is log(classes); as in RetinaNet


class TrainingOutput(NamedTuple):
    """What the network returns in training mode. All logits have the input's size."""

    logits: Tensor  # (N, classes, H, W)
    # Same shape; auxiliary heads first, then deep supervision, in the spec's order.
    auxiliary: tuple[Tensor, ...]


def build(spec: Knobs, *, pretrained: bool = False) -> SegmentationNetwork:
    """The network that ``spec`` (the dictionary in spec.yaml) describes, freshly initialised.

    Args:
        spec: the whole dictionary.
        pretrained: start from published weights if the spec's encoder has any (they may be fetched): to train. A
            network whose weights come from a checkpoint needs none.

    Raises:
        ValueError: if the knobs don't fit each other.
        InputError: a pretrained encoder can't be built or its weights can't be had.
    """
    check(spec["model"])
    channels, classes = int(spec["input"]["channels"]), len(spec["classes"])
    return SegmentationNetwork(spec["model"], channels, classes, pretrained=pretrained)


def check(model: Knobs) -> None:
    """Refuse knobs that can't be built, with the values that can."""
    decoder, context, stride = model["decoder"], model["context"], model["encoder"]["output_stride"]
    if model["norm"] not in NORMS:
        raise ValueError(f"norm {model['norm']!r}; expected {' or '.join(NORMS)}")
    if decoder["logit_stride"] not in STRIDES:
        raise ValueError(f"decoder.logit_stride {decoder['logit_stride']!r}; expected one of {STRIDES}")
    if len(set(decoder["skip_strides"])) < len(decoder["skip_strides"]):
        raise ValueError(f"decoder.skip_strides {decoder['skip_strides']} names a stride twice")
    pretrained = model["encoder"]["kind"] == "backbone"
    strides, first_stage = _published().layout(model["encoder"]) if pretrained else _checked(model["encoder"])
    stages = strides[first_stage:]
    if decoder["logit_stride"] > stride:
        raise ValueError(f"decoder.logit_stride {decoder['logit_stride']} exceeds the output stride {stride}")
    values = [] if context is None else context["bins"] if context["kind"] == "ppm" else context["rates"]
    if odd := [n for n in values if not isinstance(n, int) or n < 1]:
        name = "bins" if context["kind"] == "ppm" else "rates"
        raise ValueError(f"context.{name} {values}: {odd[0]!r} is no whole number from 1 on")
    skips = [s for s in set(strides) if decoder["logit_stride"] <= s < stride]
    levels = decoder_strides(stride, decoder["logit_stride"])
    for name, wanted, possible in (
        ("decoder.skip_strides", decoder["skip_strides"], skips),
        ("auxiliary_heads", [h["stride"] for h in model["auxiliary_heads"]], stages[:-1]),
        ("deep_supervision", [h["stride"] for h in model["deep_supervision"]], levels[:-1]),
    ):
        if wrong := set(wanted) - set(possible):
            raise ValueError(f"{name}: no features at stride {min(wrong)}; possible: {sorted(set(possible))}")


def _published() -> ModuleType:
    """kit/backbone.py, which only folders with a published encoder have."""
    try:
        from .kit import backbone
    except ImportError:
        raise ValueError(
            "encoder.kind 'backbone' needs nn/kit/backbone.py, which this folder lacks: export again with --encoder"
        ) from None
    return backbone


def _checked(knobs: Knobs) -> tuple[list[int], int]:
    """Strides of a residual encoder's features, and the index of its first stage."""
    if len(knobs["blocks"]) != len(knobs["widths"]):
        raise ValueError(f"encoder.blocks {knobs['blocks']} and widths {knobs['widths']} differ in length")
    grid = knobs["multi_grid"]
    if grid and len(grid) != knobs["blocks"][-1]:
        raise ValueError(f"encoder.multi_grid {grid}: the last stage has {knobs['blocks'][-1]} blocks")
    stem, stages = stem_strides(knobs), [s for s, _ in stage_layout(knobs)]
    if stages[-1] != knobs["output_stride"]:
        wanted = knobs["output_stride"]
        raise ValueError(f"encoder.output_stride {wanted} can't be reached: the stages run at {stages}")
    return [*stem, *stages], len(stem)


def stem_strides(encoder: Knobs) -> tuple[int, ...]:
    """Strides of the stem's convolutions."""
    return (2, 4) if encoder["stem_stride"] == 4 else (encoder["stem_stride"],)


def stage_layout(encoder: Knobs) -> tuple[tuple[int, int], ...]:
    """``(stride, dilation)`` of every stage: halve until the output stride, then dilate instead."""
    stem, limit = encoder["stem_stride"], encoder["output_stride"]
    first = 4 if stem == 4 else 2 * stem
    natural = [first * 2**i for i in range(len(encoder["blocks"]))]
    return tuple((min(stride, limit), max(1, stride // limit)) for stride in natural)


def decoder_strides(output_stride: int, logit_stride: int) -> list[int]:
    """Strides of the decoder's levels, coarse to fine; none where the logits stay at the encoder's."""
    levels = []
    while output_stride > logit_stride:
        output_stride //= 2
        levels.append(output_stride)
    return levels


def group_norm(channels: int) -> nn.Module:
    """Group norm with about ``GROUP_WIDTH`` channels a group, for batches too small for batch norm."""
    groups = max(1, channels // GROUP_WIDTH)
    while channels % groups:
        groups -= 1
    return nn.GroupNorm(groups, channels)


def conv_norm(
    inputs: int, outputs: int, kernel: int, norm: Norm, *, stride: int = 1, dilation: int = 1, relu: bool = True
) -> nn.Sequential:
    """Convolution without bias, norm, ReLU; padded so that only ``stride`` changes the size."""
    padding = dilation * (kernel // 2)
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, bias=False)
    return nn.Sequential(conv, norm(outputs), *([nn.ReLU(inplace=True)] if relu else []))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut.

    ``dilations`` are those of the first and the second convolution. Where dilation replaces a
    stride, the first still samples the old grid (previous dilation) and the second the new one:
    then the features at every d-th position equal those of the network with the stride (the
    "algorithme à trous"), and the receptive field is the same. DeepLab's code gives the whole
    first block the previous dilation, which shrinks the field a little with every stride removed.
    """

    def __init__(self, inputs: int, outputs: int, norm: Norm, *, stride: int, dilations: tuple[int, int]) -> None:
        super().__init__()
        self.first = conv_norm(inputs, outputs, 3, norm, stride=stride, dilation=dilations[0])
        self.second = conv_norm(outputs, outputs, 3, norm, dilation=dilations[1], relu=False)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.shortcut = conv_norm(inputs, outputs, 1, norm, stride=stride, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(self.first(x)) + self.shortcut(x))


class Encoder(nn.Module):
    """Stem, then stages of basic blocks. Returns the features of every stem convolution and stage.

    Attributes:
        widths: channels of every feature map that ``forward`` returns.
        strides: their strides.
        first_stage: index of the first that is a stage's.
        multiple: the sides of the image must be multiples of it.
    """

    def __init__(self, channels: int, knobs: Knobs, norm: Norm) -> None:
        super().__init__()
        widths, layout = tuple(knobs["widths"]), stage_layout(knobs)
        stem = (max(1, widths[0] // 2), widths[0]) if knobs["stem_stride"] == 4 else (widths[0],)
        self.widths = stem + widths
        self.strides = stem_strides(knobs) + tuple(stride for stride, _ in layout)
        self.first_stage, self.multiple = len(stem), int(knobs["output_stride"])
        self.stem = nn.ModuleList()
        width, stride, dilation = channels, 1, 1
        for outputs, reached in zip(stem, stem_strides(knobs), strict=True):
            self.stem.append(conv_norm(width, outputs, 3, norm, stride=reached // stride))
            width, stride = outputs, reached
        self.stages = nn.ModuleList()
        for outputs, count, (reached, dilated) in zip(widths, knobs["blocks"], layout, strict=True):
            last = len(self.stages) == len(widths) - 1
            units = (last and knobs["multi_grid"]) or [1] * count  # factors of the blocks' dilations
            blocks = nn.Sequential()
            for unit in units:
                grids = (unit * dilation, unit * dilated)
                blocks.append(BasicBlock(width, outputs, norm, stride=reached // stride, dilations=grids))
                width, stride, dilation = outputs, reached, dilated
            self.stages.append(blocks)

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for part in (*self.stem, *self.stages):
            x = part(x)  # (N, widths[i], H / strides[i], W / strides[i])
            features.append(x)
        return features


def _deepest_at(encoder: Encoder | Backbone, stride: int, *, stages_only: bool = False) -> int:
    """Index of the deepest features at ``stride``; ``stages_only``: of a stage other than the last."""
    first, last = (encoder.first_stage, len(encoder.strides) - 1) if stages_only else (0, len(encoder.strides))
    return max(i for i in range(first, last) if encoder.strides[i] == stride)


class AtrousPyramid(nn.Module):
    """Atrous spatial pyramid pooling (ASPP): a 1x1, a 3x3 per rate, the mean of the image; then a 1x1 over all.

    The image's mean has a bias instead of a norm: it is one value per image and channel, of which
    a batch norm can't take statistics (torch refuses at batch 1; at batch 2 they are noise).
    """

    def __init__(self, inputs: int, knobs: Knobs, norm: Norm) -> None:
        super().__init__()
        width, rates = knobs["channels"], knobs["rates"]
        branches = [conv_norm(inputs, width, 3, norm, dilation=rate) for rate in rates]
        self.branches = nn.ModuleList([conv_norm(inputs, width, 1, norm), *branches])
        self.pooling = nn.Conv2d(inputs, width, 1) if knobs["image_pooling"] else None
        count = len(self.branches) + (self.pooling is not None)
        self.project = conv_norm(count * width, width, 1, norm)

    def forward(self, x: Tensor) -> Tensor:
        views = [branch(x) for branch in self.branches]
        if self.pooling is not None:
            mean = F.relu(self.pooling(x.mean((2, 3), keepdim=True)))  # (N, width, 1, 1)
            views.append(mean.expand(-1, -1, *x.shape[2:]))
        out: Tensor = self.project(torch.cat(views, dim=1))  # (N, width, H/s, W/s)
        return out


class PyramidPooling(nn.Module):
    """Pyramid pooling (PPM): means over grids of b x b cells, a 1x1 each, enlarged and joined; then a 3x3 over all.

    The means have a bias instead of a norm, as in ``AtrousPyramid``: they are b x b values per image and channel.
    """

    def __init__(self, inputs: int, knobs: Knobs, norm: Norm) -> None:
        super().__init__()
        width, self.bins = knobs["channels"], tuple(knobs["bins"])
        self.branches = nn.ModuleList(nn.Conv2d(inputs, width, 1) for _ in self.bins)
        self.project = conv_norm(inputs + len(self.bins) * width, width, 3, norm)

    def forward(self, x: Tensor) -> Tensor:
        views = [x]
        for bins, branch in zip(self.bins, self.branches, strict=True):
            mean = F.relu(branch(F.adaptive_avg_pool2d(x, bins)))  # (N, width, bins, bins)
            views.append(F.interpolate(mean, x.shape[2:], mode="bilinear", align_corners=False))
        out: Tensor = self.project(torch.cat(views, dim=1))  # (N, width, H/s, W/s)
        return out


class DecoderLevel(nn.Module):
    """Double the resolution, join the encoder's features of that stride if there are any, two 3x3s.

    ``skip`` is the channels of those features (0: none), reduced by a 1x1 to at most ``reduced``.
    """

    def __init__(self, inputs: int, skip: int, reduced: int, outputs: int, norm: Norm) -> None:
        super().__init__()
        reduced = min(skip, reduced)
        self.reduce = conv_norm(skip, reduced, 1, norm) if skip else None
        first = conv_norm(inputs + reduced, outputs, 3, norm)
        self.fuse = nn.Sequential(first, conv_norm(outputs, outputs, 3, norm))

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)  # (N, C, 2H, 2W)
        if self.reduce is not None:
            x = torch.cat([x, self.reduce(skip)], dim=1)
        out: Tensor = self.fuse(x)
        return out


class SegmentationNetwork(nn.Module):
    """Images of any size to logits of the same size.

    ``forward`` returns ``TrainingOutput`` in training mode and the logits alone in evaluation.
    Inside, the image is padded at the right and the bottom by replication, to a multiple of the
    output stride (of the encoder's multiple) and to at least 2 x 2 features (batch norm needs more than one value).
    """

    def __init__(self, model: Knobs, channels: int, classes: int, *, pretrained: bool = False) -> None:
        super().__init__()
        norm: Norm = nn.BatchNorm2d if model["norm"] == "batch" else group_norm
        knobs = model["decoder"]
        self.encoder: Encoder | Backbone
        published = model["encoder"]["kind"] == "backbone"
        if published:
            make = _published().Backbone
            self.encoder = make(channels, model["encoder"], pretrained=pretrained, frozen=norm is group_norm)
        else:
            self.encoder = Encoder(channels, model["encoder"], norm)
        width = self.encoder.widths[-1]
        self.context = None
        if model["context"] is not None:
            context = PyramidPooling if model["context"]["kind"] == "ppm" else AtrousPyramid
            self.context = context(width, model["context"], norm)
            width = model["context"]["channels"]
        self.levels = nn.ModuleList()
        self.skips: list[int | None] = []  # per level, index of the features that it joins
        strides = decoder_strides(model["encoder"]["output_stride"], knobs["logit_stride"])
        reduced = knobs["skip_channels"] or knobs["channels"]
        for stride in strides:
            skip = _deepest_at(self.encoder, stride) if stride in knobs["skip_strides"] else None
            joined = 0 if skip is None else self.encoder.widths[skip]
            self.levels.append(DecoderLevel(width, joined, reduced, knobs["channels"], norm))
            self.skips.append(skip)
            width = knobs["channels"]
        self.head = _head(width, knobs["channels"], classes, norm)
        self._add_training_heads(model, strides, classes, norm)
        for part in self.children():
            if not (published and part is self.encoder):  # a published encoder has weights of its own
                part.apply(_initialise)
        for head in (self.head, *self.auxiliary_heads, *self.deep_supervision):
            nn.init.normal_(head[-1].weight, std=CLASSIFIER_STD)

    def _add_training_heads(self, model: Knobs, strides: list[int], classes: int, norm: Norm) -> None:
        width = model["decoder"]["channels"]
        auxiliary, deep = model["auxiliary_heads"], model["deep_supervision"]
        self.auxiliary_from = [_deepest_at(self.encoder, head["stride"], stages_only=True) for head in auxiliary]
        self.deep_from = [strides.index(head["stride"]) for head in deep]
        self.auxiliary_heads = nn.ModuleList(
            _head(self.encoder.widths[i], width, classes, norm) for i in self.auxiliary_from
        )
        self.deep_supervision = nn.ModuleList(nn.Sequential(nn.Conv2d(width, classes, 1)) for _ in deep)

    def forward(self, image: Tensor) -> Tensor | TrainingOutput:
        # Sizes stay symbols in exported files, where quotients are rounded towards 0: none of a negative number.
        multiple = self.encoder.multiple
        units = ((n - 1) // multiple + 1 for n in image.shape[-2:])
        rows, columns = (multiple * torch.sym_max(2, n) for n in units)  # type: ignore[no-untyped-call]
        below, right = rows - image.shape[-2], columns - image.shape[-1]
        x = F.pad(image, (0, right, 0, below), mode="replicate")
        features = self.encoder(x)
        x = features[-1]  # (N, widths[-1], rows/s, columns/s)
        if self.context is not None:
            x = self.context(x)
        levels = []
        for level, skip in zip(self.levels, self.skips, strict=True):
            x = level(x, None if skip is None else features[skip])  # (N, channels, 2 * rows, 2 * columns)
            levels.append(x)

        def enlarged(logits: Tensor) -> Tensor:
            whole = F.interpolate(logits, (rows, columns), mode="bilinear", align_corners=False)
            return F.pad(whole, (0, -right, 0, -below))  # cut off again: (N, classes, H, W)

        logits = enlarged(self.head(x))
        if not self.training:
            return logits
        coarse = [self.auxiliary_heads[k](features[i]) for k, i in enumerate(self.auxiliary_from)]
        coarse += [self.deep_supervision[k](levels[i]) for k, i in enumerate(self.deep_from)]
        return TrainingOutput(logits, tuple(enlarged(each) for each in coarse))

    def without_training_heads(self) -> SegmentationNetwork:
        """A copy in evaluation mode without the heads that only training needs; its logits are the same."""
        bare = copy.deepcopy(self)
        bare.auxiliary_heads, bare.deep_supervision = nn.ModuleList(), nn.ModuleList()
        bare.auxiliary_from, bare.deep_from = [], []
        return bare.eval()


def _head(inputs: int, width: int, classes: int, norm: Norm) -> nn.Sequential:
    """A classifier: 3x3, norm, ReLU, then 1x1 to ``classes`` logits."""
    return nn.Sequential(conv_norm(inputs, width, 3, norm), nn.Conv2d(width, classes, 1))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
