"""Best and top: the winners of groups with their labels."""

from __future__ import annotations

from heapq import merge
from itertools import islice, product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError
from roofcube.labels import dataset_of
from roofcube.sweep.answers import points
from roofcube.sweep.answers.leading import parts_of
from roofcube.sweep.contexts.context import AT, FOUND, added_names, check_names, names_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from roofcube.sweep.contexts.context import BoundQuery, Context, Grouping, Names
    from roofcube.sweep.contexts.where import Where

__all__ = [
    "best",
    "group_indices",
    "group_order",
    "groups_of",
    "kept_labels",
    "labels_of_groups",
    "narrowings",
    "over_groups",
    "own_coords",
    "stacked",
    "top",
]

Array = np.ndarray[Any, np.dtype[Any]]
LISTED = 64  # times n: points with their copies that are sorted at once; beyond, they are merged one by one


def best(
    context: Context, objective: str, *, per: Names, where: Any, sense: str | None, question: str = "best"
) -> xr.Dataset:
    """Find and label the winner of each group; a result too large is told as that of the `question`."""
    goal = (objective, context.sign(objective, sense))
    check_names(context, [*context.names, *context.dims], {"found": (FOUND, AT)}, [objective])
    attrs = {**context.attrs, "objective": f"{objective}:{'max' if goal[1] > 0 else 'min'}"}
    read = context.where(where)

    def ask(dims: list[str], limits: Where) -> xr.Dataset:
        points.check_result(context, question, points.cells_of(context.sizes, dims))
        bound = context.query(limits, objectives=context.compared((goal,)), per=dims)
        return _labelled(context, bound, context.engine(bound.query).best(bound.query), dims, attrs, bool(per))

    return stacked(context, per, read, ask, goal)


def stacked(context: Context, per: Names, where: Where, ask: Any, goal: tuple[str, int] | None = None) -> xr.Dataset:
    """Ask for each label of the coordinates to group by, and lay the answers out along them, in the order asked.

    With a goal, which is that of the best, many labels of the leading dim are asked for at once.
    """
    dims, groupings = context.per(per, where)
    if not groupings:
        return ask(dims, where)  # type: ignore[no-any-return]
    # without a group, an answer tells what its variables would be
    parts = parts_of(context, groupings, dims, where, ask, goal) if goal else None
    if parts is None:
        parts = [ask(dims, narrowed) for _, narrowed in narrowings(groupings, where)] or [ask(dims, where)]
    lengths = tuple(len(grouping.labels) for grouping in groupings)
    names = tuple(grouping.name for grouping in groupings)
    ordered = [name for name in names_of(per) if name in (*names, *dims)]
    codes = {f"{name}_code" for name in names}  # of labels that are those of the groups
    variables = {}
    for name, first in parts[0].variables.items():
        if name in names or (name in codes and name not in context.coords):
            continue
        if _is_shared(context, str(name), first, dims, name in parts[0].coords):
            variables[name] = first
            continue
        values = np.stack([part.variables[name].values for part in parts])[: prod(lengths)]
        laid = xr.Variable((*names, *first.dims), values.reshape(*lengths, *values.shape[1:]), first.attrs)
        variables[name] = laid.transpose(*ordered, ...)
    for grouping in groupings:
        variables[grouping.name] = xr.Variable(grouping.name, grouping.labels, context.coords[grouping.name].attrs)
    coords = {name: variable for name, variable in variables.items() if name in parts[0].coords or name in names}
    data = {str(name): variable for name, variable in variables.items() if name not in coords}
    return dataset_of(data, {str(name): variable for name, variable in coords.items()}, parts[0].attrs)


def _is_shared(context: Context, name: str, variable: xr.Variable, dims: Sequence[str], is_coord: bool) -> bool:
    """Check whether a coordinate is the same for every group: it labels a dim of the answer, or the whole cube."""
    if not is_coord:
        return False
    if name in dims:
        return True
    if name in context.coords:
        return set(context.coords[name].dims) <= set(dims)
    if name.removesuffix("_code") in own_coords(context, dims):
        return True
    return bool(variable.dims) and not set(variable.dims) <= set(dims)


