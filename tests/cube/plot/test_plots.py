"""Figures hold the rows of the tables behind them, take any cube, and say what is missing."""

from __future__ import annotations

import json
import math
from pathlib import Path

import holoviews as hv
import numpy as np
import polars as pl
import pytest
import xarray as xr
from bokeh.document import Document
from bokeh.models import ColumnDataSource, Div, HoverTool, Plot, Title

import roofcube as rc
from roofcube.errors import InvalidDataError, MissingInputError
from roofcube.plot.drawing.elements import rendered
from roofcube.plot.drawing.points import colours_of
from roofcube.plot.drawing.style import WIDTH, platform_colours
from roofcube.plot.roofline_figures import spread_labels
from roofcube.vocabulary import GRADES, QUALITY
from roofcube.wording import percent

TASKS = ("cifar10", "imagenet", "mnist")
KEY = ["platform", "mode", "topology", "precision", "pruning_percent"]
# comparison needs a calibration: its tests are in test_plot_of_calibration.py
WITH_MORE = ("histogram", "intervals", "map")  # need more than a cube: test_new_figures.py
OF_CUBE = [name for name in rc.plot.__all__ if name not in ("comparison", "power_trace", "save", *WITH_MORE)]
NEEDS = {
    "requirements": ("ops", "params"),
    "peaks": ("peak_compute", "memory_bandwidth"),
    "rooflines": ("peak_compute", "memory_bandwidth", "operational_intensity"),
    "heatmap": ("predicted_throughput",),
    "overview": ("n_rows",),
    "latency_throughput": ("measured_throughput", "measured_latency"),
    "pareto": ("measured_throughput", "measured_top1"),
    "front": ("measured_throughput", "measured_top1"),
    "overlap": ("predicted_throughput", "top1"),
    "efficiency": ("predicted_throughput", "peak_throughput"),
    "power": ("power_full",),
    "energy": ("power_full", "energy_per_input"),
    "inputs_per_joule": ("power_full", "energy_per_input"),
}
# what these draw where nothing was measured
INSTEAD = dict.fromkeys(
    ("overview", "latency_throughput", "pareto", "front", "power", "energy", "inputs_per_joule"),
    ("predicted_throughput", "predicted_latency", "top1", "power", "predicted_energy"),
)


@pytest.fixture(scope="module")
def cubes():
    return {task: rc.benchmark(task) for task in TASKS}


def source(figure, name):
    found = rendered(figure).select_one({"name": name, "type": ColumnDataSource})
    assert found is not None, name
    return found.data


def sources(figure, name):
    return [one.data for one in rendered(figure).select({"name": name, "type": ColumnDataSource})]


def words(figure):
    """Give the titles and notes above the plots of a figure."""
    model = rendered(figure)
    heads = [one.text for one in model.select({"type": Div})]
    return heads + [one.text.replace("\n", " ") for one in model.select({"type": Title})]


def rows(task):
    table = rc.datasets.load_measurements(task)
    return table.filter(pl.col("throughput_compute_per_s").is_not_null())


# as many marks as the table behind has rows ---------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
def test_figures_of_measurements_hold_every_row(cubes, task):
    cube, table = cubes[task], rows(task)
    cells = table.unique([*KEY, "batch"])
    timed = cells.filter(pl.col("latency_compute_s").is_not_null())
    lines = rc.plot.latency_throughput(cube)
    assert len(source(lines, "latency_throughput.points")["x"]) == timed.height
    assert len(source(lines, "latency_throughput.lines")["x"]) == timed.unique(KEY).height
    groups = table.unique(["platform", "topology", "pruning_percent"]).height
    assert len(source(rc.plot.boxes(cube), "boxes.throughput")["median"]) == groups
    powered = rc.datasets.load_measurements(task).filter(pl.col("power_full_w").is_not_null())
    assert len(source(rc.plot.power(cube), "power.bars")["power_full"]) == powered.unique(KEY).height
    for name in ("energy", "inputs_per_joule"):
        assert len(source(getattr(rc.plot, name)(cube), f"{name}.bars")["value"]) == table.unique(KEY).height


