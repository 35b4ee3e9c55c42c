"""What the explorer answers of stored cubes is what the questions of roofcube answer."""

from __future__ import annotations

import foreign_cubes
import numpy as np
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import InvalidDataError, MemoryLimitError
from roofcube.explorer.addresses import check, defaults, read_address, written
from roofcube.explorer.app import source_of
from roofcube.explorer.state import View
from roofcube.explorer.stored import MOST_MARKS, SORTED
from roofcube.vocabulary import QUALITY


def asked(source, **settings):
    view = View(**{**defaults(source), **settings})
    return view, source.ask(view)


def by_hand(size=200):
    random = np.random.default_rng(3)
    return xr.Dataset(
        {
            "speed": (("a", "b"), random.random((size, size))),
            "cost": (("a", "b"), random.random((size, size)), {"sense": "min"}),
        }
    )


@pytest.fixture(scope="module")
def source():
    return source_of("cifar10")


def test_there_is_a_row_for_each_measured_cell(source):
    _, answer = asked(source)
    cube = rc.benchmark("cifar10")
    assert answer.total == answer.left == int(cube.measured_throughput.notnull().sum())
    assert source.kinds == ("measured", "predicted")
    assert asked(source, **defaults(source, "predicted"))[1].total == int(cube.predicted_latency.notnull().sum())


def test_each_limit_says_what_it_removed_of_what_was_left(source):
    cube = rc.benchmark("cifar10")
    limits = {"measured_latency": (None, 0.01), "measured_top1": (85, None)}
    _, answer = asked(source, limits=limits, keep={"platform": ["TX2", "NCS2"]})
    so_far, left = {}, answer.total
    for step in answer.steps[:3]:
        so_far[step.name] = {**limits, "platform": ["TX2", "NCS2"]}[step.name]
        now = int(rc.count(cube, where={"measured_throughput": (0, None), **so_far})["count"])
        assert step.removed == left - now
        left = now
    assert answer.left == left


def test_labels_are_counted_as_all_other_conditions_leave_them(source):
    cube = rc.benchmark("cifar10")
    limits = {"measured_top1": (85, None)}
    _, answer = asked(source, limits=limits, keep={"platform": ["TX2"]})
    known = {**limits, "measured_throughput": (0, None)}
    per_platform = rc.count(cube, where=known, per="platform")["count"].values
    per_batch = rc.count(cube, where={**known, "platform": ["TX2"]}, per="batch")["count"].values
    assert answer.counts["platform"].tolist() == per_platform.tolist()
    assert answer.counts["batch"].tolist() == per_batch.tolist()


def test_the_heatmap_shows_the_best_of_each_pair(source):
    view, answer = asked(source, limits={"measured_top1": (80, None)})
    grid = source.grid(view)
    cube = rc.benchmark("cifar10")
    expected = rc.best(cube, view.objective, per=["pruning", "platform"], where=view.limits)
    np.testing.assert_array_equal(grid.values, expected[view.objective].values)
    row, column = (int(one[0]) for one in np.nonzero(np.isfinite(grid.values)))
    chosen = answer.rows.find([grid.id_at(row, column)])[0]
    assert answer.rows.column(view.objective)[chosen[0]] == grid.values[row, column]


def test_at_a_latency_the_best_that_is_fast_enough_is_shown(source):
    view, _ = asked(source, limits={"measured_latency": (None, 1e-9), "measured_top1": (80, None)})
    within = source.at_latency(view)
    cube = rc.benchmark("cifar10")
    where = {"measured_top1": (80, None), "measured_latency": (None, 0.01)}
    expected = rc.best(cube, "measured_throughput", per="platform", where=where).measured_throughput.values
    np.testing.assert_array_equal(within.values[:, 3], expected)
    assert within.dim == "platform"


def test_what_is_impossible_is_left_out_and_told():
    cube = rc.benchmark("mnist")
    bits = sum(QUALITY[name] for name in ("above_compute_peak", "above_bound", "unit_off"))
    impossible = (cube["quality"] & bits) != 0
    fast = cube.assign(measured_throughput=cube.measured_throughput.where(~impossible, 1e12))
    _, answer = asked(source_of(fast))
    assert {step.words: step.removed for step in answer.steps}["impossible"] == int(impossible.sum()) > 0
    assert answer.rows.column("measured_throughput")[answer.best] < 1e12
    assert answer.rows.column("measured_throughput")[answer.front].max() < 1e12


