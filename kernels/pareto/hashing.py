"""Find equal points by hashing: of many points, no order is needed to count how many share a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.compilation import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roofcube.kernels.pareto.points import Columns


__all__ = ["hashed_equals"]

LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
FACTOR = np.uint64(0x9E3779B97F4A7C15)  # 2⁶⁴ over the golden ratio, as in Knuth's multiplicative hashing


def hashed_equals(columns: Columns, codes: NDArray[np.int64] | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find for each point the first that equals it, and count for each first its equals; 0 for the others.

    Parameters
    ----------
    columns
        Without NaN.
    codes
        Points of different codes are never equal.
    """
    objectives, count = len(columns), len(columns[0])
    rows = np.empty((count, objectives + (codes is not None)), np.uint64)
    as_floats = rows.view(np.float64)
    for k, column in enumerate(columns):
        np.add(column, 0.0, out=as_floats[:, k])  # -0.0 becomes 0.0
    if codes is not None:
        rows.view(np.int64)[:, objectives] = codes
    table = np.zeros(1 << max(2 * count - 1, 1).bit_length(), np.uint64)  # at most half full
    first = np.empty(count, np.int64)
    counts = np.zeros(count, np.int64)
    enter(rows, table, first, counts)
    return first, counts


@jit
def enter(rows: Any, table: Any, first: Any, counts: Any) -> None:
    """Enter rows of bits into a table by their hash: half of a slot is the hash, half the row's index and one."""
    count, width = rows.shape
    last = np.uint64(len(table) - 1)
    for index in range(count):
        code = np.uint64(0)
        for k in range(width):
            code = (code ^ rows[index, k]) * FACTOR
            code ^= code >> HALF  # bits of round numbers are zero at the end, and a product carries upwards only
        slot = code & last
        while True:
            entry = table[slot]
            if entry == 0:
                table[slot] = (code & ~LOW) | np.uint64(index + 1)
                first[index] = index
                counts[index] = 1
                break
            if (entry ^ code) >> HALF == 0:
                holder = np.int64((entry & LOW) - np.uint64(1))
                equal = True
                for k in range(width):
                    equal &= rows[holder, k] == rows[index, k]
                if equal:
                    first[index] = holder
                    counts[holder] += 1
                    break
            slot = (slot + np.uint64(1)) & last
