from __future__ import annotations

import numpy as np
import pytest

from roofcube.kernels.bounds import search
from roofcube.kernels.engine import stream
from roofcube.kernels.graph.expression import leaf, maximum
from roofcube.kernels.graph.space import Space
from roofcube.kernels.query.query import Limit, ask


def roofline(seed: int = 0, sizes: tuple[int, ...] = (3, 6, 7, 20)) -> tuple[Space, dict]:
    rng = np.random.default_rng(seed)
    names = ("network", "peak", "bandwidth", "batch")
    space = Space(
        names,
        sizes,
        {
            "ops": rng.lognormal(size=(sizes[0], 1, 1, 1)),
            "weights": rng.lognormal(size=(sizes[0], 1, 1, 1)),
            "rate": rng.permutation(np.geomspace(0.1, 10, sizes[1])).reshape(1, -1, 1, 1),
            "bandwidth": np.geomspace(0.1, 10, sizes[2]).reshape(1, 1, -1, 1),
            "batch": np.arange(1.0, sizes[3] + 1).reshape(1, 1, 1, -1),
            "accuracy": rng.random((sizes[0], 1, 1, 1)),
        },
    )
    compute, transfer, batch = leaf("ops") / leaf("rate"), leaf("weights") / leaf("bandwidth"), leaf("batch")
    outputs = {
        "latency": maximum(compute * batch, transfer),
        "throughput": 1.0 / maximum(compute, transfer / batch),
        "accuracy": leaf("accuracy"),
        "rate": leaf("rate"),
    }
    return space, outputs


@pytest.mark.parametrize("objectives", [["latency"], ["latency", "throughput"], ["latency", "throughput", "accuracy"]])
def test_fronts_by_bounds_equal_fronts_by_streaming(objectives):
    space, outputs = roofline()
    signs = {"latency": -1, "throughput": 1, "accuracy": 1}
    query = ask(space, outputs, objectives=[(name, signs[name]) for name in objectives])
    found, visited = search.front(query, rival=None), stream.front(query)
    for part in ("vectors", "first", "ties"):
        np.testing.assert_array_equal(getattr(found.partial, part), getattr(visited, part))
    flat, number = found.members()
    again = stream.members(query, visited.vectors)
    np.testing.assert_array_equal(flat, again[0])
    np.testing.assert_array_equal(number, again[1])


def test_best_by_bounds_looks_at_few_boxes(monkeypatch):
    space, outputs = roofline(sizes=(3, 60, 70, 200))
    query = ask(space, outputs, objectives=[("throughput", 1)], limits=[Limit("latency", None, 1.0)])
    looked = []
    bound = search.Search.bound
    monkeypatch.setattr(search, "slice_of", lambda _: None)
    monkeypatch.setattr(search.Search, "bound", lambda self, boxes: looked.append(boxes.shape[1]) or bound(self, boxes))
    found, visited = search.best(query), stream.best(query)
    assert found.first == visited.first
    assert found.key == visited.key
    assert 0 < sum(looked) < space.size / 100


def test_a_search_that_decides_nothing_gives_up(monkeypatch):
    monkeypatch.setattr(search, "LEAST", 100)
    rng = np.random.default_rng(0)
    space = Space(("a", "b"), (200, 200), {"x": rng.random((200, 1)), "y": rng.random((1, 200))})
    x, y = leaf("x") - 0.5, leaf("y") - 0.5
    query = ask(space, {"f": (x - y) * (x - y)}, limits=[Limit("f", 0.01, 0.011)], points=1)
    with pytest.raises(search.TooManyBoxes):
        search.classified(query, 1, None, lambda values: values, rival=search.Pace(1.0, 0.0))
