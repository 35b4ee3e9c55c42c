"""Filling the cube against memset, NumPy with `out=` and xarray's broadcasting, all into memory that is reused."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

sys.path.insert(0, str(Path(__file__).parent))
import spaces  # beside this file

from roofcube.kernels.engine.fill import Fill
from roofcube.kernels.graph.space import fold

NAMES = ("predicted_throughput", "predicted_latency", "predicted_energy", "bound", "infeasible")
DIMS = ("topology", "pruning", "precision", "peak", "bandwidth", "batch")


def numpy_out(out, work):
    """The same formulas, each operation into its array, tables of times hoisted."""
    compute, once, each, batch, power = work["tables"]
    a, b = work["scratch"]
    flags = out["infeasible"]
    np.divide(once, batch, out=a)
    np.greater(each, a, out=flags.view("?"))
    np.add(flags, 2, out=flags)
    np.add(a, each, out=a)
    np.maximum(a, compute, out=b)
    np.divide(1, b, out=out["predicted_throughput"])
    np.multiply(b, power, out=out["predicted_energy"])
    np.greater(a, compute, out=out["bound"].view("?"))
    np.multiply(out["bound"], flags, out=out["bound"])
    np.multiply(each, batch, out=a)
    np.add(a, once, out=a)
    np.multiply(compute, batch, out=b)
    np.maximum(a, b, out=out["predicted_latency"])
    flags.fill(0)


def xarray_broadcast(cube):
    """The formulas as they are written on paper, on labelled arrays; xarray finds the dims of each."""
    compute = cube["ops"] / cube["peak_compute"]
    weights = cube["params"] * cube["element_bytes"] / cube["memory_bandwidth"]
    activations = cube["activations"] * cube["element_bytes"] / cube["memory_bandwidth"]
    memory = weights / cube["inputs"] + activations
    period = np.maximum(compute, memory)
    transfer = xr.where(activations <= weights / cube["inputs"], 2, 3).astype("i1")
    bound = xr.where(memory <= compute, np.int8(0), transfer)
    return {
        "predicted_throughput": 1 / period,
        "predicted_latency": np.maximum(compute * cube["inputs"], weights + activations * cube["inputs"]),
        "predicted_energy": cube["power"] * period,
        "bound": bound,
        "infeasible": xr.zeros_like(bound),
    }


@pytest.mark.parametrize(("dtype", "sizes"), [("f8", (10, 20, 250)), ("f4", (50, 20, 500))])
def test_fill(dtype, sizes, race, full):
    sweep = spaces.standard(*(sizes if full else tuple(max(2, size // 10) for size in sizes)), dtype=dtype)
    space, graph = fold(sweep.context.space, {name: sweep.model.outputs[name] for name in NAMES}, points=1)
    space = space.reordered(DIMS)
    filler = Fill(space, graph)
    shape = space.sizes
    kinds = {name: "i1" if name in ("bound", "infeasible") else dtype for name in NAMES}
    out = {name: np.zeros(shape, dtype=kinds[name]) for name in NAMES}
    expected = {name: np.zeros(shape, dtype=kinds[name]) for name in NAMES}
    filler.run(out)
    names = ("ops", "peak_compute", "params", "element_bytes", "memory_bandwidth", "activations", "batch", "power")
    t = {name: space.tables[name][..., 0] for name in names}
    tables = (
        t["ops"] / t["peak_compute"],
        t["params"] * t["element_bytes"] / t["memory_bandwidth"],
        t["activations"] * t["element_bytes"] / t["memory_bandwidth"],
        t["batch"],
        t["power"],
    )
    work = {"tables": tables, "scratch": (np.empty(shape, dtype), np.empty(shape, dtype))}
    numpy_out(expected, work)
    cube = sweep.inputs.assign(element_bytes=("precision", [0.25, 0.5, 1, 2, 4]), inputs=sweep.inputs["batch"])
    cube = cube.astype(dtype)
    broadcast = xarray_broadcast(cube)
    for name in NAMES:
        assert broadcast[name].dtype == kinds[name]
        for other in (expected[name], broadcast[name].transpose(*DIMS).values):
            if name in ("bound", "infeasible"):
                assert (other != out[name]).mean() < 1e-4  # rounding settles ties
            else:
                np.testing.assert_allclose(out[name], other, rtol=1e-5)
    del broadcast
    size = f"{space.size:.0e} points {dtype}"

    def memset():
        for array in out.values():
            array.fill(0)

    race(f"fill, {size}", lambda: filler.run(out), "memset of the same arrays", memset, at_least="0.85", aim="1.1")
    race(f"fill, {size}", lambda: filler.run(out), "NumPy out=", lambda: numpy_out(expected, work), at_least="3")
    peer = "xarray broadcasting"
    race(f"fill, {size}", lambda: filler.run(out), peer, lambda: xarray_broadcast(cube), rounds=3, at_least="15")
