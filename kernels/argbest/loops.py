"""The compiled loops over a table of axes: lines read one after the other, or columns side by side.

Each has its twin walk: the outer axes by counters, the inner two by loops. The best so far of every line lies in the
result itself; a later value replaces it if it is better, or equal with a smaller index.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from roofcube.kernels.argbest.layout import INDEX, MASK, MEMORY, RESULT, SIZE
from roofcube.kernels.compilation import jit

__all__ = ["COLUMN_BLOCK", "reducers"]

COLUMN_BLOCK = 1024  # the best so far of so many columns stays in the first-level cache
DIGITS = np.int32(31)
MAGNITUDE = np.int32(2**31 - 1)
LEAST = np.int32(-(2**31))
INFINITY = np.float32(np.inf).view(np.int32)
LOW = np.int64(0xFFFFFFFF)
NOTHING = np.int64(-(2**63))


@jit
def advance(axes: Any, counters: Any, position: Any) -> bool:
    """Move on along all axes but the last two; False after the last. Positions: memory, mask, result, index."""
    for axis in range(len(axes) - 3, -1, -1):
        counters[axis] += 1
        for step in range(4):
            position[step] += axes[axis, step + 1]
        if counters[axis] < axes[axis, SIZE]:
            return True
        for step in range(4):
            position[step] -= axes[axis, SIZE] * axes[axis, step + 1]
        counters[axis] = 0
    return False


@functools.cache
def reducers(largest: bool) -> tuple[Any, Any, Any]:
    """Make the loops for one sense: over lines, over lines of contiguous f4, over columns.

    All take the values, the mask, the table of axes, scratch for the walk (counters and position), and the result to
    fill: best and index, -1 where there is none yet.
    """
    reverse = np.int32(0 if largest else -1)

    @jit
    def better(value: Any, other: Any) -> Any:
        return value > other if largest else value < other

    @jit
    def replaces(value: Any, place: Any, other: Any, holder: Any) -> Any:
        # takes scalars only, as functions of arrays are not inlined and then cost more than a short line
        return holder < 0 or better(value, other) or (value == other and place < holder)

    @jit
    def in_lines(
        values: Any, mask: Any, axes: Any, counters: Any, position: Any, block: int, best: Any, index: Any
    ) -> None:
        lines = axes[-2]
        along = axes[-1]
        pending = True
        while pending:
            for start in range(0, along[SIZE], block):
                stop = min(start + block, along[SIZE])
                for line in range(lines[SIZE]):
                    source = position[0] + line * lines[MEMORY]
                    masked = position[1] + line * lines[MASK]
                    at = start
                    while at < stop:
                        value = values[source + at * along[MEMORY]]
                        if value == value and mask[masked + at * along[MASK]]:
                            break
                        at += 1
                    if at == stop:
                        continue
                    extreme = values[source + at * along[MEMORY]]
                    winner = at
                    for other in range(at + 1, stop):
                        value = values[source + other * along[MEMORY]]
                        if better(value, extreme) and mask[masked + other * along[MASK]]:
                            extreme = value
                            winner = other
                    place = position[3] + line * lines[INDEX] + winner * along[INDEX]
                    target = position[2] + line * lines[RESULT]
                    if replaces(extreme, place, best[target], index[target]):
                        best[target] = extreme
                        index[target] = place
            pending = advance(axes, counters, position)

    @jit
    def in_contiguous_lines(
        values: Any, bits: Any, mask: Any, axes: Any, counters: Any, position: Any, block: int, best: Any, index: Any
    ) -> None:
        # Value and place in one integer word, as vector units reduce integers, but not floats with NaN, in any order;
        # a second look for the place would double the time on lines of 100.
        lines = axes[-2]
        along = axes[-1]
        pending = True
        while pending:
            for start in range(0, along[SIZE], block):
                stop = min(start + block, along[SIZE])
                for line in range(lines[SIZE]):
                    if not mask[position[1] + line * lines[MASK]]:
                        continue
                    source = position[0] + line * lines[MEMORY]
                    row = bits[source + start : source + stop]
                    most = NOTHING
                    for at in range(len(row)):
                        pattern = row[at]
                        key = np.int32(pattern ^ np.int32(np.int32(pattern >> DIGITS) & MAGNITUDE))
                        key = np.int32(0) if pattern == LEAST else key  # -0.0 equals 0.0
                        key = np.int32(key ^ reverse)
                        key = LEAST if np.int32(pattern & MAGNITUDE) > INFINITY else key
                        word = (np.int64(key) << 32) | (LOW - at)
                        most = word if word > most else most
                    if most >> 32 > np.int64(LEAST):
                        winner = start + LOW - (most & LOW)
                        place = position[3] + line * lines[INDEX] + winner * along[INDEX]
                        target = position[2] + line * lines[RESULT]
                        if replaces(values[source + winner], place, best[target], index[target]):
                            best[target] = values[source + winner]
                            index[target] = place
            pending = advance(axes, counters, position)

    @jit
    def in_columns(
        values: Any,
        mask: Any,
        axes: Any,
        counters: Any,
        position: Any,
        worst: Any,
        extremes: Any,
        winners: Any,
        best: Any,
        index: Any,
    ) -> None:
        along = axes[-2]
        columns = axes[-1]
        pending = True
        while pending:
            for start in range(0, columns[SIZE], COLUMN_BLOCK):
                size = min(COLUMN_BLOCK, columns[SIZE] - start)
                for column in range(size):
                    extremes[column] = worst
                    winners[column] = -1
                for step in range(along[SIZE]):
                    here = winners.dtype.type(step)
                    source = position[0] + step * along[MEMORY] + start * columns[MEMORY]
                    masked = position[1] + step * along[MASK] + start * columns[MASK]
                    if columns[MEMORY] != 1 or not 0 <= columns[MASK] <= 1:
                        for column in range(size):
                            value = values[source + column * columns[MEMORY]]
                            if better(value, extremes[column]) and mask[masked + column * columns[MASK]]:
                                extremes[column] = value
                                winners[column] = here
                    elif columns[MASK]:
                        row = values[source : source + size]
                        allowed = mask[masked : masked + size]
                        for column in range(size):
                            wins = better(row[column], extremes[column]) & allowed[column]
                            extremes[column] = row[column] if wins else extremes[column]
                            winners[column] = here if wins else winners[column]
                    elif mask[masked]:
                        row = values[source : source + size]
                        for column in range(size):
                            wins = better(row[column], extremes[column])
                            extremes[column] = row[column] if wins else extremes[column]
                            winners[column] = here if wins else winners[column]
                missing = 0
                for column in range(size):
                    missing += winners[column] < 0
                if missing:  # nothing is better than the worst, not even itself
                    for step in range(along[SIZE]):
                        source = position[0] + step * along[MEMORY] + start * columns[MEMORY]
                        masked = position[1] + step * along[MASK] + start * columns[MASK]
                        for column in range(size):
                            value = values[source + column * columns[MEMORY]]
                            if winners[column] < 0 and value == worst and mask[masked + column * columns[MASK]]:
                                winners[column] = step
                first = position[2] + start * columns[RESULT]
                for column in range(size):
                    value = extremes[column]
                    place = position[3] + np.int64(winners[column]) * along[INDEX]
                    target = first + column * columns[RESULT]
                    if winners[column] >= 0 and replaces(value, place, best[target], index[target]):
                        best[target] = value
                        index[target] = place
            pending = advance(axes, counters, position)

    return in_lines, in_contiguous_lines, in_columns
