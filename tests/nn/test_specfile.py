"""The trainer's reader of spec.yaml agrees with the library's pydantic models."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from shapeprof.nn.errors import InputError
from shapeprof.nn.specfile import FIELDS, SCHEMA_VERSION, digest, read_spec
from shapeprof.spec import SCHEMA_VERSION as WRITTEN
from shapeprof.spec import (
    AsppSpec,
    BackboneSpec,
    DecoderSpec,
    EncoderSpec,
    InputSpec,
    ModelSpec,
    NetworkSpec,
    PpmSpec,
    SplitSpec,
    TrainingSpec,
)

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


def test_files_that_are_no_spec(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"spec\.yaml: No such file"):
        read_spec(tmp_path / "spec.yaml")
    (tmp_path / "spec.yaml").write_text("a: [1")
    with pytest.raises(InputError, match="is not YAML"):
        read_spec(tmp_path / "spec.yaml")
    with pytest.raises(InputError, match="schema_version 1; this trainer reads 2"):
        read_spec(written(tmp_path, schema_version=1))
