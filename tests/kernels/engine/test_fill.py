"""Fills equal `evaluate` at every point, whichever way they are done, and take little more memory than what they fill."""

from __future__ import annotations

import tracemalloc
from math import prod

import numpy as np
import pytest

from roofcube.kernels.engine.fill import Fill, NumPyFill, fill, filler, pays
from roofcube.kernels.graph.expression import evaluate, finite, leaf, maximum, minimum, ordered_sum, where
from roofcube.kernels.graph.space import Space
from roofcube.kernels.query.tiles import Tiling
from roofcube.kernels.tuning import Tuning

SIZES = (4, 5, 3, 7)
CLASSES = (Fill, NumPyFill)


def space_of(seed: int, *, odd: bool = True, dtype: str = "f4") -> tuple[Space, dict]:
    """Four tables of random shapes with sums over layers, one of them over all axes."""
    rng = np.random.default_rng(seed)
    tables = {}
    for name in "pqrs":
        shape = [size if rng.random() < 0.6 or name == "s" else 1 for size in SIZES] + [3 if rng.random() < 0.5 else 1]
        values = rng.choice([0.5, 1.0, 2.0, 3.0, 3.5], size=shape)
        if odd:
            values = np.where(
                rng.random(shape) < 0.1, rng.choice([np.nan, np.inf, 0.0, -0.0, -2.0], size=shape), values
            )
        tables[name] = values
    p, q, r, s = (leaf(name) for name in "pqrs")
    outputs = {
        "time": ordered_sum(maximum(p / q, where(r <= s, r * q, 0.25)), "layer"),
        "cost": minimum(ordered_sum(p, "layer") * ordered_sum(s, "layer"), 1 / ordered_sum(q - r, "layer")),
        "known": finite(ordered_sum(s / p, "layer")),
    }
    return Space(tuple("abcd"), SIZES, tables, ("layer",), dtype), outputs


def small_steps(values: int = 100, **more) -> Tuning:
    """Cut rows, jobs and tiles, so that small fills have several."""
    return Tuning(**{"fill_job_terms": 50, "fill_values": values, "fill_row_points": (8, 16), **more})


def bits(array: np.ndarray) -> bytes:
    """All bits but those of NaN, which has many."""
    return np.where(np.isnan(array), np.array(np.nan, dtype=array.dtype), array).tobytes()


@pytest.mark.parametrize("operations", [1, 1 << 60])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("seed", range(4))
def test_fills_equal_evaluate(seed, dtype, operations):
    tuning = small_steps([1, 7, 100, 400][seed], compiled_operations=operations)
    space, outputs = space_of(seed, odd=seed > 0, dtype=dtype)
    expected = evaluate(outputs, space.tables, axes=space.all_axes, dtype=dtype)
    filled = fill(outputs, space.tables, axes=space.all_axes, summed=("layer",), dtype=dtype, threads=2, tuning=tuning)
    assert list(filled) == list(outputs)
    for name, values in expected.items():
        assert filled[name].dtype == np.dtype(dtype)
        assert filled[name].shape == values.shape
        assert bits(filled[name]) == bits(values), name


@pytest.mark.parametrize("values", [1, 1 << 18])
def test_flags_are_stored_as_asked(values):
    tuning = Tuning(fill_values=values)
    flag = fill({"flag": leaf("x") > 1}, {"x": np.arange(4.0)}, axes=("a",), dtypes={"flag": "i1"}, tuning=tuning)[
        "flag"
    ]
    assert flag.dtype == np.dtype("i1")
    assert flag.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("values", [1, 1 << 18])
def test_an_empty_axis_gives_empty_arrays(values):
    tuning = Tuning(fill_values=values)
    tables = {"x": np.ones((3, 1)), "y": np.ones((1, 0))}
    filled = fill({"sum": leaf("x") + leaf("y"), "x": leaf("x") * 2.0}, tables, axes=("a", "b"), tuning=tuning)
    assert filled["sum"].shape == (3, 0)
    assert filled["x"].tolist() == [[2.0], [2.0], [2.0]]


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("row", [(8, 16), (1, 3), (60, 100), (1000, 1000)])
def test_tiles_equal_the_whole(row, kind):
    space, outputs = space_of(5)
    made = kind(space, outputs, small_steps(30, fill_row_points=row))
    whole = {name: np.empty(space.sizes, dtype="f4") for name in outputs}
    made.run(whole)
    for points in (1, 6, 21, 100, 420):
        tiling = Tiling(SIZES, points)
        room = made.room(points, {name: np.dtype("f4") for name in outputs})
        for number in range(len(tiling)):
            slices = tiling.slices(number)
            for name, values in made.tile(slices, room).items():
                assert np.shares_memory(values, room[name])
                np.testing.assert_array_equal(values, whole[name][slices], err_msg=name)


def test_what_layers_add_up_counts_when_compiling_is_weighed():
    """Of 4e5 points with 73 layers each; as few points without layers, or outputs without sums, are NumPy's."""
    times = {"ops": np.ones((1, 400, 73)), "peak": np.ones((1000, 1, 1)), "power": np.ones((1000, 1, 1))}
    space = Space(("a", "b"), (1000, 400), times, ("layer",), "f4")
    per_layer = {"time": ordered_sum(maximum(leaf("ops") / leaf("peak"), leaf("ops") * leaf("peak")), "layer")}
    whole = {"energy": leaf("power") * leaf("peak") / ordered_sum(leaf("ops"), "layer")}
    tuning = Tuning(compiled_operations=1 << 26)
    assert pays(space, per_layer, tuning)
    assert not pays(space, whole, tuning)
    assert isinstance(filler(space, per_layer, ("a", "b"), tuning), Fill)
    assert isinstance(filler(space, whole, ("a", "b"), tuning), NumPyFill)


@pytest.mark.parametrize("operations", [1, 1 << 60])
def test_layers_do_not_multiply_the_memory(operations):
    tuning = Tuning(compiled_operations=operations, fill_values=1 << 14)
    rng = np.random.default_rng(0)
    tables = {"ops": rng.random((1, 500, 50)), "peak": rng.random((400, 1, 1)), "bytes": rng.random((400, 1, 50))}
    ops, peak, moved = (leaf(name) for name in tables)
    outputs = {
        "time": ordered_sum(maximum(ops / peak, moved * ops), "layer"),
        "energy": ordered_sum(minimum(ops * peak, moved + ops) / peak, "layer"),
    }
    options = {"axes": ("a", "b", "layer"), "summed": ("layer",), "threads": 2, "tuning": tuning}
    fill(outputs, tables, **options)  # a compiler takes memory too
    tracemalloc.start()
    filled = fill(outputs, tables, **options)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    result = sum(array.nbytes for array in filled.values())
    assert result == 2 * 8 * 400 * 500
    assert peak_bytes < 4 * result  # with the values of a single operation at every term, it would be 25 times
    assert prod(filled["time"].shape) == 400 * 500
