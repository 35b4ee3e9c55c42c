"""What chance each point has: draws of its own for being on a front, and the normal distribution for limits."""

from __future__ import annotations

from math import erf, sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Array = np.ndarray
DRAWS, DRAWN = 800, 400  # here, and by what is checked
MOVES = {"predicted_throughput": 1.0, "predicted_latency": -1.0, "predicted_energy": -1.0}


def configurations(dims: Sequence[str], shape: Sequence[int], of: Sequence[str]) -> Array:
    """Give each point the number of its configuration, which dims decide."""
    kept = [dim in of and dim != "batch" for dim in dims]
    sizes = [size if one else 1 for size, one in zip(shape, kept, strict=True)]
    numbers = np.arange(int(np.prod(sizes, dtype=int))).reshape(sizes)
    return np.broadcast_to(numbers, tuple(shape)).reshape(-1)


def deviations(low: Array, high: Array) -> Array:
    """Give the standard deviation of ln throughput from the ends of a 90 % interval; 0 where there is none."""
    with np.errstate(all="ignore"):
        sigma = (np.log(high.astype("f8")) - np.log(low.astype("f8"))) / 3.289707253902945
    return np.where(np.isnan(sigma), 0.0, sigma)


def world_of(values: Mapping[str, Array], error: Array) -> dict[str, Array]:
    """Give all values where the logarithm of throughput is off by an error."""
    return {name: one * np.exp(MOVES[name] * error) if name in MOVES else one for name, one in values.items()}


def on_front(
    values: Mapping[str, Array],
    goals: Mapping[str, str],
    allowed: Callable[[dict[str, Array]], Array],
    sigma: Array,
    configuration: Array,
    points: Sequence[int],
) -> Array:
    """Count in how many worlds each of some points is allowed and no allowed point dominates it.

    `allowed` tells of a world which points compete with these.
    """
    rng = np.random.default_rng(12345)
    hits = np.zeros(len(points))
    for _ in range(DRAWS if len(points) else 0):
        world = world_of(values, sigma * rng.standard_normal(configuration.max() + 1)[configuration])
        inside = allowed(world)
        costs = np.stack([world[name] * (1.0 if sense == "min" else -1.0) for name, sense in goals.items()], axis=1)
        rivals = costs[inside]
        for place, point in enumerate(points):
            if inside[point]:
                mine = costs[point]
                hits[place] += not ((rivals <= mine).all(axis=1) & (rivals < mine).any(axis=1)).any()
    return hits / DRAWS


def meets(values: Mapping[str, Array], limits: Mapping[str, tuple], sigma: Array, point: int) -> float:
    """Compute the chance that a point meets limits (low, high) on what moves with throughput; others it meets."""
    low, high = -np.inf, np.inf  # of the error, in deviations
    for name, ends in limits.items():
        if name not in MOVES or sigma[point] == 0:
            continue
        value = values[name][point]
        with np.errstate(all="ignore"):
            places = [np.log(end / value) / (MOVES[name] * sigma[point]) if end is not None else None for end in ends]
        if MOVES[name] < 0:
            places.reverse()
        low = low if places[0] is None else max(low, places[0])
        high = high if places[1] is None else min(high, places[1])
    return max(0.0, _normal(high) - _normal(low))


def _normal(z: float) -> float:
    return 0.5 * (1 + erf(z / sqrt(2)))


def agree(found: Array, expected: Array, draws: int) -> Array:
    """Tell where a share of draws is what one expects by chance; `draws` is infinite for what is computed."""
    middle = (found + expected) / 2 if np.isfinite(draws) else expected
    spread = np.sqrt(middle * (1 - middle) * (1 / DRAWN + 1 / draws))
    return np.abs(found - expected) <= 6 * spread + 3 / DRAWN
