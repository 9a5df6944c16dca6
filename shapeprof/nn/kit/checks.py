"""What can be checked of a network in seconds, and what any check is about.

A check is a function that returns what it found as a sentence; it raises ``Failed``, or ``LeftOut`` where there is
nothing to check.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ..data import Reader, read_pairs
from ..losses import loss_of
from ..network import SegmentationNetwork, TrainingOutput, build
from .checkpoint import read, restore, save
from .errors import InputError
from .specfile import digest, read_spec

ODD_SIZES = ((67, 45), (1, 1), (33, 97))  # rows, columns: no multiples of anything
SMALL = (96, 128)  # px, where any size would do
READ = {True: 8, False: 64}  # pairs that are read, quick or not

Knobs = dict[str, Any]


class Failed(Exception):
    """What was found, what was expected."""


class LeftOut(Exception):
    """Why there is nothing to check."""


@dataclass
class Subject:
    """What is checked, and the numbers that checks leave behind."""

    folder: Path
    spec: Knobs
    device: torch.device
    quick: bool
    figures: dict[str, float] = field(default_factory=dict)
    network: SegmentationNetwork | None = None

    @property
    def built(self) -> SegmentationNetwork:
        """The network, in training mode; checks leave it usable but not as it was."""
        if self.network is None:
            raise LeftOut("there is no network")
        return self.network.train()

    @property
    def crop(self) -> tuple[int, int]:
        """Rows and columns of a training crop, px."""
        rows, columns = self.spec["training"]["crop"]
        return rows, columns

    def images(self, batch: int, size: tuple[int, int]) -> Tensor:
        """Noise, (batch, channels, rows, columns)."""
        return torch.randn(batch, self.spec["input"]["channels"], *size, device=self.device)

    def targets(self, batch: int, size: tuple[int, int]) -> Tensor:
        """Random targets: (batch, rows, columns), or multi-label (batch, classes, rows, columns)."""
        classes = len(self.spec["classes"])
        if self.spec["task"] == "multi-label":
            return torch.randint(2, (batch, classes, *size), device=self.device)
        return torch.randint(classes, (batch, *size), device=self.device)


def builds(subject: Subject) -> str:
    """The network of the spec, as nn/network.py has it."""
    try:
        loss_of(subject.spec)
        subject.network = build(subject.spec).to(subject.device)
    except (InputError, ValueError) as error:
        raise Failed(str(error)) from None
    kept = _size(subject.network.without_training_heads())
    subject.figures["parameters"] = kept
    subject.figures["training_parameters"] = _size(subject.network)
    more = subject.figures["training_parameters"] - kept
    return f"{kept:,} parameters, and {more:,} in heads that only training has" if more else f"{kept:,} parameters"


def data_fits(subject: Subject) -> str:
    """dataset.csv: its files are there, and those that are read fit the spec."""
    table = subject.folder / "dataset.csv"
    if not table.is_file():
        raise LeftOut("no dataset.csv: export again with --images to pair images and masks")
    reader = Reader(subject.spec)
    pairs = [pair for pair in read_pairs(table) if pair.split in ("train", "val")]
    train = sum(pair.split == "train" for pair in pairs)
    if not train:
        raise Failed(f"dataset.csv has {len(pairs)} pairs, but none whose split is 'train'")
    chosen = np.unique(np.linspace(0, len(pairs) - 1, READ[subject.quick]).astype(int))
    for number in chosen:
        reader.native(pairs[number])
    return f"{train:,} pairs to train, {len(pairs) - train:,} held out; the {len(chosen)} that were read fit the spec"


def heads_come_and_go(subject: Subject) -> str:
    """Training-only outputs are there in training and not in evaluation, and dropping them changes no logit."""
    network, model = subject.built, subject.spec["model"]
    auxiliary, deep = len(model["auxiliary_heads"]), len(model["deep_supervision"])
    images = subject.images(2, SMALL)
    output = network(images)
    if not isinstance(output, TrainingOutput) or len(output.auxiliary) != auxiliary + deep:
        raise Failed(f"in training {_described(output)}; expected logits and {auxiliary + deep} more")
    with torch.no_grad():
        logits = network.eval()(images)
        if not isinstance(logits, Tensor):
            raise Failed(f"in evaluation {_described(logits)}; expected logits alone")
        if not torch.equal(network.without_training_heads()(images), logits):
            raise Failed("without the training-only heads the logits are others")
    return f"{auxiliary} auxiliary heads and {deep} of deep supervision in training, none in evaluation"


def gradients_arrive(subject: Subject) -> str:
    """Every parameter gets a gradient from the loss of the spec: finite, and not 0 everywhere."""
    network = subject.built
    network.zero_grad()
    loss_of(subject.spec).to(subject.device)(network(subject.images(2, SMALL)), subject.targets(2, SMALL)).backward()
    wanted = {name: p.grad for name, p in network.named_parameters() if p.requires_grad}
    lost = [name for name, grad in wanted.items() if grad is None or not bool(grad.isfinite().all() and grad.any())]
    if lost:
        raise Failed(f"{len(lost)} of {len(wanted)} parameters get none: {', '.join(lost[:5])}")
    heads = 1 + len(network.auxiliary_heads) + len(network.deep_supervision)
    return f"all {len(wanted)} parameters get one (heads: {heads})"


def odd_sizes_pass(subject: Subject) -> str:
    """Forward and backward at sizes that are no multiples; logits at the image's size."""
    network, loss = subject.built, loss_of(subject.spec).to(subject.device)
    for size in ODD_SIZES:
        output = network.train()(subject.images(2, size))
        loss(output, subject.targets(2, size)).backward()
        with torch.no_grad():
            logits = network.eval()(subject.images(1, size))
        for each in (output.logits, *output.auxiliary, logits):
            if each.shape[1:] != (len(subject.spec["classes"]), *size) or not bool(each.isfinite().all()):
                raise Failed(f"an image of {size[0]} x {size[1]} px gives {_described(each)}")
    return "forward and backward at " + ", ".join(f"{rows} x {columns}" for rows, columns in ODD_SIZES)


