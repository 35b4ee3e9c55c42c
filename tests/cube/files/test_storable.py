"""What a file cannot hold is refused by name, and what it holds comes back as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import InvalidDataError

CUBE = xr.Dataset({"x": ("y", [1.0, 2.0])}, coords={"y": ["a", "b"]})


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore:.*Zarr V3 spec")
def test_none_and_truth_values_come_back(tmp_path, suffix):
    if suffix == ".zarr":
        pytest.importorskip("zarr")
    attributes = {"a": None, "b b": True, "c": False, "d": "true", "e": 1, "f": np.bool_(True)}
    cube = CUBE.assign_attrs(attributes)
    cube["x"].attrs = {"none": None, "word": "null"}
    loaded = rc.load(rc.save(cube, tmp_path / f"a{suffix}"))
    assert {name: loaded.attrs[name] for name in attributes} == attributes
    assert loaded["x"].attrs == {"none": None, "word": "null"}
    again = rc.load(rc.save(loaded.drop_attrs(deep=False), tmp_path / f"b{suffix}"))
    assert again["x"].attrs == {"none": None, "word": "null"}
    assert cube.attrs == attributes


@pytest.mark.parametrize(
    ("cube", "message"),
    [
        (
            CUBE.assign_attrs(a=pd.Timestamp("2024-01-01")),
            "the cube, attribute 'a': expected text, a number, .* Timestamp",
        ),
        (CUBE.assign_attrs(a=Path("x")), "the cube, attribute 'a': expected text, .*; write it as text"),
        (CUBE.assign_attrs(a=[1, "x"]), "attribute 'a': expected text, a number, a list of one of them"),
        (CUBE.assign_attrs(a=[True]), "attribute 'a': expected text"),
        (CUBE.assign_attrs(a=2**70), "attribute 'a': expected text, a number"),
        (CUBE.assign_attrs(a=np.float16(1)), "attribute 'a': expected text, a number"),
        (CUBE.assign_attrs(a=np.timedelta64(1, "s")), "attribute 'a': expected text, a number"),
        (CUBE.assign_attrs(a=np.ones((2, 2))), "attribute 'a': expected text, a number"),
        (CUBE.assign_attrs(a="one\0two"), "attribute 'a': expected text, a number"),
        (CUBE.assign_attrs(a=b"x"), "attribute 'a': expected text, a number"),
        (CUBE.assign(z=("y", np.ones(2, "f2"))), "`z`: expected numbers, text or times, got float16"),
        (CUBE.assign_coords(y=pd.CategoricalIndex(["a", "b"])), "`y`: expected numbers, text or times, got category"),
        (CUBE.assign_attrs(a={"b": Path("x")}), "attribute 'a': expected a dict that JSON can hold"),
        (CUBE.assign_attrs({1: "x"}), "the cube: expected text as the name of an attribute, got 1"),
        (CUBE.assign(x=CUBE.x.assign_attrs(a=1j)), "`x`, attribute 'a': expected text"),
        (CUBE.assign_coords(o=("y", np.array(["a", None], dtype=object))), "`o`: expected text everywhere, got "),
        (CUBE.assign(z=("y", np.array([1j, 2]))), "`z`: expected numbers, text or times, got complex128"),
        (CUBE.assign({"a/b": CUBE.x}), "`a/b`: expected a name of letters without a slash"),
        (
            CUBE.expand_dims(k=[1]).stack(both=("k", "y")),
            "`both`: expected one label a place, got a MultiIndex; use cube",
        ),
    ],
)
def test_what_no_file_can_hold_is_named(tmp_path, cube, message):
    with pytest.raises(InvalidDataError, match=message):
        rc.save(cube, tmp_path / "a.nc")
    assert not (tmp_path / "a.nc").exists()


def test_a_swept_store_keeps_and_refuses_the_same(tmp_path):
    pytest.importorskip("zarr")
    inputs = rc.inputs("mnist", platforms="TX2", batch=[1])
    stored = rc.Sweep(inputs.assign_attrs(note=None, final=True)).to_zarr(tmp_path / "a.zarr")
    assert (stored.attrs["note"], stored.attrs["final"]) == (None, True)
    assert rc.load(tmp_path / "a.zarr").attrs["final"] is True
    with pytest.raises(InvalidDataError, match="the cube, attribute 'when': expected text"):
        rc.Sweep(inputs.assign_attrs(when=pd.Timestamp("2024-01-01"))).to_zarr(tmp_path / "b.zarr")
