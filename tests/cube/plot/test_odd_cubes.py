"""Figures of cubes that are larger, smaller or stranger than those of the benchmarks."""

from __future__ import annotations

import json

import foreign_cubes
import numpy as np
import polars as pl
import pytest
import xarray as xr
from bokeh.models import Axis, ColumnDataSource, Div, Legend, Plot, Title

import roofcube as rc
from roofcube.errors import InvalidDataError, MissingInputError, UnknownLabelError
from roofcube.inert import LONGEST, with_inert_labels
from roofcube.plot.drawing.elements import HEAD, rendered
from roofcube.plot.drawing.rows import MOST_ROWS
from roofcube.plot.drawing.style import WIDTH, floor_of, log_bounds, platform_colours, platform_markers
from roofcube.vocabulary import QUALITY
from roofcube.wording import percent, with_unit


@pytest.fixture(scope="module")
def whole():
    return rc.benchmark("mnist")


@pytest.fixture(scope="module")
def point(whole):
    return whole.sel(platform=["TX2"], mode=["maxn"], pruning=[100.0], precision=["FP16"], batch=[1])


@pytest.fixture(scope="module")
def many():
    """Sixty platforms."""
    hardware = [
        rc.hypothetical(name=f"board {k:02d}", peak_compute=1e11 * 1.15**k, memory_bandwidth=1e9 * 1.1**k, power=5.0)
        for k in range(60)
    ]
    return foreign_cubes.measured(rc.predict(rc.inputs("cifar10", platforms=hardware, batch=[1, 8])), "cifar10")


@pytest.fixture(scope="module")
def hostile():
    return foreign_cubes.hostile()


def source(figure, name):
    return rendered(figure).select_one({"name": name, "type": ColumnDataSource}).data


def texts(figure):
    return [title.text for title in rendered(figure).select({"type": Title})]


@pytest.mark.parametrize("figure", ["efficiency", "energy", "inputs_per_joule", "power"])
def test_bars_of_many_configurations_are_those_that_head_each_platform(many, figure):
    drawn = getattr(rc.plot, figure)(many)
    data = source(drawn, f"{figure}.bars")
    assert len(data["platform"]) == MOST_ROWS
    assert len(set(np.asarray(data["platform"]).tolist())) == 60
    assert any("rows, those that head the rows of each platform" in text for text in texts(drawn))


def test_a_space_of_many_designs_is_drawn_by_its_first_rows():
    hardware = rc.hypothetical(
        peak_compute=np.geomspace(1e11, 1e14, 40), memory_bandwidth=np.geomspace(1e9, 1e12, 40), power=5.0
    )
    cube = rc.predict(rc.inputs("cifar10", platforms=hardware, batch=[1], precision="INT8"))
    figure = rc.plot.efficiency(cube)
    data = source(figure, "efficiency.peak")
    assert len(data["peak"]) == MOST_ROWS
    share = cube["predicted_throughput"] / cube["peak_throughput"]
    assert (
        rendered(figure).title.text == f"Predicted: {percent(float(share.median()))} of the compute peak in the median"
    )


def test_numbers_are_written_into_cells_that_hold_them(many, whole):
    narrow = source(rc.plot.heatmap(many), "heatmap.cells")
    assert set(narrow["text"]) == {""}
    assert any("too many cells for numbers" in text for text in texts(rc.plot.heatmap(many)))
    assert "230k" in source(rc.plot.heatmap(whole), "heatmap.cells")["text"]


@pytest.mark.parametrize("name", ["boxes", "efficiency", "heatmap", "parallel", "rooflines", "peaks"])
def test_long_labels_are_short_in_figures(hostile, name):
    model = rendered(getattr(rc.plot, name)(hostile))
    data = [one.data for one in model.select({"type": ColumnDataSource})]
    heads = [[one.text] for one in model.select({"type": Title})]
    ticks = [list(one.major_label_overrides.values()) for one in model.select({"type": Axis})]
    written = json.dumps([data, heads, ticks], ensure_ascii=False, default=lambda values: np.asarray(values).tolist())
    assert "x" * (LONGEST + 1) not in written
    assert "x" * 28 + "…" in written


def test_lines_above_a_figure_break_before_its_end(whole):
    long = {one: f"the very long name of {one}, an accelerator" for one in whole.platform.values.tolist()}
    renamed = whole.assign_coords(platform=list(long.values()))
    plain, figure = (rendered(rc.plot.efficiency(cube)) for cube in (whole, renamed))
    assert figure.height > plain.height
    lines = figure.title.text.split("\n")
    assert len(lines) > 1 == len(plain.title.text.split("\n"))
    assert max(map(len, lines)) * HEAD < figure.width - 200


def test_a_roof_is_told_from_others_by_the_end_of_its_long_name(whole):
    long = [f"the very long name of {one}, an accelerator" for one in whole.platform.values.tolist()]
    plain, figure = (
        rendered(rc.plot.rooflines(cube)).select_one({"name": "rooflines.plane"})
        for cube in (whole, whole.assign_coords(platform=long))
    )
    # the roofs end where their names begin
    assert figure.x_range.end / figure.x_range.start > plain.x_range.end / plain.x_range.start


def test_source_rows_are_found_though_labels_are_exchanged(whole):
    rows = rc.datasets.load_measurements("mnist")
    long = "TX2 " + "x" * 100
    renamed = whole.assign_coords(platform=[long if one == "TX2" else one for one in whole.platform.values.tolist()])
    rows = rows.with_columns(pl.col("platform").replace("TX2", long))
    data = source(rc.plot.pareto(renamed, measurements=rows), "pareto.points")
    assert all(data["source"])


def test_source_rows_are_those_that_were_joined():
    net = rc.read_network({"topology": ["A"], "gmacs": [1.0], "mparams": [3.0], "top1": [70.0]}, task="seg")
    cube = rc.predict(rc.inputs("seg", topologies=net, platforms="NCS2", batch=1))
    row = {"topology": "A", "platform": "NCS2", "precision": "FP16", "batch": 1, "throughput_compute_per_s": 100.0}
    rows = rc.read_measurements([row | {"task": task, "source_row": f"of {task}"} for task in ("seg", "detect")])
    data = source(rc.plot.pareto(rc.join(cube, rows), measurements=rows), "pareto.points")
    assert list(data["source"]) == ["of seg"]


def test_a_single_point_is_drawn_between_readable_ticks(point):
    figure = rendered(rc.plot.front(point))
    assert figure.x_range.end / figure.x_range.start > 1.03
    assert any("The front of 1 point has 1" in text for text in texts(rc.plot.front(point)))
    assert any("1 of 1 point is on the front" in text for text in texts(rc.plot.pareto(point)))
    bars = source(rc.plot.histogram(point, "measured_throughput"), "histogram.bars")
    assert bars["count"].tolist() == [1.0]
    assert bars["low"][0] < float(point.measured_throughput.max()) < bars["high"][0]
    lines = source(rc.plot.parallel(point), "parallel.lines")
    assert set(lines["y0"].tolist()) | set(lines["y1"].tolist()) == {0.5}
    low, high = log_bounds([3.0])
    assert sum(low < tick < high for tick in (1, 2, 5, 10)) >= 2
    title = texts(rc.plot.map(point, "batch", "precision"))
    assert any(text.startswith("Predicted inputs per second: ") for text in title)
    power = texts(rc.plot.power(point))
    assert any(text == "Under load: 13.6 W (TX2)" for text in power)


def test_marks_at_the_ends_of_a_log_axis_are_not_cut():
    for first, last in ((1e-30, 1e30), (1e-290, 1e290), (1e-9, 1e3), (2.0, 900.0)):
        low, high = np.log10(log_bounds([first, last]))
        ends = (np.log10(first) - low) / (high - low), (high - np.log10(last)) / (high - low)
        assert min(ends) > 0.018


def test_a_scalar_cube_has_bars_to_see(whole):
    figure = rendered(rc.plot.efficiency(whole.sel(platform="TX2", mode="maxn", pruning=100.0, precision="FP16")))
    assert figure.height >= 210


def test_keys_of_long_names_stand_below_one_another(hostile):
    figure = rendered(rc.plot.pareto(hostile))
    legend = figure.select_one({"type": Legend})
    assert 1 <= legend.ncols < len(legend.items)
    assert figure.height > rendered(rc.plot.pareto(rc.benchmark("mnist"))).height
    panels = rendered(rc.plot.boxes(hostile)).select({"type": Plot})
    assert max(panel.width for panel in panels) > 600