def test_a_front_can_be_explored():
    front = rc.pareto(rc.benchmark("cifar10"), {"measured_throughput": "max", "measured_top1": "max"})
    source = source_of(front)
    view, answer = asked(source, keep={"platform": ["TX2"]})
    assert answer.total == front.sizes["point"]
    assert answer.left == int((front.platform == "TX2").sum())
    assert answer.rows.ids(answer.front)[0].startswith("TX2~maxn~")
    assert source.selection(view.copied(selected=answer.rows.ids(answer.front[:1]))).sizes["point"] == 1
    assert "n_ties" not in source.measures(view.kind)  # a front of this cube has its own


def test_own_terms_are_offered_over_their_own_dims():
    factor = xr.DataArray([0.5, 1.0], {"heat": [20.0, 85.0]})
    model = rc.PUBLISHED.with_term("speed", lambda m: m.predicted_throughput * m.factor, units="1/s", sense="max")
    cube = rc.predict(rc.inputs("mnist").assign(factor=factor), assumptions=model)
    app = rc.explore(cube)
    kind = app.view.kind
    assert {"speed", "factor"} <= set(app.source.measures(kind))
    assert app.source.categories(kind)["heat"].labels == [20.0, 85.0]
    _, answer = asked(app.source, objective="speed")
    app.view.selected = answer.rows.ids(np.array([answer.best]))
    best = rc.best(cube, "speed")
    assert app.selection["speed"].item() == best.speed.item()
    assert app.selection["heat"].item() == best.heat.item() == 85.0


def test_names_that_end_as_numbers_of_labels_do_are_offered_like_any_other():
    shop = by_hand(3).assign_coords(a=["x", "y", "z"]).rename(a="region_code", speed="speed_code")
    source = source_of(shop)
    assert list(source.categories(source.kinds[0])) == ["region_code"]
    assert "speed_code" in source.measures(source.kinds[0])
    winners = source_of(rc.best(shop, "speed_code", per="b", sense="max"))
    assert "region_code" in winners.categories(winners.kinds[0])
    assert "region_code_code" not in {*winners.categories(winners.kinds[0]), *winners.numbers(winners.kinds[0])}


@pytest.mark.parametrize("count", [10, 3500])  # of the latter ids are looked for label by label
def test_labels_with_the_mark_between_labels_are_selected_and_read_back(count):
    platforms, speed = ["a", "b~2", "b%7E2", "~"], np.arange(4.0 * count).reshape(4, count)
    source = source_of(
        xr.Dataset({"speed": (("platform", "run"), speed)}, {"platform": platforms, "run": range(count)})
    )
    rows = source.rows(source.kinds[0])
    view = View(**defaults(source))
    view.selected, view.pinned = rows.ids(np.array([1, count + 1])), rows.ids(np.array([2 * count + 1, 3 * count + 1]))
    check(view, source)
    settings, complaints = read_address(written(view, source), source)
    assert (settings["selected"], settings["pinned"], complaints) == (view.selected, view.pinned, [])
    assert source.selection(view)["platform"].values.tolist() == ["a", "b~2"]


def test_cubes_from_elsewhere_can_be_explored():
    for make in (
        foreign_cubes.hypothetical,
        foreign_cubes.own_task,
        foreign_cubes.own_dim,
        foreign_cubes.measured_only,
    ):
        source = source_of(make())
        for kind in source.kinds:
            view = View(**defaults(source, kind))
            answer = source.ask(view)
            assert answer.left > 0
            assert answer.best >= 0
            assert source.grid(view).values.size > 0


ODD = {
    "labels that are not there": xr.Dataset(
        {"speed": (("day", "b"), np.arange(6.0).reshape(2, 3))},
        coords={"day": np.array(["2024-01-01", "2024-01-02"], dtype="M8[ns]"), "b": [1.5, 2.5, np.nan]},
    ),
    "objects": xr.Dataset({"speed": ("a", np.ones(3))}, coords={"a": np.array(["x", None, 3], dtype=object)}),
    "infinite": xr.Dataset({"speed": ("a", -np.arange(4.0)), "cost": ("a", [np.inf, 1, 2, np.nan])}),
    "the same label twice": xr.Dataset(
        {"speed": (("a", "b"), np.arange(6.0).reshape(3, 2))}, coords={"a": ["x", "x", "y"]}
    ),
    "names of any kind": xr.Dataset(
        {"a.b,c": ("x:y", [1.0, 2.0]), "<i>": ("x:y", [2.0, 1.0])}, {"x:y": ["1..2", "%41~"]}
    ),
}


NAMELESS = {
    "NaN": np.array([20.0, np.nan, 60.0]),
    "NaT": np.array(["2026-01-01", "NaT", "2026-01-03"], "M8[ns]"),
    "None": np.array(["a", None, "b"], object),
    "empty": np.array(["a", "", "b"]),
}


