"""Fill arrays with a model's outputs: by generated kernels where compiling pays, else by NumPy, tile by tile.

A kernel writes rows of the last axes in order, all outputs of the same axes together, so that what they share is
computed once. NumPy's tiles are so small that they stay in cache, with all the terms that their points add up. So
neither takes more memory than what it fills and a few tables. Both give the bits of `expression.evaluate`.
"""

from __future__ import annotations

from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.codegen import fill_sources
from roofcube.kernels.codegen.rows import RowTables, terms_of
from roofcube.kernels.codegen.writer import compiled
from roofcube.kernels.engine.pool import in_order
from roofcube.kernels.graph.expression import evaluate
from roofcube.kernels.graph.space import Space, fold
from roofcube.kernels.query.query import Query
from roofcube.kernels.query.tiles import Tiling
from roofcube.kernels.tuning import TUNING, Tuning

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from roofcube.kernels.graph.expression import Node

__all__ = ["Fill", "NumPyFill", "fill", "filler", "pays"]

Array = np.ndarray[Any, np.dtype[Any]]
Slices = tuple[slice, ...]


def pays(space: Space, outputs: Mapping[str, Node], tuning: Tuning = TUNING) -> bool:
    """Check whether compiling pays for outputs that share their axes."""
    return space.size > 0 and sum(_value_counts(space, outputs).values()) >= tuning.compiled_operations


def _value_counts(space: Space, outputs: Mapping[str, Node]) -> dict[Node, int]:
    """Count the values of each operation: a number for each point, and for each term that is added up there."""
    lengths = dict(zip(space.all_axes, space.all_sizes, strict=True))
    depends = space.dependence(outputs.values())
    return {node: prod(lengths[axis] for axis in axes) for node, axes in depends.items() if node.arguments}


def filler(space: Space, outputs: Mapping[str, Node], axes: Sequence[str], tuning: Tuning = TUNING) -> Fill | NumPyFill:
    """Return what fills outputs over some axes, all that any of them depends on, the cheaper way."""
    # folding lets tables that nothing needs drop out; what else to fold, each way chooses for itself
    folded, graph = fold(space, outputs, points=1)
    folded = folded.reordered(axes)
    return (Fill if pays(folded, graph, tuning) else NumPyFill)(folded, graph, tuning)


