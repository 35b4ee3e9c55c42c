"""Fronts: non-dominated points with labels, ties and an account of what was removed."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr

from roofcube.datasets.quantities import UNITS, factor_of
from roofcube.errors import InvalidDataError, check_choice, check_kind
from roofcube.kernels.engine.arrays import ArrayEngine
from roofcube.kernels.pareto.front import front_with_ties, order_of_front
from roofcube.kernels.pareto.near.near_front import distance_to_front, epsilon_front
from roofcube.labels import labelled
from roofcube.sweep.answers import points
from roofcube.sweep.answers.best import group_order, groups_of, narrowings
from roofcube.sweep.answers.probability import WORDS, check_intervals, probabilities
from roofcube.sweep.contexts.context import added_names, check_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from roofcube.sweep.contexts.context import BoundQuery, Context, Names, Objectives
    from roofcube.sweep.contexts.where import Where

__all__ = ["check_truth", "distance", "pareto"]

Array = np.ndarray[Any, np.dtype[Any]]
TIES = {"units": "1", "long_name": "points with the same objectives, this one included"}


class Part(NamedTuple):
    """Some points of an answer.

    Attributes
    ----------
    indices : list of array
        Along each dim.
    n_ties : array
        How many points have the same objectives.
    missing : dict, optional
        How many points lack each objective, where that was seen on the way.
    """

    indices: list[Array]
    n_ties: Array
    missing: dict[str, int] | None = None


def pareto(
    context: Context,
    objectives: Any,
    *,
    where: Any,
    per: Names,
    ties: str,
    probability: bool = False,
    epsilon: float | None = None,
) -> xr.Dataset:
    """Find and label the front of each group."""
    check_truth("probability", probability)
    check_choice("ties", ties, ("all", "first"))
    goals = context.objectives(objectives)
    added = {"n_ties": (TIES["long_name"],)} | {name: (text,) for name, text in WORDS.items() if probability}
    check_names(context, [*context.names, *context.dims], added_names(context, added), [name for name, _ in goals])
    read = context.where(where)
    context.check_countable(read)
    dims, groupings = context.per(per, read)
    if probability:
        check_intervals(list(context.outputs))
    if epsilon is not None:
        _check_epsilon(epsilon, dims, groupings)
        for name, _ in goals:
            context.output("objectives", name)
    parts: list[Part] = []
    numbers: list[tuple[int, ...]] = []
    chances: list[dict[str, xr.Variable]] = []
    for labels, narrowed in narrowings(groupings, read):
        before = len(parts)
        for part in _fronts(context, goals, dims, narrowed, ties, epsilon):
            parts.append(part)
            numbers += [labels] * len(part.n_ties) if groupings else []
            points.check_result(context, "pareto", sum(len(one.n_ties) for one in parts))
        if probability:
            chances.append(probabilities(context, goals, narrowed, dims, _indices_of(context, parts[before:])))
    indices = _indices_of(context, parts)
    if len(parts) == 1:
        n_ties = parts[0].n_ties
    else:
        n_ties = np.concatenate([np.zeros(0, dtype=np.int64), *(part.n_ties for part in parts)])
    order = group_order(context, per, groupings, numbers, indices)
    if order is not None:
        indices, n_ties = [column[order] for column in indices], n_ties[order]
    attrs = context.attrs | {"objectives": " ".join(f"{name}:{_sense(sign)}" for name, sign in goals)}
    attrs |= context.removed(goals, read, parts[0].missing if len(parts) == 1 and not dims and not groupings else None)
    front = (
        points.as_points(context, indices, {"n_ties": xr.Variable("point", n_ties, TIES, fastpath=True)}, attrs)
        if len(n_ties) or context.dims
        else _no_point(context, attrs)
    )
    if not probability:
        return front
    chances = chances or [probabilities(context, goals, read, dims, indices)]
    joined = {name: np.concatenate([one[name].values for one in chances]) for name in WORDS}
    joined = {name: values[: front.sizes["point"]] for name, values in joined.items()}  # without dims it may be out
    return front.assign(
        {
            name: ("point", values if order is None else values[order], chances[0][name].attrs)
            for name, values in joined.items()
        }
    )


def check_truth(what: str, value: Any) -> None:
    """Raise unless `value` is True or False: 1 or text would pass for them in one place and not in another."""
    if not isinstance(value, bool | np.bool_):
        msg = f"`{what}`: expected True or False, got {value!r:.60}; write {what}=True, or leave it out"
        raise InvalidDataError(msg)


def _indices_of(context: Context, parts: Sequence[Part]) -> list[Array]:
    """Return where the points of parts lie along each dim."""
    if len(parts) == 1:
        return parts[0].indices
    none = [np.zeros(0, dtype=np.int64)] * len(context.dims)
    return [np.concatenate(columns) for columns in zip(none, *(part.indices for part in parts), strict=True)]


def _no_point(context: Context, attrs: dict[str, Any]) -> xr.Dataset:
    """Return the empty front of a space without dims, whose only point is out."""
    whole = points.as_points(context, [], {"n_ties": xr.Variable("point", np.ones(1, dtype=np.int64), TIES)}, attrs)
    return whole.isel(point=slice(0, 0))


def _sense(sign: int) -> str:
    return "max" if sign > 0 else "min"


def _fronts(
    context: Context, goals: Objectives, per: Sequence[str], where: Where, ties: str, epsilon: float | None
) -> Iterator[Part]:
    """Go through the fronts of the groups that limits on labels left."""
    bound = context.query(where, objectives=goals if epsilon is not None else context.compared(goals), per=per)
    if not context.size or not bound.query.space.size:
        return
    engine = context.engine(bound.query)
    if epsilon is not None:
        yield _near_front(context, bound, epsilon, ties)
        return
    if per and hasattr(engine, "grouped_front") and engine.fits(bound.query):
        yield _fronts_at_once(context, bound, engine, per, ties)
        return
    for number, index in groups_of(context, bound, per):
        yield _front(context, bound.group(number), [name for name, _ in goals], index, ties)


def _front(context: Context, bound: BoundQuery, goals: list[str], index: dict[str, int], ties: str) -> Part:
    """Return the points of one group's front, best first, and the number of points tied with each."""
    query = bound.query
    front_found = context.engine(query).front(query)
    front = front_found.partial
    if ties == "first":
        points.check_result(context, "pareto", len(front.first))
        flat, number = front.first, np.arange(len(front.first))
        indices = bound.indices(flat)
    else:
        points.check_result(context, "pareto", int(front.ties.sum()) * query.copies)
        if (front.ties == 1).all():
            flat, number = front.first, np.arange(len(front.first))
        else:
            flat, number = front_found.members()
        indices, number = bound.expanded(flat, number, list(index))
    for dim, one in index.items():
        indices[context.dims.index(dim)] = np.full(len(number), one, dtype=np.int64)
    order = _best_first(front.vectors[number, 0], flat, indices)
    missing = None
    if front_found.missing is not None:
        counts = (front_found.missing * query.copies).tolist()
        missing = dict(zip(goals, counts, strict=True))
    return Part([column[order] for column in indices], (front.ties * query.copies)[number][order], missing)


