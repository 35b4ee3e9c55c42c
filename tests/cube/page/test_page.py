"""The page: numbers in its text, what it leaves out, how it is written."""

from __future__ import annotations

import dataclasses
import gc
import re
import sys
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest
import xarray as xr
from bokeh.models import ColumnDataSource, Title
from embedded_pages import page_of

import roofcube as rc
from roofcube.calibration import crossvalidation
from roofcube.calibration.kept import held_out
from roofcube.errors import InvalidDataError, UnknownLabelError
from roofcube.garbage import RESTING
from roofcube.page import calibration_section, calibration_tables, document, figures, sections, tables, toggles
from roofcube.page.downloads import downloads, long_table
from roofcube.page.subject import subject_of
from roofcube.wording import percent


class _Outline(HTMLParser):
    """Addresses, ids and headings of a page."""

    def __init__(self):
        super().__init__()
        self.addresses, self.ids, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.addresses += [values[name] for name in ("href", "src") if values.get(name)]
        self.ids += [values["id"]] if "id" in values else []


@pytest.fixture(scope="module", params=["cifar10", "imagenet", "mnist"])
def subject(request):
    return subject_of(request.param, None)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return page_of("mnist", tmp_path_factory)


def test_page_is_one_file_below_five_megabytes_without_addresses(page):
    text = page.read_text(encoding="utf-8")
    outline = _Outline()
    outline.feed(re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL))
    assert page.stat().st_size < 5_000_000
    assert all(address.startswith(("#", "data:")) for address in outline.addresses)
    assert len(outline.ids) == len(set(outline.ids))
    assert {"theory", "experiments", "overlap", "efficiency", "calibration", "power", "data"} <= set(outline.ids)
    assert {"table-errors", "table-errors-by-family", "table-trust", "table-parameters"} <= set(outline.ids)


def test_every_section_of_the_embedded_tasks_is_written_whole(subject, tmp_path_factory):
    # so say notes in the place of a section, a figure or a summary that failed
    page = page_of(subject.task, tmp_path_factory).read_text(encoding="utf-8")
    assert "could not be" not in re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    counts, choices, notes = document._summary(subject)
    assert (len(counts), len(choices) > 0, notes) == (6, True, ())


def test_the_bar_has_the_labels_of_all_figures_in_the_order_of_the_cube(subject):
    cube = subject.cube
    parts = [figures.draw(cube, name, "") for name in ("peaks", "pareto", "heatmap")]
    fields = {field.key: [option.label for option in field.options] for field in toggles.fields_of(cube, parts)}
    assert set(fields["platform"]) == set(cube.platform.values.tolist())
    assert fields["precision"] == cube.precision.values.tolist()
    assert ("topology" in fields) == (cube.sizes["topology"] > 1)
    classes = {field.key: field for field in toggles.fields_of(cube, parts)}["device_class"]
    members = [platform for option in classes.options for platform in option.platforms]
    assert sorted(members) == sorted(fields["platform"])
    assert toggles.fields_of(cube.isel(platform=[0]), []) == ()


def test_the_bar_has_labels_that_are_no_text_as_figures_write_them():
    cube = rc.benchmark("mnist").sel(platform=["TX2", "NCS2"]).assign_coords(platform=[1.0, 2.5])
    fields = {field.key: field for field in toggles.fields_of(cube, [figures.draw(cube, "pareto", "")])}
    assert [option.label for option in fields["platform"].options] == ["1", "2.5"]


def test_counts_over_all_tasks_are_those_of_the_source():
    found = [
        {fact.label: int(fact.value.replace("\u202f", "")) for fact in sections.facts(subject_of(task, None))}
        for task in ("cifar10", "imagenet", "mnist")
    ]
    assert sum(one["experiments"] for one in found) == 974
    rows = rc.datasets.load_measurements()
    assert (
        sum(one["configurations measured"] for one in found)
        == rows.unique(["platform", "mode", "topology", "precision", "pruning_percent"]).height
    )


def test_text_tells_the_numbers_of_the_cube(subject):
    cube = subject.cube
    measured = (cube.n_rows > 0).any("batch")
    predicted = (cube.predicted_throughput * cube.top1).notnull()
    text = " ".join(sections.overlapped(subject).see)
    assert (
        f"{int((measured & predicted).sum())} configurations have both; {int((predicted & ~measured).sum())} were only predicted"
        in text
    )
    ratios = rc.efficiency(cube).efficiency.values
    ratios = ratios[np.isfinite(ratios)]
    assert f"best batch of each of {ratios.size} configurations its median" in " ".join(sections.efficient(subject).see)


