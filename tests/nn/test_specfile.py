"""The trainer's reader of spec.yaml agrees with the library's pydantic models."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from shapeprof.design.encoder_spec import BackboneSpec, EncoderSpec
from shapeprof.design.spec import SCHEMA_VERSION as WRITTEN
from shapeprof.design.spec import (
    AsppSpec,
    DecoderSpec,
    InputSpec,
    ModelSpec,
    NetworkSpec,
    PpmSpec,
    SplitSpec,
    TrainingSpec,
)
from shapeprof.nn.kit.errors import InputError
from shapeprof.nn.kit.specfile import FIELDS, SCHEMA_VERSION, digest, read_spec

from .designs import NETWORKS, model_spec

BLOCKS = {
    "": ModelSpec,
    "input": InputSpec,
    "model": NetworkSpec,
    "model.encoder:residual": EncoderSpec,
    "model.encoder:backbone": BackboneSpec,
    "model.context:aspp": AsppSpec,
    "model.context:ppm": PpmSpec,
    "model.decoder": DecoderSpec,
    "training": TrainingSpec,
    "split": SplitSpec,
}


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "spec.yaml"
    path.write_text(yaml.safe_dump(model_spec(NETWORKS["plain"]).to_dict() | changes))
    return path


def test_fields_are_those_of_the_library() -> None:
    assert {block: set(fields) for block, fields in FIELDS.items()} == {
        block: set(model.model_fields) for block, model in BLOCKS.items()
    }
    assert SCHEMA_VERSION == WRITTEN


@pytest.mark.parametrize("name", NETWORKS)
def test_digest_is_that_of_the_library(tmp_path: Path, name: str) -> None:
    spec = model_spec(NETWORKS[name], learning_rate=1e-5)
    path = tmp_path / "spec.yaml"
    path.write_text(yaml.safe_dump(spec.to_dict(), sort_keys=False))
    assert read_spec(path) == spec.to_dict()
    assert digest(read_spec(path)) == spec.digest()


def test_unknown_and_missing_fields_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown field 'backgruond'; meant 'background'"):
        read_spec(written(tmp_path, backgruond=0))
    with pytest.raises(InputError, match="input lacks mean, std, train_size"):
        read_spec(written(tmp_path, input={"channels": 3, "order": "RGB"}))
    with pytest.raises(InputError, match="training is not a block"):
        read_spec(written(tmp_path, training=3))


def test_numbers_that_yaml_reads_as_text(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_text(path.read_text().replace("learning_rate: 0.001", "learning_rate: 1e-3"))
    assert read_spec(path)["training"]["learning_rate"] == 1e-3
    path.write_text(path.read_text().replace("learning_rate: 1e-3", "learning_rate: fast"))
    with pytest.raises(InputError, match=r"training\.learning_rate 'fast' is no number"):
        read_spec(path)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("seed", "a", "training.seed 'a' is no whole number"),
        ("steps", 1.5, "training.steps 1.5 is no whole number"),
        ("batch", True, "training.batch True is no whole number"),
        ("crop", 96, "training.crop 96; expected rows and columns, as [256, 256]"),
        ("crop", [96, 0], "training.crop [96, 0]; expected rows and columns"),
        ("crop", [96, 96, 96], "training.crop [96, 96, 96]; expected rows and columns"),
    ],
)
def test_values_of_the_wrong_type_are_named(tmp_path: Path, field: str, value: object, said: str) -> None:
    training = model_spec(NETWORKS["plain"]).to_dict()["training"] | {field: value}
    with pytest.raises(InputError, match=re.escape(f"spec.yaml: {said}")):
        read_spec(written(tmp_path, training=training))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"training": {"learning_rate": -1}}, "training.learning_rate -1; expected a number over 0"),
        ({"training": {"learning_rate": float("nan")}}, "training.learning_rate nan; expected a number"),
        ({"training": {"scale": [0, 0]}}, "training.scale [0, 0]; expected the least"),
        ({"training": {"scale": [2, 1]}}, "training.scale [2, 1]; expected the least"),
        ({"training": {"jitter": -1}}, "training.jitter -1; expected 0 or more, under 1"),
        ({"training": {"ema": 1.0}}, "training.ema 1; expected 0 or more, under 1"),
        ({"training": {"foreground_share": 7}}, "training.foreground_share 7; expected 0 to 1"),
        ({"training": {"clip_norm": 0}}, "training.clip_norm 0; expected a number over 0"),
        ({"training": {"warmup_steps": -3}}, "training.warmup_steps -3; expected 0 or more"),
        ({"input": {"mean": [0, 0]}}, "input.mean [0, 0]; expected 3 numbers, one per channel"),
        ({"input": {"std": [1, 1, 0]}}, "input.std [1, 1, 0]; expected 3 numbers over 0"),
        ({"input": {"order": "BGR"}}, "input: 3 channels in the order 'BGR'; expected 1 grey or 3 RGB"),
        ({"background": 9}, "background 9; expected null or a class id up to 2"),
        ({"ignore_index": 1}, "ignore_index 1; expected a whole number that is no class id"),
        ({"classes": []}, "classes []; expected 2 or more"),
    ],
)
def test_values_out_of_range_are_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    spec = model_spec(NETWORKS["plain"]).to_dict()
    for name, value in change.items():
        spec[name] = spec[name] | value if isinstance(value, dict) else value
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
    with pytest.raises(InputError, match=re.escape(said)):
        read_spec(tmp_path / "spec.yaml")


def test_class_ids_are_in_order(tmp_path: Path) -> None:
    classes = model_spec(NETWORKS["plain"]).to_dict()["classes"]
    classes[1]["id"] = 7
    with pytest.raises(InputError, match=r"the classes have the ids \[0, 7, 2\]; expected 0, 1, 2"):
        read_spec(written(tmp_path, classes=classes))


def test_files_that_are_no_spec(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"spec\.yaml: No such file"):
        read_spec(tmp_path / "spec.yaml")
    (tmp_path / "spec.yaml").write_text("a: [1")
    with pytest.raises(InputError, match="is not YAML"):
        read_spec(tmp_path / "spec.yaml")
    with pytest.raises(InputError, match="schema_version 1; this trainer reads 3"):
        read_spec(written(tmp_path, schema_version=1))
