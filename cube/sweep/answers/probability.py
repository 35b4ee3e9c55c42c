"""How probable it is that a point is on a front, or meets a limit, given the intervals of a calibration."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError, MemoryLimitError, MissingInputError
from roofcube.kernels.pareto.front import non_dominated_by_group
from roofcube.labels import ASSUMPTIONS
from roofcube.sweep.contexts.exact import compared_as_stored
from roofcube.sweep.contexts.stored import StoredContext
from roofcube.sweep.contexts.streamed import StreamedQuery
from roofcube.vocabulary import CONFIGURATION
from roofcube.wording import said_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from roofcube.kernels.query.query import Limit
    from roofcube.sweep.contexts.context import BoundQuery, Context, Objectives
    from roofcube.sweep.contexts.where import Where

__all__ = ["HIGH", "LOW", "SCALES", "WORDS", "check_intervals", "draw_front", "probabilities"]

Array = np.ndarray[Any, np.dtype[Any]]
DRAWS = 400
Z_90 = 1.6448536269514722  # half-width of a central 90 % interval of the normal distribution, in deviations
LOW, HIGH = "predicted_throughput_low", "predicted_throughput_high"
# how an error of the predicted throughput carries over: log(value) moves by this times log(throughput)
SCALES = {"predicted_throughput": 1.0, "predicted_latency": -1.0, "predicted_energy": -1.0}
# errors are shared by all points of a configuration, such as its batches and the shops that sell it, and independent
# between configurations
SHARED = ("batch",)
APART = (*CONFIGURATION, ASSUMPTIONS)
WORDS = {
    "probability_on_front": "probability of being on the front",
    "probability_meets_limits": "probability of meeting every limit",
}


def check_intervals(names: Sequence[str]) -> None:
    """Raise where a cube has no intervals."""
    for name in (LOW, HIGH):
        if name not in names:
            msg = (
                f"`{name}`: probabilities need the intervals of a calibration and the cube lacks them; use "
                "predict(inputs, assumptions=calibration)"
            )
            raise MissingInputError(msg)


def probabilities(
    context: Context, goals: Objectives, where: Where, per: Sequence[str], indices: Sequence[Array]
) -> dict[str, xr.Variable]:
    """Return both probabilities of points of a stored cube, whose indices along the dims are given."""
    check_intervals(list(context.outputs))
    assert isinstance(context, StoredContext)  # a sweep is filled first
    bound = context.query(where, objectives=goals, per=per, also=[LOW, HIGH])
    query = bound.query
    if isinstance(query, StreamedQuery):
        msg = (
            "`probability`: draws look at all values at once, and these are larger than the memory limit; select a "
            "part of the cube, or raise the limit with `roofcube.set_options(memory=...)`"
        )
        raise MemoryLimitError(msg)
    columns = {
        name: np.broadcast_to(query.space.tables[node.name], query.space.sizes).reshape(-1).astype("f8", copy=False)
        for name, node in query.outputs.items()
    }
    _check_moving(context, [*(name for name, _ in goals), *where.by_limit])
    deviation = _deviation(columns[LOW], columns[HIGH])
    configuration = _what_errs_together(context, bound, columns)
    group = _combination_numbers(query.space.sizes, list(range(query.groups)))
    shares = draw_front(columns, goals, where.by_limit, deviation, configuration, group)
    flat = _flat_points(context, bound, indices)
    return {
        name: xr.Variable("point", share[flat], {"units": "1", "long_name": text})
        for (name, text), share in zip(WORDS.items(), shares, strict=True)
    }


def _check_moving(context: Context, names: Iterable[str]) -> None:
    """Raise where what moves with the throughput is compared only by its order, such as a latency of durations."""
    for name in names:
        variable = context.native(name)
        if name in SCALES and variable is not None and compared_as_stored(variable):
            how = f": cube[{name!r}] / np.timedelta64(1, 's')" if variable.dtype.kind == "m" else ""
            msg = f"`{name}`: expected numbers, which errors can move, got {variable.dtype}; convert it{how}"
            raise InvalidDataError(msg)


def _deviation(low: Array, high: Array) -> Array:
    """Return the standard deviation of log throughput that intervals tell; NaN where there is none."""
    known = ~(np.isnan(low) | np.isnan(high))
    wrong = np.flatnonzero(known & ~((low > 0) & (low <= high) & np.isfinite(high)))
    if wrong.size:
        ends = f"{low[wrong[0]]:g} to {high[wrong[0]]:g}"
        msg = (
            f"`{LOW}`: expected intervals from above 0 to a higher, finite end, got {ends} at {wrong.size:,} of "
            f"{low.size:,} points; give NaN where there is none"
        )
        raise InvalidDataError(msg)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.log(high / low) / (2 * Z_90))


def _what_errs_together(context: StoredContext, bound: BoundQuery, columns: Mapping[str, Array]) -> Array:
    """Return for each point the number of what errs with it: its configuration, and own dims that intervals differ by.

    Points of a front, and offers, have these labels along one dim.
    """
    space = bound.query.space
    batches: list[Array] = []
    own: list[Array] = []
    configuration: list[Array] = []
    for axis, dim in enumerate(space.axes):
        for name, numbers in _numbers_along(context, bound, dim).items():
            shape = [-1 if one == axis else 1 for one in range(len(space.axes))]
            each = np.broadcast_to(numbers.reshape(shape), space.sizes).reshape(-1)
            (batches if name in SHARED else configuration if name in APART else own).append(each)
    for place, each in enumerate(own):
        others = _distinct_numbers([*configuration, *batches, *own[:place], *own[place + 1 :]], each.size)
        if any(_differs(columns[end], others) for end in (LOW, HIGH)):
            configuration.append(each)
    return _distinct_numbers(configuration, prod(space.sizes))


def _numbers_along(context: StoredContext, bound: BoundQuery, dim: str) -> dict[str, Array]:
    """Return the numbers of the labels along a dim: of other dims, if a configuration lies along it, else its own."""
    length = bound.length(dim)
    dims = {*SHARED, *APART, *said_order(context.cube.attrs, context.coords)} - {dim}
    along = [name for name, one in context.coords.items() if one.dims == (dim,) and name in dims]
    if dim in APART or not set(along) & set(APART):
        return {dim: np.arange(length)}
    places = bound.original(dim, np.arange(length))
    labels = {name: context.label_arrays[name].astype(str)[places] for name in along}
    return {name: np.unique(one, return_inverse=True)[1].reshape(-1) for name, one in labels.items()}


def _distinct_numbers(columns: Sequence[Array], size: int) -> Array:
    """Return the number of each row among the distinct ones of some columns of whole numbers."""
    number = np.zeros(size, dtype=np.int64)
    for column in columns:
        number = np.unique(number * (int(column.max(initial=0)) + 1) + column, return_inverse=True)[1].reshape(-1)
    return number


def _differs(values: Array, group: Array) -> bool:
    """Tell whether values differ within a group; those that are missing differ from none."""
    known = ~np.isnan(values)
    low, high = np.full(group.max(initial=0) + 1, np.inf), np.full(group.max(initial=0) + 1, -np.inf)
    np.minimum.at(low, group[known], values[known])
    np.maximum.at(high, group[known], values[known])
    return bool((high > low).any())


def _flat_points(context: Context, bound: BoundQuery, indices: Sequence[Array]) -> Array:
    """Return the flat index of points in a query's space."""
    flat: Any = np.zeros(len(indices[0]) if indices else 1, dtype=np.int64)  # without dims there is one point
    for axis, size in zip(bound.query.space.axes, bound.query.space.sizes, strict=True):
        index = indices[context.dims.index(axis)]
        inside = np.searchsorted(bound.kept[axis], index) if axis in bound.kept else index
        flat = flat * size + inside
    return np.asarray(flat)


