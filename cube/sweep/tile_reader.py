"""Results over the same dims, evaluated tile by tile: with generated kernels where large, with NumPy where small."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.engine.fill import filler
from roofcube.kernels.query.tiles import Tiling
from roofcube.kernels.tuning import TUNING, Tuning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from roofcube.kernels.graph.expression import Node
    from roofcube.kernels.graph.space import Space

__all__ = ["Part"]

Array = np.ndarray[Any, np.dtype[Any]]
Tile = tuple[tuple[slice, ...], dict[str, Array]]


class Part:
    """Results over the same dims, whose tiles any thread may ask for.

    Parameters
    ----------
    whole : Space
    outputs : mapping of name to Node
    dims : sequence of str
        All that the outputs depend on.
    kinds : mapping of name to dtype
        What each output is stored as.
    tuning : Tuning
        Its `chunk_points` are the most points of a tile.
    """

    def __init__(
        self,
        whole: Space,
        outputs: Mapping[str, Node],
        dims: Sequence[str],
        kinds: Mapping[str, np.dtype[Any]],
        tuning: Tuning = TUNING,
    ) -> None:
        self.kinds = {name: kinds[name] for name in outputs}
        sizes = dict(zip(whole.axes, whole.sizes, strict=True))
        self.tiling = Tiling(tuple(sizes[dim] for dim in dims), tuning.chunk_points)
        self.filler = filler(whole, outputs, dims, tuning)
        self.rooms: list[dict[str, Array]] = []

    def __len__(self) -> int:
        return len(self.tiling)

    def prepare(self) -> None:
        """Compile what is needed, in the calling thread: a pool could not be interrupted while it compiles."""
        self.rooms.append(self.filler.room(self.tiling.points, self.kinds))

    @contextmanager
    def tile(self, number: int) -> Iterator[Tile]:
        """Evaluate one tile; its values are overwritten by later ones when the block ends."""
        try:
            room = self.rooms.pop()
        except IndexError:
            room = self.filler.room(self.tiling.points, self.kinds)
        slices = self.tiling.slices(number)
        try:
            yield slices, self.filler.tile(slices, room)
        finally:
            self.rooms.append(room)
