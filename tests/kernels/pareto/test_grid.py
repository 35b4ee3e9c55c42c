"""The grid throws out many points and no optimal one."""

import numpy as np
import pytest

from roofcube.kernels.pareto.front import non_dominated
from roofcube.kernels.pareto.grid import below_grid


@pytest.mark.parametrize("objectives", [2, 3, 4, 5])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_grid_loses_no_optimal_point(objectives, dtype):
    generator = np.random.default_rng(objectives)
    values = np.floor(generator.normal(size=(objectives, 20_000)) * 30).astype(dtype)
    values[values == 0] *= generator.choice([-1.0, 1.0], np.count_nonzero(values == 0))
    values[:, ::1000] = np.inf
    values[0, 1::1000] = -np.inf
    kept = np.zeros(values.shape[1], bool)
    kept[below_grid(tuple(values), values[:, :1024])] = True
    optimal = non_dominated(tuple(values))
    assert not (optimal & ~kept).any()
    assert kept.sum() < 0.9 * len(kept)
