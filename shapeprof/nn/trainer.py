"""The training script: ``main`` reads spec.yaml and dataset.csv and leaves checkpoints, a log and a picture.

What a run prints before its first step: the pairs found, the split and where it comes from, the
device, the model's size, the steps planned, and when they will be done.
"""

from __future__ import annotations

import argparse
import copy
import math
import os
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import default_collate

from . import distributed
from .checkpoint import resumable
from .data import Crops, Pair, read_pairs
from .distributed import SharedError, agreed
from .errors import InputError
from .evaluation import class_names, evaluate
from .interruption import WINDOW_ADVICE, explained, memory_advice
from .losses import terms_of
from .network import SegmentationNetwork, build
from .plan import Plan, name_of, parser, plan_of
from .progress import duration
from .run import Run, optimisation_of, seed_step
from .specfile import read_spec

INTERRUPTED = 130  # exit code after Ctrl-C before the first step: 128 + SIGINT
TIMED_STEPS = 3  # on a throw-away copy, to say when training will be done
SLOW_STEP = 10.0  # s; a step slower than this is timed once


def main(argv: list[str] | None = None, folder: Path | None = None) -> int:
    """Train the model of ``folder`` (default: the current one). Returns the exit code."""
    options = parser().parse_args(argv)
    try:
        with distributed.joined(cuda=options.device != "cpu" and torch.cuda.is_available()):
            run, code = _train(options, folder or Path.cwd())
        if code == 0 and run.first:
            run.finish()
    except InputError as error:
        # A loader process hands its error over as a traceback that ends in "...InputError: message".
        message = str(error).strip().splitlines()[-1].rpartition("InputError: ")[2]
        if distributed.rank() == 0 or not isinstance(error, SharedError):
            print(f"error: {message}", file=sys.stderr)
        return 1
    except RuntimeError as error:
        if not distributed.is_lost(error):
            raise
        print(f"process {distributed.rank()} ends: another process failed", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return code


def _train(options: argparse.Namespace, folder: Path) -> tuple[Run, int]:
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.deterministic:
        _choose_deterministic_operations()
    with agreed():
        spec = read_spec(folder / "spec.yaml")
        plan = plan_of(options, spec["training"], folder)
        pairs = read_pairs(folder / "dataset.csv")
        train, held_out = ([p for p in pairs if p.split == side] for side in ("train", "val"))
        if not train:
            raise InputError(f"{folder / 'dataset.csv'} has {len(pairs)} pairs, but none whose split is 'train'")
        course = plan.course(spec["training"], pairs)
        last = plan.out / "last.pt"
        before = resumable(last, spec, course) if options.resume and distributed.rank() == 0 else None
        if plan.device.type == "cuda":
            torch.cuda.set_device(plan.device)
        torch.manual_seed(plan.seed)
        try:
            terms_of(spec["training"]["loss"])
            network = build(spec, pretrained=not options.resume).to(plan.device)
        except ValueError as error:
            raise InputError(f"{folder / 'spec.yaml'}: {error}") from None
    before = distributed.of_first(lambda: before)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # 8 % faster on a CPU
    if distributed.size() > 1 and plan.device.type == "cuda":
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    others = len(pairs) - len(train) - len(held_out)
    _print_header(spec, plan, network, (len(train), len(held_out), others))
    step = before["step"] if before else 0
    if before:
        _say(f"resumed  after step {step} of {last}")
    elif last.exists():
        _say(f"note     {plan.out} holds an earlier run, which this one replaces; --resume would go on with it")
    count = plan.steps * plan.batch * plan.accumulate
    crops = Crops(train, spec, crop=plan.crop, count=count, seed=plan.seed)
    if step < plan.steps:
        _print_expected_finish(plan, copy.deepcopy(network), crops, held_out, spec, step)
    with agreed():
        _prepare(plan.out, new=not before)
    run = Run(spec, plan, network, held_out, course, before)
    return run, run.train(crops)


def _prepare(out: Path, *, new: bool) -> None:
    """The folder for results; the last.pt of an earlier run would not belong to the log.csv of a ``new`` one."""
    if distributed.rank() > 0:
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        if new:
            (out / "last.pt").unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{out} can't hold the results: {error.strerror}; choose another --out") from None


def _choose_deterministic_operations() -> None:
    """Before CUDA starts: cuBLAS reads its setting once."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False


def _say(text: str) -> None:
    if distributed.rank() == 0:
        print(text, flush=True)


def _print_header(spec: dict[str, Any], plan: Plan, network: SegmentationNetwork, count: tuple[int, int, int]) -> None:
    split, processes = spec["split"], distributed.size()
    source = {"folders": "the folders that were there", "none": "dataset.csv"}.get(split["source"])
    source = source or f"drawn at random, seed {split['seed']}"
    total, kept = (sum(p.numel() for p in each.parameters()) for each in (network, network.without_training_heads()))
    dropped = f" and {total - kept:,} in heads that only training has" if total > kept else ""
    grey = "grey" if spec["input"]["channels"] == 1 else "colour"
    scale = f"shorter side {spec['input']['train_size']} px" if spec["input"]["train_size"] else "native scale"
    left = f"; {count[2]} of other splits are not read" if count[2] else ""
    _say(f"pairs    {sum(count[:2])}: {count[0]} to train, {count[1]} held out (split: {source}){left}")
    if not count[1]:
        _say("         nothing is held out (no row of dataset.csv has the split 'val'): no IoU is measured,")
        _say("         and there will be no best.pt and no predictions.png, only last.pt")
    _say(f"classes  {', '.join(class_names(spec))}")
    threads = f", {torch.get_num_threads()} threads" if plan.device.type == "cpu" else ""
    shared = f", {processes} processes" if processes > 1 else ""
    _say(f"device   {plan.device.type}{shared}{threads}, {name_of(plan.precision)}")
    if processes > 1 and plan.device.type == "cpu" and spec["model"]["norm"] == "batch":
        _say("         batch norm sees the crops of one process only: torch has no SyncBatchNorm on a CPU,")
        _say("         so that this is not the training of one process; with norm: group it is")
    _say(f"model    {spec['design']}: {kept:,} parameters{dropped}")
    crops = f"{plan.batch} a step"
    if plan.accumulate > 1:
        crops = f"{plan.batch * plan.accumulate} a step in {plan.accumulate} batches"
    _say(f"input    {grey}, {scale}, crops of {plan.crop[0]} x {plan.crop[1]} px, {crops}")
    training = spec["training"]
    extras = f", weights averaged (EMA, {training['ema']:g})" if training["ema"] else ""
    extras += f", patience {training['patience']}" if training["patience"] else ""
    _say(f"plan     {plan.steps} steps, AdamW at {plan.learning_rate:g}, evaluated every {plan.eval_every}{extras}")


def _print_expected_finish(
    plan: Plan, spare: SegmentationNetwork, crops: Crops, held_out: list[Pair], spec: dict[str, Any], done: int
) -> None:
    """Time a few steps and one evaluation on ``spare``, which is thrown away: the run itself is untouched."""
    optimisation, advice = optimisation_of(plan, spec, spare), memory_advice(plan, spec)
    loading = stepping = math.inf  # the fastest counts: the first step is slower than the others
    for number in range(TIMED_STEPS):
        start = time.monotonic()
        with agreed():
            chosen = [crops[i % len(crops)] for i in plan.crop_numbers(number)]
        images, labels = default_collate(chosen)
        loaded = time.monotonic()
        seed_step(plan.seed, number)
        with explained(advice):
            optimisation.step(images, labels).item()
        after = time.monotonic()
        loading, stepping = min(loading, loaded - start), min(stepping, after - loaded)
        if distributed.highest(after - start > SLOW_STEP):
            break
    each = max(stepping, loading / plan.workers) if plan.workers else stepping + loading
    start = time.monotonic()
    with agreed(), explained(WINDOW_ADVICE.format(plan.window)):
        evaluate(spare, held_out[:1], spec, window=plan.window)
    evaluations = -(-plan.steps // plan.eval_every) - done // plan.eval_every
    evaluating = (time.monotonic() - start) * len(held_out) * evaluations / distributed.size()
    seconds = each * (plan.steps - done) + evaluating
    finish = (datetime.now() + timedelta(seconds=seconds)).strftime("%a %H:%M")
    speed = plan.batch * plan.accumulate / each
    _say(f"finish   expected in {duration(seconds)}, {finish} ({each:.2f} s a step, {speed:.1f} crops/s)")
    if plan.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(plan.device)
