"""Pages of cubes that are not the embedded ones: their own words and counts, nothing lost, nothing run."""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import io
import re

import foreign_cubes
import numpy as np
import polars as pl
import pytest
import xarray as xr
from bokeh.models import FactorRange
from bokeh.plotting import figure

import roofcube as rc
from roofcube import plot
from roofcube.errors import InvalidDataError
from roofcube.page import document, sections, tables, toggles
from roofcube.page.figures import draw
from roofcube.page.selection import MANY, MOST, ROWS, selection_of
from roofcube.page.subject import subject_of
from roofcube.sweep.low_ends import at_low_ends
from roofcube.vocabulary import FINDINGS, QUALITY, attributes

CUBES = ("hypothetical", "calibrated", "own_task", "own_dim", "merged", "one_platform", "two_models", "measured_only")


@pytest.fixture(scope="module")
def cube_of():
    cubes = {}

    def made(name):
        if name not in cubes:
            cubes[name] = getattr(foreign_cubes, name)()
        return cubes[name]

    return made


@pytest.fixture(scope="module")
def page_of(cube_of, tmp_path_factory):
    folder, pages = tmp_path_factory.mktemp("pages"), {}

    def written(name):
        if name not in pages:
            pages[name] = rc.report(cube_of(name), folder / f"{name}.html").read_text(encoding="utf-8")
        return pages[name]

    return written


def test_the_first_of_several_models_is_told_as_what_it_is(tmp_path):
    rows = rc.datasets.load_measurements("mnist").filter(pl.col("platform").is_in(["NCS2", "TX2"]))
    inputs = rc.inputs("mnist", platforms=["NCS2", "TX2"])
    cube = rc.join(rc.predict(inputs, assumptions=(rc.PUBLISHED, rc.calibrate(rows))), rows)
    assert subject_of(cube, None).model == "published"
    text = _text(rc.report(cube, tmp_path / "page.html").read_text(encoding="utf-8"))
    assert "low end" not in text
    assert "the calibration predicts less" not in text


def _text(page):
    """What a reader sees of a page without its figures."""
    without = re.sub(r"<(script|style)>.*?</\1>", "", page, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", " ", without))


@pytest.mark.parametrize("name", CUBES)
def test_every_cube_has_a_page_with_its_figures(page_of, name):
    text = _text(page_of(name))
    assert "could not be" not in text
    assert "is left out" not in text
    assert len(re.findall("<figure ", page_of(name))) >= 3


@pytest.mark.parametrize("name", CUBES)
def test_no_word_of_the_embedded_tasks(page_of, cube_of, name):
    text, cube = _text(page_of(name)), cube_of(name)
    labels = set(np.atleast_1d(cube["platform"].values).tolist()) if "platform" in cube.coords else set()
    for platform in set(rc.datasets.load_platforms()["platform"]) - labels:
        assert platform not in text
    if not {"Ultra96-DPU", "ZCU104-DPU"} & labels:
        assert "DPUs" not in text
    if name in ("hypothetical", "own_task", "own_dim"):
        assert "QuTiBench" not in text
    if cube.attrs.get("assumptions") != "published":
        assert "reads every weight from memory for every input" not in text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hypothetical", ["combinations of channels kept, precision, peak and bandwidth can run", "1 platform ", "labels of peak"]),
        ("calibrated", ["A calibration predicts", "the low end of the interval around", "interval is what to trust"]),
        ("own_task", ["kws", "The bound is what physics allows", "A bound is no prediction", "Predictions and measurements for kws"]),
        ("own_dim", ["precision and context can run", "context 512"]),
        ("one_platform", ["on 1 platform make"]),
        ("two_models", ["The bound is what physics allows"]),
        ("measured_only", ["This cube holds no predictions"]),
    ],
)  # fmt: skip
def test_the_text_follows_the_cube(page_of, name, words):
    text = re.sub(r"\s+", " ", _text(page_of(name)))
    assert all(word in text for word in words), [word for word in words if word not in text]


def test_measurements_made_by_hand_have_a_page(tmp_path):
    speed = ("platform", "compiler"), [[10.0, 20.0], [30.0, np.nan]], {"units": "1/s"}
    accuracy = "compiler", [80.0, 70.0], {"units": "%"}
    labels = {"platform": ["a", "b"], "compiler": ["x", "y"]}
    cube = xr.Dataset({"measured_throughput": speed, "measured_top1": accuracy}, labels)
    text = _text(rc.report(cube, tmp_path / "a.html").read_text(encoding="utf-8"))
    assert "could not be written" not in text
    assert "3 experiments on 2 platforms" in text


