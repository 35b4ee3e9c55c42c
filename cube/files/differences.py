"""diff: what differs between two cubes, aligned by label and never by position."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import xarray as xr

from roofcube.datasets.forks import check_not_forked
from roofcube.errors import MemoryLimitError, check_kind
from roofcube.files.boxes import boxes
from roofcube.files.fingerprints import PART
from roofcube.files.store import OF_THE_FILE, load
from roofcube.labels import cube_in_numpy
from roofcube.options import fits_memory, megabytes, memory_limit, set_options
from roofcube.wording import moment_text

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence


__all__ = ["diff"]

Array = np.ndarray[Any, np.dtype[Any]]
Places = dict[Any, tuple[Array, Array]]  # by dim: positions in the first and in the second cube
ROW_BYTES = 400  # of a cell that differs: its words, twice while rows are sorted
SHARE = 32  # parts in the memory limit: two cubes' values and what compares them
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
        attributes differ (missing, dims, dtype, coords, units, attrs; removed, added for a label of the dim
        `variable`; the cubes' own attributes have '' for it), then the cells (`values`), worst first: their `labels`,
        the `old` and `new` number, the `ratio` of new to old and, as `largest`, the relative difference. Dims without
        labels are compared by index. No rows: the cubes are equal.

    Raises
    ------
    MemoryLimitError
        If so many cells differ that their rows do not fit, or files that do not fit together; what is loaded with
        `chunks` is compared part by part.

    Examples
    --------
    >>> import roofcube as rc
    >>> cube = rc.predict(rc.inputs("mnist", pruning=[100]))
    >>> rc.diff(cube, cube.assign(ops=cube.ops * 2)).select("variable", "kind", "labels", "ratio").rows()
    [('ops', 'values', 'topology MLP, pruning 100.0', 2.0)]
    """
    check_not_forked()
    left = load(a) if isinstance(a, str | Path) else a
    right = _loaded_beside(0 if left is a else left.nbytes, b) if isinstance(b, str | Path) else b
    for name, cube in (("a", left), ("b", right)):
        check_kind(name, cube, xr.Dataset, do="give a cube, or the name of its file")
    left, right = map(cube_in_numpy, (left, right))
    places, rows = _aligned_cells(left, right)
    rows += _differing_attributes("", *(_own_attributes(cube) for cube in (left, right)))
    cells: list[pl.DataFrame] = []
    names: dict[Any, None] = dict.fromkeys([*left.variables, *right.variables])
    for name in names:
        rows += _differences_in_kind(name, left, right)
        cells += _differing_cells(name, left, right, places, sum(part.height for part in cells))
    whole = pl.DataFrame(rows, schema=SCHEMA)
    if not cells:
        return whole
    return pl.concat([whole, pl.concat(cells).sort("largest", descending=True, nulls_last=False, maintain_order=True)])


def _loaded_beside(size: int, path: str | Path) -> xr.Dataset:
    """Load a cube where another of so many bytes is held."""
    limit = memory_limit()
    try:
        with set_options(memory=max(1, limit - size)):
            return load(path)
    except MemoryLimitError as error:
        if not size:
            raise
        msg = (
            f"`diff`: expected files that fit into {megabytes(limit)} together, got {megabytes(size)} before "
            f"{path} is read; give both as `roofcube.load(path, chunks={{}})`, or raise the limit with "
            "`roofcube.set_options(memory=...)`"
        )
        raise MemoryLimitError(msg) from error


# labels ---------------------------------------------------------------------------------------------------------------


