"""Partial results of reductions: taken from tiles one by one, merged in any order, the same whatever the order.

Each class is one reduction. `update` takes a tile, `merge` takes another partial of the same query; the first of equal
points in flat order wins, so splitting the work differently never changes an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from roofcube.kernels.pareto.archive import distinct_front, match

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roofcube.kernels.query.query import Query
    from roofcube.kernels.query.tiles import Tile

__all__ = [
    "BestPartial",
    "CountPartial",
    "FrontPartial",
    "HistogramPartial",
    "MembersPartial",
    "Partial",
    "Sieved",
    "TopPartial",
]

Array = np.ndarray[Any, np.dtype[Any]]
Self_ = TypeVar("Self_", bound="Partial")


class Partial(Protocol):
    """What every partial result can do."""

    def update(self, tile: Tile) -> None:
        """Take a tile into account."""

    def merge(self: Self_, other: Self_) -> None:
        """Take another partial into account."""


class Sieved(Partial, Protocol):
    """A partial that only some of the best points belong to, so that others need not be shown to it."""

    def sentinels(self) -> Array:
        """Return cost vectors that whatever they dominate cannot stand beside."""

    def absorb(self, index: Array, costs: Array) -> None:
        """Take valid points with their cost vectors into account."""


class BestPartial:
    """Per group: the largest key, the first flat index that has it (-1: none), and how many points were valid."""

    def __init__(self, query: Query, groups: range) -> None:
        self.objective, self.sign = query.objectives[0]
        self.groups = groups
        kind = np.dtype(query.space.dtype)
        self.key = np.full(len(groups), -np.inf, dtype=kind)
        self.first = np.full(len(groups), -1, dtype=np.int64)
        self.count = np.zeros(len(groups), dtype=np.int64)

    def update(self, tile: Tile) -> None:
        """Take a tile into account."""
        key = tile.values[self.objective] if self.sign > 0 else -tile.values[self.objective]
        rows, whole = np.arange(len(key)), bool(tile.valid.all())
        if not whole:
            key = np.where(tile.valid, key, -np.inf)
        place = key.argmax(axis=1)
        count = np.full(len(key), key.shape[1])
        if not whole:
            # all valid keys may be -inf, where an invalid point may come first
            place = np.where(tile.valid[rows, place], place, tile.valid.argmax(axis=1))
            count = np.count_nonzero(tile.valid, axis=1)
        first = tile.start + rows * key.shape[1] + place
        self.improve(tile.groups, key[rows, place], np.where(count > 0, first, -1))
        self._counts(tile.groups)[:] += count

    def _counts(self, groups: slice) -> Array:
        return self.count[groups.start - self.groups.start : groups.stop - self.groups.start]

    def improve(self, groups: slice, key: Array, first: Array) -> None:
        """Take candidates for consecutive groups into account; -1 as index is no candidate."""
        inside = slice(groups.start - self.groups.start, groups.stop - self.groups.start)
        old_key, old_first = self.key[inside], self.first[inside]
        earlier = (key == old_key) & (first < old_first)
        better = (first >= 0) & ((old_first < 0) | (key > old_key) | earlier)
        self.key[inside] = np.where(better, key, old_key)
        self.first[inside] = np.where(better, first, old_first)

    def merge(self, other: BestPartial) -> None:
        """Take another partial into account."""
        self._widen(other.groups)
        span = slice(other.groups.start, other.groups.stop)
        self.improve(span, other.key, other.first)
        self._counts(span)[:] += other.count

    def _widen(self, groups: range) -> None:
        wide = range(min(self.groups.start, groups.start), max(self.groups.stop, groups.stop))
        if wide == self.groups:
            return
        before, after = self.groups.start - wide.start, wide.stop - self.groups.stop
        self.key = np.pad(self.key, (before, after), constant_values=-np.inf)
        self.first = np.pad(self.first, (before, after), constant_values=-1)
        self.count = np.pad(self.count, (before, after))
        self.groups = wide


class CountPartial:
    """Per group: how many points are valid, and how many of them have each code of an output."""

    def __init__(self, query: Query, groups: range, by: str | None = None, codes: Sequence[float] = ()) -> None:
        self.groups = groups
        self.by = by
        self.codes = np.asarray(codes, dtype=query.space.dtype)
        self.counts = np.zeros((len(groups), max(1, len(codes))), dtype=np.int64)

    def update(self, tile: Tile) -> None:
        """Take a tile into account."""
        mine = self.counts[tile.groups.start - self.groups.start : tile.groups.stop - self.groups.start]
        if self.by is None:
            mine[:, 0] += np.count_nonzero(tile.valid, axis=1)
            return
        for column, code in enumerate(self.codes):
            mine[:, column] += np.count_nonzero(tile.valid & (tile.values[self.by] == code), axis=1)

    def merge(self, other: CountPartial) -> None:
        """Take another partial into account."""
        self.groups, self.counts = _added_counts(self.groups, self.counts, other.groups, other.counts)


class HistogramPartial:
    """Per group: how many valid points lie in each bin [edge, next edge), the last bin including its end."""

    def __init__(self, _query: Query, groups: range, name: str, edges: Array) -> None:
        self.groups = groups
        self.name = name
        self.edges = edges
        self.counts = np.zeros((len(groups), len(edges) - 1), dtype=np.int64)

    def update(self, tile: Tile) -> None:
        """Take a tile into account."""
        values = tile.values[self.name]
        if len(values) == 1:  # of one group: three times as fast
            row = values[0] if tile.valid.all() else values[0][tile.valid[0]]
            above = np.bincount(np.searchsorted(self.edges, row, side="right"), minlength=len(self.edges) + 1)
            mine = self.counts[tile.groups.start - self.groups.start]
            mine += above[1 : len(self.edges)]
            mine[-1] += np.count_nonzero(row == self.edges[-1])
            return
        bins = np.searchsorted(self.edges, values, side="right") - 1
        bins[values == self.edges[-1]] = len(self.edges) - 2
        inside = tile.valid & (bins >= 0) & (bins < len(self.edges) - 1)
        rows = np.broadcast_to(np.arange(len(values))[:, None], values.shape)
        flat = rows[inside] * self.counts.shape[1] + bins[inside]
        found = np.bincount(flat, minlength=len(values) * self.counts.shape[1]).reshape(len(values), -1)
        self.counts[tile.groups.start - self.groups.start : tile.groups.stop - self.groups.start] += found

    def merge(self, other: HistogramPartial) -> None:
        """Take another partial into account."""
        self.groups, self.counts = _added_counts(self.groups, self.counts, other.groups, other.counts)


def _added_counts(groups: range, counts: Array, other_groups: range, other_counts: Array) -> tuple[range, Array]:
    wide = range(min(groups.start, other_groups.start), max(groups.stop, other_groups.stop))
    total = np.zeros((len(wide), counts.shape[1]), dtype=np.int64)
    total[groups.start - wide.start : groups.stop - wide.start] += counts
    total[other_groups.start - wide.start : other_groups.stop - wide.start] += other_counts
    return wide, total


@dataclass
class TopPartial:
    """The n largest keys of one group with their flat indices, best first, ties in flat order."""

    objective: str
    sign: int
    n: int
    key: Array
    index: Array

    @classmethod
    def empty(cls, query: Query, n: int) -> TopPartial:
        """Start with nothing."""
        objective, sign = query.objectives[0]
        return cls(objective, sign, n, np.zeros(0, dtype=query.space.dtype), np.zeros(0, dtype=np.int64))

    def update(self, tile: Tile) -> None:
        """Take a tile (of a single group) into account."""
        key = (tile.values[self.objective] * self.key.dtype.type(self.sign)).ravel()
        promising = tile.valid.ravel()
        if len(self.key) == self.n:
            promising = promising & (key > self.key[-1])  # an equal key comes later in flat order, and loses
        chosen = np.flatnonzero(promising)
        if len(chosen):
            self.take(key[chosen], tile.start + chosen)

    def sentinels(self) -> Array:
        """Return cost vectors that whatever they dominate cannot stand beside: the last of the n, once there are n."""
        return -self.key[self.n - 1 :][:, None]

    def absorb(self, index: Array, costs: Array) -> None:
        """Take valid points with their cost vectors into account."""
        self.take(-costs[:, 0], index)

    def take(self, key: Array, index: Array) -> None:
        """Take candidates into account."""
        keys, indices = np.concatenate([self.key, key]), np.concatenate([self.index, index])
        if len(keys) > 4 * self.n > 0:
            kept = keys >= np.partition(keys, len(keys) - self.n)[len(keys) - self.n]
            keys, indices = keys[kept], indices[kept]
        order = np.lexsort((indices, -keys))[: self.n]
        self.key, self.index = keys[order], indices[order]

    def merge(self, other: TopPartial) -> None:
        """Take another partial into account."""
        self.take(other.key, other.index)


@dataclass
class FrontPartial:
    """The front of one group so far: distinct vectors of costs (less is better), their points and how many there are.

    Attributes
    ----------
    vectors : array (front, objectives)
    first : array of int64
        First flat index of each vector.
    ties : array of int64
        Number of points that have the vector.
    """

    objectives: tuple[tuple[str, int], ...]
    vectors: Array
    first: Array
    ties: Array

    @classmethod
    def empty(cls, query: Query) -> FrontPartial:
        """Start with nothing."""
        nothing = np.zeros(0, dtype=np.int64)
        vectors = np.zeros((0, len(query.objectives)), dtype=query.space.dtype)
        return cls(query.objectives, vectors, nothing, nothing)

    def update(self, tile: Tile) -> None:
        """Take a tile (of a single group) into account."""
        self.absorb(*_signed_costs(self.objectives, tile))

    def sentinels(self) -> Array:
        """Return cost vectors that whatever they dominate cannot stand beside."""
        return self.vectors

    def absorb(self, index: Array, costs: Array) -> None:
        """Take valid points with their cost vectors into account."""
        self.take(costs, index, np.ones(len(index), dtype=np.int64))

    def take(self, vectors: Array, first: Array, ties: Array) -> None:
        """Take candidates into account."""
        self.vectors, self.first, self.ties = distinct_front(
            np.concatenate([self.vectors, vectors]),
            np.concatenate([self.first, first]),
            np.concatenate([self.ties, ties]),
        )

    def merge(self, other: FrontPartial) -> None:
        """Take another partial into account."""
        self.take(other.vectors, other.first, other.ties)


def _signed_costs(objectives: tuple[tuple[str, int], ...], tile: Tile) -> tuple[Array, Array]:
    """Return the flat indices of a tile's valid points and their cost vectors."""
    chosen = np.flatnonzero(tile.valid.ravel())
    columns = [tile.values[name].ravel()[chosen] * tile.values[name].dtype.type(-sign) for name, sign in objectives]
    return tile.start + chosen, np.stack(columns, axis=1)