# what the text says of a cube ------------------------------------------------------------------------------------------


def hand_made(energies=((2.0, 1.0), (4.0, 2.0)), platforms=(1, 2), **more):
    """Measurements made by hand: power under load and 1 input a second, so that energies are those given."""
    dims = "platform", "batch"
    watts, speed = np.array(energies), np.full(np.shape(energies), 1.0)
    variables = {"measured_throughput": (dims, speed, {"units": "1/s"}), "power_full": (dims, watts, {"units": "W"})}
    return xr.Dataset({**variables, **more}, {"platform": list(platforms), "batch": [1, 64][: watts.shape[1]]})


@pytest.mark.parametrize(
    ("energies", "words"),
    [
        ([[2.0, 1.0], [4.0, 2.0]], "a factor of 4. A large batch lowers it, because base and idle power"),
        ([[1.0, 2.0], [4.0, 4.0]], "The largest batch takes no less than the smallest."),
        ([[2.0, 1.0], [2.0, 3.0]], "The largest batch takes less than the smallest in 1 of 2 configurations."),
        ([[2.0], [2.0]], "divided by the throughput measured: it is 2 J."),
        ([[2.0, np.nan], [np.nan, 1.0]], "it spans 1 J to 2 J, a factor of 2."),
    ],
)
def test_energy_over_batches_is_told_as_it_is(energies, words):
    told = sections.powered(subject_of(hand_made(energies), None))
    assert words in told.see[0]
    assert ("batch" in told.see[0]) == ("batch" in words)


def test_energies_that_are_impossible_are_left_out_and_counted():
    quality = np.array([[0, 0], [0, QUALITY["power_unit_off"]]], "i4")
    cube = hand_made([[2.0, 1.0], [4.0, 4000.0]], quality=(("platform", "batch"), quality, attributes("quality")))
    told = sections.powered(subject_of(cube, None)).see[0]
    assert "it spans 1 J to 4 J, a factor of 4. 1 impossible cell is left out. A large batch lowers it" in told
    quality[:] = QUALITY["power_unit_off"]
    none = sections.powered(subject_of(cube.assign(quality=cube.quality.copy(data=quality)), None)).see[0]
    assert none.endswith("divided by the throughput measured. 4 impossible cells are left out.")


@pytest.mark.parametrize("platforms", [(1,), (1, 2)])
def test_meters_of_several_boards_are_told_of_several(platforms):
    cube = hand_made().isel(platform=slice(len(platforms)))
    assert ("different meters" in sections.powered(subject_of(cube, None)).beware) == (len(platforms) > 1)


def test_the_front_of_labels_that_are_numbers_and_of_one_point_is_told():
    cube = hand_made(measured_top1=("platform", [80.0, 70.0], {"units": "%"}))
    told = sections.experimental(subject_of(cube, None)).see[1]
    assert told == (
        "The measured front of accuracy and throughput has 2 points on 1 platform (1), 1 inputs/s at 80.00 %."
    )


def test_what_has_watts_or_a_time_alone_is_none_that_has_both():
    board = rc.hypothetical(name="Kite", peak_compute="1.2 TOP/s", memory_bandwidth="8.5 GB/s")
    table = {"topology": ["Wide", "Slim", "Mid"], "mmacs": [42.0, 9.5, 20.0], "params": [1e6, 3e5, 5e5]}
    nets = rc.read_network(table | {"top1": [95.0, 92.0, 93.0]}, task="kws")
    row = {"platform": "Kite", "precision": "INT8", "batch": 1}
    figures = [
        {"topology": "Wide", "throughput_compute_per_s": 3000.0},
        {"topology": "Slim", "power_full_w": 2.5},
        {"topology": "Mid", "latency_compute_s": 1e-3},
    ]
    cube = rc.join(rc.predict(rc.inputs("kws", platforms=board, topologies=nets)), [row | one for one in figures])
    subject = subject_of(cube, None)
    told = "1 configuration has both; 2 were only predicted and 0 only measured."
    assert told in " ".join(sections.overlapped(subject).see)
    counts = {fact.label: fact.value for fact in sections.facts(subject)}
    assert (counts["configurations measured"], counts["predicted and measured"]) == ("3", "1")


