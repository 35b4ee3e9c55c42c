"""Give points of a sweep their labels: every coordinate, every variable, values computed point by point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import xarray as xr

from roofcube.errors import MemoryLimitError
from roofcube.kernels.graph.program import PointReader
from roofcube.model.graph import LAYER
from roofcube.sweep.where import FLAGS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roofcube.kernels.graph.space import Space
    from roofcube.model.graph import Model

__all__ = [
    "FLAGS",
    "RESULT_LIMIT",
    "as_points",
    "attributes_of",
    "check_size",
    "coordinates_at",
    "flagged",
    "values_at",
]

Array = np.ndarray[Any, np.dtype[Any]]
RESULT_LIMIT = 50 * 10**6  # bytes of a reduction's result
CHUNK = 1 << 16  # points evaluated at a time, so that layers do not multiply the memory

_readers: WeakKeyDictionary[Space, PointReader] = WeakKeyDictionary()


def attributes_of(model: Model, name: str) -> dict[str, Any]:
    """Give the attributes of an output."""
    return {key: value for key, value in model.attributes(name).items() if key != "sense"}


def flagged(name: str, values: Array) -> Array:
    """Store flags as the small integers that they are."""
    return values.astype("i1") if name in FLAGS else values


def check_size(model: Model, points: int, what: str) -> None:
    """Raise where a table of points would be larger than a reduction may give."""
    width = 4 * len(model.outputs) + sum(
        coordinate.dtype.itemsize for coordinate in model.coords.values() if LAYER not in coordinate.dims
    )
    if points * width > RESULT_LIMIT:
        msg = (
            f"`{what}`: expected a result below {RESULT_LIMIT / 1e6:.0f} MB, got {points:,} points or "
            f'{points * width / 1e6:,.0f} MB; add limits with `where`, keep one of equal points with ties="first", or '
            "write the whole space with `to_zarr`"
        )
        raise MemoryLimitError(msg)


def values_at(model: Model, space: Space, indices: Sequence[Array]) -> dict[str, Array]:
    """Evaluate every output at points given by one index array a dim."""
    if not indices:
        values = space.at(indices, model.outputs)
        return {name: flagged(name, values[name]) for name in model.outputs}
    reader = _readers.get(space)
    if reader is None:
        reader = _readers[space] = PointReader(space, model.outputs)
    points = np.array(indices, dtype=np.int64)
    parts = [reader.at(points[:, start : start + CHUNK]) for start in range(0, max(points.shape[1], 1), CHUNK)]
    if len(parts) == 1:
        # a copy: what is the same at all points is still the table's own
        return {name: flagged(name, np.array(values[:, 0])) for name, values in parts[0].items()}
    return {name: flagged(name, np.concatenate([part[name][:, 0] for part in parts])) for name in model.outputs}


def coordinates_at(
    model: Model, dims: Sequence[str], indices: Sequence[Array], found: Array, to: tuple[str, ...]
) -> dict[str, xr.Variable]:
    """Read every coordinate at points; where a point was not found, its labels are empty."""
    places = dict(zip(dims, indices, strict=True))
    read: dict[str, xr.Variable] = {}
    for name, coordinate in model.coords.items():
        if LAYER in coordinate.dims:
            continue
        if coordinate.ndim == 0:
            read[str(name)] = coordinate.variable.copy()
            continue
        labels = model.label_arrays[str(name)]
        labels = labels if labels.size else np.zeros([1] * labels.ndim, dtype=labels.dtype)
        values = labels[tuple(places[str(dim)] for dim in coordinate.dims)]
        read[str(name)] = xr.Variable(to, _emptied(values.reshape(found.shape), found), coordinate.attrs)
    for dim in dims:
        if dim not in model.coords:
            own = _emptied(places[dim].reshape(found.shape), found)
            read[dim] = xr.Variable(to, own, {"long_name": f"index along {dim}"})
    return read


def _emptied(labels: Array, found: Array) -> Array:
    """Put an empty label where nothing was found: '' for text, NaN for numbers, NaT for times."""
    if found.all():
        return labels
    if labels.dtype.kind in "US":
        return np.where(found, labels, np.zeros((), dtype=labels.dtype))
    if labels.dtype.kind in "mM":
        return np.where(found, labels, np.array("NaT", dtype=labels.dtype))
    if labels.dtype.kind in "fiub":
        return np.where(found, labels.astype("f8"), np.nan)
    emptied = labels.astype(object)
    emptied[~found] = None
    return emptied


def as_points(
    model: Model,
    space: Space,
    indices: Sequence[Array],
    extra: Mapping[str, Any] | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Label points along a dim `point`."""
    values = values_at(model, space, indices)
    n = len(indices[0]) if indices else len(next(iter(values.values())))
    variables = {
        name: ("point", array, attributes_of(model, name)) for name, array in values.items() if name not in model.coords
    }
    coords = coordinates_at(model, space.axes, indices, np.ones(n, dtype=bool), ("point",))
    return xr.Dataset({**variables, **(extra or {})}, coords=coords, attrs=dict(attrs or {}))