def _aligned_cells(left: xr.Dataset, right: xr.Dataset) -> tuple[Places, list[dict[str, Any]]]:
    """Find the labels that both cubes have, and tell of those that only one has."""
    places: Places = {}
    rows = []
    for dim in [dim for dim in left.sizes if dim in right.sizes]:
        labels = [cube[dim].values for cube in (left, right)]
        if not (dim in left.coords and dim in right.coords):  # by index, where it is not labelled on either side
            labels = [np.arange(len(one)) for one in labels]
        if _are_equal(*labels):
            everywhere = np.arange(len(labels[0]))
            places[dim] = (everywhere, everywhere)
            continue
        _check_rows_fit(f"labels of {dim}", sum(map(len, labels)))
        first, second = map(_keys, labels)
        places[dim] = (
            np.array([place for key, place in first.items() if key in second], dtype="i8"),
            np.array([second[key] for key in first if key in second], dtype="i8"),
        )
        for kind, keys, others in (("removed", first, second), ("added", second, first)):
            rows += [
                {"variable": str(dim), "kind": kind, "detail": f"{dim} {key[0]}", "labels": f"{dim} {key[0]}"}
                for key in keys
                if key not in others
            ]
    return places, rows


def _are_equal(first: Array, second: Array) -> bool:
    return first.shape == second.shape and bool(np.all((first == second) | ((first != first) & (second != second))))


def _keys(labels: Array) -> dict[tuple[Any, int], int]:
    """Return the position of each label; equal labels are told apart by their number."""
    seen: dict[Hashable, int] = {}
    keys = {}
    for place, label in enumerate(_as_list(labels)):
        key = "NaN" if label != label else label
        seen[key] = seen.get(key, 0) + 1
        keys[key, seen[key]] = place
    return keys


def _as_list(values: Array) -> list[Any]:
    """List values; times as text, which is the same in any unit."""
    if values.dtype.kind in "mM":
        return [moment_text(value) or "NaT" for value in values]
    return values.tolist()  # type: ignore[no-any-return]


def _check_rows_fit(what: str, number: int) -> None:
    if not fits_memory(number * ROW_BYTES):
        msg = (
            f"`diff`: expected differences within {megabytes(memory_limit())}, got {number:,} {what}; select a part "
            "of the cubes, or raise the limit with `roofcube.set_options(memory=...)`"
        )
        raise MemoryLimitError(msg)


# types and attributes -------------------------------------------------------------------------------------------------


def _differences_in_kind(name: Any, left: xr.Dataset, right: xr.Dataset) -> Iterator[dict[str, Any]]:
    if name not in left.variables or name not in right.variables:
        where = "first" if name in left.variables else "second"
        yield {"variable": str(name), "kind": "missing", "detail": f"only in the {where}"}
        return
    one, other = left.variables[name], right.variables[name]
    if set(one.dims) != set(other.dims):
        detail = f"({', '.join(map(str, one.dims))}) and ({', '.join(map(str, other.dims))})"
        yield {"variable": str(name), "kind": "dims", "detail": detail}
    kinds = [_kind_of_dtype(variable.dtype) for variable in (one, other)]
    if kinds[0] != kinds[1]:
        yield {"variable": str(name), "kind": "dtype", "detail": f"{kinds[0]} and {kinds[1]}"}
    if (name in left.coords) != (name in right.coords):
        where = "first" if name in left.coords else "second"
        yield {"variable": str(name), "kind": "coords", "detail": f"a coordinate only in the {where}"}
    yield from _differing_attributes(str(name), one.attrs, other.attrs)


def _own_attributes(cube: xr.Dataset) -> dict[Any, Any]:
    return {key: value for key, value in cube.attrs.items() if key not in OF_THE_FILE}


def _differing_attributes(name: str, left: Mapping[Any, Any], right: Mapping[Any, Any]) -> Iterator[dict[str, Any]]:
    for key in dict.fromkeys([*left, *right]):
        first, second = (_attribute_key(attributes.get(key)) for attributes in (left, right))
        if first != second and repr(first) != repr(second):  # as NaN in a list is
            kind, what = ("units", "") if key == "units" else ("attrs", f"{key}: ")
            yield {"variable": name, "kind": kind, "detail": f"{what}{first} and {second}"}


def _kind_of_dtype(dtype: np.dtype[Any]) -> str:
    """Name a type without what a file format changes: the width of text, the order of bytes."""
    return "text" if dtype.kind in "UO" else dtype.newbyteorder("=").name