# calibration ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def calibration():
    return rc.calibrate(rc.datasets.load_measurements())


def test_held_out_tables_are_those_of_these_rows_and_this_code(calibration):
    """When this fails, `roofcube errors --write` makes the tables anew: commit them."""
    found = held_out.read(calibration.data)
    assert found.state(calibration.data) == "current"
    rows = rc.datasets.load_measurements().with_columns(pl.col("batch").cast(pl.Int64))
    measured = rows.group_by(held_out.KEYS).agg(measured_again=pl.col("throughput_compute_per_s").mean())
    both = found.rows.join(measured, on=list(held_out.KEYS), how="inner")
    assert both.height == found.rows.height == 966
    np.testing.assert_allclose(both["measured"], both["measured_again"], rtol=1e-5)


def test_held_out_tables_know_when_rows_facts_or_code_changed(calibration, monkeypatch):
    found = held_out.read(calibration.data)
    rows = rc.datasets.load_measurements()
    other = rows.with_columns(
        pl.when(pl.int_range(pl.len()) == 7)
        .then(pl.col("throughput_compute_per_s") * 1.001)
        .otherwise(pl.col("throughput_compute_per_s"))
        .alias("throughput_compute_per_s")
    )
    few = other.filter(pl.col("platform") == "NCS2")
    assert held_out.rows_key(rc.calibrate(few).data) != held_out.rows_key(
        rc.calibrate(rows.filter(pl.col("platform") == "NCS2")).data
    )
    facts = calibration.data.facts
    networks = dict(facts.networks)
    first = next(iter(networks))
    networks[first] = dataclasses.replace(networks[first], ops=networks[first].ops * 2)
    changed = dataclasses.replace(calibration.data, facts=dataclasses.replace(facts, networks=networks))
    assert found.state(changed) == "other rows"
    at_code(monkeypatch, "another")
    assert found.state(calibration.data) == "other code"


def at_code(monkeypatch, key: str) -> None:
    """Have the code of the calibration be another, or the same as when tables were written."""
    monkeypatch.setattr(held_out, "code_key", lambda: key)


def test_errors_in_the_page_follow_from_the_rows(calibration):
    found = held_out.read(calibration.data)
    for column, scheme in (
        ("predicted_throughput", calibration_tables.STRICT),
        ("published", calibration_tables.PUBLISHED),
    ):
        median = 100 * (found.rows[column] / found.rows["measured"] - 1).abs().median()
        assert calibration_tables.error_of(found, scheme)["median_ape_percent"] == pytest.approx(median, rel=1e-3)
    inside = found.rows["measured"].is_between(found.rows["low"], found.rows["high"]).mean()
    covered = found.coverage.filter(family="all", level_percent=90.0)["rows_covered_percent"].item()
    assert 100 * inside == pytest.approx(covered, abs=0.11)
    table = calibration_tables.by_scheme(found)
    assert len(table.rows) <= 13
    # what is new leads, with the tenth beside the median
    spoken = [row[0] for row in table.rows if row[1] == "throughput"]
    leads = [calibration_tables.SPOKEN[scheme] for scheme in ("network", "topology", "architecture")]
    assert spoken[:3] == leads
    text = calibration_section.calibrated(subject_of("cifar10", None)).see[0]
    for line in crossvalidation.expectations(found.errors).iter_rows(named=True):
        assert f"for a new {line['new']}" in text
        shown = [
            percent(line[f"{name}_ape_percent"] / 100).replace(" ", "\N{NO-BREAK SPACE}") for name in ("median", "p90")
        ]
        assert all(one in text for one in shown) or line["p90_ape_percent"] >= 1000
    for pool in ("within platforms", "across platforms"):
        choice = calibration_tables.error_of(found, calibration_tables.STRICT, pool, "choice")
        for figure in ("regret_percent", "latency_missed_percent"):
            assert percent(choice[figure] / 100) in table.note


def test_calibration_section_says_which_predictions_it_draws(subject, calibration, monkeypatch):
    code = held_out.read(calibration.data).code_key
    at_code(monkeypatch, code)
    section = calibration_section.calibrated(subject)
    assert section.missing == ()
    (drawing,) = section.drawings
    source = drawing.drawn.select_one({"name": "comparison.rows", "type": ColumnDataSource}).data
    assert len(source["row"]) == int(subject.cube.measured_throughput.notnull().any("batch").sum())
    assert np.nanmedian(np.abs(source["calibrated"] / source["measured"] - 1)) < 0.2
    at_code(monkeypatch, "another")
    stale = calibration_section.calibrated(subject)
    assert "another version of the calibration; “roofcube errors --write”" in stale.missing[0]
    assert len(stale.tables) == len(section.tables) == 4


