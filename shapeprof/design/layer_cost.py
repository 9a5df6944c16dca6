"""The parts of a network as numbers on paper: what ``cost`` adds up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["convolution", "linear", "attention", "other"]


@dataclass(frozen=True, slots=True)
class Convolution:
    """One convolution and what follows it."""

    name: str
    inputs: int  # channels
    outputs: int  # channels
    kernel: int  # side, px of its input
    rows: int  # of its output
    columns: int  # of its output
    stride: int = 1
    dilation: int = 1
    groups: int = 1  # equal to its channels: depthwise
    norm: bool = True  # a norm and a ReLU follow (2 parameters a channel); without them it has a bias
    joined: bool = False  # its input is a new tensor (concatenated or enlarged), also kept for the backward pass
    training_only: bool = False  # part of an auxiliary or deep-supervision head

    @property
    def kind(self) -> Kind:
        """What it is counted as."""
        return "convolution"

    @property
    def parameters(self) -> int:
        """Weights, and the norm's scale and shift or the bias."""
        return self._weights + self.outputs * (2 if self.norm else 1)

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        return self._weights * self.rows * self.columns

    @property
    def kept_values(self) -> int:
        """Numbers per image that training keeps: the norm's input, the ReLU's result, a joined input."""
        tensors = 1 if not self.norm or self.name.endswith("shortcut") else 2
        return (tensors * self.outputs + self.joined * self.inputs) * self.rows * self.columns

    @property
    def _weights(self) -> int:
        return self.inputs * self.outputs // self.groups * self.kernel**2


@dataclass(frozen=True, slots=True)
class Operation:
    """Any other part: a linear layer, the products of an attention, a norm, a pooling, an embedding."""

    name: str
    kind: Kind
    parameters: int = 0
    macs: int = 0  # multiply-accumulates for one image
    kept_values: int = 0  # numbers per image that training keeps
    kernel: int = 1  # side, px of its input; of a pooling
    stride: int = 1
    dilation: int = 1
    training_only: bool = False


Layer = Convolution | Operation


@dataclass(frozen=True, slots=True)
class Grid:
    """Makes convolutions whose output is the input's size divided by a stride."""

    size: tuple[int, int]  # rows, columns, of the input

    def __call__(
        self, reached: int, name: str, inputs: int, outputs: int, kernel: int, **more: bool | int
    ) -> Convolution:
        rows, columns = self.at(reached)
        return Convolution(name, inputs, outputs, kernel, rows, columns, **more)  # type: ignore[arg-type]

    def at(self, stride: int) -> tuple[int, int]:
        """Rows and columns at ``stride``."""
        return self.size[0] // stride, self.size[1] // stride


def linear(name: str, inputs: int, outputs: int, positions: int, *, kept: int, bias: bool = True) -> Operation:
    """Cost of a linear layer at ``positions`` positions.

    ``kept``: activations stored per position for the backward pass.
    """
    weights = inputs * outputs
    parameters = weights + (outputs if bias else 0)
    return Operation(name, "linear", parameters, weights * positions, kept * positions)


def layer_norm(name: str, width: int, positions: int) -> Operation:
    """A layer norm with scale and shift, whose result is kept."""
    return Operation(name, "other", 2 * width, kept_values=width * positions)
