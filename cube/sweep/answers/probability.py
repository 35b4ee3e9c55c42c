"""How probable it is that a point is on a front, or meets a limit, given the intervals of a calibration."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError, MemoryLimitError, MissingInputError
from roofcube.kernels.pareto.front import non_dominated_by_group
from roofcube.sweep.contexts.exact import compared_as_stored
from roofcube.sweep.contexts.streamed import StreamedQuery

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
    configuration = _figures(query.space.sizes, _axes_of_configurations(bound))
    group = _figures(query.space.sizes, list(range(query.groups)))
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


def _axes_of_configurations(bound: BoundQuery) -> list[int]:
    """Return along which axes errors differ: those of the intervals, but for what a configuration shares."""
    space, outputs = bound.query.space, bound.query.outputs
    shapes = np.array([space.tables[outputs[name].name].shape for name in (LOW, HIGH)])
    return [axis for axis, name in enumerate(space.axes) if name not in SHARED and (shapes[:, axis] > 1).any()]


def _flat_points(context: Context, bound: BoundQuery, indices: Sequence[Array]) -> Array:
    """Return the flat index of points in a query's space."""
    flat: Any = np.zeros(len(indices[0]) if indices else 0, dtype=np.int64)
    for axis, size in zip(bound.query.space.axes, bound.query.space.sizes, strict=True):
        index = indices[context.dims.index(axis)]
        inside = np.searchsorted(bound.kept[axis], index) if axis in bound.kept else index
        flat = flat * size + inside
    return np.asarray(flat)


def _figures(sizes: Sequence[int], axes: Sequence[int]) -> Array:
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
