"""Exact Pareto fronts of points on arrays; knows no labels.

A point is optimal if no other is at least as good in every objective and better in one. A point with NaN in any
objective is never optimal and dominates nothing; infinities are ordinary values; -0.0 equals 0.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.errors import InvalidDataError, check_choice
from roofcube.kernels.pareto.points import (
    any_nan,
    as_codes,
    as_columns,
    compiling_pays,
    count_equals,
    dominated_by,
    non_dominated_few,
    signs_of,
    turned,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from roofcube.kernels.pareto.points import Columns, Points, Senses, Ties

__all__ = [
    "count_ties",
    "distance_to_front",
    "epsilon_front",
    "front_with_ties",
    "non_dominated",
    "non_dominated_by_group",
    "order_of_front",
]

FEW_GAPS = 1 << 20  # gaps between a point and one of the front that NumPy measures in about 30 ms


def non_dominated(points: Points, *, senses: Senses = None, ties: Ties = "all", threads: int = 1) -> NDArray[np.bool_]:
    """Mark the points that no other point dominates.

    Parameters
    ----------
    points : (points, objectives) array, or a tuple of one array per objective
        f4 and f8 are taken as they are, anything else as f8.
    senses : sequence of {"min", "max"}, optional
        One an objective; all are minimised if not given. No objective is copied to be turned.
    ties
        Of equal optimal points, keep ``"all"`` or only the ``"first"``.
    threads
        How many threads may share the first pass over the points.

    Returns
    -------
    (points,) bool array

    Raises
    ------
    InvalidDataError
        If the points are not in one of the two forms, or `senses` or `ties` are not among their choices.

    Examples
    --------
    >>> non_dominated([[1.0, 3.0], [2.0, 2.0], [2.0, 3.0]]).tolist()
    [True, True, False]
    """
    check_choice("ties", ties, ("all", "first"))
    columns = as_columns(points)
    return _mask(columns, None, signs_of(senses, columns), ties, threads)


def non_dominated_by_group(
    points: Points, groups: ArrayLike, *, senses: Senses = None, ties: Ties = "all", threads: int = 1
) -> NDArray[np.bool_]:
    """Mark the points that no other point of the same group dominates.

    Parameters
    ----------
    points, senses, ties
        As for `non_dominated`.
    groups : (points,) int array
        The group of each point, any integers; points of a negative group are never optimal.
    threads
        How many threads may work on large groups.

    Returns
    -------
    (points,) bool array

    Raises
    ------
    InvalidDataError
        As for `non_dominated`, or if the groups are not one integer a point.

    Examples
    --------
    >>> non_dominated_by_group([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]], [0, 0, 7]).tolist()
    [True, False, True]
    """
    check_choice("ties", ties, ("all", "first"))
    columns = as_columns(points)
    return _mask(columns, as_codes(groups, len(columns[0])), signs_of(senses, columns), ties, threads)


def front_with_ties(
    points: Points,
    *,
    senses: Senses = None,
    groups: ArrayLike | None = None,
    ties: Ties = "all",
    threads: int = 1,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the optimal points and how many points equal each.

    All equals of an optimal point are optimal, so they are counted on the front alone.

    Parameters
    ----------
    points, senses, ties, threads
        As for `non_dominated`.
    groups : (points,) int array, optional
        As for `non_dominated_by_group`: points of different groups neither dominate nor equal each other.

    Returns
    -------
    indices : (optimal,) int64 array
        Ascending.
    n_ties : (optimal,) int64 array
        How many points equal it in every objective, itself included.

    Raises
    ------
    InvalidDataError
        As for `non_dominated_by_group`.

    Examples
    --------
    >>> front_with_ties([[1.0, 1.0], [2.0, 2.0], [1.0, 1.0]], ties="first")
    (array([0]), array([2]))
    >>> front_with_ties([[1.0, 1.0], [2.0, 2.0], [1.0, 1.0]], groups=[0, 1, 1])
    (array([0, 2]), array([1, 1]))
    """
    check_choice("ties", ties, ("all", "first"))
    columns = as_columns(points)
    codes = None if groups is None else as_codes(groups, len(columns[0]))
    indices, costs = _front(columns, codes, signs_of(senses, columns), threads)
    first, counts = _equals(costs, None if codes is None else codes[indices])
    if ties == "all":
        return indices, counts[first]
    heads = np.flatnonzero(counts)
    return indices[heads], counts[heads]


