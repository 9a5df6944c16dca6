"""The training script, from top to bottom: set up (``main``), the loop (``Run``), one step (``Optimisation``).

``main`` reads spec.yaml and dataset.csv and leaves checkpoints, log.csv and a picture in the folder of the run. What
stands behind it (checkpoints, logs, signals, several processes) is in ``kit``.

A run that was stopped or killed and resumed from last.pt equals one that was not: crops follow from the seed and
their number, and dropout from the seed, the step and the process.
"""

from __future__ import annotations

import argparse
import copy
import math
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any, TextIO

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from .data import Crops, Pair, read_pairs
from .kit import distributed
from .kit.announce import print_expected_finish, print_header, say
from .kit.checkpoint import restore, resumable, save
from .kit.distributed import SharedError, agreed
from .kit.errors import InputError
from .kit.evaluation import draw_predictions, evaluate, score_table, shape_scores, shape_table
from .kit.interruption import WINDOW_ADVICE, explained, memory_advice, stop_signals
from .kit.optimiser import WARMUP_SHARE, average, default_precision, parameter_groups, rate_factor
from .kit.plan import Plan, parser, plan_of
from .kit.progress import Bar, Log, Pace, duration
from .kit.seeds import choose_deterministic_operations, prepare_loader_process, seed_step
from .kit.specfile import read_spec
from .losses import loss_of, terms_of
from .metrics import ConfusionMatrix, confusion_matrix_of
from .network import SegmentationNetwork, build

INTERRUPTED = 130  # exit code after Ctrl-C before the first step: 128 + SIGINT
SAVE_INTERVAL = 300.0  # s between two writings of last.pt at most: what a killed run loses (chosen)


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
        choose_deterministic_operations()
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
    if before and plan.device.type == "cpu":
        _keep_threads(before["run"].get("threads"), options.threads)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # 8 % faster on a CPU
    if distributed.size() > 1 and plan.device.type == "cuda":
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    others = len(pairs) - len(train) - len(held_out)
    print_header(spec, plan, network, (len(train), len(held_out), others))
    step = before["step"] if before else 0
    if before:
        say(f"resumed  after step {step} of {last}")
    elif last.exists():
        say(f"note     {plan.out} holds an earlier run, which this one replaces; --resume would go on with it")
    count = plan.steps * plan.batch * plan.accumulate
    crops = Crops(train, spec, crop=plan.crop, count=count, seed=plan.seed)
    if step < plan.steps:
        spare = _optimisation(plan, spec, copy.deepcopy(network))
        print_expected_finish(plan, spare, crops, held_out, spec, step)
    with agreed():
        _prepare(plan.out, new=not before)
    run = Run(spec, plan, network, held_out, course, before)
    return run, run.train(crops)


def _keep_threads(before: int | None, asked: int | None) -> None:
    """Use as many CPU threads as the run that is resumed: another number rounds sums in another order."""
    if before and not asked:
        torch.set_num_threads(before)
    elif before and before != asked:
        say(f"note     the run had {before} threads: with {asked} it ends with other last digits")


def _prepare(out: Path, *, new: bool) -> None:
    """Make the folder for results; a ``new`` run removes an earlier last.pt, which its log.csv would not match."""
    if distributed.rank() > 0:
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        if new:
            (out / "last.pt").unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{out} can't hold the results: {error.strerror}; choose another --out") from None


