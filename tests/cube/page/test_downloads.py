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
