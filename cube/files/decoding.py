"""How a cube that `encoding` laid down in a file comes back as it was, with its own types and attributes."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from roofcube.files.attributes import ORIGINAL, WrittenAnewError, restored_attributes, safe_dtype
from roofcube.files.encoding import NO_TIME, meaning_of_times
from roofcube.files.guards.declared import check_bytes

__all__ = ["decoded", "with_text_for_bytes"]

Array = np.ndarray[Any, np.dtype[Any]]
WIDE = 4  # bytes of a letter in memory
# attributes by which CF says what stored numbers mean
PACKING = ("_FillValue", "missing_value", "scale_factor", "add_offset", "_Unsigned")
MEANING = ("units", "calendar", *PACKING)


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
    for name, variable in written.variables.items():
        _check_as_written(str(name), variable)
    if values:
        check_bytes("the file", {str(name): _own_bytes(variable) for name, variable in written.variables.items()})
    variables = {str(name): _decoded(variable, values=values) for name, variable in written.variables.items()}
    coords, order = set(original["coords"]), original.get("order", ())  # versions before kept none
    if not coords <= variables.keys():
        msg = f"no coordinates {', '.join(sorted(coords - variables.keys()))}"
        raise WrittenAnewError(msg)
    variables = {name: variables[name] for name in dict.fromkeys([*order, *variables]) if name in variables}
    return xr.Dataset(
        {name: variable for name, variable in variables.items() if name not in coords},
        coords={name: variable for name, variable in variables.items() if name in coords},
        attrs=restored_attributes(written.attrs, original["attrs"]),
    )


def with_text_for_bytes(foreign: xr.Dataset) -> xr.Dataset:
    """Return the cube of another tool with text for char arrays, and without what pads these: labels are text.

    What is neither in memory nor Dask's is left as it is.
    """
    letters = {
        name: variable
        for name, variable in foreign.variables.items()
        if variable.dtype.kind == "S" and (variable._in_memory or variable.chunks is not None)
    }
    check_bytes("the file", {str(name): WIDE * one.nbytes for name, one in letters.items() if one.chunks is None})
    texts = {
        name: xr.Variable(
            one.dims,
            _each(one.data, np.dtype(f"U{max(1, one.dtype.itemsize)}"), _joined_letters),
            one.attrs,
            one.encoding,
        )
        for name, one in letters.items()
    }
    coords = {name: text for name, text in texts.items() if name in foreign.coords}
    return foreign.assign({name: text for name, text in texts.items() if name not in coords}).assign_coords(coords)


def _joined_letters(letters: Array) -> Array:
    try:
        text = np.char.decode(letters, "utf-8")
    except UnicodeDecodeError:
        text = np.char.decode(letters, "latin-1")
    return np.char.rstrip(text).astype(f"U{max(1, letters.dtype.itemsize)}")


def _check_as_written(name: str, variable: xr.Variable) -> None:
    """Check that a file says of values what `encoding` said: other tools count from another day, or pack them."""
    attributes = variable.attrs
    if ORIGINAL not in attributes:
        msg = f"`{name}` was added"
        raise WrittenAnewError(msg)
    dtype = json.loads(attributes[ORIGINAL])["dtype"]
    kind = "O" if dtype == "text" else safe_dtype(dtype).kind
    expected: dict[str, Any] = {"_FillValue": np.nan} if kind == "f" else {}
    if kind in "mM":
        expected = {**meaning_of_times(safe_dtype(dtype)), "missing_value": NO_TIME}
    for key in [key for key in MEANING if key in attributes and (key in PACKING or kind in "mM")]:
        if key not in expected or not np.array_equal([attributes[key]], [expected[key]], equal_nan=key == "_FillValue"):
            own = f", saved as {expected[key]}" if key in expected else ", saved without"
            msg = f"the `{key}` of `{name}` is {attributes[key]!s:.60}{own}"
            raise WrittenAnewError(msg)


def _own_bytes(variable: xr.Variable) -> int:
    """Return the bytes that text takes in its own type, of which the file chooses the width; 0 for all else."""
    name = json.loads(variable.attrs[ORIGINAL])["dtype"]
    dtype = np.dtype("O") if name == "text" else safe_dtype(name)
    return int(variable.size) * dtype.itemsize if dtype.kind in "US" else 0


def _decoded(variable: xr.Variable, *, values: bool) -> xr.Variable:
    original = json.loads(variable.attrs[ORIGINAL])
    name = original["dtype"]
    dtype = np.dtype("O") if name == "text" else safe_dtype(name)
    attributes = restored_attributes(variable.attrs, original["attrs"], times=dtype.kind in "mM")
    known = not values or dtype == variable.dtype != "O"
    data = variable._data if known else _own_type(variable.data, name)  # what has its type stays unread
    return xr.Variable(variable.dims, data, attributes, fastpath=True)


def _own_type(stored: Any, name: str) -> Any:
    """Return values in the type they had; computed later where they are Dask's."""
    if name == "text" and (stored.dtype.kind in "OUT" or not stored.size):
        return stored.astype("O") if stored.size else np.zeros(stored.shape, "O")
    dtype = np.dtype("O") if name == "text" else safe_dtype(name)
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
    msg = f"values of type {stored.dtype}, said to have been {'text' if name == 'text' else dtype}"
    raise WrittenAnewError(msg)


def _restored_text(stored: Array, dtype: np.dtype[Any]) -> Array:
    each = stored.astype("O")
    if 4 * max(map(len, each.flat), default=0) > dtype.itemsize * (4 if dtype.kind == "S" else 1):
        msg = f"text longer than {dtype}"
        raise ValueError(msg)
    text = each.astype("U")
    return (np.char.encode(text, "latin-1") if dtype.kind == "S" and text.size else text).astype(dtype)


def _each(stored: Any, dtype: np.dtype[Any], convert: Any) -> Any:
    return convert(stored) if isinstance(stored, np.ndarray) else stored.map_blocks(convert, dtype=dtype)