def test_boxes_are_told_of_what_was_measured(monkeypatch):
    draw_by(monkeypatch, "boxes", lambda cube: figure())
    captions = [one.description for one in sections.experimental(subject_of(hand_made(), None)).drawings]
    assert "Boxes of measured throughput and power by platform" in captions


@pytest.mark.parametrize(
    ("dims", "words"),
    [
        (("platform", "topology"), "4 combinations of platform and network can run"),
        (("topology",), " 2 networks can run"),
        (("pruning",), "2 combinations of channels kept can run"),
    ],
)
def test_what_can_run_is_counted_by_its_noun(dims, words):
    cube = xr.Dataset({"predicted_throughput": (dims, np.ones([2] * len(dims)))}, {dim: [1, 2] for dim in dims})
    assert words in sections.theoretical(subject_of(cube, None)).see[0]


def test_those_that_are_as_fast_are_counted():
    speed = ("platform", "batch"), [[2.0, 1.0], [2.0, 2.0], [1.0, 1.0]]
    cube = xr.Dataset({"predicted_throughput": speed}, {"platform": ["a", "b", "c"], "batch": [1, 2]})
    assert ": a, batch 1 and 1 other as fast." in sections.theoretical(subject_of(cube, None)).see[1]


@pytest.mark.parametrize(
    ("variables", "title", "lead"),
    [
        ({"cost": "a"}, "A cube of cost", "What the cube holds: cost."),
        ({"predicted_throughput": "platform"}, "Predictions", "How fast each hardware platform is: as predicted."),
        (
            {"measured_throughput": "topology", "measured_top1": "topology"},
            "Measurements",
            "How fast each network runs and how accurately: as measured.",
        ),
    ],
)
def test_the_lead_promises_what_the_cube_holds(variables, title, lead):
    dims = set(variables.values())
    cube = xr.Dataset({name: (dim, [1.0, 2.0]) for name, dim in variables.items()}, {dim: [1, 2] for dim in dims})
    subject = subject_of(cube, None)
    assert (subject.title, sections.lead(subject)) == (title, lead)


def test_labels_from_right_to_left_are_isolated(tmp_path):
    cube = hand_made(platforms=["\u05dc\u05d5\u05d7", "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd"])
    page = rc.report(cube, tmp_path / "a.html", title="\u05dc\u05d5\u05d7").read_text(encoding="utf-8")
    text = _text(page)
    assert "\u2068\u05dc\u05d5\u05d7\u2069, batch 1" in text
    assert not re.search("(?<!\u2068)\u05dc\u05d5\u05d7", text)
    assert 'download="roofcube-\u05dc\u05d5\u05d7.nc"' in page


def test_a_title_of_ones_own_heads_the_page(tmp_path):
    cube = rc.predict(rc.inputs("mnist", platforms="NCS2"))
    page = rc.report(cube, tmp_path / "a.html", title="Boards & us").read_text(encoding="utf-8")
    assert "<h1>Boards &amp; us</h1>" in page
    assert "<title>Boards &amp; us" in page


def test_a_part_of_the_embedded_rows_counts_that_part(cube_of):
    subject = subject_of(cube_of("one_platform"), None)
    assert subject.rows.height == int(cube_of("one_platform").n_rows.sum())
    assert subject.unmatched.height == 0
    assert not subject.whole
    assert subject_of("mnist", None).whole
    assert not subject_of(cube_of("calibrated"), None).whole


def test_a_network_called_like_an_embedded_one_has_no_corrections_of_it(cube_of):
    assert tables.count_differences(subject_of(rc.predict(rc.inputs("cifar10")), None)) is not None
    assert tables.count_differences(subject_of(cube_of("own_dim"), None)) is None


# choices --------------------------------------------------------------------------------------------------------------


def test_choices_by_prediction_are_judged_on_the_low_end(cube_of):
    cube = cube_of("calibrated").drop_vars(["measured_throughput"])
    table = tables.best_choices(subject_of(cube, None))[0]
    winner = rc.best(at_low_ends(cube), "predicted_throughput")
    assert table.rows[0][1].startswith(f"{winner.platform.item()} {winner['mode'].item()}")
    assert re.fullmatch(r"[\d.]+k inputs/s \([\d.]+k inputs/s\)", table.rows[0][2])
    assert "judged on the low end" in table.note


