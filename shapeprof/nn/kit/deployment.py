"""Files for machines without this folder: ``main`` writes the network as ONNX or as a torch.export program.

Both map images (batch, channels, rows, columns) float32, normalised, to logits (batch, classes, rows, columns). They
lack the heads that only training has. Classes, mean, std and the rest of the spec that users of a file need are
inside it and in a JSON file beside it. Every file is read back and must give this network's logits.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..network import SegmentationNetwork
from .checkpoint import load
from .errors import InputError
from .specfile import digest, read_spec

TOLERANCE = 1e-4  # of the largest logit: how far a file's logits may be from the network's
MESSAGE = 160  # characters of what an exporter or a runtime says
PACKAGES = ("onnx", "onnxscript", "onnxruntime")
Knobs = dict[str, Any]  # spec.yaml
Size = tuple[int, int]  # rows, columns
Run = Callable[[Tensor], Tensor]  # a file that was read back


class Written(NamedTuple):
    """What became of a file."""

    difference: float  # from the network's logits, share of the largest
    any_size: bool  # False: only batches of one image of the size that was asked for
    why: str = ""  # not any size


def main(argv: list[str] | None = None, folder: Path | None = None) -> int:
    """Write the files that are asked for. Returns the exit code."""
    options = _parser()
    asked = options.parse_args(argv)
    if not (asked.onnx or asked.torch_export):
        options.error("nothing to write: give --onnx FILE, --torch-export FILE or both")
    try:
        return _run(asked, folder or Path.cwd())
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description="Write the trained network for machines without this folder.")
    options.add_argument("--onnx", type=Path, metavar="FILE", help="for ONNX Runtime and others")
    options.add_argument("--torch-export", type=Path, metavar="FILE", help="for torch.export.load")
    options.add_argument(
        "--weights", type=Path, metavar="FILE", help="checkpoint (default: runs/last/best.pt beside spec.yaml)"
    )
    options.add_argument(
        "--size", type=int, nargs=2, metavar=("ROWS", "COLUMNS"), help="to check at (default: the crop)"
    )
    return options


def _run(asked: argparse.Namespace, folder: Path) -> int:
    spec = read_spec(folder / "spec.yaml")
    weights = asked.weights or folder / "runs" / "last" / "best.pt"
    if not weights.is_file():
        raise InputError(f"{weights} is missing: run train.py first, or name a checkpoint with --weights")
    size = tuple(asked.size or spec["training"]["crop"])
    if min(size) < 1:
        raise InputError(f"--size {size[0]} {size[1]}: expected rows and columns, as 512 512")
    network = load(folder, weights.resolve())
    for path, write in ((asked.onnx, write_onnx), (asked.torch_export, write_torch_export)):
        if path is None:
            continue
        result = write(network, path, spec, size)
        sizes = "any batch, rows and columns"
        if not result.any_size:
            sizes = f"only 1 image of {size[0]} x {size[1]} px a time ({result.why})"
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, takes {sizes};", end=" ")
        print(f"its logits differ by {result.difference:.1g} of the largest")
    return 0


def metadata(spec: Knobs) -> dict[str, Any]:
    """What a user of a file must know: how images are normalised, what the channels of the logits are."""
    known = {name: spec["input"][name] for name in ("channels", "order", "mean", "std", "train_size")}
    names = [str(each["name"]) for each in spec["classes"]]
    identity = {"ignore_index": spec["ignore_index"], "spec_digest": digest(spec)}
    return {"task": spec["task"], "classes": names, "background": spec["background"], **known, **identity}


def write_onnx(network: SegmentationNetwork, path: Path, spec: Knobs, size: Size) -> Written:
    """Write ``network`` as ONNX and run it in ONNX Runtime, at ``size`` (rows, columns) and at another.

    Raises:
        InputError: a package is missing, the file can't be written, or its logits aren't the network's.
    """
    if missing := missing_packages():
        raise InputError(f"ONNX needs {', '.join(missing)}: pip install {' '.join(missing)}")

    def attempt(draft: Path, example: Tensor, *, any_size: bool) -> Run:
        import onnxruntime

        names = ({0: "batch", 2: "rows", 3: "columns"},) if any_size else None
        arguments: dict[str, Any] = {"input_names": ["image"], "output_names": ["logits"], "dynamo": True}
        with _without_noise(), sdpa_kernel(SDPBackend.MATH):  # fused attention has no translation
            program = torch.onnx.export(bare, (example,), dynamic_shapes=names, verbose=False, **arguments)
        assert program is not None
        properties = {name: json.dumps(value) for name, value in metadata(spec).items()}
        program.model.metadata_props.update(properties)
        program.save(str(draft), external_data=False)
        quiet = onnxruntime.SessionOptions()
        quiet.log_severity_level = 4  # errors are raised as well
        session = onnxruntime.InferenceSession(str(draft), quiet, providers=["CPUExecutionProvider"])
        return lambda image: torch.from_numpy(session.run(None, {"image": image.numpy()})[0])

    bare = network.without_training_heads().cpu()
    return _checked(bare, path, spec, size, attempt)


def write_torch_export(network: SegmentationNetwork, path: Path, spec: Knobs, size: Size) -> Written:
    """Write ``network`` for ``torch.export.load`` and run it again, at ``size`` (rows, columns) and at another.

    Raises:
        InputError: the file can't be written, or its logits aren't the network's.
    """

    def attempt(draft: Path, example: Tensor, *, any_size: bool) -> Run:
        free = torch.export.Dim.DYNAMIC
        shapes = ({0: free, 2: free, 3: free},) if any_size else None
        with _without_noise():
            program = torch.export.export(bare, (example,), dynamic_shapes=shapes)
            torch.export.save(program, draft, extra_files={"metadata.json": json.dumps(metadata(spec))})
            return torch.export.load(draft).module()

    bare = network.without_training_heads().cpu()
    return _checked(bare, path, spec, size, attempt)


def missing_packages() -> list[str]:
    """What ONNX needs and is not installed."""
    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


def _checked(network: SegmentationNetwork, path: Path, spec: Knobs, size: Size, attempt: Callable[..., Run]) -> Written:
    """Write for any size; where that does not work, for ``size`` alone."""
    draft = path.with_name(
        f"{path.stem}.draft{path.suffix}"
    )  # an earlier file stays until this one is known to be good
    try:
        if path.is_dir():
            raise IsADirectoryError(0, "it is a folder")
        draft.touch()
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror}") from None
    channels, why = spec["input"]["channels"], ""
    other = (size[0] * 3 // 4 + 3, size[1] // 2 + 5)
    for any_size in (True, False):
        trials = [(1, channels, *size), (2, channels, *other)] if any_size else [(1, channels, *size)]
        example = torch.randn(2 if any_size else 1, channels, *size)
        try:
            run = attempt(draft, example, any_size=any_size)
            difference = max(_difference(network, run, torch.randn(shape)) for shape in trials)
        except Exception as error:  # noqa: BLE001  exporters and runtimes raise anything; the user sees it
            why = (str(error).strip().splitlines() or [type(error).__name__])[0][:MESSAGE]
            continue
        if difference <= TOLERANCE:
            draft.replace(path)
            beside = path.with_name(f"{path.name}.json")
            beside.write_text(json.dumps(metadata(spec), indent=2) + "\n", encoding="utf-8")
            return Written(difference, any_size, why)
        why = f"logits differ by {difference:.1g} of the largest, over {TOLERANCE:g}"
    draft.unlink(missing_ok=True)
    raise InputError(f"{path} can't be written so that it gives this network's logits: {why}")


@torch.no_grad()
def _difference(network: SegmentationNetwork, run: Run, image: Tensor) -> float:
    """Largest difference of the logits for ``image``, as a share of the largest of them."""
    expected = network(image)
    assert isinstance(expected, Tensor)
    return float((run(image) - expected).abs().max() / expected.abs().max().clamp(min=1e-12))


@contextmanager
def _without_noise() -> Iterator[None]:
    """Silence what the exporters say of themselves and nobody here can mend."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it misses torchvision, which nothing here uses
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)`", FutureWarning)
            yield
    finally:
        logger.setLevel(level)