def test_a_bar_that_ends_at_a_power_of_ten_has_a_length():
    assert floor_of(np.array([10.0, 20.0])) == 1.0
    assert floor_of(np.array([11.0, 20.0])) == 10.0


def test_the_sense_of_an_own_variable_counts(whole):
    dear = whole["predicted_throughput"] * whole["batch"]
    cube = whole.assign(price=dear.assign_attrs(units="EUR", long_name="price", sense="min"))
    figure = rc.plot.heatmap(cube, variable="price")
    lowest = float(cube["price"].min())
    cells = source(figure, "heatmap.cells")
    assert np.nanmin(np.asarray(cells["value"], dtype="f8")) == pytest.approx(lowest)
    # best over batch is the least: that of batch 1
    assert np.nanmax(np.asarray(cells["value"], dtype="f8")) == pytest.approx(float(cube["price"].sel(batch=1).max()))
    lines = source(rc.plot.parallel(cube, "batch", "price"), "parallel.lines")
    cheapest = with_unit(lowest, "EUR")
    assert {cell for cell, top in zip(lines["price_text"], lines["y1"] == 1.0, strict=True) if top} == {cheapest}


def test_a_front_is_drawn_predicted_over_measured(whole):
    front = rc.pareto(whole, {"measured_throughput": "max", "measured_top1": "max"})
    figure = rc.plot.overlap(front)
    assert len(source(figure, "overlap.measured")["x"]) == front.sizes["point"]


@pytest.mark.parametrize("name", ["power", "energy", "inputs_per_joule", "overlap"])
def test_a_cube_in_parts_is_drawn_too(whole, name):
    pytest.importorskip("dask")
    drawn = [rendered(getattr(rc.plot, name)(cube)) for cube in (whole, whole.chunk())]
    sources = [[one.data for one in model.select({"type": ColumnDataSource})] for model in drawn]
    one, other = (sorted(str([(key, list(data[key])) for key in sorted(data)]) for data in every) for every in sources)
    assert one == other


def test_what_is_known_nowhere_is_refused_or_predicted(whole):
    measured = [name for name in whole.data_vars if name.startswith(("measured", "power_", "energy", "inputs_per"))]
    blank = whole.assign({name: (whole[name] * np.nan).assign_attrs(whole[name].attrs) for name in measured})
    with pytest.raises(MissingInputError, match="`measured_throughput`: the figure histogram needs a value"):
        rc.plot.histogram(blank, "measured_throughput")
    with pytest.raises(MissingInputError, match="or relax the limits"):
        rc.plot.histogram(whole, "measured_throughput", where={"measured_top1": (99.9, None)})
    assert any("predicted" in text for text in texts(rc.plot.energy(blank)))


@pytest.mark.parametrize("figure", ["energy", "inputs_per_joule"])
@pytest.mark.parametrize("held", ["energy_per_input", "inputs_per_joule"])
def test_either_measure_of_energy_gives_the_other(whole, figure, held):
    alone = whole.drop_vars({"energy_per_input", "inputs_per_joule", "power_full"} - {held})
    assert rendered(getattr(rc.plot, figure)(alone)).title.text == rendered(getattr(rc.plot, figure)(whole)).title.text


def test_a_winner_that_is_a_number_is_told_with_its_unit():
    sweep = rc.Sweep(rc.inputs("mnist", platforms="NCS2"))
    title = rendered(rc.plot.map(sweep, "batch", "precision", between="pruning")).title.text
    assert title.startswith("12.5 % wins")


def test_own_inputs_of_a_sweep_keep_their_units():
    inputs = rc.inputs("mnist")
    price = ("platform", np.arange(1.0, inputs.sizes["platform"] + 1), {"units": "EUR", "sense": "min"})
    inputs = inputs.assign(price=price)
    data = source(rc.plot.heatmap(rc.Sweep(inputs), variable="price"), "heatmap.cells")
    assert any(str(text).endswith(" EUR") for text in data["value_text"])


def test_dates_are_written_as_dates(whole):
    days = np.datetime64("2026-01-01", "ns") + np.arange(2) * np.timedelta64(30, "D")
    growth = xr.DataArray([1.0, 1.1], dims="day", coords={"day": days})
    small = whole.sel(platform=["TX2", "NCS2"])
    cube = small.assign(
        {
            name: (small[name] * growth).assign_attrs(small[name].attrs)
            for name in ("measured_throughput", "measured_top1")
        }
    )
    for figure in (
        rc.plot.efficiency(cube), rc.plot.parallel(cube, "day", "measured_throughput"),
        rc.plot.map(cube, "day", "precision", objective="measured_throughput"),
        rc.plot.map(cube, "batch", "precision", objective="measured_throughput", between="day"),
    ):  # fmt: skip
        model = rendered(figure)
        data = [one.data for one in model.select({"type": ColumnDataSource})]
        ticks = [list(one.major_label_overrides.values()) for one in model.select({"type": Axis})]
        written = json.dumps([data, ticks], default=lambda values: np.asarray(values).astype(str).tolist())
        assert "2026-01-31" in written
        assert "T00:00" not in written


# what a log axis cannot show ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def zeros(whole):
    """Three cells of no throughput and one of a negative latency, as of runs that failed."""
    cube = whole.copy(deep=True)
    for name, count, value in (
        ("measured_throughput", 3, 0.0),
        ("measured_latency", 1, -1.0),
        ("energy_per_input", 9, 0.0),
    ):
        values = cube[name].values.reshape(-1)
        values[np.flatnonzero(np.isfinite(values))[:count]] = value
    return cube


def test_figures_say_what_a_log_axis_cannot_show(zeros, whole):
    assert any(
        "3 marks of 0 or less have no place on a log axis" in flat
        for flat in flat_texts(rc.plot.latency_throughput(zeros))
    )
    for figure in ("latency_throughput", "energy", "boxes"):
        assert any("no place on a log axis" in flat for flat in flat_texts(getattr(rc.plot, figure)(zeros)))
        assert not any("no place on a log axis" in flat for flat in flat_texts(getattr(rc.plot, figure)(whole)))


def test_a_shade_counts_what_it_shows():
    cube = xr.Dataset(
        {name: ("run", np.geomspace(1, 100, 6000)) for name in ("measured_throughput", "measured_latency")}
    )
    cube["measured_latency"][:7] = 0.0
    figure = rc.plot.latency_throughput(cube.assign_coords(run=np.arange(6000)))
    counts = source(figure, "latency_throughput.density")["count_text"]
    assert sum(int(one.replace("\u202f", "")) for one in counts) == 5993
    assert any("7 marks of 0 or less have no place on a log axis" in flat for flat in flat_texts(figure))


def flat_texts(figure):
    return [text.replace("\n", " ") for text in texts(figure)]


def test_panels_beside_one_another_have_as_many_lines_above_their_rows(zeros):
    drawn = list(rendered(rc.plot.boxes(zeros)).select({"type": Plot}))
    lines = [sum(1 + one.text.count("\n") for one in plot.above if isinstance(one, Title)) for plot in drawn]
    assert len(drawn) == 3
    assert len(set(lines)) == len({plot.height for plot in drawn}) == 1


# own dims -------------------------------------------------------------------------------------------------------------


def test_labels_of_own_dims_are_in_units_that_are_shown_and_tell_them_apart():
    hardware = rc.hypothetical(peak_compute=[1e12, 1.0004e12], memory_bandwidth=2e10, power=5.0)
    cube = rc.predict(rc.inputs("mnist", platforms=hardware, precision="INT8", batch=[1], pruning=[100.0]))
    assert set(source(rc.plot.efficiency(cube), "efficiency.bars")["row"]) == {
        "INT8 peak 1 TOP/s",
        "INT8 peak 1.0004 TOP/s",
    }
    told = source(rc.plot.rooflines(cube), "rooflines.ridges")["label"]
    assert sorted(told) == ["peak 1 TOP/s", "peak 1.0004 TOP/s"]


def test_the_title_of_many_roofs_speaks_of_all():
    hardware = rc.hypothetical(peak_compute=np.geomspace(1e11, 1e14, 7), memory_bandwidth=np.geomspace(1e9, 1e12, 7))
    drawn = rendered(rc.plot.rooflines(rc.predict(rc.inputs("mnist", platforms=hardware, batch=[1]))))
    titles = " ".join(plot.title.text for plot in drawn.select({"type": Plot}) if plot.title)
    assert "between 0.1 op/B and 100k op/B" in titles


