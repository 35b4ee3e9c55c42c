"""Throw out dominated points cheaply: a few strong pivots, chosen from a sample, tested against every point.

Exact: a point is dropped only if a pivot dominates it, or if it holds a NaN. How many remain depends on the data.

Loops are written out and scratch arrays are allocated by the callers: slice assignments, `np.full` and small inner
functions tripled the time to compile.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from roofcube.kernels.compilation import jit

__all__ = [
    "BLOCK",
    "CANDIDATES",
    "PAIRS",
    "below_grid",
    "choose_pivots",
    "eliminate",
    "fill_grid",
    "least_gaps",
    "rejecter",
]

BLOCK = 512  # rows of five f8 objectives fill 20 KB: half of the smallest first-level cache
PAIRS = 64
CANDIDATES = 128


@jit
def choose_pivots(
    sample: Any, flags: Any, beats: Any, candidates: Any, pivots: Any, least_gain: int
) -> tuple[int, float]:
    """Choose greedily, from a sample (objective, point), those that dominate most of the rest.

    Moves the points without NaN to the front of the sample and fills the pivots (pivot, objective). Scratch: flags
    (3, points) bool, zero; beats (`CANDIDATES`, words) uint64, zero; candidates (`CANDIDATES`,) int64. Returns how
    many pivots there are and the share of the sample that they leave.
    """
    objectives, size = sample.shape
    kept = 0
    for index in range(size):
        valid = True
        for k in range(objectives):
            sample[k, kept] = sample[k, index]
            valid &= sample[k, index] == sample[k, index]
        kept += valid
    less = flags[0]
    greater = flags[1]
    dead = flags[2]
    found = 0
    for index in range(kept):
        if dead[index] or found == CANDIDATES:
            continue
        column = sample[0]
        value = column[index]
        for other in range(kept):
            less[other] = column[other] < value
            greater[other] = column[other] > value
        for k in range(1, objectives):
            column = sample[k]
            value = column[index]
            for other in range(kept):
                less[other] |= column[other] < value
                greater[other] |= column[other] > value
        dominated = False
        for other in range(kept):
            dominated |= less[other] & (not greater[other])
        if dominated:
            continue
        for word_index in range(beats.shape[1]):
            beaten = np.uint64(0)
            for bit in range(64):
                other = word_index * 64 + bit
                dead[other] |= greater[other] & (not less[other])
                beaten |= np.uint64(greater[other] & (not less[other])) << np.uint64(bit)
            beats[found, word_index] = beaten
        candidates[found] = index
        found += 1
    chosen = 0
    left: Any = kept
    while chosen < len(pivots):
        most = np.int64(0)
        best = 0
        for candidate in range(found):
            gain = np.int64(0)
            for word in beats[candidate]:
                # the bits that are set, counted in pairs, fours and bytes
                word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
                word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
                word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
                gain += np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))
            if gain > most:
                most = gain
                best = candidate
        if most < least_gain:
            break
        for k in range(objectives):
            pivots[chosen, k] = sample[k, candidates[best]]
        chosen += 1
        left -= most
        for word_index in range(beats.shape[1]):
            taken = ~beats[best, word_index]
            for candidate in range(found):
                beats[candidate, word_index] &= taken
    return chosen, left / size


@functools.cache
def rejecter(objectives: int) -> Any:
    """Make `reject` for a number of objectives; a constant lets the compiler unroll the inner loops."""

    @jit
    def reject(columns: Any, signs: Any, pivots: Any, chosen: int, block: Any, alive: Any, kept: Any) -> int:
        """Write the indices of the points without NaN that no pivot dominates; return how many there are.

        Signs of -1 turn objectives to maximise. NaN fills up the pivots to a multiple of 4. Scratch: block
        (objectives, `BLOCK`) of NaN, alive (`BLOCK`,) bool.
        """
        count = len(columns[0])
        found = 0
        for start in range(0, count, BLOCK):
            size = min(BLOCK, count - start)
            for k in range(objectives):
                source = columns[k][start : start + size]
                target = block[k]  # indexing both arrays in full costs three times as much: 2.4 for 0.8 ns a point
                sign = signs[k]
                for index in range(size):
                    target[index] = source[index] * sign
            for index in range(BLOCK):
                alive[index] = True
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
def fill_grid(values: Any, splitters: Any, cells: Any, least: Any) -> None:
    """Find each point's cell of a grid in all objectives but the last, and the last's least value in each cell.

    Values (objective, point); splitters (objective - 1, a power of two less one), ascending.
    """
    objectives, count = values.shape
    for index in range(count):
        cell = 0
        for k in range(objectives - 1):
            value = values[k, index]
            own = splitters[k]
            bucket = 0
            span = (splitters.shape[1] + 1) // 2
            while span:
                bucket += span * (own[bucket + span - 1] <= value)
                span //= 2
            cell = cell * (splitters.shape[1] + 1) + bucket
        cells[index] = cell
        last = values[objectives - 1, index]
        least[cell] = min(least[cell], last)


@jit
def below_grid(last: Any, cells: Any, bounds: Any, kept: Any) -> int:
    """Write the indices of the points that are not above their cell's bound; return how many there are."""
    found = 0
    for index in range(len(cells)):
        kept[found] = index
        found += not bounds[cells[index]] < last[index]
    return found


