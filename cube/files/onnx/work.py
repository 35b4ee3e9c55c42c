"""The record of what one ONNX node does in one run of its graph: a layer before the batch is divided out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from roofcube.files.onnx.tensors import Tensor

__all__ = ["Node", "NotCountableError", "Work", "activation_elements", "constant_elements"]


class NotCountableError(Exception):
    """A node whose work cannot be counted, with the reason; never leaves this room."""


@dataclass(frozen=True)
class Node:
    """A node with what is known of its tensors.

    Attributes
    ----------
    operator : str
        ``Conv``, or with its domain where that is not ONNX's own: ``com.microsoft.MatMulNBits``.
    """

    name: str
    operator: str
    attributes: Mapping[str, Any]
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor | None, ...]

    def input(self, place: int) -> Tensor | None:
        """Return an input; None where it is left out."""
        return self.inputs[place] if place < len(self.inputs) else None

    def known(self, place: int) -> Tensor:
        """Return an input whose shape must be known."""
        return self._known(self.input(place), f"input {place}")

    def output(self) -> Tensor:
        """Return the first output that is used; its shape must be known."""
        place = next((place for place, tensor in enumerate(self.outputs) if tensor is not None), 0)
        return self._known(self.outputs[place] if self.outputs else None, f"output {place}")

    def largest_stride(self) -> int:
        """Return the stride of the axis that skips most: the table of layers has one for all axes."""
        return max(map(int, self.attributes.get("strides") or [1]))

    @staticmethod
    def _known(tensor: Tensor | None, what: str) -> Tensor:
        if tensor is None:
            msg = f"{what} is missing"
            raise NotCountableError(msg)
        if not tensor.known:
            cause = f": it comes from {tensor.data_dependent}" if tensor.data_dependent else ""
            msg = f"the shape of {what} is not known before the model runs{cause}"
            raise NotCountableError(msg)
        return tensor


@dataclass(frozen=True, kw_only=True)
class Work:
    """One layer as a kernel that runs several times: on every image, row or token of a run of the graph.

    Attributes
    ----------
    runs : int
        Images, rows or tokens in one run of the graph, the batch included.
    images : int, optional
        What must be a multiple of the batch by the definition of the operator: images of a convolution, sequences of a
        recurrent layer.
    source, target : tuple of int
        Height and width of one image; the places of a transposed convolution are those of its source.
    weights : tuple of Tensor
        Constant operands; what they hold is `params`.
    sizes : tuple of int
        Of several weights the elements of each, where these are not those that are stored.
    read, written : int, optional
        Activation elements of one run of the graph, where they are not channels × places.
    constants : int
        Elements of constant operands that are no weights: biases, scales of a normalisation.
    part : str
        Of a node that is several layers.
    """

    kind: str
    runs: int = 1
    images: int | None = None
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    groups: int = 1
    in_channels: int = 1
    out_channels: int = 1
    source: tuple[int, int] = (1, 1)
    target: tuple[int, int] = (1, 1)
    weights: tuple[Tensor, ...] = ()
    sizes: tuple[int, ...] = ()
    params: int = 0
    read: int | None = None
    written: int | None = None
    vector_ops: int = 0
    constants: int = 0
    weight_bits: int | None = None
    activation_bits: int | None = None
    multiplies: bool = True
    part: str = ""

    @property
    def held(self) -> list[tuple[Tensor, int]]:
        """Pair the weights with their number; of packed ones there is one tensor, and `params` knows."""
        if len(self.weights) == 1:
            return [(self.weights[0], self.params)]
        return list(zip(self.weights, self.sizes or [one.parameters for one in self.weights], strict=True))

    @property
    def ops(self) -> int:
        """Multiplications and additions in one run of the graph."""
        if not self.multiplies:
            return 0
        places = math.prod(self.source if self.kind == "conv_transpose" else self.target)
        window = math.prod(self.kernel) * (self.in_channels // self.groups) * self.out_channels
        return 2 * window * places * self.runs


def constant_elements(*tensors: Tensor | None) -> int:
    """Count the elements of those tensors that are constant."""
    return sum(tensor.parameters for tensor in tensors if tensor is not None and tensor.constant and tensor.known)


def activation_elements(node: Node, *places: int) -> int:
    """Count the elements of those inputs of a node that no file holds."""
    tensors = map(node.input, places)
    return sum(tensor.elements for tensor in tensors if tensor is not None and not tensor.constant and tensor.known)
