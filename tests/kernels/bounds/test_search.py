from __future__ import annotations

import numpy as np
import pytest

from roofcube.kernels.bounds import search
from roofcube.kernels.bounds.boxes import Search
from roofcube.kernels.bounds.collectors import BestCollector
from roofcube.kernels.budget import Budget, BudgetExceeded
from roofcube.kernels.engine.reductions import BEST, FRONT, MEMBERS
from roofcube.kernels.engine.stream import visit
from roofcube.kernels.graph.expression import leaf, maximum
from roofcube.kernels.graph.space import Space
from roofcube.kernels.pareto.archive import Archive, distinct_front, match
from roofcube.kernels.query.partials import BestPartial
from roofcube.kernels.query.query import Limit, Query, ask
from roofcube.kernels.tuning import Tuning


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
    found, visited = search.front(query, budget=None), visit(FRONT, query)
    for part in ("vectors", "first", "ties"):
        np.testing.assert_array_equal(getattr(found.partial, part), getattr(visited, part))
    flat, number = found.members()
    again = visit(MEMBERS, query, visited.vectors)
    np.testing.assert_array_equal(flat, again.index)
    np.testing.assert_array_equal(number, again.number)


def test_best_by_bounds_looks_at_few_boxes():
    space, outputs = roofline(sizes=(3, 60, 70, 200))
    query = ask(space, outputs, objectives=[("throughput", 1)], limits=[Limit("latency", None, 1.0)])
    budget, part = Budget(np.inf), BestPartial(query, range(1))
    boxes = Search(query, ["throughput"], budget=budget)
    search.explore(boxes, BestCollector(boxes, part))
    visited = visit(BEST, query)
    assert part.first == visited.first
    assert part.key == visited.key
    assert 0 < budget.boxes < space.size / 100


def undecided(tuning: Tuning) -> Query:
    """A count that bounds decide nearly nothing of: a thin diagonal, unsorted."""
    rng = np.random.default_rng(0)
    space = Space(("a", "b"), (200, 200), {"x": rng.random((200, 1)), "y": rng.random((1, 200))})
    x, y = leaf("x") - 0.5, leaf("y") - 0.5
    return ask(space, {"f": (x - y) * (x - y)}, limits=[Limit("f", 0.01, 0.011)], points=1, tuning=tuning)


@pytest.mark.parametrize("tuning", [Tuning(probed_seconds=0.0), Tuning()])
def test_a_search_that_decides_nothing_gives_up(tuning):
    with pytest.raises(BudgetExceeded):
        search.classified(undecided(tuning), 1, None, lambda values: values, budget=Budget(1e-4))


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("compiled", [False, True])
def test_archives_tell_what_is_dominated(d, compiled, monkeypatch):
    from roofcube.kernels.pareto import archive

    rng = np.random.default_rng(d)
    vectors = rng.integers(0, 6, size=(300, d)).astype("f4")
    vectors[rng.random(vectors.shape) < 0.02] = np.inf
    vectors[rng.random(vectors.shape) < 0.02] = -np.inf
    monkeypatch.setattr(Archive, "_compiled", lambda self, n: compiled)
    assert archive.PAIRS > 0
    archive = Archive(d, np.dtype("f4"))
    for part in np.split(vectors, 3):
        archive.add(part)
    unique = np.unique(vectors, axis=0)
    no_worse = (unique[:, None] <= unique[None]).all(2) & (unique[:, None] < unique[None]).any(2)
    np.testing.assert_array_equal(archive.vectors, unique[~no_worse.any(0)])
    queries = rng.integers(0, 7, size=(200, d)).astype("f4")
    expected = ((archive.vectors[:, None] <= queries).all(2) & (archive.vectors[:, None] < queries).any(2)).any(0)
    np.testing.assert_array_equal(archive.dominates(queries), expected)


@pytest.mark.parametrize("n", [15, 16, 17, 31, 32, 33, 700])
@pytest.mark.parametrize("values", [4, 12, 1000])
def test_stairs_of_blocks_equal_all_pairs(n, values, monkeypatch):
    from roofcube.kernels.pareto import archive

    monkeypatch.setattr(Archive, "_compiled", lambda self, n: False)
    rng = np.random.default_rng(n + values)
    vectors = np.unique(rng.integers(0, values, size=(4 * n, 3)).astype("f4"), axis=0)[-n:]
    vectors[rng.random(vectors.shape) < 0.02] = np.inf
    vectors = np.unique(vectors, axis=0)
    minimal = ~archive._dominated_by_pairs(vectors, vectors)
    stairs = archive.Stairs(vectors)
    np.testing.assert_array_equal(stairs.minimal(), minimal)
    front = archive.Stairs(vectors[minimal])
    queries = np.concatenate([rng.integers(-1, values + 1, size=(500, 3)).astype("f4"), vectors])
    expected = archive._dominated_by_pairs(vectors[minimal], queries)
    np.testing.assert_array_equal(front.dominates(queries), expected)
    sphere = np.abs(rng.normal(size=(40 * n, 3)))
    archive = Archive(3, np.dtype("f8"))
    for part in np.split(sphere, 4):
        archive.add(part)
    np.testing.assert_array_equal(
        archive.vectors, np.unique(sphere[~archive._dominated_by_pairs(sphere, sphere)], axis=0)
    )


def test_distinct_fronts_count_ties_and_keep_the_first():
    vectors = np.array([[1, 2], [0, 3], [1, 2], [2, 2], [-0.0, 3]])
    distinct, first, ties = distinct_front(vectors, np.array([9, 4, 5, 1, 2]), np.array([1, 1, 2, 1, 1]))
    assert distinct.tolist() == [[0, 3], [1, 2]]
    assert first.tolist() == [2, 5]
    assert ties.tolist() == [2, 3]


def test_match_finds_equal_vectors():
    known = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert match(np.array([[3.0, 4.0], [1.0, 4.0], [1.0, 2.0]]), known).tolist() == [1, -1, 0]