def _attribute_key(attribute: Any) -> Any:
    if isinstance(attribute, np.ndarray | np.generic):
        attribute = attribute.tolist()
    if isinstance(attribute, bool | dict):
        return json.dumps(attribute)
    if isinstance(attribute, list | tuple):
        # NetCDF makes a number of a list of one
        return list(attribute) if len(attribute) != 1 else attribute[0]
    return None if attribute == "null" else attribute


# cells ----------------------------------------------------------------------------------------------------------------


def _differing_cells(
    name: Any, left: xr.Dataset, right: xr.Dataset, places: Places, before: int
) -> Iterator[pl.DataFrame]:
    """List the cells that differ, part by part; `before` are those of other variables."""
    if name in places or name not in left.variables or name not in right.variables:
        return
    one, other = left.variables[name], right.variables[name]
    if set(one.dims) != set(other.dims):
        return
    dims: list[Any] = list(one.dims)
    at = [places[dim] for dim in dims]
    lengths = [len(first) for first, _ in at]
    wide = max(one.dtype.itemsize, other.dtype.itemsize)
    points = max(1, min(PART, memory_limit() // SHARE) // wide)
    for box in boxes(dict(zip(dims, lengths, strict=True)), [one, other], points):
        cuts = list(box.values())
        old, new = (
            np.asarray(variable.transpose(*dims)[tuple(of_part)].values)
            for variable, of_part in zip((one, other), _of_part(at, cuts), strict=True)
        )
        differ = np.atleast_1d(~((old == new) | ((old != old) & (new != new))))
        count = int(np.count_nonzero(differ))
        if not count:
            continue
        before += count
        _check_rows_fit("cells that differ, and more", before)
        cells = [index + part.start for index, part in zip(np.nonzero(differ), cuts, strict=False)]
        labels = _label_columns(left, dims, cells, places)
        yield _difference_rows(str(name), labels, np.atleast_1d(old)[differ], np.atleast_1d(new)[differ])


def _of_part(at: Sequence[tuple[Array, Array]], cuts: Sequence[slice]) -> tuple[list[Any], list[Any]]:
    """Return where a part of the cells lies in each of two cubes."""
    first, second = ([_as_slice(pair[side][cut]) for pair, cut in zip(at, cuts, strict=True)] for side in (0, 1))
    return first, second


def _as_slice(places: Array) -> Any:
    """Return consecutive places as a slice, which copies nothing and reads a file in one piece."""
    n = len(places)
    return slice(int(places[0]), int(places[0]) + n) if n and (np.diff(places) == 1).all() else places


def _label_columns(cube: xr.Dataset, dims: list[Any], cells: Sequence[Array], places: Places) -> pl.Series:
    """Return in words where cells lie: `platform TX2, batch 8`."""
    parts = []
    for dim, index in zip(dims, cells, strict=False):
        used, number = np.unique(places[dim][0][index], return_inverse=True)
        labels = cube[dim].values[used]
        words = np.array([f"{dim} {label}" for label in _as_list(labels)], dtype=object)
        parts.append(pl.Series(str(dim), words[number], dtype=pl.String))
    if not parts:
        return pl.Series("labels", [""], dtype=pl.String)
    return pl.DataFrame(parts).select(labels=pl.concat_str(pl.all(), separator=", "))["labels"]


def _difference_rows(name: str, labels: pl.Series, old: Array, new: Array) -> pl.DataFrame:
    numeric = old.dtype.kind in "iufb" and new.dtype.kind in "iufb"
    detail = labels
    if numeric:
        old, new = old.astype("f8"), new.astype("f8")
        with np.errstate(all="ignore"):
            ratio, largest = new / old, np.abs(new - old) / np.maximum(np.abs(old), np.abs(new))
    else:
        words = [f"{one!r} and {other!r}" for one, other in zip(_as_list(old), _as_list(new), strict=True)]
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
