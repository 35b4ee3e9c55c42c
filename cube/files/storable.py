"""Check what the file formats can hold before a file is written, so that it comes back as it was saved.

NetCDF has no None and no truth values: they are written as ``null``, ``true`` and ``false``, and an attribute names
those that were no text. A dict is written as JSON text and stays it. All else is refused rather than changed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]

from roofcube.errors import InvalidDataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import xarray as xr

__all__ = ["as_saved", "storable"]

WORDS = "roofcube_words"  # attribute that names the attributes whose text stands for None, True or False
MEANINGS = {"null": None, "true": True, "false": False}
KINDS = "biufUSTMm"
LARGEST = 2**64 - 1  # whole number that a file holds; the least is -2^63


def storable(cube: xr.Dataset, *, without: Iterable[str] = ()) -> xr.Dataset:
    """Return a copy in memory whose attributes a file can hold; `without` some of the cube's own.

    Raises
    ------
    InvalidDataError
        Naming the variable or attribute that no file can hold, and what to do.
    """
    for name, index in cube.indexes.items():
        if isinstance(index, pd.MultiIndex):
            msg = (
                f"`{name}`: expected one label a place, got a MultiIndex; use cube.reset_index({name!r}) or unstack it"
            )
            raise InvalidDataError(msg)
    stored = cube.copy()
    left = set(without)
    attributes = {key: value for key, value in cube.attrs.items() if key not in left}
    stored.attrs = _storable_attributes(attributes, "the cube")
    for name in stored.variables:
        if not isinstance(name, str) or "/" in name:
            msg = f"`{name}`: expected a name of letters without a slash, got {name!r}; rename it"
            raise InvalidDataError(msg)
        stored[name].attrs = _storable_attributes(stored[name].attrs, f"`{name}`")
        stored[name].encoding = {}
    stored = stored.load()
    for name, variable in stored.variables.items():
        _check_values(str(name), variable)
    return stored


def as_saved(cube: xr.Dataset) -> xr.Dataset:
    """Return what was None, True or False in attributes; nothing is read."""
    cube.attrs = _read_attributes(cube.attrs)
    for variable in cube.variables.values():
        variable.attrs = _read_attributes(variable.attrs)
    return cube


def _check_values(name: str, variable: xr.Variable) -> None:
    kind = variable.dtype.kind if isinstance(variable.dtype, np.dtype) else ""
    if kind not in (*KINDS, "O") or (kind == "f" and variable.dtype.itemsize not in (4, 8)):
        msg = f"`{name}`: expected numbers, text or times, got {variable.dtype}; convert or drop it"
        raise InvalidDataError(msg)
    if kind == "O":
        odd = next((one for one in variable.values.ravel().tolist() if not isinstance(one, str)), "")
        if not isinstance(odd, str):
            msg = f"`{name}`: expected text everywhere, got {odd!r:.60}; fill it, or convert the variable to one type"
            raise InvalidDataError(msg)


def _storable_attributes(attributes: Mapping[Any, Any], where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    words = []
    for key, value in attributes.items():
        if not isinstance(key, str):
            msg = f"{where}: expected text as the name of an attribute, got {key!r}; rename it"
            raise InvalidDataError(msg)
        if value is None or isinstance(value, bool | np.bool_):
            words.append(key)
            found[key] = json.dumps(value if value is None else bool(value))
        elif key != WORDS:
            found[key] = _storable_value(value, f"{where}, attribute {key!r}")
    return {**found, WORDS: json.dumps(words)} if words else found


def _storable_value(value: Any, where: str) -> Any:
    if isinstance(value, dict):
        try:
            return json.dumps(value)
        except (TypeError, ValueError) as error:
            msg = f"{where}: expected a dict that JSON can hold ({error}); convert its values to text or numbers"
            raise InvalidDataError(msg) from None
    if isinstance(value, list | tuple):
        plain = all(map(_is_number, value)) or all(map(_is_text, value))
    elif isinstance(value, np.ndarray):
        plain = value.ndim < 2 and (value.dtype.kind in "iuU" or value.dtype in ("f4", "f8"))
    else:
        plain = _is_number(value) or _is_text(value)
    if not plain:
        msg = (
            f"{where}: expected text, a number, a list of one of them, None, True or False, got {value!r:.60} of type "
            f"{type(value).__name__}; write it as text, str(...), or drop it"
        )
        raise InvalidDataError(msg)
    return value


def _is_number(value: Any) -> bool:
    if isinstance(value, bool | np.timedelta64):
        return False
    if isinstance(value, int | np.integer):
        return -(2**63) <= int(value) <= LARGEST
    return isinstance(value, float | np.float32)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value


def _read_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    if WORDS not in attributes:
        return dict(attributes)
    try:
        words = set(json.loads(attributes[WORDS]))
    except (TypeError, ValueError):
        words = set()
    found = {key: value for key, value in attributes.items() if key != WORDS}
    for key in words & found.keys():
        found[key] = MEANINGS.get(str(found[key]), found[key])
    return found
