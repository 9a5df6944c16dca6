"""What one run does: the spec's training block, changed by the command line."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..data import Pair
from . import distributed
from .errors import InputError
from .inference import GRID, WINDOW
from .optimiser import default_precision

MAX_WORKERS = 8  # loader processes on a machine with a GPU (chosen)
LOG_ROWS = 100  # rows that log.csv gets at least, beside those of the evaluations
MAX_LOG_STEPS = 100  # steps between two rows at most
EVALUATIONS = 10  # per run, unless --eval-every says otherwise
LARGEST = 2**31  # of a whole number on the command line
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Plan:
    """Everything that may differ between two runs of one spec."""

    steps: int
    batch: int  # crops, over all processes
    accumulate: int  # batches whose gradients one step adds up
    crop: tuple[int, int]  # rows, columns, px at training scale
    learning_rate: float
    device: torch.device
    workers: int  # loader processes; 0: the crops are cut in this one
    seed: int
    out: Path
    eval_every: int  # steps between two evaluations
    log_every: int  # steps between two rows of log.csv
    precision: torch.dtype  # of the forward pass
    compiled: bool
    window: int  # side, px, of the windows that large images are evaluated in

    def crop_numbers(self, step: int) -> list[int]:
        """Numbers of the crops that this process trains on in ``step`` (0-based), one batch behind the other."""
        share = self.batch // distributed.size()
        starts = (
            (step * self.accumulate + i) * self.batch + distributed.rank() * share for i in range(self.accumulate)
        )
        return [number for start in starts for number in range(start, start + share)]

    def course(self, training: Mapping[str, Any], pairs: list[Pair]) -> dict[str, Any]:
        """All that decides how training goes; ``training`` is spec.yaml's block."""
        chosen = ("steps", "batch", "accumulate", "learning_rate", "seed", "eval_every", "window")
        own = {name: getattr(self, name) for name in chosen}
        counts = {f"pairs of {side}": sum(p.split == side for p in pairs) for side in ("train", "val")}
        return {**training, **own, **counts, "crop": list(self.crop), "precision": name_of(self.precision)}


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description="Train the model that spec.yaml describes on dataset.csv.")
    whole = _at_least(1)
    options.add_argument("--steps", type=whole, help="training steps (default: spec.yaml)")
    options.add_argument("--batch", type=whole, help="crops per batch, over all processes (default: spec.yaml)")
    options.add_argument("--accumulate", type=whole, help="batches per step (default: spec.yaml)")
    options.add_argument("--crop", type=whole, nargs="+", metavar="PX", help="side, or rows and columns, of a crop")
    options.add_argument("--lr", type=float, help="highest learning rate (default: spec.yaml)")
    options.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    options.add_argument("--workers", type=_at_least(0), help="processes that cut crops (default: 0 on a CPU)")
    options.add_argument("--seed", type=_at_least(0), help="of weights and crops (default: spec.yaml)")
    options.add_argument("--out", type=Path, help="folder for the results (default: runs/last beside spec.yaml)")
    options.add_argument("--eval-every", type=whole, help="steps between evaluations (default: a tenth)")
    options.add_argument("--threads", type=whole, help="CPU threads (default: torch's choice)")
    options.add_argument("--resume", action="store_true", help="go on from last.pt in --out")
    options.add_argument("--precision", choices=("auto", *PRECISIONS), default="auto", help="of the forward pass")
    options.add_argument(
        "--window", type=_at_least(2 * GRID), default=WINDOW, help="side of the windows of evaluations, px"
    )
    options.add_argument("--compile", action="store_true", help="compile the network with torch.compile")
    options.add_argument("--deterministic", action="store_true", help="equal runs on a GPU too, by slower operations")
    return options


def _at_least(lowest: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not lowest <= int(text) < LARGEST:
            raise argparse.ArgumentTypeError(f"{text} is not between {lowest} and {LARGEST - 1}")
        return int(text)

    return number


def plan_of(options: argparse.Namespace, training: dict[str, Any], folder: Path) -> Plan:
    """``training`` is spec.yaml's block; ``folder`` holds the results where ``options`` name no other."""
    device = _device(options.device)
    if options.lr is not None and not 0 < options.lr < math.inf:
        raise InputError(f"--lr {options.lr}: expected a positive number")
    crop = options.crop or training["crop"]
    if len(crop) > 2:
        raise InputError(f"--crop takes one side, or rows and columns; got {len(crop)} numbers")
    steps, batch, processes = (
        options.steps or training["steps"],
        options.batch or training["batch"],
        distributed.size(),
    )
    if batch % processes:
        nearest = max(1, round(batch / processes)) * processes
        raise InputError(
            f"a batch of {batch} crops can't be shared by {processes} processes; the nearest: --batch {nearest}"
        )
    workers = options.workers
    if workers is None:  # on a CPU they would only take the cores that train
        cores = (os.cpu_count() or 1) // distributed.local_size()
        workers = min(MAX_WORKERS, max(1, cores)) if device.type == "cuda" else 0
    return Plan(
        steps=steps,
        batch=batch,
        accumulate=options.accumulate or training["accumulate"],
        crop=(crop[0], crop[-1]),
        learning_rate=options.lr or training["learning_rate"],
        device=device,
        workers=workers,
        seed=training["seed"] if options.seed is None else options.seed,
        out=options.out or folder / "runs" / "last",
        eval_every=options.eval_every or max(1, steps // EVALUATIONS),
        log_every=min(MAX_LOG_STEPS, max(1, steps // LOG_ROWS)),
        precision=PRECISIONS.get(options.precision, default_precision(device)),
        compiled=options.compile,
        window=options.window,
    )


def _device(name: str) -> torch.device:
    """The device of this process."""
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise InputError("--device cuda: torch finds no CUDA device; use --device cpu")
    found, wanted = torch.cuda.device_count(), distributed.local_size()
    if wanted > found:
        raise InputError(f"{wanted} processes on a machine with {found} GPUs; use --nproc-per-node {found}")
    return torch.device("cuda", distributed.local_rank())


def name_of(precision: torch.dtype) -> str:
    """As the command line names it."""
    return str(precision).removeprefix("torch.")
