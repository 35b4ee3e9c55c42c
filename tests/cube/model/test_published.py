"""The reference system's printed CIFAR-10 results, reproduced, and the fronts it should have drawn."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import roofcube as rc

if TYPE_CHECKING:
    import xarray as xr

DATA = Path(__file__).parents[2] / "data"
FRONT = [
    (60757, 73.64), (34197, 77.81), (30287, 79.89), (20322, 83.31), (17030, 84.29), (8209, 84.88),
    (7707, 85.57), (4385, 85.60), (2979, 86.86), (2231, 87.06), (686.8, 87.42),
]  # fmt: skip


def published(name):
    return pl.read_csv(DATA / f"{name}.csv").iter_rows(named=True)


@cache
def site() -> xr.Dataset:
    return rc.join(rc.predict(rc.inputs("cifar10", counts="site")), rc.datasets.load_measurements("cifar10"))


@cache
def exact() -> xr.Dataset:
    return rc.benchmark("cifar10")


def label(row):
    names = ("platform", "mode", "precision", "topology")
    return {**{name: row[name] for name in names}, "pruning": float(row["channels_kept_percent"])}


def test_all_published_predictions():
    rows = list(published("cifar10_predictions"))
    assert len(rows) == 52
    for row in rows:
        assert float(site().predicted_throughput.sel(label(row))) == pytest.approx(row["predicted_fps"], rel=1e-4)


def test_all_published_efficiencies():
    ratios = rc.efficiency(site())
    rows = list(published("cifar10_efficiency"))
    assert len(rows) == 42
    for row in rows:
        one = ratios.sel(label(row))
        assert 100 * float(one.efficiency) == pytest.approx(row["efficiency_percent"], abs=0.05)
        assert float(one.measured_throughput) == pytest.approx(row["best_measured_fps"], rel=1e-6)
        assert float(one.peak_throughput) == pytest.approx(row["peak_compute_fps"], rel=1e-4)


def test_the_configurations_that_the_reference_lost_appear():
    ratios = rc.efficiency(site()).efficiency.sel(platform="NCS2", mode="default", precision="FP16", topology="CNV")
    assert int(ratios.notnull().sum()) == 4
    assert int(rc.efficiency(site()).efficiency.notnull().sum()) == 46


def test_all_published_powers_and_energies():
    rows = list(published("cifar10_power"))
    assert len(rows) == 46
    for row in rows:
        one = exact().sel(label(row))
        assert float(one.power_full.mean("batch")) == pytest.approx(row["mean_power_full_w"], rel=1e-3)
        assert 1e3 * float(one.energy_per_input.mean("batch")) == pytest.approx(
            row["mean_energy_mj_per_input"], rel=1e-3
        )


def test_the_slip_of_the_source_is_not_repeated():
    cube = rc.predict(rc.inputs("mnist", counts="site"))
    mlp = cube.predicted_throughput.sel(topology="MLP", pruning=25, mode="default", precision="INT2")
    assert mlp.sel(platform=["ZCU104-FINN", "ZCU104-BISMO"]).values.tolist() == pytest.approx([76800, 76800])


def test_measured_front_is_exactly_the_eleven():
    front = rc.pareto(exact(), {"measured_throughput": "max", "measured_top1": "max"})
    found = list(zip(front.measured_throughput.values.tolist(), front.measured_top1.values.tolist(), strict=True))
    assert len(found) == len(FRONT)
    for (throughput, top1), (expected, accuracy) in zip(found, FRONT, strict=True):
        assert throughput == pytest.approx(expected, abs=0.5 if expected > 1000 else 0.05)
        assert top1 == pytest.approx(accuracy, abs=1e-9)
    assert front.attrs["n_points"] - front.attrs["missing_measured_throughput"] == 378


def test_predicted_front_has_eight_distinct_points():
    front = rc.pareto(site(), {"predicted_throughput": "max", "top1": "max"})
    distinct = {
        (round(a), round(b, 6)) for a, b in zip(front.predicted_throughput.values, front.top1.values, strict=True)
    }
    assert len(distinct) == 8
    assert {(6229, 87.4), (638592, 73.64)} <= distinct
    assert front.sizes["point"] == 8
    # two each, at any of the 11 batches
    assert front.n_ties.values.tolist() == [22] * 8
    every = rc.pareto(site(), {"predicted_throughput": "max", "top1": "max"}, ties="all")
    assert every.n_ties.values.tolist() == [22] * 176


def brute_force(points):
    keep = []
    for place, one in enumerate(points):
        dominated = any(np.all(other >= one) and np.any(other > one) for other in points)
        if not dominated and not np.isnan(one).any():
            keep.append(place)
    return keep


def front_of(rows):
    cube = rc.join(rc.predict(rc.inputs("cifar10")), rows)
    front = rc.pareto(cube, {"measured_throughput": "max", "measured_top1": "max"})
    return sorted(zip(front.measured_throughput.values.tolist(), front.measured_top1.values.tolist(), strict=True))


def expected_of(rows):
    points = rows.select("throughput_compute_per_s", "top1_percent").to_numpy()
    return sorted(tuple(points[place].tolist()) for place in brute_force(points))


@pytest.mark.parametrize("removed", ["ZCU104-FINN", "ZCU104-BISMO", "TX2", "NCS2", "U96-A53"])
def test_front_without_a_platform_equals_brute_force(removed):
    rows = rc.datasets.load_measurements("cifar10").filter(pl.col("platform") != removed)
    assert front_of(rows) == expected_of(rows)


@pytest.mark.parametrize("seed", range(8))
def test_front_of_any_subset_equals_brute_force(seed):
    rows = rc.datasets.load_measurements("cifar10")
    rows = rows.sample(int(np.random.default_rng(seed).integers(1, rows.height)), seed=seed)
    assert front_of(rows) == expected_of(rows)
