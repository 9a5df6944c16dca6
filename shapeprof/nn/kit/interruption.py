"""What ends a run early: signals, and errors of torch (full memory, say) with advice on how to avoid them."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch

from . import distributed
from .errors import InputError
from .plan import Plan

SIGNALS = (signal.SIGINT, signal.SIGTERM)  # that end a run after the step in hand
WINDOW_ADVICE = "out of memory in an evaluation, by windows of {} px; use a smaller --window"


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM so that the current step can finish; in a single process a second one acts at once."""
    came: list[int] = []
    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in SIGNALS}

    def note(number: int, _: FrameType | None) -> None:
        came.append(number)
        if distributed.size() == 1:  # torchrun hands on the Ctrl-C that its processes have already had
            signal.signal(number, before[signal.Signals(number)])

    for number in SIGNALS:
        signal.signal(number, note)
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def explained(advice: str) -> Iterator[None]:
    """Errors of torch that the user can mend become ``InputError``; ``advice`` is for memory that is full."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        text = str(error)
        if isinstance(error, torch.cuda.OutOfMemoryError | MemoryError) or "DefaultCPUAllocator" in text:
            raise InputError(advice) from None
        if "deterministic implementation" in text:
            operation = text.split()[0]
            raise InputError(
                f"--deterministic: {operation} has no deterministic implementation on this device; leave it out"
            ) from None
        if text.startswith("DataLoader worker"):
            why = text.splitlines()[0]
            raise InputError(f"a process that cuts crops died ({why}); use fewer --workers") from None
        raise


def memory_advice(plan: Plan, spec: Mapping[str, Any]) -> str:
    """What was planned when memory ran out, what that needs, and two ways to need less."""
    (rows, columns), training, derived = plan.crop, spec["training"], spec["derived"]
    seen = f"out of memory on {plan.device}: crop {rows} x {columns}, batch {plan.batch}"
    seen += f", accumulate {plan.accumulate}"
    if derived.get("memory_gb"):
        planned = training["batch"] * math.prod(training["crop"])
        needed = derived["memory_gb"] * plan.batch * rows * columns / planned / distributed.size()
        seen += f"; estimated to need {needed:.1f} GB in float32"
    if plan.device.type == "cuda":
        seen += f" of {torch.cuda.get_device_properties(plan.device).total_memory / 1e9:.1f} GB"
    ways, half = [], plan.batch // 2
    if half and plan.batch % 2 == 0 and half % distributed.size() == 0:
        norm = ", but for batch norm's statistics" if spec["model"]["norm"] == "batch" else ""
        ways.append(
            f"'train.py --batch {half} --accumulate {2 * plan.accumulate}' (the same training{norm}, more slowly)"
        )
    multiple = derived.get("input_multiple") or 1
    smaller = [max(multiple, int(n * math.sqrt(0.5)) // multiple * multiple) for n in plan.crop]
    if math.prod(smaller) < rows * columns:
        share = math.prod(smaller) / (rows * columns)
        ways.append(f"'train.py --crop {smaller[0]} {smaller[1]}' ({share:.0%} of the pixels)")
    return f"{seen}; try {' or '.join(ways) or 'a machine with more memory'}"
