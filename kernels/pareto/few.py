"""Fronts of a few thousand points with NumPy alone, all objectives minimised: what compiled fronts are checked against.

The few that are good in all objectives throw out most of a scattered set at once. What is left is compared in blocks,
each with the front so far and with itself: a point at a time, as is often done, takes ten times as long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.pareto.points import any_nan, in_lexicographic_order
from roofcube.kernels.pareto.stairs import BLOCK, STEPS, Stairs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roofcube.kernels.pareto.points import Columns

__all__ = ["PAIRS", "dominated_by_each", "minimal_in_order", "non_dominated_few", "strongest"]

PAIRS = 256  # vectors compared at a time where all pairs are
STRONG = 8


def non_dominated_few(columns: Columns) -> NDArray[np.bool_]:
    """Mark the points that no other dominates."""
    mask = np.zeros(len(columns[0]), np.bool_)
    valid = np.flatnonzero(~any_nan(columns))
    if len(valid):
        order, first = in_lexicographic_order(tuple(column[valid] for column in columns))
        order = valid[order]
        distinct = np.stack([column[order[first]] for column in columns], axis=1)
        mask[order] = minimal_in_order(distinct)[np.cumsum(first) - 1]
    return mask


def minimal_in_order(vectors: NDArray[Any]) -> NDArray[np.bool_]:
    """Mark the vectors that no other dominates; they are distinct, without NaN and in lexicographic order."""
    count, objectives = vectors.shape
    minimal = np.zeros(count, np.bool_)
    if objectives == 1:
        minimal[:1] = True
        return minimal
    if objectives == 2:
        minimal[:1] = True
        minimal[1:] = vectors[1:, 1] < np.minimum.accumulate(vectors[:, 1])[:-1]
        return minimal
    left = np.arange(count)
    if count > PAIRS:
        left = np.flatnonzero(~dominated_by_each(vectors[strongest(vectors, STRONG)], vectors).any(axis=0))
    if objectives == 3 and BLOCK < len(left) <= STEPS:
        minimal[left] = Stairs(vectors[left]).minimal()
        return minimal
    front = vectors[:0]
    for start in range(0, len(left), PAIRS):
        block = left[start : start + PAIRS]
        block = block[~dominated_by_each(front, vectors[block]).any(axis=0)]
        block = block[~dominated_by_each(vectors[block], vectors[block]).any(axis=0)]
        minimal[block] = True
        front = np.concatenate([front, vectors[block]])
    return minimal


def strongest(vectors: NDArray[Any], most: int) -> NDArray[np.int64]:
    """Choose up to so many vectors of low rank in all objectives; they dominate most of a scattered set."""
    total = np.zeros(len(vectors), np.int64)
    for column in vectors.T:
        total[np.argsort(column)] += np.arange(len(column))
    return np.argsort(total)[:most]


def dominated_by_each(vectors: NDArray[Any], others: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which of the others each vector dominates: shape (vectors, others)."""
    no_worse = np.ones((len(vectors), len(others)), np.bool_)
    better = np.zeros_like(no_worse)
    for mine, theirs in zip(vectors.T, others.T, strict=True):
        no_worse &= mine[:, None] <= theirs
        better |= mine[:, None] < theirs
    return no_worse & better
