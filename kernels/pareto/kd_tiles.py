"""Exact fronts of any number of objectives: bit sets of dominating points, tile by tile of a k-d partition.

Points come as unique ranks. A tile holds up to `TILE` neighbouring points. For each objective it keeps the set of its
points that come before each `STEP`-th of them, as bits; the sets for a query's ranks, intersected over the objectives,
hold all that can dominate it, so one machine word judges 64 points. Most pairs of tiles need no look at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from roofcube.kernels.compilation import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["front_by_tiles"]

TILE = 4096
WORDS = TILE // 64
STEP = 32
STEPS = TILE // STEP
NONE = 2**31 - 1


def front_by_tiles(ranks: NDArray[np.int32], orders: NDArray[np.uint32], mask: NDArray[np.bool_]) -> None:
    """Mark the optimal points, given as unique ranks with their orders."""
    objectives, count = ranks.shape
    node, sizes = partition(orders)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    members = np.empty(count, np.int32)
    rows = np.empty((count, objectives), np.int32)
    own_orders = np.empty((objectives, count), np.int16)
    filled, where = np.empty((objectives, len(sizes)), np.int64), np.empty(count, np.int32)
    lay_out(ranks, orders, node, starts, filled, where, members, rows, own_orders)
    least, most = (reduce.reduceat(rows, starts[:-1], axis=0) for reduce in (np.minimum, np.maximum))
    alive = np.ones(count, np.bool_)
    queries = np.arange(count, dtype=np.int32)
    sets = np.zeros((objectives, STEPS + 1, WORDS), np.uint64)
    bounds = np.empty((objectives, STEPS), np.int32)
    both = np.empty(WORDS, np.uint64)
    for judge in least.sum(axis=1).argsort():
        itself = np.array([judge])
        others = np.flatnonzero((least[judge] < most).all(axis=1) & (sizes > 0))
        for tiles in (itself, others[others != judge]):
            if build(rows, own_orders, alive, starts[judge], starts[judge + 1], sets, bounds):
                compare(rows, alive, starts, starts[judge], tiles, queries, sizes, sets, bounds, both)
    mask[members] = alive


def partition(orders: NDArray[np.uint32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Halve the points at the median of one objective after another; give each point's tile, and the tiles' sizes."""
    objectives, count = orders.shape
    node = np.zeros(count, np.int32)
    sizes = np.full(1, count)
    level = 0
    while sizes.max() > TILE:
        left = (sizes + 1) // 2
        halve(orders[level % objectives], node, left, np.zeros(len(sizes), np.int64))
        sizes = np.stack([left, sizes - left], axis=1).ravel()
        level += 1
    return node, sizes


@jit
def halve(order: Any, node: Any, left: Any, seen: Any) -> None:
    for place in range(len(order)):
        point = order[place]
        parent = node[point]
        node[point] = 2 * parent + (seen[parent] >= left[parent])
        seen[parent] += 1


@jit
def lay_out(
    ranks: Any, orders: Any, node: Any, starts: Any, filled: Any, where: Any, members: Any, rows: Any, own_orders: Any
) -> None:
    """Store the points tile by tile: their ranks row by row, and each tile's own order in each objective.

    Scratch: filled (objectives, tiles) int64, where (points,) int32.
    """
    objectives, count = ranks.shape
    for k in range(objectives):
        for tile in range(filled.shape[1]):
            filled[k, tile] = starts[tile]
        for place in range(count):
            point = orders[k, place]
            tile = node[point]
            at = filled[k, tile]
            filled[k, tile] += 1
            if k == 0:
                where[point] = at
                members[at] = point
                for other in range(objectives):
                    rows[at, other] = ranks[other, point]
            own_orders[k, at] = where[point] - starts[tile]


@intrinsic  # type: ignore[untyped-decorator]
def lowest_bit(typing_context: Any, word: Any) -> Any:  # noqa: ARG001
    """Position of the lowest bit that is set; the word must not be zero."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


@jit
def build(rows: Any, own_orders: Any, alive: Any, start: int, end: int, sets: Any, bounds: Any) -> int:
    """Build the bit sets of one tile from its points that are alive; return how many these are."""
    left = 0
    for k in range(len(own_orders)):
        left = 0
        for place in range(start, end):
            local = np.int64(own_orders[k, place])
            if not alive[start + local]:
                continue
            step = left // STEP
            if left % STEP == 0:
                bounds[k, step] = rows[start + local, k]
                for word in range(WORDS):
                    sets[k, step + 1, word] = sets[k, step, word]
            sets[k, step + 1, local >> 6] |= np.uint64(1) << np.uint64(local & 63)
            left += 1
        for step in range((left + STEP - 1) // STEP, STEPS):
            bounds[k, step] = NONE
    return left


@jit
def compare(
    rows: Any,
    alive: Any,
    starts: Any,
    first: int,
    tiles: Any,
    queries: Any,
    sizes: Any,
    sets: Any,
    bounds: Any,
    both: Any,
) -> None:
    """Drop the points of some tiles that a point of the tile behind the sets dominates; `first` is its first point."""
    for tile in tiles:
        kept = starts[tile]
        for place in range(starts[tile], starts[tile] + sizes[tile]):
            query = queries[place]
            queries[kept] = query
            if dominated(rows, query, first, sets, bounds, both):
                alive[query] = False
            else:
                kept += 1
        sizes[tile] = kept - starts[tile]


@jit
def dominated(rows: Any, query: int, first: int, sets: Any, bounds: Any, both: Any) -> bool:
    """Check whether any point of the tile behind the sets dominates one point."""
    objectives = rows.shape[1]
    for k in range(objectives):
        if bounds[k, 0] >= rows[query, k]:
            return False
    for k in range(objectives):
        rank = rows[query, k]
        own = bounds[k]
        step = 0
        span = STEPS // 2
        while span:
            step += span * (own[step + span - 1] < rank)
            span //= 2
        step += own[step] < rank
        any_left = np.uint64(0)
        for word in range(WORDS):
            bits = sets[k, step, word] & (both[word] | np.uint64(-(k == 0)))
            both[word] = bits
            any_left |= bits
        if any_left == 0:
            return False
    for word in range(WORDS):
        bits = both[word]
        while bits:
            candidate = first + word * 64 + np.int64(lowest_bit(bits))
            bits &= bits - np.uint64(1)
            below = True
            for k in range(objectives):
                below &= rows[candidate, k] < rows[query, k]
            if below:
                return True
    return False
