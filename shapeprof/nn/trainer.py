"""The training script: ``main`` reads spec.yaml and dataset.csv and leaves checkpoints, a log and a picture.

What a run prints before its first step: the pairs found, the split and where it comes from, the
device, the model's size, the steps planned, and when they will be done.
"""

from __future__ import annotations

import argparse
import copy
import csv
import math
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, default_collate

from .checkpoint import restore, save
from .data import Crops, Pair, read_pairs
from .errors import InputError
from .evaluation import class_names, draw_predictions, evaluate, score_table, shape_scores, shape_table
from .losses import terms_of
from .metrics import ConfusionMatrix
from .network import SegmentationNetwork, build
from .optimisation import Optimisation
from .plan import Plan, parser, plan_of
from .progress import Bar, duration
from .specfile import read_spec

INTERRUPTED = 130  # exit code after Ctrl-C: 128 + SIGINT
TIMED_STEPS = 3  # on a throw-away copy, to say when training will be done
SLOW_STEP = 10.0  # s; a step slower than this is timed once


def main(argv: list[str] | None = None, folder: Path | None = None) -> int:
    """Train the model of ``folder`` (default: the current one). Returns the exit code."""
    options = parser().parse_args(argv)
    try:
        return _run(options, folder or Path.cwd())
    except InputError as error:
        # A loader process hands its error over as a traceback that ends in "...InputError: message".
        message = str(error).strip().splitlines()[-1].rpartition("InputError: ")[2]
        print(f"error: {message}", file=sys.stderr)
        return 1
    except torch.cuda.OutOfMemoryError:
        print("error: the GPU's memory is full; use a smaller --batch or --crop", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted before the first step", file=sys.stderr)
        return INTERRUPTED


def _run(options: argparse.Namespace, folder: Path) -> int:
    if options.threads:
        torch.set_num_threads(options.threads)
    spec = read_spec(folder / "spec.yaml")
    plan = plan_of(options, spec["training"], folder)
    pairs = read_pairs(folder / "dataset.csv")
    train, held_out = ([p for p in pairs if p.split == side] for side in ("train", "val"))
    if not train:
        raise InputError(f"{folder / 'dataset.csv'} has {len(pairs)} pairs, but none whose split is 'train'")
    torch.manual_seed(plan.seed)
    try:
        terms_of(spec["training"]["loss"])
        network = build(spec).to(plan.device)
    except ValueError as error:
        raise InputError(f"{folder / 'spec.yaml'}: {error}") from None
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # 8 % faster on a CPU
    _print_header(spec, plan, network, (len(train), len(held_out)))
    crops = Crops(train, spec, crop=plan.crop, count=plan.steps * plan.batch, seed=plan.seed)
    _print_expected_finish(plan, copy.deepcopy(network), crops, held_out, spec)
    plan.out.mkdir(parents=True, exist_ok=True)
    return Run(spec, plan, network, held_out).train(crops)


def _print_header(
    spec: dict[str, Any], plan: Plan, network: SegmentationNetwork, count: tuple[int, int]
) -> None:
    split = spec["split"]
    source = {"folders": "the folders that were there", "none": "dataset.csv"}.get(split["source"])
    source = source or f"drawn at random, seed {split['seed']}"
    total, kept = (
        sum(p.numel() for p in each.parameters()) for each in (network, network.without_training_heads())
    )
    dropped = f" and {total - kept:,} in heads that only training has" if total > kept else ""
    grey = "grey" if spec["input"]["channels"] == 1 else "colour"
    scale = spec["input"]["train_size"]
    print(f"pairs    {sum(count)}: {count[0]} to train, {count[1]} held out (split: {source})")
    if not count[1]:
        print("         nothing is held out (no row of dataset.csv has the split 'val'): no IoU is measured,")
        print("         and there will be no best.pt and no predictions.png, only last.pt")
    print(f"classes  {', '.join(class_names(spec))}")
    threads = f", {torch.get_num_threads()} threads" if plan.device.type == "cpu" else ""
    print(f"device   {plan.device}{threads}")
    print(f"model    {spec['design']}: {kept:,} parameters{dropped}")
    print(f"input    {grey}, {f'shorter side {scale} px' if scale else 'native scale'}", end="")
    print(f", crops of {plan.crop[0]} x {plan.crop[1]} px, {plan.batch} a step")
    print(f"plan     {plan.steps} steps, AdamW at {plan.learning_rate:g}, evaluated every {plan.eval_every}")


def _print_expected_finish(
    plan: Plan, spare: SegmentationNetwork, crops: Crops, held_out: list[Pair], spec: dict[str, Any]
) -> None:
    """Time a few steps and one evaluation on ``spare``, which is thrown away: the run itself is untouched."""
    optimisation = Optimisation(spare, spec, steps=plan.steps, learning_rate=plan.learning_rate)
    loading = stepping = math.inf  # the fastest counts: the first step is slower than the others
    for number in range(TIMED_STEPS):
        start = time.monotonic()
        first = number * plan.batch
        images, labels = default_collate([crops[i % len(crops)] for i in range(first, first + plan.batch)])
        loaded = time.monotonic()
        optimisation.step(images, labels).item()
        done = time.monotonic()
        loading, stepping = min(loading, loaded - start), min(stepping, done - loaded)
        if done - start > SLOW_STEP:
            break
    each = max(stepping, loading / plan.workers) if plan.workers else stepping + loading
    start = time.monotonic()
    evaluate(spare, held_out[:1], spec)
    evaluations = -(-plan.steps // plan.eval_every)
    seconds = each * plan.steps + (time.monotonic() - start) * len(held_out) * evaluations
    finish = (datetime.now() + timedelta(seconds=seconds)).strftime("%a %H:%M")
    print(f"finish   expected in {duration(seconds)}, {finish} ({each:.2f} s a step)", flush=True)


class Run:
    """One training run and what it leaves in ``plan.out``."""

    def __init__(
        self, spec: dict[str, Any], plan: Plan, network: SegmentationNetwork, held_out: list[Pair]
    ) -> None:
        self.spec, self.plan, self.network, self.held_out = spec, plan, network, held_out
        self.optimisation = Optimisation(network, spec, steps=plan.steps, learning_rate=plan.learning_rate)
        self.bar = Bar(plan.steps)
        self.step, self.started = 0, time.monotonic()
        self.last_miou = float("nan")
        self.best: tuple[int, ConfusionMatrix] | None = None  # step and scores of best.pt

    def train(self, crops: Crops) -> int:
        """All steps; returns the exit code."""
        with (self.plan.out / "log.csv").open("w", newline="", encoding="utf-8") as file:
            log = csv.writer(file)
            scores = ["miou", "foreground_miou", *(f"iou_{c['id']}" for c in self.spec["classes"])]
            log.writerow(["step", "seconds", "loss", "learning_rate", *scores])
            file.flush()
            try:
                for row in self._steps(crops):
                    log.writerow(row)
                    file.flush()
            except KeyboardInterrupt:
                self.bar.clear()
                self._save("last.pt")
                kept = self.plan.out / "last.pt"
                print(f"interrupted after {self.step} steps; weights in {kept}", file=sys.stderr)
                return INTERRUPTED
        self._finish()
        return 0

    def _steps(self, crops: Crops) -> Iterator[list[object]]:
        """Yields the rows of log.csv."""
        plan, losses, shown = self.plan, [], ""
        loader = DataLoader(
            crops,
            batch_size=plan.batch,
            num_workers=plan.workers,
            pin_memory=plan.device.type == "cuda",
            worker_init_fn=_one_thread,
        )
        for images, labels in loader:
            rate = self.optimisation.learning_rate
            losses.append(self.optimisation.step(images, labels))
            self.step += 1
            due = self.step % plan.eval_every == 0 or self.step == plan.steps
            if due or self.step % plan.log_every == 0:
                loss = float(torch.stack(losses).mean())
                losses.clear()
                if math.isnan(loss):
                    hint = f"try a smaller --lr than {plan.learning_rate:g}"
                    raise InputError(f"the loss became NaN at step {self.step}; {hint}")
                scores = self._evaluate(loss) if due else []
                seconds, shown = time.monotonic() - self.started, f"loss {loss:.3f}"
                yield [self.step, f"{seconds:.1f}", f"{loss:.5f}", f"{rate:.3g}", *scores]
            self.bar.show(self.step, shown)

    def _evaluate(self, loss: float) -> list[str]:
        """Score the held-out pairs, keep the weights; returns the cells for log.csv."""
        self.bar.clear()
        line = f"step {self.step:>6}  loss {loss:.4f}"
        cells: list[str] = []
        if self.held_out:
            matrix = evaluate(self.network, self.held_out, self.spec)
            self.last_miou, foreground = matrix.miou(), matrix.foreground_miou(self.spec["background"])
            line += f"  mean IoU {self.last_miou:.4f}  foreground {foreground:.4f}"
            cells = [f"{value:.5f}" for value in (self.last_miou, foreground, *matrix.iou().tolist())]
            if self.best is None or self.last_miou > self.best[1].miou():
                self.best = (self.step, matrix)
                self._save("best.pt")
                line += "  best so far"
        self._save("last.pt")
        print(line, flush=True)
        return cells

    def _save(self, name: str) -> None:
        save(self.plan.out / name, self.network, self.spec, step=self.step, miou=self.last_miou)

    def _finish(self) -> None:
        out = self.plan.out
        print(f"\ndone in {duration(time.monotonic() - self.started)}; results in {out}")
        if self.best is None:
            return
        restore(out / "best.pt", self.network, self.spec)
        draw_predictions(out / "predictions.png", self.network, self.held_out, self.spec)
        print(f"best.pt, step {self.best[0]}, on {len(self.held_out)} held-out images:\n")
        print(score_table(self.best[1], self.spec))
        print(
            f"\n{shape_table(shape_scores(self.network, self.held_out, self.spec), self.best[1], self.spec)}"
        )


def _one_thread(_: int) -> None:
    """In a loader process: its siblings are the parallelism."""
    cv2.setNumThreads(0)
