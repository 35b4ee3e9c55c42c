"""Cubes, winners, fronts and histograms under hvplot: the one-liners of the docs run, a table has a row a cell."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import roofcube as rc
from roofcube.errors import UnknownLabelError
from roofcube.plot.drawing.elements import load, rendered

DOCS = (Path(__file__).parents[4] / "docs" / "hvplot.md").read_text(encoding="utf-8")
SETUP, LINES = re.search(r"```python\n(.*?)\n\n((?:cube|front)\.[^`]*)```", DOCS, re.DOTALL).groups()
ONE_LINERS = LINES.strip().splitlines()


@pytest.fixture(scope="module")
def names():
    made = {}
    exec(SETUP, made)
    return made


def test_the_docs_show_ten():
    assert len(ONE_LINERS) == 10


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("line", ONE_LINERS)
def test_one_liners_draw(names, line):
    drawn = eval(line, names)
    assert isinstance(drawn, load().core.Dimensioned)
    assert rendered(drawn).references()


def test_a_table_has_a_row_for_each_known_cell():
    cube = rc.benchmark("mnist")
    frame = cube.roof.table("measured_throughput", "infeasible")
    assert len(frame) == int(cube.measured_throughput.notnull().sum())
    assert list(frame["platform"].cat.categories) == cube.platform.values.tolist()
    assert set(frame["infeasible"]) <= {"feasible", "untrained"}
    assert frame["pruning"].dtype.kind == "f"
    cell = frame.loc[frame["measured_throughput"].idxmax()]
    labels = {dim: cell[dim] for dim in cube.measured_throughput.dims}
    assert float(cube.measured_throughput.sel(labels)) == cell["measured_throughput"]
    assert frame.attrs["units"]["measured_throughput"] == "1/s"


def test_a_table_takes_fronts_winners_and_sweeps():
    cube = rc.benchmark("mnist")
    front = rc.pareto(cube, {"measured_throughput": "max", "measured_top1": "max"})
    assert len(front.roof.table("measured_throughput")) == front.sizes["point"]
    assert len(rc.best(cube, "measured_throughput").roof.table("measured_throughput")) == 1
    assert len(rc.best(cube, "measured_throughput", per="platform").roof.table()) == 5
    own = rc.hypothetical(peak_compute=np.geomspace(1e11, 1e13, 3), memory_bandwidth=1e10)
    assert "peak" in rc.predict(rc.inputs("mnist", platforms=own)).roof.table("predicted_throughput")


def test_a_table_says_what_is_missing():
    with pytest.raises(UnknownLabelError, match="`variable`: 'colour' is not known"):
        rc.benchmark("mnist").roof.table("colour")
