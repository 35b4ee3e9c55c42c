from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from roofcube.kernels.codegen import rows, scan_sources
from roofcube.kernels.engine import fill as fills
from roofcube.kernels.engine import scans
from roofcube.kernels.engine.reductions import BEST, COUNT, FRONT, HISTOGRAM, MEMBERS, TOP
from roofcube.kernels.engine.stream import visit
from roofcube.kernels.graph.expression import evaluate, finite, leaf, maximum, minimum, ordered_sum, where
from roofcube.kernels.graph.guards import without_unread_gaps
from roofcube.kernels.graph.space import Space
from roofcube.kernels.query.query import Limit, ask
from roofcube.kernels.tuning import Tuning

# rows that are cut, and rows of several axes
SHORT_ROWS = Tuning(row_points=(8, 16), row_worth=1, scan_job_points=64, tally_job_points=64, sieve_job_points=64)


def layered_space(seed: int, sizes: tuple[int, ...], *, odd: bool, dtype: str = "f4") -> tuple[Space, dict]:
    rng = np.random.default_rng(seed)
    tables = {}
    for name in "pqrs":
        shape = [size if rng.random() < 0.6 else 1 for size in sizes] + [3 if rng.random() < 0.5 else 1]
        values = rng.choice([0.5, 1.0, 2.0, 3.0, 3.5], size=shape)
        if odd:
            values = np.where(rng.random(shape) < 0.1, rng.choice([np.nan, np.inf, 0.0, -2.0], size=shape), values)
        tables[name] = values
    p, q, r, s = (leaf(name) for name in "pqrs")
    outputs = {
        "time": ordered_sum(maximum(p / q, where(r <= s, r * q, 0.25)), "layer"),
        "cost": minimum(ordered_sum(p, "layer") * ordered_sum(s, "layer"), 1 / ordered_sum(q - r, "layer")),
        "known": finite(ordered_sum(q / p, "layer")),
    }
    return Space(tuple("abcd"[: len(sizes)]), sizes, tables, ("layer",), dtype), outputs


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_scans_equal_numpy_tiles(seed, odd):
    space, outputs = layered_space(seed, (4, 5, 3, 7), odd=odd, dtype=["f4", "f8"][seed % 2])
    limits = [Limit("cost", None, 3.0), Limit("known", 0.5, None)]
    asked = {"objectives": [("time", -1 if seed else 1)], "limits": limits, "per": ["b"], "points": 8}
    query = ask(space, outputs, **asked, tuning=replace(SHORT_ROWS, scan_tile=32))
    assert scans.scannable(query)
    generated, visited = visit(BEST, query, compiled=True, threads=2), visit(BEST, query)
    for name in ("key", "first", "count"):
        np.testing.assert_array_equal(getattr(generated, name), getattr(visited, name), err_msg=name)


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_counts_equal_numpy_tiles(seed, odd):
    # points looked up, and edges compared with all
    tuning = replace(SHORT_ROWS, compared_edges=[0, 48][seed % 2], table_bytes=[0, 1 << 20][seed // 2])
    space, outputs = layered_space(seed, (4, 5, 3, 7), odd=odd, dtype=["f4", "f8"][seed % 2])
    limits = [Limit("cost", None, 3.0), Limit("time", one_of=(6.0, 3.0, np.inf)), Limit("cost", one_of=(-0.0, 9.0))]
    chosen = [limits[:1], limits[1:2], limits[2:], []][seed]
    asked = {"limits": chosen, "per": ["b", "d"][: seed % 3], "also": ["time", "known"], "points": 8}
    query = ask(space, outputs, **asked, tuning=tuning)
    edges = np.array([-np.inf, -1.0, -0.0, 1.5, 1.5, 3.0, 6.0, np.inf], dtype=space.dtype)
    for part in (edges, edges[1:5], edges[3:5], edges[-2:]):
        two = [visit(HISTOGRAM, query, "time", part, compiled=one, threads=2).counts for one in (True, False)]
        np.testing.assert_array_equal(*two)
    for by, codes in (("known", (1.0, 0.0, 5.0)), ("time", (6.0, np.inf, 3.0)), (None, ())):
        two = [visit(COUNT, query, by, codes, compiled=one, threads=2).counts for one in (True, False)]
        np.testing.assert_array_equal(*two)


@pytest.mark.parametrize("terms", [1, 4, 11])  # a rest alone, whole steps alone, both
def test_sums_of_any_length_equal_numpy_tiles(terms):
    # else sums of so few points are folded, and no kernel adds anything up
    tuning = Tuning(row_points=(8, 16), row_worth=1, table_bytes=0)
    rng = np.random.default_rng(terms)
    refused = (rng.random((4, 1, 1, 1)) < 0.4) * 1.0
    tables = {
        "refused": refused,
        "x": np.where(refused > 0, np.nan, rng.lognormal(size=(4, 1, 1, terms))),  # what is refused is not known
        "y": rng.lognormal(size=(1, 5, 1, terms)),
        "z": rng.lognormal(size=(1, 1, 7, 1)),
        "one": rng.lognormal(size=(4, 5, 1, 1)),
    }
    x, y, z, one = (leaf(name) for name in ("x", "y", "z", "one"))
    time, share = ordered_sum(maximum(x * z, y), "layer"), ordered_sum(where(x * z <= y, 0.0, x), "layer")
    twice = ordered_sum(maximum(x, y) / ordered_sum(x * z, "layer"), "layer")
    wholes = ordered_sum(x, "layer") * ordered_sum(one, "layer")
    outputs = {
        name: where(leaf("refused"), np.nan, node) for name, node in zip("abc", (time, twice, wholes), strict=True)
    }
    outputs["a"] = outputs["a"] - 3.0  # of both signs
    outputs["flag"] = where(leaf("refused"), -1.0, where(share <= wholes / 2, 1.0, 0.0))
    space = Space(tuple("uvw"), (4, 5, 7), tables, ("layer",), ["f4", "f8"][terms % 2])
    query = ask(space, outputs, limits=[Limit("c", 0.5, None)], also=["a", "b", "flag"], points=1, tuning=tuning)
    edges = np.sort(np.append(rng.lognormal(1.0, 2.0, size=60), [-2.5, -1.0, -0.5, 0.0])).astype(space.dtype)
    for name in "ab":
        two = [visit(HISTOGRAM, query, name, edges, compiled=compiled).counts for compiled in (True, False)]
        np.testing.assert_array_equal(*two)
    two = [visit(COUNT, query, "flag", (1.0, 0.0, -1.0), compiled=compiled).counts for compiled in (True, False)]
    np.testing.assert_array_equal(*two)
    assert two[0].sum() > 0


def test_only_what_no_output_reads_is_filled_in():
    tables = {
        "refused": np.array([[0.0], [1.0]]),
        "x": np.array([[np.nan], [np.nan]]),
        "y": np.array([[2.0], [np.nan]]),
    }
    space = Space(("a", "b"), (2, 1), tables)
    outputs = {"v": where(leaf("refused"), 0.0, leaf("x") + leaf("y")), "x": leaf("x")}
    found = without_unread_gaps(space, outputs).tables
    assert found["y"].ravel().tolist() == [2.0, 2.0]
    assert np.isnan(found["x"]).all()


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_sieves_equal_numpy_tiles(seed, odd):
    # a sieve that is full goes on at the same row
    asked = {"points": 8, "tuning": replace(SHORT_ROWS, sieve_candidates=40, sieve_sample=30)}
    space, outputs = layered_space(seed, (4, 5, 3, 7), odd=odd, dtype=["f4", "f8"][seed % 2])
    objectives = [("time", -1), ("cost", 1), ("known", -1)][: 1 + seed % 3]
    limits = [Limit("cost", 0.0, None)] if seed else []
    query = ask(space, outputs, objectives=objectives, limits=limits, **asked)
    generated, visited = (visit(FRONT, query, compiled=one, threads=2) for one in (True, False))
    for name in ("vectors", "first", "ties"):
        np.testing.assert_array_equal(getattr(generated, name), getattr(visited, name), err_msg=name)
    two = [visit(MEMBERS, query, visited.vectors, compiled=one, threads=2) for one in (True, False)]
    np.testing.assert_array_equal(two[0].index, two[1].index)
    np.testing.assert_array_equal(two[0].number, two[1].number)
    query = ask(space, outputs, objectives=objectives[:1], limits=limits, **asked)
    for n in (1, 30, 1000):
        generated, visited = (visit(TOP, query, n, compiled=one, threads=2) for one in (True, False))
        np.testing.assert_array_equal(generated.key, visited.key)
        np.testing.assert_array_equal(generated.index, visited.index)


@pytest.mark.parametrize("most", [0, 48])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_floats_of_both_signs_are_counted_between_edges(dtype, most):
    odd = [0.0, -0.0, np.inf, -np.inf, np.finfo(dtype).tiny / 4, -np.finfo(dtype).tiny, np.finfo(dtype).max, np.nan]
    values = np.concatenate([odd, np.random.default_rng(0).standard_normal(120)])
    space = Space(("a",), (len(values),), {"x": values}, dtype=dtype)
    query = ask(space, {"v": leaf("x")}, also=["v"], tuning=Tuning(compared_edges=most))
    for edges in ([-1, 0, 1], [-np.inf, -1, -0.0, 0.0, np.inf], [0.0, 0.0], [-2, -1.5, -1, -0.1], [-np.inf, np.inf]):
        part = np.array(edges, dtype=dtype)
        np.testing.assert_array_equal(
            *[visit(HISTOGRAM, query, "v", part, compiled=one).counts for one in (True, False)]
        )


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_cells_tell_on_which_side_of_an_edge_floats_are(dtype):
    kind = np.dtype(dtype)
    rng = np.random.default_rng(0)
    edges = np.sort(np.concatenate([rng.standard_normal(50), [0.0, 1.0, np.inf, -np.inf]])).astype(kind)
    opens, closes = scans.cells(edges)
    odd = [0.0, -0.0, np.inf, -np.inf, np.finfo(kind).tiny / 4, np.finfo(kind).max, np.nan]
    values = np.concatenate([rng.standard_normal(1000), edges, np.nextafter(edges, -np.inf), odd]).astype(kind)
    bits = values.view(f"i{kind.itemsize}")
    width = 8 * kind.itemsize
    cell = ((bits ^ ((bits >> (width - 1)) & ((1 << (width - 1)) - 1))) >> (width - 16)) + (1 << 15)
    number = np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="right"))
    assert (opens[cell] <= number).all()
    assert (number <= closes[cell]).all()
    assert opens[cell[-1]] == closes[cell[-1]] == len(edges) + 1


