"""Bounds of a query's outputs over boxes of its index space, prepared once for all questions of the same graph.

A box is one node of an index tree for each axis. Its bounds come from range indexes over the tables and from interval
arithmetic over the graph; the same tables give single points, as every other reader would.
"""

from __future__ import annotations

from functools import cached_property
from time import thread_time
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.bounds.intervals import Interval, bound, infer_ranges
from roofcube.kernels.bounds.range_index import IndexTree, RangeIndex, sorted_indices
from roofcube.kernels.graph.expression import topological, value_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from roofcube.kernels.graph.expression import Node
    from roofcube.kernels.query.query import Query

__all__ = ["Bounder", "bounder_of"]

Array = np.ndarray[Any, np.dtype[Any]]


class Bounder:
    """Bounds of a query's outputs over boxes, with all that depends on the query alone prepared.

    Parameters
    ----------
    query : Query

    Attributes
    ----------
    trees : list of IndexTree
        One an axis of the query's space. A box is a column of node numbers, one a tree.
    """

    def __init__(self, query: Query) -> None:
        start = thread_time()
        space = query.space
        self.space = space
        self.tuning = query.tuning
        self.outputs = query.outputs
        self.kind = np.dtype(space.dtype)
        self.nodes = topological(query.outputs.values())
        tables = [space.tables[node.name] for node in self.nodes if node.operation == "leaf"]
        self.trees = [
            IndexTree.over(
                sorted_indices([(t, axis) for t in tables if t.shape[axis] != 1], size), query.tuning.branches
            )
            for axis, size in enumerate(space.sizes)
        ]
        self.depends = space.dependence(query.outputs.values())
        self.certain = infer_ranges(space, query.outputs)
        self.directions: dict[Node, tuple[Array, Array]] | None = None  # filled by `alignment`
        self.slices: dict[Any, Any] = {}
        self.seconds = thread_time() - start  # that preparing took so far

    @cached_property
    def indexes(self) -> dict[Node, RangeIndex]:
        """The range index of each table: not every question looks at boxes."""
        start = thread_time()
        leaves = [node for node in self.nodes if node.operation == "leaf"]
        indexes = {node: RangeIndex(self.space.tables[node.name], self.trees) for node in leaves}
        self.seconds += thread_time() - start
        return indexes

    def size(self, boxes: Array) -> Array:
        """Count the points of each box."""
        count = np.ones(boxes.shape[1], dtype=np.int64)
        for tree, nodes in zip(self.trees, boxes, strict=True):
            count = count * tree.count[nodes]
        return count

    def first(self, boxes: Array) -> Array:
        """Return the lowest flat index of each box."""
        flat = np.zeros(boxes.shape[1], dtype=np.int64)
        for tree, nodes, length in zip(self.trees, boxes, self.space.sizes, strict=True):
            flat = flat * length + tree.lowest[nodes]
        return flat

    def bounds(self, boxes: Array) -> dict[Node, Interval]:
        """Bound every node of the graph over each box."""
        return self._evaluate(boxes)

    def narrowed(self, boxes: Array, axis: int, known: Mapping[Node, Interval]) -> dict[Node, Interval]:
        """Bound again only what depends on one axis, whose nodes have changed."""
        name = self.space.axes[axis]
        return self._evaluate(boxes, known={node: known[node] for node in self.nodes if name not in self.depends[node]})

    def _evaluate(self, boxes: Array, known: Mapping[Node, Interval] | None = None) -> dict[Node, Interval]:
        values: dict[Node, Interval] = dict(known or {})
        with np.errstate(all="ignore"):
            for node in self.nodes:
                if node not in values:
                    values[node] = self._bound(node, values, boxes)
        return values

    def _bound(self, node: Node, values: Mapping[Node, Interval], boxes: Array) -> Interval:
        if node.operation == "leaf":
            return Interval(*self.indexes[node].bounds(boxes))
        return bound(node, values, self.space, self.certain)

    # points -------------------------------------------------------------------------------------------------------

    def points(self, boxes: Array) -> dict[str, Array]:
        """Evaluate the outputs at boxes of a single index an axis, as every other reader would."""
        values: dict[Node, Array] = {}
        tables = {node.name: index.low[index.row(boxes)] for node, index in self.indexes.items()}
        axes = ("point", *self.space.summed)
        with np.errstate(all="ignore"):
            for node in self.nodes:
                values[node] = value_of(node, values, tables, axes=axes, kind=self.kind)
        n = boxes.shape[1]
        return {name: np.broadcast_to(values[node].reshape(-1), (n,)) for name, node in self.outputs.items()}

    def opened(self, boxes: Array) -> tuple[Array, Array]:
        """List all points of boxes: as boxes of one index an axis, and which box each came from."""
        sizes = self.size(boxes)
        origin = np.repeat(np.arange(boxes.shape[1]), sizes)
        place = np.arange(len(origin)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        points = np.empty((len(self.trees), len(origin)), dtype=np.int64)
        for axis in range(len(self.trees) - 1, -1, -1):
            tree, nodes = self.trees[axis], boxes[axis][origin]
            length = tree.count[nodes]
            points[axis] = tree.leaf[tree.start[nodes] + place % length]
            place = place // length
        return points, origin


def bounder_of(query: Query) -> Bounder:
    """Prepare the bounds of a query, or find them prepared: they depend on its space and graph, not on its limits."""
    found = query.space.cache.get("bounder")
    if found is None or found.outputs is not query.outputs or found.tuning != query.tuning:
        found = query.space.cache["bounder"] = Bounder(query)
    return found