def narrowings(groupings: Sequence[Grouping], where: Where) -> Iterator[tuple[tuple[int, ...], Where]]:
    """Go through the labels of coordinates: their numbers, and the limits that leave only them."""
    for numbers in product(*(range(len(grouping.labels)) for grouping in groupings)):
        cuts = [(grouping.dim, grouping.indices[k]) for grouping, k in zip(groupings, numbers, strict=True)]
        yield numbers, where.narrowed(cuts)


def group_order(
    context: Context, per: Names, groupings: Sequence[Grouping], numbers: Sequence[tuple[int, ...]], indices: Any
) -> Array | None:
    """Order points found label by label of coordinates by groups as they were asked for; None where they are so.

    Parameters
    ----------
    numbers : sequence of tuple
        Of each point, the number of its label of each coordinate to group by.
    indices : sequence of array
        Of the points along each dim.
    """
    asked = names_of(per)
    places = {grouping.name: place for place, grouping in enumerate(groupings)}
    if not places or not any(name in context.dims for name in asked[: max(map(asked.index, places))]):
        return None
    table = np.array(numbers, dtype=np.int64).reshape(-1, len(places))
    keys = [
        table[:, places[name]] if name in places else indices[context.dims.index(name)]
        for name in asked
        if name in places or name in context.dims
    ]
    return np.lexsort(keys[::-1])


def group_indices(context: Context, bound: BoundQuery, per: Sequence[str]) -> tuple[list[Array], Array]:
    """Give, for each cell of the whole `per` dims, its index along each and the query's group (-1: cut away)."""
    if not per:
        return [], np.zeros(1, dtype=np.int64)
    sizes = [context.sizes[dim] for dim in per]
    cells = [index.ravel() for index in np.indices(sizes)]
    group = np.zeros(len(cells[0]), dtype=np.int64)
    inside_all = np.ones(len(cells[0]), dtype=bool)
    inside = {}
    for dim, cell in zip(per, cells, strict=True):
        index = cell
        if dim in bound.kept:
            inverse = np.full(context.sizes[dim], -1, dtype=np.int64)
            inverse[bound.kept[dim]] = np.arange(len(bound.kept[dim]))
            index = inverse[cell]
            inside_all &= index >= 0
        inside[dim] = index
    for dim in bound.query.space.axes[: bound.query.groups]:
        group = group * bound.length(dim) + np.maximum(inside[dim], 0)
    return cells, np.where(inside_all, group, -1)


def over_groups(context: Context, bound: BoundQuery, per: Sequence[str], values: Array, empty: Any) -> Array:
    """Spread one value a group over the whole `per` dims; `empty` where limits on labels left nothing."""
    _, group = group_indices(context, bound, per)
    spread = values[np.maximum(group, 0)] if len(values) else np.full((len(group), *values.shape[1:]), empty)
    spread = np.where((group >= 0).reshape(-1, *[1] * (values.ndim - 1)), spread, empty)
    return spread.reshape([context.sizes[dim] for dim in per] + list(values.shape[1:]))


def kept_labels(result: xr.Dataset, bound: BoundQuery, per: Sequence[str]) -> xr.Dataset:
    """Leave only the labels of groups that limits on labels kept."""
    cut = {dim: bound.kept[dim] for dim in per if dim in bound.kept}
    return result.isel(cut).assign_coords(_indices_kept(result.coords, cut)) if cut else result


def _indices_kept(labelled: Iterable[Any], cut: Mapping[str, Array]) -> dict[str, xr.Variable]:
    """Return the place that what is left along dims without labels had before limits on other labels cut it."""
    return {
        dim: xr.Variable(dim, kept, {"long_name": f"index along {dim}"})
        for dim, kept in cut.items()
        if dim not in labelled
    }


