"""What a page offers to save: the table of its cells, or how large it would be."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import xarray as xr

import roofcube as rc
from roofcube.page import downloads
from roofcube.page.downloads import long_table
from roofcube.page.subject import subject_of


def cube_of(networks, batches):
    rng = np.random.default_rng(0)
    values = rng.lognormal(size=(networks, batches)) * 1e3
    labels = [f"network number {place}" for place in range(networks)]
    coords = {"topology": labels, "batch": np.arange(1, batches + 1)}
    return xr.Dataset({"predicted_throughput": (("topology", "batch"), values)}, coords)


def test_the_size_of_a_table_that_is_too_large_is_told_from_a_part_of_it():
    cube = cube_of(600, 600)
    whole = len(long_table(cube).write_csv().encode()) / 1e6
    link, note = downloads._csv(SimpleNamespace(source=cube, file_stem="page"))
    assert link is None
    told = re.fullmatch(r"The table .* its 360\D000 rows take about (\d+) MB; use roofcube.save.", note)
    assert float(told[1]) == pytest.approx(whole, abs=0.5 + 0.02 * whole)


def test_a_table_that_might_fit_is_written_whole():
    cube = cube_of(150, 150)
    whole = long_table(cube).write_csv().encode()
    link, note = downloads._csv(SimpleNamespace(source=cube, file_stem="page"))
    assert (link is None) == (len(whole) > downloads.LIMIT)
    assert not note if link else f"take {len(whole) / 1e6:.1f} MB" in note


def test_a_row_of_the_table_holds_the_words_of_its_cell():
    cube = rc.benchmark("mnist")
    table = long_table(cube)
    row = table.filter(pl.col("platform") == "NCS2", pl.col("n_rows") > 0).row(0, named=True)
    cell = cube.sel({dim: row[dim] for dim in cube["measured_throughput"].dims})
    assert row["device_class"] == "VLIW"
    assert row["measured_throughput"] == float(cell["measured_throughput"])
    assert row["bound"] in ("compute", "memory", "none")


def odd():
    """A cube with times, truths, half precision and a dim without labels."""
    days = np.array(["2024-01-01", "2024-01-02T03:00"], "M8[ns]")
    beside = {"ok": ("x", [True, False]), "half": ("x", np.array([1.0, 2.0], "f2"))}
    beside["took"] = "day", np.array([3, "NaT"], "m8[s]")
    return xr.Dataset({"predicted_throughput": (("x", "day"), [[1.0, 2.0], [3.0, np.nan]]), **beside}, {"day": days})


def test_times_truths_and_places_are_in_the_table():
    written = long_table(odd()).write_csv().splitlines()
    assert written[0] == "x,day,predicted_throughput,ok,half,took"
    assert written[1:] == [
        "0,2024-01-01,1.0,true,1.0,0 days 00:00:03",
        '0,2024-01-02T03:00,2.0,true,1.0,""',
        "1,2024-01-01,3.0,false,2.0,0 days 00:00:03",
    ]


@pytest.mark.parametrize("question", ["front", "top", "best per", "best", "odd", "whole numbers"])
def test_whatever_has_a_page_has_its_data_in_it(question):
    cube = rc.benchmark("mnist")
    answers = {
        "front": lambda: rc.pareto(cube, {"measured_throughput": "max", "measured_top1": "max"}),
        "top": lambda: rc.top(cube, 5, "measured_throughput"),
        "best per": lambda: rc.best(cube, "measured_throughput", per="platform"),
        "best": lambda: rc.best(cube, "measured_throughput"),
        "odd": odd,
        "whole numbers": lambda: xr.Dataset({"n": ("a", [3, 5])}),
    }
    subject = subject_of(answers[question](), None)
    links, notes = downloads.downloads(subject)
    assert ([link.name.rpartition(".")[2] for link in links], notes) == (["csv", "nc"], ())
    assert links[0].what.startswith(f"{long_table(subject.source).height} row")


def test_the_table_holds_what_any_figure_knows():
    nan = np.nan
    one = xr.Dataset(
        {
            "measured_throughput": ("platform", [10.0, nan, 30.0]),
            "measured_latency": ("platform", [0.1, 0.2, nan]),
            "power_full": (("platform", "lab"), [[5.0, 6.0], [nan, nan], [nan, nan]]),
        },
        coords={"platform": ["A", "B", "C"], "lab": ["u", "v"]},
    )
    table = long_table(one)
    assert table["measured_throughput"].drop_nulls().unique().sort().to_list() == [10.0, 30.0]
    assert table["measured_latency"].drop_nulls().unique().sort().to_list() == [0.1, 0.2]
    assert table["power_full"].drop_nulls().sort().to_list() == [5.0, 6.0]
    own = xr.Dataset(
        {"cost": ("platform", [1.0, nan]), "carbon": ("platform", [nan, 2.0]), "weight": ("lab", [1.0, 2.0])},
        coords={"platform": ["A", "B"], "lab": ["u", "v"]},
    )
    assert long_table(own).drop_nulls("carbon").rows() == [("B", "u", None, 2.0, 1.0), ("B", "v", None, 2.0, 2.0)]


def test_variables_of_other_dims_are_named_where_the_table_lacks_them():
    cube = cube_of(2, 2).assign(weight=("lab", [1.0, 2.0]))
    link, _ = downloads._csv(SimpleNamespace(source=cube, file_stem="page"))
    assert link.what.endswith("; without weight, of other dims")
