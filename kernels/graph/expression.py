"""The expression graph of a model: a few operations on named leaves, shared by every reader; knows no labels or units.

A model is a small graph in + − × ÷ // % ** min max where, abs, floor, ceil, roots, exponentials, logarithms,
comparisons and an ordered sum. The NumPy reader below, the generated kernels (`codegen`) and the interval bounds
(`bounds`) all walk the same nodes in the same order, without fastmath or contraction, so in one dtype they agree bit
for bit.

Nodes are interned: building the same expression twice gives the same object, so common subexpressions are shared.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Union
from weakref import WeakValueDictionary

import numpy as np

from roofcube.disk import digest
from roofcube.kernels.graph import elementary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = [
    "COMPARISONS",
    "OPERATIONS",
    "Node",
    "ceil",
    "constant",
    "evaluate",
    "exp",
    "finite",
    "floor",
    "forget",
    "formula_text",
    "leaf",
    "leaves",
    "log",
    "log2",
    "maximum",
    "minimum",
    "ordered_sum",
    "rebuilt",
    "sqrt",
    "structure_of",
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
    "negative": np.negative,
    "absolute": np.absolute,
    "floor": np.floor,
    "ceil": np.ceil,
    "sqrt": np.sqrt,
    "exp": elementary.exp,
    "log": elementary.log,
    "log2": elementary.log2,
    "power": elementary.power,
    "floor_divide": elementary.floor_divide,
    "remainder": elementary.remainder,
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

    def __floordiv__(self, other: Operand) -> Node:
        return _node("floor_divide", self, other)

    def __rfloordiv__(self, other: Operand) -> Node:
        return _node("floor_divide", other, self)

    def __mod__(self, other: Operand) -> Node:
        return _node("remainder", self, other)

    def __rmod__(self, other: Operand) -> Node:
        return _node("remainder", other, self)

    def __pow__(self, other: Operand) -> Node:
        return _raised(self, other)

    def __rpow__(self, other: Operand) -> Node:
        return _node("power", other, self)

    def __neg__(self) -> Node:
        return _node("negative", self)

    def __pos__(self) -> Node:
        return self

    def __abs__(self) -> Node:
        return _node("absolute", self)

    # truth is 1 or 0; whatever is not 0 counts as true, as in `where`
    def __and__(self, other: Operand) -> Node:
        return where(self, where(other, 1.0, 0.0), 0.0)

    def __rand__(self, other: Operand) -> Node:
        return where(other, where(self, 1.0, 0.0), 0.0)

    def __or__(self, other: Operand) -> Node:
        return where(self, 1.0, where(other, 1.0, 0.0))

    def __ror__(self, other: Operand) -> Node:
        return where(other, 1.0, where(self, 1.0, 0.0))

    def __invert__(self) -> Node:
        return where(self, 0.0, 1.0)

    def __array_ufunc__(self, ufunc: Any, method: str, *operands: Any, **options: Any) -> Any:
        """Take a NumPy function on nodes as the operation of the graph."""
        build = UFUNCS.get(ufunc.__name__)
        if build is None or method != "__call__" or options:
            msg = f"`numpy.{ufunc.__name__}`: not known on nodes; expected one of {', '.join(sorted(UFUNCS))}"
            raise TypeError(msg)
        return build(*operands)

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
        msg = (
            f"`{self!r}`: a node has no truth value before it is evaluated; use roofcube.where(condition, a, b), and "
            "& | ~ for and, or, not"
        )
        raise TypeError(msg)

    def __reduce__(self) -> tuple[Any, ...]:
        # unpickled nodes are interned too, so that a graph sent to a worker still shares its parts
        return _intern, (self.operation, self.arguments, self.name, self.value)

    def __repr__(self) -> str:
        signs = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}
        signs |= {"floor_divide": "//", "remainder": "%", "power": "**", "less": "<", "less_equal": "<=", "equal": "=="}
        if self.operation == "leaf":
            return self.name
        if self.operation == "constant":
            short = f"{self.value:g}"
            return short if float(short) == self.value else repr(self.value)
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


def _as_node(operand: Any) -> Node:
    if isinstance(operand, Node):
        return operand
    if isinstance(operand, bool | np.bool_):
        msg = (
            f"`{operand}`: expected a node or a number in a formula; `==` and `!=` compare nodes themselves, not their "
            "values: write a.equals(b) or ~a.equals(b)"
        )
        raise TypeError(msg)
    if not np.ndim(operand) and not isinstance(operand, str):
        with suppress(TypeError, ValueError, OverflowError):  # None, complex, 10**400
            return constant(operand)
    msg = f"`{operand!r:.40}`: expected a node or a number in a formula; put arrays into the inputs and name them"
    raise TypeError(msg)


def _raised(base: Operand, exponent: Operand) -> Node:
    """Raise to a power; small whole ones are products, which are exact where the result is."""
    node = _as_node(base)
    if isinstance(exponent, Node) or np.ndim(exponent) or exponent not in (-4, -3, -2, -1, 1, 2, 3, 4):
        return _node("power", node, exponent)
    product = node
    for _ in range(abs(int(exponent)) - 1):
        product = product * node
    return product if exponent > 0 else 1.0 / product


def _node(operation: str, *operands: Operand) -> Node:
    return _intern(operation, tuple(_as_node(operand) for operand in operands))


def leaf(name: str) -> Node:
    """Refer to an input array by name."""
    return _intern("leaf", name=name)


def constant(value: float) -> Node:
    """Embed a number."""
    return _intern("constant", value=float(value))


def minimum(left: Operand, right: Operand) -> Node:
    """Take the smaller; NaN where either is NaN, as `numpy.minimum`.

    Parameters
    ----------
    left, right : number or node
        What to compare: attributes of the model, or numbers.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.minimum(2.0, 3.0)
    minimum(2, 3)
    """
    return _node("minimum", left, right)


def maximum(left: Operand, right: Operand) -> Node:
    """Take the larger; NaN where either is NaN, as `numpy.maximum`.

    Parameters
    ----------
    left, right : number or node
        What to compare: attributes of the model, or numbers.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.maximum(2.0, 3.0)
    maximum(2, 3)
    """
    return _node("maximum", left, right)


def where(condition: Operand, true: Operand, false: Operand) -> Node:
    """Choose `true` where `condition` is not 0, else `false`.

    Parameters
    ----------
    condition : node
        A comparison: ``model.batch > 8`` or ``model.batch.equals(8)``, combined by ``& | ~``.
    true, false : number or node
        What to take where it holds, and where it does not.

    Examples
    --------
    >>> import roofcube as rc
    >>> dear = rc.PUBLISHED.with_term("dear", lambda model: rc.where(model.power > 10, 2.0 * model.power, model.power))
    >>> [term.name for term in dear.terms]
    ['dear']
    """
    return _node("where", condition, true, false)


def exp(operand: Operand) -> Node:
    """Return e to the power of the operand, within 4 ulp, the same bits in every reader.

    Parameters
    ----------
    operand : number or node
        An attribute of the model, a formula of such, or a number.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.exp(4.0)
    exp(4)
    """
    return _node("exp", operand)


def log(operand: Operand) -> Node:
    """Return the natural logarithm, within 4 ulp; NaN of negative numbers.

    Parameters
    ----------
    operand : number or node
        An attribute of the model, a formula of such, or a number.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.log(4.0)
    log(4)
    """
    return _node("log", operand)


def log2(operand: Operand) -> Node:
    """Return the logarithm to base 2, within 4 ulp, exact of powers of 2; NaN of negative numbers.

    Parameters
    ----------
    operand : number or node
        An attribute of the model, a formula of such, or a number.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.log2(4.0)
    log2(4)
    """
    return _node("log2", operand)


def sqrt(operand: Operand) -> Node:
    """Return the square root, correctly rounded; NaN of negative numbers.

    Parameters
    ----------
    operand : number or node
        An attribute of the model, a formula of such, or a number.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.sqrt(4.0)
    sqrt(4)
    """
    return _node("sqrt", operand)


def ceil(operand: Operand) -> Node:
    """Round up to a whole number.

    Parameters
    ----------
    operand : number or node
        An attribute of the model, a formula of such, or a number.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.ceil(4.0)
    ceil(4)
    """
    return _node("ceil", operand)


def floor(operand: Operand) -> Node:
    """Round down to a whole number.

    Parameters
    ----------
    operand : number or node
        An attribute of the model, a formula of such, or a number.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.floor(4.0)
    floor(4)
    """
    return _node("floor", operand)


def finite(operand: Operand) -> Node:
    """Return 1 where the operand is finite, else 0."""
    return _node("finite", operand)


def ordered_sum(operand: Node, axis: str) -> Node:
    """Add up along a named axis, first element first, one by one: the order is part of the result."""
    return _intern("ordered_sum", (operand,), name=axis)


# NumPy functions that nodes take
UFUNCS: dict[str, Any] = {
    **{
        name: (lambda *operands, name=name: _node(name, *operands))
        for name in OPERATIONS
        if name not in ("finite", "where")
    },
    "power": _raised,
    "float_power": _raised,
    "isfinite": finite,
    "positive": _as_node,
    "greater": lambda left, right: _node("less", right, left),
    "greater_equal": lambda left, right: _node("less_equal", right, left),
    "logical_and": lambda left, right: where(left, where(right, 1.0, 0.0), 0.0),
    "logical_or": lambda left, right: where(left, 1.0, where(right, 1.0, 0.0)),
    "logical_not": lambda operand: where(operand, 0.0, 1.0),
    "bitwise_and": lambda left, right: where(left, where(right, 1.0, 0.0), 0.0),
    "bitwise_or": lambda left, right: where(left, 1.0, where(right, 1.0, 0.0)),
    "square": lambda operand: _raised(operand, 2),
    "reciprocal": lambda operand: _node("divide", 1.0, operand),
}


def rebuilt(node: Node, arguments: tuple[Node, ...]) -> Node:
    """Apply the operation of a node to other arguments."""
    return node if arguments == node.arguments else _intern(node.operation, arguments, node.name, node.value)


def structure_of(outputs: Mapping[str, Node]) -> Iterator[str]:
    """Write a graph down to the last bit of its constants: a line for each node, and one for each output.

    Examples
    --------
    >>> list(structure_of({"half": leaf("x") * 0.5}))
    ['0 leaf x', '1 constant  0x1.0000000000000p-1', '2 multiply  0 1', 'half=2']
    """
    numbers: dict[Node, int] = {}
    for node in topological(outputs.values()):
        numbers[node] = len(numbers)
        value = [float(node.value).hex()] if node.operation == "constant" else []
        parts = [node.operation, node.name, *value, *(str(numbers[one]) for one in node.arguments)]
        yield " ".join([str(numbers[node]), *parts])
    for name in sorted(outputs):
        yield f"{name}={numbers[outputs[name]]}"


def formula_text(node: Node, *, most: int = 100) -> str:
    """Write a formula for readers, to the last digit; a long one as the number of its parts and a digest.

    Examples
    --------
    >>> formula_text(1e-7 * leaf("predicted_energy") + 0.1)
    '(1e-07 * predicted_energy) + 0.1'
    >>> formula_text(leaf("x") * 2 + 1, most=4)
    'a formula of 5 parts, sha256 756d68e3be06c975'
    """
    size: dict[Node, int] = {}  # of the text: what is used twice is written twice
    for one in topological([node]):
        size[one] = 1 + sum(size[argument] for argument in one.arguments)
    if size[node] <= most:
        return repr(node)
    return f"a formula of {len(size)} parts, sha256 {digest(structure_of({'': node}))[:16]}"


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
