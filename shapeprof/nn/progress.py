"""A progress bar of one line on stderr; silent where stderr is no terminal."""

from __future__ import annotations

import sys
import time

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
    """``steps`` steps; call ``show`` after each, ``clear`` before printing anything else."""

    def __init__(self, steps: int) -> None:
        self.steps, self.terminal = steps, sys.stderr.isatty()
        self.started, self.drawn = time.monotonic(), 0.0

    def show(self, step: int, text: str = "") -> None:
        """Draw the bar after ``step`` steps, with ``text`` and the time that is left behind it."""
        now = time.monotonic()
        if not self.terminal or (now - self.drawn < INTERVAL and step < self.steps):
            return
        self.drawn = now
        left = (now - self.started) / step * (self.steps - step)
        filled = "#" * (WIDTH * step // self.steps)
        line = f"[{filled:.<{WIDTH}}] {step}/{self.steps}  {text}  {duration(left)} left"
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Remove the bar."""
        if self.terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