@pytest.mark.parametrize("task", TASKS)
def test_figures_of_theory_hold_every_row(cubes, task):
    platforms, topologies = rc.datasets.load_platforms(), rc.datasets.load_topologies()
    networks = topologies.filter(pl.col("task") == task)
    bars = source(rc.plot.requirements(cubes[task]), "requirements.bars")
    assert sorted(bars["ops"]) == pytest.approx(sorted(networks["ops"]))
    peaks = rc.plot.peaks(cubes[task])
    assert len(source(peaks, "peaks.compute")["peak_compute"]) == platforms.height
    assert len(source(peaks, "peaks.bandwidth")["memory_bandwidth"]) == platforms["platform"].n_unique()
    roofs = rc.plot.rooflines(cubes[task])
    assert len(source(roofs, "rooflines.networks")["intensity"]) == networks.height * cubes[task].sizes["precision"]
    modes = platforms.unique(["platform", "mode"]).height
    cells = source(rc.plot.heatmap(cubes[task]), "heatmap.cells")
    assert len(cells["value"]) == modes * networks.height * cubes[task].sizes["precision"]
    known = int(cubes[task].predicted_throughput.notnull().sum())
    assert sum(state == "known" for state in cells["state"]) == known
    assert sum(state == "not supported" for state in cells["state"]) == len(cells["value"]) - known


def test_ridge_points_are_exact(cubes):
    figure = rc.plot.rooflines(cubes["cifar10"])
    ridges = source(figure, "rooflines.ridges")
    table = rc.datasets.load_platforms()
    expected = sorted((table["peak_compute_op_per_s"] / table["memory_bandwidth_b_per_s"]).to_list())
    assert sorted(ridges["ridge"]) == pytest.approx(expected, rel=1e-12)
    roofs = source(figure, "rooflines.roofs")
    flats = source(figure, "rooflines.flats")
    assert roofs["x1"].tolist() == flats["x0"].tolist() == ridges["ridge"].tolist()
    assert roofs["y1"].tolist() == flats["y0"].tolist() == flats["y1"].tolist() == ridges["peak"].tolist()
    assert roofs["y0"] / roofs["x0"] == pytest.approx(ridges["peak"] / ridges["ridge"])


def test_overview_counts_every_row_and_says_na(cubes):
    for task in TASKS:
        text = rc.plot.overview(cubes[task]).data
        counts = [int(part.split('"')[0]) for part in text.split('data-rows="')[1:]]
        assert sum(counts) == rc.datasets.load_measurements(task).height
        assert text.count(">na<") == counts.count(0) > 0
        assert len(counts) == 9 * len(cubes[task].topology)
    assert "threads" in rc.plot.overview(cubes["imagenet"]).data


def test_a_batch_is_of_threads_where_the_rows_say_so(tmp_path):
    cube = rc.predict(rc.inputs("mnist", platforms=["TX2", "NCS2"]))
    rows = rc.datasets.load_measurements("mnist").filter(pl.col("platform").is_in(["TX2", "NCS2"]))
    threads = pl.when(pl.col("platform") == "NCS2").then(pl.lit("threads")).otherwise(pl.lit("batch"))
    joined = rc.join(cube, rows.with_columns(batch_kind=threads))
    saved = rc.load(rc.save(joined, tmp_path / "mine.nc"))
    for one in (joined, saved, joined.sel(platform="NCS2")):
        assert "batch sizes, or threads on NCS2" in rc.plot.overview(one).data
    for one in (cube, rc.join(cube, rows), joined.sel(platform=["TX2"])):
        assert "threads" not in rc.plot.overview(one).data


# fronts ---------------------------------------------------------------------------------------------------------------


def test_measured_front_of_cifar10_is_the_known_one(cubes):
    front = source(rc.plot.pareto(cubes["cifar10"]), "pareto.front")
    expected = [(686.8, 87.42), (2231, 87.06), (2979, 86.86), (4385, 85.60), (7707, 85.57), (8209, 84.88)]
    expected += [(17030, 84.29), (20322, 83.31), (30287, 79.89), (34197, 77.81), (60757, 73.64)]
    assert np.column_stack([front["x"], front["y"]]) == pytest.approx(np.array(expected), rel=2e-4)


@pytest.mark.parametrize("task", TASKS)
def test_best_batches_have_the_front_of_all_rows(cubes, task):
    every = source(rc.plot.pareto(cubes[task]), "pareto.front")
    best = source(rc.plot.overlap(cubes[task]), "overlap.measured_front")
    assert every["x"].tolist() == best["x"].tolist()
    assert every["y"].tolist() == best["y"].tolist()


