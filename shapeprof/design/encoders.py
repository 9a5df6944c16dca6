"""Published encoders: which ones are known, how their images are normalised, and what they cost.

The counts match what ``nn/backbone.py`` builds (``tests/test_backbones.py`` compares them), without torch or
transformers. An encoder that is not in the table is read from its folder: config.json and, if there is one,
preprocessor_config.json.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from shapeprof.errors import UsageError

from .encoder_spec import BACKBONE_FAMILIES, BackboneSpec
from .layer_cost import Grid, Layer, Operation, layer_norm, linear

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # RGB, of values in [0, 1]


@dataclass(frozen=True, slots=True)
class Published:
    """One published encoder."""

    name: str  # on huggingface.co, or a local folder
    config: dict[str, Any]  # of transformers: model_type, and what differs from its defaults
    mean: tuple[float, ...] = IMAGENET_MEAN  # of its own preprocessing
    std: tuple[float, ...] = IMAGENET_STD

    def encoder(self, output_stride: int, *, pretrained: bool = True) -> BackboneSpec:
        """Its spec.

        Raises:
            UsageError: its config can't be built here.
        """
        values = {"name": self.name, "config": self.config, "pretrained": pretrained}
        try:
            return BackboneSpec.model_validate({**values, "output_stride": output_stride})
        except ValidationError as error:
            why = "; ".join(e["msg"].removeprefix("Value error, ") for e in error.errors())
            raise UsageError(f"the encoder {self.name} can't be used: {why}") from None


def _resnet_config(layer_type: str, *depths: int) -> dict[str, Any]:
    wide = 4 if layer_type == "bottleneck" else 1
    sizes = [64 * wide, 128 * wide, 256 * wide, 512 * wide]
    family = {"model_type": "resnet", "embedding_size": 64, "layer_type": layer_type}
    return {**family, "depths": list(depths), "hidden_sizes": sizes}


def _convnext_config(width: int, *depths: int) -> dict[str, Any]:
    sizes = [width * 2**i for i in range(4)]
    return {"model_type": "convnext", "depths": list(depths), "hidden_sizes": sizes}


def _swin_config(width: int, *depths: int) -> dict[str, Any]:
    heads = [width // 32 * 2**i for i in range(4)]
    family = {"model_type": "swin", "embed_dim": width, "num_heads": heads, "window_size": 7}
    return {**family, "depths": list(depths)}


def _dinov2_config(width: int, depth: int) -> dict[str, Any]:
    family = {"model_type": "dinov2", "hidden_size": width, "num_hidden_layers": depth}
    return {**family, "num_attention_heads": width // 64, "patch_size": 14, "image_size": 518}


# config.json and preprocessor_config.json of each on huggingface.co; all of them use ImageNet's mean and std.
KNOWN = {
    name: Published(name, config)
    for name, config in {
        "microsoft/resnet-18": _resnet_config("basic", 2, 2, 2, 2),
        "microsoft/resnet-34": _resnet_config("basic", 3, 4, 6, 3),
        "microsoft/resnet-50": _resnet_config("bottleneck", 3, 4, 6, 3),
        "microsoft/resnet-101": _resnet_config("bottleneck", 3, 4, 23, 3),
        "microsoft/resnet-152": _resnet_config("bottleneck", 3, 8, 36, 3),
        "facebook/convnext-tiny-224": _convnext_config(96, 3, 3, 9, 3),
        "facebook/convnext-small-224": _convnext_config(96, 3, 3, 27, 3),
        "facebook/convnext-base-224": _convnext_config(128, 3, 3, 27, 3),
        "microsoft/swin-tiny-patch4-window7-224": _swin_config(96, 2, 2, 6, 2),
        "microsoft/swin-small-patch4-window7-224": _swin_config(96, 2, 2, 18, 2),
        "microsoft/swin-base-patch4-window7-224": _swin_config(128, 2, 2, 18, 2),
        "facebook/dinov2-small": _dinov2_config(384, 12),
        "facebook/dinov2-base": _dinov2_config(768, 12),
        "facebook/dinov2-large": _dinov2_config(1024, 24),
    }.items()
}


def find_encoder(name: str) -> Published:
    """The encoder with this name in ``KNOWN``, or the one saved in this folder.

    Raises:
        UsageError: there is no such encoder, or it is of an unknown family.
    """
    if name in KNOWN:
        return KNOWN[name]
    folder = Path(name)
    if (folder / "config.json").is_file():
        return _of_folder(folder)
    if folder.is_dir():
        raise UsageError(f"{name}: a folder without config.json; give one that save_pretrained has written")
    near = difflib.get_close_matches(name, KNOWN, 1, cutoff=0.4) or [k for k in KNOWN if name.lower() in k.lower()]
    hint = f"; did you mean {near[0]}?" if near else "."
    raise UsageError(f"no encoder is called {name!r}{hint} Known: {', '.join(KNOWN)}; or give the folder of one")


SHAPE_FIELDS = (  # fields of config.json that the network follows from; the others are left at their defaults
    *("image_size", "mlp_ratio", "qkv_bias", "layerscale_value", "layer_scale_init_value", "drop_path_rate"),
    *("num_stages", "downsample_in_bottleneck", "downsample_in_first_stage", "use_swiglu_ffn", "num_channels"),
    *("use_absolute_embeddings", "hidden_act", "layer_norm_eps", "patch_size"),
)


def _of_folder(folder: Path) -> Published:
    config = _json(folder / "config.json")
    family = config.get("model_type")
    if family not in BACKBONE_FAMILIES:
        known = ", ".join(BACKBONE_FAMILIES)
        raise UsageError(f"{folder / 'config.json'}: model_type is {family!r}; known: {known}")
    kept = ("model_type", *BACKBONE_FAMILIES[family], *SHAPE_FIELDS)
    settings = {name: config[name] for name in kept if name in config}
    images = _json(folder / "preprocessor_config.json") if (folder / "preprocessor_config.json").is_file() else {}
    mean, std = images.get("image_mean", IMAGENET_MEAN), images.get("image_std", IMAGENET_STD)
    return Published(folder.resolve().as_posix(), settings, tuple(mean), tuple(std))


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: can't be read ({error})") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path}: holds no object; give a folder that save_pretrained has written")
    return content


# Counts ---------------------------------------------------------------------------------------


def backbone_layers(encoder: BackboneSpec, channels: int, at: Grid) -> Iterator[Layer]:
    """Every layer of ``encoder`` for images of ``channels`` channels.

    Shapes are those inside the encoder: Swin pads its windows at the border, DINOv2 sees a resized image. Values kept
    for the backward pass are those that autograd keeps on a CPU, where attention without a bias (not Swin) is fused.
    """
    count = {"resnet": _resnet, "convnext": _convnext, "swin": _swin, "dinov2": _dinov2}[encoder.family]
    return count(encoder, channels, at)


def _positions(at: Grid, stride: int) -> int:
    rows, columns = at.at(stride)
    return rows * columns


def _resnet(encoder: BackboneSpec, channels: int, at: Grid) -> Iterator[Layer]:
    config = encoder.config
    width = config["embedding_size"]
    yield at(2, "encoder.stem", channels, width, 7, stride=2)
    # of a pooling: its result, and where each maximum was (int64, two numbers)
    yield Operation("encoder.pool", "other", kept_values=3 * width * _positions(at, 4), kernel=3, stride=2)
    stride, dilation = 4, 1
    stages = zip(encoder.stage_strides, encoder.stage_dilations, encoder.widths, config["depths"], strict=True)
    for i, (reached, dilated, outputs, depth) in enumerate(stages):
        for j in range(depth):
            name = f"encoder.stages.{i}.{j}"
            unit = encoder.multi_grid[j] if encoder.multi_grid and i == len(encoder.widths) - 1 else 1
            if width != outputs or (i and not j):
                yield at(reached, f"{name}.shortcut", width, outputs, 1, stride=reached // stride)
            for k, (inside, result, kernel, strided) in enumerate(_convolutions(config, width, outputs)):
                step = reached // stride if strided else 1
                stride *= step
                yield at(stride, f"{name}.{k}", inside, result, kernel, stride=step, dilation=unit * dilation)
                dilation = dilated if strided else dilation
            width = outputs


def _convolutions(config: dict[str, Any], inputs: int, outputs: int) -> list[tuple[int, int, int, bool]]:
    """Inputs, outputs, kernel of a ResNet block's convolutions, and which has the stride where there is one."""
    if config["layer_type"] == "basic":
        return [(inputs, outputs, 3, True), (outputs, outputs, 3, False)]
    inner, first = outputs // 4, bool(config.get("downsample_in_bottleneck", False))
    return [(inputs, inner, 1, first), (inner, inner, 3, not first), (inner, outputs, 1, False)]


