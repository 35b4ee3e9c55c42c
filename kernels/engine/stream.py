"""Answer queries by visiting every point: tiles, in a pool of threads, merged in order; nothing is stored.

The NumPy reader of tiles is the plain twin of the generated kernels in `codegen`; both give the same bits.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from roofcube.kernels.query.partials import (
    BestPartial,
    CountPartial,
    FrontPartial,
    HistogramPartial,
    MembersPartial,
    Partial,
    TopPartial,
)
from roofcube.kernels.query.tiles import TILE_POINTS, Tiling, evaluate_tiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from roofcube.kernels.query.query import Query

__all__ = [
    "JOB_TILES",
    "TILE_POINTS",
    "available_threads",
    "best",
    "count",
    "front",
    "histogram",
    "in_order",
    "jobs_of",
    "members",
    "part_of",
    "reduced",
    "starts",
    "top",
]

Array = np.ndarray[Any, np.dtype[Any]]
PartialT = TypeVar("PartialT", bound=Partial)
Job = TypeVar("Job")
Result = TypeVar("Result")

JOB_TILES = 16  # tiles of one job: enough that handing it out costs nothing, few enough that Ctrl-C is quick


def available_threads() -> int:
    """Count the cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every platform
        return os.cpu_count() or 1


def reduced(query: Query, make: Callable[[range], PartialT], *, threads: int = 1) -> PartialT:
    """Stream all tiles of a query into one partial.

    Parameters
    ----------
    query : Query
    make : callable
        Gives an empty partial for a range of groups.
    threads : int

    Returns
    -------
    Partial
    """
    tiling = Tiling(query.space.sizes, TILE_POINTS)
    total = make(range(query.n_groups))
    for part in in_order(partial(part_of, query, make, tiling), jobs_of(tiling, JOB_TILES), threads=threads):
        total.merge(part)
    return total


def jobs_of(tiling: Tiling, tiles: int) -> list[range]:
    """Cut the tiles of a tiling into jobs."""
    return [range(k, min(k + tiles, len(tiling))) for k in range(0, len(tiling), tiles)]


def part_of(query: Query, make: Callable[[range], PartialT], tiling: Tiling, tiles: range) -> PartialT:
    """Stream some tiles into a partial of their own."""
    group = max(1, query.group_points)
    last = min(tiling.start(tiles.stop - 1) + max(1, tiling.points), max(1, query.space.size)) - 1
    part = make(range(tiling.start(tiles.start) // group, last // group + 1))
    for tile in evaluate_tiles(query, tiling, tiles):
        part.update(tile)
    return part


def in_order(work: Callable[[Job], Result], jobs: Sequence[Job], *, threads: int) -> Iterator[Result]:
    """Run jobs in a pool and give their results in order, with few results alive at a time."""
    if threads <= 1 or len(jobs) <= 1:
        yield from map(work, jobs)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: list[Any] = []
        try:
            for job in jobs:
                waiting.append(pool.submit(work, job))
                if len(waiting) > 2 * threads:
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        finally:
            for future in waiting:
                future.cancel()


def scanned(query: Query, what: str, *arguments: Any, threads: int = 1) -> Any:
    """Run generated kernels over all rows of a query into one partial."""
    from roofcube.kernels.engine.scans import prepared

    rows = prepared(query, what, *arguments)
    total = starts(query, what, *arguments)(range(query.n_groups))
    # rows come in flat order, so the first of equal keys is in the first row
    for part in in_order(rows.run, rows.jobs, threads=threads):
        total.merge(part)
    return rows.finished(total)


def visited(query: Query, what: str, *arguments: Any, threads: int = 1, compiled: bool = False) -> Any:
    """Visit every point, with generated kernels where they can and shall be used, into one partial.

    Parameters
    ----------
    query : Query
    what : {"best", "count", "histogram", "top", "front", "members"}
        The last three for queries without groups.
    *arguments
        Of the partial: nothing; an output and its codes; an output and edges; how many; nothing; vectors.
    threads : int
    compiled : bool
        Use generated kernels where the query suits them.
    """
    if compiled:
        from roofcube.kernels.engine.scans import scannable

        if scannable(query):
            return scanned(query, what, *arguments, threads=threads)
    return reduced(query, starts(query, what, *arguments), threads=threads)


def best(query: Query, *, threads: int = 1, compiled: bool = False) -> BestPartial:
    """Find the largest key, its first point and the number of valid points of each group."""
    return visited(query, "best", threads=threads, compiled=compiled)  # type: ignore[no-any-return]


def count(
    query: Query, *, by: str | None = None, codes: Sequence[float] = (), threads: int = 1, compiled: bool = False
) -> Array:
    """Count valid points of each group, by the codes of an output: shape (groups, codes)."""
    return visited(query, "count", by, codes, threads=threads, compiled=compiled).counts  # type: ignore[no-any-return]


def histogram(query: Query, name: str, edges: Array, *, threads: int = 1, compiled: bool = False) -> Array:
    """Count valid points of each group in each bin: shape (groups, bins)."""
    return visited(query, "histogram", name, edges, threads=threads, compiled=compiled).counts  # type: ignore[no-any-return]


def top(query: Query, n: int, *, threads: int = 1, compiled: bool = False) -> TopPartial:
    """Find the n largest keys of a query without groups."""
    return visited(query, "top", n, threads=threads, compiled=compiled)  # type: ignore[no-any-return]


def front(query: Query, *, threads: int = 1, compiled: bool = False) -> FrontPartial:
    """Find the front of a query without groups."""
    return visited(query, "front", threads=threads, compiled=compiled)  # type: ignore[no-any-return]


def members(query: Query, vectors: Array, *, threads: int = 1, compiled: bool = False) -> tuple[Array, Array]:
    """List the points of a query without groups whose costs equal one of the vectors, in flat order, and which one."""
    found = visited(query, "members", vectors, threads=threads, compiled=compiled)
    return found.index, found.number


def starts(query: Query, what: str, *arguments: Any) -> Callable[[range], Any]:
    """Give a function that starts an empty partial for a range of groups; it can be sent to another process."""
    return partial(_start, what, query, arguments)


def _start(what: str, query: Query, arguments: tuple[Any, ...], groups: range) -> Any:
    if what in ("top", "front", "members"):
        made: Any = {"top": TopPartial, "front": FrontPartial, "members": MembersPartial}[what]
        return made.empty(query, *arguments)
    made = {"best": BestPartial, "count": CountPartial, "histogram": HistogramPartial}[what]
    return made(query, groups, *arguments)