def test_pareto_takes_any_two_objectives(cubes):
    figure = rc.plot.pareto(cubes["mnist"], objectives={"measured_latency": "min", "measured_top1": "max"})
    front = source(figure, "pareto.front")
    expected = rc.pareto(cubes["mnist"], {"measured_latency": "min", "measured_top1": "max"})
    assert front["x"] == pytest.approx(np.unique(expected.measured_latency.values * 1e3))
    assert rendered(figure).xaxis.axis_label == "latency (ms, log scale)"
    with pytest.raises(InvalidDataError, match="`objectives`: expected two variables, got 1"):
        rc.plot.pareto(cubes["mnist"], objectives={"top1": "max"})


@pytest.mark.parametrize("task", TASKS)
def test_overlap_matches_and_counts(cubes, task):
    cube = cubes[task]
    figure = rc.plot.overlap(cube)
    predicted, measured = source(figure, "overlap.predicted"), source(figure, "overlap.measured")
    accurate = rows(task).filter(pl.col("top1_percent").is_not_null()).unique(KEY)
    assert len(predicted["x"]) == int((cube.predicted_throughput * cube.top1).notnull().sum())
    assert len(measured["x"]) == accurate.height
    both = set(predicted["configuration"]) & {text.split(", batch")[0] for text in measured["configuration"]}
    assert len(source(figure, "overlap.links")["x0"]) == len(both) > 0
    assert list(predicted["match"]).count("matched") == list(measured["match"]).count("matched") == len(both)
    counts = f"{len(both)} configurations matched, {list(predicted['match']).count('predicted only')} predicted only"
    assert any(text.startswith(counts) for text in words(figure))


def test_overlap_shows_measured_without_prediction(cubes):
    cube = cubes["cifar10"]
    blind = cube.assign(predicted_throughput=cube.predicted_throughput.where(cube.platform != "TX2"))
    measured = source(rc.plot.overlap(blind), "overlap.measured")
    assert list(measured["match"]).count("measured only") == 24
    assert {
        name for name, match in zip(measured["platform"], measured["match"], strict=True) if match == "measured only"
    } == {"TX2"}


@pytest.fixture(scope="module")
def timed(cubes):
    """Rows that tell times and no accuracy, of networks whose accuracy is known."""
    rows = rc.datasets.load_measurements("mnist").with_columns(top1_percent=None, top5_percent=None)
    return rc.join(rc.predict(rc.inputs("mnist")), rows)


def test_rows_without_accuracy_are_drawn_at_that_of_their_networks(timed):
    figure = rc.plot.overlap(timed)
    measured = source(figure, "overlap.measured")
    per_configuration = (timed.n_rows > 0).any("batch") & timed.top1.notnull()
    assert len(measured["x"]) == len(source(figure, "overlap.links")["x0"]) == int(per_configuration.sum()) > 0
    assert any("Measurements reach" in text for text in words(figure))
    assert any("accuracy is that of the networks, none was measured" in text for text in words(figure))
    front = rc.pareto(timed, {"measured_throughput": "max", "top1": "max"})
    drawn = source(rc.plot.pareto(timed), "pareto.front")
    assert sorted(drawn["y"]) == pytest.approx(sorted(front.top1.values.tolist()))


def test_names_that_leave_no_room_beside_one_another_are_turned_and_stacked():
    names = [f"Accelerator of a long name, {size} cores" for size in range(12)]
    hardware = [rc.hypothetical(name=name, peak_compute=1e12, memory_bandwidth=1e11) for name in names]
    long = rc.predict(rc.inputs("mnist", platforms=hardware, precision="INT8"))
    short = long.assign_coords(platform=[f"A{size}" for size in range(12)])
    turns = [rendered(rc.plot.heatmap(cube)).xaxis[0].major_label_orientation for cube in (long, short)]
    assert turns[0] == pytest.approx(1.0, abs=0.01)
    assert turns[1] == "horizontal"
    columns = [len({column for _, _, column in rendered(rc.plot.peaks(cube)).children}) for cube in (long, short)]
    assert columns == [1, 2]


