"""How a cube is laid down in a file: as CF asks, so that others read it, and with what brings it back unchanged.

Types and attributes that NetCDF, Zarr or xarray's own decoding would change are written twice: as others expect them,
and in the attribute `roofcube_original` of each variable and of the file, from which `decoding` restores them.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError
from roofcube.files.attributes import ORIGINAL, dumped, is_unicode, kept_attributes, native_attributes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["NO_TIME", "check_storable", "encoded", "encoded_attributes", "meaning_of_times", "of_another_calendar"]

Array = np.ndarray[Any, np.dtype[Any]]
CONVENTIONS = "CF-1.11"
NAME = re.compile(r"[^\s/\x00-\x1f\x7f]([^/\x00-\x1f\x7f]*[^\s/\x00-\x1f\x7f])?")
LONGEST = 255  # bytes of a name, of NetCDF's and of files
TIME_UNITS = {"D": "days", "h": "hours", "m": "minutes", "s": "seconds"} | {
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
}
NO_TIME = np.iinfo("i8").min


def encoded(cube: xr.Dataset, *, half: bool = False, order: Iterable[Any] | None = None) -> xr.Dataset:
    """Return a cube as it is written.

    Parameters
    ----------
    cube : Dataset
    half : bool
        Whether the format has float16.
    order : iterable of str, optional
        Names of variables in the order in which they come back, where the file will have more than the cube.

    Raises
    ------
    InvalidDataError
        If a name, type, value or attribute cannot be stored so that it comes back.

    Examples
    --------
    >>> import xarray as xr
    >>> cube = xr.Dataset({"speed": ("batch", [True, False], {"units": "B/s", "checked": None})})
    >>> written = encoded(cube)
    >>> written.speed.attrs["units"], written.attrs["Conventions"]
    ('byte/s', 'CF-1.11')
    >>> from roofcube.files.decoding import decoded
    >>> decoded(written).identical(cube)
    True
    """
    check_storable({*cube.variables, *cube.dims})
    _check_indexes(cube)
    variables = {str(name): _encoded(str(name), cube.variables[name], half=half) for name in cube.variables}
    attributes = {"Conventions": CONVENTIONS, "history": "written by roofcube", **native_attributes(cube.attrs)}
    attributes[ORIGINAL] = dumped(
        {
            "attrs": kept_attributes("attributes of the cube", cube.attrs),
            "coords": sorted(map(str, cube.coords)),
            # a Zarr store keeps none of its own, and it decides ties
            "order": list(map(str, cube.variables if order is None else order)),
        }
    )
    data = {name: variable for name, variable in variables.items() if name not in cube.coords}
    coords = {name: variable for name, variable in variables.items() if name in cube.coords}
    written = xr.Dataset(data, attrs=attributes)
    # labels that were text, times or flags are no index of the file's own
    return written.assign_coords(xr.Coordinates(coords, indexes={}))


def encoded_attributes(name: str, dtype: np.dtype[Any], attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the attributes of a variable as they are written, with what brings back its type and them."""
    times = dtype.kind in "mM"
    original = {
        "dtype": "text" if dtype.kind in "OT" else dtype.str,
        "attrs": kept_attributes(f"attributes of {name!r}", attributes, times=times),
    }
    return {**native_attributes(attributes, times=times), ORIGINAL: dumped(original)}


def _encoded(name: str, variable: xr.Variable, *, half: bool) -> xr.Variable:
    if not isinstance(variable.dtype, np.dtype):
        msg = f"`{name}`: expected numbers, text, flags or times, got {variable.dtype}; convert it with astype"
        raise InvalidDataError(msg)
    values, meaning = _stored_values(name, variable.values, half=half)
    attributes = {**encoded_attributes(name, variable.dtype, variable.attrs), **meaning}
    fill = {} if variable.dtype.kind == "f" and variable.dims != (name,) else {"_FillValue": None}
    return xr.Variable(variable.dims, values, attributes, encoding=fill, fastpath=True)


