"""Proof before training: is the network what spec.yaml says, does it learn, can it be deployed?

``main`` runs the checks and prints a line for each. An error of one fails that check and no other. What depends on
chance starts at the seed of the spec.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from . import checks, slow_checks
from .checks import Failed, LeftOut, Subject
from .errors import InputError
from .specfile import read_spec

QUICK: dict[str, Callable[[Subject], str]] = {
    "builds": checks.builds,
    "data": checks.data_fits,
    "heads": checks.heads_come_and_go,
    "gradients": checks.gradients_arrive,
    "odd sizes": checks.odd_sizes_pass,
    "rates": checks.rates_fit,
    "counts": checks.counts_agree,
    "checkpoints": checks.checkpoints_hold,
}
SLOW: dict[str, Callable[[Subject], str]] = {
    "planned step": slow_checks.planned_step_runs,
    "receptive field": slow_checks.receptive_field_agrees,
    "learns one batch": slow_checks.one_batch_is_learned,
    "torch.export": slow_checks.torch_export_agrees,
    "ONNX": slow_checks.onnx_agrees,
}


@dataclass(frozen=True)
class Check:
    """The outcome of one check."""

    name: str
    status: str  # "passed", "failed" or "skipped"
    message: str
    seconds: float


def verify(subject: Subject) -> Iterator[Check]:
    """Every check; the slow ones are skipped in the quick part."""
    for name, check in {**QUICK, **SLOW}.items():
        if subject.quick and name in SLOW:
            yield Check(name, "skipped", "not in the quick part", 0.0)
        else:
            yield _checked(name, check, subject)


def _checked(name: str, check: Callable[[Subject], str], subject: Subject) -> Check:
    torch.manual_seed(subject.spec["training"]["seed"])
    started = time.monotonic()
    try:
        status, message = "passed", check(subject)
    except LeftOut as reason:
        status, message = "skipped", str(reason)
    except (Failed, InputError) as reason:
        status, message = "failed", str(reason)
    except Exception as error:  # noqa: BLE001  of the user's own network: this check's finding, not the end
        status, message = "failed", f"{type(error).__name__}: {str(error).strip()[:300]}"
    return Check(name, status, message, round(time.monotonic() - started, 2))


def main(argv: list[str] | None = None, folder: Path | None = None) -> int:
    """Check the model of ``folder`` (default: the current one). Exit code 0: all passed, 3: one failed, 1: no spec."""
    options = argparse.ArgumentParser(description="Check the network that spec.yaml describes.")
    options.add_argument("--quick", action="store_true", help="only what takes seconds")
    options.add_argument("--json", action="store_true", help="one JSON object a line: the checks, then the figures")
    options.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    asked = options.parse_args(argv)
    folder = folder or Path.cwd()
    cuda = torch.cuda.is_available()
    if asked.device == "cuda" and not cuda:
        print("error: --device cuda: torch finds no CUDA device; use --device cpu", file=sys.stderr)
        return 1
    try:
        spec = read_spec(folder / "spec.yaml")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    device = torch.device("cuda" if cuda and asked.device != "cpu" else "cpu")
    subject, failed = Subject(folder, spec, device, asked.quick), []
    for check in verify(subject):
        failed += [check.name] if check.status == "failed" else []
        line = f"{check.status:<7}  {check.name:<16}  {check.message}"
        print(json.dumps(asdict(check)) if asked.json else line, flush=True)
    if asked.json:
        print(json.dumps({"figures": subject.figures}))
    else:
        print(f"failed: {', '.join(failed)}" if failed else "no check failed")
    return 3 if failed else 0
