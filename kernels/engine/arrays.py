"""Answer questions whose outputs are stored arrays: front and argbest kernels on the values, nothing computed.

Bounds and generated kernels earn their keep where outputs are computed from small tables over a large product. Where
the outputs *are* the tables, as in a stored cube, there is nothing to fold and little to exclude: reading the values
once is the answer's price, and a transposed or cast copy of them would double it. Tables therefore come in the dtype,
and in the order in memory, in which they were stored.

A front over more points than `Tuning.slab_points` is found slab by slab, and the slabs' fronts are merged, so that
the columns of a large space are never laid out as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from roofcube.kernels.argbest.best_along import best_along
from roofcube.kernels.engine import stream
from roofcube.kernels.engine.reductions import BEST, COUNT, HISTOGRAM, TOP
from roofcube.kernels.pareto.front import front_with_equals, front_with_ties
from roofcube.kernels.pareto.points import compiling_pays
from roofcube.kernels.query.partials import BestPartial, FrontPartial, MembersPartial, Partial
from roofcube.kernels.query.tiles import Tiling

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from roofcube.kernels.engine.reductions import Reduction
    from roofcube.kernels.pareto.points import Ties
    from roofcube.kernels.query.partials import TopPartial
    from roofcube.kernels.query.query import Query

__all__ = ["ArrayEngine", "ArrayFront", "members_among", "suits"]

Array = np.ndarray[Any, np.dtype[Any]]
PartialT = TypeVar("PartialT", bound=Partial)


def suits(query: Query) -> bool:
    """Check whether reading the stored values is the cheapest answer."""
    if any(node.operation != "leaf" for node in query.outputs.values()):
        return False
    stored = sum(query.space.tables[node.name].size for node in query.outputs.values())
    return query.space.size <= max(query.tuning.small_space, query.tuning.stored_spread * stored)


class ArrayEngine:
    """Answers queries whose outputs are leaves; the same answers, bit for bit, as the engines that compute.

    Parameters
    ----------
    threads : int
    """

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads

    def _visit(self, reduction: Reduction[PartialT], query: Query, *arguments: Any) -> PartialT:
        larger = replace(query.tuning, tile_points=max(query.tuning.tile_points, query.tuning.stored_tile_points))
        return stream.visit(reduction, replace(query, tuning=larger), *arguments, threads=self.threads)

    def values(self, query: Query, name: str) -> Array | None:
        """Return the valid values of an output of a query without groups; None where they are too many."""
        if query.space.size > query.tuning.slab_points:
            return None
        shape = query.space.sizes
        tables = {one: np.broadcast_to(query.space.tables[node.name], shape) for one, node in query.outputs.items()}
        cast = {one: table.astype(query.space.dtype, copy=False) for one, table in tables.items()}
        return np.asarray(cast[name][query.valid(cast, shape)])

    def best(self, query: Query) -> BestPartial:
        """Find the largest key and its first point of each group."""
        if not query.space.size or (query.limits and query.space.size > query.tuning.mask_points):
            return self._visit(BEST, query)
        return _best_of_table(query, self.threads)

    def top(self, query: Query, n: int) -> TopPartial:
        """Find the n largest keys of a query without groups."""
        return self._visit(TOP, query, n)

    def front(self, query: Query) -> ArrayFront:
        """Find the front of a query without groups."""
        return front_of(query, self.threads)

    def points(self, query: Query) -> Iterator[tuple[Array, tuple[Array, ...]]]:
        """Go through the valid points of a query: flat indices, ascending, and a column of values an objective."""
        for slab in _slabs(query):
            complete = np.flatnonzero(~np.any([np.isnan(column) for column in slab.columns], axis=0))
            yield slab.flat(complete), tuple(column[complete] for column in slab.columns)

    def fits(self, query: Query) -> bool:
        """Check whether the fronts of many groups are better found at once: where a slab holds whole groups."""
        return query.n_groups > 1 and query.group_points <= query.tuning.slab_points

    def grouped_front(self, query: Query, ties: Ties) -> tuple[Array, Array, Array]:
        """Find the front of each group of a query, as many groups at a time as fit a slab.

        Returns
        -------
        flat, n_ties : arrays of int64
            Flat indices, ascending, and how many points of the group equal each, itself included.
        costs : array
            Of the first objective.
        """
        parts = []
        for slab in _slabs(query):
            group = slab.every() // max(1, query.group_points)
            index, n_ties = front_with_ties(
                slab.columns, senses=_senses(query), groups=group, ties=ties, threads=self.threads
            )
            parts.append((slab.flat(index), n_ties, _first_costs(query, slab.columns, index)))
        flats, counts, costs = (np.concatenate(part) for part in zip(*parts, strict=True))
        return flats, counts, costs

    def count(self, query: Query, *, by: str | None = None, codes: Sequence[float] = ()) -> Array:
        """Count the valid points of each group, by the codes of an output."""
        if by is None and not query.limits:
            return np.full((query.n_groups, 1), query.copies * query.group_points, dtype=np.int64)
        return query.copies * self._visit(COUNT, query, by, codes).counts

    def histogram(self, query: Query, name: str, edges: Array) -> Array:
        """Count the valid points of each group in each bin."""
        return query.copies * self._visit(HISTOGRAM, query, name, edges).counts

    def searched_histogram(self, _query: Query, _name: str, _edges: Array) -> None:
        """Never by bounds."""
        return


def _best_of_table(query: Query, threads: int) -> BestPartial:
    """Reduce the objective's table over its own axes and those of the limits; along others, the first index wins."""
    name, sign = query.objectives[0]
    table, mask = query.space.tables[query.outputs[name].name], _met(query)
    if mask is not None:
        shape = np.broadcast_shapes(table.shape, mask.shape)
        table, mask = np.broadcast_to(table, shape), np.broadcast_to(mask, shape)
        # a copy with gaps takes a fifth of a second look at a mask
        if table.dtype.kind == "f" and table.size <= query.tuning.slab_points:
            table, mask = np.where(mask, table, table.dtype.type(np.nan)), None
    groups, lengths = query.group_sizes, query.space.sizes[query.groups :]
    own = table.shape[query.groups :]
    reduced = tuple(range(query.groups, table.ndim))
    if reduced:
        best, index = best_along(
            table, reduced, sense="max" if sign > 0 else "min", mask=mask, threads=threads, tuning=query.tuning
        )
    else:
        best, index = best_along(table[..., None], -1, mask=None if mask is None else mask[..., None])
    first = index
    if own != lengths:  # from an index among the table's values to one among all points
        inside = np.unravel_index(np.maximum(index, 0).ravel(), own)
        first = np.where(index < 0, -1, np.ravel_multi_index(inside, lengths).reshape(index.shape))
    start = np.arange(query.n_groups).reshape(groups) * query.group_points
    first = np.where(np.broadcast_to(first, groups) < 0, -1, first + start)
    partial = BestPartial(query, range(query.n_groups))
    key = np.broadcast_to(best, groups).astype(partial.key.dtype).ravel() * partial.key.dtype.type(sign)
    partial.first = first.ravel().astype(np.int64)
    partial.key = np.where(partial.first < 0, -np.inf, key).astype(partial.key.dtype)
    return partial


