"""Runs that went wrong, before and after they are averaged, and what a calibration says of them."""

from __future__ import annotations

import polars as pl
import pytest

import roofcube as rc
from roofcube.calibration.runs import averaged_runs
from roofcube.errors import UnknownLabelError

SPEEDS = {100.0: (620.0, 900.0, 1300.0, 1840.0), 50.0: (1900.0, 2700.0, 3600.0, 4400.0)}
LABELS = {"platform": "Kite", "precision": "INT8", "topology": "CNV"}
KIND = {"precision": "INT8", "batch": [1, 2, 4, 8]}


def rows(**more):
    return [
        {**LABELS, "pruning_percent": kept, "batch": 2**place, "throughput_compute_per_s": speed, **more}
        for kept, speeds in SPEEDS.items()
        for place, speed in enumerate(speeds)
    ]


def timed(factor=1.0, slower=1.0, **more):
    """Give throughput and latency, the throughput times a factor, both times another."""
    return [
        row
        | {
            "throughput_compute_per_s": row["throughput_compute_per_s"] * factor / slower,
            "latency_compute_s": row["batch"] / row["throughput_compute_per_s"] * slower,
        }
        for row in rows(**more)
    ]


@pytest.fixture(scope="module")
def inputs():
    board = rc.hypothetical(name="Kite", peak_compute="1.2 TOP/s", memory_bandwidth="8.5 GB/s", power="4 W")
    return rc.inputs("cifar10", platforms=board, **KIND)


def predicted(given, inputs):
    wanted = pl.DataFrame(rows()).drop("throughput_compute_per_s")
    return rc.calibrate(given, inputs=inputs).predict(wanted, level=None)


@pytest.mark.parametrize(
    ("slip", "reason"),
    [
        ({"factor": 1e-3}, "throughput and latency differ about a thousandfold: a unit is off"),
        ({"slower": 1e3}, "more than a factor of 2 off the other runs of its configuration"),
    ],
)
def test_a_run_that_went_wrong_is_not_averaged(inputs, slip, reason):
    given = timed() * 2 + timed(**slip)
    fitted = rc.calibrate(given, inputs=inputs)
    assert set(fitted.unused["reason"]) == {reason}
    assert fitted.unused["row"].to_list() == list(range(16, 24))
    same = predicted(timed() * 2, inputs)["predicted_throughput"].to_list()
    assert predicted(given, inputs)["predicted_throughput"].to_list() == pytest.approx(same)


def test_of_two_runs_the_one_of_another_unit_is_left_out(inputs):
    fitted = rc.calibrate(timed() + timed(factor=1e-3), inputs=inputs)
    assert fitted.unused["row"].to_list() == list(range(8, 16))


@pytest.mark.parametrize("wrong", [0.0, 3000.0])
def test_watts_that_cannot_be_are_left_out_and_named(inputs, wrong):
    given = rows(power_full_w=3.0)
    given[2]["power_full_w"] = wrong
    with pytest.warns(UserWarning, match=rf"the watts of 1 row are left out.*: row 2 \({wrong:g} W\); check the unit"):
        watts = predicted(given, inputs)["power"]
    assert watts.to_list() == pytest.approx([3.0] * 8)


def test_watts_all_in_another_unit_are_told_by_the_listed_ones(inputs):
    with pytest.warns(UserWarning, match="the watts of 8 rows are left out"):
        assert predicted(rows(power_full_w=3000.0), inputs)["power"].null_count() == 8


def test_0_watts_of_one_run_do_not_halve_those_of_the_other(inputs):
    meter = [row | {"power_full_w": watts} for watts in (3.0, 3.0, 0.0) for row in rows()]
    joined = rc.join(rc.predict(inputs), meter)
    assert set(joined.power_full.values[joined.n_rows.values > 0]) == {3.0}
    assert set(joined.power_full_spread.values[joined.n_rows.values > 0]) == {0.0}
    with pytest.warns(UserWarning, match="the watts of 8 rows are left out"):
        assert predicted(meter, inputs)["power"].to_list() == pytest.approx([3.0] * 8)


@pytest.mark.parametrize("slip", [{"factor": 1e3}, {"slower": 1e-3}])
def test_a_row_left_out_does_not_move_what_is_guessed_of_a_board(slip):
    clean = timed()
    given = [*clean[:3], timed(**slip)[3], *clean[4:]]
    fitted = rc.calibrate(given)
    assert fitted.unused["row"].to_list() == [3]
    without = rc.calibrate([*clean[:3], *clean[4:]])
    wanted = pl.DataFrame(rows()).drop("throughput_compute_per_s")
    found, same = (one.predict(wanted, level=None)["predicted_throughput"] for one in (fitted, without))
    assert found.equals(same)


