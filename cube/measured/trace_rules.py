"""Rules on samples of power meters: impossible and stuck ones, and rows whose power is the highest sample."""

from __future__ import annotations

import polars as pl

from roofcube.measured.findings import FINDING_COLUMNS, finding_lines

__all__ = ["trace_findings"]

USB_VOLTS = (4.75, 5.25)  # USB 2.0 supply range at the device, section 7.2.2 of the specification
STUCK_RUN = 25  # equal samples in a row; honest runs of the embedded meters reach 19


def trace_findings(table: pl.DataFrame, traces: pl.DataFrame) -> list[pl.DataFrame]:
    """Judge the samples of traces, and by them the power of measured rows."""
    return [_impossible_volts(traces), _stuck_samples(traces), _maximum_as_power(table, traces)]


def _numbered_samples(traces: pl.DataFrame) -> pl.DataFrame:
    place = pl.format("{} {} {} sample {}", "platform", "mode", "topology", "sample")
    return traces.with_row_index("row").with_columns(source_row=place)


def _impossible_volts(traces: pl.DataFrame) -> pl.DataFrame:
    low, high = USB_VOLTS
    volts = pl.col("voltage_v")
    rows = (
        _numbered_samples(traces)
        .filter((volts < low) | (volts > high))
        .with_columns(value=volts, limit=pl.when(volts < low).then(pl.lit(low)).otherwise(pl.lit(high)))
    )
    return finding_lines(
        rows,
        "traces",
        "impossible_sample",
        "voltage_v",
        "outside the supply range of 4.75 to 5.25 V",
        "leave the sample out of means and maxima",
    )


def _stuck_samples(traces: pl.DataFrame) -> pl.DataFrame:
    reading = pl.struct("platform", "mode", "topology", "voltage_v", "current_a", "power_w").rle_id()
    rows = (
        _numbered_samples(traces)
        .with_columns(_run=reading)
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


def _maximum_as_power(table: pl.DataFrame, traces: pl.DataFrame) -> pl.DataFrame:
    """Tell rows whose power under load is the highest meter sample from rows that hold a mean."""
    if "power_full_w" not in table.columns:
        return pl.DataFrame(schema=FINDING_COLUMNS)
    watts = pl.coalesce("power_w", pl.col("voltage_v") * pl.col("current_a"))
    bad = pl.concat([_impossible_volts(traces), _stuck_samples(traces)])["row"].unique()
    usable = traces.with_row_index("row").filter(~pl.col("row").is_in(bad.implode()))
    key = ["platform", "mode", "topology"]
    highest = traces.group_by(key).agg(highest=watts.max())
    means = usable.group_by(key).agg(mean=watts.mean(), usable_highest=watts.max())
    rows = table.join(highest, on=key, how="inner").join(means, on=key, how="left").sort("row")
    full = pl.col("power_full_w")
    is_highest = ((full / pl.col("highest") - 1.0).abs() < 1e-3) | (
        (full / pl.col("usable_highest") - 1.0).abs() < 1e-3
    )
    rows = rows.filter(is_highest).with_columns(value=full, limit=pl.col("mean"))
    return finding_lines(
        rows,
        "measurements",
        "power_is_maximum",
        "power_full_w",
        "power under load is the highest meter sample, not the mean",
        "compare with the mean of the trace",
    )
