"""Throw out dominated points cheaply: a few strong pivots, chosen from a sample, tested against every point.

Exact: a point is dropped only if a pivot dominates it, or if it holds a NaN. How many remain depends on the data.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.compilation import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["choose_pivots", "eliminate", "gather", "least_gaps", "rejecter", "sample_indices", "spread"]

BLOCK = 512  # rows of five f8 objectives fill 20 KB: half of the smallest first-level cache
PAIRS = 64


@jit
def sample_indices(count: int, size: int) -> NDArray[np.int64]:
    """Spread `size` of `count` indices, at random within equal strides (regular strides would resonate with grids)."""
    indices = np.empty(size, np.int64)
    state = np.uint64(0x9E3779B97F4A7C15)
    for position in range(size):
        state = state ^ (state << np.uint64(13))
        state = state ^ (state >> np.uint64(7))
        state = state ^ (state << np.uint64(17))
        low = position * count // size
        high = (position + 1) * count // size
        span = max(high - low, 1)
        indices[position] = low + np.int64((state >> np.uint64(11)) % np.uint64(span))
    return indices


@jit
def choose_pivots(sample: Any, most: int, least_gain: int) -> Any:
    """Choose greedily, from a sample (objective, point), those that dominate most of the rest.

    Moves the points without NaN to the front of the sample. Returns the pivots (pivot, objective), padded with NaN,
    their number, and the share of the sample that they leave.
    """
    objectives, size = sample.shape
    kept = 0
    for index in range(size):
        valid = True
        for k in range(objectives):
            sample[k, kept] = sample[k, index]
            valid &= not np.isnan(sample[k, kept])
        kept += valid
    words = (kept + 63) // 64
    optimal = np.empty(kept, np.int64)
    fronts = 0
    less = np.empty(kept, np.bool_)
    greater = np.empty(kept, np.bool_)
    dead = np.zeros(kept, np.bool_)
    rows = np.zeros((min(kept, 128), max(words, 1)), np.uint64)
    # A point that survives the ones before it in order of how many it dominates is rare; a plain loop is enough here.
    for index in range(kept):
        if dead[index]:
            continue
        below_or_equal(sample, index, kept, less, greater)
        dominated = False
        for other in range(kept):
            dominated |= less[other] & (not greater[other])
        if dominated:
            continue
        if fronts == len(rows):
            break
        for other in range(kept):
            beaten = greater[other] & (not less[other])
            dead[other] |= beaten
            rows[fronts, other >> 6] |= np.uint64(beaten) << np.uint64(other & 63)
        optimal[fronts] = index
        fronts += 1
    pivots, chosen, left = greedy_cover(sample, optimal[:fronts], rows[:fronts], kept, most, least_gain)
    return pivots, chosen, left / size


@jit
def below_or_equal(sample: Any, index: int, kept: int, less: Any, greater: Any) -> None:
    """Mark which points are less, and which greater, than one of them in some objective."""
    for other in range(kept):
        less[other] = sample[0, other] < sample[0, index]
        greater[other] = sample[0, other] > sample[0, index]
    for k in range(1, len(sample)):
        for other in range(kept):
            less[other] |= sample[k, other] < sample[k, index]
            greater[other] |= sample[k, other] > sample[k, index]


@jit
def ones(word: Any) -> Any:
    """Count the bits that are set."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@jit
def greedy_cover(sample: Any, optimal: Any, rows: Any, kept: int, most: int, least_gain: int) -> Any:
    pivots = np.full((most, len(sample)), np.nan, sample.dtype)
    left = kept
    chosen = 0
    while chosen < most:
        best_gain = 0
        best = -1
        for candidate in range(len(optimal)):
            gain = 0
            for word in rows[candidate]:
                gain += ones(word)
            if gain > best_gain:
                best_gain = gain
                best = candidate
        if best_gain < least_gain:
            break
        for k in range(len(sample)):
            pivots[chosen, k] = sample[k, optimal[best]]
        chosen += 1
        left -= best_gain
        taken = rows[best].copy()
        for candidate in range(len(optimal)):
            for word in range(len(taken)):
                rows[candidate, word] &= ~taken[word]
    return pivots, chosen, left