@dataclass
class MembersPartial:
    """The points whose cost vector is one of given ones, in flat order, with the number of the vector."""

    objectives: tuple[tuple[str, int], ...]
    vectors: Array
    index: Array
    number: Array

    @classmethod
    def empty(cls, query: Query, vectors: Array) -> MembersPartial:
        """Start with nothing."""
        nothing = np.zeros(0, dtype=np.int64)
        return cls(query.objectives, vectors, nothing, nothing)

    def update(self, tile: Tile) -> None:
        """Take a tile (of a single group) into account."""
        self.absorb(*_signed_costs(self.objectives, tile))

    def sentinels(self) -> Array:
        """Return cost vectors that whatever they dominate cannot be among."""
        return self.vectors

    def absorb(self, index: Array, costs: Array) -> None:
        """Take valid points with their cost vectors into account."""
        near = np.isin(costs[:, 0], self.vectors[:, 0])
        index, costs = index[near], costs[near]
        number = match(costs, self.vectors)
        self.index = np.concatenate([self.index, index[number >= 0]])
        self.number = np.concatenate([self.number, number[number >= 0]])

    def merge(self, other: MembersPartial) -> None:
        """Take another partial into account."""
        index, number = np.concatenate([self.index, other.index]), np.concatenate([self.number, other.number])
        order = np.argsort(index, kind="stable")
        self.index, self.number = index[order], number[order]