def _stored_values(name: str, values: Array, *, half: bool) -> tuple[Array, dict[str, Any]]:
    """Return values in a type that every format has, and the attributes that tell others what they are."""
    kind, size = values.dtype.kind, values.dtype.itemsize
    if kind in "US" or kind == "O" or kind == "T":
        return _text(name, values), {}
    if kind == "b":
        return values.view("i1"), {"dtype": "bool"}
    if kind in "mM":
        return _moments(name, values)
    if kind == "f" and size == 2 and not half:
        return values.astype("f4"), {}
    if kind in "iuf" and size <= 8:
        return values.astype(values.dtype.newbyteorder("="), copy=False), {}
    msg = (
        f"`{name}`: expected whole numbers, floats of up to 64 bits, flags, times or text, got {values.dtype}; convert "
        "it, or split it into several variables"
    )
    raise InvalidDataError(msg)


def _text(name: str, values: Array) -> Array:
    """Return text as Python's, which formats write at its own length; bytes letter by letter."""
    stored: Array = (np.char.decode(values, "latin-1") if values.dtype.kind == "S" else values).astype("O")
    for place, one in enumerate(stored.flat):
        if not isinstance(one, str):
            msg = of_another_calendar(name, one) or (
                f"`{name}`: expected text throughout, got {one!r} at place {place}; fill it with '' or convert the "
                "variable to numbers"
            )
            raise InvalidDataError(msg)
        if "\0" in one or not is_unicode(one):
            msg = f"`{name}`: expected text without NUL and lone surrogates, got {one!r}; replace them"
            raise InvalidDataError(msg)
    return stored


def _moments(name: str, values: Array) -> tuple[Array, dict[str, Any]]:
    unit, step = np.datetime_data(values.dtype)
    if unit not in TIME_UNITS or step != 1:
        msg = f"`{name}`: expected times in {', '.join(TIME_UNITS)}, got {values.dtype}; convert it to nanoseconds"
        raise InvalidDataError(msg)
    counted = values.astype(values.dtype.newbyteorder("="), copy=False).view("i8")
    meaning: dict[str, Any] = meaning_of_times(values.dtype)
    if np.isnat(values).any():
        meaning["missing_value"] = np.int64(NO_TIME)
    return counted, meaning


def of_another_calendar(name: str, value: Any) -> str | None:
    """Return what is told of a time that NumPy does not have, as of noleap and 360_day; None of all else."""
    calendar = getattr(value, "calendar", None)
    if not isinstance(calendar, str):
        return None
    align = ', align_on="year"' if calendar == "360_day" else ""
    return (
        f"`{name}`: expected times of the standard calendar, got {value} of {calendar!r}; convert the cube with "
        f'`cube.convert_calendar("standard", dim="{name}"{align})`, or leave {name!r} out'
    )


def meaning_of_times(dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return the attributes that tell others from when, and in what, times of a type are counted."""
    unit = TIME_UNITS.get(np.datetime_data(dtype)[0], "")
    if dtype.kind == "M":
        return {"units": f"{unit} since 1970-01-01", "calendar": "proleptic_gregorian"}
    return {"units": unit}


def check_storable(names: Iterable[Any]) -> None:
    """Raise where a name of a variable or dim would not come back from a file."""
    for name in names:
        if not isinstance(name, str) or not NAME.fullmatch(name) or not is_unicode(name) or name in (".", ".."):
            msg = (
                f"`{name}`: expected a name in text, without '/' and control characters, and without spaces at its "
                "ends; rename it"
            )
            raise InvalidDataError(msg)
        if len(name.encode()) > LONGEST or not unicodedata.is_normalized("NFC", name):
            msg = (
                f"`{name:.60}`: expected a name of at most {LONGEST} bytes, its letters composed (NFC), as files keep "
                "it; rename it"
            )
            raise InvalidDataError(msg)


def _check_indexes(cube: xr.Dataset) -> None:
    for name, index in cube.xindexes.items():
        if len(cube.xindexes.get_all_coords(name)) > 1:
            msg = (
                f"`{name}`: expected an index of one coordinate, got one of several ({type(index).__name__}), which "
                "no file holds; use reset_index first"
            )
            raise InvalidDataError(msg)