# labels of other kinds ------------------------------------------------------------------------------------------------

KINDS = {
    "platform": [np.arange(3), np.arange(3) > 1, np.arange("2026-01", "2026-04", dtype="M8[M]").astype("M8[ns]")],
    "topology": [np.array([10])],
    "precision": [np.array([8, 16, 32])],
    "batch": [np.array(["one", "few"])],
    "pruning": [np.array(["full"])],
    "device_class": [np.array([1, 1, 2])],
}


@pytest.mark.parametrize(
    ("dim", "labels"),
    [(dim, labels) for dim, every in KINDS.items() for labels in every],
    ids=lambda one: str(one)[:20],
)
def test_figures_show_labels_of_any_kind(whole, dim, labels):
    cube = whole.sel(platform=["TX2", "NCS2", "U96-A53"], precision=["INT8", "FP16", "FP32"], pruning=[100.0])
    cube = cube.isel(batch=slice(0, 2))
    if labels.dtype == bool:
        cube, labels = cube.isel(platform=slice(1, None)), labels[1:]
    cube = cube.assign_coords({dim: ("platform" if dim == "device_class" else dim, labels)})
    for name in (
        "boxes", "efficiency", "energy", "front", "heatmap", "latency_throughput", "overlap", "overview", "parallel",
        "pareto", "peaks", "power", "rooflines",
    ):  # fmt: skip
        rendered(getattr(rc.plot, name)(cube))


def test_a_long_name_has_the_looks_of_its_whole(whole):
    long = [f"{one}, an accelerator with a very long name of its own" for one in whole.platform.values.tolist()]
    cube = whole.assign_coords(platform=long)
    drawn = source(rc.plot.pareto(cube), "pareto.points")
    colours, markers = platform_colours(long), platform_markers(dict(zip(long, whole.device_class.values, strict=True)))
    wanted = {(colours[one], markers[one]) for one in long}
    assert set(zip(drawn["colour"], drawn["marker"], strict=True)) <= wanted
    # the page exchanges labels before its figures do
    assert (
        source(rc.plot.pareto(with_inert_labels(cube)), "pareto.points")["colour"].tolist() == drawn["colour"].tolist()
    )


@pytest.mark.parametrize(("name", "room"), [("AMD RADEON PRO W7900 DUAL BOARD", 130), ("Board", None)])
def test_the_last_heads_of_a_heatmap_have_room(name, room):
    """Bokeh moves a head that would leave the figure to the left, over its neighbours."""
    cube = xr.Dataset(
        {"predicted_throughput": (("platform", "topology"), np.arange(1.0, 61.0).reshape(30, 2))},
        {"platform": [f"{name} {number:02d}" for number in range(30)], "topology": ["N", "M"]},
    )
    figure = rendered(rc.plot.heatmap(cube))
    assert (figure.min_border_right or 0) >= (room or 0)
    assert room or (figure.min_border_right or 0) < 60


def test_a_power_of_nothing_is_drawn():
    cube = xr.Dataset({"power_full": ("platform", [0.0, 0.0], {"units": "W"})}, {"platform": ["A", "B"]})
    figure = rendered(rc.plot.power(cube))
    assert (figure.x_range.start, figure.x_range.end) == (0.0, 1.0)


# heatmaps -------------------------------------------------------------------------------------------------------------


def test_a_reason_counts_where_nothing_that_a_variable_lacks_allows_it():
    cube = rc.benchmark("cifar10").sel(platform="TX2")
    cells = source(rc.plot.heatmap(cube, variable="top1"), "heatmap.cells")
    assert set(cells["state"]) == {"known", "not supported"}
    assert sum(np.isfinite(np.asarray(cells["value"], dtype="f8"))) == int(cube["top1"].notnull().sum())


@pytest.mark.parametrize("per", ["topology", "platform", ["precision", "topology"]])
def test_winners_are_laid_out_over_their_labels(per):
    best = rc.best(rc.benchmark("cifar10"), "predicted_throughput", per=per)
    cells = source(rc.plot.heatmap(best), "heatmap.cells")
    states = np.asarray(cells["state"]).tolist()
    assert states.count("known") == int(best["predicted_throughput"].notnull().sum())
    assert set(states) <= {"known", "not given"}


@pytest.mark.parametrize("figure", ["parallel", "requirements", "rooflines"])
def test_winners_by_two_labels_are_drawn(figure):
    # their other labels lie over both dims
    best = rc.best(rc.benchmark("cifar10"), "measured_throughput", per=("platform", "topology"))
    assert rendered(getattr(rc.plot, figure)(best)).select(ColumnDataSource)


def test_flags_of_a_sweep_have_no_best():
    with pytest.raises(
        InvalidDataError, match=r"`bound`: the figure heatmap .* draw it from a cube of predict\(inputs\)"
    ):
        rc.plot.heatmap(rc.Sweep(rc.inputs("mnist", platforms=MANY)), variable="bound")


MANY = rc.hypothetical(peak_compute=np.geomspace(1e11, 1e13, 40), memory_bandwidth=np.geomspace(1e9, 1e11, 40), power=5)


def test_what_is_drawn_of_a_sweep_is_of_one_point():
    inputs = rc.inputs("mnist", platforms="TX2", precision="FP16", pruning=100, batch=[1, 64])
    drawn = [
        source(rc.plot.latency_throughput(space), "latency_throughput.points")
        for space in (rc.predict(inputs, assumptions=rc.BOUND), rc.Sweep(inputs, assumptions=rc.BOUND, dtype="f8"))
    ]
    for name in ("x", "y", "configuration"):
        assert list(drawn[0][name]) == list(drawn[1][name])
    # of more points than are laid out, that of each configuration where the first variable is best
    sweep = rc.Sweep(rc.inputs("mnist", platforms=MANY), assumptions=rc.BOUND)
    figure = rc.plot.latency_throughput(sweep)
    mark = source(figure, "latency_throughput.points")
    per = [dim for dim in sweep.dims if dim in ("platform", "mode", "topology", "pruning", "precision")]
    best = sweep.best("predicted_throughput", per=per)
    pairs = zip(best["predicted_latency"].values.ravel(), best["predicted_throughput"].values.ravel(), strict=True)
    assert {(round(x, 6), round(y, 2)) for x, y in zip(mark["x"], mark["y"], strict=True)} <= {
        (round(1e3 * float(x), 6), round(float(y), 2)) for x, y in pairs
    }
    assert any("each configuration where its predicted" in text for text in texts(figure))
    # inputs along own axes of the hardware are those of the point
    lines = source(rc.plot.parallel(sweep, "precision", "predicted_throughput", "memory_bandwidth"), "parallel.lines")
    assert set(lines["memory_bandwidth_text"]) == {"100 GB/s"}


def test_an_accuracy_that_is_not_given_is_told_so(whole):
    inputs = rc.inputs("mnist", platforms="TX2")
    cube = rc.predict(inputs.assign(top1=(inputs["top1"] * np.nan).assign_attrs(inputs["top1"].attrs)))
    assert any("° = no accuracy given at that precision" in text for text in texts(rc.plot.heatmap(cube)))


def test_a_title_counts_all_that_share_the_best_value():
    cube = rc.predict(rc.inputs("mnist", platforms=["TX2", "NCS2"]))
    level = cube.assign(predicted_throughput=cube.predicted_throughput.clip(max=1000.0, keep_attrs=True))
    grid = rendered(rc.plot.heatmap(level, variable="predicted_throughput")).title.text
    drawn = rendered(rc.plot.latency_throughput(level)).title.text
    known = (level.predicted_throughput == 1000.0).sum().item()
    assert grid.endswith(f"1k inputs/s (NCS2 · MLP 100 % INT8 and {known - 1} others)")
    assert "1k inputs/s (TX2 and 1 other)" in drawn


@pytest.fixture(scope="module")
def level():
    """Two boards that are alike."""
    boards = [rc.hypothetical(name=name, peak_compute=1e12, memory_bandwidth=8e9) for name in ("Alpha", "Beta")]
    cube = rc.predict(rc.inputs("mnist", platforms=boards, precision="INT8", batch=[1, 2]))
    speed = cube.predicted_throughput * 0.5
    return cube.assign(measured_throughput=speed, n_rows=speed.notnull().astype("i4"))


