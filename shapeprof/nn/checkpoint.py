"""Checkpoints: the network's weights, bound to the spec that they belong to."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from .errors import InputError
from .network import SegmentationNetwork, build
from .specfile import digest, read_spec


def save(path: Path, network: SegmentationNetwork, spec: dict[str, Any], *, step: int, miou: float) -> None:
    """Write the weights (training heads included), the step, the score and the spec's digest, atomically."""
    temporary = path.with_suffix(".tmp")
    content = {"state_dict": network.state_dict(), "spec_digest": digest(spec), "step": step, "miou": miou}
    torch.save(content, temporary)
    temporary.replace(path)  # a run that is killed while it writes leaves the old file whole


def restore(path: Path, network: SegmentationNetwork, spec: dict[str, Any]) -> int:
    """Load ``path`` into ``network``; returns the step that it was saved at."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"{path} can't be read as a checkpoint: {error.strerror or error}") from None
    except (RuntimeError, EOFError, KeyError, ValueError, IndexError, pickle.UnpicklingError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} can't be read as a checkpoint: {why}") from None
    if not isinstance(content, dict) or not {"spec_digest", "state_dict", "step"} <= content.keys():
        raise InputError(f"{path} is no checkpoint of train.py; expected best.pt or last.pt")
    if content["spec_digest"] != digest(spec):
        raise InputError(f"{path} was trained with another spec.yaml (classes, input or model differ)")
    network.load_state_dict(content["state_dict"])
    return int(content["step"])


def load(folder: Path | str, checkpoint: Path | str = "runs/last/best.pt") -> SegmentationNetwork:
    """The trained network of an exported ``folder``, ready to predict: no training heads, evaluation mode."""
    spec = read_spec(Path(folder) / "spec.yaml")
    network = build(spec)
    restore(Path(folder) / checkpoint, network, spec)
    return network.without_training_heads()
