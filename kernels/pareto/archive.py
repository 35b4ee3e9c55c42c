"""Dominance between cost vectors (less is better): merge candidates into a front, and ask a front what it dominates."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

__all__ = ["Archive", "distinct_front", "dominated_by_each", "grouped", "match"]

Array = np.ndarray[Any, np.dtype[Any]]

SMALL = 256  # vectors compared at a time where all pairs are
PAIRS = 1 << 25  # comparisons that NumPy makes in about the time that loading a compiler takes
QUERIES = 1 << 19  # queries that a staircase answers with NumPy in about that time
BLOCK = 16  # vectors of a staircase that are compared one by one
STEPS = 1 << 12  # vectors of a staircase without a compiler: its table has as many columns, and a row a block


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

    stairs_work = 0  # queries of all archives of the process: a compiler pays from the second large front on

    def __init__(self, objectives: int, dtype: Any) -> None:
        self.vectors = np.zeros((0, objectives), dtype=dtype)
        self._tree: Any = None
        self._stairs: Stairs | None = None
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
        self._tree = self._stairs = None

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
            return self._dominates_uncompiled(vectors)
        from roofcube.kernels.pareto import archive_compiled

        if self._tree is None:
            prepare = archive_compiled.Staircase if d == 3 else archive_compiled.BoxTree
            self._tree = prepare(self.vectors)
        dominated: Array = self._tree.dominates(vectors)
        return dominated

    def _dominates_uncompiled(self, vectors: Array) -> Array:
        if vectors.shape[1] != 3 or len(self.vectors) <= BLOCK:
            return _dominated_by_pairs(self.vectors, vectors)
        if self._stairs is None:
            self._stairs = Stairs(self.vectors)
        return self._stairs.dominates(vectors)

    def _dominates_two(self, vectors: Array) -> Array:
        # both columns of a minimal set in lexicographic order: the first rises, the second falls
        place = np.searchsorted(self.vectors[:, 0], vectors[:, 0], side="right") - 1
        nearest = self.vectors[np.maximum(place, 0)]
        covered = (place >= 0) & (nearest[:, 1] <= vectors[:, 1])
        return np.asarray(covered & (nearest != vectors).any(axis=1))

    def _compiled(self, n: int) -> bool:
        """Tell whether compiled dominance pays: it is loaded already, or comparing all pairs took long enough."""
        stairs = self.vectors.shape[1] == 3 and len(self.vectors) <= STEPS
        self._work += n * len(self.vectors)
        Archive.stairs_work += n if stairs else 0
        too_much = Archive.stairs_work > QUERIES if stairs else self._work > PAIRS
        return too_much or "roofcube.kernels.pareto.archive_compiled" in sys.modules

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
            return Stairs(vectors).minimal() if d == 3 and BLOCK < n <= STEPS else _minimal_in_order(vectors)
        from roofcube.kernels.pareto import archive_compiled

        if d == 3:
            return ~archive_compiled.covered_in_order(vectors)
        return ~archive_compiled.BoxTree(vectors).dominates(vectors)


class Stairs:
    """Vectors of three objectives in lexicographic order, prepared for queries: what compiled staircases do, by blocks.

    A table holds, for every whole block and every place in the order of the second objective, the lowest place in the
    order of the third among the vectors up to both; the rest of a block is compared one by one.
    """

    def __init__(self, vectors: Array) -> None:
        n = len(vectors)
        self.vectors = vectors
        order_y, order_z = np.argsort(vectors[:, 1], kind="stable"), np.argsort(vectors[:, 2], kind="stable")
        rank_y, rank_z = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int32)
        rank_y[order_y], rank_z[order_z] = np.arange(n), np.arange(n, dtype=np.int32)
        self.ys, self.zs, self.order_z = vectors[order_y, 1], vectors[order_z, 2], order_z
        lowest = np.full((n // BLOCK + 2, n + 1), n, dtype=np.int32)
        lowest[np.arange(n) // BLOCK + 1, rank_y + 1] = rank_z
        padded = np.zeros(((n // BLOCK + 1) * BLOCK, 3), dtype=vectors.dtype)
        padded[:n] = vectors
        self.blocks = np.ascontiguousarray(padded.reshape(-1, BLOCK, 3).transpose(0, 2, 1))
        self.lowest = np.minimum.accumulate(np.minimum.accumulate(lowest, axis=0), axis=1)

    def dominates(self, queries: Array) -> Array:
        """Say which queries one of the vectors, which are minimal, dominates."""
        upto = np.searchsorted(self.vectors[:, 0], queries[:, 0], side="right")
        best, covered = self._covered(queries, upto)
        # of minimal vectors, only an equal one covers an equal query
        found = covered & (self.vectors[self.order_z[np.where(covered, best, 0)]] != queries).any(axis=1)
        left = np.flatnonzero(~covered)
        known, inside = self._block(upto[left])
        mine = queries[left]
        no_worse, worse = inside, np.zeros_like(inside)
        for axis in range(3):
            no_worse = no_worse & (known[:, axis] <= mine[:, axis, None])
            worse |= known[:, axis] < mine[:, axis, None]
        found[left] = (no_worse & worse).any(axis=1)
        return np.asarray(found)

    def minimal(self) -> Array:
        """Say which of the vectors, which are distinct, no earlier one covers."""
        upto = np.arange(len(self.vectors))
        _, covered = self._covered(self.vectors, upto)
        left = np.flatnonzero(~covered)
        known, inside = self._block(upto[left])
        for axis in (1, 2):
            inside = inside & (known[:, axis] <= self.vectors[left, axis, None])
        covered[left] = inside.any(axis=1)
        return ~covered

    def _covered(self, queries: Array, upto: Array) -> tuple[Array, Array]:
        """Look among the whole blocks before a place: lowest place in the third objective, and whether it covers."""
        count_y = np.searchsorted(self.ys, queries[:, 1], side="right")
        count_z = np.searchsorted(self.zs, queries[:, 2], side="right")
        best = self.lowest[upto // BLOCK, count_y]
        return best, best < count_z

    def _block(self, upto: Array) -> tuple[Array, Array]:
        """Give the vectors of the block that a place is in, and which of them are before it."""
        known: Array = self.blocks.take(upto // BLOCK, axis=0)
        return known, np.arange(BLOCK) < (upto % BLOCK)[:, None]


def _dominated_by_pairs(known: Array, vectors: Array) -> Array:
    dominated = np.zeros(len(vectors), dtype=bool)
    for start in range(0, len(vectors), SMALL):
        dominated[start : start + SMALL] = dominated_by_each(known, vectors[start : start + SMALL]).any(axis=0)
    return dominated


def dominated_by_each(vectors: Array, others: Array) -> Array:
    """Say which of the others each vector dominates: shape (vectors, others)."""
    no_worse = np.ones((len(vectors), len(others)), dtype=bool)
    better = np.zeros_like(no_worse)
    for mine, theirs in zip(vectors.T, others.T, strict=True):
        no_worse &= mine[:, None] <= theirs
        better |= mine[:, None] < theirs
    return no_worse & better


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
