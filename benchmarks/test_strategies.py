"""strategy="auto" against the fastest of bounds, generated kernels and NumPy: twelve questions of six spaces.

Each way is timed on a sweep of its own: the first call, all kernels compiled, and the calls after it. A way that takes
far longer than the fastest so far is stopped.
"""

from __future__ import annotations

import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import spaces  # beside this file

import roofcube as rc
from roofcube.kernels.budget import Cancelled
from roofcube.kernels.engine.engine import Engine
from roofcube.options import thread_count

WAYS = ("bounds", "stream", "numpy")
MOST_SECONDS = 60.0  # of any way
SENSES = {"predicted_throughput": "max", "top1": "max"}


def published(n: int = 1500) -> rc.Sweep:
    """The published model, which leaves batch out of most results, on hypothetical hardware."""
    platforms = rc.hypothetical(
        peak_compute=np.geomspace(1e10, 1e14, n),
        memory_bandwidth=np.geomspace(1e8, 1e12, n),
        power=[2.0, 10.0, 40.0],
        peak_scaling="bits",
    )
    return rc.Sweep(rc.inputs("cifar10", platforms=platforms))


# what makes a space, its size, and a small one for a smoke run
SPACES = {
    "PUBLISHED": (published, (1500,), (20,)),
    "BOUND per layer": (spaces.layered_network, (600, 100), (12, 8)),
    "long batch axis": (spaces.standard, (80, 80, 1024), (4, 4, 64)),
    "13 small axes": (spaces.many_axes, (5,), (2,)),
    "small": (spaces.standard, (10, 10, 50), (5, 5, 10)),
    "huge": (spaces.standard, (1000, 1000, 5000), (10, 10, 20)),
}


def front(*names: str, limited: bool = False):
    goals = {name: SENSES.get(name, "min") for name in names}
    return lambda sweep, limit, _edges: sweep.pareto(goals, ties="first", where=limit if limited else None)


QUESTIONS = {
    "count": lambda sweep, _limit, _edges: sweep.count(),
    "count within a limit": lambda sweep, limit, _edges: sweep.count(where=limit),
    "count by bound": lambda sweep, _limit, _edges: sweep.count(by="bound"),
    "histogram": lambda sweep, _limit, edges: sweep.histogram("predicted_latency", bins=edges),
    "median": lambda sweep, _limit, _edges: sweep.quantile("predicted_latency", 0.5),
    "best": lambda sweep, _limit, _edges: sweep.best("predicted_throughput"),
    "best within a limit": lambda sweep, limit, _edges: sweep.best("predicted_throughput", where=limit),
    "top 20 within a limit": lambda sweep, limit, _edges: sweep.top(20, "predicted_throughput", where=limit),
    "front of 2": front("predicted_latency", "top1"),
    "front of 3": front("predicted_latency", "predicted_energy", "top1"),
    "front of 3 within a limit": front("predicted_throughput", "power", "top1", limited=True),
    "front of 4": front("predicted_throughput", "predicted_latency", "predicted_energy", "top1"),
}


def limit_and_edges(sweep: rc.Sweep) -> tuple[dict, np.ndarray]:
    """Tell from a sample which latency two points of five do not exceed, and the range of latencies."""
    rng = np.random.default_rng(1)
    at = {dim: rng.integers(size, size=4000) for dim, size in sweep.sizes.items()}
    context = sweep.context
    latency = context.space.at(list(at.values()), {"latency": context.outputs["predicted_latency"]})["latency"]
    latency = latency[np.isfinite(latency)]
    edges = np.geomspace(latency.min() * 0.9, latency.max() * 1.1, 51)
    return {"predicted_latency": (None, float(np.quantile(latency, 0.4)))}, edges


def seconds_of(sweep: rc.Sweep, ask, strategy: str, most: float) -> float:
    """Time one answer; infinite where it takes more than `most` seconds."""
    flag = threading.Event()
    sweep.context.make_engine = partial(Engine, strategy, thread_count(), stop=flag)
    timer = threading.Timer(most, flag.set)
    timer.start()
    start = time.perf_counter()
    try:
        ask(sweep)
    except Cancelled:
        return np.inf
    finally:
        timer.cancel()
    return time.perf_counter() - start


def first_and_repeated(make, ask, strategy: str, most: float) -> tuple[float, float]:
    """Time the first call on fresh sweeps, the first of which compiles, and the last of some calls after it."""
    firsts = [seconds_of(make(), ask, strategy, most + 10.0)]
    if not np.isfinite(firsts[0]):
        return np.inf, np.inf
    for _ in range(2 if firsts[0] < 1 else 1):
        sweep = make()
        firsts.append(seconds_of(sweep, ask, strategy, most))
    again = [seconds_of(sweep, ask, strategy, most) for _ in range(4 if firsts[-1] < 1 else 2)]
    return min(firsts), min(again[1:])


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("question", QUESTIONS)
def test_auto_against_the_fastest(space, question, add_row, full):
    if not full and question != "count within a limit" and (space != "small" or "front" in question):
        pytest.skip("a question of each space is enough of a smoke run: with --full only")
    maker, size, small = SPACES[space]
    make = partial(maker, *(size if full else small))
    limit, edges = limit_and_edges(make())

    def ask(sweep: rc.Sweep) -> object:
        return QUESTIONS[question](sweep, limit, edges)

    best = [MOST_SECONDS, MOST_SECONDS]
    fastest = ["", ""]
    for way in WAYS:
        most = min(MOST_SECONDS, 4 * best[0] + 1)
        for call, seconds in enumerate(first_and_repeated(make, ask, way, most)):
            if seconds < best[call]:
                best[call], fastest[call] = seconds, way
    if not all(fastest):
        pytest.skip(f"no way answers within {MOST_SECONDS:.0f} s")
    auto = first_and_repeated(make, ask, "auto", 4 * best[0] + 10)
    for call, what in enumerate(("first", "repeated")):
        add_row(
            f"{question}, {make().size:.0e} points, {space}, {what}",
            "the fastest of the three ways",
            best[call] / auto[call],
            f"{1e3 * auto[call]:.1f} ms; {fastest[call]} {1e3 * best[call]:.1f} ms",
            "0.33",
            "0.67",
        )
