"""What every view of the explorer shows of one state: counts, front, best; and what is asked for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import xarray as xr

    from roofcube.explorer.categories import Category
    from roofcube.explorer.rows import Rows
    from roofcube.explorer.state import View
    from roofcube.kernels.budget import Stop
    from roofcube.vocabulary import Sense

__all__ = [
    "EXPLORED",
    "LATENCIES",
    "MOST_CELLS",
    "Answer",
    "AtLatency",
    "Grid",
    "Source",
    "Step",
    "limits_of",
    "where_of",
]

Array = np.ndarray[Any, np.dtype[Any]]
MOST_CELLS = 2_500  # of a heatmap that are marks; more are an image
EXPLORED = "explored"  # names the mask of the rows of a kind
LATENCIES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)  # s; columns of the table of what fits into a time


@dataclass(frozen=True)
class Step:
    """What one condition removed of what those before it left."""

    name: str
    words: str
    removed: int


@dataclass(frozen=True)
class Answer:
    """One answer for all views.

    Attributes
    ----------
    rows : Rows
        That the numbers below refer to.
    total : int
        Points of the space; of a stored cube, rows.
    steps : tuple of Step
    left : int
        Points that meet all conditions and have the figures of both axes.
    front : array of int
        Rows, from left to right along x.
    best : int
        Row with the best objective; -1 where nothing is left.
    inside : array of bool
        Which rows meet all conditions.
    drawn : array of int
        Rows that are drawn as marks.
    doubtful : int
        Points left that carry a flag; -1 where it was not counted.
    counts : dict of name to array of int
        Points with each label that all other conditions leave.
    bars : dict of name to array of int
        Points in each of equal steps along a range.
    image : tuple or None
        Counts of points over the axes (y, x) and their edges, where not all of them are marks.
    sampled : int
        Points of a sample of the space that stand for all others; 0 where every point is known.
    """

    rows: Rows
    total: int
    steps: tuple[Step, ...]
    left: int
    front: Array
    best: int
    inside: Array
    drawn: Array
    doubtful: int
    counts: dict[str, Array] = field(default_factory=dict)
    bars: dict[str, Array] = field(default_factory=dict)
    image: tuple[Array, Array, Array] | None = None
    sampled: int = 0


@dataclass(frozen=True)
class Grid:
    """The best objective for each pair of labels; NaN where nothing is left.

    Attributes
    ----------
    rows, columns : list of str
    values : array (rows, columns)
    names : array of str
        The configuration behind each cell; empty where there are too many.
    id_at : callable
        Gives the id of the configuration behind a cell, by row and column.
    """

    rows: list[str]
    columns: list[str]
    values: Array
    names: Array
    id_at: Callable[[int, int], str]


@dataclass(frozen=True)
class AtLatency:
    """The best objective for each label (rows) within each latency (columns); NaN where nothing is fast enough."""

    dim: str
    labels: list[str]
    texts: list[str]
    values: Array


class Source(Protocol):
    """What is explored: a stored cube or a sweep; read only, shared by all sessions."""

    title: str
    cube: Any
    kinds: tuple[str, ...]
    careful: bool

    def measures(self, kind: str) -> list[str]:
        """Name the variables that can be an objective or an axis."""

    def numbers(self, kind: str) -> list[str]:
        """Name the variables that a limit can be on."""

    def categories(self, kind: str) -> dict[str, Category]:
        """Return everything whose labels can be chosen."""

    def ranges(self, kind: str) -> list[str]:
        """Name the coordinates of which a range is chosen."""

    def sense(self, name: str) -> Sense:
        """Return which way of a variable is better."""

    def unit(self, name: str) -> str:
        """Return the SI unit of a variable."""

    def extent(self, kind: str, name: str) -> tuple[float, float]:
        """Return the least and the largest value of a variable."""

    def anchored(self, view: View, names: Iterable[str]) -> dict[str, Any]:
        """Return what keeps a question on variables to the rows of a kind, where neither they nor the limits do."""

    def hidden(self, kind: str) -> dict[str, Any]:
        """Return the limits that leave out what is doubtful."""

    def ask(self, view: View, stop: Stop | None = None) -> Answer:
        """Answer for all views."""

    def find(self, kind: str, ids: list[str]) -> list[str]:
        """Return the ids that no row has."""

    def selection(self, view: View) -> xr.Dataset:
        """Return what is selected, as points."""

    def grid(self, view: View, stop: Stop | None = None) -> Grid:
        """Return the best of each pair of labels of the dims on the axes of the heatmap."""

    def at_latency(self, view: View, stop: Stop | None = None) -> AtLatency | None:
        """Return the best objective within each latency; None where no latency is known."""

    def asked_of(self, stop: Stop | None = None) -> Any:
        """Return what the questions of roofcube take: a Dataset or a Sweep."""

    def script(self, kind: str, *, anchored: bool) -> str:
        """Write how a reader gets what `asked_of` and `anchored` return from `cube`; empty where nothing is needed."""


def limits_of(view: View, source: Source) -> dict[str, Any]:
    """Return the conditions of a state, in the order in which they count, as `where` takes them."""
    conditions: dict[str, Any] = dict(view.limits)
    hidden = source.hidden(view.kind) if view.hide_doubts else {}
    for name, condition in {**view.keep, **hidden}.items():
        conditions[name] = _both(conditions[name], condition) if name in conditions else condition
    return conditions


def _both(limit: Any, condition: Any) -> Any:
    """Return a range and another condition on the same variable as one: the labels in the range, or what both hold."""
    low, high = _low_and_high(limit)
    if isinstance(condition, list):
        return [label for label in condition if low <= label <= high]
    other_low, other_high = _low_and_high(condition)
    low, high = max(low, other_low), min(high, other_high)
    return (low, high) if low <= high else (float("inf"), float("inf"))


def _low_and_high(limit: Any) -> tuple[float, float]:
    low, high = limit
    return -np.inf if low is None else low, np.inf if high is None else high


def where_of(view: View, source: Source, names: Iterable[str]) -> dict[str, Any]:
    """Return the same with what keeps a question on some variables to the rows that are explored."""
    return {**source.anchored(view, names), **limits_of(view, source)}