def test_a_title_names_nobody_who_is_only_level(level):
    title = rendered(rc.plot.map(level, "topology", "pruning")).title.text
    assert title.startswith("Level in 100 % of the map: ")
    faster = level.predicted_throughput.where((level.platform != "Beta") | (level.pruning < 100), 1.0, drop=False)
    ahead = level.assign(predicted_throughput=faster.where(faster != 1.0, level.predicted_throughput * 2))
    part = rendered(rc.plot.map(ahead, "topology", "pruning")).title.text
    assert part.startswith("Beta wins 25.0 % of the map, level in 75.0 %: ")
    split = level.predicted_throughput * xr.where((level.platform == "Beta") == (level.pruning < 50), 2.0, 1.0)
    both = rendered(rc.plot.map(level.assign(predicted_throughput=split), "topology", "pruning")).title.text
    assert both.startswith("Alpha and Beta win 50.0 % of the map each: ")
    assert rendered(rc.plot.efficiency(level)).title.text.endswith("highest 50.0 % (Alpha and 1 other)")


def test_a_map_without_a_cell_says_why(level):
    limits = {"predicted_throughput": (1e12, None), "pruning": [100]}
    none = rendered(rc.plot.map(level, "topology", "pruning", where=limits)).title.text
    assert none == "No cell meets the limits on predicted throughput and pruning"
    masked = rendered(rc.plot.map(level, "topology", "pruning", where=level.predicted_throughput > 1e12)).title.text
    assert masked == "No cell meets the limits"
    blank = level.assign(predicted_throughput=level.predicted_throughput * np.nan)
    for where in (None, limits):
        title = rendered(rc.plot.map(blank, "topology", "pruning", where=where)).title.text
        assert title == "Nothing is known here"


def test_meanings_that_are_as_frequent_are_all_told():
    flags = {"flag_values": np.array([0, 1], "i1"), "flag_meanings": "compute memory", "long_name": "what limits"}
    cube = xr.Dataset(
        {"bound": (("platform", "topology"), np.array([[0, 1], [1, 0]], "i1"), flags)},
        {"platform": ["A", "B"], "topology": ["x", "y"]},
    )
    assert rendered(rc.plot.heatmap(cube, variable="bound")).title.text == "What limits: most often compute and memory"


# what was measured ----------------------------------------------------------------------------------------------------


def test_boxes_show_what_was_measured_alone(whole):
    timed = whole.drop_vars(["measured_latency", "power_full"])
    drawn = rendered(rc.plot.boxes(timed))
    names = {str(one.name) for one in drawn.select({"type": ColumnDataSource})}
    assert {name.split(".")[1] for name in names if name.startswith("boxes.")} == {"throughput"}
    title = next(one.text for one in drawn.select({"type": Div}) if "platform" in one.text)
    assert "Throughput by platform and pruning (measured" in title
    for name, cube in (("latency_throughput", timed), ("boxes", whole[["power", "n_rows"]])):
        with pytest.raises(MissingInputError, match=f"`measured_latency`: the figure {name} needs this variable"):
            getattr(rc.plot, name)(cube)
    unmeasured = whole.drop_vars([name for name in whole if name.startswith(("measured", "power_"))])
    assert rendered(rc.plot.latency_throughput(unmeasured)).title.text.startswith("Highest predicted throughput")


def test_boxes_say_what_they_are_by_and_over(whole):
    warm = xr.DataArray([1.0, 0.9], dims="warmth", coords={"warmth": [20, 80]})
    cube = whole.sel(pruning=[100.0])
    cube = cube.assign({name: cube[name] * warm for name in ("measured_throughput", "measured_latency")})
    drawn = rendered(rc.plot.boxes(cube))
    assert any("by platform (measured" in one.text for one in drawn.select({"type": Div}))
    texts = flat_texts(rc.plot.boxes(cube))
    assert any(text.startswith("over all modes, precisions, batches, warmth") for text in texts)


@pytest.mark.parametrize("accurate", [True, False], ids=["accuracy along it", "accuracy at none"])
@pytest.mark.parametrize("predicted", [True, False], ids=["predicted along it", "predicted at none"])
def test_own_dims_of_an_overlap_are_configurations_of_their_own(whole, accurate, predicted):
    warm = xr.DataArray([1.0, 0.9, 0.8], dims="warmth", coords={"warmth": [-40, 20, 80]})
    names = ["measured_throughput", *["top1"] * accurate, *["predicted_throughput"] * predicted]
    cube = whole.drop_vars("measured_top1").assign({name: whole[name] * warm for name in names})
    drawn = rc.plot.overlap(cube)
    circles, crosses = source(drawn, "overlap.predicted"), source(drawn, "overlap.measured")
    known = (cube["predicted_throughput"] * cube["top1"] * xr.ones_like(warm)).notnull()
    run = (cube["measured_throughput"] * cube["top1"]).notnull().any("batch")
    assert len(circles["x"]) == int(known.sum())
    assert len(crosses["x"]) == int(run.sum())
    both = int((known & run).sum())
    assert list(circles["match"]).count("matched") == list(crosses["match"]).count("matched") == both
    assert any(text.startswith(f"{both} configurations matched") for text in flat_texts(drawn))


@pytest.mark.parametrize("figure", ["energy", "inputs_per_joule", "power", "efficiency"])
def test_texts_beyond_bars_have_room(many, figure):
    drawn = rendered(getattr(rc.plot, figure)(many))
    data = source(getattr(rc.plot, figure)(many), f"{figure}.bars")
    text, end = {"power": ("power_full_text", "end"), "efficiency": ("note", "end")}.get(figure, ("value_text", "high"))
    scale = np.asarray if figure == "power" else np.log
    ends = scale(np.array([drawn.x_range.start, drawn.x_range.end]))
    labels = [max(map(len, data[one])) for one in ("row", "group")]
    frame = WIDTH - 40 - 7 * sum(labels)
    reach = (scale(np.asarray(data[end])) - ends[0]) / (ends[1] - ends[0]) * frame
    assert max(reach + 7 + 7 * np.array([len(one) for one in data[text]])) <= frame


def test_names_are_read_whole(whole):
    """`top` in a name of one's own is no accuracy, whose findings would make its marks hollow."""
    price = (whole["power"] * whole["top1"]).assign_attrs(units="EUR", sense="min", long_name="desktop price")
    cube = whole.assign(desktop_price=price)
    cube["quality"] = xr.full_like(whole["quality"], QUALITY["accuracy_is_a_fraction"])
    figure = rc.plot.pareto(cube, objectives={"desktop_price": "min", "measured_throughput": "max"})
    assert rendered(figure).xaxis.axis_label == "desktop price (EUR, log scale)"
    assert set(source(figure, "pareto.points")["filled"]) == {0.85}
    hollow = rc.plot.pareto(cube, objectives={"measured_top1": "max", "measured_throughput": "max"})
    assert set(source(hollow, "pareto.points")["filled"]) == {0.0}


def test_of_very_many_predictions_an_overlap_draws_few(whole):
    hardware = rc.hypothetical(
        peak_compute=np.geomspace(1e11, 1e14, 30), memory_bandwidth=np.geomspace(1e9, 1e12, 30), power=5.0
    )
    cube = rc.predict(rc.inputs("cifar10", platforms=hardware, batch=[1]))
    drawn = rc.plot.overlap(cube)
    assert 0 < len(source(drawn, "overlap.predicted")["x"]) < 5000
    assert any("predictions are drawn: those measured, the front" in text for text in flat_texts(drawn))
    measured = (cube["predicted_throughput"] / 2).isel(peak=slice(0, 3)).reindex_like(cube)
    one = rc.plot.overlap(cube.assign(measured_throughput=measured))
    data = source(one, "overlap.predicted")
    number = int((measured * cube["top1"]).notnull().sum())
    assert list(data["match"]).count("matched") == len(source(one, "overlap.measured")["x"]) == number > 0
    links = source(one, "overlap.links")
    assert links["x0"] == pytest.approx(2 * np.asarray(links["x1"]))


