"""Answer queries by bounding boxes of the space: what bounds exclude is never visited, nothing is ever lost.

Every question is explored alike: boxes are bounded, what is decided is taken, what remains in doubt is split, and in
the end single points are evaluated like any other. Questions differ only in what they collect on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.bounds.boxes import Search
from roofcube.kernels.bounds.collectors import BestCollector, ClassCollector, FrontCollector, TopCollector
from roofcube.kernels.bounds.monotone import slice_of
from roofcube.kernels.bounds.probing import probe
from roofcube.kernels.query.partials import BestPartial, CountPartial, HistogramPartial, TopPartial

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from roofcube.kernels.bounds.collectors import BoxFront, Collector
    from roofcube.kernels.budget import Budget, Stop
    from roofcube.kernels.query.query import Query

__all__ = ["best", "classified", "count", "explore", "front", "histogram", "top"]

Array = np.ndarray[Any, np.dtype[Any]]


def explore(search: Search, collector: Collector) -> None:
    """Show a collector all that may matter to it."""
    bounder, open_points = search.bounder, search.query.tuning.open_points
    for boxes in search.levels(collector.promising):
        doubt = collector.take(search.bound(boxes))
        small = bounder.size(boxes) <= open_points
        opened = boxes[:, doubt & small]
        if opened.shape[1]:
            points, _ = bounder.opened(opened)
            collector.take_points(points, *search.evaluate(points))
        search.push(boxes[:, doubt & ~small])
        search.spend()


# one objective --------------------------------------------------------------------------------------------------------


def best(query: Query, *, budget: Budget | None = None, stop: Stop | None = None) -> BestPartial:
    """Find the largest key and its first point of each group; `count` is not counted."""
    part, exact = _best_of_slice(query, budget, stop)
    if not exact:
        search = Search(query, [query.objectives[0][0]], budget=budget, stop=stop)
        explore(search, BestCollector(search, part))
    return part


def _best_of_slice(query: Query, budget: Budget | None, stop: Stop | None) -> tuple[BestPartial, bool]:
    """Find the largest keys where aligned axes are at their best end, and whether their points are the first."""
    part = BestPartial(query, range(query.n_groups))
    aligned = slice_of(query)
    if aligned is None:
        return part, False
    if aligned.values is not None:
        exact = aligned.best(query)
        if exact is not None:
            part.key, part.first = exact
            return part, True
    of_slice = best(aligned.query, budget=budget, stop=stop)
    part.key, part.first = of_slice.key, aligned.whole(query, of_slice.first)
    return part, False


def top(query: Query, n: int, *, budget: Budget | None = None, stop: Stop | None = None) -> TopPartial:
    """Find the n largest keys of a query without groups."""
    part = TopPartial.empty(query, n)
    search = Search(query, [query.objectives[0][0]], budget=budget, stop=stop)
    explore(search, TopCollector(search, part))
    return part


# several objectives ---------------------------------------------------------------------------------------------------


def front(query: Query, *, budget: Budget | None = None, stop: Stop | None = None) -> BoxFront:
    """Find the front of a query without groups."""
    search = Search(query, [name for name, _ in query.objectives], budget=budget, stop=stop)
    collector = FrontCollector(search)
    explore(search, collector)
    return collector.front()


# counting -------------------------------------------------------------------------------------------------------------


def count(
    query: Query,
    by: str | None = None,
    codes: Sequence[float] = (),
    *,
    budget: Budget | None = None,
    stop: Stop | None = None,
) -> CountPartial:
    """Count the valid points of each group, by the codes of an output."""
    part = CountPartial(query, range(query.n_groups), by, codes)
    ascending, place = np.unique(part.codes, return_inverse=True)  # two meanings may share a code

    def classify(values: Array) -> Array:
        """Return codes ascending numbers, gaps between them included, so that the numbers are monotone."""
        return np.searchsorted(ascending, values, side="left") + np.searchsorted(ascending, values, side="right")

    if by is None:
        part.counts[:] = classified(query, 1, None, classify, budget=budget, stop=stop)
    else:
        counts = classified(query, 2 * len(ascending) + 2, by, classify, budget=budget, stop=stop)
        part.counts[:] = counts[:, 1 : 2 * len(ascending) : 2][:, place]
    return part


def histogram(
    query: Query, name: str, edges: Array, *, budget: Budget | None = None, stop: Stop | None = None
) -> HistogramPartial:
    """Count the valid points of each group in each bin."""

    def classify(values: Array) -> Array:
        """Return bins numbers from 1; 0 is below all of them, the number after the last is above."""
        bins = np.searchsorted(edges, values, side="right")
        bins[values == edges[-1]] = len(edges) - 1
        return bins

    part = HistogramPartial(query, range(query.n_groups), name, edges)
    part.counts[:] = classified(query, len(edges) + 1, name, classify, budget=budget, stop=stop)[:, 1:-1]
    return part


def classified(
    query: Query,
    classes: int,
    name: str | None,
    classify: Callable[[Array], Array],
    *,
    budget: Budget | None = None,
    stop: Stop | None = None,
) -> Array:
    """Count the valid points of each group in each class of an output's value.

    Parameters
    ----------
    query : Query
    classes : int
    name : str or None
        Output that decides the class; without one all points are of class 0.
    classify : callable
        Gives the class of values, -1 for none; monotone, so that equal classes at both ends hold between them.

    Returns
    -------
    array (groups, classes)
    """
    search = Search(query, [] if name is None else [name], prunes=False, budget=budget, stop=stop)
    collector = ClassCollector(search, classes, name, classify)
    probe(search, collector.doubtful)
    explore(search, collector)
    return collector.counts
