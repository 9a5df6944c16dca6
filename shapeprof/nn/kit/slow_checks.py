"""What takes longer to check: a step as planned, the receptive field, whether it learns, whether it can be deployed."""

from __future__ import annotations

import copy
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import default_collate

from ..data import Crops, read_pairs
from ..network import SegmentationNetwork, build
from ..train import Optimisation
from .checks import Failed, Knobs, LeftOut, Subject
from .deployment import missing_packages, write_onnx, write_torch_export
from .errors import InputError
from .progress import duration
from .receptive_field import effective_field, theoretical_field

TIMED_STEPS, LONGEST = 3, 30.0  # steps that are timed, unless they take more seconds
LEARNED_STEPS = 300  # at most, to learn one batch by heart
LEARNED_LOSS = 0.5  # asked for, as a share of the first loss
LEARNED_ACCURACY = 0.95  # asked for, of the pixels
LEARNED_BATCH, LEARNED_CROP = 4, 64  # px; at least 8 x 8 logits
PASSING = 1.4  # memory of a step over the estimate, which leaves out passing gradients and workspace (measured: 1.35)
FIELD_RATIO = (0.5, 1.25)  # effective field over its estimate, which leaves out shortcuts and 1x1 branches


def planned_step_runs(subject: Subject) -> str:
    """Forward and backward at the planned crop and batch, timed; and its memory, where that can be measured."""
    training, figures = subject.spec["training"], subject.figures
    needed, free = 1e9 * subject.spec["derived"]["memory_gb"] * PASSING, _available()
    if subject.device.type == "cpu" and 0 < free < needed:
        raise LeftOut(f"it may need {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free here")
    network, crops = copy.deepcopy(subject.built), training["batch"] * training["accumulate"]
    rate, accumulate = training["learning_rate"], training["accumulate"]
    optimisation = Optimisation(network, subject.spec, steps=9, learning_rate=rate, accumulate=accumulate)
    images, targets = subject.images(crops, subject.crop), subject.targets(crops, subject.crop)
    seconds, started, memory = math.inf, time.monotonic(), Memory(subject.device)
    for _ in range(TIMED_STEPS):
        before = time.monotonic()
        loss = optimisation.step(images, targets).item()
        seconds = min(seconds, time.monotonic() - before)
        if not math.isfinite(loss):
            raise Failed(f"the loss of noise is {loss} at the planned crop and batch")
        if time.monotonic() - started > LONGEST:
            break
    figures["steps_per_second"], figures["training_seconds"] = 1 / seconds, seconds * training["steps"]
    rows, columns = subject.crop
    text = f"{crops} crops of {rows} x {columns} px in {duration(seconds)} on {subject.device.type}, "
    text += f"so {training['steps']:,} steps in {duration(figures['training_seconds'])} without loading"
    if (taken := memory.taken()) is not None:
        figures["memory_gb"] = taken / 1e9
        text += f"; {taken / 1e9:.2f} GB ({subject.spec['derived']['memory_gb']:.2f} estimated)"
    return text