def test_latencies_beside_a_throughput_count(inputs):
    first, *others = timed()
    given = [{k: v for k, v in first.items() if k != "latency_compute_s"}]
    given += [{k: v for k, v in row.items() if k != "throughput_compute_per_s"} for row in others]
    assert rc.calibrate(given, inputs=inputs).unused.is_empty()


def test_two_runs_of_which_one_has_a_throughput_and_one_a_latency_give_no_row_both(inputs):
    given = [{k: v for k, v in row.items() if k != "throughput_compute_per_s"} for row in timed()]
    again = {k: v for k, v in timed()[0].items() if k != "latency_compute_s"}
    assert rc.calibrate([*given, again], inputs=inputs).unused.is_empty()


@pytest.mark.parametrize(("kind", "idle"), [("batch", 0), ("threads", 8)])
def test_rows_that_gain_nothing_are_out_where_the_batch_is_a_number_of_threads(kind, idle):
    level = [row | {"throughput_compute_per_s": 600.0 / row["pruning_percent"], "batch_kind": kind} for row in rows()]
    other = [row | {"platform": "Wren"} for row in rows()]
    offers = {"peak_compute": "1.2 TOP/s", "memory_bandwidth": "8.5 GB/s"}
    boards = [rc.hypothetical(name=name, **offers) for name in ("Kite", "Wren")]
    both = rc.inputs("cifar10", platforms=boards, **KIND).assign(cores=("platform", [4, 1]))
    assert rc.calibrate([*level, *other], inputs=both).unused.height == idle


def test_what_does_not_count_widens_nothing_and_is_suggested(inputs):
    far = rows()[0] | {"batch": 1024, "throughput_compute_per_s": 2.0}
    fitted = rc.calibrate([*rows(), far], inputs=inputs)
    assert fitted.trust.select("rows", "batch_high").row(0) == (8, 8)
    asked = pl.DataFrame([rows()[0] | {"batch": 2000}])
    assert fitted.predict(asked, level=None)["reason"].item() == "batch outside the measured range"
    mistaken = rows()
    mistaken[5]["throughput_compute_per_s"] /= 1000
    suggested = rc.calibrate(mistaken, inputs=inputs).suggest(3)
    assert suggested.select("pruning_percent", "batch").rows() == [(50.0, 2)]


def test_one_batch_and_rows_without_one_are_told(inputs):
    one = rc.calibrate([row for row in rows() if row["batch"] == 4], inputs=inputs)
    assert "one batch: others lean on" in one.trust["trust"].item()
    lacking = rc.calibrate([*rows(), rows()[0] | {"batch": None}], inputs=inputs)
    assert lacking.unused["reason"].item().startswith("no batch: say how many inputs")


def test_an_own_precision_needs_its_bytes(inputs):
    own = inputs.assign_coords(precision=["INT6"])
    given = [row | {"precision": "INT6"} for row in rows()]
    with pytest.raises(UnknownLabelError, match=r"'INT6' is not known; .* or give `element_bytes` as a variable"):
        rc.calibrate(given, inputs=own)
    fitted = rc.calibrate(given, inputs=own.assign(element_bytes=0.75))
    assert fitted.facts.hardware["Kite", "default", "INT6"].element_bytes == 0.75


def test_runs_are_averaged_whatever_their_order():
    table = pl.DataFrame([row | {"throughput_compute_per_s": 600.0 + row["batch"]} for row in rows()] * 3)
    table = table.with_row_index("row")
    averaged, wrong = averaged_runs(table)
    assert (averaged.height, wrong) == (8, [])


@pytest.mark.parametrize("value", [0.01, "n/a yet"])
def test_columns_of_ones_own_may_have_any_name(inputs, value):
    own = dict.fromkeys(("least", "most", "row", "reason"), value)
    given = rows(power_full_w=4.0)
    plain, fitted = (
        rc.calibrate([*each, each[0] | {"batch": None}], inputs=inputs)
        for each in (given, [row | own for row in given])
    )
    wanted = [row | {"power_full_w": None} for row in given]
    assert fitted.predict(wanted, level=None).equals(plain.predict(wanted, level=None))
    left = fitted.unused
    assert left.select("row", "reason").equals(plain.unused.select("row", "reason"))
    assert left.select("least", "most", "row_given", "reason_given").row(0) == (value,) * 4
    again = rc.calibrate(pl.concat([left, pl.DataFrame(given)], how="diagonal_relaxed"), inputs=inputs).unused
    assert again["row_given_given"].to_list() == [8]


def test_a_dim_of_ones_own_may_be_called_row(inputs):
    cut = inputs.assign_coords(row="a")
    given = [row | {"row": label} for label in "ab" for row in rows()]
    with pytest.warns(UserWarning, match="8 of 16 rows are left out: `inputs` are those of row 'a'"):
        assert rc.calibrate(given, inputs=cut).trust["rows"].item() == 8
