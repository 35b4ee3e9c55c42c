from __future__ import annotations

import numpy as np
import pytest

from roofcube.kernels.bounds import search
from roofcube.kernels.bounds.boxes import Search, _picked
from roofcube.kernels.bounds.collectors import BestCollector, ClassCollector
from roofcube.kernels.bounds.intervals import Interval
from roofcube.kernels.bounds.probing import expected_boxes
from roofcube.kernels.budget import Budget, BudgetExceeded
from roofcube.kernels.engine.reductions import BEST, FRONT, MEMBERS
from roofcube.kernels.engine.stream import visit
from roofcube.kernels.graph.expression import floor, leaf, maximum
from roofcube.kernels.graph.space import Space
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


@pytest.mark.parametrize("slowest", [3.0, 10.0, 100.0])
def test_probes_tell_what_a_count_looks_at(slowest):
    space, outputs = roofline(sizes=(50, 200, 200, 1000))
    query = ask(space, outputs, limits=[Limit("latency", None, slowest)], points=1)
    probing, budget = Search(query, [], prunes=False), Budget(np.inf)
    expected = expected_boxes(probing, ClassCollector(probing, 1, None, lambda values: values).doubtful)
    search.classified(query, 1, None, lambda values: values, budget=budget)
    assert 0.2 < expected / budget.boxes < 3


def test_an_end_that_all_boxes_share_is_compared_with_a_limit_as_the_others_are():
    nothing = np.array([[np.nan]])  # of no axis, so that all boxes have it in common
    tables = {"x": np.arange(3000.0)[:, None], "y": np.arange(3000.0)[None], "nothing": nothing}
    rounded = floor(maximum(leaf("x") * leaf("y"), leaf("nothing")))
    query = ask(
        Space(("a", "b"), (3000, 3000), tables),
        {"known": rounded.equals(rounded)},
        limits=[Limit("known", 1.0, None)],
    )
    looked = Search(query, ["known"])
    batch = looked.bound(looked.root()[:, [0] * 5])
    interval = batch.intervals[query.outputs["known"]]
    assert (len(interval.low), len(interval.high)) == (1, 5)
    assert batch.lost.tolist() == [True] * 5


def test_of_chosen_boxes_each_end_is_that_of_its_box():
    shared, own = np.zeros(1), np.arange(3.0)
    picked = _picked(Interval(shared, own, None), np.array([2, 0, 1]), 3)
    assert (picked.low.tolist(), picked.high.tolist(), picked.nan) == ([0.0], [2.0, 0.0, 1.0], None)
    picked = _picked(Interval(own, shared, np.array([True, False, True])), np.array([1]), 3)
    assert (picked.low.tolist(), picked.high.tolist(), picked.nan.tolist()) == ([1.0], [0.0], [False])
