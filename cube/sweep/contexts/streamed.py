"""Questions about stored variables larger than the memory limit: block by block from disk, merged as they come.

A block is a part of the cube that fits into a share of the limit; it is asked like any stored cube, and what it answers
is translated into indices of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.files.boxes import boxes
from roofcube.kernels.engine.arrays import ArrayEngine, members_among
from roofcube.kernels.graph.expression import leaf
from roofcube.kernels.graph.space import Space
from roofcube.kernels.query.partials import BestPartial, FrontPartial, TopPartial
from roofcube.kernels.query.query import Query
from roofcube.options import memory_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from roofcube.sweep.contexts.context import BoundQuery
    from roofcube.sweep.contexts.where import Where

__all__ = ["StreamedEngine", "StreamedQuery"]

Array = np.ndarray[Any, np.dtype[Any]]
SHARE = 16  # blocks in the memory limit: values, masks and columns of one, chunks that are read, what sorting takes


@dataclass(frozen=True, eq=False)
class StreamedQuery(Query):
    """A query over variables that are read block by block.

    Attributes
    ----------
    blocks : callable
        Gives the blocks: for each, its query and how to translate its indices.
    narrowed : callable
        Gives the query of one group alone.
    apart : int
        Groups along dims that nothing depends on, of which one alone is asked about: blocks count them as copies.
    """

    blocks: Callable[..., Iterator[tuple[BoundQuery, dict[str, int]]]] = field(kw_only=True)
    where: Where = field(kw_only=True)
    narrowed: Callable[[Where], StreamedQuery] = field(kw_only=True)
    apart: int = field(default=1, kw_only=True)

    @classmethod
    def over(cls, context: Any, names: tuple[str, ...], per: tuple[str, ...], where: Where) -> StreamedQuery:
        """Lay a query over the variables of a stored context."""
        variables = [context.native(name) for name in names if name not in where.masks]
        used = {str(dim) for variable in variables for dim in variable.dims}
        used |= {
            dim for mask in where.masks.values() for dim, size in zip(context.dims, mask.shape, strict=True) if size > 1
        }
        lengths = {dim: len(where.kept[dim]) if dim in where.kept else size for dim, size in context.sizes.items()}
        used |= {dim for dim, length in lengths.items() if length == 0}
        groups = [dim for dim in per if dim in used]
        axes = [*groups, *(dim for dim in context.dims if dim in used and dim not in per)]
        sizes = tuple(lengths[axis] for axis in axes)
        copies = prod(size for dim, size in lengths.items() if dim not in used and dim not in per)
        nothing = np.broadcast_to(np.float64(0), sizes)
        space = Space(tuple(axes), sizes, dict.fromkeys(names, nothing), (), "f8", True)
        largest = max(variable.dtype.itemsize for variable in variables)
        points = max(1, memory_limit() // (SHARE * largest * max(1, len(variables))))
        return cls(
            space,
            {name: leaf(name) for name in names},
            len(groups),
            (),
            (),
            copies,
            blocks=partial(_blocks, context, names, per, where, used, points),
            where=where,
            narrowed=partial(cls.over, context, names, ()),
        )

    def group(self, number: int) -> Query:
        """Return the query of one group alone."""
        if not self.groups:
            return self
        fixed = np.unravel_index(number, self.group_sizes)
        cuts = []
        for axis, index in zip(self.space.axes, fixed, strict=False):
            kept = self.where.kept.get(axis)
            cuts.append((axis, np.array([index if kept is None else kept[index]])))
        alone = self.narrowed(self.where.narrowed(cuts))
        inner = tuple(axis for axis in alone.space.axes if axis not in self.space.axes[: self.groups])
        sizes = tuple(size for axis, size in zip(alone.space.axes, alone.space.sizes, strict=True) if axis in inner)
        tables = dict.fromkeys(alone.outputs, np.broadcast_to(np.float64(0), sizes))
        space = Space(inner, sizes, tables, (), "f8", True)
        apart = alone.copies // self.copies
        asked = replace(alone, objectives=self.objectives, limits=self.limits, copies=self.copies)
        return replace(asked, space=space, apart=apart)


def _blocks(
    context: Any, names: Sequence[str], per: Sequence[str], where: Where, used: set[str], points: int, **query: Any
) -> Iterator[tuple[BoundQuery, dict[str, int]]]:
    """Go through blocks of the cube: the bound query of each, and where it starts along each dim."""
    needed = {name: context.native(name) for name in names if name not in where.masks}
    sizes = {dim: context.sizes[dim] for dim in context.dims if dim in used}
    for slices in boxes(sizes, needed.values(), points):
        inside = where.within(slices, context.dims)
        if any(len(kept) == 0 for kept in inside.kept.values()):
            continue  # before anything is read
        part = type(context).of_block(context, needed, slices)
        yield part.query(inside, per=list(per), **query), {dim: cut.start for dim, cut in slices.items()}


class StreamedEngine:
    """Answers streamed queries: each block by the array kernels, merged in whole indices.

    Parameters
    ----------
    threads : int
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.engine = ArrayEngine(threads)

    def _asked(
        self, query: StreamedQuery, also: Sequence[str] = ()
    ) -> Iterator[tuple[Query, Callable[[Array], Array]]]:
        how = {"objectives": query.objectives, "limits": query.limits, "also": also}
        for bound, start in query.blocks(**how):
            if bound.query.space.size:
                one = replace(bound.query, copies=bound.query.copies // query.apart)
                yield one, partial(_whole, query, bound, start)

    def best(self, query: StreamedQuery) -> BestPartial:
        """Find the largest key and its first point of each group."""
        total = BestPartial(query, range(query.n_groups))
        for block, whole in self._asked(query):
            part = self.engine.best(block)
            won = part.first >= 0
            key, flat = part.key[won], whole(part.first[won])
            group = flat // max(1, query.group_points)
            old_key, old_first = total.key[group], total.first[group]
            better = (old_first < 0) | (key > old_key) | ((key == old_key) & (flat < old_first))
            total.key[group[better]], total.first[group[better]] = key[better], flat[better]
        return total

    def top(self, query: StreamedQuery, n: int) -> TopPartial:
        """Find the n largest keys of a query without groups."""
        total = TopPartial.empty(query, n)
        for block, whole in self._asked(query):
            part = self.engine.top(block, n)
            total.take(part.key.astype(total.key.dtype), whole(part.index))
        return total

    def front(self, query: StreamedQuery) -> StreamedFront:
        """Find the front of a query without groups."""
        total = FrontPartial.empty(query)
        for block, whole in self._asked(query):
            part = self.engine.front(block)
            total.take(part.vectors().astype("f8"), whole(part.partial.first), part.partial.ties)
        return StreamedFront(query, total, self)

    def points(self, query: StreamedQuery) -> Iterator[tuple[Array, tuple[Array, ...]]]:
        """Go through the valid points: flat indices, and a column of values an objective."""
        for block, whole in self._asked(query):
            for flat, columns in self.engine.points(block):
                yield whole(flat), columns

    def count(self, query: StreamedQuery, *, by: str | None = None, codes: Sequence[float] = ()) -> Array:
        """Count the valid points of each group, by the codes of an output."""
        return self._added(query, max(1, len(codes)), lambda block: self.engine.count(block, by=by, codes=codes), by)

    def histogram(self, query: StreamedQuery, name: str, edges: Array) -> Array:
        """Count the valid points of each group in each bin."""
        return self._added(query, len(edges) - 1, lambda block: self.engine.histogram(block, name, edges), name)

    def searched_histogram(self, _query: Query, _name: str, _edges: Array) -> None:
        """Never by bounds."""
        return

    def _added(self, query: StreamedQuery, columns: int, ask: Callable[[Query], Array], also: str | None) -> Array:
        total = np.zeros((query.n_groups, columns), dtype=np.int64)
        for block, whole in self._asked(query, [also] if also else []):
            first = np.arange(block.n_groups) * block.group_points
            np.add.at(total, whole(first) // max(1, query.group_points), ask(block))
        return total


@dataclass
class StreamedFront:
    """A front of values that are read block by block; its equal points are looked for only where they are wanted."""

    query: StreamedQuery
    partial: FrontPartial
    engine: StreamedEngine
    missing: Array | None = None

    def members(self) -> tuple[Array, Array]:
        """List all points in flat order with the number of the vector that each has."""
        return members_among(self.query, self.partial.vectors, self.engine.points(self.query))


def _whole(query: Query, bound: BoundQuery, start: dict[str, int], flat: Array) -> Array:
    """Translate flat indices of a block's query into those of the whole query."""
    index_of = dict(zip(bound.axes, bound.indices(flat), strict=True))
    total: Any = np.zeros(len(flat), dtype=np.int64)
    kept = query.where.kept if isinstance(query, StreamedQuery) else {}
    for axis, size in zip(query.space.axes, query.space.sizes, strict=True):
        index = index_of[axis] + start.get(axis, 0)
        total = total * size + (np.searchsorted(kept[axis], index) if axis in kept else index)
    return np.asarray(total)
