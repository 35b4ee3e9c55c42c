"""Measured rows made ready for fitting: logarithms, indices, and by rule which rows are left out and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from roofcube.calibration.facts import Facts, guessed
from roofcube.calibration.rows import UNCOUNTABLE, IndexedRows, empty_cells, indexed_rows, key_columns
from roofcube.errors import InvalidDataError
from roofcube.labels import KEY_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from roofcube.calibration.fitting.borrowed import Lender

__all__ = ["INTERVAL", "Measured", "fastest", "measured", "unit_off", "with_throughput"]

Array = np.ndarray[Any, np.dtype[Any]]

INTERVAL = "initiation_interval_s"
RATE, LATENCY = "throughput_compute_per_s", "latency_compute_s"
# threads on several cores must add at least this much, else something else was measured
GAIN_OF_CORES = 1.2
# transforms that need fewer products (Winograd) and boost clocks do more operations than the listed peak; beyond this
# factor the row or the peak is wrong
ABOVE_THE_LISTED_PEAK = 1.5
# no throughput [1/s] is less, nor its inverse more: beyond, sums overflow
SLOWEST = 1e-30
# rows of one family that are fitted to: what they cost grows as the cube, what more of them tell hardly
MOST_ROWS, SEED = 3000, 20210


@dataclass(frozen=True)
class Measured:
    """Rows with compute throughput, and what may be fitted to.

    Attributes
    ----------
    table : DataFrame
        The rows as given, with `row` (place in the given table; of averaged repeats the first).
    seconds : array
        ln of the seconds per batch.
    power : array
        ln of watts under load; NaN where unknown.
    interval : array
        Initiation interval [s] of dataflow designs; NaN where not given.
    reason : array of str
        Why a row is not fitted to; empty where it is.
    lenders : tuple of Lender
        Boards of other tables that teach what has few rows.
    """

    table: pl.DataFrame
    facts: Facts
    rows: IndexedRows
    seconds: Array
    power: Array
    interval: Array
    reason: Array
    lenders: tuple[Lender, ...] = ()

    def __len__(self) -> int:
        return len(self.seconds)

    def take(self, index: Array) -> Measured:
        """Return some of the rows."""
        return Measured(
            self.table[index], self.facts, self.rows.take(index), self.seconds[index], self.power[index],
            self.interval[index], self.reason[index], self.lenders,
        )  # fmt: skip

    @property
    def usable(self) -> Array:
        """True where a row may be fitted to."""
        usable: Array = self.reason == ""
        return usable

    @property
    def scored(self) -> Array:
        """True where a prediction can be scored: throughput, hardware and network known, key not ambiguous."""
        return ~np.isin(self.reason, UNSCORED) & self.rows.known & (self.rows.batch > 0)

    def by_family(self) -> Iterator[tuple[str, Array]]:
        """Return each family and the places of its rows."""
        family = self.rows.family()
        for name in dict.fromkeys(family.tolist()):
            if name:
                yield name, np.flatnonzero(family == name)


NO_THROUGHPUT = "no compute throughput"
NO_BATCH = "no batch: say how many inputs are computed at once, 1 or more"
LATENCY_ALONE = "no compute throughput, only a latency, where other rows of the platform give both"
NO_HARDWARE = "platform, mode or precision not known: give its peak and bandwidth with inputs="
NO_NETWORK = "network not known, or not its activations: give its layers, or totals with activations, with inputs="
DUPLICATE = "the same configuration was measured more than once: leave a run out, or tell them apart by mode"
OTHER_RUNS = "more than a factor of 2 off the other runs of its configuration"
UNIT_OFF = "throughput and latency differ about a thousandfold: a unit is off"
IMPOSSIBLE = "far more operations per second than the compute peak"
NO_GAIN = "threads on several cores add no throughput: another set-up"
TOO_MANY = f"a family is fitted to {MOST_ROWS} of its rows, drawn evenly over its hardware: this one is not among them"

UNSCORED = (NO_THROUGHPUT, LATENCY_ALONE, DUPLICATE, OTHER_RUNS)


def measured(measurements: pl.DataFrame, facts: Facts, *, wrong: Collection[int] = ()) -> Measured:
    """Read measurements; hardware without facts is taken as fast as it was seen to be, with headroom.

    Parameters
    ----------
    measurements : DataFrame
        Columns of `load_measurements`; the keys are needed, in canonical labels, and `throughput_compute_per_s` or
        `latency_compute_s`; `row` where rows were left out or averaged before.
    wrong : collection of int
        The `row` of runs that are far from the others of their configuration.
    """
    if not {RATE, LATENCY} & set(measurements.columns):
        msg = (
            f"`{RATE}`: expected this column in the measurements, or `{LATENCY}`; add one of them, in inputs per "
            "second or in seconds per batch"
        )
        raise InvalidDataError(msg)
    keys = key_columns(measurements, what="measurements")
    table = measurements if "row" in measurements.columns else measurements.with_row_index("row")
    table = with_throughput(table.with_columns(keys))
    slipped = table["row"].is_in(list(wrong)).to_numpy()
    facts = guessed(table.filter(pl.Series(~slipped & ~unit_off(table))), facts)
    rows = indexed_rows(keys, facts)
    rate = table[RATE].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        seconds = np.log(rows.batch / rate)
        power = np.log(_figures_of(table, "power_full_w"))
    reason = _reasons(table, rows, rate, slipped)
    reason[_beyond_most(rows, np.flatnonzero(reason == ""))] = TOO_MANY
    return Measured(table, facts, rows, seconds, power, _figures_of(table, INTERVAL), reason)


def fastest(rows: IndexedRows) -> Array:
    """Return the throughput [1/s] beyond which no row would be believed; infinite where nothing is known of it."""
    rate = np.full(len(rows), np.inf)
    known = np.flatnonzero(rows.known)
    some = rows.take(known)
    rate[known] = ABOVE_THE_LISTED_PEAK * some.machine("peak") / some.net("ops")
    return rate


def with_throughput(table: pl.DataFrame) -> pl.DataFrame:
    """Take batch / latency of platforms none of whose rows gives both; a throughput missing beside others stays so."""
    if LATENCY not in table.columns:
        return table
    if RATE not in table.columns:
        table = table.with_columns(pl.lit(None, pl.Float64).alias(RATE))
    given, latency = pl.col(RATE).cast(pl.Float64).fill_nan(None), pl.col(LATENCY).cast(pl.Float64)
    allowed = pl.when(latency > 0).then(pl.col("batch") / latency)
    both = (given.is_not_null() & allowed.is_not_null()).any().over("platform")
    return table.with_columns(pl.when(both).then(given).otherwise(pl.coalesce(given, allowed)).alias(RATE))


def _figures_of(table: pl.DataFrame, name: str) -> Array:
    if name not in table.columns:
        return np.full(table.height, np.nan)
    return table[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _reasons(table: pl.DataFrame, rows: IndexedRows, rate: Array, slipped: Array) -> Array:
    reason = np.full(len(rows), "", dtype=object)
    known = rows.known
    demand = np.zeros(len(rows))
    part = rows.take(np.flatnonzero(known))
    with np.errstate(over="ignore"):
        demand[known] = part.net("ops") * rate[known] / part.machine("peak")
    # later rules are the stronger ones
    reason[_without_gain(rows, rate, known & _threaded(table))] = NO_GAIN
    reason[slipped] = OTHER_RUNS
    reason[unit_off(table)] = UNIT_OFF
    reason[demand > ABOVE_THE_LISTED_PEAK] = IMPOSSIBLE
    sound = np.flatnonzero(~np.isin(reason, (OTHER_RUNS, UNIT_OFF, IMPOSSIBLE)))
    reason[sound[table[sound].select(KEY_COLUMNS).is_duplicated().to_numpy()]] = DUPLICATE
    reason[rows.network < 0] = NO_NETWORK
    reason[rows.hardware < 0] = NO_HARDWARE
    empty = empty_cells(table.select(KEY_COLUMNS))
    reason[empty.is_not_null().to_numpy()] = empty.drop_nulls().to_numpy()
    none = ~((rate > SLOWEST) & (rate < 1.0 / SLOWEST))
    reason[none] = NO_THROUGHPUT
    reason[none & (_figures_of(table, LATENCY) > 0)] = LATENCY_ALONE
    reason[~(rows.batch > 0)] = UNCOUNTABLE
    reason[table["batch"].is_null().to_numpy()] = NO_BATCH
    return reason


def _beyond_most(rows: IndexedRows, usable: Array) -> Array:
    """Draw which rows are too many: of each family the same number of each hardware stays, whatever their order."""
    family = rows.family()[usable]
    beyond = []
    for name in np.unique(family):
        own = usable[family == name]
        if len(own) <= MOST_ROWS:
            continue
        some = rows.take(own)
        own = own[np.lexsort((some.batch, some.network, some.hardware))]
        own = own[np.random.default_rng(SEED).permutation(len(own))]
        hardware = rows.hardware[own]
        turn = np.empty(len(own), dtype=int)  # how many of its hardware were drawn before it
        for one in np.unique(hardware):
            here = hardware == one
            turn[here] = np.arange(here.sum())
        beyond.append(own[np.argsort(turn, kind="stable")[MOST_ROWS:]])
    return np.concatenate([np.zeros(0, dtype=int), *beyond])


def unit_off(table: pl.DataFrame) -> Array:
    """Find rows whose throughput and latency differ a thousandfold or more, within a factor of two."""
    with np.errstate(invalid="ignore", divide="ignore"):
        inputs = _figures_of(table, RATE) * _figures_of(table, LATENCY)
        thousands = np.log(inputs / _figures_of(table, "batch")) / np.log(1e3)
        off: Array = (np.round(thousands) != 0) & (np.abs(thousands - np.round(thousands)) < np.log(2.0) / np.log(1e3))
    result: Array = off & np.isfinite(thousands)
    return result


def _threaded(table: pl.DataFrame) -> Array:
    """Find rows whose batch is a number of threads, where they say so."""
    if "batch_kind" not in table.columns:
        return np.zeros(table.height, dtype=bool)
    return (table["batch_kind"].cast(pl.String) == "threads").fill_null(value=False).to_numpy()


def _without_gain(rows: IndexedRows, rate: Array, threaded: Array) -> Array:
    """Find configurations whose throughput does not grow from one thread to as many as there are cores."""
    idle = np.zeros(len(rows), dtype=bool)
    configuration = rows.configuration()
    cores = np.ones(len(rows))
    cores[threaded] = rows.take(np.flatnonzero(threaded)).machine("cores")
    for one in np.unique(configuration[cores > 1]):
        here = np.flatnonzero((configuration == one) & np.isfinite(rate) & threaded)
        alone = rate[here][rows.batch[here] == 1]
        full = rate[here][rows.batch[here] >= cores[here]]
        if len(alone) and len(full) and full.max() < GAIN_OF_CORES * alone.max():
            idle[here] = True
    return idle
