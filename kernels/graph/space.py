"""A space to sweep: a graph's leaf tables over ordered, named axes; knows axes by name but no labels on them.

The space is the product of its axes and is never stored. What can be evaluated once and for all is folded into small
tables, axes that nothing depends on drop out, and what remains is what the engines work on.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.graph.expression import Node, evaluate, forget, leaf, leaves, rebuilt, topological, value_of
from roofcube.kernels.tuning import TUNING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Memo", "Space", "fold"]

Array = np.ndarray[Any, np.dtype[Any]]


class Memo:
    """Something that carries what is prepared for it: both go together, where a registry would keep either alive."""

    @cached_property
    def cache(self) -> dict[Any, Any]:
        """What was prepared, by name."""
        return {}

    def __getstate__(self) -> dict[str, Any]:
        """Leave behind what was prepared: it is made anew where it is needed."""
        return {name: value for name, value in self.__dict__.items() if name != "cache"}


@dataclass(frozen=True, eq=False)
class Space(Memo):
    """Leaf tables over the product of named axes.

    Attributes
    ----------
    axes : tuple of str
        In the order that decides ties: the last one runs fastest.
    sizes : tuple of int
    tables : mapping of leaf name to array
        Each of rank ``len(axes) + len(summed)``, of length 1 along what it does not depend on.
    summed : tuple of str
        Axes that only `ordered_sum` consumes, after the others.
    dtype : {"f4", "f8"}

    Examples
    --------
    >>> import numpy as np
    >>> from roofcube.kernels.graph.expression import leaf
    >>> from roofcube.kernels.graph.space import Space
    >>> space = Space(("topology", "platform"), (2, 2), {"ops": np.array([[2], [8]]), "peak": np.array([[1, 2]])})
    >>> space.size
    4
    >>> space.evaluate({"time": leaf("ops") / leaf("peak")})["time"]
    array([[2., 1.],
           [8., 4.]], dtype=float32)
    """

    axes: tuple[str, ...]
    sizes: tuple[int, ...]
    tables: Mapping[str, Array]
    summed: tuple[str, ...] = ()
    dtype: str = "f4"
    _cast: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        if not self._cast:
            with np.errstate(all="ignore"):
                tables = {name: np.asarray(table).astype(self.dtype) for name, table in self.tables.items()}
            object.__setattr__(self, "tables", tables)
            object.__setattr__(self, "_cast", True)

    @property
    def size(self) -> int:
        """Number of points."""
        return prod(self.sizes)

    @property
    def all_axes(self) -> tuple[str, ...]:
        """The axes and, after them, the summed ones."""
        return self.axes + self.summed

    @cached_property
    def all_sizes(self) -> tuple[int, ...]:
        """Length of every axis, the summed ones as the tables have them."""
        n = len(self.axes)
        lengths = [
            max((table.shape[n + k] for table in self.tables.values()), default=1) for k in range(len(self.summed))
        ]
        return self.sizes + tuple(lengths)

    def evaluate(self, outputs: Mapping[str, Node]) -> dict[str, Array]:
        """Evaluate with NumPy, each output over just the axes it depends on; summed axes are gone."""
        values = evaluate(outputs, self.tables, axes=self.all_axes, dtype=self.dtype)
        rank = len(self.axes)
        return {name: value.reshape(value.shape[:rank]) for name, value in values.items()}

    def at(self, indices: Sequence[Array], outputs: Mapping[str, Node]) -> dict[str, Array]:
        """Evaluate at points, given by one index array an axis."""
        n = len(indices[0]) if indices else 1
        names = leaves(outputs.values())
        points = replace(self, axes=("point",), sizes=(n,), tables={name: self.gather(name, indices) for name in names})
        return {name: np.broadcast_to(value, (n,)) for name, value in points.evaluate(outputs).items()}

    def gather(self, name: str, indices: Sequence[Array]) -> Array:
        """Take a table's entries at points: shape ``(points, *summed)``, or of length 1 where it is constant."""
        table = self.tables[name]
        rank = len(self.axes)
        moving = [axis for axis in range(rank) if table.shape[axis] != 1]
        if not moving:
            return table.reshape(1, *table.shape[rank:])
        key = tuple(indices[axis] if axis in moving else 0 for axis in range(rank))
        taken: Array = table[key]
        return taken

    def take(self, chosen: Mapping[str, Array]) -> Space:
        """Keep only some indices along some axes."""
        tables = dict(self.tables)
        sizes = list(self.sizes)
        for axis, indices in chosen.items():
            position = self.axes.index(axis)
            if len(indices) == sizes[position] and np.array_equal(indices, np.arange(sizes[position])):
                continue
            for name, table in tables.items():
                if table.shape[position] != 1 or sizes[position] == 1:
                    tables[name] = np.take(table, indices, axis=position)
            sizes[position] = len(indices)
        return replace(self, sizes=tuple(sizes), tables=tables)

    def reordered(self, axes: Sequence[str]) -> Space:
        """Put the axes in another order, or leave out some that nothing depends on."""
        order = [self.axes.index(axis) for axis in axes]
        rank = len(self.axes)
        left_out = [axis for axis in range(rank) if axis not in order]
        permutation = [*order, *range(rank, rank + len(self.summed)), *left_out]
        tables = {}
        for name, table in self.tables.items():
            moved = table.transpose(permutation)
            tables[name] = moved.reshape(moved.shape[: moved.ndim - len(left_out)])
        return replace(self, axes=tuple(axes), sizes=tuple(self.sizes[k] for k in order), tables=tables)

    def only(self, names: Iterable[str]) -> Space:
        """Keep only some tables."""
        return replace(self, tables={name: self.tables[name] for name in names})

    def axes_of(self, node: Node) -> frozenset[str]:
        """Name the axes that a node depends on."""
        return self.dependence([node])[node]

    def dependence(self, outputs: Iterable[Node]) -> dict[Node, frozenset[str]]:
        """Name, for every node under the outputs, the axes it depends on (summed ones too, before their sum)."""
        found: dict[Node, frozenset[str]] = {}
        for node in topological(outputs):
            if node.operation == "leaf":
                shape = self.tables[node.name].shape
                found[node] = frozenset(a for a, length in zip(self.all_axes, shape, strict=True) if length != 1)
            else:
                axes = frozenset[str]().union(*(found[argument] for argument in node.arguments))
                found[node] = axes - {node.name} if node.operation == "ordered_sum" else axes
        return found


