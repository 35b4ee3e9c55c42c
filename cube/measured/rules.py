"""The rules of the physics gate as records: which rows break them, the numbers compared, and what to do.

A rule is an expression over a table of measurements to which `physics_gate` has added what platform and network allow
(`peak_throughput`, `published_throughput`, `bound_throughput`, `table_top1`, `cores`, `executed_precision`, `board`)
and whether another row is `identical`; it may look at a row's sisters. A new rule is a new record here, and its name a
bit in `roofcube.vocabulary.QUALITY`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from roofcube import datasets
from roofcube.labels import KEY_COLUMNS
from roofcube.measured.rows import LATENCY, SPEEDS, SYSTEM_LATENCY, SYSTEM_THROUGHPUT, THROUGHPUT, WATTS
from roofcube.vocabulary import GRADES, HARDWARE_DIMS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["WATTS_RANGE_FACTOR", "Rule", "rules_for"]

AGREEMENT = 0.05  # throughput and batch / latency may differ by this share
ACCURACY_STEP = 0.005  # percentage points; tables are printed with two digits
WATTS_RANGE_FACTOR = 1.5  # base power of one platform and mode may vary by this
SCALING_SHARE = 0.5  # of the gain that min(threads, cores) allows
COMPUTE_SHARE = 0.2  # compute time below this share of the system's
# nearer to a hundredfold than to tenfold: power this far from the listed one is in another unit, or another device's;
# of the embedded rows it is from a quarter to twice the listed one
POWER_FACTOR = 10.0**1.5
REPEATS_FACTOR = 2.0  # repeats of one configuration may differ by this; honest runs differ by a third at most
BATCH_LOSS = 0.1  # throughput may fall by this share when the batch grows
PRINTED_DECIMALS = 3
SLOWER = 100.0  # this far below the share of the bound that is usual on the platform …
LONGER = 10.0  # … and so much longer than its rows usually take
SISTERS = 4  # rows of a platform that tell what is usual there
FRACTION_SPAN = (0.75, 1.25)  # a hundredfold fraction and the network's other accuracies agree within this
# most public tables give latency only: it is judged as the throughput that it allows
SPEED = pl.col(THROUGHPUT).fill_null(pl.col("batch") / pl.col(LATENCY))
FROM_LATENCY = " (batch / latency, as no throughput is given)"


@dataclass(frozen=True)
class Rule:
    """A rule: which rows break it, the numbers, and what to do."""

    name: str
    column: str
    broken: pl.Expr
    value: pl.Expr
    limit: pl.Expr
    finding: str
    action: str

    @property
    def grade(self) -> str:
        """How bad it is: impossible, doubtful or note."""
        return GRADES[self.name]


def rules_for(table: pl.DataFrame, *, keys: Sequence[str] = KEY_COLUMNS) -> list[Rule]:
    """List the rules that look at one row, or at a row among its sisters; `keys` tell configurations apart."""
    throughput, latency = pl.col("throughput_compute_per_s"), pl.col("latency_compute_s")
    product = throughput * latency / pl.col("batch")
    rules = [
        *_limits_of(THROUGHPUT, LATENCY),
        # a system is no faster than its accelerator; what the published roofline lacks, compute figures alone say
        *(one for one in _limits_of(SYSTEM_THROUGHPUT, SYSTEM_LATENCY) if one.name != "above_roofline"),
        Rule(
            "throughput_latency_mismatch",
            "latency_compute_s",
            ((product - 1.0).abs() > AGREEMENT) & ~_is_rounded(throughput, pl.col("batch") / latency),
            throughput,
            pl.col("batch") / latency,
            "throughput differs from batch / latency by more than 5 %",
            "trust the throughput (the smoother column) and measure the latency again",
        ),
        Rule(
            "full_power_below_idle",
            "power_full_w",
            pl.col("power_full_w") < pl.col("power_idle_w"),
            pl.col("power_full_w"),
            pl.col("power_idle_w"),
            "power under load below idle power",
            "measure again; do not use for energy",
        ),
        *_power_values(table),
        Rule(
            "system_faster_than_compute",
            "latency_system_s",
            pl.col("latency_system_s") < latency,
            pl.col("latency_system_s"),
            latency,
            "the whole system takes less time than its accelerator alone",
            "check which column is which",
        ),
        Rule(
            "duplicate_key",
            "batch",
            pl.len().over(keys) > 1,
            pl.len().over(keys).cast(pl.Float64),
            pl.lit(1.0),
            "another row has the same configuration",
            "the cube holds their mean, n_rows says how many and _spread how far apart; tell them apart if they differ",
        ),
        Rule(
            "duplicate_row",
            "batch",
            pl.col("identical"),
            pl.len().over(keys).cast(pl.Float64),
            pl.lit(1.0),
            "another row is the same in every column",
            "leave one out, unless two runs gave the very same figures",
        ),
        *_repeats(keys),
        Rule(
            "accuracy_differs",
            "top1_percent",
            (pl.col("top1_percent") - pl.col("table_top1")).abs() > ACCURACY_STEP,
            pl.col("top1_percent"),
            pl.col("table_top1"),
            "accuracy on the platform differs from the table of trained networks",
            "say which one a figure shows",
        ),
        *_accuracy_units(),
        Rule(
            "measured_but_infeasible",
            "batch",
            (pl.col("memory_required") > pl.col("memory_capacity"))
            & pl.any_horizontal(pl.col(name).is_not_null() for name in SPEEDS),
            pl.col("memory_required"),
            pl.col("memory_capacity"),
            "measured where the model says that it does not fit the memory (bytes needed and there are)",
            "check memory_capacity_b of the platform, and the network",
        ),
        Rule(
            "other_precision_executed",
            "precision",
            pl.col("precision") != pl.col("executed_precision"),
            pl.lit(None, pl.Float64),
            pl.lit(None, pl.Float64),
            "the platform computes in another precision than the network's",
            "do not read it as the speed of that precision; hold twins out together",
        ),
    ]
    if table["board"].null_count() < table.height:
        rules.append(_foreign_power(table))
    rules += [_set_up_rule(), *_scaling_rules(keys), *_batch_rules(table, keys), *_sister_rules(keys)]
    rules.append(
        Rule(
            "compute_time_incomplete",
            "latency_compute_s",
            latency < COMPUTE_SHARE * pl.col("latency_system_s"),
            latency,
            pl.col("latency_system_s"),
            "compute time is under 20 % of the system's",
            "compare systems by system figures; the rest is host and transfer",
        )
    )
    return rules


def _repeats(keys: Sequence[str]) -> list[Rule]:
    """Find repeats of one configuration of which one is far off."""
    return [
        Rule(
            "repeats_disagree",
            name,
            pl.col(name).max().over(keys) > REPEATS_FACTOR * pl.col(name).min().over(keys),
            pl.col(name),
            pl.col(name).median().over(keys),
            "repeats of one configuration differ by more than a factor of 2 (limit: their median)",
            "leave the run out that went wrong, or tell configurations apart by mode or batch",
        )
        for name in (*SPEEDS, "power_full_w")
    ]


def _limits_of(throughput: str, latency: str) -> list[Rule]:
    """Compare a pair of speeds with the ceilings of its configuration, and its units with one another and with them."""
    rate, batch, bound = pl.col(throughput), pl.col("batch"), pl.col("bound_throughput")
    timed = batch / pl.col(latency)
    alone = pl.when(rate.is_null()).then(timed)
    digits = (rate / timed).log10()
    thousands = (digits / 3.0).round()
    off = (thousands != 0) & ((digits - 3.0 * thousands).abs() < np.log10(2.0))
    # a column alone betrays its unit by beating physics a hundredfold
    beyond = (rate > 100.0 * bound) & ~off.fill_null(value=False)
    check = "check the units of latency (s) and throughput (1/s)"
    return [
        *_ceilings(throughput, rate, ""),
        *_ceilings(latency, alone, FROM_LATENCY),
        Rule("unit_off", latency, off, rate, timed, "a unit is off by a factor of 1000", check),
        *(
            Rule("unit_off", column, broken, value, bound, f"{word} beats the bound a hundredfold: a unit is off", do)
            for column, broken, value, word, do in (
                (throughput, beyond, rate, "throughput", "check the unit of throughput (1/s)"),
                (latency, alone > 100.0 * bound, alone, "latency", "check the unit of latency (s)"),
            )
        ),
    ]


def _ceilings(column: str, throughput: pl.Expr, judged: str) -> list[Rule]:
    """Compare a throughput with the three ceilings of its configuration."""
    remeasure = "impossible as stated: check timer, op count and clock; leave out of fits"
    published = "the roofline's assumption (weights read once per input) does not hold here; compare with the bound"
    ceilings = (
        ("above_compute_peak", "peak", "more operations a second than the platform's peak compute", remeasure),
        ("above_roofline", "published", "above the published roofline", published),
        ("above_bound", "bound", "above the batch-aware bound", remeasure),
    )
    return [
        Rule(name, column, throughput > (limit := pl.col(f"{kind}_throughput")), throughput, limit, text + judged, do)
        for name, kind, text, do in ceilings
    ]


def _power_values(table: pl.DataFrame) -> list[Rule]:
    """Find power that no running platform takes."""
    zero = [
        Rule(
            "zero_power",
            name,
            pl.col(name) <= 0.0,
            pl.col(name),
            pl.lit(0.0),
            "0 W: the meter was off or not started",
            "measure again; do not use for energy",
        )
        for name in WATTS
    ]
    full, listed, usual = pl.col("power_full_w"), pl.col("listed_power"), pl.lit(_usual_power(table))
    action = "check the unit (W) and whose power it is"
    return [
        *zero,
        *(
            Rule(
                "power_unit_off",
                "power_full_w",
                holds & ((full > POWER_FACTOR * limit) | ((full > 0.0) & (full < limit / POWER_FACTOR))),
                full,
                limit,
                f"power is about a hundredfold off {what}, or further",
                action,
            )
            for holds, limit, what in (
                (listed.is_not_null(), listed, "the listed one"),
                (listed.is_null(), usual, "what the platform's other rows say"),
            )
        ),
    ]


def _usual_power(table: pl.DataFrame) -> pl.Series:
    """Return the median of the power of each row's platform, of these rows and the embedded ones; null where few."""
    both = [datasets.load_measurements(), table]
    known = pl.concat(one.select("platform", "power_full_w") for one in both).filter(pl.col("power_full_w") > 0.0)
    median = known.group_by("platform").agg(usual=pl.col("power_full_w").median(), several=pl.len() >= SISTERS)
    usual = table.select("platform").join(median.filter("several"), on="platform", how="left", maintain_order="left")
    return usual["usual"]


