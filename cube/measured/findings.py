"""The table of findings: its columns, and how rows that break a rule become its lines."""

from __future__ import annotations

import polars as pl

from roofcube.vocabulary import GRADES

__all__ = ["FINDING_COLUMNS", "finding_lines", "no_numbers"]

FINDING_COLUMNS: dict[str, type[pl.DataType]] = {
    "row": pl.Int64,
    "table": pl.String,
    "source_row": pl.String,
    "rule": pl.String,
    "grade": pl.String,
    "column": pl.String,
    "value": pl.Float64,
    "limit": pl.Float64,
    "ratio": pl.Float64,
    "finding": pl.String,
    "action": pl.String,
}


def finding_lines(rows: pl.DataFrame, table: str, rule: str, column: str, finding: str, action: str) -> pl.DataFrame:
    """Return the lines of rows that break a rule; they have `row`, `source_row`, `value` and `limit`."""
    return rows.with_columns(
        table=pl.lit(table),
        rule=pl.lit(rule),
        grade=pl.lit(GRADES[rule]),
        column=pl.lit(column),
        ratio=pl.col("value") / pl.col("limit"),
        finding=pl.lit(finding),
        action=pl.lit(action),
    ).select(list(FINDING_COLUMNS))


def no_numbers(rows: pl.DataFrame) -> pl.DataFrame:
    """Add empty `value` and `limit`, for what is no matter of numbers."""
    return rows.with_columns(value=pl.lit(None, pl.Float64), limit=pl.lit(None, pl.Float64))
