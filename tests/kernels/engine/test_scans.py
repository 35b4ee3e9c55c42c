"""Scans of many groups side by side equal NumPy tiles; the compiler makes no slow stores of scans and sieves."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from roofcube.kernels.codegen import rows, scan_sources, writer
from roofcube.kernels.engine import scans
from roofcube.kernels.engine.reductions import BEST
from roofcube.kernels.engine.stream import visit
from roofcube.kernels.graph.expression import leaf, maximum, ordered_sum, where
from roofcube.kernels.graph.space import Space
from roofcube.kernels.query.query import Limit, ask
from roofcube.kernels.tuning import Tuning

SIDE_BY_SIDE = Tuning(row_worth=1, many_groups=1, scan_job_points=64)
SIZES = {"a": 4, "b": 5, "c": 3, "d": 7}


def space_of(seed: int, dtype: str = "f4") -> tuple[Space, dict]:
    """Tables of few values, so that many keys are equal, with NaN, infinities and sums over layers among them."""
    rng = np.random.default_rng(seed)
    tables = {}
    for name in "pqr":
        shape = [size if rng.random() < 0.7 else 1 for size in SIZES.values()] + [3 if rng.random() < 0.5 else 1]
        values = rng.choice([0.5, 1.0, 2.0], size=shape)
        tables[name] = np.where(
            rng.random(shape) < 0.2, rng.choice([np.nan, np.inf, -np.inf, -0.0], size=shape), values
        )
    tables["s"] = rng.choice([0.5, 1.0, 2.0], size=(*SIZES.values(), 1))  # all axes play a role
    p, q, r, s = (leaf(name) for name in "pqrs")
    outputs = {
        "time": ordered_sum(maximum(p, where(r <= s, r * q, 0.25)), "layer") + s,
        "cost": ordered_sum(p * s, "layer"),
        "plain": s * 2.0,
    }
    return Space(tuple(SIZES), tuple(SIZES.values()), tables, ("layer",), dtype), outputs


@pytest.mark.parametrize("per", [["a"], ["d"], ["b", "d"], ["d", "a", "c"], ["a", "b", "c", "d"]])
@pytest.mark.parametrize("seed", range(4))
def test_groups_side_by_side_equal_numpy_tiles(seed, per):
    space, outputs = space_of(seed, ["f4", "f8"][seed % 2])
    limits = [[], [Limit("cost", 0.0, 4.0)]][seed // 2]
    objective = ("plain" if seed == 0 else "time", [1, -1][seed % 2])
    # rows that are cut, of two axes, of all groups
    tuning = replace(SIDE_BY_SIDE, row_points=[(1, 3), (8, 16), (100, 200), (5, 4)][seed])
    query = ask(space, outputs, objectives=[objective], limits=limits, per=per, points=1, tuning=tuning)
    assert isinstance(BEST.rows(query), scans.GroupedScan)
    generated, visited = visit(BEST, query, compiled=True, threads=2), visit(BEST, query)
    for name in ("key", "first", "count"):
        np.testing.assert_array_equal(getattr(generated, name), getattr(visited, name), err_msg=name)


def test_keys_of_minus_infinity_are_found_after_points_that_are_none():
    tables = {"x": np.array([[np.nan, np.nan], [np.inf, np.nan], [np.inf, np.nan], [np.nan, 1.0]])}
    space = Space(("point", "group"), (4, 2), tables, (), "f4")
    query = ask(space, {"x": leaf("x")}, objectives=[("x", -1)], per=["group"], tuning=SIDE_BY_SIDE)
    for compiled in (True, False):
        part = visit(BEST, query, compiled=compiled)
        assert part.key.tolist() == [-np.inf, -1.0]
        assert part.first.tolist() == [1, 7]
        assert part.count.tolist() == [2, 1]


def test_only_many_groups_lie_side_by_side():
    tables = {"x": np.arange(300.0 * 2 * 40).reshape(300, 2, 40)}
    space = Space(("a", "b", "c"), (300, 2, 40), tables)
    for per, kind in ((["a"], scans.GroupedScan), (["b"], scans.Scan), ([], scans.Scan), (["b", "c"], scans.Scan)):
        assert type(scans.scan_of(ask(space, {"x": leaf("x")}, objectives=[("x", 1)], per=per))) is kind


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("low", [0.5, 0.0, -0.5], ids=["positive", "zero", "negative"])
def test_what_falls_with_a_node_is_divided_once_a_tile(sign, low):
    """Neighbours of many equal quotients: one over the least of a tile is the best of it to the last bit."""
    rng = np.random.default_rng(3)
    near = np.nextafter(np.float32(3.0), np.float32(np.inf)) * (1 + rng.integers(0, 9, size=(40, 1)) * 2**-24)
    tables = {"x": near.astype("f4"), "y": np.zeros((1, 70), "f4"), "off": rng.random((40, 1)) < 0.3}
    tables["x"][17], tables["y"][0, 33] = low, 1e-3
    space = Space(("a", "b"), (40, 70), tables, (), "f4")
    rate = 7.0 / (leaf("x") + leaf("y") * 0.0)
    outputs = {"rate": where(leaf("off"), np.nan, rate)}
    tuning = replace(SIDE_BY_SIDE, many_groups=99, scan_tile=140, row_fold_steps=(), amortised_table=0, table_bytes=0)
    query = ask(space, outputs, objectives=[("rate", sign)], points=1, tuning=tuning)
    source = scan_sources.scan_source(query, rows.RowTables(query))
    assert ("best = highest[0]" in source) == (low <= 0)
    generated, visited = visit(BEST, query, compiled=True), visit(BEST, query)
    for name in ("key", "first", "count"):
        np.testing.assert_array_equal(getattr(generated, name), getattr(visited, name), err_msg=name)


@pytest.mark.parametrize(("again", "folded"), [(20, True), (2, False)])
def test_tables_that_rows_one_after_another_read_again_are_folded(again, folded):
    rng = np.random.default_rng(0)
    tables = {"x": rng.random((60, 1, 1)), "y": rng.random((1, again, 1)), "z": rng.random((1, 1, 512))}
    space = Space(("a", "b", "c"), (60, again, 512), tables, (), "f4")
    outputs = {"t": maximum(leaf("x") / leaf("z"), leaf("y"))}
    tuning = Tuning(row_fold_steps=(), points_an_entry=8, table_bytes=1 << 14)
    query = ask(space, outputs, objectives=[("t", -1)], points=1, tuning=tuning)
    assert any(table.shape == (60, 1, 512) for table in rows.RowTables(query).space.tables.values()) == folded


SOURCES = {
    "scan": scan_sources.scan_source,
    "grouped": scan_sources.grouped_scan_source,
    "sieve": scan_sources.sieve_source,
}


@pytest.mark.parametrize("kernel", SOURCES)
def test_the_compiler_makes_no_masked_stores(kernel, tmp_path, monkeypatch):
    """On x86 without AVX-512 each takes 20 cycles, and a scan took three times as long."""
    monkeypatch.setenv("ROOFCUBE_CACHE_DIR", str(tmp_path))  # code that was read from the cache tells nothing
    tables = {"x": np.ones((20, 1)), "y": np.ones((1, 500))}
    space, outputs = Space(("a", "b"), (20, 500), tables), {"z": leaf("x") * leaf("y"), "w": leaf("x") + leaf("y")}
    tuning = Tuning(table_bytes=0)  # else all is read from tables
    query = ask(space, outputs, objectives=[("z", 1)], limits=[Limit("w", 0.0, 4.0)], points=1, tuning=tuning)
    tables = rows.RowTables(query)
    made = writer.compiled(SOURCES[kernel](query, tables) + "# compiled here\n")
    keys, index, vectors = np.zeros(9, dtype="f4"), np.zeros(9, dtype="i8"), np.zeros((0, 1), dtype="f4")
    results = [vectors, index, vectors, index] if kernel == "sieve" else [keys, index, index]
    numbers = [0, 0] if kernel == "sieve" else [0, 0, 1, 0]
    made(*numbers, keys, *results, *[keys] * len(tables.leaves))
    (signature,) = made.signatures
    assert not re.findall(r"v?p?maskmov\w+\s+%\w+, %\w+, [^%\n]*\(", made.inspect_asm(signature))


def test_edges_between_two_numbers_of_single_precision_part_as_they_do():
    values = np.array([0.7, 0.1, 0.3, 1.0], "f4")
    space = Space(("a",), (4,), {"x": values}, (), "f4")
    query = ask(space, {"x": leaf("x")}, objectives=[], limits=[Limit("x", 0.0, None)], points=1, tuning=SIDE_BY_SIDE)
    edges = np.array([0.0, 0.1, 0.3, 0.7, 1.0])  # 0.1 and 0.3 in f4 lie above, 0.7 below
    tally = scans.Tally(query, "x", edges)
    assert tally.counts(range(1)).tolist() == [[0, 1, 2, 1]]
