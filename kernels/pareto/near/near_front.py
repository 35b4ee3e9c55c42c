"""Points near a front: those that a tolerance would put on it, and how far each is from it; knows no labels.

Both are about one front of all points: they know no groups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.errors import InvalidDataError
from roofcube.kernels.pareto.archive import Archive
from roofcube.kernels.pareto.front import optimal
from roofcube.kernels.pareto.points import any_nan, as_columns, compiling_pays, signs_of, turned
from roofcube.kernels.pareto.ties import count_equals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from roofcube.kernels.pareto.points import Columns, Points, Senses

__all__ = ["distance_to_front", "epsilon_front"]

FEW_GAPS = 1 << 20  # gaps between a point and one of the front that NumPy measures in about 30 ms


def epsilon_front(
    points: Points, epsilon: float, *, relative: bool = True, senses: Senses = None, threads: int = 1
) -> NDArray[np.bool_]:
    """Mark the points that would be on the front if they were better by `epsilon` in every objective.

    A point p is kept if no point q dominates p improved, which is p - epsilon·|p| (`relative`) or p - epsilon, each
    objective on its own, or with a plus if it is maximised. The other points stay as they are, so that epsilon 0 gives
    the front itself and a larger epsilon never fewer points.

    Parameters
    ----------
    points, senses, threads
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
    signs = signs_of(senses, columns)
    _, costs = optimal(columns, None, signs, threads)
    distinct = np.flatnonzero(count_equals(costs)[1])
    front = Archive.of(np.stack([column[distinct] for column in costs], axis=1))
    improved = tuple(_improved(column, epsilon, relative) for column in turned(columns, signs))
    indices, left = _not_clearly_dominated(improved, front.vectors, threads)
    mask = np.zeros(len(columns[0]), np.bool_)
    mask[indices[~front.dominates(np.stack(left, axis=1))]] = True
    return mask


def _improved(column: NDArray[Any], epsilon: float, relative: bool) -> NDArray[Any]:
    step = column.dtype.type(epsilon)
    with np.errstate(invalid="ignore", over="ignore"):
        better: NDArray[Any] = column - (step * np.abs(column) if relative else step)
    better[np.isinf(column)] = column[np.isinf(column)]
    return better


def _not_clearly_dominated(columns: Columns, front: NDArray[Any], threads: int) -> tuple[NDArray[np.int64], Columns]:
    """Drop the points with NaN, and of many points those that a few of the front dominate."""
    if compiling_pays(len(columns[0])):
        from roofcube.kernels.pareto import compiled

        return compiled.rejected_by(columns, front, threads)
    indices = np.flatnonzero(~any_nan(columns))
    return indices, tuple(column[indices] for column in columns)


def distance_to_front(points: Points, front: Points, *, relative: bool = True, senses: Senses = None) -> NDArray[Any]:
    """Measure by how much each point must improve in every objective to get level with a front.

    The distance of p is the largest, over the points q of the front, of the least, over the objectives, of
    (p - q) / |p| (`relative`) or p - q, or the opposite of an objective that is maximised; not less than 0. It is the
    relative or additive epsilon indicator of each point on its own: better by more than this in every objective, p
    would not be dominated. It is above 0 exactly where some q is better in every objective. What p and q share counts
    as 0, also at infinity; an objective that is infinitely worse, or worse at 0 if `relative`, as endless.

    Parameters
    ----------
    points, senses
        As for `non_dominated`.
    front
        The points of the front, in the same form and the same objectives; those with NaN are left out.
    relative
        Whether to measure in shares of each value.

    Returns
    -------
    (points,) float array
        0 on and beside the front, NaN for points with NaN; NaN for all where no point of the front is left.

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
    signs = signs_of(senses, columns)
    valid = ~any_nan(best)
    best = turned(tuple(column[valid].astype(columns[0].dtype) for column in best), signs)
    columns = turned(columns, signs)
    distance = np.full(len(columns[0]), 0.0 if len(best[0]) else np.nan, columns[0].dtype)
    if not compiling_pays(len(columns[0]) * len(best[0]), FEW_GAPS):
        for row in zip(*best, strict=True):
            np.maximum(distance, _least_gap(columns, row, relative), out=distance)
    elif len(best[0]):
        from roofcube.kernels.pareto.near.distances import BoxTree, reach

        reach(BoxTree(np.stack(best, axis=1)), np.stack(columns, axis=1), relative, distance)
    distance[any_nan(columns)] = np.nan
    return distance


def _least_gap(columns: Columns, row: Sequence[Any], relative: bool) -> NDArray[Any]:
    """Measure the least gap, over the objectives, between each point and one of the front."""
    least: NDArray[Any] = np.full(len(columns[0]), np.inf, columns[0].dtype)
    for column, value in zip(columns, row, strict=True):
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            gap = column - value
            if relative:
                gap = gap / np.abs(column)
        fixed = np.isinf(column) | ((column == 0) & bool(relative))
        gap[fixed] = np.where(column[fixed] > value, np.inf, -np.inf)
        gap[column == value] = 0
        np.fmin(least, gap, out=least)
    return least
