"""Random spaces of calibrations: boards and networks that are made up, and embedded ones with rows of their own."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

import roofcube as rc

if TYPE_CHECKING:
    import xarray as xr

WORLDS = 16  # fitting one, and its intervals, takes seconds
MOST_LABELS = {"platform": 3, "mode": 2, "topology": 4, "pruning": 3, "precision": 2, "batch": 6}
BATCHES = np.unique(np.geomspace(1, 2000, 60).round())


@lru_cache
def world(number: int) -> tuple[xr.Dataset, rc.Calibration]:
    """Make inputs, and fit a calibration to random rows of some of their boards."""
    rng = np.random.default_rng(number)
    inputs, rows = _own_world(rng) if number % 2 else _embedded_world(rng)
    few = rng.permutation(rows.height)[: max(8, int(rng.uniform(0.2, 0.6) * rows.height))]
    return inputs, rc.calibrate(rows[few.tolist()], inputs=inputs)


def _own_world(rng: np.random.Generator) -> tuple[xr.Dataset, pl.DataFrame]:
    boards = [
        rc.hypothetical(
            name=f"board {k}",
            peak_compute=10 ** rng.uniform(11, 13),
            memory_bandwidth=10 ** rng.uniform(9, 11),
            power=float(rng.uniform(2, 20)),
            peak_scaling="bits",
        )
        for k in range(3)
    ]
    networks = {
        "topology": [f"net {k}" for k in range(6)],
        "gmacs": rng.lognormal(-1, 1, 6).tolist(),
        "params": (1e6 * rng.lognormal(0, 1, 6)).tolist(),
        "activations": (1e5 * rng.lognormal(0, 1, 6)).tolist(),
        "top1": [*rng.uniform(50, 90, 5), None],
    }
    table = rc.read_network(networks, task="made up")
    inputs = rc.inputs("made up", topologies=table, platforms=boards, precision=["INT8", "FP16"], batch=[1, 4, 16, 64])
    latency = rc.predict(inputs, assumptions=rc.BOUND)["predicted_latency"]
    rows = [
        {
            **{name: inputs[name].values[k].item() for name, k in zip(latency.dims, place, strict=True)},
            "mode": "default",
            "latency_compute_s": seconds * rng.uniform(1.5, 4.0) + 1e-4,
            "power_full_w": rng.uniform(3, 9),
        }
        for place, seconds in np.ndenumerate(latency.values)
    ]
    table = pl.DataFrame(rows).rename({"pruning": "pruning_percent"})
    return inputs, table.filter(pl.col("platform") != "board 2")  # of which no row tells


def _embedded_world(rng: np.random.Generator) -> tuple[xr.Dataset, pl.DataFrame]:
    task = str(rng.choice(rc.tasks()[:3]))
    rows = rc.datasets.load_measurements(task)
    boards = rows["platform"].unique(maintain_order=True).to_list()
    chosen = [str(one) for one in rng.permutation(boards)[:2]]
    return rc.inputs(task, platforms=chosen), rows.filter(pl.col("platform").is_in(chosen))


def random_space(form: np.random.Generator, rng: np.random.Generator, most: int) -> tuple[xr.Dataset, rc.Calibration]:
    """Draw a part of a world, of at most `most` points, with batches and prices of its own."""
    inputs, calibration = world(int(form.integers(WORLDS)))
    chosen: dict = {}
    for dim, most_labels in MOST_LABELS.items():
        if dim in inputs.dims and dim != "batch":
            size = int(form.integers(1, min(inputs.sizes[dim], most_labels) + 1))
            places = form.permutation(inputs.sizes[dim])[:size]
            chosen[dim] = int(places[0]) if size == 1 and form.random() < 0.3 else places
    inputs = inputs.isel(chosen)
    size = int(form.integers(1, MOST_LABELS["batch"] + 1))
    inputs = inputs.isel(batch=np.zeros(size, dtype=int)).assign_coords(
        batch=np.sort(rng.choice(BATCHES, size, replace=False)).astype("i8")
    )
    if form.random() < 0.6:  # what the same costs in some shops, which no figure of the calibration depends on
        dims = ["shop", *(dim for dim in ("platform", "topology") if dim in inputs.dims and form.random() < 0.6)]
        shape = [int(form.integers(1, 4)), *(inputs.sizes[dim] for dim in dims[1:])]
        price = rng.choice([1.0, 2.0, 5.0, np.nan], shape, p=[0.4, 0.3, 0.2, 0.1])
        price.flat[0] = np.nan  # which odd values may occur shapes the generated code
        inputs = inputs.assign(price=(dims, price, {"units": "1"}))
        inputs = inputs.assign_coords(shop=[f"shop {k}" for k in range(shape[0])])
    while np.prod([inputs.sizes[dim] for dim in inputs.dims if dim != "layer"]) > most:
        longest = max((dim for dim in inputs.dims if dim != "layer"), key=lambda dim: inputs.sizes[dim])
        largest = "batch" if inputs.sizes["batch"] > 1 else longest
        inputs = inputs.isel(
            {largest: slice(0, inputs.sizes[largest] // 2), "shop": slice(0, 1)}, missing_dims="ignore"
        )
    return inputs, calibration
