"""Proof that an exported model is what its spec says: the checks of its own folder, and what only shapeprof knows.

The folder's ``verify.py`` runs in a process of its own, with this Python: what is checked is the user's copy of the
network, and torch is not loaded here.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from shapeprof.design.cost import cost
from shapeprof.design.spec import ModelSpec, Rationale, parse_spec
from shapeprof.errors import InputError, SpecError
from shapeprof.labelmap import ClassTable, LabelMap
from shapeprof.metrics.best import best
from shapeprof.metrics.runs import find_classes, find_objects, stack
from shapeprof.metrics.survival import PHASES
from shapeprof.progress import Progress
from shapeprof.sources.reading.files import resize_nearest
from shapeprof.sources.run_length import encode

NEEDS_TORCH = "torch is not installed: pip install 'shapeprof[torch]'"
FAILED, ERROR = 3, 1  # exit codes of verify.py
MASKS = 12  # with the binding class, for survival at best: up to seconds each (chosen)
LOOKED_AT = 48  # masks in search of these
ROUNDED = 0.051  # a spec has the effective field with one digit, GB with two
LARGE = 200  # px; recall is of objects of this area or more, as in the rules

Status = Literal["passed", "failed", "skipped"]
CHECKS = 15  # as exported; users may have changed theirs


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one check."""

    name: str
    status: Status
    message: str  # with the numbers
    seconds: float


@dataclass(frozen=True, slots=True)
class Verification:
    """The results of all checks of a folder."""

    folder: Path
    quick: bool
    checks: tuple[Check, ...]
    figures: dict[str, float]  # measured: parameters, macs, memory_gb, steps_per_second, ...
    spec: ModelSpec | None  # None: it has fields that shapeprof does not know

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.status == "failed")


def verify_model(folder: Path, *, quick: bool = False, progress: Progress | None = None) -> Verification:
    """Run every check; ``quick``: only those that take seconds.

    Raises:
        InputError: no exported folder, its spec can't be read, or torch is not installed.
    """
    if not (folder / "spec.yaml").is_file():
        raise InputError(
            f"{folder}: no spec.yaml, so there is nothing to check; expected one of 'shapeprof export --to pytorch'"
        )
    if not (folder / "verify.py").is_file():
        raise InputError(
            f"{folder}: no verify.py, so there is nothing to run; targets without checks of their own have none"
        )
    if not has_torch():
        raise InputError(NEEDS_TORCH)
    checks, figures = [], {}
    for line in _lines_of_script(folder, quick):
        if "figures" in line:
            figures = line["figures"]
        else:
            checks.append(Check(**line))
        if progress:
            progress(len(checks), max(CHECKS, len(checks)))
    spec = None
    try:
        spec = parse_spec(yaml.safe_load((folder / "spec.yaml").read_text("utf-8")), "spec.yaml")
    except SpecError as error:
        checks.append(Check("on paper", "skipped", f"shapeprof can't read this spec: {error}", 0.0))
    else:
        checks.append(_timed("on paper", lambda: _on_paper(spec)))
        checks.append(_timed("detail", lambda: _detail(folder, spec, quick)))
    return Verification(folder, quick, tuple(checks), figures, spec)


def has_torch() -> bool:
    """Whether torch is installed; it is not loaded."""
    return importlib.util.find_spec("torch") is not None


def _lines_of_script(folder: Path, quick: bool) -> Iterator[dict[str, Any]]:
    """The objects that the folder's verify.py prints, as they come."""
    command = [sys.executable, str(folder.resolve() / "verify.py"), "--json", *(["--quick"] if quick else [])]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}  # an export stays as it was written
    seen = ""
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=env, text=True
        ) as process:
            assert process.stdout is not None
            for text in process.stdout:
                line = json.loads(text)
                seen = line.get("name", seen)
                yield line
        errors.seek(0)
        said = _last_words(errors.read())
    code = process.returncode
    if code not in (0, FAILED) and not seen:
        raise InputError(said)
    if code not in (0, FAILED):
        why = "killed, as systems do that run out of memory" if code < 0 else said
        yield {"name": "verify.py", "status": "failed", "message": f"ended after {seen}: {why}", "seconds": 0.0}


def _last_words(errors: str) -> str:
    """The error that ended a script; of a traceback with the file and line where it was raised."""
    lines = errors.strip().splitlines() or ["no message"]
    if lines[-1].startswith("error: "):
        return lines[-1].removeprefix("error: ")
    places = [line.strip() for line in lines if line.lstrip().startswith('File "')]
    return f"{lines[-1]} ({places[-1]})" if places else lines[-1]


