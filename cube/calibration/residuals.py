"""How far each row is from what the calibration says, and why: left out by rule, mistaken, or odd."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from roofcube.labels import KEY_COLUMNS

if TYPE_CHECKING:
    from roofcube.calibration.fitted import Fitted

__all__ = ["off_by", "residual_table"]

Array = np.ndarray[Any, np.dtype[Any]]

# a row is odd that is off by more than one in ten predictions of networks never seen is
ODD = float(np.log(1.25))
# slips that leave a trace in the factor, and how near it must be, in ln
SLIPS = {
    1e3: "a unit (ms for s, or thousands)",
    1e6: "a unit (us for s, or millions)",
    2.0: "a multiply-accumulate counted as one operation or two, or half of the device",
}
NEARNESS = 0.15


def residual_table(calibration: Fitted) -> pl.DataFrame:
    """Return every row that was given, as measured and as the calibration has it; see `Calibration.rows`."""
    data = calibration.data
    rate, unknown = np.full(len(data), np.nan), np.full(len(data), np.nan)
    known = np.flatnonzero(data.rows.known & (data.rows.batch > 0))
    if len(known):
        rows = data.rows.take(known)
        rate[known] = calibration.columns(rows, unknown[known], None)["predicted_throughput"]
    with np.errstate(invalid="ignore", divide="ignore"):
        off = np.log(data.rows.batch / rate) - data.seconds
    used = data.usable & ~calibration.mistaken
    why = [
        reason or _why(float(one), mistaken=bool(wrong))
        for reason, one, wrong in zip(data.reason.tolist(), off, calibration.mistaken, strict=True)
    ]
    factor = np.exp(off)
    return data.table.select("row", *KEY_COLUMNS).with_columns(
        family=pl.Series(data.rows.family().tolist(), dtype=pl.String),
        measured_throughput=data.table["throughput_compute_per_s"].cast(pl.Float64),
        predicted_throughput=pl.Series(rate).fill_nan(None),
        measured_over_predicted=pl.Series(np.where(np.isfinite(factor), factor, np.nan)).fill_nan(None),
        used=pl.Series(used),
        why=pl.Series(why, dtype=pl.String),
    )


def off_by(off: float) -> str:
    """Say how far a row is off, and which slip is of that size; `off` is ln of measured ÷ predicted throughput."""
    size = float(np.exp(abs(off)))
    text = f"{size:.3g} times {'faster' if off > 0 else 'slower'} than the other rows say"
    slip = next((what for factor, what in SLIPS.items() if abs(abs(off) - np.log(factor)) < NEARNESS), None)
    if slip is None and np.log(500.0) < abs(off) < np.log(2000.0):
        slip = SLIPS[1e3]
    return text if slip is None else f"{text}: perhaps {slip}"


def _why(off: float, *, mistaken: bool) -> str | None:
    if mistaken:
        return f"a mistake, which does not count: {off_by(off)}"
    return off_by(off) if abs(off) > ODD else None
