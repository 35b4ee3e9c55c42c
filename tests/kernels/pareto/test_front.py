"""Fronts equal brute force, on every path, for every tie, infinity, NaN, dtype and number of objectives."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pareto_oracle import brute_force, point_arrays

from roofcube.errors import InvalidDataError
from roofcube.kernels.pareto import compiled
from roofcube.kernels.pareto.few import non_dominated_few
from roofcube.kernels.pareto.front import (
    count_ties,
    front_with_equals,
    front_with_ties,
    non_dominated,
    non_dominated_by_group,
    order_of_front,
)
from roofcube.kernels.pareto.points import as_columns


def exact_only(columns):
    """Run the exact algorithms on all points, as if the filter had left them all."""
    points = np.stack(columns)
    valid = ~np.isnan(points).any(axis=0)
    mask = np.zeros(len(valid), bool)
    if valid.any() and len(columns) > 1:
        mask[valid] = compiled.by_ranks(tuple(np.ascontiguousarray(points[:, valid])))
    return mask


@given(point_arrays(), st.sampled_from(["all", "first"]))
@settings(max_examples=300, deadline=None)
def test_front_is_brute_forces(points, ties):
    expected = brute_force(points, ties)
    columns = tuple(np.ascontiguousarray(column) for column in points.T)
    assert non_dominated_few(as_columns(points)).tolist() == brute_force(points).tolist()
    assert non_dominated(points, ties=ties).tolist() == expected.tolist()
    assert non_dominated(columns, ties=ties).tolist() == expected.tolist()


@given(point_arrays(least_objectives=2))
@settings(max_examples=300, deadline=None)
def test_exact_algorithms_alone(points):
    assert exact_only(tuple(points.T)).tolist() == brute_force(points).tolist()


@pytest.mark.parametrize("objectives", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("kind", ["sphere", "few values", "one value apart", "narrow", "line", "constant"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_many_points_on_every_path(kind, objectives, dtype):
    generator = np.random.default_rng(objectives)
    count = 3000
    normal = np.abs(generator.normal(size=(count, objectives)))
    points = {
        "sphere": 1 - normal / np.linalg.norm(normal, axis=1, keepdims=True),
        "few values": np.floor(6 * normal / normal.sum(axis=1, keepdims=True)),
        "one value apart": 1e6 + generator.integers(0, 2, (count, objectives)) + (np.arange(count) == 7)[:, None],
        # keys that agree in their first 32 bits: one outlier widens the range of all
        "narrow": 1 + 1e-13 * normal - 1e9 * (np.arange(count) == 5)[:, None] * (np.arange(objectives) == 0),
        "line": np.stack([np.arange(count) * (-1.0) ** k for k in range(objectives)], axis=1),
        "constant": np.full((count, objectives), 3.5),
    }[kind].astype(dtype)
    expected = non_dominated_few(as_columns(points))
    assert np.array_equal(non_dominated(points), expected)
    assert np.array_equal(exact_only(tuple(points.T)), expected)


@pytest.mark.parametrize("objectives", [3, 4, 5])
@pytest.mark.parametrize("optimal", [1, 20, 200, 400])
@pytest.mark.parametrize("equal", [False, True])
def test_points_tried_one_by_one_before_ranks(objectives, optimal, equal):
    """Also where the tries end before all are settled: the others are left to the ranks."""
    generator = np.random.default_rng(optimal + objectives)
    normal = np.abs(generator.normal(size=(optimal, objectives)))
    front = 1 - normal / np.linalg.norm(normal, axis=1, keepdims=True)
    behind = front[generator.integers(optimal, size=400 - optimal)] + generator.uniform(0.1, 1, (400 - optimal, 1))
    points = generator.permutation(np.concatenate([front, front[: 100 if equal else 0], behind]))
    assert compiled.MOST_FEW < len(points) <= compiled.MOST_TRIED
    expected = brute_force(points)
    assert np.array_equal(compiled.exact(tuple(np.ascontiguousarray(column) for column in points.T)), expected)
    assert expected.sum() >= optimal
    assert compiled.PASSES < 200


@pytest.mark.parametrize("objectives", [2, 3, 4, 5])
def test_front_is_minimal_and_complete(objectives):
    generator = np.random.default_rng(3)
    points = generator.normal(size=(20_000, objectives)).astype("f4")
    mask = non_dominated(points)
    front = points[mask]
    assert brute_force(front).all()
    for point in points[~mask][:2000]:
        assert ((front <= point).all(axis=1) & (front < point).any(axis=1)).any()


@pytest.mark.parametrize("objectives", [2, 3, 4, 5])
@pytest.mark.parametrize("spread", [0.0, 0.01, 0.3])
def test_front_is_moocores(objectives, spread):
    moocore = pytest.importorskip("moocore")
    generator = np.random.default_rng(11)
    count = 30_000  # older versions of moocore compare each with each
    shares = generator.exponential(size=(count, objectives))
    points = shares / shares.sum(axis=1, keepdims=True) + spread * generator.random((count, 1))
    expected = moocore.is_nondominated(points, keep_weakly=True)
    assert np.array_equal(non_dominated(points), expected)


@pytest.mark.parametrize("objectives", [2, 3, 4])
def test_threads_share_many_points(objectives):
    points = np.random.default_rng(17).random((600_000, objectives))
    points[::7, 0] = np.nan
    assert np.array_equal(non_dominated(points, threads=2), non_dominated(points))


def test_two_threads_at_once():
    generator = np.random.default_rng(5)
    sets = [generator.random((30_000, objectives)) for objectives in (2, 3, 4, 5)] * 2
    alone = [non_dominated(points) for points in sets]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(non_dominated, sets))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


@given(point_arrays(), st.data())
@settings(max_examples=200, deadline=None)
def test_groups_are_fronts_of_their_own(points, data):
    codes = data.draw(hnp.arrays("i8", len(points), elements=st.sampled_from([-1, 0, 1, 5, 10**12])))
    ties = data.draw(st.sampled_from(["all", "first"]))
    expected = np.zeros(len(points), bool)
    for code in set(codes[codes >= 0].tolist()):
        members = np.flatnonzero(codes == code)
        expected[members] = brute_force(points[members], ties)
    assert non_dominated_by_group(points, codes, ties=ties).tolist() == expected.tolist()


@pytest.mark.parametrize("groups", [1, 3, 40, 5000])
def test_large_and_small_groups(groups):
    generator = np.random.default_rng(groups)
    points = generator.normal(size=(20_000, 3))
    points[generator.random(points.shape) < 0.01] = np.nan
    codes = generator.integers(0, groups, len(points))
    expected = np.zeros(len(points), bool)
    for code in range(groups):
        expected[codes == code] = non_dominated_few(as_columns(points[codes == code]))
    assert np.array_equal(non_dominated_by_group(points, codes), expected)


@given(point_arrays(least_objectives=1), st.data())
@settings(max_examples=150, deadline=None)
def test_objectives_to_maximise_are_those_of_negated_points(points, data):
    senses = data.draw(st.lists(st.sampled_from(["min", "max"]), min_size=points.shape[1], max_size=points.shape[1]))
    signs = np.array([1 if sense == "min" else -1 for sense in senses], points.dtype)
    codes = data.draw(hnp.arrays("i8", len(points), elements=st.integers(-1, 2)))
    assert non_dominated(points, senses=senses).tolist() == brute_force(points * signs).tolist()
    indices, n_ties = front_with_ties(points, senses=senses, groups=codes)
    expected = front_with_ties(points * signs, groups=codes)
    assert (indices.tolist(), n_ties.tolist()) == tuple(part.tolist() for part in expected)


@given(point_arrays(), st.sampled_from(["all", "first"]), st.data())
@settings(max_examples=200, deadline=None)
def test_ties_are_counted_within_groups(points, ties, data):
    codes = data.draw(st.none() | hnp.arrays("i8", len(points), elements=st.sampled_from([-1, 0, 1, 10**12])))
    rows = points if codes is None else np.column_stack([points, codes])
    expected = {}
    for group in [slice(None)] if codes is None else [codes == code for code in set(codes[codes >= 0].tolist())]:
        for index in np.arange(len(points))[group][brute_force(points[group], ties)]:
            expected[index] = (rows == rows[index]).all(axis=1).sum()
    indices, n_ties = front_with_ties(points, groups=codes, ties=ties)
    assert dict(zip(indices.tolist(), n_ties.tolist(), strict=True)) == expected
    assert indices.tolist() == sorted(expected)
    assert (indices.dtype, n_ties.dtype) == (np.int64, np.int64)
    if codes is None:
        assert count_ties(points, brute_force(points, ties)).tolist() == n_ties.tolist()


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8"])
@pytest.mark.parametrize("count", [0, 1, 500, 20_000])
@pytest.mark.parametrize("groups", [None, 1, 7, 10**15])
def test_front_is_ordered_by_group_then_cost_then_index(dtype, count, groups):
    generator = np.random.default_rng(count)
    costs = generator.integers(-40, 40, count).astype(dtype)
    codes = None if groups is None else generator.integers(-1, groups, count)
    order = order_of_front(costs, codes)
    keys = (np.arange(count), costs) if codes is None else (np.arange(count), costs, codes)
    np.testing.assert_array_equal(order, np.lexsort(keys))


PROBE = """
import sys
import numpy as np
from roofcube.kernels.pareto import front
from roofcube.kernels.pareto.near import near_front
points = np.random.default_rng(0).random(({count}, 3))
first = front.non_dominated(points)
front.non_dominated_by_group(points, np.arange({count}) % 7)
near_front.epsilon_front(points, 0.1)
near_front.distance_to_front(points[:500], points[first])
print("numba" in sys.modules)
import roofcube.kernels.pareto.compiled
assert np.array_equal(front.non_dominated(points), first)
"""


@pytest.mark.parametrize(("count", "loaded"), [(1000, "False"), (20_000, "True")])
def test_numba_is_loaded_only_for_many_points(count, loaded):
    done = subprocess.run([sys.executable, "-c", PROBE.format(count=count)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == loaded


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: non_dominated([1.0, 2.0]), r"`points`: expected \(points, objectives\), got shape \(2,\)"),
        (lambda: non_dominated(([1.0], [1.0, 2.0])), r"`points`: expected columns of one length"),
        (lambda: non_dominated(()), r"`points`: expected columns of one length, got shapes \(\)"),
        (lambda: non_dominated([["a", "b"]]), "`points`: expected numbers, got dtype <U1"),
        (lambda: non_dominated([[1.0, 2.0]], ties="last"), "`ties`: expected one of 'all', 'first', got 'last'"),
        (
            lambda: non_dominated([[1.0, 2.0]], senses=["min", "low"]),
            "`senses`: expected one of 'min', 'max', got 'low'",
        ),
        (lambda: non_dominated([[1.0, 2.0]], senses=["min"]), "`senses`: expected 2, got 1"),
        (lambda: front_with_ties([[1.0]], ties="last"), "`ties`: expected one of 'all', 'first', got 'last'"),
        (lambda: front_with_ties([[1.0]], groups=[0, 1]), r"`groups`: expected 1 integers, got int64 of shape \(2,\)"),
        (lambda: order_of_front([[1.0]]), "`first`: expected columns of one length"),
        (lambda: non_dominated_by_group([[1.0]], [0.5]), "`groups`: expected 1 integers, got float64"),
        (lambda: count_ties([[1.0], [2.0]], [True, True]), "`front_mask`: expected only optimal points"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InvalidDataError, match=message):
        call()


def test_integers_and_lists_are_taken():
    assert non_dominated([[3, 1], [1, 3], [3, 3]]).tolist() == [True, True, False]
    assert non_dominated((np.array([1, 2]), np.array([2, 1], "f4"))).tolist() == [True, True]


@pytest.mark.parametrize("count", [7, 300, 70_000, 600_003])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("objectives", [1, 2, 4])
def test_what_is_missing_is_counted_on_the_way(count, dtype, objectives):
    rng = np.random.default_rng(count)
    points = rng.random((count, objectives)).astype(dtype)
    points[rng.random(points.shape) < 0.3] = np.nan
    missing = np.zeros(objectives, np.int64)
    senses = ["max", "min", "min", "max"][:objectives]
    front_with_equals(points, senses, threads=2, missing=missing)
    assert missing.tolist() == np.isnan(points).sum(axis=0).tolist()
    groups = rng.integers(0, 3, count)
    front_with_equals(points, senses, groups, missing=missing)
    assert missing.tolist() == (2 * np.isnan(points).sum(axis=0)).tolist()


def test_several_tiles():
    generator = np.random.default_rng(8)
    points = generator.normal(size=(9000, 4))
    points[:6000] /= np.linalg.norm(points[:6000], axis=1, keepdims=True)
    assert np.array_equal(non_dominated(points), non_dominated_few(as_columns(points)))


def test_columns_may_lie_in_memory_each_in_its_own_way():
    rng = np.random.default_rng(5)
    points = rng.random((3000, 3))
    read_only = np.repeat(points[:, 0], 2)[::2]
    read_only.flags.writeable = False
    mixed = read_only, points[:, 1].copy(), np.repeat(points[:, 2], 3)[::3]
    np.testing.assert_array_equal(non_dominated(mixed), non_dominated(points))
    np.testing.assert_array_equal(front_with_ties(mixed)[0], front_with_ties(points)[0])
