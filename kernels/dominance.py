"""Dominance between cost vectors (less is better): merge candidates into a front, and ask a front what it dominates."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["Archive", "distinct_front", "grouped", "match", "minimal"]

Array = np.ndarray[Any, np.dtype[Any]]

SMALL = 256  # vectors below which the quadratic test is the quickest


def grouped(vectors: Array) -> tuple[Array, Array]:
    """Order vectors lexicographically and number the distinct ones.

    Returns
    -------
    order : array of int
        Lexicographic order, stable.
    number : array of int
        For each vector in that order, the number of its distinct value.
    """
    order = np.lexsort(vectors.T[::-1])
    ordered = vectors[order]
    new = np.ones(len(order), dtype=bool)
    if len(order):
        new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return order, np.cumsum(new) - 1


def minimal(vectors: Array) -> Array:
    """Say which vectors no other one dominates; equal vectors do not dominate each other."""
    n, d = vectors.shape
    if n <= 1 or d == 0:
        return np.ones(n, dtype=bool)
    if d == 1:
        column = vectors[:, 0]
        return column == column.min()  # type: ignore[no-any-return]
    if n <= SMALL:
        return _minimal_by_pairs(vectors)
    from roofcube.kernels.pareto import non_dominated

    return np.asarray(non_dominated(vectors))


def _minimal_by_pairs(vectors: Array) -> Array:
    no_worse = (vectors[:, None] <= vectors[None]).all(axis=2)
    return ~(no_worse & ~no_worse.T).any(axis=0)  # type: ignore[no-any-return]


def distinct_front(vectors: Array, first: Array, ties: Array) -> tuple[Array, Array, Array]:
    """Keep the minimal vectors, one of each, with the lowest index and the sum of the ties.

    Parameters
    ----------
    vectors : array (n, objectives)
    first, ties : array of int64

    Returns
    -------
    tuple of arrays
        `vectors` in lexicographic order, `first`, `ties`.
    """
    vectors = vectors + vectors.dtype.type(0)  # -0.0 and 0.0 are equal and must also look so
    kept = minimal(vectors)
    vectors, first, ties = vectors[kept], first[kept], ties[kept]
    order, number = grouped(vectors)
    count = int(number[-1]) + 1 if len(number) else 0
    lowest = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(lowest, number, first[order])
    total = np.zeros(count, dtype=np.int64)
    np.add.at(total, number, ties[order])
    heads = np.searchsorted(number, np.arange(count))
    return vectors[order][heads], lowest, total


def match(vectors: Array, known: Array) -> Array:
    """Give for each vector the number of the equal one among distinct known ones, -1 where there is none."""
    n = len(known)
    order, number = grouped(np.concatenate([known, vectors]))
    holder = np.full(int(number[-1]) + 1 if len(number) else 0, -1, dtype=np.int64)
    from_known = order < n
    holder[number[from_known]] = order[from_known]
    found = np.empty(len(order), dtype=np.int64)
    found[order] = holder[number]
    return found[n:]


class Archive:
    """Real cost vectors found so far; tells which other vectors one of them dominates.

    Parameters
    ----------
    objectives : int
    dtype : numpy dtype
    """

    def __init__(self, objectives: int, dtype: Any) -> None:
        self.vectors = np.zeros((0, objectives), dtype=dtype)

    def add(self, vectors: Array) -> None:
        """Take more vectors in; only minimal distinct ones are kept."""
        if not len(vectors):
            return
        fresh = vectors[~self.dominates(vectors)] + vectors.dtype.type(0)
        both = np.concatenate([self.vectors, fresh])
        order, number = grouped(both)
        both = both[order][np.searchsorted(number, np.arange(number[-1] + 1))]
        self.vectors = both[minimal(both)]

    def dominates(self, vectors: Array) -> Array:
        """Say which vectors are strictly dominated: no better anywhere, worse somewhere."""
        dominated = np.zeros(len(vectors), dtype=bool)
        for start in range(0, len(vectors), SMALL):
            block = vectors[start : start + SMALL]
            no_worse = np.ones((len(self.vectors), len(block)), dtype=bool)
            worse = np.zeros_like(no_worse)
            for column in range(vectors.shape[1]):
                mine, theirs = self.vectors[:, column, None], block[None, :, column]
                no_worse &= mine <= theirs
                worse |= mine < theirs
            dominated[start : start + SMALL] = (no_worse & worse).any(axis=0)
        return dominated
