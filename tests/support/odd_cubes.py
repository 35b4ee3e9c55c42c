"""Random legal cubes of any types, shapes, names and attributes; saved and loaded they are what they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from hypothesis import strategies as st

import roofcube as rc

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = (".nc", ".zarr")
NUMBERS = ("f2", "f4", ">f8", "i1", "u2", ">i4", "i8", "u8", "?")
OTHERS = ("M8[ns]", ">M8[ns]", "M8[s]", "m8[us]", "U5", "S3", "O")
MEANT = (
    "units",
    "calendar",
    "scale_factor",
    "add_offset",
    "_FillValue",
    "missing_value",
    "dtype",
    "coordinates",
    "bounds",
)

words = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=8)  # neither NUL nor lone surrogates
values = st.one_of(st.none(), st.booleans(), st.integers(-(2**80), 2**80), st.floats(), st.text(max_size=8))
nested = st.recursive(
    values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
names = st.text(min_size=1, max_size=6) | st.sampled_from(MEANT)
attributes = st.dictionaries(names, nested | st.sampled_from(["hours", "days since 2000-01-01", "1/s"]), max_size=3)


@st.composite
def cubes(draw: Any) -> xr.Dataset:
    """Draw a cube: dims with and without labels, variables in every layout, in memory and in chunks."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    sizes = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    dims = [f"d{k}" for k in range(len(sizes))]
    variables = {}
    for number, dtype in enumerate(draw(st.lists(st.sampled_from(NUMBERS + OTHERS), min_size=1, max_size=4))):
        own = [dim for dim in dims if rng.random() < 0.7]
        shape = tuple(sizes[dims.index(dim)] for dim in own)
        array = laid_out(rng, array_of(rng, shape, dtype, draw(st.lists(words, min_size=1, max_size=4))))
        name = own[0] if len(own) == 1 and dtype != "f2" and rng.random() < 0.3 else f"v{number}"
        variables[name] = xr.Variable(own, array, draw(attributes))
    cube = xr.Dataset(variables, attrs=draw(attributes)).set_coords([n for n in variables if rng.random() < 0.3])
    return cube.chunk() if rng.random() < 0.2 and all(sizes) else cube


def array_of(rng: np.random.Generator, shape: tuple[int, ...], dtype: str, words: list[str]) -> np.ndarray[Any, Any]:
    kind = np.dtype(dtype).kind
    if kind in "UO":
        return np.asarray(rng.choice(words, shape), dtype=dtype)
    if kind == "S":
        return np.asarray(rng.choice([b"", b"a\xe9", b"bcd"], shape), dtype=dtype)
    array = rng.integers(0, 100, size=shape).astype("i8").astype(dtype)
    if kind == "f":
        array = np.where(rng.random(shape) < 0.2, rng.choice([np.nan, np.inf, -0.0], shape), array).astype(dtype)
    if kind in "iu":
        array = np.where(rng.random(shape) < 0.2, np.iinfo(dtype).max, array).astype(dtype)
    if kind in "mM":
        array = np.where(rng.random(shape) < 0.2, np.array("NaT", dtype), array).astype(dtype)
    return array


def laid_out(rng: np.random.Generator, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Lay values out in memory in another way."""
    way = rng.choice(["C", "Fortran", "reversed", "strided"])
    if way == "Fortran":
        return np.asfortranarray(array) if array.ndim else array
    if way == "reversed" and array.ndim:
        return array[::-1].copy()[::-1]
    return np.repeat(array, 2, axis=0)[::2] if way == "strided" and array.ndim else array


def assert_comes_back(cube: xr.Dataset, path: Path) -> None:
    """Save and load a cube, and compare values to the last bit, types, attributes with theirs, and what is a coordinate."""
    rc.save(cube, path)
    found = rc.load(path)
    assert set(found.variables) == set(cube.variables)
    assert set(found.coords) == set(cube.coords)
    for one, other in ((found, cube), *((found[name], cube[name]) for name in cube.variables)):
        assert repr(one.attrs) == repr(other.attrs)
    for name, variable in cube.variables.items():
        assert found[name].dims == variable.dims
        assert found[name].dtype == variable.dtype, (name, found[name].dtype, variable.dtype)
        np.testing.assert_array_equal(found[name].values, variable.values)
        if variable.dtype.kind == "f":
            np.testing.assert_array_equal(np.signbit(found[name].values), np.signbit(variable.values))
    assert rc.verify(path)