def test_without_held_out_tables_the_page_says_that_the_rows_were_seen(monkeypatch):
    monkeypatch.setattr(held_out, "read", lambda _: None)
    section = calibration_section.calibrated(subject_of("imagenet", None))
    assert "not at hand" in section.missing[0]
    assert "saw the rows" in section.missing[1]
    assert [table.key for table in section.tables] == ["trust", "parameters"]
    (drawing,) = section.drawings
    titles = [one.text for one in drawing.drawn.select({"type": Title})]
    assert any(title.startswith("Calibrated (in sample) predictions are off by") for title in titles)


def test_calibrated_cube_of_the_users_own_is_drawn():
    rows = rc.datasets.load_measurements("mnist").filter(pl.col("platform") == "NCS2")
    own = rows.with_columns(pl.col("throughput_compute_per_s") * 0.9)
    inputs = rc.inputs("mnist", platforms="NCS2")
    cube = rc.join(rc.predict(inputs, assumptions=(rc.PUBLISHED, rc.calibrate(own))), own)
    section = calibration_section.calibrated(subject_of(cube, None))
    (drawing,) = section.drawings
    assert drawing.key == "comparison"
    assert drawing.description.endswith(": measured, calibrated with its interval and published roofline")
    alone = rc.join(rc.predict(inputs, assumptions=rc.calibrate(own)), own)
    (drawing,) = calibration_section.calibrated(subject_of(alone, None)).drawings
    assert drawing.description.endswith(": measured and calibrated with its interval")
    without = calibration_section.calibrated(subject_of(rc.join(rc.predict(inputs), own), None))
    assert "no calibrated predictions: calibrate on its rows" in without.missing[0]


def test_tables_of_another_run_are_not_mixed(tmp_path, calibration, monkeypatch):
    found = held_out.read(calibration.data)
    monkeypatch.setattr(held_out, "_folders", lambda: (tmp_path, tmp_path / "absent"))
    assert held_out.read(calibration.data) is None
    assert held_out.write_held_out(found) == tmp_path
    again = held_out.read(calibration.data)
    assert again.rows.equals(found.rows)
    assert again.errors.equals(found.errors)
    text = (tmp_path / "held_out_rows.csv").read_text()
    (tmp_path / "held_out_rows.csv").write_text(text.replace(found.rows_key, "0" * 16))
    assert held_out.read(calibration.data) is None


# tables ---------------------------------------------------------------------------------------------------------------


def test_findings_are_those_of_check(subject):
    table = tables.findings_by_rule(subject)
    found = rc.check(subject.rows, traces=subject.traces)
    expected = {(rule.replace("_", " "), rows["row"].n_unique()) for (_, rule), rows in found.group_by("table", "rule")}
    assert {(row[0], row[1]) for row in table.rows} == expected


def test_impossible_rows_do_not_win():
    rows = rc.datasets.load_measurements("mnist").with_row_index("row").cast({"row": pl.Int64})
    impossible = rc.check(rows.drop("row")).filter(pl.col("rule") == "above_compute_peak")["row"].to_list()
    sound = rows.filter(pl.col("platform") == "NCS2")["row"].to_list()[:3]
    few = rows.filter(pl.col("row").is_in(impossible + sound)).drop("row")
    cube = rc.join(rc.predict(rc.inputs("mnist")), few)
    assert (
        float(cube.measured_throughput.max())
        > 10 * few.filter(pl.col("platform") == "NCS2")["throughput_compute_per_s"].max()
    )
    winners = tables.best_choices(subject_of(cube, None))[0].rows
    assert winners
    assert all(row[1].startswith("NCS2") for row in winners)


def test_counts_that_differ_tell_why():
    table = tables.count_differences(subject_of("cifar10", None))
    corrected = [row for row in table.rows if row[1] == "12.5 %" and row[3] == "8.125M"]
    assert [row[-1] for row in corrected] == [
        "the layers give 8017792; the source figure does not follow from its own layer shapes"
    ]
    assert all(row[-1] for row in table.rows)
    assert tables.count_differences(subject_of("imagenet", None)).rows[0][0] == "GoogLeNetv1"


