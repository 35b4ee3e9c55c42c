"""Sweeps on a Dask cluster: the same tiles and kernels as in this process, merged in a tree; the answers are the same.

Inputs travel, never tables of results: each task gets the folded query and a range of rows. A task whose worker is lost
runs again elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from roofcube.kernels.budget import check
from roofcube.kernels.engine.engine import Engine
from roofcube.kernels.engine.pool import cut
from roofcube.kernels.engine.scans import scannable
from roofcube.kernels.engine.stream import part_of
from roofcube.kernels.query.partials import Partial
from roofcube.kernels.query.query import Query
from roofcube.kernels.query.tiles import Tiling

if TYPE_CHECKING:
    from roofcube.kernels.budget import Stop
    from roofcube.kernels.engine.reductions import Reduction
    from roofcube.kernels.tuning import Tuning

__all__ = ["ClusterEngine"]

PartialT = TypeVar("PartialT", bound=Partial)
Work: TypeAlias = Callable[[Query, range], PartialT]
TASKS_PER_THREAD = (
    8  # enough to balance, few enough that handing them out costs nothing (16 tasks: 0.80-0.84 of two cores)
)
RETRIES = 3
POLL_SECONDS = 0.2


class ClusterEngine(Engine):
    """Visits every point on the workers of a cluster; bounds, which take no time, are searched here.

    Parameters
    ----------
    client : dask.distributed.Client
    strategy : str
    tuning, stop
        As of `Engine`.
    """

    def __init__(
        self, client: Any, strategy: str = "auto", *, tuning: Tuning | None = None, stop: Stop | None = None
    ) -> None:
        super().__init__(strategy, 1, tuning=tuning, stop=stop)
        self.client = client

    def run(self, reduction: Reduction[PartialT], query: Query, *arguments: Any) -> PartialT:
        """Visit every point on the cluster."""
        if self.compiles(reduction, query, *arguments):
            rows = reduction.rows(query, *arguments)
            work: Work[PartialT] = partial(_scan_job, reduction, arguments)
            return rows.finished(self._merged(query, work, self._jobs(rows.layout.rows)))
        tiling = Tiling(query.space.sizes, query.tuning.tile_points)
        if not len(tiling):  # a dim without labels
            return reduction.start(query, arguments, range(query.n_groups))
        return self._merged(query, partial(_tile_job, reduction, arguments, tiling), self._jobs(len(tiling)))

    def compiles(self, _reduction: Reduction[Any], query: Query, *_arguments: Any) -> bool:
        """Check whether generated kernels visit the points: each worker has to compile them."""
        large = self.strategy != "numpy" and query.space.size >= query.tuning.compiled_points
        return (large or self.strategy == "stream") and scannable(query)

    def _jobs(self, pieces: int) -> list[range]:
        """Cut rows or tiles into a job for each task."""
        return list(cut(pieces, max(1, -(-pieces // self._tasks()))))

    def _tasks(self) -> int:
        threads: int = sum(
            worker["nthreads"] for worker in self.client.scheduler_info(n_workers=-1)["workers"].values()
        )
        return TASKS_PER_THREAD * max(1, threads)

    def _merged(self, query: Query, work: Work[PartialT], jobs: list[range]) -> PartialT:
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
            merged: PartialT = self._result(parts[0])
        except BaseException:
            self.client.cancel(parts)
            raise
        return merged

    def _result(self, future: Any) -> Any:
        """Wait for a result, and look at the stop flag now and then."""
        while self.stop is not None:
            check(self.stop)
            try:
                return future.result(timeout=POLL_SECONDS)
            except TimeoutError:
                continue
        return future.result()


def _sent(query: Query) -> Query:
    return query


def _scan_job(reduction: Reduction[PartialT], arguments: tuple[Any, ...], query: Query, rows: range) -> PartialT:
    return reduction.rows(query, *arguments).run(rows)


def _tile_job(
    reduction: Reduction[PartialT], arguments: tuple[Any, ...], tiling: Tiling, query: Query, tiles: range
) -> PartialT:
    return part_of(query, reduction.starter(query, *arguments), tiling, tiles)


def _merge(one: PartialT, other: PartialT) -> PartialT:
    total = deepcopy(one)  # a partial may be needed again by a retried task
    total.merge(other)
    return total
