"""Poison every held-out network in turn: neither its predictions nor its intervals may move by a bit."""

import os

import numpy as np
import polars as pl
import pytest

import roofcube as rc
from roofcube.calibration import crossvalidation
from roofcube.calibration.facts import facts_of
from roofcube.calibration.measured import measured

FULL = bool(os.environ.get("ROOFCUBE_SOAK"))
RATE = "throughput_compute_per_s"
ROWS = rc.datasets.load_measurements().join(
    rc.datasets.load_platforms().select("platform", "family").unique(), on="platform", how="left", maintain_order="left"
)
NETWORKS = ROWS.select("family", "topology", "pruning_percent").unique(maintain_order=True).rows()
CHOSEN = NETWORKS if FULL else NETWORKS[:1]


@pytest.mark.soak
@pytest.mark.parametrize(("family", "topology", "pruning"), CHOSEN)
def test_poison_reaches_neither_prediction_nor_interval(family, topology, pruning):
    # other families are in only where they teach a prior: keep two of them
    kept = {family, "NCS2", "BISMO"}
    rows = ROWS.filter(pl.col("family").is_in(kept))
    held = (pl.col("family") == family) & (pl.col("topology") == topology) & (pl.col("pruning_percent") == pruning)
    noise = pl.Series(10.0 ** np.random.default_rng(1).uniform(-6, 0, rows.height))
    columns = [
        pl.when(held).then(pl.col(name) * noise).otherwise(pl.col(name)).alias(name) for name in (RATE, "power_full_w")
    ]
    clean, dirty = (measured(table.drop("family"), facts_of(None)) for table in (rows, rows.with_columns(columns)))
    out = np.flatnonzero(rows.select(held).to_series().to_numpy() & clean.scored)
    if not len(out):
        pytest.skip("not scored")
    for scheme in ("network", "pruning", "topology"):
        one, other = (crossvalidation.held_out(data, scheme, power=True) for data in (clean, dirty))
        np.testing.assert_array_equal(one.seconds[out], other.seconds[out])
        np.testing.assert_array_equal(one.power[out], other.power[out])
    one, other = (crossvalidation.held_out_intervals(data, (0.8, 0.9))[1] for data in (clean, dirty))
    for level in (0.8, 0.9):
        np.testing.assert_array_equal(one[level][out], other[level][out])


@pytest.mark.soak
@pytest.mark.skipif(not FULL, reason="ROOFCUBE_SOAK is not set")
def test_poison_reaches_no_interval_through_another_family():
    """Tails are taken from all families, and a family of few rows learns from the others: not from what is held out."""
    table = ROWS.filter(pl.col("family").is_in(["BISMO", "EdgeTPU"])).drop("family")
    held = (pl.col("platform") == "ZCU104-BISMO") & (pl.col("topology") == "MLP") & (pl.col("pruning_percent") == 50)
    poisoned = table.with_columns(pl.when(held).then(pl.col(RATE) * 0.01).otherwise(pl.col(RATE)))
    clean, dirty = (measured(one, facts_of(None)) for one in (table, poisoned))
    out = np.flatnonzero(table.select(held).to_series().to_numpy())
    one, other = (crossvalidation.held_out_intervals(data, (0.95,))[1][0.95] for data in (clean, dirty))
    np.testing.assert_array_equal(one[out], other[out])
    few = np.flatnonzero((clean.rows.family() == "EdgeTPU") & clean.scored)
    assert (one[few] != other[few]).any(), "the poison does not reach the other family either: no test"
