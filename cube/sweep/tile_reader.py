"""Results over the same dims, evaluated tile by tile: with generated kernels where large, with NumPy where small."""

from __future__ import annotations

from contextlib import contextmanager
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.engine import fill
from roofcube.kernels.graph.space import fold
from roofcube.kernels.query.query import Query
from roofcube.kernels.query.tiles import Tiling, evaluate_tiles
from roofcube.kernels.tuning import TUNING

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
    points : int
        Most points of a tile.
    """

    def __init__(
        self,
        whole: Space,
        outputs: Mapping[str, Node],
        dims: Sequence[str],
        kinds: Mapping[str, np.dtype[Any]],
        points: int,
    ) -> None:
        self.kinds = {name: kinds[name] for name in outputs}
        sizes = dict(zip(whole.axes, whole.sizes, strict=True))
        self.tiling = Tiling(tuple(sizes[dim] for dim in dims), points)
        self.compiled = fill.pays(prod(self.tiling.sizes), prod(whole.all_sizes[len(whole.sizes) :]))
        # folding lets tables that nothing needs drop out; what else to fold, kernels choose for themselves
        folded, graph = fold(whole, outputs, points=1 if self.compiled else TUNING.fold_points)
        self.query = Query(folded.reordered(dims), graph, 0, (), ())
        self.rooms: list[dict[str, Array]] = []

    def __len__(self) -> int:
        return len(self.tiling)

    def prepare(self) -> None:
        """Compile what is needed, in the calling thread: a pool could not be interrupted while it compiles."""
        if self.compiled:
            self.fill = fill.Fill(self.query.space, self.query.outputs)
            self.rooms.append(self.fill.room(self.tiling.points, self.kinds))

    @contextmanager
    def tile(self, number: int) -> Iterator[Tile]:
        """Evaluate one tile; its values are overwritten by later ones when the block ends."""
        if not self.compiled:
            yield self._with_numpy(number)
            return
        try:
            room = self.rooms.pop()
        except IndexError:
            room = self.fill.room(self.tiling.points, self.kinds)
        try:
            yield self._with_kernels(number, room)
        finally:
            self.rooms.append(room)

    def _with_kernels(self, number: int, room: dict[str, Array]) -> Tile:
        slices = self.tiling.slices(number)
        shape = tuple(part.stop - part.start for part in slices)
        start = self.tiling.start(number)
        flat = self.fill.part(range(start, start + prod(shape)), room)
        return slices, {name: values.reshape(shape) for name, values in flat.items()}

    def _with_numpy(self, number: int) -> Tile:
        """Evaluate in pieces that stay in cache."""
        slices = self.tiling.slices(number)
        space = self.query.space
        cut = space.take({axis: np.arange(s.start, s.stop) for axis, s in zip(space.axes, slices, strict=True)})
        query = Query(cut, self.query.outputs, 0, (), ())
        inner = Tiling(cut.sizes)
        pieces = list(evaluate_tiles(query, inner, range(len(inner))))
        return slices, {
            name: np.concatenate([piece.values[name].ravel() for piece in pieces]).reshape(cut.sizes).astype(kind)
            for name, kind in self.kinds.items()
        }
