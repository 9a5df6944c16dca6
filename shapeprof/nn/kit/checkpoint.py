"""Checkpoints: weights, bound to the spec that they belong to; in last.pt also all that a run goes on from."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path
from typing import Any

import torch

from ..network import SegmentationNetwork, build
from .errors import InputError
from .specfile import digest, read_spec


def save(
    path: Path,
    network: SegmentationNetwork,
    spec: dict[str, Any],
    *,
    step: int,
    miou: float,
    run: dict[str, Any] | None = None,
) -> None:
    """Write the weights (training heads included), the step, the score and the spec's digest, atomically.

    ``run`` is what a run that goes on needs beside: tensors, numbers, text, lists and dictionaries.

    Raises:
        InputError: it can't be written; an older file of the same name is whole.
    """
    content = {"state_dict": network.state_dict(), "spec_digest": digest(spec), "step": step, "miou": miou}
    if run is not None:
        content["run"] = run
    encoded = io.BytesIO()  # torch.save turns errors of the disk into others that don't name them
    torch.save(content, encoded)
    temporary = path.with_suffix(".tmp")
    try:
        with temporary.open("wb") as file:
            file.write(encoded.getbuffer())
            file.flush()
            os.fsync(file.fileno())  # else a power cut could leave the new name on an empty file
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        mega = encoded.getbuffer().nbytes / 1e6
        raise InputError(
            f"{path} ({mega:.1f} MB) can't be written: {error.strerror}; make room or choose another --out"
        ) from None


def read(path: Path, spec: dict[str, Any]) -> dict[str, Any]:
    """What ``save`` wrote, on the CPU.

    Raises:
        InputError: it can't be read, is no checkpoint, or belongs to another spec.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"{path} can't be read as a checkpoint: {error.strerror or error}") from None
    except (RuntimeError, EOFError, KeyError, ValueError, IndexError, pickle.UnpicklingError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        if isinstance(error, pickle.UnpicklingError):  # torch advises to switch its safety off
            why = "it is no file that torch.save has written, or holds more than tensors"
        raise InputError(f"{path} can't be read as a checkpoint: {why}") from None
    if not isinstance(content, dict) or not {"spec_digest", "state_dict", "step"} <= content.keys():
        raise InputError(f"{path} is no checkpoint of train.py; expected best.pt or last.pt")
    if content["spec_digest"] != digest(spec):
        raise InputError(f"{path} was trained with another spec.yaml (classes, input or model differ)")
    return content


def restore(path: Path, network: SegmentationNetwork, spec: dict[str, Any]) -> int:
    """Load ``path`` into ``network``; returns the step that it was saved at."""
    content = read(path, spec)
    network.load_state_dict(content["state_dict"])
    return int(content["step"])


def resumable(path: Path, spec: dict[str, Any], course: dict[str, Any]) -> dict[str, Any]:
    """The checkpoint in ``path``, of a run whose course is the one that is asked for.

    Raises:
        InputError: the file is missing or can't be resumed, or other settings were asked for; says which.
    """
    if not path.is_file():
        raise InputError(f"--resume: {path} is missing; leave --resume out to start, or name the run with --out")
    content = read(path, spec)
    if "run" not in content:
        raise InputError(f"--resume: {path} holds weights only; expected a last.pt of this train.py")
    before = content["run"]["course"]
    names = sorted(before.keys() | course.keys())
    if differ := [name for name in names if before.get(name) != course.get(name)]:
        changed = ", ".join(f"{name} {before.get(name)} (now {course.get(name)})" for name in differ)
        raise InputError(f"--resume: {path} is of a run with {changed}; ask for the same, or leave --resume out")
    return content


def load(folder: Path | str, checkpoint: Path | str = "runs/last/best.pt") -> SegmentationNetwork:
    """The trained network of an exported ``folder``, ready to predict: no training heads, evaluation mode."""
    spec = read_spec(Path(folder) / "spec.yaml")
    network = build(spec)
    restore(Path(folder) / checkpoint, network, spec)
    return network.without_training_heads()
