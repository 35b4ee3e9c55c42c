from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import sweep_oracle as oracle

import roofcube as rc
from roofcube.kernels.engine import fill
from roofcube.kernels.tuning import Tuning
from roofcube.sweep import zarr_store

PER_INPUT = rc.Assumptions(weights="on chip if it fits", activations="memory per input", layers="per layer")


def parts_of(inputs, *, compiled: bool, points: int, **settings) -> list:
    """The parts of a sweep, filled by kernels where there is anything to compute, or all by NumPy."""
    operations = 1 if compiled else 1 << 60
    tuning = Tuning(chunk_points=points, fill_values=points // 3, compiled_operations=operations)
    parts = zarr_store._parts_of(rc.Sweep(inputs, tuning=tuning, **settings).context)
    assert any(isinstance(part.filler, fill.Fill) for part in parts) == compiled
    return parts


def content(part) -> dict:
    part.prepare()
    found = {}
    for number in range(len(part)):
        with part.tile(number) as (slices, values):
            found[str(slices)] = {name: (array.dtype, array.shape, array.tobytes()) for name, array in values.items()}
    return found


def assert_same_bytes(inputs, points, **settings):
    """Kernels and NumPy give the same bytes, tile by tile."""
    kernels, numpy = (parts_of(inputs, compiled=one, points=points, **settings) for one in (True, False))
    for one, other in zip(kernels, numpy, strict=True):
        assert content(one) == content(other)


@pytest.mark.parametrize(("assumptions", "dtype"), [(rc.PUBLISHED, "f8"), (rc.BOUND, "f4"), (PER_INPUT, "f8")])
def test_kernels_and_numpy_write_the_same_bytes(assumptions, dtype, monkeypatch):
    hardware = rc.hypothetical(
        peak_compute=np.geomspace(1e11, 1e14, 7),
        memory_bandwidth=np.geomspace(1e9, 1e12, 5),
        memory_capacity=1e6,
        on_chip_memory=[1e5, 1e7],
        power=10.0,
    )
    inputs = rc.inputs("cifar10", platforms=hardware, batch=np.arange(1, 40))
    assert_same_bytes(inputs, 17_000, assumptions=assumptions, dtype=dtype)


@pytest.mark.parametrize("seed", range(5))
def test_random_spaces_of_any_shape(seed, monkeypatch):
    case = oracle.random_case(seed)
    sweep = rc.Sweep(case.inputs, assumptions=case.assumptions, dtype=case.dtype)
    points = [50, 1, 333][seed % 3] if sweep.size < 500 else 97
    assert_same_bytes(case.inputs, points, assumptions=case.assumptions, dtype=case.dtype)


def test_rows_longer_than_tiles(monkeypatch):
    """A tile begins and ends inside a row of the kernel."""
    inputs = rc.inputs("mnist", platforms=["TX2"], precision="FP16", batch=np.arange(1, 3000))
    assert_same_bytes(inputs, 700, dims=["batch"])
    assert_same_bytes(inputs, 700)


def test_a_calibrated_sweep(monkeypatch):
    calibration = rc.calibrate(rc.datasets.load_measurements("mnist"))
    inputs = rc.inputs("mnist", platforms=["TX2", "NCS2"], batch=[1, 2, 300])
    assert_same_bytes(inputs, 23, assumptions=calibration)


def test_an_empty_dim(monkeypatch):
    inputs = rc.inputs("mnist", platforms=["TX2"]).isel(batch=slice(0, 0))
    assert_same_bytes(inputs, 100)


def test_small_sweeps_load_no_compiler(tmp_path):
    code = (
        "import sys, roofcube as rc; cube = rc.Sweep(rc.inputs('mnist')).to_zarr('cube.zarr').load()\n"
        "print(cube.predicted_latency.size, 'numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    size, compiler = done.stdout.split()
    assert int(size) > 0
    assert compiler == "False"


def test_tiles_at_work_at_once_do_not_share_memory(monkeypatch):
    inputs = rc.inputs("mnist", platforms=["TX2"], batch=np.arange(1, 300))
    part = max(parts_of(inputs, compiled=True, points=400), key=len)
    part.prepare()
    expected = content(part)
    with part.tile(0) as (slices, first), part.tile(1) as (_, second):
        for name, array in first.items():
            assert not np.shares_memory(array, second[name])
            assert array.tobytes() == expected[str(slices)][name][2]