def _timed(name: str, check: Callable[[], tuple[Status, str]]) -> Check:
    started = time.monotonic()
    try:
        status, message = check()
    except InputError as error:
        status, message = "failed", str(error)
    return Check(name, status, message, round(time.monotonic() - started, 2))


def _on_paper(spec: ModelSpec) -> tuple[Status, str]:
    """The derived numbers of the spec against shapeprof's own count, which needs no network."""
    training, derived = spec.training, spec.derived
    counted = cost(spec.model, len(spec.classes), spec.input.channels, training.crop, training.batch)
    stated = derived.model_dump()
    own = {name: getattr(counted, name) for name in stated}
    if wrong := [f"{n} {stated[n]}, counted {own[n]}" for n in own if not _equal(stated[n], own[n])]:
        return "failed", "spec.yaml has " + "; ".join(wrong)
    return ("passed", f"{counted.memory_gb:.2f} GB estimated, and all derived numbers are as counted without torch")


def _equal(stated: float | None, counted: float | None) -> bool:
    """Whether a number of the spec is the one counted; those that are no whole numbers are rounded there."""
    if isinstance(stated, float) and isinstance(counted, float):
        return abs(stated - counted) <= ROUNDED
    return stated == counted


def _detail(folder: Path, spec: ModelSpec, quick: bool) -> tuple[Status, str]:
    """What logits of the spec's stride could keep at best of the class that decided it, on some masks."""
    if quick:
        return "skipped", "not in the quick part"
    stride: int = spec.model.decoder.logit_stride
    rule = spec.rationale_of("model.decoder.logit_stride")
    named = {c.name: c.id for c in spec.classes}
    if rule is None or rule.binding_class not in named:
        return "skipped", "no rule chose the logit stride (spec.yaml gives no reason for it)"
    if stride == 1:
        return "passed", "logits at stride 1 are as fine as the masks"
    if spec.task == "multi-label":
        return "skipped", "masks of classes that overlap have no survival"
    if not (folder / "dataset.csv").is_file():
        return "skipped", "no dataset.csv: export again with --images"
    wanted = named[rule.binding_class]
    labels = [each for each in _masks(folder, spec) if (each == wanted).any()][:MASKS]
    if not labels:
        return "skipped", f"none of {LOOKED_AT} masks holds {rule.binding_class}"
    return _kept(labels, spec, wanted, rule)


def _kept(labels: list[NDArray[Any]], spec: ModelSpec, wanted: int, rule: Rationale) -> tuple[Status, str]:
    stride: int = spec.model.decoder.logit_stride
    strides = (stride,) if stride == 32 else (stride, 2 * stride)
    table = ClassTable(tuple(c.name for c in spec.classes), spec.background)
    runs = stack([encode(LabelMap(each, table, "")) for each in labels])
    objects, classes = find_objects(runs, spec.background), find_classes(runs, spec.background)
    survival = best(runs, objects, classes, strides=strides)
    own = classes.class_id == wanted
    area = PHASES * classes.pixels[own].sum()
    shares = (area - survival.lost[own].sum(axis=0)) / (area + survival.gained[own].sum(axis=0))
    what = "of its area"
    if (rule.statistic or "").startswith("recall"):
        areas = np.bincount(objects.of_run[objects.of_run >= 0], (runs.stop - runs.start)[objects.of_run >= 0])
        large = (objects.class_id == wanted) & (areas >= LARGE)
        shares = (survival.object_lost[large] <= areas[large, None]).mean(axis=0)  # of two phases: half is kept
        what = f"of its objects of {LARGE} px or more"
    asked = rule.threshold or 0.0
    text = f"{rule.binding_class} keeps {shares[0]:.0%} {what} at stride {stride} at best, on {len(labels)} masks"
    text += f" ({asked:.0%} asked for)" + (f"; {shares[1]:.0%} at stride {strides[1]}" if len(strides) > 1 else "")
    return ("passed" if shares[0] >= asked else "failed"), text


def _masks(folder: Path, spec: ModelSpec) -> Iterator[NDArray[Any]]:
    """Some masks of dataset.csv, evenly spread, at training scale."""
    with (folder / "dataset.csv").open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        names = [row["mask"] for row in csv.DictReader(file)]
    for number in np.unique(np.linspace(0, len(names) - 1, LOOKED_AT).astype(int)) if names else ():
        path = folder / names[number]
        stored = np.fromfile(path, np.uint8) if path.is_file() else np.zeros(0, np.uint8)
        labels = cv2.imdecode(stored, cv2.IMREAD_UNCHANGED) if stored.size else None
        if labels is None or labels.ndim != 2 or labels.dtype not in (np.uint8, np.uint16):
            raise InputError(f"{path}: can't be read as an index mask; export again")
        size = spec.input.train_size
        yield labels if size is None else resize_nearest(labels, size)
