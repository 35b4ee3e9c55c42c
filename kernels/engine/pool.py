"""Work cut into jobs and run in a pool of threads, results in the order of the jobs."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["available_threads", "cut", "in_order"]

Job = TypeVar("Job")
Result = TypeVar("Result")


def available_threads() -> int:
    """Count the cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every platform
        return os.cpu_count() or 1


def cut(total: int, step: int) -> Iterator[range]:
    """Cut so many pieces into jobs of `step` each, one by one as they are asked for.

    Examples
    --------
    >>> list(cut(5, 2))
    [range(0, 2), range(2, 4), range(4, 5)]
    """
    for start in range(0, total, step):
        yield range(start, min(start + step, total))


def in_order(work: Callable[[Job], Result], jobs: Iterable[Job], *, threads: int) -> Iterator[Result]:
    """Run jobs in a pool and give their results in order, with few jobs and results alive at a time."""
    waiting_jobs = iter(jobs)
    first = list(islice(waiting_jobs, 2))
    if threads <= 1 or len(first) < 2:
        yield from map(work, chain(first, waiting_jobs))
        return
    with ThreadPoolExecutor(threads) as pool:
        running: list[Any] = []
        try:
            for job in chain(first, waiting_jobs):
                running.append(pool.submit(work, job))
                if len(running) > 2 * threads:
                    yield running.pop(0).result()
            while running:
                yield running.pop(0).result()
        finally:
            for future in running:
                future.cancel()