def test_a_choice_that_extrapolates_says_so(cube_of):
    cube = cube_of("calibrated").drop_vars(["measured_throughput"])
    beyond = cube.assign(extrapolates=cube.extrapolates * 0 + 1)
    assert {row[-1] for row in tables.best_choices(subject_of(beyond, None))[0].rows} == {"extrapolates"}
    assert "It extrapolates beyond" in " ".join(sections.theoretical(subject_of(beyond, None)).see)


# many networks --------------------------------------------------------------------------------------------------------


def test_of_many_networks_the_figures_show_the_best_and_the_front(cube_of):
    cube = cube_of("many_networks")
    selection = selection_of(cube)
    front = rc.pareto(cube, {"measured_throughput": "max", "measured_top1": "max"})
    shown = set(selection.cube.topology.values.tolist())
    assert len(shown) <= MOST + 4
    assert rc.best(cube, "measured_throughput").topology.item() in shown
    assert rc.best(cube, "measured_top1").topology.item() in shown
    assert shown <= {*front.topology.values.tolist(), rc.best(cube, "measured_latency").topology.item()}
    assert f"The figures show {len(shown)} of 60 networks" in selection.notes[0]


def test_all_of_many_networks_are_in_a_folded_table_with_a_search(page_of, cube_of):
    page = page_of("many_networks")
    folded = re.search(r'id="table-networks">\s*<details>(.*?)</details>', page, flags=re.DOTALL)[1]
    assert folded.count("<tr>") == 61
    assert '<input type="search"' in folded
    assert page.count('id="table-fastest"') == 1
    assert f"<b>{int(cube_of('many_networks').n_rows.sum())}</b> experiments" in page


def test_of_many_networks_without_measured_accuracy_the_front_is_shown_at_that_of_the_networks():
    rows = rc.datasets.load_measurements("zoo").filter(pl.col("platform").is_in(["RTX3090", "i9-10940X"]))
    cube = rc.join(rc.predict(rc.inputs("zoo", platforms=["RTX3090", "i9-10940X"])), rows)
    front = rc.pareto(cube, {"measured_throughput": "max", "top1": "max"})
    shown = selection_of(cube)
    assert (
        len(set(shown.cube.topology.values) & set(front.topology.values.tolist())) >= shown.cube.sizes["topology"] - 2
    )
    assert "others on the front of accuracy and throughput" in shown.notes[0]


def test_few_networks_are_shown_as_they_are(cube_of):
    cube = cube_of("own_task")
    assert cube.sizes["topology"] <= MANY
    assert selection_of(cube).cube is cube
    assert selection_of(cube).notes == ()


def test_platforms_of_more_configurations_than_rows_are_legible_are_thinned():
    hardware = [
        rc.hypothetical(name=f"p{one:02d}", peak_compute=1e12 + one, memory_bandwidth=1e10) for one in range(40)
    ]
    several, one = (
        selection_of(rc.predict(rc.inputs("mnist", platforms=hardware, batch=[1], precision=precision)))
        for precision in (["INT4", "INT8", "FP16"], "INT8")
    )
    assert several.cube["predicted_throughput"].notnull().sum() <= ROWS
    assert one.cube.sizes["platform"] == 40


def test_what_a_figure_lacks_is_said_in_the_words_of_the_vocabulary(cube_of):
    cube = cube_of("own_task")
    told = draw(
        cube.drop_vars(["measured_top1", "top1"]),
        "pareto",
        "a front",
        objectives={"measured_throughput": "max", "measured_top1": "max"},
    )
    assert told.startswith("The figure “pareto” is left out: “top-1 accuracy measured on the platform”: ")
    assert "_" not in told


def test_many_platforms_batches_and_labels_of_own_dims_are_thinned():
    hardware = [
        rc.hypothetical(name=f"p{one:02d}", peak_compute=1e12 * (one + 1), memory_bandwidth=1e10) for one in range(60)
    ]
    cube = rc.predict(
        rc.inputs("mnist", platforms=hardware, precision="INT8", batch=range(1, 200)), assumptions=rc.BOUND
    )
    selection = selection_of(cube)
    assert MOST - 4 <= selection.cube.sizes["platform"] <= MOST + 4
    # one platform wins everything: the others shown are from the fastest to the slowest
    assert "others from the fastest to the slowest" in selection.notes[0]
    assert {"p00", "p59"} <= set(selection.cube.platform.values.tolist())
    assert selection.cube.sizes["batch"] <= 24
    assert len(selection.notes) == 2
    selection = selection_of(foreign_cubes.hypothetical())
    assert selection.cube.sizes["peak"] <= 3
    assert selection.cube.sizes["bandwidth"] <= 3
    winner = rc.best(foreign_cubes.hypothetical(), "predicted_throughput")
    assert winner.peak.item() in selection.cube.peak.values


