"""Efficiency of cubes with dims beside those of the measurements; the published values are in test_published."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import roofcube as rc
from roofcube import datasets
from roofcube.errors import InvalidDataError, MemoryLimitError
from roofcube.measured.efficiency import with_timed_throughput


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


def test_what_was_measured_in_the_other_scope_alone_is_told():
    cube = rc.benchmark("mnist")
    alone = cube.assign({name: cube[name].where(False) for name in ("measured_throughput", "measured_latency")})
    with pytest.warns(UserWarning, match="nothing was measured in the one asked for; ask for scope='system'"):
        assert rc.efficiency(alone).efficiency.isnull().all()
    assert rc.efficiency(alone, scope="system").efficiency.notnull().any()


@pytest.mark.parametrize("name", ["measured_throughput", "predicted_throughput"])
def test_figures_in_another_unit_are_refused(name):
    cube = rc.benchmark("mnist")
    changed = cube.assign({name: (cube[name] / 1e3).assign_attrs(units="kfps")})
    with pytest.raises(InvalidDataError, match=rf"`{name}`: expected 1/s, got 'kfps'; convert it: .* \* 1000\)"):
        rc.efficiency(changed)


def test_what_is_no_cube_has_no_efficiency():
    with pytest.raises(InvalidDataError, match=r"`cube`: expected a Dataset, got 5 .*; make one with `roofcube.join`"):
        rc.efficiency(5)


@pytest.mark.parametrize(("change", "at"), [({}, "batch"), ({"measured_throughput": "measured_latency"}, "best")])
def test_ratios_that_do_not_fit_are_refused(change, at):
    names = ("predicted_throughput", "measured_throughput")
    cube = xr.Dataset({name: ("batch", np.ones(20_000)) for name in names}, coords={"batch": np.arange(20_000.0)})
    with rc.set_options(memory="500 kB"):
        assert "best_batch" in rc.efficiency(cube)
        with pytest.raises(MemoryLimitError, match="`efficiency`: expected a cube that takes at most"):
            rc.efficiency(cube.rename(change), at=at)


def test_the_best_batch_is_the_first_of_equals_and_none_where_nothing_was_measured():
    measured = [[np.nan, 2.0, 3.0, 3.0], [np.nan] * 4]
    cube = xr.Dataset(
        {"measured_throughput": (("platform", "batch"), measured), "predicted_throughput": ("platform", [6.0, 6.0])},
        coords={"platform": ["a", "b"], "batch": [1, 2, 4, 8]},
    )
    best = rc.efficiency(cube)
    np.testing.assert_array_equal(best.best_batch, [4.0, np.nan])
    np.testing.assert_array_equal(best.efficiency, [0.5, np.nan])
    xr.testing.assert_identical(rc.efficiency(cube.drop_vars("batch")), best.drop_vars("best_batch"))


TIMED = xr.Dataset(
    {
        "measured_latency": (("platform", "batch"), [[5.0, 20.0], [8.0, 15.0]], {"units": "ms"}),
        "measured_throughput": (("platform", "batch"), [[200.0, 400.0], [np.nan, np.nan]], {"units": "1/s"}),
    },
    coords={"platform": ["a", "b"], "batch": [1, 8]},
)


@pytest.mark.parametrize("cube", [TIMED, TIMED.drop_vars("measured_throughput")])
def test_a_latency_in_another_unit_gives_no_throughput(cube):
    with pytest.raises(InvalidDataError, match=r"`measured_latency`: expected s, got 'ms'; convert it: .* \* 0\.001\)"):
        with_timed_throughput(cube)
    seconds = cube.assign(measured_latency=(cube.measured_latency * 1e-3).assign_attrs(units="s"))
    best = with_timed_throughput(seconds)[0].measured_throughput.sel(platform="b", batch=8)
    assert float(best) == pytest.approx(8 / 0.015)


def test_a_latency_that_no_throughput_comes_of_may_be_in_any_unit():
    counted = TIMED.isel(platform=[0])
    assert with_timed_throughput(counted) == (counted, 0)


def test_what_was_only_timed_is_seen_in_any_order_of_the_dims():
    cube = TIMED.assign(measured_latency=TIMED.measured_latency.assign_attrs(units="s"))
    turned = cube.assign(measured_throughput=cube.measured_throughput.transpose())
    filled, derived = with_timed_throughput(turned)
    assert filled.measured_throughput.dims == ("batch", "platform")
    expected, cells = with_timed_throughput(cube)
    assert (derived, cells) == (2, 2)
    xr.testing.assert_identical(filled.measured_throughput.transpose(), expected.measured_throughput)


FIGURES = xr.Dataset(
    {name: ("batch", [1.0, 2.0]) for name in ("measured_throughput", "predicted_throughput", "peak_throughput")},
    coords={"batch": [1, 2]},
)
ONLY_TIMED = FIGURES.drop_vars("measured_throughput").assign(measured_latency=("batch", [1.0, 1.0]))


@pytest.mark.parametrize("at", ["best", "batch"])
@pytest.mark.parametrize("name", [*FIGURES, "measured_latency"])
@pytest.mark.parametrize(
    "values",
    [
        np.array(["1", "2"]),
        np.array([1, 2], "M8[s]"),
        np.array([1, 2], "m8[s]"),
        np.array([1, 2], "c16"),
        np.array([True, False]),
        np.array([1.0, "2"], object),
        np.array([True, None], object),
        np.array([np.timedelta64(1, "s"), None], object),
        np.array([1, 10**400], object),
    ],
)
def test_figures_that_are_no_numbers_are_refused(at, name, values):
    cube = (ONLY_TIMED if name == "measured_latency" else FIGURES).assign({name: ("batch", values)})
    with pytest.raises(
        InvalidDataError, match=rf"`{name}`: expected numbers, got .*; convert it to numbers in .*s, or "
    ):
        rc.efficiency(cube, at=at)


@pytest.mark.parametrize("name", [*FIGURES, "measured_latency"])
@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_objects_that_are_numbers_or_missing_are_numbers(name, missing):
    cube = ONLY_TIMED if name == "measured_latency" else FIGURES
    odd = cube.assign({name: ("batch", np.array([np.float32(2), missing], object))})
    plain = cube.assign({name: ("batch", [2.0, np.nan])})
    for at in ("best", "batch"):
        xr.testing.assert_identical(rc.efficiency(odd, at=at), rc.efficiency(plain, at=at))