class Run:
    """One training run of ``network``.

    Args:
        course: all settings that decide how training goes; a checkpoint of another course is not resumed.
        last: content of the last.pt to resume from; None: a new run.
    """

    def __init__(
        self,
        spec: dict[str, Any],
        plan: Plan,
        network: SegmentationNetwork,
        held_out: list[Pair],
        course: dict[str, Any],
        last: dict[str, Any] | None = None,
    ) -> None:
        self.spec, self.plan, self.network, self.held_out = spec, plan, network, held_out
        self.course, self.advice = course, memory_advice(plan, spec)
        self.optimisation = _optimisation(plan, spec, network, compiled=plan.compiled)
        self.step, self.started, self.saved = 0, time.monotonic(), time.monotonic()
        self.last_miou, self.stale = math.nan, 0  # evaluations since the best one
        self.best: tuple[int, ConfusionMatrix] | None = None  # step and scores of best.pt
        self.losses: list[Tensor] = []  # of the steps since the last row of log.csv
        self.pace, self.shown = Pace(), ""
        if last is not None:
            self._go_on(last)
        self.bar = Bar(plan.steps, self.step)
        self.first = distributed.rank() == 0  # of the processes: it alone logs and saves
        with distributed.agreed():
            self.log = self._open_log(resumed=last is not None)

    def _open_log(self, *, resumed: bool) -> Log | None:
        if self.first:
            scores = ["miou", "foreground_miou", *(f"iou_{c['id']}" for c in self.spec["classes"])]
            columns = ["step", "seconds", "loss", "learning_rate", "crops_per_second", *scores]
            return Log(self.plan.out / "log.csv", columns, self.step if resumed else None)
        return None

    def train(self, crops: Crops) -> int:
        """Run all steps; return the exit code: 0, or 128 + the signal that stopped the run."""
        with stop_signals() as asked, closing(self._batches(crops)) as batches:
            for images, labels in batches:
                self._step(images, labels)
                if number := distributed.highest(asked[0] if asked else 0):
                    self._save("last.pt")
                    last = self.plan.out / "last.pt"
                    self._say(f"interrupted after {self.step} steps; --resume goes on from {last}", sys.stderr)
                    return 128 + number
                if self._stops_early():
                    break
        return 0

    def _batches(self, crops: Crops) -> Generator[tuple[Tensor, Tensor], None, None]:
        """Images and labels of every remaining step, for this process."""
        plan = self.plan
        steps = range(self.step, self.step if self._stops_early() else plan.steps)
        loader = DataLoader(
            crops,
            batch_sampler=(plan.crop_numbers(step) for step in steps),
            num_workers=plan.workers,
            pin_memory=plan.device.type == "cuda",
            worker_init_fn=prepare_loader_process,
        )
        batches = iter(loader)
        self.pace.go_on()
        for _ in steps:
            with distributed.agreed(), explained(self.advice):
                images, labels = next(batches)
            yield images, labels

    def _step(self, images: Tensor, labels: Tensor) -> None:
        """Take one step; write its row of log.csv, evaluate and save where that is due."""
        plan, step = self.plan, self.step + 1
        due = step % plan.eval_every == 0 or step == plan.steps
        rate = self.optimisation.learning_rate
        seed_step(plan.seed, self.step)
        with explained(self.advice):
            self.losses.append(self.optimisation.step(images, labels))
            loss = float(torch.stack(self.losses).mean()) if due or step % plan.log_every == 0 else None
        self.step = step
        self.pace.count(plan.batch * plan.accumulate)
        if loss is not None:
            with distributed.agreed():
                if math.isnan(loss):
                    hint = f"try a smaller --lr than {plan.learning_rate:g}"
                    raise InputError(f"the loss became NaN at step {step}; {hint}")
            speed = f"{self.pace.per_second():.1f}"
            self.losses, self.shown = [], f"loss {loss:.3f}  {speed} crops/s"
            scores = self._evaluate(f"loss {loss:.4f}", f"{speed} crops/s") if due else self._no_scores()
            row = [str(step), f"{self._seconds():.1f}", f"{loss:.5f}", f"{rate:.3g}", speed, *scores]
            with distributed.agreed():
                if self.log:
                    self.log.write(row)
        if due or distributed.highest(time.monotonic() - self.saved > SAVE_INTERVAL):
            self._save("last.pt")
        if self.first:
            self.bar.show(step, self.shown)
        self.pace.go_on()

    def _evaluate(self, loss: str, speed: str) -> list[str]:
        """Score the held-out pairs and keep the best weights; return the cells for log.csv."""
        self.bar.clear()
        line, cells = f"step {self.step:>6}  {loss}", self._no_scores()
        if self.held_out:
            network = self.optimisation.scored
            distributed.share_buffers(network)
            mine = self.held_out[distributed.rank() :: distributed.size()]
            with distributed.agreed(), explained(WINDOW_ADVICE.format(self.plan.window)):
                matrix = evaluate(network, mine, self.spec, window=self.plan.window)
            distributed.total(matrix.counts)
            self.last_miou, foreground = matrix.miou(), matrix.foreground_miou(self.spec["background"])
            line += f"  mean IoU {self.last_miou:.4f}  foreground {foreground:.4f}"
            cells = [f"{value:.5f}" for value in (self.last_miou, foreground, *matrix.iou().tolist())]
            self.stale += 1
            if self.best is None or self.last_miou > self.best[1].miou():
                self.best, self.stale = (self.step, matrix), 0
                self._save("best.pt")
                line += "  best so far"
        self._say(f"{line}  {speed}  {duration(self.bar.left(self.step))} left")
        return cells

    def _no_scores(self) -> list[str]:
        return [""] * (2 + len(self.spec["classes"]))

    def _stops_early(self) -> bool:
        patience = self.spec["training"]["patience"]
        if not patience or self.stale < patience or self.step == self.plan.steps:
            return False
        self._say(
            f"stopped early, after step {self.step} of {self.plan.steps}: {self.stale} evaluations without a better "
            "mean IoU (training.patience in spec.yaml)"
        )
        return True

    def _say(self, text: str, file: TextIO | None = None) -> None:
        if self.first:
            self.bar.clear()
            print(text, file=file or sys.stdout, flush=True)

    def _seconds(self) -> float:
        """Seconds of training so far, including those before --resume."""
        return time.monotonic() - self.started

    def _save(self, name: str) -> None:
        """Write best.pt (weights) or last.pt (weights and what ``_go_on`` needs)."""
        with distributed.agreed():
            if self.first:
                state = self._state() if name == "last.pt" else None
                path, network = self.plan.out / name, self.optimisation.scored
                save(path, network, self.spec, step=self.step, miou=self.last_miou, run=state)
        if name == "last.pt":
            self.saved = time.monotonic()

    def _state(self) -> dict[str, Any]:
        best = None if self.best is None else {"step": self.best[0], "counts": self.best[1].counts}
        return {
            "course": self.course,
            "optimisation": self.optimisation.state_dict(),
            "losses": torch.stack(self.losses) if self.losses else torch.empty(0),
            "seconds": self._seconds(),
            "best": best,
            "stale": self.stale,
            "threads": torch.get_num_threads(),
        }

    def _go_on(self, last: dict[str, Any]) -> None:
        state, self.step, self.last_miou = last["run"], last["step"], last["miou"]
        self.optimisation.load_state_dict(state["optimisation"])
        self.losses = list(state["losses"].to(self.plan.device))
        self.started -= state["seconds"]
        self.stale = state["stale"]
        if state["best"] is not None:
            matrix = confusion_matrix_of(self.spec)
            matrix.counts = state["best"]["counts"]
            self.best = (state["best"]["step"], matrix)

    def finish(self) -> None:
        """Score best.pt by pixel and by shape, and draw its predictions."""
        out, window = self.plan.out, self.plan.window
        print(f"\ndone in {duration(self._seconds())}; results in {out}")
        if self.plan.device.type == "cuda":
            peak = torch.cuda.max_memory_allocated(self.plan.device) / 1e9
            print(f"peak GPU memory {peak:.1f} GB")
        if self.best is None:
            return
        step, matrix = self.best
        with explained(WINDOW_ADVICE.format(window)):
            restore(out / "best.pt", self.network, self.spec)
            draw_predictions(out / "predictions.png", self.network, self.held_out, self.spec, window=window)
            shapes = shape_scores(self.network, self.held_out, self.spec, window=window)
        print(f"best.pt, step {step}, on {len(self.held_out)} held-out images:\n")
        print(f"{score_table(matrix, self.spec)}\n\n{shape_table(shapes, matrix, self.spec)}")


