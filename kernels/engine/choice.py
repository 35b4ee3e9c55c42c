"""Which way a question is answered: what a search by bounds and a visit of every point should cost, and did cost."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.bounds.bounder import bounder_of
from roofcube.kernels.bounds.boxes import fits
from roofcube.kernels.budget import Budget, BudgetExceeded
from roofcube.kernels.engine.costs import RATES, box_seconds, index_seconds, kernel_seconds, tile_seconds
from roofcube.kernels.engine.scans import scannable
from roofcube.kernels.engine.stream import sampled_seconds
from roofcube.kernels.query.history import Searched

if TYPE_CHECKING:
    from collections.abc import Hashable

    from roofcube.kernels.engine.reductions import Reduction
    from roofcube.kernels.query.query import Query

__all__ = [
    "Outlook",
    "SearchRun",
    "look",
    "note_visit",
    "outlook",
    "pays_to_compile",
    "search_of",
    "startup_seconds",
    "visit_outlook",
]

Arguments = tuple[Any, ...]


@dataclass(frozen=True)
class Outlook:
    """What answering should take.

    Attributes
    ----------
    visit : float
        Seconds to visit every point.
    measured : bool
        Whether those are of a visit that was made.
    search : float
        Seconds to search by bounds; infinite where bounds do not serve.
    share : float
        Part of the visit's seconds that a search gets before it has to promise an end.
    compiled : bool
        Whether a generated kernel visits the points.
    known : bool
        Whether the search's seconds are those of a search that ended.
    """

    visit: float
    measured: bool
    search: float
    share: float
    compiled: bool
    known: bool
    doubt: float

    @property
    def searches(self) -> bool:
        """Whether a search is tried first: what is known wins over what is only expected, unless by far."""
        return self.search < self.visit * (self.doubt if self.known and not self.measured else 1.0)


def outlook(reduction: Reduction[Any], query: Query, arguments: Arguments, threads: int, worth: float = 1.0) -> Outlook:
    """Return what answering by either way should take; `worth` is the part of a visit that the answer replaces."""
    compiled = pays_to_compile(reduction, query, arguments, threads)
    visit, measured = visit_outlook(reduction, query, arguments, threads, compiled=compiled)
    serves = reduction.search is not None and fits(query) and query.space.size > 0
    search, share, known = _search(reduction, query, arguments, worth * visit) if serves else (np.inf, 0.0, False)
    return Outlook(worth * visit, measured, search, share, compiled, known, reduction.doubt)


def visit_outlook(
    reduction: Reduction[Any], query: Query, arguments: Arguments, threads: int, *, compiled: bool
) -> tuple[float, bool]:
    """Return what a visit of every point should take, and whether one like it was measured."""
    if not query.space.size:
        return 0.0, True
    measured = query.history.visits.get(_visited(reduction, query, arguments, threads, compiled=compiled))
    if measured is not None:
        return measured, True
    seconds = kernel_seconds if compiled else tile_seconds
    return seconds(query, reduction, arguments) / threads, False


def _search(reduction: Reduction[Any], query: Query, arguments: Arguments, visit: float) -> tuple[float, float, bool]:
    """Expect the seconds of a search and say what share of the visit's it gets; and whether they are known."""
    tuning, history = query.tuning, query.history
    prepare = index_seconds(query)
    if history.spent > prepare:
        prepare = 0.0  # visits have cost as much by now: the next questions are worth an index
    past, exact = history.searched(kind_of(reduction, query, arguments), values_of(query, arguments))
    if past is None:
        first = tuning.least_search_seconds + 20 * query.n_groups * box_seconds(query)
        return prepare + first, tuning.search_share, False
    if past.ended:
        return past.seconds, 1.0 if exact else tuning.search_share, True
    if exact or past.seconds < visit:
        return past.seconds, tuning.search_share, False
    # other values of the same limits may be easier: it costs little to see
    return prepare + tuning.least_search_seconds, tuning.doubtful_share, False


def look(
    reduction: Reduction[Any],
    query: Query,
    arguments: Arguments,
    threads: int,
    seconds: float,
    *,
    bounds_only: bool = False,
) -> tuple[bool, float]:
    """Look for some time how a search would go, and expect what the whole answer takes.

    Parameters
    ----------
    reduction, query, arguments, threads
    seconds : float
        How long to look.
    bounds_only : bool
        Whether a search would never be given up.

    Returns
    -------
    searched : bool
        Whether the answer would come from a search, else from a visit of every point.
    seconds : float
        What answering should take.
    """
    expected = outlook(reduction, query, arguments, threads)
    visit = np.inf if bounds_only else expected.visit
    if expected.compiled:
        visit += startup_seconds(reduction, query, arguments)
    if reduction.search is None or not (bounds_only or expected.searches) or np.isinf(expected.search):
        return False, visit
    if expected.known:
        return True, expected.search
    for _ in range(2):  # once more, without what is prepared but once
        budget = _budget(query, visit, expected.share, probed=True, look=seconds)
        run = SearchRun(reduction, query, arguments, budget, bounder_of(query).seconds)
        try:
            reduction.search(query, *arguments, budget=budget)
        except BudgetExceeded:
            if budget.projected <= visit:
                return True, budget.projected
            return False, visit + min(expected.share * expected.visit, budget.spent)
        run.note(ended=True)
    return True, budget.spent


