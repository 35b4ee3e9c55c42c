"""How a cube is laid down in a file: as CF asks, so that others read it, and with what brings it back unchanged.

Types and attributes that NetCDF, Zarr or xarray's own decoding would change are written twice: as others expect them,
and in the attribute `roofcube_original` of each variable and of the file, from which `decoded` restores them.
"""

from __future__ import annotations

import base64
import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError
from roofcube.files.declared import check_bytes

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

__all__ = [
    "ORIGINAL",
    "decoded",
    "encoded",
    "encoded_attributes",
    "parts_to_hash",
    "safe_dtype",
    "typed",
    "untyped",
    "values_to_hash",
]

Array = np.ndarray[Any, np.dtype[Any]]
ORIGINAL = "roofcube_original"
CONVENTIONS = "CF-1.11"
# attributes that NetCDF, Zarr or xarray take for their own
RESERVED = frozenset(
    {
        "_FillValue",
        "missing_value",
        "scale_factor",
        "add_offset",
        "valid_min",
        "valid_max",
        "valid_range",
        "dtype",
        "calendar",
        "coordinates",
        "bounds",
        "grid_mapping",
        "cell_measures",
        "formula_terms",
        "ancillary_variables",
        "Conventions",
        "history",
        "CLASS",
        "NAME",
        "DIMENSION_LIST",
        "REFERENCE_LIST",
        ORIGINAL,
    }
)
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")  # names of attributes that every format takes
NAME = re.compile(r"[^\s/\x00-\x1f\x7f]([^/\x00-\x1f\x7f]*[^\s/\x00-\x1f\x7f])?")
MOMENT = re.compile(r"\bsince\b")
# to UDUNITS, which knows no operations, and where B is the bel
UDUNITS = {"op": "count", "B": "byte"}
TIME_UNITS = {"D": "days", "h": "hours", "m": "minutes", "s": "seconds"} | {
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
}
NO_TIME = np.iinfo("i8").min


# to a file ------------------------------------------------------------------------------------------------------------


def encoded(cube: xr.Dataset, *, half: bool = False) -> xr.Dataset:
    """Return a cube as it is written.

    Parameters
    ----------
    cube : Dataset
    half : bool
        Whether the format has float16.

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
    >>> decoded(written).identical(cube)
    True
    """
    _check_storable(cube)
    variables = {str(name): _encoded(str(name), cube.variables[name], half=half) for name in cube.variables}
    attributes = {"Conventions": CONVENTIONS, "history": "written by roofcube", **_native_attributes(cube.attrs)}
    attributes[ORIGINAL] = _dumped(
        {"attrs": _kept("attributes of the cube", cube.attrs), "coords": sorted(map(str, cube.coords))}
    )
    data = {name: variable for name, variable in variables.items() if name not in cube.coords}
    coords = {name: variable for name, variable in variables.items() if name in cube.coords}
    written = xr.Dataset(data, attrs=attributes)
    # labels that were text, times or flags are no index of the file's own
    return written.assign_coords(xr.Coordinates(coords, indexes={}))


