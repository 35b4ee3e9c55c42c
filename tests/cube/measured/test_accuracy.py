"""Networks without an accuracy take that of the measured rows, and say so."""

from __future__ import annotations

import numpy as np
import pytest

import roofcube as rc

BOARD = {"platform": "Kite", "device_class": "NPU", "peak_compute": "2 TOP/s", "memory_bandwidth": "10 GB/s"}
ROW = {"topology": "Wake", "platform": "Kite", "precision": "INT8", "batch": 1, "throughput_compute_per_s": 100.0}


def predicted(**given):
    boards = [BOARD | {"precision": precision} for precision in ("INT8", "FP16")]
    table = {"topology": ["Wake"], "gmacs": [0.5], "mparams": [1.0], "activations": [1e5]}
    network = rc.read_network(table, task="kws", **given)
    return rc.predict(rc.inputs("kws", platforms=[boards[0], boards[1]], topologies=network, batch=[1, 2]))


def joined(cube, *accuracies):
    rows = [ROW | {"batch": batch, "top1_percent": top1} for batch, top1 in enumerate(accuracies, 1)]
    return rc.join(cube, rc.read_measurements(rows))


def test_untrained_vanishes_where_rows_tell_the_accuracy():
    cube = predicted()
    assert set(np.unique(cube.infeasible)) == {5}
    told = joined(cube, 90.0, 92.0)
    assert told.top1.sel(precision="INT8").item() == 91.0
    assert np.isnan(told.top1.sel(precision="FP16").item())
    assert told.top1.attrs["comment"].endswith("the mean of the measured rows")
    assert told.infeasible.dtype == cube.infeasible.dtype
    assert [int(told.infeasible.sel(precision=one).max()) for one in ("INT8", "FP16")] == [0, 5]
    assert bool(rc.best(told, "predicted_throughput", where={"top1": (90, None)}).found)
    assert type(rc.plot.overlap(told)).__name__ == "Overlay"


def test_rows_may_leave_out_what_the_cube_has_one_of():
    told = rc.join(predicted(), [ROW | {"top1_percent": 90.0}])
    assert told.top1.sel(precision="INT8").item() == 90.0
    assert int(told.infeasible.sel(precision="INT8").max()) == 0


@pytest.mark.parametrize("given", [{"top1": 80.0}, {"top1": {"FP16": 80.0}}])
def test_what_is_known_of_a_network_stays(given):
    cube = predicted(**given)
    assert joined(cube, 90.0).top1.identical(cube.top1)


def test_fractions_are_not_taken():
    assert np.isnan(joined(predicted(), 0.9).top1).all()


def test_the_embedded_benchmark_keeps_its_accuracies():
    cube = rc.predict(rc.inputs("mnist"))
    assert rc.join(cube, rc.datasets.load_measurements("mnist")).top1.identical(cube.top1)


def test_labs_that_measured_other_accuracies_merge():
    cube = predicted()
    both = rc.merge(*(joined(cube, top1).assign_attrs(title=f"lab {top1}") for top1 in (90.0, 92.0)))
    assert both.top1.sel(precision="INT8").squeeze(drop=True).values.tolist() == [90.0, 92.0]
    beside = rc.merge(cube, joined(cube, 90.0))
    assert int(beside.infeasible.sel(precision="INT8").max()) == 0
    assert beside.top1.sel(precision="INT8").item() == 90.0
