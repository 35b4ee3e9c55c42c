"""Work cut into jobs and run in a pool of threads, results in the order of the jobs; it ends early when told to.

Nothing here waits for more than one job a thread: between jobs a flag is looked at, and Ctrl-C reaches the thread that
waits for results, not those that work. Jobs of more than a moment look at their `Halt` themselves. They run in the
context of who asked, so that what holds for one caller (options, NumPy's handling of errors) holds for its jobs alone.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from itertools import chain, islice
from time import thread_time
from typing import TYPE_CHECKING, Any, TypeVar

from roofcube.interrupts import end_waits
from roofcube.kernels.budget import check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from roofcube.kernels.budget import Stop

__all__ = ["Halt", "available_threads", "cut", "in_order"]

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


class Halt:
    """A flag that ends one piece of work: set by who asked for it, or because its results are no longer waited for.

    Parameters
    ----------
    stop : Stop, optional
        Set by who asked.

    Attributes
    ----------
    seconds : list of float
        What each job took in another thread than the one that waits.
    """

    def __init__(self, stop: Stop | None = None) -> None:
        self.stop = stop
        self.abandoned = False
        self.seconds: list[float] = []

    def is_set(self) -> bool:
        """Check whether to end."""
        return self.abandoned or (self.stop is not None and self.stop.is_set())


def in_order(
    work: Callable[[Job], Result], jobs: Iterable[Job], *, threads: int, halt: Halt | None = None
) -> Iterator[Result]:
    """Run jobs in a pool and yield their results in order, with few jobs and results alive at a time.

    Parameters
    ----------
    work : callable
    jobs : iterable
    threads : int
    halt : Halt, optional
        Of this work alone: looked at between jobs, and set for jobs still running when their results are not wanted.

    Raises
    ------
    Cancelled
        Once `halt` is set.
    """
    halt = halt or Halt()
    waiting = iter(jobs)
    first = list(islice(waiting, 2))
    if threads <= 1 or len(first) < 2:
        for job in chain(first, waiting):
            check(halt)
            yield work(job)
        return

    def timed(job: Job) -> Result:
        start = thread_time()
        result = work(job)
        halt.seconds.append(thread_time() - start)
        return result

    end_waits()
    with ThreadPoolExecutor(threads) as pool:
        running: deque[Any] = deque()
        try:
            for job in chain(first, waiting):
                check(halt)
                running.append(pool.submit(copy_context().run, timed, job))
                if len(running) > 2 * threads:
                    yield running.popleft().result()
            while running:
                check(halt)
                yield running.popleft().result()
        finally:
            halt.abandoned = True
            for future in running:
                future.cancel()
