from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import InvalidDataError


def test_arrays_become_dims_and_scalars_stay():
    hardware = rc.hypothetical(
        peak_compute=[1e12, 2e12],
        memory_bandwidth=[1e10],
        memory_capacity=[1e9, 2e9],
        on_chip_memory=[0, 1e6],
        power=[1.0, 2.0],
    )
    dims = {name: array.dims for name, array in hardware.data_vars.items()}
    assert dims == {
        "peak_compute": ("peak",),
        "memory_bandwidth": ("bandwidth",),
        "memory_capacity": ("capacity",),
        "on_chip_memory": ("on_chip",),
        "power": ("watts",),
    }
    assert hardware["platform"].values.tolist() == ["hypothetical"]
    assert rc.hypothetical(peak_compute=1e12, memory_bandwidth=1e9)["peak_compute"].ndim == 0


def test_peak_scales_with_bits():
    hardware = rc.hypothetical(peak_compute=[1e12], memory_bandwidth=1e9, peak_scaling="bits")
    peaks = hardware["peak_compute"].isel(peak=0).to_series()
    assert peaks["INT2"] == 4e12
    assert peaks["INT8"] == 1e12
    assert peaks["FP32"] == 0.25e12


def test_a_dataarray_keeps_its_dims():
    own = xr.DataArray(np.full((2, 3), 1e12), dims=("chip", "clock"))
    assert rc.hypothetical(peak_compute=own, memory_bandwidth=1e9)["peak_compute"].dims == ("chip", "clock")


def test_predicts():
    cube = rc.predict(
        rc.inputs("cifar10", platforms=rc.hypothetical(peak_compute=[1e12], memory_bandwidth=[1e9, 1e10]))
    )
    assert "bandwidth" in cube["predicted_throughput"].dims


@pytest.mark.parametrize("bad", [np.ones((2, 2)), ["fast"]])
def test_unnamed_dims_and_text_are_refused(bad):
    with pytest.raises(InvalidDataError, match="expected a number"):
        rc.hypothetical(peak_compute=bad, memory_bandwidth=1e9)


def test_unknown_scaling_is_refused():
    with pytest.raises(InvalidDataError, match="peak_scaling"):
        rc.hypothetical(peak_compute=1e12, memory_bandwidth=1e9, peak_scaling="byte")