def fold(
    space: Space,
    outputs: Mapping[str, Node],
    *,
    points: int = TUNING.fold_points,
    together: frozenset[str] = frozenset(),
) -> tuple[Space, dict[str, Node]]:
    """Evaluate every part of a graph whose table is small, and give the smaller graph over the new tables.

    Parameters
    ----------
    space : Space
    outputs : mapping of name to Node
    points : int
        Largest table to make, in entries.
    together : frozenset of str
        Axes that count as a whole: a table over one of them will be laid out over all.

    Returns
    -------
    Space
        With just the tables that the new graph reads.
    dict of name to Node

    Examples
    --------
    >>> import numpy as np
    >>> from roofcube.kernels.graph.expression import leaf
    >>> from roofcube.kernels.graph.space import Space, fold
    >>> space = Space(("a", "b"), (2, 1000), {"x": np.ones((2, 1)), "y": np.ones((2, 1)), "z": np.ones((1, 1000))})
    >>> smaller, outputs = fold(space, {"v": (leaf("x") + leaf("y")) * leaf("z")}, points=1000)
    >>> outputs["v"], sorted(smaller.tables)
    (#0 * z, ['#0', 'z'])
    """
    lengths = dict(zip(space.all_axes, space.all_sizes, strict=True))
    dependence = space.dependence(outputs.values())
    kind = np.dtype(space.dtype)
    summed = frozenset(space.summed)
    known: dict[Node, Array] = {}
    new: dict[Node, Node] = {}
    tables: dict[str, Array] = {}
    # a graph that was folded before has such leaves already
    free = (name for name in map("#{}".format, count()) if name not in space.tables)

    def named(node: Node) -> Node:
        """Refer to a known value as a leaf."""
        if node.operation in ("leaf", "constant"):
            if node.operation == "leaf":
                tables[node.name] = known[node]
            return node
        made = leaf(next(free))
        tables[made.name] = known[node]
        return made

    nodes = topological(outputs.values())
    # what an unknown node reads stays: its readers never come to an end
    readers = Counter(argument for node in nodes for argument in node.arguments)
    readers.update(outputs.values())
    with np.errstate(all="ignore"):
        for node in nodes:
            axes = dependence[node] | together if dependence[node] & together else dependence[node]
            size = prod(lengths[axis] for axis in axes)
            ready = all(argument in known for argument in node.arguments)
            if node.operation == "leaf" or (ready and size <= points):
                known[node] = value_of(node, known, space.tables, axes=space.all_axes, kind=kind)
                forget(known, node, readers)

    def transformed(node: Node) -> Node:
        if node not in new:
            if node in known:
                new[node] = named(node)
            elif (branch := _decided(node, known)) is not None and summed & dependence[node] == summed & dependence[
                branch
            ]:
                new[node] = transformed(branch)
            else:
                new[node] = rebuilt(node, tuple(transformed(argument) for argument in node.arguments))
        return new[node]

    folded = {name: transformed(node) for name, node in outputs.items()}
    return replace(space, tables=tables), folded


def _decided(node: Node, known: Mapping[Node, Array]) -> Node | None:
    """Return the branch of a `where` whose condition is the same everywhere."""
    condition = known.get(node.arguments[0]) if node.operation == "where" else None
    if condition is None or condition.size == 0:
        return None
    chosen = condition != 0
    if chosen.all():
        return node.arguments[1]
    return None if chosen.any() else node.arguments[2]
