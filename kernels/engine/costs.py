"""What answers should cost: seconds of a thread, from the operations of a graph and the rates of this machine.

Rates of the machine that the package was measured on stand in `Tuning`. Another machine is compared with it once in a
process, by a few microseconds of NumPy; from then on, what visits and searches really took corrects them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, prod
from time import thread_time
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.codegen.rows import Layout
from roofcube.kernels.graph.expression import topological

if TYPE_CHECKING:
    from roofcube.kernels.engine.reductions import Reduction
    from roofcube.kernels.query.query import Query

__all__ = ["RATES", "Rates", "box_seconds", "index_seconds", "kernel_seconds", "tile_seconds"]

YARDSTICK = 1 << 15  # numbers of the comparison with another machine: three arrays of f4 in L2
YARDSTICK_SECONDS = 9e-6  # what it takes on the machine that the rates were measured on
TREES = 2e5  # entries that take as long as the trees of all axes: 5 to 7 ms
NOTICED = 2e-3  # seconds below which a measurement says nothing about rates


class Rates:
    """How much longer work takes in this process than the figures of `Tuning` say, by the kind of work."""

    def __init__(self) -> None:
        self._factors: dict[str, float] = {}
        self._machine: float | None = None

    def of(self, what: str) -> float:
        """Return how many times as long some kind of work takes."""
        return self._factors.get(what) or self.machine

    def learn(self, what: str, expected: float, measured: float) -> None:
        """Correct a rate by what some work took; half of the way, because no two graphs are alike."""
        if measured > NOTICED and expected > 0:
            before, now = log(self.of(what)), log(measured / expected)
            self._factors[what] = min(max(exp((before + now) / 2), 0.05), 20.0)

    @property
    def machine(self) -> float:
        """How many times as long NumPy takes on this machine."""
        if self._machine is None:
            self._machine = max(0.2, _yardstick() / YARDSTICK_SECONDS)
        return self._machine


RATES = Rates()


def _yardstick() -> float:
    """Measure a division and a maximum over arrays that fit the cache."""
    numbers = np.linspace(1, 2, YARDSTICK, dtype="f4")
    out, seconds = np.empty_like(numbers), []
    for _ in range(8):
        start = thread_time()
        np.divide(numbers, 3.0, out=out)
        np.maximum(out, numbers, out=out)
        seconds.append(thread_time() - start)
    return min(seconds)


@dataclass(frozen=True)
class Operations:
    """Operations of a query's graph, each term of a sum counted.

    Attributes
    ----------
    point : float
        Done at every point by readers that go along the last axes.
    box : float
        Done for a box.
    sums : float
        Sums over terms, three terms at a time, in a row.
    """

    point: float
    box: float
    sums: float


def operations_of(query: Query) -> Operations:
    """Count the operations of a query's graph."""
    held = query.space.cache.get("operations")
    if held is None or held[0] is not query.outputs:
        held = query.space.cache["operations"] = query.outputs, _operations(query)
    counted: Operations = held[1]
    return counted


def _operations(query: Query) -> Operations:
    space = query.space
    depends = space.dependence(query.outputs.values())
    lengths = dict(zip(space.summed, space.all_sizes[len(space.sizes) :], strict=True))
    inner = set(space.axes[Layout.of(query).outer :])
    point = box = sums = 0.0
    for node in topological(query.outputs.values()):
        if node.operation in ("leaf", "constant"):
            continue
        below = depends[node.arguments[0]] if node.operation == "ordered_sum" else depends[node]
        terms = prod(lengths[axis] for axis in below if axis in lengths)
        box += terms
        if depends[node] & inner:
            point += terms
            sums += terms / 3 if node.operation == "ordered_sum" else 0.0
    return Operations(point, box, sums)


def kernel_seconds(query: Query, reduction: Reduction[Any], arguments: tuple[Any, ...]) -> float:
    """Expect what a generated kernel takes in one thread to visit every point for a reduction."""
    tuning, counted = query.tuning, operations_of(query)
    base, operation, row, loop = tuning.kernel_nanoseconds
    width = 2 if np.dtype(query.space.dtype).itemsize == 8 else 1
    compared = 2 * len(query.limits) + _compared_codes(arguments)
    point = reduction.kernel_nanoseconds + base + width * operation * (counted.point + compared)
    point += (row + loop * counted.sums) / Layout.of(query).chunk
    return 1e-9 * point * query.space.size * RATES.of(reduction.name)


def tile_seconds(query: Query, reduction: Reduction[Any], arguments: tuple[Any, ...]) -> float:
    """Expect what NumPy tiles take in one thread to visit every point for a reduction."""
    tuning, counted = query.tuning, operations_of(query)
    base, operation = tuning.tile_nanoseconds
    compared = 3 * len(query.limits) + _compared_codes(arguments)
    point = reduction.tile_nanoseconds + base + operation * (counted.point + compared)
    return (1e-9 * point * query.space.size + 1e-4) * RATES.of(f"tiles {reduction.name}")


def _compared_codes(arguments: tuple[Any, ...]) -> int:
    """Count the codes that points are compared with."""
    return sum(len(each) for each in arguments if isinstance(each, tuple))


def box_seconds(query: Query) -> float:
    """Expect what a box of a search takes."""
    base, operation = query.tuning.box_nanoseconds
    return 1e-9 * (base + operation * operations_of(query).box) * RATES.of("boxes")


def index_seconds(query: Query) -> float:
    """Expect what preparing a search takes."""
    held = query.space.cache.get("bounder")
    if held is not None and "indexes" in vars(held):
        return 0.0
    entries = sum(table.size * 1.5 ** sum(n > 1 for n in table.shape) for table in query.space.tables.values())
    return float(1e-9 * query.tuning.index_nanoseconds * (entries + TREES) * RATES.of("boxes"))