@functools.cache
def rejecter(objectives: int) -> Any:
    """Make `reject` for a number of objectives; a constant lets the compiler unroll the inner loops."""

    @jit
    def flag_alive(block: Any, pivots: Any, chosen: int, alive: Any) -> None:
        alive[:] = True
        for pivot in range(0, chosen, 4):
            for index in range(BLOCK):
                dead = False
                for j in range(4):
                    within = True
                    better = False
                    for k in range(objectives):
                        within &= pivots[pivot + j, k] <= block[k, index]
                        better |= pivots[pivot + j, k] < block[k, index]
                    dead |= within & better
                alive[index] &= not dead

    @jit
    def reject(columns: Any, pivots: Any, chosen: int, kept: Any) -> int:
        """Write the indices of the points without NaN that no pivot dominates; return how many there are."""
        count = len(columns[0])
        block = np.full((objectives, BLOCK), np.nan, columns[0].dtype)
        alive = np.empty(BLOCK, np.bool_)
        found = 0
        for start in range(0, count, BLOCK):
            size = min(BLOCK, count - start)
            for k in range(objectives):
                source = columns[k][start : start + size]
                target = block[k]  # indexing both arrays in full costs three times as much: 2.4 for 0.8 ns a point
                for index in range(size):
                    target[index] = source[index]
            flag_alive(block, pivots, chosen, alive)
            for first in range(0, size, 16):
                any_alive = False
                for index in range(first, first + 16):
                    any_alive |= alive[index]
                if any_alive:
                    for index in range(first, min(first + 16, size)):
                        kept[found] = start + index
                        valid = alive[index]
                        for k in range(objectives):
                            valid &= block[k, index] == block[k, index]
                        found += valid
        return found

    return reject


@jit
def gather(column: Any, indices: Any, values: Any) -> None:
    """Copy the values at the indices; `np.take` would first copy a whole strided column."""
    for place in range(len(indices)):
        values[place] = column[indices[place]]


@jit
def spread(kept: Any, optimal: Any, mask: Any) -> None:
    """Mark those of the kept points that are optimal."""
    for place in range(len(kept)):
        mask[kept[place]] = optimal[place]


@jit
def eliminate(values: Any, count: int, optimal: Any) -> None:
    """Mark the optimal of the first points: each in turn throws out those it dominates; for few points without NaN."""
    objectives = len(values)
    padded = (count + PAIRS - 1) // PAIRS * PAIRS
    left = np.full((objectives, padded), -np.inf, values.dtype)
    left[:, :count] = values[:, :count]
    names = np.arange(count)
    within = np.empty(padded, np.bool_)
    better = np.empty(padded, np.bool_)
    point = 0
    while point < count:
        end = (count + PAIRS - 1) // PAIRS * PAIRS
        flag_dominated(left, point, end, within, better)
        dead_before = 0
        kept = count
        for start in range(0, end, PAIRS):
            any_dead = False
            for position in range(start, start + PAIRS):
                any_dead |= within[position]
            if any_dead:
                kept = start
                break
        for position in range(kept, count):
            for k in range(objectives):
                left[k, kept] = left[k, position]
            names[kept] = names[position]
            dead_before += within[position] & (position < point)
            kept += not within[position]
        for k in range(objectives):
            left[k, kept:count] = -np.inf
        count = kept
        point += 1 - dead_before
    optimal[:] = False
    for position in range(count):
        optimal[names[position]] = True


@jit
def flag_dominated(left: Any, point: int, end: int, within: Any, better: Any) -> None:
    """Mark, in `within`, the points that one of them dominates."""
    first = left[0]
    value = first[point]
    for position in range(end):
        within[position] = value <= first[position]
        better[position] = value < first[position]
    for k in range(1, len(left)):
        column = left[k]
        value = column[point]
        for position in range(end):
            within[position] &= value <= column[position]
            better[position] |= value < column[position]
    for position in range(end):
        within[position] &= better[position]


@jit
def least_gaps(points: Any, front: Any, relative: bool, distance: Any) -> None:
    """Write for each point the largest, over the front, of the least gap over the objectives, at least 0."""
    objectives, count = points.shape
    gaps = np.empty(BLOCK, points.dtype)
    block = np.empty((objectives, BLOCK), points.dtype)
    scale = np.empty((objectives, BLOCK), points.dtype)
    largest = np.empty(BLOCK, points.dtype)
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        block[:] = 0
        scale[:] = 1
        for k in range(objectives):
            for index in range(size):
                value = points[k, start + index]
                block[k, index] = value
                if relative:
                    scale[k, index] = abs(value)
                if np.isinf(value) or scale[k, index] == 0:
                    scale[k, index] = 0
        largest[:] = 0
        for point in range(front.shape[0]):
            gaps[:] = np.inf
            for k in range(objectives):
                value = front[point, k]
                for index in range(BLOCK):
                    gap = (block[k, index] - value) / scale[k, index]
                    endless = np.inf if block[k, index] > value else -np.inf
                    gap = endless if scale[k, index] == 0 else gap
                    gap = 0.0 if block[k, index] == value else gap
                    gaps[index] = min(gaps[index], gap)
            for index in range(BLOCK):
                largest[index] = max(largest[index], gaps[index])
        distance[start : start + size] = largest[:size]
