"""Saving and loading a cube against plain xarray, which writes no checksums and does not wait for the disk."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import xarray as xr

import roofcube as rc

PACKED = {"zlib": True, "complevel": 1, "shuffle": True}  # as `save` packs numbers in NetCDF; in Zarr xarray does too


def xarray_saves(cube: xr.Dataset, path, encoding=None) -> None:
    if path.suffix == ".nc":
        cube.to_netcdf(path, encoding=dict.fromkeys(cube.data_vars, encoding or {}))
    else:
        cube.to_zarr(path, mode="w", zarr_format=3)


def xarray_loads(path) -> xr.Dataset:
    with xr.open_dataset(path, engine="netcdf4" if path.suffix == ".nc" else "zarr") as lazy:
        return lazy.load()


@pytest.fixture(scope="module")
def cube(full):
    """10⁸ values in single precision, or 10⁵."""
    shape = (1000, 1000, 100) if full else (100, 100, 10)
    values = np.random.default_rng(0).lognormal(size=shape).astype("f4")
    return xr.Dataset({"predicted_throughput": (("peak", "bandwidth", "batch"), values, {"units": "1/s"})})


@pytest.mark.parametrize(
    ("suffix", "peer", "encoding"),
    [(".nc", "xarray, unpacked", None), (".nc", "xarray, packed alike", PACKED), (".zarr", "xarray", None)],
)
@pytest.mark.filterwarnings("ignore")
def test_files(cube, suffix, peer, encoding, race, tmp_path):
    ours, plain = tmp_path / f"ours{suffix}", tmp_path / f"plain{suffix}"
    points = f"{cube['predicted_throughput'].size:.0e} f4, {suffix}"
    race(f"save {points}", partial(rc.save, cube, ours), peer, partial(xarray_saves, cube, plain, encoding))
    race(f"load {points}", partial(rc.load, ours), peer, partial(xarray_loads, plain), rounds=15)
    assert rc.load(ours).identical(cube)
    assert rc.verify(ours)
