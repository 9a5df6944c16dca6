"""Two processes under torchrun, on a CPU over gloo, train as one does, and end as one."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from shapeprof.nn import train  # noqa: E402
from shapeprof.nn.kit import distributed  # noqa: E402
from shapeprof.nn.kit.distributed import SharedError, agreed  # noqa: E402
from shapeprof.nn.kit.errors import InputError  # noqa: E402
from shapeprof.nn.kit.plan import parser, plan_of  # noqa: E402

from .folders import GROUP_NORM, rows, spoil_crop, start, training_folder  # noqa: E402
from .test_resume import Killed, fail_at  # noqa: E402

if not torch.distributed.is_available() or not torch.distributed.is_gloo_available():
    pytest.skip("torch was built without gloo", allow_module_level=True)

OPTIONS = ("--steps", "6", "--eval-every", "3", "--threads", "1")
TRAINING = {"batch": 4, "accumulate": 2, "ema": 0.9, "learning_rate": 1e-3}


def two(root: Path, *options: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of two processes."""
    process = start(root, *OPTIONS, *options, processes=2)
    stdout, stderr = process.communicate(timeout=180)
    return process.returncode, stdout, stderr


def weights(out: Path) -> dict[str, torch.Tensor]:
    """As they are, and averaged."""
    content = torch.load(out / "last.pt", weights_only=True)["run"]["optimisation"]
    return {f"{kind}.{k}": v for kind in ("network", "averaged") for k, v in content[kind].items()}


def assert_near(a: Path, b: Path) -> None:
    mine, theirs = weights(a), weights(b)
    assert mine.keys() == theirs.keys()
    for name, value in mine.items():
        torch.testing.assert_close(value, theirs[name], rtol=0, atol=1e-5)
    assert [row["step"] for row in rows(a)] == [row["step"] for row in rows(b)] == list("123456")
    for one, other in zip(rows(a), rows(b), strict=True):
        for name in ("loss", "learning_rate"):
            assert float(one[name]) == pytest.approx(float(other[name]), abs=2e-5)
        assert (one["miou"] == "") == (other["miou"] == "")
        if one["miou"]:
            assert float(one["miou"]) == pytest.approx(float(other["miou"]), abs=2e-3)


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Crops of 64 px of images of 48 x 40 px that are scaled: of each crop another part is to ignore."""
    training_folder(tmp_path, GROUP_NORM, crop=(64, 64), scale=(0.7, 1.5), **TRAINING)
    one, both, resumed = (tmp_path / name for name in ("one", "two", "resumed"))
    alone = ["--device", "cpu", *OPTIONS]
    assert train.main([*alone, "--out", str(one)], tmp_path) == 0
    code, stdout, stderr = two(tmp_path, "--out", str(both))
    assert code == 0, stderr
    assert stdout.count("pairs    8: 5 to train") == stdout.count("step      6  loss") == 1
    assert "device   cpu, 2 processes" in stdout and "SyncBatchNorm" not in stdout
    assert_near(one, both)

    with monkeypatch.context() as patched:
        fail_at(patched, 5)
        with pytest.raises(Killed):
            train.main([*alone, "--out", str(resumed)], tmp_path)
    code, stdout, stderr = two(tmp_path, "--out", str(resumed), "--resume")
    assert code == 0, stderr
    assert stdout.count("resumed  after step 3 of") == 1
    assert_near(one, resumed)


@pytest.mark.slow
def test_evaluations_are_shared_and_batch_norm_is_explained(tmp_path: Path) -> None:
    training_folder(tmp_path, "skips, deep supervision", batch=2)
    options = ("--steps", "1", "--eval-every", "1")
    code, stdout, stderr = two(tmp_path, *options)
    assert code == 0, stderr
    assert "torch has no SyncBatchNorm on a CPU" in stdout
    pixels = [line.split()[-1] for line in stdout.splitlines() if line.startswith(("background", "class 1"))]
    assert pixels[:2] == [str(3 * 48 * 40 - 3 * 256 - 3 * 200), str(3 * 256)]


@pytest.mark.slow
def test_an_error_of_a_loader_process_is_one_line_and_ends_all(tmp_path: Path) -> None:
    training_folder(tmp_path, GROUP_NORM, **TRAINING)
    spoil_crop(tmp_path, 40)
    code, _, stderr = two(tmp_path, "--workers", "1")
    assert code == 1
    told = [line for line in stderr.splitlines() if line.startswith("error: ")]
    assert len(told) == 1, stderr
    assert told[0].endswith("bad.png holds class id 7, but spec.yaml has only 0 to 2")
    assert stderr.count("Traceback") == 1  # torchrun's own


FULL = """\
import os, torch
from shapeprof.nn.train import Optimisation
if os.environ["RANK"] == "1":
    def step(self, images, labels):
        raise torch.cuda.OutOfMemoryError("full")
    Optimisation.step = step
"""


@pytest.mark.slow
def test_a_process_that_fails_alone_takes_the_others_along(tmp_path: Path) -> None:
    training_folder(tmp_path, GROUP_NORM, **TRAINING)
    (tmp_path / "train.py").write_text(FULL + (tmp_path / "train.py").read_text())
    code, _, stderr = two(tmp_path)
    assert code == 1
    assert "error: out of memory on cpu: crop 32 x 32, batch 4, accumulate 2" in stderr
    assert "--batch 2 --accumulate 4" in stderr


def test_a_batch_is_shared_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training = training_folder(tmp_path, batch=6, accumulate=2)["training"]
    numbers = {}
    monkeypatch.setattr(distributed, "size", lambda: 3)
    for rank in range(3):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        numbers[rank] = plan_of(parser().parse_args(["--device", "cpu"]), training, tmp_path).crop_numbers(1)
    assert numbers == {0: [12, 13, 18, 19], 1: [14, 15, 20, 21], 2: [16, 17, 22, 23]}
    for batch, nearest in ((7, 6), (8, 9), (1, 3)):
        with pytest.raises(InputError, match=f"batch of {batch} crops .* 3 processes.* --batch {nearest}"):
            plan_of(parser().parse_args(["--device", "cpu", f"--batch={batch}"]), training, tmp_path)


def test_alone_nothing_is_shared() -> None:
    assert (distributed.rank(), distributed.size(), distributed.local_rank()) == (0, 1, 0)
    assert distributed.highest(3) == 3 and distributed.of_first(lambda: "x") == "x"
    assert distributed.total(torch.tensor([1, 2])).tolist() == [1, 2]
    with pytest.raises(SharedError, match=r"^seen, expected$"), agreed():
        raise InputError("seen, expected")