class Fill:
    """A compiled fill of outputs that share their axes.

    Parameters
    ----------
    space : Space
        With just the axes that the outputs depend on.
    outputs : mapping of name to Node
    tuning : Tuning
    """

    def __init__(self, space: Space, outputs: Mapping[str, Node], tuning: Tuning = TUNING) -> None:
        self.sizes, self.tuning = space.sizes, tuning
        query = Query(space, outputs, 0, (), (), tuning=tuning)
        self.tables = RowTables(query, tuning.fill_row_points)
        self.layout = self.tables.layout
        self.terms = terms_of(query)
        self.flat = [self.tables.flat(node) for node in self.tables.leaves]

    def run(self, out: Mapping[str, Array], *, threads: int = 1) -> None:
        """Fill arrays in C order, one for each output; any dtype that holds the values."""
        targets = [out[name].reshape(-1) for name in self.tables.outputs]
        self._compile(targets)
        rows = max(1, self.tuning.fill_job_terms // (self.layout.chunk * self.terms))
        jobs = [range(k, min(k + rows, self.layout.rows)) for k in range(0, self.layout.rows, rows)]

        def work(job: range) -> None:
            self.kernel(job.start, job.stop, 0, *targets, *self.flat)

        for _ in in_order(work, jobs, threads=threads):
            pass

    def room(self, points: int, kinds: Mapping[str, np.dtype[Any]]) -> dict[str, Array]:
        """Return arrays for tiles of up to so many points, and compile what fills them; in one thread at a time."""
        length = points + 2 * self.layout.chunk  # rows reach over both ends
        room = {name: np.empty(length, dtype=kinds[name]) for name in self.tables.outputs}
        self._compile([room[name] for name in self.tables.outputs])
        return room

    def tile(self, slices: Slices, room: Mapping[str, Array]) -> dict[str, Array]:
        """Fill a tile of the space, and nothing else.

        Parameters
        ----------
        slices : tuple of slice
            One an axis, such that the points follow each other in flat order, as `Tiling` cuts them.
        room : mapping of name to array
            From `room`; what this gives is part of it, so each thread needs its own.
        """
        shape = tuple(part.stop - part.start for part in slices)
        start = 0
        for part, size in zip(slices, self.sizes, strict=True):
            start = start * size + part.start
        rows = self.layout.over(range(start, start + prod(shape)))
        origin = self.layout.start(rows.start)
        targets = [room[name] for name in self.tables.outputs]
        self.kernel(rows.start, rows.stop, origin, *targets, *self.flat)
        return {name: room[name][start - origin :][: prod(shape)].reshape(shape) for name in self.tables.outputs}

    @cached_property
    def kernel(self) -> Callable[..., None]:
        """Fills rows from a first to before a last, into flat arrays that start at a third index."""
        return compiled(fill_sources.fill_source(self.tables))

    def _compile(self, targets: Sequence[Array]) -> None:
        """Compile in the calling thread: a pool could not be interrupted while it compiles."""
        self.kernel(0, 0, 0, *targets, *self.flat)


class NumPyFill:
    """The plain twin of `Fill`, for fills that are done before a kernel is compiled.

    Parameters
    ----------
    space : Space
        With just the axes that the outputs depend on.
    outputs : mapping of name to Node
    tuning : Tuning
    """

    def __init__(self, space: Space, outputs: Mapping[str, Node], tuning: Tuning = TUNING) -> None:
        folded, self.outputs = fold(space, outputs)
        self.sizes, self.dtype = space.sizes, space.dtype
        self.axes = (*space.summed, *space.axes)
        rank, summed = len(space.axes), len(space.summed)
        # terms outermost, so that adding them up goes through memory in order
        order = [*range(rank, rank + summed), *range(rank)]
        self.tables = {name: table.transpose(order) for name, table in folded.tables.items()}
        self.points = max(1, tuning.fill_values // prod(folded.all_sizes[rank:]))

    def run(self, out: Mapping[str, Array], *, threads: int = 1) -> None:
        """Fill arrays in C order, one for each output; any dtype that holds the values."""
        targets = {name: out[name].reshape(self.sizes) for name in self.outputs}
        tiling = Tiling(self.sizes, self.points)

        def work(number: int) -> None:
            slices = tiling.slices(number)
            self._write(slices, {name: _view(array, slices) for name, array in targets.items()})

        for _ in in_order(work, range(len(tiling)), threads=threads):
            pass

    def room(self, points: int, kinds: Mapping[str, np.dtype[Any]]) -> dict[str, Array]:
        """Return arrays for tiles of up to so many points."""
        return {name: np.empty(points, dtype=kinds[name]) for name in self.outputs}

    def tile(self, slices: Slices, room: Mapping[str, Array]) -> dict[str, Array]:
        """Fill a tile of the space; see `Fill.tile`."""
        shape = tuple(part.stop - part.start for part in slices)
        arrays = {name: array[: prod(shape)].reshape(shape) for name, array in room.items()}
        tiling = Tiling(shape, self.points)
        for number in range(len(tiling)):
            inside = tiling.slices(number)
            starts = [part.start for part in slices]
            moved = tuple(slice(at + part.start, at + part.stop) for at, part in zip(starts, inside, strict=True))
            self._write(moved, {name: _view(array, inside) for name, array in arrays.items()})
        return arrays

    def _write(self, slices: Slices, out: Mapping[str, Array]) -> None:
        tables = {name: np.ascontiguousarray(self._cut(table, slices)) for name, table in self.tables.items()}
        values = evaluate(self.outputs, tables, axes=self.axes, dtype=self.dtype)
        summed = (0,) * (len(self.axes) - len(slices))
        for name, array in out.items():
            array[...] = values[name][summed]

    def _cut(self, table: Array, slices: Slices) -> Array:
        terms = table.ndim - len(slices)
        cut = [part if length != 1 else slice(None) for part, length in zip(slices, table.shape[terms:], strict=True)]
        return table[(*[slice(None)] * terms, *cut)]


def _view(array: Array, slices: Slices) -> Array:
    """Return a part of an array to write to; of a single number too a view, not the number."""
    place: tuple[Any, ...] = (*slices, ...)
    view: Array = array[place]
    return view


def fill(
    outputs: Mapping[str, Node],
    tables: Mapping[str, Array],
    *,
    axes: Sequence[str],
    summed: Sequence[str] = (),
    dtype: str = "f8",
    dtypes: Mapping[str, str] | None = None,
    threads: int = 1,
    tuning: Tuning = TUNING,
) -> dict[str, Array]:
    """Evaluate a graph over whole axes, each output over just those it depends on.

    Parameters
    ----------
    outputs, tables, axes, dtype
        As in `roofcube.kernels.graph.expression.evaluate`.
    summed : sequence of str
        The last of `axes`, those that only an `ordered_sum` consumes.
    dtypes : mapping of output to dtype, optional
        Where an output is to be stored as something else, such as a flag as ``"i1"``.
    threads : int
    tuning : Tuning
        What decides how it is done, never the values.

    Returns
    -------
    dict of name to array
        As `evaluate` gives, in the order of `axes`.

    Examples
    --------
    >>> import numpy as np
    >>> from roofcube.kernels.graph.expression import leaf
    >>> from roofcube.kernels.engine.fill import fill
    >>> tables = {"ops": np.array([[2.0], [8.0]]), "peak": np.array([[1.0, 2.0]])}
    >>> fill({"time": leaf("ops") / leaf("peak")}, tables, axes=("topology", "platform"))["time"]
    array([[2., 1.],
           [8., 4.]])
    """
    kinds = {name: np.dtype((dtypes or {}).get(name, dtype)) for name in outputs}
    lengths = [next((n for n in lengths if n != 1), 1) for lengths in zip(*map(np.shape, tables.values()), strict=True)]
    rank = len(axes) - len(summed)
    space = Space(tuple(axes[:rank]), tuple(lengths[:rank]), tables, tuple(summed), dtype)
    if max(_value_counts(space, outputs).values(), default=0) <= tuning.fill_values:
        values = evaluate(outputs, tables, axes=axes, dtype=dtype)
        return {name: value.astype(kinds[name], copy=False) for name, value in values.items()}
    filled: dict[str, Array] = {}
    for shape, graph in _by_axes(space, outputs).items():
        used = [axis for axis, length in zip(space.axes, shape, strict=False) if length != 1]
        out = {name: np.empty(shape, dtype=kinds[name]) for name in graph}
        filler(space, graph, used, tuning).run(out, threads=threads)
        filled |= out
    return {name: filled[name] for name in outputs}


def _by_axes(space: Space, outputs: Mapping[str, Node]) -> dict[tuple[int, ...], dict[str, Node]]:
    """Group outputs by the shape of their values."""
    groups: dict[tuple[int, ...], dict[str, Node]] = {}
    depends = space.dependence(outputs.values())
    for name, node in outputs.items():
        lengths = zip(space.all_axes, space.all_sizes, strict=True)
        shape = tuple(length if axis in depends[node] else 1 for axis, length in lengths)
        groups.setdefault(shape, {})[name] = node
    return groups