def test_figures_keep_the_best_batch_of_each_configuration():
    rates = [100.0 + batch for batch in range(1, 61)]
    rates[30] = 900.0
    rows = {
        "topology": ["MLP"] * 60, "platform": ["NCS2"] * 60, "precision": ["FP16"] * 60, "pruning_percent": [100] * 60,
        "batch": list(range(1, 61)), "throughput_compute_per_s": rates,
    }  # fmt: skip
    cube = rc.join(rc.predict(rc.inputs("mnist", platforms="NCS2", batch=range(1, 61))), rows)
    drawn = selection_of(cube).cube
    assert 31 in drawn.batch.values
    assert 20 <= drawn.sizes["batch"] < 40
    assert float(drawn.measured_throughput.max()) == 900.0


def test_a_quality_of_ones_own_hides_no_cell(tmp_path):
    cube = xr.Dataset(
        {
            "measured_throughput": (("platform", "topology"), [[5.0], [6.0]]), "quality": ("platform", [75.0, 90.0]),
            "n_rows": (("platform", "topology"), [[1], [1]]),
        },
        {"platform": ["a", "b"], "topology": ["net"]},
    )  # fmt: skip
    text = _text(rc.report(cube, tmp_path / "page.html").read_text(encoding="utf-8"))
    assert "with a finding" not in text
    assert tables._sound(cube).identical(cube)


# what fails -----------------------------------------------------------------------------------------------------------


def draw_by(monkeypatch, name, draw) -> None:
    """Have a figure drawn by something that fails."""
    monkeypatch.setattr(plot, name, draw)


def test_a_figure_that_fails_takes_no_other_with_it(cube_of, tmp_path, monkeypatch):
    """Neither one that cannot be drawn nor one that a browser would refuse."""

    def broken(cube, **options):
        return 1 / 0

    draw_by(monkeypatch, "heatmap", broken)
    draw_by(monkeypatch, "peaks", lambda cube: figure(y_range=FactorRange("a", "a")))
    page = rc.report(cube_of("own_task"), tmp_path / "page.html").read_text(encoding="utf-8")
    text = _text(page)
    assert "The figure “heatmap” could not be drawn from this cube (ZeroDivisionError: division by zero)" in text
    assert "The figure “peaks” is left out: FactorRange must specify a unique list" in text
    assert 'id="figure-peaks"' not in page
    assert 'id="figure-rooflines"' in page
    assert 'id="figure-pareto"' in page


def test_one_section_that_fails_takes_no_other_with_it(cube_of, tmp_path, monkeypatch):
    def broken(*_):
        raise IndexError("nothing there")

    for module, name in ((sections, "_fastest_prediction"), (document, "best_choices"), (toggles, "fields_of")):
        monkeypatch.setattr(module, name, broken)
    text = _text(rc.report(cube_of("own_task"), tmp_path / "page.html").read_text(encoding="utf-8"))
    assert "This section could not be written from this cube (IndexError: nothing there)." in text
    assert "The summary could not be written whole from this cube (IndexError: nothing there)." in text
    assert "The buttons over all figures could not be made (IndexError: nothing there)." in text
    assert "Efficiency is measured over predicted throughput" in text


def test_what_is_no_cube_is_refused(tmp_path):
    with pytest.raises(InvalidDataError, match="`cube`: expected a Dataset, got 3"):
        rc.report(3, tmp_path / "page.html")


# inert labels ---------------------------------------------------------------------------------------------------------


def test_no_label_becomes_markup(page_of):
    page = page_of("hostile")
    assert "<img" not in re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert "window.pwned=2</script>" not in page
    assert page.count("<script>") == page.count("</script>")
    assert "<svg onload" not in page
    assert "\u202e" not in _text(page)
    assert "x" * 60 not in _text(page)


