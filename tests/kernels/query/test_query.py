from __future__ import annotations

import numpy as np
import pytest

from roofcube.errors import InvalidDataError
from roofcube.kernels.engine.engine import Engine
from roofcube.kernels.graph.expression import leaf
from roofcube.kernels.graph.space import Space
from roofcube.kernels.query.query import Limit, ask


def space_of(*sizes: int) -> tuple[Space, dict]:
    """A product of one factor an axis."""
    tables, product = {}, None
    for axis, size in enumerate(sizes):
        tables[f"x{axis}"] = np.arange(1.0, size + 1).reshape([-1 if k == axis else 1 for k in range(len(sizes))])
        factor = leaf(f"x{axis}")
        product = factor if product is None else product * factor
    return Space(tuple("abcdefgh"[: len(sizes)]), sizes, tables, dtype="f8"), {"v": product}


def test_points_beyond_what_can_be_numbered_are_refused():
    space, outputs = space_of(*[1000] * 7)
    with pytest.raises(InvalidDataError, match=r"fewer than 2\^63.*got 1e\+21 \(a 1000 × b 1000"):
        ask(space, outputs, objectives=[("v", 1)])


def test_as_many_points_as_can_be_numbered_are_answered():
    space, outputs = space_of(*[1000] * 6)
    best = Engine().best(ask(space, outputs, objectives=[("v", 1)]))
    assert best.first.tolist() == [10**18 - 1]
    counts = Engine("bounds").count(ask(space, outputs, limits=[Limit("v", 1e18, None)]))
    assert counts.tolist() == [[1]]


@pytest.mark.parametrize("points", [1, None])
def test_folding_keeps_every_value(points):
    space, outputs = space_of(3, 4, 5)
    query = ask(space, outputs, also=["v"], points=points)
    expected = space.evaluate(outputs)["v"]
    np.testing.assert_array_equal(np.broadcast_to(query.space.evaluate(query.outputs)["v"], (3, 4, 5)), expected)
    for step in (1, 100):
        folded, graph = query.folded(step, frozenset("c"))
        np.testing.assert_array_equal(np.broadcast_to(folded.evaluate(graph)["v"], (3, 4, 5)), expected)


def test_a_group_is_prepared_once():
    space, outputs = space_of(3, 4, 5)
    query = ask(space, outputs, objectives=[("v", 1)], per=["b"])
    assert query.group(2).space is query.group(2).space
    assert query.group(2).history is query.history
    np.testing.assert_array_equal(Engine("numpy").best(query.group(2)).key, Engine("numpy").best(query).key[2:3])
