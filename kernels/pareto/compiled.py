"""Choose among the compiled front algorithms by how many points remain after each step."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from roofcube.kernels.pareto.equals import hashed_equals
from roofcube.kernels.pareto.groups import counting_sort, small_groups
from roofcube.kernels.pareto.kd_tiles import front_by_tiles
from roofcube.kernels.pareto.pivots import (
    BLOCK,
    CANDIDATES,
    PAIRS,
    below_grid,
    choose_pivots,
    eliminate,
    fill_grid,
    least_gaps,
    rejecter,
)
from roofcube.kernels.pareto.ranks import sorted_order, unique_ranks
from roofcube.kernels.pareto.sweep_line import scan_two, sweep_three

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roofcube.kernels.pareto.points import Columns

__all__ = ["distances", "front", "front_by_group", "hashed_equals", "order_by", "undominated_by"]

Front: TypeAlias = "tuple[NDArray[np.int64], NDArray[Any]]"

FEW = 384  # so many points are settled one by one in 30 us or less
SMALL_SAMPLE, LARGE_SAMPLE = 256, 1024
PIVOTS = 8
GRID = {3: 256, 4: 32, 5: 16}  # buckets an objective: up to 65536 cells, which the second-level cache holds
# points from which a look at every point's cell, 30 ns, pays beside what the exact algorithm takes
MANY = {3: 2_000_000, 4: 100_000, 5: 100_000}
SHARED = 100_000  # points below which threads cost more than they gain
DRAWN = np.random.default_rng(0).random(LARGE_SAMPLE)
WORTH = 0.75  # another pass pays if it leaves less than this share of the sample


def front(columns: Columns, signs: NDArray[Any], threads: int = 1) -> Front:
    """Find the optimal points: their indices, ascending, and their costs (objective, point)."""
    if len(columns) == 1:
        best = (np.fmin if signs[0] > 0 else np.fmax).reduce(columns[0], initial=np.nan)
        indices = np.flatnonzero(columns[0] == best)
        return indices, np.full((1, len(indices)), best * signs[0], columns[0].dtype)
    indices, values = survivors(columns, signs, threads)
    if len(indices):
        optimal = exact(values)
        indices, values = indices[optimal], gathered(values, np.flatnonzero(optimal))
    return indices, values


def survivors(columns: Columns, signs: NDArray[Any], threads: int) -> Front:
    """Drop all points with NaN and most dominated ones; further passes go over what the pass before left."""
    if not len(columns[0]):
        return np.empty(0, np.int64), np.empty((len(columns), 0), columns[0].dtype)
    pivots, chosen, _ = sampled_pivots(columns, signs)
    kept = rejected(columns, signs, pivots, chosen, threads)
    values = gathered(columns, kept, signs)
    alike = np.ones_like(signs)
    while len(kept) > FEW:
        pivots, chosen, left = sampled_pivots(values, alike)
        if left > WORTH:
            break
        found = rejected(tuple(values), alike, pivots, chosen, 1)
        kept = kept[found]
        values = gathered(values, found)
    if len(kept) > MANY.get(len(columns), np.inf):
        found = off_grid(values)
        kept, values = kept[found], gathered(values, found)
    return kept, values


def off_grid(values: NDArray[Any]) -> NDArray[np.int64]:
    """Find the points that no point of a cell before theirs, in every objective of a quantile grid, is below."""
    objectives, count = values.shape
    buckets = GRID[objectives]
    sample = np.sort(gathered(values, strides(count, LARGE_SAMPLE))[:-1], axis=1)
    splitters = np.ascontiguousarray(sample[:, LARGE_SAMPLE // buckets :: LARGE_SAMPLE // buckets])
    cells = np.empty(count, np.int32)
    least = np.full((buckets,) * (objectives - 1), np.inf, values.dtype)
    fill_grid(values, splitters, cells, least.ravel())
    for axis in range(objectives - 1):
        np.minimum.accumulate(least, axis=axis, out=least)
    bounds = np.full_like(least, np.inf)
    bounds[(slice(1, None),) * (objectives - 1)] = least[(slice(None, -1),) * (objectives - 1)]
    kept = np.empty(count, np.int64)
    return kept[: below_grid(values[-1], cells, bounds.ravel(), kept)]


def sampled_pivots(columns: Columns | NDArray[Any], signs: NDArray[Any]) -> tuple[NDArray[Any], int, float]:
    """Choose pivots from a sample; return them, their number and the share of the sample that they leave."""
    size = SMALL_SAMPLE if len(columns[0]) < 500_000 else LARGE_SAMPLE
    sample = gathered(columns, strides(len(columns[0]), size), signs)
    pivots = np.full((PIVOTS, len(columns)), np.nan, sample.dtype)
    flags = np.zeros((3, size), np.bool_)
    beats = np.zeros((CANDIDATES, size // 64), np.uint64)
    chosen, left = choose_pivots(sample, flags, beats, np.empty(CANDIDATES, np.int64), pivots, size // 64)
    return pivots, chosen, left


def strides(count: int, size: int) -> NDArray[np.int64]:
    """Choose indices at random within equal strides; regular strides would resonate with grids."""
    indices = ((np.arange(size) + DRAWN[:size]) * (count / size)).astype(np.int64)
    return np.minimum(indices, count - 1)


def gathered(
    columns: Columns | NDArray[Any], indices: NDArray[np.int64], signs: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Copy points into an array (objective, point), each objective times its sign."""
    values = np.empty((len(columns), len(indices)), columns[0].dtype)
    for k, column in enumerate(columns):
        values[k] = column[indices]  # `np.take` would first copy a whole strided column
        if signs is not None and signs[k] < 0:
            np.negative(values[k], out=values[k])
    return values


