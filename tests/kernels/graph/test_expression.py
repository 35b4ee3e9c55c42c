from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pytest

from roofcube.kernels.graph.expression import (
    constant,
    evaluate,
    finite,
    leaf,
    leaves,
    maximum,
    minimum,
    ordered_sum,
    topological,
    where,
)
from roofcube.kernels.graph.space import Space, fold


def value(node, dtype="f8", **tables):
    arrays = {name: np.atleast_1d(np.asarray(table, dtype="f8")) for name, table in tables.items()}
    return evaluate({"v": node}, arrays, axes=("x",), dtype=dtype)["v"]


def test_the_same_expression_is_the_same_node():
    one = maximum(leaf("a") / leaf("b"), 1.0)
    assert one is maximum(leaf("a") / leaf("b"), 1.0)
    assert len(topological([one + one])) == 6
    assert pickle.loads(pickle.dumps(one)) is one


def test_signed_zero_and_nan_constants_stay_apart():
    assert constant(0.0) is not constant(-0.0)
    assert constant(float("nan")) is constant(float("nan"))


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (leaf("a") + leaf("b"), 5.0),
        (1.0 - leaf("a"), -1.0),
        (leaf("a") * 3, 6.0),
        (6 / leaf("a"), 3.0),
        (minimum(leaf("a"), leaf("b")), 2.0),
        (maximum(leaf("a"), leaf("b")), 3.0),
        (leaf("a") < leaf("b"), 1.0),
        (leaf("a") >= leaf("b"), 0.0),
        (leaf("a").equals(2), 1.0),
        (finite(leaf("a") / 0.0), 0.0),
        (where(leaf("a") > 1, leaf("b"), 0.0), 3.0),
    ],
)
def test_operations(node, expected):
    assert value(node, a=2.0, b=3.0)[0] == expected


def test_nan_spreads_through_maximum_and_no_comparison_holds():
    assert np.isnan(value(maximum(leaf("a"), 1.0), a=np.nan)[0])
    assert value(leaf("a") <= 1.0, a=np.nan)[0] == 0.0


def test_sums_keep_their_order():
    parts = np.array([1e8, 1.0, -1e8, 1.0], dtype="f4")
    total = np.float32(0)
    for part in parts:
        total = total + part
    assert value(ordered_sum(leaf("a"), "x"), "f4", a=parts)[0] == total


def test_a_node_is_no_condition_of_python():
    with pytest.raises(TypeError, match=r"use roofcube\.where\(condition"):
        bool(leaf("a") < 1)


def test_leaves_in_order_of_use():
    assert leaves([leaf("b") + leaf("a"), leaf("c")]) == ["b", "a", "c"]


def random_space(rng: np.random.Generator, sizes: tuple[int, ...], summed: int = 1) -> Space:
    axes = tuple("abcdef"[: len(sizes)])
    tables = {}
    for name in "pqrs":
        shape = [size if rng.random() < 0.5 else 1 for size in sizes] + [summed if rng.random() < 0.5 else 1]
        tables[name] = np.where(rng.random(shape) < 0.05, np.nan, rng.normal(size=shape).round(1))
    return Space(axes, sizes, tables, ("layer",), "f4")


@pytest.mark.parametrize("read", ["evaluated", "folded"])
def test_values_are_held_until_their_last_reader_only(read):
    node, table = leaf("x"), np.ones((1000, 100))
    for _ in range(50):
        node = node * node + 1.0
    space = Space(("a", "b"), table.shape, {"x": table}, (), "f8")
    tracemalloc.start()
    if read == "evaluated":
        space.evaluate({"y": node})
    else:
        fold(space, {"y": node}, points=table.size)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * table.nbytes