def receptive_field_agrees(subject: Subject) -> str:
    """The field behind encoder and context, by gradient, against the spec and against what objects measure."""
    derived, channels = subject.spec["derived"], subject.spec["input"]["channels"]
    expected, estimated = derived["receptive_field"], derived["effective_receptive_field"]
    if expected is None:
        raise LeftOut("attention sees the whole image")
    network = copy.deepcopy(subject.built).cpu()
    found = theoretical_field(network, channels, expected)
    if found != (expected, expected):
        raise Failed(f"a feature depends on {found[0]} x {found[1]} px, spec.yaml has {expected}")
    multiple = network.encoder.multiple
    seen = effective_field(network, channels, (int(1.3 * estimated) // multiple + 2) * multiple)
    subject.figures |= {"receptive_field": expected, "effective_receptive_field": seen}
    text = f"{expected} px in theory, as in spec.yaml; 95 % from {seen:.0f} px ({estimated:.0f} estimated)"
    own = subject.spec["model"]["encoder"]["kind"] == "residual"  # others don't start at random weights
    if own and not FIELD_RATIO[0] <= seen / estimated <= FIELD_RATIO[1]:
        raise Failed(text)
    reasons = [each for each in subject.spec["rationale"] if "model.context" in each["sets"]]
    if sized := [each for each in reasons if each["statistic"] == "feret_p90" and each["measured"]]:
        extent, name = sized[0]["measured"], sized[0]["binding_class"]
        text += f"; nine in ten objects of {name} are under {extent:.0f} px"
    return text


def one_batch_is_learned(subject: Subject) -> str:
    """Trained on one batch alone, the network learns it by heart, training-only heads included."""
    spec = copy.deepcopy(subject.spec)
    spec["training"] |= {"warmup_steps": 5, "encoder_rate": 1.0, "ema": 0.0, "foreground_share": 1.0}
    spec["training"] |= {"scale": [1.0, 1.0], "jitter": 0.0}
    images, targets, origin = _batch(subject, spec)
    torch.manual_seed(spec["training"]["seed"])
    network = build(spec).to(subject.device)
    rate = spec["training"]["learning_rate"]
    # Of a run ten times as long: the learning rate stays what it is.
    optimisation = Optimisation(network, spec, steps=10 * LEARNED_STEPS, learning_rate=rate)
    first = last = accuracy = math.nan
    for number in range(1, LEARNED_STEPS + 1):
        last = optimisation.step(images, targets).item()
        first = last if number == 1 else first
        if number % 10 == 0:
            accuracy = _accuracy(network, images, targets.to(subject.device), spec)
            if last <= LEARNED_LOSS * first and accuracy > LEARNED_ACCURACY:
                break
    result = f"{len(images)} {origin}: loss {first:.2f} to {last:.2f}, {accuracy:.1%} of pixels right, {number} steps"
    if not (last <= LEARNED_LOSS * first and accuracy > LEARNED_ACCURACY):
        raise Failed(f"{result}; expected {LEARNED_LOSS:.0%} of the first loss and {LEARNED_ACCURACY:.0%}")
    return result


def torch_export_agrees(subject: Subject) -> str:
    """Written for torch.export and loaded again, the network gives the same logits."""
    return _deployed(subject, write_torch_export, "a.pt2")


def onnx_agrees(subject: Subject) -> str:
    """Written as ONNX and run by ONNX Runtime, the network gives the same logits."""
    if missing := missing_packages():
        raise LeftOut(f"{', '.join(missing)} not installed: pip install {' '.join(missing)}")
    return _deployed(subject, write_onnx, "a.onnx")


def _batch(subject: Subject, spec: Knobs) -> tuple[Tensor, Tensor, str]:
    """Images and targets to learn by heart, and what they are."""
    side = max(LEARNED_CROP, 8 * spec["model"]["decoder"]["logit_stride"])
    crop = (min(side, subject.crop[0]), min(side, subject.crop[1]))
    table = subject.folder / "dataset.csv"
    pairs = [pair for pair in read_pairs(table) if pair.split == "train"] if table.is_file() else []
    if pairs:
        crops = Crops(pairs, spec, crop=crop, count=LEARNED_BATCH, seed=spec["training"]["seed"])
        images, targets = default_collate([crops[i] for i in range(LEARNED_BATCH)])
        return images, targets, f"crops of {crop[0]} x {crop[1]} px from dataset.csv"
    return *_shapes(spec, crop), f"synthetic images of {crop[0]} x {crop[1]} px"


def _shapes(spec: Knobs, crop: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """A rectangle in each, of one of the first classes, brighter than those before; and a little noise."""
    classes, channels = len(spec["classes"]), spec["input"]["channels"]
    multi_label = spec["task"] == "multi-label"
    labels = torch.zeros(LEARNED_BATCH, *crop, dtype=torch.int64)
    rows, columns = crop[0] // 2, crop[1] // 2
    for i, one in enumerate(labels):
        value = 1 + i % (classes if multi_label else classes - 1)
        top, left = (i % 2) * rows // 2, (i // 2) * columns // 2
        one[top : top + rows, left : left + columns] = value
    images = 0.1 * torch.randn(LEARNED_BATCH, channels, *crop) + labels.unsqueeze(1) - 1
    if multi_label:
        labels = (labels.unsqueeze(1) == torch.arange(1, classes + 1)[:, None, None]).long()
    return images, labels


@torch.no_grad()
def _accuracy(network: SegmentationNetwork, images: Tensor, targets: Tensor, spec: Knobs) -> float:
    """Share of the pixels (multi-label: and classes) that are not ignored and come out right, in training mode."""
    logits = network.train()(images.to(targets.device)).logits
    right = (logits > 0) == (targets == 1) if targets.ndim == 4 else logits.argmax(1) == targets
    counted = targets != spec["ignore_index"]
    return float((right & counted).sum() / counted.sum().clamp(min=1))


def _deployed(subject: Subject, write: Callable[..., Any], name: str) -> str:
    network = copy.deepcopy(subject.built)
    nn.init.normal_(network.head[-1].get_parameter("weight"))  # logits as far apart as a trained network's
    with tempfile.TemporaryDirectory() as folder:
        try:
            written = write(network, Path(folder) / name, subject.spec, subject.crop)
        except InputError as error:
            raise Failed(str(error)) from None
    rows, columns = subject.crop
    result = f"logits differ by {written.difference:.1g} of the largest"
    if not written.any_size:
        return f"{result}, at 1 x {rows} x {columns} px; other sizes don't work: {written.why}"
    return f"{result}, at {rows} x {columns} px and at another size and batch"


class Memory:
    """What is allocated from now on: on a GPU by torch's count, on Linux by the growth of resident memory."""

    def __init__(self, device: torch.device) -> None:
        self.cuda = device.type == "cuda"
        if self.cuda:
            torch.cuda.reset_peak_memory_stats()
        else:
            self.before, self.peak = _resident()

    def taken(self) -> float | None:
        """Peak memory in bytes; None where the system does not report it."""
        if self.cuda:
            return float(torch.cuda.max_memory_allocated())
        peak = _resident()[1]
        return peak - self.before if peak > self.peak else None  # else something before took more


def _resident() -> tuple[float, float]:
    """Bytes of resident memory now and at its peak; 0 where the system does not tell them."""
    status = _linux_status("/proc/self/status")
    return status.get("VmRSS", 0.0), status.get("VmHWM", 0.0)


def _available() -> float:
    """Bytes of memory that are free; 0 where the system does not tell."""
    return _linux_status("/proc/meminfo").get("MemAvailable", 0.0)


def _linux_status(name: str) -> dict[str, float]:
    """The sizes that a file of /proc lists, in bytes."""
    lines = Path(name).read_text().splitlines() if Path(name).is_file() else []
    parts = [line.split() for line in lines]
    return {part[0].rstrip(":"): 1024.0 * int(part[1]) for part in parts if len(part) == 3 and part[2] == "kB"}
