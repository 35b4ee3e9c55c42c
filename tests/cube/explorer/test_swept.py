"""What the explorer asks of a sweep is what the sweep answers; nothing of it is stored."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import roofcube as rc
from roofcube.errors import InvalidDataError
from roofcube.explorer.addresses import check, defaults, python_of, read_address, written
from roofcube.explorer.app import source_of
from roofcube.explorer.state import View
from roofcube.explorer.views.heatmap import Heatmap
from roofcube.sweep.stopping import Cancelled, stoppable

LIMITS = {"predicted_latency": (None, 0.01), "top1": (80, None)}


def sweep_of(count):
    hardware = rc.hypothetical(
        peak_compute=np.geomspace(1e11, 1e14, count), memory_bandwidth=np.geomspace(1e9, 1e12, count), power=10.0
    )
    return rc.Sweep(rc.inputs("cifar10", platforms=hardware))


@pytest.fixture(scope="module")
def sweep():
    return sweep_of(40)


@pytest.fixture(scope="module")
def source(sweep):
    return source_of(sweep)


def test_counts_and_front_are_those_of_the_sweep(sweep, source):
    view = View(**{**defaults(source), "limits": LIMITS, "keep": {"precision": ["FP16", "INT4"]}})
    answer = source.ask(view)
    where = {**LIMITS, "precision": ["FP16", "INT4"]}
    assert answer.total == sweep.size
    assert answer.left == int(sweep.count(where=where)["count"])
    front = sweep.pareto({view.x: "max", view.y: "max"}, where=where)
    assert sorted(answer.rows.column(view.x)[answer.front].tolist()) == sorted(front[view.x].values.tolist())
    best = sweep.best(view.objective, where=where)
    assert answer.rows.column(view.objective)[answer.best] == float(best[view.objective])
    per = sweep.count(where=LIMITS, per="precision")
    assert answer.counts["precision"].tolist() == per["count"].values.tolist()
    assert answer.inside[answer.front].all()
    names = {"rc": rc, "cube": sweep}
    exec(python_of(view, source), names)
    assert float(names["best"][view.objective]) == float(best[view.objective])


def test_rows_are_found_by_their_labels(sweep, source):
    view = View(**defaults(source))
    answer = source.ask(view)
    view.selected = answer.rows.ids(answer.front[:2])
    assert read_address(written(view, source), source)[0]["selected"] == view.selected
    chosen = source.selection(view)
    assert chosen.sizes["point"] == 2
    np.testing.assert_array_equal(chosen[view.x].values, answer.rows.column(view.x)[answer.front[:2]].astype("f4"))
    again = source.ask(view)
    assert len(again.rows.find(view.selected)[0]) == 2
    assert source.find("predicted", ["nothing"]) == ["nothing"]


def test_the_heatmap_and_what_fits_into_a_latency(sweep, source):
    view = View(**{**defaults(source), "rows": "precision", "columns": "batch", "limits": LIMITS})
    grid = source.grid(view)
    expected = sweep.best(view.objective, per=["precision", "batch"], where=LIMITS)
    np.testing.assert_array_equal(grid.values, np.where(expected.found, expected[view.objective], np.nan))
    row, column = (int(places[0]) for places in np.nonzero(np.isfinite(grid.values)))
    assert source.find("predicted", [grid.id_at(row, column)]) == []
    within = source.at_latency(view)
    expected = sweep.best(view.objective, per=within.dim, where={**LIMITS, "predicted_latency": (None, 0.001)})
    np.testing.assert_array_equal(within.values[:, 0], np.where(expected.found, expected[view.objective], np.nan))


def test_a_heatmap_too_fine_to_see_is_refused():
    source = source_of(sweep_of(400))
    view = View(**{**defaults(source), "rows": "bandwidth", "columns": "peak"})
    with pytest.raises(InvalidDataError, match="too fine to see"):
        source.grid(view)


def test_a_question_ends_once_its_flag_is_set(source, sweep):
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        source.ask(View(**{**defaults(source), "limits": LIMITS}), stop)
    with pytest.raises(Cancelled):
        stoppable(sweep, stop).histogram("predicted_latency", bins=[0, 0.001, 1])
    assert int(sweep.count()["count"]) == sweep.size


def test_what_is_doubtful_can_be_left_out(sweep, source):
    view = View(**{**defaults(source), "y": "predicted_energy", "hide_doubts": True})
    answer = source.ask(view)
    assert answer.left == int(
        sweep.count(where={"infeasible": ["feasible"], "predicted_throughput": (0, None)})["count"]
    )
    assert not answer.rows.doubtful[answer.inside].any()


def test_a_point_whose_label_holds_the_mark_between_labels_is_found():
    board = rc.hypothetical(name="Kite~2", peak_compute="1.2 TOP/s", memory_bandwidth="8.5 GB/s")
    source = source_of(rc.Sweep(rc.inputs("mnist", platforms=board, precision="INT8", batch=[1, 2])))
    view = View(**defaults(source))
    answer = source.ask(view)
    view.selected = answer.rows.ids(np.array([answer.best]))
    check(view, source)
    assert read_address(written(view, source), source) == (view.values_now(), [])
    assert source.selection(view)["platform"].values.tolist() == ["Kite~2"]


def test_a_term_that_ends_as_numbers_of_labels_do_is_an_objective():
    model = rc.PUBLISHED.with_term("cost_code", lambda m: m.power * 2.0, sense="min")
    source = source_of(rc.Sweep(rc.inputs("mnist", batch=1), assumptions=model))
    view = View(**{**defaults(source), "objective": "cost_code"})
    answer = source.ask(view)
    assert np.isfinite(answer.rows.column("cost_code")[answer.best])


def test_labels_are_told_in_the_units_that_are_shown():
    source = source_of(sweep_of(3))
    assert source.categories("predicted")["peak"].shown == ["0.1 TOP/s", "3.16 TOP/s", "100 TOP/s"]
    answer = source.ask(View(**defaults(source)))
    assert "peak 100 TOP/s · bandwidth 1 TB/s" in answer.rows.names(np.array([answer.best]))[0]
    heatmap = Heatmap(source, print)
    view = View(**{**defaults(source), "columns": "peak", "rows": "bandwidth"})
    heatmap.push(view, source.grid(view))
    across = heatmap.plot.xaxis[0]
    assert (across.axis_label, list(across.major_label_overrides.values())) == ("peak (TOP/s)", ["0.1", "3.16", "100"])
    assert all(heatmap.cells.data["text"])
    heatmap._fit(60)  # a browser says how wide the figure is
    assert not any(heatmap.cells.data["text"])
    heatmap._fit(900)
    assert all(heatmap.cells.data["text"])


def test_the_roof_of_the_best_is_its_own():
    hardware = rc.hypothetical(peak_compute=np.geomspace(1e11, 1e14, 9), memory_bandwidth=np.geomspace(1e9, 1e12, 9))
    app = rc.explore(rc.Sweep(rc.inputs("cifar10", platforms=hardware, batch=[1])))
    app.view.tab = "roofline"
    page = app.page()
    lines, rows, best = page.views["roofline"].lines.data, app.answer.rows, app.answer.best
    assert lines["name"] == ["the highest roof", "the roof of the best"]
    peak, width = (float(rows.column(name)[best]) for name in ("peak_compute", "memory_bandwidth"))
    x, y = (np.asarray(lines[axis][1]) for axis in ("xs", "ys"))
    np.testing.assert_allclose(10**y, np.minimum(peak, width * 10**x) * 1e-12, rtol=1e-6)


def test_a_sweep_of_one_point_is_shown():
    one = rc.inputs(
        "mnist", platforms="TX2", precision="FP16", batch=1, topologies="MLP", pruning=100, mode="maxn"
    )  # fmt: skip
    app = rc.explore(rc.Sweep(one))
    app.page()
    assert app.answer.left == 1


def test_many_cells_tell_their_value_in_the_unit_shown():
    source = source_of(sweep_of(60))
    view = View(**{**defaults(source), "columns": "peak", "rows": "bandwidth", "objective": "predicted_latency"})
    drawn, grid = Heatmap(source, print), source.grid(view)
    drawn.push(view, grid)
    assert grid.values.shape == (60, 60)
    np.testing.assert_array_equal(drawn.image.data["shown"][0], grid.values * 1e3)
    assert drawn.image.data["unit"] == ["ms"]
