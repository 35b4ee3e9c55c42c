"""Points as one array per objective: taken from what users pass, ordered, compared for equality; knows no compiler."""

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
    "in_lexicographic_order",
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
    """Check whether so many points are worth the compiled kernels: always, once these are loaded."""
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
    kind = np.float32 if all(array.dtype == np.float32 for array in arrays) else np.float64
    arrays = [array.astype(kind, copy=False) for array in arrays]
    if len({(array.flags.c_contiguous, array.flags.writeable) for array in arrays}) > 1:
        arrays = [np.require(array, requirements=("C", "W")) for array in arrays]  # numba asks for columns of one type
    return tuple(arrays)


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
    """Return the factor, 1 or -1, that makes each objective one to minimise; in the dtype of the columns."""
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


def in_lexicographic_order(columns: Columns) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Order points by the first objective, then the second, and so on; mark in that order the first of equal ones.

    The order is stable: the first of equal ones is the one with the lowest index.
    """
    order = np.lexsort(columns[::-1])
    first = np.ones(len(order), np.bool_)
    first[1:] = np.logical_or.reduce([column[order[1:]] != column[order[:-1]] for column in columns])
    return order, first
