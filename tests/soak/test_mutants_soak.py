"""Damaged files of every format are read as they were or refused by name: no raw error, no hang, no other cube in silence."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from mutants import damaged, edited

import roofcube as rc
from roofcube.calibration.saved.storage import signed
from roofcube.errors import RoofcubeError

pytest.importorskip("zarr")

FULL = bool(os.environ.get("ROOFCUBE_SOAK"))
EACH = int(os.environ.get("ROOFCUBE_SOAK_MUTANTS") or (10_000 if FULL else 50))
AT_ONCE = 500
READER = Path(__file__).parent.parent / "support" / "mutant_reader.py"
PLATFORM = """[[platform]]
platform = "Mine"
device_class = "GPU"
precision = "FP16"
mode = "maxn"
peak_compute_op_per_s = 1e12
memory_bandwidth_b_per_s = 1e10
memory_capacity_b = 8e9
listed_power_w = 15
cores = 2
"""
SPEC = """dtype = "f8"
assumptions = "published"
[inputs]
task = "mnist"
pruning = [100, 50]
batch = {start = 1, stop = 64, steps = 8}
[hypothetical]
peak_compute = {start = 1e11, stop = 1e14, steps = 10, spacing = "log"}
memory_bandwidth = [1e9, 1e10]
[reduce]
kind = "top"
n = 5
objective = "predicted_throughput"
where = {predicted_latency = {max = 0.1}}
"""


@pytest.fixture(scope="module")
def seeds(tmp_path_factory) -> dict[str, Path]:
    """A whole file of every format."""
    folder = tmp_path_factory.mktemp("seeds")
    inputs = rc.inputs("mnist", platforms=["TX2"], pruning=[100, 50], batch=[1, 8])
    cube = rc.predict(inputs)[["predicted_throughput", "bound", "infeasible", "top1", "peak_compute", "ops"]]
    cube = cube.assign_coords(when=("pruning", np.array(["2020-01-01", "NaT"], "M8[s]")))
    kept = [name for name in inputs.data_vars if "layer" not in inputs[name].dims]
    rc.Sweep(inputs[kept].drop_vars("layer", errors="ignore")).to_zarr(folder / "sweep.zarr")
    rows = rc.datasets.load_measurements("mnist").filter(rc.datasets.load_measurements("mnist")["platform"] == "TX2")
    rc.calibrate(rows).save(folder / "calibration.json")
    boards = rc.datasets.load_measurements().filter(pl.col("platform").is_in(["NCS2", "ZCU104-BISMO", "TX2"]))
    rc.calibrate(boards).save(folder / "forged.json")
    rows.head(12).write_csv(folder / "rows.csv")
    (folder / "platforms.toml").write_text(PLATFORM + PLATFORM.replace("FP16", "INT8"), "utf-8")
    (folder / "spec.toml").write_text(SPEC, "utf-8")
    made = {"nc": rc.save(cube, folder / "cube.nc"), "zarr": rc.save(cube, folder / "cube.zarr")}
    made |= {"forged": folder / "forged.json"}
    made |= {"sweep": folder / "sweep.zarr", "calibration": folder / "calibration.json", "rows": folder / "rows.csv"}
    return made | {"platforms": folder / "platforms.toml", "spec": folder / "spec.toml", "onnx": network(folder)}


def network(folder: Path) -> Path:
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    weights = [np.ones((8, 3, 3, 3), "f4"), np.ones((8 * 6 * 6, 10), "f4")]
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w0"], ["y"], name="c1"),
            helper.make_node("Flatten", ["y"], ["f"]),
            helper.make_node("Gemm", ["f", "w1"], ["z"], name="g1"),
        ],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 10])],
        [numpy_helper.from_array(one, f"w{k}") for k, one in enumerate(weights)],
    )
    onnx.save(helper.make_model(graph), folder / "network.onnx")
    return folder / "network.onnx"


def told(kind: str, seed: Path, paths: list[Path]) -> list[str]:
    """Return what became of each file: read, other, refused, or a raw error; of what ends the reader, untrusted."""
    lines: list[str] = []
    while len(lines) < len(paths):
        rest = [str(path) for path in paths[len(lines) :]]
        done = subprocess.run(
            [sys.executable, "-W", "ignore", str(READER), kind, str(seed)],
            input="\n".join(rest),
            capture_output=True,
            text=True,
            check=False,
        )
        lines += done.stdout.splitlines()
        if len(lines) < len(paths):
            ended = signal.Signals(-done.returncode).name if done.returncode < 0 else done.stderr[-300:]
            lines.append(
                f"untrusted {ended}" if kind == "nc" and refused_untrusted(paths[len(lines)]) else f"ended {ended}"
            )
    return lines


def refused_untrusted(path: Path) -> bool:
    """Check whether a file that ends or hangs its reader is refused where a process of its own reads it."""
    try:
        rc.load(path, untrusted=True)
    except RoofcubeError:
        return True
    return False


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["nc", "zarr", "sweep", "calibration", "forged", "rows", "platforms", "spec", "onnx"])
def test_damaged_files_are_read_as_they_were_or_refused(tmp_path, seeds, kind):
    seed, counts, wrong = seeds[kind], Counter[str](), []
    for start in range(0, EACH, AT_ONCE):
        paths = []
        for number in range(start, min(start + AT_ONCE, EACH)):
            paths.append(tmp_path / f"{number}{seed.suffix}")
            rng = random.Random(f"{kind} {number}")
            if kind == "forged":  # with a checksum that matches
                paths[-1].write_text(json.dumps(signed(edited(json.loads(seed.read_text()), rng))))
            else:
                damaged(seed, paths[-1], rng)
        for path, line in zip(paths, told(kind, seed, paths), strict=True):
            counts[line.split()[0]] += 1
            if line.split()[0] not in ("read", "refused", "untrusted"):
                wrong.append((path.name, line))
            subprocess.run(["rm", "-rf", str(path)], check=True)
    print(kind, dict(counts))
    assert wrong == []
    assert counts["refused"] > EACH / 10