def rates_fit(subject: Subject) -> str:
    """No convolution is dilated so far that its outer weights see nothing but padding at the planned crop."""
    # Name: reach of its outer weights, shorter side of what it reads.
    dilated: dict[str, tuple[int, int]] = {}

    def note(name: str, conv: nn.Conv2d) -> Callable[..., None]:
        reach = max(d * (k // 2) for d, k in zip(conv.dilation, conv.kernel_size, strict=True))
        return lambda module, inputs, output: dilated.update({name: (reach, min(inputs[0].shape[2:]))})

    network = _on_paper(subject)
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and max(module.dilation) > 1 and max(module.kernel_size) > 1:
            module.register_forward_hook(note(name, module))
    _planned_forward(network, subject)
    rows, columns = subject.crop
    for name, (reach, side) in dilated.items():
        if reach >= side:
            raise Failed(
                f"{name} reaches {reach} features, but a crop of {rows} x {columns} px has {side} there: its outer "
                f"weights see padding alone. Use rates under {side}, or a larger crop"
            )
    if not dilated:
        raise LeftOut("no convolution is dilated")
    widest = max(reach for reach, _ in dilated.values())
    fewest = min(side for _, side in dilated.values())
    return f"{len(dilated)} dilated convolutions; the widest reaches {widest} of {fewest} features"


def counts_agree(subject: Subject) -> str:
    """Parameters, and multiply-accumulates at the planned crop, of the network without its training-only heads."""
    network, derived = _on_paper(subject), subject.spec["derived"]
    with FlopCounterMode(display=False) as counter:
        _planned_forward(network, subject)
    subject.figures["macs"] = macs = counter.get_total_flops() // 2
    found = {"parameters": _size(network), "macs": macs}
    wrong = [f"{n} {found[n]:,}, spec.yaml has {derived[n]:,}" for n in found if found[n] != derived[n]]
    if wrong:
        raise Failed("; ".join(wrong))
    return f"{found['parameters']:,} parameters and {macs / 1e9:.2f} GMAC a crop, as in spec.yaml"


def checkpoints_hold(subject: Subject) -> str:
    """Saved and loaded, the network gives the same logits; a checkpoint of another spec is refused."""
    network, spec, images = subject.built, subject.spec, subject.images(1, SMALL)
    other = {**spec, "ignore_index": spec["ignore_index"] - 1}
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        path = Path(folder) / "a.pt"
        save(path, network, spec, step=0, miou=math.nan)
        loaded = build(spec).to(subject.device)
        restore(path, loaded, read_spec(subject.folder / "spec.yaml"))
        if not torch.equal(loaded.eval()(images), network.eval()(images)):
            raise Failed("the loaded network gives other logits than the one that was saved")
        try:
            read(path, other)
        except InputError:
            pass
        else:
            raise Failed("a checkpoint is taken for one of another spec.yaml")
    kept = [path for path in sorted(subject.folder.glob("runs/*/*.pt")) if path.name in ("best.pt", "last.pt")]
    for path in kept:
        read(path, spec)
    trained = f"; {len(kept)} under runs are of this spec" if kept else ""
    return f"equal logits, spec digest {digest(spec)[:12]}{trained}"


def _size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _described(output: Any) -> str:
    if isinstance(output, Tensor):
        finite = "" if bool(output.isfinite().all()) else ", not all finite"
        return f"logits of shape {tuple(output.shape)}{finite}"
    return f"logits and {len(output.auxiliary)} more" if isinstance(output, TrainingOutput) else repr(type(output))


def _on_paper(subject: Subject) -> SegmentationNetwork:
    """A copy that predicts, whose tensors have shapes and no values."""
    return subject.built.without_training_heads().to("meta")


def _planned_forward(network: SegmentationNetwork, subject: Subject) -> None:
    with torch.no_grad():
        network(torch.empty(1, subject.spec["input"]["channels"], *subject.crop, device="meta"))