def test_precisions_of_one_width_share_a_name_on_the_strip():
    table = {
        "platform": ["A"] * 3, "device_class": ["GPU"] * 3, "precision": ["FP16", "BF16", "INT8"],
        "peak_compute_op_per_s": [1e12, 1e12, 2e12], "memory_bandwidth_b_per_s": [1e11] * 3,
    }  # fmt: skip
    heads = source(rc.plot.rooflines(rc.predict(rc.inputs("mnist", platforms=table))), "rooflines.heads")
    assert set(heads["precision"]) == {"FP16, BF16", "INT8"}


# what the figures say -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("at", ["best", "batch"])
def test_efficiency_explains_what_exceeds_100_percent(cubes, task, at):
    name = {"best": "efficiency", "batch": "efficiency_at_batch"}[at]
    bars = source(rc.plot.efficiency(cubes[task], at=at), f"{name}.bars")
    ratios = rc.efficiency(cubes[task])
    assert len(bars["row"]) == int(ratios.efficiency.notnull().sum())
    for measured, predicted, peak, note in zip(
        bars["measured"], bars["predicted"], bars["peak"], bars["note"], strict=True
    ):
        if math.isnan(measured):
            assert note == "not measured"
        elif measured > peak:
            assert "above the compute peak" in note
        else:
            assert note.startswith(percent(measured / predicted))
            assert (": weights" in note) == (measured > predicted)


def choices_of(figure):
    """What a page offers to choose of a figure."""
    return [tag for tag in rendered(figure).tags if isinstance(tag, dict) and "choices" in tag]


def test_efficiency_at_equal_batch_offers_each_batch(cubes):
    cube = cubes["cifar10"]
    ratios = rc.efficiency(cube, at="batch").efficiency
    counts = ratios.notnull().sum([dim for dim in ratios.dims if dim != "batch"])
    figure = rc.plot.efficiency(cube, at="batch")
    [offered] = choices_of(figure)
    assert offered["choices"] == [f"{batch:g}" for batch in cube.batch.values[counts.values > 0].tolist()]
    assert offered["start"] == f"{cube.batch.values[counts.values.argmax()]:g}"
    bars = source(figure, "efficiency_at_batch.bars")
    for label, count in zip(offered["choices"], counts.values[counts.values > 0].tolist(), strict=True):
        assert int(np.isfinite(bars[f"measured {label}"].astype("f8")).sum()) == count
    assert choices_of(rc.plot.efficiency(cube)) == []
    with pytest.raises(MissingInputError, match="`batch`: the figure efficiency at equal batch needs measured_through"):
        rc.plot.efficiency(cube.isel(batch=0), at="batch")


def test_both_fronts_of_the_overlap_say_whose_they_are(cubes):
    figure = rc.plot.overlap(cubes["imagenet"])
    for kind, first in (("predicted", "ZCU102-DPU"), ("measured", "EdgeTPU")):
        marks = source(figure, f"overlap.{kind}")
        named = np.flatnonzero(marks["label"] != "")
        assert len(named)
        stairs = source(figure, f"overlap.{kind}_front")
        front = set(zip(stairs["x"].tolist(), stairs["y"].tolist(), strict=True))
        for row in named:
            assert marks["label"][row] == marks["platform"][row]
            assert (marks["x"][row], marks["y"][row]) in front
        assert marks["label"][named[np.argmin(marks["x"][named])]] == first


def test_a_front_can_be_drawn_over_what_it_beats(cubes):
    cube, objectives = cubes["mnist"], {"predicted_throughput": "max", "top1": "max"}
    figure = rc.plot.front(cube, objectives=objectives, others=True)
    front, others = source(figure, "front.points"), source(figure, "front.others")
    assert len(front["x"]) == rc.pareto(cube[[*objectives]], objectives, ties="all").sizes["point"]
    assert len(front["x"]) + len(others["x"]) == int((cube.predicted_throughput * cube.top1).notnull().sum())
    assert not any("front.others" in str(one.name) for one in rendered(rc.plot.front(cube)).renderers)
    title = rendered(figure).title.text
    assert title.startswith(f"{len(front['x'])} of {len(front['x']) + len(others['x'])} points are on the front: ")


