"""What a checksum of a cube covers, part by part, whatever a file format does to its layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.files.attributes import dumped, typed

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    import xarray as xr

__all__ = ["parts_to_hash", "values_to_hash"]


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


def values_to_hash(cube: xr.Dataset) -> Iterator[str | bytes]:
    """List names, dims, types and values, whatever a file format does to their layout."""
    for name in sorted(map(str, cube.variables)):
        yield from _hashed_values(name, cube.variables[name])


def _hashed_values(name: str, variable: xr.Variable) -> Iterator[str | bytes]:
    values = np.ascontiguousarray(variable.values)
    text = values.dtype.kind in "UOT"
    kind = "text" if text else values.dtype.newbyteorder("=").str
    yield dumped([name, list(map(str, variable.dims)), list(variable.shape), kind])
    # text is hashed as JSON: its width in memory depends on the format it came from
    yield dumped(values.astype(str).ravel().tolist()) if text else values.tobytes()


def _sorted_attributes(where: str, attributes: Mapping[Hashable, Any]) -> list[list[Any]]:
    return sorted(
        ([str(name), typed(f"attributes of {where}: `{name}`", value)] for name, value in attributes.items()),
        key=lambda one: one[0],
    )
