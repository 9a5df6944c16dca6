"""The PyTorch target: spec.yaml, the network's own source, a training script and how to use them.

The source of ``shapeprof.nn`` is read as text and copied unchanged: what users get is what the
tests ran. Names from a data set reach only spec.yaml and the README, as data.
"""

from __future__ import annotations

import json
import shlex
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from shapeprof.design.spec import ModelSpec

from .target import EmittedFile, target

HEADER = """\
# Everything that defines this model, its training and why; written by shapeprof.
# train.py reads it. After a change of classes, input or model, older checkpoints no longer fit.
"""
SCRIPTS = ("train.py", "predict.py", "verify.py", "deploy.py")
REQUIREMENTS = "torch>=2.4\nnumpy\nopencv-python-headless\nPyYAML\n"
# For a published encoder:
PRETRAINED = "torch>=2.6\ntransformers>=5.18\nnumpy\nopencv-python-headless\nPyYAML\n"
BIT_FIELDS = "A pixel may be of several classes: masks are bit fields, bit c (of value 2 ** c) set where it is of c."


def next_lines(folder: Path) -> tuple[str, ...]:
    """The command that trains."""
    return (f"python {shlex.quote(str(folder / 'train.py'))}",)


@target("pytorch", title="a folder that trains by itself", checks="verify.py", next_lines=next_lines)
def emit(spec: ModelSpec) -> tuple[EmittedFile, ...]:
    """Everything but the data of a folder in which ``python train.py`` trains at once."""
    assets = files(__package__) / "assets"
    return (
        EmittedFile("spec.yaml", spec_text(spec)),
        *(EmittedFile(name, (assets / name).read_text(encoding="utf-8")) for name in SCRIPTS),
        EmittedFile("requirements.txt", requirements(spec)),
        EmittedFile("README.md", readme(spec, (assets / "README.md").read_text(encoding="utf-8"))),
        *network_files(spec),
    )


def requirements(spec: ModelSpec) -> str:
    """What pip must install to train."""
    return PRETRAINED if spec.model.encoder.kind == "backbone" else REQUIREMENTS


def network_files(spec: ModelSpec) -> tuple[EmittedFile, ...]:
    """``nn/`` and ``nn/kit/`` unchanged, with the code of published encoders only where the spec has one."""
    folder = files("shapeprof") / "nn"
    modules = {f"nn/{each.name}": each for each in folder.iterdir()}
    modules |= {f"nn/kit/{each.name}": each for each in (folder / "kit").iterdir()}
    if spec.model.encoder.kind != "backbone":
        del modules["nn/kit/backbone.py"]
    paths = sorted((path for path in modules if path.endswith(".py")), key=lambda path: (path.count("/"), path))
    return tuple(EmittedFile(path, modules[path].read_text(encoding="utf-8")) for path in paths)


class _Dumper(yaml.SafeDumper):
    """Lists of plain values on one line: ``widths: [64, 128, 256, 512]``."""

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        plain = not any(isinstance(item, (list, dict)) for item in sequence)
        return super().represent_sequence(tag, sequence, flow_style=plain or flow_style)


def spec_text(spec: ModelSpec) -> str:
    """spec.yaml: the whole spec in its own order, readable by any YAML reader."""
    body = yaml.dump(spec.to_dict(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return HEADER + body


def readme(spec: ModelSpec, template: str) -> str:
    """``template`` with the numbers of ``spec``. Class names are quoted, in a block of code."""
    classes = "\n".join(f"    {c.id}  {json.dumps(c.name, ensure_ascii=False)}" for c in spec.classes)
    channels = "grey" if spec.input.channels == 1 else spec.input.order
    multi_label = spec.task == "multi-label"
    return template.format(
        design=spec.design,
        parameters=f"{spec.derived.parameters / 1e6:.2f}",
        crop=f"{spec.training.crop[0]} x {spec.training.crop[1]}",
        gmacs=f"{spec.derived.macs / 1e9:.2f}",
        steps=spec.training.steps,
        channels=channels,
        classes=classes,
        mask_values=BIT_FIELDS if multi_label else "Masks hold these ids.",
        predicted="(classes, H, W) bool" if multi_label else "(H, W) class ids",
    )
