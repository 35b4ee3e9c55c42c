"""Whoever takes measurements takes them in any form, with the same outcome."""

from __future__ import annotations

import re

import pandas as pd
import polars as pl
import pytest

import roofcube as rc
from roofcube.errors import InvalidDataError
from roofcube.measured.rows import averaged_repeats, measurement_rows

ROWS = rc.datasets.load_measurements("mnist").filter(pl.col("platform") == "TX2").head(20)
LABELS = ("platform", "topology", "precision")
FORMS = {
    "LazyFrame": lambda _: ROWS.lazy(),
    "Categorical": lambda _: ROWS.with_columns(pl.col(LABELS).cast(pl.Categorical)),
    "Enum": lambda _: ROWS.with_columns(pl.col("mode").cast(pl.Enum(ROWS["mode"].unique().to_list()))),
    "pandas": lambda _: pd.DataFrame(ROWS.to_dict(as_series=False)),
    "pandas index": lambda _: pd.DataFrame(ROWS.to_dict(as_series=False)).set_index(["platform", "batch"]),
    "columns": lambda _: ROWS.to_dict(as_series=False),
    "rows": lambda _: ROWS.to_dicts(),
    "numbers as text": lambda _: ROWS.with_columns(pl.col("batch", "latency_compute_s").cast(pl.String)),
    "small numbers": lambda _: ROWS.with_columns(pl.col("batch").cast(pl.UInt8)),
    "csv": lambda folder: written(folder, "csv"),
    "parquet": lambda folder: written(folder, "parquet"),
}


def written(folder, suffix):
    path = folder / f"rows.{suffix}"
    getattr(ROWS, f"write_{suffix}")(path)
    return path


@pytest.mark.parametrize("form", FORMS)
def test_any_form_of_a_table_is_judged_and_joined_alike(tmp_path, form):
    table = FORMS[form](tmp_path)
    assert measurement_rows(table).select(ROWS.columns).equals(ROWS)
    assert rc.check(table).equals(rc.check(ROWS))
    cube = rc.predict(rc.inputs("mnist", platforms="TX2"))
    assert rc.join(cube, table).identical(rc.join(cube, ROWS))
    other = rc.predict(rc.inputs("mnist", platforms="NCS2"))
    lost = rc.unmatched(other, table)
    assert lost.select(ROWS.columns).equals(ROWS)


def test_a_kind_of_batch_that_is_none_is_refused_as_in_a_file(tmp_path):
    wrong = ROWS.head(2).with_columns(batch_kind=pl.Series(["threads", "Threads"]))
    wrong.write_csv(tmp_path / "rows.csv")
    for table, row in ((tmp_path / "rows.csv", 3), (wrong, 1), (wrong.to_dicts(), 1)):
        message = (
            rf"row {row}, column 'batch_kind': got 'Threads'; expected one of batch, threads; did you mean 'threads'"
        )
        with pytest.raises(InvalidDataError, match=message):
            measurement_rows(table)
    for said in (["threads", None], [" threads ", ""], [None, None]):
        kinds = measurement_rows(wrong.with_columns(batch_kind=pl.Series(said, dtype=pl.String)))["batch_kind"]
        assert kinds.to_list() == ["threads" if said[0] else None, None]


def test_calibration_takes_any_form(tmp_path):
    rows = rc.datasets.load_measurements("mnist").filter(pl.col("platform") == "NCS2")
    calibration = rc.calibrate(rows)
    assert rc.calibrate(rows.to_dicts()).parameters.equals(calibration.parameters)
    wanted = rows.select("platform", "mode", "precision", "topology", "pruning_percent", "batch").head(3)
    wanted.write_csv(tmp_path / "wanted.csv")
    expected = calibration.predict(wanted)
    assert calibration.predict(wanted.to_dict(as_series=False)).equals(expected)
    assert calibration.predict(tmp_path / "wanted.csv").equals(expected)
    other = wanted.with_columns(batch=pl.lit(3))
    chosen = calibration.suggest(1, candidates=pd.DataFrame(other.to_dict(as_series=False)))
    assert chosen.height == 1
    assert chosen.equals(calibration.suggest(1, candidates=other))


@pytest.mark.parametrize("modes", [[None, None], ["", "default"], [float("nan")] * 2])
@pytest.mark.parametrize("frame", [pl.DataFrame, pd.DataFrame])
def test_a_row_that_says_no_mode_is_in_the_usual_one(frame, modes):
    row = {"task": "mnist", "topology": "MLP", "platform": "NCS2", "precision": "FP16", "pruning_percent": 100.0}
    table = frame(
        {**{name: [one] * 2 for name, one in row.items()}, "batch": [1, 2], "mode": modes, "latency_compute_s": 0.01}
    )
    assert measurement_rows(table)["mode"].to_list() == ["default", "default"]
    assert int(rc.join(rc.predict(rc.inputs("mnist")), table).n_rows.sum()) == 2
    assert "unknown_label" not in rc.check(table)["rule"].to_list()


@pytest.mark.parametrize("shares", [[None, None], [float("nan"), 100.0], ["", "100 %"], ["", ""]])
@pytest.mark.parametrize("frame", [pl.DataFrame, pd.DataFrame])
def test_a_row_that_says_no_share_is_of_the_whole_network_as_in_a_file(tmp_path, frame, shares):
    row = {"task": "mnist", "topology": "MLP", "platform": "NCS2", "precision": "FP16", "mode": "default"}
    columns = {
        **{name: [one] * 2 for name, one in row.items()},
        "batch": [1, 2],
        "pruning_percent": shares,
        "latency_compute_s": 0.01,
    }
    table, path = frame(columns), tmp_path / "rows.csv"
    pl.DataFrame(columns).write_csv(path)
    for given in (table, str(path)):
        assert measurement_rows(given)["pruning_percent"].to_list() == [100.0, 100.0]
        assert rc.read_measurements(given)["pruning_percent"].to_list() == [100.0, 100.0]
        assert int(rc.join(rc.predict(rc.inputs("mnist")), given).n_rows.sum()) == 2
        assert rc.unmatched(rc.inputs("mnist"), given).is_empty()
        assert "unknown_label" not in rc.check(given)["rule"].to_list()