def _best_first(costs: Array, flat: Array, indices: Sequence[Array]) -> Array:
    """Order points by their first cost, equal ones in dim order."""
    if len(flat) == len(costs) and bool((flat[1:] > flat[:-1]).all()):
        return order_of_front(costs)
    return np.lexsort((*reversed(indices), costs))


def _fronts_at_once(context: Context, bound: BoundQuery, engine: Any, per: Sequence[str], ties: str) -> Part:
    """Return the fronts of all groups of stored values, group after group."""
    query = bound.query
    flat, n_ties, costs = engine.grouped_front(query, ties)
    points.check_result(context, "pareto", len(flat) * (1 if ties == "first" else query.copies))
    number = np.arange(len(flat))
    if ties == "all":
        indices, number = bound.expanded(flat, number, list(per))
    else:
        indices = bound.indices(flat)
    group = np.zeros(len(number), dtype=np.int64)
    for dim in per:
        group = group * context.sizes[dim] + indices[context.dims.index(dim)]
    missing = [dim for dim in per if dim not in query.space.axes and bound.length(dim) > 1]
    order = np.lexsort((*reversed(indices), costs[number], group))
    part = Part([column[order] for column in indices], (n_ties * query.copies)[number][order])
    return _repeated_groups(context, bound, part, per, missing) if missing else part


