"""Sweeps against the loops that a user would write, and against visiting every point."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import spaces  # beside this file

from roofcube.kernels.bounds import search
from roofcube.kernels.engine.pool import in_order
from roofcube.kernels.engine.reductions import FRONT as FRONT_OF_POINTS
from roofcube.kernels.engine.scans import Scan
from roofcube.kernels.engine.stream import visit
from roofcube.options import thread_count

LIMIT = {"predicted_latency": (None, 0.01)}
FRONT = {"predicted_latency": "min", "predicted_energy": "min", "top1": "max"}


def scan_of(sweep, where=LIMIT):
    query = spaces.query_of(sweep, where, objectives=[("predicted_throughput", 1)]).query
    return Scan(query)


def run(scan, threads):
    total = None
    for part in in_order(scan.run, scan.jobs, threads=threads):
        if total is None:
            total = part
        else:
            total.merge(part)
    return scan.finished(total)


def median_seconds(call, rounds=5):
    call()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return sorted(times)[rounds // 2]


LAYOUTS = {"long batch axis": (100, 100, 500), "batch of 10": (700, 700, 10)}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_exhaustive_scan(layout, race, full):
    sizes = LAYOUTS[layout] if full else tuple(max(2, size // 10) for size in LAYOUTS[layout])
    sweep = spaces.standard(*sizes)
    scan, arguments = scan_of(sweep), spaces.loop_arguments(sweep)
    ours = run(scan, 1)
    best, _, count = spaces.scalar_loop(*arguments, np.float32(0.01))
    assert ours.count[0] == pytest.approx(count, rel=1e-5)
    assert ours.key[0] == pytest.approx(best, rel=1e-5)
    race(
        f"exhaustive max, first argmax and count, {sweep.size:.1e} points f4, {layout}, 1 thread",
        lambda: run(scan, 1),
        "fused scalar loop, error_model=numpy",
        lambda: spaces.scalar_loop(*arguments, np.float32(0.01)),
        rounds=3,
        at_least="6",
        aim="8",
    )


def test_exhaustive_scan_of_many_axes(race, full):
    sweep = spaces.many_axes(5 if full else 3)
    limit = 1.5e-3
    scan = scan_of(sweep, {"predicted_latency": (None, limit)})
    scales = {5: 1e9, 7: 1e6, 9: 1e5, 0: 1e12, 3: 1e10}
    f = spaces.factors(5 if full else 3)
    arrays = [(scales.get(k, 1.0) * f[k].values).astype("f4") for k in (5, 6, 7, 8, 9, 11, 0, 1, 2, 3, 4, 10, 12)]
    ours = run(scan, 1)
    best, _, count = spaces.scalar_loop_of_many(*arrays, np.float32(limit))
    assert 0 < count < sweep.size
    assert ours.count[0] == pytest.approx(count, rel=1e-4)
    assert ours.key[0] == pytest.approx(best, rel=1e-5)
    race(
        f"exhaustive max, first argmax and count, {sweep.size:.1e} points f4, 13 small axes, 1 thread",
        lambda: run(scan, 1),
        "fused scalar loop, error_model=numpy",
        lambda: spaces.scalar_loop_of_many(*arrays, np.float32(limit)),
        rounds=3,
        at_least="6",
        aim="8",
    )


def test_two_threads(race, full):
    if thread_count() < 2:
        pytest.skip("one core")
    sweep = spaces.standard(1000, 100, 500) if full else spaces.standard(30, 30, 100)
    scan = scan_of(sweep)
    race(
        f"the same on two threads, {sweep.size:.1e} points",
        lambda: run(scan, 2),
        "one thread",
        lambda: run(scan, 1),
        rounds=3,
        at_least="1.7",
        aim="1.9",
    )


def test_best(race, full):
    sweep = spaces.standard() if full else spaces.standard(30, 30, 50)
    scan = scan_of(sweep)
    assert float(sweep.best("predicted_throughput", where=LIMIT)["predicted_throughput"]) == run(scan, 1).key[0]
    race(
        f"best of {sweep.size:.1e} points",
        lambda: sweep.best("predicted_throughput", where=LIMIT),
        "our exhaustive scan, 1 thread",
        lambda: run(scan, 1),
        at_least="100",
    )


def test_larger_best_and_front(add_row, full):
    small, large = (
        (spaces.standard(), spaces.standard(1000, 1000, 5000)) if full else (spaces.standard(20, 20, 20),) * 2
    )
    for work, limit, call in (
        ("best", 20, lambda sweep: sweep.best("predicted_throughput", where=LIMIT)),
        ("front (latency, energy, top1)", 30, lambda sweep: sweep.pareto(FRONT, ties="first")),
    ):
        times = [median_seconds(lambda one=one, call=call: call(one), 3) for one in (small, large)]
        ours = f"{1e3 * times[1]:.0f} ms against {1e3 * times[0]:.1f} ms"
        add_row(
            f"{work} of {large.size:.0e} points", f"ours of {small.size:.0e}", times[0] / times[1], ours, f"1/{limit}"
        )


def test_front_against_archive_scan(add_row, full):
    sweep = spaces.standard(*((100, 100, 500) if full else (20, 20, 50)))
    ops, weights, activations, peak, bandwidth, batch = spaces.loop_arguments(sweep)
    power, top1 = sweep.inputs["power"].values.astype("f4"), sweep.inputs["top1"].values.ravel().astype("f4")
    arguments = (ops, weights, activations, peak, power, top1, bandwidth, batch, 1 << 16)
    seconds = median_seconds(lambda: sweep.pareto(FRONT, ties="first"))
    spaces.archive_scan(*arguments[:3], *(array[:, :2] for array in arguments[3:4]), power[:2], *arguments[5:])
    start = time.perf_counter()
    scanned = spaces.archive_scan(*arguments)
    scan_seconds = time.perf_counter() - start
    front = sweep.pareto(FRONT, ties="first")
    assert front.sizes["point"] == pytest.approx(len(scanned), rel=0.01)
    add_row(
        f"front (latency, energy, top1) of {sweep.size:.0e} points",
        "archive scan with row reject",
        scan_seconds / seconds,
        f"{1e3 * seconds:.0f} ms",
        "300",
    )


TRIPLES = (
    ("predicted_throughput", "power", "top1"),
    ("predicted_throughput", "predicted_latency", "predicted_energy"),
    ("predicted_latency", "memory_required", "top1"),
    ("predicted_latency", "predicted_energy", "memory_required"),
)


@pytest.mark.parametrize(
    "objectives", [*TRIPLES, ("predicted_throughput", "predicted_latency", "predicted_energy", "top1")]
)
def test_any_front_against_streaming(objectives, add_row, full):
    sizes = ((100, 100, 500) if len(objectives) == 3 else (50, 50, 200)) if full else (12, 12, 20)
    sweep = spaces.standard(*sizes)
    signs = [1 if name in ("predicted_throughput", "top1") else -1 for name in objectives]
    query = spaces.query_of(sweep, objectives=list(zip(objectives, signs, strict=True))).query
    seconds = median_seconds(lambda: search.front(query, budget=None), 3)
    threads = thread_count()
    streamed = median_seconds(lambda: visit(FRONT_OF_POINTS, query, threads=threads, compiled=True), 1)
    add_row(
        f"front ({', '.join(objectives)}) of {sweep.size:.0e} points",
        f"streaming every point, generated kernels, {threads} threads",
        streamed / seconds,
        f"{seconds:.2f} s",
        "1",
    )


VISITS = {
    "count within 1 ms": lambda sweep: sweep.count(where={"predicted_latency": (None, 1e-3)}),
    "count by bound": lambda sweep: sweep.count(by="bound"),
    "histogram of 50 bins": lambda sweep: sweep.histogram("predicted_latency", bins=np.geomspace(1e-7, 10, 51)),
    "median": lambda sweep: sweep.quantile("predicted_latency", 0.5),
}
# what makes a space, its size, and a small one that NumPy tiles visit
SPACES = {
    "13 small axes": (spaces.many_axes, (5,), (3,)),
    "per layer": (spaces.layered, (200, 256), (12, 32)),
    "per layer of one network": (spaces.layered_network, (600, 100), (24, 32)),
}


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("visit", VISITS)
def test_visits(visit, space, add_row, full):
    make, size, small_size = SPACES[space]
    small = make(*small_size, strategy="numpy")
    large = make(*(size if full else small_size))
    ours = median_seconds(lambda: VISITS[visit](large), 1)
    tiles = median_seconds(lambda: VISITS[visit](small), 1) * large.size / small.size
    add_row(
        f"{visit}, {large.size:.1e} points, {space}",
        f"NumPy tiles of {small.size:.0e} points, scaled",
        tiles / ours,
        f"{ours:.2f} s",
    )


START = """
import sys, time, resource
sys.path.insert(0, {folder!r})
import spaces, numba, roofcube.sweep
import roofcube.kernels.compilation
sweep = spaces.standard(*{sizes})
def megabytes(what):
    return next(float(line.split()[1]) / 1e3 for line in open("/proc/self/status") if line.startswith(what))
