"""Equal points are the same ones by sorting, by hashing and one by one."""

import numpy as np
import pytest

from roofcube.kernels.pareto.hashing import hashed_equals
from roofcube.kernels.pareto.ties import _sorted_equals, count_equals


def test_each_point_has_the_first_of_its_equals():
    generator = np.random.default_rng(0)
    points = generator.choice([0.0, -0.0, 1.0, np.inf], (60, 2))
    codes = generator.integers(0, 2, 60)
    first, counts = count_equals(tuple(points.T), codes)
    for index, point in enumerate(points):
        equal = np.flatnonzero((points == point).all(axis=1) & (codes == codes[index]))
        assert first[index] == equal[0]
        assert counts[index] == (len(equal) if equal[0] == index else 0)


@pytest.mark.parametrize("values", [1, 3, 50, 10**9])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_hashing_finds_what_sorting_finds(values, dtype):
    generator = np.random.default_rng(values)
    columns = (generator.integers(-values, values, (3, 20_000)) / 8).astype(dtype)
    columns[:, ::7] *= -0.0 if values == 1 else 1.0
    codes = generator.integers(0, 2, 20_000)
    for given_codes in (None, codes):
        first, counts = hashed_equals(tuple(columns), given_codes)
        expected = _sorted_equals(tuple(columns), given_codes)
        np.testing.assert_array_equal(first, expected[0])
        np.testing.assert_array_equal(counts, expected[1])