def own_coords(context: Context, per: Sequence[str]) -> dict[str, xr.Variable]:
    """Return the coordinates of groups: those over nothing but the dims to group by."""
    return {
        # a lazy one is read, of another a later write into the answer changes only the answer
        name: one if isinstance(one, xr.IndexVariable) else _own(one, context.label_arrays[name])
        for name, one in context.coords.items()
        if one.ndim and set(one.dims) <= set(per)
    }


def _own(coordinate: xr.Variable, values: Array) -> xr.Variable:
    # `copy(data=...)` asks whether the values are dask's, and so imports it
    attrs, encoding = dict(coordinate.attrs), dict(coordinate.encoding)
    return xr.Variable(coordinate.dims, values.copy(), attrs, encoding, fastpath=True)


def _labelled(
    context: Context, bound: BoundQuery, winners: Any, per: Sequence[str], attrs: dict[str, Any], coded: bool
) -> xr.Dataset:
    """Label the winner of each group."""
    cells, group = group_indices(context, bound, per)
    left = group >= 0
    cells, group = [cell[left] for cell in cells], group[left]
    first = winners.first[group] if len(winners.first) else np.full(len(group), -1)
    won = first >= 0
    everywhere = bool(won.all())
    indices = (
        bound.indices(first if everywhere else np.maximum(first, 0))
        if bound.query.space.size
        else [np.zeros_like(first)] * len(context.dims)
    )
    for dim, cell in zip(per, cells, strict=True):
        indices[context.dims.index(dim)] = cell
    values = context.at(indices) if context.size and len(first) else context.nothing(len(first))
    dims, shape = tuple(per), tuple(bound.length(dim) for dim in per)
    kept = {dim: bound.kept[dim] for dim in per if dim in bound.kept}
    own = own_coords(context, per)
    if kept:  # xarray's `isel` asks whether an array is dask's, and so imports it
        own = {name: one.isel(kept, missing_dims="ignore") for name, one in own.items()}
        own |= _indices_kept(context.coords, kept)
    read = points.coordinates_at(context, indices, won.reshape(shape), dims)
    coords = own | {name: value for name, value in read.items() if name not in own and name not in per}
    if coded:
        coords |= points.codes_at(context, indices, won.reshape(shape), dims, taken=coords, kept=kept)
    variables: dict[str, xr.Variable] = {}
    for name, array in values.items():
        if name in coords:
            continue
        described = dict(context.attributes(name))
        if not everywhere:
            array = np.where(won, array, points.empty_value(name, array, described))
        variables[name] = xr.Variable(dims, array.reshape(shape), described, fastpath=True)
    variables["found"] = xr.Variable(dims, won.reshape(shape), {"long_name": FOUND}, fastpath=True)
    return dataset_of(variables, coords, attrs)


def labels_of_groups(context: Context, per: Names) -> list[str]:
    """Name the coordinates of an answer over groups alone."""
    dims, groupings = context.per(per)
    own = [name for name, one in context.coords.items() if one.ndim and set(one.dims) <= set(dims)]
    return [*own, *(grouping.name for grouping in groupings), *(dim for dim in dims if dim not in own)]


def groups_of(context: Context, bound: BoundQuery, per: Sequence[str]) -> Iterator[tuple[int, dict[str, int]]]:
    """Go through the groups that limits on labels left: (group of the query, index along each dim)."""
    cells, group = group_indices(context, bound, per)
    for row, number in enumerate(group.tolist()):
        if number >= 0:
            yield number, {dim: int(cell[row]) for dim, cell in zip(per, cells, strict=True)}


