"""Cut a space into tiles that are contiguous in flat order, and evaluate a query on one tile with NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.graph.expression import evaluate
from roofcube.kernels.tuning import TUNING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roofcube.kernels.query.query import Query

__all__ = ["Tile", "Tiling", "evaluate_tiles"]

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Tiling:
    """Tiles of at most `points` points: a slice of one axis with all later axes whole and all earlier ones fixed.

    Examples
    --------
    >>> tiling = Tiling((2, 5, 10), 20)
    >>> len(tiling), tiling.slices(1)
    (6, (slice(0, 1, None), slice(2, 4, None), slice(0, 10, None)))
    >>> tiling.start(1)
    20
    """

    sizes: tuple[int, ...]
    points: int = TUNING.tile_points

    @property
    def axis(self) -> int:
        """The axis that tiles slice."""
        inner = 1
        for axis in range(len(self.sizes) - 1, -1, -1):
            inner *= self.sizes[axis]
            if inner > self.points:
                return axis
        return 0

    @property
    def length(self) -> int:
        """Indices of the sliced axis in a whole tile."""
        if not self.sizes:
            return 1
        return max(1, min(self.points // max(1, prod(self.sizes[self.axis + 1 :])), self.sizes[self.axis]))

    @property
    def per_axis(self) -> int:
        """Tiles along the sliced axis."""
        return -(-self.sizes[self.axis] // self.length) if self.sizes else 1

    def __len__(self) -> int:
        return prod(self.sizes[: self.axis]) * self.per_axis if prod(self.sizes) else 0

    def slices(self, tile: int) -> tuple[slice, ...]:
        """Return the index range of a tile along every axis."""
        if not self.sizes:
            return ()
        outer, part = divmod(tile, self.per_axis)
        axis, length = self.axis, self.length
        fixed = np.unravel_index(outer, self.sizes[:axis]) if axis else ()
        start = part * length
        return (
            *(slice(int(k), int(k) + 1) for k in fixed),
            slice(start, min(start + length, self.sizes[axis])),
            *(slice(0, size) for size in self.sizes[axis + 1 :]),
        )

    def start(self, tile: int) -> int:
        """Return the flat index of a tile's first point."""
        if not self.sizes:
            return 0
        outer, part = divmod(tile, self.per_axis)
        inner = prod(self.sizes[self.axis + 1 :])
        return (outer * self.sizes[self.axis] + part * self.length) * inner


@dataclass(frozen=True, eq=False)
class Tile:
    """A query's values on a tile, as (groups, points of a group).

    Attributes
    ----------
    start : int
        Flat index of the first point.
    first_group : int
    values : dict of name to array
    valid : array of bool
    """

    start: int
    first_group: int
    values: dict[str, Array]
    valid: Array

    @property
    def groups(self) -> slice:
        """The groups that the tile holds points of."""
        return slice(self.first_group, self.first_group + len(self.valid))


def evaluate_tiles(query: Query, tiling: Tiling, tiles: range) -> Iterator[Tile]:
    """Evaluate a query with NumPy, tile by tile in flat order."""
    space = query.space
    rank = len(space.sizes)
    for number in tiles:
        slices = tiling.slices(number)
        shape = tuple(part.stop - part.start for part in slices)
        tables = {
            name: table[
                tuple(
                    part if length != 1 or size == 1 else slice(None)
                    for part, length, size in zip(slices, table.shape[:rank], space.sizes, strict=True)
                )
            ]
            for name, table in space.tables.items()
        }
        raw = evaluate(query.outputs, tables, axes=space.all_axes, dtype=space.dtype)
        groups = prod(shape[: query.groups])
        values = {
            name: np.broadcast_to(value.reshape(value.shape[:rank]), shape).reshape(groups, -1)
            for name, value in raw.items()
        }
        start = tiling.start(number)
        with np.errstate(all="ignore"):
            valid = query.valid(values, (groups, prod(shape[query.groups :])))
        yield Tile(start, start // max(1, query.group_points), values, valid)
