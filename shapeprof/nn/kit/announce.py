"""What a run prints before its first step: pairs, split, device, model size, plan, and when it will end."""

from __future__ import annotations

import math
import time
from datetime import datetime, timedelta
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import default_collate

from ..data import Crops, Pair
from ..network import SegmentationNetwork
from . import distributed
from .distributed import agreed
from .evaluation import class_names, evaluate
from .interruption import WINDOW_ADVICE, explained, memory_advice
from .plan import Plan, name_of
from .progress import duration
from .seeds import seed_step

TIMED_STEPS = 3  # on a copy of the network
SLOW_STEP = 10.0  # s; a step slower than this is timed once


class Steps(Protocol):
    """What takes training steps on ``network``."""

    network: SegmentationNetwork

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """Take one step; return the loss."""


def say(text: str) -> None:
    if distributed.rank() == 0:
        print(text, flush=True)


def print_header(spec: dict[str, Any], plan: Plan, network: SegmentationNetwork, count: tuple[int, int, int]) -> None:
    split, processes = spec["split"], distributed.size()
    source = {"folders": "the folders that were there", "none": "dataset.csv"}.get(split["source"])
    source = source or f"drawn at random, seed {split['seed']}"
    total, kept = (sum(p.numel() for p in each.parameters()) for each in (network, network.without_training_heads()))
    dropped = f" and {total - kept:,} in heads that only training has" if total > kept else ""
    grey = "grey" if spec["input"]["channels"] == 1 else "colour"
    scale = f"shorter side {spec['input']['train_size']} px" if spec["input"]["train_size"] else "native scale"
    left = f"; {count[2]} of other splits are not read" if count[2] else ""
    say(f"pairs    {sum(count[:2])}: {count[0]} to train, {count[1]} held out (split: {source}){left}")
    if not count[1]:
        say("         nothing is held out (no row of dataset.csv has the split 'val'): no IoU is measured,")
        say("         and there will be no best.pt and no predictions.png, only last.pt")
    say(f"classes  {', '.join(class_names(spec))}")
    threads = f", {torch.get_num_threads()} threads" if plan.device.type == "cpu" else ""
    shared = f", {processes} processes" if processes > 1 else ""
    say(f"device   {plan.device.type}{shared}{threads}, {name_of(plan.precision)}")
    if processes > 1 and plan.device.type == "cpu" and spec["model"]["norm"] == "batch":
        say("         batch norm sees the crops of one process only: torch has no SyncBatchNorm on a CPU,")
        say("         so the result differs from training in one process (norm: group does not)")
    say(f"model    {spec['design']}: {kept:,} parameters{dropped}")
    crops = f"{plan.batch} a step"
    if plan.accumulate > 1:
        crops = f"{plan.batch * plan.accumulate} a step in {plan.accumulate} batches"
    say(f"input    {grey}, {scale}, crops of {plan.crop[0]} x {plan.crop[1]} px, {crops}")
    training = spec["training"]
    extras = f", weights averaged (EMA, {training['ema']:g})" if training["ema"] else ""
    extras += f", patience {training['patience']}" if training["patience"] else ""
    say(f"plan     {plan.steps} steps, AdamW at {plan.learning_rate:g}, evaluated every {plan.eval_every}{extras}")


def print_expected_finish(
    plan: Plan, spare: Steps, crops: Crops, held_out: list[Pair], spec: dict[str, Any], done: int
) -> None:
    """Time a few steps and one evaluation, and print when training will end.

    ``spare`` trains a copy of the network that is thrown away, so the run itself is untouched.
    """
    advice = memory_advice(plan, spec)
    loading = stepping = math.inf  # the fastest counts: the first step is slower than the others
    for number in range(TIMED_STEPS):
        start = time.monotonic()
        with agreed():
            chosen = [crops[i % len(crops)] for i in plan.crop_numbers(number)]
        images, labels = default_collate(chosen)
        loaded = time.monotonic()
        seed_step(plan.seed, number)
        with explained(advice):
            spare.step(images, labels).item()
        after = time.monotonic()
        loading, stepping = min(loading, loaded - start), min(stepping, after - loaded)
        if distributed.highest(after - start > SLOW_STEP):
            break
    each = max(stepping, loading / plan.workers) if plan.workers else stepping + loading
    start = time.monotonic()
    with agreed(), explained(WINDOW_ADVICE.format(plan.window)):
        evaluate(spare.network, held_out[:1], spec, window=plan.window)
    evaluations = -(-plan.steps // plan.eval_every) - done // plan.eval_every
    evaluating = (time.monotonic() - start) * len(held_out) * evaluations / distributed.size()
    seconds = each * (plan.steps - done) + evaluating
    finish = (datetime.now() + timedelta(seconds=seconds)).strftime("%a %H:%M")
    speed = plan.batch * plan.accumulate / each
    say(f"finish   expected in {duration(seconds)}, {finish} ({each:.2f} s a step, {speed:.1f} crops/s)")
    if plan.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(plan.device)
