"""What a run leaves and says, and how it ends where it can't go on."""

from __future__ import annotations

import csv
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from shapeprof.nn import train as script  # noqa: E402
from shapeprof.nn.kit.announce import TIMED_STEPS  # noqa: E402
from shapeprof.nn.kit.checkpoint import load  # noqa: E402
from shapeprof.nn.train import Optimisation  # noqa: E402

from .folders import GROUP_NORM, rows, spoil_crop, training_folder  # noqa: E402

FULL_CPU = "[enforce fail at alloc_cpu.cpp:119] . DefaultCPUAllocator: can't allocate memory: you tried to"


def train(root: Path, *options: str) -> int:
    return script.main(["--device", "cpu", *options], root)


@pytest.fixture
def error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the trainer in ``tmp_path``, which fails; returns its one line."""

    def told(*options: str) -> str:
        capsys.readouterr()
        assert train(tmp_path, *options) == 1
        message = capsys.readouterr().err
        assert message.startswith("error: ") and message.count("\n") == 1, message
        return message

    return told


@pytest.mark.slow
def test_what_a_run_leaves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    training_folder(tmp_path, GROUP_NORM, accumulate=3)
    assert train(tmp_path, "--eval-every", "2") == 0
    out, said = tmp_path / "runs/last", capsys.readouterr().out
    assert sorted(p.name for p in out.iterdir()) == ["best.pt", "last.pt", "log.csv", "predictions.png"]
    with (out / "log.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["step"] for row in table] == list("1234")
    assert all(float(row["crops_per_second"]) > 0 for row in table)
    assert [row["miou"] != "" for row in table] == [False, True, False, True]
    assert "crops of 32 x 32 px, 6 a step in 3 batches" in said
    evaluation = next(line for line in said.splitlines() if line.startswith("step      2"))
    assert " crops/s  " in evaluation and evaluation.endswith(" left")
    assert set(torch.load(out / "best.pt", weights_only=True)) == {"state_dict", "spec_digest", "step", "miou"}


@pytest.mark.slow
def test_averaged_weights_are_scored_and_kept(tmp_path: Path) -> None:
    training_folder(tmp_path, "skips, deep supervision", ema=0.9)
    assert train(tmp_path) == 0
    content = torch.load(tmp_path / "runs/last/last.pt", weights_only=True)
    state = content["run"]["optimisation"]
    name = "head.0.0.weight"
    assert torch.equal(content["state_dict"][name], state["averaged"][name])
    assert not torch.equal(state["network"][name], state["averaged"][name])
    assert torch.equal(load(tmp_path, "runs/last/last.pt").state_dict()[name], state["averaged"][name])


@pytest.mark.slow
def test_training_stops_where_nothing_gets_better(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    training_folder(tmp_path, GROUP_NORM, steps=20, patience=2, learning_rate=1e-12)
    assert train(tmp_path, "--eval-every", "1") == 0
    said, out = capsys.readouterr().out, tmp_path / "runs/last"
    assert "stopped early, after step 3 of 20: 2 evaluations without a better mean IoU" in said
    assert "best.pt, step 1, on 3 held-out images" in said and "majority" in said
    assert [row["step"] for row in rows(out)] == list("123") and (out / "predictions.png").exists()
    assert train(tmp_path, "--eval-every", "1", "--resume") == 0
    assert "stopped early, after step 3 of 20" in capsys.readouterr().out
    assert [row["step"] for row in rows(out)] == list("123")


@pytest.fixture
def _choices_undone() -> Iterator[None]:
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.deterministic = False
    os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)


@pytest.mark.slow
@pytest.mark.usefixtures("_choices_undone")
@pytest.mark.parametrize("options", [(), ("--deterministic",)])
def test_two_runs_are_equal(tmp_path: Path, options: tuple[str, ...]) -> None:
    training_folder(tmp_path, GROUP_NORM, loss="ce+dice+cldice", ema=0.5)
    states = []
    for name in "ab":
        assert train(tmp_path, *options, "--out", str(tmp_path / name)) == 0
        states.append(torch.load(tmp_path / name / "last.pt", weights_only=True)["run"]["optimisation"]["network"])
    assert rows(tmp_path / "a") == rows(tmp_path / "b")
    assert torch.are_deterministic_algorithms_enabled() == bool(options)
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_an_operation_that_is_not_deterministic_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Any
) -> None:
    def step(*_: object) -> None:
        raise RuntimeError(
            "adaptive_avg_pool2d_backward_cuda does not have a deterministic implementation, but you set"
        )

    training_folder(tmp_path)
    monkeypatch.setattr(Optimisation, "step", step)
    assert "adaptive_avg_pool2d_backward_cuda has no deterministic implementation on this device" in error()


@pytest.mark.slow
@pytest.mark.parametrize(
    "full", [torch.cuda.OutOfMemoryError("CUDA out of memory"), RuntimeError(FULL_CPU), MemoryError()]
)
def test_where_memory_is_full_the_way_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Any, full: Exception
) -> None:
    def step(*_: object) -> None:
        raise full

    training_folder(tmp_path, GROUP_NORM, crop=(512, 384), batch=16, accumulate=2)
    monkeypatch.setattr(Optimisation, "step", step)
    assert error() == (
        "error: out of memory on cpu: crop 512 x 384, batch 16, accumulate 2; estimated to need 1.0 GB in float32; "
        "try 'train.py --batch 8 --accumulate 4' (the same training, more slowly) or 'train.py --crop 352 256' "
        "(46% of the pixels)\n"
    )
    assert "batch 4, accumulate 2; estimated to need 0.2 GB" in error("--batch", "4")
    assert error("--batch", "1", "--crop", "32").endswith("in float32; try a machine with more memory\n")


def test_where_memory_is_full_in_an_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Any) -> None:
    def evaluate(*_: object, **__: object) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    training_folder(tmp_path)
    monkeypatch.setattr(script, "evaluate", evaluate)
    assert "out of memory in an evaluation, by windows of 256 px; use a smaller --window" in error("--window", "256")


def test_other_errors_of_torch_are_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def step(*_: object) -> None:
        raise RuntimeError("something else")

    training_folder(tmp_path)
    monkeypatch.setattr(Optimisation, "step", step)
    with pytest.raises(RuntimeError, match="something else"):
        train(tmp_path)


@pytest.mark.slow
def test_errors_of_loader_processes_are_one_line(tmp_path: Path, error: Any) -> None:
    training_folder(tmp_path, steps=20)
    spoil_crop(tmp_path, 30)
    bad = error("--workers", "2")
    assert bad.endswith("bad.png holds class id 7, but spec.yaml has only 0 to 2\n")
    assert len(rows(tmp_path / "runs/last")) >= TIMED_STEPS  # it was not found while steps were timed


@pytest.mark.slow
def test_an_image_that_goes_while_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Any) -> None:
    training_folder(tmp_path, steps=20)
    spoil_crop(tmp_path, 30)
    expected_finish = script.print_expected_finish

    def timed(*arguments: Any) -> None:
        expected_finish(*arguments)
        (tmp_path / "bad.png").unlink()

    monkeypatch.setattr(script, "print_expected_finish", timed)
    assert error("--workers", "1").endswith("bad.png can't be read: No such file or directory\n")


@pytest.mark.slow
def test_where_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Any) -> None:
    training_folder(tmp_path)
    assert train(tmp_path, "--steps", "2") == 0
    out = tmp_path / "runs/last"
    kept = (out / "best.pt").read_bytes()

    def fsync(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    assert "best.pt (0.1 MB) can't be written: No space left on device; make room or choose" in error()
    assert (out / "best.pt").read_bytes() == kept
    assert sorted(p.name for p in out.iterdir()) == ["best.pt", "log.csv", "predictions.png"]


def test_results_that_can_not_be_written(tmp_path: Path, error: Any) -> None:
    training_folder(tmp_path)
    said = error("--out", str(tmp_path / "spec.yaml"))
    assert "spec.yaml can't hold the results: File exists; choose another --out" in said
    (tmp_path / "out/log.csv").mkdir(parents=True)
    assert "log.csv can't be written: Is a directory" in error("--out", str(tmp_path / "out"))


def test_a_loss_that_diverges(tmp_path: Path, error: Any) -> None:
    training_folder(tmp_path, clip_norm=1e30, warmup_steps=0, steps=30)
    assert "the loss became NaN at step" in error("--lr", "1e30")


@pytest.mark.slow
def test_half_precision(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    training_folder(tmp_path, GROUP_NORM)
    losses = {}
    for precision in ("float32", "bfloat16"):
        assert train(tmp_path, "--precision", precision) == 0
        assert f"threads, {precision}\n" in capsys.readouterr().out
        losses[precision] = [float(row["loss"]) for row in rows(tmp_path / "runs/last")]
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.05)


@pytest.mark.slow
def test_a_compiled_network_keeps_its_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compile_, compiled = torch.compile, []

    def eagerly(model: Any) -> Any:
        compiled.append(model)
        return compile_(model, backend="eager")

    monkeypatch.setattr(torch, "compile", eagerly)
    training_folder(tmp_path)
    for options in ((), ("--compile",)):
        assert train(tmp_path, *options, "--out", str(tmp_path / f"{len(options)}")) == 0
    assert len(compiled) == 1
    plain, other = (torch.load(tmp_path / n / "best.pt", weights_only=True)["state_dict"] for n in "01")
    assert plain.keys() == other.keys()
    assert rows(tmp_path / "0") == rows(tmp_path / "1")
