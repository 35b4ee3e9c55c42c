"""Exact Pareto fronts of points on arrays; knows no labels.

A point is optimal if no other is at least as good in every objective and better in one. A point with NaN in any
objective is never optimal and dominates nothing; infinities are ordinary values; -0.0 equals 0.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.errors import InvalidDataError, check_choice
from roofcube.kernels.pareto.few import non_dominated_few
from roofcube.kernels.pareto.points import (
    as_codes,
    as_columns,
    compiling_pays,
    signs_of,
    turned,
)
from roofcube.kernels.pareto.ties import count_equals

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from roofcube.kernels.pareto.points import Columns, Points, Senses, Ties

__all__ = [
    "count_ties",
    "front_with_equals",
    "front_with_ties",
    "non_dominated",
    "non_dominated_by_group",
    "optimal",
    "order_of_front",
]


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
    indices, first, counts = front_with_equals(points, senses, groups, threads)
    if ties == "all":
        return indices, counts[first]
    heads = np.flatnonzero(counts)
    return indices[heads], counts[heads]


def front_with_equals(
    points: Points,
    senses: Senses = None,
    groups: ArrayLike | None = None,
    threads: int = 1,
    missing: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.intp], NDArray[np.int64]]:
    """Find the optimal points, and of each the first that equals it; errors are those of `front_with_ties`.

    Parameters
    ----------
    points, senses, groups, threads
        As for `front_with_ties`.
    missing : (objectives,) int64 array, optional
        To it is added how many points have NaN in each objective: the pass over the points sees them anyway.

    Returns
    -------
    indices : (optimal,) int64 array
        Ascending.
    first : (optimal,) int array
        Places in `indices`.
    counts : (optimal,) int64 array
        How many points equal it, itself included; 0 where another is the first.

    Examples
    --------
    >>> front_with_equals([[1.0, 1.0], [2.0, 2.0], [1.0, 1.0]])
    (array([0, 2]), array([0, 0]), array([2, 0]))
    """
    columns = as_columns(points)
    codes = None if groups is None else as_codes(groups, len(columns[0]))
    indices, costs = optimal(columns, codes, signs_of(senses, columns), threads, missing)
    return indices, *count_equals(costs, None if codes is None else codes[indices])


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


def optimal(
    columns: Columns,
    codes: NDArray[np.int64] | None,
    signs: NDArray[Any],
    threads: int,
    missing: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int64], Columns]:
    """Find the indices of the optimal points, ascending, and costs; add to `missing` the NaN of each objective."""
    compiles = compiling_pays(len(columns[0]))
    if missing is not None and not (compiles and codes is None):
        missing += [np.count_nonzero(np.isnan(column)) for column in columns]
    if compiles:
        from roofcube.kernels.pareto import compiled

        if codes is None:
            return compiled.front(columns, signs, threads, missing)
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


def _mask(
    columns: Columns, codes: NDArray[np.int64] | None, signs: NDArray[Any], ties: Ties, threads: int
) -> NDArray[np.bool_]:
    indices, costs = optimal(columns, codes, signs, threads)
    if ties == "first":
        indices = indices[np.flatnonzero(count_equals(costs, None if codes is None else codes[indices])[1])]
    mask = np.zeros(len(columns[0]), np.bool_)
    mask[indices] = True
    return mask
