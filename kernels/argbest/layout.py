"""How an array lies in memory, as a table of as few axes as can tell it; the kernels walk along that table.

A value's place in memory, in the mask, in the result and in the flattened reduced axes each grow by a fixed step
along an axis. Neighbouring axes are merged where all four steps allow it, so that a contiguous array of any number of
dims that is reduced along its last ones is two axes: rows, and what is in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["INDEX", "MASK", "MEMORY", "RESULT", "SIZE", "Table", "table_of", "worst_of"]

SIZE, MEMORY, MASK, RESULT, INDEX = range(5)  # columns of the table
UNIT = [1, 0, 0, 0, 0]


@dataclass(frozen=True)
class Table:
    """The axes of an array, the outermost first; the kernels' inner loops run along the last two.

    Attributes
    ----------
    axes : (axes, 5) int64 array
        At least two; each with its size and its four steps.
    in_rows
        Whether the innermost axis is reduced.
    """

    axes: NDArray[np.int64]
    in_rows: bool


def table_of(
    values: NDArray[Any],
    mask: NDArray[np.bool_],
    result: NDArray[Any],
    index_steps: tuple[int, ...],
    narrow_size: int,
) -> Table:
    """Describe arrays of one shape; the result does not move along reduced axes.

    Parameters
    ----------
    values, mask
        In any layout whose steps are whole values.
    result
        Of the same number of axes, with size 1 for each reduced axis.
    index_steps
        How far the flat index moves along each axis; 0 along those that are not reduced.
    narrow_size
        Values side by side below which lines are read one after the other.
    """
    axes = []
    for axis, size in enumerate(values.shape):
        steps = (values.strides[axis] // values.itemsize, mask.strides[axis] // mask.itemsize)
        along = 0 if index_steps[axis] else result.strides[axis] // result.itemsize
        # along a reduced axis on which nothing changes, the first value stands for all
        if size > 1 and (any(steps) or not index_steps[axis]):
            axes.append([size, *steps, along, index_steps[axis]])
    axes.sort(key=lambda axis: -abs(axis[MEMORY]))
    axes = _merged(axes)
    in_rows = _order_inner(axes, narrow_size)
    axes = [UNIT] * (2 - len(axes)) + axes
    return Table(np.array(axes, np.int64), in_rows)


def _merged(axes: list[list[int]]) -> list[list[int]]:
    merged: list[list[int]] = []
    for inner in axes:
        outer = merged[-1] if merged else None
        if outer and all(step == inner[SIZE] * own for step, own in zip(outer[1:], inner[1:], strict=True)):
            merged[-1] = [outer[SIZE] * inner[SIZE], *inner[1:]]
        else:
            merged.append(inner)
    return merged


def _order_inner(axes: list[list[int]], narrow_size: int) -> bool:
    """Put the axes of the inner loops last; tell whether the innermost is reduced.

    Columns need a reduced axis beside them, the nearest, so that the best so far stays in the first-level cache.
    """
    reduced = [position for position, axis in enumerate(axes) if axis[INDEX]]
    if not axes or (reduced and reduced[-1] == len(axes) - 1):
        return True
    nearest = axes.pop(reduced[-1]) if reduced else UNIT
    narrow = axes[-1][SIZE] < narrow_size
    axes.insert(len(axes) if narrow else len(axes) - 1, nearest)
    return narrow


def worst_of(dtype: np.dtype[Any], *, largest: bool) -> Any:
    """Return the value of a dtype that no other is worse than."""
    if dtype.kind == "f":
        return dtype.type(-np.inf if largest else np.inf)
    if dtype.kind == "b":
        return np.bool_(not largest)
    limits = np.iinfo(dtype)
    return dtype.type(limits.min if largest else limits.max)