def _repeated_groups(
    context: Context, bound: BoundQuery, part: Part, per: Sequence[str], missing: Sequence[str]
) -> Part:
    """Repeat fronts along the dims to group by that nothing depends on."""
    indices, n_ties = part.indices, part.n_ties
    for dim in missing:
        length = bound.length(dim)
        labels = bound.original(dim, np.arange(length))
        indices = [np.tile(column, length) for column in indices]
        indices[context.dims.index(dim)] = np.repeat(labels, len(n_ties))
        n_ties = np.tile(n_ties, length)
    group = np.zeros(len(n_ties), dtype=np.int64)
    for dim in per:
        group = group * context.sizes[dim] + indices[context.dims.index(dim)]
    order = np.argsort(group, kind="stable")
    return Part([column[order] for column in indices], n_ties[order])


# how near to a front -------------------------------------------------------------------------------------------------


def _check_epsilon(epsilon: Any, per: Sequence[str], groupings: Sequence[Any]) -> None:
    if per or groupings:
        msg = "`per`: expected none with `epsilon`, got groups; ask for each group with `where`"
        raise InvalidDataError(msg)
    if not 0 <= _as_share(epsilon) < np.inf:
        msg = f"`epsilon`: expected a finite number of at least 0, got {epsilon!r}; give a share such as 0.05"
        raise InvalidDataError(msg)


def _as_share(epsilon: Any) -> float:
    """Return a real number as Python's; NaN for what is none."""
    if isinstance(epsilon, bool) or not isinstance(epsilon, int | float | np.integer | np.floating):
        return np.nan
    try:
        return float(epsilon)
    except OverflowError:
        return np.inf


def _costs(context: Context, bound: BoundQuery) -> tuple[Array, tuple[Array, ...]]:
    """Return the flat indices of a query's valid points and their costs, a column an objective."""
    query = bound.query
    engine = context.engine(query)
    parts = list((engine if hasattr(engine, "points") else ArrayEngine()).points(query))
    none = [np.zeros(0, dtype=query.space.dtype) for _ in query.objectives]
    flat = np.concatenate([np.zeros(0, dtype=np.int64), *(part for part, _ in parts)])
    columns = [np.concatenate(column) for column in zip(*(part for _, part in parts), strict=True)] or none
    signs = (column.dtype.type(-sign) for column, (_, sign) in zip(columns, query.objectives, strict=True))
    order = slice(None) if (flat[1:] > flat[:-1]).all() else np.argsort(flat)  # blocks come in another order
    return flat[order], tuple(column[order] * sign for column, sign in zip(columns, signs, strict=True))


def _near_front(context: Context, bound: BoundQuery, epsilon: float, ties: str) -> Part:
    """Return the points that are on the front, or would be if they were better by a share in every objective."""
    flat, costs = _costs(context, bound)
    chosen = np.flatnonzero(epsilon_front(costs, float(epsilon)))
    kept = tuple(column[chosen] for column in costs)
    first, n_ties = equal_points(kept)
    if ties == "first":
        chosen, n_ties = chosen[first], n_ties[first]
        kept = tuple(column[first] for column in kept)
    number = np.arange(len(chosen))
    if ties == "all":
        indices, number = bound.expanded(flat[chosen], number)
    else:
        indices = bound.indices(flat[chosen])
    order = _best_first(kept[0][number], flat[chosen], indices)
    return Part([column[order] for column in indices], (n_ties * bound.query.copies)[number][order])


