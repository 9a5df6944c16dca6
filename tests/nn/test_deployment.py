"""Files that are deployed give the network's logits at any size, and say what their numbers mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

torch = pytest.importorskip("torch")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from shapeprof.nn.kit import deployment  # noqa: E402
from shapeprof.nn.kit.checkpoint import save  # noqa: E402
from shapeprof.nn.kit.deployment import main, write_onnx, write_torch_export  # noqa: E402
from shapeprof.nn.kit.errors import InputError  # noqa: E402
from shapeprof.nn.kit.specfile import digest  # noqa: E402
from shapeprof.nn.network import SegmentationNetwork, build  # noqa: E402

from .designs import NETWORKS, model_spec  # noqa: E402

DESIGNS = (
    "skips, deep supervision",
    "dilated to 8 with context",
    "skips, dilated to 16, context, both kinds of heads, group norm",
)
SIZES = ((1, 64, 96), (3, 67, 45), (2, 1, 1), (1, 33, 130), (2, 96, 96))  # multiples of the stride and not


def trained(name: str, **knobs: Any) -> tuple[SegmentationNetwork, dict[str, Any]]:
    """A network with logits that differ and statistics that are not those of its first day, and its spec."""
    torch.manual_seed(0)
    spec = model_spec(NETWORKS[name], **knobs).to_dict()
    network = build(spec)
    for _ in range(3):
        network(torch.randn(4, spec["input"]["channels"], 64, 64))
    torch.nn.init.normal_(network.head[-1].weight)
    return network, spec


@pytest.mark.slow
@pytest.mark.parametrize("name", DESIGNS)
def test_files_give_the_logits_of_the_network_at_every_size(name: str, tmp_path: Path) -> None:
    network, spec = trained(name)
    onnx, program = tmp_path / "a.onnx", tmp_path / "a.pt2"
    assert write_onnx(network, onnx, spec, (48, 70)).any_size
    assert write_torch_export(network, program, spec, (48, 70)).any_size
    session = onnxruntime.InferenceSession(str(onnx), providers=["CPUExecutionProvider"])
    loaded = torch.export.load(program).module()
    network.eval()
    for batch, *size in SIZES:
        image = torch.randn(batch, 3, *size)
        with torch.no_grad():
            logits = network(image)
            torch.testing.assert_close(loaded(image), logits, rtol=0, atol=1e-4)
        run = torch.from_numpy(session.run(None, {"image": image.numpy()})[0])
        torch.testing.assert_close(run, logits, rtol=0, atol=1e-4)
    stored = {name.split(".")[0] for name in torch.export.load(program).state_dict}
    assert not stored & {"auxiliary_heads", "deep_supervision"}


@pytest.mark.slow
def test_the_script_writes_what_users_of_a_file_must_know(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network, spec = trained("stem of stride 2", channels=1)
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
    (tmp_path / "runs/last").mkdir(parents=True)
    save(tmp_path / "runs/last/best.pt", network, spec, step=1, miou=0.5)
    onnx, program = tmp_path / "model.onnx", tmp_path / "model.pt2"
    assert main(["--onnx", str(onnx), "--torch-export", str(program)], tmp_path) == 0
    assert capsys.readouterr().out.count("any batch, rows and columns") == 2
    beside = json.loads((tmp_path / "model.onnx.json").read_text())
    assert beside["classes"] == ["background", "class 1", "class 2"]
    assert (beside["mean"], beside["std"], beside["channels"]) == ([0.5], [0.25], 1)
    assert (beside["ignore_index"], beside["spec_digest"]) == (255, digest(spec))
    session = onnxruntime.InferenceSession(str(onnx), providers=["CPUExecutionProvider"])
    inside = session.get_modelmeta().custom_metadata_map
    assert {name: json.loads(value) for name, value in inside.items()} == beside
    assert [each.name for each in session.get_inputs()] == ["image"]
    assert session.get_inputs()[0].shape == ["batch", 1, "rows", "columns"]
    files = {"metadata.json": ""}
    torch.export.load(program, extra_files=files)
    assert json.loads(files["metadata.json"]) == beside


@pytest.mark.slow
def test_where_sizes_can_not_vary_the_file_takes_one_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, spec = trained("plain")
    forward = SegmentationNetwork.forward

    def fixed(self: SegmentationNetwork, image: Any) -> Any:
        return forward(self, image) + float(int(image.shape[-1]))

    monkeypatch.setattr(SegmentationNetwork, "forward", fixed)
    written = write_torch_export(network, tmp_path / "a.pt2", spec, (40, 50))
    assert not written.any_size and "dynamic" in written.why
    assert torch.export.load(tmp_path / "a.pt2").module()(torch.randn(1, 3, 40, 50)).shape == (1, 3, 40, 50)


@pytest.mark.slow
def test_a_file_with_other_logits_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, spec = trained("plain")
    monkeypatch.setattr(deployment, "TOLERANCE", -1.0)
    (tmp_path / "a.pt2").write_text("an earlier file")
    with pytest.raises(InputError, match=r"a\.pt2 can't be written so that it gives this network's logits"):
        write_torch_export(network, tmp_path / "a.pt2", spec, (40, 50))
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.pt2", "an earlier file")]


def test_errors_name_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    network, spec = trained("plain")
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
    with pytest.raises(SystemExit) as ended:
        main([], tmp_path)
    assert ended.value.code == 2
    assert main(["--onnx", str(tmp_path / "a.onnx")], tmp_path) == 1
    assert "best.pt is missing: run train.py first" in capsys.readouterr().err
    other = model_spec(NETWORKS["plain"], classes=5).to_dict()
    save(tmp_path / "other.pt", build(other), other, step=1, miou=0.5)
    assert main(["--onnx", str(tmp_path / "a.onnx"), "--weights", str(tmp_path / "other.pt")], tmp_path) == 1
    assert "trained with another spec.yaml" in capsys.readouterr().err
    with pytest.raises(InputError, match="can't be written: it is a folder"):
        write_torch_export(network, tmp_path, spec, (40, 50))
    with pytest.raises(InputError, match="can't be written"):
        write_torch_export(network, tmp_path / "no folder" / "a.pt2", spec, (40, 50))
    monkeypatch.setattr(deployment, "PACKAGES", ("onnx", "no_such_package"))
    with pytest.raises(InputError, match="ONNX needs no_such_package: pip install no_such_package"):
        write_onnx(network, tmp_path / "a.onnx", spec, (40, 50))
