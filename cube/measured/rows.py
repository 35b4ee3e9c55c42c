"""Take measurements in whatever form a user has them, in the types of the schema; no row is dropped or judged here."""

from __future__ import annotations

from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

import polars as pl

from roofcube import datasets
from roofcube.datasets import schema
from roofcube.datasets.forms.faults import Fault, check_no_faults
from roofcube.datasets.forms.fields import kind_of, read_column
from roofcube.datasets.forms.reading import Sheet, columns_of, hints_of, typed_columns
from roofcube.datasets.forms.table_forms import as_table
from roofcube.errors import InvalidDataError
from roofcube.labels import KEY_COLUMNS

__all__ = [
    "LATENCY",
    "SPEEDS",
    "SYSTEM_LATENCY",
    "SYSTEM_THROUGHPUT",
    "THROUGHPUT",
    "USUAL",
    "WATTS",
    "averaged_repeats",
    "measurement_rows",
    "other_columns",
    "set_aside",
    "trace_rows",
    "with_usual",
    "without_figure",
]

THROUGHPUT, LATENCY = "throughput_compute_per_s", "latency_compute_s"
SYSTEM_THROUGHPUT, SYSTEM_LATENCY = "throughput_system_per_s", "latency_system_s"
WATTS = ("power_base_w", "power_idle_w", "power_full_w")
CLOSED = ("batch_kind",)  # columns whose other texts would mean nothing; those of a label are judged by the gate
USUAL = {name: getattr(schema.Measurement, name) for name in ("mode", "pruning_percent")}
SPEEDS = (THROUGHPUT, LATENCY, SYSTEM_THROUGHPUT, SYSTEM_LATENCY)


def measurement_rows(measurements: Any, *, what: str = "measurements", as_said: bool = False) -> pl.DataFrame:
    """Return a table of measurements whose known columns have their types; a file is read with `read_measurements`.

    `as_said` leaves out the task that is filled in where the file says none, as a table in memory is without.

    Raises
    ------
    InvalidDataError
        If it is no table, the head of a column is a slip of a known one or has another unit, or a value is not of the
        type of its column or not in its range, naming row (from 0) and column.
    """
    from roofcube.files.measurements import read_numbered, slips

    if isinstance(measurements, str | Path):
        numbered = read_numbered(measurements)
        return numbered.said if as_said else numbered.table
    table = as_table(measurements, what=what)
    types = datasets.load_measurements().schema
    hints = hints_of(schema.Measurement)
    faults = slips(table)
    for name in table.columns:
        is_typed = table.schema[name] == types.get(name) and not table.schema[name].is_numeric()
        if name not in hints or (is_typed and name not in CLOSED):
            continue
        kind = kind_of(hints[name])._replace(nullable=True)
        kind = kind if name in CLOSED else kind._replace(choices=())
        given = table[name].fill_nan(None) if table.schema[name].is_float() else table[name]
        column, wrong = read_column(given, kind)
        faults += [Fault(place, name, text) for place, text in wrong]
        table = table.with_columns(column)
    check_no_faults(faults, source=f"`{what}`", header=0)
    return with_usual(table)


def with_usual(table: pl.DataFrame) -> pl.DataFrame:
    """Fill in the mode and the share of channels left where a row says none, as of a file."""
    said = {"mode": pl.col("mode").replace("", None), "pruning_percent": pl.col("pruning_percent").fill_nan(None)}
    return table.with_columns(said[name].fill_null(USUAL[name]) for name in USUAL if name in table.columns)


def trace_rows(traces: Any) -> pl.DataFrame:
    """Return samples of power meters in the types of their schema.

    Raises
    ------
    InvalidDataError
        If it is no table, lacks a column, or has a value that is not of the type of its column.
    """
    table = as_table(traces, what="traces")
    given = set(table.columns)
    figures = (
        {"power_w"} if "power_w" in given or not given & {"voltage_v", "current_a"} else {"voltage_v", "current_a"}
    )
    missing = sorted((set(columns_of(schema.PowerSample)) - {"voltage_v", "current_a", "power_w"} | figures) - given)
    if missing:
        msg = (
            f"`traces`: expected the columns platform, mode, topology, sample, and power_w or voltage_v and current_a, "
            f"got none of the name {', '.join(missing)}; add {'them' if missing[1:] else 'it'}, as "
            "`roofcube.datasets.load_power_traces` has them"
        )
        raise InvalidDataError(msg)
    filled = table.with_columns(
        pl.lit(None, pl.Float64).alias(name) for name in ("voltage_v", "current_a", "power_w") if name not in given
    )
    typed, faults = typed_columns(Sheet.of(filled), schema.PowerSample)
    check_no_faults(faults, source="`traces`", header=0)
    return typed


def averaged_repeats(table: pl.DataFrame, *, least: int, alike: float = 0.0) -> pl.DataFrame:
    """Put the mean of its figures in place of the rows of a configuration.

    Where there are at least so many rows, or where no speed of one is more than `alike` times that of another.
    """
    keys = [name for name in (*KEY_COLUMNS, "batch_kind") if name in table.columns]
    # a speed that no run has tells nothing
    near = [
        (pl.col(name).max() <= alike * pl.col(name).min()).over(keys).fill_null(value=alike >= 1.0)
        for name in SPEEDS
        if name in table.columns
    ]
    repeated = (pl.len().over(keys) >= least) | (pl.all_horizontal(near or pl.lit(False)) & (pl.len().over(keys) > 1))
    many = table.select(repeated.alias("many")).to_series() if keys else pl.Series([], dtype=pl.Boolean)
    if not many.any():
        return table
    first = table.select(pl.int_range(pl.len()).over(keys) == 0).to_series()
    floats = [
        name for name in hints_of(schema.Measurement) if table.schema.get(name) == pl.Float64 and name not in keys
    ]
    means = table.select(pl.col(name).mean().over(keys) for name in floats)
    averaged = table.with_columns(means[name].zip_with(many, table[name]) for name in floats)
    return averaged.filter(first | ~many)


def other_columns(table: pl.DataFrame) -> list[str]:
    """Name the columns that the schema of measurements does not know."""
    known = hints_of(schema.Measurement)
    return [name for name in table.columns if name not in known]


def set_aside(table: pl.DataFrame, name: str) -> pl.DataFrame:
    """Keep a column of the user's own, as `_given`, where a result has one of that name."""
    free = f"{name}_given"
    while free in table.columns:
        free += "_given"
    return table.rename({name: free}, strict=False)


def without_figure(table: pl.DataFrame) -> pl.Series:
    """Return which rows of a table of measurements say nothing that was measured."""
    from roofcube.files.measurements import FIGURES

    figures = [table[name].is_not_null() for name in FIGURES if name in table.columns]
    return ~reduce(or_, figures, pl.repeat(value=False, n=table.height, eager=True))
