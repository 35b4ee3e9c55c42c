"""Cubes as users bring them: hypothetical, calibrated, own dims, own tasks, many networks, hostile labels."""

from __future__ import annotations

import numpy as np
import polars as pl
import xarray as xr

import roofcube as rc

HOSTILE = (
    "<img src=x onerror=window.pwned=1>",
    "</script><script>window.pwned=2</script>",
    "\"><svg onload=window.pwned=3> '`${window.pwned=4}",
    "😀 émoji",
    "ab\u202eשלום",
    "x" * 500,
    "@platform @{flags} $$\\text{a}$$",
)


def measured(cube, task, share=0.4, power=True):
    """Join rows as if each configuration had been run, at a share of what is predicted."""
    throughput = cube["predicted_throughput"]
    if "batch" not in throughput.dims:
        throughput = throughput.expand_dims(batch=cube["batch"])
    rng = np.random.default_rng(0)
    rows = []
    for labels, rate in throughput.to_series().dropna().items():
        row = dict(zip(throughput.to_series().index.names, labels, strict=True))
        rate *= share * rng.uniform(0.5, 1.2)
        accuracy = cube["top1"].sel({dim: row[dim] for dim in cube["top1"].dims}).item()
        rows.append(
            {
                "task": task,
                **{name: row[name] for name in ("topology", "platform", "precision", "batch")},
                "mode": row.get("mode", "default"),
                "pruning_percent": row["pruning"],
                "throughput_compute_per_s": rate,
                "latency_compute_s": row["batch"] / rate,
                "top1_percent": None if np.isnan(accuracy) else accuracy,
                "power_full_w": float(rng.uniform(5, 9)) if power else None,
            }
        )
    return rc.join(cube, pl.DataFrame(rows))


def hypothetical():
    hardware = rc.hypothetical(
        peak_compute=np.geomspace(1e11, 1e14, 8), memory_bandwidth=np.geomspace(1e9, 1e12, 8), power=10.0
    )
    return rc.predict(rc.inputs("cifar10", platforms=hardware))


def calibrated():
    rows = rc.datasets.load_measurements("cifar10").filter(pl.col("platform").is_in(["TX2", "NCS2"]))
    cube = rc.predict(rc.inputs("cifar10", platforms=["TX2", "NCS2"]), assumptions=rc.calibrate(rows))
    return rc.join(cube, rows)


def own_networks():
    return rc.read_network(
        {
            "topology": ["DS-CNN S", "DS-CNN L", "Wake"],
            "gmacs": [0.0054, 0.056, 0.001],
            "params": [38.6e3, 416e3, 2e4],
            "activations": [1e5, 5e5, 1e4],
            "top1": [94.4, 95.4, 90.0],
        },
        task="kws",
    )


def own_task():
    platforms = ["EdgeTPU", "NCS2"]
    inputs = rc.inputs("kws", topologies=own_networks(), platforms=platforms, batch=[1, 8])
    return measured(rc.predict(inputs, assumptions=rc.BOUND), "kws")


def own_dim():
    inputs = rc.inputs("cifar10", platforms=["TX2", "NCS2"], batch=[1, 8])
    scale = xr.DataArray([1.0, 4.0, 16.0], dims="context", coords={"context": [512, 2048, 8192]})
    return rc.predict(inputs.assign(ops=inputs["ops"] * scale))


def merged():
    whole = rc.benchmark("mnist")
    return rc.merge(whole.sel(platform=["TX2"]), whole.sel(platform=["NCS2"]))


def one_platform():
    rows = rc.datasets.load_measurements("mnist").filter(pl.col("platform") == "NCS2")
    return rc.join(rc.predict(rc.inputs("mnist", platforms="NCS2")), rows)


def two_models():
    rows = rc.datasets.load_measurements("mnist").filter(pl.col("platform") == "NCS2")
    inputs = rc.inputs("mnist", platforms=["NCS2", "TX2"])
    return rc.join(rc.predict(inputs, assumptions=[rc.BOUND, rc.PUBLISHED]), rows)


def measured_only():
    rows = rc.datasets.load_measurements("mnist").filter(pl.col("platform") == "NCS2")
    return rc.join(rc.inputs("mnist", platforms="NCS2"), rows)


def many_networks(number=60, platforms=("NCS2", "TX2")):
    names = [f"net{place:04d}" for place in range(number)]
    rng = np.random.default_rng(1)
    table = rc.read_network(
        {
            "topology": names,
            "gmacs": (0.01 * np.arange(1, number + 1)).tolist(),
            "params": (1e4 * np.arange(1, number + 1)).tolist(),
            "top1": np.clip(60 + 30 * np.arange(number) / number + rng.normal(0, 2, number), 1, 99).tolist(),
        },
        task="zoo",
    )
    inputs = rc.inputs("zoo", topologies=table, platforms=list(platforms), precision="FP16", batch=[1, 8])
    return measured(rc.predict(inputs), "zoo", power=False)


def hostile():
    table = rc.read_network(
        {
            "topology": list(HOSTILE),
            "gmacs": [0.1 * place for place in range(1, len(HOSTILE) + 1)],
            "params": [1e5 * place for place in range(1, len(HOSTILE) + 1)],
            "top1": [50.0 + place for place in range(len(HOSTILE))],
        },
        task=HOSTILE[1],
    )
    hardware = [
        rc.hypothetical(name=name, device_class=HOSTILE[0], peak_compute=1e12 * place, memory_bandwidth=1e10, power=5.0)
        for place, name in enumerate(HOSTILE, start=1)
    ]
    inputs = rc.inputs(HOSTILE[1], topologies=table, platforms=hardware, precision="INT8", batch=[1, 8])
    return measured(rc.predict(inputs), HOSTILE[1]).assign_attrs(title=HOSTILE[0])
