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
    "choose_pivots",
    "eliminate",
    "rejecter",
    "sample_points",
]

BLOCK = 512  # rows of five f8 objectives fill 20 KB: half of the smallest first-level cache
PAIRS = 64
CANDIDATES = 128
STRONG = 20  # a pivot that throws out one in so many is asked about every point, the others about what is left


@jit
def choose_pivots(
    sample: Any, flags: Any, beats: Any, candidates: Any, pivots: Any, least_gain: int
) -> tuple[int, int, float]:
    """Choose greedily, from a sample (objective, point), those that dominate most of the rest.

    Moves the points without NaN to the front of the sample and fills the pivots (pivot, objective). Scratch: flags
    (3, points) bool, zero; beats (`CANDIDATES`, words) uint64, zero; candidates (`CANDIDATES`,) int64. Returns how
    many pivots there are, how many of them are strong, and the share of the sample that they leave.
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
    strong = 0
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
        strong += most * STRONG >= size
        left -= most
        for word_index in range(beats.shape[1]):
            taken = ~beats[best, word_index]
            for candidate in range(found):
                beats[candidate, word_index] &= taken
    return chosen, strong, left / size


@jit
def sample_points(columns: Any, signs: Any, drawn: Any, sample: Any) -> None:
    """Copy points drawn at random within equal strides; regular strides would resonate with grids."""
    count = len(columns[0])
    stride = count / len(drawn)
    for k in range(len(sample)):
        column = columns[k]
        for index in range(len(drawn)):
            sample[k, index] = column[min(np.int64((index + drawn[index]) * stride), count - 1)] * signs[k]


@functools.cache
def rejecter(objectives: int) -> Any:
    """Make `reject` for a number of objectives; a constant lets the compiler unroll the inner loops."""

    @jit
    def reject(
        columns: Any,
        signs: Any,
        pivots: Any,
        strong: int,
        chosen: int,
        block: Any,
        packed: Any,
        alive: Any,
        names: Any,
        kept: Any,
        values: Any,
        missing: Any,
    ) -> int:
        """Write the indices and costs of the points without NaN that no pivot dominates; return how many there are.

        To `missing` (objectives,) int64 is added how many points have NaN in each.

        Strong pivots are asked about all points of a block, and only where they are better in the first objective, at
        half the cost; the first, in full, and the other pivots about those that are left. Signs of -1 turn objectives
        to maximise. Scratch: block and packed (objectives, `BLOCK`), alive (`BLOCK`,) bool, names (`BLOCK`,) int64.
        """
        count = len(columns[0])
        words = alive.view(np.uint64)
        found = 0
        for start in range(0, count, BLOCK):
            size = min(BLOCK, count - start)
            for k in range(objectives):
                source = columns[k][start : start + size]
                target = block[k]  # indexing both arrays in full costs three times as much: 2.4 for 0.8 ns a point
                sign = signs[k]
                for index in range(size):
                    target[index] = source[index] * sign
                gaps = 0
                for index in range(size):
                    gaps += target[index] != target[index]
                missing[k] += gaps
                for index in range(size, BLOCK):
                    target[index] = np.nan  # dead to any strong pivot
            points = block
            left = size
            if strong:
                points = packed
                left = 0
                for index in range(BLOCK):
                    alive[index] = True
                for pivot in range(strong):
                    for index in range(BLOCK):
                        dead = not (block[0, index] <= pivots[pivot, 0])  # NaN is dead
                        for k in range(1, objectives):
                            dead &= not (block[k, index] < pivots[pivot, k])
                        alive[index] &= not dead
                for word in range(BLOCK // 8):
                    if words[word]:
                        for index in range(word * 8, word * 8 + 8):
                            names[left] = index
                            left += alive[index]
                for k in range(objectives):
                    for position in range(left):
                        packed[k, position] = block[k, names[position]]
            else:
                for index in range(size):
                    names[index] = index
            for position in range(left):
                alive[position] = True
            for pivot in range(chosen):
                if 0 < pivot < strong:
                    continue
                for position in range(left):
                    within = True
                    equal = True
                    for k in range(objectives):
                        within &= not (points[k, position] < pivots[pivot, k])
                        equal &= points[k, position] == pivots[pivot, k]
                    alive[position] &= equal | (not within)
            last = 0
            for position in range(left):
                valid = alive[position]
                for k in range(objectives):
                    valid &= points[k, position] == points[k, position]
                kept[found + last] = start + names[position]
                names[last] = position
                last += valid
            for k in range(objectives):
                source = points[k]
                target = values[k][found : found + last]
                for position in range(last):
                    target[position] = source[names[position]]
            found += last
        return found

    return reject


@jit
def eliminate(left: Any, count: Any, names: Any, flags: Any, optimal: Any, passes: Any) -> tuple[int, int]:
    """Mark the optimal of few points without NaN: so many of them in turn throw out those they dominate.

    Returns how many are left, and how many of these are settled: with fewer settled, those left are marked, named in
    `names` and lie at the start of `left`, but some may be dominated by others after the settled ones.

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
    while point < count and passes:
        passes -= 1
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
    return count, point
