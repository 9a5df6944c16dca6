"""A spec in the making: what rules read and fill, part by part."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from shapeprof.errors import SpecError

from .spec import NetworkSpec, TrainingSpec


@dataclass(frozen=True)
class Draft:
    """The blocks of spec.yaml that rules decide. A part is named as in spec.yaml: "model.decoder.logit_stride"."""

    model: NetworkSpec
    training: TrainingSpec

    def part(self, path: str) -> Any:
        """The value of one part.

        Raises:
            ValueError: there is no such part.
        """
        value: Any = self
        for i, name in enumerate(path.split(".")):
            names = _names(value)
            if name not in names:
                near = difflib.get_close_matches(name, names, 1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names) or 'none below it'}"
                where = ".".join(path.split(".")[:i]) or "spec.yaml's decided part"
                raise ValueError(f"{path}: {where} has no {name!r}; {hint}")
            value = getattr(value, name)
        return value

    def filled(self, sets: Mapping[str, Any]) -> Draft:
        """A copy with these parts set. Values are validated by ``checked``, when all rules have run."""
        blocks: dict[str, Any] = {"model": self.model, "training": self.training}
        for path, value in sets.items():
            block, *names = path.split(".")
            blocks[block] = _with(blocks[block], names, value)
        return Draft(**blocks) if sets else self

    def checked(self) -> Draft:
        """The same, validated.

        Raises:
            SpecError: the parts do not fit together; says which.
        """
        try:
            return Draft(
                NetworkSpec.model_validate(self.model.model_dump(warnings=False)),
                TrainingSpec.model_validate(self.training.model_dump(warnings=False)),
            )
        except ValidationError as error:
            lines = [f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()]
            raise SpecError("the rules set parts that do not fit together: " + "; ".join(lines)) from None


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, Draft):
        return ("model", "training")
    return tuple(type(value).model_fields) if isinstance(value, BaseModel) else ()


def _with(block: Any, names: list[str], value: Any) -> Any:
    if not names:
        return value
    first, *rest = names
    old = getattr(block, first)
    new = _with(old, rest, value)
    return block if new == old else block.model_copy(update={first: new})
