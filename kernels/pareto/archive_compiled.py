"""What does a front dominate? Compiled: a sweep with a prefix-minimum tree for three objectives, a box tree above.

Import it only where a compiler is worth its loading time; `archive` has the NumPy twins and chooses.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from roofcube.kernels.compilation import jit

__all__ = ["BoxTree", "Staircase"]

Array = np.ndarray[Any, np.dtype[Any]]
BUCKET = 16  # vectors in a leaf of the tree


@jit
def _insert(tree: Any, place: Any, value: Any) -> None:
    place += 1
    while place < len(tree):
        tree[place] = min(tree[place], value)
        place += place & -place


@jit
def _smallest(tree: Any, count: Any, start: Any) -> Any:
    """Smallest value among the first `count` places, or `start` if that is smaller."""
    value = start
    while count > 0:
        value = min(value, tree[count])
        count -= count & -count
    return value


@jit
def _swept(
    known: Any,
    rank_y: Any,
    rank_z: Any,
    of_rank_z: Any,
    queries: Any,
    count_y: Any,
    count_z: Any,
    order: Any,
    dominated: Any,
) -> None:
    """Mark queries that one of minimal vectors dominates; `order` lists queries ascending in the first objective.

    `rank_y`, `rank_z` are the places of a known vector's second and third cost among all known ones, `count_y` and
    `count_z` the numbers of known ones up to the query's. Of a minimal set, only an equal vector covers an equal query.
    """
    n = len(known)
    tree = np.full(n + 1, n, dtype=np.int64)
    entered = 0
    for k in order:
        while entered < n and known[entered, 0] <= queries[k, 0]:
            _insert(tree, rank_y[entered], rank_z[entered])
            entered += 1
        best = _smallest(tree, count_y[k], n)
        if best < count_z[k]:
            cover = of_rank_z[best]
            better = False
            for axis in range(3):
                better |= known[cover, axis] < queries[k, axis]
            dominated[k] = better


def _ranked(values: Array) -> tuple[Array, Array, Array]:
    """Return each value's place in ascending order, the values in that order, and who has which place."""
    order = np.argsort(values, kind="stable")
    rank = np.empty(len(values), dtype=np.int64)
    rank[order] = np.arange(len(values))
    return rank, values[order], order


class Staircase:
    """Minimal vectors of three objectives in lexicographic order, prepared for queries.

    Parameters
    ----------
    vectors : array (n, 3)
    """

    def __init__(self, vectors: Array) -> None:
        self.vectors = np.ascontiguousarray(vectors)
        self.rank_y, self.ys, _ = _ranked(vectors[:, 1])
        self.rank_z, self.zs, self.of_rank_z = _ranked(vectors[:, 2])

    def dominates(self, queries: Array) -> Array:
        """Return which queries one of the vectors dominates."""
        queries = np.ascontiguousarray(queries)
        dominated = np.zeros(len(queries), dtype=bool)
        order = np.argsort(queries[:, 0])
        count_y = np.searchsorted(self.ys, queries[:, 1], side="right")
        count_z = np.searchsorted(self.zs, queries[:, 2], side="right")
        _swept(self.vectors, self.rank_y, self.rank_z, self.of_rank_z, queries, count_y, count_z, order, dominated)
        return dominated


@jit
def _built(vectors: Any, order: Any, low: Any, high: Any, start: Any, stop: Any) -> None:
    """Cut vectors at medians into a complete binary tree: node k has children 2k+1 and 2k+2."""
    d = vectors.shape[1]
    start[0], stop[0] = 0, len(order)
    for node in range(len(start)):
        first, last = start[node], stop[node]
        for axis in range(d):
            low[node, axis], high[node, axis] = np.inf, -np.inf
            for k in range(first, last):
                value = vectors[order[k], axis]
                low[node, axis] = min(low[node, axis], value)
                high[node, axis] = max(high[node, axis], value)
        child = 2 * node + 1
        if child >= len(start):
            continue
        # cut by turns: values of different objectives have no common scale
        depth, level = 0, node + 1
        while level > 1:
            level //= 2
            depth += 1
        part = order[first:last]
        part[:] = part[np.argsort(vectors[part, depth % d])]
        middle = (first + last) // 2
        start[child], stop[child] = first, middle
        start[child + 1], stop[child + 1] = middle, last


@jit
def _dominated(queries: Any, vectors: Any, low: Any, high: Any, start: Any, stop: Any, found: Any) -> None:
    """Mark queries that a vector of the tree dominates: no worse anywhere, better somewhere."""
    d = vectors.shape[1]
    inner = len(start) // 2
    stack = np.empty(128, dtype=np.int64)
    last = 0  # neighbouring queries often have the same dominator
    for q in range(len(queries)):
        size = 1
        stack[0] = 0
        hit = False
        if len(vectors) > 0:
            no_worse, better = True, False
            for axis in range(d):
                no_worse &= vectors[last, axis] <= queries[q, axis]
                better |= vectors[last, axis] < queries[q, axis]
            hit = no_worse and better
        while size > 0 and not hit:
            size -= 1
            node = stack[size]
            inside, whole, strict = stop[node] > start[node], True, False
            for axis in range(d):
                inside &= low[node, axis] <= queries[q, axis]
                whole &= high[node, axis] <= queries[q, axis]
                strict |= high[node, axis] < queries[q, axis]
            if not inside:
                continue
            if whole and strict:
                hit = True
                last = start[node]
            elif node < inner:
                stack[size] = 2 * node + 2
                stack[size + 1] = 2 * node + 1
                size += 2
            else:
                for k in range(start[node], stop[node]):
                    no_worse, better = True, False
                    for axis in range(d):
                        no_worse &= vectors[k, axis] <= queries[q, axis]
                        better |= vectors[k, axis] < queries[q, axis]
                    if no_worse and better:
                        hit = True
                        last = k
                        break
        found[q] = hit


class BoxTree:
    """Distinct vectors in a tree of bounding boxes, for any number of objectives.

    Parameters
    ----------
    vectors : array (n, objectives)
    """

    def __init__(self, vectors: Array) -> None:
        n, d = vectors.shape
        depth = max(0, int(np.ceil(np.log2(max(1, n) / BUCKET))))
        nodes = 2 ** (depth + 1) - 1
        order = np.arange(n)
        self.low, self.high = np.empty((nodes, d), dtype=vectors.dtype), np.empty((nodes, d), dtype=vectors.dtype)
        self.start, self.stop = np.zeros(nodes, dtype=np.int64), np.zeros(nodes, dtype=np.int64)
        vectors = np.ascontiguousarray(vectors)
        _built(vectors, order, self.low, self.high, self.start, self.stop)
        self.vectors = vectors[order]

    def dominates(self, queries: Array) -> Array:
        """Return which queries one of the vectors dominates."""
        found = np.zeros(len(queries), dtype=bool)
        queries = np.ascontiguousarray(queries)
        _dominated(queries, self.vectors, self.low, self.high, self.start, self.stop, found)
        return found