def _met(query: Query) -> Array | None:
    """Return where all limits are met, of length 1 along axes that none of them has; None without limits."""
    mask: Array | None = None
    for limit in query.limits:
        table = query.space.tables[query.outputs[limit.name].name]
        met = limit.met(table.astype(query.space.dtype, copy=False))
        mask = met if mask is None else mask & met
    return mask


def _senses(query: Query) -> tuple[Literal["min", "max"], ...]:
    return tuple("max" if sign > 0 else "min" for _, sign in query.objectives)


def _first_costs(query: Query, columns: tuple[Array, ...], index: Any) -> Array:
    return np.asarray(columns[0][index] * columns[0].dtype.type(-query.objectives[0][1]))


@dataclass(frozen=True)
class Slab:
    """Points that follow one another, those that do not meet the limits left out.

    Attributes
    ----------
    columns : tuple of array
        Values, one an objective.
    start : int
        Flat index of the first.
    left : array of int, optional
        Flat indices, ascending; all points from `start` on where not given.
    """

    columns: tuple[Array, ...]
    start: int = 0
    left: Array | None = None

    def __len__(self) -> int:
        return len(self.columns[0])

    def flat(self, places: Array) -> Array:
        """Return the flat indices of places in the slab."""
        return places + self.start if self.left is None else np.asarray(self.left[places])

    def every(self) -> Array:
        """Return all flat indices."""
        return np.arange(self.start, self.start + len(self)) if self.left is None else self.left

    def places(self, flat: Array) -> Array:
        """Return the places of flat indices that the slab has."""
        return flat - self.start if self.left is None else np.searchsorted(self.left, flat)