def _convnext(encoder: BackboneSpec, channels: int, at: Grid) -> Iterator[Layer]:
    config = encoder.config
    width, stride, dilation = encoder.widths[0], 4, 1
    scaled = config.get("layer_scale_init_value", 1e-6) > 0
    yield at(4, "encoder.stem.patches", channels, width, 4, stride=4, norm=False)
    yield layer_norm("encoder.stem.norm", width, _positions(at, 4))
    stages = zip(encoder.stage_strides, encoder.stage_dilations, encoder.widths, config["depths"], strict=True)
    for i, (reached, dilated, outputs, depth) in enumerate(stages):
        name, n = f"encoder.stages.{i}", _positions(at, reached)
        if i:
            yield layer_norm(f"{name}.norm", width, _positions(at, stride))
            step = reached // stride
            yield at(reached, f"{name}.down", width, outputs, 2, stride=step, dilation=dilation, norm=False)
        width, stride, dilation = outputs, reached, dilated
        for j in range(depth):
            block = f"{name}.{j}"
            yield at(reached, f"{block}.depthwise", width, width, 7, dilation=dilated, groups=width, norm=False)
            yield layer_norm(f"{block}.norm", width, n)
            yield linear(f"{block}.expand", width, 4 * width, n, kept=2 * 4 * width)  # before and after the GELU
            yield linear(f"{block}.reduce", 4 * width, width, n, kept=width * scaled)
            yield Operation(f"{block}.scale", "other", width * scaled, kept_values=width * n)  # with the sum
        yield Operation(f"{name}.features", "other", kept_values=width * n)