def _combination_numbers(sizes: Sequence[int], axes: Sequence[int]) -> Array:
    """Return a number to each of the combinations of indices along some axes, for every point."""
    shape = [size if axis in axes else 1 for axis, size in enumerate(sizes)]
    return np.broadcast_to(np.arange(prod(shape)).reshape(shape), tuple(sizes)).reshape(-1)


def draw_front(
    columns: Mapping[str, Array],
    goals: Objectives,
    limits: Mapping[str, Limit],
    deviation: Array,
    configuration: Array,
    group: Array,
) -> tuple[Array, Array]:
    """Draw many possible worlds and count in how many each point is on the front, and meets every limit.

    Parameters
    ----------
    columns : mapping of name to array
        Values of objectives and limited variables, a point each.
    goals : tuple of (name, sign)
    limits : mapping of name to Limit
    deviation : array
        Of log throughput, per point; NaN is taken as certain.
    configuration, group : int arrays
        Points with one number share their error; fronts are taken within a group.

    Returns
    -------
    on_front, meets_limits : float arrays
        Shares of the draws.
    """
    random = np.random.default_rng(0)
    numbers, member = np.unique(configuration, return_inverse=True)
    sigma = np.where(np.isnan(deviation), 0.0, deviation)
    on_front = np.zeros(sigma.size)
    meets = np.zeros(sigma.size)
    known = np.all([~np.isnan(columns[name]) for name, _ in goals], axis=0)
    for _ in range(DRAWS):
        error = sigma * random.standard_normal(numbers.size)[member.reshape(-1)]
        world = {name: values * np.exp(SCALES.get(name, 0.0) * error) for name, values in columns.items()}
        allowed = known.copy()
        for limit in limits.values():
            allowed &= limit.met(world[limit.name])
        meets += allowed
        inside = np.flatnonzero(allowed)
        costs = tuple(world[name][inside] * float(-sign) for name, sign in goals)
        if inside.size:
            on_front[inside[non_dominated_by_group(costs, group[inside])]] += 1
    return on_front / DRAWS, meets / DRAWS
