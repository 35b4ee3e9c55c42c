from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roofcube.kernels.bounds.bounder import Bounder
from roofcube.kernels.bounds.not_nan import not_nan
from roofcube.kernels.bounds.range_index import IndexTree, RangeIndex
from roofcube.kernels.graph.expression import (
    ceil,
    constant,
    exp,
    finite,
    floor,
    leaf,
    log,
    log2,
    maximum,
    minimum,
    ordered_sum,
    sqrt,
    where,
)  # fmt: skip
from roofcube.kernels.graph.space import Space
from roofcube.kernels.query.query import Query

ODD = [np.nan, np.inf, -np.inf, 0.0, -0.0]


def random_query(seed: int) -> tuple[Query, np.random.Generator]:
    """Draw a random graph over random tables, odd values included."""
    rng = np.random.default_rng(seed)
    sizes = tuple(rng.integers(1, 6, size=rng.integers(1, 4)).tolist())
    odd = rng.random() < 0.5
    tables = {}
    for name in "pqrs":
        shape = [size if rng.random() < 0.6 else 1 for size in sizes] + [3 if rng.random() < 0.3 else 1]
        values = rng.choice([-2.0, -1.0, 0.5, 1.0, 2.0, 3.0], size=shape)
        if not odd:
            values = np.abs(values)
        tables[name] = np.where(rng.random(shape) < 0.15, rng.choice(ODD, size=shape), values) if odd else values
    nodes = [leaf(name) for name in "pqrs"] + [constant(2.0)]
    for _ in range(rng.integers(1, 9)):
        a, b, c = (nodes[k] for k in rng.integers(0, len(nodes), 3))
        kinds = [a + b, a - b, a * b, a / b, minimum(a, b), maximum(a, b), a < b, a <= b, a.equals(b), finite(a)]
        kinds += [-a, abs(a), floor(a), ceil(a), sqrt(a), exp(a), log(a), log2(a), a**b, a // b, a % b, a & b, a | b]
        nodes.append([*kinds, where(a, b, c), a.equals(a)][rng.integers(0, 25)])
    space = Space(tuple("abc"[: len(sizes)]), sizes, tables, ("layer",), str(rng.choice(["f4", "f8"])))
    return Query(space, {"v": ordered_sum(nodes[-1], "layer")}, 0, (), ()), rng


@given(seed=st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_bounds_hold_every_value_and_every_nan(seed):
    query, rng = random_query(seed)
    bounder = Bounder(query)
    full = np.broadcast_to(query.space.evaluate(query.outputs)["v"], query.space.sizes)
    boxes = np.stack([rng.integers(0, len(tree.start), size=30) for tree in bounder.trees])
    interval = bounder.bounds(boxes)[query.outputs["v"]]
    low, high = (np.broadcast_to(end.reshape(-1), (30,)) for end in (interval.low, interval.high))
    nan = np.broadcast_to(False if interval.nan is None else interval.nan.reshape(-1), (30,))
    for k in range(30):
        index = [tree.order[tree.start[n] : tree.stop[n]] for tree, n in zip(bounder.trees, boxes[:, k], strict=True)]
        values = full[np.ix_(*index)]
        numbers = values[~np.isnan(values)]
        assert nan[k] or numbers.size == values.size
        assert not numbers.size or low[k] <= numbers.min() <= numbers.max() <= high[k]


@given(seed=st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_points_are_what_every_reader_gives(seed):
    query, _ = random_query(seed)
    bounder = Bounder(query)
    everything, _ = bounder.opened(np.zeros((len(bounder.trees), 1), dtype=np.int64))
    flat = bounder.first(everything)
    assert sorted(flat.tolist()) == list(range(query.space.size))
    full = np.broadcast_to(query.space.evaluate(query.outputs)["v"], query.space.sizes).ravel()
    np.testing.assert_array_equal(bounder.points(everything)["v"], full[flat])


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 17, 100])
def test_trees_cut_every_range_into_its_children(size):
    order = np.random.default_rng(size).permutation(size)
    tree = IndexTree.over(order)
    for node in range(len(tree.start)):
        inside = order[tree.start[node] : tree.stop[node]]
        assert tree.lowest[node] == inside.min()
        children = range(tree.child[node], tree.child[node] + tree.children[node])
        if len(inside) > 1:
            assert sum(tree.stop[c] - tree.start[c] for c in children) == len(inside)
        else:
            assert tree.leaf[tree.start[node]] == node


def test_range_indexes_keep_nan_apart():
    tree = IndexTree.over(np.arange(4))
    index = RangeIndex(np.array([[np.nan], [2.0], [1.0], [3.0]]), [tree])
    low, high, nan = index.bounds(np.zeros((1, 1), dtype=np.int64))
    assert (low.item(), high.item(), nan.item()) == (1.0, 3.0, True)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_not_nan_is_where_an_output_is_a_number(seed):
    query, _ = random_query(seed)
    space, output = query.space, query.outputs["v"]
    values = space.evaluate({"v": output, "not_nan": not_nan(space, output)})
    expected = ~np.isnan(values["v"])
    np.testing.assert_array_equal(*np.broadcast_arrays(values["not_nan"], expected.astype(space.dtype)))