def _accuracy_units() -> list[Rule]:
    """Tell percentages from fractions by the other accuracies of a network."""
    rules = []
    for name in ("top1_percent", "top5_percent"):
        value, highest = pl.col(name), pl.col(name).max().over("topology")
        texts = {
            "all accuracies of the network are at most 1 %: a fraction, not percent": highest <= 1.0,
            "a fraction, not percent, as the network's other accuracies say": (highest > 1.0)
            & (value <= 1.0)
            & (100.0 * value / highest).is_between(*FRACTION_SPAN),
        }
        rules += [
            Rule(
                "accuracy_is_a_fraction",
                name,
                broken & value.is_not_null(),
                value,
                100.0 * value,
                text,
                "multiply by 100",
            )
            for text, broken in texts.items()
        ]
    top1, top5 = pl.col("top1_percent"), pl.col("top5_percent")
    a_fraction = (top5 <= 1.0) & (100.0 * top5 >= top1) & (top1 > 1.0)
    rules.append(
        Rule(
            "top5_below_top1",
            "top5_percent",
            (top5 < top1) & ~a_fraction,
            top5,
            top1,
            "top-5 accuracy below top-1 (the limit): what is first is among the first five",
            "check which column is which",
        )
    )
    return rules


def _is_rounded(value: pl.Expr, other: pl.Expr) -> pl.Expr:
    """Check whether a figure is another one rounded to a few decimals, as public tables print slow rows."""
    return pl.any_horizontal(value == other.round(decimals) for decimals in range(1, PRINTED_DECIMALS + 1))