def encoded_attributes(name: str, dtype: np.dtype[Any], attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the attributes of a variable as they are written, with what brings back its type and them."""
    original = {
        "dtype": "text" if dtype.kind in "OT" else dtype.str,
        "attrs": _kept(f"attributes of {name!r}", attributes),
    }
    return {**_native_attributes(attributes), ORIGINAL: _dumped(original)}


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
        return values.astype("i1"), {"dtype": "bool"}
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
    listed = values.astype("O").ravel().tolist()
    if values.dtype.kind == "S":
        listed = [one.decode("latin-1") for one in listed]
    for place, one in enumerate(listed):
        if not isinstance(one, str):
            msg = (
                f"`{name}`: expected text throughout, got {one!r} at place {place}; fill it with '' or convert the "
                "variable to numbers"
            )
            raise InvalidDataError(msg)
        if "\0" in one or not _is_unicode(one):
            msg = f"`{name}`: expected text without NUL and lone surrogates, got {one!r}; replace them"
            raise InvalidDataError(msg)
    stored = np.empty(len(listed), dtype="O")
    stored[:] = listed
    return stored.reshape(values.shape)


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _moments(name: str, values: Array) -> tuple[Array, dict[str, Any]]:
    unit, step = np.datetime_data(values.dtype)
    if unit not in TIME_UNITS or step != 1:
        msg = f"`{name}`: expected times in {', '.join(TIME_UNITS)}, got {values.dtype}; convert it to nanoseconds"
        raise InvalidDataError(msg)
    counted = values.astype(values.dtype.newbyteorder("=")).view("i8")
    meaning: dict[str, Any] = {"units": TIME_UNITS[unit]}
    if values.dtype.kind == "M":
        meaning = {"units": f"{TIME_UNITS[unit]} since 1970-01-01", "calendar": "proleptic_gregorian"}
    if np.isnat(values).any():
        meaning["missing_value"] = np.int64(NO_TIME)
    return counted, meaning


def _check_storable(cube: xr.Dataset) -> None:
    for name in {*cube.variables, *cube.dims}:
        if not isinstance(name, str) or not NAME.fullmatch(name) or not _is_unicode(name) or name in (".", ".."):
            msg = (
                f"`{name}`: expected a name in text, without '/' and control characters, and without spaces at its "
                "ends; rename it"
            )
            raise InvalidDataError(msg)
    for name, index in cube.xindexes.items():
        if len(cube.xindexes.get_all_coords(name)) > 1:
            msg = (
                f"`{name}`: expected an index of one coordinate, got one of several ({type(index).__name__}), which "
                "no file holds; use reset_index first"
            )
            raise InvalidDataError(msg)


# attributes -----------------------------------------------------------------------------------------------------------


def _native_attributes(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Return attributes as others read them: those that every format holds."""
    native = {}
    for name, value in attributes.items():
        if isinstance(name, str) and PLAIN.fullmatch(name) and name not in RESERVED:
            plain = _plain_value(name, value)
            if plain is not None:
                native[name] = plain
    return native


def _plain_value(name: str, value: Any) -> Any:
    """Return what stands for a value in a file; None where only `ORIGINAL` holds it."""
    if isinstance(value, bool | np.bool_ | dict) or value is None:
        return json.dumps(_as_bool(value), default=str)
    if isinstance(value, str):
        if "\0" in value or not _is_unicode(value) or not value or (name == "units" and MOMENT.search(value)):
            return None
        return re.sub(r"\b(op|B)\b", lambda unit: UDUNITS[unit[0]], value) if name == "units" else value
    if isinstance(value, int):
        return value if -(1 << 63) <= value < 1 << 63 else None
    if isinstance(value, float | np.floating | np.integer):
        return value if np.dtype(type(value)).itemsize <= 8 else None
    if isinstance(value, list | tuple) and value and all(isinstance(one, str) and one for one in value):
        texts = [_plain_value("", one) for one in value]
        return None if None in texts else texts
    if isinstance(value, list | tuple | np.ndarray):
        array = np.asarray(value) if not isinstance(value, list | tuple) or _are_numbers(value) else np.zeros(0)
        return array if array.ndim == 1 and array.size and array.dtype.kind in "iuf" and array.itemsize <= 8 else None
    return None


def _are_numbers(values: Any) -> bool:
    return all(isinstance(one, int | float | np.number) and not isinstance(one, bool) for one in values)


def _as_bool(value: Any) -> Any:
    return bool(value) if isinstance(value, np.bool_) else value


def _kept(where: str, attributes: Mapping[Any, Any]) -> list[list[Any]]:
    """List names and values, for plain text that the file holds as it is the name alone."""
    kept: list[list[Any]] = []
    native = _native_attributes(attributes)
    for name, value in attributes.items():
        if not isinstance(name, str):
            msg = f"{where}: expected names in text, got {name!r}; rename it"
            raise InvalidDataError(msg)
        alone = isinstance(value, str) and native.get(name) == value
        kept.append([name] if alone else [name, typed(f"{where}: `{name}`", value)])
    return kept


def typed(where: str, value: Any) -> Any:
    """Return a value as JSON from which `untyped` makes the same value of the same type.

    Raises
    ------
    InvalidDataError
        If it is of a type that no file holds.

    Examples
    --------
    >>> typed("here", (1, None))
    {'tuple': [1, None]}
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, list | tuple):
        return {type(value).__name__: [typed(where, one) for one in value]}
    if isinstance(value, dict):
        return {"dict": [[typed(where, key), typed(where, one)] for key, one in value.items()]}
    array = np.asarray(value) if isinstance(value, np.ndarray | np.generic) else None
    if array is not None and array.dtype.kind in "biufmMUS" and array.dtype != np.longdouble:
        content = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
        return {"array" if isinstance(value, np.ndarray) else "scalar": [array.dtype.str, list(array.shape), content]}
    msg = (
        f"{where}: expected text, a number, True, False, None, or arrays, lists and dicts of those, got "
        f"{type(value).__name__}; convert it with str(), or leave it out"
    )
    raise InvalidDataError(msg)


def untyped(value: Any) -> Any:
    """Return the value that `typed` wrote; of types that hold no code.

    Examples
    --------
    >>> untyped({"tuple": [1, None]})
    (1, None)
    """
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind in ("list", "tuple"):
        return (list if kind == "list" else tuple)(untyped(one) for one in content)
    if kind == "dict":
        return {untyped(key): untyped(one) for key, one in content}
    dtype, shape, text = content
    array = np.frombuffer(base64.b64decode(text), dtype=safe_dtype(dtype)).reshape(shape)
    return array.copy() if kind == "array" else array[()]


def safe_dtype(name: str) -> np.dtype[Any]:
    """Return the type of a name, of numbers, times and text only.

    Raises
    ------
    ValueError, TypeError
        If it is another, or none.
    """
    dtype = np.dtype(name)
    if dtype.kind not in "biufmMUS":
        msg = f"a type {name!r}"
        raise ValueError(msg)
    return dtype


def _dumped(original: Any) -> str:
    return json.dumps(original, ensure_ascii=True)


# from a file ----------------------------------------------------------------------------------------------------------


def decoded(written: xr.Dataset, *, values: bool = True) -> xr.Dataset:
    """Return the cube that was written, from a file opened without decoding.

    Parameters
    ----------
    written : Dataset
        Opened with ``decode_cf=False``.
    values : bool
        Whether values get their own types back, or only names and attributes.

    Raises
    ------
    ValueError, KeyError, TypeError
        If what says how to restore it is damaged.
    """
    original = json.loads(written.attrs[ORIGINAL])
    if values:
        check_bytes("the file", {str(name): _own_bytes(variable) for name, variable in written.variables.items()})
    variables = {str(name): _decoded(variable, values=values) for name, variable in written.variables.items()}
    coords = set(original["coords"])
    if not coords <= variables.keys():
        msg = f"no coordinates {', '.join(sorted(coords - variables.keys()))}"
        raise ValueError(msg)
    return xr.Dataset(
        {name: variable for name, variable in variables.items() if name not in coords},
        coords={name: variable for name, variable in variables.items() if name in coords},
        attrs=_restored(written.attrs, original["attrs"]),
    )


def _own_bytes(variable: xr.Variable) -> int:
    """Return the bytes that text takes in its own type, of which the file chooses the width; 0 for all else."""
    name = json.loads(variable.attrs[ORIGINAL])["dtype"]
    dtype = np.dtype("O") if name == "text" else safe_dtype(name)
    return int(variable.size) * dtype.itemsize if dtype.kind in "US" else 0


def _decoded(variable: xr.Variable, *, values: bool) -> xr.Variable:
    original = json.loads(variable.attrs[ORIGINAL])
    attributes = _restored(variable.attrs, original["attrs"])
    name = original["dtype"]
    known = not values or (name != "text" and safe_dtype(name) == variable.dtype)
    data = variable._data if known else _own_type(variable.data, name)  # what has its type stays unread
    return xr.Variable(variable.dims, data, attributes, fastpath=True)


def _own_type(stored: Any, name: str) -> Any:
    """Return values in the type they had; computed later where they are Dask's."""
    if name == "text":
        return stored.astype("O") if stored.size else np.zeros(stored.shape, "O")
    dtype = safe_dtype(name)
    if dtype == stored.dtype:
        return stored
    if not stored.size:  # xarray writes no text as no floats
        return np.zeros(stored.shape, dtype)
    if dtype.kind in "US" and stored.dtype.kind in "OUT":
        return _each(stored, dtype, partial(_restored_text, dtype=dtype))
    if dtype.kind in "mM" and stored.dtype == np.dtype("i8"):
        return stored.view(dtype.newbyteorder("=")).astype(dtype)
    same = dtype == stored.dtype.newbyteorder(dtype.byteorder)
    if (
        same
        or (dtype.kind, stored.dtype.str[1:]) == ("b", "i1")
        or (dtype.str[1:], stored.dtype.str[1:]) == ("f2", "f4")
    ):
        return stored.astype(dtype)
    msg = f"values of type {stored.dtype}, said to have been {dtype}"
    raise ValueError(msg)


def _restored_text(stored: Array, dtype: np.dtype[Any]) -> Array:
    text = stored.astype("O").astype("U")
    own = (np.char.encode(text, "latin-1") if dtype.kind == "S" and text.size else text).astype(dtype)
    if text.itemsize > dtype.itemsize * (4 if dtype.kind == "S" else 1):
        msg = f"text longer than {dtype}"
        raise ValueError(msg)
    return own


def _each(stored: Any, dtype: np.dtype[Any], convert: Any) -> Any:
    return convert(stored) if isinstance(stored, np.ndarray) else stored.map_blocks(convert, dtype=dtype)


def _restored(native: Mapping[Hashable, Any], kept: list[list[Any]]) -> dict[str, Any]:
    """Return the attributes as they were; what somebody changed in the file since counts as it is there."""
    restored: dict[str, Any] = {}
    for name, *value in kept:
        if not value:
            if name in native:
                restored[name] = native[name]
            continue
        own = untyped(value[0])
        expected = _native_attributes({name: own}).get(name)
        changed = expected is not None and name in native and not _same_values(native[name], expected)
        removed = expected is not None and name not in native
        if not removed:
            restored[name] = native[name] if changed else own
    added = {str(name): value for name, value in native.items() if name not in RESERVED and name not in restored}
    known = {name for name, *_ in kept}
    return {**restored, **{name: value for name, value in added.items() if name not in known and name != "units"}}


def _same_values(found: Any, expected: Any) -> bool:
    return bool(np.array_equal(np.ravel(found), np.ravel(expected)) or str(found) == str(expected))


def parts_to_hash(cube: xr.Dataset) -> Iterator[str]:
    """List what a checksum covers beside values: which variables are coordinates, and every attribute.

    Examples
    --------
    >>> import xarray as xr
    >>> list(parts_to_hash(xr.Dataset({"x": 1}, attrs={"a": True})))
    ['{"coords": [], "attrs": [["a", true]]}', '{"name": "x", "attrs": []}']
    """
    yield _dumped({"coords": sorted(map(str, cube.coords)), "attrs": _sorted_attributes("the cube", cube.attrs)})
    for name in sorted(map(str, cube.variables)):
        yield _dumped({"name": name, "attrs": _sorted_attributes(repr(name), cube.variables[name].attrs)})


def values_to_hash(cube: xr.Dataset) -> Iterator[str | bytes]:
    """List names, dims, types and values, whatever a file format does to their layout."""
    for name in sorted(map(str, cube.variables)):
        yield from _hashed_values(name, cube.variables[name])


def _hashed_values(name: str, variable: xr.Variable) -> Iterator[str | bytes]:
    values = np.ascontiguousarray(variable.values)
    text = values.dtype.kind in "UOT"
    kind = "text" if text else values.dtype.newbyteorder("=").str
    yield _dumped([name, list(map(str, variable.dims)), list(variable.shape), kind])
    # text is hashed as JSON: its width in memory depends on the format it came from
    yield _dumped(values.astype(str).ravel().tolist()) if text else values.tobytes()


def _sorted_attributes(where: str, attributes: Mapping[Hashable, Any]) -> list[list[Any]]:
    return sorted(
        ([str(name), typed(f"attributes of {where}: `{name}`", value)] for name, value in attributes.items()),
        key=lambda one: one[0],
    )
