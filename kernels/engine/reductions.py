"""What can be asked of every point, a record each: its partial result, how it starts, and the kernel that visits rows.

A new reduction is a partial (`update`, `merge`), the rows of a generated kernel, and a line in `REDUCTIONS`; tiles,
threads and clusters need to know nothing else of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from roofcube.kernels.bounds import search
from roofcube.kernels.engine.scans import Count, Rows, Sieve, Tally, scan_of
from roofcube.kernels.query.partials import (
    BestPartial,
    CountPartial,
    FrontPartial,
    HistogramPartial,
    MembersPartial,
    Partial,
    TopPartial,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from roofcube.kernels.query.query import Query

__all__ = ["BEST", "COUNT", "FRONT", "HISTOGRAM", "MEMBERS", "REDUCTIONS", "TOP", "Reduction"]

PartialT = TypeVar("PartialT", bound=Partial)


@dataclass(frozen=True)
class Reduction(Generic[PartialT]):
    """A reduction over the points of a query.

    Attributes
    ----------
    name : str
    partial : type
        Its partial result.
    empty : callable
        Starts a partial: ``(query, groups, *arguments)``, without `groups` if the reduction knows none.
    kernel : callable
        Gives the rows of a generated kernel: ``(query, *arguments)`` if it counts by groups, ``(query, start)`` if it
        sieves points for the partial.
    grouped : bool
        Whether it is found group by group; else it is asked of queries without groups only, and sieved.
    search : callable or None
        Answers by bounds instead: ``(query, *arguments, budget=, stop=)``.
    kernel_nanoseconds, tile_nanoseconds : float
        What it takes at a point, beyond the point's values, by generated kernels and by NumPy tiles.
    doubt : float
        How many times as long as expected a visit may take.
    """

    name: str
    partial: type[PartialT]
    empty: Callable[..., PartialT]
    kernel: Callable[..., Rows[PartialT]]
    grouped: bool
    search: Callable[..., Any] | None
    kernel_nanoseconds: float
    tile_nanoseconds: float
    doubt: float = 2.0

    def start(self, query: Query, arguments: tuple[Any, ...], groups: range) -> PartialT:
        """Start an empty partial for a range of groups."""
        return self.empty(query, groups, *arguments) if self.grouped else self.empty(query, *arguments)

    def starter(self, query: Query, *arguments: Any) -> Callable[[range], PartialT]:
        """Return a function of a range of groups that starts an empty partial; it can be sent to another process."""
        return partial(self.start, query, arguments)

    def rows(self, query: Query, *arguments: Any) -> Rows[PartialT]:
        """Prepare the generated kernel of a query, or find the last one prepared."""
        key = repr((self.name, [one.tobytes() if isinstance(one, np.ndarray) else one for one in arguments]))
        held = query.cache.get("rows")
        if held is None or held[0] != key:
            given = arguments if self.grouped else (self.starter(query, *arguments),)
            held = query.cache["rows"] = key, self.kernel(query, *given)
        rows: Rows[PartialT] = held[1]
        return rows


BEST = Reduction("best", BestPartial, BestPartial, scan_of, True, search.best, 0.4, 3.0)
COUNT = Reduction("count", CountPartial, CountPartial, Count, True, search.count, 0.0, 0.5)
HISTOGRAM = Reduction("histogram", HistogramPartial, HistogramPartial, Tally, True, search.histogram, 0.5, 15.0)
TOP = Reduction("top", TopPartial, TopPartial.empty, Sieve, False, search.top, 0.5, 4.0)
FRONT = Reduction("front", FrontPartial, FrontPartial.empty, Sieve, False, search.front, 3.0, 120.0, 10.0)
MEMBERS = Reduction("members", MembersPartial, MembersPartial.empty, Sieve, False, None, 1.0, 20.0)

REDUCTIONS: dict[str, Reduction[Any]] = {
    reduction.name: reduction for reduction in (BEST, COUNT, HISTOGRAM, TOP, FRONT, MEMBERS)
}
