"""Answer queries by visiting every point: NumPy tiles or generated kernels, in a pool of threads, merged in order.

The NumPy reader of tiles is the plain twin of the generated kernels in `codegen`; both give the same bits, and neither
stores anything.
"""

from __future__ import annotations

from functools import partial
from time import thread_time
from typing import TYPE_CHECKING, Any, TypeVar

from roofcube.kernels.budget import check
from roofcube.kernels.engine.pool import Halt, cut, in_order
from roofcube.kernels.engine.scans import scannable
from roofcube.kernels.query.partials import Partial
from roofcube.kernels.query.tiles import Tiling, evaluate_tiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from roofcube.kernels.budget import Stop
    from roofcube.kernels.engine.reductions import Reduction
    from roofcube.kernels.query.query import Query

__all__ = ["part_of", "sampled_seconds", "visit", "visit_rows", "visit_tiles"]

PartialT = TypeVar("PartialT", bound=Partial)


def visit(
    reduction: Reduction[PartialT],
    query: Query,
    *arguments: Any,
    threads: int = 1,
    compiled: bool = False,
    halt: Halt | None = None,
) -> PartialT:
    """Visit every point, with generated kernels where they can and shall be used, into one partial.

    Parameters
    ----------
    reduction : Reduction
    query : Query
    *arguments
        Of the partial: nothing; an output and its codes; an output and edges; how many; nothing; vectors.
    threads : int
    compiled : bool
        Use generated kernels where the query suits them.
    halt : Halt, optional
    """
    if compiled and scannable(query):
        return visit_rows(reduction, query, *arguments, threads=threads, halt=halt)
    return visit_tiles(reduction, query, *arguments, threads=threads, halt=halt)


def visit_rows(
    reduction: Reduction[PartialT], query: Query, *arguments: Any, threads: int, halt: Halt | None = None
) -> PartialT:
    """Run a generated kernel over all rows of a query into one partial."""
    rows = reduction.rows(query, *arguments)
    total = reduction.start(query, arguments, range(query.n_groups))
    # rows come in flat order, so the first of equal keys is in the first row
    for part in in_order(rows.run, rows.jobs_for(threads), threads=threads, halt=halt):
        total.merge(part)
    return rows.finished(total)


def visit_tiles(
    reduction: Reduction[PartialT], query: Query, *arguments: Any, threads: int, halt: Halt | None = None
) -> PartialT:
    """Evaluate all tiles of a query with NumPy into one partial."""
    halt = halt or Halt()
    tiling = Tiling(query.space.sizes, query.tuning.tile_points)
    total = reduction.start(query, arguments, range(query.n_groups))
    work = partial(part_of, query, reduction.starter(query, *arguments), tiling, stop=halt)
    for part in in_order(work, cut(len(tiling), query.tuning.job_tiles), threads=threads, halt=halt):
        total.merge(part)
    return total


def sampled_seconds(reduction: Reduction[PartialT], query: Query, *arguments: Any, compiled: bool) -> float:
    """Measure, on a few of the jobs, what one thread takes to visit every point."""
    if compiled and scannable(query):
        rows = reduction.rows(query, *arguments)
        rows.load()
        total, most = rows.layout.rows, query.tuning.sampled_points // rows.layout.chunk
        few = max(1, min(most, total // 24))  # of a small space an eighth in all: a sample is not the visit itself
        jobs = [range(start, min(start + few, total)) for start in (0, total // 3, 2 * total // 3)]
        work: Callable[[range], PartialT] = rows.run
    else:
        tiling = Tiling(query.space.sizes, query.tuning.tile_points)
        work, total = partial(part_of, query, reduction.starter(query, *arguments), tiling), len(tiling)
        jobs = [range(start, start + 1) for start in {0, total // 2}]
    start = thread_time()
    for job in jobs:
        work(job)
    return (thread_time() - start) * total / sum(map(len, jobs))


def part_of(
    query: Query, start: Callable[[range], PartialT], tiling: Tiling, tiles: range, *, stop: Stop | None = None
) -> PartialT:
    """Evaluate some tiles into a partial of their own."""
    group = max(1, query.group_points)
    last = min(tiling.start(tiles.stop - 1) + max(1, tiling.points), max(1, query.space.size)) - 1
    part = start(range(tiling.start(tiles.start) // group, last // group + 1))
    for tile in evaluate_tiles(query, tiling, tiles):
        check(stop)
        part.update(tile)
    return part
