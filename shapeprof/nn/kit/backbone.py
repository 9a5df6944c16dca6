"""Pretrained encoders: built by Hugging Face transformers, dilated to the output stride that the spec asks for.

    family    features at strides            smaller output strides
    resnet    2 (stem), 4, 8, 16, 32         by dilation
    convnext  4, 8, 16, 32                   by dilation
    swin      4, 8, 16, 32                   none
    dinov2    its output stride, no others   by enlarging the image: a patch then covers fewer px

References
----------
He et al. 2016, Deep residual learning (ResNet). Liu et al. 2022, A ConvNet for the 2020s (ConvNeXt).
Liu et al. 2021, Swin transformer. Oquab et al. 2023, DINOv2.
Holschneider et al. 1989: the "algorithme à trous", dilation that leaves the features as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .errors import InputError

Knobs = Mapping[str, Any]  # the encoder block of spec.yaml

FAMILIES = ("resnet", "convnext", "swin", "dinov2")  # model_type of transformers
FIRST_STRIDE = 4  # of the first stage; every later one halves the resolution
PATIENCE = 10  # s, for the first answer of huggingface.co


def layout(encoder: Knobs) -> tuple[list[int], int]:
    """Strides of the features that ``Backbone`` returns, and the index of the first that is a stage's.

    Raises:
        ValueError: unknown family, or an output stride that it can't have.
    """
    config, limit = encoder["config"], encoder["output_stride"]
    family = config.get("model_type")
    if family not in FAMILIES:
        raise ValueError(f"encoder.config.model_type is {family!r}; known: {', '.join(FAMILIES)}")
    if family == "dinov2":
        return [limit], 0
    if not isinstance(config.get("depths"), list):
        raise ValueError(
            f"encoder.config.depths is {config.get('depths')!r}; expected blocks per stage, as [3, 4, 6, 3]"
        )
    natural = [FIRST_STRIDE * 2**i for i in range(len(config["depths"]))]
    if limit > natural[-1] or (family == "swin" and limit != natural[-1]):
        less = "" if family == "swin" else " or less"
        raise ValueError(f"encoder.output_stride is {limit}; this {family} has {natural[-1]}{less}")
    if (grid := encoder["multi_grid"]) and (family != "resnet" or len(grid) != config["depths"][-1]):
        raise ValueError(f"encoder.multi_grid {grid}: one factor per block of a ResNet's last stage")
    stem = [2] if family == "resnet" else []
    return [*stem, *(min(stride, limit) for stride in natural)], len(stem)


class Backbone(nn.Module):
    """A published encoder. ``forward`` maps images (N, C, H, W) to its features, shallow to deep.

    ``frozen``: batch norms of a pretrained encoder keep their running statistics, as detectors do, because
    those of a small batch are noise; their scale and shift are still trained.

    Layer norms of the features (ConvNeXt, Swin) have no parameters: they aren't part of the published weights, and
    the convolution that follows has its own.

    Attributes:
        widths: channels of every feature map that ``forward`` returns.
        strides: their strides.
        first_stage: index of the first that is a stage's.
        multiple: the sides of the image must be multiples of it.

    Raises:
        InputError: transformers is missing, the config makes no sense, or the weights can't be had.
    """

    def __init__(self, channels: int, encoder: Knobs, *, pretrained: bool, frozen: bool) -> None:
        super().__init__()
        strides, self.first_stage = layout(encoder)
        self.strides, self.multiple = tuple(strides), int(encoder["output_stride"])
        self.family: str = encoder["config"]["model_type"]
        self.frozen = frozen and bool(encoder["pretrained"])
        self.network = _built(channels, encoder, pretrained=pretrained and bool(encoder["pretrained"]))
        config = self.network.config
        if self.family == "dinov2":
            self.widths: tuple[int, ...] = (config.hidden_size,)
            self.patch = int(config.patch_size)
            self.network.embeddings.mask_token = None  # of its own pretraining; here it gets no gradient
            return
        stem = (config.embedding_size,) if self.family == "resnet" else ()
        self.widths = (*stem, *self.network.channels)
        if self.family == "resnet":
            _dilate_resnet(self.network.encoder.stages, self.multiple, encoder["multi_grid"])
            return
        if self.family == "convnext":
            _dilate_convnext(self.network.encoder.stages, self.multiple)
        else:
            self.network.swin.layernorm = nn.Identity()  # its output is not used
        for norm in self.network.hidden_states_norms.values():
            norm.register_parameter("weight", None)
            norm.register_parameter("bias", None)

    def train(self, mode: bool = True) -> Backbone:
        super().train(mode)
        for module in self.modules():
            if self.frozen and isinstance(module, _BatchNorm):
                module.eval()
        return self

    def forward(self, x: Tensor) -> list[Tensor]:
        if self.family == "resnet":
            stem = self.network.embedder
            features = [stem.embedder(x)]  # (N, embedding_size, H/2, W/2)
            x = stem.pooler(features[0])
            for stage in self.network.encoder.stages:
                x = stage(x)  # (N, widths[i], H / strides[i], W / strides[i])
                features.append(x)
            return features
        if self.family == "dinov2" and self.patch != self.multiple:
            size = [side // self.multiple * self.patch for side in x.shape[2:]]
            x = F.interpolate(x, size, mode="bilinear", align_corners=False, antialias=True)
        return list(self.network(x).feature_maps)


def _built(channels: int, encoder: Knobs, *, pretrained: bool) -> Any:
    """The backbone of transformers; with ``pretrained`` its published weights."""
    try:
        from huggingface_hub.errors import StrictDataclassError
        from transformers import AutoBackbone, AutoConfig
    except ImportError:
        raise InputError(
            f"the encoder {encoder['name']} needs the package transformers: pip install transformers"
        ) from None
    settings, name = dict(encoder["config"]), encoder["name"]
    expected = settings.get("num_channels", 3)
    if pretrained and expected != channels:
        raise InputError(
            f"input.channels is {channels}, but the weights of {name} expect {expected}: set it to {expected}, with as "
            f"many values of mean and std, or set encoder.pretrained to false"
        )
    try:
        config = AutoConfig.for_model(**{**settings, "num_channels": channels})
        if settings["model_type"] != "dinov2":
            config.out_features = config.stage_names[1:]  # every stage
        model = AutoBackbone.from_config(config)  # type: ignore[no-untyped-call]
    except (TypeError, ValueError, AttributeError, StrictDataclassError) as error:
        raise InputError(f"encoder.config of {name} can't be built: {' '.join(str(error).split())}") from None
    return _with_weights(model, name) if pretrained else model


def _with_weights(model: Any, name: str) -> Any:
    """``model`` with the weights of ``name``: a folder, or what is in the cache or on huggingface.co.

    AutoBackbone.from_pretrained would ask the network first, even for what is in a folder or in the cache.
    """
    from huggingface_hub import model_info
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]
    from safetensors import SafetensorError
    from transformers.utils import logging

    options = {"config": model.config, "output_loading_info": True}
    verbosity = logging.get_verbosity()
    # It warns of every key that differs; what matters is checked below.
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        try:
            loaded, report = type(model).from_pretrained(name, local_files_only=True, **options)
        except OSError:
            if Path(name).is_dir():
                raise
            model_info(name, timeout=PATIENCE)  # says at once why it can't be had; the next line tries for minutes
            loaded, report = type(model).from_pretrained(name, **options)
    except (OSError, RuntimeError, ValueError, SafetensorError, httpx.HTTPError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise InputError(
            f"no weights for the encoder {name}: {why}. Tried that folder, the cache (HF_HOME) and huggingface.co. "
            f"Connect once, or copy a cache and set HF_HOME, or give a folder of save_pretrained as encoder.name, or "
            f"set encoder.pretrained to false"
        ) from None
    finally:
        logging.set_verbosity(verbosity)
    if missing := [key for key in sorted(report["missing_keys"]) if "hidden_states_norms" not in key]:
        raise InputError(f"the weights of {name} lack {len(missing)} of this encoder's, first {missing[0]}")
    return loaded.float().train()


# Where dilation replaces a stride, the convolution that had it still samples the old grid (previous dilation), and
# those after it the new one: the features at every d-th position are those of the network with the stride.


def _stage_dilations(count: int, output_stride: int) -> list[int]:
    return [max(1, FIRST_STRIDE * 2**i // output_stride) for i in range(count)]


def _dilate_resnet(stages: Any, output_stride: int, multi_grid: list[int]) -> None:
    """``multi_grid``: factors of the dilations in the last stage, one per block; may be empty."""
    dilation = 1
    for stage, reached in zip(stages, _stage_dilations(len(stages), output_stride), strict=True):
        units = (stage is stages[-1] and multi_grid) or [1] * len(stage.layers)
        for block, unit in zip(stage.layers, units, strict=True):
            dense = reached > dilation  # this block's stride goes
            for part in block.layer:
                conv, strided = part.convolution, part.convolution.stride != (1, 1)
                _set_dilation(conv, unit * dilation)
                if strided:
                    dilation = reached
                    conv.stride = (1, 1) if dense else conv.stride
            if dense:
                block.shortcut.convolution.stride = (1, 1)


def _dilate_convnext(stages: Any, output_stride: int) -> None:
    dilation = 1
    for stage, reached in zip(stages, _stage_dilations(len(stages), output_stride), strict=True):
        if reached > dilation:
            stage.downsampling_layer[1] = _Dense(stage.downsampling_layer[1], dilation)
        for layer in stage.layers:
            _set_dilation(layer.dwconv, reached)
        dilation = reached


def _set_dilation(conv: nn.Conv2d, dilation: int) -> None:
    conv.dilation = (dilation, dilation)
    conv.padding = (dilation * (conv.kernel_size[0] // 2), dilation * (conv.kernel_size[1] // 2))


class _Dense(nn.Conv2d):
    """A 2 x 2 convolution without its stride: it joins pixels that lie ``dilation`` apart; zeros beyond the border."""

    def __init__(self, strided: nn.Conv2d, dilation: int) -> None:
        super().__init__(strided.in_channels, strided.out_channels, 2, dilation=dilation)
        self.weight, self.bias = strided.weight, strided.bias

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, (0, self.dilation[1], 0, self.dilation[0])))
