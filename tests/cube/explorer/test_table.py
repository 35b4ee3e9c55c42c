"""The table of the explorer: a click selects the row that was clicked, or none."""

from __future__ import annotations

import csv
import io
from types import SimpleNamespace

import numpy as np
import pytest

import roofcube as rc


@pytest.fixture
def app():
    app = rc.explore("mnist")
    app.view.table = "all"
    return app


def click(table, row):
    table._clicked(SimpleNamespace(row=row))


def test_a_click_on_rows_that_are_being_exchanged_selects_nothing(app):
    table = app.page().table
    listed = {"do": "listed", "number": table.number}
    table._received(listed)
    before = list(table.listings[-1])
    click(table, 0)
    assert app.view.selected == before[:1]
    app.view.selected = []
    table._received({"do": "listed", "number": table.number})
    app.view.keep = {"platform": ["NCS2"]}  # the browser has not said yet that it shows these rows
    assert table.listings[-1][0] != before[0]
    click(table, 0)
    click(table, len(before) - 1)  # beyond the new rows
    assert app.view.selected == []
    table._received(listed)  # what was there long ago
    click(table, 0)
    assert app.view.selected == []
    table._received({"do": "listed", "number": table.number})
    click(table, 0)
    assert app.view.selected == table.listings[-1][:1]


def test_no_cell_of_the_csv_is_computed_by_a_spreadsheet():
    cube = rc.benchmark("mnist")
    app = rc.explore(cube.assign_coords(platform=[f"=cmd|'{name}'!A1" for name in cube["platform"].values]))
    app.view.table = "all"
    text = app.page().table.csv(app.view, app.answer, np.array([], dtype=int))
    cells = list(csv.DictReader(io.StringIO(text)))
    assert len(cells) > 100
    assert all(row["platform"].startswith("'=cmd|") for row in cells)
    assert all(float(row["measured_throughput [1/s]"]) > 0 for row in cells)


def test_rows_that_stay_in_their_place_are_selected_at_once(app):
    table = app.page().table
    table._received({"do": "listed", "number": table.number})
    first = table.listings[-1][0]
    app.view.pinned = table.listings[-1][2:3]
    click(table, 0)
    assert app.view.selected == [first]
