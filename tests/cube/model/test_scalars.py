"""One label of a dim, given as itself or in a list, is the same question."""

from __future__ import annotations

import numpy as np

import roofcube as rc


def test_hardware_at_one_precision_of_one_network():
    hardware = rc.hypothetical(
        peak_compute=np.geomspace(1e10, 1e13, 5), memory_bandwidth=np.geomspace(1e9, 1e11, 4), power=5.0
    )
    alone = rc.predict(rc.inputs("cifar10", platforms=hardware, precision="INT8", pruning=100.0))
    listed = rc.predict(rc.inputs("cifar10", platforms=hardware, precision=["INT8"], pruning=[100.0]))
    for name in ("predicted_throughput", "predicted_latency", "infeasible"):
        one, other = (cube[name].squeeze(drop=True) for cube in (alone, listed))
        np.testing.assert_array_equal(one, other.transpose(*one.dims))