@pytest.mark.parametrize("name", ["hostile", "own_task"])
def test_the_policy_allows_the_scripts_of_the_page_and_no_other(page_of, name):
    page = page_of(name)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1]
    allowed = set(re.findall(r"'sha256-([^']+)'", html.unescape(policy)))
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    assert allowed == {base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in scripts}
    assert "default-src 'none'" in html.unescape(policy)
    assert "unsafe-inline" not in policy.split("style-src")[0]
    assert "unsafe-eval" not in policy


def test_the_data_inside_the_page_keep_their_labels(page_of):
    link = re.search(r'href="data:text/csv;base64,([^"]*)"', page_of("hostile"))[1]
    assert "x" * 500 in base64.b64decode(link).decode()


def test_no_cell_of_the_data_inside_the_page_is_computed_by_a_spreadsheet(page_of):
    link = re.search(r'href="data:text/csv;base64,([^"]*)"', page_of("hostile"))[1]
    cells = [cell for row in csv.reader(io.StringIO(base64.b64decode(link).decode())) for cell in row]
    assert not [cell for cell in cells if re.match(r"[=+@\t\r]|-(?![\d.])", cell)]
    assert f"'{foreign_cubes.HOSTILE[-1]}" in cells


def test_limits_are_counted_over_the_cells_that_can_run(cube_of):
    cube = cube_of("hypothetical")
    factor = xr.DataArray([0.5, 1.0, 2.0], {"heat": [20.0, 85.0, 99.0]})
    wide = cube.assign(predicted_throughput=cube["predicted_throughput"] * factor)
    told = [re.findall(r"(\d[\d\s]*) limited", sections._limits(one)) for one in (cube, wide)]
    few, many = (sum(int(re.sub(r"\s", "", count)) for count in counts) for counts in told)
    assert many == 3 * few > 0


def by_hand(**variables):
    dims = ("platform", "topology", "clock")
    full = {name: (dims[: np.ndim(values)], values) for name, values in variables.items()}
    return xr.Dataset(full, coords={"platform": ["A", "B"], "topology": ["N"], "clock": [1, 2]})


def test_sentences_tell_own_dims_apart():
    nan = np.nan
    measured = {
        "measured_throughput": [[[30.0, nan]], [[nan, nan]]],
        "measured_top1": [[[80.0, nan]], [[nan, nan]]],
    }
    cube = by_hand(**measured, predicted_throughput=[[[20.0, 90.0]], [[10.0, 10.0]]])
    cube = cube.assign(top1=("topology", [80.0]))
    assert "no configuration is on both" in sections.overlapped(subject_of(cube, None)).see[1]
    cube = by_hand(**measured, predicted_throughput=[[20.0], [10.0]])
    assert sections.theoretical(subject_of(cube, None)).see[1] == "The fastest prediction is 20: A · N."


def test_batches_are_told_of_those_that_have_several():
    cube = xr.Dataset(
        {"measured_throughput": (("platform", "batch"), [[10.0, 20.0], [30.0, np.nan]])},
        coords={"platform": ["A", "B"], "batch": [1, 8]},
    )
    assert ", 1 of them at several batch sizes" in sections.experimental(subject_of(cube, None)).see[0]


@pytest.mark.parametrize("labels", [["small", "big"], None, np.array([1, 2], "m8[s]")])
def test_batches_are_compared_whatever_their_labels(labels):
    dims = ("platform", "batch")
    cube = xr.Dataset(
        {
            "measured_throughput": (dims, [[10.0, 20.0], [30.0, 40.0]]),
            "predicted_throughput": (dims, [[20.0, 25.0], [35.0, 45.0]]),
        },
        coords={"platform": ["A", "B"]} | ({} if labels is None else {"batch": labels}),
    )
    assert "all at the same batch" in sections.efficient(subject_of(cube, None)).see[1]


def test_beside_a_winner_in_doubt_stands_the_best_that_is_not(tmp_path):
    cube = rc.benchmark("cifar10")
    text = rc.report(cube, tmp_path / "sure.html").read_text("utf-8")
    certain = [f"not {name}" for name, finding in FINDINGS.items() if finding.doubts and name in QUALITY]
    best = rc.best(cube, "measured_throughput", where={"quality": certain})
    assert "… with nothing in doubt" in text
    row = text[text.index("… with nothing in doubt") :][:400]
    assert str(best.platform.values) in row
    assert f"batch {int(best.batch)}" in row
