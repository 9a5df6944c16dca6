"""Folders as ``shapeprof export`` writes them, with eight small pairs to train on, and runs of their trainer."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from shapeprof.nn.data import Crops, Pair

from .designs import NETWORKS, model_spec

GROUP_NORM = "skips, dilated to 16, context, both kinds of heads, group norm"
SCRIPT = """\
import sys
from pathlib import Path
from shapeprof.nn.train import main
if __name__ == "__main__":
    raise SystemExit(main(folder=Path(__file__).resolve().parent))
"""


def training_folder(root: Path, network: str = "plain", *, held_out: int = 3, **training: Any) -> dict[str, Any]:
    """Write spec.yaml, train.py, images, masks and dataset.csv to ``root``; returns the spec's dictionary."""
    spec = model_spec(NETWORKS[network], **({"loss": "ce", "learning_rate": 1e-2} | training)).to_dict()
    (root / "spec.yaml").write_text(yaml.safe_dump(spec))
    (root / "train.py").write_text(SCRIPT)
    rng = np.random.default_rng(0)
    rows = [["image", "mask", "split", "group"]]
    for i in range(8):
        mask = np.zeros((48, 40), np.uint8)
        top, left = (int(n) for n in rng.integers(0, 20, 2))
        mask[top : top + 16, left : left + 16] = 1
        mask[38:, :20] = 2
        image = rng.integers(0, 60, (48, 40, 3), np.uint8) + (80 * mask[..., None]).astype(np.uint8)
        cv2.imwrite(str(root / f"image{i}.png"), image)
        cv2.imwrite(str(root / f"mask{i}.png"), mask)
        rows.append([f"image{i}.png", f"mask{i}.png", "val" if i < held_out else "train", ""])
    with (root / "dataset.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return spec


def spoil_crop(root: Path, number: int) -> None:
    """Repeat the rows of dataset.csv; the pair that crop ``number`` is cut from, and no crop before it, is spoilt."""
    with (root / "dataset.csv").open(newline="") as file:
        header, *pairs = csv.reader(file)
    pairs = [list(row) for _ in range(number) for row in pairs]
    spec = yaml.safe_load((root / "spec.yaml").read_text())
    numbered = [Pair(Path(str(i)), Path(), "train", "") for i, row in enumerate(pairs) if row[2] == "train"]
    crops = Crops(numbered, spec, crop=(8, 8), count=number + 1, seed=spec["training"]["seed"])
    cv2.imwrite(str(root / "bad.png"), np.full((48, 40), 7, np.uint8))
    pairs[int(crops.pair_of(number).image.name)][1] = "bad.png"
    with (root / "dataset.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *pairs])


def rows(out: Path) -> list[dict[str, str]]:
    """log.csv, without what the clock decides."""
    with (out / "log.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    return [{k: v for k, v in row.items() if k not in ("seconds", "crops_per_second")} for row in found]


def start(root: Path, *options: str, processes: int = 0, **more: bool) -> subprocess.Popen[str]:
    """train.py in a process of its own, or in several under torchrun, on a CPU; ``more`` is for Popen."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [sys.executable, *(launcher if processes else []), "train.py", "--device", "cpu", *options]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
    )
