"""Filling the cube against memset, NumPy with `out=` and xarray's broadcasting, all into memory that is reused."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

sys.path.insert(0, str(Path(__file__).parent))
import spaces  # beside this file

from roofcube.kernels.fill import Fill
from roofcube.kernels.space import fold

NAMES = ("predicted_throughput", "predicted_latency", "predicted_energy", "bound", "infeasible")
DIMS = ("topology", "pruning", "precision", "peak", "bandwidth", "batch")


def numpy_out(space, out, work):
    """The same formulas, each operation into its array, tables of times hoisted."""
    compute, once, each, batch, power = work["tables"]
    a, b = work["scratch"]
    np.divide(once, batch, out=a)
    np.add(a, each, out=a)
    np.maximum(a, compute, out=b)
    np.divide(1, b, out=out["predicted_throughput"])
    np.multiply(b, power, out=out["predicted_energy"])
    np.less_equal(a, compute, out=out["bound"].view("?"))
    np.multiply(each, batch, out=a)
    np.add(a, once, out=a)
    np.multiply(compute, batch, out=b)
    np.maximum(a, b, out=out["predicted_latency"])
    out["infeasible"].fill(0)


@pytest.mark.parametrize(("dtype", "sizes"), [("f8", (10, 20, 250)), ("f4", (50, 20, 500))])
def test_fill(dtype, sizes, race, full):
    sweep = spaces.standard(*(sizes if full else tuple(max(2, size // 10) for size in sizes)), dtype=dtype)
    space, graph = fold(sweep.whole, {name: sweep.model.outputs[name] for name in NAMES}, points=1)
    filler = Fill(space.reordered(DIMS), graph)
    shape = filler.query.space.sizes
    kinds = {name: "i1" if name in ("bound", "infeasible") else dtype for name in NAMES}
    out = {name: np.zeros(shape, dtype=kinds[name]) for name in NAMES}
    expected = {name: np.zeros(shape, dtype=kinds[name]) for name in NAMES}
    filler.run(out)
    names = ("ops", "peak_compute", "params", "element_bytes", "memory_bandwidth", "activations", "batch", "power")
    t = {name: filler.query.space.tables[name][..., 0] for name in names}
    tables = (
        t["ops"] / t["peak_compute"],
        t["params"] * t["element_bytes"] / t["memory_bandwidth"],
        t["activations"] * t["element_bytes"] / t["memory_bandwidth"],
        t["batch"],
        t["power"],
    )
    work = {"tables": tables, "scratch": (np.empty(shape, dtype), np.empty(shape, dtype))}
    numpy_out(space, expected, work)
    np.testing.assert_allclose(out["predicted_throughput"], expected["predicted_throughput"], rtol=1e-5)
    size = f"{filler.query.space.size:.0e} points {dtype}"

    def memset():
        for array in out.values():
            array.fill(0)

    cube = sweep.inputs

    def broadcast():
        width = cube["precision"].copy(data=[0.25, 0.5, 1, 2, 4]).astype(dtype)
        small = cube.astype(dtype)
        compute = small["ops"] / small["peak_compute"]
        once = small["params"] * width / small["memory_bandwidth"]
        each = small["activations"] * width / small["memory_bandwidth"]
        batch = small["batch"].astype(dtype)
        memory = once / batch + each
        period = np.maximum(compute, memory)
        latency = np.maximum(compute * batch, once + each * batch)
        bound = (memory <= compute).astype("i1")
        return 1 / period, latency, period * small["power"], bound, xr.zeros_like(bound)

    race(f"fill, {size}", lambda: filler.run(out), "memset of the same arrays", memset, at_least="0.85", aim="1.1")
    race(f"fill, {size}", lambda: filler.run(out), "NumPy out=", lambda: numpy_out(space, expected, work), at_least="3")
    race(f"fill, {size}", lambda: filler.run(out), "xarray broadcasting", broadcast, rounds=1, at_least="15")
