"""Points near a front: tolerance and distance equal their definitions, point by point."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pareto_oracle import brute_force, point_arrays

from roofcube.errors import InvalidDataError
from roofcube.kernels.pareto.front import non_dominated
from roofcube.kernels.pareto.near import near_front
from roofcube.kernels.pareto.near.near_front import distance_to_front, epsilon_front


@pytest.fixture(params=["numpy", "compiled"], autouse=True, scope="module")
def engine(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_front, "compiling_pays", lambda *_: request.param == "compiled")
        yield


@given(point_arrays(), st.sampled_from([0.0, 0.25, 1.0, 3.0]), st.booleans())
@settings(max_examples=80, deadline=None)
def test_epsilon_front_improves_each_point_alone(points, epsilon, relative):
    step = points.dtype.type(epsilon)
    with np.errstate(invalid="ignore", over="ignore"):
        improved = np.where(np.isinf(points), points, points - (step * np.abs(points) if relative else step))
    expected = []
    for point in improved:
        dominated = ((points <= point).all(axis=1) & (points < point).any(axis=1) & ~np.isnan(points).any(axis=1)).any()
        expected.append(not dominated and not np.isnan(point).any())
    assert epsilon_front(points, epsilon, relative=relative).tolist() == expected


def gap(point, best, relative):
    if point == best:
        return 0.0
    if np.isinf(point) or (relative and point == 0):
        return np.inf if point > best else -np.inf
    with np.errstate(over="ignore"):
        return (point - best) / (abs(point) if relative else 1)


@given(point_arrays(most=15), st.booleans())
@settings(max_examples=200, deadline=None)
def test_distance_is_the_epsilon_indicator_of_each_point(points, relative):
    front = points[brute_force(points)]
    distance = distance_to_front(points, front, relative=relative)
    for point, found in zip(points, distance, strict=True):
        if np.isnan(point).any():
            assert np.isnan(found)
            continue
        gaps = [min(gap(a, b, relative) for a, b in zip(point, best, strict=True)) for best in front]
        assert found == points.dtype.type(max([0.0, *gaps]))


def test_distance_reaches_the_front():
    points = np.random.default_rng(2).random((5000, 3))
    mask = non_dominated(points)
    distance = distance_to_front(points, points[mask])
    assert (distance[mask] == 0).all()
    assert (distance[~mask] > 0).all()
    for epsilon in (0.0, 0.05, 0.3):
        assert np.array_equal(epsilon_front(points, epsilon), distance <= epsilon)


@pytest.mark.parametrize("senses", [["max", "min", "max"], ["max", "max", "max"]])
@pytest.mark.parametrize("relative", [True, False])
def test_objectives_to_maximise_are_those_of_negated_points(senses, relative):
    points = np.random.default_rng(3).normal(size=(3000, 3))
    turned = points * [1 if sense == "min" else -1 for sense in senses]
    mask = epsilon_front(points, 0.1, relative=relative, senses=senses)
    assert np.array_equal(mask, epsilon_front(turned, 0.1, relative=relative))
    front = non_dominated(turned)
    distance = distance_to_front(points, points[front], relative=relative, senses=senses)
    np.testing.assert_array_equal(distance, distance_to_front(turned, turned[front], relative=relative))


@pytest.mark.parametrize("relative", [True, False])
def test_a_truth_of_any_type_is_one(relative):
    for number in (1, 1 << 21):  # by NumPy and by trees
        points = np.tile([[3.0], [1.0], [0.0]], (number, 1))
        expected = distance_to_front(points, [[1.0]], relative=relative)
        assert expected[:3].tolist() == ([2 / 3, 0.0, 0.0] if relative else [2.0, 0.0, 0.0])
        for truth in (np.bool_(relative), int(relative)):
            assert np.array_equal(distance_to_front(points, [[1.0]], relative=truth), expected)


@pytest.mark.parametrize("objectives", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_large_fronts_by_trees_equal_all_pairs(objectives, dtype):
    generator = np.random.default_rng(objectives)
    normal = np.abs(generator.normal(size=(6000, objectives)))
    points = (1.5 - normal / np.linalg.norm(normal, axis=1, keepdims=True) + 0.1 * generator.random((6000, 1))).astype(
        dtype
    )
    front = points[non_dominated(points, ties="first")]
    distance = distance_to_front(points[:500], front, relative=False)
    gaps = (points[:500, None] - front).min(axis=2).max(axis=1)
    np.testing.assert_array_equal(distance, np.maximum(gaps, 0))
    improved = points - points.dtype.type(0.05) * np.abs(points)
    expected = ~((front[:, None] <= improved).all(2) & (front[:, None] < improved).any(2)).any(0)
    assert np.array_equal(epsilon_front(points, 0.05), expected)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: epsilon_front([[1.0]], -0.1), "`epsilon`: expected a finite number of at least 0, got -0.1"),
        (lambda: epsilon_front([[1.0]], np.inf), "`epsilon`: expected a finite number of at least 0, got inf"),
        (lambda: epsilon_front([[1.0]], 0.1, senses=["min", "min"]), "`senses`: expected 1, got 2"),
        (lambda: distance_to_front([[1.0]], [[1.0, 2.0]]), "`front`: expected 1 objectives, got 2"),
        (lambda: distance_to_front([[1.0]], [1.0]), r"`front`: expected \(points, objectives\), got shape \(1,\)"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InvalidDataError, match=message):
        call()
