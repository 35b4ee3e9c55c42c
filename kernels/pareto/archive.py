"""What does a front dominate? Cost vectors (less is better) that were found so far, asked about many others.

The front itself comes from the front kernels; here are the structures that answer for it, and what merges fronts.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.pareto.few import PAIRS, dominated_by_each, minimal_in_order
from roofcube.kernels.pareto.points import in_lexicographic_order
from roofcube.kernels.pareto.stairs import BLOCK, STEPS, Stairs
from roofcube.kernels.pareto.ties import count_equals

if TYPE_CHECKING:
    from roofcube.kernels.pareto.points import Columns

__all__ = ["Archive", "distinct_front", "match"]

Array = np.ndarray[Any, np.dtype[Any]]

COMPARISONS = 1 << 25  # those that NumPy makes in about the time that loading a compiler takes
QUERIES = 1 << 19  # queries that a staircase answers with NumPy in about that time


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
    order, new = in_lexicographic_order(_columns(vectors))
    heads = np.flatnonzero(new)
    distinct = vectors[order[heads]]
    if not len(distinct):
        return distinct, first[:0], ties[:0]
    lowest, total = np.minimum.reduceat(first[order], heads), np.add.reduceat(ties[order], heads)
    minimal = Archive(vectors.shape[1], vectors.dtype).minimal(distinct)
    return distinct[minimal], lowest[minimal], total[minimal]


def match(vectors: Array, distinct: Array) -> Array:
    """Return for each vector the number of the equal one among distinct ones, -1 where there is none."""
    count = len(distinct)
    first, _ = count_equals(_columns(np.concatenate([distinct, vectors])))
    number = first[count:]
    return np.where(number < count, number, -1)


def _columns(vectors: Array) -> Columns:
    return tuple(np.ascontiguousarray(vectors.T))


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

    @classmethod
    def of(cls, front: Array) -> Archive:
        """Take a front whose vectors are minimal and distinct, in any order."""
        archive = cls(front.shape[1], front.dtype)
        archive.vectors = front[in_lexicographic_order(_columns(front))[0]]
        return archive

    def add(self, vectors: Array) -> None:
        """Take more vectors in; only minimal distinct ones are kept, in lexicographic order."""
        fresh = vectors[~self.dominates(vectors)] + vectors.dtype.type(0)
        if not len(fresh):
            return
        both = np.concatenate([self.vectors, fresh])
        order, new = in_lexicographic_order(_columns(both))
        distinct = both[order[new]]
        self.vectors = distinct[self.minimal(distinct)]
        self._tree = self._stairs = None

    def dominates(self, vectors: Array) -> Array:
        """Return which vectors are strictly dominated: no better anywhere, worse somewhere."""
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
        """Check whether compiled dominance pays: it is loaded already, or comparing all pairs took long enough."""
        stairs = self.vectors.shape[1] == 3 and len(self.vectors) <= STEPS
        self._work += n * len(self.vectors)
        Archive.stairs_work += n if stairs else 0
        too_much = Archive.stairs_work > QUERIES if stairs else self._work > COMPARISONS
        return too_much or "roofcube.kernels.pareto.archive_compiled" in sys.modules

    def minimal(self, vectors: Array) -> Array:
        """Return which of distinct vectors in lexicographic order are minimal."""
        count, objectives = vectors.shape
        if objectives <= 2 or not self._compiled(count):
            return minimal_in_order(vectors)
        from roofcube.kernels.pareto import compiled

        return compiled.exact(_columns(vectors))


def _dominated_by_pairs(front: Array, vectors: Array) -> Array:
    dominated = np.zeros(len(vectors), dtype=bool)
    for start in range(0, len(vectors), PAIRS):
        dominated[start : start + PAIRS] = dominated_by_each(front, vectors[start : start + PAIRS]).any(axis=0)
    return dominated