@pytest.mark.parametrize("kind", NAMELESS)
def test_a_label_that_says_nothing_has_a_box_as_all_others(kind):
    dims = ("platform", "lab")
    cube = xr.Dataset({"speed": (dims, np.arange(6.0).reshape(2, 3))}, {"platform": ["A", "B"], "lab": NAMELESS[kind]})
    app = rc.explore(cube)
    category = app.source.categories("values")["lab"]
    assert category.shown[1] == ("(empty)" if kind == "empty" else "not known")
    assert app.answer.counts["lab"].tolist() == [2, 2, 2]
    app.receive({"do": "keep", "name": "lab", "text": category.texts[1], "on": True})
    names = {"rc": rc, "cube": cube}
    exec(app.python(), names)
    assert float(names["best"]["speed"]) == app.answer.rows.column("speed")[app.answer.best] == 4.0
    settings, complaints = read_address(written(app.view, app.source), app.source)
    assert (settings["keep"], complaints) == (app.view.keep, [])


@pytest.mark.parametrize("name", ODD)
def test_odd_cubes_are_asked_as_all_others(name):
    app = rc.explore(ODD[name])
    app.page()
    for tab in ("heatmap", "roofline", "latency"):
        app.receive({"do": "set", "name": "tab", "value": tab})
    for measure in app.source.measures("values")[:2]:
        app.receive({"do": "add", "name": measure})
    for category in app.source.categories("values").values():
        app.receive({"do": "keep", "name": category.name, "text": category.texts[0], "on": True})
        assert app.view.keep[category.name] == category.labels[:1]
    names = {"rc": rc, "cube": ODD[name]}
    exec(app.python(), names)
    assert names["front"].sizes["point"] == len(app.answer.front)
    assert bool(names["best"]["found"]) == (app.answer.best >= 0)


def test_of_many_rows_the_whole_front_is_drawn_over_an_image():
    cube = by_hand()
    source = source_of(cube)
    _, answer = asked(source)
    assert answer.total == 40_000 > MOST_MARKS
    front = rc.pareto(cube, {"speed": "max", "cost": "min"})
    assert len(answer.front) == front.sizes["point"]
    assert set(answer.front.tolist()) <= set(answer.drawn.tolist())
    assert answer.best in answer.drawn
    assert answer.drawn.size < MOST_MARKS
    assert answer.image[0].sum() == answer.left


@pytest.mark.parametrize("size", [60, 460])
@pytest.mark.parametrize("senses", [("max", "min"), ("max", "max"), ("min", "min")])
def test_a_front_is_the_same_whether_rows_are_sorted_or_sieved(senses, size):
    random = np.random.default_rng(5)
    assert (size**2 > SORTED) == (size == 460)
    cube = by_hand(size).assign_coords(row=(("a", "b"), np.arange(size**2).reshape(size, size)))
    for name, sense in zip(("speed", "cost"), senses, strict=True):
        # skewed, so that a front has more than its corner
        cube[name] = (("a", "b"), np.round(random.lognormal(size=(size, size)), 1), {"sense": sense})
    limits = {"speed": (0.5, None)}
    view, answer = asked(source_of(cube), limits=limits)
    front = rc.pareto(cube, dict(zip(("speed", "cost"), senses, strict=True)), where=limits)
    assert sorted(answer.front.tolist()) == sorted(front["row"].values.tolist())
    assert (view.x, view.y) == ("speed", "cost")


def test_a_large_selection_is_its_box():
    source = source_of(by_hand())
    box = {"speed": (0.5, 0.9), "cost": (0.0, 0.5)}
    view, _ = asked(source, box=box)
    chosen = source.selection(view)
    assert chosen.sizes["point"] == len(source.selected_rows(view)) > 1000
    assert float(chosen.speed.min()) >= 0.5
    assert float(chosen.cost.max()) <= 0.5


def test_what_holds_nothing_or_too_much_is_refused():
    with pytest.raises(InvalidDataError, match="expected a numeric variable along some dim"):
        source_of(xr.Dataset({"a": 1.0}))
    empty = xr.Dataset({"speed": (("a", "b"), np.full((2, 2), np.nan))})
    with pytest.raises(InvalidDataError, match="expected figures to explore"):
        source_of(empty).rows("values")
    cube = rc.benchmark("mnist")
    with rc.set_options(memory="10 kB"), pytest.raises(MemoryLimitError, match="explore a"):
        source_of(cube).rows("measured")


def test_a_quality_of_ones_own_is_no_flag():
    own = xr.Dataset(
        {"speed": (("board", "size"), np.arange(6.0).reshape(2, 3)), "quality": ("board", [0.7, 0.2])},
        coords={"board": ["a", "b"], "size": [1, 2, 4]},
    )
    assert source_of(own).cube["quality"].values.tolist() == [0.7, 0.2]
