"""What the explorer shows of a cube."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import InvalidDataError, MemoryLimitError
from roofcube.explorer import cells as views
from roofcube.variables import QUALITY


@pytest.fixture(scope="module")
def cube():
    return rc.benchmark("mnist")


def test_there_is_a_control_for_each_dim(cube):
    app = rc.explore(cube)
    assert set(app.controls) == set(cube.dims)
    assert set(app.choices["columns"].options) == set(cube.dims)
    assert set(app.choices["variable"].options.values()) == {
        name for name, array in cube.data_vars.items() if array.ndim
    }


@pytest.mark.parametrize("how", ["best", "median", "count"])
def test_cells_are_the_reduction_by_xarray(cube, how):
    cells = views.cells_of(cube, "measured_throughput", "platform", "precision", how=how)
    over = [dim for dim in cube.measured_throughput.dims if dim not in ("platform", "precision")]
    array = cube.measured_throughput
    expected = {
        "best": array.max,
        "median": array.median,
        "count": lambda dims: array.notnull().sum(dims).where(array.notnull().any(dims)),
    }[how](over)
    np.testing.assert_array_equal(cells.values, expected.transpose("precision", "platform").values)


def test_best_of_a_latency_is_the_least(cube):
    cells = views.cells_of(cube, "measured_latency", "platform", "batch")
    expected = cube.measured_latency.min(
        [dim for dim in cube.measured_latency.dims if dim not in ("platform", "batch")]
    )
    np.testing.assert_array_equal(cells.values, expected.transpose("batch", "platform").values)


def test_detail_names_the_labels_of_the_best(cube):
    cells = views.cells_of(cube, "measured_throughput", "platform", "pruning")
    winner = rc.best(cube, "measured_throughput", where={"platform": ["TX2"], "pruning": [50]})
    told = cells.detail[cells.rows.index("50"), cells.columns.index("TX2")]
    assert told == f"mode {winner.mode.item()}, precision {winner.precision.item()}, batch {winner.batch.item()}"


def test_a_variable_without_the_dims_is_repeated(cube):
    cells = views.cells_of(cube, "memory_bandwidth", "pruning", "batch", how="median")
    assert cells.values.shape == (cube.sizes["batch"], cube.sizes["pruning"])
    assert np.unique(cells.values).size == 1


def test_flags_and_text_are_shown_as_words(cube):
    bound = views.cells_of(cube, "bound", "platform", "precision")
    assert {"memory", "compute", "none"} & set(bound.text.ravel().tolist())
    executed = views.cells_of(cube, "executed_precision", "platform", "precision")
    assert executed.text[executed.rows.index("INT2"), executed.columns.index("U96-A53")] == "INT8"


def test_the_front_is_that_of_pareto(cube):
    points = views.points_of(cube, "measured_throughput", "measured_top1", "platform", "pruning")
    front = rc.pareto(cube, {"measured_throughput": "max", "measured_top1": "max"})
    assert sorted(points.x[points.front]) == sorted(front.measured_throughput.values)
    assert points.total == int((cube.measured_throughput * cube.measured_top1).notnull().sum())


def test_kept_labels_are_the_only_ones(cube):
    keep = {"platform": [cube.platform.values.tolist().index("TX2")]}
    points = views.points_of(cube, "measured_throughput", "measured_top1", "platform", "pruning", keep=keep)
    assert set(points.labels["platform"].tolist()) == {"TX2"}
    assert views.cells_of(cube, "measured_throughput", "platform", "pruning", keep=keep).columns == ["TX2"]


def test_of_many_points_the_whole_front_is_drawn():
    random = np.random.default_rng(3)
    large = xr.Dataset(
        {"speed": (("a", "b"), random.random((100, 100))), "cost": (("a", "b"), random.random((100, 100)))}
    )
    points = views.points_of(large, "speed", "cost", "a", "b")
    full = views._on_front(large.speed.values.ravel(), large.cost.values.ravel(), "max", "max")
    assert points.total == 10_000
    assert points.x.size == views.MOST_POINTS
    assert points.front.sum() == full.sum()


def test_a_cube_of_hypothetical_hardware_has_its_own_axes():
    hardware = rc.hypothetical(
        peak_compute=np.geomspace(1e11, 1e14, 50), memory_bandwidth=np.geomspace(1e9, 1e12, 45), power=10
    )
    cube = rc.predict(rc.inputs("mnist", platforms=hardware, precision="INT8"))
    app = rc.explore(cube)
    assert (app.choices["columns"].value, app.choices["rows"].value) == ("peak", "bandwidth")
    app.controls["peak"].value = (10, 20)
    assert app.__panel__() is not None
    assert views.cells_of(
        cube, "predicted_throughput", "peak", "bandwidth", keep={"peak": range(10, 21)}
    ).values.shape == (45, 11)


def test_every_view_has_figures_of_its_own(cube):
    app = rc.explore(cube)
    first, second = app.__panel__(), app.__panel__()
    assert first is not second


def test_too_little_to_explore():
    with pytest.raises(InvalidDataError, match="at least two dims"):
        rc.explore(xr.Dataset({"a": ("x", [1.0, 2.0])}))
    cube = rc.benchmark("mnist")
    with pytest.raises(InvalidDataError, match="expected another dim than 'batch'"):
        views.cells_of(cube, "measured_throughput", "batch", "batch")
    with rc.set_options(memory="1 kB"), pytest.raises(MemoryLimitError, match="keep fewer labels"):
        views.points_of(cube, "measured_throughput", "measured_top1", "platform", "pruning")


def test_what_is_impossible_is_drawn_but_on_no_front():
    cube = rc.benchmark("mnist")
    bits = sum(QUALITY[name] for name in ("above_compute_peak", "above_bound", "unit_off"))
    impossible = (cube["quality"] & bits) != 0
    fast = cube.assign(measured_throughput=cube.measured_throughput.where(~impossible, 1e12))
    points = views.points_of(fast, "measured_throughput", "measured_top1", "platform", "batch")
    assert points.impossible == int(impossible.sum()) == 9
    assert points.x.max() == 1e12
    assert points.x[points.front].max() < 1e12
    predicted = views.points_of(fast, "predicted_throughput", "top1", "platform", "batch")
    assert predicted.impossible == 0