def _swin(encoder: BackboneSpec, channels: int, at: Grid) -> Iterator[Layer]:
    config = encoder.config
    width, window, ratio = encoder.widths[0], config["window_size"], config.get("mlp_ratio", 4)
    yield at(4, "encoder.stem.patches", channels, width, 4, stride=4, norm=False)
    yield layer_norm("encoder.stem.norm", width, _positions(at, 4))
    stages = zip(encoder.stage_strides, encoder.widths, config["depths"], config["num_heads"], strict=True)
    for i, (stride, width, depth, heads) in enumerate(stages):
        name, n = f"encoder.stages.{i}", _positions(at, stride)
        if i:  # four neighbours are joined
            yield layer_norm(f"{name}.norm", 2 * width, 2 * n)  # and its input, which is made for it
            yield linear(f"{name}.down", 2 * width, width, n, kept=width, bias=False)
        rows, columns = (window * -(-side // window) for side in at.at(stride))
        filled = rows * columns  # up to whole windows
        for j in range(depth):
            yield from _attention(f"{name}.{j}", config, width, (n, filled, window**2), heads)
            yield from _mlp(f"{name}.{j}", width, int(ratio * width), n, scaled=False)
        yield Operation(f"{name}.features", "other", kept_values=width * n)


def _dinov2(encoder: BackboneSpec, channels: int, at: Grid) -> Iterator[Layer]:
    config = encoder.config
    width, patch, heads = config["hidden_size"], config["patch_size"], config["num_attention_heads"]
    n = _positions(at, encoder.output_stride)
    resized = patch != encoder.output_stride
    yield Operation("encoder.resize", "other", kept_values=channels * patch**2 * n * resized)
    at_patches = at(encoder.output_stride, "encoder.patches", channels, width, patch, stride=patch, norm=False)
    yield at_patches
    grid = config.get("image_size", 224) // patch
    n += 1  # the class token
    yield Operation("encoder.positions", "other", (grid**2 + 2) * width)
    for j in range(config["num_hidden_layers"]):
        yield from _attention(f"encoder.layers.{j}", config, width, (n, n, n), heads, fused=True)
        hidden = int(config.get("mlp_ratio", 4) * width)
        yield from _mlp(f"encoder.layers.{j}", width, hidden, n, scaled=True)
    yield layer_norm("encoder.norm", width, n)


def _attention(
    name: str, config: dict[str, Any], width: int, places: tuple[int, int, int], heads: int, *, fused: bool = False
) -> Iterator[Layer]:
    """Layers of one attention block.

    Args:
        name: of the block.
        config: of the encoder.
        width: channels.
        places: positions, positions with the padding of windows, and positions that each of those attends to.
        heads: of the attention.
        fused: without a bias and with a layer scale: only the logarithm of each softmax's sum is kept. Otherwise
            windows with a bias per relative position: the weights of the attention are kept.
    """
    n, filled, seen = places
    bias = bool(config.get("qkv_bias", True))
    yield layer_norm(f"{name}.norm", width, filled)
    for part in ("query", "key", "value"):
        yield linear(f"{name}.{part}", width, width, filled, kept=width, bias=bias)
    table = 0 if fused else (2 * config["window_size"] - 1) ** 2 * heads
    kept = heads * (1 if fused else seen) + width
    products = 2 * filled * seen * width
    yield Operation(f"{name}.attention", "attention", table, products, kept * filled)
    yield linear(f"{name}.out", width, width, filled, kept=width * fused)
    yield Operation(f"{name}.sum", "other", width * fused, kept_values=width * n)


def _mlp(name: str, width: int, hidden: int, n: int, *, scaled: bool) -> Iterator[Layer]:
    yield layer_norm(f"{name}.mlp.norm", width, n)
    yield linear(f"{name}.mlp.expand", width, hidden, n, kept=2 * hidden)  # before and after the GELU
    yield linear(f"{name}.mlp.reduce", hidden, width, n, kept=width * scaled)
    yield Operation(f"{name}.mlp.sum", "other", width * scaled, kept_values=width * n)
