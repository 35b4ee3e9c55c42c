"""Dominance between cost vectors (less is better): merge candidates into a front, and ask a front what it dominates."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

__all__ = ["Archive", "distinct_front", "grouped", "match"]

Array = np.ndarray[Any, np.dtype[Any]]

SMALL = 256  # vectors compared at a time where all pairs are
PAIRS = 1 << 25  # comparisons that NumPy makes in about the time that loading a compiler takes


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
    distinct, number = _unique(vectors)
    lowest = np.full(len(distinct), np.iinfo(np.int64).max)
    np.minimum.at(lowest, number, first)
    total = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(total, number, ties)
    kept = Archive(vectors.shape[1], vectors.dtype)._minimal(distinct)
    return distinct[kept], lowest[kept], total[kept]


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
        self._tree: Any = None
        self._work = 0

    def add(self, vectors: Array) -> None:
        """Take more vectors in; only minimal distinct ones are kept, in lexicographic order."""
        fresh = vectors[~self.dominates(vectors)] + vectors.dtype.type(0)
        if not len(fresh):
            return
        both = np.concatenate([self.vectors, fresh])
        order, number = grouped(both)
        both = both[order][np.searchsorted(number, np.arange(number[-1] + 1))]
        self.vectors = both[self._minimal(both)]
        self._tree = None

    def dominates(self, vectors: Array) -> Array:
        """Say which vectors are strictly dominated: no better anywhere, worse somewhere."""
        n, d = vectors.shape
        if not n or not len(self.vectors):
            return np.zeros(n, dtype=bool)
        if d == 1:
            return np.asarray(vectors[:, 0] > self.vectors[0, 0])
        if d == 2:
            return self._dominates_two(vectors)
        if not self._compiled(n):
            return _dominated_by_pairs(self.vectors, vectors)
        from roofcube.kernels import dominance_compiled

        if self._tree is None:
            prepare = dominance_compiled.Staircase if d == 3 else dominance_compiled.BoxTree
            self._tree = prepare(self.vectors)
        dominated: Array = self._tree.dominates(vectors)
        return dominated

    def _dominates_two(self, vectors: Array) -> Array:
        # both columns of a minimal set in lexicographic order: the first rises, the second falls
        place = np.searchsorted(self.vectors[:, 0], vectors[:, 0], side="right") - 1
        nearest = self.vectors[np.maximum(place, 0)]
        covered = (place >= 0) & (nearest[:, 1] <= vectors[:, 1])
        return np.asarray(covered & (nearest != vectors).any(axis=1))

    def _compiled(self, n: int) -> bool:
        """Tell whether compiled dominance pays: it is loaded already, or comparing all pairs took long enough."""
        self._work += n * len(self.vectors)
        return self._work > PAIRS or "roofcube.kernels.dominance_compiled" in sys.modules

    def _minimal(self, vectors: Array) -> Array:
        """Say which of distinct vectors in lexicographic order are minimal."""
        n, d = vectors.shape
        if d == 1:
            return np.asarray(np.arange(n) == 0)
        if d == 2:
            best = np.minimum.accumulate(vectors[:, 1])
            minimal = np.ones(n, dtype=bool)
            minimal[1:] = vectors[1:, 1] < best[:-1]
            return minimal
        if not self._compiled(n):
            return _minimal_in_order(vectors)
        from roofcube.kernels import dominance_compiled

        if d == 3:
            return ~dominance_compiled.covered_in_order(vectors)
        return ~dominance_compiled.BoxTree(vectors).dominates(vectors)


def _dominated_by_pairs(known: Array, vectors: Array) -> Array:
    dominated = np.zeros(len(vectors), dtype=bool)
    for start in range(0, len(vectors), SMALL):
        block = vectors[start : start + SMALL]
        no_worse = np.ones((len(known), len(block)), dtype=bool)
        worse = np.zeros_like(no_worse)
        for column in range(vectors.shape[1]):
            mine, theirs = known[:, column, None], block[None, :, column]
            no_worse &= mine <= theirs
            worse |= mine < theirs
        dominated[start : start + SMALL] = (no_worse & worse).any(axis=0)
    return dominated


def _minimal_in_order(vectors: Array) -> Array:
    kept = np.zeros(len(vectors), dtype=bool)
    front = vectors[:0]
    for start in range(0, len(vectors), SMALL):
        block = vectors[start : start + SMALL]
        mine = ~_dominated_by_pairs(front, block) & ~_dominated_by_pairs(block, block)
        kept[start : start + SMALL] = mine
        front = np.concatenate([front, block[mine]])
    return kept


def _unique(vectors: Array) -> tuple[Array, Array]:
    """Give the distinct vectors in lexicographic order, and for each vector the number of its own."""
    order, number = grouped(vectors)
    back = np.empty(len(order), dtype=np.int64)
    back[order] = number
    heads = np.searchsorted(number, np.arange(number[-1] + 1 if len(number) else 0))
    return vectors[order][heads], back
