"""What is seen of a run while it goes on: a progress bar of one line on stderr, and log.csv."""

from __future__ import annotations

import csv
import sys
import time
from pathlib import Path

from .errors import InputError

WIDTH = 30  # characters
INTERVAL = 0.2  # seconds between two drawings


def duration(seconds: float) -> str:
    """``seconds`` for people: "42 s", "3 min 05 s", "2 h 10 min"."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


class Bar:
    """``steps`` steps, of which ``done`` were done before; call ``show`` after each, ``clear`` before printing
    anything else."""

    def __init__(self, steps: int, done: int = 0) -> None:
        self.steps, self.done, self.terminal = steps, done, sys.stderr.isatty()
        self.started, self.drawn = time.monotonic(), 0.0

    def left(self, step: int) -> float:
        """Seconds that are left after ``step`` steps, if the rest goes as those since the start."""
        return (time.monotonic() - self.started) / (step - self.done) * (self.steps - step)

    def show(self, step: int, text: str = "") -> None:
        """Draw the bar after ``step`` steps, with ``text`` and the time that is left behind it."""
        now = time.monotonic()
        if not self.terminal or (now - self.drawn < INTERVAL and step < self.steps):
            return
        self.drawn = now
        filled = "#" * (WIDTH * step // self.steps)
        line = f"[{filled:.<{WIDTH}}] {step}/{self.steps}  {text}  {duration(self.left(step))} left"
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Remove the bar."""
        if self.terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


class Pace:
    """Crops per second of training: what evaluations and checkpoints take is left out."""

    def __init__(self) -> None:
        self.crops, self.busy, self.since = 0, 0.0, time.monotonic()

    def go_on(self) -> None:
        """Training begins, or begins again."""
        self.since = time.monotonic()

    def count(self, crops: int) -> None:
        """That many were trained on since ``go_on``."""
        self.crops, self.busy = self.crops + crops, self.busy + time.monotonic() - self.since

    def per_second(self) -> float:
        """Since the last call."""
        result = self.crops / max(self.busy, 1e-9)
        self.crops, self.busy = 0, 0.0
        return result


class Log:
    """log.csv: rows of text whose first cell is the step. Every row is in the file when ``write`` returns.

    With ``kept``, the rows of an earlier run up to that step stay; later ones, and torn ones, go.
    """

    def __init__(self, path: Path, columns: list[str], kept: int | None = None) -> None:
        self.path = path
        rows = []
        if kept is not None and path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                whole = [row for row in csv.reader(file) if len(row) == len(columns)][1:]
            rows = [row for row in whole if int(row[0]) <= kept]
        self._write(path.with_suffix(".tmp"), "w", [columns, *rows])

    def write(self, row: list[str]) -> None:
        """Add one row."""
        self._write(self.path, "a", [row])

    def _write(self, path: Path, mode: str, rows: list[list[str]]) -> None:
        try:
            with path.open(mode, newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(rows)
            path.replace(self.path)
        except OSError as error:
            message = f"{self.path} can't be written: {error.strerror}; make room or choose another --out"
            raise InputError(message) from None