def equal_points(columns: tuple[Array, ...]) -> tuple[Array, Array]:
    """Mark the first of each set of equal points, and count the equals of each."""
    if not len(columns[0]):
        return np.zeros(0, dtype=bool), np.zeros(0, dtype=np.int64)
    _, start, number, counts = np.unique(
        np.stack(columns, axis=1) + 0.0, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    first = np.zeros(len(columns[0]), dtype=bool)
    first[start] = True
    return first, counts[number.reshape(-1)]


def _check_units(context: Context, front: xr.Dataset, goals: Objectives) -> None:
    """Raise where a front says that an objective is in another unit than the cube's."""
    for name, _ in goals:
        own, unit = (str(attrs.get("units", "")) for attrs in (context.attributes(name), front[name].attrs))
        factors = [(factor_of(one, own), factor_of(one, unit)) for one in UNITS]
        factor = next((other / one for one, other in factors if one and other), None)
        if own and unit and own != unit and factor != 1.0:
            converted = f"(front[{name!r}] * {factor:g}).assign_attrs(units={own!r})" if factor else "the objective"
            msg = f"`front`: expected {name} in {own}, as the cube has it, got {unit!r}; convert {converted}"
            raise InvalidDataError(msg)


def _by_label(context: Context, front: xr.Dataset, goals: Objectives) -> tuple[Array, ...]:
    """Return what each point of a front costs, paired by its labels, whatever the order and the dims of objectives."""
    sizes = {dim: front.sizes[dim] for name, _ in goals for dim in front[name].dims}
    points.check_result(context, "distance_to_front", prod(sizes.values()), row_bytes=8 * len(goals))
    arrays = xr.broadcast(*(front[name] for name, _ in goals))
    return tuple(
        array.values.ravel().astype("f8") * float(-sign) for array, (_, sign) in zip(arrays, goals, strict=True)
    )


def _dims_asked(context: Context, bound: BoundQuery, names: Sequence[str]) -> list[str]:
    """Return the dims of a query, and those of one label that variables have and that play no role in it."""
    variables = [variable for name in names if name in context.names and (variable := context.native(name)) is not None]
    own = {*bound.query.space.axes, *(dim for variable in variables for dim in variable.dims)}
    return [dim for dim in context.dims if dim in own]


def distance(
    context: Context, objectives: Any, *, front: xr.Dataset | None, where: Any, relative: bool
) -> xr.DataArray:
    """Measure the distance of every point of a stored cube from a front."""
    check_truth("relative", relative)
    goals = context.objectives(objectives)
    for name, _ in goals:
        context.output("objectives", name)
    read = context.where(where)
    bound = context.query(read, objectives=goals)
    query = bound.query
    points.check_result(context, "distance_to_front", query.space.size, row_bytes=8 * (len(goals) + 1))
    flat, costs = _costs(context, bound)
    if front is None:
        best = tuple(column[front_with_ties(costs, ties="first")[0]] for column in costs)
    else:
        check_kind("front", front, xr.Dataset, do="use `roofcube.pareto`")
        missing = [name for name, _ in goals if name not in front or front[name].dtype.kind not in "fiub"]
        if missing:
            msg = f"`front`: expected the objectives as variables, got no {missing[0]!r}; use `roofcube.pareto`"
            raise InvalidDataError(msg)
        _check_units(context, front, goals)
        best = _by_label(context, front, goals)
    values = np.full(query.space.size, np.nan)
    values[flat] = distance_to_front(costs, best, relative=relative)
    dims = _dims_asked(context, bound, [*(name for name, _ in goals), *read.by_limit])
    described = {
        "units": "1" if relative else "",
        "long_name": "improvement in every objective that would reach the front",
        "objectives": " ".join(f"{name}:{_sense(sign)}" for name, sign in goals),
    }
    coords = {
        name: one.isel({dim: bound.kept[str(dim)] for dim in one.dims if dim in bound.kept})
        for name, one in context.coords.items()
        if set(one.dims) <= set(dims)
    }
    values = values.reshape([bound.length(dim) for dim in dims])
    return xr.DataArray(labelled(dims, values, described), coords=coords, name="distance_to_front")
