"""The explorer as Python sees it: one state, what is refused, undo, and what a reader's messages do."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import InvalidDataError, UnknownLabelError
from roofcube.explorer.addresses import python_of, read_address
from roofcube.explorer.messages import limit_text, read_limit, settings_after
from roofcube.explorer.swept import SweptSource
from roofcube.explorer.views.why import explained, reasons
from roofcube.wording import short


@pytest.fixture
def app():
    return rc.explore("cifar10")


def test_anything_can_be_explored():
    cube = rc.benchmark("mnist")
    front = rc.pareto(cube, {"measured_throughput": "max", "measured_top1": "max"})
    assert rc.explore("mnist").answer.total == rc.explore(cube).answer.total == 406
    assert rc.explore(front).answer.left == front.sizes["point"]
    assert isinstance(rc.explore(rc.Sweep(rc.inputs("mnist"))).source, SweptSource)
    assert cube.roof.explore().answer.total == 406


def test_rows_without_accuracy_are_explored_by_that_of_their_networks():
    rows = rc.datasets.load_measurements("mnist").with_columns(top1_percent=None, top5_percent=None)
    app = rc.explore(rc.join(rc.predict(rc.inputs("mnist")), rows))
    assert (app.view.kind, app.view.x, app.view.y) == ("measured", "measured_throughput", "top1")
    front = rc.pareto(app.source.cube, {"measured_throughput": "max", "top1": "max"})
    assert len(app.answer.front) == front.sizes["point"]


def test_what_is_nothing_to_explore_is_refused():
    with pytest.raises(InvalidDataError, match="expected a Dataset, a Sweep or the name of a task, got int"):
        rc.explore(3)
    with pytest.raises(UnknownLabelError, match="'nothing'"):
        rc.explore("nothing")
    with pytest.raises(InvalidDataError, match="expected a sweep with points"):
        rc.explore(rc.Sweep(rc.inputs("mnist").isel(batch=slice(0, 0))))


def test_the_state_is_set_and_read_from_python(app):
    app.view.limits = {"measured_latency": (None, 0.01)}
    assert app.answer.steps[0].name == "measured_latency"
    ids = app.answer.rows.ids(app.answer.front[:2])
    app.view.selected = ids
    assert app.selection.sizes["point"] == 2
    assert set(app.selection.data_vars) == {name for name in rc.benchmark("cifar10").data_vars if "layer" not in name}
    assert app.address == "?where=measured_latency:..0.01&" + "&".join(f"sel={name}" for name in ids).replace(
        "%", "%25"
    )


def test_a_state_that_makes_no_sense_changes_nothing(app):
    app.view.limits = {"measured_top1": (80, None)}
    before = app.view.values_now(), app.answer
    with pytest.raises(UnknownLabelError, match="`x`"):
        app.view.x = "nothing"
    with pytest.raises(InvalidDataError, match="expected low ≤ high"):
        app.view.limits = {"measured_top1": (90, 80)}
    assert (app.view.values_now(), app.answer) == before
    app.undo()
    assert app.view.limits == {}


def test_undo_redo_and_reset(app):
    app.view.limits = {"measured_top1": (80, None)}
    app.view.keep = {"platform": ["TX2"]}
    app.undo()
    assert (app.view.limits, app.view.keep) == ({"measured_top1": (80, None)}, {})
    app.redo()
    assert app.view.keep == {"platform": ["TX2"]}
    app.reset()
    assert app.answer.left == 378
    app.undo()
    assert app.view.keep == {"platform": ["TX2"]}


def test_a_drag_is_one_step_back(app):
    app.page()
    for value in (0.5, 0.1, 0.05):
        app.receive({"do": "drag", "name": "measured_latency", "end": "high", "value": value})
    assert app.view.limits == {"measured_latency": (None, 0.05)}
    app.receive({"do": "undo"})
    assert app.view.limits == {}


@pytest.mark.parametrize(
    ("message", "changes"),
    [
        (
            {"do": "limit", "name": "measured_latency", "end": "high", "text": "10"},
            {"limits": {"measured_latency": (None, 0.01)}},
        ),
        (
            {"do": "limit", "name": "measured_latency", "end": "high", "text": "2 s"},
            {"limits": {"measured_latency": (None, 2.0)}},
        ),
        (
            {"do": "limit", "name": "measured_top1", "end": "low", "text": "85 %"},
            {"limits": {"measured_top1": (85.0, None)}},
        ),
        ({"do": "range", "name": "batch", "low": "4", "high": ""}, {"limits": {"batch": (4.0, None)}}),
        ({"do": "keep", "name": "batch", "text": "8", "on": True}, {"keep": {"batch": [8]}}),
        ({"do": "set", "name": "tab", "value": "heatmap"}, {"tab": "heatmap"}),
        ({"do": "set", "name": "objective", "value": "efficiency"}, {"objective": "efficiency", "x": "efficiency"}),
        ({"do": "clear"}, {"selected": [], "box": {}}),
        ({"do": "pin", "id": "a"}, {"pinned": ["a"]}),
        ({"do": "add", "name": "measured_top1"}, {"limits": {"measured_top1": (73.64, None)}}),
    ],
)
def test_messages_change_what_they_say(app, message, changes):
    changed = settings_after(message, app.view, app.source)
    for name, value in changes.items():
        assert changed[name] == (pytest.approx(value) if isinstance(value, float) else value)


@pytest.mark.parametrize(
    ("message", "match"),
    [
        ({"do": "limit", "name": "measured_latency", "end": "high", "text": "soon"}, "expected a number with a unit"),
        ({"do": "set", "name": "tab", "value": "nothing"}, "expected a choice that is offered"),
        ({"do": "set", "name": "source", "value": 1}, "expected a choice that is offered"),
        ({"do": "nothing"}, "`do`: expected one of"),
    ],
)
def test_messages_that_make_no_sense_are_refused(app, message, match):
    with pytest.raises(InvalidDataError, match=match):
        settings_after(message, app.view, app.source)
    page = app.page()
    app.receive(message)
    assert match.split(":")[0].strip("`") in str(page.wrong)
    assert app.view.limits == {}


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("", "s", None),
        ("10", "s", 0.01),
        ("10ms", "s", 0.01),
        ("2.5k", "1/s", 2500.0),
        ("3", "op/s", 3e12),
        ("1 TOP/s", "op/s", 1e12),
        ("15 W", "W", 15.0),
        ("500mW", "W", 0.5),
        ("1\u202f000", "", 1000.0),
        ("12,500", "1/s", 12500.0),
        ("0.5 %", "%", 0.5),
        ("3 inputs/J", "1/J", 3.0),
    ],
)
def test_limits_are_read_in_the_unit_that_is_shown(text, unit, value):
    assert read_limit(text, unit) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "unit"), [("10,5 ms", "s"), ("0,5", "s"), ("10 W", "s"), ("0.92", "%"), ("5 ms", "W")]
)
def test_limits_in_doubt_are_refused(text, unit):
    with pytest.raises(InvalidDataError, match="`limit`: expected "):
        read_limit(text, unit)


def test_limits_until_nothing_is_left_and_what_helps(app):
    page = app.page()
    app.view.limits = {"measured_top1": (87.3, None), "measured_latency": (None, 0.0001)}
    assert app.answer.left == 0
    assert app.answer.best == -1
    relaxations = page.last[4]
    assert relaxations
    assert {one["name"] for one in relaxations} <= {"measured_top1", "measured_latency"}
    app.receive({"do": "relax", **relaxations[0]})
    assert app.answer.left > 0
    assert page.last[4] == []


def test_the_reasons_are_those_of_explain(app):
    page = app.page()
    app.view.limits = {"measured_latency": (None, 0.001), "measured_top1": (85, None)}
    told = rc.explain(rc.benchmark("cifar10"), "measured_throughput", where=app.view.limits)
    shown = page.why.data
    (accuracy,) = (one for one in told.relaxations if one.name == "measured_top1")
    assert f"top-1 accuracy to {accuracy.rounded:g} %: 4.12k inputs/s, 1.51 times as good" in shown
    assert len(told.relaxations) == shown.count("times as good")
    assert "TX2 · maxn · 50 % · FP16 · batch 2" in shown


@pytest.mark.parametrize(
    "settings",
    [
        {"objective": "memory_capacity", "keep": {"pruning": [25.0, 50.0]}},  # figures that are known elsewhere too
        {"x": "predicted_energy", "y": "power", "keep": {"batch": [1]}},
        {"limits": {"batch": (4, 64)}, "keep": {"batch": [1, 4, 128]}},  # a range and labels of one coordinate
    ],
)
def test_what_python_answers_is_what_is_shown(app, settings):
    app.view.param.update(**settings)
    cube, rows = rc.benchmark("cifar10"), app.answer.rows
    names = {"rc": rc, "cube": cube}
    exec(app.python(), names)
    wanted = app.view.objective
    assert float(names["best"][wanted]) == rows.column(wanted)[app.answer.best]
    shown = rows.column(app.view.x)[app.answer.front]
    assert sorted(names["front"][app.view.x].values) == pytest.approx(sorted(shown))
    assert float(explained(app.source, app.view).winner[wanted]) == float(names["best"][wanted])


def test_a_range_and_labels_that_leave_nothing_are_relaxed_together(app):
    app.view.param.update(limits={"batch": (2, 4)}, keep={"batch": [128]})
    assert app.answer.left == 0
    app.receive({"do": "relax", "name": "batch", "to": 8})
    assert app.view.limits == {"batch": (2, 8.0)}
    assert app.view.keep == {"batch": [8, 128]}
    assert app.answer.left > 0


def test_the_runner_up_of_a_front_is_named_by_its_configuration():
    app = rc.explore(rc.pareto(rc.benchmark("cifar10"), {"measured_throughput": "max", "measured_top1": "max"}))
    told = reasons(app.source, app.view, app.answer, explained(app.source, app.view), np.zeros(0, dtype=int))
    assert "the runner-up TX2 · maxn · 12.5 % · FP16 · batch 128: 34.2k inputs/s" in told["margin"][0]


def test_variables_of_ones_own_are_shown_beside_measurements():
    cube = rc.benchmark("cifar10").assign(heat=("platform", np.arange(9.0), {"units": "degC"}))
    app = rc.explore(cube)
    shown = reasons(app.source, app.view, app.answer, None, np.zeros(0, dtype=int))["figures"]
    assert ["heat", "3 degC", ""] in shown
    assert "heat (degC)" in app.page().table.widget.titles.values()


def timed():
    """A cube along days, durations and what is true or false."""
    days, took = np.array(["2024-01-01", "2024-01-03"], "M8[ns]"), np.array([1, 36], "m8[h]").astype("m8[ns]")
    labels = {"day": days, "took": took, "warm": [True, False]}
    return xr.Dataset({"speed": (tuple(labels), np.arange(8.0).reshape(2, 2, 2))}, labels)


def test_times_and_truths_along_dims_are_labels_to_choose_from():
    app = rc.explore(timed())
    facets = {name: category.shown for name, category in app.source.categories("values").items()}
    texts = ["0 days 01:00:00", "1 days 12:00:00"]
    assert facets == {"day": ["2024-01-01", "2024-01-03"], "took": texts, "warm": ["True", "False"]}
    for name, text in (("day", "2024-01-01"), ("took", texts[1]), ("warm", "True")):
        app.receive({"do": "keep", "name": name, "text": text, "on": True})
    assert app.answer.rows.column("speed")[app.answer.inside].tolist() == [2.0]
    settings, complaints = read_address(app.address, app.source)
    assert (settings["keep"], complaints) == (app.view.keep, [])
    names = {"rc": rc, "np": np, "cube": timed()}
    exec(python_of(app.view, app.source), names)
    assert float(names["best"]["speed"]) == 2.0
    app.view.table = "all"
    table = app.page().table.widget.value
    assert table.iloc[0, :3].tolist() == ["2024-01-01", texts[1], "True"]
    assert app.answer.rows.ids(app.answer.front) == ["2024-01-01~1 days 12:00:00~True"]


def test_one_cell_is_one_cell():
    for kept, noun in (([0, 1], "cells"), ([0], "cell")):
        assert f'"noun": "{noun}"' in rc.explore(timed().isel(day=[0], took=[0], warm=kept)).page().bar.data


def test_what_a_page_shows_follows_without_new_models(app):
    page = app.page()
    app.view.tab = "heatmap"
    before = {id(model) for figure in page.figures for model in figure.object.references()}
    for limit in (0.5, 0.05, 0.005, None):
        app.view.limits = {} if limit is None else {"measured_latency": (None, limit)}
        app.view.keep = {"platform": ["TX2"]} if limit else {}
    assert {id(model) for figure in page.figures for model in figure.object.references()} == before


def test_rows_are_named_with_dims_of_ones_own_told_apart():
    cube = xr.Dataset(
        {"speed": (("board", "price", "day"), np.arange(12.0).reshape(2, 3, 2))},
        {"board": ["a", "b"], "price": [1.0004, 1.0005, 2.0], "day": np.array(["2026-01-01", "2026-01-02"], "M8[ns]")},
    )
    app = rc.explore(cube)
    told = reasons(app.source, app.view, app.answer, explained(app.source, app.view), np.zeros(0, dtype=int))
    assert told["heading"] == "b · price 2 · day 2026-01-02"
    names = app.answer.rows.names(np.array([0, 2]))
    assert names == ["a · price 1.0004 · day 2026-01-01", "a · price 1.0005 · day 2026-01-01"]
    assert app.answer.rows.find(app.answer.rows.ids(np.array([5])))[0].tolist() == [5]


@pytest.mark.parametrize(("tab", "broken"), [("parallel", "push_tab"), ("heatmap", "push_grid")])
def test_a_view_that_fails_is_told_and_takes_no_other_with_it(app, tab, broken):
    page = app.page()
    vars(page)[broken] = lambda *_: 1 / 0  # of this page alone
    app.view.param.update(tab=tab, limits={"measured_top1": (85, None)})
    assert "ZeroDivisionError: division by zero" in page.bar.data
    assert "ZCU104-FINN" in page.why.data
    assert page.table.widget in page.table.panel.objects
    assert len(page.table.widget.value) == len(app.answer.front)
    del vars(page)[broken]
    app.receive({"do": "set", "name": "tab", "value": "latency"})
    assert "ZeroDivisionError" not in page.bar.data


def test_of_many_marks_the_box_around_them_is_the_state(app):
    trade_off, (x, y) = (page := app.page()).trade_off, app.page().trade_off.axes
    trade_off.points.selected.indices = list(range(100))
    assert app.view.selected == []
    ends = {"x0": x.ends[0], "x1": x.ends[1], "y0": 80.0, "y1": y.ends[1]}
    trade_off._boxed(SimpleNamespace(final=True, geometry={"type": "rect", **ends}))
    assert app.view.selected == []
    assert "box=measured_top1:80.." in app.address
    held = int((app.answer.rows.column("measured_top1") >= 80).sum())
    assert app.selection.sizes["point"] == len(trade_off.points.selected.indices) == held
    trade_off.points.selected.indices = list(range(100))
    trade_off._boxed(SimpleNamespace(final=True, geometry={"type": "poly"}))
    assert len(app.view.selected) == 100
    assert '"named": 20' in page.bar.data


def test_intervals_are_no_figures_of_their_own():
    rows = rc.datasets.load_measurements("cifar10").filter(pl.col("platform") == "TX2")
    app = rc.explore(rc.predict(rc.inputs("cifar10", platforms="TX2"), assumptions=rc.calibrate(rows)))
    assert app.answer.rows.own == []
    assert "extrapolates" not in app.source.measures(app.view.kind)


def test_cells_of_a_heatmap_are_in_the_unit_of_its_scale(app):
    page = app.page()
    app.view.param.update(tab="heatmap", objective="measured_latency")
    texts = page.views["heatmap"].cells.data["text"]
    values = 1e3 * app.source.grid(app.view).values.ravel()
    assert np.nanmin(values) < 1 < np.nanmax(values)
    assert [text for text in texts if text] == [short(value) for value in values if np.isfinite(value)]
    assert "measured latency (ms)" in page.heat_axes.data


def test_extrapolations_are_told_first():
    rows = rc.datasets.load_measurements("cifar10")
    rows = rows.filter((pl.col("platform") == "TX2") & (pl.col("batch") <= 8))
    cube = rc.predict(rc.inputs("cifar10", platforms="TX2"), assumptions=rc.calibrate(rows))
    app = rc.explore(cube)
    page = app.page()
    extrapolates = app.answer.rows.extrapolates
    assert extrapolates.any()
    app.view.selected = app.answer.rows.ids(np.flatnonzero(extrapolates)[:1])
    assert "extrapolates beyond what was measured" in page.why.data
    red = page.trade_off.points.data["colour"]
    assert red.count("#c7361b") == int(extrapolates[app.answer.drawn].sum())


def test_it_shows_itself_in_a_fresh_notebook():
    code = (
        "import roofcube as rc, panel as pn\n"
        "app = rc.explore('mnist'); before = pn.extension._loaded; app._repr_mimebundle_()\n"
        "print(before, pn.extension._loaded, 'tabulator' in pn.extension._loaded_extensions, pn.config.inline)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-4:] == ["False", "True", "True", "True"]


def test_two_views_share_the_state_of_their_explorer(app):
    first, second = app.page(), app.page()
    app.receive({"do": "keep", "name": "platform", "text": "TX2", "on": True})
    assert '"left": 192' in first.bar.data
    assert first.bar.data == second.bar.data
    other = rc.explore("cifar10")
    assert other.view.keep == {}


def test_a_cube_with_one_dim_and_one_variable_is_shown():
    app = rc.explore(xr.Dataset({"speed": ("board", [1.0, 2.0, 3.0])}, coords={"board": ["a", "b", "c"]}))
    app.page()
    assert app.answer.left == 3
    assert app.answer.rows.ids(app.answer.front) == ["c"]


class Document:
    """A document of a server that turns when the test says so."""

    session_context = object()

    def __init__(self):
        self.turns, self.later = [], []
        self.callbacks = SimpleNamespace(hold_value="combine")

    def add_next_tick_callback(self, act):
        self.turns.append(act)

    def add_timeout_callback(self, act, milliseconds):
        self.later.append(act)

    def turn(self):
        while self.turns:
            self.turns.pop(0)()


@pytest.fixture
def slow():
    """An explorer of a sweep, whose questions are answered in threads, when the test lets them."""
    from roofcube.explorer.app import Explorer

    gate, started = threading.Event(), []

    class Gated(SweptSource):
        def ask(self, view, stop=None):
            if stop is not None:  # as it is shown it asks at once
                started.append(stop)
                assert gate.wait(30)
            return super().ask(view, stop)

    app = Explorer(Gated(rc.Sweep(rc.inputs("mnist"))))
    app.page()
    app.gate, app.started, app.document = gate, started, Document()
    app._readers[0].doc = app.document
    return app


def waited(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_question_that_takes_long_says_so_and_the_latest_wins(slow):
    page = slow._readers[0].page
    slow.view.limits = {"top1": (90, None)}
    waited(lambda: len(slow.started) == 1)
    for act in slow.document.later:
        act()
    slow.document.turn()
    assert "still asking" in page.bar.data
    slow.view.limits = {"predicted_latency": (None, 0.001)}
    waited(lambda: len(slow.started) == 2)
    assert slow.started[0].is_set()
    assert not slow.started[1].is_set()
    slow.gate.set()
    waited(lambda: len(slow.document.turns) >= 3)
    slow.document.turn()
    assert page.last[0].limits == {"predicted_latency": (None, 0.001)}
    assert "still asking" not in page.bar.data
    fastest = slow.source.cube.best("predicted_throughput", where={"predicted_latency": (None, 0.001)})
    assert f'"heading": "{fastest["platform"].item()} ' in page.why.data


def test_a_question_can_be_cancelled(slow):
    page = slow._readers[0].page
    shown = page.last[1]
    slow.view.limits = {"top1": (90, None)}
    waited(lambda: len(slow.started) == 1)
    slow.receive({"do": "cancel"})
    assert slow.started[0].is_set()
    slow.gate.set()
    slow.document.turn()
    assert page.last[1] is shown
    assert "cancelled" in page.bar.data


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (12345678.0, "1/s"),
        (0.01, "s"),
        (1 / 3, "s"),
        (float(np.float32(0.0123)), "s"),
        (85.0, "%"),
        (1e12, "op/s"),
        (1e12, "B/s"),
        (0.0123, "J"),
        (np.geomspace(1e9, 1e12, 60)[-1], "B/s"),
    ],
)
def test_a_limit_is_written_as_it_is_read(value, unit):
    assert read_limit(limit_text(value, unit), unit) == value


def test_limits_are_as_short_as_they_can_be():
    assert [limit_text(0.01, "s"), limit_text(1e12, "B/s"), limit_text(12345678.0, "1/s")] == [
        "10 ms",
        "1000",
        "12345678",
    ]
    assert read_limit("1000", "B/s") == 1e12


def test_limits_may_be_numbers_of_numpy(app):
    app.view.limits = {"measured_top1": (np.float32(85), np.int64(100))}
    assert app.answer.left < app.answer.total


def test_python_lays_out_a_cube_of_offers():
    cube = rc.predict(rc.inputs("cifar10", layout="offered", batch=[1, 8]))
    app = rc.explore(cube)
    app.view.limits = {"mode_offered": (None, 1.0)}
    names = {"rc": rc, "cube": cube}
    exec(app.python(), names)
    assert names["front"].sizes["point"] == len(app.answer.front)