@pytest.mark.parametrize("points", [1, 10, 1000])
@pytest.mark.parametrize("seed", range(20))
def test_folding_changes_no_value(seed, points):
    rng = np.random.default_rng(seed)
    space = random_space(rng, (3, 4, 1, 5), summed=3)
    p, q, r, s = (leaf(name) for name in "pqrs")
    outputs = {
        "sum": ordered_sum(maximum(p * q, where(r > 0, s / q, 0.5)), "layer"),
        "always": ordered_sum(where((p * 0.0).equals(7.0), p, 2.0), "layer"),
        "plain": minimum(ordered_sum(p, "layer"), 0.3),
    }
    before = space.evaluate(outputs)
    smaller, graph = fold(space, outputs, points=points)
    after = smaller.evaluate(graph)
    for name in outputs:
        np.testing.assert_array_equal(*np.broadcast_arrays(before[name], after[name]), err_msg=name)


def test_a_folded_graph_folds_again():
    space = Space(("a", "b"), (3, 4), {"x": np.arange(3.0)[:, None], "y": np.arange(4.0)[None]})
    x, y = leaf("x"), leaf("y")
    outputs = {"sum": x * 2.0 + y * y, "part": x * 2.0}
    once, graph = fold(space, outputs, points=4)
    twice, small = fold(once, graph, points=12)
    assert all(node.operation == "leaf" for node in small.values())
    for name, values in space.evaluate(outputs).items():
        np.testing.assert_array_equal(twice.evaluate(small)[name], values, err_msg=name)


def test_spaces_take_and_reorder():
    space = Space(("a", "b"), (2, 3), {"x": np.arange(6.0).reshape(2, 3)})
    np.testing.assert_array_equal(space.take({"b": np.array([2, 0])}).tables["x"], [[2, 0], [5, 3]])
    turned = space.reordered(("b", "a"))
    assert turned.sizes == (3, 2)
    np.testing.assert_array_equal(turned.tables["x"], np.arange(6).reshape(2, 3).T)


A, B = leaf("a"), leaf("b")


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (A**B, 8.0),
        (A**2, 4.0),
        (A**-2, 0.25),
        (2**B, 8.0),
        (-A, -2.0),
        (+A, 2.0),
        (abs(-A), 2.0),
        (7 // B, 2.0),
        (B // A, 1.0),
        (-B // A, -2.0),
        (B % A, 1.0),
        (7 % B, 1.0),
        ((A > 1) & (B > 5), 0.0),
        (1.0 & (B > 2), 1.0),
        ((A > 1) | (B > 5), 1.0),
        (0.0 | (B > 5), 0.0),
        (~(A > 1), 0.0),
        (np.exp(A * 0), 1.0),
        (np.log2(A), 1.0),
        (np.sqrt(A + 2), 2.0),
        (np.ceil(A / B), 1.0),
        (np.floor(A / B), 0.0),
        (np.log(A / A), 0.0),
        (np.maximum(A, 2.5), 2.5),
        (np.float64(2.0) * A, 4.0),
        (np.greater(A, B), 0.0),
        (np.logical_or(A, 0), 1.0),
        (np.abs(A - B), 1.0),
        (np.square(B), 9.0),
    ],
)
def test_more_operations(node, expected):
    for dtype in ("f4", "f8"):
        result = value(node, dtype, a=2.0, b=3.0)
        assert result[0] == expected
        assert result.dtype == dtype


def test_operands_that_are_no_numbers_are_refused():
    with pytest.raises(TypeError, match=r"`numpy.sin`: not known on nodes; expected one of absolute, add"):
        np.sin(A)
    with pytest.raises(TypeError, match=r"expected a node or a number in a formula; put arrays into the inputs"):
        A * [1.0, 2.0]
    for operand in (np.ones(3), None, 1j, 10**400, "2"):
        with pytest.raises(TypeError, match=r"expected a node or a number in a formula; put arrays"):
            A * operand


@pytest.mark.parametrize(
    "build", [lambda: where(A == 1, A, B), lambda: (A != B) * A, lambda: (A == B) & (A < 1), lambda: A + np.True_]
)
def test_what_compares_nodes_themselves_is_refused(build):
    with pytest.raises(TypeError, match=r"`==` and `!=` compare nodes themselves, .* write a\.equals\(b\)"):
        build()