def order_of_front(first: ArrayLike, groups: ArrayLike | None = None) -> NDArray[np.int64]:
    """Sort the points of a front by group, then by their first cost; equal ones stay in order of index.

    Parameters
    ----------
    first : (optimal,) float array
        The first objective, less is better, without NaN.
    groups : (optimal,) int array, optional
        The group of each.

    Returns
    -------
    (optimal,) int64 array

    Raises
    ------
    InvalidDataError
        If the costs are not one number a point, or the groups not one integer.

    Examples
    --------
    >>> order_of_front([2.0, 1.0, 1.0], [0, 1, 0]).tolist()
    [2, 0, 1]
    """
    (column,) = as_columns((first,), "first")
    codes = None if groups is None else as_codes(groups, len(column))
    if compiling_pays(len(column)):
        from roofcube.kernels.pareto import compiled

        return compiled.order_by(column, codes)
    return np.lexsort((column,) if codes is None else (column, codes))


def count_ties(points: Points, front_mask: ArrayLike) -> NDArray[np.int64]:
    """Count how many of all points equal each point of a front.

    Parameters
    ----------
    points
        As for `non_dominated`.
    front_mask : (points,) bool array
        What `non_dominated` gave for them, with either choice of `ties`.

    Returns
    -------
    (optimal,) int array
        In order of index; each counts itself.

    Raises
    ------
    InvalidDataError
        As for `non_dominated`, or if a marked point is not optimal.

    Examples
    --------
    >>> count_ties([[1.0, 1.0], [2.0, 2.0], [1.0, 1.0]], [True, False, False]).tolist()
    [2]
    """
    marked = np.flatnonzero(np.asarray(front_mask, np.bool_))
    # All points equal to an optimal one are optimal, so the whole front holds every equal.
    indices, counts = front_with_ties(points)
    places = np.searchsorted(indices, marked)
    if not np.array_equal(indices[np.minimum(places, len(indices) - 1)] if len(indices) else indices, marked):
        msg = "`front_mask`: expected only optimal points, got others; pass what `non_dominated` gave for these points"
        raise InvalidDataError(msg)
    return counts[places]


def epsilon_front(points: Points, epsilon: float, *, relative: bool = True, threads: int = 1) -> NDArray[np.bool_]:
    """Mark the points that would be on the front if they were better by `epsilon` in every objective.

    A point p is kept if no point q dominates p improved, which is p - epsilon·|p| (`relative`) or p - epsilon, each
    objective on its own. The other points stay as they are, so that epsilon 0 gives the front itself and a larger
    epsilon never fewer points.

    Parameters
    ----------
    points, threads
        As for `non_dominated`.
    epsilon
        At least 0; a share of each value if `relative`, else in the units of the objectives.
    relative
        Whether `epsilon` is a share.

    Returns
    -------
    (points,) bool array

    Raises
    ------
    InvalidDataError
        As for `non_dominated`, or if epsilon is negative or not finite.

    Examples
    --------
    >>> epsilon_front([[1.0, 1.0], [1.1, 1.05], [2.0, 2.0]], 0.1).tolist()
    [True, True, False]
    """
    if not 0 <= epsilon < np.inf:
        msg = f"`epsilon`: expected a finite number of at least 0, got {epsilon!r}; give the tolerance, 0 for the front"
        raise InvalidDataError(msg)
    columns = as_columns(points)
    _, costs = _front(columns, None, signs_of(None, columns), threads)
    distinct = np.flatnonzero(_equals(costs, None)[1])
    best = np.stack([column[distinct] for column in costs], axis=1)
    improved = tuple(_improved(column, epsilon, relative) for column in columns)
    if not compiling_pays(len(columns[0])):
        mask = ~any_nan(columns)
        for row in best:
            mask &= ~dominated_by(row, improved)
        return mask
    from roofcube.kernels.pareto import compiled

    return compiled.undominated_by(improved, best, threads)


