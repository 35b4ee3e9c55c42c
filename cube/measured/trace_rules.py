"""Rules on samples of power meters: impossible and stuck ones, and rows whose power is the highest sample."""

from __future__ import annotations

import polars as pl

from roofcube.measured.findings import FINDING_COLUMNS, finding_lines

__all__ = ["trace_findings"]

USB_VOLTS = (4.75, 5.25)  # USB 2.0 supply range at the device, section 7.2.2 of the specification
NEAR_USB = (4.5, 5.5)  # medians of traces of a supply that can be meant to be USB
STUCK_RUN = 25  # equal samples in a row; honest runs of the embedded meters reach 19
SAME = 1e-3  # powers that differ by less are one
TRACE = ("platform", "mode", "topology")
FIGURES = ("voltage_v", "current_a", "power_w")


def trace_findings(table: pl.DataFrame, traces: pl.DataFrame) -> list[pl.DataFrame]:
    """Judge the samples of traces, and by them the power of measured rows."""
    return [_impossible_volts(traces), _stuck_samples(traces), _maximum_as_power(table, traces)]


def _numbered_samples(traces: pl.DataFrame) -> pl.DataFrame:
    place = pl.format("{} {} {} sample {}", "platform", "mode", "topology", "sample")
    return traces.with_row_index("row").with_columns(source_row=place)


def _impossible_volts(traces: pl.DataFrame) -> pl.DataFrame:
    """Find samples outside the range of USB in traces that are of such a supply; others may have any voltage."""
    low, high = USB_VOLTS
    volts = pl.col("voltage_v")
    rows = (
        _numbered_samples(traces)
        .filter(volts.median().over(TRACE).is_between(*NEAR_USB) & ((volts < low) | (volts > high)))
        .with_columns(value=volts, limit=pl.when(volts < low).then(pl.lit(low)).otherwise(pl.lit(high)))
    )
    return finding_lines(
        rows,
        "traces",
        "impossible_sample",
        "voltage_v",
        "outside 4.75 to 5.25 V, the supply range of USB: the median of the trace is 4.5 to 5.5 V",
        "leave the sample out of means and maxima",
    )


def _stuck_samples(traces: pl.DataFrame) -> pl.DataFrame:
    # a table may hold traces side by side, and of one trace several runs that count from the same sample
    run = pl.int_range(pl.len()).over(*TRACE, "sample")
    rows = (
        _numbered_samples(traces)
        .sort(*TRACE, run, "sample")
        .filter(pl.any_horizontal(pl.col(FIGURES).is_not_null()))
        .with_columns(_run=pl.struct(*TRACE, *FIGURES).rle_id())
        .with_columns(value=pl.len().over("_run").cast(pl.Float64), limit=pl.lit(float(STUCK_RUN)))
    )
    return finding_lines(
        rows.filter(pl.col("value") >= STUCK_RUN),
        "traces",
        "stuck_sample",
        "current_a",
        "the meter shows the same reading too often in a row",
        "leave the run out",
    )


def _is_same(power: pl.Expr, column: str) -> pl.Expr:
    return (power / pl.col(column) - 1.0).abs() < SAME


def _maximum_as_power(table: pl.DataFrame, traces: pl.DataFrame) -> pl.DataFrame:
    """Tell rows whose power under load is the highest meter sample, and not the mean as well, as of a steady load."""
    if "power_full_w" not in table.columns:
        return pl.DataFrame(schema=FINDING_COLUMNS)
    watts = pl.coalesce("power_w", pl.col("voltage_v") * pl.col("current_a"))
    bad = pl.concat([_impossible_volts(traces), _stuck_samples(traces)])["row"].unique()
    usable = traces.with_row_index("row").filter(~pl.col("row").is_in(bad.implode()))
    highest = traces.group_by(TRACE).agg(_highest=watts.max(), _mean_of_all=watts.mean())
    means = usable.group_by(TRACE).agg(_mean=watts.mean(), _usable_highest=watts.max())
    rows = table.join(highest, on=TRACE, how="inner").join(means, on=TRACE, how="left").sort("row")
    rows = rows.with_columns(_mean=pl.coalesce("_mean", "_mean_of_all"))
    full = pl.col("power_full_w")
    is_highest = _is_same(full, "_highest") | _is_same(full, "_usable_highest").fill_null(value=False)
    rows = rows.filter(is_highest & ~_is_same(full, "_mean")).with_columns(value=full, limit=pl.col("_mean"))
    return finding_lines(
        rows,
        "measurements",
        "power_is_maximum",
        "power_full_w",
        "power under load is the highest meter sample, not the mean",
        "compare with the mean of the trace",
    )
