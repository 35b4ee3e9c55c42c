"""Archives tell what a front dominates, and merge fronts, with and without a compiler."""

import numpy as np
import pytest

from roofcube.kernels.pareto.archive import Archive, _dominated_by_pairs, distinct_front, match
from roofcube.kernels.pareto.few import minimal_in_order
from roofcube.kernels.pareto.stairs import Stairs


class Compiled(Archive):
    """An archive that never does without its compiled kernels."""

    def _compiled(self, n):
        return True


class Uncompiled(Archive):
    """An archive that never asks for them."""

    def _compiled(self, n):
        return False


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("kind", [Uncompiled, Compiled])
def test_archives_tell_what_is_dominated(d, kind):
    rng = np.random.default_rng(d)
    vectors = rng.integers(0, 6, size=(300, d)).astype("f4")
    vectors[rng.random(vectors.shape) < 0.02] = np.inf
    vectors[rng.random(vectors.shape) < 0.02] = -np.inf
    archive = kind(d, np.dtype("f4"))
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
def test_stairs_of_blocks_equal_all_pairs(n, values):
    rng = np.random.default_rng(n + values)
    vectors = np.unique(rng.integers(0, values, size=(4 * n, 3)).astype("f4"), axis=0)[-n:]
    vectors[rng.random(vectors.shape) < 0.02] = np.inf
    vectors = np.unique(vectors, axis=0)
    minimal = ~_dominated_by_pairs(vectors, vectors)
    np.testing.assert_array_equal(minimal_in_order(vectors), minimal)
    stairs = Stairs(vectors)
    np.testing.assert_array_equal(stairs.minimal(), minimal)
    front = Stairs(vectors[minimal])
    queries = np.concatenate([rng.integers(-1, values + 1, size=(500, 3)).astype("f4"), vectors])
    expected = _dominated_by_pairs(vectors[minimal], queries)
    np.testing.assert_array_equal(front.dominates(queries), expected)
    sphere = np.abs(rng.normal(size=(40 * n, 3)))
    archive = Uncompiled(3, np.dtype("f8"))
    for part in np.split(sphere, 4):
        archive.add(part)
    np.testing.assert_array_equal(archive.vectors, np.unique(sphere[~_dominated_by_pairs(sphere, sphere)], axis=0))


def test_distinct_fronts_count_ties_and_keep_the_first():
    vectors = np.array([[1, 2], [0, 3], [1, 2], [2, 2], [-0.0, 3]])
    distinct, first, ties = distinct_front(vectors, np.array([9, 4, 5, 1, 2]), np.array([1, 1, 2, 1, 1]))
    assert distinct.tolist() == [[0, 3], [1, 2]]
    assert first.tolist() == [2, 5]
    assert ties.tolist() == [2, 3]


def test_match_finds_equal_vectors():
    known = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert match(np.array([[3.0, 4.0], [1.0, 4.0], [1.0, 2.0]]), known).tolist() == [1, -1, 0]


def test_an_archive_of_a_front_in_any_order():
    front = np.array([[2.0, 1.0, 0.0], [0.0, 2.0, 1.0], [1.0, 0.0, 2.0]])
    queries = np.array([[2.0, 1.0, 0.0], [2.0, 1.0, 0.5], [0.0, 0.0, 0.0], [3.0, 3.0, 3.0]])
    assert Archive.of(front).dominates(queries).tolist() == [False, True, False, True]