def _optimisation(
    plan: Plan, spec: Mapping[str, Any], network: SegmentationNetwork, *, compiled: bool = False
) -> Optimisation:
    """What trains ``network`` as ``plan`` says; only the network that is really trained is compiled."""
    return Optimisation(
        network,
        spec,
        steps=plan.steps,
        learning_rate=plan.learning_rate,
        accumulate=plan.accumulate,
        precision=plan.precision,
        compiled=compiled,
    )


class Optimisation:
    """Trains ``network`` in place for ``steps`` steps; one of several processes under torchrun.

    Weight decay spares norms and biases: pulling a norm's scale to 0 is no regularisation. A pretrained encoder
    learns at its share of the learning rate.

    Args:
        accumulate: batches whose gradients one step adds up.
        precision: of the forward pass (autocast); None: ``default_precision``.
        compiled: compile the network (``torch.compile``); its state dictionary keeps its names.

    Attributes:
        averaged: the exponential moving average (EMA) of weights and buffers; None where the spec asks for none.
    """

    def __init__(
        self,
        network: SegmentationNetwork,
        spec: Mapping[str, Any],
        *,
        steps: int,
        learning_rate: float,
        accumulate: int = 1,
        precision: torch.dtype | None = None,
        compiled: bool = False,
    ) -> None:
        training = spec["training"]
        self.device = next(network.parameters()).device
        self.network, self.loss = network.train(), loss_of(spec).to(self.device)
        self.accumulate, self.clip = accumulate, training["clip_norm"]
        self.ignore_index = spec["ignore_index"]
        pretrained = spec["model"]["encoder"]["kind"] == "backbone"
        groups = parameter_groups(network, training, learning_rate, pretrained=pretrained)
        self.optimiser = torch.optim.AdamW(groups, lr=learning_rate)
        warmup = min(training["warmup_steps"], int(WARMUP_SHARE * steps))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, lambda step: rate_factor(step, steps, warmup))
        self.precision = precision or default_precision(self.device)
        half = self.precision == torch.float16  # only float16 underflows without scaling
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=half)
        self.decay = training["ema"]
        self.averaged = copy.deepcopy(network).eval().requires_grad_(False) if self.decay else None
        self.parallel: DistributedDataParallel | None = None
        if distributed.size() > 1:
            devices = [self.device] if self.device.type == "cuda" else None
            self.parallel = DistributedDataParallel(network, devices)
        self.forward: Callable[[Tensor], Any] = self.parallel or network
        if compiled:
            self.forward = torch.compile(self.forward)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return float(self.schedule.get_last_lr()[0])

    @property
    def scored(self) -> SegmentationNetwork:
        """The network to evaluate and to keep: with averaged weights where there are any."""
        return self.averaged or self.network

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """One step on images (N, C, H, W) float32 and their labels, (N, H, W) int64 or (N, classes, H, W).

        They are ``accumulate`` batches, one behind the other: the gradient is the mean of theirs. Returns the loss, a
        scalar: the mean over the batches, of all processes.
        """
        self.optimiser.zero_grad(set_to_none=True)
        batches = list(zip(images.chunk(self.accumulate), labels.chunk(self.accumulate), strict=True))
        losses = []
        for number, (some, theirs) in enumerate(batches, start=1):
            last = number == len(batches)
            # Processes add up their gradients once a step.
            with nullcontext() if last or self.parallel is None else self.parallel.no_sync():
                losses.append(self._backward(some, theirs, share=1 / len(batches)))
        self.scaler.unscale_(self.optimiser)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        if self.averaged is not None:
            done = self.schedule.last_epoch  # steps before this one
            average(self.averaged, self.network, min(self.decay, (1 + done) / (10 + done)))
        self.schedule.step()
        return distributed.total(torch.stack(losses).sum()) / distributed.size()

    def _backward(self, images: Tensor, labels: Tensor, *, share: float) -> Tensor:
        """Add ``share`` of this batch's gradient; returns as much of its loss."""
        images = images.to(self.device, non_blocking=True)
        labels = labels.to(self.device, non_blocking=True)
        mixed = self.precision != torch.float32
        with torch.autocast(self.device.type, dtype=self.precision if mixed else None, enabled=mixed):
            output = self.forward(images)
        loss = self.loss(output, labels) * share  # in float32
        if self.parallel is not None:
            # DDP takes the mean over processes. Weighted by its counted pixels, that of a mean over pixels is the mean
            # over the pixels of all. Terms on regions see one process's crops, and are weighted alike.
            counted = (labels != self.ignore_index).sum().float()
            everywhere = distributed.total(counted.clone()).clamp(min=1)
            loss = loss * (counted * distributed.size() / everywhere)
        self.scaler.scale(loss).backward()
        result: Tensor = loss.detach()
        return result

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on; the tensors are those in use, not copies."""
        return {name: part.state_dict() for name, part in self._parts().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state``, which ``state_dict`` of another run gave."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    def _parts(self) -> dict[str, Any]:
        parts = {"network": self.network, "averaged": self.averaged}
        rest = {"optimiser": self.optimiser, "schedule": self.schedule, "scaler": self.scaler}
        return {name: part for name, part in (parts | rest).items() if part is not None}