@pytest.fixture(scope="module")
def outdone():
    """One batch of one platform is faster than its peak."""
    boards = [
        rc.hypothetical(name=name, peak_compute=1e12, memory_bandwidth=8e9, memory_capacity=5e8, power=4.0)
        for name in ("A", "B")
    ]
    network = {"topology": ["Net"], "mmacs": [42.0], "params": [1e6], "activations": [9e5], "top1": [95.0]}
    inputs = rc.inputs("own", platforms=boards, topologies=rc.read_network(network, task="own"), batch=[1, 4, 16])
    rows = {
        "topology": ["Net"] * 6, "platform": ["A"] * 3 + ["B"] * 3, "precision": ["INT8"] * 6, "batch": [1, 4, 16] * 2,
        "throughput_compute_per_s": [3100.0, 3900.0, 1e9, 10.0, 3500.0, 3600.0], "top1_percent": [95.0] * 6,
    }  # fmt: skip
    cube = rc.join(rc.predict(inputs), rows)
    watts = xr.where(cube.measured_throughput.notnull(), 4.0, np.nan)
    seconds = (1.0 / cube.measured_throughput).assign_attrs(units="s")
    return cube.assign(measured_latency=seconds, power_full=watts.assign_attrs(units="W"))


def test_what_is_impossible_hides_nothing(outdone):
    front = rc.pareto(outdone, {"measured_throughput": "max", "measured_top1": "max"})
    shown = source(rc.plot.overlap(outdone), "overlap.measured_front")["x"]
    assert set(np.asarray(shown)) == set(front["measured_throughput"].values) == {3900.0}
    bars = source(rc.plot.efficiency(outdone), "efficiency.bars")["measured"]
    assert set(np.asarray(bars)) == {3900.0, 3600.0}
    crosses = source(rc.plot.rooflines(outdone), "rooflines.achieved")["y"]
    assert max(crosses) == pytest.approx(float((3900.0 * outdone["ops"]).max()) * 1e-12)


@pytest.mark.parametrize("figure", ["latency_throughput", "efficiency", "inputs_per_joule", "heatmap"])
def test_titles_speak_of_what_is_possible(outdone, figure):
    highest = float(rc.efficiency(outdone)["efficiency"].max())
    expected = {
        "latency_throughput": with_unit(3900.0, "inputs/s"),
        "efficiency": f"highest {percent(highest)} (A)",
        "inputs_per_joule": "975 inputs/J (A)",  # of the batches that are possible
        "heatmap": "3.9k inputs/s (A",
    }[figure]
    options = {"variable": "measured_throughput"} if figure == "heatmap" else {}
    title = rendered(getattr(rc.plot, figure)(outdone, **options)).title.text
    assert expected in title


def test_boxes_leave_out_what_is_impossible_and_say_so(outdone):
    drawn = rc.plot.boxes(outdone)
    assert max(source(drawn, "boxes.throughput.whiskers")["high"]) == 3900.0
    assert any("that cannot be true left out" in text for text in flat_texts(drawn))


def test_a_heatmap_with_nothing_but_what_is_impossible_says_so(outdone):
    drawn = rc.plot.heatmap(outdone.sel(batch=[16]), variable="measured_throughput")
    assert rendered(drawn).title.text.endswith("3.6k inputs/s (B · Net INT8)")
    assert any("1 cell that cannot be true" in text for text in flat_texts(drawn))


def test_intervals_are_judged_by_what_is_possible(outdone):
    low, high = outdone.predicted_throughput / 10, outdone.predicted_throughput * 10
    cube = outdone.assign(predicted_throughput_low=low, predicted_throughput_high=high)
    drawn = rc.plot.intervals(cube)
    assert " of 5 measurements lie in the interval" in rendered(drawn).title.text
    assert "1 measurement that cannot be true" in " ".join(flat_texts(drawn))
    with pytest.raises(UnknownLabelError, match="did you mean 'measured_throughput'"):
        rc.plot.intervals(cube, measured="measured_troughput")


def test_a_quality_of_ones_own_says_nothing_of_cells():
    figures = {name: ("platform", [80.0, 90.0]) for name in ("top1", "measured_top1")}
    cube = xr.Dataset(
        {"measured_throughput": ("platform", [5.0, 6.0]), "quality": ("platform", [75.0, 90.0]), **figures}
    )
    drawn = rc.plot.pareto(cube.assign_coords(platform=["a", "b"]))
    assert set(source(drawn, "pareto.points")["filled"]) == {0.85}
    assert set(source(drawn, "pareto.points")["flags"]) == {"none"}


def test_findings_that_lost_their_meanings_count_as_in_questions(outdone):
    bare = outdone.assign(quality=outdone["quality"].drop_attrs())
    assert rc.best(bare, "measured_throughput")["measured_throughput"] == 3900.0
    for figure in ("latency_throughput", "inputs_per_joule"):
        one, other = (rendered(getattr(rc.plot, figure)(cube)).title.text for cube in (outdone, bare))
        assert one == other
    page = rc.explore(bare)
    page.page()
    assert page.answer.rows.column("measured_throughput")[page.answer.best] == 3900.0


def test_marks_of_a_front_in_single_precision_are_found():
    inputs = rc.inputs("cifar10", platforms=["TX2", "NCS2"], batch=range(1, 900))
    objectives = {"predicted_latency": "min", "top1": "max"}
    cube = rc.predict(inputs, dtype="f4")
    drawn = source(rc.plot.pareto(cube, objectives=objectives), "pareto.points")
    front = rc.pareto(cube, objectives)
    shown = set(zip(np.asarray(drawn["x"]).tolist(), np.asarray(drawn["y"]).tolist(), strict=True))
    latency = (front["predicted_latency"].values.astype("f8") * 1e3).tolist()
    assert set(zip(latency, front["top1"].values.astype("f8").tolist(), strict=True)) <= shown


def test_an_overview_is_of_a_whole_cube(whole):
    for part in (
        rc.pareto(whole, ["measured_throughput", "measured_top1"]),
        rc.best(whole, "measured_throughput", per="platform"),
    ):
        with pytest.raises(InvalidDataError, match="expected platforms and networks as dims, got points"):
            rc.plot.overview(part)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        *((lambda cube, bins=bins: rc.plot.histogram(cube, "measured_throughput", bins=bins), "`bins`: expected")
          for bins in (-3, 0, [], [1, "a"], "abc")),
        (lambda cube: rc.plot.heatmap(cube, variable="device_class"), "`variable`: expected numbers or a flag"),
        (lambda cube: rc.plot.map(cube, "platform", "batch", between="platform"), "`between`: expected another dim"),
    ],
)  # fmt: skip
def test_what_no_figure_can_draw_is_told(whole, draw, message):
    with pytest.raises(InvalidDataError, match=message):
        draw(whole)


def test_figures_of_points_without_labels_and_of_no_network():
    bare = xr.Dataset({name: ("point", [1.0, 2.0]) for name in ("measured_throughput", "measured_top1")})
    assert rc.plot.pareto(bare).name == "pareto"
    assert rc.plot.requirements(rc.inputs("mnist").isel(topology=0, drop=True)).name == "requirements"


def test_a_map_has_the_colours_of_all_figures():
    boards = [
        rc.hypothetical(name=f"board{one}", peak_compute=1e12 * one, memory_bandwidth=1e10, power=5.0)
        for one in range(1, 13)
    ]
    cube = rc.predict(rc.inputs("mnist", platforms=boards, precision=["INT8", "FP16"], batch=[1, 2]))
    drawn = source(rc.plot.map(cube, "batch", "precision", between="platform"), "map.cells")
    every = platform_colours(cube.platform.values.tolist())
    assert {every[name] for name in drawn["winner"]} == set(drawn["colour"])


def test_a_histogram_draws_what_is_counted(outdone):
    counted = int(rc.histogram(outdone, "measured_throughput")["count"].sum())
    for bins in (None, 10):
        drawn = source(rc.plot.histogram(outdone, "measured_throughput", bins=bins), "histogram.bars")["count"]
        assert int(np.sum(drawn)) == counted == 6


def test_own_terms_of_a_sweep_keep_their_units_in_a_histogram():
    model = rc.BOUND.with_term("bill", lambda m: m.predicted_latency * 2.0, units="USD", sense="min")
    sweep = rc.Sweep(rc.inputs("mnist"), assumptions=model)
    labels = [axis.axis_label for axis in rendered(rc.plot.histogram(sweep, "bill")).select({"type": Axis})]
    assert any("USD" in label for label in labels if label)


def test_a_cell_of_a_front_is_the_best_over_own_dims():
    factor = xr.DataArray([0.5, 1.0], {"heat": [20.0, 85.0]})
    model = rc.PUBLISHED.with_term("speed", lambda m: m.predicted_throughput * m.factor, units="1/s", sense="max")
    cube = rc.predict(rc.inputs("mnist").assign(factor=factor), assumptions=model)
    front = rc.pareto(cube, {"factor": "min", "speed": "max"})
    figure = rc.plot.heatmap(front, variable="speed")
    cells = np.asarray(source(figure, "heatmap.cells")["value"])
    assert np.nanmax(cells) == pytest.approx(float(front["speed"].max()))
    assert any("best over" in text and "heat" in text for text in texts(figure))


