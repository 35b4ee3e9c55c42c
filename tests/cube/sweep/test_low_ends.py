"""Choices by prediction are judged on the end of the interval that promises less."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import roofcube as rc
from roofcube.sweep.explanation import BEYOND
from roofcube.sweep.low_ends import at_low_ends, has_intervals


@pytest.fixture
def bold_and_careful():
    """Two chips: one promises more, the other keeps more."""
    dims = ("platform",)
    return xr.Dataset(
        {
            "predicted_throughput": (dims, [100.0, 80.0, 60.0], {"units": "1/s"}),
            "predicted_throughput_low": (dims, [20.0, 70.0, np.nan]),
            "predicted_throughput_high": (dims, [500.0, 90.0, np.nan]),
            "predicted_latency": (dims, [0.01, 0.0125, 1 / 60], {"units": "s"}),
            "extrapolates": (dims, [0.0, 1.0, 0.0]),
        },
        coords={"platform": ["bold", "careful", "plain"]},
    )


def test_the_low_end_of_throughput_and_with_it_the_high_end_of_latency(bold_and_careful):
    careful = at_low_ends(bold_and_careful)
    assert careful.predicted_throughput.values.tolist() == [20.0, 70.0, 60.0]
    assert careful.predicted_throughput_expected.values.tolist() == [100.0, 80.0, 60.0]
    np.testing.assert_allclose(careful.predicted_latency, 1 / careful.predicted_throughput)
    assert careful.predicted_throughput.attrs["units"] == "1/s"
    assert bold_and_careful.predicted_throughput.values.tolist() == [100.0, 80.0, 60.0]


def test_the_winner_is_judged_on_it_and_an_extrapolation_says_so(bold_and_careful):
    assert rc.best(bold_and_careful, "predicted_throughput").platform.item() == "bold"
    reasons = rc.explain(at_low_ends(bold_and_careful), "predicted_throughput")
    assert reasons.winner.platform.item() == "careful"
    assert reasons.doubts == (BEYOND,)
    assert "at least 70 inputs/s (expected 80 inputs/s)" in repr(reasons)
    assert BEYOND in repr(reasons)
    told = reasons.to_dict()["winner"]
    assert (told["predicted_throughput"], told["predicted_throughput_expected"], told["extrapolates"]) == (70, 80, 1)


def test_what_should_be_small_is_judged_on_its_high_end():
    cube = xr.Dataset(
        {"wait": ("a", [1.0, 2.0], {"sense": "min"}), "wait_low": ("a", [0.1, 1.9]), "wait_high": ("a", [9.0, 2.1])}
    )
    careful = at_low_ends(cube.assign_coords(a=["x", "y"]))
    assert careful.wait.values.tolist() == [9.0, 2.1]
    assert "at most 2.1 (expected 2)" in repr(rc.explain(careful, "wait"))


def test_ends_that_are_nowhere_known_are_no_interval(bold_and_careful):
    cube = bold_and_careful.sel(platform=["plain"])
    assert not has_intervals(cube)
    assert at_low_ends(cube).identical(cube)


def test_a_cube_without_intervals_comes_back_as_it_is():
    cube = rc.predict(rc.inputs("mnist"))
    assert not has_intervals(cube)
    assert at_low_ends(cube) is cube


def test_predict_tells_where_a_calibration_extrapolates():
    rows = rc.datasets.load_measurements("mnist").filter(rc.datasets.load_measurements("mnist")["batch"] <= 8)
    cube = rc.predict(rc.inputs("mnist", platforms="NCS2", batch=[1, 8, 512]), assumptions=rc.calibrate(rows))
    beyond = cube.extrapolates.sel(platform="NCS2", precision="FP16", pruning=100).squeeze()
    assert beyond.sel(batch=8) == 0
    assert beyond.sel(batch=512) == 1
    assert has_intervals(cube)


def test_whether_a_calibration_extrapolates_is_asked_by_true_and_false():
    calibration = rc.calibrate(rc.datasets.load_measurements("mnist"))
    sweep = rc.Sweep(rc.inputs("mnist", batch=[1, 8, 16, 128]), assumptions=calibration)
    cube = sweep.compute()
    part = cube.sel(platform="U96-A53", mode="default", precision="INT8")
    assert cube.extrapolates.isnull().any()
    assert not part.extrapolates.isnull().any()
    for one, beyond in ((cube, 32), (part, 16), (sweep, 32)):
        assert rc.count(one, where={"extrapolates": True})["count"] == beyond
        within = rc.count(one, where={"extrapolates": False})["count"]
        assert within == rc.count(one, where={"extrapolates": (0, 0)})["count"]
        assert rc.explain(one, "predicted_latency", where={"extrapolates": True}).winner["extrapolates"] == 1
