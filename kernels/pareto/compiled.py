"""Choose among the compiled front algorithms by how many points remain after each step."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from roofcube.kernels.pareto.few import strongest
from roofcube.kernels.pareto.grid import BUCKETS, below_grid
from roofcube.kernels.pareto.groups import counting_sort, small_groups
from roofcube.kernels.pareto.kd_tiles import front_by_tiles
from roofcube.kernels.pareto.pivots import (
    BLOCK,
    CANDIDATES,
    PAIRS,
    choose_pivots,
    eliminate,
    rejecter,
    sample_points,
)
from roofcube.kernels.pareto.points import turned
from roofcube.kernels.pareto.ranks import sorted_order, unique_ranks
from roofcube.kernels.pareto.sweep_line import scan_two, sweep_three

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roofcube.kernels.pareto.points import Columns

__all__ = ["exact", "front", "front_by_group", "order_by", "rejected_by"]

Front: TypeAlias = "tuple[NDArray[np.int64], Columns]"

# so many points are settled one by one sooner than by ranks; two objectives need but a sort. Of somewhat more, some are
# tried: of 300 points they find a front of 10 in 18 us for 94, of 420 points and a front of 130 they add 30 us to 130
FEW = {3: 128}
MOST_FEW = 256
MOST_TRIED, PASSES = 512, 32
SMALL_SAMPLE, LARGE_SAMPLE = 256, 1024
PIVOTS = 8
# points from which another sample, 0.1 ms, can pay beside what the exact algorithm takes, 10 ns to 1 us a point
AGAIN = {2: 10_000, 3: 3000, 4: 1000}
LEAST_AGAIN = 500
MANY = 20_000  # points from which looking up cells pays, 2 ns an objective and point
SHARED = 500_000  # points below which threads cost more than they gain: 0.3 ms, what one takes for them
DRAWN = np.random.default_rng(0).random(LARGE_SAMPLE)
WORTH = 0.75  # another pass pays if it leaves less than this share of the sample


def front(columns: Columns, signs: NDArray[Any], threads: int = 1, missing: NDArray[np.int64] | None = None) -> Front:
    """Find the optimal points: their indices, ascending, and costs; add to `missing` the NaN of each objective."""
    if len(columns) == 1:
        if missing is not None:
            missing += np.count_nonzero(np.isnan(columns[0]))
        best = (np.fmin if signs[0] > 0 else np.fmax).reduce(columns[0], initial=np.nan)
        indices = np.flatnonzero(columns[0] == best)
        return indices, (np.full(len(indices), best * signs[0], columns[0].dtype),)
    indices, costs = survivors(columns, signs, threads, missing)
    return picked(indices, costs, np.flatnonzero(exact(costs))) if len(indices) else (indices, costs)


def picked(indices: NDArray[np.int64], costs: Columns, places: NDArray[np.int64]) -> Front:
    """Choose some of the points."""
    return indices[places], tuple(column[places] for column in costs)


def survivors(columns: Columns, signs: NDArray[Any], threads: int, missing: NDArray[np.int64] | None) -> Front:
    """Drop all points with NaN and most dominated ones; further passes go over what the pass before left."""
    indices, costs = rejected(columns, signs, *sampled_pivots(columns, signs)[:3], threads, missing)
    alike = np.ones_like(signs)
    while len(indices) > AGAIN.get(len(columns), LEAST_AGAIN):
        pivots, chosen, strong, left = sampled_pivots(costs, alike)
        if left > WORTH:
            break
        places, costs = rejected(costs, alike, pivots, chosen, strong, 1)
        indices = indices[places]
    if len(indices) > MANY and len(columns) in BUCKETS:
        return picked(indices, costs, below_grid(costs, sampled(costs, alike, LARGE_SAMPLE)))
    return indices, costs


def sampled(columns: Columns, signs: NDArray[Any], size: int) -> NDArray[Any]:
    """Draw points (objective, point)."""
    sample = np.empty((len(columns), size), columns[0].dtype)
    sample_points(columns, signs, DRAWN[:size], sample)
    return sample


def sampled_pivots(columns: Columns, signs: NDArray[Any]) -> tuple[NDArray[Any], int, int, float]:
    """Choose pivots from a sample; return them, their number, that of strong ones and the share that they leave."""
    size = SMALL_SAMPLE if len(columns[0]) < 500_000 else LARGE_SAMPLE
    pivots = np.full((PIVOTS, len(columns)), np.nan, columns[0].dtype)
    if len(columns[0]) <= MOST_FEW:
        return pivots, 0, 0, 1.0
    flags = np.zeros((3, size), np.bool_)
    beats = np.zeros((CANDIDATES, size // 64), np.uint64)
    candidates = np.empty(CANDIDATES, np.int64)
    sample = sampled(columns, signs, size)
    return pivots, *choose_pivots(sample, flags, beats, candidates, pivots, size // 64)


def rejected(
    columns: Columns,
    signs: NDArray[Any],
    pivots: NDArray[Any],
    chosen: int,
    strong: int,
    threads: int,
    missing: NDArray[np.int64] | None = None,
) -> Front:
    """Find the points that the pivots leave, a share of them on each thread; add to `missing` as `front` does."""
    objectives, count, dtype = len(columns), len(columns[0]), columns[0].dtype
    reject = rejecter(objectives)
    shares = 1 if count < SHARED else max(1, threads)
    edges = [count * share // shares for share in range(shares + 1)]
    gaps = np.zeros((shares, objectives), np.int64)

    def part(share: int) -> Front:
        start, end = edges[share], edges[share + 1]
        indices = np.empty(end - start, np.int64)
        costs = tuple(np.empty(end - start, dtype) for _ in columns)
        blocks = np.empty((2, objectives, BLOCK), dtype)
        scratch = (blocks[0], blocks[1], np.empty(BLOCK, np.bool_), np.empty(BLOCK, np.int64))
        own = columns if shares == 1 else tuple(column[start:end] for column in columns)
        left = reject(own, signs, pivots, strong, chosen, *scratch, indices, costs, gaps[share])
        if start:
            indices[:left] += start
        return indices[:left], tuple(column[:left] for column in costs)

    if shares == 1:
        parts = [part(0)]
    else:
        with ThreadPoolExecutor(shares) as pool:
            parts = list(pool.map(part, range(shares)))
    if missing is not None:
        missing += gaps.sum(0)
    if shares == 1:
        return parts[0]
    return np.concatenate([own for own, _ in parts]), tuple(
        np.concatenate(column) for column in zip(*(costs for _, costs in parts), strict=True)
    )


def exact(costs: Columns) -> NDArray[np.bool_]:
    """Mark the optimal points, given without NaN."""
    objectives, count = len(costs), len(costs[0])
    if objectives == 2 or count > MOST_TRIED:
        return by_ranks(costs)
    left, names, flags, mask = few_points(objectives, count, costs[0].dtype)
    for k, column in enumerate(costs):
        left[k, :count] = column
    few = count <= FEW.get(objectives, MOST_FEW)
    kept, settled = eliminate(left, count, names, flags, mask, count if few else PASSES)
    if settled < kept:
        mask[names[:kept]] = by_ranks(tuple(left[:, :kept]))
    return mask[:count]


def by_ranks(costs: Columns) -> NDArray[np.bool_]:
    """Mark the optimal of many points, at least one, given without NaN."""
    if len(costs) == 2:
        mask = np.zeros(len(costs[0]), np.bool_)
        scan_two(costs[0], costs[1], sorted_order(costs[0]), mask)
        return mask
    ranks, orders, groups = unique_ranks(costs)
    mask = np.zeros(ranks.shape[1], np.bool_)
    if len(costs) == 3:
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
        values = np.stack(gathered(columns, signs, order[: starts[-1]]))
        large = np.flatnonzero(np.diff(starts) > MOST_FEW)
        small_groups(values, order, starts, MOST_FEW, *few_points(len(columns), MOST_FEW + 1, values.dtype), mask)
        alike = np.ones_like(signs)
        for group in large:
            own = slice(starts[group], starts[group + 1])
            mask[order[own][front(tuple(values[:, own]), alike, threads)[0]]] = True
    indices = np.flatnonzero(mask)
    return indices, gathered(columns, signs, indices)


def gathered(columns: Columns, signs: NDArray[Any], indices: NDArray[np.int64]) -> Columns:
    """Copy points; those of objectives to maximise are turned."""
    return turned(tuple(column[indices] for column in columns), signs)


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


def rejected_by(columns: Columns, best: NDArray[Any], threads: int) -> Front:
    """Drop the points with NaN, and those that one of the strongest of a front (points, objectives) dominates."""
    pivots = np.ascontiguousarray(best[strongest(best, PIVOTS)])
    return rejected(columns, np.ones(len(columns), best.dtype), pivots, len(pivots), len(pivots), threads)
