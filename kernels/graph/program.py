"""An expression graph as a flat list of steps, for questions about so few points that looking up nodes would cost most.

It does what `expression.evaluate` does, in the same order and the same dtype.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.graph.expression import COMPARISONS, OPERATIONS, topological, value_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roofcube.kernels.graph.expression import Node
    from roofcube.kernels.graph.space import Space

__all__ = ["PointReader", "Program"]

Array = np.ndarray[Any, np.dtype[Any]]


class Program:
    """The steps of a graph.

    Parameters
    ----------
    outputs : mapping of name to Node
    axes : sequence of str
        Names of the axes of the tables; `ordered_sum` finds its axis here.
    dtype : {"f4", "f8"}

    Examples
    --------
    >>> import numpy as np
    >>> from roofcube.kernels.graph.expression import leaf
    >>> from roofcube.kernels.graph.program import Program
    >>> program = Program({"time": leaf("ops") / leaf("peak")}, ["point"], "f4")
    >>> program.run({"ops": np.float32([6, 8]), "peak": np.float32([2])})["time"]
    array([3., 4.], dtype=float32)
    """

    def __init__(self, outputs: Mapping[str, Node], axes: Sequence[str], dtype: str) -> None:
        kind = np.dtype(dtype)
        nodes = topological(outputs.values())
        place = {node: number for number, node in enumerate(nodes)}
        self.outputs = {name: place[node] for name, node in outputs.items()}
        self.leaves = [(place[node], node.name) for node in nodes if node.operation == "leaf"]
        self.start: list[Any] = [None] * len(nodes)
        self.steps: list[tuple[int, Any, tuple[int, ...]]] = []
        for number, node in enumerate(nodes):
            if node.operation == "constant":
                self.start[number] = value_of(node, {}, {}, axes=axes, kind=kind)
            elif node.operation != "leaf":
                self.steps.append((number, _step(node, axes, kind), tuple(place[one] for one in node.arguments)))

    def run(self, tables: Mapping[str, Array]) -> dict[str, Array]:
        """Evaluate all outputs; each over just the axes that it depends on."""
        values = self.start.copy()
        for number, name in self.leaves:
            values[number] = tables[name]
        with np.errstate(all="ignore"):
            for number, step, arguments in self.steps:
                values[number] = step(*[values[argument] for argument in arguments])
        return {name: values[number] for name, number in self.outputs.items()}


def _step(node: Node, axes: Sequence[str], kind: np.dtype[Any]) -> Any:
    if node.operation == "where":
        return lambda condition, one, other: np.where(condition != 0, one, other)
    if node.operation in COMPARISONS:
        compare = OPERATIONS[node.operation]
        return lambda *operands: compare(*operands).astype(kind)
    if node.operation == "ordered_sum":
        return lambda operand: value_of(node, {node.arguments[0]: operand}, {}, axes=axes, kind=kind)
    return OPERATIONS[node.operation]


class PointReader:
    """Evaluate outputs at points and at steps away from them along single axes.

    Parameters
    ----------
    space : Space
    outputs : mapping of name to Node
    """

    def __init__(self, space: Space, outputs: Mapping[str, Node]) -> None:
        rank = len(space.axes)
        self.program = Program(outputs, ("point", "step", *space.summed), space.dtype)
        self.tables = {}
        for _, name in self.program.leaves:
            table = np.ascontiguousarray(space.tables[name])
            shape = table.shape[:rank]
            strides = [int(np.prod(shape[k + 1 :], dtype=np.int64)) if shape[k] != 1 else 0 for k in range(rank)]
            self.tables[name] = (table.reshape(-1, *table.shape[rank:]), np.array(strides, dtype=np.int64))

    def at(self, points: Array, axes: Array | int = 0, steps: Array | int = 0) -> dict[str, Array]:
        """Evaluate at points (axes, n) and steps away: shape ``(n, steps)``.

        Parameters
        ----------
        points : array of int64
        axes, steps : array of int64
            Column k is `steps[..., k]` indices further along the axis `axes[k]`.
        """
        shape = (points.shape[1], np.shape(steps)[-1] if np.ndim(steps) else 1)
        rows = {}
        for name, (table, strides) in self.tables.items():
            if not strides.any():
                rows[name] = table[None]
                continue
            row = (strides @ points)[:, None]
            stride = strides[axes]
            rows[name] = table.take(row + steps * stride if np.any(stride) else row, axis=0)
        return {name: _spread(value, shape) for name, value in self.program.run(rows).items()}


def _spread(value: Array, shape: tuple[int, int]) -> Array:
    """Leave out summed axes; repeat what does not change."""
    flat = value.reshape(value.shape[:2])
    return flat if flat.shape == shape else np.broadcast_to(flat, shape)
