"""Checkpoints come back as they were, and only for the spec that they belong to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

torch = pytest.importorskip("torch")

from shapeprof.nn.kit.checkpoint import load, restore, save  # noqa: E402
from shapeprof.nn.kit.errors import InputError  # noqa: E402
from shapeprof.nn.network import build  # noqa: E402

from .designs import NETWORKS, model_spec  # noqa: E402

NAME = "skips, deep supervision"


def test_round_trip(tmp_path: Path) -> None:
    spec = model_spec(NETWORKS[NAME]).to_dict()
    network = build(spec)
    network(torch.randn(2, 3, 64, 64))
    save(tmp_path / "a.pt", network, spec, step=7, miou=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]
    assert restore(tmp_path / "a.pt", build(spec), spec) == 7
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
    loaded, image = load(tmp_path, "a.pt"), torch.randn(1, 3, 50, 40)
    assert not loaded.training
    assert torch.equal(loaded(image), network.eval()(image))


def test_another_spec_or_file_is_refused(tmp_path: Path) -> None:
    spec = model_spec(NETWORKS[NAME]).to_dict()
    save(tmp_path / "a.pt", build(spec), spec, step=1, miou=float("nan"))
    other = model_spec(NETWORKS[NAME], classes=4).to_dict()
    with pytest.raises(InputError, match=r"a\.pt was trained with another spec\.yaml"):
        restore(tmp_path / "a.pt", build(other), other)
    (tmp_path / "b.pt").write_bytes(b"nothing")
    for name in ("b.pt", "c.pt"):
        with pytest.raises(InputError, match=f"{name} can't be read as a checkpoint"):
            restore(tmp_path / name, build(spec), spec)
    for content in ([1], {"state_dict": {}}):
        torch.save(content, tmp_path / "d.pt")
        with pytest.raises(InputError, match=r"d\.pt is no checkpoint of train\.py"):
            restore(tmp_path / "d.pt", build(spec), spec)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_leaves_the_older_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = model_spec(NETWORKS[NAME]).to_dict()
    save(tmp_path / "a.pt", build(spec), spec, step=1, miou=0.0)
    before, truly_open = (tmp_path / "a.pt").read_bytes(), Path.open

    def full(path: Path, *arguments: Any, **named: Any) -> Any:
        return truly_open(Path("/dev/full") if path.suffix == ".tmp" else path, *arguments, **named)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(InputError, match=r"a\.pt \(0\.1 MB\) can't be written: No space left on device; make room"):
        save(tmp_path / "a.pt", build(spec), spec, step=2, miou=0.0)
    assert (tmp_path / "a.pt").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


def test_longer_training_does_not_change_the_digest(tmp_path: Path) -> None:
    spec = model_spec(NETWORKS[NAME]).to_dict()
    save(tmp_path / "a.pt", build(spec), spec, step=1, miou=0.0)
    longer = model_spec(NETWORKS[NAME], steps=999).to_dict()
    restore(tmp_path / "a.pt", build(longer), longer)