def _batch_rules(table: pl.DataFrame, keys: Sequence[str]) -> list[Rule]:
    """Find throughput that falls when the batch grows."""
    # of repeats none is the other's smaller batch; windows do not nest, so that this is computed at once
    fastest = table.drop_nulls("batch").group_by(keys).agg(fastest=SPEED.max()).sort("batch")
    before = pl.col("fastest").fill_null(0.0).cum_max().shift(1, fill_value=0.0).over(keys[:-1])
    batches = fastest.with_columns(before=before)
    smaller = pl.lit(table.join(batches, on=keys, how="left", nulls_equal=True, maintain_order="left")["before"])
    return _of_speed(
        "slower_with_batch",
        (1.0 - BATCH_LOSS) * smaller > SPEED,
        smaller,
        "throughput falls by more than 10 % from a smaller batch",
        "check what limits it there (memory, clock, heat), or measure again",
    )


def _sister_rules(keys: Sequence[str]) -> list[Rule]:
    """Find rows that are slow beyond what the platform's other rows let expect, as a wrong unit makes them."""
    hardware = [name for name in keys if name in HARDWARE_DIMS]
    share = SPEED / pl.col("bound_throughput")
    usual = share.median().over(hardware)
    several = share.count().over(hardware) >= SISTERS
    # a launch takes its time, whatever small network it runs: 1.6 ms on the embedded NCS2, 1/300 of its usual share
    time = pl.col("batch") / SPEED
    long = time > LONGER * time.median().over(hardware)
    return _of_speed(
        "far_below_sisters",
        several & long & (SLOWER * share < usual),
        usual * pl.col("bound_throughput"),
        "more than a hundredfold slower than the platform's other rows let expect: a unit may be off",
        "check the units of latency (s) and throughput (1/s)",
    )


