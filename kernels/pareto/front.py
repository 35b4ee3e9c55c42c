"""Exact Pareto fronts of points on arrays, all objectives minimised; knows no labels.

A point is optimal if no other is at least as good in every objective and better in one. A point with NaN in any
objective is never optimal and dominates nothing; infinities are ordinary values; -0.0 equals 0.0.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from roofcube.errors import InvalidDataError, check_choice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "count_ties",
    "distance_to_front",
    "epsilon_front",
    "front_with_ties",
    "non_dominated",
    "non_dominated_by_group",
    "non_dominated_numpy",
]

Points: TypeAlias = "ArrayLike | Sequence[ArrayLike]"
Columns: TypeAlias = "tuple[NDArray[Any], ...]"
Ties: TypeAlias = Literal["all", "first"]

COMPILED = "roofcube.kernels.pareto.compiled"
SMALL = 4096  # loading numba takes 0.5 s; NumPy's worst case, 4096 optimal points of five objectives, 0.15 s


def non_dominated(points: Points, *, ties: Ties = "all", threads: int = 1) -> NDArray[np.bool_]:
    """Mark the points that no other point dominates.

    Parameters
    ----------
    points : (points, objectives) array, or a tuple of one array per objective
        All objectives are minimised; negate those to maximise. f4 and f8 are taken as they are, anything else as f8.
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
        If the points are not in one of the two forms, or `ties` is not one of its choices.

    Examples
    --------
    >>> non_dominated([[1.0, 3.0], [2.0, 2.0], [2.0, 3.0]]).tolist()
    [True, True, False]
    """
    check_choice("ties", ties, ("all", "first"))
    columns = as_columns(points)
    if len(columns[0]) <= SMALL and COMPILED not in sys.modules:
        mask = _numpy_mask(columns)
    else:
        from roofcube.kernels.pareto import compiled

        mask = compiled.front_mask(columns, threads)
    return mask if ties == "all" else _first_of_equals(columns, mask)


def non_dominated_numpy(points: Points, *, ties: Ties = "all") -> NDArray[np.bool_]:
    """Mark the points that no other point dominates, in NumPy alone: the twin of `non_dominated`.

    Parameters
    ----------
    points, ties
        As for `non_dominated`.

    Returns
    -------
    (points,) bool array

    Raises
    ------
    InvalidDataError
        As for `non_dominated`.

    Examples
    --------
    >>> non_dominated_numpy([[1.0, 1.0], [1.0, 1.0]], ties="first").tolist()
    [True, False]
    """
    check_choice("ties", ties, ("all", "first"))
    columns = as_columns(points)
    mask = _numpy_mask(columns)
    return mask if ties == "all" else _first_of_equals(columns, mask)


def non_dominated_by_group(
    points: Points, groups: ArrayLike, *, ties: Ties = "all", threads: int = 1
) -> NDArray[np.bool_]:
    """Mark the points that no other point of the same group dominates.

    Parameters
    ----------
    points, ties
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
    codes = _as_codes(groups, len(columns[0]))
    mask = np.zeros(len(codes), np.bool_)
    if len(codes) <= SMALL and COMPILED not in sys.modules:
        for code in np.unique(codes[codes >= 0]):
            members = np.flatnonzero(codes == code)
            mask[members] = _numpy_mask(tuple(column[members] for column in columns))
    else:
        from roofcube.kernels.pareto import compiled

        compiled.front_mask_by_group(columns, codes, mask, threads)
    return mask if ties == "all" else _first_of_equals((*columns, codes), mask)


