"""The page: numbers in its text, what it leaves out, how it is written."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

import roofcube as rc
from roofcube.errors import InvalidDataError, UnknownLabelError
from roofcube.page import sections, tables
from roofcube.page.downloads import downloads, long_table
from roofcube.page.subject import subject_of


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
    return rc.report("mnist", tmp_path_factory.mktemp("page") / "mnist.html")


def test_page_is_one_file_below_five_megabytes_without_addresses(page):
    text = page.read_text(encoding="utf-8")
    outline = _Outline()
    outline.feed(re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL))
    assert page.stat().st_size < 5_000_000
    assert all(address.startswith(("#", "data:")) for address in outline.addresses)
    assert len(outline.ids) == len(set(outline.ids))
    assert {"theory", "experiments", "overlap", "efficiency", "power", "data"} <= set(outline.ids)


def test_counts_over_all_tasks_are_those_of_the_source():
    found = [
        {fact.label: int(fact.value.replace("\u202f", "")) for fact in sections.facts(subject_of(task, None))}
        for task in rc.tasks()
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
    assert f"Over {ratios.size} configurations" in " ".join(sections.efficient(subject).see)


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


def test_a_failing_page_leaves_the_old_one(tmp_path, monkeypatch):
    target = tmp_path / "page.html"
    target.write_text("old")
    monkeypatch.setattr("roofcube.page.document.render", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        rc.report("mnist", target)
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_default_name_is_that_of_the_task(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("roofcube.page.document.render", lambda *_: "<p>")
    assert rc.report("mnist").name == "roofcube-mnist.html"


def test_bad_input_is_told(tmp_path):
    with pytest.raises(UnknownLabelError, match="did you mean 'cifar10'"):
        rc.report("cifar")
    with pytest.raises(InvalidDataError, match=r"expected a name ending in \.html, got 'page\.pdf'"):
        rc.report("mnist", tmp_path / "page.pdf")
    with pytest.raises(InvalidDataError, match=r"the folder .* does not exist"):
        rc.report("mnist", tmp_path / "absent" / "page.html")


def test_progress_is_shown_when_asked_for(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("roofcube.page.document.render", lambda *_: "<p>")
    rc.report("mnist", tmp_path / "quiet.html")
    assert capsys.readouterr().err == ""
    with rc.set_options(progress=True):
        rc.report("mnist", tmp_path / "loud.html")
    assert "page" in capsys.readouterr().err


def test_page_room_knows_no_kernels():
    assert not [
        name
        for name, module in sys.modules.items()
        if name.startswith("roofcube.page")
        and "roofcube.kernels" in {getattr(value, "__name__", "") for value in vars(module).values()}
    ]
