"""One training run: its steps, its evaluations, and what it leaves in its folder.

A run that was stopped, or killed, and goes on from last.pt equals one that was not: crops follow from the seed and
their number alone, and what is random in the network (dropout) from the seed, the step and the process.
"""

from __future__ import annotations

import math
import signal
import sys
import time
from collections.abc import Generator
from contextlib import closing
from typing import Any, TextIO

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from . import distributed
from .checkpoint import restore, save
from .data import Crops, Pair
from .errors import InputError
from .evaluation import draw_predictions, evaluate, score_table, shape_scores, shape_table
from .interruption import WINDOW_ADVICE, asked_to_stop, explained, memory_advice
from .metrics import ConfusionMatrix, confusion_matrix_of
from .network import SegmentationNetwork
from .optimisation import Optimisation
from .plan import Plan
from .progress import Bar, Log, Pace, duration

SAVE_INTERVAL = 300.0  # s between two writings of last.pt at most: what a killed run loses (chosen)


class Run:
    """Trains ``network`` as ``plan`` says; ``last`` is the checkpoint of ``course`` that it goes on from, if any."""

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
        self.optimisation = optimisation_of(plan, spec, network, compiled=plan.compiled)
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
        """All steps; returns the exit code: 0, or 128 and the signal that ended them early."""
        with asked_to_stop() as asked, closing(self._batches(crops)) as batches:
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
        """This process's images and labels of every step that is left."""
        plan = self.plan
        steps = range(self.step, self.step if self._stops_early() else plan.steps)
        loader = DataLoader(
            crops,
            batch_sampler=(plan.crop_numbers(step) for step in steps),
            num_workers=plan.workers,
            pin_memory=plan.device.type == "cuda",
            worker_init_fn=_prepare_loader_process,
        )
        batches = iter(loader)
        self.pace.go_on()
        for _ in steps:
            with distributed.agreed(), explained(self.advice):
                images, labels = next(batches)
            yield images, labels

    def _step(self, images: Tensor, labels: Tensor) -> None:
        """One step, with its row of log.csv, its evaluation and its checkpoint where they are due."""
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
        """Score the held-out pairs, keep the best weights; returns the cells for log.csv."""
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
        """That the run took so far, those before it was resumed included."""
        return time.monotonic() - self.started

    def _save(self, name: str) -> None:
        """best.pt holds weights; last.pt also what ``_go_on`` needs."""
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
        """Score the best weights once more, by shape too, and draw what they predict."""
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


def optimisation_of(
    plan: Plan, spec: dict[str, Any], network: SegmentationNetwork, *, compiled: bool = False
) -> Optimisation:
    """As ``plan`` says, but for ``compiled``."""
    return Optimisation(
        network,
        spec,
        steps=plan.steps,
        learning_rate=plan.learning_rate,
        accumulate=plan.accumulate,
        precision=plan.precision,
        compiled=compiled,
    )


def seed_step(seed: int, step: int) -> None:
    """What is random in ``step`` (dropout) follows from ``seed``, the step and the process: nothing to save."""
    numbers = np.random.SeedSequence((seed, step, distributed.rank()))
    torch.manual_seed(int(numbers.generate_state(1)[0]))


def _prepare_loader_process(_: int) -> None:
    """Its siblings are the parallelism, and the process that trains answers for signals."""
    cv2.setNumThreads(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