def _of_speed(name: str, broken: pl.Expr, limit: pl.Expr, finding: str, action: str) -> list[Rule]:
    """Return a rule of speeds for each column that gives one."""
    timed = pl.col(THROUGHPUT).is_null()
    return [
        Rule(name, THROUGHPUT, broken & ~timed, SPEED, limit, finding, action),
        Rule(name, LATENCY, broken & timed, SPEED, limit, finding + FROM_LATENCY, action),
    ]


def _set_up_rule() -> Rule:
    """Compare base power between set-ups of one platform."""
    own = pl.col("power_base_w").min().over("platform", "mode")
    return Rule(
        "power_set_up_differs",
        "power_base_w",
        pl.col("power_base_w") > WATTS_RANGE_FACTOR * own,
        pl.col("power_base_w"),
        own,
        "base power differs from other rows of the same platform and mode: another set-up",
        "compare power only within one set-up",
    )


def _foreign_power(table: pl.DataFrame) -> Rule:
    """Find base power of another board, as the embedded rows know the boards; rows of a table accuse none."""
    boards = datasets.load_platforms().unique("platform").select("platform", "board")
    known = datasets.load_measurements().select("platform", "power_base_w").join(boards, on="platform")
    known_of = _bases_of(known)
    bases_of = _bases_of(pl.concat([known, table.select("platform", "power_base_w", "board")]))
    # a board with several base figures, one of which is another board's: that one is foreign, but for the only known
    foreign = [
        (board, value)
        for board, values in bases_of.items()
        for value in values
        if len(values) > 1 and known_of.get(board) != [value]
        if any(value in theirs for other, theirs in known_of.items() if other != board)
    ]
    is_foreign = pl.lit(False)
    true_base = pl.lit(None, pl.Float64)
    for board, value in foreign:
        here = (pl.col("board") == board) & (pl.col("power_base_w") == value)
        is_foreign = is_foreign | here
        base = next(one for one in bases_of[board] if one != value)
        true_base = pl.when(here).then(pl.lit(base)).otherwise(true_base)
    return Rule(
        "foreign_power",
        "power_base_w",
        is_foreign,
        pl.col("power_base_w"),
        true_base,
        "base power is that of another board",
        "do not use for power or energy; the table of corrections gives the board's own figure",
    )


def _bases_of(rows: pl.DataFrame) -> dict[str, list[float]]:
    """Return the base figures of each board, the lowest first."""
    bases = rows.drop_nulls(["board", "power_base_w"]).unique(["board", "power_base_w"])
    return {board: sorted(values) for board, values in bases.group_by("board").agg("power_base_w").iter_rows()}


def _scaling_rules(keys: Sequence[str]) -> list[Rule]:
    """Threads on a platform with several cores must gain from them."""
    one = SPEED.filter(pl.col("batch") == 1).max().over(keys[:-1])
    possible = pl.min_horizontal(pl.col("batch").cast(pl.Float64), pl.col("cores"))
    least = 1.0 + SCALING_SHARE * (possible - 1.0)
    threaded = (pl.col("batch_kind") == "threads") & (pl.col("cores") > 1) & (pl.col("batch") > 1)
    return _of_speed(
        "does_not_scale",
        threaded & (SPEED / one < least),
        one * possible,
        "throughput does not grow with threads as its cores allow",
        "another set-up than the platform's other rows; leave out of fits",
    )
