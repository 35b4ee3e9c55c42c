"""Largest or smallest value along axes together with where it comes first; NaN is skipped; knows no labels."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from roofcube.errors import InvalidDataError, check_choice
from roofcube.kernels.argbest.layout import worst_of
from roofcube.kernels.tuning import TUNING, Tuning

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["best_along"]

COMPILED = "roofcube.kernels.argbest.compiled"
SMALL = 1_000_000  # elements that NumPy settles in about 5 ms; loading numba takes 500


def best_along(
    values: ArrayLike,
    axis: int | tuple[int, ...] = -1,
    *,
    sense: Literal["max", "min"] = "max",
    mask: ArrayLike | None = None,
    threads: int = 1,
    tuning: Tuning = TUNING,
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Find the best value along axes, and the first index that holds it.

    The array may lie in memory in any way: it is read in the order of memory, and never copied as a whole.

    Parameters
    ----------
    values : array
        Integers are compared exactly. NaN is skipped; -0.0 equals 0.0.
    axis
        The axis or axes to reduce.
    sense
        Whether the largest or the smallest value is best.
    mask : bool array, optional
        Where it is false, a value is skipped. It is broadcast against the values.
    threads
        How many threads may share the work.
    tuning
        Sizes that decide how it is done.

    Returns
    -------
    best : array without those axes
        In the dtype of the values; NaN, or 0 for integers, where there is no value.
    index : int64 array without those axes
        In the reduced axes, flattened in their order in the array; -1 where there is no value.

    Raises
    ------
    InvalidDataError
        If there is no such axis, the values are not numbers, or the mask is not boolean or does not fit.

    Examples
    --------
    >>> best, index = best_along([[1.0, 3.0, 3.0], [float("nan"), -1.0, float("nan")]])
    >>> best.tolist(), index.tolist()
    ([3.0, -1.0], [1, 1])
    >>> best, index = best_along([[5, 3], [4, 3]], axis=(0, 1), sense="min")
    >>> best.item(), index.item()
    (3, 1)
    """
    check_choice("sense", sense, ("max", "min"))
    array = _as_comparable(values)
    axes = _as_axes(axis, array.ndim)
    allowed = None if mask is None else _as_mask(mask, array.shape)
    if array.size <= SMALL and COMPILED not in sys.modules:
        return _numpy_best(array, axes, allowed, largest=sense == "max")
    from roofcube.kernels.argbest import compiled

    return compiled.best_along(array, axes, allowed, largest=sense == "max", threads=threads, tuning=tuning)


def _as_comparable(values: ArrayLike) -> NDArray[Any]:
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        msg = f"`values`: expected numbers, got dtype {array.dtype}; convert them to float"
        raise InvalidDataError(msg)
    if array.dtype.itemsize > np.dtype(np.float64).itemsize:
        return array.astype(np.float64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _as_axes(axis: int | tuple[int, ...], ndim: int) -> tuple[int, ...]:
    """Count the axes from 0, in their order in the array."""
    axes = axis if isinstance(axis, tuple) else (axis,)
    if not all(-ndim <= one < ndim for one in axes):
        msg = f"`axis`: expected some of {ndim} axes, got {axis!r}; count from 0, or from the last by -1"
        raise InvalidDataError(msg)
    positive = tuple(sorted({one % ndim for one in axes}))
    if len(positive) < len(axes):
        msg = f"`axis`: expected different axes, got {axis!r}; name each once"
        raise InvalidDataError(msg)
    return positive


def _as_mask(mask: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    allowed = np.asarray(mask)
    try:
        fitted = np.broadcast_to(allowed, shape)
    except ValueError:
        fitted = None
    if fitted is None or allowed.dtype != np.bool_:
        msg = f"`mask`: expected bool that fits {shape}, got {allowed.dtype} of shape {allowed.shape}; compare first"
        raise InvalidDataError(msg)
    return fitted


def _numpy_best(
    array: NDArray[Any], axes: tuple[int, ...], mask: NDArray[np.bool_] | None, *, largest: bool
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Do as `best_along` in NumPy alone: for few values, and as the twin of the compiled reductions."""
    remaining = [axis for axis in range(array.ndim) if axis not in axes]
    shape = tuple(array.shape[axis] for axis in remaining)
    lines = array.transpose(*remaining, *axes).reshape(math.prod(shape), -1 if array.size else 0)
    valid = lines == lines
    if mask is not None:
        valid &= mask.transpose(*remaining, *axes).reshape(lines.shape)
    if not valid.size:
        return np.full(shape, _not_found(array.dtype)), np.full(shape, -1, np.int64)
    worst = worst_of(array.dtype, largest=largest)
    extreme = (np.max if largest else np.min)(lines, axis=1, keepdims=True, where=valid, initial=worst)
    hits = (lines == extreme) & valid
    index = hits.argmax(axis=1)
    some = hits[np.arange(len(lines)), index]
    best = np.where(some, lines[np.arange(len(lines)), index], _not_found(array.dtype))
    return best.reshape(shape), np.where(some, index, -1).astype(np.int64).reshape(shape)


def _not_found(dtype: np.dtype[Any]) -> Any:
    return dtype.type(np.nan if dtype.kind == "f" else 0)