def distance_to_front(points: Points, front: Points, *, relative: bool = True) -> NDArray[Any]:
    """Measure by how much each point must improve in every objective to get level with a front.

    The distance of p is the largest, over the points q of the front, of the least, over the objectives, of
    (p - q) / |p| (`relative`) or p - q; not less than 0. It is the relative or additive epsilon indicator of each
    point on its own: better by more than this in every objective, p would not be dominated. It is above 0 exactly
    where some q is better in every objective. What p and q share counts as 0, also at infinity; an objective that is
    infinitely worse, or worse at 0 if `relative`, as endless.

    Parameters
    ----------
    points
        As for `non_dominated`.
    front
        The points of the front, in the same form and the same objectives.
    relative
        Whether to measure in shares of each value.

    Returns
    -------
    (points,) float array
        0 on and beside the front, NaN for points with NaN.

    Raises
    ------
    InvalidDataError
        As for `non_dominated`, or if the front has other objectives.

    Examples
    --------
    >>> distance_to_front([[1.0, 1.0], [2.0, 4.0]], [[1.0, 1.0]]).tolist()
    [0.0, 0.5]
    """
    columns, best = as_columns(points), as_columns(front, "front")
    if len(columns) != len(best):
        msg = f"`front`: expected {len(columns)} objectives, got {len(best)}; pass the same objectives for both"
        raise InvalidDataError(msg)
    best = tuple(column[~any_nan(best)].astype(columns[0].dtype) for column in best)
    distance = np.zeros(len(columns[0]), columns[0].dtype)
    if not compiling_pays(len(columns[0]) * len(best[0]), FEW_GAPS):
        for row in zip(*best, strict=True):
            np.maximum(distance, _least_gap(columns, row, relative), out=distance)
    else:
        from roofcube.kernels.pareto import compiled

        compiled.distances(columns, best, relative, distance)
    distance[any_nan(columns)] = np.nan
    return distance


def _front(
    columns: Columns, codes: NDArray[np.int64] | None, signs: NDArray[Any], threads: int
) -> tuple[NDArray[np.int64], Columns]:
    """Find the indices of the optimal points, ascending, and their costs."""
    if compiling_pays(len(columns[0])):
        from roofcube.kernels.pareto import compiled

        if codes is None:
            return compiled.front(columns, signs, threads)
        return compiled.front_by_group(columns, codes, signs, threads)
    costs = turned(columns, signs)
    if codes is None:
        mask = non_dominated_few(costs)
    else:
        mask = np.zeros(len(codes), np.bool_)
        for code in np.unique(codes[codes >= 0]):
            members = np.flatnonzero(codes == code)
            mask[members] = non_dominated_few(tuple(column[members] for column in costs))
    indices = np.flatnonzero(mask)
    return indices, tuple(column[indices] for column in costs)


def _equals(costs: Columns, codes: NDArray[np.int64] | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find for each point the first that equals it, and count for each first its equals; 0 for the others."""
    if compiling_pays(len(costs[0])):
        from roofcube.kernels.pareto import compiled

        return compiled.hashed_equals(costs, codes)
    return count_equals(costs if codes is None else (*costs, codes))


def _mask(
    columns: Columns, codes: NDArray[np.int64] | None, signs: NDArray[Any], ties: Ties, threads: int
) -> NDArray[np.bool_]:
    indices, costs = _front(columns, codes, signs, threads)
    if ties == "first":
        indices = indices[np.flatnonzero(_equals(costs, None if codes is None else codes[indices])[1])]
    mask = np.zeros(len(columns[0]), np.bool_)
    mask[indices] = True
    return mask


def _improved(column: NDArray[Any], epsilon: float, relative: bool) -> NDArray[Any]:
    step = column.dtype.type(epsilon)
    with np.errstate(invalid="ignore", over="ignore"):
        better: NDArray[Any] = column - (step * np.abs(column) if relative else step)
    better[np.isinf(column)] = column[np.isinf(column)]
    return better


def _least_gap(columns: Columns, row: Sequence[Any], relative: bool) -> NDArray[Any]:
    least: NDArray[Any] = np.full(len(columns[0]), np.inf, columns[0].dtype)
    for column, value in zip(columns, row, strict=True):
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            gap = column - value
            if relative:
                gap = gap / np.abs(column)
        fixed = np.isinf(column) | ((column == 0) & relative)
        gap[fixed] = np.where(column[fixed] > value, np.inf, -np.inf)
        gap[column == value] = 0
        np.fmin(least, gap, out=least)
    return least
