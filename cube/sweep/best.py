"""Best and top: the winners of groups with their labels."""

from __future__ import annotations

from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.sweep import points
from roofcube.sweep.context import Asked, asked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from roofcube.sweep.sweep import Sweep
    from roofcube.sweep.where import Where

__all__ = ["group_indices", "groups_of", "kept_labels", "labelled", "over_groups", "top"]

Array = np.ndarray[Any, np.dtype[Any]]
FOUND = "found"


def group_indices(sweep: Sweep, found: Asked, per: Sequence[str]) -> tuple[list[Array], Array]:
    """Give, for each cell of the whole `per` dims, its index along each and the query's group (-1: cut away)."""
    sizes = [sweep.sizes[dim] for dim in per]
    cells = [index.ravel() for index in np.indices(sizes)] if per else [np.zeros(1, dtype=np.int64)]
    group = np.zeros(len(cells[0]), dtype=np.int64)
    kept = np.ones(len(cells[0]), dtype=bool)
    used = found.query.space.axes[: found.query.groups]
    inside = {}
    for dim, cell in zip(per, cells, strict=False):
        place = cell
        if dim in found.chosen:
            inverse = np.full(sweep.sizes[dim], -1, dtype=np.int64)
            inverse[found.chosen[dim]] = np.arange(len(found.chosen[dim]))
            place = inverse[cell]
            kept &= place >= 0
        inside[dim] = place
    for dim in used:
        group = group * found.length(dim) + np.maximum(inside[dim], 0)
    return cells if per else [], np.where(kept, group, -1)


def over_groups(sweep: Sweep, found: Asked, per: Sequence[str], values: Array, empty: Any) -> Array:
    """Spread one value a group over the whole `per` dims; `empty` where limits on labels left nothing."""
    _, group = group_indices(sweep, found, per)
    spread = values[np.maximum(group, 0)] if len(values) else np.full((len(group), *values.shape[1:]), empty)
    spread = np.where((group >= 0).reshape(-1, *[1] * (values.ndim - 1)), spread, empty)
    return spread.reshape([sweep.sizes[dim] for dim in per] + list(values.shape[1:]))


def kept_labels(result: xr.Dataset, found: Asked, per: Sequence[str]) -> xr.Dataset:
    """Leave only the labels of groups that limits on labels kept."""
    cut = {dim: found.chosen[dim] for dim in per if dim in found.chosen}
    return result.isel(cut) if cut else result


def labelled(sweep: Sweep, found: Asked, best: Any, per: Sequence[str]) -> xr.Dataset:
    """Label the winner of each group."""
    cells, group = group_indices(sweep, found, per)
    first = np.where(group >= 0, best.first[np.maximum(group, 0)], -1) if len(best.first) else np.full(len(group), -1)
    won = first >= 0
    indices = (
        found.indices(np.maximum(first, 0)) if found.query.space.size else [np.zeros_like(first)] * len(sweep.dims)
    )
    for dim, cell in zip(per, cells, strict=True):
        indices[sweep.dims.index(dim)] = cell
    values = points.values_at(sweep.model, sweep.whole, indices) if sweep.size else _nothing(sweep, len(first))
    coords = _winner_coords(sweep, indices, won, per)
    shape = [sweep.sizes[dim] for dim in per]
    everywhere = bool(won.all())
    arrays: dict[str, Array] = {}
    for name, array in values.items():
        if name in coords or name in sweep.model.coords:
            continue
        empty = -1 if array.dtype.kind == "i" else np.nan
        blank = array if everywhere else np.where(won, array, np.asarray(empty, dtype=array.dtype))
        arrays[name] = blank.reshape(shape)
    arrays[FOUND] = won.reshape(shape)
    return kept_labels(_framed(sweep, arrays, coords, tuple(per)), found, per)


