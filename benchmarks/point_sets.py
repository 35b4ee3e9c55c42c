"""Point sets for the front and reduction benchmarks: seeded generators for any number of objectives, all minimised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import DTypeLike, NDArray

__all__ = [
    "KINDS",
    "anti_correlated",
    "correlated",
    "few_values",
    "point_set",
    "roofline",
    "simplex",
    "thin",
    "uniform",
]


def uniform(generator: np.random.Generator, count: int, objectives: int) -> NDArray[np.float64]:
    """Draw objectives independently."""
    return generator.random((count, objectives))


def correlated(generator: np.random.Generator, count: int, objectives: int) -> NDArray[np.float64]:
    """Draw objectives that mostly rise together: a shared normal part and a third as much of their own."""
    return generator.normal(size=(count, 1)) + 0.3 * generator.normal(size=(count, objectives))


def anti_correlated(generator: np.random.Generator, count: int, objectives: int) -> NDArray[np.float64]:
    """Draw around a simplex: what is gained in one objective is lost in the others."""
    return simplex(generator, count, objectives) + 0.05 * generator.normal(size=(count, 1))


def thin(generator: np.random.Generator, count: int, objectives: int) -> NDArray[np.float64]:
    """Draw close to a simplex, so that most of the points, up to their number, are optimal."""
    return simplex(generator, count, objectives) + 0.001 * generator.normal(size=(count, 1))


def simplex(generator: np.random.Generator, count: int, objectives: int) -> NDArray[np.float64]:
    """Draw evenly from the simplex, where every point is optimal."""
    shares = generator.exponential(size=(count, objectives))
    plane: NDArray[np.float64] = shares / shares.sum(axis=1, keepdims=True)
    return plane


def few_values(generator: np.random.Generator, count: int, objectives: int) -> NDArray[np.float64]:
    """Draw from ten whole numbers, so that ties and equal points abound."""
    return generator.integers(0, 10, size=(count, objectives)).astype(np.float64)


def roofline(generator: np.random.Generator, count: int, objectives: int) -> NDArray[np.float64]:
    """Draw heavy-tailed designs: latency, energy, error, area and memory of random networks on random hardware.

    Compute peak, bandwidth, operations and weights are log-uniform over three to four decades; precision and pruning
    take few values, so that error and memory have many ties.
    """
    if not 1 <= objectives <= 5:
        msg = f"`objectives`: expected 1 to 5, got {objectives}"
        raise ValueError(msg)
    peak = 10 ** generator.uniform(10, 14, count)
    bandwidth = 10 ** generator.uniform(9, 12, count)
    batch = 2.0 ** generator.integers(0, 8, count)
    precision = generator.choice([0.25, 0.5, 1.0, 2.0, 4.0], count)
    kept = generator.choice([0.125, 0.25, 0.5, 1.0], count)
    operations = 10 ** generator.uniform(7, 10, count) * kept
    weights = 10 ** generator.uniform(5, 8, count) * kept * precision
    latency = np.maximum(operations * batch / peak, weights / bandwidth)
    power = 1.0 + 3e-12 * peak + 2e-11 * bandwidth
    energy = power * latency / batch
    area = peak / precision * 1e-12 + bandwidth * 1e-11
    error = np.round(30 - 8 * np.log10(kept * 8) - 3 * np.log2(precision * 4), 2)
    columns = [latency, energy, error, area, weights]
    return np.stack(columns[:objectives], axis=1)


KINDS: dict[str, Callable[[np.random.Generator, int, int], NDArray[np.float64]]] = {
    "anti-correlated": anti_correlated,
    "correlated": correlated,
    "few values": few_values,
    "roofline": roofline,
    "thin": thin,
    "uniform": uniform,
}


def point_set(kind: str, count: int, objectives: int, *, seed: int = 0, dtype: DTypeLike = "f8") -> NDArray[np.float64]:
    """Draw `count` points of one of `KINDS`; the same arguments give the same points."""
    points = KINDS[kind](np.random.default_rng(seed), count, objectives)
    return np.ascontiguousarray(points, dtype=dtype)
