"""Return points their labels: every coordinate, every variable, values read or computed point by point."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.errors import MemoryLimitError
from roofcube.labels import dataset_of
from roofcube.options import fits_memory, megabytes, memory_limit
from roofcube.sweep.contexts.exact import is_exact
from roofcube.wording import noun_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roofcube.sweep.contexts.context import Context

__all__ = [
    "as_points",
    "check_result",
    "codes_at",
    "coordinates_at",
    "emptied",
    "empty_value",
]

Array = np.ndarray[Any, np.dtype[Any]]
WORK_BYTES = 150  # of a point, beside its values: its key, its indices along the dims, what orders them
COUNTS = ("n_rows", "n_ties", "count")


def check_result(context: Context, what: str, points: int, *, row_bytes: int | None = None) -> None:
    """Raise, before the work, where an answer would be larger than the memory limit."""
    size = points * (context.row_bytes + WORK_BYTES if row_bytes is None else row_bytes)
    if not fits_memory(size):
        limit = memory_limit()
        do = {
            "pareto": 'add limits with `where`, or keep one of equal points with ties="first"',
            "top": "ask for fewer points",
            "at": "give a table of fewer rows",
            "distance_to_front": "choose fewer labels with `isel` or `where`",
            "histogram": "take fewer bins" if points == 1 else "take fewer bins, or group by fewer dims",
        }.get(what, "group by fewer dims, or write the whole space with `to_zarr`")
        msg = (
            f"`{what}`: expected a result within {megabytes(limit)}, got {points:,} "
            f"{noun_of(points, 'point')}, {megabytes(size)}; {do}, or raise the limit with "
            "`roofcube.set_options(memory=...)`"
        )
        raise MemoryLimitError(msg)


# labels --------------------------------------------------------------------------------------------------------------


def coordinates_at(
    context: Context, indices: Sequence[Array], mask: Array, to: tuple[str, ...]
) -> dict[str, xr.Variable]:
    """Read every coordinate at points; where the mask does not hold, labels are empty."""
    index_of = dict(zip(context.dims, indices, strict=True))
    everywhere = bool(mask.all())
    read: dict[str, xr.Variable] = {}
    for name, coordinate in context.coords.items():
        if coordinate.ndim == 0:
            read[name] = coordinate.copy(data=context.label_arrays[name])
            continue
        labels = context.label_arrays[name]
        labels = labels if labels.size else np.zeros([max(1, length) for length in labels.shape], dtype=labels.dtype)
        values = labels[tuple(index_of[str(dim)] for dim in coordinate.dims)].reshape(mask.shape)
        shown = values if everywhere else emptied(values, mask)
        read[name] = xr.Variable(to, shown, dict(coordinate.attrs), fastpath=True)
    for dim in context.dims:
        if dim not in context.coords:
            values = index_of[dim].reshape(mask.shape)
            shown = values if everywhere else emptied(values, mask)
            read[dim] = xr.Variable(to, shown, {"long_name": f"index along {dim}"}, fastpath=True)
    return read


def emptied(labels: Array, mask: Array) -> Array:
    """Put an empty label where the mask does not hold: '' for text, NaN for numbers, NaT for times."""
    if labels.dtype.kind in "US":
        return np.where(mask, labels, np.zeros((), dtype=labels.dtype))
    if labels.dtype.kind in "mM":
        return np.where(mask, labels, np.array("NaT", dtype=labels.dtype))
    if labels.dtype.kind == "f":
        return np.where(mask, labels, np.array(np.nan, dtype=labels.dtype))
    if labels.dtype.kind in "iub" and is_exact(labels):
        return np.where(mask, labels.astype("f8"), np.nan)
    empty = labels.astype(object)
    empty[~mask] = _empty_object(labels)
    return empty


def _empty_object(values: Array) -> str | None:
    """Return what stands for no object: '' among text, as files give it, None among anything else."""
    return "" if all(isinstance(value, str) for value in values.ravel().tolist()) else None


def empty_value(name: str, values: Array, attributes: Mapping[str, Any]) -> Any:
    """Return what stands for no value: -1 for flags, 0 for counts and bits, NaN, NaT, '' or False for the others."""
    dtype = values.dtype
    if dtype.kind == "i" and name not in COUNTS and "flag_masks" not in attributes:
        return np.array(-1, dtype=dtype)
    if dtype.kind in "iub":
        return np.zeros((), dtype=dtype)
    if dtype.kind in "mM":
        return np.array("NaT", dtype=dtype)
    if dtype.kind in "US":
        return np.zeros((), dtype=dtype)
    return np.array(np.nan, dtype=dtype) if dtype.kind in "fc" else _empty_object(values)


def codes_at(
    context: Context,
    indices: Sequence[Array],
    won: Array,
    to: tuple[str, ...],
    *,
    taken: Mapping[str, Any],
    kept: Mapping[str, Array],
) -> dict[str, xr.Variable]:
    """Return a number with flag meanings for every text label that varies, so that winners can be drawn.

    `kept` are the labels of the groups that limits leave, by dim.
    """
    index_of = dict(zip(context.dims, indices, strict=True))
    coded = {}
    for name, (meanings, codes) in context.label_codes.items():
        dims, code = tuple(map(str, context.coords[name].dims)), f"{name}_code"
        if name in to or not codes.size or code in taken or context.native(code) is not None:
            continue
        described = {
            "long_name": f"number of the {name}",
            "units": "1",
            "flag_values": np.arange(len(meanings), dtype="i4"),
            "flag_meanings": " ".join("_".join(meaning.split()) or "_" for meaning in meanings),
        }
        if set(dims) <= set(to):  # of the groups themselves
            own = xr.Variable(dims, codes.copy(), described, fastpath=True)
            coded[code] = own.isel(kept, missing_dims="ignore") if kept else own
            continue
        values = codes[tuple(index_of[dim] for dim in dims)].reshape(won.shape)
        coded[code] = xr.Variable(to, np.where(won, values, np.int32(-1)), described, fastpath=True)
    return coded


def as_points(
    context: Context,
    indices: Sequence[Array],
    extra: Mapping[str, xr.Variable] | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Label points along a dim `point`."""
    n = len(indices[0]) if indices else 1
    values = context.at(indices) if n and context.size else context.nothing(n)
    variables = {
        name: xr.Variable("point", array, dict(context.attributes(name)), fastpath=True)
        for name, array in values.items()
        if name not in context.coords
    }
    coords = coordinates_at(context, indices, np.ones(n, dtype=bool), ("point",))
    return dataset_of({**variables, **(extra or {})}, coords, attrs or {})


def cells_of(sizes: Mapping[str, int], dims: Sequence[str]) -> int:
    """Count the cells over some dims."""
    return prod(sizes[dim] for dim in dims)
