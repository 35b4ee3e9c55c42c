"""Staircases of three objectives with NumPy alone: they tell which vectors one of a few thousand others covers."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["BLOCK", "STEPS", "Stairs"]

Array = np.ndarray[Any, np.dtype[Any]]

BLOCK = 16  # vectors that are compared one by one
STEPS = 1 << 12  # the most vectors: the table has as many columns, and a row a block


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
        """Return which queries one of the vectors, which are minimal, dominates."""
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
        """Return which of the vectors, which are distinct, no earlier one covers."""
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
        """Return the vectors of the block that a place is in, and which of them are before it."""
        known: Array = self.blocks.take(upto // BLOCK, axis=0)
        return known, np.arange(BLOCK) < (upto % BLOCK)[:, None]
