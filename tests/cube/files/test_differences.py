from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import InvalidDataError, MemoryLimitError


@pytest.fixture(scope="module")
def cube():
    return rc.predict(rc.inputs("mnist"))


def test_diff_says_what_where_and_how_much(cube):
    changed = cube.copy(deep=True)
    changed["ops"].loc[{"pruning": 50}] *= 1.1
    changed["params"].attrs["units"] = "kB"
    changed["params"].attrs["source"] = "me"
    changed["cores"] = changed.cores.astype("f4")
    changed = changed.drop_vars("top5").isel(batch=slice(0, 3))
    rows = {(row["variable"], row["kind"]): row for row in rc.diff(cube, changed).iter_rows(named=True)}
    values = rows["ops", "values"]
    assert values["cells"] == 1
    assert values["largest"] == pytest.approx(1 - 1 / 1.1)
    assert values["ratio"] == pytest.approx(1.1)
    assert values["new"] == pytest.approx(1.1 * values["old"])
    assert values["labels"] == "topology MLP, pruning 50.0"
    assert set(rows) == {
        ("ops", "values"),
        ("params", "units"),
        ("params", "attrs"),
        ("cores", "dtype"),
        ("top5", "missing"),
        ("batch", "removed"),
    }


@pytest.mark.parametrize("dim", ["platform", "pruning", "batch"])
def test_order_of_labels_and_dims_is_no_difference(cube, dim):
    turned = cube.isel({dim: slice(None, None, -1)}).transpose(*reversed(list(cube.sizes)))
    assert rc.diff(cube, turned).height == 0


def test_labels_are_told_once_and_the_others_compared():
    one = xr.Dataset({"x": ("p", [1.0, 2.0, 3.0]), "y": ("p", [1, 2, 3])}, coords={"p": ["a", "b", "c"]})
    other = xr.Dataset({"x": ("p", [9.0, 3.0, 1.0]), "y": ("p", [9, 3, 1])}, coords={"p": ["d", "c", "a"]})
    assert rc.diff(one, other).select("variable", "kind", "detail").rows() == [
        ("p", "removed", "p b"),
        ("p", "added", "p d"),
    ]


def test_cells_come_worst_first_and_unlabelled_dims_by_index():
    one = xr.Dataset({"x": ("i", [1.0, 2.0, np.nan, 4.0]), "name": ("i", ["a", "b", "c", "d"])})
    other = xr.Dataset({"x": ("i", [1.1, 8.0, 1.0, 4.0]), "name": ("i", ["a", "b", "c", "e"])})
    found = rc.diff(one, other)
    assert found.select("variable", "labels").rows() == [("x", "i 2"), ("name", "i 3"), ("x", "i 1"), ("x", "i 0")]
    assert found["ratio"].to_list() == [None, None, 4.0, pytest.approx(1.1)]
    assert found["detail"][1] == "i 3: 'd' and 'e'"


def test_equal_labels_are_told_apart_by_their_number():
    one = xr.Dataset({"x": ("p", [1.0, 2.0])}, coords={"p": ["a", "a"]})
    found = rc.diff(one, one.assign(x=("p", [1.0, 3.0])))
    assert found.select("labels", "old", "new").rows() == [("p a", 2.0, 3.0)]


def test_scalars_and_other_dims():
    one = xr.Dataset({"x": 1.0, "y": ("p", [1.0])})
    found = rc.diff(one, xr.Dataset({"x": 2.0, "y": ("q", [1.0])}))
    assert found.select("variable", "kind", "detail").rows() == [("y", "dims", "(p) and (q)"), ("x", "values", "")]


@pytest.mark.parametrize("sides", [("cube", 5), (None, "cube")])
def test_what_is_no_cube_is_told(cube, sides):
    with pytest.raises(InvalidDataError, match=r"`[ab]`: expected a Dataset, got .*; give a cube, or the name of its"):
        rc.diff(*(cube if one == "cube" else one for one in sides))


