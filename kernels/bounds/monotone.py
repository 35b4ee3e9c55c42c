"""Axes along which one end is at least as good as any other index, for an objective and all limits: fix them there.

Rounding is monotone, so what rises in exact arithmetic never falls in floats, and the best value of the whole space is
that of the slice at the best ends. The first of equal points may lie inside; it is looked for along one axis at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.bounds.bounder import bounder_of
from roofcube.kernels.graph.expression import topological
from roofcube.kernels.graph.program import PointReader
from roofcube.kernels.query.query import ask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from roofcube.kernels.bounds.bounder import Bounder
    from roofcube.kernels.graph.expression import Node
    from roofcube.kernels.query.query import Query

__all__ = ["MonotoneSlice", "directions", "slice_of"]

Array = np.ndarray[Any, np.dtype[Any]]

# operation → for each argument, whether the result moves with it (1) or against it (-1)
SENSES: dict[str, tuple[int, ...]] = {
    "add": (1, 1),
    "subtract": (1, -1),
    "multiply": (1, 1),
    "divide": (1, -1),
    "minimum": (1, 1),
    "maximum": (1, 1),
    "ordered_sum": (1,),
    "negative": (-1,),
    "floor": (1,),
    "ceil": (1,),
    "less": (-1, 1),
    "less_equal": (-1, 1),
}


def directions(bounder: Bounder) -> dict[Node, tuple[Array, Array]]:
    """Return of each node along which axes it may rise, and along which it may fall, as its trees order them."""
    space, found = bounder.space, dict[Any, tuple[Array, Array]]()
    nan_free = {node for node, proven in bounder.certain.items() if proven.nan_free}
    finite = {node for node in nan_free if bounder.certain[node].finite}
    nonnegative = {node for node in finite if bounder.certain[node].nonnegative}
    for node in topological(bounder.outputs.values()):
        if node.operation == "leaf":
            found[node] = _directions_of_table(space.tables[node.name], bounder)
            continue
        depends = np.array([axis in bounder.depends[node] for axis in space.axes], dtype=bool)
        if node.operation == "where":
            condition, *branches = (found[argument] for argument in node.arguments)
            steady = ~(condition[0] | condition[1])
            rise, fall = (np.logical_or(*(branch[k] for branch in branches)) | ~steady for k in (0, 1))
        elif node.operation in SENSES and finite.issuperset(node.arguments):
            rise, fall = np.zeros_like(depends), np.zeros_like(depends)
            for argument, sense in zip(node.arguments, SENSES[node.operation], strict=True):
                rise |= found[argument][0 if sense > 0 else 1]
                fall |= found[argument][1 if sense > 0 else 0]
            if node.operation in ("multiply", "divide") and not nonnegative.issuperset((node, *node.arguments)):
                rise, fall = depends, depends
        else:
            rise, fall = depends, depends
        found[node] = (rise & depends, fall & depends)
    return found


def _directions_of_table(table: Array, bounder: Bounder) -> tuple[Array, Array]:
    rise, fall = np.zeros(len(bounder.trees), dtype=bool), np.zeros(len(bounder.trees), dtype=bool)
    for axis, tree in enumerate(bounder.trees):
        if table.shape[axis] != 1:
            ordered = np.take(table, tree.order, axis=axis)
            first, second = np.delete(ordered, -1, axis=axis), np.delete(ordered, 0, axis=axis)
            # NaN may rise and fall
            rise[axis], fall[axis] = not (second <= first).all(), not (second >= first).all()
    return rise, fall


@dataclass(frozen=True, eq=False)
class MonotoneSlice:
    """A query's points at the best ends of its aligned axes.

    Attributes
    ----------
    ends : dict of axis to int
        Index at which each aligned axis is fixed.
    orders : dict of axis to array
        The indices of each aligned axis in the order in which it improves.
    reader : PointReader
        Of the whole query.
    query : Query
        The slice alone.
    values : mapping of name to array, or None
        All outputs of the slice if it is small; each over the query's axes, of length 1 where it is constant.
    """

    ends: dict[int, int]
    orders: dict[int, Array]
    reader: PointReader
    query: Query
    values: Mapping[str, Array] | None

    def best(self, query: Query) -> tuple[Array, Array] | None:
        """Find the largest key and its first point of each group, -1: there is none; None if too many are equal."""
        assert self.values is not None
        sizes = tuple(1 if axis in self.ends else size for axis, size in enumerate(query.space.sizes))
        key, met = _keys_within_limits(query, self.values, (1,) * len(sizes))
        masked = np.broadcast_to(np.where(met, key, -np.inf), sizes).reshape(query.n_groups, -1)
        largest = masked.max(axis=1)
        equal = np.flatnonzero((masked == largest[:, None]) & (largest > -np.inf)[:, None])
        points = np.array(np.unravel_index(equal, sizes), dtype=np.int64).reshape(len(sizes), len(equal))
        for axis, end in self.ends.items():
            points[axis] = end
        found = self._first(query, points, equal // masked.shape[1], largest)
        if found is None:
            return None
        points, group = found
        first = np.full(query.n_groups, -1, dtype=np.int64)
        first[group] = np.ravel_multi_index(tuple(points), query.space.sizes)
        return largest, first

    def whole(self, query: Query, first: Array) -> Array:
        """Turn flat indices of the slice into those of the whole query; -1 stays."""
        space, known = query.space, first >= 0
        inner = self.query.space
        inside = np.unravel_index(np.maximum(first, 0), inner.sizes) if inner.sizes else ()
        places = dict(zip(inner.axes, inside, strict=True))
        flat = np.zeros(len(first), dtype=np.int64)
        for number, (axis, size) in enumerate(zip(space.axes, space.sizes, strict=True)):
            flat = flat * size + (self.ends[number] if number in self.ends else places.get(axis, 0))
        return np.where(known, flat, -1)

    def _first(self, query: Query, points: Array, group: Array, largest: Array) -> tuple[Array, Array] | None:
        """Move points of the slice to the first equal ones, axis by axis in tie order, each group for itself."""
        if points.shape[1] * max(query.tuning.equal_ways, len(self.ends)) > query.tuning.equal_points:
            return None
        # what is equal anywhere along an aligned axis is equal beside its end
        axes = np.array(list(self.ends))
        beside = np.array([order[-2] - order[-1] for order in self.orders.values()])
        moving = axes[self._equal(query, points, group, largest, axes, beside).any(axis=0)].tolist()
        for axis, size in enumerate(query.space.sizes):
            if axis in moving:
                if query.groups:
                    return None
                points, group = self._moved(query, points, group, largest, axis)
            elif axis not in self.ends:
                lowest = np.full(query.n_groups, size)
                np.minimum.at(lowest, group, points[axis])
                kept = points[axis] == lowest[group]
                points, group = points[:, kept], group[kept]
        return points, group

    def _moved(self, query: Query, points: Array, group: Array, largest: Array, axis: int) -> tuple[Array, Array]:
        """Move points to the lowest index along an axis at which any stays equal, and drop those that do not."""
        order = self.orders[axis]
        start = order[-1]
        unequal, equal = -1, len(order) - 1  # places in the order: all after an equal one are equal too
        while equal - unequal > 1:
            tried = np.unique(np.linspace(unequal, equal, query.tuning.equal_ways + 1).astype(np.int64))[1:-1]
            holds = self._equal(query, points, group, largest, axis, order[tried] - start).any(axis=0)
            place = int(holds.argmax()) if holds.any() else len(tried)
            unequal = int(tried[place - 1]) if place else unequal
            equal = int(tried[place]) if place < len(tried) else equal
        lowest = order[equal:].min()
        kept = self._equal(query, points, group, largest, axis, np.array([lowest - start]))[:, 0]
        points = points[:, kept]
        points[axis] = lowest
        return points, group[kept]

    def _equal(
        self, query: Query, points: Array, group: Array, largest: Array, axes: Array | int, steps: Array
    ) -> Array:
        """Return which points, so many steps away, are valid and have the largest key of their group."""
        key, met = _keys_within_limits(query, self.reader.at(points, axes, steps), (1, 1))
        return np.asarray(met & (key == largest[group][:, None]))


def _keys_within_limits(query: Query, values: Mapping[str, Array], shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Return the keys, and where all limits are met."""
    name, sign = query.objectives[0]
    met = np.ones(shape, dtype=bool)
    for limit in query.limits:
        met = met & limit.met(values[limit.name])
    return values[name] * values[name].dtype.type(sign), met


