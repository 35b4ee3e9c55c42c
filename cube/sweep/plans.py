"""Plans: what a sweep would take, before anything runs."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from roofcube.kernels.bounds.boxes import fits
from roofcube.kernels.query.tiles import Tiling
from roofcube.kernels.tuning import TUNING
from roofcube.model.graph import RESULTS
from roofcube.options import memory_limit, thread_count
from roofcube.sweep.contexts.where import Where
from roofcube.sweep.zarr_store import stored_bytes

if TYPE_CHECKING:
    from roofcube.sweep.contexts.model_context import ModelContext

__all__ = ["Plan", "plan_of"]

# points a second and core, measured on 2 cores of an AMD Zen 5 in 2026
COMPILED_RATE, COMPILED_TERMS, NUMPY_RATE = 1e9, 2e10, 3e8  # terms of sums over layers come on top of points
COMPILE_SECONDS = 1.5
BOUNDS_SECONDS = 0.3


@dataclass(frozen=True)
class Plan:
    """What a reduction over all results would take.

    Attributes
    ----------
    points : int
    bytes_stored : int
        What `compute` or `to_zarr` would store.
    memory_limit : int
        What `compute` may take.
    tile : tuple of (str, int)
        Dims and their lengths in one tile.
    strategy : {"bounds", "stream", "numpy"}
    compiled : bool
        Whether the kernels that the strategy needs are compiled in this process.
    seconds : float
        Expected for a best, top, front or crossover.
    visit_seconds : float
        Expected for visiting every point: a count, a histogram, each pass of a quantile, where bounds decide little.
    memory : int
        Expected bytes above what is loaded.
    threads : int
    """

    points: int
    bytes_stored: int
    memory_limit: int
    tile: tuple[tuple[str, int], ...]
    strategy: str
    compiled: bool
    seconds: float
    visit_seconds: float
    memory: int
    threads: int

    def __repr__(self) -> str:
        tile = " × ".join(f"{dim} {length}" for dim, length in self.tile if length > 1) or "one point"
        how = {"bounds": "bounds (skips what cannot matter)", "stream": "stream (generated kernels visit every point)"}
        fits = "fits" if self.bytes_stored <= self.memory_limit else "does not fit"
        lines = [
            f"{self.points:,} points",
            f"stored    {_human(self.bytes_stored)}, {fits} the limit of {_human(self.memory_limit)}",
            f"strategy  {how.get(self.strategy, 'numpy (visits every point)')}",
            f"tile      {tile}",
            f"compiled  {'yes' if self.compiled else 'not yet' if self.strategy == 'stream' else 'not needed'}",
            f"expected  {self.seconds:.2g} s a best, top or front",
            f"          {self.visit_seconds:.2g} s to visit every point: a count, a histogram, each pass of a quantile",
            f"memory    {_human(self.memory)}, {self.threads} threads",
        ]
        return "\n".join(lines)


def _human(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if size < 1000:
            break
        if unit != "PB":
            size /= 1000
    return f"{size:.3g} {unit}"


def plan_of(sweep: ModelContext, strategy: str = "auto") -> Plan:
    """Plan a reduction over all results, without running anything."""
    results = [name for name in sweep.model.outputs if name in RESULTS]
    found = sweep.query(Where(), also=results)
    query, size = found.query, found.query.space.size
    strategy = _strategy(strategy, query, size)
    threads = thread_count()
    tiling = Tiling(query.space.sizes, query.tuning.tile_points)
    slices = tiling.slices(0) if size else ()
    tile = tuple((axis, s.stop - s.start) for axis, s in zip(query.space.axes, slices, strict=False))
    layers = prod(query.space.all_sizes[len(query.space.sizes) :])
    compiled = strategy != "numpy" and size >= TUNING.compiled_points
    terms = layers * size if layers > 1 else 0
    visit = (size / COMPILED_RATE + terms / COMPILED_TERMS if compiled else layers * size / NUMPY_RATE) / threads
    visit += COMPILE_SECONDS if compiled else 0.002
    seconds = min(BOUNDS_SECONDS, visit) if strategy == "bounds" else visit
    tables = sum(table.nbytes for table in query.space.tables.values())
    memory = 6 * tables + threads * 24 * query.tuning.tile_points * 4 + (60 << 20 if strategy == "bounds" else 0)
    from roofcube.kernels.codegen.writer import is_loaded

    stored, limit, loaded = stored_bytes(sweep), memory_limit(), is_loaded()
    return Plan(sweep.size, stored, limit, tile, strategy, loaded, seconds, visit, memory, threads)


def _strategy(strategy: str, query: object, size: int) -> str:
    if strategy != "auto":
        return strategy
    if size <= TUNING.small_points:
        return "numpy"
    if fits(query):  # type: ignore[arg-type]
        return "bounds"
    return "stream" if size >= TUNING.compiled_points else "numpy"
