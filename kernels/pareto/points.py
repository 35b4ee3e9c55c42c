"""Points as one array per objective, and what NumPy alone can tell of a few of them; knows no labels and no compiler.

All objectives are minimised here: the public functions turn those to maximise before.
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
    "Columns",
    "Points",
    "Senses",
    "Ties",
    "any_nan",
    "as_codes",
    "as_columns",
    "compiling_pays",
    "count_equals",
    "dominated_by",
    "non_dominated_few",
    "signs_of",
    "turned",
]

Points: TypeAlias = "ArrayLike | Sequence[ArrayLike]"
Columns: TypeAlias = "tuple[NDArray[Any], ...]"
Senses: TypeAlias = "Sequence[Literal['min', 'max']] | None"
Ties: TypeAlias = Literal["all", "first"]

COMPILED = "roofcube.kernels.pareto.compiled"
SMALL = 4096  # loading numba takes 0.5 s; NumPy's worst case, 4096 optimal points of five objectives, 0.15 s


def compiling_pays(count: int, most: int = SMALL) -> bool:
    """Tell whether so many points are worth the compiled kernels: always, once these are loaded."""
    return count > most or COMPILED in sys.modules


def as_columns(points: Points, what: str = "points") -> Columns:
    """Take points in either form as one array per objective, of one float dtype, without a copy where none is due."""
    if isinstance(points, tuple):
        arrays = [np.asarray(column) for column in points]
        if not arrays or any(array.ndim != 1 or len(array) != len(arrays[0]) for array in arrays):
            shapes = ", ".join(str(array.shape) for array in arrays)
            msg = f"`{what}`: expected columns of one length, got shapes {shapes or '()'}; ravel them in the same order"
            raise InvalidDataError(msg)
    else:
        array = np.asarray(points)
        if array.ndim != 2 or array.shape[1] == 0:
            msg = f"`{what}`: expected (points, objectives), got shape {array.shape}; give each point a row"
            raise InvalidDataError(msg)
        arrays = [array[:, k] for k in range(array.shape[1])]
    if any(array.dtype.kind not in "fiub" for array in arrays):
        msg = f"`{what}`: expected numbers, got dtype {arrays[0].dtype}; convert them to float"
        raise InvalidDataError(msg)
    single = all(array.dtype == np.float32 for array in arrays)
    return tuple(array.astype(np.float32 if single else np.float64, copy=False) for array in arrays)


def as_codes(groups: ArrayLike, count: int) -> NDArray[np.int64]:
    """Take the group of each point as int64."""
    codes = np.asarray(groups)
    if codes.shape != (count,) or codes.dtype.kind not in "iu":
        if count == 0 and codes.size == 0:
            return np.empty(0, np.int64)
        msg = (
            f"`groups`: expected {count} integers, got {codes.dtype} of shape {codes.shape}; give each point its group"
        )
        raise InvalidDataError(msg)
    return codes.astype(np.int64, copy=False)


def signs_of(senses: Senses, columns: Columns) -> NDArray[Any]:
    """Give the factor, 1 or -1, that makes each objective one to minimise; in the dtype of the columns."""
    if senses is None:
        return np.ones(len(columns), columns[0].dtype)
    for sense in senses:
        check_choice("senses", sense, ("min", "max"))
    if len(senses) != len(columns):
        msg = f"`senses`: expected {len(columns)}, got {len(senses)}; give each objective its sense"
        raise InvalidDataError(msg)
    return np.array([-1 if sense == "max" else 1 for sense in senses], columns[0].dtype)


def turned(columns: Columns, signs: NDArray[Any]) -> Columns:
    """Negate the objectives to maximise; the others are not copied."""
    return tuple(-column if sign < 0 else column for column, sign in zip(columns, signs, strict=True))


def any_nan(columns: Columns) -> NDArray[np.bool_]:
    """Mark the points that lack a value."""
    mask = np.isnan(columns[0])
    for column in columns[1:]:
        mask |= np.isnan(column)
    return mask


def dominated_by(row: Sequence[Any], columns: Columns) -> NDArray[np.bool_]:
    """Mark the points that one point dominates."""
    within = row[0] <= columns[0]
    better = row[0] < columns[0]
    for value, column in zip(row[1:], columns[1:], strict=True):
        within &= value <= column
        better |= value < column
    dominated: NDArray[np.bool_] = within & better
    return dominated


def non_dominated_few(columns: Columns) -> NDArray[np.bool_]:
    """Mark the points that no other dominates: for a few thousand of them, and as the twin of the compiled fronts."""
    mask = np.zeros(len(columns[0]), np.bool_)
    valid = np.flatnonzero(~any_nan(columns))
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
        left = ~dominated_by(row, ordered)
        left[0] = False
        order = order[left]
        ordered = tuple(column[left] for column in ordered)
    return mask


def _running_least(ordered: Columns) -> NDArray[np.bool_]:
    """Mark the optimal points of one or two objectives given in lexicographic order."""
    last = ordered[-1]
    better = np.ones(len(last), np.bool_)
    better[1:] = last[1:] < np.minimum.accumulate(last)[:-1]
    new = _first_of_run(ordered)
    optimal: NDArray[np.bool_] = better[np.maximum.accumulate(np.where(new, np.arange(len(new)), 0))]
    return optimal


def _first_of_run(ordered: Columns) -> NDArray[np.bool_]:
    """Mark where points given in some order differ from the one before."""
    new = np.ones(len(ordered[0]), np.bool_)
    new[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in ordered])
    return new


def count_equals(columns: Columns) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find for each point the first that equals it, and count for each first its equals; 0 for the others.

    The twin of the compiled hashing, and what is used for few points.
    """
    count = len(columns[0])
    order = np.lexsort(columns[::-1])
    new = _first_of_run(tuple(column[order] for column in columns))
    # the sort is stable: the first of a run is the first of its equals
    first = np.empty(count, np.int64)
    first[order] = order[new][np.cumsum(new) - 1]
    return first, np.bincount(first, minlength=count)
