"""Every form of a table gives the same table."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr

import roofcube as rc
from roofcube import read_measurements, read_network
from roofcube.datasets.forms.table_forms import as_sheet, as_table, is_table
from roofcube.errors import InvalidDataError, MemoryLimitError

COLUMNS = {"platform": ["A", "B", None], "batch": [1, 2, 3], "watts": [1.5, None, 2.5]}
TABLE = pl.DataFrame(COLUMNS)


class Arrow:
    """What only offers an Arrow stream."""

    def __arrow_c_stream__(self, requested_schema=None):
        return TABLE.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize(
    "form",
    [
        TABLE,
        TABLE.lazy(),
        TABLE.with_columns(pl.col("platform").cast(pl.Categorical)),
        TABLE.with_columns(pl.col("platform").cast(pl.Enum(["A", "B"]))),
        COLUMNS,
        {name: TABLE[name] for name in COLUMNS},
        TABLE.to_dicts(),
        pd.DataFrame(COLUMNS),
        pd.DataFrame(COLUMNS).astype({"platform": "category"}),
        pd.DataFrame(COLUMNS).convert_dtypes(),
        pd.DataFrame(COLUMNS).set_index("platform"),
        Arrow(),
    ],
    ids=lambda form: type(form).__name__,
)
def test_every_form_gives_the_same_table(form):
    assert is_table(form) or isinstance(form, list)
    assert as_table(form, what="rows").equals(TABLE)


WIDE = [getattr(pl, name) for name in ("Int128", "UInt128") if hasattr(pl, name)] + [
    pl.Decimal(38, 0),
    pl.Decimal(38, 4),
]


@pytest.mark.parametrize("dtype", WIDE, ids=str)
def test_wide_numbers_are_read_as_plain_ones_where_these_are_the_same(dtype):
    batches = pl.Series("batch", [1, None, 2**62 + 1])
    assert as_table({"batch": batches.cast(dtype)}, what="rows")["batch"].equals(batches)
    large = pl.Series("lab", [3 * 2**65, 1]).cast(dtype) if dtype.is_integer() else pl.Series("lab", [2.5], dtype=dtype)
    assert as_table({"lab": large}, what="rows")["lab"].to_list() == [float(one) for one in large]
    mnist = rc.datasets.load_measurements("mnist").head(3).with_columns(batch=pl.Series([1, 2, 2**53 + 1], dtype=dtype))
    assert read_measurements(mnist)["batch"].to_list() == [1, 2, 2**53 + 1]


@pytest.mark.parametrize("dtype", WIDE, ids=str)
def test_wide_numbers_that_no_plain_one_holds_are_refused_by_row_and_column(dtype):
    number = 2**70 + 1
    rows = {"lab": pl.Series(["1", str(number)]).cast(dtype)}
    message = rf"`rows` \(rows from 0\), row 1, column 'lab': got {number}.*; expected whole numbers of 64 bits"
    with pytest.raises(InvalidDataError, match=message):
        as_table(rows, what="rows")


@pytest.mark.parametrize("dtype", [pl.Int64, pl.String])
def test_whole_numbers_beyond_those_of_floats_are_read_as_they_are(dtype):
    batches = pl.Series([2**53 + 1, 2**60 - 1, 3])
    mnist = rc.datasets.load_measurements("mnist").head(3).with_columns(batch=batches.cast(dtype))
    assert read_measurements(mnist)["batch"].to_list() == batches.to_list()


def test_extra_columns_of_wide_numbers_are_kept_in_a_calibration(tmp_path):
    rows = rc.datasets.load_measurements("mnist").filter(platform="TX2").head(20)
    rows = rows.with_columns(lab=pl.lit(7).cast(pl.Int128), price=pl.lit("2.5").cast(pl.Decimal(9, 2)))
    rc.calibrate(rows).save(tmp_path / "own.json")
    assert rc.load_calibration(tmp_path / "own.json").rows.height == 20


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
def test_files_give_the_same_table(tmp_path, suffix):
    path = tmp_path / f"rows.{suffix}"
    if suffix == "parquet":
        TABLE.write_parquet(path)
    else:
        TABLE.write_csv(path, separator="," if suffix == "csv" else "\t")
    assert as_table(path, what="rows").equals(TABLE)
    assert as_table(str(path), what="rows").equals(TABLE)
    assert is_table(str(path))


def test_a_mapping_of_single_values_is_a_row_and_one_beside_columns_is_repeated():
    assert as_table({"a": 1, "b": "x"}, what="rows").rows() == [(1, "x")]
    assert as_table({"a": "p", "b": np.array([1, 2])}, what="rows").rows() == [("p", 1), ("p", 2)]


def test_rows_may_lack_columns():
    assert as_table([{"a": 1}, {"b": "x"}], what="rows").rows() == [(1, None), (None, "x")]


def test_text_that_only_looks_like_numbers_stays_text(tmp_path):
    (tmp_path / "x.csv").write_text("code,version,count,share\n007,1.10.2,1,2.5\n010,1.2,2,\n")
    kinds = as_table(tmp_path / "x.csv", what="rows").dtypes
    assert kinds == [pl.String, pl.String, pl.Int64, pl.Float64]


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (pd.Series({"platform": "TX2"}), "`rows`: expected the name of a file, .* got Series; give one of them"),
        (3, "`rows`: expected the name of a file, a DataFrame or a dict of columns, got int; give one of them"),
        ([1, 2], "got list"),
        ({"a": [1], "b": [1, 2]}, r"`rows`: expected columns of one length, got \[1, 2\]"),
        ({}, r"expected columns of one length, got none"),
        (pl.Series([1]), "got Series; give one of them"),
        (xr.Dataset({"a": ("x", [1])}), "got Dataset; give one of them"),
        (
            pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])),
            "`rows`: expected columns of one level, got 2; flatten their names",
        ),
        ({"a": ["\ud800"]}, "column 'a': cannot be held in a table"),
        ({"a": [0.5, True, 2]}, r"column 'a', row 1 \(from 0\): got True among numbers; write numbers alone"),
        (pd.DataFrame({"a": [1, False]}), r"column 'a', row 1 \(from 0\): got False among numbers"),
        ({"a": [1.0, 10**400]}, r"column 'a', row 1 \(from 0\): got 1000.*, which does not fit a column of Float64"),
        ({"a": [1, -(10**400)]}, r"column 'a', row 1 \(from 0\): got -1000.*, which does not fit a column of Float64"),
        (
            pl.LazyFrame({"a": [1]}).with_columns(pl.col("b")),
            "`rows`: the LazyFrame cannot be read .*give a DataFrame of it",
        ),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "`rows`: column 'a' is there twice; keep one"),
    ],
)
def test_what_is_no_table_is_told(form, message):
    with pytest.raises(InvalidDataError, match=message):
        as_table(form, what="rows")


def test_files_that_cannot_be_read_are_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.csv: there is no such file"):
        as_table(tmp_path / "none.csv", what="rows")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1")
    with pytest.raises(InvalidDataError, match=r"torn\.parquet: not readable as Parquet"):
        as_table(tmp_path / "torn.parquet", what="rows")
    (tmp_path / "x.csv").write_text("a,b\n1\n2,3\n4,5,6\n")
    with pytest.raises(InvalidDataError, match=r"x\.csv: 2 faults\n  row 2: got 1 fields.*\n  row 4: got 3 fields"):
        as_table(tmp_path / "x.csv", what="rows")
    with pytest.raises(InvalidDataError, match="`sep`: only for text files, got a DataFrame"):
        as_sheet(TABLE, what="rows", sep=";")


@pytest.mark.parametrize("cell", [[1.0], {"x": 1}, timedelta(seconds=1), b"1", object()])
@pytest.mark.parametrize("column", ["power_full_w", "topology", "batch"])
def test_columns_of_what_is_neither_number_nor_text_are_told(cell, column):
    row = {"topology": "A", "platform": "B", "precision": "FP16", "batch": 1, "throughput_compute_per_s": 1.0}
    table = pl.DataFrame([row]).with_columns(pl.Series(column, [cell]))
    with pytest.raises(InvalidDataError, match=rf"column '{column}': got .*; expected a column of (text|numbers)"):
        read_measurements(table)


def test_names_that_differ_by_blanks_alone_are_told():
    for read in (read_measurements, read_network):
        with pytest.raises(
            InvalidDataError, match="column 'topology' is there twice, once with blanks around its name"
        ):
            read({"topology": ["A"], " topology": ["B"], "ops": [1e9], "params": [1e6]})


def test_nothing_else_is_a_table():
    assert not any(map(is_table, ("TX2", 3, None, ["TX2"], pl.Series([1]), xr.Dataset())))


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        (
            {"a": ["x"] * 400_000},
            MemoryLimitError,
            r"expected a table within 5 MB, got 400,000 rows of 1 columns, 6.4 MB",
        ),
        ({f"c{k}": [1] for k in range(1001)}, InvalidDataError, "expected at most 1,000 columns, got 1,001"),
        ({"a": ["x" * 140_000]}, InvalidDataError, "column 'a': expected text of at most 131,072 bytes, got more"),
    ],
)
def test_a_parquet_file_that_is_larger_than_it_looks_is_refused(tmp_path, columns, error, message):
    path = tmp_path / "table.parquet"
    pl.DataFrame(columns).write_parquet(path)
    with rc.set_options(memory="5 MB"), pytest.raises(error, match=message):
        as_table(path, what="source")


def test_text_that_does_not_fit_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a\n" * 50_000)
    with (
        rc.set_options(memory="1 MB"),
        pytest.raises(MemoryLimitError, match=r"table\.csv: expected a file within 0\.062 MB"),
    ):
        as_table(path, what="source")


def test_an_index_of_pandas_named_like_a_column_is_that_column_or_told():
    table = pd.DataFrame(COLUMNS)
    expected = as_table(table, what="rows")
    for index in ("platform", ["platform", "batch"], ["watts", pd.Index([5, 6, 7])]):
        assert as_table(table.set_index(index, drop=False), what="rows").equals(expected)
    runs = as_table(table.set_index([table["batch"], pd.Index([5, 6, 7], name="run")]), what="rows")
    assert runs.equals(expected.select(pl.Series("run", [5, 6, 7]), *expected.columns))
    with pytest.raises(InvalidDataError, match="`rows`: the index 'batch' and the column 'batch' differ; rename one"):
        as_table(table.set_index(pd.Index([1, 2, 4], name="batch")), what="rows")
    with pytest.raises(InvalidDataError, match=r"`rows`: the index cannot become columns .*names of their own"):
        as_table(table.set_index([pd.Index([1, 2, 3], name="run")] * 2), what="rows")
