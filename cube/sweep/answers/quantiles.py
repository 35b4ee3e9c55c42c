"""Exact quantiles of a sweep: histograms over the bits of the floats narrow each rank down to a single value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError
from roofcube.kernels.engine.arrays import ArrayEngine
from roofcube.kernels.query.query import Limit
from roofcube.sweep.answers.best import groups_of, kept_labels, labels_of_groups, own_coords, stacked
from roofcube.sweep.answers.counts import check_cells
from roofcube.sweep.contexts.context import check_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roofcube.kernels.query.query import Query
    from roofcube.sweep.contexts.context import Context, Names
    from roofcube.sweep.contexts.where import Where

__all__ = ["float_of", "key_of", "quantile"]

Array = np.ndarray[Any, np.dtype[Any]]


def quantile(context: Context, variable: str, q: float | Sequence[float], *, where: Any, per: Names) -> xr.Dataset:
    """Find quantiles of each group, interpolated linearly between the two nearest points."""
    context.output("variable", variable)
    try:
        wanted = np.atleast_1d(np.asarray(q, dtype="f8"))
    except (TypeError, ValueError, OverflowError):
        wanted = np.array([np.nan])
    if wanted.ndim != 1 or not wanted.size or not ((wanted >= 0) & (wanted <= 1)).all():
        msg = f"`q`: expected numbers from 0 to 1, got {q!r}; give 0.5 for the median"
        raise InvalidDataError(msg)

    read = context.where(where)
    context.check_countable(read)
    labels = labels_of_groups(context, per)
    check_names(context, [variable, *labels], {"quantile": ()})
    if variable in labels:
        msg = f"`variable`: expected another than the labels of groups, got {variable!r} with per={per!r}; leave it out"
        raise InvalidDataError(msg)

    def ask(dims: list[str], limits: Where) -> xr.Dataset:
        check_cells(context, "quantile", dims, len(wanted))
        bound = context.query(limits, limits=[*limits.limits, Limit(variable)], per=dims, also=[variable])
        result = np.full([*(context.sizes[dim] for dim in dims), len(wanted)], np.nan)
        if context.size and bound.query.space.size:
            for number, index in groups_of(context, bound, dims):
                query = bound.query.group(number)
                result[tuple(index[dim] for dim in dims)] = _of_group(context.engine(query), query, variable, wanted)
        own = {name: one.copy() for name, one in own_coords(context, dims).items()}
        described = dict(context.attributes(variable))
        made = xr.Dataset(
            {variable: ((*dims, "quantile"), result, described)},
            coords={**own, "quantile": wanted},
            attrs=context.attrs,
        )
        return kept_labels(made, bound, dims)

    made = stacked(context, per, read, ask)
    return made.isel(quantile=0) if np.ndim(q) == 0 else made


def _of_group(engine: Any, query: Query, variable: str, wanted: Array) -> Array:
    total = int(engine.count(query).sum())
    if total == 0:
        return np.full(len(wanted), np.nan)
    places = wanted * (total - 1)
    below = np.floor(places).astype(np.int64)
    above = np.minimum(below + 1, total - 1)
    ranks = sorted({*below.tolist(), *above.tolist()})
    held = engine.values(query, variable) if isinstance(engine, ArrayEngine) else None
    if held is None:
        values = _order_statistics(engine, query, variable, ranks, total)
    else:
        chosen = np.unique(np.array(ranks) // query.copies)
        parted = np.partition(held, chosen) + 0.0
        values = {rank: float(parted[rank // query.copies]) for rank in ranks}
    low = np.array([values[rank] for rank in below.tolist()])
    high = np.array([values[rank] for rank in above.tolist()])
    share = places - below
    with np.errstate(invalid="ignore"):
        between = np.where(share < 0.5, low + (high - low) * share, high - (high - low) * (1 - share))
    # the difference of infinities is not a number
    return np.where((low == high) | (share == 0), low, between)


def _order_statistics(engine: Any, query: Query, variable: str, ranks: Sequence[int], total: int) -> dict[int, float]:
    """Find the values that have given ranks among all, 0 for the smallest."""
    dtype = query.space.dtype
    # bracket of keys, its end excluded → ranks inside it, each with its rank among the points of the bracket
    brackets = {(key_of(-np.inf, dtype), key_of(np.inf, dtype) + 1): [(rank, rank) for rank in ranks]}
    likely = (
        _likely_brackets(query, variable, ranks, total) if query.space.size > query.tuning.quantile_large else set()
    )
    values: dict[int, float] = {}
    while brackets:
        keys, counts = _counts_between(engine, query, variable, set(brackets), likely or set(brackets))
        likely = set()
        before = np.concatenate([[0], np.cumsum(counts)])
        narrower: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for (low, _), inside in brackets.items():
            start = before[keys.index(low)]
            for rank, place in inside:
                bin_ = int(np.searchsorted(before, start + place, side="right")) - 1
                if keys[bin_ + 1] - keys[bin_] == 1:
                    values[rank] = float_of(keys[bin_], dtype)
                else:
                    bracket = (keys[bin_], keys[bin_ + 1])
                    narrower.setdefault(bracket, []).append((rank, place - int(before[bin_] - start)))
        brackets = narrower
    return values


def _counts_between(
    engine: Any, query: Query, variable: str, brackets: set[tuple[int, int]], cut: set[tuple[int, int]]
) -> tuple[list[int], Array]:
    """Count between keys that cut brackets: few where bounds decide most points, else many."""
    ends = {key for bracket in brackets for key in bracket}
    few, many = query.tuning.quantile_few_bins, query.tuning.quantile_bins
    for bins in (few, many) if query.space.size > query.tuning.quantile_large else (many,):
        each = max(2, bins // len(cut))
        keys = sorted(ends | {key for one in cut for key in _edges(*one, each)})
        # the last bin includes its end
        edges = np.array([float_of(key, query.space.dtype) for key in (*keys[:-1], keys[-1] - 1)], query.space.dtype)
        counts = (engine.searched_histogram if bins == few else engine.histogram)(query, variable, edges)
        if counts is not None:
            break
    return keys, counts[0]


def _likely_brackets(query: Query, variable: str, ranks: Sequence[int], total: int) -> set[tuple[int, int]]:
    """Guess from a sample between which keys ranks are: four standard deviations to either side."""
    space = query.space
    flat = np.random.default_rng(0).integers(space.size, size=query.tuning.quantile_sample)
    values = space.at(np.unravel_index(flat, space.sizes), query.outputs)
    sample = np.sort(values[variable][query.valid(values, flat.shape)])
    if not len(sample):
        return set()
    brackets = set()
    for rank in ranks:
        share = rank / total
        margin = 4 * np.sqrt(len(sample) * share * (1 - share)) + 1
        places = [int(np.clip(share * len(sample) + side, 0, len(sample) - 1)) for side in (-margin, margin)]
        low, high = (key_of(sample[place], space.dtype) for place in places)
        brackets.add((low, high + 1))
    return brackets


def _edges(low: int, stop: int, bins: int) -> list[int]:
    """Cut a bracket of keys into bins."""
    bins = min(bins, stop - low)
    return [low + (stop - low) * k // bins for k in range(bins + 1)]


def key_of(value: float, dtype: str) -> int:
    """Return the number of a float in ascending order; both zeros are 0."""
    kind = np.dtype(dtype)
    bits = int(np.array(value, dtype=kind).view(f"u{kind.itemsize}"))
    sign = 1 << (8 * kind.itemsize - 1)
    return -(bits - sign) if bits >= sign else bits


def float_of(key: int, dtype: str) -> float:
    """Return the float that has a number."""
    kind = np.dtype(dtype)
    bits = key if key >= 0 else (1 << (8 * kind.itemsize - 1)) - key
    return float(np.array(bits, dtype=f"u{kind.itemsize}").view(kind))
