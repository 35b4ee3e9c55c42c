"""Exact fronts of any number of objectives: bit sets of dominating points, tile by tile of a k-d partition.

Points come as unique ranks. A tile holds up to `TILE` neighbouring points. For each objective it keeps the set of its
points that come before each `STEP`-th of them, as bits; the sets for a query's ranks, intersected over the objectives,
hold all that can dominate it, so one machine word judges 64 points. Most pairs of tiles need no look at all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from roofcube.kernels.compilation import jit

__all__ = ["front_by_tiles"]

TILE = 1024
WORDS = TILE // 64
STEP = 32
STEPS = TILE // STEP


@intrinsic  # type: ignore[untyped-decorator]
def lowest_bit(typing_context: Any, word: Any) -> Any:  # noqa: ARG001
    """Position of the lowest bit that is set; the word must not be zero."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


@jit
def partition(orders: Any, tiles_wanted: int) -> Any:
    """Halve the points at the median of one objective after another; return each point's tile and their number."""
    objectives, count = orders.shape
    node = np.zeros(count, np.int32)
    sizes = np.full(1, count, np.int64)
    level = 0
    while len(sizes) < tiles_wanted:
        seen = np.zeros(len(sizes), np.int64)
        k = level % objectives
        for place in range(count):
            point = orders[k, place]
            parent = node[point]
            node[point] = 2 * parent + (seen[parent] >= (sizes[parent] + 1) // 2)
            seen[parent] += 1
        halves = np.empty(2 * len(sizes), np.int64)
        for parent in range(len(sizes)):
            halves[2 * parent] = (sizes[parent] + 1) // 2
            halves[2 * parent + 1] = sizes[parent] - halves[2 * parent]
        sizes = halves
        level += 1
    return node, sizes


@jit
def lay_out(ranks: Any, orders: Any, node: Any, starts: Any) -> Any:
    """Store the points tile by tile: their ranks row by row, and each tile's own order in each objective."""
    objectives, count = ranks.shape
    tiles = len(starts) - 1
    position = np.empty(count, np.int32)
    members = np.empty(count, np.int32)
    rows = np.empty((count, objectives), np.int32)
    tile_orders = np.empty((objectives, count), np.int16)
    for k in range(objectives):
        filled = starts[:tiles].copy()
        for place in range(count):
            point = orders[k, place]
            tile = node[point]
            at = filled[tile]
            filled[tile] += 1
            if k == 0:
                position[point] = at
                members[at] = point
                for other in range(objectives):
                    rows[at, other] = ranks[other, point]
            tile_orders[k, at] = position[point] - starts[tile]
    return members, rows, tile_orders


@jit
def build(rows: Any, tile_orders: Any, alive: Any, start: int, end: int, sets: Any, bounds: Any) -> int:
    """Build the bit sets of one tile from its points that are alive; return how many these are."""
    objectives = rows.shape[1]
    left = 0
    for k in range(objectives):
        left = 0
        for place in range(start, end):
            local = np.int64(tile_orders[k, place])
            if not alive[start + local]:
                continue
            step = left // STEP
            if left % STEP == 0:
                bounds[k, step] = rows[start + local, k]
                if step == 0:
                    sets[k, 0, :] = np.uint64(0)
                sets[k, step + 1, :] = sets[k, step, :]
            sets[k, step + 1, local >> 6] |= np.uint64(1) << np.uint64(local & 63)
            left += 1
        bounds[k, (left + STEP - 1) // STEP :] = 2**31 - 1
    return left


@jit
def dominated_by_tile(rows: Any, query: int, start: int, sets: Any, bounds: Any, both: Any) -> bool:
    """Tell whether any point of the tile that the sets were built from dominates one point."""
    objectives = rows.shape[1]
    for k in range(objectives):
        rank = rows[query, k]
        if bounds[k, 0] >= rank:
            return False
    for k in range(objectives):
        rank = rows[query, k]
        step = np.int32(0)
        for bound in range(STEPS):
            step += np.int32(bounds[k, bound] < rank)
        found = np.uint64(0)
        if k == 0:
            for word in range(WORDS):
                both[word] = sets[0, step, word]
        else:
            for word in range(WORDS):
                both[word] &= sets[k, step, word]
                found |= both[word]
            if found == 0:
                return False
    for word in range(WORDS):
        bits = both[word]
        while bits:
            candidate = start + word * 64 + np.int64(lowest_bit(bits))
            bits &= bits - np.uint64(1)
            below = True
            for k in range(objectives):
                below &= rows[candidate, k] < rows[query, k]
            if below:
                return True
    return False


@jit
def front_by_tiles(ranks: Any, orders: Any, mask: Any) -> None:
    """Mark the optimal points, given as unique ranks with their orders."""
    objectives, count = ranks.shape
    node, sizes = partition(orders, (count + TILE - 1) // TILE)
    tiles = len(sizes)
    starts = np.zeros(tiles + 1, np.int64)
    starts[1:] = np.cumsum(sizes)
    members, rows, tile_orders = lay_out(ranks, orders, node, starts)
    least, most, corner = corners(rows, starts)
    alive = np.ones(count, np.bool_)
    queries = np.arange(count).astype(np.int32)
    pending = sizes.copy()
    sets = np.empty((objectives, STEPS + 1, WORDS), np.uint64)
    bounds = np.empty((objectives, STEPS), np.int32)
    both = np.empty(WORDS, np.uint64)
    for judge in np.argsort(corner):
        start = starts[judge]
        compare_tile(rows, tile_orders, alive, starts, judge, judge, queries, pending, sets, bounds, both, True)
        left = build(rows, tile_orders, alive, start, starts[judge + 1], sets, bounds)
        if left == 0:
            continue
        for tile in range(tiles):
            comparable = tile != judge
            for k in range(objectives):
                comparable &= least[judge, k] < most[tile, k]
            if comparable:
                compare_tile(rows, tile_orders, alive, starts, judge, tile, queries, pending, sets, bounds, both, False)
    for position in range(count):
        mask[members[position]] = alive[position]


@jit
def corners(rows: Any, starts: Any) -> Any:
    """Find the least and the greatest rank of each tile, and the sum of the least."""
    tiles = len(starts) - 1
    least = np.full((tiles, rows.shape[1]), 2**31 - 1, np.int32)
    most = np.full((tiles, rows.shape[1]), -1, np.int32)
    corner = np.zeros(tiles, np.int64)
    for tile in range(tiles):
        for position in range(starts[tile], starts[tile + 1]):
            for k in range(rows.shape[1]):
                least[tile, k] = min(least[tile, k], rows[position, k])
                most[tile, k] = max(most[tile, k], rows[position, k])
        corner[tile] = least[tile].sum()
    return least, most, corner


@jit
def compare_tile(
    rows: Any,
    tile_orders: Any,
    alive: Any,
    starts: Any,
    judge: int,
    tile: int,
    queries: Any,
    pending: Any,
    sets: Any,
    bounds: Any,
    both: Any,
    itself: bool,
) -> None:
    """Drop the points of one tile that a point of the judging tile dominates."""
    if itself and build(rows, tile_orders, alive, starts[judge], starts[judge + 1], sets, bounds) == 0:
        return
    kept = 0
    for place in range(starts[tile], starts[tile] + pending[tile]):
        query = queries[place]
        if dominated_by_tile(rows, query, starts[judge], sets, bounds, both):
            alive[query] = False
        else:
            queries[starts[tile] + kept] = query
            kept += 1
    pending[tile] = kept
