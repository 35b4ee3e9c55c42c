"""What to look for in a space: objectives, limits and groups over a folded graph; all engines answer the same queries.

A query's space has the group axes first, then the others in the order that decides ties, so that within a group the
flat index orders points as the full space does. Axes that nothing depends on are left out; `Query.copies` says how
many points each one stands for.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import isfinite, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.errors import InvalidDataError
from roofcube.kernels.graph.space import Memo, Space, fold
from roofcube.kernels.query.history import History
from roofcube.kernels.tuning import TUNING, Tuning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roofcube.kernels.graph.expression import Node

__all__ = ["Limit", "Query", "ask"]

Array = np.ndarray[Any, np.dtype[Any]]
MOST_POINTS = 1 << 63  # flat indices and counts are 64-bit integers
PREPARED_GROUPS = 64  # groups that are kept apart for the next question about them


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
        """Return where values meet the limit; ends are rounded to the dtype of the values."""
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
        """Return `low`, `high` and `one_of` in a dtype; what is finite does not become infinite."""
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
            one_of = tuple(own for value, own in given if np.isfinite(own) or not isfinite(value))
        return low, high, one_of


@dataclass(frozen=True, eq=False)
class Query(Memo):
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
    unfolded : (Space, outputs), optional
        The same before it was folded, for readers that fold otherwise; its axes may be more, in another order.
    history : History
        What questions of the same graph have cost; queries with other limits share it.
    """

    space: Space
    outputs: Mapping[str, Node]
    groups: int
    objectives: tuple[tuple[str, int], ...]
    limits: tuple[Limit, ...]
    copies: int = 1
    tuning: Tuning = TUNING
    unfolded: tuple[Space, Mapping[str, Node]] | None = field(default=None, repr=False)
    history: History = field(default_factory=History, repr=False)

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
        """Return the query of one group alone, without its axes."""
        if not self.groups:
            return self
        groups = self.space.cache.setdefault("groups", {})
        if number not in groups:
            fixed = np.unravel_index(number, self.group_sizes)
            chosen = {axis: np.array([k]) for axis, k in zip(self.space.axes, fixed, strict=False)}
            alone = self.space.take(chosen).reordered(self.space.axes[self.groups :])
            unfolded = self.unfolded and (self.unfolded[0].take(chosen), self.unfolded[1])
            if len(groups) >= PREPARED_GROUPS:
                return replace(self, space=alone, unfolded=unfolded, groups=0)
            groups[number] = alone, unfolded
        space, unfolded = groups[number]
        return replace(self, space=space, unfolded=unfolded, groups=0)

    def folded(self, points: int, together: frozenset[str]) -> tuple[Space, dict[str, Node]]:
        """Fold the graph anew, from as it was before if that has the same axes; see `fold`."""
        if self.unfolded is not None:
            space, outputs = fold(*self.unfolded, points=points, together=together)
            used = frozenset[str]().union(*(space.axes_of(node) for node in outputs.values()))
            if used <= set(self.space.axes):
                return space.reordered(self.space.axes), outputs
        return fold(self.space, self.outputs, points=points, together=together)

    def valid(self, values: Mapping[str, Array], shape: tuple[int, ...]) -> Array:
        """Return which points meet all limits and have all objectives."""
        valid = np.ones(shape, dtype=bool)
        for limit in self.limits:
            valid &= limit.met(values[limit.name])
        for name, _ in self.objectives:
            valid &= ~np.isnan(values[name])
        return valid


def check_countable(sizes: Mapping[str, int]) -> None:
    """Raise where axes of some sizes make more points than whole numbers of 64 bits count.

    Raises
    ------
    InvalidDataError
        Naming the sizes.
    """
    points = prod(sizes.values())
    if points >= MOST_POINTS:
        product = " × ".join(f"{axis} {size}" for axis, size in sizes.items() if size > 1)
        # a whole number may exceed what a float holds
        magnitude = f"{points:.3g}" if points < 10**300 else f"a number of {len(str(points))} digits"
        msg = (
            f"`space`: expected fewer than 2^63 = 9.2e18 points, got {magnitude} ({product}); "
            "leave labels or dims out, or keep fewer with limits on labels"
        )
        raise InvalidDataError(msg)


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

    Raises
    ------
    InvalidDataError
        If the space has so many points that they cannot be numbered.
    """
    check_countable(dict(zip(space.axes, space.sizes, strict=True)))
    names = [name for name, _ in objectives] + [limit.name for limit in limits] + list(also)
    needed = {name: outputs[name] for name in dict.fromkeys(names)}
    room = _indexed_entries(space, needed, tuning)
    for limit in [step for step in tuning.fold_steps if step <= room] if points is None else (points,):
        folded, graph = fold(space, needed, points=limit)
        if sum(_indexed(table) for table in folded.tables.values()) <= room:
            break
    used = frozenset[str]().union(*(folded.axes_of(node) for node in graph.values())) if graph else frozenset[str]()
    empty = {axis for axis, size in zip(space.axes, space.sizes, strict=True) if size == 0}
    kept = [axis for axis in per if axis in used | empty]
    others = [axis for axis in space.axes if axis in used | empty and axis not in per]
    sizes = dict(zip(space.axes, space.sizes, strict=True))
    copies = prod(size for axis, size in sizes.items() if axis not in {*per, *others})
    ordered = folded.reordered([*kept, *others])
    return Query(ordered, graph, len(kept), tuple(objectives), tuple(limits), copies, tuning, (space, needed))


def _indexed_entries(space: Space, outputs: Mapping[str, Node], tuning: Tuning) -> int:
    """Return how many entries of range indexes a space of this size is worth."""
    dependence = space.dependence(outputs.values())
    used = frozenset[str]().union(*(dependence[node] for node in outputs.values()))
    points = prod(size for axis, size in zip(space.axes, space.sizes, strict=True) if axis in used)
    return min(tuning.indexed_points, max(min(tuning.fold_steps), points // tuning.points_an_entry))


def _indexed(table: Array) -> float:
    """Estimate the entries of a table with its range index: half as many again for every axis."""
    return float(table.size * 1.5 ** sum(length > 1 for length in table.shape))
