"""A run that was stopped, or killed, and resumed equals one that was not."""

from __future__ import annotations

import csv
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from shapeprof.nn import train  # noqa: E402
from shapeprof.nn.kit.announce import TIMED_STEPS  # noqa: E402
from shapeprof.nn.train import Optimisation  # noqa: E402

from .folders import rows, start, training_folder  # noqa: E402

# One thread: sums are rounded differently for another number of threads.
OPTIONS = ("--device", "cpu", "--threads", "1", "--eval-every", "5", "--steps", "20")
TRAINING = {"steps": 20, "ema": 0.9, "loss": "ce+dice"}


SLOWLY = """\
import time
from shapeprof.nn.train import Optimisation
true_step = Optimisation.step
def step(self, images, labels):
    time.sleep(0.1)
    return true_step(self, images, labels)
Optimisation.step = step
"""


class Killed(Exception):
    """Nothing that the trainer knows."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a run that nothing stopped."""
    root = tmp_path_factory.mktemp("whole")
    training_folder(root, "skips, deep supervision", **TRAINING)
    assert train.main([*OPTIONS], root) == 0
    return root / "runs/last"


def assert_equal(a: Any, b: Any, where: str) -> None:
    """Nested tensors and values are equal, bit for bit."""
    assert type(a) is type(b), where
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_equal(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for i, (mine, theirs) in enumerate(zip(a, b, strict=True)):
            assert_equal(mine, theirs, f"{where}[{i}]")
    else:
        assert a == b, where


def assert_same_results(a: Path, b: Path) -> None:
    assert rows(a) == rows(b)
    assert [int(row["step"]) for row in rows(a)] == list(range(1, 21))
    for name in ("last.pt", "best.pt"):
        mine, theirs = (torch.load(out / name, weights_only=True) for out in (a, b))
        for each in (mine, theirs):
            each.get("run", {}).pop("seconds", None)
        assert_equal(mine, theirs, name)


def fail_at(monkeypatch: pytest.MonkeyPatch, fatal: int) -> None:
    """The ``fatal``-th step of a run, from 1, does half its work and dies."""
    true_step, counts = Optimisation.step, {"run": 0}

    def step(self: Optimisation, images: Any, labels: Any) -> Any:
        if self.schedule.last_epoch == fatal - 1 and counts["run"] >= TIMED_STEPS:
            next(self.network.head.parameters()).data.zero_()
            raise Killed
        counts["run"] += 1
        return true_step(self, images, labels)

    monkeypatch.setattr(Optimisation, "step", step)


@pytest.mark.slow
@pytest.mark.parametrize("often", [False, True], ids=["saved when evaluated", "saved every step"])
def test_killed_at_a_random_step(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, often: bool) -> None:
    training_folder(tmp_path, "skips, deep supervision", **TRAINING)
    fatal = random.Random(f"{often}").randint(7, 19)
    if often:  # also between two rows of log.csv
        monkeypatch.setattr(train, "SAVE_INTERVAL", 0.0)
    with monkeypatch.context() as patched:
        fail_at(patched, fatal)
        with pytest.raises(Killed):
            train.main([*OPTIONS], tmp_path)
    out = tmp_path / "runs/last"
    kept = torch.load(out / "last.pt", weights_only=True)["step"]
    assert kept == fatal - 1 if often else kept == (fatal - 1) // 5 * 5
    assert [int(row["step"]) for row in rows(out)] == list(range(1, fatal))
    assert train.main([*OPTIONS, "--resume"], tmp_path) == 0
    assert_same_results(out, whole)


@pytest.mark.slow
def test_what_is_random_in_a_step_follows_from_the_seed_and_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training_folder(tmp_path, steps=4)
    drawn: dict[str, list[Any]] = {"whole": [], "resumed": []}
    true_step = Optimisation.step

    def drawing(name: str) -> Any:
        def step(self: Optimisation, images: Any, labels: Any) -> Any:
            drawn[name].append(torch.rand(()).item())
            return true_step(self, images, labels)

        return step

    monkeypatch.setattr(Optimisation, "step", drawing("whole"))
    assert train.main(["--device", "cpu", "--out", str(tmp_path / "a")], tmp_path) == 0
    monkeypatch.setattr(Optimisation, "step", true_step)
    with monkeypatch.context() as patched:
        fail_at(patched, 3)
        with pytest.raises(Killed):
            train.main(["--device", "cpu", "--out", str(tmp_path / "b")], tmp_path)
    monkeypatch.setattr(Optimisation, "step", drawing("resumed"))
    assert train.main(["--device", "cpu", "--out", str(tmp_path / "b"), "--resume"], tmp_path) == 0
    assert len(drawn["resumed"]) == TIMED_STEPS + 2
    assert drawn["resumed"][-2:] == drawn["whole"][-2:]
    assert len(set(drawn["whole"][-4:])) == 4


def wait_for_row(process: Any, out: Path, step: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if (out / "log.csv").exists() and len((out / "log.csv").read_text().splitlines()) > step:
            return
        time.sleep(0.01)
    raise AssertionError(process.communicate()[1])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_process_that_is_killed(whole: Path, tmp_path: Path) -> None:
    training_folder(tmp_path, "skips, deep supervision", **TRAINING)
    script = (tmp_path / "train.py").read_text()
    (tmp_path / "train.py").write_text(SLOWLY + script)
    out, options = tmp_path / "runs/last", OPTIONS
    process = start(tmp_path, *options)
    wait_for_row(process, out, 7)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert len(rows(out)) < 20  # it was killed in the middle
    (tmp_path / "train.py").write_text(script)
    resumed = start(tmp_path, *options, "--resume", "--workers", "2")
    stdout, stderr = resumed.communicate(timeout=120)
    assert (resumed.returncode, stderr) == (0, "")
    assert "resumed  after step " in stdout
    assert_same_results(out, whole)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no signals for one process")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_after_its_step(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: int
) -> None:
    training_folder(tmp_path, "skips, deep supervision", **TRAINING)
    before, true_step = signal.getsignal(number), Optimisation.step

    def step(self: Optimisation, images: Any, labels: Any) -> Any:
        loss = true_step(self, images, labels)
        if signal.getsignal(number) is not before and self.schedule.last_epoch == 8:
            signal.raise_signal(number)
        return loss

    with monkeypatch.context() as patched:
        patched.setattr(Optimisation, "step", step)
        assert train.main([*OPTIONS], tmp_path) == code
    assert signal.getsignal(number) is before
    assert len(rows(tmp_path / "runs/last")) == 8
    assert train.main([*OPTIONS, "--resume"], tmp_path) == 0
    assert_same_results(tmp_path / "runs/last", whole)


@pytest.mark.slow
def test_the_clock_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training_folder(tmp_path, steps=4)
    with monkeypatch.context() as patched:
        fail_at(patched, 3)
        with pytest.raises(Killed):
            train.main(["--device", "cpu"], tmp_path)
    last = tmp_path / "runs/last/last.pt"
    content = torch.load(last, weights_only=True)
    content["run"]["seconds"] = 5000.0
    torch.save(content, last)
    assert train.main(["--device", "cpu", "--resume"], tmp_path) == 0
    with (last.parent / "log.csv").open(newline="") as file:
        seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
    assert max(seconds[:2]) < 1000 and 5000 <= seconds[2] <= seconds[3] < 6000


def test_a_finished_run_is_only_summed_up(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    (out / "predictions.png").unlink()
    assert train.main([*OPTIONS, "--out", str(out), "--resume"], whole.parent.parent) == 0
    assert "resumed  after step 20" in (said := capsys.readouterr().out) and "majority" in said
    assert (out / "predictions.png").exists()
    assert_same_results(out, whole)


def test_resumed_under_another_default_number_of_threads(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training_folder(tmp_path, "skips, deep supervision", **TRAINING)
    with monkeypatch.context() as patched:
        fail_at(patched, 12)
        with pytest.raises(Killed):
            train.main([*OPTIONS], tmp_path)
    torch.set_num_threads(2)
    try:
        assert train.main([*OPTIONS[:2], *OPTIONS[4:], "--resume"], tmp_path) == 0
    finally:
        torch.set_num_threads(1)
    assert_same_results(tmp_path / "runs/last", whole)


@pytest.mark.slow
def test_the_number_of_threads_is_kept(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    options = [each for each in OPTIONS if each not in ("--threads", "1")]
    torch.set_num_threads(2)
    try:
        assert train.main([*options, "--out", str(out), "--resume"], whole.parent.parent) == 0
        assert torch.get_num_threads() == 1 and "threads:" not in capsys.readouterr().out
        again = [*options, "--threads", "2", "--out", str(out), "--resume"]
        assert train.main(again, whole.parent.parent) == 0
        assert "the run had 1 threads: with 2 it ends with other last digits" in capsys.readouterr().out
    finally:
        torch.set_num_threads(1)


@pytest.mark.slow
def test_another_course_is_refused(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def error(root: Path, *options: str) -> str:
        assert train.main([*OPTIONS, "--out", str(whole), "--resume", *options], root) == 1
        message = capsys.readouterr().err
        assert message.startswith("error: --resume: ") or "another spec.yaml" in message
        assert message.count("\n") == 1
        return message

    root = whole.parent.parent
    assert "steps 20 (now 30)" in error(root, "--steps", "30")
    said = error(root, "--batch", "4", "--lr", "0.5", "--crop", "64", "--seed", "9", "--accumulate", "2")
    for part in ("batch 2 (now 4)", "learning_rate 0.01 (now 0.5)", "crop [32, 32] (now [64, 64])"):
        assert part in said
    assert "seed 0 (now 9)" in said and "accumulate 1 (now 2)" in said
    training_folder(tmp_path, "skips, deep supervision", **(TRAINING | {"loss": "ce"}))
    assert "of a run with loss ce+dice (now ce); ask for the same" in error(tmp_path)
    training_folder(tmp_path, "skips, deep supervision", held_out=2, **TRAINING)
    assert "pairs of train 5 (now 6), pairs of val 3 (now 2)" in error(tmp_path)
    training_folder(tmp_path, "plain", **TRAINING)
    assert "trained with another spec.yaml (classes, input or model differ)" in error(tmp_path)
    assert train.main([*OPTIONS, "--resume", "--out", str(tmp_path / "none")], root) == 1
    assert "last.pt is missing; leave --resume out to start" in capsys.readouterr().err
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/last.pt").write_bytes((whole / "best.pt").read_bytes())
    assert train.main([*OPTIONS, "--resume", "--out", str(tmp_path / "weights")], root) == 1
    assert "holds weights only" in capsys.readouterr().err


def test_a_new_run_says_what_it_replaces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    training_folder(tmp_path, steps=1)
    assert train.main(["--device", "cpu"], tmp_path) == 0
    assert "holds an earlier run" not in capsys.readouterr().out
    assert train.main(["--device", "cpu"], tmp_path) == 0
    assert "holds an earlier run, which this one replaces; --resume would" in capsys.readouterr().out