def _framed(sweep: Sweep, arrays: dict[str, Array], coords: dict[str, xr.Variable], per: tuple[str, ...]) -> xr.Dataset:
    """Put winners into a Dataset; a sweep's next one takes its frame, because merging costs more than most searches."""
    if per not in sweep.frames:
        variables = {name: xr.Variable(per, array, _attributes(sweep, name)) for name, array in arrays.items()}
        sweep.frames[per] = xr.Dataset(variables, coords=coords, attrs=sweep.attrs)
    frame = sweep.frames[per]
    made = frame.copy(data={name: arrays[str(name)] for name in frame.data_vars})
    for name in coords:
        if name not in made.xindexes:
            made.variables[name].data = coords[name].values
    for name in points.FLAGS:
        if name in made:  # their attributes hold arrays, which a copy shares
            made.variables[name].attrs = _attributes(sweep, name)
    return made


def _attributes(sweep: Sweep, name: str) -> dict[str, Any]:
    told = {"long_name": "whether any point meets the limits"}
    return told if name == FOUND else points.attributes_of(sweep.model, name)


def _nothing(sweep: Sweep, n: int) -> dict[str, Array]:
    return {
        name: np.full(n, -1, dtype="i1") if name in points.FLAGS else np.full(n, np.nan, dtype=sweep.dtype)
        for name in sweep.model.outputs
    }


def _winner_coords(sweep: Sweep, indices: list[Array], won: Array, per: Sequence[str]) -> dict[str, xr.Variable]:
    """Read the winners' labels; the coordinates of the groups themselves stay as they are."""
    shape = tuple(sweep.sizes[dim] for dim in per)
    own = {name: array for name, array in sweep.model.coords.items() if set(array.dims) <= set(per) and array.ndim}
    coords = {str(name): array.variable.copy() for name, array in own.items()}
    read = points.coordinates_at(sweep.model, sweep.dims, indices, won.reshape(shape), tuple(per))
    return coords | {name: value for name, value in read.items() if name not in coords and name not in per}


def groups_of(sweep: Sweep, found: Asked, per: Sequence[str]) -> Iterator[tuple[int, dict[str, int]]]:
    """Go through the groups that limits on labels left: (group of the query, index along each dim)."""
    cells, group = group_indices(sweep, found, per)
    for row, number in enumerate(group.tolist()):
        if number >= 0:
            yield number, {dim: int(cell[row]) for dim, cell in zip(per, cells, strict=True)}


def top(sweep: Sweep, n: int, objective: tuple[str, int], per: Sequence[str], where: Where) -> xr.Dataset:
    """Find the n best points of each group."""
    found = asked(sweep.whole, sweep.model.outputs, where, objectives=[objective], per=per)
    engine = sweep._engine
    rows: list[tuple[int, ...]] = []
    if sweep.size and found.query.space.size:
        for number, place in groups_of(sweep, found, per):
            query = found.query.group(number)
            best = engine.top(query, n)
            inside = Asked(found.whole, query, found.chosen)
            fixed = {sweep.dims.index(dim): index for dim, index in place.items()}
            rows.extend(islice(_in_tie_order(inside, best, per, fixed), n))
            points.check_size(sweep.model, len(rows), "top")
    indices = [np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)]
    indices = indices or [np.zeros(0, dtype=np.int64)] * len(sweep.dims)
    return points.as_points(sweep.model, sweep.whole, indices, attrs=sweep.attrs)


def _in_tie_order(found: Asked, best: Any, per: Sequence[str], fixed: dict[int, int]) -> Iterator[tuple[int, ...]]:
    """Go through the full points of a top list, equal keys in dim order; made as they are asked for."""
    free = [axis for axis in found.free if axis not in per]
    lengths = [found.length(axis) for axis in free]
    places = [found.whole.axes.index(axis) for axis in free]
    columns = found.indices(best.index)
    for column, index in fixed.items():
        columns[column] = np.full(len(best.index), index)
    bases = list(zip(*(column.tolist() for column in columns), strict=True)) if columns else [()] * len(best.index)

    def copies(base: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        for inner in np.ndindex(*lengths):
            point = list(base)
            for axis, place, index in zip(free, places, inner, strict=True):
                point[place] = int(found.original(axis, np.array(index)))
            yield tuple(point)

    keys = best.key.tolist()
    start = 0
    while start < len(keys):
        stop = start
        while stop < len(keys) and keys[stop] == keys[start]:
            stop += 1
        yield from merge(*(copies(base) for base in bases[start:stop])) if free else bases[start:stop]
        start = stop
