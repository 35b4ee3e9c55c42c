"""Plans: how questions of a sweep would be answered and what they would take, before they are asked.

A plan asks the engine, which expects what it will do from the same costs by which it will do it; where a search by
bounds decides, it looks for a moment how the search goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.kernels.engine.reductions import BEST, COUNT, FRONT, HISTOGRAM
from roofcube.kernels.query.query import Limit
from roofcube.kernels.query.tiles import Tiling
from roofcube.model.made import RESULTS
from roofcube.notebook import html_table
from roofcube.options import memory_limit, thread_count
from roofcube.sweep.contexts.where import Where
from roofcube.sweep.zarr_store import stored_bytes
from roofcube.wording import noun_of

if TYPE_CHECKING:
    from roofcube.kernels.engine.reductions import Reduction
    from roofcube.kernels.query.query import Query
    from roofcube.sweep.contexts.model_context import ModelContext

__all__ = ["Expected", "Plan", "plan_of"]

SAMPLE = 4096  # points that tell where half of the latencies are
BEST_OF = "predicted_throughput"
FRONT_OF = ("predicted_latency", "predicted_energy", "top1")
COUNTED = "predicted_latency"
BINS = 51
LABEL_SECONDS = 3e-3  # that it takes to give any answer its labels
WAYS = {
    "bounds": "bounds (skips what cannot matter)",
    "stream": "stream (generated kernels visit every point)",
    "numpy": "numpy (visits every point)",
}


@dataclass(frozen=True)
class Expected:
    """What a question would take.

    Attributes
    ----------
    question : str
    strategy : {"bounds", "stream", "numpy"}
        That which would give the answer.
    seconds : float
    """

    question: str
    strategy: str
    seconds: float


@dataclass(frozen=True)
class Plan:
    """What questions of a sweep would take.

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
        Of the front.
    compiled : bool
        Whether generated kernels are compiled in this process.
    seconds : float
        Expected for the front.
    visit_seconds : float
        Expected for visiting every point: a histogram or a pass of a quantile, where bounds decide little.
    memory : int
        Expected bytes above what is loaded.
    threads : int
    questions : tuple of Expected
        A best, a front and a count of what is within a limit.
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
    questions: tuple[Expected, ...] = ()

    def __repr__(self) -> str:
        tile = " × ".join(f"{dim} {length}" for dim, length in self.tile if length > 1) or "one point"
        fits = "fits" if self.bytes_stored <= self.memory_limit else "does not fit"
        needed = any(one.strategy == "stream" for one in self.questions)
        width = max((len(one.question) for one in self.questions), default=0)
        lines = [
            f"{self.points:,} {noun_of(self.points, 'point')}",
            f"stored    {_human(self.bytes_stored)}, {fits} the limit of {_human(self.memory_limit)}",
            f"strategy  {WAYS.get(self.strategy, self.strategy)}",
            f"tile      {tile}",
            f"compiled  {'yes' if self.compiled else 'not yet' if needed else 'not needed'}",
            *(f"expected  {one.question:{width}}  {one.seconds:.2g} s by {one.strategy}" for one in self.questions),
            f"          {self.visit_seconds:.2g} s to visit every point: a histogram, each pass of a quantile, at most",
            f"memory    {_human(self.memory)}, {self.threads} {noun_of(self.threads, 'thread')}",
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Tell the questions and what they would take, for notebooks."""
        rows = [[one.question, f"{one.seconds:.2g} s", WAYS.get(one.strategy, one.strategy)] for one in self.questions]
        rows.append(
            ["every point visited", f"{self.visit_seconds:.2g} s", "a histogram, each pass of a quantile, at most"]
        )
        notes = [
            f"Stored it would take {_human(self.bytes_stored)}; the limit is {_human(self.memory_limit)}.",
            f"{_human(self.memory)} above what is loaded, {self.threads} {noun_of(self.threads, 'thread')}.",
        ]
        return html_table(
            f"Plan for {self.points:,} {noun_of(self.points, 'point')}", ("question", "expected", "way"), rows, notes
        )


def _human(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if size < 1000:
            break
        if unit != "PB":
            size /= 1000
    return f"{size:.3g} {unit}"


def plan_of(sweep: ModelContext, strategy: str = "auto") -> Plan:
    """Plan typical questions about the results of a sweep; takes a second or so, whatever they would take."""
    from roofcube.kernels.codegen.writer import is_loaded

    results = [name for name in sweep.outputs if name in RESULTS]
    query = sweep.query(Where(), also=results).query
    tiling = Tiling(query.space.sizes, query.tuning.tile_points)
    slices = tiling.slices(0) if query.space.size else ()
    tile = tuple((axis, part.stop - part.start) for axis, part in zip(query.space.axes, slices, strict=False))
    loaded, threads = is_loaded(), thread_count()
    questions = []
    for name, (reduction, asked, arguments) in _questions(sweep).items():
        used, seconds = sweep.engine(asked).expect(reduction, asked, *arguments)
        questions.append(Expected(name, used, LABEL_SECONDS + seconds))
    planned = {one.question.split()[0]: one for one in questions}
    front = planned.get("front") or planned.get("best") or Expected("", strategy, 0.0)
    tables = sum(table.nbytes for table in query.space.tables.values())
    bounds = any(one.strategy == "bounds" for one in questions)
    memory = 6 * tables + threads * 24 * query.tuning.tile_points * 4 + (60 << 20 if bounds else 0)
    return Plan(
        points=sweep.size,
        bytes_stored=stored_bytes(sweep),
        memory_limit=memory_limit(),
        tile=tile,
        strategy=front.strategy,
        compiled=loaded,
        seconds=front.seconds,
        visit_seconds=_visit_seconds(sweep),
        memory=memory,
        threads=threads,
        questions=tuple(questions),
    )


def _questions(sweep: ModelContext) -> dict[str, tuple[Reduction[Any], Query, tuple[Any, ...]]]:
    """Name typical questions that the sweep's outputs allow."""
    asked: dict[str, tuple[Reduction[Any], Query, tuple[Any, ...]]] = {}
    if BEST_OF in sweep.outputs:
        best = sweep.query(Where(), objectives=((BEST_OF, sweep.sign(BEST_OF)),))
        asked[f"best {BEST_OF}"] = BEST, best.query, ()
    goals = tuple((name, sweep.sign(name)) for name in FRONT_OF if name in sweep.outputs)
    if len(goals) > 1:
        front = sweep.query(Where(), objectives=goals)
        asked[f"front of {', '.join(name for name, _ in goals)}"] = FRONT, front.query, ()
    if COUNTED in sweep.outputs and sweep.size:
        count = sweep.query(Where(), limits=[Limit(COUNTED, None, _median_of_sample(sweep))])
        asked[f"count of {COUNTED} below its median"] = COUNT, count.query, (None, ())
    return asked


def _median_of_sample(sweep: ModelContext) -> float:
    """Return from a sample which value half of the points that have one do not exceed."""
    space, rng = sweep.space, np.random.default_rng(0)
    indices = [rng.integers(size, size=SAMPLE) for size in space.sizes]
    values = space.at(indices, {COUNTED: sweep.outputs[COUNTED]})[COUNTED]
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else 0.0


def _visit_seconds(sweep: ModelContext) -> float:
    """Expect what a histogram takes where it visits every point."""
    if COUNTED not in sweep.outputs:
        return 0.0
    query = sweep.query(Where(), also=[COUNTED]).query
    edges = np.linspace(0, 1, BINS, dtype=sweep.dtype)
    return float(sweep.engine(query).visit_seconds(HISTOGRAM, query, COUNTED, edges))