def test_nan_is_no_measurement():
    holed = ROWS.with_columns(throughput_compute_per_s=pl.lit(float("nan")))
    assert rc.check(holed).equals(rc.check(ROWS.with_columns(throughput_compute_per_s=pl.lit(None, pl.Float64))))


@pytest.mark.parametrize("call", [rc.check, rc.calibrate, lambda table: rc.unmatched(rc.inputs("mnist"), table)])
def test_what_is_no_table_of_measurements_is_told(call):
    with pytest.raises(InvalidDataError, match="`measurements`: expected the name of a file, a DataFrame or a dict"):
        call(3)
    with pytest.raises(
        InvalidDataError, match=r"`measurements` \(rows from 0\): 20 faults\n  row 0, column 'batch': got 'x'"
    ):
        call(ROWS.with_columns(batch=pl.lit("x")))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("latency_compute_s", -0.1, "got -0.1; input should be greater than 0"),
        ("throughput_compute_per_s", 0.0, "got 0.0; input should be greater than 0"),
        ("top1_percent", 870.0, "got 870.0; input should be less than or equal to 100"),
        ("power_full_w", float("inf"), "got inf; input should be a finite number"),
        ("batch", 0, "got 0; input should be greater than or equal to 1"),
    ],
)
@pytest.mark.parametrize("call", [rc.check, rc.calibrate, lambda table: rc.join(rc.inputs("mnist"), table)])
def test_values_that_no_file_may_hold_are_refused_in_memory_too(call, name, value, message):
    wrong = ROWS.with_columns(pl.when(pl.int_range(pl.len()) == 3).then(value).otherwise(name).alias(name))
    with pytest.raises(InvalidDataError, match=re.escape(f"row 3, column '{name}': {message}")):
        call(wrong.cast({name: ROWS.schema[name]}))


SLIPS = [
    ("latency_compute_ms", "wrong unit 'ms'; multiply by 0.001 and name it 'latency_compute_s'"),
    ("throughput_compute", "a column says its unit; did you mean 'throughput_compute_per_s'?"),
    ("latencyy_compute_s", "did you mean 'latency_compute_s'"),
    ("latency_compute (ms)", "column 'latency_compute (ms)' may say 'latency_compute_s'; read the table with `read_m"),
    ("Batch", "column 'Batch' may say 'batch'; read the table with `read_measurements`"),
]


@pytest.mark.parametrize(("head", "message"), SLIPS)
def test_heads_that_read_measurements_would_not_keep_are_refused(head, message):
    named = ROWS.select("topology", "platform", "mode", "precision", "pruning_percent", "power_full_w")
    table = named.with_columns(pl.lit(1.0).alias(head), row_of_mine=1)
    cube = rc.inputs("mnist", platforms="TX2")
    for call in (rc.check, rc.calibrate, lambda one: rc.join(cube, one), lambda one: rc.unmatched(cube, one)):
        with pytest.raises(InvalidDataError, match=re.escape(message)):
            call(table)


def test_heads_that_read_measurements_was_told_to_keep_are_no_slips():
    kept = {"latency_compute (ms)": None, "throughput_compute": None, "unit": None}
    table = ROWS.with_columns(pl.lit(1.0).alias(name) for name in list(kept)[:2]).with_columns(unit=pl.lit("ms"))
    read = rc.read_measurements(table, columns=kept)
    assert set(kept) <= set(measurement_rows(read).columns)


def test_calibration_takes_the_mean_of_repeats_but_no_side_of_a_pair_that_differs():
    rows = rc.datasets.load_measurements("mnist").filter(pl.col("platform") == "NCS2")
    speed = pl.col("throughput_compute_per_s")
    runs = pl.concat([rows.with_columns(speed * factor) for factor in (0.9, 1.0, 1.1)])
    calibration = rc.calibrate(runs)
    assert calibration.data.table.height == rows.height
    assert calibration.data.table["throughput_compute_per_s"].to_list() == pytest.approx(
        rows["throughput_compute_per_s"].to_list()
    )
    with pytest.raises(InvalidDataError, match="the same configuration was measured more than once"):
        rc.calibrate(runs.head(2 * rows.height))
    near = pl.concat([rows, rows.with_columns(speed * 1.02)])
    assert rc.calibrate(near).data.table["throughput_compute_per_s"].to_list() == pytest.approx(
        (1.01 * rows["throughput_compute_per_s"]).to_list()
    )


def test_a_mean_of_repeats_leaves_out_what_is_not_known():
    runs = ROWS[[0, 0, 0, 1, 1]].with_columns(power_full_w=pl.Series([1.0, None, 3.0, 5.0, None]))
    assert averaged_repeats(runs, least=3)["power_full_w"].to_list() == [2.0, 5.0, None]
    assert averaged_repeats(runs, least=4).equals(runs)
    assert averaged_repeats(runs, least=4, alike=1.0)["power_full_w"].to_list() == [2.0, 5.0]


def test_runs_with_another_meaning_of_their_batch_are_no_repeats():
    runs = ROWS[[0, 0, 0, 0]].with_columns(
        power_full_w=pl.Series([1.0, 3.0, 7.0, 9.0]), batch_kind=pl.Series(["batch", "batch", "threads", "threads"])
    )
    assert averaged_repeats(runs, least=2)["power_full_w"].to_list() == [2.0, 8.0]
