"""The tables of the section on calibration: held-out errors by scheme and by family, parameters, trust."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from roofcube.page.content import Table
from roofcube.wording import counted, listed, percent, quantity, with_thousands

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roofcube.calibration import Calibration
    from roofcube.calibration.kept.held_out import HeldOut

__all__ = ["PUBLISHED", "STRICT", "by_family", "by_scheme", "error_of", "expected", "parameters", "trusted"]

ALL = "all"
STRICT = "network"
NEAR = 1.25
PUBLISHED = "published roofline (nothing fitted)"
# what is held out together → how the page says it
FAMILY = "device family never seen"
# what to expect of what is new comes first
SPOKEN = {
    STRICT: "strict: each network at its pruning, all modes and precisions",
    "topology": "each network at every pruning",
    "architecture": "all networks of an architecture",
    "precision": "each precision",
    "platform": "each platform and mode of a family",
    FAMILY: "each family of platforms: only the others are known",
    PUBLISHED: "nothing fitted: the published roofline",
    "configuration": "each configuration; its other modes and precisions are seen",
    "pruning": "each pruning of all networks",
    "network, initiation interval given": "strict, initiation interval of dataflow designs given",
}
ERRORS = ("median_ape_percent", "p90_ape_percent", "within_25_percent", "rank_correlation")
HEADS = ("Rows", "Median error", "90 % of rows below", "Within 25 %", "Rank correlation")


# errors ---------------------------------------------------------------------------------------------------------------


def error_of(found: HeldOut, scheme: str, family: str = ALL, what: str = "throughput") -> dict[str, Any]:
    """Return a line of the error table; empty where it has none."""
    lines = found.errors.filter(quantity=what, scheme=scheme, family=family)
    return lines.row(0, named=True) if lines.height else {}


def expected(found: HeldOut) -> str:
    """Say what error to expect of what is new, the median and what one in ten exceeds."""
    from roofcube.calibration.crossvalidation import expectations

    lines = expectations(found.errors).iter_rows(named=True)
    told = [
        f"{_share(one['median_ape_percent'])} for a new {one['new']} (one in ten is off by more than "
        f"{_share(one['p90_ape_percent'])})"
        for one in lines
    ]
    return f"Expect a median error of {'; '.join(told)}." if told else ""


def by_scheme(found: HeldOut) -> Table:
    """Tabulate the errors over all families by what was held out."""
    rows = []
    for scheme, spoken in SPOKEN.items():
        line = error_of(found, scheme)
        if line:
            rows.append((spoken, "throughput", *_shown_errors(line)))
        if scheme == PUBLISHED:
            rows.append(
                ("nothing fitted: the bound, a limit and no prediction", "throughput", *_error_of_bound(found.rows))
            )
        if scheme == STRICT:
            strict = ((what, error_of(found, scheme, what=what)) for what in ("power", "energy"))
            rows += [
                (spoken, f"{what} per input" if what == "energy" else what, *_shown_errors(one)) for what, one in strict
            ]
    note = (
        f"Each line predicts rows of all tasks that the fit, the choice of its structure and its settings did not see. "
        f"{counted(found.rows.height, 'row')} can be scored; a line has fewer where nothing is left to learn from, "
        f"such as for a family with one precision.{_cost_of_choosing(found)}"
    )
    return Table("errors", "Error of the calibrated prediction by what was held out", (
        "Held out together", "Quantity", *HEADS), tuple(rows), note)  # fmt: skip


def _cost_of_choosing(found: HeldOut) -> str:
    """Return what picking by prediction gives away, and how often it fails."""
    ours, theirs = (
        [error_of(found, scheme, pool, "choice") for pool in ("within platforms", "across platforms")]
        for scheme in (STRICT, PUBLISHED)
    )
    if any(one.get("regret_percent") is None for one in (*ours, *theirs)):
        return ""
    (lost, lost_across), (usual, usual_across) = (
        [_share(one["regret_percent"]) for one in part] for part in (ours, theirs)
    )
    (failed, failed_across), (fails, fails_across) = (
        [_share(one["latency_missed_percent"]) for one in part] for part in (ours, theirs)
    )
    return (
        f" Who picks by the strict prediction under limits of accuracy and latency gives away {lost} of the throughput "
        f"within a platform and {lost_across} across platforms; by the published roofline, {usual} and {usual_across}. "
        f"That is of the picks that hold the limit: {failed} and {failed_across} miss it or find nothing, by the "
        f"published roofline {fails} and {fails_across}; the limits are measured latencies, so small errors miss."
    )


def _shown_errors(line: dict[str, Any]) -> tuple[int | str | None, ...]:
    median, high, near, ranks = (line[name] for name in ERRORS)
    return line["rows"], _share(median), _share(high), _share(near), None if ranks is None else f"{ranks:.3f}"


def _share(value: float | None) -> str | None:
    """Write per cent; figures far above a hundred as factors would be, with few digits."""
    return (
        None
        if value is None
        else percent(value / 100.0)
        if value < 1000
        else f"{with_thousands(100 * round(value / 100))} %"
    )


def _error_of_bound(rows: pl.DataFrame) -> tuple[int | str | None, ...]:
    known = rows.filter(pl.col("bound").is_not_null())
    ratio = (known["bound"] / known["measured"]).to_numpy()
    error = np.abs(ratio - 1.0)
    ranks = known.select(pl.corr("bound", "measured", method="spearman")).item()
    near = float((np.abs(np.log(ratio)) < np.log(NEAR)).mean())
    return _shown_errors({
        "rows": known.height, "median_ape_percent": 100.0 * float(np.median(error)),
        "p90_ape_percent": 100.0 * float(np.quantile(error, 0.9)), "within_25_percent": 100.0 * near,
        "rank_correlation": ranks,
    })  # fmt: skip


def by_family(found: HeldOut, level: float) -> Table:
    """Tabulate the strict errors by family, with the coverage of the intervals."""
    covered = {
        line["family"]: line for line in found.coverage.filter(pl.col("level_percent") == 100.0 * level).to_dicts()
    }
    rows = []
    for line in found.errors.filter(quantity="throughput", scheme=STRICT).to_dicts():
        family, interval = line["family"], covered.get(line["family"], {})
        before = error_of(found, PUBLISHED, family).get("median_ape_percent")
        ends = (
            _share(interval.get("rows_covered_percent")),
            _share(interval.get("configurations_half_covered_percent")),
            f"×/÷ {interval['half_width']:.2f}" if interval else None,
        )
        spoken = family[0].upper() + family[1:]
        rows.append((spoken, line["rows"], _share(before), *_shown_errors(line)[1:4], *ends))
    percents = f"{100.0 * level:g} %"
    columns = (
        "Family", "Rows", "Median error, published", "Calibrated", HEADS[2], HEADS[3],
        f"{percents} interval holds rows", "holds configurations", "Its half-width",
    )  # fmt: skip
    note = (
        "The network at its pruning is held out, in all modes and precisions of the family; the interval did not see "
        "it either. A configuration counts as held when at least half of its rows are."
    )
    return Table("errors-by-family", "Error and intervals by family", columns, tuple(rows), note)


# parameters -----------------------------------------------------------------------------------------------------------


def parameters(calibration: Calibration, platforms: Sequence[str]) -> Table:
    """Tabulate the fitted parameters, a row per platform, mode and precision."""
    table = calibration.parameters.filter(pl.col("platform").is_in(list(platforms)))
    rows = []
    for (platform, mode, precision), lines in table.group_by("platform", "mode", "precision", maintain_order=True):
        values = dict(zip(lines["parameter"], lines["value"], strict=True))
        power = [value for name, value in values.items() if name.startswith("power_")]
        rest = [
            quantity(values["power_at_rest"], "W"),
            f"+ {quantity(sum(power) - values['power_at_rest'], 'W')}",
        ] if power else [None, None]  # fmt: skip
        rows.append((
            f"{platform} {_mode(mode)}{precision}",
            *(_duration(values[f"{name}_overhead"]) for name in ("fixed", "layer", "input")),
            *(percent(values[f"{name}_efficiency"]) for name in KINDS),
            f"{values['patch_traffic']:.2f}", f"{values['channel_tile']:g}", *rest,
        ))  # fmt: skip
    columns = (
        "Platform", "Per batch", "Per layer", "Per input", "Convolution", "Fully connected", "Weights", "Activations",
        "Patches", "Tile", "At rest", "At most",
    )  # fmt: skip
    note = (
        "Time of a batch: overheads per batch, per layer and batch, per input; then the share of the listed peak that "
        "convolutions and fully connected layers reach, the share of the listed bandwidth that weights and activations "
        "reach, convolution patches that pass through memory (in listed bandwidths), and the channels of a tile. Power "
        "at rest, and what all loads together add at most. A parameter that no network tells keeps its prior."
    )
    return Table("parameters", "Parameters of the calibration", columns, tuple(rows), note, folded=True)


KINDS = ("convolution", "dense", "weight_bandwidth", "activation_bandwidth")


def _duration(seconds: float) -> str:
    """Write seconds in human scale; what is below a nanosecond is none."""
    return quantity(seconds, "s") if seconds >= 1e-9 else "none"


def _mode(mode: str) -> str:
    return "" if mode == "default" else f"{mode} "


# trust ----------------------------------------------------------------------------------------------------------------


def trusted(calibration: Calibration, platforms: Sequence[str]) -> Table:
    """Return what can and cannot be trusted, platforms and modes of one statement together."""
    table = calibration.trust.filter(pl.col("platform").is_in(list(platforms)))
    groups = table.group_by("platform", "trust", maintain_order=True).agg(
        pl.col("mode").unique(maintain_order=True), pl.col("precision").unique(maintain_order=True),
        pl.col("rows").sum(), pl.col("networks").max(), pl.col("batch_low").min(), pl.col("batch_high").max(),
    )  # fmt: skip
    rows = [
        (
            one["platform"], _modes_text(one["mode"]), _modes_text(one["precision"]), one["rows"], one["networks"],
            " … ".join(map(str, sorted({one["batch_low"], one["batch_high"]}))), one["trust"],
        )
        for one in groups.iter_rows(named=True)
    ]  # fmt: skip
    columns = ("Platform", "Modes", "Precisions", "Rows", "Networks", "Batches", "What to trust, and what not")
    return Table("trust", "What the calibration can be trusted for", columns, tuple(rows), _rows_left_out(calibration))


def _modes_text(labels: list[str]) -> str:
    return ", ".join("–" if label == "default" else label for label in labels)


def _rows_left_out(calibration: Calibration) -> str:
    reasons = calibration.unused["reason"].value_counts(sort=True, name="count")
    told = [f"{counted(count, 'row')} ({reason})" for reason, count in reasons.iter_rows()]
    kept = int(calibration.data.usable.sum())
    return f"Fitted to {counted(kept, 'row')} of all tasks; left out: {listed(told)}." if told else ""
