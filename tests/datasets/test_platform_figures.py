"""Figures of data sheets: each with its source, none that is on the chip as memory, none that no hardware has."""

from __future__ import annotations

import polars as pl
import pytest

import roofcube as rc
from roofcube import datasets
from roofcube.datasets.quantities import range_fault
from roofcube.errors import InvalidDataError
from roofcube.vocabulary import INFEASIBLE

FIGURES = datasets.load_platform_figures()
PLATFORMS = datasets.load_platforms(collection="devices")
COLUMNS = {
    "peak_compute": "peak_compute_op_per_s",
    "memory_bandwidth": "memory_bandwidth_b_per_s",
    "memory_capacity": "memory_capacity_b",
    "on_chip_memory": "weight_memory_b",
    "power": "listed_power_w",
}


def test_platforms_are_many_by_name_and_by_figure():
    names = {*FIGURES["platform"]}
    names |= {name for one in ("", "zoo") for name in datasets.load_platforms(collection=one)["platform"]}
    assert len(names) >= 110
    assert PLATFORMS["platform"].n_unique() >= 60
    assert PLATFORMS.filter(pl.col("platform") == "Jetson AGX Orin 64GB")["mode"].n_unique() >= 4


def test_no_figure_lacks_its_source():
    for column in ("source", "source_kind", "basis", "evidence", "read", "unit"):
        assert (FIGURES[column].str.len_chars() > 0).all(), column
    assert FIGURES["read"].str.contains(r"^\d{4}-\d{2}-\d{2}$").all()
    units = dict(FIGURES.select("quantity", "unit").unique().iter_rows())
    assert units == {
        "peak_compute": "op/s", "memory_bandwidth": "B/s", "on_chip_bandwidth": "B/s", "memory_capacity": "B",
        "on_chip_memory": "B", "power": "W",
    }  # fmt: skip


@pytest.mark.parametrize(("quantity", "column"), COLUMNS.items())
def test_every_number_of_a_platform_is_a_figure_that_is_used(quantity, column):
    used = FIGURES.filter("used", pl.col("quantity") == quantity)
    assert used["evidence"].is_in(["two sources", "maker's page or data sheet", "maker's data sheet"]).all()
    values = {name: set(rows["value"]) for (name,), rows in used.group_by("platform")}
    given = PLATFORMS.filter(pl.col(column).is_not_null() & (pl.col(column) > 0))
    assert given.height > 50
    for platform, value in given.select("platform", column).iter_rows():
        assert value in values[platform], platform


def test_figures_are_those_of_hardware():
    for row in PLATFORMS.iter_rows(named=True):
        for quantity, column in COLUMNS.items():
            if row[column] is not None:
                assert range_fault(quantity, row[column]) == "", row
        if row["memory_bandwidth_b_per_s"] is not None:
            # operations a byte: below 4 a vector machine, above 3000 nothing would ever be fed
            assert 4 < row["peak_compute_op_per_s"] / row["memory_bandwidth_b_per_s"] < 3000, row
        if row["listed_power_w"] is not None:
            assert 1e10 < row["peak_compute_op_per_s"] / row["listed_power_w"] < 2e13, row


def test_rates_on_the_chip_never_stand_as_memory_bandwidth():
    on_chip = FIGURES.filter(pl.col("quantity") == "on_chip_bandwidth")
    assert on_chip.height
    assert not on_chip["used"].any()
    offered = PLATFORMS.filter(pl.col("platform").is_in(on_chip["platform"].unique()))
    assert offered["memory_bandwidth_b_per_s"].is_null().all()
    assert PLATFORMS["memory_bandwidth_b_per_s"].max() < 1e13


def test_sources_that_disagree_are_both_kept():
    spread = FIGURES.group_by("platform", "mode", "precision", "quantity").agg(
        ratio=pl.col("value").max() / pl.col("value").min()
    )
    assert spread.filter(pl.col("ratio") > 1.03).height > 10
    assert FIGURES["note"].str.contains("DISAGREEMENT").sum() > 50
    assert (FIGURES["basis"] == "half of the sparse figure").sum() > 10


def test_a_platform_known_by_name_only_says_why():
    with pytest.raises(InvalidDataError, match=r"`platform`: 'Cerebras WSE-3 \(CS-3\)' is known by name, but no peak"):
        rc.inputs("imagenet", platforms=["Cerebras WSE-3 (CS-3)"])


def test_a_platform_of_unknown_bandwidth_predicts_nothing_that_reads_memory():
    inputs = rc.inputs("imagenet", platforms=["TX2", "Hailo-8"], precision="INT8", mode=["default"])
    published = rc.predict(inputs).sel(platform="Hailo-8", precision="INT8", mode="default")
    assert (published.infeasible.where(inputs.ops.notnull(), 8) == INFEASIBLE["bandwidth_not_known"]).all()
    assert published.predicted_throughput.isnull().all()
    free = rc.Assumptions(weights="free", activations="free", state="free", layers="whole network")
    on_chip = rc.predict(inputs, assumptions=free).sel(platform="Hailo-8", precision="INT8", mode="default")
    assert on_chip.predicted_throughput.notnull().any()


def test_inputs_say_that_figures_are_of_data_sheets():
    inputs = rc.inputs("imagenet", platforms=["TPU v4"])
    for name in ("peak_compute", "memory_bandwidth", "power"):
        assert "TPU v4: data sheet, not measured" in inputs[name].attrs["source"]
