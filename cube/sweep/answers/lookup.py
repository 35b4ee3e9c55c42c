"""Read or evaluate a space at the rows of a table, found by label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import xarray as xr

from roofcube.datasets.forms.table_forms import as_table
from roofcube.errors import InvalidDataError
from roofcube.labels import column_of, locate
from roofcube.sweep.answers import points
from roofcube.sweep.contexts.context import AT, added_names, check_names

if TYPE_CHECKING:
    from roofcube.sweep.contexts.context import Context

__all__ = ["at"]

ROWS = 1 << 16  # that are looked up at a time: labels of a million take a gigabyte


def at(context: Context, table: Any) -> xr.Dataset:
    """Evaluate the model at each row; rows whose labels are not in the space are empty."""
    check_names(context, [*context.names, *context.dims], added_names(context, {"found": ()}))
    rows = _as_table(context, table)
    for dim in context.dims:
        if column_of(dim) not in rows.columns and dim in rows.columns:
            rows = rows.rename({dim: column_of(dim)})
        if context.sizes[dim] != 1 and column_of(dim) not in rows.columns:
            msg = (
                f"`table`: expected a column {column_of(dim)!r}, got {rows.columns}; add it, "
                f"the space has {context.sizes[dim]} labels along {dim}"
            )
            raise InvalidDataError(msg)
        if column_of(dim) in rows.columns and rows.schema[column_of(dim)].is_nested():
            msg = f"`table`: expected one label a row in {column_of(dim)!r}, got lists; give a row for each label"
            raise InvalidDataError(msg)
    if rows.height > ROWS:
        points.check_result(context, "at", rows.height, row_bytes=2 * context.row_bytes)  # parts, and what they become
        parts = [at(context, part) for part in rows.iter_slices(ROWS)]
        return xr.concat(parts, "point", data_vars="all", coords="minimal", compat="override", join="exact")
    where = locate(_coordinates(context), rows, dims=context.dims)
    zero = np.zeros(rows.height, dtype=np.int64)
    indices = [np.maximum(where.indices.get(dim, zero), 0).astype(np.int64) for dim in context.dims]
    found = where.mask & all(context.sizes.values())
    if not found.any():
        indices = [zero] * len(context.dims)
    result = _evaluated(context, indices, found)
    labels = {
        dim: (
            "point",
            rows[column_of(dim)].to_numpy(),
            dict(context.coords[dim].attrs) if dim in context.coords else {},
        )
        for dim in context.dims
        if column_of(dim) in rows.columns
    }
    return result.assign_coords(labels)


def _as_table(context: Context, table: Any) -> pl.DataFrame:
    if not isinstance(table, xr.Dataset):
        return as_table(table, what="table")
    wanted = {*context.dims, *map(column_of, context.dims)}
    columns = {str(name): one for name, one in table.variables.items() if name in wanted}
    dims = dict.fromkeys(dim for one in columns.values() for dim in one.dims)
    if len(dims) > 1:
        msg = f"`table`: expected labels along one dim, got {', '.join(map(str, dims))}; stack them to one"
        raise InvalidDataError(msg)
    length = next((table.sizes[dim] for dim in dims), 1)
    return pl.DataFrame({name: np.broadcast_to(one.values, length) for name, one in columns.items()})


def _coordinates(context: Context) -> xr.Dataset:
    """Return every dim a coordinate: its labels, or its index where it has none."""
    labels = {dim: context.coords.get(dim) for dim in context.dims}
    return xr.Dataset(
        coords={dim: np.arange(context.sizes[dim]) if at is None else at.values for dim, at in labels.items()}
    )


def _evaluated(context: Context, indices: list[Any], found: Any) -> xr.Dataset:
    extra = {"found": xr.Variable("point", found, {"long_name": AT})}
    if not all(context.sizes.values()):
        empty = {name: ("point", np.full(len(found), np.nan)) for name in context.outputs if name not in context.coords}
        return xr.Dataset({**empty, **extra}, attrs=context.attrs)
    made = points.as_points(context, indices, extra, context.attrs)
    blank = {
        name: array.copy(data=np.where(found, array.values, points.empty_value(str(name), array.values, array.attrs)))
        for name, array in made.data_vars.items()
        if name != "found"
    }
    labels = points.coordinates_at(context, indices, found, ("point",))
    return made.assign(blank).assign_coords(labels)
