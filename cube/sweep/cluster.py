"""Sweeps on a Dask cluster: the same tiles and kernels as in this process, merged in a tree; the answers are the same.

Inputs travel, never tables of results: each task gets the folded query and a range of rows. A task whose worker is lost
runs again elsewhere.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.engine import stream
from roofcube.kernels.engine.engine import Engine
from roofcube.kernels.query.tiles import Tiling

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from roofcube.kernels.query.partials import BestPartial, FrontPartial, TopPartial
    from roofcube.kernels.query.query import Query

__all__ = ["ClusterEngine"]

Array = np.ndarray[Any, np.dtype[Any]]
TASKS_PER_THREAD = (
    8  # enough to balance, few enough that handing them out costs nothing (16 tasks: 0.80-0.84 of two cores)
)
RETRIES = 3


class ClusterEngine(Engine):
    """Visits every point on the workers of a cluster; bounds, which take no time, are searched here.

    Parameters
    ----------
    client : dask.distributed.Client
    strategy : str
    """

    def __init__(self, client: Any, strategy: str = "auto") -> None:
        super().__init__(strategy, 1)
        self.client = client

    def visit_best(self, query: Query) -> BestPartial:
        """Find the best of each group on the cluster."""
        return self._scanned(query, "best")  # type: ignore[no-any-return]

    def visit_top(self, query: Query, n: int) -> TopPartial:
        """Find the n best on the cluster."""
        return self._scanned(query, "top", n)  # type: ignore[no-any-return]

    def visit_front(self, query: Query) -> FrontPartial:
        """Find the front on the cluster."""
        return self._scanned(query, "front")  # type: ignore[no-any-return]

    def visit_count(self, query: Query, by: str | None, codes: Sequence[float]) -> Array:
        """Count on the cluster."""
        return self._scanned(query, "count", by, codes).counts  # type: ignore[no-any-return]

    def visit_histogram(self, query: Query, name: str, edges: Array) -> Array:
        """Fill bins on the cluster."""
        return self._scanned(query, "histogram", name, edges).counts  # type: ignore[no-any-return]

    def _tasks(self) -> int:
        threads: int = sum(
            worker["nthreads"] for worker in self.client.scheduler_info(n_workers=-1)["workers"].values()
        )
        return TASKS_PER_THREAD * max(1, threads)

    def _scanned(self, query: Query, what: str, *arguments: Any) -> Any:
        if self.compiles(query):
            from roofcube.kernels.engine.scans import prepared, scannable

            if scannable(query):
                rows = prepared(query, what, *arguments)
                jobs = rows.cut(max(1, -(-rows.layout.rows // self._tasks())))
                return rows.finished(self._merged(query, partial(_scan_job, what, arguments), jobs))
        return self._visited(query, what, *arguments)

    def _visited(self, query: Query, what: str, *arguments: Any) -> Any:
        tiling = Tiling(query.space.sizes, stream.TILE_POINTS)
        jobs = stream.jobs_of(tiling, max(1, -(-len(tiling) // self._tasks())))
        if not jobs:  # a dim without labels
            return stream.starts(query, what, *arguments)(range(query.n_groups))
        return self._merged(query, partial(_tile_job, what, arguments, tiling), jobs)

    def _merged(self, query: Query, work: Callable[[Query, range], Any], jobs: list[range]) -> Any:
        """Run jobs and merge their partials two by two on the workers."""
        import dask

        # a task, not scattered data: what is lost with a worker is then made again
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):
            sent = self.client.submit(_sent, query, pure=False, retries=RETRIES)
        parts = [self.client.submit(work, sent, job, pure=False, retries=RETRIES) for job in jobs]
        while len(parts) > 1:
            pairs = [parts[k : k + 2] for k in range(0, len(parts), 2)]
            parts = [
                self.client.submit(_merge, *pair, pure=False, retries=RETRIES) if len(pair) == 2 else pair[0]
                for pair in pairs
            ]
        try:
            return parts[0].result()
        except BaseException:
            self.client.cancel(parts)
            raise


def _sent(query: Query) -> Query:
    return query


def _scan_job(what: str, arguments: tuple[Any, ...], query: Query, rows: range) -> Any:
    from roofcube.kernels.engine.scans import prepared

    return prepared(query, what, *arguments).run(rows)


def _tile_job(what: str, arguments: tuple[Any, ...], tiling: Tiling, query: Query, tiles: range) -> Any:
    return stream.part_of(query, stream.starts(query, what, *arguments), tiling, tiles)


def _merge(one: Any, other: Any) -> Any:
    from copy import deepcopy

    total = deepcopy(one)  # a partial may be needed again by a retried task
    total.merge(other)
    return total