def slice_of(query: Query) -> MonotoneSlice | None:
    """Return the slice at the best ends, or None where no axis is aligned; kept for queries with other limits."""
    bounder = bounder_of(query)
    kinds = tuple((one.name, one.low is None, one.high is None, one.one_of is None) for one in query.limits)
    key = (query.objectives, query.groups, kinds)
    if key not in bounder.slices:
        bounder.slices[key] = _sliced(query, bounder)
    found = bounder.slices[key]
    return None if found is None else replace(found, query=replace(found.query, limits=query.limits))


def _sliced(query: Query, bounder: Bounder) -> MonotoneSlice | None:
    space = query.space
    names = [query.objectives[0][0], *(limit.name for limit in query.limits)]
    proven = [bounder.certain[query.outputs[name]] for name in names]
    if not all(one.number for one in proven):
        return None
    up, down = _monotone_axes(query, bounder)
    orders = {}
    for axis in range(query.groups, len(space.axes)):
        if (up[axis] or down[axis]) and space.sizes[axis] > 1:
            orders[axis] = bounder.trees[axis].order if up[axis] else bounder.trees[axis].order[::-1]
    if not orders:
        return None
    ends = {axis: int(order[-1]) for axis, order in orders.items()}
    taken = space.take({space.axes[axis]: np.array([end]) for axis, end in ends.items()})
    groups = space.axes[: query.groups]
    alone = ask(taken, query.outputs, objectives=query.objectives, limits=query.limits, per=groups, tuning=query.tuning)
    if alone.space.axes[: alone.groups] != groups:
        return None
    outputs = {name: query.outputs[name] for name in names}
    values = taken.evaluate(outputs) if prod(taken.sizes) <= query.tuning.dense_slice else None
    return MonotoneSlice(ends, orders, PointReader(space, outputs), alone, values)


def _monotone_axes(query: Query, bounder: Bounder) -> tuple[Array, Array]:
    """Tell along which axes nothing gets worse upwards, and along which downwards."""
    if bounder.directions is None:
        bounder.directions = directions(bounder)
    name, sign = query.objectives[0]
    rise, fall = bounder.directions[query.outputs[name]]
    up, down = (~fall, ~rise) if sign > 0 else (~rise, ~fall)
    for limit in query.limits:
        rise, fall = bounder.directions[query.outputs[limit.name]]
        if limit.low is not None or limit.one_of is not None:
            up, down = up & ~fall, down & ~rise
        if limit.high is not None or limit.one_of is not None:
            up, down = up & ~rise, down & ~fall
    return up, down
