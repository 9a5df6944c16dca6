"""The prediction script: class maps of the user's own images, and a picture of each with the classes laid over it.

Class maps are written as ``data.py`` reads masks: class ids, or multi-label bit fields.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from .data import Image, Reader, pack_bits, read_image, resize_image
from .kit.checkpoint import load
from .kit.errors import InputError
from .kit.evaluation import class_names
from .kit.figure import displayed, paint, palette
from .kit.inference import GRID, WINDOW, class_map
from .kit.progress import Bar
from .kit.specfile import read_spec
from .network import SegmentationNetwork

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
STRENGTH = 0.5  # of the colours over the image


def main(argv: list[str] | None = None, folder: Path | None = None) -> int:
    """Predict with the model of ``folder`` (default: the current one). Returns the exit code."""
    options = _parser().parse_args(argv)
    try:
        return _run(options, folder or Path.cwd())
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except torch.cuda.OutOfMemoryError:
        print(
            f"error: the GPU's memory is full; use a smaller --window than {options.window}, or --device cpu",
            file=sys.stderr,
        )
        return 1


def _parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description="Predict the classes of images with a trained model.")
    options.add_argument("images", type=Path, nargs="+", help="images, or folders of images")
    options.add_argument("--out", type=Path, default=Path("predictions"), help="folder for the results")
    options.add_argument("--weights", type=Path, help="checkpoint (default: runs/last/best.pt beside spec.yaml)")
    options.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    options.add_argument("--no-overlay", action="store_true", help="write class maps only")
    options.add_argument(
        "--window",
        type=int,
        default=WINDOW,
        metavar="PX",
        help="side of the overlapping windows that larger images are predicted in (default: %(default)s)",
    )
    return options


def _run(options: argparse.Namespace, folder: Path) -> int:
    if options.window < 2 * GRID:
        raise InputError(f"--window {options.window}: expected {2 * GRID} px or more")
    spec = read_spec(folder / "spec.yaml")
    weights = options.weights or folder / "runs" / "last" / "best.pt"
    if not weights.is_file():
        raise InputError(f"{weights} is missing: run train.py first, or name a checkpoint with --weights")
    images = list(_images(options.images, overlays=not options.no_overlay))
    if options.device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: torch finds no CUDA device; use --device cpu")
    cuda = options.device == "cuda" or (options.device == "auto" and torch.cuda.is_available())
    network = load(folder, weights.resolve()).to("cuda" if cuda else "cpu")
    print(f"{len(images)} images, classes {', '.join(class_names(spec))}")
    colours, bar, failed = palette(len(spec["classes"]), spec["background"]), Bar(len(images)), 0
    for number, (path, relative) in enumerate(images, start=1):
        try:
            image = read_image(path, spec["input"]["channels"])
        except InputError as error:
            bar.clear()
            print(f"left out: {error}", file=sys.stderr)
            failed += 1
            continue
        classes = predict(network, image, spec, window=options.window)
        target = options.out / relative
        _write(target, pack_bits(classes) if classes.ndim == 3 else classes)
        if not options.no_overlay:
            painted = overlay(image, classes, colours, spec["background"])
            _write(_overlay_path(target), painted[:, :, ::-1])
        bar.show(number)
    bar.clear()
    print(f"{len(images) - failed} class maps in {options.out}" + (f"; {failed} images left out" if failed else ""))
    return 1 if failed else 0


def predict(network: SegmentationNetwork, image: Image, spec: dict[str, Any], *, window: int = WINDOW) -> NDArray[Any]:
    """The classes of an image (H, W, C) as ``read_image`` gives it.

    (H, W) class ids, uint8 (uint16 for more than 255 classes); multi-label (classes, H, W) bool. Images beyond
    ``window`` px are predicted in overlapping windows.
    """
    reader, device = Reader(spec), next(network.parameters()).device
    size = (image.shape[0], image.shape[1])
    scaled = reader.tensor(resize_image(image, reader.training_size(size)))
    predicted = class_map(network, scaled.to(device), size, window=window, multi_label=reader.multi_label)
    classes: NDArray[Any] = predicted.cpu().numpy()
    if reader.multi_label:
        return classes
    return classes.astype(np.uint8 if len(spec["classes"]) <= 255 else np.uint16)


def overlay(
    image: Image, classes: NDArray[Any], colours: NDArray[np.uint8], background: int | None
) -> NDArray[np.uint8]:
    """The image as RGB (H, W, 3) with the colour of its class over every pixel that is no background.

    ``classes`` as ``predict`` gives them: the colours of several classes mix, and what is of none stays as it is.
    """
    seen, painted = displayed(image).astype(np.float32), paint(classes, colours).astype(np.float32)
    strength = np.full((*seen.shape[:2], 1), STRENGTH, np.float32)
    if classes.ndim == 3:
        strength[~classes.any(axis=0)] = 0
    elif background is not None:
        strength[classes == background] = 0
    mixed: NDArray[np.uint8] = np.rint(seen + strength * (painted - seen)).astype(np.uint8)
    return mixed


def _images(given: list[Path], *, overlays: bool) -> Iterator[tuple[Path, Path]]:
    """(image, the path of its class map in the results): where stems clash, the suffix stays in the name."""
    found: list[tuple[Path, Path]] = []
    for path in given:
        if not path.exists():
            raise InputError(f"{path}: no such image or folder")
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        if not inside:
            raise InputError(f"{path} holds no images; expected {', '.join(SUFFIXES)}")
        found += [(p, p.relative_to(path) if path.is_dir() else Path(p.name)) for p in inside]
    stems = Counter(relative.with_suffix("") for _, relative in found)
    taken: dict[Path, Path] = {}  # what is written, and for which image
    for image, relative in found:
        target = relative.with_suffix(".png")
        if stems[relative.with_suffix("")] > 1:
            target = relative.with_name(f"{relative.name}.png")
        written = {target, _overlay_path(target)} if overlays else {target}
        if clash := sorted(written & taken.keys()):
            raise InputError(
                f"{image}: its results would be written over those of {taken[clash[0]]}; give their common folder "
                "instead of each, or rename one"
            )
        taken |= dict.fromkeys(written, image)
        yield image, target


def _overlay_path(target: Path) -> Path:
    return target.with_name(f"{target.stem}_overlay.png")


def _write(path: Path, pixels: NDArray[Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", np.ascontiguousarray(pixels))[1].tobytes())
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror}") from None