def test_intervals_are_those_of_the_best_batch():
    rows = rc.datasets.load_measurements("mnist").filter(platform="NCS2")
    cube = rc.predict(rc.inputs("mnist", platforms="NCS2", batch=[1, 16, 512]), assumptions=rc.calibrate(rows))
    names = [f"predicted_throughput{end}" for end in ("", "_low", "_high")]
    figure = rc.plot.intervals(cube)
    points, bars = source(figure, "intervals.points"), source(figure, "intervals.bars")
    cells = {tuple(cell) for cell in cube[names].to_dataframe()[names].to_numpy().tolist()}
    assert set(zip(points[names[0]], bars[names[1]], bars[names[2]], strict=True)) <= cells
    assert any("best batch" in text for text in texts(figure))


def test_parallel_axes_write_flags_in_words():
    figure = rc.plot.parallel(rc.benchmark("cifar10"), "platform", "bound", "predicted_throughput")
    assert {"compute", "memory"} <= set(source(figure, "parallel.ticks")["text"])
    assert set(source(figure, "parallel.lines")["bound_text"]) == {"compute", "memory"}


def test_a_cube_that_holds_no_model_says_so():
    cube = rc.predict(rc.inputs("mnist"), assumptions=[rc.BOUND, rc.PUBLISHED]).isel(assumptions=slice(0, 0))
    for draw in (rc.plot.power, rc.plot.peaks, rc.plot.requirements, rc.plot.parallel):
        with pytest.raises(MissingInputError, match="none along 'assumptions'"):
            draw(cube)


@pytest.mark.parametrize(("unit", "joules"), [("inputs/J", 1.0), ("1/kJ", 0.001), ("kinputs/J", 1000.0)])
def test_inputs_per_joule_are_read_as_they_are_written(unit, joules):
    cube = xr.Dataset({"inputs_per_joule": ("platform", [1.0, 2.0], {"units": unit})}, {"platform": ["A", "B"]})
    title = rendered(rc.plot.inputs_per_joule(cube)).title.text
    assert title.endswith(f"{with_unit(2 * joules, 'inputs/J')} (B)")


def test_figures_and_pages_read_units_that_are_not_their_own(tmp_path):
    given = {"measured_throughput": ([10.0, 20.0], "1/s"), "measured_latency": ([5.0, 7.0], "us")}
    given |= {"power_full": ([5000.0, 7000.0], "mW")}
    cube = xr.Dataset(
        {name: ("platform", values, {"units": unit}) for name, (values, unit) in given.items()},
        coords={"platform": ["A", "B"]},
    )
    titles = [rendered(getattr(rc.plot, name)(cube)).title.text for name in ("power", "energy", "latency_throughput")]
    assert titles[0] == "Under load: 5 W (A) to 7 W (B)"
    assert titles[1] == "Energy per input: 350 mJ (B) to 500 mJ (A)"
    assert titles[2].endswith("shortest latency 5 µs (A)")
    page = rc.report(cube, tmp_path / "units.html").read_text("utf-8")
    assert "500 mJ" in page
    assert "500 J" not in page
    slow = cube.assign(measured_latency=("platform", [5.0, 80.0], {"units": "ms"}))
    explorer = rc.explore(slow)
    within = explorer.source.at_latency(explorer.view.copied()).values
    np.testing.assert_array_equal(np.isfinite(within).sum(axis=1), [5, 1])


def test_a_unit_that_is_spelt_out_scales_a_figure_as_its_own():
    given = {"measured_throughput": ([10.0, 4.0], "fps"), "measured_latency": ([0.1, 0.25], "seconds")}
    cube = xr.Dataset(
        {name: ("platform", values, {"units": unit}) for name, (values, unit) in given.items()},
        {"platform": ["A", "B"]},
    )
    assert rendered(rc.plot.latency_throughput(cube)).title.text.endswith("shortest latency 100 ms (A)")


def test_a_share_lies_on_the_axis_of_percentages():
    given = {"predicted_throughput": "1/s", "measured_throughput": "1/s", "top1": "%", "measured_top1": "1"}
    values = dict(zip(given, ([4.0, 5.0], [2.0, 3.0], [95.0, 90.0], [0.94, 0.89]), strict=True))
    cube = xr.Dataset(
        {name: ("platform", values[name], {"units": unit}) for name, unit in given.items()}, {"platform": ["A", "B"]}
    )
    figure = rendered(rc.plot.overlap(cube))
    measured = next(one for one in figure.renderers if one.name == "overlap.measured")
    assert sorted(measured.data_source.data["y"]) == [89.0, 94.0]


def test_a_long_name_at_the_right_end_of_a_front_stands_left_of_its_mark():
    names = ["Jetson AGX Orin 64GB", "Jetson AGX Thor T5000", "Radeon PRO W7900 Dual"]
    cube = xr.Dataset(
        {"measured_throughput": ("platform", [1e3, 2e3, 2.4e3]), "measured_top1": ("platform", [90.0, 80.0, 70.0])},
        {"platform": names},
    )
    marks = source(rc.plot.front(cube), "front.points")
    assert list(marks["label"]) == [*names[:2], ""]
    assert list(marks["label_left"]) == ["", "", names[2]]
    left = next(one for one in rendered(rc.plot.front(cube)).renderers if one.name == "front.points.text1")
    assert left.glyph.text_align == "right"


TWICE = {"Kite": ["Kite", "Kite", "Falcon"], "nan": [20.0, np.nan, np.nan], "7": [7, 7, 8]}


