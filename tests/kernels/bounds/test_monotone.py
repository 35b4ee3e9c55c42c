from __future__ import annotations

import numpy as np
import pytest

from roofcube.kernels.bounds import monotone, search
from roofcube.kernels.bounds.bounder import bounder_of
from roofcube.kernels.engine.reductions import BEST
from roofcube.kernels.engine.stream import visit
from roofcube.kernels.graph.expression import finite, leaf, maximum, minimum, ordered_sum, where
from roofcube.kernels.graph.program import PointReader, Program
from roofcube.kernels.graph.space import Space
from roofcube.kernels.query.query import Limit, ask
from roofcube.kernels.tuning import Tuning


def tied(rng: np.random.Generator) -> tuple[Space, dict]:
    """A roofline of few different values, so that many points are equal; some axes monotone, some not."""
    names = ("network", "peak", "bandwidth", "own", "batch")
    sizes = tuple(int(size) for size in rng.integers(2, 9, 5))

    def table(axis: str, *, monotone: bool) -> np.ndarray:
        values = rng.choice([1.0, 2.0, 4.0, 8.0], size=sizes[names.index(axis)])
        values = np.sort(values)[:: rng.choice([1, -1])] if monotone else values
        return values.reshape([-1 if one == axis else 1 for one in names])

    space = Space(
        names,
        sizes,
        {
            "ops": table("network", monotone=False),
            "weights": table("network", monotone=False) * table("own", monotone=False),
            "rate": table("peak", monotone=bool(rng.integers(2))) * table("own", monotone=True),
            "bandwidth": table("bandwidth", monotone=True),
            "batch": np.arange(1.0, sizes[4] + 1).reshape(1, 1, 1, 1, -1),
        },
        dtype=str(rng.choice(["f4", "f8"])),
    )
    compute, transfer, batch = leaf("ops") / leaf("rate"), leaf("weights") / leaf("bandwidth"), leaf("batch")
    return space, {
        "latency": maximum(compute * batch, transfer),
        "throughput": 1.0 / maximum(compute, transfer / batch),
        "spread": leaf("rate") - leaf("bandwidth"),
        "fast": where(finite(leaf("rate")), leaf("rate"), leaf("ops")) <= leaf("bandwidth"),
    }


@pytest.mark.parametrize("seed", range(60))
def test_best_of_aligned_axes_equals_streaming(seed):
    rng = np.random.default_rng(seed)
    space, outputs = tied(rng)
    names = list(outputs)
    limits = [Limit("latency", None, float(rng.choice([1.0, 2.0, 4.0])))] if seed % 2 else []
    limits += [Limit("spread", float(rng.choice([-2.0, 0.0, 2.0])), None)] if seed % 3 == 0 else []
    limits += [Limit("throughput", one_of=(1.0, 2.0))] if seed % 7 == 0 else []
    per = ["own"] if seed % 5 == 0 else ["batch", "network"] if seed % 5 == 1 else []
    for name in names:
        for sign in (1, -1):
            points = int(rng.choice([1, 99]))
            query = ask(space, outputs, objectives=[(name, sign)], limits=limits, per=per, points=points)
            found, visited = search.best(query, budget=None), visit(BEST, query)
            np.testing.assert_array_equal(found.first, visited.first)
            np.testing.assert_array_equal(found.key[found.first >= 0], visited.key[visited.first >= 0])


@pytest.mark.parametrize("tuning", [Tuning(dense_slice=0), Tuning(equal_points=0), Tuning(equal_ways=2)])
@pytest.mark.parametrize("seed", range(10))
def test_large_slices_are_searched_by_boxes(tuning, seed):
    space, outputs = tied(np.random.default_rng(seed))
    asked = {"objectives": [("throughput", 1)], "limits": [Limit("latency", None, 2.0)], "points": 1}
    query = ask(space, outputs, **asked, tuning=tuning)
    found, visited = search.best(query, budget=None), visit(BEST, query)
    np.testing.assert_array_equal(found.first, visited.first)


def test_axes_with_one_best_end_are_fixed_there():
    space, outputs = tied(np.random.default_rng(1))
    query = ask(space, outputs, objectives=[("throughput", 1)], limits=[Limit("latency", None, 2.0)], points=1)
    bandwidth, batch = (query.space.axes.index(axis) for axis in ("bandwidth", "batch"))
    found = monotone.slice_of(query)
    assert found is not None
    # throughput rises along the batch, latency too
    assert bandwidth in found.ends
    assert batch not in found.ends
    rates = np.ravel(space.tables["bandwidth"])
    assert rates[found.ends[bandwidth]] == rates.max()


@pytest.mark.parametrize("seed", range(20))
def test_nodes_only_move_as_their_directions_say(seed):
    space, outputs = tied(np.random.default_rng(seed))
    query = ask(space, outputs, also=list(outputs), points=1)
    bounder = bounder_of(query)
    found = monotone.directions(bounder)
    values = query.space.evaluate(query.outputs)
    for name, node in query.outputs.items():
        for axis, tree in enumerate(bounder.trees):
            if values[name].shape[axis] != 1:
                steps = np.diff(np.take(values[name], tree.order, axis=axis), axis=axis)
                assert found[node][0][axis] or not (steps > 0).any()
                assert found[node][1][axis] or not (steps < 0).any()


def test_what_is_not_finite_is_not_aligned():
    space = Space(("a", "b"), (3, 3), {"x": np.array([[1.0], [np.nan], [3.0]]), "y": np.array([[1.0, 2.0, 3.0]])})
    query = ask(space, {"v": leaf("x") * leaf("y")}, objectives=[("v", 1)], points=1)
    assert monotone.slice_of(query) is None
    assert search.best(query, budget=None).first.tolist() == [8]


def test_programs_do_what_evaluating_does():
    rng = np.random.default_rng(0)
    tables = {"x": rng.random((5, 1, 3)), "y": rng.random((1, 4, 3)) - 0.5, "z": rng.random((5, 4, 1))}
    space = Space(("a", "b"), (5, 4), tables, ("layer",))
    x, y, z = leaf("x"), leaf("y"), leaf("z")
    outputs = {
        "sum": ordered_sum(x * y + minimum(z, 0.3), "layer"),
        "chosen": where(ordered_sum(y, "layer") < 0.1, z / 0.0, 2.0),
        "constant": ordered_sum(x, "layer") * 0.0 + 1.0,
    }
    expected = space.evaluate(outputs)
    program = Program(outputs, space.all_axes, space.dtype)
    for name, value in program.run(space.tables).items():
        np.testing.assert_array_equal(value.reshape(value.shape[:2]), expected[name])
    points = np.indices((5, 4)).reshape(2, -1)
    read = PointReader(space, outputs).at(points)
    for name, value in expected.items():
        np.testing.assert_array_equal(read[name][:, 0].reshape(5, 4), np.broadcast_to(value, (5, 4)))
    there = PointReader(space, outputs).at(np.array([[1, 1], [0, 2]]), np.array([0, 1]), np.array([2, 1]))
    np.testing.assert_array_equal(
        there["sum"],
        [[expected["sum"][3, 0], expected["sum"][1, 1]], [expected["sum"][3, 2], expected["sum"][1, 3]]],
    )
