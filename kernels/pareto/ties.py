"""Find equal points: by sorting where they are few, by hashing where a compiler is worth it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from roofcube.kernels.pareto.points import compiling_pays, in_lexicographic_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roofcube.kernels.pareto.points import Columns

__all__ = ["count_equals"]

SORTED = 1 << 17  # points that are sorted in less time than loading numba takes


def count_equals(
    columns: Columns, codes: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find for each point the first that equals it, and count for each first its equals; 0 for the others.

    Parameters
    ----------
    columns
        Without NaN; -0.0 equals 0.0.
    codes
        Points of different codes are never equal.

    Returns
    -------
    first, counts : (points,) int64 arrays

    Examples
    --------
    >>> count_equals((np.array([1.0, 2.0, 1.0]), np.array([0.0, 0.0, -0.0])))
    (array([0, 1, 0]), array([2, 1, 0]))
    """
    if compiling_pays(len(columns[0]), SORTED):
        from roofcube.kernels.pareto.hashing import hashed_equals

        return hashed_equals(columns, codes)
    return _sorted_equals(columns, codes)


def _sorted_equals(columns: Columns, codes: NDArray[np.int64] | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    order, new = in_lexicographic_order(columns if codes is None else (*columns, codes))
    first = np.empty(len(order), np.int64)
    first[order] = order[new][np.cumsum(new) - 1]
    return first, np.bincount(first, minlength=len(first))
