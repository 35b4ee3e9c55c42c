"""Answer questions whose outputs are stored arrays: front and argbest kernels on the values, nothing computed.

Bounds and generated kernels earn their keep where outputs are computed from small tables over a large product. Where
the outputs *are* the tables, as in a stored cube, there is nothing to fold and little to exclude: reading the values
once is the answer's price, and a transposed or cast copy of them would double it. Tables therefore come in the dtype,
and in the order in memory, in which they were stored.

A front over more points than `SLAB` is found slab by slab, and the slabs' fronts are merged, so that the columns of a
large space are never laid out as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.argbest.best_along import max_with_argmax, min_with_argmin
from roofcube.kernels.engine import stream
from roofcube.kernels.engine.reductions import BEST, COUNT, HISTOGRAM, TOP
from roofcube.kernels.pareto.archive import match
from roofcube.kernels.pareto.front import front_with_ties, non_dominated, non_dominated_by_group
from roofcube.kernels.query.partials import BestPartial, FrontPartial
from roofcube.kernels.query.tiles import Tiling

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from roofcube.kernels.query.partials import TopPartial
    from roofcube.kernels.query.query import Query

__all__ = ["ArrayEngine", "suits"]

Array = np.ndarray[Any, np.dtype[Any]]
SPREAD = 4  # points for each stored value beyond which bounds are tried first: they exclude whole products at once
SMALL = 1 << 16  # points that are read sooner than bounds are prepared
SLAB = 1 << 25  # points whose columns are laid out at a time: 0.8 GB for three objectives in f8


def suits(query: Query) -> bool:
    """Tell whether reading the stored values is the cheapest answer."""
    if any(node.operation != "leaf" for node in query.outputs.values()):
        return False
    stored = sum(query.space.tables[node.name].size for node in query.outputs.values())
    return query.space.size <= max(SMALL, SPREAD * stored)


class ArrayEngine:
    """Answers queries whose outputs are leaves; the same answers, bit for bit, as the engines that compute.

    Parameters
    ----------
    threads : int
    """

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads

    def best(self, query: Query) -> BestPartial:
        """Find the largest key and its first point of each group."""
        if query.limits or not query.space.size:
            return stream.visit(BEST, query, threads=self.threads)
        return _best_of_table(query, self.threads)

    def top(self, query: Query, n: int) -> TopPartial:
        """Find the n largest keys of a query without groups."""
        return stream.visit(TOP, query, n, threads=self.threads)

    def front(self, query: Query) -> ArrayFront:
        """Find the front of a query without groups."""
        return ArrayFront(query, *_front(query, self.threads))

    def fits(self, query: Query) -> bool:
        """Tell whether the fronts of all groups are better found at once."""
        return query.n_groups > 1 and query.space.size <= SLAB

    def grouped_front(self, query: Query) -> tuple[Array, Array, Array, Array]:
        """Find the front of each group of a query that fits one slab.

        Returns
        -------
        flat, ties : arrays of int64
            Flat indices, ascending, and how many points of the group equal each, itself included.
        first : array of bool
            Whether a point is the first of its equals.
        costs : array
            Of the first objective.
        """
        flat, costs = next(_slabs(query))
        group = flat // max(1, query.group_points)
        chosen = np.flatnonzero(non_dominated_by_group(costs, group, threads=self.threads))
        vectors = tuple(column[chosen] for column in costs)
        apart = (*vectors, *_apart(group[chosen]))
        _, ties = front_with_ties(apart)
        first = np.zeros(len(chosen), dtype=bool)
        first[front_with_ties(apart, ties="first")[0]] = True
        return flat[chosen], ties, first, vectors[0]

    def count(self, query: Query, *, by: str | None = None, codes: Sequence[float] = ()) -> Array:
        """Count the valid points of each group, by the codes of an output."""
        if by is None and not query.limits:
            return np.full((query.n_groups, 1), query.copies * query.group_points, dtype=np.int64)
        return query.copies * stream.visit(COUNT, query, by, codes, threads=self.threads).counts

    def histogram(self, query: Query, name: str, edges: Array) -> Array:
        """Count the valid points of each group in each bin."""
        return query.copies * stream.visit(HISTOGRAM, query, name, edges, threads=self.threads).counts

    def searched_histogram(self, _query: Query, _name: str, _edges: Array) -> None:
        """Never by bounds."""
        return


def _apart(group: Array) -> tuple[Array, Array]:
    """Give two columns that make points of different groups incomparable."""
    number = group.astype("f8")
    return number, -number


def _best_of_table(query: Query, threads: int) -> BestPartial:
    """Reduce the objective's table over its own axes; along axes that it lacks, the first index wins."""
    name, sign = query.objectives[0]
    table = query.space.tables[query.outputs[name].name]
    groups, lengths = query.group_sizes, query.space.sizes[query.groups :]
    own = table.shape[query.groups :]
    rows = table.reshape(*table.shape[: query.groups], -1)
    best, place = (max_with_argmax if sign > 0 else min_with_argmin)(rows, threads=threads)
    first = place
    if own != lengths:  # from an index among the table's values to one among all points
        inside = np.unravel_index(np.maximum(place, 0).ravel(), own)
        first = np.where(place < 0, -1, np.ravel_multi_index(inside, lengths).reshape(place.shape))
    start = np.arange(query.n_groups).reshape(groups or ()) * query.group_points
    first = np.where(np.broadcast_to(first, groups) < 0, -1, first + start)
    partial = BestPartial(query, range(query.n_groups))
    key = np.broadcast_to(best, groups).astype(partial.key.dtype).ravel() * partial.key.dtype.type(sign)
    partial.first = first.ravel().astype(np.int64)
    partial.key = np.where(partial.first < 0, -np.inf, key).astype(partial.key.dtype)
    return partial


