"""How a cube that `encoding` laid down in a file comes back as it was, with its own types and attributes."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from roofcube.files.attributes import ORIGINAL, restored_attributes, safe_dtype
from roofcube.files.guards.declared import check_bytes

__all__ = ["decoded"]

Array = np.ndarray[Any, np.dtype[Any]]


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
        attrs=restored_attributes(written.attrs, original["attrs"]),
    )


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
    each = stored.astype("O")
    if 4 * max(map(len, each.flat), default=0) > dtype.itemsize * (4 if dtype.kind == "S" else 1):
        msg = f"text longer than {dtype}"
        raise ValueError(msg)
    text = each.astype("U")
    return (np.char.encode(text, "latin-1") if dtype.kind == "S" and text.size else text).astype(dtype)


def _each(stored: Any, dtype: np.dtype[Any], convert: Any) -> Any:
    return convert(stored) if isinstance(stored, np.ndarray) else stored.map_blocks(convert, dtype=dtype)