def top(context: Context, n: int, objective: str, *, per: Names, where: Any, sense: str | None) -> xr.Dataset:
    """Find the n best points of each group, group after group."""
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        msg = f"`n`: expected a whole number of at least 1, got {n!r}; ask for one point or more"
        raise InvalidDataError(msg)
    goal = (objective, context.sign(objective, sense))
    check_names(context, [*context.names, *context.dims], added_names(context, {}))
    read = context.where(where)
    dims, groupings = context.per(per, read)
    points.check_result(context, "top", min(int(n) * points.cells_of(context.sizes, dims), context.size))
    parts = [
        (numbers, part)
        for numbers, narrowed in narrowings(groupings, read)
        for part in _top_of_groups(context, int(n), goal, dims, narrowed)
    ]
    none = [np.zeros(0, dtype=np.int64)] * len(context.dims)
    columns = (part for _, part in parts)
    indices = [np.concatenate(column) for column in zip(none, *columns, strict=True)] if context.dims else none
    numbers = [numbers for numbers, part in parts for _ in range(len(part[0]) if part else 0)]
    order = group_order(context, per, groupings, numbers, indices)
    if order is not None:
        indices = [column[order] for column in indices]
    if not context.dims:
        whole = points.as_points(context, [], attrs=context.attrs)
        return whole if parts else whole.isel(point=slice(0, 0))
    return points.as_points(context, indices, attrs=context.attrs)


def _top_of_groups(
    context: Context, n: int, goal: tuple[str, int], per: Sequence[str], where: Where
) -> Iterator[list[Array]]:
    bound = context.query(where, objectives=context.compared((goal,)), per=per)
    if not context.size or not bound.query.space.size:
        return
    for number, index in groups_of(context, bound, per):
        inside = bound.group(number)
        winners = context.engine(inside.query).top(inside.query, n)
        if len(winners.index):
            yield _in_tie_order(context, inside, winners, n, per, index)


def _in_tie_order(
    context: Context, bound: BoundQuery, winners: Any, n: int, per: Sequence[str], index: dict[str, int]
) -> list[Array]:
    """Return the points of a top list, equal keys in dim order; each stands for every index along the free axes."""
    free = [axis for axis in bound.free if axis not in per]
    if not free or all(bound.length(axis) == 1 for axis in free):
        indices, _ = bound.expanded(winners.index, np.arange(len(winners.index)), list(per))
        columns = [column[:n] for column in indices]
    else:
        columns = _first_of_ties(context, bound, winners, n, free, list(per))
    for dim, one in index.items():
        columns[context.dims.index(dim)] = np.full(len(columns[0]), one, dtype=np.int64)
    return columns


def _first_of_ties(
    context: Context, bound: BoundQuery, winners: Any, n: int, free: list[str], per: list[str]
) -> list[Array]:
    """Return the first n full points of a top list."""
    copies = prod(bound.length(axis) for axis in free)
    enough = min(len(winners.key), -(-n // copies))
    if enough:  # and those of the same key
        enough = int(np.searchsorted(-winners.key, -winners.key[enough - 1], side="right"))
    if enough * copies <= LISTED * n + LISTED:
        indices, number = bound.expanded(winners.index[:enough], np.arange(enough), per)
        order = np.lexsort((*reversed(indices), -winners.key[number]))[:n]
        return [column[order] for column in indices]
    rows = list(islice(_tied(context, bound, winners, free), n))
    columns = [np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)]
    return columns or [np.zeros(0, dtype=np.int64)] * len(context.dims)


def _tied(context: Context, bound: BoundQuery, winners: Any, free: list[str]) -> Iterator[tuple[int, ...]]:
    """Go through full points, equal keys in dim order; made as they are asked for."""
    lengths = [bound.length(axis) for axis in free]
    axes = [context.dims.index(axis) for axis in free]
    bases = list(zip(*(column.tolist() for column in bound.indices(winners.index)), strict=True))

    def copies(base: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        for inner in np.ndindex(*lengths):
            point = list(base)
            for axis, column, one in zip(free, axes, inner, strict=True):
                point[column] = int(bound.original(axis, np.array(one)))
            yield tuple(point)

    keys = winners.key.tolist()
    start = 0
    while start < len(keys):
        stop = start
        while stop < len(keys) and keys[stop] == keys[start]:
            stop += 1
        yield from merge(*(copies(base) for base in bases[start:stop]))
        start = stop
