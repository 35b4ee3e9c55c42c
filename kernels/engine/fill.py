"""Fill arrays with a model's outputs at the speed of memory: the generated reader of `expression.evaluate`.

Rows of the last axes are written in order, all outputs of the same axes together, so that what they share is computed
once. Reused memory too large for the caches is written past them. Small fills take the NumPy reader, which needs no
compiler.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.codegen import fill_sources
from roofcube.kernels.codegen.rows import RowTables
from roofcube.kernels.codegen.writer import compiled
from roofcube.kernels.engine.pool import in_order
from roofcube.kernels.graph.expression import evaluate
from roofcube.kernels.graph.space import Space, fold
from roofcube.kernels.query.query import Query

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from roofcube.kernels.graph.expression import Node

__all__ = ["COMPILED_POINTS", "Fill", "fill", "pays"]

Array = np.ndarray[Any, np.dtype[Any]]
COMPILED_POINTS, COMPILED_TERMS = 1 << 23, 1 << 26  # of sums; above them compiling pays even the first time
JOB_POINTS = 1 << 22
STREAMED_BYTES = 1 << 25  # outputs below this together may be in a last-level cache when they are read


def pays(points: int, terms: int) -> bool:
    """Tell whether compiling pays for so many points that add up so many terms each."""
    return points >= COMPILED_POINTS or points * terms >= COMPILED_TERMS


class Fill:
    """A compiled fill of outputs that share their axes.

    Parameters
    ----------
    space : Space
        With just the axes that the outputs depend on.
    outputs : mapping of name to Node
    """

    def __init__(self, space: Space, outputs: Mapping[str, Node]) -> None:
        self.query = Query(space, outputs, 0, (), ())
        self.tables = RowTables(self.query, fill_sources.FILL_ROW)
        self.layout = self.tables.layout
        self.flat = [self.tables.flat(node) for node in self.tables.leaves]

    def run(self, out: Mapping[str, Array], *, threads: int = 1, reused: bool = True) -> None:
        """Fill arrays in C order, one for each output; any dtype that holds the values.

        Pages that were never touched (`reused` false) are better not written past the caches: the system's zeroing
        has just brought them there (measured for 1e8 points in f4: 106 ms against 114 ms; reused 52 ms against 43 ms).
        """
        targets = [out[name].reshape(-1) for name in self.tables.outputs]
        kernel = self._kernel(targets, reused=reused)
        rows = max(1, JOB_POINTS // self.layout.chunk)
        jobs = [range(k, min(k + rows, self.layout.rows)) for k in range(0, self.layout.rows, rows)]

        def work(job: range) -> range:
            kernel(job.start, job.stop, 0, *targets, *self.flat)
            return job

        for _ in in_order(work, jobs, threads=threads):
            pass

    def room(self, points: int, kinds: Mapping[str, np.dtype[Any]]) -> dict[str, Array]:
        """Give arrays for parts of up to so many points, and compile what fills them; in one thread at a time."""
        length = points + 2 * self.layout.chunk  # rows reach over both ends
        room = {name: np.empty(length, dtype=kinds[name]) for name in self.tables.outputs}
        self.part(range(0), room)
        return room

    def part(self, points: range, room: Mapping[str, Array]) -> dict[str, Array]:
        """Fill points that follow each other in flat order, and nothing else.

        Parameters
        ----------
        points : range
            Their flat indices.
        room : mapping of name to array
            From `room`; what this gives is part of it, so each thread needs its own.

        Returns
        -------
        dict of name to array
            Flat.
        """
        rows = self.layout.over(points)
        origin = self.layout.start(rows.start)
        kernel = compiled(fill_sources.fill_source(self.tables))
        kernel(rows.start, rows.stop, origin, *(room[name] for name in self.tables.outputs), *self.flat)
        return {name: room[name][points.start - origin : points.stop - origin] for name in self.tables.outputs}

    def _kernel(self, targets: Sequence[Array], *, reused: bool = True) -> Callable[..., None]:
        large = sum(array.nbytes for array in targets) >= STREAMED_BYTES
        if reused and large and all(map(_has_lines, targets)):
            from roofcube.kernels.codegen import nontemporal

            if nontemporal.IS_X86:
                return compiled(fill_sources.streamed_fill_source(self.tables))
        return compiled(fill_sources.fill_source(self.tables))


def _has_lines(array: Array) -> bool:
    """Tell whether lines of memory start where items do."""
    size = array.dtype.itemsize
    return size in (1, 2, 4, 8) and array.ctypes.data % size == 0


def fill(
    outputs: Mapping[str, Node],
    tables: Mapping[str, Array],
    *,
    axes: Sequence[str],
    summed: Sequence[str] = (),
    dtype: str = "f8",
    dtypes: Mapping[str, str] | None = None,
    threads: int = 1,
    compiled: bool | None = None,
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
    compiled : bool, optional
        Default: where there are enough points for a compiler to pay.

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
    kept = tuple(axis for axis in axes if axis not in summed)
    lengths = [max(np.shape(table)[k] if np.size(table) else 0 for table in tables.values()) for k in range(len(axes))]
    space = Space(kept, tuple(lengths[: len(kept)]), tables, tuple(summed), dtype)
    points = max((prod(_shape(space, node)) for node in outputs.values()), default=0)
    if compiled is None:
        compiled = pays(points, prod(lengths[len(kept) :]))
    if not compiled or points == 0:
        values = evaluate(outputs, tables, axes=axes, dtype=dtype)
        return {name: value.astype(kinds[name], copy=False) for name, value in values.items()}
    filled: dict[str, Array] = {}
    for names in _by_axes(space, outputs):
        shape = _shape(space, outputs[names[0]])
        mine = {name: outputs[name] for name in names}
        filled |= _filled(space, mine, shape, kinds, threads)
    return {name: filled[name].reshape(*filled[name].shape, *[1] * len(summed)) for name in outputs}


def _shape(space: Space, node: Node) -> tuple[int, ...]:
    used = space.axes_of(node)
    return tuple(size if axis in used else 1 for axis, size in zip(space.axes, space.sizes, strict=True))


def _by_axes(space: Space, outputs: Mapping[str, Node]) -> list[list[str]]:
    groups: dict[tuple[int, ...], list[str]] = {}
    for name, node in outputs.items():
        groups.setdefault(_shape(space, node), []).append(name)
    return list(groups.values())


def _filled(
    space: Space, outputs: Mapping[str, Node], shape: tuple[int, ...], kinds: Mapping[str, np.dtype[Any]], threads: int
) -> dict[str, Array]:
    used = [axis for axis, length in zip(space.axes, shape, strict=True) if length != 1]
    # folding first lets axes of tables that nothing needs drop out
    folded, graph = fold(space, outputs, points=1)
    if prod(shape) < COMPILED_POINTS // 64:
        values = space.evaluate(outputs)
        return {name: value.astype(kinds[name], copy=False) for name, value in values.items()}
    out = {name: np.empty(shape, dtype=kinds[name]) for name in outputs}
    Fill(folded.reordered(used), graph).run(out, threads=threads, reused=False)
    return out
