"""Evaluate a sweep at the rows of a table, found by label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import xarray as xr

from roofcube.errors import InvalidDataError
from roofcube.labels import column_of, locate
from roofcube.sweep import points

if TYPE_CHECKING:
    from roofcube.sweep.sweep import Sweep

__all__ = ["at"]


def at(sweep: Sweep, table: Any) -> xr.Dataset:
    """Evaluate the model at each row; rows whose labels are not in the space are NaN."""
    rows = _as_table(table)
    for dim in sweep.dims:
        if column_of(dim) not in rows.columns and dim in rows.columns:
            rows = rows.rename({dim: column_of(dim)})
        if sweep.sizes[dim] != 1 and column_of(dim) not in rows.columns:
            msg = (
                f"`table`: expected a column {column_of(dim)!r}, got {rows.columns}; add it, "
                f"the space has {sweep.sizes[dim]} labels along {dim}"
            )
            raise InvalidDataError(msg)
    where = locate(_coordinates(sweep), rows, dims=sweep.dims)
    zero = np.zeros(rows.height, dtype=np.int64)
    indices = [np.maximum(where.indices.get(dim, zero), 0).astype(np.int64) for dim in sweep.dims]
    found = where.mask & all(sweep.sizes.values())
    if not found.any():
        indices = [zero] * len(sweep.dims)
    result = _evaluated(sweep, indices, found)
    labels = {
        dim: (
            "point",
            rows[column_of(dim)].to_numpy(),
            dict(sweep.model.coords[dim].attrs) if dim in sweep.model.coords else {},
        )
        for dim in sweep.dims
        if column_of(dim) in rows.columns
    }
    return result.assign_coords(labels)


def _as_table(table: Any) -> pl.DataFrame:
    if isinstance(table, pl.DataFrame):
        return table
    if isinstance(table, xr.Dataset):
        names = [*table.coords, *table.data_vars]
        return pl.DataFrame({str(name): table[name].values for name in names if table[name].ndim == 1})
    if hasattr(table, "items"):
        return pl.DataFrame({str(name): list(column) for name, column in table.items()})
    msg = f"`table`: expected a polars DataFrame, a Dataset or columns by name, got {type(table).__name__}; convert it"
    raise InvalidDataError(msg)


def _coordinates(sweep: Sweep) -> xr.Dataset:
    """Give every dim a coordinate: its labels, or its index where it has none."""
    labels = {dim: sweep.model.coords.get(dim) for dim in sweep.dims}
    return xr.Dataset(
        coords={dim: np.arange(sweep.sizes[dim]) if at is None else at.values for dim, at in labels.items()}
    )


def _evaluated(sweep: Sweep, indices: list[Any], found: Any) -> xr.Dataset:
    extra = {"found": ("point", found, {"long_name": "whether the space holds the labels"})}
    if not all(sweep.sizes.values()):
        empty = {
            name: ("point", np.full(len(found), np.nan))
            for name in sweep.model.outputs
            if name not in sweep.model.coords
        }
        return xr.Dataset({**empty, **extra}, attrs=sweep.attrs)
    made = points.as_points(sweep.model, sweep.whole, indices, extra, sweep.attrs)
    blank = {}
    for name, array in made.data_vars.items():
        if name != "found" and array.dtype.kind == "f":
            blank[name] = array.where(made["found"])
        elif array.dtype.kind == "i":
            blank[name] = array.where(made["found"], -1).astype(array.dtype)
    labels = points.coordinates_at(sweep.model, sweep.dims, indices, found, ("point",))
    return made.assign(blank).assign_coords(labels)
