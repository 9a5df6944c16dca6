"""Every check of an exported model: it passes where it should, and what it says where it should not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")

from shapeprof.design.cost import cost  # noqa: E402
from shapeprof.design.spec import NetworkSpec  # noqa: E402
from shapeprof.nn.kit import checks, slow_checks  # noqa: E402
from shapeprof.nn.kit.checkpoint import save  # noqa: E402
from shapeprof.nn.kit.checks import Subject  # noqa: E402
from shapeprof.nn.kit.verification import Check, main, verify  # noqa: E402
from shapeprof.nn.network import SegmentationNetwork, TrainingOutput, build  # noqa: E402

from .designs import NETWORKS, model_spec  # noqa: E402
from .folders import training_folder  # noqa: E402

ALL_HEADS = "skips, dilated to 16, context, both kinds of heads, group norm"


def counted(network: NetworkSpec, *, classes: int = 3, channels: int = 3, **training: Any) -> dict[str, Any]:
    """The dictionary of a spec whose derived numbers are true."""
    training = {"crop": (160, 192), "loss": "ce", "learning_rate": 1e-2} | training
    spec = model_spec(network, classes=classes, channels=channels, **training).to_dict()
    derived = cost(network, classes, channels, training["crop"], spec["training"]["batch"])
    return {**spec, "derived": {name: getattr(derived, name) for name in spec["derived"]}}


def subject(
    root: Path, name: str = "skips, deep supervision", *, quick: bool = True, data: bool = False, **knobs: Any
) -> Subject:
    """What the checks of a folder are about, its network built."""
    if data:
        training_folder(root, name)
    spec = counted(NETWORKS[name], **knobs)
    (root / "spec.yaml").write_text(yaml.safe_dump(spec))
    made = Subject(root, spec, torch.device("cpu"), quick)
    checks.builds(made)
    return made


def failed(found: list[Check]) -> dict[str, str]:
    return {check.name: check.message for check in found if check.status == "failed"}


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_design_passes_the_quick_part(name: str, tmp_path: Path) -> None:
    found = list(verify(subject(tmp_path, name)))
    assert failed(found) == {}
    assert {c.name for c in found if c.status == "skipped"} >= {"data", "planned step", "ONNX"}
    assert all(c.status == "passed" for c in found[2:5])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "origin"), [(True, "crops of 64 x 64 px from dataset.csv"), (False, "synthetic images")]
)
def test_one_batch_is_learned(data: bool, origin: str, tmp_path: Path) -> None:
    made = subject(tmp_path, "stem of stride 2", quick=False, data=data)
    assert f"4 {origin}" in slow_checks.one_batch_is_learned(made)


@pytest.mark.slow
def test_multi_label_batches_are_learned(tmp_path: Path) -> None:
    made = subject(tmp_path, "stem of stride 2", quick=False, classes=2)
    made.spec |= {"task": "multi-label", "background": None}
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(made.spec))
    assert "4 synthetic images" in slow_checks.one_batch_is_learned(made)
    assert failed(list(verify(replace(made, quick=True)))) == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dilated to 8 with context", ALL_HEADS])
def test_a_design_passes_the_slow_part(name: str, tmp_path: Path) -> None:
    made = subject(tmp_path, name, quick=False)
    for trial in (slow_checks.planned_step_runs, slow_checks.receptive_field_agrees, slow_checks.torch_export_agrees):
        assert trial(made)
    assert made.figures["steps_per_second"] > 0
    assert made.figures["training_seconds"] == pytest.approx(4 / made.figures["steps_per_second"])
    assert made.figures["receptive_field"] == made.spec["derived"]["receptive_field"]


@pytest.mark.slow
def test_onnx_is_checked_where_its_packages_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = subject(tmp_path, "stem of stride 2", quick=False)
    monkeypatch.setattr(slow_checks, "missing_packages", lambda: ["onnxscript"])
    with pytest.raises(checks.LeftOut, match="pip install onnxscript"):
        slow_checks.onnx_agrees(made)
    monkeypatch.undo()
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    assert "at another size and batch" in slow_checks.onnx_agrees(made)


@pytest.mark.slow
def test_one_crash_fails_one_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = subject(tmp_path)
    forward = SegmentationNetwork.forward

    def crashing(self: SegmentationNetwork, image: Any) -> Any:
        if min(image.shape[2:]) == 1:
            raise ZeroDivisionError("an image of 1 px")
        return forward(self, image)

    monkeypatch.setattr(SegmentationNetwork, "forward", crashing)
    assert failed(list(verify(made))) == {"odd sizes": "ZeroDivisionError: an image of 1 px"}


def test_a_network_that_was_changed_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = subject(tmp_path)
    forward = SegmentationNetwork.forward

    def without_auxiliary(self: SegmentationNetwork, image: Any) -> Any:
        output = forward(self, image)
        return TrainingOutput(output.logits, ()) if self.training else output

    def always_auxiliary(self: SegmentationNetwork, image: Any) -> Any:
        output = forward(self, image)
        return output if self.training else TrainingOutput(output, ())

    monkeypatch.setattr(SegmentationNetwork, "forward", without_auxiliary)
    with pytest.raises(checks.Failed, match="in training logits and 0 more; expected logits and 2 more"):
        checks.heads_come_and_go(made)
    monkeypatch.setattr(SegmentationNetwork, "forward", always_auxiliary)
    with pytest.raises(checks.Failed, match=r"in evaluation .* expected logits alone"):
        checks.heads_come_and_go(made)


def test_parameters_without_a_gradient_are_named(tmp_path: Path) -> None:
    made = subject(tmp_path)
    assert made.network is not None
    made.network.register_parameter("forgotten", torch.nn.Parameter(torch.zeros(3)))
    with pytest.raises(checks.Failed, match=r"1 of \d+ parameters get none: forgotten"):
        checks.gradients_arrive(made)


def test_numbers_of_the_spec_that_are_not_those_of_the_network(tmp_path: Path) -> None:
    made = subject(tmp_path)
    derived = made.spec["derived"]
    true = derived["parameters"]
    derived["parameters"], derived["macs"], derived["receptive_field"] = 7, 8, 9
    with pytest.raises(checks.Failed, match=rf"parameters {true:,}, spec.yaml has 7; macs [\d,]+, spec.yaml has 8"):
        checks.counts_agree(made)
    with pytest.raises(checks.Failed, match=r"depends on 191 x 191 px, spec\.yaml has 9"):
        slow_checks.receptive_field_agrees(made)


def test_a_rate_that_the_crop_can_not_hold(tmp_path: Path) -> None:
    made = subject(tmp_path, "dilated to 8 with context")
    assert "the widest reaches 4 of 20 features" in checks.rates_fit(made)
    made.spec["model"]["context"]["rates"] = [2, 20]
    checks.builds(made)
    with pytest.raises(checks.Failed, match="reaches 20 features, but a crop of 160 x 192 px has 20 there"):
        checks.rates_fit(made)


def test_knobs_that_do_not_fit_fail_the_first_check_and_leave_out_the_others(tmp_path: Path) -> None:
    made = subject(tmp_path)
    made.spec["model"]["decoder"]["skip_strides"] = [1]
    made.network = None
    found = list(verify(made))
    assert failed(found).keys() == {"builds"}
    assert "no features at stride 1" in found[0].message
    assert {c.message for c in found[2:8]} == {"there is no network"}


@pytest.mark.slow
def test_data_that_do_not_fit(tmp_path: Path) -> None:
    made = subject(tmp_path, data=True)
    assert checks.data_fits(made).startswith("5 pairs to train, 3 held out")
    cv2.imwrite(str(tmp_path / "mask0.png"), np.full((48, 40), 3, np.uint8))
    (tmp_path / "image7.png").rename(tmp_path / "elsewhere.png")
    found = failed(list(verify(made)))
    assert found.keys() == {"data"} and "image7.png is missing" in found["data"]
    (tmp_path / "elsewhere.png").rename(tmp_path / "image7.png")
    found = failed(list(verify(made)))
    assert found.keys() == {"data"} and "mask0.png holds class id 3" in found["data"]


@pytest.mark.slow
def test_a_checkpoint_of_another_spec(tmp_path: Path) -> None:
    made = subject(tmp_path)
    (tmp_path / "runs/last").mkdir(parents=True)
    save(tmp_path / "runs/last/best.pt", build(made.spec), made.spec, step=1, miou=0.5)
    assert checks.checkpoints_hold(made).endswith("1 under runs are of this spec")
    other = counted(NETWORKS["skips, deep supervision"], classes=4)
    save(tmp_path / "runs/last/best.pt", build(other), other, step=1, miou=0.5)
    found = failed(list(verify(made)))
    assert found.keys() == {"checkpoints"} and "trained with another spec.yaml" in found["checkpoints"]


@pytest.mark.slow
def test_a_network_that_does_not_learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = subject(tmp_path, "plain", learning_rate=1e-9)
    monkeypatch.setattr(slow_checks, "LEARNED_STEPS", 10)
    with pytest.raises(checks.Failed, match="10 steps; expected 50% of the first loss"):
        slow_checks.one_batch_is_learned(made)


def test_a_batch_that_memory_can_not_hold_is_left_out(tmp_path: Path) -> None:
    made = subject(tmp_path)
    made.spec["derived"]["memory_gb"] = 1e6
    if not slow_checks._available():
        pytest.skip("this system does not tell how much memory is free")
    with pytest.raises(checks.LeftOut, match="GB are free here"):
        slow_checks.planned_step_runs(made)


@pytest.mark.slow
def test_the_script_speaks_json_and_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    subject(tmp_path)
    assert main(["--quick", "--json", "--device", "cpu"], tmp_path) == 0
    *lines, last = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert [set(line) for line in lines] == [{"name", "status", "message", "seconds"}] * len(lines)
    assert last["figures"].keys() >= {"parameters", "training_parameters", "macs"}
    spec = yaml.safe_load((tmp_path / "spec.yaml").read_text())
    spec["derived"]["macs"] = 1
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
    assert main(["--quick"], tmp_path) == 3
    assert capsys.readouterr().out.splitlines()[-1] == "failed: counts"


def test_a_spec_with_an_unknown_field_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = subject(tmp_path)
    made.spec["model"]["decoder"]["logit_strid"] = 4
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(made.spec))
    assert main(["--quick"], tmp_path) == 1
    assert "unknown field 'logit_strid'; meant 'logit_stride'?" in capsys.readouterr().err