def _slabs(query: Query) -> Iterator[Slab]:
    """Go through the points that meet the limits."""
    space = query.space
    tiling = Tiling(space.sizes, query.tuning.slab_points)
    for number in range(len(tiling)):
        slices = tiling.slices(number)
        shape = tuple(part.stop - part.start for part in slices)
        values = {name: _part(space.tables[node.name], slices, shape) for name, node in query.outputs.items()}
        start, points = tiling.start(number), prod(shape)
        columns = [values[name].reshape(-1) for name, _ in query.objectives]
        left = None
        # few points without gaps need no compiler, where it is not there already
        if query.limits or (points <= query.tuning.small_space and not compiling_pays(0)):
            cast = {name: value.astype(space.dtype, copy=False) for name, value in values.items()}
            inside = np.flatnonzero(query.valid(cast, shape).reshape(-1))
            columns = [column[inside] for column in columns]
            left = inside + start
        yield Slab(tuple(column.astype(space.dtype, copy=False) for column in columns), start, left)
    if not len(tiling):
        yield Slab(tuple(np.zeros(0, dtype=space.dtype) for _ in query.objectives))


def _part(table: Array, slices: tuple[slice, ...], shape: tuple[int, ...]) -> Array:
    """Cut a table; what lacks axes is repeated along them."""
    cut = table[tuple(slice(None) if length == 1 else part for length, part in zip(table.shape, slices, strict=True))]
    return cut if cut.shape == shape else np.broadcast_to(cut, shape)


def front_of(query: Query, threads: int) -> ArrayFront:
    """Find the front of a query without groups, slab by slab."""
    slabs = _slabs(query)
    if len(Tiling(query.space.sizes, query.tuning.slab_points)) <= 1:
        slab = next(slabs)
        columns = slab.columns
        missing = np.zeros(len(columns), dtype=np.int64)
        every, first, counts = front_with_equals(columns, senses=_senses(query), threads=threads, missing=missing)
        heads = np.flatnonzero(counts)
        costs = _first_costs(query, columns, every[heads])
        partial = FrontPartial(query.objectives, costs[:, None], slab.flat(every[heads]), counts[heads])
        equals = every, np.searchsorted(heads, first)
        return ArrayFront(query, partial, slab, equals, missing if len(slab) == query.space.size else None)
    total = FrontPartial.empty(query)
    for slab in slabs:
        index, n_ties = front_with_ties(slab.columns, senses=_senses(query), ties="first", threads=threads)
        total.take(_vectors(query, slab.columns, index), slab.flat(index), n_ties)
    return ArrayFront(query, total)


def _vectors(query: Query, columns: tuple[Array, ...], index: Any) -> Array:
    """Return cost vectors, less is better."""
    signs = [column.dtype.type(-sign) for column, (_, sign) in zip(columns, query.objectives, strict=True)]
    return np.stack([column[index] * sign for column, sign in zip(columns, signs, strict=True)], axis=1)


def members_among(
    query: Query, vectors: Array, parts: Iterable[tuple[Array, tuple[Array, ...]]]
) -> tuple[Array, Array]:
    """List the points that have one of some cost vectors, in flat order, with the number of the vector.

    Parameters
    ----------
    query : Query
    vectors : array (front, objectives)
    parts : iterable of (flat indices, columns)
        All points, part by part.
    """
    found = MembersPartial.empty(query, vectors + 0)
    for flat, columns in parts:
        near = np.flatnonzero(np.isin(_first_costs(query, columns, slice(None)), vectors[:, 0]))
        found.absorb(flat[near], _vectors(query, columns, near).astype(vectors.dtype) + 0)
    order = np.argsort(found.index, kind="stable")
    return found.index[order], found.number[order]


@dataclass
class ArrayFront:
    """A front of stored values.

    Attributes
    ----------
    query : Query
    partial : FrontPartial
        Each distinct trade-off; of its vectors the first column alone where one slab held all points.
    slab : Slab, optional
        Where one held all points.
    equals : pair of array, optional
        Places in the slab of all optimal points, and the number of the vector that each has.
    missing : array of int, optional
        How many points lack each objective, where the slab held all points of the space.
    """

    query: Query
    partial: FrontPartial
    slab: Slab | None = None
    equals: tuple[Array, Array] | None = None
    missing: Array | None = None

    def vectors(self) -> Array:
        """Return the cost vectors of the distinct trade-offs."""
        if self.slab is None:
            return self.partial.vectors
        return _vectors(self.query, self.slab.columns, self.slab.places(self.partial.first))

    def members(self) -> tuple[Array, Array]:
        """List all points in flat order with the number of the vector that each has."""
        if self.slab is None or self.equals is None:  # slabs are read again: equal points can be as many as all
            parts = ((slab.every(), slab.columns) for slab in _slabs(self.query))
            return members_among(self.query, self.partial.vectors, parts)
        every, number = self.equals
        return self.slab.flat(every), number