def test_a_cube_without_measurements_says_what_is_left_out(tmp_path):
    cube = rc.predict(
        rc.inputs("mnist", platforms=rc.hypothetical(peak_compute=[1e12, 1e13], memory_bandwidth=[1e10, 2e10], power=5))
    )
    text = rc.report(cube, tmp_path / "own.html", title="Mine & <yours>").read_text(encoding="utf-8")
    assert "Mine &amp; &lt;yours&gt;" in text
    assert "This cube holds no measurements" in text
    assert "This cube holds no measured power" in text
    assert "there is nothing to calibrate on" in text
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", text)
    assert headings == ["Summary", "Theoretical analysis", "Data", "Not in this page"]  # one for all that is left out
    assert re.findall(r'<a href="#(.*?)">', text) == ["theory", "data", "left-out"]
    assert '<dt id="power">Power</dt>' in text
    assert "In doubt" not in text  # nothing is
    assert "QuTiBench, Xilinx" not in text


def test_measurements_of_the_users_own_are_not_taken_for_the_embedded(tmp_path):
    rows = rc.datasets.load_measurements("mnist").with_columns(pl.col("throughput_compute_per_s") * 0.5)
    subject = subject_of(rc.join(rc.predict(rc.inputs("mnist")), rows), None)
    assert subject.rows is None
    assert tables.findings_by_rule(subject).columns == ("Rule", "Cells")
    assert rc.report(subject.cube, tmp_path / "own.html").stat().st_size > 1_000_000


def test_long_table_holds_every_measured_and_predicted_cell(subject):
    table, cube = long_table(subject.cube), subject.cube
    assert table["n_rows"].sum() == int(cube.n_rows.sum())
    predicted = cube.predicted_throughput.broadcast_like(cube.n_rows).notnull()
    assert table.height == int((predicted | (cube.n_rows > 0)).sum())
    row = table.filter(pl.col("measured_throughput") == table["measured_throughput"].max()).row(0, named=True)
    cell = cube.sel({dim: row[dim] for dim in ("platform", "mode", "topology", "pruning", "precision", "batch")})
    assert float(cell.measured_throughput) == row["measured_throughput"]
    assert set(table["bound"].unique()) <= {"none", "compute", "memory"}


def test_a_large_cube_is_left_out_of_the_page_and_says_so():
    hardware = rc.hypothetical(
        peak_compute=np.geomspace(1e11, 1e14, 200), memory_bandwidth=np.geomspace(1e9, 1e12, 200), power=5
    )
    links, notes = downloads(subject_of(rc.predict(rc.inputs("mnist", platforms=hardware)), "big"))
    assert links == ()
    assert len(notes) == 2
    assert all("use roofcube.save" in note for note in notes)


def test_a_failing_page_leaves_the_old_one_and_the_collector_at_rest_only_meanwhile(tmp_path, monkeypatch):
    before, meanwhile = gc.get_threshold(), []
    target = tmp_path / "page.html"
    target.write_text("old")
    monkeypatch.setattr("roofcube.page.document.render", lambda *_: meanwhile.append(gc.get_threshold()[0]) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        rc.report(xr.Dataset({"speed": ("board", [1.0, 2.0])}, {"board": ["a", "b"]}), target)
    assert meanwhile == [RESTING]
    assert gc.get_threshold() == before
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_bad_input_is_told(tmp_path):
    with pytest.raises(UnknownLabelError, match="did you mean 'cifar10'"):
        rc.report("cifar")
    with pytest.raises(InvalidDataError, match=r"expected a name ending in \.html, got 'page\.pdf'"):
        rc.report("mnist", tmp_path / "page.pdf")
    with pytest.raises(InvalidDataError, match=r"the folder .* does not exist"):
        rc.report("mnist", tmp_path / "absent" / "page.html")


def test_progress_is_shown_when_asked_for(tmp_path, capsys):
    small = xr.Dataset({"speed": ("board", [1.0, 2.0])}, {"board": ["a", "b"]})
    rc.report(small, tmp_path / "quiet.html")
    assert capsys.readouterr().err == ""
    with rc.set_options(progress=True):
        rc.report(small, tmp_path / "loud.html")
    assert "page" in capsys.readouterr().err


def test_page_room_knows_no_kernels():
    assert not [
        name
        for name, module in sys.modules.items()
        if name.startswith("roofcube.page")
        and "roofcube.kernels" in {getattr(value, "__name__", "") for value in vars(module).values()}
    ]
