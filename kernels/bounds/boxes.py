"""Boxes of the index space waiting to be split, and the rules for splitting them.

Boxes are cut where it narrows their bounds the most, many at a time, the last ones first, so that few wait. Nothing is
special-cased: an objective that lacks an axis has the same bounds along it, one that is monotone has exact corners.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from roofcube.kernels.bounds.bounder import bounder_of
from roofcube.kernels.bounds.intervals import Interval
from roofcube.kernels.budget import check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from roofcube.kernels.budget import Budget, Stop
    from roofcube.kernels.graph.expression import Node
    from roofcube.kernels.query.query import Limit, Query

__all__ = ["Batch", "Intervals", "Search", "corners", "ends", "fits", "keys"]

Array = np.ndarray[Any, np.dtype[Any]]
Intervals: TypeAlias = "Mapping[Node, Interval]"


def fits(query: Query) -> bool:
    """Check whether the tables of a query are small enough for range indexes."""
    largest = max((table.size for table in query.space.tables.values()), default=0)
    return largest <= query.tuning.indexed_table


@dataclass
class Batch:
    """Boxes with their bounds.

    Attributes
    ----------
    boxes : array (axes, n)
    intervals : bounds of every node of the graph
    met, lost : arrays of bool
        Boxes all of whose points surely meet all limits; boxes none of whose points can.
    """

    boxes: Array
    intervals: Intervals
    met: Array
    lost: Array


class Search:
    """Boxes waiting to be split.

    Parameters
    ----------
    query : Query
    watched : sequence of str
        Outputs whose bounds are to be narrowed.
    prunes : bool
        Whether what is found settles other boxes, as a good point does and a count does not.
    budget : Budget, optional
        When to give up; without one, never.
    stop : Stop, optional
    """

    def __init__(
        self,
        query: Query,
        watched: Sequence[str],
        *,
        prunes: bool = True,
        budget: Budget | None = None,
        stop: Stop | None = None,
    ) -> None:
        self.query = query
        self.bounder = bounder_of(query)
        self.watched = [query.outputs[name] for name in dict.fromkeys(watched)]
        self.limited = [query.outputs[limit.name] for limit in query.limits]
        self.prunes = prunes
        self.budget = budget
        self.stop = stop
        self._waiting: list[tuple[Array, float]] = []  # boxes to be split, and their points together

    def root(self) -> Array:
        """Return the first boxes: one a group, whole along the other axes."""
        groups = self.query.groups
        cells = np.unravel_index(np.arange(self.query.n_groups), self.query.group_sizes) if groups else ()
        boxes = np.zeros((len(self.bounder.trees), self.query.n_groups), dtype=np.int64)
        for axis, cell in enumerate(cells):
            tree = self.bounder.trees[axis]
            position = np.empty(len(tree.order), dtype=np.int64)
            position[tree.order] = np.arange(len(tree.order))
            boxes[axis] = tree.leaf[position[cell]]
        return boxes

    def bound(self, boxes: Array) -> Batch:
        """Bound boxes and compare them with the limits."""
        check(self.stop)
        if self.budget is not None:
            self.budget.boxes += boxes.shape[1]
        intervals = self.bounder.bounds(boxes)
        met, lost = np.ones(boxes.shape[1], dtype=bool), np.zeros(boxes.shape[1], dtype=bool)
        for limit, node in zip(self.query.limits, self.limited, strict=True):
            surely, never = _against(limit, intervals[node], boxes.shape[1])
            met &= surely
            lost |= never
        return Batch(boxes, intervals, met, lost)

    def evaluate(self, points: Array) -> tuple[dict[str, Array], Array]:
        """Evaluate boxes of a single point each, and say which of them are valid."""
        values = self.bounder.points(points)
        return values, self.query.valid(values, (points.shape[1],))

    # going through the space --------------------------------------------------------------------------------------

    def levels(self, promising: Callable[[Array, Intervals], Array]) -> Iterator[Array]:
        """Go through batches of boxes; hand back, with `push`, those to be split further.

        `promising` is asked, before boxes are split, which of them still matter, the most promising first.
        """
        most = self.query.tuning.split_boxes
        yield self.root()
        while self._waiting:
            boxes, _ = self._waiting.pop()
            intervals = self.bounder.bounds(boxes)
            n = boxes.shape[1]
            chosen = promising(boxes, intervals)
            if len(chosen) > most:
                self.push(boxes[:, chosen[most:]])
                chosen = chosen[:most]
            if len(chosen):
                intervals = {node: _picked(interval, chosen, n) for node, interval in intervals.items()}
                yield self.split(boxes[:, chosen], intervals)

    def push(self, boxes: Array) -> None:
        """Have boxes split later."""
        if boxes.shape[1]:
            self._waiting.append((boxes, float(self.bounder.size(boxes).sum(dtype=np.float64))))

    def spend(self) -> None:
        """Raise `BudgetExceeded` if the search does not promise to end within its budget."""
        if self.budget is not None and self._waiting:
            self.budget.spend(self._remaining)

    def _remaining(self) -> float:
        """Expect the seconds that the boxes that wait will take.

        Where good points settle other boxes, about as many are left at each level (a front over 1e12 points took 0.9 to
        3 times what this says, at any time). Where each box has to be settled by itself, boxes in doubt grow with the
        parts that they are cut into as a surface does with its volume (counts and medians of four spaces took 0.5 to 2
        times what this says, and a histogram a quarter). Of what has been settled little can be told: the largest boxes
        are settled first.
        """
        assert self.budget is not None
        tuning = self.query.tuning
        waiting = [(boxes.shape[1], points) for boxes, points in self._waiting]
        if self.prunes:
            n, points = map(sum, zip(*waiting, strict=True))
            levels = 1.0 + np.log(self._parts(points / n)) / np.log(tuning.branches)
            return float(tuning.pruned_growth * n * tuning.branches * levels * self.budget.pace)
        boxes = sum(n * self._parts(points / n) ** tuning.surface_growth for n, points in waiting)
        return float(boxes * self.budget.pace)

    def _parts(self, size: float) -> float:
        """Count the parts of a box of so many points that are opened rather than split."""
        return max(1.0, size / self.query.tuning.open_points)

    # splitting ----------------------------------------------------------------------------------------------------

    def random_parts(self, boxes: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        """Cut each box as `split` does; return one of its parts, and how many there are."""
        axes = self._axis(boxes, self.bounder.bounds(boxes))
        parts, counts = boxes.copy(), np.ones(boxes.shape[1], dtype=np.int64)
        for axis, tree in enumerate(self.bounder.trees):
            cut = np.flatnonzero(axes == axis)
            nodes = boxes[axis, cut]
            counts[cut] = tree.children[nodes]
            parts[axis, cut] = tree.child[nodes] + rng.integers(0, counts[cut])
        return parts, counts

    def split(self, boxes: Array, intervals: Intervals) -> Array:
        """Cut each box along the axis that narrows its bounds the most; a few boxes along several axes at once."""
        growth = self.query.tuning.burst_boxes / boxes.shape[1]
        several = int(np.log(growth) / np.log(self.query.tuning.branches)) if growth > 1 else 0
        if several > 1:
            longest = [tree.count[nodes].max() for tree, nodes in zip(self.bounder.trees, boxes, strict=True)]
            for axis in np.argsort(longest)[::-1][:several]:
                boxes = self._cut(boxes, int(axis))
            return boxes
        axis = self._axis(boxes, intervals)
        parts = [self._cut(boxes[:, axis == number], number) for number in range(len(self.bounder.trees))]
        return np.concatenate(parts, axis=1)

    def _cut(self, boxes: Array, axis: int) -> Array:
        """Cut boxes along one axis; those of a single index there stay."""
        tree = self.bounder.trees[axis]
        nodes = boxes[axis]
        counts = np.maximum(tree.children[nodes], 1)
        origin = np.repeat(np.arange(len(nodes)), counts)
        rank = np.arange(len(origin)) - np.repeat(np.cumsum(counts) - counts, counts)
        children = boxes[:, origin]
        single = tree.children[nodes[origin]] == 0
        children[axis] = np.where(single, children[axis], tree.child[children[axis]] + rank)
        return children

    def _axis(self, boxes: Array, intervals: Intervals) -> Array:
        n = boxes.shape[1]
        width = self._width(intervals, n)
        chosen = np.full(n, -1)
        narrowest = np.full(n, np.inf)
        longest = np.zeros(n)
        for axis, tree in enumerate(self.bounder.trees):
            can = np.flatnonzero(tree.children[boxes[axis]] > 0)
            if not len(can):
                continue
            inside = boxes[:, can]
            inside[axis] = tree.child[inside[axis]] + tree.children[inside[axis]] // 2
            mine = {node: _picked(interval, can, n) for node, interval in intervals.items()}
            new = self._width(self.bounder.narrowed(inside, axis, mine), len(can))
            new = np.where(new < width[can], new, np.inf)
            length = tree.count[boxes[axis, can]]
            # where no axis narrows anything, the longest is cut
            better = (new < narrowest[can]) | (np.isinf(new) & np.isinf(narrowest[can]) & (length > longest[can]))
            taken = can[better]
            chosen[taken], narrowest[taken], longest[taken] = axis, new[better], length[better]
        return chosen

    def _width(self, intervals: Intervals, n: int) -> Array:
        """Add up the relative widths of the watched outputs, and of limits in doubt."""
        total = np.zeros(n)
        with np.errstate(all="ignore"):
            for node in self.watched:
                total += _relative_width(intervals[node], n)
            for limit, node in zip(self.query.limits, self.limited, strict=True):
                surely, never = _against(limit, intervals[node], n)
                total += np.where(surely | never, 0.0, 1.0 + _relative_width(intervals[node], n))
        return total


def _picked(interval: Interval, chosen: Array, n: int) -> Interval:
    """Return the ends of chosen ones of n boxes; an end that all boxes share, as no less than zero, is one number."""

    def picked(ends: Array) -> Array:
        return ends[chosen] if ends.shape[0] == n else ends

    nan = None if interval.nan is None else picked(interval.nan)
    return Interval(picked(interval.low), picked(interval.high), nan)


def ends(interval: Interval, n: int) -> tuple[Array, Array, Array]:
    """Return the ends and the doubt about NaN of an output as arrays of n."""
    low = np.broadcast_to(interval.low.reshape(-1), (n,))
    high = np.broadcast_to(interval.high.reshape(-1), (n,))
    nan = np.zeros(1, dtype=bool) if interval.nan is None else interval.nan.reshape(-1)
    return low, high, np.broadcast_to(nan, (n,))


def keys(interval: Interval, sign: int, n: int) -> tuple[Array, Array, Array]:
    """Return the ends of an output times a sign, and the doubt about NaN, as arrays of n."""
    low, high, nan = ends(interval, n)
    return (low, high, nan) if sign > 0 else (-high, -low, nan)


def _relative_width(interval: Interval, n: int) -> Array:
    low, high, nan = ends(interval, n)
    scale = np.maximum(np.abs(low), np.abs(high)).astype("f8")
    width = np.where(high > low, (high.astype("f8") - low) / np.where(scale > 0, scale, 1.0), 0.0)
    return np.nan_to_num(width, nan=1.0, posinf=1.0) + np.where(nan & ~np.isnan(low), 0.5, 0.0)


def _against(limit: Limit, interval: Interval, n: int) -> tuple[Array, Array]:
    """Return in which of n boxes all points surely meet a limit, and in which none can."""
    low, high, nan = ends(interval, n)
    floor, ceiling, one_of = limit.rounded(low.dtype)
    nothing = np.isnan(low)
    if one_of is not None:
        possible = np.zeros(n, dtype=bool)
        exact = np.zeros(n, dtype=bool)
        for value in one_of:
            possible |= (low <= value) & (value <= high)
            exact |= (low == value) & (high == value)
        return exact & ~nan, ~possible
    met, lost = ~nan & ~nothing, nothing.copy()
    if floor is not None:
        met &= low >= floor
        lost |= high < floor
    if ceiling is not None:
        met &= high <= ceiling
        lost |= low > ceiling
    return met, lost


def corners(search: Search, boxes: Array) -> Array:
    """Return the first and the last point of each box."""
    trees = search.bounder.trees
    if not trees:
        return np.concatenate([boxes, boxes], axis=1)
    first = [tree.leaf[tree.start[nodes]] for tree, nodes in zip(trees, boxes, strict=True)]
    last = [tree.leaf[tree.stop[nodes] - 1] for tree, nodes in zip(trees, boxes, strict=True)]
    return np.concatenate([np.stack(first), np.stack(last)], axis=1)
