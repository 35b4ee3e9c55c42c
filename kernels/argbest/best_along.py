"""Largest or smallest value along an axis together with where it comes first; NaN is skipped; knows no labels."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.errors import InvalidDataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["max_with_argmax", "max_with_argmax_numpy", "min_with_argmin", "min_with_argmin_numpy"]

COMPILED = "roofcube.kernels.argbest.compiled"
SMALL = 1_000_000  # elements that NumPy settles in about 2 ms; loading numba takes 500

Best = tuple["NDArray[Any]", "NDArray[np.int64]"]


def max_with_argmax(values: ArrayLike, axis: int = -1, *, threads: int = 1) -> Best:
    """Find the largest value along an axis, and the first index that holds it.

    Parameters
    ----------
    values : array
        f4 or f8 are taken as they are, anything else as f8. NaN is skipped; -0.0 equals 0.0.
    axis
        The axis to reduce.
    threads
        How many threads may share the work.

    Returns
    -------
    best : array without that axis
        NaN where all values are NaN, or the axis is empty.
    index : int64 array without that axis
        -1 where all values are NaN, or the axis is empty.

    Raises
    ------
    InvalidDataError
        If there is no such axis, or the values are not numbers.

    Examples
    --------
    >>> best, index = max_with_argmax([[1.0, 3.0, 3.0], [float("nan"), -1.0, float("nan")]])
    >>> best.tolist(), index.tolist()
    ([3.0, -1.0], [1, 1])
    """
    return _best(values, axis, threads, sign=1)


def min_with_argmin(values: ArrayLike, axis: int = -1, *, threads: int = 1) -> Best:
    """Find the smallest value along an axis, and the first index that holds it.

    Parameters
    ----------
    values, axis, threads
        As for `max_with_argmax`.

    Returns
    -------
    best, index
        As for `max_with_argmax`.

    Raises
    ------
    InvalidDataError
        As for `max_with_argmax`.

    Examples
    --------
    >>> best, index = min_with_argmin([[1.0, 3.0], [2.0, 0.5]], axis=0)
    >>> best.tolist(), index.tolist()
    ([1.0, 0.5], [0, 1])
    """
    return _best(values, axis, threads, sign=-1)


def max_with_argmax_numpy(values: ArrayLike, axis: int = -1) -> Best:
    """Do as `max_with_argmax` in NumPy alone: its twin.

    Parameters
    ----------
    values, axis
        As for `max_with_argmax`.

    Returns
    -------
    best, index
        As for `max_with_argmax`.

    Raises
    ------
    InvalidDataError
        As for `max_with_argmax`.

    Examples
    --------
    >>> max_with_argmax_numpy([2.0, 5.0])[1].item()
    1
    """
    return _numpy_best(*_as_blocks(values, axis), sign=1)


def min_with_argmin_numpy(values: ArrayLike, axis: int = -1) -> Best:
    """Do as `min_with_argmin` in NumPy alone: its twin.

    Parameters
    ----------
    values, axis
        As for `max_with_argmax`.

    Returns
    -------
    best, index
        As for `max_with_argmax`.

    Raises
    ------
    InvalidDataError
        As for `max_with_argmax`.

    Examples
    --------
    >>> min_with_argmin_numpy([2.0, 5.0])[1].item()
    0
    """
    return _numpy_best(*_as_blocks(values, axis), sign=-1)


def _best(values: ArrayLike, axis: int, threads: int, *, sign: int) -> Best:
    blocks, shape = _as_blocks(values, axis)
    if blocks.size <= SMALL and COMPILED not in sys.modules:
        return _numpy_best(blocks, shape, sign=sign)
    from roofcube.kernels.argbest import compiled

    best, index = compiled.best_along(blocks, sign, threads)
    return best.reshape(shape), index.reshape(shape)


def _as_blocks(values: ArrayLike, axis: int) -> tuple[NDArray[Any], tuple[int, ...]]:
    """Reshape to (before the axis, the axis, after it); also give the shape of the result."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        msg = f"`values`: expected numbers, got dtype {array.dtype}; convert them to float"
        raise InvalidDataError(msg)
    if not -array.ndim <= axis < array.ndim:
        msg = f"`axis`: expected one of {array.ndim} axes, got {axis!r}; count from 0, or from the last by -1"
        raise InvalidDataError(msg)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    axis %= array.ndim
    before, after = array.shape[:axis], array.shape[axis + 1 :]
    blocks = np.ascontiguousarray(array).reshape(math.prod(before), array.shape[axis], math.prod(after))
    return blocks, before + after


def _numpy_best(blocks: NDArray[Any], shape: tuple[int, ...], *, sign: int) -> Best:
    if blocks.size == 0:
        return np.full(shape, np.nan, blocks.dtype), np.full(shape, -1, np.int64)
    reduce = np.fmax.reduce if sign > 0 else np.fmin.reduce
    hits = blocks == reduce(blocks, axis=1, keepdims=True)
    index = hits.argmax(axis=1)
    best = np.take_along_axis(blocks, index[:, None, :], axis=1)[:, 0, :]
    index = np.where(hits.any(axis=1), index, -1)
    best = np.where(index < 0, blocks.dtype.type(np.nan), best)
    return best.reshape(shape), index.reshape(shape)
