"""Attributes as files hold them: plain ones as others read them, all of them in JSON from which they come back."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.errors import InvalidDataError

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

__all__ = [
    "ORIGINAL",
    "WAY_OUT",
    "WrittenAnewError",
    "dumped",
    "is_unicode",
    "kept_attributes",
    "native_attributes",
    "restored_attributes",
    "safe_dtype",
    "typed",
    "untyped",
]

ORIGINAL = "roofcube_original"
WAY_OUT = (
    "to keep what another tool made of it, let that tool drop the attributes whose names begin with roofcube_, of the "
    "cube and of its variables, before it writes; or load with roofcube.load, select, and save with roofcube.save"
)
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
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,254}")  # names of attributes that every format takes
MOMENT = re.compile(r"\bsince\b")
# to UDUNITS, which knows no operations, and where B is the bel
UDUNITS = {"op": "count", "B": "byte"}


class WrittenAnewError(ValueError):
    """What a file says of its values is not what was saved: other tools carry our attributes on to what they write."""


def native_attributes(attributes: Mapping[Any, Any], *, times: bool = False) -> dict[str, Any]:
    """Return attributes as others read them: those that every format holds; of `times` the file says its own units."""
    native = {}
    for name, value in attributes.items():
        if isinstance(name, str) and PLAIN.fullmatch(name) and name not in RESERVED and not (times and name == "units"):
            plain = _plain_value(name, value)
            if plain is not None:
                native[name] = plain
    return native


def _plain_value(name: str, value: Any) -> Any:
    """Return what stands for a value in a file; None where only `ORIGINAL` holds it."""
    if isinstance(value, bool | np.bool_ | dict) or value is None:
        return json.dumps(_as_bool(value), default=str)
    if isinstance(value, str):
        if "\0" in value or not is_unicode(value) or not value or (name == "units" and MOMENT.search(value)):
            return None
        return re.sub(r"\b(op|B)\b", lambda unit: UDUNITS[unit[0]], value) if name == "units" else value
    if isinstance(value, int):
        return value if -(1 << 63) <= value < 1 << 63 else None
    if isinstance(value, float | np.floating | np.integer):
        return value if _is_native(np.dtype(type(value))) else None
    if isinstance(value, list | tuple) and value and all(isinstance(one, str) and one for one in value):
        texts = [_plain_value("", one) for one in value]
        return None if None in texts else texts
    if isinstance(value, list | tuple | np.ndarray):
        array = np.asarray(value) if not isinstance(value, list | tuple) or _are_numbers(value) else np.zeros(0)
        return array if array.ndim == 1 and array.size and _is_native(array.dtype) else None
    return None


def _is_native(dtype: np.dtype[Any]) -> bool:
    """Check whether every format has numbers of a type in its attributes: netCDF has none of half precision."""
    return dtype.kind in "iuf" and dtype.itemsize <= 8 and dtype != np.float16


def _are_numbers(values: Any) -> bool:
    return all(isinstance(one, int | float | np.number) and not isinstance(one, bool) for one in values)


def _as_bool(value: Any) -> Any:
    return bool(value) if isinstance(value, np.bool_) else value


def kept_attributes(where: str, attributes: Mapping[Any, Any], *, times: bool = False) -> list[list[Any]]:
    """List names and values, for plain text that the file holds as it is the name alone."""
    kept: list[list[Any]] = []
    native = native_attributes(attributes, times=times)
    for name, value in attributes.items():
        if not isinstance(name, str):
            msg = f"{where}: expected names in text, got {name!r}; rename it"
            raise InvalidDataError(msg)
        alone = isinstance(value, str) and native.get(name) == value
        kept.append([name] if alone else [name, typed(f"{where}: `{name}`", value)])
    return kept


def is_unicode(text: str) -> bool:
    """Check whether text can be written as UTF-8: lone surrogates cannot."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


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


def dumped(original: Any) -> str:
    """Return JSON in ASCII."""
    return json.dumps(original, ensure_ascii=True)


def restored_attributes(
    native: Mapping[Hashable, Any], kept: list[list[Any]], *, times: bool = False
) -> dict[str, Any]:
    """Return the attributes as they were; what somebody changed in the file since counts as it is there."""
    restored: dict[str, Any] = {}
    for name, *value in kept:
        if not value:
            if name in native:
                restored[name] = native[name]
            continue
        own = untyped(value[0])
        expected = native_attributes({name: own}, times=times).get(name)
        changed = expected is not None and name in native and not _same_values(native[name], expected)
        removed = expected is not None and name not in native
        if not removed:
            restored[name] = native[name] if changed else own
    added = {str(name): value for name, value in native.items() if name not in RESERVED and name not in restored}
    known = {name for name, *_ in kept}
    return {**restored, **{name: value for name, value in added.items() if name not in known and name != "units"}}


def _same_values(found: Any, expected: Any) -> bool:
    return bool(np.array_equal(np.ravel(found), np.ravel(expected)) or str(found) == str(expected))
