"""Labels on arrays: axes by name, never by number."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from roofcube.labels import flat_column, full_rank


def test_an_array_is_laid_out_over_dims_that_it_lacks():
    array = xr.DataArray(np.arange(6.0).reshape(2, 3), dims=("b", "a"))
    full = full_rank(array, ("a", "c", "b"))
    assert full.shape == (3, 1, 2)
    np.testing.assert_array_equal(full[:, 0], array.values.T)
    expected = array.expand_dims(c=4).transpose("a", "c", "b").values.ravel()
    np.testing.assert_array_equal(flat_column(array, ("a", "c", "b"), (3, 4, 2)), expected)


def test_a_scalar_is_repeated():
    assert flat_column(xr.DataArray(2.0), ("a", "b"), (2, 2)).tolist() == [2.0] * 4
    assert flat_column(xr.Variable((), 2.0), (), ()).tolist() == [2.0]


def test_what_is_lazy_stays_lazy():
    dask = pytest.importorskip("dask.array")
    array = xr.DataArray(dask.zeros((2, 3)), dims=("b", "a"))
    assert isinstance(full_rank(array, ("a", "c", "b")), dask.Array)
