from __future__ import annotations

import numpy as np

from roofcube.kernels.engine.engine import Engine
from roofcube.kernels.graph.expression import leaf
from roofcube.kernels.graph.space import Space
from roofcube.kernels.query.query import Query, ask
from roofcube.kernels.tuning import Tuning


def product(n: int = 40, **options) -> Query:
    rng = np.random.default_rng(0)
    space = Space(("a", "b"), (n, n), {"x": rng.random((n, 1)), "y": rng.random((1, n))})
    return ask(space, {"v": leaf("x") * leaf("y")}, objectives=[("v", 1)], points=1, **options)


class Watched(Engine):
    """Notes the tuning of what it visits."""

    def run(self, reduction, query, *arguments):
        self.seen = query.tuning
        return super().run(reduction, query, *arguments)


def test_an_engine_may_be_tuned_for_all_its_queries():
    query = product(tuning=Tuning(tile_points=9))
    for tuning in (None, Tuning(tile_points=7)):
        engine = Watched("numpy", tuning=tuning)
        assert engine.best(query).key == Engine("bounds").best(query).key
        assert engine.seen == (tuning or query.tuning)