def rejected(
    columns: Columns, signs: NDArray[Any], pivots: NDArray[Any], chosen: int, threads: int
) -> NDArray[np.int64]:
    """Find the points that the pivots leave, a share of them on each thread."""
    objectives, count = len(columns), len(columns[0])
    reject = rejecter(objectives)

    def part(start: int, end: int) -> NDArray[np.int64]:
        kept = np.empty(end - start, np.int64)
        block = np.full((objectives, BLOCK), np.nan, columns[0].dtype)
        share = tuple(column[start:end] for column in columns)
        found = reject(share, signs, pivots, chosen, block, np.empty(BLOCK, np.bool_), kept)
        return kept[:found] + start if start else kept[:found]

    if threads <= 1 or count < SHARED:
        return part(0, count)
    edges = [count * share // threads for share in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(part, edges[:-1], edges[1:])))


def exact(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Mark the optimal points, given without NaN, one row per objective."""
    objectives, count = values.shape
    if count <= FEW:
        left, names, flags, mask = few_points(objectives, count, values.dtype)
        left[:, :count] = values
        eliminate(left, count, names, flags, mask)
        return mask[:count]
    if objectives == 2:
        mask = np.zeros(count, np.bool_)
        scan_two(values[0], values[1], sorted_order(values[0]), mask)
        return mask
    ranks, orders, groups = unique_ranks(tuple(values))
    mask = np.zeros(ranks.shape[1], np.bool_)
    if objectives == 3:
        sweep_three(ranks, orders, mask)
    else:
        front_by_tiles(ranks, orders, mask)
    return mask if groups is None else mask[groups]


def few_points(
    objectives: int, count: int, dtype: Any
) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Allocate what `eliminate` needs for up to so many points."""
    size = -(-count // PAIRS) * PAIRS
    left = np.full((objectives, size), -np.inf, dtype)
    return left, np.empty(size, np.int64), np.empty((2, size), np.bool_), np.empty(size, np.bool_)


def front_by_group(columns: Columns, codes: NDArray[np.int64], signs: NDArray[Any], threads: int) -> Front:
    """Find the optimal points of each group, as `front` does; negative groups have none."""
    mask = np.zeros(len(codes), np.bool_)
    if len(codes) and codes.max() >= 0:
        codes, groups = dense_codes(codes)
        starts = np.zeros(groups + 1, np.int64)
        order = np.empty(len(codes), np.int64)
        counting_sort(codes, starts, order)
        values = gathered(columns, order[: starts[-1]], signs)
        large = np.flatnonzero(np.diff(starts) > FEW)
        small_groups(values, order, starts, FEW, *few_points(len(columns), FEW + 1, values.dtype), mask)
        alike = np.ones_like(signs)
        for group in large:
            own = slice(starts[group], starts[group + 1])
            mask[order[own][front(tuple(values[:, own]), alike, threads)[0]]] = True
    indices = np.flatnonzero(mask)
    return indices, gathered(columns, indices, signs)


def dense_codes(codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Renumber the groups from 0 on, in their order, if that saves many gaps; negative ones stay so."""
    low, high = max(int(codes.min()), 0), int(codes.max())
    if high - low <= 4 * len(codes):
        return (codes - low if low else codes), high - low + 1
    used = np.unique(codes[codes >= 0])
    return np.where(codes >= 0, np.searchsorted(used, codes), -1), len(used)


def order_by(first: NDArray[Any], codes: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """Sort points by group and first cost; equal ones stay in order."""
    order = sorted_order(first).astype(np.int64)
    if codes is None or not len(codes):
        return order
    low, high = int(codes.min()), int(codes.max())
    dense = codes - low if high - low <= 4 * len(codes) else np.unique(codes, return_inverse=True)[1]
    starts, by_group = np.zeros(int(dense.max()) + 2, np.int64), np.empty(len(codes), np.int64)
    counting_sort(dense[order], starts, by_group)
    return order[by_group]


def undominated_by(columns: Columns, best: NDArray[Any], threads: int) -> NDArray[np.bool_]:
    """Mark the points without NaN that no point of a front (points, objectives) dominates."""
    mask = np.zeros(len(columns[0]), np.bool_)
    alike = np.ones(len(columns), columns[0].dtype)
    mask[rejected(columns, alike, padded(best), len(best), threads)] = True
    return mask


def padded(best: NDArray[Any]) -> NDArray[Any]:
    """Fill up with NaN, which dominates nothing, to the multiple of four that the pass over the points takes."""
    pivots = np.full((-len(best) // 4 * -4, best.shape[1]), np.nan, best.dtype)
    pivots[: len(best)] = best
    return pivots


def distances(columns: Columns, best: Columns, relative: bool, distance: NDArray[Any]) -> None:
    """Write each point's distance to a front."""
    scratch = np.ones((2 * len(columns) + 1, BLOCK), distance.dtype)
    least_gaps(np.stack(columns), np.stack(best, axis=1), relative, scratch, distance)
