"""What a checksum of a cube covers, part by part, whatever a file format does to its layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.files.attributes import dumped, typed
from roofcube.interrupts import Abandoned, is_abandoned

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    import xarray as xr

__all__ = ["PART", "in_parts", "parts_to_hash", "values_to_hash"]

Array = np.ndarray[Any, np.dtype[Any]]
TEXTS = 1 << 14  # labels that are listed at a time
PART = 1 << 24  # bytes of a variable that are read at a time: a tenth of a second


def parts_to_hash(cube: xr.Dataset) -> Iterator[str]:
    """List what a checksum covers beside values: which variables are coordinates, and every attribute.

    Examples
    --------
    >>> import xarray as xr
    >>> list(parts_to_hash(xr.Dataset({"x": 1}, attrs={"a": True})))
    ['{"coords": [], "attrs": [["a", true]]}', '{"name": "x", "attrs": []}']
    """
    yield dumped({"coords": sorted(map(str, cube.coords)), "attrs": _sorted_attributes("the cube", cube.attrs)})
    for name in sorted(map(str, cube.variables)):
        yield dumped({"name": name, "attrs": _sorted_attributes(repr(name), cube.variables[name].attrs)})


def values_to_hash(cube: xr.Dataset) -> Iterator[str | bytes | memoryview[Any]]:
    """List names, dims, types and values, whatever a file format does to their layout; what is in a file in parts."""
    for name in sorted(map(str, cube.variables)):
        yield from _hashed_values(name, cube.variables[name])


def _hashed_values(name: str, variable: xr.Variable) -> Iterator[str | bytes | memoryview[Any]]:
    text = variable.dtype.kind in "UOT"
    kind = "text" if text else variable.dtype.newbyteorder("=").str
    yield dumped([name, list(map(str, variable.dims)), list(variable.shape), kind])
    if text:  # hashed as JSON: its width in memory depends on the format it came from
        yield from _json_list(variable.values)
        return
    for values in in_parts(variable):
        flat = np.ascontiguousarray(values).reshape(-1).view("u1")
        yield (flat != 0 if variable.dtype.kind == "b" else flat).data  # any byte but 0 is true


def _json_list(values: Array) -> Iterator[str]:
    """Write text as one JSON list, some of it at a time."""
    flat = values.reshape(-1)
    yield "["
    for start in range(0, flat.size, TEXTS):
        part = dumped(list(map(str, flat[start : start + TEXTS].tolist())))
        yield (", " if start else "") + part[1:-1]
    yield "]"


def in_parts(variable: xr.Variable) -> Iterator[Array]:
    """Go through the values of a variable in order, in parts of whole chunks of its file.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> [part.shape for part in in_parts(xr.Variable(("x", "y"), np.zeros((6, 1 << 20))))]
    [(2, 1048576), (2, 1048576), (2, 1048576)]
    """
    if not variable.ndim or variable.nbytes <= PART:
        yield variable.values
        return
    row = variable.nbytes // variable.shape[0] or 1  # bytes
    whole = variable.chunks[0][0] if variable.chunks else (variable.encoding.get("chunksizes") or (1,))[0]
    step = max(1, PART // (row * whole)) * whole
    for start in range(0, variable.shape[0], step):
        if is_abandoned():
            raise Abandoned
        yield variable[start : start + step].values


def _sorted_attributes(where: str, attributes: Mapping[Hashable, Any]) -> list[list[Any]]:
    return sorted(
        ([str(name), typed(f"attributes of {where}: `{name}`", value)] for name, value in attributes.items()),
        key=lambda one: one[0],
    )