def test_more_differences_than_the_memory_holds_are_refused_before_they_are_listed():
    cube = xr.Dataset({"x": (("p", "i"), np.zeros((4, 1000)))}, coords={"i": np.arange(1000)})
    with rc.set_options(memory="1 MB"), pytest.raises(MemoryLimitError, match="cells that differ, and more"):
        rc.diff(cube, cube + 1)
    with rc.set_options(memory="100 kB"):
        assert rc.diff(cube, cube.copy()).is_empty()
        assert rc.diff(cube, cube.where(cube.i != 999, 1.0))["labels"].to_list() == [f"p {k}, i 999" for k in range(4)]
        with pytest.raises(MemoryLimitError, match="got 1,999 labels of i"):
            rc.diff(cube, cube.isel(i=slice(1, None)))


def test_two_files_that_do_not_fit_together_are_refused(tmp_path):
    path = rc.save(xr.Dataset({"x": ("i", np.arange(100_000.0))}), tmp_path / "cube.nc")
    with (
        rc.set_options(memory="2 MB"),
        pytest.raises(MemoryLimitError, match=r"that fit into 2 MB together, got 0\.8 MB before"),
    ):
        rc.diff(path, path)
    with rc.set_options(memory="100 kB"), pytest.raises(MemoryLimitError, match=r"expected chunks within 0\.\d+ MB"):
        rc.diff(path, path)


def hours(number, unit):
    times = np.arange("2026-01-01T00", f"2026-01-01T{number:02d}", dtype="M8[h]").astype(f"M8[{unit}]")
    return xr.Dataset({"x": ("time", np.arange(float(number))), "at": ("time", times)}, coords={"time": times})


def test_times_are_told_as_such_and_are_the_same_in_any_unit():
    assert rc.diff(hours(3, "ns"), hours(2, "ns"))["detail"].to_list() == ["time 2026-01-01T02:00"]
    found = rc.diff(hours(3, "ns"), hours(2, "s"))
    assert found.filter(found["kind"] != "dtype").select("kind", "detail").rows() == [
        ("removed", "time 2026-01-01T02:00")
    ]
    assert (
        "'2026-01-01T01:00' and 'NaT'"
        in rc.diff(
            hours(2, "ns"),
            hours(2, "ns").assign(at=("time", [np.datetime64("2026-01-01", "ns"), np.datetime64("NaT", "ns")])),
        )["detail"][0]
    )


def test_what_only_the_cubes_themselves_say_is_told():
    one = xr.Dataset({"x": 1.0, "y": 2.0}, attrs={"title": "a", "factor": np.nan, "parts": [1.0, np.nan]})
    assert rc.diff(one, one.assign_attrs(parts=[1.0, float("nan")])).is_empty()
    other = one.assign_attrs(title="b").set_coords("y")
    assert rc.diff(one, other).select("variable", "kind", "detail").rows() == [
        ("", "attrs", "title: a and b"),
        ("y", "coords", "a coordinate only in the second"),
    ]


def test_names_that_are_no_text_are_compared():
    one = xr.Dataset({3: (("p", 5), [[1.0, 2.0]]), 4: 1})
    found = rc.diff(one, one.assign({3: one[3] * 2}).drop_vars(4))
    assert found.select("variable", "kind", "labels").rows() == [
        ("4", "missing", None),
        ("3", "values", "p 0, 5 0"),
        ("3", "values", "p 0, 5 1"),
    ]


def test_a_dim_that_one_cube_labels_is_compared_by_index():
    one = xr.Dataset({"v": ("batch", [90.0, 190.0])})
    other = xr.Dataset({"v": ("batch", [90.0, 190.0])}, {"batch": [1, 2]})
    assert rc.diff(one, other).select("variable", "kind").rows() == [("batch", "missing")]


PANDAS = {
    "whole": pd.array([1, None], "Int64"),
    "truth": pd.array([True, None], "boolean"),
    "text": pd.array(["u", None], "string"),
    "category": pd.Categorical(["u", None]),
}


@pytest.mark.parametrize("kind", PANDAS)
def test_arrays_of_pandas_are_compared_with_what_they_lack(kind):
    cube = xr.Dataset({"x": ("p", PANDAS[kind])}, {"p": pd.Index(["a", "b"], dtype="string")})
    assert not rc.diff(cube, cube).height
    (row,) = rc.diff(cube, cube.isel(p=[1, 1]).assign_coords(p=["a", "b"])).filter(kind="values").iter_rows(named=True)
    assert row["labels"] == "p a"
    assert (row["old"], row["detail"]) == ((None, "p a: 'u' and None") if kind in ("text", "category") else (1, "p a"))
