"""How a query's points are cut into rows, and the tables that generated kernels read in order.

A row is the block of the last axes, a few hundred to a few thousand points, in which everything is element-wise so that
the compiler vectorises it; what does not change inside a row is computed once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.bounds.intervals import infer_ranges
from roofcube.kernels.graph.expression import topological
from roofcube.kernels.graph.guards import guards, without_unread_gaps

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from roofcube.kernels.graph.expression import Node
    from roofcube.kernels.query.query import Query

__all__ = ["Layout", "RowTables", "axes_of_a_row", "row_tables_of", "terms_of"]

Array = np.ndarray[Any, np.dtype[Any]]


def row_tables_of(query: Query) -> RowTables:
    """Prepare the row tables of a query, or find them prepared: they do not depend on its limits."""
    held = query.space.cache.get("row tables")
    key = (query.groups, query.tuning)
    if held is None or held[0] is not query.outputs or held[1] != key:
        held = query.space.cache["row tables"] = query.outputs, key, RowTables(query)
    tables: RowTables = held[2]
    return tables


def terms_of(query: Query) -> int:
    """Count what each point of a query adds up."""
    return prod(query.space.all_sizes[len(query.space.sizes) :])


def axes_of_a_row(query: Query, sizes: Sequence[int], row: tuple[int, int] | None = None) -> int:
    """Count the last of some axes that make up rows of enough points, or all of them."""
    least, _ = row or query.tuning.row_points
    least = max(least // terms_of(query), min(least, query.tuning.summed_row_points))
    axes, points = 0, 1
    while axes < len(sizes) and points < least:
        axes += 1
        points *= sizes[-axes]
    return axes


@dataclass(frozen=True, eq=False)
class Layout:
    """How a query's axes are cut into rows.

    Attributes
    ----------
    sizes : tuple of int
    outer : int
        Number of leading axes that enumerate rows; the others make up a row.
    chunk : int
        Points of a row; where the axes that make up a row are too long together, they are cut into several.
    """

    sizes: tuple[int, ...]
    outer: int
    chunk: int

    @classmethod
    def of(cls, query: Query, row: tuple[int, int] | None = None) -> Layout:
        """Choose the rows of a query, of about so many points: they never cross a group."""
        sizes = query.space.sizes
        outer = len(sizes) - axes_of_a_row(query, sizes[query.groups :], row)
        points, (_, most) = prod(sizes[outer:]), row or query.tuning.row_points
        chunks = -(-points // most)
        return cls(sizes, outer, -(-points // chunks))

    @property
    def points(self) -> int:
        """Points of the axes that make up a row."""
        return prod(self.sizes[self.outer :])

    @property
    def chunks(self) -> int:
        """Rows that the axes of a row are cut into."""
        return -(-self.points // self.chunk)

    @property
    def row_sizes(self) -> tuple[int, ...]:
        """Lengths of what enumerates rows."""
        return (*self.sizes[: self.outer], self.chunks)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return prod(self.row_sizes)

    def start(self, row: int) -> int:
        """Return the flat index of a row's first point."""
        block, part = divmod(row, self.chunks)
        return block * self.points + part * self.chunk

    def stop(self, row: int) -> int:
        """Return the flat index after a row's last point."""
        block, part = divmod(row, self.chunks)
        return block * self.points + min((part + 1) * self.chunk, self.points)

    def over(self, points: range) -> range:
        """Return the rows that hold some points, named by their flat indices."""
        if not points:
            return range(0)
        return range(self._row_of(points.start), self._row_of(points.stop - 1) + 1)

    def _row_of(self, point: int) -> int:
        block, rest = divmod(point, self.points)
        return block * self.chunks + rest // self.chunk


