"""What one run does: the spec's training block, changed by the command line."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .errors import InputError

MAX_WORKERS = 8  # loader processes on a machine with a GPU (chosen)
LOG_ROWS = 100  # rows that log.csv gets at least, beside those of the evaluations
MAX_LOG_STEPS = 100  # steps between two rows at most
EVALUATIONS = 10  # per run, unless --eval-every says otherwise


@dataclass(frozen=True)
class Plan:
    """Everything that may differ between two runs of one spec."""

    steps: int
    batch: int
    crop: tuple[int, int]  # rows, columns, px at training scale
    learning_rate: float
    device: torch.device
    workers: int  # loader processes; 0: the crops are cut in this one
    seed: int
    out: Path
    eval_every: int  # steps between two evaluations
    log_every: int  # steps between two rows of log.csv


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description="Train the model that spec.yaml describes on dataset.csv.")
    whole = _at_least(1)
    options.add_argument("--steps", type=whole, help="training steps (default: spec.yaml)")
    options.add_argument("--batch", type=whole, help="crops per step (default: spec.yaml)")
    options.add_argument(
        "--crop", type=whole, nargs="+", metavar="PX", help="side, or rows and columns, of a crop"
    )
    options.add_argument("--lr", type=float, help="highest learning rate (default: spec.yaml)")
    options.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    options.add_argument(
        "--workers", type=_at_least(0), help="processes that cut crops (default: 0 on a CPU)"
    )
    options.add_argument("--seed", type=_at_least(0), help="of weights and crops (default: spec.yaml)")
    options.add_argument(
        "--out", type=Path, help="folder for the results (default: runs/last beside spec.yaml)"
    )
    options.add_argument("--eval-every", type=whole, help="steps between evaluations (default: a tenth)")
    options.add_argument("--threads", type=whole, help="CPU threads (default: torch's choice)")
    return options


def _at_least(lowest: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if int(text) < lowest:
            raise argparse.ArgumentTypeError(f"{text} is less than {lowest}")
        return int(text)

    return number


def plan_of(options: argparse.Namespace, training: dict[str, Any], folder: Path) -> Plan:
    """``training`` is spec.yaml's block; ``folder`` holds the results where ``options`` name no other."""
    name = options.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    elif name == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: torch finds no CUDA device; use --device cpu")
    if options.lr is not None and not 0 < options.lr < math.inf:
        raise InputError(f"--lr {options.lr}: expected a positive number")
    crop = options.crop or training["crop"]
    if len(crop) > 2:
        raise InputError(f"--crop takes one side, or rows and columns; got {len(crop)} numbers")
    steps = options.steps or training["steps"]
    workers = options.workers
    if workers is None:  # on a CPU they would only take the cores that train
        workers = min(MAX_WORKERS, os.cpu_count() or 1) if name == "cuda" else 0
    return Plan(
        steps=steps,
        batch=options.batch or training["batch"],
        crop=(crop[0], crop[-1]),
        learning_rate=options.lr or training["learning_rate"],
        device=torch.device(name),
        workers=workers,
        seed=training["seed"] if options.seed is None else options.seed,
        out=options.out or folder / "runs" / "last",
        eval_every=options.eval_every or max(1, steps // EVALUATIONS),
        log_every=min(MAX_LOG_STEPS, max(1, steps // LOG_ROWS)),
    )
