"""The state of the explorer: written into an address and read back, and as calls that give the same answer."""

from __future__ import annotations

import foreign_cubes
import numpy as np
import pytest

import roofcube as rc
from roofcube.errors import InvalidDataError, UnknownLabelError
from roofcube.explorer.addresses import check, defaults, python_of, read_address, written
from roofcube.explorer.app import source_of
from roofcube.explorer.state import View

STATES = (
    {},
    {"limits": {"measured_latency": (None, 0.0324), "measured_top1": (85, None)}},
    {"keep": {"platform": ["TX2", "NCS2"], "batch": [1, 8], "pruning": [12.5]}, "hide_doubts": True},
    {"limits": {"measured_throughput": (100.0, 2e4)}, "x": "power_full", "y": "efficiency", "objective": "efficiency"},
    {"tab": "heatmap", "table": "all", "columns": "batch", "rows": "precision"},
    {"objective": "top1", "x": "operational_intensity", "y": "top1"},
)


@pytest.fixture(scope="module")
def source():
    return source_of("cifar10")


def state(source, **settings):
    return View(**{**defaults(source), **settings})


@pytest.mark.parametrize("settings", STATES)
def test_an_address_says_the_whole_state(source, settings):
    view = state(source, **settings)
    text = written(view, source)
    read, complaints = read_address(text, source)
    assert complaints == []
    assert {**View().values_now(), **read} == view.values_now()
    assert "{" not in text
    assert "%22" not in text


def test_the_state_to_start_with_needs_no_address(source):
    assert written(state(source), source) == ""


def test_selected_rows_are_named_by_their_labels(source):
    rows = source.rows("measured")
    view = state(source, selected=rows.ids(np.array([5, 7])))
    assert all(part in written(view, source) for part in view.selected)
    assert view.selected[0].count("~") == len(rows.dims) - 1
    assert read_address(written(view, source), source)[0]["selected"] == view.selected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("?keep=platform:TX2,Nonsense<b>", "platform has no “Nonsense<b>”"),
        ("?where=nothing:..3", "limit “nothing:..3” is not understood"),
        ("?where=measured_latency:3..1", "limit “measured_latency:3..1” is not understood"),
        ("?where=measured_latency:a..1", "not understood"),
        ("?foo=1", "“foo” is not understood"),
        ("?x=nothing", "x has no “nothing”"),
        ("?tab=nothing", "tab has no “nothing”"),
        ("?sel=TX2~no", "no row is “TX2~no”"),
        ("?of=guessed", "no figures are “guessed”"),
        ("?keep=nothing:1", "there is no “nothing” to choose from"),
    ],
)
def test_what_is_not_known_is_told(source, text, complaint):
    settings, complaints = read_address(text, source)
    assert len(complaints) == 1
    assert complaint in complaints[0]
    check(View(**settings), source)


@pytest.mark.parametrize("settings", STATES)
def test_the_calls_give_the_same_answer(source, settings):
    view = state(source, **settings)
    answer, names = source.ask(view), {"rc": rc, "cube": rc.benchmark("cifar10")}
    exec(python_of(view, source), names)
    for name in (view.x, view.y):
        shown = answer.rows.column(name)[answer.front]
        assert sorted(names["front"][name].values.tolist()) == sorted(shown.tolist())
    assert float(names["best"][view.objective]) == answer.rows.column(view.objective)[answer.best]


def test_predictions_with_intervals_are_chosen_at_their_low_end():
    cube = foreign_cubes.calibrated()
    source = source_of(cube)
    view = View(**defaults(source, "calibrated"))
    answer = source.ask(view)
    names = {"rc": rc, "cube": cube}
    exec(python_of(view, source), names)
    best = float(names["best"]["predicted_throughput"])
    assert answer.rows.column("predicted_throughput")[answer.best] == best
    assert best == float(cube.predicted_throughput_low.max())


def test_labels_of_every_kind_survive_an_address():
    source = source_of(foreign_cubes.hostile())
    view = View(**defaults(source))
    for name, category in source.categories(view.kind).items():
        view.keep = {name: category.labels}
        settings, complaints = read_address(written(view, source), source)
        assert complaints == []
        assert settings["keep"] == view.keep
    rows = source.rows(view.kind)
    ids = rows.ids(np.arange(min(rows.size, 15)))
    view.param.update(keep={}, selected=ids)
    assert read_address(written(view, source), source)[0]["selected"] == ids


@pytest.mark.parametrize(
    ("settings", "error", "match"),
    [
        ({"x": "nothing"}, UnknownLabelError, "`x`: 'nothing' is not known"),
        ({"kind": "guessed"}, UnknownLabelError, "`kind`"),
        ({"limits": {"nothing": (None, 1)}}, UnknownLabelError, "`limits`: 'nothing'"),
        ({"limits": {"measured_latency": 3}}, InvalidDataError, "expected \\(low, high\\)"),
        ({"limits": {"measured_latency": (3, 1)}}, InvalidDataError, "expected low ≤ high"),
        ({"keep": {"nothing": [1]}}, UnknownLabelError, "`keep`"),
        ({"keep": {"platform": ["TX"]}}, UnknownLabelError, "did you mean 'TX2'"),
        ({"columns": "nothing"}, UnknownLabelError, "`columns`"),
        ({"selected": ["nothing"]}, InvalidDataError, "no row has the id 'nothing'"),
    ],
)
def test_a_state_that_makes_no_sense_is_refused(source, settings, error, match):
    with pytest.raises(error, match=match):
        check(state(source, **settings), source)