@pytest.mark.parametrize("at", ["best", "batch"])
def test_bars_of_efficiency_start_below_all_of_them(cubes, at):
    # the TX2's MLPs are measured far above their predictions
    figure = rc.plot.efficiency(cubes["mnist"].sel(platform=["TX2"]), at=at)
    bars = source(figure, {"best": "efficiency.bars", "batch": "efficiency_at_batch.bars"}[at])
    lowest = min(float(np.nanmin(bars[name])) for name in ("measured", "predicted", "peak"))
    assert set(bars["floor"]) <= {bars["floor"][0]}
    assert bars["floor"][0] <= lowest


def test_efficiency_names_the_right_assumption(cubes):
    bars = source(rc.plot.efficiency(cubes["mnist"]), "efficiency.bars")
    notes = {}
    for platform, note in zip(bars["platform"], bars["note"], strict=True):
        notes.setdefault(platform, set()).add(note.partition(": ")[2])
    assert notes["ZCU104-FINN"] == {"weights on chip"}
    assert notes["TX2"] == {"weights reused over a batch"}
    assert notes["ZCU104-BISMO"] == {""}
    every = source(rc.plot.efficiency(cubes["mnist"], at="batch"), "efficiency_at_batch.bars")
    told = {text.partition(": ")[2] for name, column in every.items() if name.startswith("note ") for text in column}
    assert "above the compute peak, impossible" in told


def test_energy_and_power_are_the_published_means(cubes):
    published = pl.read_csv(Path(__file__).parents[2] / "data" / "cifar10_power.csv")
    power = source(rc.plot.power(cubes["cifar10"]), "power.bars")
    energy = source(rc.plot.energy(cubes["cifar10"]), "energy.bars")
    watts = dict(zip(power["configuration"], power["power_full"], strict=True))
    millijoules = dict(zip(energy["configuration"], energy["value"], strict=True))
    assert len(watts) == len(millijoules) == published.height
    for row in published.iter_rows(named=True):
        mode = "" if row["mode"] == "default" else f" {row['mode']}"
        text = f"{row['platform']}{mode} {row['precision']} · CNV {row['channels_kept_percent']:g} %"
        assert watts[text] == pytest.approx(row["mean_power_full_w"], rel=1e-3)
        assert millijoules[text] == pytest.approx(row["mean_energy_mj_per_input"], rel=1e-3)


def test_flagged_points_are_hollow_and_say_why(cubes):
    points = source(rc.plot.latency_throughput(cubes["mnist"]), "latency_throughput.points")
    impossible = [index for index, flags in enumerate(points["flags"]) if "above compute peak" in flags]
    assert len(impossible) == 9
    assert {points["filled"][index] for index in impossible} == {0.0}
    assert {points["filled"][index] for index, flags in enumerate(points["flags"]) if flags == "none"} == {0.85}


def test_what_is_only_worth_knowing_leaves_marks_filled(cubes):
    """Of the rows above the published roofline all but the impossible ones are sound: its assumption is what fails."""
    points = source(rc.plot.latency_throughput(cubes["mnist"], scope="system"), "latency_throughput.points")
    notes = {name.replace("_", " ") for name, grade in GRADES.items() if grade == "note"}
    noted = [index for index, flags in enumerate(points["flags"]) if set(flags.split(", ")) <= notes]
    assert len(noted) > 50
    assert {points["filled"][index] for index in noted} == {0.85}


@pytest.mark.parametrize(
    ("finding", "figure"), [("zero_power", "energy"), ("power_unit_off", "power"), ("repeats_disagree", "power")]
)
def test_any_doubt_of_power_makes_its_bars_hollow(cubes, finding, figure):
    cube = cubes["cifar10"].copy()
    cube["quality"] = xr.full_like(cube["quality"], QUALITY[finding])
    assert set(source(getattr(rc.plot, figure)(cube), f"{figure}.bars")["filled"]) == {0.0}


def test_power_trace_marks_bad_samples():
    traces = rc.datasets.load_power_traces()
    runs = sources(rc.plot.power_trace(traces), "power_trace.samples")
    states = [state for run in runs for state in run["state"]]
    assert len(states) == sum(len(run["watts"]) for run in runs) == traces.height
    assert sum("impossible" in state for state in states) == 50
    assert sum("stuck" in state for state in states) == 37
    idle = sources(rc.plot.power_trace(traces, topologies=["idle"]), "power_trace.samples")
    assert sum(len(run["watts"]) for run in idle) == traces.filter(pl.col("topology") == "idle").height


