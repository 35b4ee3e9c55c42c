from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest

import roofcube as rc

distributed = pytest.importorskip("distributed")

FRONT = {"predicted_latency": "min", "predicted_energy": "min", "top1": "max"}
LIMIT = {"predicted_latency": (None, 0.01)}


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def inputs():
    hardware = rc.hypothetical(
        peak_compute=np.geomspace(1e11, 1e14, 40), memory_bandwidth=np.geomspace(1e9, 1e12, 30), power=[5.0, 20.0]
    )
    return rc.inputs("cifar10", platforms=hardware, batch=np.arange(1, 40))


ASSUMPTIONS = rc.Assumptions(weights="memory per batch", activations="memory per input")


@pytest.mark.parametrize("strategy", ["numpy", "stream", "auto"])
def test_a_cluster_gives_the_same_answers(client, inputs, strategy):
    there = rc.Sweep(inputs, assumptions=ASSUMPTIONS, strategy=strategy, client=client)
    here = rc.Sweep(inputs, assumptions=ASSUMPTIONS, strategy="numpy")
    for call in (
        lambda sweep: sweep.best("predicted_throughput", where=LIMIT, per=["precision"]),
        lambda sweep: sweep.pareto(FRONT, where=LIMIT),
        lambda sweep: sweep.top(9, "predicted_energy"),
        lambda sweep: sweep.count(by="bound", per="pruning"),
        lambda sweep: sweep.histogram("predicted_latency", bins=9),
    ):
        assert call(there).identical(call(here))


@pytest.mark.parametrize("strategy", ["numpy", "stream", "auto"])
def test_a_cluster_answers_about_no_points(client, inputs, strategy):
    empty = inputs.isel(batch=slice(0, 0))
    there = rc.Sweep(empty, assumptions=ASSUMPTIONS, strategy=strategy, client=client)
    here = rc.Sweep(empty, assumptions=ASSUMPTIONS, strategy="numpy")
    for call in (
        lambda sweep: sweep.best("predicted_throughput", where=LIMIT, per=["precision"]),
        lambda sweep: sweep.best("predicted_throughput", per="batch"),
        lambda sweep: sweep.pareto(FRONT, where=LIMIT),
        lambda sweep: sweep.top(9, "predicted_energy"),
        lambda sweep: sweep.count(by="bound", per="pruning"),
        lambda sweep: sweep.histogram("predicted_latency", bins=9),
        lambda sweep: sweep.quantile("predicted_latency", 0.5, per="precision"),
    ):
        assert call(there).identical(call(here))


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.05])
def test_a_lost_worker_loses_no_tile(client, inputs, seconds):
    sweep = rc.Sweep(inputs, assumptions=ASSUMPTIONS, strategy="numpy", client=client)
    expected = rc.Sweep(inputs, assumptions=ASSUMPTIONS, strategy="numpy").count(where=LIMIT)
    victim = next(iter(client.run(os.getpid).values()))
    killer = threading.Thread(target=lambda: (time.sleep(seconds), os.kill(victim, signal.SIGKILL)))
    killer.start()
    found = [sweep.count(where=LIMIT) for _ in range(3)]
    killer.join()
    assert all(one.identical(expected) for one in found)
