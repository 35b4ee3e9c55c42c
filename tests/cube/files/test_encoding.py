"""Every legal cube comes back as it was, types and attributes too, or is refused with the reason before it is written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import netCDF4
import numpy as np
import odd_cubes
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odd_cubes import SUFFIXES

import roofcube as rc
from roofcube.errors import CorruptFileError, InvalidDataError, MemoryLimitError
from roofcube.files import encoding
from roofcube.files.attributes import ORIGINAL

SAVED_BEFORE = Path(__file__).with_name("saved_before")


def along(values, attributes=None):
    return xr.Dataset({"t": ("batch", values, attributes or {})})


ODD = {
    "hours": along([1.0, 2.0], {"units": "hours"}),
    "seconds": along([1.0, 2.0], {"units": "seconds"}),
    "moments": along([1.0, 2.0], {"units": "days since 2000-01-01", "calendar": "noleap"}),
    "scaled": along([1.0, 2.0], {"scale_factor": 10.0, "add_offset": 3}),
    "filled": along([1.0, 2.0], {"_FillValue": 2.0, "missing_value": 2.0}),
    "typed": along([1.0, 2.0], {"dtype": "int32", "coordinates": "x", "bounds": "y"}),
    "ends of i8": along(np.array([2**63 - 1, -(2**63)])),
    "u8": along(np.array([2**64 - 1], dtype="u8")),
    "flags": along([True, False]),
    "half": along(np.array([1, 2, np.nan, 65504], "f2")),
    "times": along(np.array(["2020-01-01T00:00:00.123456789", "NaT"], "M8[ns]")),
    "days": along(np.array(["2020-01-01", "NaT"], "M8[s]")),
    "spans": along(np.array([1, -5], "m8[ms]")),
    "times with units of their own": along(np.array(["2020-01-01"], "M8[ns]"), {"units": "UTC", "calendar": "ours"}),
    "spans with units of their own": along(np.array([1, -5], "m8[ms]"), {"units": None, "long_name": "taken"}),
    "empty text": along(np.array(["", ""])),
    "wide text": along(np.array(["a", "b"], dtype="U40")),
    "letters": along(np.array([b"a\xe9", b"bcd"])),
    "objects": along(np.array(["a", "longer"], object)),
    "one text": xr.Dataset({"t": "x"}),
    "nothing": along(np.array([], dtype="U3")),
    "big endian": along(np.array([1, 2], ">f4")),
    "big endian times": along(np.array([1, 2], ">M8[ns]")),
    "zeros": along(np.array([-0.0, np.nan, np.inf])),
    "scalar": xr.Dataset({"t": np.float32(3)}, coords={"u": 1.5, "v": "text"}),
    "lists": xr.Dataset(attrs={"a": ["x", "y"], "b": [], "c": ["x"], "d": (1, 2.5), "e": [1, "a", None]}),
    "kinds": xr.Dataset(
        attrs={
            "a": np.int64(3),
            "b": float("nan"),
            "c": True,
            "d": None,
            "e": {"x": {"y": 1}},
            "f": 2**70,
            "g": "",
            "h": np.float32(0.1),
            "i": np.float16(0.1),
            "j": np.timedelta64(1, "s"),
            "k": [np.float16(1), np.timedelta64(2, "D")],
        }
    ),
    "arrays": xr.Dataset(
        attrs={"a": np.array([1], "i1"), "b": np.eye(2, dtype="f4"), "c": np.array(["x", "yy"]), "d": np.ones(2, "f2")}
    ),
    "named oddly": xr.Dataset(attrs={"two words": 1, "a/b": "c", "é": "ü", "_x": "y", "text": "a\0b\ud800"}),
    "no index": xr.Dataset(
        {"t": ("batch", [1.0])}, coords={"other": ("batch", ["b"]), "batch": [np.datetime64("2020-01-01", "ns")]}
    ),
    "units of ours": along([1.0], {"units": "op/B"}),
    "conventions": xr.Dataset(attrs={"Conventions": "COARDS", "history": "made by hand"}),
}


def same(found, expected):
    xr.testing.assert_identical(found, expected)
    assert list(found.data_vars) == list(expected.data_vars)
    assert list(found.coords) == list(expected.coords)
    for name in expected.variables:
        assert found[name].dtype == expected[name].dtype, name
        assert found[name].values.tobytes() == expected[name].values.tobytes() or expected[name].dtype == "O"
    for one, other in ((found, expected), *((found[name], expected[name]) for name in expected.variables)):
        assert [type(value) for value in one.attrs.values()] == [type(value) for value in other.attrs.values()]
        assert list(one.attrs) == list(other.attrs)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kind", ODD)
def test_odd_cubes_come_back_as_they_were(kind, suffix, tmp_path):
    path = rc.save(ODD[kind], tmp_path / f"odd{suffix}")
    same(rc.load(path), ODD[kind])
    assert rc.verify(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_lazy_cubes_come_back_as_they_were(suffix, tmp_path):
    for kind, cube in ODD.items():
        if cube.sizes:
            path = rc.save(cube, tmp_path / f"{kind.replace(' ', '_')}{suffix}")
            same(rc.load(path, chunks={}).compute(), cube)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("how", [{}, {"chunks": {}}, {"untrusted": True}], ids=str)
def test_variables_come_back_in_their_order_which_decides_ties(suffix, how, tmp_path):
    for number in range(4):  # a folder lists them as it likes, by their names
        cube = xr.Dataset(
            {
                f"fps{number}": (("threads", "clock"), [[1.0, 5.0], [5.0, 0.0]]),
                **{f"a{other}": (("clock", "threads"), [[1.0, 2.0], [3.0, 4.0]]) for other in range(number + 1)},
            },
            coords={"threads": [1, 2], "clock": [100, 200], "board": ("clock", ["x", "y"])},
        )
        loaded = rc.load(rc.save(cube, tmp_path / f"{number}{suffix}"), **how)
        same(loaded.compute(), cube)
        found, expected = (rc.best(one, f"fps{number}", sense="max") for one in (loaded, cube))
        assert found.identical(expected)
        assert (found.threads.item(), found.clock.item()) == (1, 200)


@pytest.mark.filterwarnings("ignore")
def test_a_store_without_an_order_is_read_in_that_of_names(tmp_path):
    names = [f"v{number}" for number in (3, 1, 4, 0, 2)]
    cube = xr.Dataset({name: ("x", [1.0]) for name in names})
    cube.to_zarr(tmp_path / "foreign.zarr", zarr_format=3)
    path = rc.save(cube, tmp_path / "before.zarr")
    description = path / "zarr.json"
    kept = json.loads(description.read_text("utf-8"))
    original = json.loads(kept["attributes"][ORIGINAL])
    assert original.pop("order") == names
    kept["attributes"][ORIGINAL] = json.dumps(original)
    description.write_text(json.dumps(kept), "utf-8")
    assert rc.verify(path)
    for store in (path, tmp_path / "foreign.zarr"):
        assert list(rc.load(store)) == list(rc.load(store, chunks={})) == sorted(names)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_attributes_that_would_not_come_back_are_refused_before_the_old_file_is_gone(suffix, tmp_path, monkeypatch):
    path = rc.save(along([1.0]), tmp_path / f"odd{suffix}")
    monkeypatch.setattr(encoding, "native_attributes", lambda _, **__: {"units": "another"})
    with pytest.raises(InvalidDataError, match="`cube`: its attributes would not come back"):
        rc.save(along([1.0], {"units": "s"}), path)
    same(rc.load(path), along([1.0]))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cube=odd_cubes.cubes(), suffix=st.sampled_from(SUFFIXES))
def test_any_cube_comes_back_as_it_was(cube, suffix, tmp_path):
    odd_cubes.assert_comes_back(cube, tmp_path / f"any{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("cube", "message"),
    [
        (
            xr.Dataset(coords={"y": pd.CategoricalIndex(["a", "b"])}),
            "`y`: expected numbers, text, flags or times, got category; convert it with astype",
        ),
        (along([1.0], {"a": b"x"}), "got bytes; convert it with str"),
        (along(np.array([1j])), "`t`: expected whole numbers, floats of up to 64 bits"),
        (along(np.array([1], np.longdouble)), "got float128|got longdouble"),
        (along(np.array(["a", 1, None], object)), "`t`: expected text throughout, got 1 at place 1"),
        (along(np.array(["a", None], object)), "got (None|nan) at place 1; fill it with ''"),
        (along(np.array(["a\0b", "c"])), "without NUL and lone surrogates"),
        (xr.Dataset(coords={"batch": np.array(["a\ud800"])}), "without NUL and lone surrogates"),
        (xr.Dataset({"a/b": 1}), "`a/b`: expected a name in text, without '/'"),
        (xr.Dataset({1: ("x", [1])}), "`1`: expected a name in text"),
        (xr.Dataset({" a": 1}), "without spaces at its ends"),
        (xr.Dataset({"..": 1}), r"`\.\.`: expected a name"),
        (
            along([1.0], {"made": pd.Timestamp("2024-01-01")}),
            "attributes of 't': `made`: expected text, a number.*got Timestamp",
        ),
        (xr.Dataset(attrs={"a": Path("x")}), "attributes of the cube: `a`: .*convert it with str"),
        (xr.Dataset(attrs={3: "x"}), "expected names in text, got 3"),
        (along(np.array([1], np.complex64)), "got complex64"),
        (
            xr.Dataset(
                coords=xr.Coordinates.from_pandas_multiindex(
                    pd.MultiIndex.from_product([[1, 2], ["a"]], names=["p", "q"]), "cfg"
                )
            ),
            "got one of several .PandasMultiIndex., which no file holds; use reset_index first",
        ),
    ],
)
def test_what_no_file_holds_is_refused_before_anything_is_written(cube, message, suffix, tmp_path):
    with pytest.raises(InvalidDataError, match=message):
        rc.save(cube, tmp_path / f"odd{suffix}")
    assert not list(tmp_path.iterdir())


def test_others_read_netcdf_by_the_conventions(tmp_path):
    cube = rc.benchmark("mnist")
    path = rc.save(cube, tmp_path / "cube.nc")
    with netCDF4.Dataset(path) as file:
        assert file.Conventions.startswith("CF-")
        assert file["memory_bandwidth"].units == "byte/s"
        assert file["ops"].units == "count"
        assert not [name for name in cube.coords if "_FillValue" in file[name].ncattrs()]
        assert file["infeasible"].flag_values.dtype == file["infeasible"].dtype
    with xr.open_dataset(path) as plain:
        assert plain["platform"].values.tolist() == cube["platform"].values.tolist()
        np.testing.assert_array_equal(plain["predicted_throughput"], cube["predicted_throughput"])
        assert set(plain.coords) == set(cube.coords)
    assert rc.load(path)["memory_bandwidth"].attrs["units"] == "B/s"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_plain_xarray_opens_without_a_warning(suffix, tmp_path):
    cube = rc.benchmark("mnist").assign(seen=("batch", np.arange(10) > 3))
    path = rc.save(cube, tmp_path / f"cube{suffix}")
    code = f"import warnings; warnings.simplefilter('error'); import xarray as xr; d = xr.open_dataset({str(path)!r}).load(); print(d.seen.dtype)"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "bool", done.stderr


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_saving_warns_of_nothing(suffix, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rc.save(rc.benchmark("mnist"), tmp_path / f"cube{suffix}")


def test_attributes_that_were_altered_are_refused(tmp_path):
    path = rc.save(rc.benchmark("mnist"), tmp_path / "cube.nc")
    with netCDF4.Dataset(path, "a") as file:
        file["power"].units = "kW"
    with pytest.raises(CorruptFileError, match="its attributes are not as they were saved"):
        rc.load(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_values_that_rotted_are_refused_on_load(suffix, tmp_path):
    rng = np.random.default_rng(0)
    path = rc.save(xr.Dataset({"x": ("a", rng.random(20_000))}), tmp_path / f"cube{suffix}")
    file = (
        path
        if suffix == ".nc"
        else max((one for one in path.rglob("*") if one.is_file()), key=lambda one: one.stat().st_size)
    )
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(CorruptFileError, match="not readable as a cube"):
        rc.load(path)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"dtype": "<U500000000"}, MemoryLimitError),
        ({"dtype": "<U1"}, CorruptFileError),
        ({"dtype": "<f8"}, CorruptFileError),
        ({"dtype": "|O"}, CorruptFileError),
        ({"dtype": "nonsense"}, CorruptFileError),
        ({"attrs": 3}, CorruptFileError),
        ({"attrs": [["a", {"array": ["<f8", [10**12], ""]}]]}, CorruptFileError),
        ({"attrs": [["a", {"what": 1}]]}, CorruptFileError),
    ],
)
def test_a_file_that_lies_about_what_it_held_is_refused(change, error, tmp_path):
    path = rc.save(xr.Dataset({"x": ("a", ["text", "more"])}), tmp_path / "cube.nc")
    with netCDF4.Dataset(path, "a") as file:
        original = json.loads(file["x"].getncattr(ORIGINAL))
        file["x"].setncattr(ORIGINAL, json.dumps({**original, **change}))
    with rc.set_options(memory="1 GB"), pytest.raises(error):
        rc.load(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_files_of_the_version_before_load(suffix, tmp_path):
    path = tmp_path / f"cube{suffix}"
    before = SAVED_BEFORE / f"version_1{suffix}"
    shutil.copytree(before, path) if before.is_dir() else shutil.copy(before, path)
    cube = rc.load(path)
    assert rc.verify(path)
    expected = rc.benchmark("mnist").sel(platform=cube.platform.values, batch=cube.batch.values)
    np.testing.assert_array_equal(cube.measured_throughput, expected.measured_throughput)
    np.testing.assert_array_equal(cube.infeasible, expected.infeasible)
    same(
        rc.load(rc.save(cube, tmp_path / f"again{suffix}")),
        cube.drop_attrs(deep=False).assign_attrs(
            {key: value for key, value in cube.attrs.items() if not key.startswith("roofcube_")}
        ),
    )


def test_a_file_is_opened_beside_another_handle_to_it(tmp_path):
    path = rc.save(rc.benchmark("mnist"), tmp_path / "cube.nc")
    code = (
        "import sys, xarray as xr, roofcube as rc\n"
        "path = sys.argv[1]\n"
        "with xr.open_dataset(path) as held:\n"
        "    held.load()\n"
        "    for _ in range(3):\n"
        "        rc.load(path), rc.verify(path)\n"
        "print('read')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "read", (done.returncode, done.stderr[-500:])


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize("name", ["n" * 256, "\u00fc" * 128, "e\u0301"])
def test_names_that_files_do_not_keep_are_refused(name, suffix, tmp_path):
    for cube in (xr.Dataset({name: ("a", [1.0])}), xr.Dataset({"x": (name, [1.0])})):
        with pytest.raises(InvalidDataError, match="expected a name of at most 255 bytes, its letters composed"):
            rc.save(cube, tmp_path / f"cube{suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_the_longest_names_and_any_byte_of_a_flag_come_back(suffix, tmp_path):
    flags = np.array([0, 1, 2, 255], "u1").view("?")
    cube = xr.Dataset({"n" * 255: ("d" * 255, flags, {"a" * 300: 1})})
    loaded = rc.load(rc.save(cube, tmp_path / f"cube{suffix}"))
    assert loaded["n" * 255].values.tolist() == [False, True, True, True]
    assert loaded["n" * 255].attrs == {"a" * 300: 1}


def test_what_netcdf_has_no_form_for_is_told(tmp_path):
    for cube in (xr.Dataset({"-": 1.0}), xr.Dataset({".x": 2.0})):
        with pytest.raises(InvalidDataError, match=r"`cube`: NetCDF does not hold it .*rename or leave out"):
            rc.save(cube, tmp_path / "cube.nc")
    assert list(tmp_path.iterdir()) == []


def test_attributes_that_a_zarr_store_is_not_read_with_are_not_saved(tmp_path):
    cube = xr.Dataset({"x": 1.0, "y": 2.0})
    cube.x.attrs["note"] = cube.y.attrs["note"] = "a" * 9_000_000
    with pytest.raises(InvalidDataError, match="`cube`: expected attributes that take at most 16,777,216 bytes"):
        rc.save(cube, tmp_path / "cube.zarr")
    assert list(tmp_path.iterdir()) == []
