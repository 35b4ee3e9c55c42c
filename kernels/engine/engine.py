"""Answer a query the cheapest exact way: interval bounds, generated kernels or NumPy tiles; all give the same bits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakSet

import numpy as np

from roofcube.kernels.bounds import search
from roofcube.kernels.bounds.bounder import bounder_of
from roofcube.kernels.bounds.boxes import fits
from roofcube.kernels.budget import Budget, BudgetExceeded
from roofcube.kernels.engine import stream
from roofcube.kernels.engine.reductions import BEST, COUNT, FRONT, HISTOGRAM, MEMBERS, TOP
from roofcube.kernels.engine.scans import scannable
from roofcube.kernels.query.partials import Partial

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from roofcube.kernels.budget import Stop
    from roofcube.kernels.engine.reductions import Reduction
    from roofcube.kernels.query.partials import BestPartial, FrontPartial, TopPartial
    from roofcube.kernels.query.query import Query
    from roofcube.kernels.tuning import Tuning

__all__ = ["STRATEGIES", "Engine"]

Array = np.ndarray[Any, np.dtype[Any]]
Answer = TypeVar("Answer")
PartialT = TypeVar("PartialT", bound=Partial)
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
        self._given_up: WeakSet[Query] = WeakSet()

    def best(self, query: Query) -> BestPartial:
        """Find the largest key and its first point of each group."""
        query = self._tuned(query)
        return self._bounded(
            query,
            lambda budget: search.best(query, budget=budget, stop=self.stop),
            lambda: self.run(BEST, query),
        )

    def top(self, query: Query, n: int) -> TopPartial:
        """Find the n largest keys of a query without groups."""
        query = self._tuned(query)
        return self._bounded(
            query,
            lambda budget: search.top(query, n, budget=budget, stop=self.stop),
            lambda: self.run(TOP, query, n),
        )

    def front(self, query: Query) -> Front:
        """Find the front of a query without groups."""
        query = self._tuned(query)

        def bounded(budget: Budget | None) -> Front:
            return search.front(query, budget=budget, stop=self.stop)

        def streamed() -> Front:
            return StreamedFront(self, query, self.run(FRONT, query))

        return self._bounded(query, bounded, streamed, sieved=True)

    def count(self, query: Query, *, by: str | None = None, codes: Sequence[float] = ()) -> Array:
        """Count the valid points of each group, by the codes of an output."""
        query = self._tuned(query)
        if by is None and not query.limits:
            return np.full((query.n_groups, 1), query.copies * query.group_points, dtype=np.int64)
        known = np.sort(np.asarray(codes, dtype=query.space.dtype))
        place = np.argsort(np.asarray(codes, dtype=query.space.dtype), kind="stable")

        def classify(values: Array) -> Array:
            """Give codes ascending numbers, gaps between them included, so that the numbers are monotone."""
            below, upto = np.searchsorted(known, values, side="left"), np.searchsorted(known, values, side="right")
            return below + upto

        def bounded(budget: Budget | None) -> Array:
            if by is None:
                return search.classified(query, 1, None, classify, budget=budget, stop=self.stop)
            found = search.classified(query, 2 * len(known) + 2, by, classify, budget=budget, stop=self.stop)
            counts = np.zeros((query.n_groups, len(known)), dtype=np.int64)
            counts[:, place] = found[:, 1 : 2 * len(known) : 2]
            return counts

        return query.copies * self._bounded(query, bounded, lambda: self.run(COUNT, query, by, codes).counts)

    def histogram(self, query: Query, name: str, edges: Array) -> Array:
        """Count the valid points of each group in each bin."""
        found = self.searched_histogram(query, name, edges)
        return query.copies * self.run(HISTOGRAM, query, name, edges).counts if found is None else found

    def searched_histogram(self, query: Query, name: str, edges: Array) -> Array | None:
        """Count by bounds the valid points of each group in each bin, or give None where a visit is faster."""
        query = self._tuned(query)

        def classify(values: Array) -> Array:
            """Give bins numbers from 1; 0 is below all of them, the number after the last is above."""
            bins = np.searchsorted(edges, values, side="right")
            bins[values == edges[-1]] = len(edges) - 1
            return bins

        def bounded(budget: Budget | None) -> Array | None:
            return (
                query.copies
                * search.classified(query, len(edges) + 1, name, classify, budget=budget, stop=self.stop)[:, 1:-1]
            )

        return self._bounded(query, bounded, lambda: None)

    def run(self, reduction: Reduction[PartialT], query: Query, *arguments: Any) -> PartialT:
        """Visit every point."""
        return stream.visit(
            reduction, query, *arguments, threads=self.threads, compiled=self.compiles(query), stop=self.stop
        )

    def _tuned(self, query: Query) -> Query:
        return query if self.tuning is None or self.tuning is query.tuning else replace(query, tuning=self.tuning)

    def compiles(self, query: Query) -> bool:
        """Tell whether generated kernels should visit the points."""
        return self.strategy == "stream" or (
            self.strategy != "numpy" and query.space.size >= query.tuning.compiled_points
        )

    def _bounded(
        self,
        query: Query,
        bounded: Callable[[Budget | None], Answer],
        streamed: Callable[[], Answer],
        *,
        sieved: bool = False,
    ) -> Answer:
        """Try bounds where they may pay, else visit every point."""
        if not self.searches(query):
            return streamed()
        try:
            return bounded(None if self.strategy == "bounds" else self._budget(query, sieved))
        except BudgetExceeded:
            self._given_up.add(query)
            return streamed()

    def searches(self, query: Query) -> bool:
        """Tell whether bounds are tried: they may pay, and have not been given up for the same query."""
        if self.strategy in ("numpy", "stream") or not fits(query) or query.space.size == 0:
            return False
        if self.strategy == "bounds":
            return True
        return (
            query.space.size > query.tuning.small_points
            and query.group_points > query.n_groups
            and query not in self._given_up
        )

    def _budget(self, query: Query, sieved: bool) -> Budget:
        """Say what visiting every point would take."""
        tuning, space = query.tuning, query.space
        operations = len(bounder_of(query).nodes) * prod(space.all_sizes[len(space.sizes) :])
        kernel = tuning.sieve_nanoseconds if sieved else tuning.kernel_nanoseconds
        kernels = self.compiles(query) and scannable(query)
        point, operation = (rate / self.threads for rate in kernel) if kernels else tuning.tile_nanoseconds
        box, box_operation = tuning.box_nanoseconds
        visit = 1e-9 * space.size * (point + operation * operations)
        return Budget(visit, 1e-9 * (box + box_operation * operations), tuning.search_share)


class Front(Protocol):
    """A front and how to list all its points."""

    partial: FrontPartial

    def members(self) -> tuple[Array, Array]:
        """List all points in flat order with the number of the vector that each has."""


@dataclass
class StreamedFront:
    """A front found by visiting every point; its equal points are found by visiting them again."""

    engine: Engine
    query: Query
    partial: FrontPartial

    def members(self) -> tuple[Array, Array]:
        """List all points in flat order with the number of the vector that each has."""
        equal = self.engine.run(MEMBERS, self.query, self.partial.vectors)
        return equal.index, equal.number
