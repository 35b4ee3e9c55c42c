"""Exact fronts of two objectives by a sort and a scan, of three by a sweep over a table of least values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.compilation import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["scan_two", "sweep_three"]

LEAF = 16  # int32 values in a cache line
NONE = 2**31 - 1


@jit
def scan_two(first: Any, second: Any, order: Any, mask: Any) -> None:
    """Mark the optimal points, given the order of the first objective; of equal points, all are marked."""
    count = len(order)
    best = second[order[0]]
    start = 0
    while start < count:
        value = first[order[start]]
        least = second[order[start]]
        end = start + 1
        while end < count and first[order[end]] == value:
            least = min(least, second[order[end]])
            end += 1
        if start == 0 or least < best:
            for place in range(start, end):
                mask[order[place]] = second[order[place]] == least
            best = least
        start = end


def sweep_three(ranks: NDArray[np.int32], orders: NDArray[np.uint32], mask: NDArray[np.bool_]) -> None:
    """Mark the optimal points of three objectives given as unique ranks."""
    leaves = -(-ranks.shape[1] // LEAF)
    span = LEAF
    while span * span < leaves:
        span *= 2
    branches = -(-leaves // span)
    leaf, branch, trunk = (np.full(size, NONE, np.int32) for size in (leaves * LEAF, branches * span, branches))
    # laid out in order of the third objective first: the sweep then waits for one random line a point, not four
    optimal = np.zeros(ranks.shape[1], np.bool_)
    sweep(ranks[0][orders[2]], ranks[1][orders[2]], leaf, branch, trunk, span, optimal)
    mask[orders[2]] = optimal


@jit
def sweep(first: Any, second: Any, leaf: Any, branch: Any, trunk: Any, span: int, optimal: Any) -> None:
    """Take the points in order of the third objective, and ask whether one before was less in the other two.

    For each place in the first objective the table holds the second's rank, with the running minimum over whole
    leaves within a branch, and over whole branches: a question costs three cache lines, an insertion at most a leaf,
    a branch and the trunk.
    """
    for place in range(len(first)):
        x = first[place]
        y = second[place]
        twig = x // LEAF
        bough = twig // span
        if bough > 0 and trunk[bough - 1] < y:
            continue
        if twig > bough * span and branch[twig - 1] < y:
            continue
        own = leaf[twig * LEAF : twig * LEAF + LEAF]
        before = np.int32(x - twig * LEAF)
        dominated = False
        for position in range(LEAF):
            dominated |= (own[position] < y) & (np.int32(position) < before)
        if dominated:
            continue
        optimal[place] = True
        leaf[x] = y
        lower(branch, twig, (bough + 1) * span, y)
        lower(trunk, bough, len(trunk), y)


@jit
def lower(table: Any, start: int, end: int, value: Any) -> None:
    """Lower a falling stretch of a table to a value, and stop where it already lies below."""
    while start < end and start % LEAF:
        if table[start] <= value:
            return
        table[start] = value
        start += 1
    while start < end:
        stop = min(start + LEAF, end)
        last = table[stop - 1]
        for position in range(start, stop):
            table[position] = min(table[position], value)
        if last <= value:
            return
        start = stop
