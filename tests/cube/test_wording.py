"""Numbers, units and flags read as a person writes them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import InvalidDataError
from roofcube.explorer import stored, swept
from roofcube.wording import (
    configuration_of,
    configuration_text,
    digits_apart,
    distinct_texts,
    flag_words,
    percent,
    plain_values,
    quantity,
    read_quantity,
    short,
    shown_unit,
    task_title,
    title_of,
    unit_of,
    with_unit,
)


def test_numbers_have_three_digits_and_a_letter():
    values = {
        0: "0",
        0.5: "0.5",
        999.4: "999",
        999.6: "1k",
        1000: "1k",
        12449.2: "12.4k",
        3.07e6: "3.07M",
        -2500: "-2.5k",
        1.234e-05: "1.23e-05",
        math.nan: "not known",
        math.inf: "∞",
        -math.inf: "-∞",
        None: "not known",
    }
    assert [short(value) for value in values] == list(values.values())


def test_more_digits_tell_near_numbers_apart():
    assert [short(1.5312e9, digits) for digits in (3, 4, 5)] == ["1.53G", "1.531G", "1.5312G"]
    assert short(0.1234567, 6) == "0.123457"


@pytest.mark.parametrize(("label", "text"), [(20240115, "20240115"), (np.datetime64("2024-01-15", "ns"), "2024-01-15")])
def test_dates_are_told_as_they_are(label, text):
    point = xr.Dataset(coords={"day": label}, attrs={"dim_order": "platform day"})
    assert configuration_of(point) == f"day {text}"


def test_labels_of_a_point_keep_digits_that_its_neighbours_may_differ_in():
    point = xr.Dataset(coords={"price": ("price", [1.0005])}, attrs={"dim_order": "platform price"})
    assert configuration_of(point.isel(price=0)) == "price 1.0005"


@pytest.mark.parametrize(
    ("labels", "digits"),
    [([1.0, 2.0], 3), ([1.0004, 1.0005], 5), ([9.9996, 10.0], 5), ([0.0, -1e-9], 3), ([], 3), ([np.nan, 1.0], 3)],
)
def test_digits_tell_all_labels_of_a_dim_apart(labels, digits):
    assert digits_apart(np.array(labels)) == digits
    finite = [label for label in labels if label == label]
    assert len(set(distinct_texts(finite, digits=digits))) == len(finite)


def test_a_letter_stands_before_units_that_take_a_prefix():
    assert [with_unit(value, unit) for value, unit in ((7.7e9, "op"), (12.3e6, "B"), (12449.2, "inputs/s"))] == [
        "7.7 Gop",
        "12.3 MB",
        "12.4k inputs/s",
    ]
    assert with_unit(math.nan, "W") == "not known"


def test_small_quantities_get_a_prefix_where_the_unit_has_one():
    assert [quantity(value, unit) for value, unit in ((0.0042, "s"), (3e-5, "J"), (0.5, "%"), (None, "s"))] == [
        "4.2 ms",
        "30 µJ",
        "0.5 %",
        "not known",
    ]


def test_percentages_show_the_digits_that_matter():
    assert [percent(value) for value in (0.0011, 0.04, 0.0198, 0.867, 30.74, math.nan, None)] == [
        "0.11 %",
        "4.0 %",
        "1.98 %",
        "86.7 %",
        "3074 %",
        "not known",
        "not known",
    ]


@pytest.mark.parametrize(("unit", "limit"), [("seconds", 0.2), ("sec", 0.2), ("ms", 200.0), ("minutes", 0.2 / 60)])
def test_limits_are_read_in_the_unit_of_the_variable_however_it_is_spelt(unit, limit):
    assert read_quantity("200ms", unit, what="limit") == pytest.approx(limit, rel=1e-15)
    with pytest.raises(InvalidDataError, match=f"`limit`: expected a number in {unit}, got '200W'; write it so"):
        read_quantity("200W", unit, what="limit")


@pytest.mark.parametrize(
    "labels",
    [np.array([1.0, np.nan, np.nan]), np.array(["2026", "NaT", "NaT"], "M8[ns]"), np.array([1, np.nan], object)],
)
def test_what_is_missing_is_one_label(labels):
    assert len({*plain_values(labels), *plain_values(labels)}) == 2
    assert distinct_texts(list(labels))[1:] == ["not known"] * (len(labels) - 1)
    assert configuration_text({"platform": "TX2", "batch": float("nan")}) == "TX2, batch not known"


def test_units_of_human_scale():
    assert shown_unit("s") == (1e3, "ms")
    assert shown_unit("1") == (1.0, "")
    assert shown_unit("parsec") == (1.0, "parsec")


@pytest.mark.parametrize(
    ("attributes", "options", "words"),
    [
        ({"flag_values": [-1, 0], "flag_meanings": "none on_chip"}, {}, [["none", "on chip"], ["3", "none"]]),
        ({"flag_masks": [1, 2], "flag_meanings": "unit_off low"}, {"nothing": "none"}, None),
        ({}, {}, [[-1, 0], [3, -1]]),
    ],
)
def test_flags_are_words_of_the_same_shape(attributes, options, words):
    values = np.array([[-1, 0], [3, -1]], dtype="i1")
    found = flag_words(values, attributes, **options)
    if words is None:
        words = [["unit off, low", "none"], ["unit off, low", "unit off, low"]]
    assert found.tolist() == words


def test_flags_of_a_file_keep_their_names():
    masks = {"flag_masks": [1, 2], "flag_meanings": "unit_off low"}
    assert flag_words(np.array([3]), masks, spaced=False, between="+").tolist() == ["unit_off+low"]


def test_a_cube_is_named_by_what_it_holds():
    measured, predicted = xr.Dataset({"measured_top1": 80.0}), xr.Dataset({"predicted_throughput": 1.0})
    assert title_of(measured) == "Measurements"
    assert title_of(predicted) == "Predictions"
    assert title_of(measured.merge(predicted)) == "Predictions and measurements"


def test_tasks_of_others_keep_their_name():
    assert [task_title(task) for task in ("cifar10", "mine")] == ["CIFAR-10", "mine"]


def test_a_thousand_of_a_unit_with_a_prefix_is_one_of_the_next():
    assert [with_unit(value, "GB/s") for value in (999.4, 1000.0, 1.5e6)] == ["999 GB/s", "1 TB/s", "1.5 PB/s"]
    assert (with_unit(2e3, "TOP/s"), with_unit(2e3, "ms")) == ("2 POP/s", "2k ms")


def test_rates_are_of_tokens_where_every_input_is_one():
    config = {"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    mine = rc.read_network(config | {"intermediate_size": 128, "vocab_size": 1000}, context=128, task="cifar10")
    cube = rc.predict(rc.inputs("cifar10", topologies=[mine], platforms=["TX2"], batch=[1, 2]))
    decoded = cube.sel(phase=["decode"])
    assert unit_of(cube, "predicted_throughput") == "1/s"
    assert unit_of(decoded, "predicted_throughput") == "token/s"
    assert unit_of(decoded, "predicted_latency") == "s"
    assert "tokens/s" in repr(rc.explain(cube, "predicted_throughput", where={"phase": ["decode"]}))
    assert "inputs/s" in repr(rc.explain(cube, "predicted_throughput", where={"phase": ["prefill"]}))
    assert stored.StoredSource(decoded).unit("predicted_throughput") == "token/s"
    assert read_quantity("20 tokens/s", "token/s", what="limit") == 20.0
    beside = rc.inputs("cifar10", topologies=["CNV", mine], platforms=["TX2"], batch=1).sel(phase=["decode"])
    assert unit_of(rc.predict(beside), "predicted_throughput") == "1/s"
    assert swept.SweptSource(rc.Sweep(beside)).unit("predicted_throughput") == "1/s"
    assert swept.SweptSource(rc.Sweep(beside.sel(topology=["transformer"]))).unit("predicted_throughput") == "token/s"
