"""Answer a query the cheapest exact way: interval bounds, generated kernels or NumPy tiles; all give the same bits.

Which way is cheapest is told by a cost model (`costs`) and by what like questions have cost (`roofcube.kernels.query.
history`). A search by bounds may decide next to nothing, so it gets a budget: when it has taken half of what visiting
every point would, and does not promise to end soon, the points are visited after all. This is the ski rental of online
algorithms: never more than half as long again as visiting, never more than three times as long as searching.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import thread_time
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import numpy as np

from roofcube.kernels.bounds.boxes import fits
from roofcube.kernels.bounds.collectors import BoxFront
from roofcube.kernels.budget import BudgetExceeded
from roofcube.kernels.engine import choice, stream
from roofcube.kernels.engine.pool import Halt
from roofcube.kernels.engine.reductions import BEST, COUNT, FRONT, HISTOGRAM, MEMBERS, TOP
from roofcube.kernels.engine.scans import scannable
from roofcube.kernels.query.partials import Partial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roofcube.kernels.budget import Stop
    from roofcube.kernels.engine.reductions import Reduction
    from roofcube.kernels.query.partials import BestPartial, FrontPartial, TopPartial
    from roofcube.kernels.query.query import Query
    from roofcube.kernels.tuning import Tuning

__all__ = ["STRATEGIES", "Engine"]

Array = np.ndarray[Any, np.dtype[Any]]
PartialT = TypeVar("PartialT", bound=Partial)
Strategy = Literal["bounds", "stream", "numpy"]
STRATEGIES = ("auto", "bounds", "stream", "numpy")


class Engine:
    """How queries are answered.

    Parameters
    ----------
    strategy : {"auto", "bounds", "stream", "numpy"}
    threads : int
    tuning : Tuning, optional
        Default: each query's own.
    stop : Stop, optional
        A flag that ends the work, such as `threading.Event`: once it is set, `Cancelled` is raised.
    """

    def __init__(
        self, strategy: str = "auto", threads: int = 1, *, tuning: Tuning | None = None, stop: Stop | None = None
    ) -> None:
        self.strategy = strategy
        self.threads = threads
        self.tuning = tuning
        self.stop = stop

    def best(self, query: Query) -> BestPartial:
        """Find the largest key and its first point of each group."""
        return self._answer(BEST, query)

    def top(self, query: Query, n: int) -> TopPartial:
        """Find the n largest keys of a query without groups."""
        return self._answer(TOP, query, n)

    def front(self, query: Query) -> Front:
        """Find the front of a query without groups."""
        front = self._answer(FRONT, query)
        return front if isinstance(front, BoxFront) else VisitedFront(self, query, front)

    def count(self, query: Query, *, by: str | None = None, codes: Sequence[float] = ()) -> Array:
        """Count the valid points of each group, by the codes of an output."""
        if by is None and not query.limits:
            return np.full((query.n_groups, 1), query.copies * query.group_points, dtype=np.int64)
        return query.copies * self._answer(COUNT, query, by, tuple(codes)).counts

    def histogram(self, query: Query, name: str, edges: Array) -> Array:
        """Count the valid points of each group in each bin."""
        return query.copies * self._answer(HISTOGRAM, query, name, edges).counts

    def searched_histogram(self, query: Query, name: str, edges: Array) -> Array | None:
        """Count by bounds the valid points of each group in each bin, or give None where a visit is faster.

        For a histogram of few bins that is one of many: a visit would count more bins in the same time.
        """
        part = self._searched(HISTOGRAM, self._tuned(query), name, edges, worth=query.tuning.few_bins_worth)
        return None if part is None else query.copies * part.counts

    # ways ---------------------------------------------------------------------------------------------------------

    def run(self, reduction: Reduction[PartialT], query: Query, *arguments: Any) -> PartialT:
        """Visit every point."""
        compiled = self.compiles(reduction, query, *arguments)
        if compiled:
            reduction.rows(query, *arguments).load()
        halt, start = Halt(self.stop), thread_time()
        part = stream.visit(reduction, query, *arguments, threads=self.threads, compiled=compiled, halt=halt)
        seconds = thread_time() - start + sum(halt.seconds) / self.threads
        choice.note_visit(reduction, query, arguments, seconds, compiled=compiled, threads=self.threads)
        return part

    def compiles(self, reduction: Reduction[Any], query: Query, *arguments: Any) -> bool:
        """Check whether a generated kernel visits the points."""
        if self.strategy in ("stream", "numpy"):
            return self.strategy == "stream" and scannable(query)
        return choice.pays_to_compile(reduction, query, arguments, self.threads)

    def expect(
        self, reduction: Reduction[Any], query: Query, *arguments: Any, look: float = 0.5
    ) -> tuple[Strategy, float]:
        """Return how a question would be answered and what that should take, after a look of so many seconds.

        Returns
        -------
        strategy : {"bounds", "stream", "numpy"}
        seconds : float
        """
        query = self._tuned(query)
        compiled = self.compiles(reduction, query, *arguments)
        visited: Strategy = "stream" if compiled else "numpy"
        if self.strategy in ("numpy", "stream") or not query.space.size:
            return visited, self.visit_seconds(reduction, query, *arguments)
        only = self.strategy == "bounds"
        searched, seconds = choice.look(reduction, query, arguments, self.threads, look, bounds_only=only)
        return "bounds" if searched else visited, seconds

    def visit_seconds(self, reduction: Reduction[Any], query: Query, *arguments: Any) -> float:
        """Return what visiting every point should take."""
        query = self._tuned(query)
        compiled = self.compiles(reduction, query, *arguments)
        return choice.visit_outlook(reduction, query, arguments, self.threads, compiled=compiled)[0]

    def _answer(self, reduction: Reduction[PartialT], query: Query, *arguments: Any) -> PartialT | Any:
        query = self._tuned(query)
        part = self._searched(reduction, query, *arguments)
        return self.run(reduction, query, *arguments) if part is None else part

    def _searched(self, reduction: Reduction[Any], query: Query, *arguments: Any, worth: float = 1.0) -> Any:
        """Answer by bounds, or give None where visiting every point is the better way."""
        serves = reduction.search is not None and fits(query) and query.space.size > 0
        if self.strategy in ("numpy", "stream") or reduction.search is None or not serves:
            return None
        if self.strategy == "bounds":
            return reduction.search(query, *arguments, stop=self.stop)
        search = choice.search_of(reduction, query, arguments, self.threads, worth)
        if search is None:
            return None
        try:
            part = reduction.search(query, *arguments, budget=search.budget, stop=self.stop)
        except BudgetExceeded:
            search.note(ended=False)
            return None
        search.note(ended=True)
        return part

    def _tuned(self, query: Query) -> Query:
        return query if self.tuning is None or self.tuning is query.tuning else replace(query, tuning=self.tuning)


class Front(Protocol):
    """A front and how to list all its points."""

    partial: FrontPartial

    @property
    def missing(self) -> Array | None:
        """How many points lack each objective, where that was seen on the way."""

    def members(self) -> tuple[Array, Array]:
        """List all points in flat order with the number of the vector that each has."""


@dataclass
class VisitedFront:
    """A front found by visiting every point; its equal points are found by visiting them again."""

    engine: Engine
    query: Query
    partial: FrontPartial
    missing: Array | None = None

    def members(self) -> tuple[Array, Array]:
        """List all points in flat order with the number of the vector that each has."""
        equal = self.engine.run(MEMBERS, self.query, self.partial.vectors)
        return equal.index, equal.number
