"""Exact fronts of two objectives by a sort and a scan, of three by a sweep over a table of least values."""

from __future__ import annotations

from typing import Any

import numpy as np

from roofcube.kernels.compilation import jit

__all__ = ["scan_two", "sweep_three"]

LEAF = 16  # int32 values in a cache line
NONE = np.int32(2**31 - 1)


@jit
def scan_two(first: Any, second: Any, order: Any, mask: Any) -> None:
    """Mark the optimal points, given the order of the first objective; of equal points, all are marked."""
    count = len(order)
    best = second[order[0]]
    open_front = True
    start = 0
    while start < count:
        value = first[order[start]]
        least = second[order[start]]
        end = start + 1
        while end < count and first[order[end]] == value:
            least = min(least, second[order[end]])
            end += 1
        if open_front or least < best:
            for place in range(start, end):
                mask[order[place]] = second[order[place]] == least
            best = least
            open_front = False
        start = end


@jit
def sweep_three(ranks: Any, orders: Any, mask: Any) -> None:
    """Mark the optimal points of three objectives given as unique ranks.

    Points come in order of the third objective. For each place in the first objective the table holds the second's
    rank, with the running minimum over whole leaves within a branch, and over whole branches: a question costs three
    cache lines, an insertion at most a leaf, a branch and the trunk.
    """
    count = ranks.shape[1]
    leaves = (count + LEAF - 1) // LEAF
    span = 16
    while span * span < leaves:
        span *= 2
    branches = (leaves + span - 1) // span
    leaf = np.full(leaves * LEAF, NONE, np.int32)
    branch = np.full(branches * span, NONE, np.int32)
    trunk = np.full(branches, NONE, np.int32)
    for place in range(count):
        point = orders[2, place]
        x = ranks[0, point]
        y = ranks[1, point]
        twig = x // LEAF
        bough = twig // span
        if bough > 0 and trunk[bough - 1] < y:
            continue
        if twig > bough * span and branch[twig - 1] < y:
            continue
        dominated = False
        for position in range(LEAF):
            dominated |= (leaf[twig * LEAF + position] < y) & (twig * LEAF + position < x)
        if dominated:
            continue
        mask[point] = True
        leaf[x] = y
        lower(branch, twig, (bough + 1) * span, y)
        lower(trunk, bough, branches, y)


@jit
def lower(table: Any, start: int, end: int, value: Any) -> None:
    """Lower a falling stretch of a table to a value, and stop where it already lies below."""
    while start < end and start % LEAF:
        if table[start] <= value:
            return
        table[start] = value
        start += 1
    while start + LEAF <= end:
        last = table[start + LEAF - 1]
        for position in range(start, start + LEAF):
            table[position] = min(table[position], value)
        if last <= value:
            return
        start += LEAF
    for position in range(start, end):
        table[position] = min(table[position], value)