class RowTables:
    """The leaf tables of a folded query as flat arrays that rows read in order.

    Parameters
    ----------
    query : Query
        Folded anew, as far as tables stay small.
    row : (int, int), optional
        Least and most points of a row.
    """

    def __init__(self, query: Query, row: tuple[int, int] | None = None) -> None:
        self.tuning = query.tuning
        self.layout = Layout.of(query, row)
        self.inner_axes = frozenset(query.space.axes[self.layout.outer :])
        first = self.tuning.summed_table if terms_of(query) > 1 else self._amortised(query)
        for points in (first, *self.tuning.row_fold_steps, 1):
            space, outputs = query.folded(points, self.inner_axes)
            if sum(self._weight(table) for table in space.tables.values()) <= self.tuning.table_bytes or points == 1:
                break
        self.space, self.outputs = without_unread_gaps(space, outputs), outputs
        self.guards = guards(outputs)
        self.nodes = topological(outputs.values())
        self.depends = space.dependence(outputs.values())
        self.certain = infer_ranges(self.space, outputs)
        self.kernels: dict[Hashable, Callable[..., None]] = {}  # compiled for these tables

    def _amortised(self, query: Query) -> int:
        """Return the entries of a table that are worth evaluating, so many points read each."""
        return min(self.tuning.amortised_table, query.space.size // self.tuning.points_an_entry)

    def _weight(self, table: Array) -> int:
        """Return the bytes that rows read of a table; where one has a single number a term and row, for each.

        What does not change along the axis that rows are counted by is read again from the cache next to the core.
        """
        rank, outer = len(self.layout.sizes), self.layout.outer
        inner = table.shape[outer:rank]
        size = int(table.size)
        if prod(inner) > 1:
            again = outer > 0 and table.shape[outer - 1] == 1 and self.layout.sizes[outer - 1] >= self.tuning.read_again
            size = self.layout.points if again else size // prod(inner) * self.layout.points
        elif prod(table.shape[rank:]) > 1:
            size = size // self.layout.chunk
        return size * table.dtype.itemsize

    def inner(self, node: Node) -> bool:
        """Check whether a node changes inside a row."""
        return bool(self.depends[node] & self.inner_axes)

    def summed(self, node: Node) -> frozenset[str]:
        """Name the summed axes that a node still has."""
        return self.depends[node] & frozenset(self.space.summed)

    def guard(self, nodes: Iterable[Node]) -> list[Node]:
        """List what has to be 0 in a row for its points to read any of some nodes."""
        conditions = frozenset[Any].intersection(*(self.guards[node] for node in nodes))
        alone = [one for one in self.leaves if one in conditions]
        return [one for one in alone if not self.inner(one) and not self.summed(one)]

    @cached_property
    def leaves(self) -> list[Node]:
        """The leaves, in the order of the kernel's arguments."""
        return [node for node in self.nodes if node.operation == "leaf"]

    @cached_property
    def arrays(self) -> list[Array]:
        """The tables of the leaves as kernels take them."""
        return [self.flat(node) for node in self.leaves]

    def flat(self, node: Node) -> Array:
        """Lay a table out as (outer axes it has, summed axes it has, row)."""
        table = self.space.tables[node.name]
        rank, outer = len(self.layout.sizes), self.layout.outer
        if self.inner(node):
            shape = (*table.shape[:outer], *self.layout.sizes[outer:], *table.shape[rank:])
            table = np.broadcast_to(table, shape)
        order = [*range(outer), *range(rank, table.ndim), *range(outer, rank)]
        return np.ascontiguousarray(table.transpose(order)).reshape(-1)

    def strides(self, node: Node) -> tuple[list[tuple[int, int]], dict[str, int], int]:
        """Return (outer axis, stride) pairs, the stride of each summed axis, and the length of a row (0: scalar)."""
        table = self.space.tables[node.name]
        rank, outer = len(self.layout.sizes), self.layout.outer
        step = self.layout.points if self.inner(node) else 1
        length = self.layout.points if self.inner(node) else 0
        summed = {}
        for k in range(len(self.space.summed) - 1, -1, -1):
            if table.shape[rank + k] != 1:
                summed[self.space.summed[k]] = step
                step *= table.shape[rank + k]
        pairs = []
        for axis in range(outer - 1, -1, -1):
            if table.shape[axis] != 1:
                pairs.append((axis, step))
                step *= table.shape[axis]
        return pairs[::-1], summed, length
