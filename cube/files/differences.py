"""diff: what differs between two cubes, aligned by label and never by position."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import xarray as xr

from roofcube.datasets.forks import check_not_forked
from roofcube.errors import check_kind
from roofcube.files.store import load

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator


__all__ = ["diff"]

Array = np.ndarray[Any, np.dtype[Any]]
Places = dict[str, tuple[Array, Array]]  # by dim: positions in the first and in the second cube
SCHEMA = {
    "variable": pl.String,
    "kind": pl.String,
    "detail": pl.String,
    "cells": pl.Int64,
    "largest": pl.Float64,
    "labels": pl.String,
    "old": pl.Float64,
    "new": pl.Float64,
    "ratio": pl.Float64,
}


def diff(a: xr.Dataset | str | Path, b: xr.Dataset | str | Path) -> pl.DataFrame:
    """List what differs between two cubes; cells are compared where their labels are the same.

    Parameters
    ----------
    a, b : Dataset or path

    Returns
    -------
    DataFrame
        A row per difference: `variable`, `kind` and `detail`. First what only one cube has and how types and
        attributes differ (missing, dims, dtype, units, attrs; removed, added for a label of the dim `variable`), then
        the cells (`values`), worst first: their `labels`, the `old` and `new` number, the `ratio` of new to old and,
        as `largest`, the relative difference. Dims without labels are compared by index. No rows: the cubes are equal.

    Examples
    --------
    >>> import roofcube as rc
    >>> cube = rc.predict(rc.inputs("mnist", pruning=[100]))
    >>> rc.diff(cube, cube.assign(ops=cube.ops * 2)).select("variable", "kind", "labels", "ratio").rows()
    [('ops', 'values', 'topology MLP, pruning 100.0', 2.0)]
    """
    check_not_forked()
    left, right = (load(one) if isinstance(one, str | Path) else one for one in (a, b))
    for name, cube in (("a", left), ("b", right)):
        check_kind(name, cube, xr.Dataset, do="give a cube, or the name of its file")
    places, rows = _aligned_cells(left, right)
    cells = []
    for name in dict.fromkeys([*map(str, left.variables), *map(str, right.variables)]):
        rows += _differences_in_kind(name, left, right)
        cells += _differing_cells(name, left, right, places)
    whole = pl.DataFrame(rows, schema=SCHEMA)
    if not cells:
        return whole
    return pl.concat([whole, pl.concat(cells).sort("largest", descending=True, nulls_last=False, maintain_order=True)])


# labels ---------------------------------------------------------------------------------------------------------------


def _aligned_cells(left: xr.Dataset, right: xr.Dataset) -> tuple[Places, list[dict[str, Any]]]:
    """Find the labels that both cubes have, and tell of those that only one has."""
    places: Places = {}
    rows = []
    for dim in [str(dim) for dim in left.sizes if dim in right.sizes]:
        first, second = (_keys(cube, dim) for cube in (left, right))
        places[dim] = (
            np.array([place for key, place in first.items() if key in second], dtype="i8"),
            np.array([second[key] for key in first if key in second], dtype="i8"),
        )
        for kind, keys, others in (("removed", first, second), ("added", second, first)):
            rows += [
                {"variable": dim, "kind": kind, "detail": f"{dim} {key[0]}", "labels": f"{dim} {key[0]}"}
                for key in keys
                if key not in others
            ]
    return places, rows


def _keys(cube: xr.Dataset, dim: str) -> dict[tuple[Any, int], int]:
    """Return the position of each label; equal labels are told apart by their number."""
    labels = cube[dim].values.tolist() if dim in cube.variables else range(cube.sizes[dim])
    seen: dict[Hashable, int] = {}
    keys = {}
    for place, label in enumerate(labels):
        key = "NaN" if label != label else label
        seen[key] = seen.get(key, 0) + 1
        keys[key, seen[key]] = place
    return keys


# types and attributes -------------------------------------------------------------------------------------------------


def _differences_in_kind(name: str, left: xr.Dataset, right: xr.Dataset) -> Iterator[dict[str, Any]]:
    if name not in left.variables or name not in right.variables:
        where = "first" if name in left.variables else "second"
        yield {"variable": name, "kind": "missing", "detail": f"only in the {where}"}
        return
    one, other = left.variables[name], right.variables[name]
    if set(one.dims) != set(other.dims):
        detail = f"({', '.join(map(str, one.dims))}) and ({', '.join(map(str, other.dims))})"
        yield {"variable": name, "kind": "dims", "detail": detail}
    if _kind_of_dtype(one.dtype) != _kind_of_dtype(other.dtype):
        yield {
            "variable": name,
            "kind": "dtype",
            "detail": f"{_kind_of_dtype(one.dtype)} and {_kind_of_dtype(other.dtype)}",
        }
    for key in dict.fromkeys([*one.attrs, *other.attrs]):
        first, second = (_comparable(attributes.get(key)) for attributes in (one.attrs, other.attrs))
        if first != second:
            kind, what = ("units", "") if key == "units" else ("attrs", f"{key}: ")
            yield {"variable": name, "kind": kind, "detail": f"{what}{first} and {second}"}


def _kind_of_dtype(dtype: np.dtype[Any]) -> str:
    """Name a type without what a file format changes: the width of text, the order of bytes."""
    return "text" if dtype.kind in "UO" else dtype.newbyteorder("=").name


def _comparable(attribute: Any) -> Any:
    if isinstance(attribute, np.ndarray | np.generic):
        attribute = attribute.tolist()
    if isinstance(attribute, bool | dict):
        return json.dumps(attribute)
    if isinstance(attribute, list | tuple):
        # NetCDF makes a number of a list of one
        return list(attribute) if len(attribute) != 1 else attribute[0]
    return None if attribute == "null" else attribute


# cells ----------------------------------------------------------------------------------------------------------------


def _differing_cells(name: str, left: xr.Dataset, right: xr.Dataset, places: Places) -> list[pl.DataFrame]:
    if name in places or name not in left.variables or name not in right.variables:
        return []
    one, other = left.variables[name], right.variables[name]
    if set(one.dims) != set(other.dims):
        return []
    other = other.transpose(*one.dims)
    first = one.isel({dim: places[str(dim)][0] for dim in one.dims}).values
    second = other.isel({dim: places[str(dim)][1] for dim in one.dims}).values
    differ = np.asarray(~((first == second) | ((first != first) & (second != second))))
    if not differ.any():
        return []
    labels = _label_columns(left, list(map(str, one.dims)), np.nonzero(np.atleast_1d(differ)), places)
    old, new = np.atleast_1d(first)[np.atleast_1d(differ)], np.atleast_1d(second)[np.atleast_1d(differ)]
    return [_difference_rows(name, labels, old, new)]


def _label_columns(cube: xr.Dataset, dims: list[str], cells: tuple[Array, ...], places: Places) -> pl.Series:
    """Return in words where cells lie: `platform TX2, batch 8`."""
    parts = []
    for dim, index in zip(dims, cells, strict=False):
        place = places[dim][0][index]
        of_dim = cube[dim].values if dim in cube.variables else np.arange(cube.sizes[dim])
        words = np.array([f"{dim} {label}" for label in of_dim.tolist()], dtype=object)
        parts.append(pl.Series(dim, words[place], dtype=pl.String))
    if not parts:
        return pl.Series("labels", [""] * len(cells[0]), dtype=pl.String)
    return pl.DataFrame(parts).select(labels=pl.concat_str(pl.all(), separator=", "))["labels"]


def _difference_rows(name: str, labels: pl.Series, old: Array, new: Array) -> pl.DataFrame:
    numeric = old.dtype.kind in "iufb" and new.dtype.kind in "iufb"
    detail = labels
    if numeric:
        old, new = old.astype("f8"), new.astype("f8")
        with np.errstate(all="ignore"):
            ratio, largest = new / old, np.abs(new - old) / np.maximum(np.abs(old), np.abs(new))
    else:
        words = [f"{one!r} and {other!r}" for one, other in zip(old.tolist(), new.tolist(), strict=True)]
        detail = pl.Series([f"{at}: {both}" if at else both for at, both in zip(labels, words, strict=True)])
        old = new = ratio = largest = np.full(len(old), np.nan)
    return pl.DataFrame(
        {
            "variable": pl.Series([name] * len(old), dtype=pl.String),
            "kind": pl.Series(["values"] * len(old), dtype=pl.String),
            "detail": detail,
            "cells": np.ones(len(old), dtype="i8"),
            "largest": _finite_ratio(largest),
            "labels": labels,
            "old": pl.Series(old) if numeric else pl.Series([None] * len(old), dtype=pl.Float64),
            "new": pl.Series(new) if numeric else pl.Series([None] * len(old), dtype=pl.Float64),
            "ratio": _finite_ratio(ratio),
        },
        schema=SCHEMA,
    )


def _finite_ratio(numbers: Array) -> pl.Series:
    return pl.Series([float(one) if np.isfinite(one) else None for one in numbers], dtype=pl.Float64)
