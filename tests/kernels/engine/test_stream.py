from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from roofcube.kernels.engine.reductions import BEST
from roofcube.kernels.engine.stream import visit
from roofcube.kernels.graph.expression import leaf, maximum
from roofcube.kernels.graph.space import Space
from roofcube.kernels.query.query import Limit, ask
from roofcube.kernels.query.tiles import Tiling
from roofcube.kernels.tuning import Tuning


@pytest.mark.parametrize("sizes", [(), (1,), (7,), (3, 4, 5), (2, 1, 9, 3), (4, 0, 2)])
@pytest.mark.parametrize("points", [1, 4, 7, 1000])
def test_tiles_cover_every_point_once_in_order(sizes, points):
    tiling = Tiling(sizes, points)
    flat = np.arange(int(np.prod(sizes))).reshape(sizes)
    seen = [flat[tiling.slices(tile)].ravel() for tile in range(len(tiling))]
    assert np.concatenate([np.zeros(0, int), *seen]).tolist() == flat.ravel().tolist()
    assert [part[0] for part in seen] == [tiling.start(tile) for tile in range(len(tiling))]


@pytest.fixture
def query():
    rng = np.random.default_rng(1)
    space = Space(
        ("a", "b", "c"), (4, 30, 50), {"x": rng.integers(0, 9, (4, 30, 1)), "y": rng.integers(0, 9, (1, 30, 50))}
    )
    outputs = {"v": maximum(leaf("x"), leaf("y")), "w": leaf("x") + leaf("y")}
    return ask(space, outputs, objectives=[("v", 1)], limits=[Limit("w", None, 12.0)], per=["b"], points=1)


def test_threads_and_tiles_change_nothing(query):
    whole = visit(BEST, query)
    small = replace(query, tuning=Tuning(tile_points=37, job_tiles=3))
    for threads in (1, 2, 5):
        part = visit(BEST, small, threads=threads)
        for name in ("key", "first", "count"):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name))