def pays_to_compile(reduction: Reduction[Any], query: Query, arguments: Arguments, threads: int) -> bool:
    """Check whether a generated kernel visits the points sooner than NumPy, getting it ready included."""
    if not scannable(query):
        return False
    tuning = query.tuning
    kernel = kernel_seconds(query, reduction, arguments) / threads
    spared = tile_seconds(query, reduction, arguments) / threads - kernel
    # what was spent on like questions may be spent once more on having them cheaper from now on
    worth = spared + query.history.spent if spared > 0 else 0.0
    if worth > tuning.compile_seconds:
        return True
    if worth < tuning.rows_seconds or "numba" not in sys.modules:
        return False
    readiness = reduction.rows(query, *arguments).readiness
    return readiness == "loaded" or (readiness == "cached" and worth > tuning.load_seconds)


def startup_seconds(reduction: Reduction[Any], query: Query, arguments: Arguments) -> float:
    """Expect what it takes to have the kernel of a visit in memory."""
    tuning = query.tuning
    seconds = {"loaded": 0.0, "cached": tuning.load_seconds, "absent": tuning.compile_seconds}
    return seconds[reduction.rows(query, *arguments).readiness]


@dataclass
class SearchRun:
    """A search within its budget, and what is remembered of it."""

    reduction: Reduction[Any]
    query: Query
    arguments: Arguments
    budget: Budget
    prepared: float

    def note(self, *, ended: bool) -> None:
        """Remember what the search took, without what is prepared but once."""
        spent = self.budget.spent - (bounder_of(self.query).seconds - self.prepared)
        seconds = spent if ended else max(spent, self.budget.projected)
        kind, values = kind_of(self.reduction, self.query, self.arguments), values_of(self.query, self.arguments)
        self.query.history.note_search(kind, values, Searched(seconds, ended), self.budget.spent)
        if self.budget.boxes > self.query.tuning.split_boxes:  # of fewer, calls cost more than boxes
            RATES.learn("boxes", self.budget.boxes * self.budget.box_seconds / RATES.of("boxes"), spent)


def search_of(
    reduction: Reduction[Any], query: Query, arguments: Arguments, threads: int, worth: float
) -> SearchRun | None:
    """Set up a search, or give None where a visit should take less."""
    expected = outlook(reduction, query, arguments, threads, worth)
    if not expected.searches:
        return None
    refine = None
    if not expected.measured:
        refine = partial(_measured_seconds, reduction, query, arguments, threads, worth, expected.compiled)
    prepared = bounder_of(query).seconds
    probed = not expected.known and expected.visit > query.tuning.probed_seconds
    budget = _budget(query, expected.visit, expected.share, probed=probed, refine=refine)
    return SearchRun(reduction, query, arguments, budget, prepared)


def _budget(query: Query, visit: float, share: float, **more: Any) -> Budget:
    return Budget(visit, box_seconds(query), share, hopeless=query.tuning.hopeless_search, **more)


def _measured_seconds(
    reduction: Reduction[Any], query: Query, arguments: Arguments, threads: int, worth: float, compiled: bool
) -> float:
    """Measure what a visit would take on a few of its jobs; only expect it where they would have to be compiled."""
    if compiled and startup_seconds(reduction, query, arguments) >= query.tuning.compile_seconds:
        expected = reduction.doubt * kernel_seconds(query, reduction, arguments) / threads
        return worth * (expected + query.tuning.compile_seconds)
    return worth * sampled_seconds(reduction, query, *arguments, compiled=compiled) / threads


def note_visit(
    reduction: Reduction[Any], query: Query, arguments: Arguments, seconds: float, *, compiled: bool, threads: int
) -> None:
    """Remember what a visit took."""
    if not query.space.size:
        return
    query.history.note_visit(_visited(reduction, query, arguments, threads, compiled=compiled), seconds)
    expected = (kernel_seconds if compiled else tile_seconds)(query, reduction, arguments)
    what = reduction.name if compiled else f"tiles {reduction.name}"
    RATES.learn(what, expected / RATES.of(what), seconds * threads)


def _visited(
    reduction: Reduction[Any], query: Query, arguments: Arguments, threads: int, *, compiled: bool
) -> Hashable:
    return kind_of(reduction, query, arguments), threads, compiled


def kind_of(reduction: Reduction[Any], query: Query, arguments: Arguments) -> Hashable:
    """Name the kind of a question: what is asked of which outputs, with limits of which form."""
    limits = tuple((one.name, one.low is None, one.high is None, one.one_of is None) for one in query.limits)
    sizes = tuple(len(one).bit_length() if isinstance(one, np.ndarray) else one for one in arguments)
    return reduction.name, query.groups, query.objectives, limits, sizes


def values_of(query: Query, arguments: Arguments) -> Hashable:
    """Name a question of its kind exactly."""
    return query.limits, tuple(one.tobytes() if isinstance(one, np.ndarray) else one for one in arguments)
