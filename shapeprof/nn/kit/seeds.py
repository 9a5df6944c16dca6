"""What makes a run repeatable: seeds of every step, deterministic operations, quiet loader processes."""

from __future__ import annotations

import os
import signal

import cv2
import numpy as np
import torch

from . import distributed


def seed_step(seed: int, step: int) -> None:
    """Seed torch from (``seed``, ``step``, process), so that dropout is the same after --resume."""
    numbers = np.random.SeedSequence((seed, step, distributed.rank()))
    torch.manual_seed(int(numbers.generate_state(1)[0]))


def choose_deterministic_operations() -> None:
    """Have torch use deterministic operations; call it before CUDA starts, as cuBLAS reads its setting once."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False


def prepare_loader_process(_: int) -> None:
    """Set up a loader process: one OpenCV thread each, and signals left to the process that trains."""
    cv2.setNumThreads(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
