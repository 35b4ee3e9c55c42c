"""Index trees: each axis cut into nested ranges of indices, and for each table the range of its values in every range.

A box is one tree node an axis. Indices are sorted by what they do to the tables, so that nearby ones are alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.tuning import TUNING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["IndexTree", "RangeIndex", "sorted_indices"]

Array = np.ndarray[Any, np.dtype[Any]]
SAMPLED = 1 << 16  # entries of a table that its indices are sorted by


@dataclass(frozen=True, eq=False)
class IndexTree:
    """Nested ranges of an axis; node 0 is the whole axis, children of a node are consecutive.

    Attributes
    ----------
    order : array
        The axis' indices in the order in which ranges cut them.
    start, stop : arrays
        Range of each node in that order.
    child, children : arrays
        First child and number of children; none for a single index.
    lowest : array
        Lowest index in each node's range.
    leaf : array
        Node of each position in the order.
    levels : list of range
        Nodes of each depth.
    """

    order: Array
    start: Array
    stop: Array
    child: Array
    children: Array
    lowest: Array
    leaf: Array
    levels: list[range]

    @classmethod
    def over(cls, order: Array, branches: int = TUNING.branches) -> IndexTree:
        """Build the tree over indices in a given order, each range cut into so many parts."""
        start, stop = np.zeros(1, dtype=np.int64), np.full(1, len(order), dtype=np.int64)
        levels, nodes = [range(1)], [(start, stop)]
        child, children = [], []
        while levels[-1]:
            length = stop - start
            parts = np.where(length > 1, np.minimum(branches, length), 0)
            before = np.cumsum(parts) - parts
            child.append(levels[-1].stop + before)
            children.append(parts)
            part = np.arange(parts.sum()) - np.repeat(before, parts)
            start, length, parts = (np.repeat(each, parts) for each in (start, length, parts))
            start, stop = start + length * part // parts, start + length * (part + 1) // parts
            levels.append(range(levels[-1].stop, levels[-1].stop + len(start)))
            nodes.append((start, stop))
        start, stop = (np.concatenate(ends) for ends in zip(*nodes, strict=True))
        single = np.flatnonzero(stop - start == 1)
        leaf = np.empty(len(order), dtype=np.int64)
        leaf[start[single]] = single
        tree = cls(order, start, stop, np.concatenate(child), np.concatenate(children), start, leaf, levels[:-1])
        object.__setattr__(tree, "lowest", tree.reduced(np.arange(len(order)), np.minimum))
        return tree

    @cached_property
    def count(self) -> Array:
        """Number of indices of each node."""
        return self.stop - self.start

    def reduced(self, table: Array, ufunc: Any) -> Array:
        """Reduce a table over each node's range along its first axis.

        Children are gathered and combined one by one: `reduceat` over so few at a time takes ten times as long.
        """
        out = np.empty((len(self.start), *table.shape[1:]), dtype=table.dtype)
        for level in reversed(self.levels):
            nodes = np.arange(level.start, level.stop)
            children = self.children[nodes]
            single, inner = nodes[children == 0], nodes[children > 0]
            out[single] = table[self.order[self.start[single]]]
            if len(inner):
                child, last = self.child[inner], self.children[inner] - 1
                total = out[child]
                for number in range(1, int(last.max()) + 1):
                    # a node of fewer children has its last one twice
                    ufunc(total, out[child + np.minimum(number, last)], out=total)
                out[inner] = total
        return out


def sorted_indices(tables: Iterable[tuple[Array, int]], size: int) -> Array:
    """Order an axis' indices by what they do to the tables: (table, position of the axis in it)."""
    key = np.zeros(size)
    for table, axis in tables:
        with np.errstate(all="ignore"):
            columns = np.moveaxis(table, axis, 0).reshape(size, -1)
            if columns.size > SAMPLED:
                few = max(1, SAMPLED // size)
                columns = columns[:, np.random.default_rng(0).choice(columns.shape[1], size=few, replace=False)]
            values = np.nan_to_num(columns.astype("f8"), nan=0.0, posinf=1e300, neginf=-1e300)
            profile = np.arctan(values / (np.abs(values).max() or 1.0)).mean(axis=1)
            spread = profile.std()
        if spread > 0 and np.isfinite(spread):
            # tables that fall along an axis order it as well as tables that rise
            rank = np.argsort(np.argsort(profile, kind="stable"), kind="stable") / size
            agreement = np.corrcoef(rank, key)[0, 1] if key.std() > 0 else 1.0
            key += rank if agreement >= 0 else -rank
    return np.argsort(key, kind="stable")


class RangeIndex:
    """For one table, the smallest and largest value in every box, NaN apart, and whether there is a NaN.

    Parameters
    ----------
    table : array
        Over the space's axes, then the summed ones.
    trees : sequence of IndexTree
    """

    def __init__(self, table: Array, trees: Sequence[IndexTree]) -> None:
        rank = len(trees)
        self.axes = [axis for axis in range(rank) if table.shape[axis] != 1]
        missing = np.isnan(table)
        gaps = bool(missing.any())
        low = _range_reduced(table, trees, self.axes, np.fmin if gaps else np.minimum)
        high = _range_reduced(table, trees, self.axes, np.fmax if gaps else np.maximum)
        nan = _range_reduced(missing, trees, self.axes, np.logical_or) if gaps else None
        summed = table.shape[rank:]
        lengths = [low.shape[axis] for axis in self.axes]
        self.strides = [int(np.prod(lengths[k + 1 :], dtype=np.int64)) for k in range(len(lengths))]
        self.low, self.high = low.reshape(-1, *summed), high.reshape(-1, *summed)
        self.nan = None if nan is None else nan.reshape(-1, *summed)

    def row(self, boxes: Array) -> Array:
        """Return each box's row."""
        row = np.zeros(1 if not self.axes else boxes.shape[1], dtype=np.int64)
        for axis, stride in zip(self.axes, self.strides, strict=True):
            row = row + boxes[axis] * stride
        return row

    def bounds(self, boxes: Array) -> tuple[Array, Array, Array | None]:
        """Return the low and high ends, and where there may be a NaN."""
        row = self.row(boxes)
        return self.low[row], self.high[row], None if self.nan is None else self.nan[row]


def _range_reduced(table: Array, trees: Sequence[IndexTree], axes: Sequence[int], ufunc: Any) -> Array:
    for axis in axes:
        # the axis first and the others side by side: whole rows are then copied and combined
        moved = np.ascontiguousarray(np.moveaxis(table, axis, 0))
        table = np.moveaxis(trees[axis].reduced(moved, ufunc), 0, axis)
    return np.ascontiguousarray(table)