def metered(boards, samples):
    """Power of some boards, a run each."""
    rows = [(f"Accelerator board {board}", sample) for board in range(boards) for sample in range(samples)]
    platforms, seconds = zip(*rows, strict=True)
    return pl.DataFrame({"platform": platforms, "sample": seconds}).with_columns(
        mode=pl.lit("default"), topology=pl.lit("Net"), power_w=pl.lit(2.5)
    )


@pytest.mark.parametrize(("boards", "columns"), [(1, 1), (3, 3), (4, 4), (5, 4), (40, 4)])
def test_many_runs_take_several_rows(boards, columns):
    traces = metered(boards, 20)
    planes = list(rendered(rc.plot.power_trace(traces)).select({"name": "power_trace.run"}))
    assert {plane.width for plane in planes} == {WIDTH // columns}
    assert sum(plane.xaxis[0].axis_label == "time (s)" for plane in planes) == columns
    notes = [title.text for title in rendered(rc.plot.power_trace(traces)).select({"type": Title})]
    assert all(any(note.startswith(f"Accelerator board {board} default") for note in notes) for board in range(boards))


def test_a_run_of_one_sample_is_seen():
    plane = rendered(rc.plot.power_trace(metered(1, 1))).select_one({"name": "power_trace.run"})
    assert plane.x_range.start < 0.0 < plane.x_range.end
    assert min(source(rc.plot.power_trace(metered(1, 1)), "power_trace.samples")["size"]) >= 5


# any cube -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OF_CUBE)
def test_missing_variables_are_named(cubes, name):
    draw = getattr(rc.plot, name)
    with pytest.raises(InvalidDataError, match="`cube`: expected a Dataset, got int"):
        draw(3)
    for variable in NEEDS.get(name, ()):
        given = cubes["mnist"].drop_vars(list(INSTEAD.get(name, ())))
        poor = given.drop_vars(variable)
        if name in ("energy", "inputs_per_joule") and variable == "energy_per_input":
            assert draw(poor).name == name  # worked out from power and throughput
            continue
        if name in ("energy", "inputs_per_joule"):
            poor = poor.drop_vars(["energy_per_input", "inputs_per_joule"])
        with pytest.raises(MissingInputError, match=f"`{variable}`: the figure {name} needs this variable"):
            draw(poor)
        if variable == "n_rows":
            continue
        blank = given.assign({variable: given[variable] * math.nan})
        if name in ("energy", "inputs_per_joule"):
            blank = blank.drop_vars(["energy_per_input", "inputs_per_joule"])
        with pytest.raises(MissingInputError, match=f"`{variable}`: the figure {name} needs a value"):
            draw(blank)


@pytest.mark.parametrize("name", OF_CUBE)
def test_predictions_alone_are_drawn(predictions, name):
    for cube in predictions:
        figure = getattr(rc.plot, name)(cube)
        assert figure.name == name
        told = " ".join(words(figure))
        assert "measured, " not in told


@pytest.fixture(scope="module")
def predictions():
    hardware = rc.hypothetical(
        peak_compute=np.geomspace(1e11, 1e14, 7), memory_bandwidth=np.geomspace(1e9, 1e12, 6), power=5.0
    )
    few = rc.hypothetical(peak_compute=1e12, memory_bandwidth=1e10, power=5.0)
    return [
        rc.predict(rc.inputs("imagenet")),
        rc.predict(rc.inputs("cifar10", platforms=hardware)),
        rc.predict(rc.inputs("mnist", platforms=few, precision="INT2"), assumptions=rc.BOUND),
    ]


@pytest.fixture(scope="module")
def others(cubes):
    cube = cubes["cifar10"]
    several = rc.predict(rc.inputs("cifar10"), assumptions=[rc.PUBLISHED, rc.BOUND])
    return [
        cube.sel(platform="TX2"),
        cube.sel(platform=["TX2"], topology="CNV"),
        cube.drop_vars(["device_class", "family", "quality"]),
        cube.assign_coords(platform=[f"mine {place}" for place in range(9)]),
        rc.join(several, rc.datasets.load_measurements("cifar10")),
    ]


@pytest.mark.parametrize("name", OF_CUBE)
def test_figures_take_other_cubes(others, name):
    assert [getattr(rc.plot, name)(cube).name for cube in others] == [name] * len(others)


def test_theory_takes_hypothetical_hardware():
    hardware = rc.hypothetical(peak_compute=np.geomspace(1e11, 1e13, 4), memory_bandwidth=np.geomspace(1e9, 1e11, 3))
    cube = rc.predict(rc.inputs("cifar10", platforms=hardware))
    assert len(source(rc.plot.rooflines(cube), "rooflines.ridges")["ridge"]) == 12
    assert len(source(rc.plot.peaks(cube), "peaks.bandwidth")["memory_bandwidth"]) == 3
    assert any("best over peak, bandwidth" in text for text in words(rc.plot.heatmap(cube)))


def test_heatmap_tells_three_kinds_of_nothing_apart(cubes):
    cube = cubes["cifar10"]
    unknown = cube.assign(predicted_throughput=cube.predicted_throughput.where(cube.platform != "NCS2"))
    cells = source(rc.plot.heatmap(unknown), "heatmap.cells")
    looks = dict(zip(cells["state"], cells["hatch"], strict=True))
    assert set(looks) == {"known", "not supported", "not known"}
    assert len(set(looks.values())) == 3
    measured = source(rc.plot.heatmap(cube, variable="measured_throughput"), "heatmap.cells")
    assert "not measured" in measured["state"]
    assert "not supported" in measured["state"]
    tight = rc.predict(rc.inputs("imagenet").assign(memory_capacity=xr.full_like(cube.memory_capacity, 1e7)))
    assert "does not fit" in source(rc.plot.heatmap(tight), "heatmap.cells")["state"]


def test_system_scope_is_said_and_used(cubes):
    for name in ("latency_throughput", "overlap", "pareto", "efficiency", "energy"):
        figure = getattr(rc.plot, name)(cubes["imagenet"], scope="system")
        assert any("whole system" in text for text in words(figure)), name
    points = source(rc.plot.latency_throughput(cubes["imagenet"], scope="system"), "latency_throughput.points")
    assert sorted(points["y"])[-1] == float(cubes["imagenet"].measured_system_throughput.max())
    with pytest.raises(InvalidDataError, match="`scope`: expected one of 'compute', 'system'"):
        rc.plot.energy(cubes["imagenet"], scope="both")


def test_power_trace_says_what_is_wrong():
    with pytest.raises(InvalidDataError, match="`traces`: expected a polars DataFrame, got int"):
        rc.plot.power_trace(3)
    with pytest.raises(MissingInputError, match="`mode`: the figure power_trace needs this column"):
        rc.plot.power_trace(rc.datasets.load_power_traces().drop("mode"))
    with pytest.raises(InvalidDataError, match="`topologies`: expected runs of the table, got \\['x'\\]"):
        rc.plot.power_trace(rc.datasets.load_power_traces(), topologies=["x"])


# one language ---------------------------------------------------------------------------------------------------------


def test_figures_of_a_page_are_light_and_legible(cubes):
    size = 0
    for name in (*OF_CUBE, "power_trace"):
        figure = getattr(rc.plot, name)(rc.datasets.load_power_traces() if name == "power_trace" else cubes["imagenet"])
        assert isinstance(figure, hv.core.Dimensioned)
        assert figure.name == name
        figure = rendered(figure)
        for model in figure.references():
            for key, value in model.properties_with_values().items():
                text = value.get("value") if isinstance(value, dict) else value
                if key.endswith("font_size") and isinstance(text, str) and _is_shown(model, key):
                    assert text in ("12px", "13px", "16px"), (name, model, key, text)
        assert all(plot.width <= 1100 for plot in figure.select({"type": Plot}))
        document = Document()
        document.add_root(figure)
        size += len(json.dumps(document.to_json(), default=lambda value: "0" * getattr(value, "nbytes", 8)))
    assert size < 2.5e6


def _is_shown(model, key):
    """Tell whether a text of a model is drawn: axes have groups, legends and bars have titles only where given."""
    if isinstance(model, Title):
        return bool(model.text)
    if "title" in key:
        return bool(getattr(model, "title", None))
    if "group" in key:  # group, subgroup: nested categories only
        return False
    return not isinstance(model, Div)


def test_a_platform_keeps_its_colour():
    alone, together = platform_colours(["mine", "TX2"]), platform_colours(["TX2", "NCS2", "mine", "U96-A53"])
    assert alone["mine"] == together["mine"]
    assert len(set(together.values())) == 4
    every = platform_colours(rc.datasets.load_platforms()["platform"].unique())
    assert len(set(every.values())) == 9
    cube = xr.Dataset(coords={"platform": ["Short", "b2"]})  # both begin at one place of the wheel
    assert [colours_of(cube, [name])[0] for name in ("Short", "b2")] == colours_of(cube, ["Short", "b2"]).tolist()


def test_many_networks_stand_below_one_another_in_the_overview():
    rows = xr.DataArray(np.arange(24).reshape(2, 12), dims=("platform", "topology"), attrs={"units": "1"})
    for labels, first in ((12, "network"), (4, "platform")):
        cube = xr.Dataset({"n_rows": rows[:, :labels]}).assign_coords(
            platform=["a", "b"], topology=[f"net{place}" for place in range(labels)]
        )
        text = rc.plot.overview(cube).data
        assert f'<th scope="col">{first}</th>' in text
        assert text.count("<td") == 2 * labels
        assert text.count("<tr>") == 1 + (labels if first == "network" else 2)


def test_labels_never_overprint():
    rng = np.random.default_rng(0)
    for count in (1, 2, 20, 25):
        levels = rng.normal(size=count).round(1)
        placed = spread_labels(levels, (math.exp(-4), math.exp(4)), 430)
        order = np.argsort(levels, kind="stable")
        assert np.diff(placed[order]).min(initial=math.inf) >= 8 * 15 / 430 * 0.999
    alone = spread_labels(np.array([-2.0, 0.0, 2.0]), (math.exp(-4), math.exp(4)), 430)
    assert alone == pytest.approx([-2, 0, 2])
    assert spread_labels(np.full(20, -3.9), (math.exp(-4), math.exp(4)), 430).min() > -4


def test_tooltips_name_the_source_row(cubes):
    table = rc.datasets.load_measurements("imagenet")
    for name, marks in (
        ("latency_throughput", "latency_throughput.points"),
        ("pareto", "pareto.points"),
        ("overlap", "overlap.measured"),
    ):
        draw = getattr(rc.plot, name)
        named = source(draw(cubes["imagenet"], measurements=table), marks)["source"]
        assert set(" and ".join(named).split(" and ")) <= set(table["source_row"])
        assert len(set(named)) == len(named)
        assert "source" not in source(draw(cubes["imagenet"]), marks)
    twice = source(rc.plot.latency_throughput(cubes["imagenet"], measurements=table), "latency_throughput.points")
    assert sum(" and " in one for one in twice["source"]) == 2


def test_tooltips_show_markup_as_text(cubes):
    cube = cubes["mnist"].assign_attrs(title="<img src=x>", assumptions="<b>mine</b>")
    for name in ("heatmap", "pareto", "overlap", "power", "efficiency"):
        for tool in rendered(getattr(rc.plot, name)(cube)).select({"type": HoverTool}):
            assert "<img" not in tool.tooltips
            assert "<b>mine" not in tool.tooltips
    renamed = cubes["mnist"].assign_coords(platform=[f"<i>{place}</i>" for place in range(9)])
    assert "<i>0" not in rc.plot.overview(renamed).data


def test_rows_behind_a_bar_are_counted(cubes):
    bars = source(rc.plot.energy(cubes["imagenet"]), "energy.bars")
    per = rows("imagenet").unique([*KEY, "batch"]).group_by(KEY).len()
    assert sorted(bars["rows"]) == sorted(map(str, per["len"].to_list()))


def test_power_traces_have_numbers_as_labels():
    traces = rc.datasets.load_power_traces().head(50)
    assert rc.plot.power_trace(traces.with_columns(mode=pl.lit(15))).name == "power_trace"
    assert rc.plot.power_trace(traces, topologies=traces["topology"][0]).name == "power_trace"
    with pytest.raises(InvalidDataError, match=r"`topologies`: expected runs of the table, got \[3\]; it holds"):
        rc.plot.power_trace(traces, topologies=[3])
