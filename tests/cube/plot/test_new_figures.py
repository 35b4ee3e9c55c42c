"""Fronts, histograms, intervals, maps and parallel axes: of cubes, fronts, sweeps and hypothetical hardware."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from bokeh.models import ColumnDataSource, Div, Legend

import roofcube as rc
from roofcube.errors import InvalidDataError, MissingInputError
from roofcube.plot.drawing import style
from roofcube.plot.drawing.elements import rendered
from roofcube.plot.drawing.points import MANY
from roofcube.wording import quantity


@pytest.fixture(scope="module")
def cube():
    return rc.benchmark("cifar10")


@pytest.fixture(scope="module")
def front(cube):
    return rc.pareto(cube, {"measured_throughput": "max", "measured_top1": "max"})


@pytest.fixture(scope="module")
def inputs():
    hardware = rc.hypothetical(
        peak_compute=np.geomspace(1e11, 1e14, 12), memory_bandwidth=np.geomspace(1e9, 1e12, 10), power=5.0
    )
    return rc.inputs("cifar10", platforms=hardware)


def source(figure, name):
    return rendered(figure).select_one({"name": name, "type": ColumnDataSource}).data


def test_the_theoretical_front_alone(cube):
    objectives = {"predicted_throughput": "max", "top1": "max"}
    # the published roofline does not depend on batch, along which each point would repeat
    points = (cube.predicted_throughput * cube.top1).notnull()
    expected = rc.pareto(cube.isel(batch=0, drop=True), objectives, ties="all").sizes["point"]
    figure = rc.plot.front(cube, objectives=objectives)
    assert len(source(figure, "front.points")["x"]) == expected
    title = rendered(figure).title.text
    places = rc.pareto(cube.isel(batch=0, drop=True), objectives).sizes["point"]
    assert title.startswith(f"The front of {int(points.sum())} points has {expected} at {places} places: ")
    assert rendered(rc.plot.pareto(cube, objectives=objectives)).title.text.startswith(
        f"{expected} of {int(points.sum())}"
    )
    assert "measured" not in title
    with pytest.raises(InvalidDataError, match="`objectives`: expected two variables, got 1"):
        rc.plot.front(cube, objectives={"top1": "max"})


@pytest.mark.parametrize("name", ["front", "pareto"])
def test_a_sweep_answers_for_its_front(inputs, name):
    sweep = rc.Sweep(inputs)
    expected = sweep.pareto({"predicted_throughput": "max", "top1": "max"}, ties="all")
    figure = getattr(rc.plot, name)(sweep)
    assert len(source(figure, f"{name}.points")["x"]) == expected.sizes["point"]


@pytest.mark.parametrize("name", ["rooflines", "heatmap", "peaks", "requirements", "parallel", "power", "energy"])
def test_figures_take_a_sweep(inputs, name):
    class Large(rc.Sweep):
        size = 10**9

        def compute(self):
            pytest.fail("a sweep was computed whole")

    assert getattr(rc.plot, name)(Large(inputs)).name == name


@pytest.mark.parametrize(
    "name", ["pareto", "front", "latency_throughput", "heatmap", "efficiency", "power", "energy", "parallel", "boxes"]
)
def test_figures_take_a_front(front, name):
    options = {"variable": "measured_throughput"} if name == "heatmap" else {}
    assert getattr(rc.plot, name)(front, **options).name == name


def test_many_roofs_are_an_envelope(inputs):
    figure = rc.plot.rooflines(rc.predict(inputs))
    names = {one.name for one in rendered(figure).select({"type": ColumnDataSource})}
    assert {"rooflines.all", "rooflines.half", "rooflines.median"} <= names
    roofs = source(figure, "rooflines.ridges")
    assert len(roofs["ridge"]) == 3
    assert len(set(roofs["label"])) == 3


def test_what_was_achieved_lies_below_its_roof(cube):
    achieved = source(rc.plot.rooflines(cube), "rooflines.achieved")
    ratios = rc.efficiency(cube, trust="all").efficiency
    assert len(achieved["y"]) == int(ratios.notnull().sum())
    assert sorted(achieved["share"]) == pytest.approx(sorted(ratios.values[np.isfinite(ratios.values)]), rel=1e-6)


def test_very_many_marks_are_a_shade_with_the_front_on_top():
    hardware = rc.hypothetical(peak_compute=np.geomspace(1e11, 1e14, 40), memory_bandwidth=np.geomspace(1e9, 1e12, 30))
    cube = rc.predict(rc.inputs("cifar10", platforms=hardware))
    objectives = {"predicted_throughput": "max", "top1": "max"}
    count = int((cube.predicted_throughput * cube.top1).notnull().sum())
    assert count > MANY
    figure = rc.plot.pareto(cube, objectives=objectives)
    shade = source(figure, "pareto.density")
    assert sum(int(text.replace("\u202f", "")) for text in shade["count_text"]) == count
    marks, best = source(figure, "pareto.points"), rc.pareto(cube, objectives)
    assert set(best.predicted_throughput.values.tolist()) <= set(marks["x"])
    assert len(marks["configuration"]) < 500


@pytest.mark.parametrize(("figure", "what", "batches"), [("intervals", "points", 6), ("rooflines", "achieved", 1)])
def test_every_figure_with_a_mark_a_cell_has_a_shade_for_very_many(figure, what, batches):
    hardware = rc.hypothetical(peak_compute=np.geomspace(1e11, 1e14, 30), memory_bandwidth=np.geomspace(1e9, 1e12, 40))
    batch = [2**place for place in range(batches)]
    cube = rc.predict(rc.inputs("cifar10", platforms=hardware, batch=batch))
    rate = cube.predicted_throughput
    scale = rate * np.random.default_rng(0).uniform(0.3, 1.1, rate.shape)
    cube = cube.assign(measured_throughput=scale.assign_attrs(units="1/s"))
    cube = cube.assign(predicted_throughput_low=0.5 * rate, predicted_throughput_high=2.0 * rate)
    drawn = getattr(rc.plot, figure)(cube)
    count = int(cube.measured_throughput.notnull().sum())
    assert sum(int(text.replace("\u202f", "")) for text in source(drawn, f"{figure}.density")["count_text"]) == count
    assert len(source(drawn, f"{figure}.{what}")["x"]) <= 2


# histograms -----------------------------------------------------------------------------------------------------------


def test_a_histogram_counts_every_point(cube, inputs):
    bars = source(rc.plot.histogram(cube, "measured_throughput"), "histogram.bars")
    assert bars["count"].sum() == int(cube.measured_throughput.notnull().sum())
    sweep = rc.Sweep(inputs)
    swept = source(rc.plot.histogram(sweep, "predicted_throughput", bins=20), "histogram.bars")
    assert len(swept["count"]) == 20
    assert swept["count"].sum() == sweep.size
    flags = source(rc.plot.histogram(cube, "bound"), "histogram.bars")
    assert dict(zip(flags["configuration"], flags["count"], strict=True))["memory"] == 418


def test_both_ends_of_a_bin_are_in_one_unit_and_differ():
    hardware = rc.hypothetical(memory_bandwidth=np.linspace(8e11, 3.4e12, 40), peak_compute=1e14)
    fast = rc.predict(rc.inputs("cifar10", platforms=hardware, batch=1))
    figure = rc.plot.histogram(fast, "memory_bandwidth", bins=6)
    assert "0.8 … 1.23 TB/s" in rendered(figure).title.text
    narrow = source(rc.plot.histogram(rc.benchmark("mnist"), "measured_top1"), "histogram.bars")["configuration"]
    ends = [text.removesuffix(" %").split(" … ") for text in narrow]
    assert all(low != high for low, high in ends)


# maps -----------------------------------------------------------------------------------------------------------------


def test_a_map_shows_the_winner_and_its_margin(cube):
    cells = source(rc.plot.map(cube, "precision", "pruning", objective="measured_throughput"), "map.cells")
    each = rc.best(cube, "measured_throughput", per=["pruning", "precision", "platform"]).measured_throughput
    for winner, margin, text in zip(cells["winner"], cells["margin"], cells["configuration"], strict=True):
        labels = dict(part.rsplit(" ", 1) if "%" not in part else part.split(" ", 1) for part in text.split(", "))
        here = each.sel(precision=labels["precision"], pruning=float(labels["pruning"].strip(" %")))
        values = np.sort(here.values[np.isfinite(here.values)])[::-1]
        assert winner == ("" if not values.size else str(here.platform.values[np.nanargmax(here.values)]))
        if values.size > 1:
            assert margin == pytest.approx(values[0] / values[1] - 1)


def test_a_cell_of_a_map_without_a_winner_says_so_in_any_unit():
    cube = rc.benchmark("cifar10")
    for objective in ("top1", "measured_throughput"):
        cells = source(rc.plot.map(cube, "platform", "precision", objective=objective), "map.cells")
        told = [text for text, value in zip(cells["value_text"], cells["value"], strict=True) if not np.isfinite(value)]
        assert set(told) == {"not known"}


def test_a_map_of_a_sweep_has_lines_where_the_winner_changes(inputs):
    figure = rc.plot.map(rc.Sweep(inputs), "peak", "bandwidth", objective="predicted_energy", between="precision")
    assert len(source(figure, "map.cells")["winner"]) == 120
    drawn = rendered(figure)
    assert drawn.x_range.start < 0.1 < 100 < drawn.x_range.end  # TOP/s
    assert (drawn.xaxis.axis_label, drawn.yaxis.axis_label) == (
        "peak (TOP/s), log scale",
        "bandwidth (GB/s), log scale",
    )
    with pytest.raises(InvalidDataError, match="`x`, `y`: expected two dims of the cube, got 'peak' and 'weight'"):
        rc.plot.map(rc.Sweep(inputs), "peak", "weight")


def test_a_large_map_is_an_image():
    hardware = rc.hypothetical(peak_compute=np.geomspace(1e11, 1e14, 60), memory_bandwidth=np.geomspace(1e9, 1e12, 50))
    figure = rc.plot.map(rc.Sweep(rc.inputs("mnist", platforms=hardware)), "peak", "bandwidth", between="topology")
    assert source(figure, "map.cells")["image"][0].shape == (50, 60)


@pytest.mark.parametrize("batch", [np.arange(1, 301), np.geomspace(1, 300, 60), np.array([*range(1, 60), 19.5 * 60])])
def test_winners_of_an_image_change_where_the_line_stands(batch):
    speed = np.where(np.arange(2)[:, None] == 0, 3.5, np.sqrt(batch)).repeat(50).reshape(2, len(batch), 50)
    cube = xr.Dataset(
        {"speed": (("platform", "batch", "a"), speed, {"sense": "max"})},
        coords={"platform": ["A", "B"], "batch": batch, "a": np.arange(50.0)},
    )
    figure = rc.plot.map(cube, "batch", "a", objective="speed", between="platform")
    cells, lines = source(figure, "map.cells"), source(figure, "map.crossover")
    row, start = np.asarray(cells["image"][0])[0], np.log10(cells["x"][0])
    width = np.log10(cells["x"][0] + cells["dw"][0]) - start
    change = 10 ** (start + width * (np.argmax(row == row[-1]) / len(row)))
    assert change == pytest.approx(lines["x0"][0], rel=0.02)


# intervals ------------------------------------------------------------------------------------------------------------


def test_intervals_are_those_of_the_cube():
    rows = rc.datasets.load_measurements("mnist")
    cube = rc.join(rc.predict(rc.inputs("mnist"), assumptions=rc.calibrate(rows)), rows)
    marks = source(rc.plot.intervals(cube), "intervals.points")
    both = (cube.measured_throughput * cube.predicted_throughput_low).notnull()
    inside = (cube.measured_throughput >= cube.predicted_throughput_low) & (
        cube.measured_throughput <= cube.predicted_throughput_high
    )
    assert len(marks["x"]) == int(both.sum())
    assert sum(one == "outside" for one in marks["inside"]) == int((both & ~inside).sum())
    alone = source(rc.plot.intervals(cube.drop_vars("measured_throughput")), "intervals.points")
    assert len(alone["y"]) == int(cube.predicted_throughput_low.notnull().any("batch").sum())
    with pytest.raises(MissingInputError, match="`predicted_throughput_low`: the figure intervals needs an interval"):
        rc.plot.intervals(rc.predict(rc.inputs("mnist")))


# parallel axes --------------------------------------------------------------------------------------------------------


def test_parallel_axes_have_a_line_a_cell_and_up_is_better(cube):
    lines = source(rc.plot.parallel(cube, "platform", "measured_latency", "measured_top1"), "parallel.lines")
    assert len(lines["x0"]) == 2 * int((cube.measured_latency * cube.measured_top1).notnull().sum())
    first = lines["x0"] == 0
    fastest = np.argmax(lines["y1"][first])
    assert lines["measured_latency_text"][first][fastest] == quantity(float(cube.measured_latency.min()), "s")
    with pytest.raises(InvalidDataError, match="`names`: expected two or more dims and variables"):
        rc.plot.parallel(cube, "measured_latency")


# the language ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["measured_latency", "measured_throughput"])
def test_bright_is_better(cube, variable):
    from bokeh.models import ColorBar

    figure = rendered(rc.plot.heatmap(cube, variable=variable))
    bar = figure.select_one({"type": ColorBar})
    assert "bright = " in bar.title
    dark, bright = bar.color_mapper.palette[0], bar.color_mapper.palette[-1]
    assert (sum(bytes.fromhex(bright[1:])) > sum(bytes.fromhex(dark[1:]))) == (variable == "measured_throughput")


@pytest.fixture(scope="module")
def decoding():
    config = {"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 8}
    config |= {"intermediate_size": 256, "vocab_size": 100}
    net = rc.read_network(config, name="L", phase="decode", context=[4, 8])
    return rc.inputs("generate", platforms=["NCS2", "TX2"], topologies=net, precision="FP16", batch=[1, 2])


@pytest.mark.parametrize("ask", [rc.predict, rc.Sweep])
def test_figures_of_answers_are_in_tokens_as_those_of_the_cube(decoding, ask):
    speed, cube = "predicted_throughput", ask(decoding)
    for answer in (
        cube,
        rc.best(cube, speed, per="platform"),
        rc.top(cube, 3, speed),
        rc.pareto(cube, {speed: "max", "predicted_latency": "min"}),
    ):
        cells = source(rc.plot.heatmap(answer, variable=speed), "heatmap.cells")
        assert all(text.endswith(" tokens/s") for text in cells["value_text"] if any(map(str.isdigit, text)))
        assert any("tokens/s" in text for text in cells["value_text"])
    assert "tokens/s" in rendered(rc.plot.histogram(cube, speed)).title.text


def test_parallel_axes_of_a_sweep_are_those_that_are_known():
    columns = {"topology": ["A", "B"], "ops": [1e9, 2e9], "params": [1e6, 2e6], "task": ["t", "t"]}
    inputs = rc.inputs("t", platforms=["NCS2"], topologies=rc.read_network(columns), precision="FP16", batch=[1, 2])
    swept, stored = (source(rc.plot.parallel(ask(inputs)), "parallel.lines") for ask in (rc.Sweep, rc.predict))
    assert {one for one in swept if one.startswith("predicted")} == {
        one for one in stored if one.startswith("predicted")
    }
    assert "top1_text" not in swept


def test_what_is_no_cube_is_told():
    for draw in (
        lambda: rc.plot.map(3, "platform", "precision"),
        lambda: rc.plot.histogram(3, "top1"),
        lambda: rc.plot.intervals(3),
        lambda: rc.plot.front(3),
    ):
        with pytest.raises(InvalidDataError, match="`cube`: expected a Dataset"):
            draw()


def test_flags_are_categories_with_words(cube):
    cells = source(rc.plot.heatmap(cube, variable="bound"), "heatmap.cells")
    assert {text for text in cells["text"] if text} == {"compute", "memory"}


def test_a_large_heatmap_is_an_image():
    hardware = [
        rc.hypothetical(name=f"p{one:02d}", peak_compute=1e12 + one, memory_bandwidth=1e10) for one in range(60)
    ]
    cube = rc.predict(rc.inputs("mnist", platforms=hardware))
    array = cube.predicted_throughput.squeeze(drop=True)
    wide = array.expand_dims(mode=[f"m{one}" for one in range(9)]).to_dataset(name="mine")
    figure = rc.plot.heatmap(wide.assign_coords(device_class=cube.device_class), variable="mine")
    assert "image" in source(figure, "heatmap.cells")


def test_forty_platforms_of_ones_own_keep_their_looks():
    names = [f"board {one}" for one in range(40)]
    every = style.platform_colours(names)
    assert len(set(every.values())) == len(style.OTHER_COLOURS)
    markers, dashes = style.platform_markers(dict.fromkeys(names, "")), style.platform_dashes(names)
    assert len({(every[name], markers[name]) for name in names}) == len(names)
    assert len({(every[name], dashes[name]) for name in names}) > 30
    assert style.platform_colours(names[:1])[names[0]] == style.platform_colours([names[0], "TX2"])[names[0]]


@pytest.mark.parametrize("count", [7, 21, 60, 140])
def test_no_two_platforms_share_colour_and_marker_while_there_are_enough(count):
    for start in range(5):
        names = [f"Kite {start + 3 * one}" for one in range(count)]
        colours, markers = style.platform_colours(names), style.platform_markers(dict.fromkeys(names, "GPU-like"))
        assert len({(colours[name], markers[name]) for name in names}) == count


@pytest.mark.parametrize("draw", [rc.plot.pareto, rc.plot.latency_throughput, rc.plot.parallel])
@pytest.mark.parametrize("count", [12, 13])
def test_a_key_of_very_many_platforms_says_how_they_are_told(draw, count):
    given = dict.fromkeys(("measured_throughput", "measured_top1", "measured_latency"), np.arange(1.0, count + 1))
    cube = xr.Dataset(
        {name: ("platform", values) for name, values in given.items()},
        {"platform": [f"Board {one}" for one in range(count)]},
    )
    labels = [item.label.value for item in rendered(draw(cube)).select_one({"type": Legend}).items]
    assert len(labels) == (count if count == 12 else 1)
    assert count == 12 or labels == ["13 platforms by colour and shape: hover over one for its name"]


def test_few_platforms_of_no_known_class_differ_in_more_than_colour():
    names = ["Short", "A platform with a very long name from a catalogue (revision B512)", "b9", "b13"]
    assert len(set(style.platform_markers(dict.fromkeys(names, "an accelerator")).values())) == len(names)
    assert len(set(style.platform_dashes(names).values())) == len(names)
    assert style.platform_markers({"TX2": "GPU", "mine": ""})["TX2"] == "square"


def test_titles_of_layouts_take_the_ink_of_the_page():
    (title,) = rendered(rc.plot.power_trace(rc.datasets.load_power_traces())).select({"type": Div})
    assert "color:inherit" in title.text
    assert "black" not in title.text


def test_a_map_knows_what_is_infinite_or_nothing():
    values = [[[2.0, np.inf, 1.0, np.nan]], [[np.inf, np.inf, 0.0, np.nan]]]
    cube = xr.Dataset(
        {"predicted_latency": (("platform", "a", "batch"), values)},
        coords={"platform": ["A", "B"], "a": ["x"], "batch": [1, 2, 4, 8]},
    )
    cells = source(rc.plot.map(cube, "batch", "a", objective="predicted_latency", between="platform"), "map.cells")
    assert list(cells["winner"]) == ["A", "A", "B", ""]
    assert list(cells["margin_text"]) == ["∞", "0 %", "100 %", "no other is known"]