@pytest.mark.parametrize("label", TWICE)
@pytest.mark.parametrize("draw", [rc.plot.overlap, rc.plot.heatmap, rc.plot.power, rc.plot.boxes, rc.report])
def test_a_label_that_a_dim_has_twice_is_not_drawn(draw, label, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ("predicted_throughput", "top1", "measured_throughput", "measured_latency", "measured_top1", "power_full")
    cube = xr.Dataset({name: ("rig", [50.0, 60.0, 70.0]) for name in names}, {"rig": TWICE[label]})
    with pytest.raises(InvalidDataError, match=rf"`cube`: expected each label along 'rig' once, got '?{label}'? twice"):
        draw(cube)
    draw(cube.drop_duplicates("rig"))


@pytest.mark.parametrize("draw", [rc.plot.pareto, rc.plot.front])
@pytest.mark.parametrize("kind", ["predicted", "measured"])
def test_points_without_an_accuracy_are_told(draw, kind):
    rate, accuracy = (f"{kind}_throughput", "top1" if kind == "predicted" else "measured_top1")
    cube = xr.Dataset(
        {
            rate: (("platform", "topology"), [[1.0, 2.0, 3.0], [4.0, 5.0, np.nan]]),
            accuracy: ("topology", [80.0, 90.0, np.nan]),
        },
        {"platform": ["A", "B"], "topology": ["K", "L", "M"]},
    )
    assert "not drawn for want of an accuracy: 1 point" in texts(draw(cube))
    swapped = draw(cube, objectives={accuracy: "max", rate: "max"})
    assert "not drawn for want of an accuracy: 1 point" in texts(swapped)
    assert not any("for want of" in text for text in texts(draw(cube.isel(topology=[0, 1]))))


@pytest.mark.parametrize("draw", [rc.plot.latency_throughput, rc.plot.boxes, rc.report])
def test_a_unit_that_nothing_converts_is_not_drawn(draw):
    given = {"measured_throughput": ([10.0, 20.0], "1/s"), "measured_latency": ([5e5, 2e5], "cycles")}
    cube = xr.Dataset(
        {name: ("platform", values, {"units": unit}) for name, (values, unit) in given.items()},
        {"platform": ["A", "B"]},
    )
    with pytest.raises(InvalidDataError, match="`measured_latency`: expected a number in s, got one in 'cycles'"):
        draw(cube)


UNKNOWN = [np.array([20.0, np.nan, 60.0]), np.array(["2026-01-01", "NaT", "2026-01-03"], "M8[ns]")]


@pytest.fixture(params=UNKNOWN, ids=["NaN", "NaT"])
def with_a_missing_label(request):
    rng, dims = np.random.default_rng(0), ("platform", "topology", "lab", "batch")
    speed = 10 ** rng.uniform(2, 4, (2, 2, 3, 2))
    values = {"predicted_throughput": speed, "measured_throughput": speed / 2, "measured_top1": 80 + speed / 1e3}
    variables = {name: (dims, of) for name, of in values.items()}
    variables |= {"measured_latency": (dims, np.array([1, 8]) / speed), "top1": ("topology", [80.0, 90.0])}
    return xr.Dataset(
        variables, {"platform": ["A", "B"], "topology": ["N", "M"], "lab": request.param, "batch": [1, 8]}
    )


def test_a_missing_label_is_a_label(with_a_missing_label):
    notes = [one.text for one in rendered(rc.plot.overlap(with_a_missing_label)).select({"type": Title})]
    assert any(note.startswith("12 configurations matched, 0 predicted only (pale), 0 measured only") for note in notes)
    lines = source(rc.plot.latency_throughput(with_a_missing_label), "latency_throughput.lines")
    assert [len(line) for line in lines["x"]] == [2] * 12
    cells = source(rc.plot.parallel(with_a_missing_label, "lab", "measured_throughput"), "parallel.lines")
    assert set(cells["y0"]) == {0.0, 0.5, 1.0}
    assert "not known" in set(cells["lab_text"])
    assert "" not in set(cells["lab_text"])


def with_own_dim():
    dims = ("platform", "context")
    return xr.Dataset(
        {"cost": (dims, [[9.0, 1.0], [2.0, 8.0]]), "score": (dims, [[90.0, 20.0], [50.0, 80.0]])},
        coords={"platform": ["A", "B"], "context": [512, 2048]},
    )


def test_a_network_has_one_row_of_boxes_where_its_quantities_are_known_at_different_prunings():
    dims = ("platform", "topology", "pruning")
    cube = xr.Dataset(
        {
            "measured_throughput": (dims, [[[10.0, 20.0]], [[30.0, 40.0]]]),
            "measured_latency": (dims, [[[0.1, 0.2]], [[0.3, 0.4]]]),
            "power_full": (dims, [[[np.nan, 5.0]], [[np.nan, 7.0]]]),
        },
        coords={"platform": ["A", "B"], "topology": ["CNV"], "pruning": [50.0, 100.0]},
    )
    figure = rc.plot.boxes(cube)
    throughput, power = (source(figure, f"boxes.{what}") for what in ("throughput", "power"))
    assert list(power["configuration"]) == ["A · CNV 100 %", "B · CNV 100 %"]
    at = dict(zip(throughput["configuration"], throughput["y"], strict=True))
    assert [at[one] for one in power["configuration"]] == list(power["y"])


def test_a_table_keeps_own_labels_and_every_model_and_no_flag_where_none_is_known():
    cube, objectives = with_own_dim(), {"cost": "min", "score": "max"}
    for answer in (rc.pareto(cube, objectives), rc.best(cube, "cost", sense="min", per="platform")):
        frame = answer.roof.table("cost")
        assert list(frame.columns) == ["platform", "context", "cost"]
        assert list(frame["context"]) == answer["context"].values.tolist()
    inputs = rc.inputs("cifar10", platforms="TX2", precision="FP16", pruning=100)
    models = rc.predict(inputs, assumptions=(rc.PUBLISHED, rc.BOUND))
    frame = models.roof.table("predicted_throughput")
    assert len(frame) == int(models["predicted_throughput"].notnull().sum())
    assert set(frame["assumptions"]) == {"published", "bound"}
    flags = {"flag_values": [0, 1], "flag_meanings": "bad good"}
    frame = cube.assign(state_of=("platform", [0.0, np.nan], flags)).roof.table("cost", "state_of")
    assert frame["state_of"].isna().tolist() == [False, False, True, True]
    assert list(frame["state_of"].cat.categories) == ["bad"]


@pytest.mark.parametrize("figure", ["front", "pareto"])
def test_a_front_of_a_front_keeps_its_own_labels(figure):
    objectives = {"cost": "min", "score": "max"}
    front = rc.pareto(with_own_dim(), objectives)
    assert rc.pareto(front, objectives).attrs["dim_order"] == "platform context"
    drawn = getattr(rc.plot, figure)(front, objectives=objectives)
    assert set(source(drawn, f"{figure}.points")["configuration"]) == {
        f"{platform}, context {context}" for platform in "AB" for context in (512, 2048)
    }


def test_own_labels_of_winners_are_an_axis():
    winners = rc.best(with_own_dim(), "cost", sense="min", per="platform")
    lines = source(rc.plot.parallel(winners, "platform", "context", "cost"), "parallel.lines")
    assert set(lines["context_text"]) == {"2048", "512"}


def test_a_flag_is_drawn_of_the_first_label_that_knows_it():
    flags = {"flag_values": [0, 1], "flag_meanings": "bad good"}
    values = [[0.0, 1.0], [np.nan, 1.0], [np.nan, 1.0]]
    cube = xr.Dataset(
        {"state_of": (("platform", "lab"), values, flags)}, {"platform": ["A", "B", "C"], "lab": ["u", "v"]}
    )
    figure = rc.plot.heatmap(cube, variable="state_of")
    assert source(figure, "heatmap.cells")["value"].tolist() == [0.0, 1.0, 1.0]
    assert any(text.endswith("most often good") for text in texts(figure))


def test_a_heatmap_lays_out_what_was_stacked():
    cube = with_own_dim().rename(context="topology").assign_coords(topology=["n", "m"])
    drawn = [
        source(rc.plot.heatmap(one, variable="cost"), "heatmap.cells")
        for one in (cube, cube.stack(cell=("platform", "topology")))
    ]
    cells = [dict(zip(data["configuration"], data["value"], strict=True)) for data in drawn]
    assert cells[0] == cells[1]


@pytest.mark.parametrize("figure", ["pareto", "front", "latency_throughput", "boxes", "parallel"])
def test_platforms_without_labels_have_looks(figure):
    cube = with_own_dim().rename(cost="measured_latency", score="measured_throughput", context="batch")
    cube = cube.assign(measured_top1=("platform", [1.0, 2.0])).drop_vars("platform")
    assert rendered(getattr(rc.plot, figure)(cube))


@pytest.mark.parametrize("figure", ["efficiency", "parallel"])
def test_what_is_infinite_is_not_drawn(figure):
    dims = ("platform", "batch")
    cube = xr.Dataset(
        {
            "measured_throughput": (dims, [[10.0, 20.0], [np.inf, 40.0]]),
            "predicted_throughput": (dims, [[20.0, 25.0], [35.0, 45.0]]),
            "peak_throughput": ("platform", [100.0, 200.0]),
        },
        coords={"platform": ["A", "B"], "batch": [1, 2]},
    )
    with pytest.warns(UserWarning, match="1 cell of .* is infinite and not drawn"):
        assert rendered(getattr(rc.plot, figure)(cube))
    with pytest.raises(InvalidDataError, match="expected finite values, got 10 to inf"):
        rc.plot.histogram(cube, "measured_throughput")


def test_a_map_without_labels_says_so():
    with pytest.raises(InvalidDataError, match="expected labels along 'platform', got none"):
        rc.plot.map(with_own_dim().isel(platform=[]), "context", "platform", objective="cost")


def test_prunings_that_differ_little_have_rows_of_their_own():
    watts = xr.DataArray([[1.0, 2.0]], {"platform": ["A"], "pruning": [33.333333, 33.333334]}, ("platform", "pruning"))
    data = source(rc.plot.power(xr.Dataset({"power_full": watts})), "power.bars")
    assert len(set(data["y"])) == 2
    assert set(data["row"]) == {"33.333333 %", "33.333334 %"}


# what titles, tooltips and fronts say ---------------------------------------------------------------------------------


def test_energies_that_say_no_unit_are_joules_in_bars_titles_and_spans():
    cube = xr.Dataset({"energy_per_input": ("platform", [0.1, 0.4])}, {"platform": ["A", "B"]})
    figure = rc.plot.energy(cube)
    assert rendered(figure).title.text == "Energy per input: 100 mJ (A) to 400 mJ (B)"
    assert set(source(figure, "energy.bars")["spread"]) == {"100 mJ", "400 mJ"}


def test_times_and_energies_are_written_by_size_everywhere():
    cube = xr.Dataset({"measured_latency": ("platform", [72e-6, 120.0], {"units": "s"})}, {"platform": ["A", "B"]})
    figure = rc.plot.heatmap(cube, variable="measured_latency")
    assert set(source(figure, "heatmap.cells")["value_text"]) == {"72 µs", "120 s"}
    spread = xr.Dataset(
        {"energy_per_input": (("platform", "batch"), [[2e-4, 5e-6], [1e-3, 2.0]], {"units": "J"})},
        {"platform": ["A", "B"], "batch": [1, 8]},
    )
    assert set(source(rc.plot.energy(spread), "energy.bars")["spread"]) == {"5 … 200 µJ", "0.001 … 2 J"}


def test_the_title_of_many_requirements_speaks_of_all():
    size = MOST_ROWS + 140
    cube = xr.Dataset(
        {"ops": ("topology", 1e6 * np.arange(1, size + 1)), "params": ("topology", np.full(size, 1e3))},
        {"topology": [f"n{one}" for one in range(size)]},
    )
    figure = rc.plot.requirements(cube)
    assert f"n0 to n{size - 1}: {size} × the operations" in texts(figure)


def test_a_trace_that_lacks_a_sample_has_a_mean():
    traces = pl.DataFrame(
        {"platform": "P", "mode": "default", "topology": "n", "sample": [0, 1, 2], "power_w": [1, None, 2]}
    )
    told = " ".join(flat_texts(rc.plot.power_trace(traces)))
    assert "mean 1.5 W, 1 sample without watts" in told


def test_fronts_and_bars_leave_out_what_is_infinite_and_say_so():
    cube = xr.Dataset(
        {"predicted_throughput": ("platform", [100.0, np.inf, 50.0]), "top1": ("platform", [70.0, 75.0, 80.0])},
        {"platform": list("ABC")},
    )
    objectives = {"predicted_throughput": "max", "top1": "max"}
    for draw in (rc.plot.front, rc.plot.pareto):
        with pytest.warns(UserWarning, match="1 cell of predicted_throughput and top1 is infinite and not drawn"):
            figure = draw(cube, objectives=objectives)
        assert "2" in rendered(figure).title.text
        assert "B" not in rendered(figure).title.text
    more = {
        "measured_throughput": ("platform", [50.0, 60.0, 40.0]),
        "peak_throughput": ("platform", [200.0, 300, np.inf]),
    }
    bars = source(rc.plot.efficiency(cube.assign(more)), "efficiency.bars")
    assert np.isfinite(bars["end"]).all()


def test_what_is_impossible_is_on_no_front_though_it_lies_there():
    rule = {"flag_masks": np.array([1], "i4"), "flag_meanings": "above_compute_peak"}
    cube = xr.Dataset(
        {"measured_throughput": ("platform", [5.0, 5.0, 1.0, 9.0]), "predicted_throughput": ("platform", [6.0, 3, 7, 9]),
         "top1": ("platform", [80.0, 80.0, 70.0, 60.0]), "quality": ("platform", np.array([0, 1, 0, 1], "i4"), rule)},
        {"platform": list("ABCD")},
    )  # fmt: skip
    marks = source(rc.plot.overlap(cube), "overlap.measured")
    assert dict(zip(marks["platform"], marks["label"], strict=True))["A"] == "A"
    figure = rc.plot.front(cube, objectives={"measured_throughput": "max", "top1": "max"}, others=True)
    assert source(figure, "front.points")["platform"].tolist() == ["A"]
    assert sorted(source(figure, "front.others")["platform"]) == ["B", "C", "D"]
    assert rendered(figure).title.text == "1 of 4 points is on the front: A"


# own dims named as columns of figures ---------------------------------------------------------------------------------

FIGURES = {
    "power": "high low rows flags",
    "energy": "high low value",
    "comparison": "low high calibrated published bound",
    "overlap": "flags configuration",
    "requirements": "flags label",
    "front": "label believed on_front",
    "pareto": "believed on_front",
    "latency_throughput": "believed x y",
    "efficiency": "efficiency believed|fits on chip|measured best",
    "intervals": "inside low high",
    "rooflines": "label ridge roof share",
    "parallel": "flags configuration quality",
}


def along(dim, labels=(100.0, 200.0)):
    rate = xr.DataArray([[10.0, 20.0], [30.0, 60.0]], dims=("platform", dim))
    over = {name: (dim, [70.0, 80.0]) for name in ("top1", "ops", "params", "operational_intensity")}
    rates = {"measured": 1.0, "predicted": 2.0, "peak": 4.0}
    arrays = {f"{kind}_throughput": rate * times for kind, times in rates.items()}
    arrays |= {"predicted_throughput_low": rate * 1.5, "predicted_throughput_high": rate * 3, "power_full": rate / 10}
    arrays |= {"measured_latency": 1 / rate, "peak_compute": rate * 1e11, "memory_bandwidth": rate * 1e9}
    return xr.Dataset({**arrays, **over}, {"platform": ["A", "B"], dim: list(labels)}, {"dim_order": f"platform {dim}"})


@pytest.mark.parametrize("figure", FIGURES)
def test_own_dims_named_as_columns_of_a_figure_say_what_others_say(figure):
    first, *others = FIGURES[figure].split("|")
    expected = flat_texts(getattr(rc.plot, figure)(along("city")))
    for dim in (*first.split(), *others):
        told = flat_texts(getattr(rc.plot, figure)(along(dim)))
        assert sorted(text.replace("\u200b", "") for text in told) == sorted(
            text.replace("city", dim) for text in expected
        )


def test_own_dims_named_as_columns_are_asked_for_by_their_name():
    cube = along("flags", ("u", "v"))
    lines = source(rc.plot.parallel(cube, "platform", "flags", "measured_throughput"), "parallel.lines")
    assert set(lines["flags\u200b_text"]) == {"u", "v"}
    assert rc.plot.map(cube, "platform", "flags", objective="measured_throughput").name == "map"
    front = rc.pareto(cube, {"measured_throughput": "max", "power_full": "min"})
    told = source(rc.plot.parallel(front, "flags", "measured_throughput", "power_full"), "parallel.lines")
    assert set(told["flags\u200b_text"]) == {"u", "v"}


def test_a_finding_counts_where_it_holds_at_every_label_that_a_variable_lacks():
    meanings = {"flag_masks": np.array([131072, 1 << 20], "i4"), "flag_meanings": "zero_power other"}
    for bits in ([[131072, 131072], [131072, 0]], [[131072, 131072], [0, 0]]):
        flags = (("platform", "batch"), np.array(bits, "i4"), meanings)
        rates = (("platform", "batch"), [[5.0, 6.0], [7.0, 8.0]])
        cube = xr.Dataset(
            {"power_full": ("platform", [0.0, 10.0]), "measured_throughput": rates, "quality": flags},
            coords={"platform": ["A", "B"], "batch": [1, 8]},
        )
        assert rc.best(cube, "power_full", sense="min")["platform"] == "B"
        assert rendered(rc.plot.power(cube)).title.text == "Under load: 10 W (B)"
        assert "10 W (B" in rendered(rc.plot.heatmap(cube, variable="power_full")).title.text
    bare = cube.isel(batch=slice(0))
    assert rendered(rc.plot.power(bare)).title.text == "Under load: 0 W (A) to 10 W (B)"


def test_a_front_on_which_nothing_is_ends_without_a_colon():
    rule = {"flag_masks": np.array([1], "i4"), "flag_meanings": "above_compute_peak"}
    cube = xr.Dataset(
        {"measured_throughput": ("platform", [5.0, 6.0]), "top1": ("platform", [80.0, 70.0]),
         "quality": ("platform", np.array([1, 1], "i4"), rule)},
        {"platform": list("AB")},
    )  # fmt: skip
    figure = rc.plot.pareto(cube, objectives={"measured_throughput": "max", "top1": "max"})
    assert rendered(figure).title.text == "0 of 2 points are on the front"


def test_the_error_of_intervals_leaves_out_what_was_measured_as_nothing():
    names = ("predicted_throughput", "predicted_throughput_low", "predicted_throughput_high")
    cube = xr.Dataset(
        {name: ("platform", np.array([10.0, 20.0, 30.0]) * by) for name, by in zip(names, (1, 0.5, 2), strict=True)}
        | {"measured_throughput": ("platform", [0.0, 20.0, 24.0])},
        {"platform": list("ABC")},
    )
    assert rendered(rc.plot.intervals(cube)).title.text.endswith("off by 12.5 % in the median")