def front_with_ties(
    points: Points, *, ties: Ties = "all", threads: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the optimal points and how many points equal each.

    Parameters
    ----------
    points, ties, threads
        As for `non_dominated`.

    Returns
    -------
    indices : (optimal,) int array
        Ascending.
    counts : (optimal,) int array
        How many of all points equal it in every objective, itself included.

    Raises
    ------
    InvalidDataError
        As for `non_dominated`.

    Examples
    --------
    >>> front_with_ties([[1.0, 1.0], [2.0, 2.0], [1.0, 1.0]], ties="first")
    (array([0]), array([2]))
    """
    columns = as_columns(points)
    indices = np.flatnonzero(non_dominated(columns, ties="all", threads=threads))
    check_choice("ties", ties, ("all", "first"))
    first, counts = _equals(tuple(column[indices] for column in columns))
    return (indices, counts) if ties == "all" else (indices[first], counts[first])


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
    front = np.flatnonzero(non_dominated(columns, ties="first", threads=threads))
    best = np.stack([column[front] for column in columns], axis=1)
    improved = tuple(_improved(column, epsilon, relative) for column in columns)
    if len(columns[0]) <= SMALL and COMPILED not in sys.modules:
        mask = ~_any_nan(columns)
        for row in best:
            mask &= ~_dominates(row, improved)
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
    columns, best = as_columns(points), as_columns(front)
    if len(columns) != len(best):
        msg = f"`front`: expected {len(columns)} objectives, got {len(best)}; pass the same objectives for both"
        raise InvalidDataError(msg)
    best = tuple(column[~_any_nan(best)].astype(columns[0].dtype) for column in best)
    distance = np.zeros(len(columns[0]), columns[0].dtype)
    if len(columns[0]) * len(best[0]) <= SMALL**2 // 16 and COMPILED not in sys.modules:
        for row in zip(*best, strict=True):
            np.maximum(distance, _least_gap(columns, row, relative), out=distance)
    else:
        from roofcube.kernels.pareto import compiled

        compiled.distances(columns, best, relative, distance)
    distance[_any_nan(columns)] = np.nan
    return distance


def as_columns(points: Points) -> Columns:
    """Take points in either form as one array per objective, of one float dtype, without a copy where none is due."""
    if isinstance(points, tuple):
        arrays = [np.asarray(column) for column in points]
        if not arrays or any(array.ndim != 1 or len(array) != len(arrays[0]) for array in arrays):
            shapes = ", ".join(str(array.shape) for array in arrays)
            msg = f"`points`: expected columns of one length, got shapes {shapes or '()'}; ravel them in the same order"
            raise InvalidDataError(msg)
    else:
        array = np.asarray(points)
        if array.ndim != 2 or array.shape[1] == 0:
            msg = f"`points`: expected (points, objectives), got shape {array.shape}; give each point a row"
            raise InvalidDataError(msg)
        arrays = [array[:, k] for k in range(array.shape[1])]
    if any(array.dtype.kind not in "fiub" for array in arrays):
        msg = f"`points`: expected numbers, got dtype {arrays[0].dtype}; convert them to float"
        raise InvalidDataError(msg)
    single = all(array.dtype == np.float32 for array in arrays)
    return tuple(array.astype(np.float32 if single else np.float64, copy=False) for array in arrays)


def _as_codes(groups: ArrayLike, count: int) -> NDArray[np.int64]:
    codes = np.asarray(groups)
    if codes.shape != (count,) or codes.dtype.kind not in "iu":
        if count == 0 and codes.size == 0:
            return np.empty(0, np.int64)
        msg = (
            f"`groups`: expected {count} integers, got {codes.dtype} of shape {codes.shape}; give each point its group"
        )
        raise InvalidDataError(msg)
    return codes.astype(np.int64, copy=False)


def _any_nan(columns: Columns) -> NDArray[np.bool_]:
    mask = np.isnan(columns[0])
    for column in columns[1:]:
        mask |= np.isnan(column)
    return mask


def _dominates(row: Sequence[Any], columns: Columns) -> NDArray[np.bool_]:
    """Mark the points that one point dominates."""
    within = row[0] <= columns[0]
    better = row[0] < columns[0]
    for value, column in zip(row[1:], columns[1:], strict=True):
        within &= value <= column
        better |= value < column
    dominated: NDArray[np.bool_] = within & better
    return dominated


def _numpy_mask(columns: Columns) -> NDArray[np.bool_]:
    mask = np.zeros(len(columns[0]), np.bool_)
    valid = np.flatnonzero(~_any_nan(columns))
    if len(valid) == 0:
        return mask
    order = valid[np.lexsort([column[valid] for column in reversed(columns)])]
    ordered = tuple(column[order] for column in columns)
    if len(columns) <= 2:
        mask[order] = _running_least(ordered)
        return mask
    # In lexicographic order no point dominates an earlier one: the first that is left is always optimal.
    while len(order):
        row = [column[0] for column in ordered]
        mask[order[0]] = True
        left = ~_dominates(row, ordered)
        left[0] = False
        order = order[left]
        ordered = tuple(column[left] for column in ordered)
    return mask


def _running_least(ordered: Columns) -> NDArray[np.bool_]:
    """Mark the optimal points of one or two objectives given in lexicographic order."""
    last = ordered[-1]
    better = np.ones(len(last), np.bool_)
    better[1:] = last[1:] < np.minimum.accumulate(last)[:-1]
    new = np.ones(len(last), np.bool_)
    new[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in ordered])
    optimal: NDArray[np.bool_] = better[np.maximum.accumulate(np.where(new, np.arange(len(new)), 0))]
    return optimal


def _equals(columns: Columns) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Mark the first of each set of equal points; count the equals of every point."""
    count = len(columns[0])
    order = np.lexsort(columns[::-1])
    new = np.ones(count, np.bool_)
    if count:
        new[1:] = np.logical_or.reduce([column[order][1:] != column[order][:-1] for column in columns])
    first = np.zeros(count, np.bool_)
    first[order[new]] = True
    counts = np.empty(count, np.int64)
    group = np.cumsum(new) - 1
    counts[order] = np.bincount(group, minlength=0)[group] if count else 0
    return first, counts


def _first_of_equals(columns: Columns, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep of each set of equal marked points the first."""
    indices = np.flatnonzero(mask)
    first, _ = _equals(tuple(column[indices] for column in columns))
    mask[indices[~first]] = False
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