def test_a_new_limit_compiles_nothing():
    space, outputs = layered_space(0, (4, 5, 3, 7), odd=False)
    sources = set()
    for high in (2.0, 3.0):
        query = ask(space, outputs, objectives=[("time", 1)], limits=[Limit("cost", None, high)], points=8)
        sources.add(scan_sources.scan_source(query, rows.RowTables(query)))
    assert len(sources) == 1


def random_graph(rng: np.random.Generator) -> dict:
    """Every operation once, in random order, on random nodes."""
    nodes = [leaf(name) for name in "pqrs"]
    build = [
        *(lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a / b, lambda a, b: a**b),
        *(
            lambda a, b: a // b,
            lambda a, b: a % b,
            lambda a, _: -a,
            lambda a, _: abs(a),
            lambda a, b: (a < b) | (b <= 1),
        ),
        *(lambda a, _: np.exp(a), lambda a, _: np.log(a), lambda a, _: np.log2(a), lambda a, _: np.sqrt(a)),
        *(lambda a, _: np.floor(a), lambda a, _: np.ceil(a), lambda a, b: a & b, lambda a, b: where(a, b, a)),
    ]
    for place in rng.permutation(len(build)):
        nodes.append(build[place](*(nodes[k] for k in rng.integers(0, len(nodes), 2))))
    return {f"v{k}": ordered_sum(node, "layer") if k % 3 == 0 else node for k, node in enumerate(nodes[4:])}


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("seed", range(2))
def test_every_operation_fills_the_bits_of_numpy(seed, dtype):
    rng = np.random.default_rng(seed)
    space, _ = layered_space(seed, (4, 5, 3, 40), odd=True, dtype=dtype)
    graph = {name: node for name, node in random_graph(rng).items() if node.operation == "ordered_sum"}
    axes = (*space.axes, "layer")
    tables = {name: table.astype(dtype) for name, table in space.tables.items()}
    filled = fills.fill(
        graph, tables, axes=axes, summed=("layer",), dtype=dtype, threads=1, tuning=Tuning(compiled_operations=1)
    )
    for name, expected in evaluate(graph, tables, axes=axes, dtype=dtype).items():
        np.testing.assert_array_equal(*np.broadcast_arrays(filled[name], expected), err_msg=name)
