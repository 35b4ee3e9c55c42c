"""What to look for in a space: objectives, limits and groups over a folded graph; all engines answer the same queries.

A query's space has the group axes first, then the others in the order that decides ties, so that within a group the
flat index orders points as the full space does. Axes that nothing depends on are left out; `Query.copies` says how
many points each one stands for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.graph.space import Keeper, fold
from roofcube.kernels.tuning import TUNING, Tuning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roofcube.kernels.graph.expression import Node
    from roofcube.kernels.graph.space import Space

__all__ = ["Limit", "Query", "ask"]

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Limit:
    """Both ends inclusive, None where open; NaN meets no limit.

    Attributes
    ----------
    name : str
        Output that is limited.
    low, high : float or None
    one_of : tuple of float, optional
        The only values allowed, instead of a range.
    """

    name: str
    low: float | None = None
    high: float | None = None
    one_of: tuple[float, ...] | None = None

    def met(self, values: Array) -> Array:
        """Say where values meet the limit; ends are rounded to the dtype of the values."""
        low, high, one_of = self.rounded(values.dtype)
        if one_of is not None:
            met = np.zeros(values.shape, dtype=bool)
            for value in one_of:
                met |= values == value
            return met
        if low is None and high is None:
            return ~np.isnan(values)
        met = values >= low if low is not None else values <= high
        if low is not None and high is not None:
            met &= values <= high
        return np.asarray(met)

    def rounded(self, dtype: Any) -> tuple[Any, Any, Any]:
        """Give `low`, `high` and `one_of` in a dtype; what is finite does not become infinite."""
        kind = np.dtype(dtype).type
        largest = np.finfo(kind).max
        with np.errstate(over="ignore"):
            low, high = (None if end is None else kind(end) for end in (self.low, self.high))
            one_of = None if self.one_of is None else tuple(kind(value) for value in self.one_of)
        if high == np.inf and self.high < np.inf:  # type: ignore[operator]
            high = largest
        if low == -np.inf and self.low > -np.inf:  # type: ignore[operator]
            low = -largest
        if one_of is not None:
            given = zip(self.one_of, one_of, strict=True)  # type: ignore[arg-type]
            one_of = tuple(own for value, own in given if np.isfinite(own) or not np.isfinite(value))
        return low, high, one_of


@dataclass(frozen=True, eq=False)
class Query(Keeper):
    """A folded space with what is asked of it.

    Attributes
    ----------
    space : Space
        Axes: groups first, then the others in tie order; only those that something depends on.
    outputs : mapping of name to Node
        Objectives and limited outputs.
    groups : int
        Number of leading axes that are groups.
    objectives : tuple of (str, int)
        Output and sign: 1 where more is better, -1 where less is.
    limits : tuple of Limit
    copies : int
        Points of the full space for each point of this one, within a group.
    tuning : Tuning
        What decides how it is answered, never the answer.
    """

    space: Space
    outputs: Mapping[str, Node]
    groups: int
    objectives: tuple[tuple[str, int], ...]
    limits: tuple[Limit, ...]
    copies: int = 1
    tuning: Tuning = TUNING

    @property
    def group_sizes(self) -> tuple[int, ...]:
        """Lengths of the group axes."""
        return self.space.sizes[: self.groups]

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return prod(self.group_sizes)

    @property
    def group_points(self) -> int:
        """Points in each group."""
        return prod(self.space.sizes[self.groups :])

    def group(self, number: int) -> Query:
        """Give the query of one group alone, without its axes."""
        if not self.groups:
            return self
        fixed = np.unravel_index(number, self.group_sizes)
        chosen = {axis: np.array([k]) for axis, k in zip(self.space.axes, fixed, strict=False)}
        space = self.space.take(chosen).reordered(self.space.axes[self.groups :])
        return replace(self, space=space, groups=0)

    def valid(self, values: Mapping[str, Array], shape: tuple[int, ...]) -> Array:
        """Say which points meet all limits and have all objectives."""
        valid = np.ones(shape, dtype=bool)
        for limit in self.limits:
            valid &= limit.met(values[limit.name])
        for name, _ in self.objectives:
            valid &= ~np.isnan(values[name])
        return valid


def ask(
    space: Space,
    outputs: Mapping[str, Node],
    *,
    objectives: Sequence[tuple[str, int]] = (),
    limits: Sequence[Limit] = (),
    per: Sequence[str] = (),
    also: Sequence[str] = (),
    points: int | None = None,
    tuning: Tuning = TUNING,
) -> Query:
    """Fold a graph down to what a query needs.

    Parameters
    ----------
    space : Space
    outputs : mapping of name to Node
        May hold more than the query needs.
    objectives, limits, per
        See `Query`; group axes that nothing depends on are left out like any other.
    also : sequence of str
        Further outputs to keep.
    points : int, optional
        Largest table to fold, in entries. Default: as large as all together stay small.
    tuning : Tuning

    Returns
    -------
    Query
    """
    names = [name for name, _ in objectives] + [limit.name for limit in limits] + list(also)
    needed = {name: outputs[name] for name in dict.fromkeys(names)}
    for limit in tuning.fold_steps if points is None else (points,):
        folded, graph = fold(space, needed, points=limit)
        if sum(_pyramid_points(table) for table in folded.tables.values()) <= tuning.indexed_points:
            break
    used = frozenset[str]().union(*(folded.axes_of(node) for node in graph.values())) if graph else frozenset[str]()
    empty = {axis for axis, size in zip(space.axes, space.sizes, strict=True) if size == 0}
    kept = [axis for axis in per if axis in used | empty]
    others = [axis for axis in space.axes if axis in used | empty and axis not in per]
    sizes = dict(zip(space.axes, space.sizes, strict=True))
    copies = prod(size for axis, size in sizes.items() if axis not in {*per, *others})
    ordered = folded.reordered([*kept, *others])
    return Query(ordered, graph, len(kept), tuple(objectives), tuple(limits), copies, tuning)


def _pyramid_points(table: Array) -> float:
    """Estimate the entries of a table with its index trees: half as many again for every axis."""
    return float(table.size * 1.5 ** sum(length > 1 for length in table.shape))
