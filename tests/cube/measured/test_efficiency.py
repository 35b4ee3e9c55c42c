"""Efficiency of cubes with dims beside those of the measurements; the published values are in test_published."""

from __future__ import annotations

import numpy as np
import pytest

import roofcube as rc
from roofcube import datasets
from roofcube.errors import InvalidDataError


@pytest.mark.parametrize("at", ["best", "batch"])
def test_efficiency_under_several_assumptions_is_that_under_each(at):
    inputs, measurements = rc.inputs("cifar10"), datasets.load_measurements()
    models = [rc.PUBLISHED, rc.BOUND]
    both = rc.efficiency(rc.join(rc.predict(inputs, assumptions=models), measurements), at=at)
    assert ("batch" in both.dims) == (at == "batch")
    for number, model in enumerate(models):
        alone = rc.efficiency(rc.join(rc.predict(inputs, assumptions=model), measurements), at=at)
        assert ("batch" in alone.dims) == (at == "batch")
        mine = both.isel(assumptions=number)
        for name in alone.data_vars:
            values, expected = mine[name].broadcast_like(alone[name]), alone[name]
            np.testing.assert_array_equal(values.transpose(*expected.dims), expected.broadcast_like(values))


def test_what_is_no_cube_has_no_efficiency():
    with pytest.raises(InvalidDataError, match=r"`cube`: expected a Dataset, got 5 .*; make one with `roofcube.join`"):
        rc.efficiency(5)
