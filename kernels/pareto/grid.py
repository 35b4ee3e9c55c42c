"""Throw out dominated points by a grid: what a point of a cell before in every objective is below, is dominated.

One pass finds each point's cell in all objectives but the last, and the last's least value in each cell; running minima
over the cells give each cell's bound. A cell must grow with the value, no more: it is looked up by the leading digits
of the value's bits, in a table that follows quantiles of a sample. A binary search among them took 30 ns a point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.compilation import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roofcube.kernels.pareto.points import Columns

__all__ = ["below_grid"]

BUCKETS = {2: 65_536, 3: 256, 4: 32, 5: 16}  # an objective; up to 65536 cells, which the second-level cache holds
DIGITS = {2: 16, 3: 12, 4: 12, 5: 12}  # leading digits of the values' range: with two objectives, the cell itself
PATTERNS: dict[int, Any] = {4: np.uint32, 8: np.uint64}


def below_grid(columns: Columns, sample: NDArray[Any]) -> NDArray[np.int64]:
    """Find the points that no point of a cell before theirs, in every objective, is below.

    Parameters
    ----------
    columns
        Two to five objectives, contiguous, without NaN.
    sample : (objectives, points)
        Some of the points.
    """
    buckets, digits = BUCKETS[len(columns)], DIGITS[len(columns)]
    axes = len(columns) - 1
    cells = np.zeros(len(columns[0]), np.int32)
    for column, drawn in zip(columns[:-1], sample[:-1], strict=True):
        whole = PATTERNS[column.itemsize]
        flip = whole(1 << (8 * column.itemsize - 1)), ~whole(0)
        patterns = np.sort(drawn).view(whole)
        low, shift = (np.uint64(number) for number in key_range(patterns, *flip, digits))  # numba gives back int
        table = np.arange(1 << digits, dtype=np.int32)
        if buckets < len(table):
            fine = np.zeros(len(patterns), np.int32)
            add_cells(patterns, *flip, low, shift, table, 0, fine)
            splitters = fine[len(fine) // buckets :: len(fine) // buckets][: buckets - 1]
            table = np.searchsorted(splitters, table, side="right").astype(np.int32)
        add_cells(column.view(whole), *flip, low, shift, table, buckets, cells)
    least = np.full((buckets,) * axes, np.inf, columns[0].dtype)
    lower(columns[-1], cells, least.ravel())
    for axis in range(axes):
        np.minimum.accumulate(least, axis=axis, out=least)
    bounds = np.full_like(least, np.inf)
    bounds[(slice(1, None),) * axes] = least[(slice(None, -1),) * axes]
    kept = np.empty(len(cells), np.int64)
    return kept[: below(columns[-1], cells, bounds.ravel(), kept)]


@jit
def order_key(pattern: Any, sign: Any, ones: Any) -> Any:
    """Map the bits of a float to an unsigned integer in the same order."""
    return pattern ^ (ones if pattern & sign else sign)


@jit
def key_range(patterns: Any, sign: Any, ones: Any, digits: int) -> tuple[Any, Any]:
    """Find the least key of ascending floats, and the shift by which their range fits so many digits."""
    low = np.uint64(order_key(patterns[0], sign, ones))
    high = np.uint64(order_key(patterns[-1], sign, ones))
    shift = np.uint64(0)
    while ((high - low) >> shift) >> np.uint64(digits):
        shift += np.uint64(1)
    return low, shift


@jit
def add_cells(patterns: Any, sign: Any, ones: Any, low: Any, shift: Any, table: Any, buckets: int, cells: Any) -> None:
    """Multiply each cell by the buckets and add the value's own; what is outside the range belongs to its ends."""
    last = np.uint64(len(table) - 1)
    for index in range(len(patterns)):
        key = np.uint64(order_key(patterns[index], sign, ones))
        fine = (max(key, low) - low) >> shift
        cells[index] = cells[index] * buckets + table[min(fine, last)]


@jit
def lower(last: Any, cells: Any, least: Any) -> None:
    """Find the least value of the last objective in each cell."""
    for index in range(len(cells)):
        cell = cells[index]
        least[cell] = min(least[cell], last[index])


@jit
def below(last: Any, cells: Any, bounds: Any, kept: Any) -> int:
    """Write the indices of the points that are not above their cell's bound; return how many there are."""
    found = 0
    for index in range(len(cells)):
        kept[found] = index
        found += not bounds[cells[index]] < last[index]
    return found