open("/proc/self/clear_refs", "w").write("5")  # Linux: forget the peak of the imports
start, before = time.perf_counter(), megabytes("VmRSS")
{call}
print(time.perf_counter() - start, (megabytes("VmHWM") - before) / 1e3)
"""
CALLS = {
    "best": 'sweep.best("predicted_throughput")',
    "front": 'sweep.pareto({"predicted_latency": "min", "predicted_energy": "min", "top1": "max"}, ties="first")',
    "count": 'sweep.count(where={"predicted_latency": (None, 0.01)})',
    "histogram": 'sweep.histogram("predicted_latency", bins=20)',
}


def in_a_process(call, sizes, cache, monkeypatch):
    monkeypatch.setenv("ROOFCUBE_CACHE_DIR", str(cache))
    text = START.format(folder=str(Path(__file__).parent), sizes=sizes, call=CALLS[call])
    result = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    seconds, gigabytes = map(float, result.stdout.split())
    return seconds, gigabytes


@pytest.mark.parametrize("call", ["best", "front"])
def test_first_sweep_of_a_process(call, add_row, full, tmp_path, monkeypatch):
    sizes = (50, 50, 200) if full else (5, 5, 5)
    cold, _ = in_a_process(call, sizes, tmp_path, monkeypatch)
    warm, _ = in_a_process(call, sizes, tmp_path, monkeypatch)
    add_row(f"first {call} of a process, 1e8 points, cold cache", "2 s", 2 / cold, f"{cold:.2f} s", "1")
    add_row(f"first {call} of a process, 1e8 points, warm cache", "0.3 s", 0.3 / warm, f"{warm:.2f} s", "1")


@pytest.mark.parametrize("call", CALLS)
def test_memory(call, add_row, full, tmp_path, monkeypatch):
    sizes = (1000, 100, 500) if full else (5, 5, 5)
    _, gigabytes = in_a_process(call, sizes, tmp_path, monkeypatch)
    add_row(
        f"memory of {call} over 1e10 points, above imports",
        "0.3 GB",
        0.3 / max(gigabytes, 1e-3),
        f"{gigabytes:.2f} GB",
        "1",
        "3",
    )
    assert 0 < gigabytes < 0.3


def test_dask_threads(race, full):
    """2·10⁹ points to a maximum per group: tiles in this process against Dask's threads on chunks."""
    import dask
    import dask.array as da

    sweep = spaces.standard(200, 100, 500) if full else spaces.standard(5, 5, 50)
    query = sweep.context.query(
        sweep.context.where(None), objectives=[("predicted_throughput", 1)], per=["topology", "pruning", "precision"]
    ).query
    scan = Scan(query)
    ops, weights, activations, peak, bandwidth, batch = (
        da.from_array(array, chunks=-1) for array in spaces.loop_arguments(sweep)
    )

    def theirs(step):
        chunked = peak.rechunk((max(1, step), -1))[:, :, None, None]
        compute = ops[:, None, None, None] / chunked
        once = weights[:, None, None, None] / bandwidth[None, None, :, None]
        each = activations[:, None, None, None] / bandwidth[None, None, :, None]
        return (1 / da.maximum(compute, once / batch + each)).max(axis=(1, 2, 3))

    def computed(step):
        with dask.config.set(scheduler="threads", num_workers=2):
            return theirs(step).compute()

    steps = {step: median_seconds(lambda step=step: computed(step), 1) for step in (1, 2, 8)}
    step = min(steps, key=steps.get)
    np.testing.assert_allclose(run(scan, 2).key, computed(step), rtol=1e-5)
    race(
        f"maximum per group of {sweep.size:.0e} points, two threads",
        lambda: run(scan, 2),
        "dask threads at their best chunk",
        lambda: computed(step),
        rounds=1,
        at_least="3",
    )


def test_dask_distributed(race, full):
    from dask.distributed import Client, LocalCluster

    sizes = (1000, 100, 500) if full else (20, 20, 50)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:
        there, here = (spaces.standard(*sizes, strategy="stream", client=one) for one in (client, None))
        assert there.best("predicted_throughput", where=LIMIT).identical(here.best("predicted_throughput", where=LIMIT))
        race(
            f"exhaustive best of {here.size:.0e} points, Dask distributed, 2 workers",
            lambda: there.best("predicted_throughput", where=LIMIT),
            "in this process, 2 threads",
            lambda: here.best("predicted_throughput", where=LIMIT),
            rounds=3,
            at_least="0.75",
            aim="0.9",
        )
