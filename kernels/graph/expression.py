"""The expression graph of a model: a few operations on named leaves, shared by every reader; knows no labels or units.

A model is a small graph in + − × ÷ min max where, comparisons and an ordered sum. The NumPy reader below, the generated
kernels (`codegen`) and the interval bounds (`bounds`) all walk the same nodes in the same order, without fastmath or
contraction, so in one dtype they agree bit for bit.

Nodes are interned: building the same expression twice gives the same object, so common subexpressions are shared.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Union
from weakref import WeakValueDictionary

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "COMPARISONS",
    "OPERATIONS",
    "Node",
    "constant",
    "evaluate",
    "finite",
    "forget",
    "leaf",
    "leaves",
    "maximum",
    "minimum",
    "ordered_sum",
    "rebuilt",
    "topological",
    "value_of",
    "where",
]

Operand = Union["Node", float, int]
Array = np.ndarray[Any, np.dtype[Any]]

# operation → the NumPy function that defines it; comparisons give 1 or 0 in the dtype of the model
OPERATIONS: dict[str, Any] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "less": np.less,
    "less_equal": np.less_equal,
    "equal": np.equal,
    "finite": np.isfinite,
    "where": np.where,
}
COMPARISONS = frozenset({"less", "less_equal", "equal", "finite"})


@dataclass(frozen=True, eq=False)
class Node:
    """One operation of a model; combine nodes with + − × ÷ and comparisons.

    Attributes
    ----------
    operation : str
        `leaf`, `constant`, `ordered_sum` or a key of `OPERATIONS`.
    arguments : tuple of Node
    name : str
        Name of a leaf, or the summed axis of an `ordered_sum`.
    value : float
        Value of a constant.

    Examples
    --------
    >>> from roofcube.kernels.graph.expression import leaf, maximum
    >>> period = maximum(leaf("ops") / leaf("peak"), leaf("bytes") / leaf("bandwidth"))
    >>> period
    maximum(ops / peak, bytes / bandwidth)
    >>> period is maximum(leaf("ops") / leaf("peak"), leaf("bytes") / leaf("bandwidth"))
    True
    """

    operation: str
    arguments: tuple[Node, ...] = ()
    name: str = ""
    value: float = 0.0

    def __add__(self, other: Operand) -> Node:
        return _node("add", self, other)

    def __radd__(self, other: Operand) -> Node:
        return _node("add", other, self)

    def __sub__(self, other: Operand) -> Node:
        return _node("subtract", self, other)

    def __rsub__(self, other: Operand) -> Node:
        return _node("subtract", other, self)

    def __mul__(self, other: Operand) -> Node:
        return _node("multiply", self, other)

    def __rmul__(self, other: Operand) -> Node:
        return _node("multiply", other, self)

    def __truediv__(self, other: Operand) -> Node:
        return _node("divide", self, other)

    def __rtruediv__(self, other: Operand) -> Node:
        return _node("divide", other, self)

    def __lt__(self, other: Operand) -> Node:
        return _node("less", self, other)

    def __le__(self, other: Operand) -> Node:
        return _node("less_equal", self, other)

    def __gt__(self, other: Operand) -> Node:
        return _node("less", other, self)

    def __ge__(self, other: Operand) -> Node:
        return _node("less_equal", other, self)

    def equals(self, other: Operand) -> Node:
        """Compare for equality (`==` on nodes is identity)."""
        return _node("equal", self, other)

    def __bool__(self) -> bool:
        msg = f"`{self!r}`: a node has no truth value before it is evaluated; use where(condition, a, b)"
        raise TypeError(msg)

    def __reduce__(self) -> tuple[Any, ...]:
        # unpickled nodes are interned too, so that a graph sent to a worker still shares its parts
        return _intern, (self.operation, self.arguments, self.name, self.value)

    def __repr__(self) -> str:
        signs = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}
        signs |= {"less": "<", "less_equal": "<=", "equal": "=="}
        if self.operation == "leaf":
            return self.name
        if self.operation == "constant":
            return f"{self.value:g}"
        if self.operation in signs:
            left, right = (f"({a!r})" if a.operation in signs else repr(a) for a in self.arguments)
            return f"{left} {signs[self.operation]} {right}"
        inside = ", ".join(map(repr, self.arguments)) + (f", over {self.name}" if self.name else "")
        return f"{self.operation}({inside})"


_interned: WeakValueDictionary[tuple[Any, ...], Node] = WeakValueDictionary()


def _intern(operation: str, arguments: tuple[Node, ...] = (), name: str = "", value: float = 0.0) -> Node:
    # repr keeps -0.0 apart from 0.0 and lets NaN find itself
    key = (operation, tuple(map(id, arguments)), name, repr(value))
    node = _interned.get(key)
    if node is None:
        node = Node(operation, arguments, name, value)
        _interned[key] = node
    return node


def _as_node(operand: Operand) -> Node:
    return operand if isinstance(operand, Node) else constant(operand)


def _node(operation: str, *operands: Operand) -> Node:
    return _intern(operation, tuple(_as_node(operand) for operand in operands))


def leaf(name: str) -> Node:
    """Refer to an input array by name."""
    return _intern("leaf", name=name)


def constant(value: float) -> Node:
    """Embed a number."""
    return _intern("constant", value=float(value))


def minimum(left: Operand, right: Operand) -> Node:
    """Take the smaller; NaN where either is NaN, as `numpy.minimum`."""
    return _node("minimum", left, right)


def maximum(left: Operand, right: Operand) -> Node:
    """Take the larger; NaN where either is NaN, as `numpy.maximum`."""
    return _node("maximum", left, right)


def where(condition: Operand, true: Operand, false: Operand) -> Node:
    """Choose `true` where `condition` is not 0, else `false`."""
    return _node("where", condition, true, false)


def finite(operand: Operand) -> Node:
    """Give 1 where the operand is finite, else 0."""
    return _node("finite", operand)


def ordered_sum(operand: Node, axis: str) -> Node:
    """Add up along a named axis, first element first, one by one: the order is part of the result."""
    return _intern("ordered_sum", (operand,), name=axis)


def rebuilt(node: Node, arguments: tuple[Node, ...]) -> Node:
    """Apply the operation of a node to other arguments."""
    return node if arguments == node.arguments else _intern(node.operation, arguments, node.name, node.value)


def topological(outputs: Iterable[Node]) -> list[Node]:
    """List every node once, arguments before their users."""
    seen: dict[Node, None] = {}

    def visit(node: Node) -> None:
        if node not in seen:
            for argument in node.arguments:
                visit(argument)
            seen[node] = None

    for output in outputs:
        visit(output)
    return list(seen)


def leaves(outputs: Iterable[Node]) -> list[str]:
    """Name the leaves that the outputs read, in order of first use."""
    return [node.name for node in topological(outputs) if node.operation == "leaf"]


def evaluate(
    outputs: Mapping[str, Node], tables: Mapping[str, Array], *, axes: Sequence[str], dtype: str = "f8"
) -> dict[str, Array]:
    """Read the graph with NumPy: every node over just the axes that it depends on, kept until its last reader.

    Parameters
    ----------
    outputs : mapping of name to Node
    tables : mapping of leaf name to array
        Each of rank ``len(axes)``, of length 1 along the axes that it does not depend on.
    axes : sequence of str
        Names of the axes; `ordered_sum` finds its axis here.
    dtype : {"f8", "f4"}
        Everything is computed in this dtype.

    Returns
    -------
    dict of name to array
        Each of rank ``len(axes)``.

    Examples
    --------
    >>> import numpy as np
    >>> from roofcube.kernels.graph.expression import evaluate, leaf
    >>> tables = {"ops": np.array([[2.0], [8.0]]), "peak": np.array([[1.0, 2.0]])}
    >>> evaluate({"time": leaf("ops") / leaf("peak")}, tables, axes=("topology", "platform"))["time"]
    array([[2., 1.],
           [8., 4.]])
    """
    kind = np.dtype(dtype)
    values: dict[Node, Array] = {}
    nodes = topological(outputs.values())
    readers = Counter(argument for node in nodes for argument in node.arguments)
    readers.update(outputs.values())
    with np.errstate(all="ignore"):
        for node in nodes:
            values[node] = value_of(node, values, tables, axes=axes, kind=kind)
            forget(values, node, readers)
    return {name: values[node] for name, node in outputs.items()}


def forget(values: dict[Node, Array], node: Node, readers: Counter[Node]) -> None:
    """Drop the values that a node, now evaluated, was the last to read."""
    for argument in node.arguments:
        readers[argument] -= 1
        if not readers[argument]:
            del values[argument]


def value_of(
    node: Node, values: Mapping[Node, Array], tables: Mapping[str, Array], *, axes: Sequence[str], kind: np.dtype[Any]
) -> Array:
    """Evaluate one node whose arguments already have values."""
    if node.operation == "leaf":
        return tables[node.name].astype(kind, copy=False)
    if node.operation == "constant":
        return np.full((1,) * len(axes), node.value, dtype=kind)
    arguments = [values[argument] for argument in node.arguments]
    if node.operation == "ordered_sum":
        return _ordered_sum(arguments[0], axes.index(node.name))
    if node.operation == "where":
        return np.where(arguments[0] != 0, arguments[1], arguments[2])
    result: Array = OPERATIONS[node.operation](*arguments)
    return result.astype(kind) if node.operation in COMPARISONS else result


def _ordered_sum(array: Array, axis: int) -> Array:
    parts = np.moveaxis(array, axis, 0)
    total = np.zeros(parts.shape[1:], dtype=array.dtype)
    for part in parts:
        # in place where the array is NumPy's; dask's are never changed
        total = np.add(total, part, out=total) if isinstance(part, np.ndarray) else total + part
    return np.expand_dims(total, axis)
