"""What the command line makes of spec.yaml's training block."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from shapeprof.nn.data import Pair  # noqa: E402
from shapeprof.nn.kit.errors import InputError  # noqa: E402
from shapeprof.nn.kit.plan import Plan, parser, plan_of  # noqa: E402

from .designs import NETWORKS, model_spec  # noqa: E402

TRAINING = model_spec(NETWORKS["plain"]).to_dict()["training"]


def plan(*options: str) -> Plan:
    return plan_of(parser().parse_args(["--device", "cpu", *options]), TRAINING, Path("folder"))


def test_the_spec_holds_where_nothing_is_asked() -> None:
    made = plan()
    assert (made.steps, made.batch, made.seed) == tuple(TRAINING[k] for k in ("steps", "batch", "seed"))
    assert list(made.crop) == TRAINING["crop"] and made.learning_rate == TRAINING["learning_rate"]
    assert (made.workers, made.out) == (0, Path("folder/runs/last"))


def test_options_come_first() -> None:
    made = plan("--steps", "70", "--batch", "3", "--crop", "64", "--lr", "1e-4", "--seed", "0", "--out", "x")
    assert (made.steps, made.batch, made.crop) == (70, 3, (64, 64))
    assert (made.learning_rate, made.seed, made.out) == (1e-4, 0, Path("x"))
    assert (made.eval_every, made.log_every) == (7, 1)
    assert plan("--crop", "64", "96").crop == (64, 96)


@pytest.mark.parametrize("rate", ["nan", "inf", "0", "-1"])
def test_a_learning_rate_is_positive(rate: str) -> None:
    with pytest.raises(InputError, match=f"--lr .*{float(rate)}: expected a positive number"):
        plan(f"--lr={rate}")


def test_a_crop_has_two_sides_at_most() -> None:
    with pytest.raises(InputError, match="--crop takes one side, or rows and columns; got 3 numbers"):
        plan("--crop", "1", "2", "3")


def test_the_course_is_what_decides_how_training_goes() -> None:
    pairs = [Pair(Path("i"), Path("m"), split, "") for split in ("train", "train", "val")]
    course = plan().course(TRAINING, pairs)
    assert TRAINING.keys() < course.keys()
    assert (course["pairs of train"], course["pairs of val"]) == (2, 1)
    for options in (("--device", "cpu"), ("--workers", "3"), ("--threads", "1"), ("--out", "x"), ("--compile",)):
        assert plan(*options).course(TRAINING, pairs) == course
    for options in (("--precision", "bfloat16"), ("--eval-every", "2"), ("--accumulate", "2")):
        assert plan(*options).course(TRAINING, pairs) != course


def test_crops_are_numbered_on_through_the_steps() -> None:
    made = plan("--batch", "3", "--accumulate", "2")
    assert made.crop_numbers(0) == [0, 1, 2, 3, 4, 5] and made.crop_numbers(1) == [6, 7, 8, 9, 10, 11]


def test_precision_is_full_on_a_cpu_unless_asked() -> None:
    assert plan().precision == torch.float32
    assert plan("--precision", "float16").precision == torch.float16


@pytest.mark.parametrize("option", ["--steps=0", "--crop=0", "--seed=-1", "--batch=two"])
def test_numbers_out_of_range_end_with_the_usage(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        plan(option)
    assert ended.value.code == 2 and option.partition("=")[0] in capsys.readouterr().err