@jit
def eliminate(left: Any, count: Any, names: Any, flags: Any, optimal: Any) -> None:
    """Mark the optimal of few points without NaN: each in turn throws out those it dominates.

    Scratch: left (objectives, points) holds the points, then -inf up to a multiple of `PAIRS`; names (points,) int64;
    flags (2, as many) bool.
    """
    objectives = len(left)
    within = flags[0]
    better = flags[1]
    for position in range(count):
        names[position] = position
        optimal[position] = False
    point = 0
    while point < count:
        end = (count + PAIRS - 1) // PAIRS * PAIRS
        for position in range(end):
            within[position] = True
            better[position] = False
        for k in range(objectives):
            column = left[k]
            value = column[point]
            for position in range(end):
                within[position] &= value <= column[position]
                better[position] |= value < column[position]
        kept = count
        for start in range(0, end, PAIRS):
            any_dead = False
            for position in range(start, start + PAIRS):
                any_dead |= within[position] & better[position]
            if any_dead:
                kept = start
                break
        dead_before = 0
        for position in range(kept, count):
            for k in range(objectives):
                left[k, kept] = left[k, position]
            names[kept] = names[position]
            dead = within[position] & better[position]
            dead_before += dead & (position < point)
            kept += not dead
        for k in range(objectives):
            for position in range(kept, count):
                left[k, position] = -np.inf
        count = kept
        point += 1 - dead_before
    for position in range(count):
        optimal[names[position]] = True


@jit
def least_gaps(points: Any, front: Any, relative: bool, scratch: Any, distance: Any) -> None:
    """Write for each point the largest, over the front, of the least gap over the objectives, at least 0.

    Points (objective, point), front (point, objective), scratch (2 * objectives + 1, `BLOCK`).
    """
    objectives, count = points.shape
    gaps = scratch[2 * objectives]
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        for k in range(objectives):
            for index in range(size):
                value = points[k, start + index]
                scratch[k, index] = value
                scale = abs(value) if relative else np.abs(value * 0) + 1
                # scale 0 says that nothing improves here
                scratch[objectives + k, index] = 0 if np.isinf(value) else scale
        for point in range(front.shape[0]):
            for index in range(size):
                gaps[index] = np.inf
            for k in range(objectives):
                value = front[point, k]
                column = scratch[k]
                scales = scratch[objectives + k]
                for index in range(size):
                    gap = (column[index] - value) / scales[index]
                    endless = np.inf if column[index] > value else -np.inf
                    gap = endless if scales[index] == 0 else gap
                    gap = 0.0 if column[index] == value else gap
                    gaps[index] = min(gaps[index], gap)
            for index in range(size):
                distance[start + index] = max(distance[start + index], gaps[index])