def _slabs(query: Query) -> Iterator[tuple[Array, tuple[Array, ...]]]:
    """Go through the valid points: their flat indices, ascending, and their costs, a column an objective."""
    space = query.space
    tiling = Tiling(space.sizes, SLAB)
    for number in range(len(tiling)):
        slices = tiling.slices(number)
        shape = tuple(part.stop - part.start for part in slices)
        values = {
            name: np.broadcast_to(space.tables[node.name][_cut(space.tables[node.name].shape, slices)], shape)
            for name, node in query.outputs.items()
        }
        start, points = tiling.start(number), prod(shape)
        columns = [values[name].reshape(-1) for name, _ in query.objectives]
        if query.limits or points <= SMALL:  # few points without gaps need no compiler
            cast = {name: value.astype(space.dtype, copy=False) for name, value in values.items()}
            inside = np.flatnonzero(query.valid(cast, shape).reshape(-1))
            columns = [column[inside] for column in columns]
            flat = start + inside
        else:
            flat = np.arange(start, start + points)
        kind = np.dtype(space.dtype)
        yield (
            flat,
            tuple(_cost(column, sign, kind) for column, (_, sign) in zip(columns, query.objectives, strict=True)),
        )
    if not len(tiling):
        yield np.zeros(0, dtype=np.int64), tuple(np.zeros(0, dtype=space.dtype) for _ in query.objectives)


def _cost(column: Array, sign: int, kind: np.dtype[Any]) -> Array:
    """Give the costs of a column: what is to be minimised, in memory that kernels may believe they could write."""
    if sign > 0:
        return np.negative(column.astype(kind, copy=False))
    return column.astype(kind, copy=not column.flags.writeable)


def _cut(shape: tuple[int, ...], slices: tuple[slice, ...]) -> tuple[slice, ...]:
    return tuple(slice(None) if length == 1 else part for length, part in zip(shape, slices, strict=False))


def _front(query: Query, threads: int) -> tuple[FrontPartial, Array, Array]:
    """Find the front: distinct vectors, and all points that have one of them with their cost vectors."""
    total = FrontPartial.empty(query)
    members: list[tuple[Array, Array]] = []
    for flat, costs in _slabs(query):
        chosen = np.flatnonzero(non_dominated(costs, threads=threads))
        vectors = np.stack([column[chosen] for column in costs], axis=1) if len(costs) else np.zeros((0, 0))
        members.append((flat[chosen], vectors))
        first, ties = front_with_ties(tuple(np.ascontiguousarray(vectors.T)), ties="first")
        part = vectors[first], flat[chosen][first], ties
        if len(members) == 1:
            total.vectors, total.first, total.ties = part
        else:
            total.take(*part)
    return total, np.concatenate([part[0] for part in members]), np.concatenate([part[1] for part in members])


@dataclass
class ArrayFront:
    """A front of stored values.

    Attributes
    ----------
    query : Query
    partial : FrontPartial
    flat, vectors : arrays
        Every point of a slab's front, ascending, and its costs.
    """

    query: Query
    partial: FrontPartial
    flat: Array
    vectors: Array

    def members(self) -> tuple[Array, Array]:
        """List all points in flat order with the number of the vector that each has."""
        number = match(self.vectors + 0, self.partial.vectors)
        return self.flat[number >= 0], number[number >= 0]
